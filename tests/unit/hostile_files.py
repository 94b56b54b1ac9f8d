"""Hostile CSV files and hostile names.

Belongs here: builders by code, one line of the table for each. Must not: workbooks, reading anything with the product.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.hostile_case import LOOK, RESIDENT, Maker, back, no, read
from tests.unit.hostile_county import HEADINGS, PINYIN


def _cell(heading: str, value: str) -> Callable[[Maker], bytes]:
    """A UTF-8 file of one good record and one whose cell holds the value."""
    return lambda m: m.text(m.row(), m.row(**{heading: value})).encode()


def _gb(m: Maker, *rows: list[Any]) -> bytes:
    return m.text(*(rows or (m.row(),))).encode("gb18030")


def _mixed(m: Maker) -> bytes:
    """A GB18030 table under which somebody has appended a line in UTF-8."""
    line = m.text(m.row(备注=f"后来补的 {LOOK}")).splitlines()[1]
    return _gb(m, m.row()) + line.encode() + b"\r\n"


def _unclosed(m: Maker) -> bytes:
    text = m.text(m.row(), m.row(备注="@"), m.row(), m.row())
    return text.replace("@", f'"没有结束的引号 {RESIDENT}').encode()


def _ragged(change: Callable[[str], str]) -> Callable[[Maker], bytes]:
    def build(m: Maker) -> bytes:
        lines = m.text(m.row(), m.row(备注=LOOK), m.row()).splitlines()
        return "\r\n".join([*lines[:2], change(lines[2]), *lines[3:]]).encode()

    return build


def _wide(columns: int) -> Callable[[Maker], bytes]:
    head = (*HEADINGS, *(f"列{n}" for n in range(columns)))
    return lambda m: m.text([*m.row(), *["x"] * columns], head=head).encode()


def _pua(m: Maker) -> bytes:
    """A company's rare character in a private place of GBK: nobody else sees what the clerk saw."""
    return _gb(m, m.row(), m.row(单位名称="周至县样例@有限公司")).replace(b"@", b"\xaa\xa1")


def _html(m: Maker) -> bytes:
    cells = "".join(f"<td>{cell}</td>" for cell in m.row())
    return f"<html><table><tr>{cells}</tr></table></html>".encode()


def _commas(_m: Maker) -> bytes:
    """A short file that asks for millions of cells."""
    return (",".join(HEADINGS) + "\r\n" + "," * 30_000_000).encode()


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 4
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj << /Type /Catalog >> endobj\n%%EOF\n"
MILLION, CELL = 1_000_000, 32_767

