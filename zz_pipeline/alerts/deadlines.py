"""What is due next at the platforms, by platform and department: overdue first.

Belongs here: finding and counting rows with a statutory last day. Must not: reckoning the day (`standard.publishing`), words
of a message.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, and_, exists, func, select

from zz_pipeline.errors import UnknownYear
from zz_pipeline.ledger.schema import outbox
from zz_pipeline.reports import words
from zz_pipeline.settings import Settings
from zz_pipeline.standard.workdays import WorkCalendar

# Not where it should end: a refused record is still to be shown, and nobody else will correct it.
OPEN = ("READY", "INFLIGHT", "ACCEPTED", "UNKNOWN", "HELD", "REJECTED", "CONFLICT", "DEAD")


@dataclass(frozen=True, slots=True)
class Due:
    """Rows of one platform, department and last day. days_left: working days after today, −1 if it has passed."""

    platform: str
    dept: str
    due: str
    days_left: int
    count: int
    states: str  # Chinese, with counts
    example: str  # a record key

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def groups(conn: Connection, settings: Settings, calendar: WorkCalendar, today: date, days: int = -1) -> list[Due]:
    """What is overdue or due within so many working days (−1: as configured), the earliest first; superseded rows are out."""
    wanted = settings.county.alerts.near_days if days < 0 else days
    last = horizon(calendar, today, wanted)
    later = outbox.alias("later")
    same = [later.c[name] == outbox.c[name] for name in ("platform", "kind", "record_key")]
    newer = exists(select(later.c.version).where(and_(*same), later.c.version > outbox.c.version))
    o = outbox.c
    where = (o.state.in_(OPEN), o.due.is_not(None), o.due <= last.isoformat(), ~newer)
    columns = (o.due, o.platform, o.dept, o.state)
    query = select(*columns, func.count(), func.min(o.record_key)).where(*where).group_by(*columns).order_by(*columns)
    found: dict[tuple[str, str, str], list[tuple[str, int, str]]] = {}
    for due, platform, dept, state, n, example in conn.execute(query).tuples():
        found.setdefault((due, platform, dept), []).append((state, n, example))
    return [_due(calendar, today, *key, rows) for key, rows in found.items()]


def _due(
    calendar: WorkCalendar, today: date, due: str, platform: str, dept: str, rows: list[tuple[str, int, str]]
) -> Due:
    states = "、".join(f"{words.STATES[state]} {n} 条" for state, n, _ in rows)
    left = -1 if due < today.isoformat() else calendar.between(today, date.fromisoformat(due))
    return Due(platform, dept, due, left, sum(n for _, n, _ in rows), states, min(example for _, _, example in rows))


def horizon(calendar: WorkCalendar, today: date, days: int) -> date:
    """The day so many working days from today; where the calendar ends before it, the last day that it can tell."""
    for n in range(days, 0, -1):
        try:
            return calendar.due(today, n)
        except UnknownYear:
            continue
    return today
