"""What the contracts share: strict reading of answers, the gateway's refusals and queries.

Belongs here: small reading helpers that more than one adapter needs. Source: contracts/gateway.md.
Must not: a single platform's field names, sending by itself (a `Call` is handed in), state transitions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import quote

import orjson

from zz_pipeline.delivery.protocol import Answer, Call, Claims, Effect, Finding, Reply, Row, Sent, Transport, Verdict
from zz_pipeline.errors import DeliveryError, NotRenderable

KEYS_A_CALL = 100  # all three platforms: at most 100 single keys a query
_MESSAGE = 300  # characters of a platform's own words that are kept
_SKEW_SHOWN = 60.0  # a smaller difference between the clocks explains nothing: a proxy may have written the header
_STATEMENT = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


class Contradiction(ValueError):
    """An answer that contradicts the contract or the batch; the text (Chinese) says in what."""


class QueryFailed(DeliveryError):
    """A query gave no usable answer; it says nothing of the records. `answer` holds effect, code and Retry-After."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message or answer.alarm or "平台的查询没有得到可用的回答，稍后再问。")
        self.answer = answer


# ---------------------------------------------------------------- strict JSON


def strict_json(data: bytes) -> Any:
    """Exactly one JSON value in strict UTF-8, no key twice, no NaN or Infinity; ValueError otherwise."""
    try:
        value = orjson.loads(data)
        # written again as the very same bytes: no key came twice, no number was bent, no surrogate stood alone
        if orjson.dumps(value) == data:
            return value
    except (orjson.JSONDecodeError, TypeError):
        pass  # only the thorough reader below decides what is refused
    text = data.decode("utf-8")
    try:
        value = json.loads(text, object_pairs_hook=_no_repeats, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\u" in text:
        # a lone surrogate parses, but no database and no wire can take it
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond all bounds")
    return value


def dump(value: Any) -> bytes:
    """A batch's bytes: UTF-8 without BOM, in the given order of keys. Its records were read as JSON: no NaN is among them."""
    return orjson.dumps(value)


# ---------------------------------------------------------------- typed reading


def clean(value: Any) -> str:
    """A platform's words for people: printable, at most 300 characters, empty if it is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[: _MESSAGE * 2])[:_MESSAGE].strip()


def text(item: Any, key: str, *, empty: bool = False, longest: int = 200) -> str:
    """A text of an answer; Contradiction if it is missing, ill-typed, unprintable or too long."""
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, str) or not value.isprintable() or len(value) > longest or not (value or empty):
        raise Contradiction(f"平台的回答缺少字段 {key} 或其形式不符合接口约定")
    return value


def number(item: Any, key: str) -> int:
    """A whole number ≥ 0 of an answer; true and 1.0 are none."""
    value = item.get(key) if isinstance(item, dict) else None
    if type(value) is not int or value < 0:
        raise Contradiction(f"平台的回答中 {key} 不是整数")
    return value


def objects(item: Any, key: str) -> list[dict[str, Any]]:
    """A list of objects of an answer."""
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise Contradiction(f"平台的回答中 {key} 不是对象列表")
    return value


def mapping(item: Any, key: str) -> dict[str, Any]:
    """An object of an answer."""
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, dict):
        raise Contradiction(f"平台的回答缺少对象 {key}")
    return value


# ---------------------------------------------------------------- the gateway

# (HTTP, code) → effect and what a person should know. 4014: our nonces are never used twice, so a copy of this very
# request may have been served before it: that is unknown, not refused.
_REFUSALS: dict[tuple[int, str], tuple[Effect, str]] = {
    (413, "4130"): (Effect.POISON, "请求体过大，整批未接收；需拆分后重发"),
    (503, "5030"): (Effect.BUSY, "平台维护中，整批未接收；稍后再发"),
    (401, "4011"): (Effect.AUTH, "平台不认识本部门的 app_id，请向平台运维单位核对凭证"),
    (403, "4030"): (Effect.AUTH, "本部门的应用已被平台停用，请联系平台运维单位"),
    (401, "4013"): (Effect.AUTH, "本机时钟与平台相差超过 300 秒，请先校准时钟（NTP）再继续"),
    (401, "4012"): (Effect.AUTH, "平台认为签名不对，请核对密钥与签名算法"),
    (401, "4015"): (Effect.SESSION, "会话密钥已失效，需重新获取"),
    (401, "4014"): (Effect.UNKNOWN, "平台称该请求号已用过，可能是网络重复投递，结果须先查询"),
    (429, "4290"): (Effect.BUSY, "请求过快，整批未接收；按平台要求等待后再发"),
    (429, "4291"): (Effect.BUSY, "平台今日额度已用完，整批未接收；明日再发"),
}


def gateway(reply: Reply) -> Answer | None:
    """What the transport or the gateway says; None if the platform itself has answered with a JSON object."""
    if reply.transport is Transport.NO_CONNECT:
        return Answer(
            Effect.NO_CONNECT, message=reply.error or "连不上平台，请求没有发出", retry_after=reply.retry_after
        )
    if reply.transport is Transport.UNKNOWN:
        redirect = reply.http is not None and 300 <= reply.http < 400
        alarm = "平台返回了跳转，未跟随；请核对平台地址，并警惕请求被劫持" if redirect else ""
        return Answer(Effect.UNKNOWN, code=_http(reply), message=reply.error or "请求结果不明", alarm=alarm)
    if not isinstance(reply.json, dict):
        alarm = "" if (reply.http or 0) >= 500 else "平台的回答不是合格的 JSON，可能不是平台本身在回答"
        return Answer(Effect.UNKNOWN, code=_http(reply), message="平台的回答无法读取，结果不明", alarm=alarm)
    code = reply.json.get("code")
    found = _REFUSALS.get((reply.http or 0, code)) if isinstance(code, str) else None
    if found is not None:
        return _refusal(reply, str(code), *found)
    if reply.http is None or reply.http >= 500:
        return Answer(Effect.UNKNOWN, code=_http(reply), message="平台内部错误，结果不明")
    return None


def _refusal(reply: Reply, code: str, effect: Effect, message: str) -> Answer:
    if code == "4013" and reply.skew_seconds is not None and abs(reply.skew_seconds) >= _SKEW_SHOWN:
        message = (
            f"{message}（平台时间比本机{'快' if reply.skew_seconds > 0 else '慢'}约 {abs(reply.skew_seconds):.0f} 秒）"
        )
    wait = reply.retry_after if code in ("4290", "5030") else None
    alarm = message if code == "4014" else ""
    return Answer(effect, code=code, message=message, retry_after=wait, alarm=alarm)


def _http(reply: Reply) -> str:
    return f"HTTP {reply.http}" if reply.http else ""


def contradiction(reply: Reply, what: object, verdicts: tuple[Verdict, ...] = ()) -> Answer:
    """An answer nobody may rely on: unknown, with an alarm."""
    code = reply.json.get("code") if isinstance(reply.json, dict) else None
    shown = clean(str(code)) if isinstance(code, str | int) else _http(reply)
    return Answer(Effect.UNKNOWN, verdicts, shown, "平台的回答与接口约定不符，结果不明，将先查询", alarm=f"{what}。")


def unsaid(rows: Iterable[Row]) -> tuple[Verdict, ...]:
    """Nothing is known of these rows."""
    return tuple(Verdict(row.key, Finding.UNSAID) for row in rows)


# ---------------------------------------------------------------- queries


@contextmanager
def usable() -> Iterator[None]:
    """Turns a contradiction inside a query's answer into QueryFailed."""
    try:
        yield
    except Contradiction as error:
        raise QueryFailed(Answer(Effect.UNKNOWN, message=str(error), alarm=f"{error}。")) from None


def items_of(data: Any, key: str = "items") -> list[dict[str, Any]]:
    """The list of a query's answer; QueryFailed if there is none."""
    with usable():
        return objects(data, key)


def refuse_query(reply: Reply, what: object) -> NoReturn:
    """A query's answer that cannot be used."""
    raise QueryFailed(contradiction(reply, what))


def query(pairs: Iterable[tuple[str, str]]) -> str:
    """A query string exactly as it will be signed and sent: blanks as %20, commas as they are."""
    return "&".join(f"{name}={quote(value, safe=',')}" for name, value in pairs)


def bounds(names: tuple[str, str], since: datetime | None, until: datetime | None) -> list[tuple[str, str]]:
    """Both bounds as Beijing date-times; an absent one is left out."""
    pairs = zip(names, (since, until), strict=True)
    return [(name, moment.strftime("%Y-%m-%d %H:%M:%S")) for name, moment in pairs if moment is not None]


def chunks(keys: Sequence[str], size: int = KEYS_A_CALL) -> Iterator[Sequence[str]]:
    """The keys in portions of one call."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def quota_answer(call: Call, success: str | int) -> Answer:
    """`/quota`, a query that changes nothing: JUDGED if it answers as the contract says, else the refusal or UNKNOWN."""
    reply = call("GET", "/quota")
    early = gateway(reply)
    if early is not None:
        return early
    data = reply.json.get("data")
    well = reply.http == 200 and says(reply.json.get("code"), success)
    if well and isinstance(data, dict) and type(data.get("used_today")) is int:
        return Answer(Effect.JUDGED)
    return contradiction(reply, "查询额度时平台返回了约定之外的回答")


def says(code: Any, wanted: str | int) -> bool:
    """Whether a code is exactly this text or this whole number; "200" is not 200."""
    return type(code) is type(wanted) and code == wanted


# ---------------------------------------------------------------- batches


def batch_of(body: bytes, *lists: str) -> dict[str, Any]:
    """The batch that bytes hold; ValueError if they hold no object with exactly one of these lists of objects."""
    batch = strict_json(body)
    if not isinstance(batch, dict):
        raise ValueError("no object")
    present = [name for name in lists if name in batch]
    if len(present) != 1:
        raise ValueError("no records")
    objects(batch, present[0])
    return batch


def claims_of(codes: Iterable[Any], record_keys: Iterable[Any]) -> Claims:
    """The named codes, and the department keys inside keys of the form 610124-SCJG-…; other keys name nobody."""
    named = set()
    for key in record_keys:
        parts = key.split("-") if isinstance(key, str) else []
        if len(parts) >= 3 and len(parts[0]) == 6 and parts[0].isdigit() and parts[1].isalpha() and parts[1].isupper():
            named.add(parts[1])
    return Claims(frozenset(str(code) for code in codes), frozenset(named))


def frozen_keys(sent: Sent, list_name: str, key_name: str) -> list[str]:
    """Keys of all records in the frozen bytes: rows that have since moved to another batch were sent with it all the same."""
    return [str(record.get(key_name)) for record in batch_of(sent.body, list_name)[list_name]]


def once(sent_keys: Iterable[str]) -> None:
    """NotRenderable if a key stands twice in one batch: every platform would refuse both."""
    seen: set[str] = set()
    for key in sent_keys:
        if key in seen:
            raise NotRenderable(f"同一批中编号 {key} 出现两次，整批未发送。请报告此缺陷。")
        seen.add(key)


def wires(sent: Sent) -> list[tuple[Row, Mapping[str, Any]]]:
    """Each wire record of a batch with its row, in the order sent."""
    return [(row, wire) for row in sent.rows for wire in row.wire]


def statement(**parts: Any) -> str:
    """The platform's statement for the audit, without contents."""
    return _STATEMENT.encode(parts)
