"""What a platform is to the gateway: the words Credential, Clock, Call, Answer, Refusal and the Platform base class.

Belongs here: values and the reading of queries and bodies that the gateway rules make common to all platforms.
Must not: order of refusals (`gateway`), anything one contract page decides.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import unquote

from mock_platforms.codec import BadJson, strict_json
from mock_platforms.store import Store
from mock_platforms.validation import real_datetime

_JSON_TYPE = re.compile(r'application/json\s*;\s*charset="?utf-8"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Credential:
    """One department's credential on one platform."""

    platform: str
    department: str
    app_id: str
    secret: str = field(repr=False)
    department_uscc: str
    department_name: str
    suspended: bool = False


class Clock:
    """A platform's clock: real time and an offset that tests may set. Beijing wall time without zone."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def epoch(self) -> float:
        """Unix seconds by the platform's clock."""
        return time.time() + self.offset

    def now(self) -> datetime:
        """Beijing wall time of the platform."""
        return datetime.fromtimestamp(self.epoch(), UTC).replace(tzinfo=None) + timedelta(hours=8)


def stamp(moment: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Refusal(Exception):
    """A refusal at the gateway: nothing was stored."""

    def __init__(self, http: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.http, self.code, self.message, self.headers = http, code, message, dict(headers or {})


class BadParameter(ValueError):
    """A query that the gateway rules call bad."""


@dataclass(slots=True)
class Answer:
    """An answer before faults act on it. keys and verdicts are for the wire log only."""

    http: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json; charset=utf-8"
    keys: Sequence[str] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: path and query exactly as sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the gateway. `charge(n)` counts n records or raises the quota refusal."""

    request: Request
    credential: Credential
    now: datetime
    charge: Callable[[int], None]
    hints: Mapping[str, Any] = field(default_factory=dict)

    @property
    def route(self) -> tuple[str, str]:
        """Method and decoded path."""
        return self.request.method, unquote(self.request.path)

    def json(self) -> Any:
        """The body; BadJson if it or its Content-Type is not what the gateway rules allow."""
        headers = self.request.headers
        if not _JSON_TYPE.fullmatch(headers.get("content-type", "").strip()) or "content-encoding" in headers:
            raise BadJson("Content-Type")
        return strict_json(self.request.body)

    def params(self, *allowed: str) -> dict[str, str]:
        """The query's parameters; BadParameter for an unknown, repeated or malformed one."""
        found: dict[str, str] = {}
        for part in self.request.query.split("&") if self.request.query else ():
            name, equals, value = part.partition("=")
            if name not in allowed or name in found or not equals:
                raise BadParameter(f"参数 {name[:40]} 未知、重复或不完整")
            try:
                found[name] = unquote(value, errors="strict")
            except UnicodeDecodeError:
                raise BadParameter(f"参数 {name} 不是 UTF-8") from None
        return found


def bound(params: Mapping[str, str], name: str) -> str:
    """A time bound of a query as text, empty if absent."""
    if name in params and real_datetime(params[name]) is None:
        raise BadParameter(f"{name} 应为 YYYY-MM-DD HH:MM:SS")
    return params.get(name, "")


def number(params: Mapping[str, str], name: str, default: int, most: int | None = None) -> int:
    """A whole number of a query, 1 to `most`."""
    text = params.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1 or (most is not None and int(text) > most):
        raise BadParameter(f"{name} 超出范围")
    return int(text)


def single_keys(params: Mapping[str, str], name: str, beside: Sequence[str], most: int = 100) -> list[str] | None:
    """The keys of a single-record query, or None if the query is a listing."""
    if name not in params:
        return None
    keys = params[name].split(",")
    if any(other in params for other in beside) or not all(keys) or len(keys) > most:
        raise BadParameter(f"{name} 为空、超过 {most} 个，或与其他条件同时使用")
    return list(dict.fromkeys(keys))


def chosen(keys: Sequence[str], choice: Mapping[str, Any]) -> set[str]:
    """Keys that a fault picks: by name (`keys`), by share (`fraction`, `seed`) or the first `count` (1)."""

    if "keys" in choice:
        return set(keys) & set(choice["keys"])
    if "fraction" in choice:
        dice = random.Random(choice.get("seed", 0))
        return {key for key in keys if dice.random() < choice["fraction"]}
    return set(list(keys)[: int(choice.get("count", 1))])


class Platform:
    """One platform's page of the contracts. Subclasses say what is stored and what is answered past the gateway."""

    name: ClassVar[str]
    alg: ClassVar[str]
    success: ClassVar[str | int]
    uses_sessions: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, clock: Clock, receipt_delay: float = 0.2) -> None:
        self.store, self.clock, self.receipt_delay = store, clock, receipt_delay

    def handle(self, call: Call) -> Answer:
        """Judge a call that passed the gateway."""
        raise BadParameter(call.request.path)

    def malformed(self, message: str) -> Answer:
        """The platform's answer to bad parameters, a bad body or an unknown path."""
        return Answer(200, {"code": "4000", "message": message})

    def public(self, request: Request) -> Answer | None:
        """A page that needs no credential, or None."""
        return None

    def tick(self) -> None:
        """Background work that is due by now."""

    def enter_by_hand(self, kind: str, department: str, record: dict[str, Any]) -> None:
        """Store what a clerk typed on the platform itself."""
        raise BadParameter(kind)
