"""A period's figures for each department and kind of data, counted by the database in groups.

Belongs here: one query a question, adding its groups up. Must not: lists of records, words, per-record work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, column, distinct, func, or_, select, values
from sqlalchemy import Float as SqlFloat
from sqlalchemy import String as SqlString

from zz_pipeline.ledger.schema import outbox, quarantine, record_version
from zz_pipeline.reports.office import indicators
from zz_pipeline.reports.office.facts import Frame, first_sends, grouped, handed_in, limits, newest, open_rows, owner
from zz_pipeline.reports.office.indicators import COUNTS, INDICATORS, KINDS
from zz_pipeline.reports.office.model import Figures, Ratio
from zz_pipeline.standard.tables import TABLES, Kind, Scope

Key = tuple[str, str]  # department, kind
Tally = dict[Key, Counter[str]]
Group = Mapping[str, Any]

ANSWERED_STATES = ("CONFIRMED", "ACCEPTED", "REJECTED", "CONFLICT")
EXEMPT = ("NOT_APPLICABLE", "BLOCKED")
WAITING = ("HELD", "CONFLICT", "DEAD")


def _own(g: Group) -> bool:
    return bool(g["own"])


def _owed(g: Group) -> bool:
    return _own(g) and not (g["live"] and g["state"] in EXEMPT)


def _public_owed(g: Group) -> bool:
    """Also what waits behind the entry platform's refusal: it should be public."""
    barred = g["state"] in (*EXEMPT, "CANCELLED", None) and not g["behind"]
    return bool(g["live"]) and g["op"] != "WITHDRAW" and not barred


# what a group of units adds to, judged by the newest version's state on the entry platform
ON_ENTRY: Mapping[str, Callable[[Group], bool]] = {
    "handed": lambda g: True,
    "provided": _own,
    "owed": _owed,
    "reported": lambda g: _owed(g) and bool(g["live"]) and g["state"] in ANSWERED_STATES,
    "stored": lambda g: _owed(g) and bool(g["live"]) and g["state"] == "CONFIRMED",
    "accepted": lambda g: _own(g) and bool(g["live"]),
    "returned": lambda g: bool(g["back"]),
    "reworked": lambda g: bool(g["back"]) and not g["open"],
}
ON_PUBLIC: Mapping[str, Callable[[Group], bool]] = {
    "public_owed": _public_owed,
    "public": lambda g: _public_owed(g) and g["state"] == "CONFIRMED",
}


def count(frame: Frame) -> Tally:
    """(department, kind) → count key → number, for all that the ledger knows of the period."""
    tally: Tally = {}
    for question in _QUESTIONS:
        for dept, kind, key, n in question(frame):
            tally.setdefault((dept, kind), Counter())[key] += n
    return tally


def figures(counts: Mapping[str, int]) -> Figures:
    """Counts with their ratios; every key is there."""
    whole = {one.key: int(counts.get(one.key, 0)) for one in COUNTS}
    ratios = {one.key: Ratio(whole[one.numerator], whole[one.denominator]) for one in INDICATORS}
    return Figures(whole, ratios)


Found = Iterator[tuple[str, str, str, int]]


def _arrivals(frame: Frame) -> Found:
    entry = frame.settings.county.entry_platform
    yield from _judged(frame, entry, ON_ENTRY)
    for platform in frame.public:
        yield from _judged(frame, platform, ON_PUBLIC)


def _judged(frame: Frame, platform: str, tests: Mapping[str, Callable[[Group], bool]]) -> Found:
    units, source, facts = newest(frame, platform)
    keys: list[ColumnElement[Any]] = [units.c[name] for name in ("dept", "kind", "back", "open", "own")]
    keys += [expression.label(name) for name, expression in facts.items()]
    query = select(*keys, func.count().label("n")).select_from(source)
    inner = query.group_by(*(key.element if hasattr(key, "element") else key for key in keys))
    for group in grouped(frame, inner):
        for key, test in tests.items():
            if test(group):
                yield group["dept"], group["kind"], key, group["n"]


def _in_time(frame: Frame) -> Found:
    """First sends by statutory day: confirmed by its end, after it, or not yet."""
    where = first_sends(frame)
    dues = list(frame.conn.scalars(select(outbox.c.due).where(*where, outbox.c.due.is_not(None)).distinct()))
    end = limits(frame, dues)
    done = case((outbox.c.state == "CONFIRMED", 1), else_=0)
    after = case((outbox.c.updated_at >= end.c.ends, 1), else_=0)
    keys = (outbox.c.dept, outbox.c.kind, outbox.c.due, done.label("done"), after.label("after"))
    query = select(*keys, func.count().label("n")).join_from(outbox, end, end.c.due == outbox.c.due).where(*where)
    for g in grouped(frame, query.group_by(outbox.c.dept, outbox.c.kind, outbox.c.due, done, after)):
        for key in _verdict(g, frame.as_of.isoformat()):
            yield g["dept"], g["kind"], key, g["n"]


def _verdict(g: Group, today: str) -> tuple[str, ...]:
    if g["done"]:
        return ("late" if g["after"] else "timely", "judged", "arrived")
    return ("missed", "judged") if g["due"] < today else ()


