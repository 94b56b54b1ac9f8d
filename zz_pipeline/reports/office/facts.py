"""The ledger's rows as a bulletin sees them: what was handed in, its newest version, what is open.

Belongs here: SQL that counting and lists share. Must not: figures, sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Select,
    String,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
    values,
)

from zz_pipeline.ledger.schema import outbox, quarantine, record_head, record_version
from zz_pipeline.reports.office.indicators import KINDS
from zz_pipeline.reports.office.period import Period
from zz_pipeline.settings import Settings

CREDIT = "credit"
# how `ledger.quarantine` closes what was answered under its 退回编号, whatever number it bears now
ANSWERED = "已交回更正并重新检查"
NOT_DUE = ("BLOCKED", "NOT_APPLICABLE", "CANCELLED")
OPEN = ("READY", "INFLIGHT", "ACCEPTED", "UNKNOWN", "HELD", "REJECTED", "CONFLICT", "DEAD")
ENTRY_RULE = "ENTRY"  # mark of a row that waits behind the entry platform's refusal


@dataclass(frozen=True, slots=True)
class Frame:
    """What all queries of one bulletin share. as_of: the day from which days left are counted."""

    conn: Connection
    settings: Settings
    period: Period
    as_of: date

    @property
    def days(self) -> tuple[str, str]:
        """First and last business day as the ledger writes them."""
        return self.period.first.isoformat(), self.period.last.isoformat()

    @property
    def zone(self) -> ZoneInfo:
        """The county's time zone."""
        return self.settings.zone

    @property
    def public(self) -> list[str]:
        """Platforms that anyone can read."""
        return [name for name, spec in self.settings.platforms.items() if spec.capability.public]

    def midnight(self, day: date) -> float:
        """Unix seconds of the end of a day in the county."""
        return datetime.combine(day + timedelta(days=1), time(), self.zone).timestamp()


def owner(frame: Frame) -> ColumnElement[str]:
    """Whose a returned unit is: ratings come from the credit platform and leave in the credit lead's name."""
    lead = literal(frame.settings.county.credit_lead, String)
    return case((quarantine.c.dept == CREDIT, lead), else_=quarantine.c.dept)


def handed_in(frame: Frame) -> CTE:
    """One row a unit that was accepted or returned in the period: dept, kind, unit, taken, back, open, own (0/1).

    taken: a version of the period is the department's own. back: it was returned. open: it still is.
    own = 0: returned, answered, and now counted under the number that it was answered with.
    """
    first, last = frame.days
    v, q, one, none = record_version.c, quarantine.c, literal(1), literal(0)
    # a version that has a reason was made by a notice or a person, not by the department
    accepted = select(v.owner_dept.label("dept"), v.kind, v.record_key.label("unit"), one.label("taken"),
                      none.label("back"), none.label("open"), one.label("own"))  # fmt: skip
    accepted = accepted.where(v.day.between(first, last), v.reason == "", v.kind.in_(list(KINDS)))
    # a unit that is found bad again is closed and opened anew under a later day: all its entries tell how it stands
    other = quarantine.alias("other")
    same = and_(other.c.dept == q.dept, other.c.kind == q.kind, other.c.unit == q.unit, other.c.severity == "ERROR")
    waits = exists(select(other.c.id).where(same, other.c.settled_at.is_(None)))
    answered = exists(select(other.c.id).where(same, other.c.settled_by == ANSWERED))
    still = case((waits, 1), else_=0)
    itself = case((waits, 1), (answered, 0), else_=1)
    returned = select(owner(frame).label("dept"), q.kind, q.unit, none.label("taken"), one.label("back"),
                      still.label("open"), itself.label("own"))  # fmt: skip
    returned = returned.where(q.day.between(first, last), q.severity == "ERROR", q.kind.in_(list(KINDS)))
    both = union_all(accepted, returned).subquery()
    keys = (both.c.dept, both.c.kind, both.c.unit)
    flags = (func.max(both.c[name]).label(name) for name in ("taken", "back", "open", "own"))
    return select(*keys, *flags).group_by(*keys).cte("handed_in")


def newest(frame: Frame, platform: str) -> tuple[CTE, FromClause, dict[str, ColumnElement[Any]]]:
    """Units handed in, joined with the newest version's row on a platform; `live`: that version is of the period or later."""
    units, head, row = handed_in(frame), record_head, outbox
    same = and_(head.c.kind == units.c.kind, head.c.record_key == units.c.unit)
    there = and_(row.c.platform == platform, row.c.kind == head.c.kind, row.c.record_key == head.c.record_key)
    source = units.outerjoin(head, same).outerjoin(row, and_(there, row.c.version == head.c.version))
    live = case((or_(units.c.taken == 1, row.c.day >= frame.days[0]), 1), else_=0)
    behind = case((row.c.rule == ENTRY_RULE, 1), else_=0)
    return units, source, {"live": live, "state": row.c.state, "op": row.c.op, "behind": behind}


def first_sends(frame: Frame) -> list[ColumnElement[bool]]:
    """Outbox rows of the period that publish a record on a platform for the first time."""
    o, before = outbox.c, outbox.alias("before")
    same = and_(before.c.platform == o.platform, before.c.kind == o.kind, before.c.record_key == o.record_key)
    earlier = exists(select(before.c.version).where(same, before.c.version < o.version, before.c.state == "CONFIRMED"))
    return [
        o.day.between(*frame.days),
        o.op == "PUBLISH",
        o.kind.in_(list(KINDS)),
        o.state.not_in(NOT_DUE),
        or_(o.version == 1, ~earlier),
    ]


def limits(frame: Frame, dues: Sequence[str]) -> FromClause:
    """A table of statutory last days with the Unix second at which each ends: due, ends."""
    rows = [(due, frame.midnight(date.fromisoformat(due))) for due in dues]
    table = values(column("due", String), column("ends", Float))
    return table.data(rows or [("", 0.0)]).cte("limits")


def open_rows(frame: Frame) -> list[ColumnElement[bool]]:
    """Rows up to the period's end that are not where they should end, and that no later version has overtaken."""
    o, later = outbox.c, outbox.alias("later")
    same = and_(later.c.platform == o.platform, later.c.kind == o.kind, later.c.record_key == o.record_key)
    newer = exists(select(later.c.version).where(same, later.c.version > o.version, later.c.state != "CANCELLED"))
    return [o.state.in_(OPEN), o.day <= frame.days[1], o.kind.in_(list(KINDS)), ~newer]


def grouped(frame: Frame, query: Select[Any]) -> list[Mapping[str, Any]]:
    """Rows of a small result as mappings."""
    return [dict(row._mapping) for row in frame.conn.execute(query)]