CSV = (
    # encodings
    read("UTF-8无标记.csv", "JUT", 1, lambda m: m.text(m.row()).encode()),
    read("UTF-8有标记.csv", "JUT", 1, lambda m: m.text(m.row()).encode("utf-8-sig")),
    read("国标.csv", "JGB", 1, _gb),
    read("国标四字节.csv", "JGB", 1, lambda m: _gb(m, m.row(单位名称="周至县样例𠮷有限公司"))),
    back("国标自造字.csv", "JGB", "INS-002 INS-038", _pua, rows=1),
    no("登记国标交来UTF-8.csv", "JGB", "UTF-8 gb18030 另存", lambda m: m.text(m.row()).encode()),
    no("登记国标交来UTF-8有标记.csv", "JGB", "UTF-8 另存", lambda m: m.text(m.row()).encode("utf-8-sig")),
    no("登记UTF-8交来国标.csv", "JUT", "不是 utf-8-sig 另存", _gb),
    no("拼音表头UTF-8.csv", "JPY", "UTF-8 另存", lambda m: m.text(m.row(), head=PINYIN).encode()),
    read("拼音表头国标.csv", "JPY", 1, lambda m: m.text(m.row(), head=PINYIN).encode("gb18030")),
    no("一行是另一种编码.csv", "JGB", "第 3 行 UTF-8", _mixed),
    no("UTF-16小端.csv", "JUT", "UTF-16 另存", lambda m: m.text(m.row()).encode("utf-16")),
    no("UTF-16小端无标记.csv", "JGB", "UTF-16 另存", lambda m: m.text(m.row()).encode("utf-16-le")),
    no("UTF-16大端.csv", "JGB", "UTF-16 另存", lambda m: b"\xfe\xff" + m.text(m.row()).encode("utf-16-be")),
    no("UTF-16大端无标记.csv", "JUT", "UTF-16 另存", lambda m: m.text(m.row()).encode("utf-16-be")),
    no("繁体大五码.csv", "JGB", "请", lambda m: m.text(m.row()).encode("big5", "replace")),
    no("西文编码.csv", "JUT", "第 1 行", lambda m: m.text(m.row(), head=("Prüfung", *HEADINGS[1:])).encode("latin-1", "replace")),
    # characters
    no("空字符.csv", "JUT", "第 2 行 空字符", lambda m: m.text(m.row(备注="甲\x00乙")).encode()),
    read("方向控制符.csv", "JUT", 2, _cell("备注", "\u202e整改\u202c\u2066完成\u2069")),
    back("编号里有零宽字符.csv", "JUT", "STD-006", _cell("信用代码", "91610124\u200bYY00000XB"), rows=1),
    read("名称里有零宽字符.csv", "JUT", 2, _cell("单位名称", "周至县\u200b样例\ufeff零宽有限公司")),
    back("丢过字的名称.csv", "JUT", "INS-002 INS-038", _cell("单位名称", "周至县\ufffd样例有限公司"), rows=1),
    back("控制字符.csv", "JUT", "INS-038", _cell("备注", "甲\x1b[31m红字\x07乙"), rows=1),
    read("全角.csv", "JUT", 2, _cell("执法证号", "２７０１０１２２００１、２７０１０１２２００２")),
    # lines and cells
    read("只有回车.csv", "JUT", 2, lambda m: m.text(m.row(), m.row(), end="\r").encode()),
    read("末行无换行.csv", "JUT", 1, lambda m: m.text(m.row()).rstrip().encode()),
    read("格内换行.csv", "JUT", 2, _cell("备注", "第一行\n第二行\r\n第三行")),
    no("引号没有结束.csv", "JUT", "第 3 行 引号", _unclosed),
    no("少一格.csv", "JUT", "第 3 行 错位", _ragged(lambda line: line.rsplit(",", 1)[0])),
    no("多一格.csv", "JUT", "第 3 行 错位", _ragged(lambda line: line.replace(",", ",,", 1))),
    no("百万字的格.csv", "JUT", "第 3 行 备注 1000000 字", _cell("备注", "长" * MILLION)),
    no("百万空格.csv", "JUT", "第 3 行 备注 删减", _cell("备注", "甲" + " " * (MILLION - 2) + "乙")),
    no("超过百万字的格.csv", "JUT", "第 3 行 一格超过", _cell("备注", "长" * (MILLION + 1))),
    back("很长的格.csv", "JUT", "INS-038", _cell("备注", "长" * CELL), rows=1),
    back("很长的空格.csv", "JUT", "INS-038", _cell("备注", "甲" + " " * (CELL - 2) + "乙"), rows=1),
    read("很长的空格在末尾.csv", "JUT", 2, _cell("备注", "甲" + " " * (CELL - 1))),
    back("一万层引号.csv", "JUT", "INS-038", _cell("备注", '="' * 10_000 + "甲" * 501 + '"' * 10_000), rows=1),
    back("很长的数字.csv", "JUT", "INS-038", _cell("备注", "1" * CELL), rows=1),
    no("两万列.csv", "JUT", "20013 列", _wide(20_000)),
    read("九百列.csv", "JUT", 1, _wide(900)),
    no("三千万格.csv", "JUT", "格 拆", _commas),
    # headings and separators
    no("重复表头.csv", "JUT", "单位名称 不止一次", lambda m: m.text([*m.row(), "又"], head=(*HEADINGS, "单位名称")).encode()),
    read("第五行才是表头.csv", "JUT", 1, lambda m: ("检查结果\n\n填报单位：县样例乙局\n\n" + m.text(m.row())).encode()),
    no("分号分隔.csv", "JUT", "表头 分隔符", lambda m: m.text(m.row(), delimiter=";").encode()),
    no("制表符分隔.csv", "JUT", "表头 分隔符", lambda m: m.text(m.row(), delimiter="\t").encode()),
    no("缺一列.csv", "JUT", "缺少必需的列 检查结果", lambda m: m.text(m.row(), head=(*HEADINGS[:9], "结论", *HEADINGS[10:])).encode()),
    no("空文件.csv", "JUT", "空", lambda _m: b""),
    no("只有换行.csv", "JUT", "表头", lambda _m: b"\r\n" * 50),
    read("只有表头.csv", "JUT", 0, lambda m: m.text().encode()),
    read("中间又是表头.csv", "JUT", 2, lambda m: m.text(m.row(), list(HEADINGS), m.row()).encode()),
    # another kind of file
    no("图片.csv", "JGB", "图片 CSV", lambda _m: PNG),
    no("网页.csv", "JUT", "网页 CSV", _html),
    no("公文.csv", "JGB", "PDF CSV", lambda _m: PDF),
    # values
    back("身份证号当信用代码.csv", "JUT", "INS-005", _cell("信用代码", RESIDENT), rows=1),
    back("科学计数的编号.csv", "JUT", "STD-004", _cell("编号", "6.10124E+17"), rows=1),
    back("没有的日期.csv", "JUT", "STD-003", _cell("检查日期", "1900-02-29"), rows=1),
    back("两位年份.csv", "JUT", "STD-003", _cell("检查日期", "26-11-20"), rows=1),
    back("未知结论.csv", "JUT", "STD-001", _cell("检查结果", "大概没问题"), rows=1),
    read("像公式的备注.csv", "JUT", 2, _cell("备注", "=cmd|' /C calc'!A0")),
    read("像公式的备注二.csv", "JUT", 2, _cell("备注", "+1+1")),
    read("像公式的备注三.csv", "JUT", 2, _cell("备注", "-2+3")),
    read("像公式的备注四.csv", "JUT", 2, _cell("备注", "@SUM(1+1)")),
)  # fmt: skip


