"""One inspection or rating → the contract records of the three platforms, as its department meant it.

Belongs here: the wire derivations of docs/decisions/0001, written a second time from the contract pages.
Must not: import anything of ours; versions, operations of a run, what is held back (`expect`).

Left out: version, submitted_date, publicFrom, cd_time, cd_operation. Inspectors stand in the order of their
certificates. Empty texts are given as "".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mock_platforms.county.codes import FOLLOW_UP_OF, FOLLOW_UP_PRECEDENCE, LABEL_ORDER, RESULT_LABELS
from mock_platforms.county.departments import BY_KEY, COUNTY, CREDIT_LEAD
from mock_platforms.county.model import Inspection, Item

REPAIRED = "信用修复"


def key_of(record: Inspection) -> str:
    """The record's key on every platform."""
    return f"{COUNTY}-{record.dept}-{record.record_no}"


def double_random(record: Inspection, *, barred: bool = False, remarks: bool = True) -> dict[str, Any]:
    """The record of `POST /api/v1/inspection-results`. barred: not public any more after 信用修复."""
    dept = BY_KEY[record.dept]
    return {
        "recordKey": key_of(record),
        "operation": "UPSERT",
        "raninsPlanId": record.plan_id,
        "raninsPlaneName": record.plan_name,
        "raninsTaskId": record.task_id,
        "raninsTaskName": record.task_name,
        "raninsTypeName": record.check_kind,
        "caseReason": record.case_reason,
        "jointCheck": record.joint,
        "leadDept": record.lead_dept,
        "entName": record.subject_name,
        "uniCode": record.uscc,
        "objectType": record.object_type,
        "objectCode": record.object_code,
        "insAuth": dept.name,
        "insAuthCode": dept.uscc,
        "inspectors": [{"name": name, "certNo": cert} for name, cert in _team(record)],
        "insDate": record.inspect_date.isoformat(),
        "finishDate": record.finish_date.isoformat(),
        "details": [
            {
                "itemCode": i.item_code,
                "raninsItemName": i.item_name,
                "raninsCheckResName": RESULT_LABELS[i.result],
                "remark": i.remark if remarks else "",
            }
            for i in _sorted(record.items)
        ],
        "publishable": bool(record.publishable) and not barred,
        "notPublishReason": REPAIRED if barred else record.not_publish_reason,
        "enteredBy": dept.name,
        "enteredByCode": dept.uscc,
        "enteredAt": str(record.entered_at),
    }


def internet_supervision(record: Inspection) -> dict[str, dict[str, Any]]:
    """cd_id → record of `POST /exchange/jg_jgxw_check_action`, one for each item."""
    dept, key, team = BY_KEY[record.dept], key_of(record), _team(record)
    found = {}
    for code, items in _by_item(record.items).items():
        cd_id = f"{key}-{code}"
        found[cd_id] = {
            "cd_id": cd_id,
            "record_unique_identity": cd_id,
            "plan_id": record.plan_id,
            "supervise_item_implement_code": code,
            "supervise_item_check_icode": items[0].implement_code,
            "check_action_name": record.task_name or items[0].item_name,
            "check_action_code": cd_id,
            "implement_institution": dept.name,
            "implement_institution_code": dept.uscc,
            "supervise_object_type": record.object_type,
            "supervise_object": record.subject_name,
            **_counterpart(record),
            "address_registered": "",
            "address_operating": record.address_operating,
            "area_number": record.area_code,
            "check_form": record.check_form,
            "check_type": record.check_type,
            "check_mode": record.check_mode,
            "check_result": _check_result(items),
            "check_date": record.inspect_date.isoformat(),
            "check_personnel": ",".join(name for name, _ in team),
            "check_personnel_code": ",".join(cert for _, cert in team),
            "submitted_personnel": record.entered_by,
        }
    return found


def publicity(record: Inspection) -> dict[str, Any]:
    """The record of `POST /publicity/inspections`; its insDate is the day of completion."""
    return {
        "pubId": key_of(record),
        "UniCode": record.uscc,
        "EntName": record.subject_name,
        "raninsPlanId": record.plan_id,
        "raninsPlaneName": record.plan_name,
        "raninsTaskId": record.task_id,
        "raninsTaskName": record.task_name,
        "raninsTypeName": record.check_kind,
        "insAuth": BY_KEY[record.dept].name,
        "insDate": record.finish_date.isoformat(),
        "details": [
            {"seqno": n, "raninsItemName": i.item_name, "raninsCheckResName": RESULT_LABELS[i.result]}
            for n, i in enumerate(_sorted(record.items), 1)
        ],
        "publicUntil": "",
    }


def rating_shared(item: dict[str, Any], grade: str, name: str) -> dict[str, Any]:
    """The record of `POST /api/v1/credit-ratings`; grade and name as they are meant, whatever was typed."""
    mark = item["enterpriseMark"]
    return {
        "recordKey": item["rating_id"],
        "operation": "UPSERT",
        "uniCode": item["enterpriseCreditCode"],
        "entName": name,
        "scheme": item["scheme"],
        "grade": grade,
        "score": None if mark is None else float(mark),
        "evaluator": item["estimateOrg"],
        "evaluatorCode": item["estimateOrgCode"],
        "ratedAt": item["estimateTime"],
        "validUntil": item["validUntil"],
        "field": item["field"],
        "sharedByCode": BY_KEY[CREDIT_LEAD].uscc,
    }


def rating_assessed(item: dict[str, Any], grade: str, name: str) -> dict[str, Any]:
    """The record of `POST /exchange/credit_assess`; the source's number as its text."""
    mark = item["enterpriseMark"]
    return {
        "cd_id": item["rating_id"],
        "enterpriseName": name,
        "enterpriseIdType": "001",
        "enterpriseCreditCode": item["enterpriseCreditCode"],
        "enterpriseMark": "" if mark is None else str(mark),
        "enterpriseType": grade,
        "estimateTime": item["estimateTime"],
        "scheme": item["scheme"],
        "sharedByCode": BY_KEY[CREDIT_LEAD].uscc,
    }


def rating_public(item: dict[str, Any], grade: str, name: str) -> dict[str, Any]:
    """The record of `POST /publicity/credit-ratings`."""
    return {
        "pubId": item["rating_id"],
        "UniCode": item["enterpriseCreditCode"],
        "EntName": name,
        "scheme": item["scheme"],
        "grade": grade,
        "evaluator": item["estimateOrg"],
        "ratedAt": item["estimateTime"],
        "publicUntil": "",
    }


def _counterpart(record: Inspection) -> dict[str, str]:
    """The responsible body: its own name and code if given, else the subject with its USCC, else its object code."""
    code = record.counterpart_code or record.uscc
    return {
        "administrative_cp": record.counterpart_name or record.subject_name,
        "administrative_cp_na": record.counterpart_nature,
        "administrative_cp_ce_type": "001" if code else "099",
        "administrative_cp_ui_code": code or record.object_code,
    }


def _check_result(items: Iterable[Item]) -> str:
    codes = {i.follow_up or FOLLOW_UP_OF[i.result] for i in items}
    return next(code for code in FOLLOW_UP_PRECEDENCE if code in codes)


def _by_item(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in _sorted(items):
        found.setdefault(item.item_code, []).append(item)
    return found


def _sorted(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda i: (i.item_code, LABEL_ORDER[i.result]))


def _team(record: Inspection) -> list[tuple[str, str]]:
    return sorted(record.inspectors, key=lambda pair: pair[1])
