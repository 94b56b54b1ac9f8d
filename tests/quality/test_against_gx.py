"""Our reading of each expectation's condition against the validation that Great Expectations makes of the same suite.

Belongs here: the two side by side over every case of a rule. Must not: cases, a word on what a rule means.
"""

import pytest
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.validator.validator import Validator

from expectations import run
from tests.quality import cases, rows
from zz_pipeline.standard.tables import Kind

COUNTS_ONLY = {"result_format": "BASIC", "exclude_unexpected_values": True, "partial_unexpected_count": 0}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_expectation_finds_as_many_rows_as_gx_itself_reports_and_looked_at_as_many(kind):
    table, _ = cases.in_one_table(kind)
    setting = run.Setting(rows.LISTS, rows.DEPARTMENT, rows.DAY, rows.NOW, rows.REGIONS)
    [frame] = run.frames([run.Part(table, setting)], kind, rows.BUSY, {})
    suite = run.suite(kind)

    validator = Validator(PandasExecutionEngine(batch_data_dict={"batch": frame.rows}), data_context=run.context())
    said = validator.graph_validate(suite.expectation_configurations, {"result_format": COUNTS_ONLY})
    theirs = [
        (
            r.expectation_config.meta["rule"],
            r.result["element_count"] - r.result.get("missing_count", 0),
            r.result["unexpected_count"],
        )
        for r in said
    ]

    ours = [(b.rule, b.evaluated, len(b.rows)) for b in run.run_suite(suite, frame.rows)]

    assert ours == theirs
    assert [rule for rule, _, unexpected in ours if unexpected]
    assert all(r.success == (unexpected == 0) for r, (_, _, unexpected) in zip(said, ours, strict=True))
