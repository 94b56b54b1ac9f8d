"""Issues of unknown and to-be-asked values → what goes into the queue of unknown values.

Belongs here: which part of a cell is the unknown one, counting. Must not: the queue itself (`ledger.unknowns`), decisions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from zz_pipeline.ledger.unknowns import LONGEST, Unknown
from zz_pipeline.settings import Settings
from zz_pipeline.standard.codes import ASK, UNKNOWN, CodeBook
from zz_pipeline.standard.personal import hide_names, mask_text, row_names
from zz_pipeline.standard.tables import TABLES

if TYPE_CHECKING:
    from zz_pipeline.standardize import StandardBatch

RULES = ("STD-001", "STD-002")
_PARTS = re.compile("[；;\r\n\v\f\u0085\u2028\u2029]+")


def unknown_values(batch: StandardBatch, dept: str, settings: Settings, book: CodeBook) -> tuple[Unknown, ...]:
    """Each unknown value of a batch once, with the number of rows on which it stood; personal data masked."""
    sets = {f.name: f.codes for f in TABLES[batch.kind].fields if f.codes}
    counts: Counter[tuple[str, str]] = Counter()
    for issue in batch.issues.to_pylist():
        if issue["rule"] in RULES and issue["field"] in sets and issue["value"]:
            for part in set(_unknown_parts(issue["field"], issue["value"], dept, settings, book)):
                raw = hide_names(mask_text(part), row_names(batch.table, issue["row"]))[:LONGEST].replace(
                    "\x00", "\\x00"
                )  # PostgreSQL takes no NUL
                counts[issue["field"], raw] += 1
    return tuple(Unknown(field, str(sets[field]), raw, n) for (field, raw), n in sorted(counts.items()))


def _unknown_parts(field: str, cell: str, dept: str, settings: Settings, book: CodeBook) -> Iterator[str]:
    """Of a result cell with several conclusions only those that are unknown; else the cell."""
    parts = [part.strip() for part in _PARTS.split(cell) if part.strip()]
    spec = settings.departments.get(dept)
    if field != "result" or len(parts) < 2 or spec is None or "result" not in spec.columns:
        yield cell.strip()
        return
    mode = book.mode(dept, "result", spec.columns["result"].codes)
    status = book.resolve_results(pa.array(parts, pa.string()), dept, mode).status.to_pylist()
    bad = [part for part, told in zip(parts, status, strict=True) if told in (UNKNOWN, ASK)]
    yield from bad or [cell.strip()]
