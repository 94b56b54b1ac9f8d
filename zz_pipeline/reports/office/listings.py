"""Drill-down: the record keys behind each figure, those that fall short first.

Belongs here: one list a table row, its columns and order. Must not: names of people or enterprises, messages to clerks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select

from zz_pipeline.errors import UnknownYear
from zz_pipeline.ledger.schema import outbox, quarantine, record_version
from zz_pipeline.reports import words
from zz_pipeline.reports.office import counting
from zz_pipeline.reports.office.facts import Frame, first_sends, handed_in, limits, newest, open_rows, owner
from zz_pipeline.reports.office.indicators import COUNT, INDICATORS, KINDS
from zz_pipeline.reports.office.model import EMPTY, Listing
from zz_pipeline.standard.personal import mask_text
from zz_pipeline.standard.tables import TABLES, Kind
from zz_pipeline.standard.workdays import WorkCalendar

MOST = 100_000  # rows of one list: a sheet holds a million, a person reads fewer
YES, NO = "是", "否"
Row = tuple[str, ...]
Found = tuple[list[tuple[bool, Row]], int]


@dataclass(frozen=True, slots=True)
class Spec:
    """A list: key, title, which rows come first, headings, and how it is found."""

    key: str
    title: str
    hint: str
    headings: Row
    find: Callable[[_Words], Found]


class _Words:
    """The frame and what things are called."""

    def __init__(self, frame: Frame) -> None:
        settings = frame.settings
        self.frame = frame
        self.names = {key: d.short for key, d in settings.departments.items()}
        self.labels = {name: spec.label for name, spec in settings.platforms.items()}
        self.calendar = WorkCalendar.load(settings.config_dir / "workdays.csv")
        self._left: dict[str | None, str] = {None: EMPTY}

    def head(self, row: Mapping[str, Any], unit: str = "unit") -> Row:
        """Department, kind of data, record key; a file's name may hold what only its department should see."""
        key = str(row[unit])
        return self.names.get(row["dept"], row["dept"]), KINDS[row["kind"]], mask_text(key) if "#" in key else key

    def left(self, due: str | None) -> str:
        """Working days until the limit, negative past it; — if there is none or its year is unknown."""
        if due not in self._left and due is not None:
            try:
                self._left[due] = str(self.calendar.between(self.frame.as_of, date.fromisoformat(due)))
            except UnknownYear:
                self._left[due] = EMPTY
        return self._left[due]

    def rows(self, query: Select[Any], *order: ColumnElement[Any]) -> tuple[list[Mapping[str, Any]], int]:
        """The first MOST rows, and how many there are."""
        found: list[Mapping[str, Any]] = [
            dict(row._mapping) for row in self.frame.conn.execute(query.order_by(*order).limit(MOST))
        ]
        if len(found) < MOST:
            return found, len(found)
        return found, int(self.frame.conn.scalar(select(func.count()).select_from(query.subquery())) or 0)


def listings(frame: Frame) -> tuple[Listing, ...]:
    """Every list of the table, in its order."""
    said = _Words(frame)
    return tuple(_listing(spec, *spec.find(said)) for spec in SPECS)


def _listing(spec: Spec, rows: Iterable[tuple[bool, Row]], total: int) -> Listing:
    ordered = sorted(rows, key=lambda pair: not pair[0])  # stable: within both halves the database's order stands
    short = sum(falls for falls, _ in ordered)
    return Listing(spec.key, spec.title, spec.hint, spec.headings, tuple(row for _, row in ordered), short, total)


# ── what was handed in ──────────────────────────────────────────────────────────────────────────────────────────────
def _records(said: _Words) -> Found:
    units, source, facts = newest(said.frame, said.frame.settings.county.entry_platform)
    columns = [units.c[n] for n in ("dept", "kind", "unit", "back", "open", "own")]
    query = select(*columns, *(e.label(n) for n, e in facts.items()), outbox.c.due).select_from(source)
    stored = case((outbox.c.state == "CONFIRMED", facts["live"]), else_=0)
    found, total = said.rows(query, stored, units.c.dept, units.c.kind, units.c.unit)
    return [_record(said, row) for row in found], total


def _record(said: _Words, row: Mapping[str, Any]) -> tuple[bool, Row]:
    tests = (counting.ON_ENTRY[key](row) for key in ("accepted", "owed", "reported", "stored"))
    accepted, owed, reported, stored = tests
    state = (
        words.STATES[row["state"]] if row["live"] and row["state"] else "退回未改正" if row["open"] else "已换号更正"
    )
    marks = tuple(YES if one else NO for one in (accepted, owed, reported, stored))
    return owed and not stored, (*said.head(row), state, row["due"] if row["live"] and row["due"] else EMPTY, *marks)


