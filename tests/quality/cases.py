"""A good and a bad row (or a few rows of one record) for each rule, and one check of all of them together.

Belongs here: the tables of cases and the shared run (GX costs seconds, so all cases of a kind go through one suite run).
Must not: assertions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import pyarrow as pa

from expectations.run import check_table
from tests.quality import rows
from tests.quality.rows import at, inspection, rating, repair, without_code

Rows = list[dict[str, Any]]
RESIDENT = "610199189901010015"  # a region and a birth year that no one has
OLD_NUMBER = "610124100000015"
SERIAL = "0001"  # of the good rows of `rows`
MOBILE = "13000000000"


@dataclass(frozen=True)
class Case:
    """Rows that keep a rule and rows that break it; `field` is what the verdict must name."""

    rule: str
    good: Rows
    bad: Rows
    field: str
    severity: str = "ERROR"

    def __str__(self) -> str:
        return f"{self.rule}-{self.field}"


def _one(
    rule: str,
    field: str,
    bad: dict[str, Any],
    good: dict[str, Any] | None = None,
    *,
    severity: str = "ERROR",
    base: Any = None,
) -> Case:
    make: Callable[..., dict[str, Any]] = base or inspection
    return Case(rule, [make(**(good or {}))], [make(**bad)], field, severity)


def _record(*results: str, **changes: Any) -> Rows:
    return [inspection(result=result, source_row=n + 2, **changes) for n, result in enumerate(results)]


def _pair(first: str, second: str) -> dict[str, Any]:
    return {"inspector_certs": [first, second]}


_CASE_CHECK = {"check_kind": "个案检查", "plan_id": None, "task_id": None, "check_mode": "2", "case_reason": "群众举报"}
_PERSON = {"counterpart_id_type": "111", "counterpart_name": "张某", "counterpart_nature": "01"}

INSPECTION_CASES = [
    _one("INS-001", "record_no", {"record_no": "检/0001", "record_key": "610124-SCJG-检/0001"}),
    _one("INS-001", "record_no", {"record_no": None, "record_key": None}),
    _one(
        "INS-001",
        "record_no",
        {"record_no": "A1", "record_key": "610124-YJJ-A1"},
        {"record_no": "A1", "record_key": "610124-SCJG-A1"},
    ),
    _one("INS-002", "subject_name", {"subject_name": None}),
    _one("INS-002", "subject_name", {"subject_name": "　"}),
    _one("INS-002", "subject_name", {"subject_name": "周"}, {"subject_name": "周至"}),
    _one("INS-002", "subject_name", {"subject_name": "周至\n样例公司"}),
    _one("INS-003", "uscc", {"uscc": "91610124YY000001X3"}),
    _one("INS-003", "uscc", {"uscc": "9161O124YY000001XB"}),
    _one("INS-004", "uscc", {"uscc": None, "object_code": "X1"}, {"uscc": None, "object_code": "X1"} | without_code()),
    _one("INS-005", "uscc", {"uscc": RESIDENT}),
    _one("INS-006", "uscc", {"uscc": OLD_NUMBER}),
    _one("INS-007", "inspector_names", {"inspector_names": ["张某"], "inspector_certs": ["27010124001"]}),
    _one("INS-007", "inspector_names", {"inspector_names": None, "inspector_certs": None}),
    _one("INS-008", "inspector_certs", _pair("27010124001", "27010124001")),
    _one("INS-009", "inspector_certs", _pair("27010124001", "2701a")),
    _one("INS-010", "inspector_certs", {"inspector_names": ["张某", "李某", "王某"]}),
    _one("INS-010", "inspector_certs", {"inspector_names": ["李某", "张某"]}),
    _one("INS-010", "inspector_certs", {"inspector_names": ["张某,王某", "李某"]}),
    _one(
        "INS-011",
        "inspector_certs",
        {
            "inspector_names": ["张某", "王某"],
            **_pair("27010124001", "27010124003"),
            "inspect_date": date(2026, 11, 20),
        },
        {
            "inspector_names": ["张某", "王某"],
            **_pair("27010124001", "27010124003"),
            "inspect_date": date(2026, 11, 19),
        },
    ),
    _one(
        "INS-011",
        "inspector_certs",
        {"inspector_names": ["张某", "赵某"], **_pair("27010124001", "27010124004")},
        {"inspector_names": ["张某", "周某"], **_pair("27010124001", "27010124007")},
    ),
    _one("INS-012", "inspector_certs", _pair("27010124001", "27010124999")),
    _one("INS-012", "inspector_certs", {"inspector_names": ["张某", "孙某"], **_pair("27010124001", "27010124006")}),
    _one("INS-013", "inspector_certs", {"inspector_names": ["张某", "钱某"], **_pair("27010124001", "27010124005")}),
    _one("INS-014", "item_code", {"item_code": "6101240001001"}),
    _one("INS-014", "item_code", {"item_code": None}),
    _one("INS-015", "item_code", {"item_code": "61012400019999"}),
    _one("INS-015", "item_code", {"item_code": "61012400010077"}),
    _one("INS-016", "item_code", {"item_code": rows.STOPPED}),
    _one("INS-017", "implement_code", {"implement_code": None}),
    _one("INS-017", "implement_code", {"implement_code": "11610124YY000005214000001"}),
    _one("INS-017", "implement_code", {"implement_code": f"{rows.DEPT_USCC}6000001"}),
    _one("INS-017", "implement_code", {"implement_code": rows.IMPLEMENT_2}),
    _one("INS-018", "plan_id", {"plan_id": None}, without_code()),
    _one("INS-018", "plan_id", {"plan_id": "6101242026100"}),
    _one("INS-019", "task_id", {"task_id": None}, without_code()),
    _one("INS-019", "task_id", {"task_id": "610124202613101001"}),
    _one("INS-020", "plan_id", {"plan_id": "61012420269999"}),
    _one("INS-020", "task_id", {"task_id": "610124202611109999"}),
    _one("INS-020", "task_id", {"task_id": rows.OTHER_TASK}, {"plan_id": rows.OTHER_PLAN, "task_id": rows.OTHER_TASK}),
    _one("INS-021", "case_reason", _CASE_CHECK | {"case_reason": None}, _CASE_CHECK),
    _one("INS-021", "case_reason", _CASE_CHECK | {"case_reason": "举"}, _CASE_CHECK | {"case_reason": "举报"}),
    _one(
        "INS-021", "case_reason", _CASE_CHECK | {"case_reason": "举" * 201}, _CASE_CHECK | {"case_reason": "举" * 200}
    ),
    _one("INS-022", "case_reason", {"case_reason": "群众举报"}),
    _one(
        "INS-023",
        "inspect_date",
        {"inspect_date": date(2026, 11, 21), "finish_date": date(2026, 11, 21), "entered_at": at("2026-11-21 00:00")},
    ),
    _one(
        "INS-023",
        "finish_date",
        {"finish_date": date(2026, 11, 22), "entered_at": at("2026-11-22 00:00"), "changed_at": None},
        {"finish_date": date(2026, 11, 21), "entered_at": at("2026-11-21 00:00"), "changed_at": None},
    ),
    _one(
        "INS-024",
        "finish_date",
        {"inspect_date": date(2026, 11, 20), "finish_date": date(2026, 11, 19)},
        {"inspect_date": date(2026, 11, 20)},
    ),
    _one(
        "INS-025",
        "entered_at",
        {"entered_at": at("2026-11-19 23:59")},
        {"entered_at": at("2026-11-20 00:00")},
    ),
    _one(
        "INS-025",
        "entered_at",
        {"entered_at": at("2026-11-21 01:31")},
        {"entered_at": at("2026-11-21 01:30")},
    ),
    _one("INS-026", "inspect_date", {"inspect_date": None}),
    _one("INS-026", "finish_date", {"finish_date": None}),
    _one("INS-026", "entered_at", {"entered_at": None}),
    Case("INS-027", _record("CORRECTED", "PENDING"), _record("NO_ISSUE", "CORRECTED"), "result"),
    _one("INS-028", "result", {"result": None}),
    _one("INS-028", "result", {"result": "正常"}),
    _one("INS-028", "follow_up", {"follow_up": "07"}, {"follow_up": "06"}),
    Case("INS-029", _record("CORRECTED", "PENDING"), _record("CORRECTED", "CORRECTED"), "result", "WARN"),
    _one("INS-032", "publishable", {"publishable": None}),
    _one(
        "INS-033",
        "not_publish_reason",
        {"publishable": False},
        {"publishable": False, "not_publish_reason": "涉及商业秘密"},
    ),
    _one("INS-034", "check_kind", {"check_kind": None}),
    _one("INS-034", "check_kind", {"check_kind": "抽查"}, {"check_kind": "定向抽查"}),
    _one("INS-035", "object_type", {"object_type": None}),
    _one("INS-035", "object_type", {"object_type": "12"}, {"object_type": "11"}),
    _one("INS-036", "area_code", {"area_code": None}),
    _one("INS-036", "area_code", {"area_code": "610199"}, {"area_code": "610118", "check_type": "02"}),
    _one("INS-036", "area_code", {"area_code": "61012"}),
    _one("INS-037", "counterpart_nature", {"counterpart_nature": None}),
    _one("INS-037", "counterpart_nature", {"counterpart_nature": "1"}, {"counterpart_nature": "03"}),
    _one("INS-038", "task_name", {"task_name": "长" * 501}, {"task_name": "长" * 500}),
    _one("INS-038", "counterpart_code", {"counterpart_id_type": "099", "counterpart_code": "X" * 21}),
    _one("INS-038", "address_operating", {"address_operating": "样例路\x07"}, {"remark": "第一行\n第二行"}),
    _one("INS-038", "entered_by", {"entered_by": "　"}, {"entered_by": None}),
    _one("INS-009", "inspector_certs", _pair("27010124001", " ")),
    _one(
        "INS-010",
        "inspector_certs",
        {"inspector_names": [None, "张某", "李某"], "inspector_certs": ["27010124001", "27010124002"]},
    ),
    _one("INS-018", "plan_id", without_code() | {"plan_id": " "}, without_code()),
    _one("INS-022", "case_reason", {"case_reason": " "}),
    _one("INS-039", "check_form", {"check_form": None}),
    _one("INS-039", "check_type", {"check_type": "03"}),
    _one("INS-039", "check_mode", {"check_mode": "4"}, {"check_mode": None}),
    _one("INS-040", "object_code", {"object_code": None}, base=without_code),
    _one("INS-041", "plan_id", {"check_mode": "1"}, base=without_code),
    Case(
        "INS-042",
        [inspection(item_code=code, source_row=n) for n, code in enumerate(rows.MANY[:50])],
        [inspection(item_code=code, source_row=n) for n, code in enumerate(rows.MANY)],
        "item_code",
    ),
    _one("INS-044", "uscc", {"uscc": "99610124YY0000012Y"}),
    _one("INS-044", "uscc", {"uscc": "91610199YY000001X0"}, {"uscc": "91440300YY000001XU"}),
    _one("INS-045", "uscc", {"uscc": "91610124YY0000012P"}),
    _one("INS-045", "uscc", {"uscc": "12610124YY00000534"}, {"uscc": rows.SCHOOL}, severity="WARN"),
    _one("INS-046", "remark", {"remark": f"联系电话{MOBILE}"}, {"remark": "罚款2000元"}, severity="WARN"),
    _one("INS-047", "task_id", {"task_id": "610124202611101018"}, severity="WARN"),
    Case("INS-048", _record("NO_ISSUE"), _record("NO_ACTIVITY", "PENDING"), "result", "WARN"),
    _one("INS-049", "counterpart_name", {"counterpart_name": None}),
    _one("INS-049", "counterpart_id_type", {"counterpart_id_type": None}),
    _one("INS-049", "counterpart_id_type", {"counterpart_id_type": "116"}, {"counterpart_id_type": "117"}),
    _one("INS-049", "counterpart_code", {"counterpart_code": None}),
    _one("INS-049", "counterpart_code", {"counterpart_code": "91610124YY000001X3"}, {"counterpart_code": rows.SCHOOL}),
    _one(
        "INS-049",
        "counterpart_code",
        _PERSON | {"counterpart_code": RESIDENT[:-1] + "6"},
        _PERSON | {"counterpart_code": RESIDENT},
    ),
    _one("INS-050", "joint", {"joint": None}, {"joint": False}),
    _one("INS-050", "lead_dept", {"lead_dept": None}),
    _one("INS-051", "item_name", {"item_name": None}),
    _one("INS-052", "dept", {"dept": "YJJ"}),
    _one("INS-052", "dept", {"dept": None}),
]

RATING_CASES = [
    _one("RAT-001", "uscc", {"uscc": None}, base=rating),
    _one("RAT-001", "uscc", {"uscc": "91610124YY000001X3"}, base=rating),
    _one("RAT-001", "uscc", {"uscc": RESIDENT}, base=rating),
    _one("RAT-002", "scheme", {"scheme": "OTHER"}, base=rating),
    _one("RAT-002", "scheme", {"scheme": None}, base=rating),
    _one("RAT-003", "grade", {"grade": "A"}, {"scheme": "RISK", "grade": "A"}, base=rating),
    _one("RAT-003", "grade", {"scheme": "RISK", "grade": "M"}, {"scheme": "INDUSTRY", "grade": "M"}, base=rating),
    _one("RAT-003", "grade", {"grade": None}, base=rating),
    _one("RAT-004", "record_key", {"record_key": "评1"}, {"record_key": "P" * 35}, base=rating),
    _one("RAT-004", "record_key", {"record_key": None}, base=rating),
    _one("RAT-005", "subject_name", {"subject_name": None}, base=rating),
    _one("RAT-006", "rated_at", {"rated_at": None}, base=rating),
    _one("RAT-006", "rated_at", {"rated_at": "2026-02-30"}, {"rated_at": "2026-02-28"}, base=rating),
    _one("RAT-006", "rated_at", {"rated_at": "2026-11-21 01:31:00"}, {"rated_at": "2026-11-21 01:30:00"}, base=rating),
    _one("RAT-006", "valid_until", {"valid_until": "2026-11-19"}, {"valid_until": "2026-11-20"}, base=rating),
    _one("RAT-006", "valid_until", {"valid_until": "长期"}, {"valid_until": None}, base=rating),
    _one("RAT-007", "evaluator", {"evaluator": None}, base=rating),
    _one("RAT-008", "score", {"score": None, "score_text": "九十"}, {"score": None, "score_text": None}, base=rating),
    _one("RAT-008", "score", {"score": float("inf")}, base=rating),
    _one("RAT-009", "evaluator", {"evaluator": "评" * 201}, {"evaluator": "评" * 200}, base=rating),
]

REPAIR_CASES = [
    _one("REP-001", "record_key", {"record_key": "修复1"}, base=repair),
    _one("REP-001", "record_key", {"record_key": None}, base=repair),
    _one("REP-002", "target", {"target": "OTHER"}, {"target": "PENALTY"}, base=repair),
    _one("REP-002", "target_key", {"target_key": None}, base=repair),
    _one("REP-003", "decision_no", {"decision_no": "文\x00"}, {"decision_no": "样例〔2026〕1号"}, base=repair),
]

ALL_CASES = {"inspection": INSPECTION_CASES, "rating": RATING_CASES, "repair": REPAIR_CASES}
_TABLES = {"inspection": rows.inspections, "rating": rows.ratings, "repair": rows.repairs}


@dataclass(frozen=True)
class Run:
    """One check of all cases of a kind: the verdicts found on the good and on the bad rows of each case."""

    outcome: Any
    good: list[list[dict[str, Any]]]
    bad: list[list[dict[str, Any]]]


def numbered(group: Rows, number: int) -> Rows:
    """The rows of a case under a record number and source rows of their own, so that no two cases are one record."""
    moved = [_own_subject(row | {"source_row": row["source_row"] + number * 100}, number) for row in group]
    old = group[0].get("record_no", group[0]["record_key"])
    if not old or SERIAL not in old:
        return moved
    new = old.replace(SERIAL, f"{number:04}")
    fresh = [row | {"record_key": row["record_key"].replace(old, new)} for row in moved]
    return [row | {"record_no": new} if "record_no" in row else row for row in fresh]


def _own_subject(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row about a subject of its own: two records on one subject, item and day are a finding of their own."""
    other = {rows.COMPANY: rows.company(number), "XM-0001": f"XM-{number:04}"}
    return row | {
        name: other[row[name]] for name in ("uscc", "counterpart_code", "object_code") if row.get(name) in other
    }


def in_one_table(kind: str) -> tuple[pa.Table, list[range]]:
    """The rows of every case of a kind, and the places of each case's good and bad ones in turn."""
    table, spans = [], []
    for number, case in enumerate(ALL_CASES[kind]):
        for half, group in enumerate((case.good, case.bad)):
            start = len(table)
            table += numbered(group, number * 2 + half + 1)
            spans.append(range(start, len(table)))
    return _TABLES[kind](*table), spans


@cache
def run(kind: str) -> Run:
    """Check every case of a kind in one table."""
    made, spans = in_one_table(kind)
    common: dict[str, Any] = {"lists": rows.LISTS, "department": rows.DEPARTMENT, "day": rows.DAY, "now": rows.NOW}
    outcome = check_table(made, kind, regions=rows.REGIONS, history=rows.BUSY, **common)
    verdicts = outcome.verdicts.to_pylist()
    found = [[v for v in verdicts if v["row"] in span] for span in spans]
    return Run(outcome, found[0::2], found[1::2])
