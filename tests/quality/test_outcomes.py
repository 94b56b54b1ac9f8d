"""Outcomes: passed, failed, errored. Errored stops the batch, an empty table passes, the share of bad rows changes nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from expectations import run
from expectations.catalogue import RULE_SET
from expectations.outcome import rules_of
from tests.quality import rows
from zz_pipeline.errors import CheckError
from zz_pipeline.quality import load_checker
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import Kind

SETTING = {
    "lists": rows.LISTS,
    "department": rows.DEPARTMENT,
    "day": rows.DAY,
    "now": rows.NOW,
    "regions": rows.REGIONS,
    "history": rows.BUSY,
}


def check(table, kind="inspection"):
    return run.check_table(table, kind, **SETTING)


def suite_of(*expectations):
    import great_expectations as gx

    run.context()
    return gx.ExpectationSuite(name="of one test", expectations=list(expectations))


def meta(rule="INS-003"):
    return {"rule": rule, "field": "", "severity": "", "locate": False}


def test_a_table_without_faults_passes_and_every_rule_says_how_many_rows_it_saw():
    outcome = check(rows.inspections(rows.inspection(), rows.without_code()))

    assert outcome.status == "passed"
    assert outcome.verdicts.num_rows == 0
    assert outcome.rule_set == RULE_SET
    assert {s.rule: s.evaluated for s in outcome.rules}["INS-028"] == 2


def test_a_warning_alone_does_not_fail_the_table():
    outcome = check(rows.inspections(rows.inspection(remark="联系电话13000000000")))

    assert [(v["rule"], v["severity"]) for v in outcome.verdicts.to_pylist()] == [("INS-046", "WARN")]
    assert outcome.status == "passed"


@pytest.mark.parametrize("kind", ["inspection", "rating", "repair"])
def test_an_empty_table_passes_and_states_that_nothing_was_evaluated(kind):
    builder = {"inspection": rows.inspections, "rating": rows.ratings, "repair": rows.repairs}[kind]

    outcome = check(builder(), kind)

    assert outcome.status == "passed"
    assert outcome.verdicts.num_rows == 0
    assert [s.evaluated for s in outcome.rules] == [0] * len(rules_of(Kind(kind)))


def test_an_expectation_that_raises_stops_the_batch_and_names_its_rule_but_no_value():
    from expectations.custom import column_rule

    def stumble(column):
        raise ValueError(f"cannot read {column.iloc[0]}")

    broken = column_rule("ExpectToStumble", stumble)
    frame = pd.DataFrame({"uscc": [rows.COMPANY]})

    with pytest.raises(CheckError, match=r"INS-003.*ValueError") as caught:
        list(run.run_suite(suite_of(broken(column="uscc", meta=meta())), frame))

    assert rows.COMPANY not in str(caught.value)


def test_a_condition_that_answers_for_too_few_rows_stops_the_batch():
    from expectations.custom import column_rule

    short = column_rule("ExpectToAnswerShort", lambda column: [True])

    with pytest.raises(CheckError, match=r"INS-003.*TypeError"):
        list(run.run_suite(suite_of(short(column="uscc", meta=meta())), pd.DataFrame({"uscc": ["a", "b"]})))


def test_an_expectation_on_a_column_that_is_not_there_stops_the_batch():
    import great_expectations.expectations as gxe

    absent = gxe.ExpectColumnValuesToNotBeNull(column="nowhere", meta=meta("INS-028"))

    with pytest.raises(CheckError, match="INS-028"):
        list(run.run_suite(suite_of(absent), pd.DataFrame({"uscc": ["a"]})))


def test_a_column_without_any_value_is_not_a_success():
    outcome = check(rows.inspections(*[rows.inspection(f"N-{n}", subject_name=None) for n in range(3)]))

    assert [v["row"] for v in outcome.verdicts.to_pylist() if v["rule"] == "INS-002"] == [0, 1, 2]


def test_a_table_that_lacks_a_column_is_refused_in_chinese():
    with pytest.raises(CheckError, match="缺少列：result。"):
        check(rows.inspections(rows.inspection()).drop_columns(["result"]))


def test_a_list_of_the_wrong_shape_stops_the_batch_instead_of_passing_it():
    plans = rows.LISTS.plans
    wrong = Lists(items=plans, inspectors=plans, plans=plans, tasks=plans, subjects=plans)

    with pytest.raises(CheckError, match="KeyError"):
        run.check_table(rows.inspections(rows.inspection()), "inspection", **{**SETTING, "lists": wrong})


@pytest.mark.parametrize("share", [0.01, 0.75])
def test_exactly_the_bad_rows_are_named_whatever_their_share(share):
    every = round(1 / share) if share < 0.5 else 1
    bad = {n for n in range(400) if (n % every == 0 if every > 1 else n % 4)}
    table = rows.inspections(
        *[
            rows.inspection(f"N-{n}", **rows.of_company(n) | ({"uscc": "91610124YY000001X3"} if n in bad else {}))
            for n in range(400)
        ]
    )

    verdicts = check(table).verdicts.to_pylist()

    assert {v["row"] for v in verdicts if v["rule"] == "INS-003"} == bad
    assert {v["row"] for v in verdicts} == bad
    assert len(bad) == 400 * share


def test_several_departments_checked_at_once_do_not_mix_their_rows():
    tables = [
        rows.inspections(
            *[
                rows.inspection(f"N-{n}", **rows.of_company(n), result=None if n == bad else "NO_ISSUE")
                for n in range(5)
            ]
        )
        for bad in range(2)
    ]

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(check, tables))

    assert [o.verdicts.column("row").to_pylist() for o in outcomes] == [[0], [1]]


def test_senders_checked_together_get_the_verdicts_they_get_alone():
    other = rows.DEPARTMENT.model_copy(update={"key": "YJJ"})
    good, bad = (
        rows.inspections(rows.inspection("A")),
        rows.inspections(rows.inspection("B", **rows.of_company(2)), rows.inspection("C", result=None)),
    )
    nobody = {"record_no": None, "record_key": None, "result": "NO_ISSUE", **rows.of_company(3)}
    loose, loose_too = (
        rows.inspections(rows.inspection(**nobody)),
        rows.inspections(rows.inspection(**nobody, dept="YJJ")),
    )
    parts = [
        (good, rows.DEPARTMENT),
        (rows.inspections(), other),
        (bad, rows.DEPARTMENT),
        (loose, rows.DEPARTMENT),
        (loose_too, other),
    ]
    common = {name: value for name, value in SETTING.items() if name != "department"}

    together = run.check_parts(parts, "inspection", **common)

    for place in (1, 2, 4):  # nobody, some, an unnumbered row: one validation each
        table, dept = parts[place]
        alone = run.check_table(table, "inspection", department=dept, **common)
        said = together[place].verdicts.to_pylist()
        assert [v for v in said if v["rule"] != "INS-054"] == alone.verdicts.to_pylist()
        # only a validation of all senders sees one inspector at work for two departments on one day
        assert [v["row"] for v in said if v["rule"] == "INS-054"] == list(range(table.num_rows))
        counts = ({s.rule: s.unexpected for s in o.rules if s.rule != "INS-054"} for o in (together[place], alone))
        assert next(counts) == next(counts)
    assert [o.status for o in together] == ["passed", "passed", "failed", "failed", "failed"]


def test_a_sender_that_cannot_be_checked_stops_alone():
    broken = rows.inspections(rows.inspection("A")).drop_columns(["result"])
    common = {name: value for name, value in SETTING.items() if name != "department"}

    first, second = run.check_parts(
        [(broken, rows.DEPARTMENT), (rows.inspections(rows.inspection("B")), rows.DEPARTMENT)], "inspection", **common
    )

    assert isinstance(first, CheckError)
    assert second.status == "passed"


def test_the_installed_checker_is_this_one():
    assert load_checker() is run.check_parts


def test_importing_the_check_and_checking_nothing_does_not_import_great_expectations():
    code = (
        "import sys; from expectations import run; from tests.quality import rows;"
        "run.check_table(rows.inspections(), 'inspection', lists=rows.LISTS, department=rows.DEPARTMENT, day=rows.DAY, now=rows.NOW, regions=rows.REGIONS);"
        "sys.exit('great_expectations' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
