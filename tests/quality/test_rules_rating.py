"""Every RAT and REP rule on real rows."""

import pytest

from tests.quality.cases import RATING_CASES, REPAIR_CASES, Case, run

CASES = [("rating", n, c) for n, c in enumerate(RATING_CASES)] + [("repair", n, c) for n, c in enumerate(REPAIR_CASES)]
IDS = [str(case) for _, _, case in CASES]


@pytest.mark.parametrize(("kind", "place", "case"), CASES, ids=IDS)
def test_a_rating_or_notice_that_breaks_the_rule_is_returned_under_it(kind: str, place: int, case: Case):
    found = [v for v in run(kind).bad[place] if (v["rule"], v["field"]) == (case.rule, case.field)]

    assert found
    assert {v["severity"] for v in found} == {case.severity}


@pytest.mark.parametrize(("kind", "place", "case"), CASES, ids=IDS)
def test_a_rating_or_notice_that_keeps_the_rule_has_no_verdict(kind: str, place: int, case: Case):
    assert run(kind).good[place] == []
