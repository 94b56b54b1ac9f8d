"""An .xlsx as a package: is it harmless, and what do its cells' marks say (hidden, struck through, formulas, errors)?

Belongs here: limits before anything is unpacked for good, the parts of a package, marks of rows.
Must not: headings, values (python-calamine reads them from the package that this module has rebuilt).

Source: operations.md "SQLAlchemy 2.1, pandas 3, workbooks" (limits); standard 1.7 (hidden by hand, struck through: held).
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from zz_pipeline.errors import SourceRefused
from zz_pipeline.sources.base import CELLS, FORMULA, HIDDEN, STRUCK
from zz_pipeline.sources.signs import OLE, ZIP, foreign, other_package

PACKED_BYTES = 20 * 1024 * 1024
UNPACKED_BYTES = 200 * 1024 * 1024
MEMBERS = 2_000
RATIO = 150
RATIO_FROM = 1024 * 1024  # a small member of blanks may be pressed harder without harm
# One text may stand in many cells; the reader writes it out for each of them.
TEXTS = 100 * 1024 * 1024
_BLOCK = 1024 * 1024
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,7})\$?([0-9]{1,12})")

# Part names that make a workbook more than a table.
_FORBIDDEN = (
    (re.compile(r"vbaproject|/macrosheets/|/activex|\.bas$", re.I), "含有宏"),
    (re.compile(r"/externallinks/|/connections\.xml$|/querytables/", re.I), "含有指向其他文件或数据库的外部链接"),
    (re.compile(r"encryptedpackage|encryptioninfo", re.I), "加了密码"),
)
_WORKBOOK = "xl/workbook.xml"
_STRINGS = "xl/sharedstrings.xml"


@dataclass(slots=True)
class Marks:
    """What the cells of one sheet say beside their values; rows and columns count from 0."""

    rows: dict[int, str] = field(default_factory=dict)  # row → why it is held
    errors: dict[tuple[int, int], str] = field(default_factory=dict)  # error cells: #N/A, #DIV/0!
    last_row: int = -1
    last_column: int = -1


@dataclass(frozen=True, slots=True)
class Package:
    """A workbook rebuilt from its harmless parts: its bytes for the reader, and the parts."""

    content: bytes
    parts: dict[str, bytes]


def open_package(content: bytes) -> Package:
    """Check the limits and rebuild the package from its XML parts; SourceRefused says in Chinese what is wrong."""
    if len(content) > PACKED_BYTES:
        raise SourceRefused(f"文件有 {len(content) / 1048576:.1f} MiB，超过 20 MiB 的上限。请拆成几个文件后重交。")
    _check_kind(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(members)
            parts = _read_parts(archive, members)
            others = archive.namelist()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise SourceRefused("不是完整的 .xlsx 工作簿。请用 Excel 打开核对，另存后重交。") from error
    if _WORKBOOK not in parts:
        raise SourceRefused(f"其实是{other_package(others)}，里面没有工作簿。请另存为 .xlsx 后重交。")
    _check_content(parts)
    return Package(_pack(parts), parts)


def _check_kind(content: bytes) -> None:
    if content.startswith(OLE):
        raise SourceRefused(f"是{foreign(content)}。请去掉密码，另存为 .xlsx 后重交。")
    if not content:
        raise SourceRefused("文件是空的，一个字节也没有。请重新导出后再交；当天没有检查的，不用交文件。")
    if not content.startswith(ZIP):
        kind = foreign(content) or ("文本或 CSV" if b"\x00" not in content[:4000] else "")
        told = f"其实是{kind}，不是完整的 .xlsx 工作簿" if kind else "不是完整的 .xlsx 工作簿"
        raise SourceRefused(f"{told}。请用 Excel 打开核对，另存为 .xlsx 后重交。")


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MEMBERS:
        raise SourceRefused(
            f"工作簿里有 {len(members)} 个部件，超过 {MEMBERS} 个的上限，不像正常的表格。请重新导出后再交。"
        )
    unpacked = sum(m.file_size for m in members)
    packed = sum(m.compress_size for m in members)
    bomb = any(m.file_size > RATIO_FROM and m.file_size > RATIO * max(m.compress_size, 1) for m in members)
    if unpacked > UNPACKED_BYTES or bomb or (unpacked > RATIO_FROM and unpacked > RATIO * max(packed, 1)):
        raise SourceRefused("工作簿解压后过大，像是压缩炸弹。请把数据复制到新的工作簿里另存后重交。")
    if any(m.flag_bits & 1 for m in members):
        raise SourceRefused("加了密码。请去掉密码，另存为 .xlsx 后重交。")
    names = [m.filename for m in members]
    if len(set(names)) != len(names):
        raise SourceRefused("工作簿里有同名的部件，文件可能被改动过。请用 Excel 打开另存后重交。")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise SourceRefused("工作簿里有指向外部路径的部件，不能读取。请重新导出后再交。")
        for pattern, what in _FORBIDDEN:
            if pattern.search(f"/{name}"):
                raise SourceRefused(f"工作簿{what}，不能读取。请把数据另存为不带宏、不带链接、不加密的 .xlsx 后重交。")


def _read_parts(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    """The XML parts, really unpacked and counted: the sizes a package states of itself prove nothing."""
    parts: dict[str, bytes] = {}
    left = UNPACKED_BYTES
    for member in members:
        if member.is_dir() or not member.filename.lower().endswith((".xml", ".rels")):
            continue
        with archive.open(member) as stream:
            content = bytearray()
            while block := stream.read(_BLOCK):
                content += block
                left -= len(block)
                if left < 0:
                    raise SourceRefused("工作簿解压后过大，像是压缩炸弹。请把数据复制到新的工作簿里另存后重交。")
        parts[member.filename] = bytes(content)
    return parts


def _check_content(parts: dict[str, bytes]) -> None:
    kinds = parts.get("[Content_Types].xml", b"")
    if b"macroEnabled" in kinds or b"vbaProject" in kinds:
        raise SourceRefused("工作簿含有宏，不能读取。请另存为不带宏的 .xlsx 后重交。")
    for content in parts.values():
        if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise SourceRefused("工作簿的部件带有外部实体声明，不能读取。请用 Excel 打开另存后重交。")


def _pack(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def sheet_marks(package: Package, sheet: str) -> Marks:
    """Marks of the sheet of that name; SourceRefused if its part is missing, broken or absurdly wide."""
    part = _sheet_part(package, sheet)
    struck = _struck_styles(package.parts.get("xl/styles.xml", b""))
    marks = Marks()
    state = _SheetState(struck, marks, _string_sizes(package))
    _parse(package.parts[part], state.start, state.end)
    if (marks.last_row + 1) * (marks.last_column + 1) > CELLS:
        raise SourceRefused(f"工作表“{sheet}”在很远的位置有单元格，表格大得不正常。请删去空白行列后另存重交。")
    if state.filtered:  # rows hidden by a filter are data (standard 1.7)
        marks.rows = {row: why for row, why in marks.rows.items() if why != HIDDEN}
    return marks


class _SheetState:
    """Collects marks while a sheet's XML goes by."""

    def __init__(self, struck: frozenset[int], marks: Marks, sizes: list[int]) -> None:
        self.struck, self.marks, self.sizes = struck, marks, sizes
        self.texts = 0
        self.filtered = False
        self.row, self.column = -1, -1
        self.kind, self.style, self.formula, self.value, self.text = "", 0, False, False, ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self.row = int(attributes["r"]) - 1 if "r" in attributes else self.row + 1
            self.column = -1
            self._reach(self.row, -1)
            if attributes.get("hidden") in ("1", "true"):
                self.marks.rows[self.row] = HIDDEN
        elif name == "c":
            self._cell(attributes)
        elif name == "f":
            self.formula = True
        elif name == "v":
            self.value = True
        elif name == "filterColumn":
            self.filtered = True

    def _cell(self, attributes: dict[str, str]) -> None:
        reference = _REFERENCE.fullmatch(attributes.get("r", ""))
        # the reader believes the cell's own reference, wherever the cell stands
        self.row = int(reference[2]) - 1 if reference else self.row
        self.column = _column(reference[1]) if reference else self.column + 1
        self.kind, self.formula, self.value, self.text = attributes.get("t", ""), False, False, ""
        self._reach(self.row, self.column)
        self.style = int(attributes.get("s", "0"))

    def _reach(self, row: int, column: int) -> None:
        self.marks.last_row = max(self.marks.last_row, row)
        self.marks.last_column = max(self.marks.last_column, column)

    def end(self, name: str, text: str) -> None:
        if name == "v":
            self.text = text
        elif name == "c":
            # a formula that gives an empty text is written with type "str"; one nobody has calculated has no type
            if self.formula and not self.text and self.kind != "str":
                self.marks.rows.setdefault(self.row, FORMULA)
            if self.kind == "e":
                self.marks.errors[self.row, self.column] = self.text or "#错误"
            if self.value and self.style in self.struck:
                self.marks.rows.setdefault(self.row, STRUCK)
            if self.kind == "s":
                self._point(self.text)

    def _point(self, text: str) -> None:
        """Count a text that stands elsewhere: many cells that point to one long text are a bomb."""
        index = int(text) if text.strip().isdecimal() else -1
        self.texts += self.sizes[index] if 0 <= index < len(self.sizes) else 0
        if self.texts > TEXTS:
            raise SourceRefused("工作簿里同一段长文字重复了太多次，展开后过大。请把数据复制到新的工作簿里另存后重交。")


