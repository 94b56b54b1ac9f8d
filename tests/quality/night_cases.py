"""Good and bad nights for the rules that see several rows, several senders or earlier nights.

Belongs here: the table of cases. Must not: assertions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from tests.quality import rows
from tests.quality.rows import at, inspection, of_company
from zz_pipeline.history import CHECKS, SHARES, VERSIONS, VOLUMES, History
from zz_pipeline.settings import Limits

Rows = list[dict[str, Any]]
KEY = "610124-SCJG-2026-0001"
LIMITS = Limits(yearly_checks=2, subjects_a_day=3, volume_from=4, share_from=4)


@dataclass(frozen=True)
class NightCase:
    """Senders' rows (department key → rows) that keep a rule and that break it, over one history."""

    rule: str
    field: str
    good: dict[str, Rows]
    bad: dict[str, Rows]
    history: History = field(default_factory=lambda: History(limits=LIMITS))

    def __str__(self) -> str:
        return f"{self.rule}-{self.field}"


def _own(rule: str, named: str, good: Rows, bad: Rows, history: History | None = None) -> NightCase:
    return NightCase(rule, named, {"SCJG": good}, {"SCJG": bad}, history or History(limits=LIMITS))


def _of(dept: str, number: str = "2026-0001", **changes: Any) -> dict[str, Any]:
    return inspection(number, record_key=f"610124-{dept}-{number}", dept=dept, **changes)


def _many(count: int, **changes: Any) -> Rows:
    return [inspection(f"N-{n}", **of_company(n), **changes) for n in range(count)]


def _past(**changes: Any) -> History:
    row = {"record_key": KEY, "uscc": rows.COMPANY, "finish_date": "2026-11-20", "entered_at": "2026-11-20 17:20:00"}
    row |= {"item_code": rows.ITEM, "stage": None} | changes
    return History(limits=LIMITS, versions=pa.Table.from_pylist([row], VERSIONS))


def _checks(count: int) -> History:
    row = {"dept": "SCJG", "subject": rows.COMPANY, "year": 2026, "checks": count}
    return History(limits=LIMITS, checks=pa.Table.from_pylist([row], CHECKS))


def _volumes(*units: int) -> History:
    days = [{"dept": "SCJG", "day": rows.DAY - timedelta(weeks=n + 1), "units": u} for n, u in enumerate(units)]
    others = [{"dept": "SCJG", "day": rows.DAY - timedelta(days=n), "units": 1} for n in range(1, 7)]
    return History(limits=LIMITS, volumes=pa.Table.from_pylist([*days, *others], VOLUMES))


def _shares(name: str, **counts: int) -> History:
    told = [{"dept": "SCJG", "field": name, "code": c.strip("_"), "rows": n} for c, n in counts.items()]
    return History(limits=LIMITS, shares=pa.Table.from_pylist(told, SHARES))


_TEAM = {"inspector_names": ["周某", "赵某"], "inspector_certs": ["27010124007", "27010124004"]}
_PEOPLE_OF_YJJ = {"inspector_names": ["孙某", "李某"], "inspector_certs": ["27010124006", "27010124008"]}
_ALONE = {"check_kind": "重点检查", "plan_id": None, "task_id": None}

