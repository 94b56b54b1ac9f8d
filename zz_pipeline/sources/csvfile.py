"""A department's CSV in its declared encoding, read strictly.

Belongs here: bytes → rows of texts. Must not: guessing an encoding, mending a row, meaning.
"""

from __future__ import annotations

import csv
import io

from zz_pipeline.errors import ConfigError, SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources.grid import Found, Grid, find_header, read_grid

BYTES = 200 * 1024 * 1024
_FIELD = 1_000_000  # characters in one cell; an unclosed quote swallows the file and ends here
_UTF8_NAMES = ("utf-8", "utf-8-sig", "utf8")


def read_csv(dept: Department, name: str, content: bytes) -> Found:
    """Data rows of a CSV file; SourceRefused names row and reason in Chinese."""
    if len(content) > BYTES:
        raise SourceRefused(f"文件有 {len(content) / 1048576:.0f} MiB，超过 200 MiB 的上限。请拆成几个文件后重交。")
    rows = _rows(_decode(content, dept.source.encoding), dept.source.delimiter)
    grid = Grid(rows, range(1, len(rows) + 1), [None] * len(rows))
    header = find_header(dept, grid)
    if header is None:
        raise SourceRefused(
            _other_encoding(content, dept.source.encoding)
            or "前 30 行里找不到表头。请核对分隔符和表样，是否交错了文件。"
        )
    found = read_grid(dept, grid, header, name)
    _check_widths(rows, header, found)
    return found


def _decode(content: bytes, encoding: str) -> str:
    if not encoding:
        raise ConfigError("部门目录里的 csv 来源没有写 encoding。请写明 gb18030 或 utf-8-sig。")
    utf8 = encoding.lower() in _UTF8_NAMES
    try:
        text = content.decode("utf-8-sig" if utf8 else encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        told = _other_encoding(content, encoding) or f"第 {line} 行不是 {encoding} 编码。请按登记的编码另存后重交。"
        raise SourceRefused(told) from error
    if "\x00" in text:
        raise SourceRefused(
            f"第 {text[: text.index(chr(0))].count(chr(10)) + 1} 行含有空字符，文件已损坏。请重新导出。"
        )
    return text


def _other_encoding(content: bytes, encoding: str) -> str:
    """The likely reason why a file is unreadable in its declared encoding; "" if it is another one."""
    if encoding.lower() in _UTF8_NAMES or content.isascii():
        return ""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return f"文件是 UTF-8 编码，登记的是 {encoding}。请按登记的编码另存，或请管理员改登记。"


def _rows(text: str, delimiter: str) -> list[list[str | None]]:
    previous = csv.field_size_limit(_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str | None]] = []
    try:
        rows.extend([cell or None for cell in row] for row in reader)
    except csv.Error as error:
        raise SourceRefused(f"第 {len(rows) + 1} 行断裂（{error}）。请检查引号是否成对，重新导出后再交。") from error
    finally:
        csv.field_size_limit(previous)
    return rows


def _check_widths(rows: list[list[str | None]], header: int, found: Found) -> None:
    """Every data row has the heading's number of cells: a shifted row would put values under wrong headings."""
    width = len(rows[header])
    for number in found.table["_row"].to_pylist():
        row = rows[number - 1]
        if len(row) < width or any(row[width:]):
            raise SourceRefused(
                f"第 {number} 行有 {len(row)} 格，表头有 {width} 格，内容可能错位。请检查这一行的分隔符和引号后重交。"
            )