def _string_sizes(package: Package) -> list[int]:
    """Bytes of each shared text, as they stand in the package."""
    name = next((n for n in package.parts if n.lower() == _STRINGS), "")
    sizes: list[int] = []

    def end(tag: str, text: str) -> None:
        if tag == "t" and sizes:
            sizes[-1] += len(text)

    def start(tag: str, _attributes: dict[str, str]) -> None:
        if tag == "si":
            sizes.append(0)

    if name:
        _parse(package.parts[name], start, end)
    return sizes


def date_system(package: Package) -> str:
    """The day count of the workbook itself, "1900" or "1904", its head says."""
    found = ["1900"]

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            found.append("1904")

    _parse(package.parts[_WORKBOOK], start, lambda _n, _t: None)
    return found[-1]


def _struck_styles(content: bytes) -> frozenset[int]:
    """Numbers of the cell styles whose font is struck through."""
    fonts: list[bool] = []
    styles: list[int] = []
    path: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "font" and path[-1:] == ["fonts"]:
            fonts.append(False)
        elif name == "strike" and path[-1:] == ["font"] and path[-2:-1] == ["fonts"]:
            fonts[-1] = attributes.get("val", "1") not in ("0", "false")
        elif name == "xf" and path[-1:] == ["cellXfs"]:
            styles.append(int(attributes.get("fontId", "0")))
        path.append(name)

    def end(_name: str, _text: str) -> None:
        path.pop()

    if content:
        _parse(content, start, end)
    return frozenset(i for i, font in enumerate(styles) if font < len(fonts) and fonts[font])


