"""What a record of platform ① must look like, as tables: fields, and one rule for each line of the contract's table.

Belongs here: E01–E15 of `double_random.md`. Must not: what is stored (E16, E17, ownership of a key: `double_random`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mock_platforms.validation import (
    KEY,
    Fault,
    Rule,
    breaches,
    has_control,
    moment,
    real_date,
    real_datetime,
    soon,
    uscc,
    whole_number,
)

RESULTS, RATINGS = "inspection-results", "credit-ratings"
LABELS = (
    "未发现问题",
    "未按规定公示应当公示的信息",
    "公示信息隐瞒真实情况、弄虚作假",
    "通过登记的住所（经营场所）无法联系",
    "发现问题已责令改正",
    "不配合检查情节严重",
    "未发现开展本次抽查涉及的经营活动",
    "发现问题待后续处理",
)
GRADES = {"PUBLIC": ("优", "良", "中", "差"), "INDUSTRY": ("A", "B", "C", "D", "M"), "RISK": ("A", "B", "C", "D")}
_OBJECT_TYPES = tuple(str(n) for n in range(1, 12))
_SAMPLED, _CASE = ("定向抽查", "不定向抽查"), "个案检查"
_KINDS = (*_SAMPLED, "重点检查", _CASE)
_PLAN, _TASK, _ITEM = re.compile(r"[0-9]{14}"), re.compile(r"[0-9]{6}([0-9]{8})[0-9]{4}"), re.compile(r"[0-9]{14}")
_CERT = re.compile(r"[0-9A-Z]{8,20}")


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may ask besides the record."""

    uscc: str
    now: datetime


# Field → type. "any": the field's own rule says what a wrong type is.
_INSPECTION_FIELDS: dict[str, str] = {
    "recordKey": "text",
    "operation": "any",
    "version": "any",
    "raninsPlanId": "text",
    "raninsPlaneName": "text",
    "raninsTaskId": "text",
    "raninsTaskName": "text",
    "raninsTypeName": "text",
    "caseReason": "text",
    "jointCheck": "bool",
    "leadDept": "text",
    "entName": "text",
    "uniCode": "text",
    "objectType": "text",
    "objectCode": "text",
    "insAuth": "text",
    "insAuthCode": "text",
    "inspectors": "list",
    "insDate": "text",
    "finishDate": "text",
    "details": "list",
    "publishable": "any",
    "notPublishReason": "text",
    "enteredBy": "text",
    "enteredByCode": "text",
    "enteredAt": "text",
}
_RATING_FIELDS: dict[str, str] = {
    **dict.fromkeys(("recordKey", "uniCode", "entName", "scheme", "grade", "evaluator", "evaluatorCode"), "text"),
    **dict.fromkeys(("ratedAt", "validUntil", "field", "sharedByCode"), "text"),
    **dict.fromkeys(("operation", "version", "score"), "any"),
}
_ROWS = {
    "inspectors": ("name", "certNo"),
    "details": ("itemCode", "raninsItemName", "raninsCheckResName", "remark"),
}
# WITHDRAW: field → code if it is missing.
_WITHDRAW_RESULT = {
    "recordKey": "E01",
    "operation": "E02",
    "version": "E03",
    "insAuthCode": "E07",
    "enteredByCode": "E07",
    "reason": "E02",
}
_WITHDRAW_RATING = {"recordKey": "E01", "operation": "E02", "version": "E03", "sharedByCode": "E07", "reason": "E02"}


def _plan(r: dict[str, Any], c: Context) -> bool:
    text = r["raninsPlanId"]
    return bool(_PLAN.fullmatch(text)) if text else r["raninsTypeName"] not in _SAMPLED


def _task(r: dict[str, Any], c: Context) -> bool:
    text = r["raninsTaskId"]
    if not text:
        return r["raninsTypeName"] not in _SAMPLED
    found = _TASK.fullmatch(text)
    return found is not None and real_date(f"{found[1][:4]}-{found[1][4:6]}-{found[1][6:]}") is not None


def _reason(r: dict[str, Any], c: Context) -> bool:
    return 2 <= len(r["caseReason"]) <= 200 if r["raninsTypeName"] == _CASE else r["caseReason"] == ""


def _name(r: dict[str, Any], c: Context) -> bool:
    return 2 <= len(r["entName"]) <= 200 and not has_control(r["entName"])


def _code(r: dict[str, Any], c: Context) -> bool:
    return uscc(r["uniCode"]) if r["uniCode"] else r["objectType"] != "1" and r["objectCode"] != ""


