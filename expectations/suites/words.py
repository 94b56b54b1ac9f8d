"""Short words in which the suites are written: a rule number beside each expectation.

Belongs here: making of `meta`, row conditions that several suites use. Must not: rules, a GX context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.row_conditions import Column, Condition

__all__ = ["Column", "at_least", "between", "expect", "meta", "none_of", "one_of", "present"]


def meta(rule: str, field: str = "", severity: str = "", locate: bool = False) -> dict[str, Any]:
    """What the run reads of an expectation: its rule; field and severity where they are not the catalogue's.

    `locate`: the field is looked up row by row among the texts of the table.
    """
    return {"rule": rule, "field": field, "severity": severity, "locate": locate}


def expect(
    kind: type[Expectation], rule: str, field: str = "", *, severity: str = "", locate: bool = False, **kwargs: Any
) -> Expectation:
    """An expectation of class `kind` under a rule; `field` is the column unless another domain is given besides."""
    if field and not {"column", "column_list", "column_A"} & set(kwargs):
        kwargs["column"] = field
    if "column_list" in kwargs:
        kwargs["ignore_row_if"] = "never"
    return kind(meta=meta(rule, field, severity, locate), **kwargs)


def present(rule: str, *fields: str, when: Condition | None = None) -> list[Expectation]:
    """The fields are not absent, on the rows of `when`."""
    return [expect(gxe.ExpectColumnValuesToNotBeNull, rule, f, row_condition=when) for f in fields]


def one_of(
    rule: str, field: str, values: Sequence[Any], *, column: str = "", when: Condition | None = None
) -> Expectation:
    """A value that is there is one of `values`."""
    return expect(
        gxe.ExpectColumnValuesToBeInSet, rule, field, column=column or field, value_set=list(values), row_condition=when
    )


def none_of(rule: str, field: str, column: str) -> Expectation:
    """A helper column that counts something bad holds 0."""
    return one_of(rule, field, [0], column=column)


def between(rule: str, field: str, column: str, low: float | None, high: float | None) -> Expectation:
    """A helper number lies within the bounds, ends included."""
    return expect(gxe.ExpectColumnValuesToBeBetween, rule, field, column=column, min_value=low, max_value=high)


def at_least(rule: str, field: str, later: str, earlier: str) -> Expectation:
    """Column `later` is not before column `earlier`; absent moments are not compared."""
    return expect(
        gxe.ExpectColumnPairValuesAToBeGreaterThanB,
        rule,
        field,
        column_A=later,
        column_B=earlier,
        or_equal=True,
        ignore_row_if="either_value_is_missing",
    )
