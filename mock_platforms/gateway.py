"""The ASGI layer that every platform stands behind: reads the request, lets faults act, keeps the gate, logs, answers.

Belongs here: the order of things for one request. Must not: what a check says (`admission`), what a platform stores.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from mock_platforms.admission import Admission, http_date
from mock_platforms.base import Answer, BadParameter, Call, Credential, Platform, Refusal, Request
from mock_platforms.codec import BadJson, sha256
from mock_platforms.faults import FAULTS, Effect, Ending, FaultBook, FaultRule, encode
from mock_platforms.network import reset as reset_connection
from mock_platforms.wirelog import WireLog

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]
MAX_BODY = 4_194_304


class Gateway:
    """One platform on the network."""

    def __init__(
        self, platform: Platform, admission: Admission, faults: FaultBook, log: WireLog, environment: str
    ) -> None:
        self.platform, self.admission, self.faults, self.log = platform, admission, faults, log
        self.environment = environment
        self._late: set[asyncio.TimerHandle] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        request = await _read(scope, receive)
        claimed = self.admission.claimed(request)
        rule = self.faults.strike(self.platform.name, request, claimed.department if claimed else "")
        answer = await self._answer(request, claimed, rule)
        self._write(request, claimed, answer, rule)
        await self._deliver(answer, rule, scope, receive, send)

    async def _answer(self, request: Request, claimed: Credential | None, rule: FaultRule | None) -> Answer:
        if rule is None:
            return self._work(request, {})
        fault, args = FAULTS[rule.fault], rule.args
        if rule.fault == "session_expired" and claimed:
            self.platform.store.end_sessions(self.platform.clock.epoch(), claimed.app_id)
        if rule.fault == "delay" and not args.get("after"):
            await asyncio.sleep(args.get("seconds", 1.0))
        if fault.effect is Effect.LATE:
            return self._work_later(request, args)
        if fault.effect is Effect.NONE or (fault.effect is Effect.ARG and not args.get("effect")):
            answer = Answer(200, {"code": self.platform.success})
        else:
            answer = self._work(request, {rule.fault: args} if fault.hint else {})
        if rule.fault == "delay" and args.get("after"):
            await asyncio.sleep(args.get("seconds", 1.0))
        if fault.shape is None:
            return answer
        before = answer.body
        shaped = fault.shape(answer, args)
        shaped.keys, shaped.verdicts = answer.keys, answer.verdicts
        if isinstance(shaped.body, dict) and shaped.body == before:
            rule.release()
        return shaped

    def _work(self, request: Request, hints: dict[str, Any]) -> Answer:
        if (request.method, request.path) == ("GET", "/health"):
            state = {"status": "UP", "platform": self.platform.name, "environment": self.environment}
            return Answer(200, state)
        page = self.platform.public(request)
        if page is not None:
            return page
        try:
            return self._pass(self._admit(request, hints))
        except Refusal as refusal:
            body = {"code": refusal.code, "message": refusal.message}
            return Answer(refusal.http, body, refusal.headers)

    def _work_later(self, request: Request, args: Any) -> Answer:
        """The gate decides now; what passed it takes effect later, and nobody hears of it."""
        try:
            call = self._admit(request, {})
        except Refusal as refusal:
            return Answer(refusal.http, {"code": refusal.code, "message": refusal.message}, refusal.headers)
        handle: asyncio.TimerHandle

        def act() -> None:
            self._late.discard(handle)
            try:
                answer = self._pass(call)
            except Refusal as refusal:
                answer = Answer(refusal.http, {"code": refusal.code})
            self._write(request, call.credential, answer, None, late=True)

        handle = asyncio.get_running_loop().call_later(args.get("seconds", 1.0), act)
        self._late.add(handle)
        return Answer(0, {"code": ""})

    def _admit(self, request: Request, hints: dict[str, Any]) -> Call:
        session = self.platform.uses_sessions and (request.method, request.path) == ("POST", "/auth/session")
        credential = self.admission.admit(request, session)
        return Call(request, credential, self.platform.clock.now(), self.admission.charge(credential), hints)

    def _pass(self, call: Call) -> Answer:
        try:
            if call.route == ("GET", "/quota"):
                call.params()
                return Answer(200, {"code": self.platform.success, "data": self.admission.quota()})
            if call.route == ("POST", "/auth/session") and self.platform.uses_sessions:
                return self._session(call)
            return self.platform.handle(call)
        except (BadParameter, BadJson) as error:
            return self.platform.malformed(str(error))

    def _session(self, call: Call) -> Answer:
        call.params()
        if call.json() != {}:
            raise BadJson("会话请求体应为 {}")
        data = self.admission.open_session(call.credential)
        return Answer(200, {"code": self.platform.success, "message": "成功", "data": data})

    def _write(
        self, request: Request, claimed: Credential | None, answer: Answer, rule: FaultRule | None, late: bool = False
    ) -> None:
        code = answer.body.get("code", "") if isinstance(answer.body, dict) else ""
        h = request.headers
        line = {
            "time": self.platform.clock.now().isoformat(sep=" ", timespec="milliseconds"),
            "app_id": claimed.app_id if claimed else "",
            "department": claimed.department if claimed else "",
            "method": request.method,
            "path": unquote(request.path),
            "query": request.query,
            "nonce": h.get("gjgxjhpt_rid", h.get("x-nonce", "")),
            "body": sha256(request.body),
            "bytes": len(request.body),
            "keys": list(answer.keys),
            "verdicts": dict(answer.verdicts),
            "http": answer.http,
            "code": code,
            "fault": rule.fault if rule else "",
            "late": late,
        }
        self.log.write(line)

    async def _deliver(
        self, answer: Answer, rule: FaultRule | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        ending, args = (FAULTS[rule.fault].ending, rule.args) if rule else (Ending.SEND, {})
        if rule and rule.fault == "late_effect":
            ending = Ending.SEND if answer.http else Ending.SILENCE if args.get("silence") else Ending.CLOSE
        body = encode(answer.body)
        if ending is Ending.CLOSE:
            return await _drop(scope, receive, bool(args.get("reset")))
        if ending is Ending.SILENCE:
            return await _silence(scope, receive, float(args.get("seconds", 3600)))
        half = body[: len(body) // 2]
        length = len(half) if ending is Ending.CUT and not args.get("short") else len(body)
        await send({"type": "http.response.start", "status": answer.http, "headers": self._headers(answer, length)})
        if ending is Ending.DRIP:
            return await _drip(body, float(args.get("interval", 1.0)), scope, receive, send)
        if ending is Ending.CUT:
            await send({"type": "http.response.body", "body": half, "more_body": bool(args.get("short"))})
            return await _drop(scope, receive, False) if args.get("short") else None
        await send({"type": "http.response.body", "body": body})
        return None

    def _headers(self, answer: Answer, length: int) -> list[tuple[bytes, bytes]]:
        headers = {
            "date": http_date(self.platform.clock.epoch()),
            "content-type": answer.media,
            "content-length": str(length),
            "x-request-id": secrets.token_hex(8),
            **answer.headers,
        }
        return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _read(scope: Scope, receive: Receive) -> Request:
    body, too_large, more = bytearray(), False, True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message.get("more_body", False)
        # A too large body is read to its end and thrown away: closing early would hide the 413 behind a reset.
        too_large = too_large or len(body) + len(message.get("body", b"")) > MAX_BODY
        if too_large:
            body.clear()
        else:
            body += message.get("body", b"")
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
    path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("latin-1")
    return Request(scope["method"], path, query, headers, bytes(body), too_large)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _drop(scope: Scope, receive: Receive, reset: bool) -> None:
    transport = scope["zz.transport"]
    if reset:
        reset_connection(transport)
    else:
        transport.close()
    await _gone(receive)


async def _silence(scope: Scope, receive: Receive, seconds: float) -> None:
    try:
        await asyncio.wait_for(_gone(receive), seconds)
    except TimeoutError:
        await _drop(scope, receive, False)


async def _drip(body: bytes, interval: float, scope: Scope, receive: Receive, send: Send) -> None:
    for i in range(len(body)):
        if scope["zz.transport"].is_closing():
            return
        await send({"type": "http.response.body", "body": body[i : i + 1], "more_body": i + 1 < len(body)})
        await asyncio.sleep(interval)
