"""Blocks → a workbook as clerks hand it in: titles above, merged record cells, totals and notes below.

Belongs here: placing of cells and their formats. Must not: words and date forms (`cells`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import xlsxwriter

from mock_platforms.county.cells import Block, numbered
from mock_platforms.county.layout_model import Column, Layout

_LITERAL = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


class _Sheet:
    """One sheet being filled from the top; knows the next free row."""

    def __init__(self, book: Any, layout: Layout) -> None:
        self.layout = layout
        self.sheet = book.add_worksheet(layout.sheet or "Sheet1")
        self.title = book.add_format({"bold": True, "align": "center", "font_size": 14})
        self.bold = book.add_format({"bold": True, "border": 1})
        self.plain = book.add_format({"valign": "vcenter", "text_wrap": True})
        self.day = book.add_format({"num_format": "yyyy/m/d", "valign": "vcenter"})
        self.moment = book.add_format({"num_format": "yyyy/m/d hh:mm:ss", "valign": "vcenter"})
        self.row = 0

    def titles(self) -> None:
        for text in self.layout.titles:
            self.sheet.merge_range(self.row, 0, self.row, len(self.layout.columns) - 1, text, self.title)
            self.row += 1

    def heading(self) -> None:
        for place, column in enumerate(self.layout.columns):
            self.sheet.write_string(self.row, place, column.heading, self.bold)
        self.row += 1

    def block(self, block: Block) -> None:
        merged = self.layout.merged and len(block.rows) > 1
        if merged:
            self._merge(self.row, self.row + len(block.rows) - 1)
        for row in block.rows:
            for place, column in enumerate(self.layout.columns):
                if column.of_item or row.first or not self.layout.merged:
                    self._cell(self.row, place, _typed(column, row.cells[place]))
            self.row += 1

    def _merge(self, first: int, last: int) -> None:
        for place, column in enumerate(self.layout.columns):
            if not column.of_item:
                self.sheet.merge_range(first, place, last, place, "", self.plain)

    def _cell(self, row: int, place: int, value: Any) -> None:
        if value is None or value == "":
            self.sheet.write_blank(row, place, None, self.plain)
        elif isinstance(value, datetime):
            self.sheet.write_datetime(row, place, value, self.moment)
        elif isinstance(value, date):
            self.sheet.write_datetime(row, place, datetime.combine(value, time()), self.day)
        elif isinstance(value, int | float):
            self.sheet.write_number(row, place, value, self.plain)
        else:
            self.sheet.write_string(row, place, str(value), self.plain)

    def feet(self, records: int) -> None:
        if self.layout.notes:
            self.sheet.write_string(self.row, 0, "合计", self.bold)
            place = next(n for n, c in enumerate(self.layout.columns) if c.field == "subject_name")
            self.sheet.write_string(self.row, place, f"{records}户", self.bold)
            self.row += 1
        for text in self.layout.notes:
            self.sheet.merge_range(self.row, 0, self.row, len(self.layout.columns) - 1, text, self.plain)
            self.row += 1


def write_workbook(path: Path, layout: Layout, blocks: Sequence[Block], day: date) -> None:
    """One workbook; `day` is its date of creation, so that the same blocks give the same bytes."""
    book = xlsxwriter.Workbook(str(path), _LITERAL)
    book.set_properties({"created": datetime.combine(day, time(18)), "title": path.stem})
    if layout.sheet:
        book.add_worksheet("说明").write_string(0, 0, "请在第二张表填写，勿改动表头。")
    sheet = _Sheet(book, layout)
    sheet.titles()
    for number, block in enumerate(numbered(blocks, layout)):
        if number == 0 or (layout.repeat_heading and number % layout.repeat_heading == 0):
            sheet.heading()
        sheet.block(block)
    sheet.feet(len(blocks))
    book.close()


def _typed(column: Column, value: Any) -> Any:
    """A number cell where the column holds numbers and the text is one without leading zeros."""
    if column.type == "N" and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value) if value == str(int(value)) else value
    return value