def _undated(frame: Frame) -> Found:
    """Rows that have a statutory clock but no last day: their year is not in the table of working days."""
    for name, spec in frame.settings.platforms.items():
        kinds = sorted({rule.kind for rule in spec.due_workdays if rule.days})
        where = [outbox.c.platform == name, outbox.c.kind.in_(kinds), outbox.c.due.is_(None), *first_sends(frame)]
        keys = (outbox.c.dept, outbox.c.kind)
        for g in grouped(frame, select(*keys, func.count().label("n")).where(*where).group_by(*keys)):
            yield g["dept"], g["kind"], "undated", g["n"]


def _still_open(frame: Frame) -> Found:
    """What is open now, of this period and before."""
    today, near = frame.as_of.isoformat(), last_near_day(frame)
    keys = (outbox.c.dept, outbox.c.kind, outbox.c.state, outbox.c.due)
    for g in grouped(frame, select(*keys, func.count().label("n")).where(*open_rows(frame)).group_by(*keys)):
        for key in _open_keys(g, today, near):
            yield g["dept"], g["kind"], key, g["n"]


def _open_keys(g: Group, today: str, near: str) -> Iterator[str]:
    if g["due"] and g["due"] < today:
        yield "overdue"
    elif g["due"] and g["due"] <= near:
        yield "near"
    if g["state"] in WAITING:
        yield "held"
    if g["state"] in ("UNKNOWN", "REJECTED"):
        yield g["state"].lower()


def _completeness(frame: Frame) -> Found:
    """Items that the standard requires of all that was handed in, less those that were empty."""
    units = handed_in(frame)
    query = select(units.c.dept, units.c.kind, func.count().label("n")).group_by(units.c.dept, units.c.kind)
    for g in grouped(frame, query):
        for key in ("items_owed", "items"):
            yield g["dept"], g["kind"], key, g["n"] * len(required(g["kind"]))
    for g in grouped(frame, _findings(frame, empty_items(), quarantine.c.field)):
        yield g["dept"], g["kind"], "items", -g["n"]


def required(kind: str) -> list[str]:
    """Fields that the standard requires a department to fill; the record key is made of the record number."""
    fields = TABLES[Kind(kind)].fields
    names = [f.name for f in fields if f.required and f.scope is not Scope.TRACE]
    return [name for name in names if name != "record_key" or "record_no" not in names]


def empty_items() -> ColumnElement[bool]:
    """Findings that say: a required field is empty."""
    parts = [and_(quarantine.c.kind == kind, quarantine.c.field.in_(required(kind))) for kind in KINDS]
    return and_(quarantine.c.severity == "ERROR", quarantine.c.value == "", or_(*parts))


def code_findings() -> ColumnElement[bool]:
    """Findings that say: the USCC is wrong, or another subject's."""
    in_code = and_(quarantine.c.rule.in_(indicators.WRONG_IN_CODE_FIELD), quarantine.c.field == "uscc")
    return or_(quarantine.c.rule.in_((*indicators.WRONG_CODE, *indicators.SHARED_CODE)), in_code)


def _bad_codes(frame: Frame) -> Found:
    for g in grouped(frame, _findings(frame, code_findings())):
        yield g["dept"], g["kind"], "bad_codes", g["n"]


def _findings(frame: Frame, where: ColumnElement[bool], *more: ColumnElement[Any]) -> Any:
    """Units handed in that have such a finding of the period, each once (for each of `more`), by department and kind."""
    units, mine = handed_in(frame), owner(frame)
    same = and_(units.c.kind == quarantine.c.kind, units.c.unit == quarantine.c.unit, units.c.dept == mine)
    once = select(units.c.dept, units.c.kind, units.c.unit, *more).join_from(quarantine, units, same)
    inner = once.where(quarantine.c.day.between(*frame.days), where).distinct().subquery()
    return select(inner.c.dept, inner.c.kind, func.count().label("n")).group_by(inner.c.dept, inner.c.kind)


def belated(frame: Frame) -> tuple[Any, list[ColumnElement[bool]]]:
    """A source and conditions: the department's own versions that were taken in later than the night after their day.

    Either that night had passed, or the change is older than the partition in which it was read at last.
    """
    rows = [(day.isoformat(), frame.midnight(day + timedelta(days=1))) for day in frame.period.days]
    nights = values(column("day", SqlString), column("ends", SqlFloat)).data(rows).cte("nights")
    v = record_version.c
    source = record_version.join(nights, nights.c.day == v.day)
    where = [v.day.between(*frame.days), v.reason == "", v.kind.in_(list(KINDS))]
    return source, [*where, or_(v.accepted_at >= nights.c.ends, v.changed_at < v.day)]


def _belated(frame: Frame) -> Found:
    source, where = belated(frame)
    v = record_version.c
    query = select(v.owner_dept.label("dept"), v.kind, func.count(distinct(v.record_key)).label("n"))
    for g in grouped(frame, query.select_from(source).where(*where).group_by(v.owner_dept, v.kind)):
        yield g["dept"], g["kind"], "belated", g["n"]


def last_near_day(frame: Frame) -> str:
    """The last day that is near: so many working days from today; today where the table of working days ends."""
    from zz_pipeline.errors import UnknownYear
    from zz_pipeline.standard.workdays import WorkCalendar

    calendar = WorkCalendar.load(frame.settings.config_dir / "workdays.csv")
    try:
        return calendar.due(frame.as_of, indicators.NEAR_DAYS).isoformat()
    except UnknownYear:
        return frame.as_of.isoformat()


def add(parts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Counts added up by key."""
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part)
    return whole


_QUESTIONS: tuple[Callable[[Frame], Found], ...] = (
    _arrivals, _in_time, _undated, _still_open, _completeness, _bad_codes, _belated,
)  # fmt: skip
