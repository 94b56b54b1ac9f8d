"""Rules that see several rows, several senders or earlier nights: each on a good and a bad night, by its own expectation."""

import pytest

from expectations import run
from expectations.catalogue import RULES, WARN
from tests.quality import rows
from tests.quality.night_cases import CASES, SILENT, NightCase
from zz_pipeline.standard.tables import Kind


def found(case: NightCase, night):
    """(department, row, field) of the breaches of the case's rule, with the real frames and the real expectations."""
    import great_expectations as gx

    run.context()
    mine = [e for e in run.suite(Kind.INSPECTION).expectations if e.meta["rule"] == case.rule]
    suite = gx.ExpectationSuite(name="one rule", expectations=mine)
    parts, failed, breaches = [], {}, set()
    for key, made in night.items():
        department = rows.DEPARTMENT.model_copy(update={"key": key})
        setting = run.Setting(rows.LISTS, department, rows.DAY, rows.NOW, rows.REGIONS)
        parts.append(run.Part(rows.inspections(*made), setting))
    for frame in run.frames(parts, Kind.INSPECTION, case.history, failed):
        for breach in run.run_suite(suite, frame.rows):
            breaches |= {(list(night)[frame.part[r]], int(frame.place[r]), breach.field) for r in breach.rows}
    assert not failed
    return breaches


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_night_that_breaks_the_rule_is_found_under_its_field(case: NightCase):
    assert {name for _, _, name in found(case, case.bad)} == {case.field}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_night_that_keeps_the_rule_is_not_found(case: NightCase):
    assert found(case, case.good) == set()


@pytest.mark.parametrize("case", SILENT, ids=str)
def test_a_past_that_says_too_little_gives_no_finding(case: NightCase):
    assert found(case, case.bad) == set()


def test_what_needs_a_persons_look_warns_and_never_returns_a_record():
    assert {RULES[case.rule].severity for case in CASES} == {WARN}


def test_both_departments_of_a_disagreement_are_told():
    case = CASES[0]

    assert {dept for dept, _, _ in found(case, case.bad)} == {"SCJG", "YJJ"}


def test_a_finding_on_a_whole_batch_stands_on_its_first_row_only():
    case = next(c for c in CASES if c.rule == "INS-062")

    assert found(case, case.bad) == {("SCJG", 0, "dept")}
