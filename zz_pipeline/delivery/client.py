"""One department's signed line to one platform: a call leaves once, ends in time, and is never followed elsewhere.

Belongs here: sockets, TLS, deadlines, signing headers, S2 sessions, strict reading of bodies, the last look at the owner.
Must not: retries, judging answers by the contract (that is `platforms/`), reading configuration, state of rows.

Source: contracts/gateway.md; operations.md "Outbound HTTP"; design 5 rules 4 and 10.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from zz_pipeline.delivery import answers, points, signing
from zz_pipeline.delivery.cut import Cut, Holder, PlainConnection, SecureConnection
from zz_pipeline.delivery.protocol import Clock, Reply, Transport
from zz_pipeline.errors import ClockWrong, DeliveryError, OwnerGate, WrongPlatform
from zz_pipeline.platforms import registry
from zz_pipeline.settings import Credential, Department, PlatformSpec

SESSION_PATH = "/auth/session"
_BUILT = 1_735_689_600.0  # 2025: a clock before it has lost its battery, the date in an answer's head proves less
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Observe = Callable[[Reply, str, str], None]


# ---------------------------------------------------------------- the wire


class _Session(requests.Session):
    """A session that keeps nothing of its surroundings and looks at no redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests would otherwise read the whole body of a 3xx to prepare a next request nobody wants."""
        return None


class _Watched(HTTPAdapter):
    """Makes the pools use connections that can be cut and that tell whether anything has left."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool for a request, with our kind of connection."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        made = SecureConnection if pool.scheme == "https" else PlainConnection
        pool.ConnectionCls = partial(made, holder=self._holder)
        return pool


class Address(Protocol):
    """Where a line leads, and how long a call may take; a `PlatformSpec` is one."""

    @property
    def url(self) -> str: ...
    @property
    def connect_seconds(self) -> float: ...
    @property
    def read_seconds(self) -> float: ...
    @property
    def call_seconds(self) -> float: ...
    @property
    def ca_file(self) -> str: ...


class Line:
    """The way to one platform's address. Each call has a connection of its own: only then is known what has left."""

    def __init__(self, spec: Address) -> None:
        self.spec = spec
        self._holder = Holder()
        self._http = _Session()
        self._http.mount(spec.url, _Watched(self._holder))

    @property
    def cut(self) -> Cut:
        """The call under way, or the last one."""
        return self._holder.cut

    @contextmanager
    def open(
        self, method: str, target: str, body: bytes, headers: dict[str, str], latest: float | None
    ) -> Iterator[requests.Response]:
        """The head of an answer; its body is still to be read within the call's deadline."""
        all_headers = _plain_headers(body) | headers
        request = requests.Request(method, self.spec.url + target, headers=all_headers, data=body or None)
        prepared = request.prepare()
        if prepared.path_url != target:
            raise ValueError("the address would not leave as it was signed")
        timeout = (self.spec.connect_seconds, self.spec.read_seconds)
        self._holder.cut = Cut(self.spec.call_seconds, latest)
        with self._holder.cut:
            try:
                verify: str | bool = self.spec.ca_file or True
                response = self._http.send(
                    prepared, stream=True, timeout=timeout, verify=verify, allow_redirects=False, proxies={}
                )
                points.reach("wire:head")
                with response:
                    yield response
            finally:
                self.close()

    def close(self) -> None:
        """Close every connection; the line can be used again."""
        self._http.close()


def _plain_headers(body: bytes) -> dict[str, str]:
    # A kept-alive connection may be dead without our knowing: the next batch on it would be unknown for a quarter hour.
    fixed = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "zz-pipeline",
    }
    return {**fixed, "Content-Type": "application/json; charset=utf-8"} if body else fixed


def _nothing() -> None:
    """No budget to spend from."""


def new_nonce() -> str:
    """32 lower-case hex characters that were never used before."""
    return secrets.token_hex(16)


