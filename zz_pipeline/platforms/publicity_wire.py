"""Wire records of ③: a published result, a published rating, a stop.

Belongs here: field names of contracts/publicity.md in what is sent, the choice of pubId.
Must not: batch frames, reading of answers (`publicity`), the decision whether something is published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zz_pipeline.delivery.protocol import RenderContext, RowKey
from zz_pipeline.delivery.signing import canonical, sha256_hex
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms import content
from zz_pipeline.standard.publishing import STOP_REASONS


def content_sha256(record: Mapping[str, Any]) -> str:
    """SHA-256 of the record's canonical JSON with publicFrom left out."""
    return sha256_hex(canonical({name: value for name, value in record.items() if name != "publicFrom"}))


def is_stop(item: Mapping[str, Any]) -> bool:
    """Whether a wire item is a stop; no published record has these fields."""
    return "decidedAt" in item


def identity(item: Mapping[str, Any]) -> str:
    """What check or rating a published record speaks of, whatever its pubId; "" if it names no subject."""
    details = item.get("details")
    if not item.get("UniCode"):
        return ""
    if details is None:
        return "|".join(str(item.get(name)) for name in ("UniCode", "scheme", "ratedAt"))
    when = item.get("raninsTaskId") or item.get("insDate")
    return "|".join([str(item["UniCode"]), str(when), *sorted({str(d.get("raninsItemName")) for d in details})])


def record(key: RowKey, payload: Mapping[str, Any], ctx: RenderContext) -> dict[str, Any]:
    """The published form of a version; NotRenderable for what must never be shown."""
    return {"pubId": _pub_id(key, ctx), **_MAKERS[key.kind](key, payload, ctx)}


def stops(
    key: RowKey, reason: str, rule: str, payload: Mapping[str, Any], ctx: RenderContext
) -> tuple[dict[str, Any], ...]:
    """A stop for each pubId of the record that is public now."""
    present = sorted(k for k, remote in ctx.held.items() if remote.state == "PRESENT")
    if not present:
        return ()
    code = _stop_reason(key, reason, rule, payload)
    decided = ctx.now.strftime("%Y-%m-%d %H:%M:%S")
    basis = STOP_REASONS[code]  # its legal source; a department's own words may hold what must not go there
    return tuple({"pubId": k, "reason": code, "basis": basis, "decidedAt": decided} for k in present)


def _inspection(key: RowKey, payload: Mapping[str, Any], ctx: RenderContext) -> dict[str, Any]:
    if not content.flag(payload, "publishable"):
        raise NotRenderable(f"记录 {key.record_key} 不得公示，未发送到公示系统。请报告此缺陷。")
    said = content.texts(payload)
    return {
        "UniCode": said["uscc"],
        "EntName": said["subject_name"],
        "raninsPlanId": said["plan_id"],
        "raninsPlaneName": said["plan_name"],
        "raninsTaskId": said["task_id"],
        "raninsTaskName": said["task_name"],
        "raninsTypeName": said["check_kind"],
        "insAuth": ctx.department.name,
        # here insDate is the day on which the check was finished: the 20 working days start on it
        "insDate": said["finish_date"],
        "details": [
            {"seqno": n, "raninsItemName": item["item_name"], "raninsCheckResName": content.label(item)}
            for n, item in enumerate(content.items(payload), start=1)
        ],
        "publicFrom": f"{ctx.now:%Y-%m-%d}",
        "publicUntil": "",
    }


def _rating(key: RowKey, payload: Mapping[str, Any], ctx: RenderContext) -> dict[str, Any]:
    said = content.texts(payload)
    if said["scheme"] != "PUBLIC":
        raise NotRenderable(f"评价 {key.record_key} 不是公共信用综合评价，不得公示，未发送。请报告此缺陷。")
    return {
        "UniCode": said["uscc"],
        "EntName": said["subject_name"],
        "scheme": "PUBLIC",
        "grade": said["grade"],
        "evaluator": said["evaluator"],
        "ratedAt": said["rated_at"],
        "publicFrom": f"{ctx.now:%Y-%m-%d}",
        "publicUntil": "",
    }


_MAKERS = {"inspection": _inspection, "rating": _rating}


def _pub_id(key: RowKey, ctx: RenderContext) -> str:
    """The record's public id: the one that is public now, else the first that was never stopped."""
    rounds = {}
    for pub_id, remote in ctx.held.items():
        match = re.fullmatch(re.escape(key.record_key) + r"(?:-R(\d+))?", pub_id)
        if match:
            rounds[int(match[1] or 1)] = remote.state
    public = [n for n, state in rounds.items() if state == "PRESENT"]
    n = max(public) if public else max(rounds, default=0) + 1
    return key.record_key if n == 1 else f"{key.record_key}-R{n}"


def _stop_reason(key: RowKey, reason: str, rule: str, payload: Mapping[str, Any]) -> str:
    """The code under which publicity ends, as the decision named it; a withdrawn publishability is NOT_PUBLIC."""
    if rule in STOP_REASONS:
        return rule
    for code in STOP_REASONS:
        if re.search(rf"\b{code}\b", reason):
            return code
    if payload.get("publishable") is False:
        return "NOT_PUBLIC"
    raise NotRenderable(f"记录 {key.record_key} 要停止公示，却没有写明六种理由之一，未发送。请补写停止公示的理由。")
