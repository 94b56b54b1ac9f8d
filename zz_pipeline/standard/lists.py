"""The county's reference lists as Arrow tables: check items, inspectors, plans, tasks, subjects.

Belongs here: reading the list files once by an explicit call; their columns are declared in `tables.REGISTERS`.
Must not: judging a record by a list (that is a rule), default lists.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard.tables import REGISTERS

# Headings of the list files. Every column is read as text: a code that became a number is no code.
LISTS: dict[str, tuple[str, ...]] = {
    name: tuple(f.name for f in register.fields) for name, register in REGISTERS.items() if name != "departments"
}


@dataclass(frozen=True, slots=True)
class Lists:
    """The five lists; each a table of text columns as `LISTS` names them, an empty cell is null."""

    items: pa.Table
    inspectors: pa.Table
    plans: pa.Table
    tasks: pa.Table
    subjects: pa.Table

    @classmethod
    def load(cls, folder: Path) -> Lists:
        """Read `<folder>/<name>.csv` (UTF-8, BOM allowed); ConfigError names file, line and remedy."""
        return cls(**{name: _read(folder / f"{name}.csv", columns) for name, columns in LISTS.items()})

    @classmethod
    def of(cls, **rows: list[dict[str, str | None]]) -> Lists:
        """Lists from rows in memory; a list not given is empty."""
        return cls(**{f.name: pa.Table.from_pylist(rows.get(f.name, []), schema(f.name)) for f in fields(cls)})


def schema(name: str) -> pa.Schema:
    """Arrow schema of a list: its columns in order, all text."""
    return pa.schema([pa.field(column, pa.string()) for column in LISTS[name]])


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        places = _places(path, [cell.strip() for cell in next(rows, [])], columns)
        body = [_row(path, rows.line_num, row, places) for row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ConfigError(f"{path} 第 {rows.line_num} 行不是合格的 CSV（{error}）。请检查引号是否成对。") from None
    cells = {column: pa.array([row[places[column]] or None for row in body], pa.string()) for column in columns}
    return pa.table(cells, schema=schema(path.stem))


def _places(path: Path, heading: list[str], columns: tuple[str, ...]) -> dict[str, int]:
    missing = [column for column in columns if heading.count(column) != 1]
    if missing:
        raise ConfigError(f"{path} 的表头里，{'、'.join(missing)} 应各有且只有一列。表头应为 {','.join(columns)}。")
    return {name: i for i, name in enumerate(heading)}


def _row(path: Path, line: int, row: list[str], places: dict[str, int]) -> list[str]:
    if len(row) != len(places):
        raise ConfigError(f"{path} 第 {line} 行有 {len(row)} 格，表头有 {len(places)} 格。请补齐或加上引号。")
    return [cell.strip() for cell in row]


def _text(path: Path) -> str:
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"缺少名录文件 {path}。请从名录库导出，放到 lists 文件夹。") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} 第 {error.start + 1} 个字节起不是 UTF-8。请另存为 UTF-8 编码的 CSV。") from None
    if "\x00" in text:
        raise ConfigError(f"{path} 含有空字符，文件已损坏。请重新导出。")
    return text
