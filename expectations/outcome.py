"""What a run of a suite says, as plain values: breaches → verdicts with words, and how each rule went.

Belongs here: `Breach`, `Tally`, the verdict table, counts by rule. Must not: Great Expectations, conditions, the split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from expectations import conditions
from expectations.catalogue import CHECKED, ERROR, RULE_SET, RULES
from expectations.pieces import Places
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
    rows: Places


class Words(NamedTuple):
    """What a finding says: the rule, the field that it names, the effect."""

    rule: str
    field: str
    severity: str


class Tally:
    """Breaches of many frames gathered into one outcome for each part; a finding is (row, number of its words)."""

    def __init__(self, kind: Kind, parts: int) -> None:
        self.kind = kind
        self._evaluated: list[tuple[str, int]] = []
        self._words: dict[Words, int] = {}
        self._found: list[list[tuple[Places, Places]]] = [[] for _ in range(parts)]

    def add(self, frame: pd.DataFrame, part: Places, place: Places, breaches: Sequence[Breach]) -> None:
        """What a run over one frame found; `part` and `place` say where each row of the frame comes from."""
        counts = [(b.rule, b.evaluated) for b in breaches]
        earlier = self._evaluated or [(rule, 0) for rule, _ in counts]
        self._evaluated = [(rule, n + more) for (rule, n), (_, more) in zip(earlier, counts, strict=True)]
        broken = [b for b in breaches if len(b.rows)]
        if not broken:
            return
        rows = np.concatenate([b.rows for b in broken])
        words = np.concatenate([self._numbers(frame, b) for b in broken])
        for number in np.unique(part[rows]):
            mine = part[rows] == number
            self._found[number].append((place[rows[mine]], words[mine]))

    def outcome(self, part: int) -> CheckOutcome:
        """The outcome of one part: failed if an ERROR stands in it; a rule's `unexpected` counts its rows."""
        rows, words = self._ordered(part)
        self._found[part] = []
        said = list(self._words)
        present = {n: said[n] for n in np.unique(words).tolist()}
        broken = {
            rule: len(np.unique(rows[np.isin(words, [n for n, w in present.items() if w.rule == rule])]))
            for rule in {w.rule for w in present.values()}
        }
        seen: dict[str, int] = {}
        for rule, evaluated in self._evaluated:
            seen[rule] = max(seen.get(rule, 0), evaluated)
        stats = tuple(
            RuleStat(r, seen.get(r, 0), broken.get(r, 0), "failed" if r in broken else "passed")
            for r in rules_of(self.kind)
        )
        failed = any(w.severity == ERROR for w in present.values())
        verdicts = _verdicts(self.kind, rows, words, said)
        return CheckOutcome("failed" if failed else "passed", verdicts, stats, RULE_SET)

    def _numbers(self, frame: pd.DataFrame, breach: Breach) -> Places:
        if not breach.locate:
            return np.full(len(breach.rows), self._number(breach, breach.field))
        fields = conditions.first_unusable(frame.iloc[breach.rows], conditions.text_limits(self.kind))
        return np.array([self._number(breach, field) for field in fields], dtype=np.int64)

    def _number(self, breach: Breach, field: str) -> int:
        return self._words.setdefault(Words(breach.rule, field, breach.severity), len(self._words))

    def _ordered(self, part: int) -> tuple[Places, Places]:
        """Findings by row and rule, each (row, rule, field) once; an ERROR covers a WARN of the same rule and field."""
        if not self._found[part]:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows = np.concatenate([r for r, _ in self._found[part]])
        words = np.concatenate([w for _, w in self._found[part]])
        said = list(self._words)
        place = {n: at for at, n in enumerate(sorted(range(len(said)), key=lambda n: (said[n].rule, said[n].severity)))}
        rank = np.array([place[n] for n in range(len(said))])[words]
        order = np.lexsort((rank, rows))
        rows, words = rows[order], words[order]
        pairs = {pair: n for n, pair in enumerate(dict.fromkeys((w.rule, w.field) for w in said))}
        pair = np.array([pairs[w.rule, w.field] for w in said])[words]
        _, first = np.unique(rows * len(pairs) + pair, return_index=True)
        kept = np.sort(first)
        return rows[kept], words[kept]


def rules_of(kind: Kind) -> list[str]:
    """Numbers of the rules that the suite of a kind checks."""
    return [id for id, rule in RULES.items() if id.startswith(PREFIX[kind]) and rule.found == CHECKED]


def message(kind: Kind, rule: str, field: str) -> str:
    """The rule's message with the field's Chinese label in it."""
    names = {f.name: f.label for f in TABLES[kind].fields}
    return RULES[rule].message.format(field=names.get(field, field))


def _verdicts(kind: Kind, rows: Places, words: Places, said: Sequence[Words]) -> pa.Table:
    texts = {
        "rule": [w.rule for w in said],
        "field": [w.field for w in said],
        "severity": [w.severity for w in said],
        "message": [message(kind, w.rule, w.field) for w in said],
    }
    numbers = pa.array(words, pa.int32())
    columns = {"row": pa.array(rows)} | {n: _spread(numbers, v) for n, v in texts.items()}
    return pa.table(columns, schema=VERDICTS)


def _spread(numbers: pa.Array, texts: list[str]) -> pa.DictionaryArray:
    """Texts by their number, each different text held once (an Arrow dictionary may not repeat a value)."""
    distinct = list(dict.fromkeys(texts))
    place = pa.array([distinct.index(text) for text in texts], pa.int32())
    return pa.DictionaryArray.from_arrays(place.take(numbers), pa.array(distinct, pa.string()))
