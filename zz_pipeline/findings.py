"""What the rules found in one source, counted by rule: what an operator sees before anything is in the ledger.

Belongs here: the count and its value. Must not: judging, contents of records (a message holds masked values only).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zz_pipeline.quality import QuarantineEntry


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule broken in one source. units: records on which it was · message: Chinese, that of the first of them."""

    rule: str
    severity: str
    units: int
    message: str


def tally(entries: Iterable[QuarantineEntry]) -> tuple[Finding, ...]:
    """Findings by rule and severity, the most frequent first."""
    seen: dict[tuple[str, str], tuple[set[str], str]] = {}
    for entry in entries:
        seen.setdefault((entry.rule, entry.severity), (set(), entry.message))[0].add(entry.unit)
    found = [Finding(rule, severity, len(units), said) for (rule, severity), (units, said) in seen.items()]
    return tuple(sorted(found, key=lambda f: (-f.units, f.rule)))
