"""What a record of platform ② must look like, as tables: fields with lengths and code tables, and the ten breach types.

Belongs here: breaches 01–10 of `internet_supervision.md` that need only the record. Must not: what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mock_platforms.validation import (
    KEY,
    Fault,
    Rule,
    breaches,
    moment,
    real_date,
    real_datetime,
    resident_id,
    soon,
    uscc,
)

ACTIONS, CREDIT = "jg_jgxw_check_action", "credit_assess"
SOURCE = "610124"
_GRADES = {"PUBLIC": ("优", "良", "中", "差"), "INDUSTRY": ("A", "B", "C", "D", "M"), "RISK": ("A", "B", "C", "D")}
_ITEM_KEY = re.compile(r"[A-Za-z0-9_-]{1,35}-[0-9]{14}")
_FOURTEEN = re.compile(r"[0-9]{14}")
# 证件类型 as code_tables.json has it.
_ID_TYPES = (
    *("001", "099", "111", "112", "113", "114", "115", "117", "118", "119", "120", "122", "154"),
    *("411", "412", "413", "414", "415"),
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may ask besides the record."""

    uscc: str
    now: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column: whether it must be there, its greatest length, its code table."""

    required: bool = True
    length: int | None = None
    table: tuple[str, ...] = ()


def _o(length: int | None = None, table: tuple[str, ...] = ()) -> Column:
    return Column(False, length, table)


def _m(length: int | None = None, table: tuple[str, ...] = ()) -> Column:
    return Column(True, length, table)


_FRAME = {"cd_id": _m(100), "cd_operation": _m(table=("i", "u", "d")), "cd_time": _m()}
_COLUMNS: dict[str, dict[str, Column]] = {
    ACTIONS: {
        **_FRAME,
        "record_unique_identity": _m(100),
        "plan_id": _o(50),
        "supervise_item_implement_code": _m(),
        "supervise_item_check_icode": _m(800),
        "check_action_name": _m(500),
        "check_action_code": _m(50),
        "implement_institution": _m(100),
        "implement_institution_code": _m(20),
        "entrust_dept": _o(100),
        "entrust_dept_code": _o(20),
        "supervise_object_type": _o(table=tuple(str(n) for n in range(1, 12))),
        "supervise_object": _m(200),
        "administrative_cp": _m(200),
        "administrative_cp_na": _m(table=("01", "02", "03")),
        "administrative_cp_ce_type": _m(table=_ID_TYPES),
        "administrative_cp_ui_code": _m(20),
        "address_registered": _o(400),
        "address_operating": _o(400),
        "area_number": _m(6),
        "check_form": _m(table=("01", "02", "99")),
        "check_type": _m(table=("01", "02")),
        "check_mode": _o(table=("1", "2", "3")),
        "check_result": _m(table=("01", "02", "03", "04", "05", "06")),
        "check_date": _m(),
        "check_personnel": _m(),
        "check_personnel_code": _o(),
        "submitted_date": _m(),
        "submitted_personnel": _o(50),
    },
    CREDIT: {
        **_FRAME,
        "enterpriseName": _m(),
        "enterpriseIdType": _m(table=("001",)),
        "enterpriseCreditCode": _m(),
        "enterpriseMark": _o(),
        "enterpriseType": _m(),
        "estimateTime": _m(),
        "scheme": _m(table=tuple(_GRADES)),
        "sharedByCode": _m(),
    },
}


def _people(r: dict[str, Any], c: Context) -> bool:
    names = r["check_personnel"].split(",")
    return len(names) >= 2 and all(name.strip() for name in names)


def _certificates(r: dict[str, Any], c: Context) -> bool:
    certs = r["check_personnel_code"].split(",")
    return all(cert.strip() for cert in certs) and len(certs) == len(r["check_personnel"].split(","))


def _past_day(name: str) -> Any:
    def test(r: dict[str, Any], c: Context) -> bool:
        day = real_date(r[name])
        return day is not None and day <= c.now.date()

    return test


def _later(r: dict[str, Any], c: Context) -> bool:
    sent, checked = real_date(r["submitted_date"]), real_date(r["check_date"])
    return sent is None or checked is None or sent > checked  # a date that is none has its own line


def _icode(r: dict[str, Any], c: Context) -> bool:
    code = r["supervise_item_check_icode"]
    return code[:18] == c.uscc and code[18:19] in ("1", "2", "3", "4", "5")


def _cd_time(r: dict[str, Any], c: Context) -> bool:
    at = real_datetime(r["cd_time"])
    return at is not None and at <= soon(c.now)


def _estimated(r: dict[str, Any], c: Context) -> bool:
    at = moment(r["estimateTime"])
    return at is not None and at <= soon(c.now)


_CP = ("administrative_cp_ui_code", "administrative_cp_ce_type")
_ANY_RULES = (
    Rule("02", "cd_source", (), lambda r, c: c.source == SOURCE, "数据来源标识应为610124"),
    Rule("10", "cd_time", ("cd_time",), _cd_time, "插入时间不真实或晚于平台时间"),
)
_RULES: dict[str, tuple[Rule, ...]] = {
    ACTIONS: (
        *_ANY_RULES,
        Rule(
            "02",
            "implement_institution_code",
            ("implement_institution_code",),
            lambda r, c: r["implement_institution_code"] == c.uscc,
            "实施机构不是本凭证所属部门",
        ),
        Rule(
            "03",
            "supervise_item_implement_code",
            ("supervise_item_implement_code",),
            lambda r, c: bool(_FOURTEEN.fullmatch(r["supervise_item_implement_code"])),
            "监管事项目录编码应为14位数字",
        ),
        Rule("04", "supervise_item_check_icode", ("supervise_item_check_icode",), _icode, "检查实施清单编码检查未通过"),
        Rule(
            "05",
            "check_action_code",
            ("check_action_code", "cd_id"),
            lambda r, c: r["check_action_code"] == r["cd_id"],
            "检查行为编号与主键不一致",
        ),
        Rule(
            "06",
            "administrative_cp_ui_code",
            _CP,
            lambda r, c: r["administrative_cp_ce_type"] != "001" or uscc(r["administrative_cp_ui_code"]),
            "统一社会信用代码编码规则检查未通过",
        ),
        Rule(
            "07",
            "administrative_cp_ui_code",
            _CP,
            lambda r, c: (
                r["administrative_cp_ce_type"] != "111" or resident_id(r["administrative_cp_ui_code"], c.now.date())
            ),
            "身份证号码编码规则检查未通过",
        ),
        Rule("08", "check_personnel", ("check_personnel",), _people, "检查人员不足两人"),
        Rule(
            "08",
            "check_personnel_code",
            ("check_personnel_code", "check_personnel"),
            _certificates,
            "执法证号与检查人员人数不一致",
        ),
        Rule("09", "cd_id", ("cd_id",), lambda r, c: bool(_ITEM_KEY.fullmatch(r["cd_id"])), "主键格式错误"),
        Rule(
            "09",
            "record_unique_identity",
            ("record_unique_identity", "cd_id"),
            lambda r, c: r["record_unique_identity"] == r["cd_id"],
            "记录唯一标识与主键不一致",
        ),
        Rule("10", "check_date", ("check_date",), _past_day("check_date"), "检查时间不真实或晚于今天"),
        Rule("10", "submitted_date", ("submitted_date",), _past_day("submitted_date"), "报送时间不真实或晚于今天"),
        Rule("10", "submitted_date", ("submitted_date", "check_date"), _later, "报送时间不能早于检查时间"),
    ),
    CREDIT: (
        *_ANY_RULES,
        Rule(
            "01",
            "enterpriseType",
            ("enterpriseType", "scheme"),
            lambda r, c: r["enterpriseType"] in _GRADES.get(r["scheme"], ()),
            "评价等级不在表内",
        ),
        Rule(
            "02",
            "sharedByCode",
            ("sharedByCode",),
            lambda r, c: r["sharedByCode"] == c.uscc,
            "共享部门不是本凭证所属部门",
        ),
        Rule(
            "06",
            "enterpriseCreditCode",
            ("enterpriseCreditCode",),
            lambda r, c: uscc(r["enterpriseCreditCode"]),
            "统一社会信用代码编码规则检查未通过",
        ),
        Rule("09", "cd_id", ("cd_id",), lambda r, c: bool(KEY.fullmatch(r["cd_id"])), "主键格式错误"),
        Rule("10", "estimateTime", ("estimateTime",), _estimated, "评价时间不真实或晚于平台时间"),
    ),
}


def check(table: str, record: dict[str, Any], context: Context) -> list[Fault]:
    """All breaches of one record that can be seen without the stored ones."""
    columns = _COLUMNS[table]
    faults: list[Fault] = [("01", name[:100], "未知字段") for name in record if name not in columns]
    sound = set()
    for name, column in columns.items():
        required = column.required and (record.get("cd_operation") != "d" or name in _FRAME)
        fault = _value(record, name, column, required)
        if fault:
            faults.append(fault)
        elif record.get(name):
            sound.add(name)
    if not record.get("plan_id") and record.get("check_mode") == "1" and record.get("cd_operation") != "d":
        faults.append(("08", "plan_id", "双随机检查缺少计划编号"))
    return faults + breaches(_RULES[table], record, context, sound)


def _value(record: Mapping[str, Any], name: str, column: Column, required: bool) -> Fault | None:
    value = record.get(name, "")
    if not isinstance(value, str):
        return "01", name, "应为文本"
    if not value:
        return ("01", name, "缺少必填字段") if required else None
    if column.length is not None and len(value) > column.length:
        return "01", name, f"超过{column.length}字"
    if column.table and value not in column.table:
        return "01", name, "代码不在表内"
    return None
