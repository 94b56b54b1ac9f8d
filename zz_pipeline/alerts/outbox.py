"""What of the troubles is news, kept as messages until they are sent: one for each change of a state, none for the same again.

Belongs here: comparing with what was told last, messages by department. Must not: finding troubles, channels, sending.

A change is: new, worse (a higher severity, or twice the size), better (the night is complete after all), over.
All changes of one look go to the office as one message, and those of a department to it as one more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from zz_pipeline.alerts.trouble import INFO, LABELS, OFFICE, RANKS, Kind, Trouble
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import alert_message, alert_state
from zz_pipeline.standard.personal import redact

NEW, WORSE, BETTER, OVER = "new", "worse", "better", "over"
CHANGES = {NEW: "新出现", WORSE: "加重", BETTER: "好转", OVER: "已解除"}


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be told of one trouble: the change and the trouble as it is, or was, if it is over."""

    change: str
    trouble: Trouble

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as a message keeps it: without personal numbers, whoever wrote the text."""
        found = self.trouble
        return {
            "change": self.change, "kind": str(found.kind), "label": LABELS[found.kind], "severity": found.severity,
            "dept": found.department, "title": redact(found.title), "text": redact(found.text), "since": found.since,
        }  # fmt: skip


def put(ledger: Ledger, troubles: Sequence[Trouble], now: float) -> list[Change]:
    """Write down what is new, worse, better or over as messages; the changes, empty if everything was told before."""
    with ledger.begin("alerts") as conn:
        if not ledger.sqlite:  # one look at a time is written, also by two processes
            conn.exec_driver_sql("SELECT pg_advisory_xact_lock(610124005)")
        changes = list(_changes(conn, {t.key: t for t in troubles}))
        _remember(conn, changes, now)
        told = [c for c in changes if not (c.change == OVER and c.trouble.severity == INFO)]
        for dept in dict.fromkeys((OFFICE, *(c.trouble.department for c in told))):
            mine = [c.as_dict() for c in told if dept in (OFFICE, c.trouble.department)]
            if mine:
                entries = json.dumps(mine, ensure_ascii=False)
                conn.execute(insert(alert_message).values(dept=dept, entries=entries, at=now, planned=False))
    return told


def _changes(conn: Connection, troubles: dict[str, Trouble]) -> Iterator[Change]:
    known = {row.key: row for row in conn.execute(select(alert_state).order_by(alert_state.c.since))}
    for key, row in known.items():
        if key not in troubles:
            gone = Trouble(key, Kind(row.kind), row.dept, row.severity, row.title, "", row.since, row.size)
            yield Change(OVER, gone)
    for key, found in troubles.items():
        change = _compared(known.get(key), found)
        if change:
            yield Change(change, found)


def _compared(row: Any, found: Trouble) -> str:
    """Which change it is; empty if the same was told before."""
    if row is None:
        return NEW
    rank = RANKS[found.severity] - RANKS[row.severity]
    if rank > 0 or (rank == 0 and found.size >= 2 * max(row.size, 1)):
        return WORSE
    return BETTER if rank < 0 else ""


def _remember(conn: Connection, changes: Sequence[Change], now: float) -> None:
    for change in changes:
        found, where = change.trouble, alert_state.c.key == change.trouble.key
        if change.change == OVER:
            conn.execute(delete(alert_state).where(where))
            continue
        values = {
            "kind": str(found.kind), "dept": found.department, "severity": found.severity, "size": found.size,
            "title": redact(found.title), "told_at": now,
        }  # fmt: skip
        if not conn.execute(update(alert_state).where(where).values(**values)).rowcount:
            conn.execute(insert(alert_state).values(key=found.key, since=found.since, **values))