class Client:
    """A `Call` with one department's credential. Not for several threads at once: a lane has one writer."""

    def __init__(
        self,
        spec: PlatformSpec,
        credential: Credential,
        department: Department,
        *,
        clock: Clock = time.time,
        nonce: Callable[[], str] = new_nonce,
        observe: Observe | None = None,
    ) -> None:
        if credential.department != department.key or credential.platform != spec.name:
            raise OwnerGate(
                f"平台 {spec.name} 上的凭证属于部门 {credential.department}，却要用来报送 {department.key} 的记录，未发送。请报告此缺陷。"
            )
        self.spec, self.credential, self.department = spec, credential, department
        self._clock, self._nonce, self._observe = clock, nonce, observe
        self.spend: Callable[[], None] = _nothing  # called before each request that the caller does not know of
        self._line = Line(spec)
        self._session = ""
        self._session_until = 0.0

    def __call__(self, method: str, path: str, *, query: str = "", body: bytes | None = None) -> Reply:
        """One signed call. A query whose session has ended is asked once more with a new session: it changes nothing."""
        if method != "GET":
            return self.push(path, body or b"", self.department.key)
        reply = self._signed(method, path, query, b"", None)
        if answers.code_of(reply) == "4015" and self.spec.sign == "S2":
            self.new_session()
            self.spend()
            reply = self._signed(method, path, query, b"", None)
        return reply

    def push(self, path: str, body: bytes, owner: str, *, latest: float | None = None) -> Reply:
        """Post a batch in the owner's name. OwnerGate, and nothing sent, if any other department is named in it.

        latest: moment of `time.monotonic()` after which no byte of it may leave any more (then NO_CONNECT).
        """
        self._gate(path, body, owner)
        return self._signed("POST", path, "", body, latest)

    def new_session(self) -> None:
        """Forget the S2 session and get another; if that fails, the next call tries again and tells."""
        self._session = ""
        if self.spec.sign == "S2":
            self._ensure_session()

    def close(self) -> None:
        """Release the connections."""
        self._line.close()

    # -- whose name ----------------------------------------------------------------------------------------------------

    def _gate(self, path: str, body: bytes, owner: str) -> None:
        """谁检查、谁录入、谁公开: the last look before the bytes leave."""
        if not (owner == self.department.key == self.credential.department):
            raise OwnerGate(
                f"部门 {owner} 的一批记录要以 {self.credential.department} 的凭证报送到 {self.spec.label}，已拦下，未发送。请报告此缺陷。"
            )
        try:
            claims = registry.adapter(self.spec.adapter).claims(path, body)
        except ValueError:
            raise OwnerGate(
                f"要报送到 {self.spec.label} 的内容不是合格的批次，无法确认归属，未发送。请报告此缺陷。"
            ) from None
        foreign = (claims.codes - {self.department.uscc}) | (claims.departments - {self.department.key})
        if foreign:
            raise OwnerGate(
                f"{owner} 的一批记录中写有其他部门（{'、'.join(sorted(foreign))[:200]}），已拦下，未发送到 {self.spec.label}。请报告此缺陷。"
            )

    # -- signing -------------------------------------------------------------------------------------------------------

    def _signed(self, method: str, path: str, query: str, body: bytes, latest: float | None) -> Reply:
        if self.spec.sign != "S2":
            return self._s1(self.spec.sign, method, path, query, body, latest)
        failed = self._ensure_session()
        if failed is not None:
            return failed
        nonce = self._nonce()
        headers = signing.s2_headers(self.credential.app_id, self._session, timestamp_ms=self._now_ms(), nonce=nonce)
        return self._send(method, path, query, body, headers, nonce, latest)

    def _s1(self, alg: str, method: str, path: str, query: str, body: bytes, latest: float | None) -> Reply:
        """With the secret in force; where it is just being changed, the platform's clock decides which one that is."""
        now = self._clock()
        reply = self._s1_with(self.credential.secret_at(now), alg, method, path, query, body, latest)
        other = self.credential.other_at(now)
        if other is None or reply.http != 401 or answers.code_of(reply) != "4012":
            return reply
        return self._s1_with(other, alg, method, path, query, body, latest)

    def _s1_with(
        self, secret: str, alg: str, method: str, path: str, query: str, body: bytes, latest: float | None
    ) -> Reply:
        nonce = self._nonce()
        headers = signing.s1_headers(
            alg, self.credential.app_id, secret, method, path, query, body, timestamp_ms=self._now_ms(), nonce=nonce
        )
        return self._send(method, path, query, body, headers, nonce, latest)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def _ensure_session(self) -> Reply | None:
        """None if there is a session to sign with; else what the caller is to be told instead of an answer."""
        if self._session and self._clock() < self._session_until:
            return None
        self.spend()
        asked = self._clock()
        reply = self._s1(signing.HMAC_SM3, "POST", SESSION_PATH, "", b"{}", None)
        found = answers.session_of(reply)
        if found is None:
            return answers.no_session(reply)
        self._session, expires = found
        life = min(max(expires - asked, 0.0), 3600.0)
        # renewed ahead of its end, so that no batch meets an ending session
        ends = asked + life - min(300.0, life / 5)
        change = self.credential.next_from  # a session of the old secret may end with it
        self._session_until = min(ends, change) if asked < change else ends
        return None

    # -- one call ------------------------------------------------------------------------------------------------------

    def _send(
        self, method: str, path: str, query: str, body: bytes, headers: dict[str, str], nonce: str, latest: float | None
    ) -> Reply:
        started = self._clock()
        reply = exchange(self._line, method, path, query, body, headers, self._clock, latest)
        reply = replace(reply, nonce=nonce, started_at=started, ended_at=self._clock())
        if self._observe is not None:
            self._observe(reply, method, path)
        return reply


