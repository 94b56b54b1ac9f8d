"""Day by day: how many records each department handed in, which days were 零报送, on which nothing was read.

Belongs here: the calendar of a period. Must not: indicators, lists of records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import case, distinct, func, literal, select, union_all

from zz_pipeline.ledger.schema import intake, quarantine, record_version
from zz_pipeline.reports.office.counting import Key, belated
from zz_pipeline.reports.office.facts import CREDIT, Frame, grouped, owner
from zz_pipeline.reports.office.indicators import KINDS

ZERO, UNREAD, NOT_RUN, NOT_YET, LATE = "零", "未读到", "未运行", "未到", "补"
_READ = ("OK", "EMPTY", "NONE")


@dataclass(slots=True)
class Days:
    """(department, kind, day) → records handed in, whether the source was read (1) or only tried (0), records taken in late.

    as_of: a day is read in the night after it, so that from this one on nothing is missing yet.
    """

    as_of: str
    handed: dict[tuple[str, str, str], int] = field(default_factory=dict)
    read: dict[tuple[str, str, str], int] = field(default_factory=dict)
    late: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def mark(self, key: Key, day: str) -> str:
        """What a day's cell says: 12, 12补3, 零, 未读到, 未运行, 未到."""
        at = (*key, day)
        if n := self.handed.get(at, 0):
            return f"{n}{LATE}{self.late[at]}" if self.late.get(at) else str(n)
        never = NOT_RUN if day < self.as_of else NOT_YET
        return {1: ZERO, 0: UNREAD, None: never}[self.read.get(at)]

    def counts(self, key: Key, days: list[str]) -> Mapping[str, int]:
        """zero_days and lost_days of a department."""
        marks = [self.mark(key, day) for day in days]
        return {"zero_days": marks.count(ZERO), "lost_days": marks.count(UNREAD) + marks.count(NOT_RUN)}


def days(frame: Frame) -> Days:
    """The calendar of the period, from the book of readings, the versions and what was returned."""
    return Days(frame.as_of.isoformat(), _handed(frame), _read(frame), _late(frame))


def _handed(frame: Frame) -> dict[tuple[str, str, str], int]:
    v, q, between = record_version.c, quarantine.c, frame.days
    own = select(v.owner_dept.label("dept"), v.kind, v.day, v.record_key.label("unit"))
    own = own.where(v.day.between(*between), v.reason == "", v.kind.in_(list(KINDS)))
    back = select(owner(frame).label("dept"), q.kind, q.day, q.unit)
    back = back.where(q.day.between(*between), q.severity == "ERROR", q.kind.in_(list(KINDS)))
    both = union_all(own, back).subquery()
    keys = (both.c.dept, both.c.kind, both.c.day)
    query = select(*keys, func.count(distinct(both.c.unit)).label("n")).group_by(*keys)
    return {(g["dept"], g["kind"], g["day"]): g["n"] for g in grouped(frame, query)}


def _read(frame: Frame) -> dict[tuple[str, str, str], int]:
    lead = literal(frame.settings.county.credit_lead)
    dept = case((intake.c.dept == CREDIT, lead), else_=intake.c.dept).label("dept")
    read = func.max(case((intake.c.state.in_(_READ), 1), else_=0)).label("read")
    keys = (intake.c.dept, intake.c.kind, intake.c.day)
    query = select(dept, intake.c.kind, intake.c.day, read)
    query = query.where(intake.c.day.between(*frame.days), intake.c.kind.in_(list(KINDS)))
    return {(g["dept"], g["kind"], g["day"]): g["read"] for g in grouped(frame, query.group_by(*keys))}


def _late(frame: Frame) -> dict[tuple[str, str, str], int]:
    source, where = belated(frame)
    v = record_version.c
    keys = (v.owner_dept.label("dept"), v.kind, v.day)
    query = select(*keys, func.count(distinct(v.record_key)).label("n")).select_from(source).where(*where)
    return {
        (g["dept"], g["kind"], g["day"]): g["n"] for g in grouped(frame, query.group_by(v.owner_dept, v.kind, v.day))
    }
