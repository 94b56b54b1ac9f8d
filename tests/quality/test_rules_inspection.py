"""Every INS rule on real rows: what keeps it passes, what breaks it is returned under that rule and field."""

import pytest

from tests.quality.cases import INSPECTION_CASES, Case, run

CASES = list(enumerate(INSPECTION_CASES))


@pytest.mark.parametrize(("place", "case"), CASES, ids=[str(case) for _, case in CASES])
def test_a_row_that_breaks_the_rule_is_returned_under_it(place: int, case: Case):
    found = [v for v in run("inspection").bad[place] if (v["rule"], v["field"]) == (case.rule, case.field)]

    assert found
    assert {v["severity"] for v in found} == {case.severity}


@pytest.mark.parametrize(("place", "case"), CASES, ids=[str(case) for _, case in CASES])
def test_a_row_that_keeps_the_rule_has_no_verdict_at_all(place: int, case: Case):
    assert run("inspection").good[place] == []


@pytest.mark.parametrize("rule", ["INS-027", "INS-048"])
def test_labels_that_may_not_stand_together_are_all_named(rule: str):
    place = next(n for n, case in CASES if case.rule == rule)

    assert len({v["row"] for v in run("inspection").bad[place] if v["rule"] == rule}) == 2


def test_a_code_of_another_kind_is_not_also_called_a_wrong_check_digit():
    for rule in ("INS-005", "INS-006"):
        place = next(n for n, case in CASES if case.rule == rule)
        assert {v["rule"] for v in run("inspection").bad[place]}.isdisjoint({"INS-003", "INS-044", "INS-045"})


def test_the_message_names_the_field_in_chinese():
    place = next(n for n, case in CASES if case.field == "address_operating")

    assert run("inspection").bad[place][0]["message"].startswith("经营地址超过规定长度")


def test_the_counts_of_a_rule_are_those_of_its_rows():
    outcome = run("inspection").outcome
    broken = {(v["row"], v["rule"]) for v in outcome.verdicts.to_pylist()}

    for stat in outcome.rules:
        assert stat.unexpected == sum(rule == stat.rule for _, rule in broken)
        assert stat.evaluated >= stat.unexpected
        assert stat.status == ("failed" if stat.unexpected else "passed")
