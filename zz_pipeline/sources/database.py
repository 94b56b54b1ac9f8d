"""A department's own database: the declared query inside a window of its change time, as exact text.

Belongs here: SQL around the declared query, binding the window in the column's own form, reading in chunks.
Must not: writing to a source, building SQL from data, meaning of a column.

A row without a change time, or with one in another form, is read every time: it is told as unchanged by its digest, whereas
leaving it out would lose it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    Connection,
    Engine,
    FromClause,
    String,
    and_,
    column,
    create_engine,
    not_,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import ColumnElement

from zz_pipeline.errors import ConfigError, SourceDown, SourceError, SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources.base import CHUNK, Window, exact_text, join_tables, text_table
from zz_pipeline.sources.grid import native_headings, plain, required_headings
from zz_pipeline.standard.dates import parse_datetimes

_ISO = "____-__-__%"  # the form in which text compares like time
# What a driver understands of "do not wait for ever" and "do not write".
_CONNECT: Mapping[str, Mapping[str, Any]] = {
    "sqlite": {"timeout": 10},
    "postgresql": {"connect_timeout": 10, "options": "-c statement_timeout=600000 -c default_transaction_read_only=on"},
    "mysql": {"connect_timeout": 10},
}
# SQLite has one error class for a missing file and a missing column; the words tell them apart.
_LAYOUT = re.compile(r"no such|syntax error|ambiguous|misuse|malformed|not a database|decode", re.I)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a database gave: rows as text, and whether its query has no row at all, whatever the window."""

    table: pa.Table
    name: str
    empty: bool


def read_database(dept: Department, url: str, window: Window, zone: ZoneInfo) -> Rows:
    """Rows changed within the window; SourceDown if not reachable, SourceRefused if the query no longer fits."""
    engine, name = _engine(dept, url)
    try:
        with engine.connect() as conn:
            return _read(dept, conn, window, zone, name)
    except DBAPIError as error:
        raise _translated(dept, error) from error
    except SQLAlchemyError as error:
        kind = type(error).__name__
        raise SourceRefused(f"{dept.name}的来源查询不能执行（{kind}）。请管理员核对 query 与表结构。") from error
    finally:
        engine.dispose()


def _engine(dept: Department, url: str) -> tuple[Engine, str]:
    try:
        address = make_url(url)
        name = Path(address.database or dept.key).name
        engine = create_engine(
            _read_only(address), poolclass=NullPool, connect_args=dict(_CONNECT.get(address.get_backend_name(), {}))
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"{dept.name}的来源地址或数据库驱动不可用（{type(error).__name__}）。请管理员核对 url 并安装驱动。"
        ) from error
    return engine, name


def _read_only(address: URL) -> URL:
    """SQLite is opened read-only: otherwise a missing file would be created, and read as an emptied source."""
    if address.get_backend_name() != "sqlite" or not address.database or address.database.startswith("file:"):
        return address
    return address.set(database=f"file:{quote(address.database)}", query={"mode": "ro", "uri": "true"})


def _translated(dept: Department, error: DBAPIError) -> SourceError:
    words = str(error.orig).strip().splitlines()[0][:120] if str(error.orig).strip() else ""
    layout = type(error).__name__ in ("ProgrammingError", "NotSupportedError", "DatabaseError")
    if layout or _LAYOUT.search(words):
        return SourceRefused(f"{dept.name}的来源库与登记的查询对不上（{words}）。请管理员核对 query 与表结构。")
    if type(error).__name__ in ("DataError", "IntegrityError"):
        return SourceRefused(f"{dept.name}的来源库里有读不出的数据（{type(error).__name__}）。请该部门核对其系统。")
    return SourceDown(
        f"{dept.name}的来源库连接不上或中途断开（{type(error).__name__}）。请核对其服务是否运行，稍后重跑。"
    )


def _read(dept: Department, conn: Connection, window: Window, zone: ZoneInfo, name: str) -> Rows:
    source = _source(dept)
    everything = select(text("*")).select_from(source)
    native = list(conn.execute(everything.limit(0)).keys())
    headings = _headings(dept, native)
    statement, written = everything, False
    if not dept.source.whole:
        changed = native[headings.index(dept.source.changed_at)] if dept.source.changed_at else ""
        condition, written = _within(dept, conn, source, changed, window, zone)
        statement = everything.where(condition)
    found = join_tables([text_table(headings, [], name, ()), *_chunks(conn, statement, headings, name, zone)])
    if written:
        found = _inside(found, dept.source.changed_at, window)
    empty = found.num_rows == 0 and conn.execute(everything.limit(1)).first() is None
    return Rows(found, name, empty)


def _source(dept: Department) -> FromClause:
    spec = dept.source
    if spec.table and not spec.query:
        schema, _, name = spec.table.rpartition(".")
        return table(name, schema=schema or None)
    query = spec.query.strip().rstrip(";").rstrip()
    if not re.match(r"(?is)(select|with)\b", query) or ";" in query:
        raise ConfigError(f"departments/{dept.key}.toml 的 query 应是一条 SELECT 语句（不带分号），或改写 table。")
    return text(query).columns().subquery("source_rows")


