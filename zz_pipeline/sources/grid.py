"""A sheet or CSV as people lay it out → its heading row and its data rows.

Belongs here: finding the heading row, leaving out what is no data (titles, totals, notes, repeated headings), counted.
Must not: reading files, the meaning of a value. A row that is not surely one of these stays data and is judged there.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from zz_pipeline.errors import SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources.base import COLUMNS, LONGEST_CELL, text_table
from zz_pipeline.standard.tables import INSPECTION

SEARCH_ROWS = 30
BLANK, TOTAL, NOTE, REPEATED = "空行", "合计行", "填表说明或签章行", "重复表头"

_TOTAL = re.compile(r"(本页|本表|全县|累计)?(合计|总计|小计|共计|累计)(户数|数)?[:：]?")
# What stands below a table: its explanation, who filled it in, and the numbered lines that go on with it.
# Compared after `plain`, so brackets and colons are half-width here.
_NOTE = re.compile(
    r"(填表|填报|制表|编制|指标|有关)(说明|须知|要求)|(说明|须知|备注|附注|注释?)[\d一二三四五]?[:.]|合计行|"
    r"(填报|填表|制表|审核|复核|统计|报送|经办|联系|单位|检查)?(单位|部门|人员?|负责人|日期|时间|电话|领导)"
    r"(\(?(签字|签章|盖章|公章)\)?)?:|\(?(盖章|公章|签字|签章)\)?$"
)
_NUMBER = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of texts with their numbers as a person sees them, and why a row is held (hidden, struck through), if so."""

    rows: Sequence[Sequence[str | None]]
    numbers: Sequence[int]
    marks: Sequence[str | None]


@dataclass(slots=True)
class Found:
    """The data rows of a grid under the department's own headings."""

    table: pa.Table
    skipped: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


def plain(text: str | None) -> str:
    """A heading as it is compared: half-width, no blanks or line breaks."""
    tight = "".join(unicodedata.normalize("NFKC", text or "").split())
    return unicodedata.normalize("NFKC", tight)  # a mark that stood alone may have come to a letter


def native_headings(dept: Department) -> dict[str, str]:
    """Every heading the department's file names, by its compared form."""
    mapped = [h for spec in dept.columns.values() for h in (spec.heading, *spec.headings)]
    names = [*mapped, *dept.ignore, dept.owner_column, dept.void_column, dept.source.changed_at]
    return {plain(name): name for name in names if name}


def required_headings(dept: Department) -> tuple[str, ...]:
    """Headings without which the file is not this department's layout."""
    fields = {f.name for f in INSPECTION.fields if f.required} - {"record_key"}
    names = [h for name, spec in dept.columns.items() if name in fields for h in (spec.heading, *spec.headings)]
    return tuple(name for name in (*names, dept.owner_column, dept.void_column) if name)


def find_header(dept: Department, grid: Grid) -> int | None:
    """Index of the heading row within the first rows: by `header_contains`, else the best match; None if there is none."""
    wanted = {plain(text) for text in dept.source.header_contains}
    known = set(native_headings(dept))
    best, best_hits = None, 0
    for index, row in enumerate(grid.rows[:SEARCH_ROWS]):
        cells = {plain(cell) for cell in row if cell}
        if wanted and len(cells) >= len(wanted) and all(any(word in cell for cell in cells) for word in wanted):
            return index
        hits = len(cells & known)
        if not wanted and hits > best_hits:
            best, best_hits = index, hits
    return best if best_hits * 2 >= len(known) else None


