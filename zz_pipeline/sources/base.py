"""What a reading of a source is: its window, its files, its rows as text, and how a native value becomes exact text.

Belongs here: values shared by all readers. Must not: knowledge of one kind of source, meaning of a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pyarrow as pa

from zz_pipeline.errors import SourceRefused
from zz_pipeline.standard.tables import Kind

STAMP = "%Y-%m-%d %H:%M:%S"
FILE, ROW, MARK = "_file", "_row", "_mark"  # provenance columns beside the native headings
TRACE = (FILE, ROW, MARK)
HIDDEN, STRUCK, FORMULA = "hidden", "struck", "formula"  # what `_mark` says of a row
# Excel keeps 15 significant digits: a longer number in a number cell has lost some, whatever the file shows.
EXACT_LIMIT = 10**15
CHUNK = 10_000
# Cells of one table. As Python texts a cell takes up to 150 bytes; with this many a reading stays under 1 GiB.
CELLS = 6_000_000
COLUMNS = 1_000
# Characters a cell of a workbook can hold: a longer text could not be handed back in a 退回清单.
LONGEST_CELL = 32_767


@dataclass(frozen=True, slots=True)
class Window:
    """Partition day and the change times it reads: [since, until) in Beijing wall time without zone."""

    day: date
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo or self.until.tzinfo:
            raise ValueError("a window is Beijing wall time without zone")

    @property
    def last(self) -> datetime:
        """The last whole second inside, for interfaces whose bounds are inclusive."""
        return self.until - timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file or one reading of a table: SM3 of its bytes, data rows, and where it was kept untouched."""

    name: str
    digest: str
    rows: int
    state: str  # READ | REFUSED
    problem: str = ""
    archived: str = ""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """What was read: native headings as text columns, `_file`, `_row` (int64), `_mark` (why a row is held, or null).

    skipped: rows that are no data (blank, totals, notes, repeated headings), counted by reason.
    empty: the source as a whole was seen to hold no row at all. owners: names of all departments → key, by which rows of
    another department are told from rows of an unknown one. until: None if the reading moves no watermark (a replay).
    returned: quarantine entries that this reading answers (退回清单 that came back).
    """

    dept: str
    kind: Kind
    table: pa.Table
    files: tuple[SourceFile, ...]
    since: datetime | None
    until: datetime | None
    read_at: datetime
    warnings: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    empty: bool = False
    owners: Mapping[str, str] = field(default_factory=dict)
    returned: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """Data rows read."""
        return int(self.table.num_rows)


def refuse_emptied(batch: RawBatch, last_rows: int, limit: int, name: str) -> None:
    """SourceRefused if a source that lately had at least `limit` rows now holds none at all (design 3)."""
    if batch.empty and last_rows >= limit:
        raise SourceRefused(
            f"{name}的来源现在一条记录也没有，上次读到 {last_rows} 条。这更像是来源故障而不是当天无检查，本次不读。"
            f"请核对来源系统或交来的文件；确属清空的，请联系专班办公室登记后再读。"
        )


def empty_table() -> pa.Table:
    """A reading without rows or headings."""
    return text_table((), [], "", ())


def text_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    name: str,
    numbers: Iterable[int],
    marks: Iterable[str | None] | None = None,
) -> pa.Table:
    """Rows of texts as an Arrow table with provenance; an empty text is null."""
    columns = [pa.array([row[i] or None for row in rows], pa.string()) for i in range(len(headings))]
    columns += [
        pa.array([name] * len(rows), pa.string()),
        pa.array(numbers, pa.int64()),
        pa.array([None] * len(rows) if marks is None else marks, pa.string()),
    ]
    return pa.table(columns, names=[*headings, *TRACE])


def join_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of several files under one another; a heading that one lacks is null there."""
    return pa.concat_tables(tables, promote_options="default") if tables else empty_table()


def exact_text(value: Any, zone: ZoneInfo | None = None) -> str | None:
    """A native value as text without loss; what has already lost digits is written with an exponent, to be refused."""
    if value is None or isinstance(value, str):
        return value
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value, zone)
    return str(value)


def _float(value: float, _zone: ZoneInfo | None) -> str | None:
    if value != value:  # NaN is how drivers hand out an absent number
        return None
    if value.is_integer() and abs(value) < EXACT_LIMIT:
        return str(int(value))
    return f"{value:.16E}" if abs(value) >= EXACT_LIMIT else repr(value)


def _datetime(value: datetime, zone: ZoneInfo | None) -> str:
    if value.tzinfo is not None and zone is not None:
        value = value.astimezone(zone)
    return value.replace(tzinfo=None).isoformat(" ", "seconds")


def _decimal(value: Decimal, _zone: ZoneInfo | None) -> str | None:
    if value.is_nan():
        return None
    exponent = value.as_tuple().exponent
    # a positive exponent (6.1E+17) hides digits that nobody wrote: keep it visible
    return str(value) if isinstance(exponent, str) or exponent > 0 else format(value, "f")


def _bytes(value: bytes | memoryview, _zone: ZoneInfo | None) -> str:
    content = bytes(value)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return "0x" + content.hex()


def _interval(value: timedelta, _zone: ZoneInfo | None) -> str:
    seconds = int(value.total_seconds())
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


# Order matters: bool is an int, datetime is a date.
_WRITERS: tuple[tuple[type | tuple[type, ...], Any], ...] = (
    (bool, lambda v, _z: "true" if v else "false"),
    (int, lambda v, _z: str(v)),
    (float, _float),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, lambda v, _z: v.isoformat()),
    (time, lambda v, _z: v.strftime("%H:%M:%S")),
    (timedelta, _interval),
    ((bytes, bytearray, memoryview), _bytes),
    ((list, tuple, dict), lambda v, _z: orjson.dumps(v, default=str).decode()),
)
