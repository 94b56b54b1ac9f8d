"""Faults that a test orders from a platform: which request they hit, and how each one acts.

Belongs here: the rules and the table of faults. Must not: rules of a contract; a fault bends an answer or loses it.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from mock_platforms.base import Answer, Request

Args = Mapping[str, Any]


class Effect(StrEnum):
    """Whether the request still takes effect on the platform."""

    NONE = "none"
    FULL = "full"
    ARG = "arg"  # args {"effect": true} says so; default no
    LATE = "late"


class Ending(StrEnum):
    """How the answer leaves."""

    SEND = "send"
    CLOSE = "close"
    SILENCE = "silence"
    DRIP = "drip"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. shape: what it makes of the answer. hint: the platform itself misbehaves by this name."""

    text: str
    effect: Effect = Effect.FULL
    ending: Ending = Ending.SEND
    shape: Callable[[Answer, Args], Answer] | None = None
    hint: bool = False

    @property
    def method(self) -> str | None:
        """The method that a rule without one is about: only a push can be misjudged."""
        return "POST" if self.hint else None


def _html(http: int, title: str) -> Callable[[Answer, Args], Answer]:
    body = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
    return lambda answer, args: Answer(http, body, media="text/html; charset=utf-8")


def _busy429(answer: Answer, args: Args) -> Answer:
    wait = args.get("retry_after")
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return Answer(429, {"code": "4290", "message": "请求过于频繁"}, headers)


def _unavailable(answer: Answer, args: Args) -> Answer:
    wait = args.get("retry_after")
    headers = {} if wait is None else {"Retry-After": str(wait)}
    if args.get("code", True):
        return Answer(503, {"code": "5030", "message": "平台维护中"}, headers)
    return Answer(503, b"<html><body>503 Service Unavailable</body></html>", headers, "text/html; charset=utf-8")


def _redirect(http: int) -> Callable[[Answer, Args], Answer]:
    return lambda answer, args: Answer(
        http, b"", {"Location": args.get("location", "/login")}, "text/html; charset=utf-8"
    )


def _body500(answer: Answer, args: Args) -> Answer:
    sample = answer.body if isinstance(answer.body, dict) else {}
    if isinstance(sample.get("code"), int):
        counts = {"totalSize": sample.get("totalSize", 0), "successSize": 0, "failSize": 0, "tips": ""}
        return Answer(200, {"code": 500, "errorMsg": "服务器内部错误", **counts})
    return Answer(200, {"code": "500", "message": "服务器内部错误"})


def _shaped(change: Callable[[dict[str, Any], Args], None]) -> Callable[[Answer, Args], Answer]:
    def shape(answer: Answer, args: Args) -> Answer:
        body = copy.deepcopy(answer.body)
        if isinstance(body, dict):
            change(body, args)
        answer.body = body
        return answer

    return shape


def _results(body: dict[str, Any]) -> list[dict[str, Any]]:
    data = body.get("data")
    results = data.get("results") if isinstance(data, dict) else None
    return results if isinstance(results, list) else []


def _wrong_counts(body: dict[str, Any], args: Args) -> None:
    data = body["data"] if isinstance(body.get("data"), dict) else body
    for place, name in ((body, "successSize"), (data, "received"), (data, "passed"), (data, "total")):
        if name in place:
            place[name] += int(args.get("by", -1))
            return
    del _results(body)[-1:]


def _missing_result(body: dict[str, Any], args: Args) -> None:
    del _results(body)[:1]


def _foreign_result(body: dict[str, Any], args: Args) -> None:
    results = _results(body)
    if results:
        name = "recordKey" if "recordKey" in results[0] else "cd_id"
        results.append({**results[0], name: args.get("key", "610124-ELSE-2026-0000001")})


def _contradict(body: dict[str, Any], args: Args) -> None:
    """mode "both" (default): the first record stands twice, with both outcomes; "flip": with the other outcome only."""
    results = _results(body)
    if not results:
        return
    other = {**results[0], **_OTHER[results[0].get("result", results[0].get("verdict"))]}
    if args.get("mode", "both") == "flip":
        results[0] = other
    else:
        results.append(other)