def read_grid(dept: Department, grid: Grid, header: int, name: str) -> Found:
    """Data rows below the heading row; SourceRefused if headings are missing or repeated."""
    raw = grid.rows[header]
    columns = _columns(dept, raw, grid.rows[header + 1 :], name)
    found = Found(pa.table({}))
    known = native_headings(dept)
    key = (
        next((i for i, h in columns if h == dept.columns["record_no"].heading), None)
        if "record_no" in dept.columns
        else None
    )
    kept: list[int] = []
    in_notes = False
    for index in range(header + 1, len(grid.rows)):
        reason = _reason(grid.rows[index], raw, key, in_notes)
        in_notes = reason == NOTE or (in_notes and reason is not None)
        if reason is None:
            kept.append(index)
        else:
            found.skipped[reason] += 1
    rows = [[_cell(grid.rows[i], place) for place, _ in columns] for i in kept]
    _refuse_endless(columns, rows, [grid.numbers[i] for i in kept])
    found.table = text_table(
        [h for _, h in columns], rows, name, [grid.numbers[i] for i in kept], [grid.marks[i] for i in kept]
    )
    absent = [h for h in known.values() if h not in {c for _, c in columns} and h not in dept.ignore]
    if absent:
        found.warnings.append(f"文件《{name}》没有列：{'、'.join(absent)}。这些内容按空值处理，请核对是否改了表样。")
    return found


def _refuse_endless(
    columns: Sequence[tuple[int, str]], rows: Sequence[Sequence[str | None]], numbers: Sequence[int]
) -> None:
    for number, row in zip(numbers, rows, strict=True):
        for (_, heading), cell in zip(columns, row, strict=True):
            if cell and len(cell) > LONGEST_CELL:
                raise SourceRefused(
                    f"第 {number} 行“{heading}”有 {len(cell)} 字，一格最多 {LONGEST_CELL} 字。请删减这一格，或检查引号是否成对，改正后重交。"
                )


def _columns(
    dept: Department, raw: Sequence[str | None], below: Sequence[Sequence[str | None]], name: str
) -> list[tuple[int, str]]:
    """(place, heading) of the columns; a known heading in the department's own spelling, an empty column left out."""
    known = native_headings(dept)
    columns: list[tuple[int, str]] = []
    width = max([len(raw), *(len(row) for row in below)])
    if width > COLUMNS:
        raise SourceRefused(f"表有 {width} 列，最多 {COLUMNS} 列。请删去多余的空列，核对分隔符后重交。")
    for place in range(width):
        text = _cell(raw, place)
        if text:
            columns.append((place, known.get(plain(text), plain(text))))
        elif any(_cell(row, place) for row in below):
            columns.append((place, f"第{place + 1}列（无表头）"))
    counts = Counter(h for _, h in columns)
    twice = [h for h, n in counts.items() if n > 1 and plain(h) in known and h not in dept.ignore]
    if twice:
        raise SourceRefused(f"表头中“{'、'.join(twice)}”出现了不止一次，分不清用哪一列。请删去多余的列后重交。")
    missing = [h for h in required_headings(dept) if h not in counts]
    if missing:
        raise SourceRefused(f"缺少必需的列：{'、'.join(missing)}。请按原表样补上这些列后重交。")
    return _unique(columns)


def _unique(columns: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    seen: Counter[str] = Counter()
    result = []
    for place, heading in columns:
        seen[heading] += 1
        result.append((place, heading if seen[heading] == 1 else f"{heading}#{seen[heading]}"))
    return result


def _reason(row: Sequence[str | None], header: Sequence[str | None], key: int | None, in_notes: bool) -> str | None:
    """Why a row is no data, or None."""
    filled = [cell for cell in row if cell and cell.strip()]
    if not filled:
        return BLANK
    same = sum(1 for a, b in zip(row, header, strict=False) if a and plain(a) == plain(b))
    if same * 5 >= sum(1 for cell in header if cell) * 4:
        return REPEATED
    number = plain(_cell(row, key)) if key is not None else ""
    first = plain(filled[0])
    if _TOTAL.fullmatch(first) and number in ("", first):
        return TOTAL
    if len(filled) <= 4 and number in ("", first) and all(_NOTE.match(plain(cell)) for cell in filled):
        return NOTE
    if len(filled) == 1 and in_notes and not _NUMBER.fullmatch(number):
        return NOTE
    return None


def _cell(row: Sequence[str | None], place: int) -> str | None:
    return row[place] if place < len(row) else None