def _link(path: Path, content: bytes) -> None:
    outside = path.parents[2] / "outside" / "别处.csv"
    outside.parent.mkdir(exist_ok=True)
    outside.write_bytes(content)
    path.symlink_to(outside)


def _folder(path: Path, content: bytes) -> None:
    path.mkdir()
    (path / "里面.csv").write_bytes(content)


def _one(m: Maker) -> bytes:
    return m.text(m.row()).encode()


BYTES_NAME = os.fsdecode("检查.csv".encode("gb18030"))
NAMES = (
    no("指向别处.csv", "JUT", "链接", _one, place=_link),
    no("管道.csv", "JUT", "普通文件", _one, place=lambda path, _content: os.mkfifo(path)),
    no("文件夹.csv", "JUT", "文件夹", _one, place=_folder),
    no("十一月", "JUT", "文件夹", _one, place=_folder),
    read(BYTES_NAME, "JUT", 1, _one, shown="\\xbc\\xec\\xb2\\xe9.csv"),
    read("换行\n的名字.csv", "JUT", 1, _one, shown="换行\\x0a的名字.csv"),
    read("颜色\x1b[31m.csv", "JUT", 1, _one, shown="颜色\\x1b[31m.csv"),
    read("反向\u202evsc.csv", "JUT", 1, _one, shown="反向\\u202evsc.csv"),
    read("😀检查.csv", "JUT", 1, _one),
    read("长" * 80 + ".csv", "JUT", 1, _one),
    read("x" * 251 + ".csv", "JUT", 1, _one),
    read("检查..%2f..%2fetc%2fpasswd.csv", "JUT", 1, _one),
    read("'; DROP TABLE outbox; --.csv", "JUT", 1, _one),
    read("=cmd|' C calc'!A0.csv", "JUT", 1, _one),
    no("网页.xls", "JBK", "约定", _html),
    no("旧版.et", "JBK", "约定", lambda _m: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    no("没有扩展名", "JUT", "约定", _one),
)
