"""Wire records of ②: one for each (record, item) or rating, and the hash by which its list names their content.

Belongs here: field names of contracts/internet_supervision.md in what is sent, standard 1.5 (what was done next).
Must not: operations and batch frames (`internet_supervision`), reading of answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from zz_pipeline.delivery.protocol import RenderContext, RowKey
from zz_pipeline.delivery.signing import md5_hex
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms import content
from zz_pipeline.standard.results import PRECEDENCE, FollowUps

# Standard 1.5, default map where the lane hands in none of the county's own: class → what the authority did next. PENDING has no safe default: such records are held.
FOLLOW_UPS = {
    "NO_ISSUE": "01",
    "NO_ACTIVITY": "01",
    "CORRECTED": "02",
    "NOT_PUBLISHED": "02",
    "FALSE_INFO": "02",
    "UNREACHABLE": "06",
    "REFUSED": "06",
}


def records(key: RowKey, payload: Mapping[str, Any], ctx: RenderContext) -> dict[str, dict[str, Any]]:
    """Wire records of a version by cd_id, without operation and time; NotRenderable if they cannot be said."""
    return {record["cd_id"]: record for record in _MAKERS[key.kind](key, payload, ctx)}


def content_md5(record: Mapping[str, Any]) -> str:
    """MD5 of the values joined by `|` in the order of the keys by code point, without the cd_* keys."""
    values = (record[name] for name in sorted(record) if not name.startswith("cd_"))
    return md5_hex("|".join(values).encode("utf-8"))


def _inspection(key: RowKey, payload: Mapping[str, Any], ctx: RenderContext) -> Iterator[dict[str, Any]]:
    said = content.texts(payload)
    people = content.inspectors(payload)
    for item_code, entries in content.by_item(payload):
        cd_id = f"{key.record_key}-{item_code}"
        yield {
            "cd_id": cd_id,
            "record_unique_identity": cd_id,
            "plan_id": said["plan_id"],
            "supervise_item_implement_code": item_code,
            "supervise_item_check_icode": content.texts(entries[0])["implement_code"],
            "check_action_name": said["task_name"] or content.texts(entries[0])["item_name"],
            "check_action_code": cd_id,
            "implement_institution": ctx.department.name,
            "implement_institution_code": ctx.department.uscc,
            "supervise_object_type": said["object_type"],
            "supervise_object": said["subject_name"],
            "administrative_cp": said["counterpart_name"],
            "administrative_cp_na": said["counterpart_nature"],
            "administrative_cp_ce_type": said["counterpart_id_type"],
            "administrative_cp_ui_code": said["counterpart_code"],
            "address_registered": said["address_registered"],
            "address_operating": said["address_operating"],
            "area_number": said["area_code"],
            "check_form": said["check_form"],
            "check_type": said["check_type"],
            "check_mode": said["check_mode"],
            "check_result": _follow_up(key, item_code, entries, ctx, said["inspect_date"]),
            "check_date": said["inspect_date"],
            "check_personnel": ",".join(name for name, _ in people),
            "check_personnel_code": ",".join(cert for _, cert in people),
            "submitted_date": f"{ctx.now:%Y-%m-%d}",
            "submitted_personnel": said["entered_by"],
        }


def _follow_up(key: RowKey, item_code: str, entries: Sequence[Mapping[str, Any]], ctx: RenderContext, day: str) -> str:
    """What the authority did next about one item: the source's word, else the county's map, by precedence."""
    found = [entry.get("follow_up") or _mapped(entry["result"], day, ctx.follow_ups) for entry in entries]
    known = [code for code in found if code in PRECEDENCE]
    if len(known) != len(found):
        raise NotRenderable(
            f"记录 {key.record_key} 的事项 {item_code} 没有可报送市平台的处理结果（01–06）。请检查部门补报处理结果。"
        )
    return min(known, key=PRECEDENCE.index)


def _mapped(result: str, day: str, follow_ups: FollowUps | None) -> str | None:
    if follow_ups is None:
        return FOLLOW_UPS.get(result)
    return follow_ups.of(result, date.fromisoformat(day))


def _rating(key: RowKey, payload: Mapping[str, Any], ctx: RenderContext) -> Iterator[dict[str, Any]]:
    said = content.texts(payload)
    yield {
        "cd_id": key.record_key,
        "enterpriseName": said["subject_name"],
        "enterpriseIdType": "001",
        "enterpriseCreditCode": said["uscc"],
        "enterpriseMark": said["score_text"],
        "enterpriseType": said["grade"],
        "estimateTime": said["rated_at"],
        "scheme": said["scheme"],
        "sharedByCode": ctx.department.uscc,
    }


_MAKERS = {"inspection": _inspection, "rating": _rating}