CASES = [
    NightCase(
        "INS-053",
        "subject_name",
        {"SCJG": [_of("SCJG")], "YJJ": [_of("YJJ", **_PEOPLE_OF_YJJ)]},
        {"SCJG": [_of("SCJG")], "YJJ": [_of("YJJ", subject_name="周至县样例另一公司", **_PEOPLE_OF_YJJ)]},
    ),
    NightCase(
        "INS-053",
        "subject_name",
        {"SCJG": [_of("SCJG")], "YJJ": [_of("YJJ", **of_company(7))]},
        {"SCJG": [_of("SCJG")], "YJJ": [_of("YJJ", uscc=rows.company(7))]},
    ),
    _own(
        "INS-054",
        "inspector_certs",
        [inspection("A"), inspection("B", **of_company(7), area_code="610118", inspect_date=date(2026, 11, 18))],
        [inspection("A"), inspection("B", **of_company(7), area_code="610118")],
    ),
    NightCase(
        "INS-054",
        "inspector_certs",
        {"SCJG": [_of("SCJG")], "YJJ": [_of("YJJ", **of_company(7), **_PEOPLE_OF_YJJ)]},
        {"SCJG": [_of("SCJG")], "YJJ": [_of("YJJ", **of_company(7))]},
    ),
    _own("INS-055", "inspector_certs", _many(3), _many(4)),
    _own("INS-055", "inspector_certs", [*_many(3), inspection("Z", check_type="02")], _many(5)),
    _own(
        "INS-056",
        "item_code",
        [inspection("A"), inspection("B", item_code=rows.ITEM_2), inspection("C", inspect_date=date(2026, 11, 18))],
        [inspection("A"), inspection("B")],
    ),
    _own("INS-057", "subject_name", [inspection("A")], [inspection("A"), inspection("B")], _checks(1)),
    _own("INS-057", "subject_name", [inspection("A", check_kind="个案检查")], [inspection("A")], _checks(2)),
    _own(
        "INS-058",
        "follow_up",
        [inspection(result="REFUSED", follow_up="05")],
        [inspection(result="REFUSED", follow_up="02")],
        _past(stage=2),
    ),
    _own("INS-059", "result", [inspection(result="CORRECTED")], [inspection(result="PENDING")], _past()),
    _own(
        "INS-059",
        "result",
        [inspection(result="PENDING", follow_up="06")],
        [inspection(result="PENDING")],
        _past(stage=1),
    ),
    _own("INS-060", "finish_date", [inspection()], [inspection(finish_date=date(2026, 11, 19))], _past()),
    _own("INS-060", "entered_at", [inspection()], [inspection(entered_at=at("2026-11-20 17:19"))], _past()),
    _own("INS-061", "uscc", [inspection()], [inspection(**of_company(7))], _past()),
    _own("INS-062", "dept", _many(8), _many(33), _volumes(8, 8, 9)),
    _own("INS-062", "dept", _many(5), _many(1), _volumes(8, 20, 20)),
    _own("INS-063", "result", _many(5), _many(5, result="CORRECTED"), _shares("result", NO_ISSUE=70, CORRECTED=30)),
    _own("INS-063", "check_kind", _many(5), _many(5, **_ALONE), _shares("check_kind", 不定向抽查=70, 重点检查=30)),
    _own("INS-063", "object_type", _many(5), _many(5, object_type="2"), _shares("object_type", _1=90, _2=10)),
    _own("INS-064", "task_id", [inspection()], [inspection(plan_id=rows.JOINT_PLAN, task_id=rows.FOREIGN_TASK)]),
    _own("INS-065", "task_id", [inspection()], [inspection(inspect_date=date(2026, 12, 1))]),
    _own("INS-065", "plan_id", [inspection(task_id=None)], [inspection(task_id=None, inspect_date=date(2025, 12, 31))]),
    _own("INS-066", "subject_name", [inspection()], [inspection(subject_name="周至县样例旧名餐饮有限公司")]),
    _own(
        "INS-067", "lead_dept", [inspection(joint=False)], [inspection(joint=False, lead_dept="周至县样例应急管理局")]
    ),
]
# A past that says too little for a comparison: nothing may be found.
SILENT = [
    _own("INS-062", "dept", _many(33), _many(33), _volumes(8, 8)),
    _own(
        "INS-063", "result", _many(3, result="CORRECTED"), _many(3, result="CORRECTED"), _shares("result", NO_ISSUE=9)
    ),
    _own("INS-059", "result", [inspection("B", result="PENDING")], [inspection("B", result="PENDING")], _past()),
    _own("INS-057", "subject_name", [inspection()], [inspection()], History(limits=LIMITS)),
    _own("INS-061", "uscc", [inspection()], [inspection(**of_company(7))], _past(uscc=None)),
]