_FAIL = {"result": "FAIL", "checks": [{"type": "01", "field": "check_result", "message": "代码检查未通过"}]}
_REJECT = {"verdict": "REJECTED", "errors": [{"code": "E05", "field": "entName", "message": "名称不符合要求"}]}
_OTHER: dict[Any, dict[str, Any]] = {
    "PASS": _FAIL,
    "FAIL": {"result": "PASS", "receipt": "HLW00000000"},
    "ACCEPTED": _REJECT,
    "DUPLICATE": _REJECT,
    "REJECTED": {"verdict": "ACCEPTED", "receiptNo": "SN00000000", "errors": []},
}


def _bytes(change: Callable[[bytes, Args], bytes]) -> Callable[[Answer, Args], Answer]:
    def shape(answer: Answer, args: Args) -> Answer:
        answer.body = change(encode(answer.body), args)
        return answer

    return shape


def _wrong_platform(body: dict[str, Any], args: Args) -> None:
    body["platform"] = args.get("platform", "another_platform")
    body["environment"] = args.get("environment", body.get("environment"))


def _duplicate_keys(body: bytes, args: Args) -> bytes:
    return b'{"code":"again",' + body[1:] if body.startswith(b'{"') else body


def _huge(body: bytes, args: Args) -> bytes:
    return body[:-1] + b" " * int(args.get("bytes", 5 * 1024 * 1024)) + body[-1:]


FAULTS: dict[str, Fault] = {
    "error500_before": Fault("500, nothing happened", Effect.NONE, shape=_html(500, "500 Internal Server Error")),
    "error500_after": Fault("500 after the effect", shape=_html(500, "500 Internal Server Error")),
    "body500": Fault("HTTP 200 whose body says 500", Effect.ARG, shape=_body500),
    "close_before": Fault("the connection closes, nothing happened", Effect.NONE, Ending.CLOSE),
    "close_after": Fault("the connection closes after the effect", Effect.FULL, Ending.CLOSE),
    "silence": Fault("no answer for `seconds` (3600)", Effect.ARG, Ending.SILENCE),
    "drip": Fault("one byte every `interval` (1.0) seconds", Effect.FULL, Ending.DRIP),
    "delay": Fault("waits `seconds` before it acts, or after it with `after`"),
    "late_effect": Fault("closes (or `silence`) now, acts after `seconds` ≤ 120", Effect.LATE, Ending.CLOSE),
    "busy429": Fault("over the rate; `retry_after` optional", Effect.NONE, shape=_busy429),
    "quota4291": Fault(
        "quota used up", Effect.NONE, shape=lambda a, k: Answer(429, {"code": "4291", "message": "今日额度已用完"})
    ),
    "unavailable503": Fault("503 with 5030, or `code` false: without it", Effect.ARG, shape=_unavailable),
    "redirect302": Fault("302 to `location`", Effect.ARG, shape=_redirect(302)),
    "redirect307": Fault("307 to `location`", Effect.ARG, shape=_redirect(307)),
    "html": Fault("200 with a login page", Effect.ARG, shape=_html(200, "请登录")),
    "cut_json": Fault("half of the JSON; `short`: and the connection closes early", Effect.FULL, Ending.CUT),
    "wrong_counts": Fault("counts that do not agree", shape=_shaped(_wrong_counts)),
    "missing_result": Fault("one result is missing", shape=_shaped(_missing_result)),
    "foreign_result": Fault("a result for a `key` that was never sent", shape=_shaped(_foreign_result)),
    "receipt_contradictory": Fault("`mode` both or flip", shape=_shaped(_contradict)),
    "partial_rejection": Fault("refuses `keys`, `count` or `fraction` of sound records", hint=True),
    "receipt_late": Fault("② the batch is checked `seconds` later", hint=True),
    "lost_batch": Fault("② 202, then no such batch", hint=True),
    "failed_batch": Fault("② the batch ends FAILED", hint=True),
    "busy5000": Fault("① code 5000 after `stored` records (half)", hint=True),
    "maintenance5001": Fault("① code 5001", hint=True),
    "session_expired": Fault("the credential's sessions end before the request is looked at"),
    "wrong_charset": Fault("GB18030 that says UTF-8", shape=_bytes(lambda b, k: b.decode().encode("gb18030"))),
    "duplicate_keys": Fault("a key stands twice", shape=_bytes(_duplicate_keys)),
    "huge_answer": Fault("`bytes` (5 MiB) of blanks inside", shape=_bytes(_huge)),
    "wrong_platform": Fault("/health names another `platform` or `environment`", shape=_shaped(_wrong_platform)),
}