def _headings(dept: Department, native: list[str]) -> list[str]:
    """Native column names in the configured spelling (databases fold case); SourceRefused if the layout does not fit."""
    known = native_headings(dept)
    folded = {k.casefold(): v for k, v in known.items()}
    headings = [known.get(plain(n)) or folded.get(plain(n).casefold(), n) for n in native]
    if not dept.source.whole and not dept.source.changed_at:
        raise ConfigError(
            f"departments/{dept.key}.toml 没有写 changed_at。请写明变更时间列，或写 whole = true 整表读取。"
        )
    missing = [h for h in (*required_headings(dept), dept.source.changed_at) if h and h not in headings]
    if missing:
        raise SourceRefused(f"{dept.name}的来源库里没有列：{'、'.join(missing)}。请管理员核对 query 与部门目录。")
    if len(set(headings)) != len(headings):
        raise SourceRefused(f"{dept.name}的来源查询有同名的列。请管理员在 query 里给它们不同的名字。")
    return headings


def _within(
    dept: Department, conn: Connection, source: FromClause, changed: str, window: Window, zone: ZoneInfo
) -> tuple[ColumnElement[bool], bool]:
    """The condition of the window in the column's own form, and whether that form is text (and is checked again here)."""
    moment: ColumnElement[Any] = column(changed)
    sample = conn.scalar(select(moment).select_from(source).where(moment.is_not(None)).limit(1))
    if sample is None:  # no row has a change time; the column's type is unknown, so nothing is compared with it
        return moment.is_(None), False
    if isinstance(sample, str):
        words: ColumnElement[str] = column(changed, String)
        low, high = (_text(edge) for edge in (datetime.combine(window.since, time()), window.until))
        return or_(and_(words >= low, words < high), words.is_(None), not_(words.like(_ISO))), True
    for kind, bounds in _BOUNDS:
        if isinstance(sample, kind) and (edges := bounds(sample, window, zone)):
            return or_(and_(moment >= edges[0], moment < edges[1]), moment.is_(None)), False
    raise SourceRefused(
        f"{dept.name}的变更时间列“{changed}”不是看得懂的时间。请管理员在 query 里换成文字或日期时间，或写 whole = true。"
    )


def _text(edge: datetime) -> str:
    """A bound as text. At midnight the bare day: it stands before every form of that day's times."""
    return edge.date().isoformat() if edge.time() == time() else edge.isoformat(" ", "seconds")


def _moments(sample: Any, window: Window, zone: ZoneInfo) -> tuple[Any, Any]:
    edges = (window.since, window.until)
    low, high = (edge.replace(tzinfo=zone) for edge in edges) if sample.tzinfo is not None else edges
    return low, high


def _days(_sample: Any, window: Window, _zone: ZoneInfo) -> tuple[Any, Any]:
    whole = window.until.time() == time()
    return window.since.date(), window.until.date() + timedelta(days=0 if whole else 1)


def _digits(sample: Any, window: Window, zone: ZoneInfo) -> tuple[Any, Any] | None:
    length = len(str(int(sample)))
    if length == 14:
        return int(f"{window.since:%Y%m%d%H%M%S}"), int(f"{window.until:%Y%m%d%H%M%S}")
    if length == 8:
        low, high = _days(sample, window, zone)
        return int(f"{low:%Y%m%d}"), int(f"{high:%Y%m%d}")
    return None  # seconds since an epoch, or something else: nobody has declared which


# datetime before date: a datetime is a date.
_BOUNDS: tuple[tuple[type | tuple[type, ...], Callable[[Any, Window, ZoneInfo], tuple[Any, Any] | None]], ...] = (
    (datetime, _moments),
    (date, _days),
    ((int, Decimal), _digits),
)


def _chunks(conn: Connection, statement: Any, headings: list[str], name: str, zone: ZoneInfo) -> Iterator[pa.Table]:
    streamed = conn.execution_options(stream_results=True, max_row_buffer=CHUNK)
    start = 1
    for part in streamed.execute(statement).partitions(CHUNK):
        rows = [[exact_text(value, zone) for value in row] for row in part]
        yield text_table(headings, rows, name, range(start, start + len(rows)))
        start += len(rows)


def _inside(found: pa.Table, heading: str, window: Window) -> pa.Table:
    """Rows inside the window once more, by their parsed time; one that cannot be read stays, to be judged."""
    moments, _ = parse_datetimes(found[heading], None)
    since = datetime.combine(window.since, time())
    inside = pc.and_(pc.greater_equal(moments, pa.scalar(since)), pc.less(moments, pa.scalar(window.until)))
    return found.filter(pc.fill_null(inside, True))
