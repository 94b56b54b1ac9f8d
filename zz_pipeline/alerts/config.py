"""Where alerts go: addresses from `county.toml` [alerts], secrets from `secrets.toml` [alerts] or the environment.

Belongs here: the models, reading the secrets (never in a repr). Must not: sending, addresses of departments (their files).
Environment: ZZ_ALERTS_SMTP_USER, ZZ_ALERTS_SMTP_PASSWORD, ZZ_ALERTS_WEBHOOK_URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from zz_pipeline.addresses import url_problem
from zz_pipeline.errors import ConfigError

SECTION = "alerts"
NAMES = ("smtp_user", "smtp_password", "webhook_url")
_ADDRESS = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+")


def addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses, if each is one and nothing else; ValueError names the wrong one."""
    for value in values:
        if not _ADDRESS.fullmatch(value) or not value.isascii():
            raise ValueError(f"“{value}”不是邮件地址，应写成 zhangmou@example.gov.cn")
    return values


class AlertSpec(BaseModel):
    """`[alerts]` of county.toml. No smtp_host: no mail. near_days: working days before a last day at which to remind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_ca_file: str = ""
    mail_from: str = ""
    mail_to: tuple[str, ...] = ()
    done_by: str = Field(default="07:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    near_days: int = Field(default=2, ge=0, le=20)

    @field_validator("mail_to")
    @classmethod
    def _each_an_address(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return addresses(values)

    @field_validator("mail_from")
    @classmethod
    def _one_address(cls, value: str) -> str:
        return addresses((value,))[0] if value else ""


class AlertSecrets(BaseModel):
    """What is secret of the channels; the webhook's address holds its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    smtp_user: str = Field(default="", repr=False)
    smtp_password: SecretStr = SecretStr("")
    webhook_url: SecretStr = SecretStr("")


def split(url: str) -> tuple[str, str]:
    """(scheme and host, path with query) of a webhook's address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path + (f"?{parts.query}" if parts.query else "")


def read_secrets(found: Mapping[str, Any], env: Mapping[str, str]) -> AlertSecrets:
    """From the section of secrets.toml and the environment, which counts more; ConfigError names key and remedy."""
    said = found.get(SECTION, {})
    if not isinstance(said, dict) or not all(k in NAMES and isinstance(v, str) for k, v in said.items()):
        raise ConfigError(f"secrets.toml 的 [{SECTION}] 只能写文字 {'、'.join(NAMES)}。请核对名称与引号。")
    values = {name: env.get(f"ZZ_ALERTS_{name.upper()}") or said.get(name, "") for name in NAMES}
    if values["webhook_url"] and (problem := url_problem(split(values["webhook_url"])[0])):
        raise ConfigError(f"secrets.toml 的 [{SECTION}] webhook_url（或 ZZ_ALERTS_WEBHOOK_URL）不能用：{problem}。")
    return AlertSecrets.model_validate(values)
