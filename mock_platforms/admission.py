"""Who may pass the gateway: credentials, clock, signatures S1 and S2, replay, rate and quota.

Belongs here: the checks of `gateway.md` from "maintenance" to "quota", in that order. Must not: answers of a platform.
"""

from __future__ import annotations

import hmac
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mock_platforms.base import Clock, Credential, Refusal, Request, stamp
from mock_platforms.codec import sign_s1, sign_s2
from mock_platforms.store import Store

_HEX32 = re.compile(r"[0-9a-f]{32}")
_SKEW_MS, _NONCE_SECONDS, _SESSION_SECONDS, _OVERLAP_SECONDS = 300_000, 600.0, 3600.0, 30.0
DEFAULT_LIMITS = {"rate": 10.0, "burst": 20.0, "daily_records": 200_000}


class Bucket:
    """Token bucket of one credential."""

    def __init__(self, burst: float) -> None:
        self.tokens, self.at = burst, time.monotonic()

    def take(self, rate: float, burst: float) -> float:
        """Take a token: 0, or the seconds until there is one (nothing is taken then)."""
        now = time.monotonic()
        self.tokens, self.at = min(burst, self.tokens + (now - self.at) * rate), now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / rate if rate > 0 else 3600.0


class Admission:
    """The gate of one platform."""

    def __init__(
        self, credentials: Mapping[str, Credential], store: Store, clock: Clock, alg: str, uses_sessions: bool
    ) -> None:
        self.credentials, self.store, self.clock = credentials, store, clock
        self.alg, self.uses_sessions = alg, uses_sessions
        self._buckets: dict[str, Bucket] = {}

    def claimed(self, request: Request) -> Credential | None:
        """The credential that the request names, nothing proven."""
        headers = request.headers
        return self.credentials.get(headers.get("gjgxjhpt_sid") or headers.get("x-app-id") or "")

    def admit(self, request: Request, session: bool) -> Credential:
        """The credential that signed the request, or the Refusal; `session`: the request asks for a session (S1)."""
        if request.too_large:
            raise Refusal(413, "4130", "请求体超过 4194304 字节")
        self._maintenance()
        by_session = self.uses_sessions and not session
        credential = self.credentials.get(request.headers.get("gjgxjhpt_sid" if by_session else "x-app-id", ""))
        if credential is None:
            raise Refusal(401, "4011", "应用标识不存在")
        if self.suspended(credential):
            raise Refusal(403, "4030", "应用已停用")
        nonce = (self._check_s2 if by_session else self._check_s1)(request, credential)
        if not self.store.fresh_nonce(credential.app_id, nonce, self.clock.epoch(), _NONCE_SECONDS):
            raise Refusal(401, "4014", "请求重放")
        self._take_token(credential)
        return credential

    def suspended(self, credential: Credential) -> bool:
        """Whether the department's app is suspended on this platform."""
        return bool(self.store.meta("suspended", {}).get(credential.department, credential.suspended))

    def limits(self) -> dict[str, Any]:
        """Rate, burst and daily records now in force."""
        return {**DEFAULT_LIMITS, **self.store.meta("limits", {})}

    def refill(self) -> None:
        """Fill every bucket to the burst now in force."""
        self._buckets.clear()

    def quota(self) -> dict[str, Any]:
        """`data` of GET /quota."""
        limits = self.limits()
        whole = {name: int(v) if float(v).is_integer() else v for name, v in limits.items()}
        return {**whole, "used_today": self.store.used(self._today())}

    def charge(self, credential: Credential) -> Callable[[int], None]:
        """A function that counts records against the day's quota, or refuses and gives the token back."""

        def charge(records: int) -> None:
            if self.store.used(self._today()) + records > self.limits()["daily_records"]:
                if credential.app_id in self._buckets:
                    self._buckets[credential.app_id].tokens += 1
                raise Refusal(429, "4291", "今日额度已用完")
            self.store.use(self._today(), records)

        return charge

    def open_session(self, credential: Credential) -> dict[str, str]:
        """`data` of POST /auth/session."""
        secret, now = secrets.token_hex(24), self.clock.epoch()
        self.store.open_session(credential.app_id, secret, now, now + _SESSION_SECONDS, _OVERLAP_SECONDS)
        ends = self.clock.now() + timedelta(seconds=_SESSION_SECONDS)
        return {"session_secret": secret, "expires_at": stamp(ends)}

    def _maintenance(self) -> None:
        state = self.store.meta("maintenance", {})
        if state.get("on"):
            wait = state.get("retry_after")
            raise Refusal(503, "5030", "平台维护中", {} if wait is None else {"Retry-After": str(wait)})

    def _check_clock(self, text: str) -> None:
        if not re.fullmatch(r"[0-9]{1,15}", text) or abs(int(text) - self.clock.epoch() * 1000) > _SKEW_MS:
            raise Refusal(401, "4013", "时间戳无效或偏差超过 300 秒")

    def _check_s1(self, request: Request, credential: Credential) -> str:
        h = request.headers
        timestamp, nonce = h.get("x-timestamp", ""), h.get("x-nonce", "")
        self._check_clock(timestamp)
        alg = "HMAC-SM3" if self.uses_sessions else self.alg  # a session is always asked for with HMAC-SM3
        if h.get("x-sign-alg") != alg or not _HEX32.fullmatch(nonce):
            raise Refusal(401, "4012", "签名算法或随机数格式错误")
        wanted = sign_s1(
            *(alg, credential.secret, request.method, request.path, request.query, timestamp, nonce, request.body)
        )
        if not _same(wanted, h.get("x-signature", "")):
            raise Refusal(401, "4012", "签名错误")
        return nonce

    def _check_s2(self, request: Request, credential: Credential) -> str:
        h = request.headers
        rid, rtime, sign = h.get("gjgxjhpt_rid", ""), h.get("gjgxjhpt_rtime", ""), h.get("gjgxjhpt_sign", "")
        self._check_clock(rtime)
        if not _HEX32.fullmatch(rid):
            raise Refusal(401, "4012", "请求编号格式错误")
        sessions, now = self.store.sessions(credential.app_id), self.clock.epoch()
        live = [secret for secret, ends in sessions if ends > now]
        matching = [secret for secret, _ in sessions if _same(sign_s2(secret, credential.app_id, rid, rtime), sign)]
        if not live or (matching and not set(matching) & set(live)):
            raise Refusal(401, "4015", "会话已失效")
        if not matching:
            raise Refusal(401, "4012", "签名错误")
        return rid

    def _take_token(self, credential: Credential) -> None:
        limits = self.limits()
        bucket = self._buckets.setdefault(credential.app_id, Bucket(limits["burst"]))
        wait = bucket.take(limits["rate"], limits["burst"])
        if wait > 0:
            raise Refusal(429, "4290", "请求过于频繁", {"Retry-After": str(max(1, math.ceil(wait)))})

    def _today(self) -> str:
        return self.clock.now().date().isoformat()


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode("utf-8", "surrogateescape"))


def http_date(epoch: float) -> str:
    """The Date header of an answer by the platform's clock."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