def encode(body: Any) -> bytes:
    """An answer's body as bytes. Not orjson: it knows no whole number beyond 64 bits, the wire does not bound them."""
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


_ASIDE = ("/", "/health", "/quota", "/auth/session")


@dataclass(slots=True)
class FaultRule:
    """Which requests a fault hits. path: exact, or a pattern with *; contains: a text of the body."""

    id: int
    platform: str
    fault: str
    path: str | None = None
    method: str | None = None
    department: str | None = None
    contains: str | None = None
    nth: int | None = None
    every: int | None = None
    times: int | None = None
    probability: float | None = None
    seed: int = 0
    args: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random, repr=False)

    def hits(self, request: Request, department: str) -> bool:
        """Whether this request is hit; counts the matching ones."""
        if not self._concerns(request, department) or (self.times is not None and self.fired >= self.times):
            return False
        self.seen += 1
        hit = (
            (self.nth is None or self.seen == self.nth)
            and (self.every is None or self.seen % self.every == 0)
            and (self.probability is None or self.dice.random() < self.probability)
        )
        self.fired += hit
        return hit

    def _concerns(self, request: Request, department: str) -> bool:
        path = self.path or ("/health" if self.fault == "wrong_platform" else None)
        # Without a path a rule is about the platform's work, so that counting by nth means batches and queries.
        right_path = request.path not in _ASIDE if path is None else fnmatchcase(request.path, path)
        return (
            right_path
            and (self.method or FAULTS[self.fault].method) in (None, request.method)
            and self.department in (None, department)
            and (self.contains is None or self.contains.encode() in request.body)
        )

    def release(self) -> None:
        """The fault found nothing to bend in this answer (a receipt that is not there yet): it waits for the next."""
        self.seen -= 1
        self.fired -= 1

    def shown(self) -> dict[str, Any]:
        """The rule for GET /faults."""
        return {name: value for name, value in asdict(self).items() if name != "dice" and value is not None}


_FIELDS = {"path", "method", "department", "contains", "nth", "every", "times", "probability", "seed", "args"}


class FaultBook:
    """All fault rules of all platforms; the first that hits acts."""

    def __init__(self) -> None:
        self.rules: list[FaultRule] = []
        self._last = 0

    def add(self, spec: Mapping[str, Any]) -> int:
        """Add a rule; ValueError says in Chinese what is wrong with it."""
        unknown = set(spec) - _FIELDS - {"platform", "fault"}
        if unknown or spec.get("fault") not in FAULTS or not spec.get("platform"):
            raise ValueError(f"故障规则不认识：{sorted(unknown) or spec.get('fault')}。可用故障：{'、'.join(FAULTS)}")
        if spec["fault"] == "late_effect" and not 0 <= spec.get("args", {}).get("seconds", 1) <= 120:
            raise ValueError("late_effect 的 seconds 须在 0–120 之间：通过网关的请求 120 秒内生效或永不生效")
        self._last += 1
        given = {name: value for name, value in spec.items() if value is not None}
        self.rules.append(FaultRule(id=self._last, dice=random.Random(spec.get("seed") or 0), **given))
        return self._last

    def clear(self, rule_id: int | None = None) -> None:
        """Remove one rule or all."""
        self.rules = [rule for rule in self.rules if rule_id is not None and rule.id != rule_id]

    def strike(self, platform: str, request: Request, department: str) -> FaultRule | None:
        """The rule that hits this request, if any."""
        for rule in self.rules:
            if rule.platform == platform and rule.hits(request, department):
                return rule
        return None