def _published(said: _Words) -> Found:
    rows: list[tuple[bool, Row]] = []
    whole = 0
    for platform in said.frame.public:
        units, source, facts = newest(said.frame, platform)
        columns = [units.c[n] for n in ("dept", "kind", "unit")]
        query = select(*columns, *(e.label(n) for n, e in facts.items()), outbox.c.due).select_from(source)
        query = query.where(outbox.c.state.is_not(None), outbox.c.op != "WITHDRAW")
        found, _ = said.rows(query, units.c.dept, units.c.kind, units.c.unit)
        owed = [row for row in found if counting.ON_PUBLIC["public_owed"](row)]
        whole += len(owed)
        rows += [_open_row(said, row, platform, row["state"] != "CONFIRMED") for row in owed]
    return rows, whole


def _open_row(said: _Words, row: Mapping[str, Any], platform: str, falls: bool) -> tuple[bool, Row]:
    place = said.labels.get(platform, platform)
    left = said.left(row["due"]) if row["state"] != "CONFIRMED" else EMPTY
    return falls, (*said.head(row), place, row["due"] or EMPTY, left, words.STATES[row["state"]])


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _timely(said: _Words) -> Found:
    frame = said.frame
    where = first_sends(frame)
    dues = list(frame.conn.scalars(select(outbox.c.due).where(*where, outbox.c.due.is_not(None)).distinct()))
    end = limits(frame, dues)
    o = outbox.c
    after = case((o.updated_at >= end.c.ends, 1), else_=0).label("after")
    query = select(o.dept, o.kind, o.record_key.label("unit"), o.platform, o.due, o.state, o.updated_at, after)
    query = query.join_from(outbox, end, end.c.due == o.due).where(*where)
    found, total = said.rows(query, o.dept, o.due, o.record_key, o.platform)
    return [_one_limit(said, row) for row in found], total


def _one_limit(said: _Words, row: Mapping[str, Any]) -> tuple[bool, Row]:
    done = row["state"] == "CONFIRMED"
    late = bool(row["after"]) if done else row["due"] < said.frame.as_of.isoformat()
    verdict = {(True, False): "按期入库", (True, True): "迟报", (False, True): "逾期未入库", (False, False): "未到期"}[
        done, late
    ]
    at = datetime.fromtimestamp(row["updated_at"], said.frame.zone).strftime("%Y-%m-%d") if done else EMPTY
    place = said.labels.get(row["platform"], row["platform"])
    return late, (*said.head(row), place, row["due"], at, words.STATES[row["state"]], verdict)


def _open(where: Callable[[_Words], list[ColumnElement[bool]]], why: bool) -> Callable[[_Words], Found]:
    """A list of what is open now under some condition; `why`: with the reason of its state."""

    def find(said: _Words) -> Found:
        o = outbox.c
        columns = (o.dept, o.kind, o.record_key.label("unit"), o.platform, o.due, o.state, o.reason)
        query = select(*columns).where(*open_rows(said.frame), *where(said))
        found, total = said.rows(query, o.due.is_(None), o.due, o.dept, o.record_key, o.platform)
        rows = [(row, _open_row(said, row, row["platform"], True)) for row in found]
        return [
            (falls, (*shown, mask_text(row["reason"]) or EMPTY) if why else shown) for row, (falls, shown) in rows
        ], total

    return find


def _is_overdue(said: _Words) -> list[ColumnElement[bool]]:
    return [outbox.c.due < said.frame.as_of.isoformat()]


def _is_near(said: _Words) -> list[ColumnElement[bool]]:
    return [outbox.c.due.between(said.frame.as_of.isoformat(), counting.last_near_day(said.frame))]


def _is_held(said: _Words) -> list[ColumnElement[bool]]:
    return [outbox.c.state.in_(counting.WAITING)]


# ── what was returned ───────────────────────────────────────────────────────────────────────────────────────────────
def _returned(said: _Words) -> Found:
    units = handed_in(said.frame)
    q, mine = quarantine.c, owner(said.frame)
    same = (units.c.kind == q.kind) & (units.c.unit == q.unit) & (units.c.dept == mine)
    query = select(units.c.dept, units.c.kind, units.c.unit, units.c.open, q.day, q.rule, q.field)
    query = (
        query.join_from(quarantine, units, same)
        .where(q.day.between(*said.frame.days), q.severity == "ERROR")
        .distinct()
    )
    found, _ = said.rows(query, units.c.open.desc(), units.c.dept, units.c.unit, q.day, q.rule, q.field)
    merged: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in found:
        merged.setdefault((row["dept"], row["kind"], row["unit"]), []).append(row)
    return [_one_returned(said, rows) for rows in merged.values()], len(merged)


