"""Items of the credit platform become standard ratings and repair notices."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.unit.source_bench import WINDOW
from zz_pipeline.settings import CHECKOUT
from zz_pipeline.sources import RawBatch
from zz_pipeline.sources.base import exact_text, text_table
from zz_pipeline.sources.credit import RATINGS, REPAIRS
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.tables import RATING, REPAIR
from zz_pipeline.standardize import standardize_ratings, standardize_repairs

RATED: dict[str, Any] = {
    "rating_id": "XYPJ-2026-1",
    "revision": 2,
    "enterpriseName": "周至县样例（甲）有限公司",
    "enterpriseCreditCode": "91610124YY000001XB",
    "enterpriseIdType": "001",
    "scheme": "PUBLIC",
    "enterpriseType": "优秀",
    "enterpriseMark": 88.5,
    "estimateOrg": "西安市样例评价中心",
    "estimateOrgCode": "12610124YY00000521",
    "estimateTime": "2026-11-01",
    "validUntil": "2027-10-31 00:00:00",
    "field": "综合",
    "publishable": True,
    "updated_at": "2026-11-20 08:00:00",
}
NOTICE: dict[str, Any] = {
    "repair_id": "XF-1",
    "enterpriseCreditCode": "91610124YY000001XB",
    "enterpriseName": "周至县样例（甲）有限公司",
    "target": "INSPECTION",
    "target_key": "610124-SCJG-2026-1",
    "decision_no": "周信修〔2026〕1号",
    "decided_at": "2026-11-10",
    "effective_at": "2026/11/11",
    "updated_at": "2026-11-20 20:00:00",
}


@cache
def book() -> CodeBook:
    return CodeBook.load(CHECKOUT / "config")


def raw(feed, items, extra=()):
    headings = [*feed.fields, *extra]
    rows = [[exact_text(item.get(h)) for h in headings] for item in items]
    table = text_table(headings, rows, feed.path, range(1, len(rows) + 1))
    return RawBatch("credit", feed.kind, table, (), WINDOW.since, WINDOW.until, WINDOW.until)


def rate(*changes, extra=()):
    return standardize_ratings(raw(RATINGS, [RATED | c for c in changes], extra), book())


def repair(*changes):
    return standardize_repairs(raw(REPAIRS, [NOTICE | c for c in changes]), book())


def test_a_good_rating_becomes_standard_without_an_issue():
    found = rate({})
    assert found.issues.num_rows == 0
    assert found.warnings == ()
    assert found.table.schema == RATING.schema
    (row,) = found.table.to_pylist()
    assert (row["record_key"], row["revision"], row["scheme"], row["grade"]) == ("XYPJ-2026-1", 2, "PUBLIC", "优")
    assert (row["score"], row["score_text"], row["publishable"]) == (88.5, "88.5", True)
    assert (row["rated_at"], row["valid_until"]) == ("2026-11-01", "2027-10-31 00:00:00")
    assert str(row["changed_at"]) == "2026-11-20 08:00:00"
    assert found.units == 1


@pytest.mark.parametrize(
    ("scheme", "typed", "grade"),
    [
        ("RISK", "Ａ级", "A"),
        ("INDUSTRY", "b", "B"),
        ("INDUSTRY", "M", "M"),
        ("RISK", "信用风险较高", "C"),
        ("PUBLIC", " 良好 ", "良"),
    ],
)
def test_grades_as_people_type_them_are_read_by_their_own_scheme(scheme, typed, grade):
    found = rate({"scheme": scheme, "enterpriseType": typed})
    assert (found.table["grade"].to_pylist(), found.issues.num_rows) == ([grade], 0)


@pytest.mark.parametrize(
    ("scheme", "typed"), [("PUBLIC", "A"), ("RISK", "优"), ("INDUSTRY", "AAA"), ("PUBLIC", "合格"), ("RISK", "M")]
)
def test_a_grade_of_another_scheme_is_asked_and_never_taken(scheme, typed):
    found = rate({"scheme": scheme, "enterpriseType": typed})
    assert found.table["grade"].to_pylist() == [None]
    assert [i["field"] for i in found.issues.to_pylist()] == ["grade"]
    assert found.issues["rule"][0].as_py() in ("STD-001", "STD-002")


def test_ratings_of_several_schemes_stand_side_by_side():
    found = rate({}, {"rating_id": "2", "scheme": "RISK", "enterpriseType": "D"}, {"rating_id": "3", "scheme": "WHAT"})
    assert found.table["grade"].to_pylist() == ["优", "D", None]
    assert [(i["row"], i["field"]) for i in found.issues.to_pylist()] == [(2, "scheme")]


def test_a_score_keeps_the_text_of_its_source_and_is_a_number_only_if_it_is_one():
    found = rate({"enterpriseMark": "88.50"}, {"enterpriseMark": None}, {"enterpriseMark": "高"})
    assert found.table["score_text"].to_pylist() == ["88.50", None, "高"]
    assert found.table["score"].to_pylist() == [88.5, None, None]


@pytest.mark.parametrize(
    ("change", "rule", "field"),
    [
        ({"estimateTime": "26-11-1"}, "STD-003", "rated_at"),
        ({"validUntil": "长期"}, "STD-003", "valid_until"),
        ({"revision": "二"}, "STD-004", "revision"),
        ({"enterpriseCreditCode": "9.16E+17"}, "STD-004", "uscc"),
        ({"enterpriseCreditCode": "91610124 YY000001XB"}, "STD-006", "uscc"),
        ({"publishable": "大概"}, "STD-005", "publishable"),
        ({"enterpriseIdType": "111"}, "STD-001", "uscc"),
    ],
)
def test_a_value_of_a_rating_that_cannot_be_read_is_an_issue(change, rule, field):
    found = rate(change)
    assert [(i["rule"], i["field"]) for i in found.issues.to_pylist()] == [(rule, field)]
    assert found.table.num_rows == 1


def test_a_key_that_the_contract_does_not_name_is_told():
    found = rate({"newKey": "x"}, extra=("newKey",))
    assert "newKey" in found.warnings[0]


def test_a_good_notice_becomes_standard_and_its_dates_are_iso():
    found = repair({}, {"repair_id": "2", "target": "RATING", "target_key": "XYPJ-2026-1"})
    assert found.issues.num_rows == 0
    assert found.table.schema == REPAIR.schema
    assert found.table["target"].to_pylist() == ["INSPECTION", "RATING"]
    assert found.table["effective_at"].to_pylist() == ["2026-11-11"] * 2
    assert found.units == 2


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"target": "LICENCE"}, "STD-001"),
        ({"target": None}, "STD-002"),
        ({"target_key": " "}, "STD-002"),
        ({"decided_at": "昨天"}, "STD-003"),
    ],
)
def test_a_notice_that_cannot_be_followed_is_an_issue(change, rule):
    assert repair(change).issues["rule"].to_pylist() == [rule]


def test_an_empty_day_gives_empty_tables():
    assert rate().table.num_rows == 0
    assert repair().table.num_rows == 0
