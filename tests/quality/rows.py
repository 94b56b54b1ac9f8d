"""Good rows for the tests of the rules: invented people and companies, codes of the sample block YY.

Belongs here: one good inspection row, one good rating, the lists and the department that fit them.
Must not: bad values (each test writes its own).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pyarrow as pa

from zz_pipeline.history import History
from zz_pipeline.settings import Department, Limits, SourceSpec
from zz_pipeline.standard.identifiers import INNER_WEIGHTS, uscc_check_digit
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import INSPECTION, RATING, REPAIR


def at(text: str) -> datetime:
    """A moment of the county's wall time, which has no zone on the wire."""
    return datetime.fromisoformat(text)


DAY = date(2026, 11, 20)
NOW = at("2026-11-21 01:30")
DEPT_USCC = "11610124YY00000449"
COMPANY = "91610124YY000001XB"
SCHOOL = "12610124YY00000521"
REGIONS = frozenset({"610000", "610100", "610124", "610118", "44"})
ITEM, ITEM_2, STOPPED = "61012400010001", "61012400010002", "61012400010009"
IMPLEMENT, IMPLEMENT_2 = f"{DEPT_USCC}4000001", f"{DEPT_USCC}4000002"
PLAN, TASK = "61012420261000", "610124202611101001"
JOINT_PLAN, FOREIGN_TASK = "61012420261002", "610124202611101004"
OTHER_PLAN, OTHER_TASK = "61012420261001", "610124202611101003"

DEPARTMENT = Department(
    key="SCJG", name="周至县样例市场监督管理局", short="样例市场监管局", uscc=DEPT_USCC, source=SourceSpec(kind="none")
)


def _inspector(cert: str, name: str, **changes: str | None) -> dict[str, str | None]:
    row = {"cert_no": cert, "name": name, "dept": "SCJG", "nature": "01"}
    return row | {"valid_from": "2024-01-01", "valid_until": "2029-12-31", "status": "有效"} | changes


MANY = [f"610124000{n:05}" for n in range(51)]

LISTS = Lists.of(
    items=[
        *({"item_code": code, "item_name": "样例事项", "dept": "SCJG", "status": "在用"} for code in MANY),
        {"item_code": ITEM, "item_name": "食品安全检查", "dept": "SCJG", "implement_code": IMPLEMENT, "status": "在用"},
        {
            "item_code": ITEM_2,
            "item_name": "计量器具检查",
            "dept": "SCJG",
            "implement_code": IMPLEMENT_2,
            "status": "01",
        },
        {"item_code": STOPPED, "item_name": "已取消事项", "dept": "SCJG", "implement_code": None, "status": "取消"},
        {
            "item_code": "61012400010077",
            "item_name": "外部门事项",
            "dept": "YJJ",
            "implement_code": None,
            "status": "在用",
        },
    ],
    inspectors=[
        _inspector("27010124001", "张某"),
        _inspector("27010124002", "李某"),
        _inspector("27010124003", "王某", valid_until="2026-11-19"),
        _inspector("27010124004", "赵某", status="失效"),
        _inspector("27010124005", "钱某", nature="05"),
        _inspector("27010124006", "孙某", dept="YJJ"),
        _inspector("27010124007", "周某", valid_until=None),
    ],
    plans=[
        {"plan_id": PLAN, "plan_name": "样例年度计划", "dept": "SCJG", "year": "2026"},
        {"plan_id": OTHER_PLAN, "plan_name": "样例第二计划", "dept": "SCJG", "year": "2026"},
        {"plan_id": JOINT_PLAN, "plan_name": "样例联合计划", "dept": "YJJ", "year": "2026"},
    ],
    subjects=[
        {
            "object_code": None,
            "name": "周至县样例餐饮有限公司",
            "uscc": COMPANY,
            "object_type": "1",
            "area_code": "610124",
        }
    ],
    tasks=[
        {
            "task_id": TASK,
            "plan_id": PLAN,
            "task_name": "样例任务",
            "lead_dept": "SCJG",
            "depts": "SCJG;YJJ",
            "start": "2026-11-01",
            "end": "2026-11-30",
        },
        {"task_id": FOREIGN_TASK, "plan_id": JOINT_PLAN, "task_name": "外部门任务", "lead_dept": "YJJ", "depts": "YJJ"},
        {"task_id": OTHER_TASK, "plan_id": OTHER_PLAN, "task_name": "样例任务二", "lead_dept": "SCJG", "depts": "SCJG"},
    ],
)


