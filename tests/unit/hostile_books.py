"""Hostile workbooks: broken packages, bombs, active contents, cells that are not what they show.

Belongs here: builders by code, one line of the table for each. Must not: CSV, reading anything with the product.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any

import xlsxwriter

from tests.unit.hostile_case import LOOK, RESIDENT, Case, Maker, back, no, read
from tests.unit.hostile_county import HEADINGS

Build = Callable[[Maker], bytes]
Parts = dict[str, bytes]
SHEET, STRINGS, BOOK = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MIB = 1024 * 1024


def book(rows: list[list[Any]], fill: Any = None, **options: Any) -> bytes:
    """A workbook with these rows; `fill(book, page)` adds what rows cannot say."""
    buffer = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    made = xlsxwriter.Workbook(buffer, plain | options)
    page = made.add_worksheet("检查结果")
    day = made.add_format({"num_format": "yyyy-mm-dd"})
    for y, cells in enumerate(rows):
        for x, cell in enumerate(cells):
            if isinstance(cell, date):
                page.write_datetime(y, x, cell, day)
            elif cell not in (None, ""):
                page.write(y, x, cell)
    if fill:
        fill(made, page)
    made.close()
    return buffer.getvalue()


def rows(*changes: dict[str, Any], fill: Any = None, **options: Any) -> Build:
    """A workbook with a good row and one for each dict of changes."""
    return lambda m: book([list(HEADINGS), m.row(), *(m.row(**c) for c in changes)], fill, **options)


def packed(parts: dict[str, bytes], **more: Any) -> bytes:
    """Parts as a package; `more` as ZipFile.writestr takes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data, **more)
    return out.getvalue()


