"""Our own GX expectations: the conditions of `conditions.py` as map metrics and expectation classes.

Belongs here: the wrapping. Must not: conditions themselves, rule numbers, a GX context.
Imports Great Expectations: only suites import this, and only `run.py` imports suites.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
    multicolumn_condition_partial,
)

from expectations import conditions
from zz_pipeline.standard import identifiers
from zz_pipeline.standard.tables import Kind

Holds = Callable[[Any], Any]


def column_rule(name: str, holds: Holds) -> type[ColumnMapExpectation]:
    """An expectation on one column; absent values are not looked at (absence is another expectation's)."""

    @column_condition_partial(engine=PandasExecutionEngine)
    def condition(cls: Any, column: pd.Series, **_: Any) -> pd.Series:
        return _series(holds(column), column.index)

    return _declare(name, ColumnMapMetricProvider, ColumnMapExpectation, condition)


def row_rule(name: str, holds: Holds) -> type[MulticolumnMapExpectation]:
    """An expectation on several columns of a row, given to `holds` as a frame in the order of `column_list`."""

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def condition(cls: Any, column_list: pd.DataFrame, **_: Any) -> pd.Series:
        return _series(holds(column_list), column_list.index)

    return _declare(name, MulticolumnMapMetricProvider, MulticolumnMapExpectation, condition)


def _series(verdicts: Any, index: pd.Index) -> pd.Series:
    array = np.asarray(verdicts)
    if array.dtype != np.bool_ or len(array) != len(index):
        raise TypeError("a condition must give one boolean for each row")
    return pd.Series(array, index=index)


def _declare(name: str, metric_base: type, expectation_base: Any, condition: Any) -> Any:
    # GX registers metrics and expectations when their classes are made, under names it takes from the classes.
    metric = f"zz.{name}"
    type(
        f"{name}Metric", (metric_base,), {"condition_metric_name": metric, "_pandas": condition, "__module__": __name__}
    )
    body = {"map_metric": metric, "__module__": __name__, "__qualname__": name, "__annotations__": {}}
    return types.new_class(name, (expectation_base,), exec_body=lambda space: space.update(body))


ExpectUsccCheckToHold = column_rule("ExpectUsccCheckToHold", identifiers.uscc_check)
ExpectUsccInnerCheckToHold = column_rule("ExpectUsccInnerCheckToHold", conditions.inner_check)
ExpectUsccCategoryToBeKnown = column_rule("ExpectUsccCategoryToBeKnown", conditions.category_known)
ExpectResidentIdToHold = column_rule("ExpectResidentIdToHold", identifiers.resident_id)
ExpectItemCodeForm = column_rule("ExpectItemCodeForm", identifiers.item_code)
ExpectPlanIdForm = column_rule("ExpectPlanIdForm", identifiers.plan_id)
ExpectTaskIdForm = column_rule("ExpectTaskIdForm", identifiers.task_id)
ExpectRecordKeyForm = column_rule("ExpectRecordKeyForm", identifiers.record_key)
ExpectNameToBeUsable = column_rule("ExpectNameToBeUsable", conditions.name_usable)
ExpectNoPersonalData = column_rule("ExpectNoPersonalData", conditions.no_personal)
ExpectNotToLookLikeResidentId = column_rule("ExpectNotToLookLikeResidentId", conditions.no_resident_look)

ExpectUsccRegionToBeKnown = row_rule("ExpectUsccRegionToBeKnown", conditions.region_known)
ExpectRecordKeyOfNumber = row_rule("ExpectRecordKeyOfNumber", conditions.key_of_number)
ExpectImplementCodeOfSender = row_rule("ExpectImplementCodeOfSender", conditions.implement_code)
ExpectNoIssueToStandAlone = row_rule("ExpectNoIssueToStandAlone", conditions.no_issue_alone)
ExpectNeutralToStandAlone = row_rule("ExpectNeutralToStandAlone", conditions.neutral_alone)

LIMITS = {kind: conditions.text_limits(kind) for kind in Kind}


def _texts_rule(kind: Kind) -> type[MulticolumnMapExpectation]:
    return row_rule(
        f"Expect{kind.name.title()}TextsToBeUsable", lambda frame: conditions.texts_usable(frame, LIMITS[kind])
    )


ExpectTextsToBeUsable = {kind: _texts_rule(kind) for kind in Kind}
