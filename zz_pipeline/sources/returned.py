"""A 退回清单 that comes back: how it is recognised, and its rows under the department's own headings.

Belongs here: the service columns, which rows they point to, telling such a workbook from any other by its inside.
Must not: writing one (that is `returns.workbook`), the ledger, meaning of a native column.

A leading = + - @ is kept from being taken for a formula by an apostrophe, which is taken off again here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from zz_pipeline.errors import SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources.base import FILE, ROW, TRACE
from zz_pipeline.sources.grid import SEARCH_ROWS, Found, plain
from zz_pipeline.sources.signs import ZIP
from zz_pipeline.sources.workbook import Book, opened, read_sheet
from zz_pipeline.standard.canonical import sm3_hex

NUMBER, FROM_FILE, FROM_ROW, REASON, REMEDY = "退回编号", "原文件", "原行号", "退回原因", "怎么改"
LEADING, TRAILING = (NUMBER, FROM_FILE, FROM_ROW), (REASON, REMEDY)
SERVICE = (*LEADING, *TRAILING)
# How XML writers put these characters: as UTF-8, or as references. A look at the bytes spares reading every other workbook twice.
_REFERENCES = ("&#{};", "&#x{:x};", "&#x{:X};")
_WRITTEN = (NUMBER.encode(), *("".join(form.format(ord(c)) for c in NUMBER).encode() for form in _REFERENCES))
_GUARDED = re.compile(r"\A'+[=+\-@＝＋－＠\t\r]")
_DANGEROUS = re.compile(r"\A'*[=+\-@＝＋－＠\t\r]")
_NUMBER = re.compile(r"([A-Za-z]{2,8})-([0-9]{1,12})-([0-9A-Fa-f]{6})")


@dataclass(frozen=True, slots=True)
class ReturnedRows:
    """Native rows of a 退回清单 and, for each, the quarantine entry its 退回编号 names (null: none)."""

    found: Found
    entries: pa.Array


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where a 退回清单 stands in a workbook, and the departments that its 退回编号 name."""

    name: str
    departments: frozenset[str]


def guard(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def unguard(text: str | None) -> str | None:
    """What `guard` was given."""
    return text[1:] if text and _GUARDED.match(text) else text


def return_number(dept: str, entry: int) -> str:
    """退回编号 of a quarantine entry; its last part shows a number that was typed or dragged wrong."""
    return f"{dept}-{entry}-{sm3_hex(f'{dept}|{entry}'.encode())[:6]}"


def returned_sheet(content: bytes) -> Sheet | None:
    """The sheet that holds a 退回清单; None if the file is no such workbook. SourceRefused if it cannot be opened."""
    if not content.startswith(ZIP):
        return None
    with opened(content) as book:
        if not any(form in part for part in book.package.parts.values() for form in _WRITTEN):
            return None
        return next(filter(None, (_sheet(book, name) for name in book.visible)), None)


def _sheet(book: Book, name: str) -> Sheet | None:
    rows = [[plain(str(cell)) for cell in row] for row in book.sheet(name)[0].to_python()]
    header = next((n for n, row in enumerate(rows[:SEARCH_ROWS]) if set(LEADING) <= set(row)), None)
    if header is None:
        return None
    at = rows[header].index(NUMBER)
    found = (_NUMBER.fullmatch(row[at]) for row in rows[header + 1 :])
    return Sheet(name, frozenset(match[1].upper() for match in found if match))


def is_returned(content: bytes) -> bool:
    """Whether a file is a 退回清单; one that cannot be opened is none."""
    try:
        return returned_sheet(content) is not None
    except SourceRefused:
        return False


def read_returned(dept: Department, name: str, content: bytes) -> ReturnedRows:
    """Rows of a 退回清单; SourceRefused if it is another department's or no longer has the department's columns."""
    sheet = returned_sheet(content)
    if sheet is None:
        raise SourceRefused("不是退回清单。请用本系统发出的退回清单改正后重交。")
    others = sorted(sheet.departments - {dept.key})
    if others:
        raise SourceRefused(
            f"里面有别的部门（{'、'.join(others)}）的退回编号。请交到那个部门的收件夹；本部门只交本部门的清单。"
        )
    with opened(content) as book:
        found = read_sheet(_as_returned(dept, sheet.name), name, book)
    table = found.table
    numbers = table[NUMBER].to_pylist() if NUMBER in table.column_names else [None] * table.num_rows
    entries = pa.array([_entry(dept, text) for text in numbers], pa.int64())
    native = [n for n in table.column_names if n not in SERVICE]
    columns = [table[n] if n in TRACE else _unguarded(table[n]) for n in native]
    found.table = pa.table(columns, names=native)
    found.warnings += _unknown(name, numbers, entries)
    return ReturnedRows(found, entries)


def placed(rows: ReturnedRows, origin: dict[int, tuple[str, int]]) -> pa.Table:
    """The rows, those named in `origin` (entry → file, row) under the place where they were first read."""
    table = rows.found.table
    places = [origin.get(n) if n is not None else None for n in rows.entries.to_pylist()]
    for column, part in ((FILE, 0), (ROW, 1)):
        old = table[column].to_pylist()
        new = [place[part] if place else value for place, value in zip(places, old, strict=True)]
        at = table.column_names.index(column)
        table = table.set_column(at, column, pa.array(new, table.schema.field(column).type))
    return table


def _as_returned(dept: Department, sheet: str) -> Department:
    """The department as if its source were this sheet."""
    source = dept.source.model_copy(
        update={"kind": "workbook", "sheet": sheet, "header_contains": LEADING, "fill_merged": True}
    )
    return dept.model_copy(update={"source": source, "ignore": (*dept.ignore, *SERVICE)})


def _entry(dept: Department, text: str | None) -> int | None:
    match = _NUMBER.fullmatch(plain(text))
    if match is None:
        return None
    entry = int(match[2])
    return entry if return_number(dept.key, entry).lower() == f"{dept.key}-{entry}-{match[3]}".lower() else None


def _unknown(name: str, numbers: list[str | None], entries: pa.Array) -> list[str]:
    bad = [text for text, entry in zip(numbers, entries.to_pylist(), strict=True) if text and entry is None]
    shown = "、".join(bad[:5])
    return (
        [f"文件《{name}》有 {len(bad)} 行的退回编号不对（{shown}），按新交的行处理。退回编号请不要改动。"]
        if bad
        else []
    )


def _unguarded(column: pa.ChunkedArray) -> pa.Array:
    return pa.array([unguard(text) for text in column.to_pylist()], pa.string())
