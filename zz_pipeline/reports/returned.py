"""退回清单: what was returned to departments on a day, counted by reason.

Belongs here: figures of the quarantine. Must not: unmasked values, settling.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import quarantine


def returned_by_rule(ledger: Ledger, day: date) -> dict[str, int]:
    """Rule → open entries of the day (ERROR only)."""
    where = (
        (quarantine.c.day == day.isoformat()) & quarantine.c.settled_at.is_(None) & (quarantine.c.severity == "ERROR")
    )
    query = (
        select(quarantine.c.rule, func.count().label("n"))
        .where(where)
        .group_by(quarantine.c.rule)
        .order_by(quarantine.c.rule)
    )
    with ledger.read() as conn:
        return {row.rule: row.n for row in conn.execute(query)}


def entries(ledger: Ledger, day: date, departments: Sequence[str] = (), *, limit: int = 5000) -> list[dict[str, Any]]:
    """Open entries of a day, errors first, values masked as they were stored."""
    where = (quarantine.c.day == day.isoformat()) & quarantine.c.settled_at.is_(None)
    if departments:
        where &= quarantine.c.dept.in_(departments)
    order = (
        quarantine.c.severity,
        quarantine.c.dept,
        quarantine.c.source_file,
        quarantine.c.source_row,
        quarantine.c.id,
    )
    with ledger.read() as conn:
        rows = conn.execute(select(quarantine).where(where).order_by(*order).limit(limit)).mappings()
        return [{str(name): value for name, value in row.items()} for row in rows]