def _sheet_part(package: Package, sheet: str) -> str:
    ids: dict[str, str] = {}
    targets: dict[str, str] = {}

    def in_book(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            ids[attributes.get("name", "")] = next((v for k, v in attributes.items() if k.split(":")[-1] == "id"), "")

    def in_relations(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    _parse(package.parts[_WORKBOOK], in_book, lambda _n, _t: None)
    _parse(package.parts.get("xl/_rels/workbook.xml.rels", b""), in_relations, lambda _n, _t: None)
    target = targets.get(ids.get(sheet, ""), "")
    part = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    if not target or part not in package.parts:
        raise SourceRefused(f"工作簿里找不到工作表“{sheet}”的内容。请用 Excel 打开另存后重交。")
    return part


def _column(letters: str) -> int:
    """Column of a cell reference's letters (B → 1)."""
    number = 0
    for char in letters.upper():
        number = number * 26 + ord(char) - 64
    return number - 1


def _parse(content: bytes, start: Callable[[str, dict[str, str]], None], end: Callable[[str, str], None]) -> None:
    """One pass over an XML part: `start(name, attributes)`, `end(name, text)`, names without prefix."""
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    texts: list[str] = []

    def on_start(name: str, attributes: dict[str, str]) -> None:
        texts.clear()
        start(name.split(":")[-1], attributes)

    def on_end(name: str) -> None:
        end(name.split(":")[-1], "".join(texts))
        texts.clear()

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = texts.append
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, KeyError) as error:
        raise SourceRefused("工作簿的内容不完整。请用 Excel 打开核对，另存后重交。") from error
