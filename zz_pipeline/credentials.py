"""Credentials of departments on platforms: the secret in force, the next one, and from when it holds.

Belongs here: the value, and reading `secrets.toml` and ZZ_SECRET_<PLATFORM>_<DEPARTMENT>. Must not: signing, clocks.
Source: contracts/gateway.md "Credentials".
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from zz_pipeline.errors import ConfigError

SHORTEST = 32  # characters of a secret (contracts/gateway.md)
ALERTS = "alerts"  # section of the channels' secrets, which is no platform
CHANGEOVER = 300.0  # seconds by which a platform's clock may differ from ours (contracts/gateway.md)


class Credential(BaseModel):
    """One department's credential on one platform; secrets never show in a repr.

    next_secret holds from the Unix moment `next_from` on; before it, and where there is none, `secret` does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: str
    department: str
    app_id: str
    secret: SecretStr
    next_secret: SecretStr | None = None
    next_from: float = Field(default=float("inf"))

    def secret_at(self, now: float) -> str:
        """The secret in force at that Unix moment."""
        changed = self.next_secret is not None and now >= self.next_from
        return (self.next_secret if changed and self.next_secret else self.secret).get_secret_value()

    def other_at(self, now: float) -> str | None:
        """The other secret if its turn is so near that the platform's clock may say so already, or not yet."""
        if self.next_secret is None or abs(now - self.next_from) > CHANGEOVER:
            return None
        return (self.secret if now >= self.next_from else self.next_secret).get_secret_value()


def read_credentials(
    path: Path, env: Mapping[str, str], zone: str, toml: Callable[[Path], dict[str, Any]]
) -> dict[str, Credential]:
    """`platform.DEPARTMENT` → credential; the environment counts more than the file. ConfigError names place and remedy."""
    found: dict[str, Credential] = {}
    if path.exists():
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"{path} 可被其他用户读取。请执行 chmod 600 {path}。")
        for platform, departments in toml(path).items():
            if platform == ALERTS:
                continue
            for department, said in departments.items():
                found[f"{platform}.{department}"] = _credential(path, platform, department, said, zone)
    for name, value in env.items():
        match = re.fullmatch(r"ZZ_SECRET_([A-Z0-9_]+)_([A-Z]{2,8})", name)
        if match:
            platform, department = match[1].lower(), match[2]
            app_id, _, secret = value.partition(":")
            said = {"app_id": app_id, "secret": secret}
            found[f"{platform}.{department}"] = _credential(Path(name), platform, department, said, zone)
    return found


def _credential(path: Path, platform: str, department: str, said: Any, zone: str) -> Credential:
    where = f"{path} 的 [{platform}.{department}]"
    if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in ("app_id", "secret")):
        raise ConfigError(f"{where} 需要文字 app_id 与 secret。")
    _long_enough(where, "secret", said["secret"])
    names = {"platform": platform, "department": department, "app_id": said["app_id"]}
    return Credential(**names, secret=SecretStr(said["secret"]), **_next(where, said, zone))


def _next(where: str, said: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """The next secret and its moment; both or neither. A moment without zone is the county's wall time."""
    secret, moment = said.get("next_secret"), said.get("next_from")
    if secret is None and moment is None:
        return {}
    if not isinstance(secret, str) or not isinstance(moment, datetime):
        raise ConfigError(
            f"{where} 的 next_secret（文字）与 next_from（日期时间，如 2026-12-01T00:00:00，不加引号）须同时写。"
        )
    _long_enough(where, "next_secret", secret)
    when = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return {"next_secret": SecretStr(secret), "next_from": when.timestamp()}


def _long_enough(where: str, name: str, secret: str) -> None:
    if len(secret) < SHORTEST or not secret.isascii():
        raise ConfigError(f"{where} 的 {name} 少于 32 个 ASCII 字符，平台不会接受。")
