"""What a run of a suite says, as plain values: breaches → verdicts with words, and how each rule went.

Belongs here: `Breach`, the verdict table, counts by rule. Must not: Great Expectations, conditions, the split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations import conditions
from expectations.catalogue import CHECKED, ERROR, RULE_SET, RULES
from zz_pipeline.quality import VERDICTS, CheckOutcome, RuleStat
from zz_pipeline.standard.tables import TABLES, Kind

PREFIX = {Kind.INSPECTION: "INS-", Kind.RATING: "RAT-", Kind.REPAIR: "REP-"}


@dataclass(frozen=True, slots=True)
class Breach:
    """One expectation's outcome: what it stands for, how many rows it saw, which rows broke it.

    `locate`: which field it was is looked up row by row among the texts of the table.
    """

    rule: str
    field: str
    severity: str
    locate: bool
    evaluated: int
    rows: Sequence[int]


def rules_of(kind: Kind) -> list[str]:
    """Numbers of the rules that the suite of a kind checks."""
    return [id for id, rule in RULES.items() if id.startswith(PREFIX[kind]) and rule.found == CHECKED]


def outcome_of(kind: Kind, verdicts: pa.Table, breaches: Sequence[Breach]) -> CheckOutcome:
    """The outcome of one table: failed if an ERROR stands in it; a rule's `unexpected` counts the rows of `verdicts`."""
    failed = ERROR in verdicts.column("severity").to_pylist()
    pairs = {(row["row"], row["rule"]) for row in verdicts.select(["row", "rule"]).to_pylist()}
    broken = pd.Series([rule for _, rule in pairs], dtype="str").value_counts().to_dict()
    seen: dict[str, int] = {}
    for breach in breaches:
        seen[breach.rule] = max(seen.get(breach.rule, 0), breach.evaluated)
    stats = (
        RuleStat(r, seen.get(r, 0), broken.get(r, 0), "failed" if r in broken else "passed") for r in rules_of(kind)
    )
    return CheckOutcome("failed" if failed else "passed", verdicts, tuple(stats), RULE_SET)


def verdicts_of(kind: Kind, frame: pd.DataFrame, breaches: Sequence[Breach]) -> pa.Table:
    """One verdict for each row, rule and field broken, with its Chinese message; an ERROR covers a WARN of the same rule."""
    parts = [_rows(kind, frame, breach) for breach in breaches if len(breach.rows)]
    if not parts:
        return VERDICTS.empty_table()
    whole = pd.concat(parts, ignore_index=True).sort_values(["row", "rule", "severity"], kind="stable")
    whole = whole.drop_duplicates(["row", "rule", "field"])
    texts = {pair: message(kind, *pair) for pair in set(zip(whole["rule"], whole["field"], strict=True))}
    whole["message"] = [texts[pair] for pair in zip(whole["rule"], whole["field"], strict=True)]
    return pa.Table.from_pandas(whole[VERDICTS.names], VERDICTS, preserve_index=False)


def slice_of(verdicts: pa.Table, start: int, end: int) -> pa.Table:
    """The verdicts on rows [start, end), counted from `start`."""
    rows = verdicts.column("row")
    mine = verdicts.filter(pc.and_(pc.greater_equal(rows, start), pc.less(rows, end)))
    return mine.set_column(0, VERDICTS.field("row"), pc.subtract(mine.column("row"), start))


def message(kind: Kind, rule: str, field: str) -> str:
    """The rule's message with the field's Chinese label in it."""
    names = {f.name: f.label for f in TABLES[kind].fields}
    return RULES[rule].message.format(field=names.get(field, field))


def _rows(kind: Kind, frame: pd.DataFrame, breach: Breach) -> pd.DataFrame:
    part = pd.DataFrame({"row": breach.rows, "rule": breach.rule, "field": breach.field, "severity": breach.severity})
    if breach.locate:
        limits = conditions.text_limits(kind)
        part["field"] = conditions.first_unusable(frame.iloc[list(breach.rows)], limits).to_numpy()
    return part
