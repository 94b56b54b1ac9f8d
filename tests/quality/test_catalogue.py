"""The catalogue is whole: each rule has its texts, each rule that GX checks has expectations and cases."""

import re

import pytest

from expectations import run
from expectations.catalogue import CHECKED, ERROR, FAMILIES, RULE_SET, RULES, STANDARDIZE, TOGETHER, WARN, Rule, collect
from expectations.outcome import rules_of
from tests.quality.cases import ALL_CASES
from tests.quality.night_cases import CASES as NIGHT_CASES
from zz_pipeline.quality import WARNING_ISSUES
from zz_pipeline.standard.tables import INSPECTION, RATING, REPAIR, Kind, Scope

FIELDS = {f.name for table in (INSPECTION, RATING, REPAIR) for f in table.fields}
CHECKED_RULES = sorted(rule.id for rule in RULES.values() if rule.found == CHECKED)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_each_rule_has_family_text_source_severity_and_field(rule: Rule):
    assert rule.family in FAMILIES
    assert rule.severity in (ERROR, WARN)
    assert rule.found in (CHECKED, STANDARDIZE, TOGETHER)
    assert rule.field in FIELDS
    assert rule.scope in (Scope.RECORD, Scope.ITEM)
    assert rule.label
    assert rule.legal
    assert re.search(r"[\u4e00-\u9fff]{2}.*。", rule.message)


def test_the_numbers_of_the_decision_are_all_there_without_a_gap():
    for prefix, last in (("STD", 11), ("INS", 67), ("RAT", 9), ("REP", 5)):
        assert {f"{prefix}-{n:03}" for n in range(1, last + 1)} == {r for r in RULES if r.startswith(prefix)}


def test_a_number_given_twice_is_refused():
    rule = RULES["INS-003"]

    with pytest.raises(ValueError, match="INS-003"):
        collect([rule, rule])


def test_rules_found_where_files_and_ledger_meet_are_not_checked_here():
    assert {r.id for r in RULES.values() if r.found == TOGETHER} == {
        "INS-030",
        "INS-031",
        "INS-043",
        "REP-004",
        "REP-005",
    }


def test_issues_that_only_warn_are_the_warnings_of_the_catalogue():
    assert {r.id for r in RULES.values() if r.found == STANDARDIZE and r.severity == WARN} == WARNING_ISSUES


@pytest.mark.parametrize("rule", CHECKED_RULES)
def test_each_checked_rule_has_a_good_and_a_bad_row(rule: str):
    cases = [case for group in ALL_CASES.values() for case in group if case.rule == rule]
    nights = [case for case in NIGHT_CASES if case.rule == rule]

    assert cases or nights
    assert all(case.good and case.bad for case in (*cases, *nights))


def test_the_catalogue_holds_at_least_eighty_rules_in_all_ten_families():
    assert len(RULES) >= 80
    assert {rule.family for rule in RULES.values()} == set(FAMILIES)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_suite_of_a_kind_holds_expectations_for_exactly_its_rules(kind: Kind):
    metas = [e.meta for e in run.suite(kind).expectations]

    assert {m["rule"] for m in metas} == set(rules_of(kind))
    assert {m["field"] for m in metas if m["field"]} <= FIELDS


def test_the_version_of_the_rules_fits_the_ledger_and_names_their_content():
    assert re.fullmatch(r"rules-[0-9a-f]{16}", RULE_SET)
    assert len(RULE_SET) <= 32