def _inspectors(r: dict[str, Any], c: Context) -> bool:
    certs = [row["certNo"] for row in r["inspectors"]]
    return len(certs) >= 2 and len(set(certs)) == len(certs) and all(_CERT.fullmatch(cert) for cert in certs)


def _order(r: dict[str, Any], c: Context) -> bool:
    first, last, entered = real_date(r["insDate"]), real_date(r["finishDate"]), real_datetime(r["enteredAt"])
    if first is None or last is None or entered is None:
        return False
    return first <= last <= entered.date() and entered <= soon(c.now)


def _details(r: dict[str, Any], c: Context) -> bool:
    rows = r["details"]
    sound = all(_ITEM.fullmatch(row["itemCode"]) and row["raninsCheckResName"] in LABELS for row in rows)
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row["itemCode"], set()).add(row["raninsCheckResName"])
    alone = all(len(found) == 1 for found in labels.values() if LABELS[0] in found)
    return 1 <= len(rows) <= 50 and sound and alone


def _rated(r: dict[str, Any], c: Context) -> bool:
    rated = moment(r["ratedAt"])
    return rated is not None and rated <= soon(c.now)


def _until(r: dict[str, Any], c: Context) -> bool:
    if not r["validUntil"]:
        return True
    rated, until = moment(r["ratedAt"]), moment(r["validUntil"])
    if rated is None or until is None:
        return False
    by_day = 10 in (len(r["ratedAt"]), len(r["validUntil"]))  # a bare date lasts its whole day
    return until.date() >= rated.date() if by_day else until >= rated


def _own(*fields: str) -> tuple[Rule, ...]:
    def rule(field: str) -> Rule:
        def test(r: dict[str, Any], c: Context) -> bool:
            return uscc(r[field]) and r[field] == c.uscc

        return Rule("E07", field, (field,), test, "不是本凭证所属部门的代码")

    return tuple(rule(field) for field in fields)


_FRAME = (
    Rule("E01", "recordKey", ("recordKey",), lambda r, c: bool(KEY.fullmatch(r["recordKey"])), "记录键格式错误"),
    Rule("E02", "operation", ("operation",), lambda r, c: r["operation"] in ("UPSERT", "WITHDRAW"), "操作类型错误"),
    Rule("E03", "version", ("version",), lambda r, c: whole_number(r["version"]), "版本号应为不小于1的整数"),
)
_INSPECTION_RULES = (
    *_FRAME,
    Rule("E04", "raninsTypeName", ("raninsTypeName",), lambda r, c: r["raninsTypeName"] in _KINDS, "抽查类型不在表内"),
    Rule("E04", "raninsPlanId", ("raninsPlanId", "raninsTypeName"), _plan, "计划编号缺失或格式错误"),
    Rule("E04", "raninsTaskId", ("raninsTaskId", "raninsTypeName"), _task, "任务编号缺失或格式错误"),
    Rule("E04", "caseReason", ("caseReason", "raninsTypeName"), _reason, "个案检查事由缺失或多余"),
    Rule("E05", "entName", ("entName",), _name, "检查对象名称不符合要求"),
    Rule("E06", "uniCode", ("uniCode", "objectType", "objectCode"), _code, "统一社会信用代码校验位错误"),
    *_own("insAuthCode", "enteredByCode"),
    Rule("E08", "inspectors", ("inspectors",), _inspectors, "检查人员不足两人、重复或证号格式错误"),
    Rule("E09", "insDate", ("insDate", "finishDate", "enteredAt"), _order, "日期不真实、先后颠倒或晚于平台时间"),
    Rule("E10", "details", ("details",), _details, "检查事项或检查结果不符合要求"),
    Rule("E11", "publishable", ("publishable",), lambda r, c: isinstance(r["publishable"], bool), "是否公示应为布尔值"),
    Rule(
        "E11",
        "notPublishReason",
        ("publishable", "notPublishReason"),
        lambda r, c: r["publishable"] is not False or r["notPublishReason"] != "",
        "不予公示应说明理由",
    ),
    Rule("E15", "objectType", ("objectType",), lambda r, c: r["objectType"] in _OBJECT_TYPES, "监管对象类型不在表内"),
)
_RATING_RULES = (
    *_FRAME,
    Rule("E05", "entName", ("entName",), _name, "企业名称不符合要求"),
    Rule("E06", "uniCode", ("uniCode",), lambda r, c: uscc(r["uniCode"]), "统一社会信用代码校验位错误"),
    *_own("sharedByCode"),
    Rule("E13", "scheme", ("scheme",), lambda r, c: r["scheme"] in GRADES, "信用评价类别不在表内"),
    Rule("E13", "grade", ("scheme", "grade"), lambda r, c: r["grade"] in GRADES.get(r["scheme"], ()), "等级不在表内"),
    Rule(
        "E13",
        "score",
        ("score",),
        lambda r, c: r["score"] is None or (isinstance(r["score"], int | float) and not isinstance(r["score"], bool)),
        "得分应为数字或空",
    ),
    Rule("E14", "ratedAt", ("ratedAt",), _rated, "评价时间不真实或晚于平台时间"),
    Rule("E14", "validUntil", ("validUntil", "ratedAt"), _until, "有效期早于评价时间"),
)
_WITHDRAW_RULES = (
    *_FRAME,
    *_own("insAuthCode", "enteredByCode", "sharedByCode"),
    Rule(
        "E02",
        "reason",
        ("reason",),
        lambda r, c: isinstance(r["reason"], str) and 1 <= len(r["reason"]) <= 500,
        "撤回理由应为1至500字",
    ),
)