def _one_returned(said: _Words, rows: list[Mapping[str, Any]]) -> tuple[bool, Row]:
    first, still = rows[0], bool(rows[0]["open"])
    rules = "、".join(dict.fromkeys(row["rule"] for row in rows))
    fields = "、".join(dict.fromkeys(_label(row) for row in rows))
    return still, (*said.head(first), max(row["day"] for row in rows), rules, fields, "未整改" if still else "已整改")


def _label(row: Mapping[str, Any]) -> str:
    labels = {f.name: f.label for f in TABLES[Kind(row["kind"])].fields}
    return labels.get(
        row["field"], mask_text(row["field"])
    )  # a column of the source that no one knows has its own name


def _finding(condition: Callable[[], ColumnElement[bool]]) -> Callable[[_Words], Found]:
    """A list of findings of the period on what was handed in."""

    def find(said: _Words) -> Found:
        units = handed_in(said.frame)
        q, mine = quarantine.c, owner(said.frame)
        same = (units.c.kind == q.kind) & (units.c.unit == q.unit) & (units.c.dept == mine)
        query = select(units.c.dept, units.c.kind, units.c.unit, q.rule, q.field).join_from(quarantine, units, same)
        query = query.where(q.day.between(*said.frame.days), condition()).distinct()
        found, total = said.rows(query, units.c.dept, units.c.unit, q.rule, q.field)
        return [(True, (*said.head(row), row["rule"], _label(row))) for row in found], total

    return find


def _belated(said: _Words) -> Found:
    source, where = counting.belated(said.frame)
    v = record_version.c
    columns = (v.owner_dept.label("dept"), v.kind, v.record_key.label("unit"))
    query = select(*columns, v.day, v.changed_at, v.accepted_at).select_from(source).where(*where)
    found, total = said.rows(query, v.day, v.owner_dept, v.record_key, v.version)
    return [
        (True, (*said.head(row), row["day"], row["changed_at"] or EMPTY, _clock(said, row["accepted_at"])))
        for row in found
    ], total


def _clock(said: _Words, seconds: float) -> str:
    return datetime.fromtimestamp(seconds, said.frame.zone).strftime("%Y-%m-%d %H:%M:%S")


def _define(key: str) -> str:
    """Definitions of the indicators that are drilled by this list, else of its count."""
    texts = [f"{one.name}＝{one.text}" for one in INDICATORS if one.listing == key]
    return "；".join(texts) or COUNT[key].text


_HEAD = ("部门", "数据类", "记录键")
_LIMIT = (*_HEAD, "平台", "法定期限", "剩余工作日", "状态")
SPECS = (
    Spec("overdue", "逾期", _define("overdue"), _LIMIT, _open(_is_overdue, why=False)),
    Spec("near", "临近期限", _define("near"), _LIMIT, _open(_is_near, why=False)),
    Spec("unknown", "结果不明", _define("unknown"), (*_LIMIT, "原因"), _open(lambda said: [outbox.c.state == "UNKNOWN"], why=True)),
    Spec("held", "待人处理", _define("held"), (*_LIMIT, "原因"), _open(_is_held, why=True)),
    Spec("rejected", "平台拒收", _define("rejected"), (*_LIMIT, "原因"), _open(lambda said: [outbox.c.state == "REJECTED"], why=True)),
    Spec("records", "应报与入库", _define("records"), (*_HEAD, "入口平台状态", "法定期限", "检查接收", "应报", "已报", "入库"), _records),
    Spec("timely", "及时与迟报", _define("timely"), (*_HEAD, "平台", "法定期限", "确认日期", "状态", "判定"), _timely),
    Spec("published", "公示", _define("published"), _LIMIT, _published),
    Spec("returned", "退回整改", _define("returned"), (*_HEAD, "退回日", "规则", "字段", "整改"), _returned),
    Spec("missing", "缺项", _define("missing"), (*_HEAD, "规则", "空缺的必填项"), _finding(counting.empty_items)),
    Spec("codes", "错码重码", _define("codes"), (*_HEAD, "规则", "字段"), _finding(counting.code_findings)),
    Spec("belated", "补报", _define("belated"), (*_HEAD, "业务日", "来源变更时间", "入库时间"), _belated),
)  # fmt: skip