def parts_of(content: bytes) -> Parts:
    """The parts of a package."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(change: Callable[[Parts], Any], made: Build = rows()) -> Build:  # noqa: B008 - a pure function's value
    """A good workbook with its parts changed."""

    def build(m: Maker) -> bytes:
        parts = parts_of(made(m))
        change(parts)
        return packed(parts)

    return build


def part(name: str, data: bytes) -> Build:
    """A good workbook with one part more."""
    return repacked(lambda parts: parts.update({name: data}))


def swapped(name: str, old: bytes, new: bytes, made: Build = rows()) -> Build:  # noqa: B008 - a pure function's value
    """A good workbook with bytes of a part replaced; what is to be replaced must stand there."""

    def change(parts: Parts) -> None:
        if old not in parts[name]:
            raise ValueError(f"{old!r} is not in {name}")
        parts[name] = parts[name].replace(old, new)

    return repacked(change, made)


def column(heading: str) -> int:
    """Place of a heading."""
    return HEADINGS.index(heading)


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _merged(m: Maker) -> bytes:
    """One record over two rows, its record cells merged."""
    first = m.row(检查结果="发现问题已责令改正")
    second = [None] * len(HEADINGS)
    second[column("检查结果")] = "未按规定公示应当公示的信息"

    def merge(_book: Any, page: Any) -> None:
        for x, cell in enumerate(first):
            if x != column("检查结果"):
                page.merge_range(1, x, 2, x, cell)

    return book([list(HEADINGS), first, second], merge)


def _formula(text: str, value: str, heading: str = "备注") -> Any:
    return lambda _book, page: page.write_formula(2, column(heading), text, None, value)


def _hide_row(_book: Any, page: Any) -> None:
    page.set_row(2, None, None, {"hidden": True})


def _hide_column(_book: Any, page: Any) -> None:
    page.set_column(column("备注"), column("备注"), 10, None, {"hidden": True})


def _strike(made: Any, page: Any) -> None:
    page.write(2, 0, "JBK-S-1", made.add_format({"font_strikeout": True}))


def _hidden_first(m: Maker) -> bytes:
    buffer = io.BytesIO()
    made = xlsxwriter.Workbook(buffer, {"in_memory": True})
    made.add_worksheet("草稿").write(0, 0, LOOK)
    page = made.add_worksheet("检查结果")
    for y, cells in enumerate([list(HEADINGS), m.row()]):
        page.write_row(y, 0, cells)
    page.activate()
    page.set_first_sheet()
    made.worksheets()[0].hide()
    made.close()
    return buffer.getvalue()


def _second_sheet(m: Maker) -> bytes:
    """The table stands on the second sheet behind a cover."""
    buffer = io.BytesIO()
    made = xlsxwriter.Workbook(buffer, {"in_memory": True})
    made.add_worksheet("封面").write(0, 0, "周至县样例丙局检查结果")
    page = made.add_worksheet("检查结果")
    for y, cells in enumerate([list(HEADINGS), m.row()]):
        page.write_row(y, 0, cells)
    made.close()
    return buffer.getvalue()


def _serial(number: float, form: str = "yyyy-mm-dd") -> Any:
    return lambda made, page: page.write_number(2, column("检查日期"), number, made.add_format({"num_format": form}))


def _laid_out(m: Maker) -> bytes:
    head = list(HEADINGS)
    lines = [["周至县样例丙局检查结果"], ["填报日期：2026-11-20"], [], [], head, m.row(), head, m.row(), ["合计", "2"]]
    return book([*lines, ["填表说明：一户一号。"], ["填表人：张某"]])


# ── bombs ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _far(name: str = SHEET, reference: bytes = b"XFD1048576") -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        cell = b'<row r="1048576"><c r="' + reference + b'"><v>1</v></c></row></sheetData>'
        parts[name] = parts[name].replace(b"</sheetData>", cell)

    return change


def _string_bomb(m: Maker) -> bytes:
    """A hundred kilobytes: thirty thousand cells that all point to one text of half a million characters.

    The noise keeps the package from being pressed harder than an honest one.
    """
    parts = parts_of(rows()(m))
    index = parts[STRINGS].count(b"<si>")
    parts[STRINGS] = parts[STRINGS].replace(b"</sst>", b"<si><t>" + b"x" * 500_000 + b"</t></si></sst>")
    cells = b'<c t="s"><v>%d</v></c>' % index
    body = b"".join(b"<row>" + cells * 100 + b"</row>" for _ in range(300))
    parts[SHEET] = parts[SHEET].replace(b"</sheetData>", body + b"</sheetData>")
    parts["docProps/noise.xml"] = b"<x>" + Random("noise").randbytes(50_000).hex().encode() + b"</x>"
    return packed(parts)


def _merge_bomb(m: Maker) -> bytes:
    """Merged ranges that overlap over a whole sheet."""
    ranges = b"".join(b'<mergeCell ref="A%d:M400000"/>' % n for n in range(2, 3000))
    parts = parts_of(rows()(m))
    _far(reference=b"A400000")(parts)
    parts[SHEET] = parts[SHEET].replace(b'<row r="1048576">', b'<row r="400000">')
    parts[SHEET] = parts[SHEET].replace(b"</sheetData>", b"</sheetData><mergeCells>" + ranges + b"</mergeCells>")
    return packed(parts)


def _deep(m: Maker) -> bytes:
    return swapped(SHEET, b"<sheetData>", b"<x>" * 200_000 + b"<sheetData>")(m)


LAUGHS = (
    b'<!DOCTYPE lolz [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (c + 1, *[c] * 8) for c in range(97, 110))
    + b"]><worksheet "
)
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><worksheet '


def _lying_bomb(m: Maker) -> bytes:
    """A bomb that states a small size of itself."""
    content = part("xl/bomb.xml", b" " * (30 * MIB))(m)
    return content.replace((30 * MIB).to_bytes(4, "little"), (5000).to_bytes(4, "little"))


def _many_names(m: Maker) -> bytes:
    return repacked(lambda parts: parts.update({f"xl/p{n}.xml": b"" for n in range(2001)}))(m)


# ── packages ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _twice(m: Maker) -> bytes:
    """The sheet stands twice in the package: programs differ in which they read."""
    parts, out = parts_of(rows()(m)), io.BytesIO()
    other = parts[SHEET].replace(b"<v>2</v>", b"<v>3</v>")
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in [*parts.items(), ("xl/worksheets/sheet2.xml", other)]:
            archive.writestr(name, data)
    return out.getvalue().replace(b"xl/worksheets/sheet2.xml", SHEET.encode())


def _encrypted(m: Maker) -> bytes:
    """The flag of encryption on every member."""
    content = bytearray(rows()(m))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 4)
    return bytes(content)


def _random(_m: Maker) -> bytes:
    return b"PK\x03\x04" + Random("workbook").randbytes(5000)


def _ole(stream: str) -> Build:
    return lambda _m: OLE + bytes(504) + stream.encode("utf-16-le") + bytes(600)


def _without(name: str) -> Build:
    return repacked(lambda parts: parts.pop(name))


def _ods(m: Maker) -> bytes:
    mime = b"application/vnd.oasis.opendocument.spreadsheet"
    return packed({"mimetype": mime, "content.xml": f"<x>{m.row()}</x>".encode(), "META-INF/manifest.xml": b"<m/>"})


def _docx(m: Maker) -> bytes:
    return packed({"[Content_Types].xml": b"<Types/>", "word/document.xml": f"<x>{m.row()}</x>".encode()})


def _prefixed(m: Maker) -> bytes:
    return b"#!/bin/sh\nexit 0\n" + rows()(m)


def _panic(m: Maker) -> bytes:
    """A cell that points to a text that is not there, in a book that looks like a returned list."""
    return swapped(SHEET, b"<v>0</v>", b"<v>99999</v>", rows({"备注": "退回编号"}))(m)


def _listed(change: Callable[[Parts], Any]) -> Build:
    """A bomb that also holds the word by which a returned list is recognised."""
    return repacked(change, rows({"备注": "退回编号"}))


def _second(m: Maker) -> bytes:
    """A good first sheet; on the second a cell stands at the end of the world."""
    parts = parts_of(rows(fill=lambda made, _page: made.add_worksheet("其他").write(0, 0, "x"))(m))
    _far("xl/worksheets/sheet2.xml")(parts)
    return packed(parts)


def _named(name: str) -> Build:
    def build(m: Maker) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for inner, data in [*parts_of(rows()(m)).items(), (name, b"<a/>")]:
                archive.writestr(inner, data)
        return out.getvalue()

    return build


NUMBER_18 = 610124202611101018
MACRO = (b"spreadsheetml.sheet.main", b"sheet.macroEnabled.main")
BOOKS: tuple[Case, ...] = (
    # cells
    read("普通.xlsx", "JBK", 1, rows()),
    read("合并单元格.xlsx", "JBK", 1, _merged),
    read("表头说明合计.xlsx", "JBK", 2, _laid_out),
    read("公式有结果.xlsx", "JBK", 2, rows({}, fill=_formula('="已"&"整改"', "已整改"))),
    back("公式没有结果.xlsx", "JBK", "STD-002", rows({}, fill=_formula("=A1", "")), rows=1),
    back("错误值.xlsx", "JBK", "STD-002", rows({}, fill=_formula("=NA()", "#N/A")), rows=1),
    read("文本数字.xlsx", "JBK", 2, rows({"备注": "00012"})),
    back("长数字.xlsx", "JBK", "STD-004", rows({"编号": NUMBER_18}), rows=1),
    back("小数编号.xlsx", "JBK", "STD-004", rows({"编号": 1.5}), rows=1),
    back("科学计数文本.xlsx", "JBK", "STD-004", rows({"信用代码": "9.16E+17"}), rows=1),
    read("布尔值.xlsx", "JBK", 2, rows({"备注": True})),
    read("日期格.xlsx", "JBK", 2, rows({"检查日期": date(2026, 11, 20)})),
    read("序列数日期.xlsx", "JBK", 2, rows({"检查日期": 46346})),
    read("日期格1904.xlsx", "JMC", 2, rows({"检查日期": date(2026, 11, 20)}, date_1904=True)),
    read("序列数1904.xlsx", "JMC", 2, rows({"检查日期": 46346 - 1462}, date_1904=True)),
    no("登记1900交来1904.xlsx", "JBK", "1904 1900 登记", rows({"检查日期": 46346 - 1462}, date_1904=True)),
    no("登记1904交来1900.xlsx", "JMC", "1904 1900 登记", rows({"检查日期": 46346})),
    back("没有的1900-02-29.xlsx", "JBK", "STD-003", rows({}, fill=_serial(60)), rows=1),
    back("负数日期.xlsx", "JBK", "STD-003", rows({}, fill=_serial(-5, "0")), rows=1),
    back("手工隐藏的行.xlsx", "JBK", "STD-008", rows({}, {}, fill=_hide_row), rows=2),
    read("隐藏的列.xlsx", "JBK", 2, rows({"备注": "已整改"}, fill=_hide_column)),
    back("删除线.xlsx", "JBK", "STD-008", rows({}, fill=_strike), rows=1),
    read("隐藏的草稿表在前.xlsx", "JBK", 1, _hidden_first),
    no("表在第二张.xlsx", "JBK", "封面 表头", _second_sheet),
    back("单元格里的控制码.xlsx", "JBK", "INS-038", swapped(STRINGS, "甲@乙".encode(), "甲_x0000_乙".encode(), rows({"备注": "甲@乙"})), rows=1),
    read("像公式的文字.xlsx", "JBK", 5, rows(*({"备注": f"{sign}1+1"} for sign in "=+-@"))),
    no("空表.xlsx", "JBK", "表头", lambda _m: book([])),
    no("只有标题.xlsx", "JBK", "表头", lambda _m: book([["检查结果表"], [LOOK]])),
    read("只有表头.xlsx", "JBK", 0, lambda _m: book([list(HEADINGS)])),
    # bombs
    no("压缩炸弹.xlsx", "JBK", "压缩炸弹", part("xl/bomb.xml", b" " * (30 * MIB))),
    no("谎报大小的炸弹.xlsx", "JBK", "请", _lying_bomb),
    no("共享文字炸弹.xlsx", "JBK", "文字 请", _string_bomb),
    no("合并炸弹.xlsx", "JBK", "合并单元格 请", _merge_bomb),
    no("远处的格.xlsx", "JBK", "很远", repacked(_far())),
    no("第二张表远处的格.xlsx", "JBK", "很远", _second),
    no("像退回清单的远处的格.xlsx", "JBK", "很远", _listed(_far())),
    no("十亿个笑.xlsx", "JBK", "实体", swapped(SHEET, b"<worksheet ", LAUGHS)),
    no("外部实体.xlsx", "JBK", "实体", swapped(SHEET, b"<worksheet ", OUTSIDE)),
    no("外部实体UTF-16.xlsx", "JBK", "实体", part("xl/x.xml", OUTSIDE.decode().encode("utf-16"))),
    no("层层嵌套.xlsx", "JBK", "不完整", _deep),
    no("两千个部件.xlsx", "JBK", "部件", _many_names),
    no("二十一兆.xlsx", "JBK", "20 MiB", lambda _m: b"PK\x03\x04" + bytes(21 * MIB)),
    # active contents
    no("宏.xlsx", "JBK", "宏", part("xl/vbaProject.bin", b"x")),
    no("宏类型.xlsx", "JBK", "宏", swapped("[Content_Types].xml", *MACRO)),
    no("宏.xlsm", "JBK", "约定", swapped("[Content_Types].xml", *MACRO)),
    no("四零宏表.xlsx", "JBK", "宏", part("xl/macrosheets/sheet1.xml", b"<a/>")),
    no("外部链接.xlsx", "JBK", "外部链接", part("xl/externalLinks/externalLink1.xml", b"<a/>")),
    no("数据连接.xlsx", "JBK", "外部链接", part("xl/connections.xml", b"<a/>")),
    # packages
    no("向上的路径.xlsx", "JBK", "外部路径", _named("../../evil.xml")),
    no("绝对路径.xlsx", "JBK", "外部路径", _named("/etc/cron.d/evil.xml")),
    no("反斜杠路径.xlsx", "JBK", "外部路径", _named("xl\\..\\evil.xml")),
    no("同名部件.xlsx", "JBK", "同名", _twice),
    no("加密的压缩包.xlsx", "JBK", "密码", _encrypted),
    no("截断.xlsx", "JBK", "不是完整", lambda m: rows()(m)[:-200]),
    no("截去一半.xlsx", "JBK", "不是完整", lambda m: rows()(m)[: len(rows()(m)) // 2]),
    no("乱码.xlsx", "JBK", "不是完整", _random),
    read("缺内容类型.xlsx", "JBK", 1, _without("[Content_Types].xml")),
    no("缺工作表.xlsx", "JBK", "请", _without(SHEET)),
    no("缺工作簿.xlsx", "JBK", "请", _without(BOOK)),
    no("缺文字表.xlsx", "JBK", "请", _without(STRINGS)),
    no("工作表没有结束.xlsx", "JBK", "不完整", swapped(SHEET, b"</sheetData>", b"")),
    no("指向没有的文字.xlsx", "JBK", "请", swapped(SHEET, b"<v>0</v>", b"<v>99999</v>")),
    no("像退回清单而矛盾.xlsx", "JBK", "请", _panic),
    no("行号不是数.xlsx", "JBK", "请", swapped(SHEET, b'<row r="2"', b'<row r="x"')),
    # another kind of file
    no("其实是CSV.xlsx", "JBK", "文本 xlsx", lambda m: m.text(m.row(备注=LOOK)).encode("gb18030")),
    no("其实是网页.xlsx", "JBK", "网页", lambda m: f"<html><table><tr><td>{m.row()}</td></tr></table>".encode()),
    no("其实是旧版xls.xlsx", "JBK", ".xls 另存", _ole("Workbook")),
    no("加了密码.xlsx", "JBK", "密码", _ole("EncryptedPackage")),
    no("其实是ods.xlsx", "JBK", "ods", _ods),
    no("其实是文档.xlsx", "JBK", "请", _docx),
    no("其实是PDF.xlsx", "JBK", "PDF", lambda _m: b"%PDF-1.7\n" + RESIDENT.encode()),
    no("其实是图片.xlsx", "JBK", "图片", lambda _m: b"\x89PNG\r\n\x1a\n" + bytes(900)),
    no("前面带脚本.xlsx", "JBK", "请", _prefixed),
    no("其实是空文件.xlsx", "JBK", "空", lambda _m: b""),
    no("其实是工作簿.csv", "JUT", "工作簿 CSV", rows()),
)  # fmt: skip
