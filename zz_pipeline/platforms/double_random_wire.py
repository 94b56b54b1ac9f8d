"""Wire records of ①: a result, a rating, a withdrawal.

Belongs here: field names of contracts/double_random.md in what is sent.
Must not: batch frames, reading of answers (`double_random`), decisions about publicity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms import content
from zz_pipeline.settings import Department


def upsert(key: RowKey, payload: Mapping[str, Any], department: Department) -> dict[str, Any]:
    """The record of a version; NotRenderable if it cannot be said."""
    return _MAKERS[key.kind](key, payload, department)


def _inspection(key: RowKey, payload: Mapping[str, Any], department: Department) -> dict[str, Any]:
    said = content.texts(payload)
    return {
        "recordKey": key.record_key,
        "operation": "UPSERT",
        "version": key.version,
        "raninsPlanId": said["plan_id"],
        "raninsPlaneName": said["plan_name"],
        "raninsTaskId": said["task_id"],
        "raninsTaskName": said["task_name"],
        "raninsTypeName": said["check_kind"],
        "caseReason": said["case_reason"],
        "jointCheck": content.flag(payload, "joint"),
        "leadDept": said["lead_dept"],
        "entName": said["subject_name"],
        "uniCode": said["uscc"],
        "objectType": said["object_type"],
        "objectCode": said["object_code"],
        "insAuth": department.name,
        "insAuthCode": department.uscc,
        "inspectors": [{"name": name, "certNo": cert} for name, cert in content.inspectors(payload)],
        "insDate": said["inspect_date"],
        "finishDate": said["finish_date"],
        "details": [_detail(item) for item in content.items(payload)],
        "publishable": content.flag(payload, "publishable"),
        "notPublishReason": said["not_publish_reason"],
        "enteredBy": department.name,
        "enteredByCode": department.uscc,
        "enteredAt": said["entered_at"],
    }


def _detail(item: Mapping[str, Any]) -> dict[str, Any]:
    said = content.texts(item)
    return {
        "itemCode": said["item_code"],
        "raninsItemName": said["item_name"],
        "raninsCheckResName": content.label(item),
        "remark": content.without_personal_data(said["remark"]),
    }


def _rating(key: RowKey, payload: Mapping[str, Any], department: Department) -> dict[str, Any]:
    said = content.texts(payload)
    return {
        "recordKey": key.record_key,
        "operation": "UPSERT",
        "version": key.version,
        "uniCode": said["uscc"],
        "entName": said["subject_name"],
        "scheme": said["scheme"],
        "grade": said["grade"],
        "score": payload.get("score"),
        "evaluator": said["evaluator"],
        "evaluatorCode": said["evaluator_code"],
        "ratedAt": said["rated_at"],
        "validUntil": said["valid_until"],
        "field": said["field"],
        "sharedByCode": department.uscc,
    }


_MAKERS = {"inspection": _inspection, "rating": _rating}


def withdrawal(key: RowKey, department: Department, reason: str) -> dict[str, Any]:
    """The record that takes a key back, a version of its own; NotRenderable without a reason."""
    if not reason.strip():
        raise NotRenderable(f"记录 {key.record_key} 要撤回却没有写明原因，未发送。请补写撤回原因。")
    owners = {
        "inspection": {"insAuthCode": department.uscc, "enteredByCode": department.uscc},
        "rating": {"sharedByCode": department.uscc},
    }
    record = {"recordKey": key.record_key, "operation": "WITHDRAW", "version": key.version}
    return {**record, **owners[key.kind], "reason": reason.strip()[:500]}
