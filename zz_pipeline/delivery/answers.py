"""From bytes on a socket to a `Reply`: what is a whole answer, what is unknown, what surely never left.

Belongs here: strict reading of heads and bodies, session answers. Must not: sockets, signing, a platform's own codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from zz_pipeline.delivery.cut import Cut
from zz_pipeline.delivery.protocol import Clock, Reply, Transport
from zz_pipeline.delivery.signing import sm3_hex
from zz_pipeline.platforms.wire import strict_json

MOST_BYTES = 4_194_304  # of an answer
_BEIJING = timezone(timedelta(hours=8))
_SESSION_REFUSALS = (401, 403, 413, 429, 503)  # the gateway refused the session call: the same would meet the push


def whole(http: int, headers: Mapping[str, str], chunks: Iterable[bytes], cut: Cut, clock: Clock) -> Reply:
    """The answer whose head is there, its body read to the end; the reader's exceptions are the caller's (`broken`)."""
    told: dict[str, Any] = {"http": http, "skew_seconds": _skew(headers, clock), "retry_after": _wait(headers)}
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MOST_BYTES:
            return Reply(Transport.UNKNOWN, error="平台的回答超过 4 MiB，已放弃读取", **told)
    if cut.fired:  # a body without length that we cut ourselves ends like a whole one
        return Reply(Transport.UNKNOWN, error="平台在规定时间内没有答完", **told)
    digest = sm3_hex(bytes(data))
    if 300 <= http < 400:
        return Reply(Transport.UNKNOWN, error=f"平台返回跳转（HTTP {http}），未跟随", body_digest=digest, **told)
    value, problem = _json(headers, bytes(data))
    return Reply(Transport.ANSWERED, json=value, body_digest=digest, error=problem, **told)


def _json(headers: Mapping[str, str], data: bytes) -> tuple[Any, str]:
    """The body's one JSON value, or None and why (Chinese)."""
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        return None, "平台的回答带有未约定的压缩"
    charset = _charset(headers.get("Content-Type", ""))
    if charset not in ("", "utf-8", "utf8"):
        return None, "平台的回答不是 UTF-8"
    try:
        return strict_json(data), ""
    except ValueError:
        return None, "平台的回答不是合格的 JSON"


def _charset(content_type: str) -> str:
    for part in content_type.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def _wait(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 9 else None


def _skew(headers: Mapping[str, str], clock: Clock) -> float | None:
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp() - clock()
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def broken(error: Exception, cut: Cut) -> Reply:
    """A call without a whole answer: nothing has left, or nobody knows."""
    words = _WORDS.get(type(error).__name__)
    if not cut.left:
        words = cut.refused or ("已过发送时限" if cut.late else words or "连接没有建立")
        return Reply(Transport.NO_CONNECT, error=f"{words}，请求没有发出")
    words = "超过整次调用的时限" if cut.fired else words or "连接中断"
    return Reply(Transport.UNKNOWN, error=f"{words}，不知道平台是否收到")


_WORDS = {
    "SSLError": "平台的 TLS 证书不可信或握手失败",
    "ConnectTimeout": "连接平台超时",
    "ReadTimeout": "等待平台回答超时",
    "ReadTimeoutError": "读取平台回答超时",
    "IncompleteRead": "平台的回答不完整",
    "ProtocolError": "连接中断",
    "ConnectionError": "连接失败",
    "ChunkedEncodingError": "平台的回答不完整",
}


# ---------------------------------------------------------------- sessions


def code_of(reply: Reply) -> str:
    """The text code of an answer, or nothing."""
    code = reply.json.get("code") if isinstance(reply.json, dict) else None
    return code if isinstance(code, str) else ""


def session_of(reply: Reply) -> tuple[str, float] | None:
    """(secret, end as Unix seconds) of a session answer that holds both; None otherwise."""
    if reply.transport is not Transport.ANSWERED or reply.http != 200 or code_of(reply) != "200":
        return None
    data = reply.json.get("data")
    secret, until = (data.get("session_secret"), data.get("expires_at")) if isinstance(data, dict) else (None, None)
    if not isinstance(secret, str) or not secret or not secret.isascii() or not isinstance(until, str):
        return None
    try:
        expires = datetime.strptime(until, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING)
    except ValueError:
        return None
    return secret, expires.timestamp()


def no_session(reply: Reply) -> Reply:
    """A refusal at the gateway holds for the push as well; anything else only says that the push has not left."""
    if reply.transport is Transport.ANSWERED and reply.http in _SESSION_REFUSALS and code_of(reply):
        return reply
    return replace(reply, transport=Transport.NO_CONNECT, json=None, error="没有取得会话密钥，请求没有发出；稍后再试")
