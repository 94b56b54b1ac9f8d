"""The queue of unknown values: what departments wrote that no code table knows, how often, and what was decided about it.

Belongs here: rows of `unknown_code` and their states. Must not: judging a value (that is `standard.codes`), editing maps.
A value waits (OPEN) until a person maps it (MAPPED) or leaves it to the department (IGNORED: its rows stay returned, the value
only leaves the list). A mapped value that is unknown again (the map was taken back) waits again. Personal data are masked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from zz_pipeline.ledger.schema import unknown_code

LONGEST = 200  # no code is longer; a longer text is a text in the wrong column
OPEN, MAPPED, IGNORED = "OPEN", "MAPPED", "IGNORED"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value met in one reading: field, its code set, the value, and on how many rows it stood."""

    field: str
    set: str
    raw: str
    count: int


def note(conn: Connection, dept: str, found: Iterable[Unknown], now: float) -> None:
    """Count what was met; what is new is OPEN, what was MAPPED and is met again is OPEN again."""
    for value in found:
        where = _where(dept, value.field, value.raw)
        old = conn.execute(select(unknown_code).where(where)).mappings().first()
        if old is None:
            _insert(conn, dept, value, now, state=OPEN)
            continue
        change: dict[str, Any] = {"last_seen": now, "count": old["count"] + value.count, "set": value.set}
        if old["state"] == MAPPED:
            change |= {"state": OPEN, "decided_by": "", "decided_at": None}
        conn.execute(update(unknown_code).where(where).values(**change))


def decide(conn: Connection, dept: str, field: str, set_name: str, raw: str, state: str, by: str, now: float) -> None:
    """Write down what a person decided; a value that was never met gets its row, so that the decision can be found."""
    where = _where(dept, field, raw)
    values = {"state": state, "decided_by": by, "decided_at": now}
    if not conn.execute(update(unknown_code).where(where).values(**values)).rowcount:
        _insert(conn, dept, Unknown(field, set_name, raw, 0), now, **values)


def waiting(conn: Connection, dept: str = "", states: Iterable[str] = (OPEN,)) -> list[dict[str, Any]]:
    """Values in these states (of one department), the most frequent first."""
    where = [unknown_code.c.state.in_(list(states)), *([unknown_code.c.dept == dept] if dept else [])]
    order = (unknown_code.c.dept, unknown_code.c.count.desc(), unknown_code.c.field, unknown_code.c.raw)
    return [
        {str(k): v for k, v in r.items()}
        for r in conn.execute(select(unknown_code).where(*where).order_by(*order)).mappings()
    ]


def _where(dept: str, field: str, raw: str) -> Any:
    same = (unknown_code.c.dept == dept) & (unknown_code.c.field == field)
    return same & (unknown_code.c.raw == raw[:LONGEST])


def _insert(conn: Connection, dept: str, value: Unknown, now: float, **more: Any) -> None:
    row: Mapping[str, Any] = {"dept": dept, "field": value.field, "set": value.set, "raw": value.raw[:LONGEST]}
    seen = {"first_seen": now, "last_seen": now, "count": value.count}
    conn.execute(insert(unknown_code).values(**row, **seen, **more))
