"""The split: what goes on, what goes back whole, with which words, and that no person's number is in them."""

from dataclasses import dataclass

import pyarrow as pa
import pytest

from tests.quality import rows
from zz_pipeline.errors import CheckError
from zz_pipeline.quality import VERDICTS, CheckOutcome, nothing_to_check, split, units
from zz_pipeline.standard.tables import Kind

ISSUES = pa.schema(
    [
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("field", pa.string()),
        ("value", pa.string()),
        ("message", pa.string()),
    ]
)
RESIDENT = "610199189901010015"  # a region and a birth year that no one has


@dataclass(frozen=True)
class Batch:
    table: pa.Table
    issues: pa.Table
    kind: Kind = Kind.INSPECTION


def batch(*made, issues=(), kind=Kind.INSPECTION):
    build = rows.inspections if kind is Kind.INSPECTION else rows.ratings
    return Batch(build(*made), pa.Table.from_pylist(list(issues), ISSUES), kind)


def outcome(*verdicts):
    keys = ("row", "rule", "field", "severity", "message")
    table = pa.Table.from_pylist([dict(zip(keys, (*v, "请改正。"), strict=True)) for v in verdicts], VERDICTS)
    return CheckOutcome("failed", table, (), "rules-test")


def issue(row, rule, field, value, message="请改正。"):
    return {"row": row, "rule": rule, "field": field, "value": value, "message": message}


def test_one_error_on_any_row_sends_back_all_rows_of_its_record():
    two_items = [rows.inspection("A", source_row=n) for n in (2, 3)]
    done = split(batch(*two_items, rows.inspection("B", source_row=4)), outcome((1, "INS-016", "item_code", "ERROR")))

    assert done.accepted.column("record_no").to_pylist() == ["B"]
    assert done.quarantined_units == 1
    assert [(e.unit, e.source_row) for e in done.quarantined] == [("610124-SCJG-A", 3)]


def test_a_warning_is_told_and_the_record_goes_on():
    done = split(batch(rows.inspection("A")), outcome((0, "INS-046", "remark", "WARN")))

    assert done.accepted.num_rows == 1
    assert done.quarantined == []
    assert [(e.rule, e.severity) for e in done.warnings] == [("INS-046", "WARN")]
    assert done.quarantined_units == 0


def test_an_issue_of_the_standardizer_sends_the_record_back_but_an_unknown_column_only_warns():
    issues = [issue(0, "STD-003", "inspect_date", "26.7.3"), issue(1, "STD-010", "source_file", "多余列")]
    done = split(batch(rows.inspection("A"), rows.inspection("B"), issues=issues), nothing_to_check())

    assert done.accepted.column("record_no").to_pylist() == ["B"]
    assert [(e.rule, e.value) for e in done.quarantined] == [("STD-003", "26.7.3")]
    assert [e.rule for e in done.warnings] == ["STD-010"]


def test_a_cell_that_could_not_be_read_is_one_finding_and_not_also_a_missing_value():
    made = batch(rows.inspection("A", result=None), issues=[issue(0, "STD-002", "result", "正常")])
    done = split(made, outcome((0, "INS-028", "result", "ERROR"), (0, "INS-032", "publishable", "ERROR")))

    assert [e.rule for e in done.quarantined] == ["STD-002", "INS-032"]


def test_what_is_wrong_with_the_whole_record_is_said_once_and_with_an_item_for_each_item():
    made = batch(*[rows.inspection("A", source_row=n) for n in (2, 3)])
    wrong = [(n, rule, name, "ERROR") for n in (0, 1) for rule, name in (("INS-003", "uscc"), ("INS-016", "item_code"))]
    done = split(made, outcome(*wrong))

    assert [(e.rule, e.source_row) for e in done.quarantined] == [("INS-003", 2), ("INS-016", 2), ("INS-016", 3)]


def test_a_row_without_usable_number_is_a_unit_of_its_own():
    bad = {"record_no": "检/1", "record_key": "610124-SCJG-检/1"}
    made = batch(rows.inspection(**bad, source_row=7), rows.inspection(record_no=None, record_key=None, source_row=8))
    done = split(made, outcome((0, "INS-001", "record_no", "ERROR"), (1, "INS-001", "record_no", "ERROR")))

    assert [e.unit for e in done.quarantined] == ["样例.csv#7", "样例.csv#8"]
    assert done.quarantined_units == 2
    assert done.accepted.num_rows == 0


def test_units_of_one_record_are_one_and_accepted_and_quarantined_units_make_up_all():
    made = batch(*[rows.inspection(k, source_row=n) for n, k in enumerate("AABBC")])
    done = split(made, outcome((2, "INS-003", "uscc", "ERROR")))

    kept = set(done.accepted.column("record_key").to_pylist())
    assert len(kept) + done.quarantined_units == len(set(units(made.table))) == 3


def test_a_resident_id_in_the_code_column_is_masked_in_what_goes_back():
    done = split(batch(rows.inspection("A", uscc=RESIDENT)), outcome((0, "INS-005", "uscc", "ERROR")))

    assert RESIDENT not in done.quarantined[0].value
    assert "*" in done.quarantined[0].value


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("inspector_certs", ["27010124001", "27010124002"], "*******4001、*******4002"),
        ("inspector_names", ["张某某", "李某某"], "张某、李某"),
        ("task_id", "610124202611101018", "610124202611101018"),
        ("remark", "联系13000000000", "（文字 13 字，内容见原表）"),
        ("publishable", None, ""),
    ],
)
def test_values_are_shown_by_the_class_of_their_field(field, value, shown):
    done = split(batch(rows.inspection("A", **{field: value})), outcome((0, "INS-000", field, "ERROR")))

    assert done.quarantined[0].value == shown


def test_a_check_that_did_not_finish_lets_nothing_through():
    unfinished = CheckOutcome("errored", VERDICTS.empty_table(), (), "rules-test")

    with pytest.raises(CheckError, match="一条也不放行"):
        split(batch(rows.inspection("A")), unfinished)


@pytest.mark.parametrize("row", [5, -1, None])
def test_a_verdict_that_names_no_row_stops_the_batch(row):
    with pytest.raises(CheckError, match="INS-003"):
        split(batch(rows.inspection("A")), outcome((row, "INS-003", "uscc", "ERROR")))


def test_ratings_are_split_by_the_same_rules():
    made = batch(rows.rating("P1"), rows.rating("P2"), kind=Kind.RATING)
    done = split(made, outcome((0, "RAT-003", "grade", "ERROR")))

    assert done.accepted.column("record_key").to_pylist() == ["P2"]
    assert [e.unit for e in done.quarantined] == ["P1"]


def test_nothing_to_check_passes_without_naming_a_rule():
    done = nothing_to_check()

    assert done.status == "passed"
    assert done.rules == ()
    assert done.verdicts.num_rows == 0
