"""Quarantine: what was sent back to a department, why, and whether it is settled.

Belongs here: entries and their life. Must not: rules, unmasked values, the returned workbook itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, select, update

from zz_pipeline.ledger import bulk
from zz_pipeline.ledger.schema import quarantine

CHUNK = 400
ACCEPTED = "更正后已接收"


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding on one row. `value` is masked, `message` tells the clerk what to correct."""

    unit: str
    record_key: str
    source_file: str
    source_row: int
    rule: str
    field: str
    value: str
    message: str
    severity: str  # ERROR | WARN


def reopen(
    conn: Connection, intake_id: int, day: date, dept: str, kind: str, entries: Sequence[Entry], now: float
) -> None:
    """Replace what is open of these units by what was found now, so that a repeated reading counts once."""
    settle(conn, dept, kind, {e.unit for e in entries}, now, by="已由新的检查结果取代")
    if not entries:
        return
    frame: dict[str, Any] = {
        "intake_id": intake_id,
        "day": day.isoformat(),
        "dept": dept,
        "kind": kind,
        "opened_at": now,
    }
    rows = []
    for e in entries:
        row: dict[str, Any] = {
            "unit": e.unit[:200],
            "record_key": e.record_key[:60],
            "source_file": e.source_file,
            "value": e.value,
        }
        row |= {
            "source_row": e.source_row,
            "rule": e.rule,
            "field": e.field,
            "message": e.message,
            "severity": e.severity,
        }
        rows.append(frame | row)
    conn.execute(insert(quarantine), rows)


def settle(conn: Connection, dept: str, kind: str, units: Iterable[str], now: float, by: str = ACCEPTED) -> int:
    """Close the open entries of these units; returns how many were closed."""
    todo, closed = [u[:200] for u in units], 0
    for start in range(0, len(todo), bulk.PART):
        where = (quarantine.c.dept == dept) & (quarantine.c.kind == kind) & quarantine.c.settled_at.is_(None)
        where &= bulk.among(conn, quarantine.c.unit, todo[start : start + bulk.PART])
        closed += conn.execute(update(quarantine).where(where).values(settled_at=now, settled_by=by)).rowcount
    return closed


def settle_answered(conn: Connection, intake_id: int, dept: str, kind: str, ids: Sequence[int], now: float) -> None:
    """Close what is open of the units of these entries, but for what intake `intake_id` itself has found.

    A row without a usable number, or whose number was corrected, is no longer found by its unit: its 退回编号 says which it was.
    """
    todo = sorted(units_of(conn, dept, kind, ids))
    for start in range(0, len(todo), CHUNK):
        where = (quarantine.c.dept == dept) & (quarantine.c.kind == kind) & quarantine.c.settled_at.is_(None)
        where &= quarantine.c.unit.in_(todo[start : start + CHUNK]) & (quarantine.c.intake_id != intake_id)
        conn.execute(update(quarantine).where(where).values(settled_at=now, settled_by="已交回更正并重新检查"))


def units_of(conn: Connection, dept: str, kind: str, ids: Sequence[int]) -> set[str]:
    """Units of these entries, as far as they are this department's."""
    units: set[str] = set()
    for start in range(0, len(ids), CHUNK):
        where = (quarantine.c.dept == dept) & (quarantine.c.kind == kind)
        where &= quarantine.c.id.in_(ids[start : start + CHUNK])
        units |= set(conn.scalars(select(quarantine.c.unit).where(where)))
    return units
