"""A department's .xlsx: values exactly as the cells hold them, merged cells filled down, one table of texts.

Belongs here: cells → texts. Must not: the package's safety (`_xlsx`), what is data (`grid`), meaning.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from zz_pipeline.errors import SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources._xlsx import Marks, Package, date_system, open_package, sheet_marks
from zz_pipeline.sources.base import CELLS, ROW, exact_text
from zz_pipeline.sources.grid import SEARCH_ROWS, Found, Grid, find_header, read_grid
from zz_pipeline.standard.tables import INSPECTION

_SERIAL = re.compile(r"\s*[0-9]{5}(?:\.[0-9]+)?\s*")


class Book:
    """An opened workbook. A sheet's limits are kept before the reader touches it: it dies of what it cannot hold."""

    def __init__(self, package: Package) -> None:
        self.package = package

    @cached_property
    def _book(self) -> CalamineWorkbook:
        return CalamineWorkbook.from_filelike(io.BytesIO(self.package.content))

    @property
    def visible(self) -> list[str]:
        """Names of the sheets that a person sees, in their order."""
        return [s.name for s in self._book.sheets_metadata if s.visible == SheetVisibleEnum.Visible]

    def sheet(self, name: str) -> tuple[Any, Marks]:
        """The reader's sheet and the marks of its cells; SourceRefused if it is absurdly large."""
        marks = sheet_marks(self.package, name)
        return self._book.get_sheet_by_name(name), marks


@contextmanager
def opened(content: bytes) -> Iterator[Book]:
    """A workbook for the time of reading; whatever goes wrong in the reader is a SourceRefused."""
    package = open_package(content)
    try:
        yield Book(package)
    except CalamineError as error:
        raise SourceRefused("工作簿读不出来，内部有缺失或矛盾。请用 Excel 打开核对，另存后重交。") from error
    except BaseException as error:
        # a panic inside the reader derives from BaseException, and would end the whole night for one bad file
        if type(error).__name__ != "PanicException":
            raise
        raise SourceRefused("工作簿内部前后矛盾，读不出来。请用 Excel 打开核对，另存后重交。") from error


def read_workbook(dept: Department, name: str, content: bytes) -> Found:
    """Data rows of the declared or first visible sheet; SourceRefused with the reason in Chinese."""
    with opened(content) as book:
        found = read_sheet(dept, name, book)
        if (own := date_system(book.package)) != dept.source.date_system:
            _refuse_serials(dept, found.table, own)
        return found


def _refuse_serials(dept: Department, table: pa.Table, own: str) -> None:
    """A day written as a number, in a workbook that counts days otherwise than declared, is one of two days."""
    fields = {f.name for f in INSPECTION.fields if f.type in ("date", "datetime")}
    dated = {spec.heading for name, spec in dept.columns.items() if name in fields} | {dept.source.changed_at}
    for heading in dated & set(table.column_names):
        for row, text in zip(table[ROW].to_pylist(), table[heading].to_pylist(), strict=True):
            if text and _SERIAL.fullmatch(text):
                raise SourceRefused(
                    f"工作簿按 {own} 日期系统计日，登记的是 {dept.source.date_system}，第 {row} 行“{heading}”里的数字会差四年，"
                    f"不知是哪一天。请把日期写成 2026-11-20 这样的文字后重交，或请管理员核对登记的 date_system。"
                )


def read_sheet(dept: Department, name: str, book: Book) -> Found:
    """Data rows of the declared or first visible sheet of an opened workbook."""
    visible = book.visible
    sheet = _choose(dept, visible)
    grid = _grid(dept, *book.sheet(sheet))
    header = find_header(dept, grid)
    if header is None:
        raise SourceRefused(f"工作表“{sheet}”的前 30 行里找不到表头。请核对是否交错了表，或表样已改而未登记。")
    found = read_grid(dept, grid, header, name)
    found.warnings += _other_sheets(dept, book, name, [s for s in visible if s != sheet])
    return found


def _choose(dept: Department, visible: list[str]) -> str:
    wanted = dept.source.sheet
    if wanted and wanted not in visible:
        raise SourceRefused(f"没有名为“{wanted}”的工作表（现有：{'、'.join(visible)}）。请按原表样改回表名后重交。")
    if not visible:
        raise SourceRefused("工作簿里没有可见的工作表。请取消隐藏后重交。")
    return wanted or visible[0]


def _other_sheets(dept: Department, book: Book, name: str, others: list[str]) -> list[str]:
    """A warning for each further sheet that holds the same table: it was not read."""
    warnings = []
    for sheet in others:
        head = book.sheet(sheet)[0].to_python(skip_empty_area=False, nrows=SEARCH_ROWS)
        rows = [[exact_text(cell) for cell in row] for row in head]
        if find_header(dept, Grid(rows, range(1, len(rows) + 1), [None] * len(rows))) is not None:
            warnings.append(f"文件《{name}》的工作表“{sheet}”也是同样的表，没有读取。如有数据，请移到第一张表后重交。")
    return warnings


def _grid(dept: Department, cells: Any, marks: Marks) -> Grid:
    rows = [[_text(cell) for cell in row] for row in cells.to_python(skip_empty_area=False)]
    for (row, column), text in marks.errors.items():
        if row < len(rows) and column < len(rows[row]):
            rows[row][column] = text  # the reader gives an error cell as empty; empty would be a value nobody wrote
    if dept.source.fill_merged:
        _fill_merged(rows, cells.merged_cell_ranges or [])
    return Grid(rows, range(1, len(rows) + 1), [marks.rows.get(i) for i in range(len(rows))])


def _text(cell: Any) -> str | None:
    """A cell's exact text. Programs count the first sixty days of 1900 differently: such a day stays unreadable (STD-003)."""
    if isinstance(cell, date) and (cell.year, cell.month) < (1900, 3):
        return f"{cell.isoformat()[:10]}（1900 年初的日期格）"
    return exact_text(cell)


def _fill_merged(rows: list[list[str | None]], ranges: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """The value of a merged cell in every row that it covers (in its first column)."""
    if sum(max(min(bottom, len(rows)) - top, 0) for (top, _), (bottom, _) in ranges) > CELLS:
        raise SourceRefused("工作簿里的合并单元格多得不正常。请取消合并、补齐内容后另存重交。")
    for (top, left), (bottom, _right) in ranges:
        if top < len(rows) and left < len(rows[top]):
            for row in range(top + 1, min(bottom + 1, len(rows))):
                rows[row][left] = rows[top][left]
