"""A department's CSV in its declared encoding, read strictly.

Belongs here: bytes → rows of texts. Must not: guessing an encoding, mending a row, meaning.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator

from zz_pipeline.errors import ConfigError, SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources.base import CELLS
from zz_pipeline.sources.grid import Found, Grid, find_header, read_grid
from zz_pipeline.sources.signs import foreign

BYTES = 100 * 1024 * 1024
_FIELD = 1_000_000  # characters in one cell before the parser stops; an unclosed quote swallows the file and ends here
_UTF8_NAMES = ("utf-8", "utf-8-sig", "utf8")
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")
_HANZI = re.compile("[\u4e00-\u9fff]")
# What the csv module says of a broken row → what a clerk is told.
_BROKEN = {
    "field larger than field limit": f"有一格超过 {_FIELD // 10_000} 万字",
    "unexpected end of data": "有引号没有结束",
    "expected after": "引号后面还有内容",
}


def read_csv(dept: Department, name: str, content: bytes) -> Found:
    """Data rows of a CSV file; SourceRefused names row and reason in Chinese."""
    _check_kind(content)
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


def _check_kind(content: bytes) -> None:
    if len(content) > BYTES:
        limit = BYTES // 1048576
        raise SourceRefused(f"文件有 {len(content) / 1048576:.0f} MiB，超过 {limit} MiB 的上限。请拆成几个文件后重交。")
    if not content:
        raise SourceRefused("文件是空的，一个字也没有。请重新导出后再交；当天没有检查的，不用交文件。")
    if kind := foreign(content):
        raise SourceRefused(f"其实是{kind}，不是 CSV 文本。请从系统里重新导出 CSV，或在表格软件里另存为 CSV 后重交。")


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
    if told := _utf16(content) or ("" if utf8 else _utf8_line(content, encoding)):
        raise SourceRefused(told)
    if "\x00" in text:
        raise SourceRefused(
            f"第 {text[: text.index(chr(0))].count(chr(10)) + 1} 行含有空字符，文件已损坏。请重新导出。"
        )
    return text


def _other_encoding(content: bytes, encoding: str) -> str:
    """The likely reason why a file is unreadable in its declared encoding; "" if it is another one."""
    if told := _utf16(content):
        return told
    if encoding.lower() in _UTF8_NAMES or content.isascii():
        return ""
    if content.startswith(codecs.BOM_UTF8) or _is_utf8(content):
        return f"文件是 UTF-8 编码，登记的是 {encoding}。请按登记的编码另存，或请管理员改登记。"
    return _utf8_line(content, encoding)


def _utf16(content: bytes) -> str:
    """Every second byte of western signs is zero in UTF-16: headings, commas and numbers show it without a mark, too."""
    head = content[:4000]
    zeros = max(head[0::2].count(0), head[1::2].count(0))
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and zeros * 8 < len(head):
        return ""
    return "文件是 UTF-16（“Unicode 文本”）编码。请按登记的编码另存后重交。"


def _utf8_line(content: bytes, encoding: str) -> str:
    """A line that says something in UTF-8 would be read as other characters: GB18030 takes nearly any bytes for text."""
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.isascii() and _is_utf8(line):
            return f"第 {number} 行是 UTF-8 编码，登记的是 {encoding}。请把整个文件按登记的编码另存后重交，或请管理员改登记。"
    return ""


def _is_utf8(content: bytes) -> bool:
    try:
        return _HANZI.search(content.decode("utf-8")) is not None
    except UnicodeDecodeError:
        return False


def _rows(text: str, delimiter: str) -> list[list[str | None]]:
    cells = text.count(delimiter) + text.count("\n") + text.count("\r")
    if cells > CELLS:
        raise SourceRefused(
            f"文件里约有 {cells} 格，超过 {CELLS} 格的上限。请核对有没有多余的分隔符，或拆成几个文件后重交。"
        )
    previous = csv.field_size_limit(_FIELD)
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    rows: list[list[str | None]] = []
    try:
        rows.extend([cell or None for cell in row] for row in reader)
    except csv.Error as error:
        why = next((words for sign, words in _BROKEN.items() if sign in str(error)), "读不下去")
        raise SourceRefused(f"第 {len(rows) + 1} 行断裂：{why}。请检查引号是否成对，重新导出后再交。") from error
    finally:
        csv.field_size_limit(previous)
    return rows


def _lines(text: str) -> Iterator[str]:
    """Lines with their ends, one at a time: a StringIO would hold the text once more, at four bytes a character."""
    return (match[0] for match in _LINE.finditer(text) if match[0])


def _check_widths(rows: list[list[str | None]], header: int, found: Found) -> None:
    """Every data row has the heading's number of cells: a shifted row would put values under wrong headings."""
    width = len(rows[header])
    for number in found.table["_row"].to_pylist():
        row = rows[number - 1]
        if len(row) < width or any(row[width:]):
            raise SourceRefused(
                f"第 {number} 行有 {len(row)} 格，表头有 {width} 格，内容可能错位。请检查这一行的分隔符和引号后重交。"
            )