# Many made-up records of one day share two inspectors: that they see many subjects is a test of its own.
BUSY = History(limits=Limits(subjects_a_day=10_000))


def company(number: int) -> str:
    """A code of the sample block YY with both check digits, a different one for each number."""
    body = f"YY{number:06d}"
    value = sum(int(char, 36) * weight for char, weight in zip(body, INNER_WEIGHTS, strict=True))
    first = f"91610124{body}{'0123456789X0'[11 - value % 11]}"
    return first + uscc_check_digit(first)


def of_company(number: int) -> dict[str, Any]:
    """What an inspection says of that company, which is none of the listed ones."""
    code = company(number + 1000)
    return {"uscc": code, "counterpart_code": code, "subject_name": f"周至县样例{number}号有限公司"}


def inspection(number: str = "2026-0001", **changes: Any) -> dict[str, Any]:
    """One good row: a drawn check of a company, one item, nothing found."""
    row: dict[str, Any] = {
        "record_key": f"610124-SCJG-{number}",
        "record_no": number,
        "plan_id": PLAN,
        "plan_name": "样例年度计划",
        "task_id": TASK,
        "task_name": "样例任务",
        "check_kind": "不定向抽查",
        "joint": True,
        "lead_dept": "周至县样例市场监督管理局",
        "subject_name": "周至县样例餐饮有限公司",
        "uscc": COMPANY,
        "object_type": "1",
        "counterpart_name": "周至县样例餐饮有限公司",
        "counterpart_nature": "02",
        "counterpart_id_type": "001",
        "counterpart_code": COMPANY,
        "address_operating": "周至县二曲街道样例路1号",
        "area_code": "610124",
        "inspector_names": ["张某", "李某"],
        "inspector_certs": ["27010124001", "27010124002"],
        "inspect_date": date(2026, 11, 19),
        "finish_date": date(2026, 11, 20),
        "check_form": "02",
        "check_type": "01",
        "check_mode": "1",
        "publishable": True,
        "entered_by": "王某",
        "entered_at": at("2026-11-20 17:20"),
        "item_code": ITEM,
        "item_name": "食品安全检查",
        "implement_code": IMPLEMENT,
        "result": "NO_ISSUE",
        "dept": "SCJG",
        "source_file": "样例.csv",
        "source_row": 2,
        "changed_at": at("2026-11-20 17:20"),
    }
    return row | changes


def without_code(number: str = "XM-2026-0001", **changes: Any) -> dict[str, Any]:
    """A good row of a subject without USCC: a building site with its own number, checked in full coverage."""
    site: dict[str, Any] = {
        "subject_name": "周至县样例在建项目",
        "uscc": None,
        "object_type": "9",
        "object_code": "XM-0001",
        "counterpart_name": "周至县样例在建项目",
        "counterpart_id_type": "099",
        "counterpart_code": "XM-0001",
        "check_kind": "重点检查",
        "plan_id": None,
        "task_id": None,
        "check_mode": "2",
    }
    return inspection(number, **(site | changes))


def rating(number: str = "PJ-0001", **changes: Any) -> dict[str, Any]:
    """One good rating."""
    row: dict[str, Any] = {
        "record_key": number,
        "revision": 1,
        "uscc": COMPANY,
        "subject_name": "周至县样例餐饮有限公司",
        "scheme": "PUBLIC",
        "grade": "优",
        "score": 91.5,
        "score_text": "91.5",
        "evaluator": "样例评价机构",
        "evaluator_code": DEPT_USCC,
        "rated_at": "2026-11-20 09:00:00",
        "valid_until": "2027-11-19",
        "field": "餐饮",
        "publishable": True,
        "dept": "KGJ",
        "source_file": "credit",
        "source_row": 1,
    }
    return row | changes


def repair(number: str = "XF-0001", **changes: Any) -> dict[str, Any]:
    """One good repair notice."""
    row = {"record_key": number, "target": "INSPECTION", "target_key": "610124-SCJG-2026-0001", "uscc": COMPANY}
    return row | {"source_file": "credit", "source_row": 1} | changes


def inspections(*rows: dict[str, Any]) -> pa.Table:
    """Rows as a standard inspection table."""
    return pa.Table.from_pylist(list(rows), INSPECTION.schema)


def ratings(*rows: dict[str, Any]) -> pa.Table:
    """Rows as a standard rating table."""
    return pa.Table.from_pylist(list(rows), RATING.schema)


def repairs(*rows: dict[str, Any]) -> pa.Table:
    """Rows as a standard repair table."""
    return pa.Table.from_pylist(list(rows), REPAIR.schema)