def check(kind: str, record: dict[str, Any], context: Context) -> list[Fault]:
    """All breaches E01–E15 of one record."""
    if record.get("operation") == "WITHDRAW":
        return _check_withdraw(_WITHDRAW_RESULT if kind == RESULTS else _WITHDRAW_RATING, record, context)
    fields = _INSPECTION_FIELDS if kind == RESULTS else _RATING_FIELDS
    rules = _INSPECTION_RULES if kind == RESULTS else _RATING_RULES
    faults = list(_unknown(record, fields))
    sound = set()
    for name, wanted in fields.items():
        found, well_typed = _shape(record, name, wanted)
        faults += found
        if well_typed:
            sound.add(name)
    return faults + breaches(rules, record, context, sound)


def _check_withdraw(fields: Mapping[str, str], record: dict[str, Any], context: Context) -> list[Fault]:
    faults = list(_unknown(record, fields))
    faults += [(code, name, "缺少字段") for name, code in fields.items() if name not in record]
    texts = [name for name in fields if name in record and name not in ("operation", "version", "reason")]
    faults += [("E15", name, "类型错误") for name in texts if not isinstance(record[name], str)]
    wrong = {name for code, name, _ in faults if code == "E15"}
    return faults + breaches(_WITHDRAW_RULES, record, context, set(fields) & set(record) - wrong)


def _unknown(record: Mapping[str, Any], fields: Mapping[str, str]) -> Iterator[Fault]:
    return (("E12", name[:100], "多余字段") for name in record if name not in fields)


def _shape(record: Mapping[str, Any], name: str, wanted: str) -> tuple[list[Fault], bool]:
    """Breaches of presence, type and length, and whether the field's own rules may be asked."""
    if name not in record:
        return [("E15", name, "缺少字段")], False
    value = record[name]
    if wanted == "list":
        return _rows(name, value)
    if wanted != "any" and not isinstance(value, {"text": str, "bool": bool}[wanted]):
        return [("E15", name, "类型错误")], False
    if isinstance(value, str) and len(value) > 500:
        return [("E15", name, "超过500字")], True
    return [], True


def _rows(name: str, value: Any) -> tuple[list[Fault], bool]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return [("E15", name, "类型错误")], False
    fields = _ROWS[name]
    faults: list[Fault] = []
    sound = True
    for i, row in enumerate(value):
        faults += [("E12", f"{name}[{i}].{extra[:100]}", "多余字段") for extra in row if extra not in fields]
        for field in fields:
            text = row.get(field)
            if not isinstance(text, str):
                faults.append(("E15", f"{name}[{i}].{field}", "缺少字段或类型错误"))
                sound = False
            elif len(text) > 500:
                faults.append(("E15", f"{name}[{i}].{field}", "超过500字"))
    return faults, sound


def twice(records: list[dict[str, Any]]) -> set[str]:
    """Record keys that stand more than once in a batch; records without a key are no doubles of each other."""
    counts = Counter(key_of(record) for record in records)
    return {key for key, n in counts.items() if key and n > 1}


def key_of(record: Mapping[str, Any]) -> str:
    """The record's key as the answer names it; empty if it is no text."""
    key = record.get("recordKey")
    return key if isinstance(key, str) else ""