def exchange(
    line: Line,
    method: str,
    path: str,
    query: str,
    body: bytes,
    headers: dict[str, str],
    clock: Clock,
    latest: float | None = None,
) -> Reply:
    """One HTTP exchange as a Reply; ValueError if path and query would not leave as they were signed."""
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError("a path begins with exactly one slash")
    target = f"{path}?{query}" if query else path
    try:
        with line.open(method, target, body, headers, latest) as response:
            chunks = response.raw.stream(65_536, decode_content=False)
            return answers.whole(response.status_code, response.headers, chunks, line.cut, clock)
    except (requests.RequestException, HTTPError, OSError) as error:
        return answers.broken(error, line.cut)


# ---------------------------------------------------------------- identity


def check_identity(target: PlatformSpec | Client, environment: str) -> float | None:
    """GET /health before anything is sent; nothing is signed. Seconds that the platform's clock is ahead, if it says.

    WrongPlatform if another platform or environment answers, or production would go in clear; ClockWrong if our clock
    has fallen back; DeliveryError if nothing usable answers.
    """
    if time.time() < _BUILT:
        raise ClockWrong("本机时钟落在本软件发布之前，签名会被所有平台拒绝，未发送。请先校准时钟（NTP）再运行。")
    spec = target.spec if isinstance(target, Client) else target
    where = urlsplit(spec.url)
    if environment == "production" and where.scheme != "https" and where.hostname not in _LOOPBACK:
        raise WrongPlatform(f"生产环境的平台 {spec.label} 必须使用 https 地址，未发送任何数据。请修改平台配置的 url。")
    line = Line(spec)
    reply = exchange(line, "GET", "/health", "", b"", {}, time.time)
    if reply.transport is not Transport.ANSWERED or (reply.http or 0) >= 500:
        words = reply.error or f"HTTP {reply.http}"
        raise DeliveryError(f"平台 {spec.label} 的健康检查没有应答（{words}），本次不发送，稍后再试。")
    _expect_identity(spec, environment, reply)
    return reply.skew_seconds


def _expect_identity(spec: PlatformSpec, environment: str, reply: Reply) -> None:
    said = reply.json if isinstance(reply.json, dict) else {}
    found = (said.get("platform"), said.get("environment"))
    wanted = registry.contract(spec.adapter)
    if reply.http != 200 or found != (wanted, environment):
        shown = "、".join(str(part)[:40] for part in found if part) or f"HTTP {reply.http}"
        raise WrongPlatform(
            f"{spec.url} 自称是 {shown}，而配置要的是 {wanted}、{environment}。一条也不发送；请核对平台地址与 environment。"
        )
    if said.get("status") != "UP":
        raise DeliveryError(f"平台 {spec.label} 报告自己没有就绪，本次不发送，稍后再试。")
