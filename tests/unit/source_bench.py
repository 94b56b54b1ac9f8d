"""Small departments, real files and servers for the tests of `sources` and `standardize`.

Belongs here: builders. Must not: anything of `mock_platforms`; expectations.
"""

from __future__ import annotations

import io
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter

from zz_pipeline.settings import CHECKOUT, Department, Settings, load_settings
from zz_pipeline.sources import Window

DAY = date(2026, 11, 20)
WINDOW = Window(DAY, datetime.combine(DAY, time()), datetime.combine(DAY + timedelta(days=1), time()))
HEADINGS = ("编号", "单位名称", "信用代码", "检查日期", "检查结果", "备注", "检查单位", "状态")
COLUMNS: dict[str, dict[str, Any]] = {
    "record_no": {"heading": "编号"},
    "subject_name": {"heading": "单位名称"},
    "uscc": {"heading": "信用代码"},
    "inspect_date": {"heading": "检查日期"},
    "result": {"heading": "检查结果"},
    "remark": {"heading": "备注"},
}


def department(
    kind: str, columns: dict[str, dict[str, Any]] | None = None, ignore: tuple[str, ...] = (), **source: Any
) -> Department:
    """A department with eight headings and the given source."""
    return Department.model_validate(
        {
            "key": "SLJ",
            "name": "周至县样例局",
            "short": "县样例局",
            "aliases": ("样例局",),
            "uscc": "11610124YY00000449",
            "owner_column": "检查单位",
            "void_column": "状态",
            "void_values": ("作废",),
            "ignore": ignore,
            "columns": COLUMNS if columns is None else columns,
            "source": {"kind": kind} | source,
        }
    )


def settings(home: Path) -> Settings:
    """The checkout's own configuration over an empty home, with an inbox for the department."""
    (home / "inbox" / "SLJ").mkdir(parents=True, exist_ok=True)
    return load_settings(CHECKOUT / "config", home, env={})


def row(number: str = "2026-0001", **changes: Any) -> list[Any]:
    """One good row under `HEADINGS`."""
    cells: dict[str, Any] = dict(
        zip(
            HEADINGS,
            (number, "周至县样例甲有限公司", "91610124YY000001XB", "2026-11-20", "未发现问题", "", "县样例局", "正常"),
            strict=True,
        )
    )
    return list((cells | changes).values())


def workbook(rows: list[list[Any]], fill: Any = None, **sheet: Any) -> bytes:
    """A real workbook: rows from the top; `fill(book, sheet)` adds what rows cannot say."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False})
    page = book.add_worksheet(sheet.get("name", "检查结果"))
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for y, cells in enumerate(rows):
        for x, cell in enumerate(cells):
            if isinstance(cell, date):
                page.write_datetime(y, x, cell, day)
            elif cell not in (None, ""):
                page.write(y, x, cell)
    if fill:
        fill(book, page)
    book.close()
    return buffer.getvalue()


def hand_in(home: Path, name: str, content: bytes) -> Path:
    """Put a file into the department's inbox."""
    path = home / "inbox" / "SLJ" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
