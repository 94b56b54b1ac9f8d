"""Reading config/codes: headings, kinds of rows, and contradictions, each named by file and line.

Belongs here: the form of the CSV files and what makes two rows contradict each other.
Must not: look-up of departments' values (that is `codes`), regions or codes as literals.

Kinds of rows (column 类型): 标准 label = code · 同义 · 须询问 until the department has confirmed a map · 必问 never to be
mapped · 忽略 counts as nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard.tables import TABLES

SET_HEADINGS = ("类型", "原值", "标准值", "说明")
MAP_HEADINGS = ("字段", "原值", "标准值", "类型", "说明")
REGION_HEADINGS = ("code", "name", "parent", "level")
PROVINCE_HEADINGS = ("code", "name", "note")
_NOT_SETS = ("regions", "provinces", "检查结果处理")
_STATUS = {"标准": "ok", "同义": "ok", "须询问": "ask", "必问": "ask", "忽略": "ignored"}
_MAP_KINDS = ("同义", "须询问", "忽略")
YES_NO = "是否"

Form = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a look-up form means: status ok, ask or ignored; the standard code if ok; whether a map may say otherwise."""

    status: str
    code: str | None
    never: bool = False


@dataclass(frozen=True, slots=True)
class CodeSet:
    """One set: look-up form → entry, and its own standard codes → labels."""

    entries: Mapping[str, Entry]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    where: str  # file and line, for messages
    cells: Mapping[str, str]

    def __getitem__(self, heading: str) -> str:
        return self.cells[heading]


def read_sets(folder: Path, form_of: Callable[[str], Form]) -> dict[str, CodeSet]:
    """Every code set of the folder; ConfigError for a contradiction."""
    paths = [p for p in sorted(folder.glob("*.csv")) if p.stem not in _NOT_SETS]
    lines = {path.stem: list(read_table(path, SET_HEADINGS)) for path in paths}
    labels = {name: _labels(rows) for name, rows in lines.items()}
    return {name: _set(name, rows, labels, form_of(name)) for name, rows in lines.items()}


def _labels(rows: list[_Line]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in rows:
        if line["类型"] == "标准":
            if found.get(line["标准值"], line["原值"]) != line["原值"]:
                raise ConfigError(
                    f"{line.where}：标准值 {line['标准值']} 已有名称“{found[line['标准值']]}”。请把其中一行的类型改为同义。"
                )
            found[line["标准值"]] = line["原值"]
    return found


def _set(name: str, rows: list[_Line], labels: Mapping[str, dict[str, str]], form: Form) -> CodeSet:
    # "检查结果旧码·C" draws its standard values from "检查结果类别": an older set has codes of its own but no classes.
    own = labels[name] or labels.get(name.partition("旧码·")[0] + "类别", {})
    entries: dict[str, Entry] = {}
    seen: dict[str, str] = {}
    for line in rows:
        kind, code = line["类型"], line["标准值"]
        if kind not in _STATUS:
            raise ConfigError(f"{line.where}：类型“{kind}”不认识，只能是 {'、'.join(_STATUS)}。")
        _check_code(line, own, kind)
        entry = Entry(_STATUS[kind], code or None, kind == "必问")
        _put(entries, seen, line, form(line["原值"]), entry)
    return CodeSet(entries, labels[name])


def _check_code(line: _Line, known: Mapping[str, str], kind: str) -> None:
    code = line["标准值"]
    if not line["原值"]:
        raise ConfigError(f"{line.where}：原值是空的。空值不需要写进代码表，请删除这一行。")
    if _STATUS[kind] != "ok" and code:
        raise ConfigError(f"{line.where}：类型是{kind}，标准值应当为空。请删去标准值，或把类型改为同义。")
    if _STATUS[kind] == "ok" and code not in known:
        raise ConfigError(f"{line.where}：标准值“{code}”不在本代码集的标准行里。请改正标准值，或先补上标准行。")


def _put(entries: dict[str, Entry], seen: dict[str, str], line: _Line, key: str, entry: Entry) -> None:
    earlier = entries.get(key)
    if earlier is not None and earlier != entry:
        raise ConfigError(
            f"{line.where}：“{line['原值']}”与 {seen[key]} 是同一个查找值，含义却不同。请只保留其中一行。"
        )
    entries[key] = entry
    seen.setdefault(key, line.where)


def read_maps(
    folder: Path, sets: Mapping[str, CodeSet], form_of: Callable[[str], Form]
) -> dict[tuple[str, str], dict[str, Entry]]:
    """Departments' confirmed maps: (department, field) → look-up form → entry."""
    maps: dict[tuple[str, str], dict[str, Entry]] = {}
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for path in sorted(folder.glob("*.csv")):
        for line in read_table(path, MAP_HEADINGS):
            name = _set_of_field(line, sets)
            key = (path.stem, line["字段"])
            form = form_of(name)(line["原值"])
            entry = _map_entry(line, sets[name], form)
            _put(maps.setdefault(key, {}), seen.setdefault(key, {}), line, form, entry)
    return maps


def _map_entry(line: _Line, base: CodeSet, form: str) -> Entry:
    kind = line["类型"]
    if kind not in _MAP_KINDS:
        raise ConfigError(f"{line.where}：类型“{kind}”不认识，部门对照表只能用 {'、'.join(_MAP_KINDS)}。")
    _check_code(line, base.labels, kind)
    entry = Entry(_STATUS[kind], line["标准值"] or None)
    standard = base.entries.get(form)
    if standard and standard.never:
        raise ConfigError(f"{line.where}：“{line['原值']}”按标准 1.3 每次都须询问，不得对照。请删除这一行。")
    if standard and standard.status == "ok" and standard != entry:
        raise ConfigError(
            f"{line.where}：“{line['原值']}”在标准表里是 {standard.code}，对照表不得改变它的含义。请删除这一行。"
        )
    return entry


def _set_of_field(line: _Line, sets: Mapping[str, CodeSet]) -> str:
    for table in TABLES.values():
        for known in table.fields:
            name = YES_NO if known.type == "bool" else known.codes
            if known.name == line["字段"] and name in sets:
                return str(name)
    raise ConfigError(f"{line.where}：字段“{line['字段']}”不是有代码集的标准字段。请对照数据字典改正字段名。")


def read_regions(path: Path) -> dict[str, str]:
    """Region codes (6 digits, towns 9) → names."""
    regions: dict[str, str] = {}
    for line in read_table(path, REGION_HEADINGS):
        code = line["code"]
        if not (code.isdigit() and code.isascii() and len(code) in (6, 9)) or code in regions:
            raise ConfigError(f"{line.where}：区划代码“{code}”不是 6 位（镇街 9 位）数字，或重复。请改正。")
        regions[code] = line["name"]
    return regions


def read_provinces(path: Path) -> frozenset[str]:
    """Other provinces (2 digits, taken as a whole) and single registering authorities (6 digits) of GB/T 2260."""
    codes = set()
    for line in read_table(path, PROVINCE_HEADINGS):
        code = line["code"]
        if not (code.isdigit() and code.isascii() and len(code) in (2, 6)):
            raise ConfigError(f"{line.where}：“{code}”不是 2 位省级代码或 6 位登记机关代码。请改正。")
        codes.add(code)
    return frozenset(codes)


def region_set(regions: Mapping[str, str], form: Form) -> CodeSet:
    """Six-digit regions as a code set; a code is its own synonym, a name that two regions share must be asked."""
    labels = {code: name for code, name in regions.items() if len(code) == 6}
    entries: dict[str, Entry] = {code: Entry("ok", code) for code in labels}
    for code, name in labels.items():
        key = form(name)
        entries[key] = Entry("ask", None) if key in entries else Entry("ok", code)
    return CodeSet(entries, labels)


def read_table(path: Path, headings: tuple[str, ...]) -> Iterator[_Line]:
    """Lines of a UTF-8 CSV with exactly these headings, cells trimmed; ConfigError names file and line."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"缺少代码表 {path}。请从备份恢复，或用 zz init 生成一份。") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} 不是 UTF-8 编码。请另存为 “CSV UTF-8” 后再试。") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        found = tuple(cell.strip() for cell in next(reader, []))
        if found != headings:
            raise ConfigError(f"{path} 的表头应为 {','.join(headings)}，现在是 {','.join(found)}。请改正第 1 行。")
        for row in reader:
            if any(cell.strip() for cell in row):
                yield _line(path, reader.line_num, row, headings)
    except csv.Error as error:
        raise ConfigError(f"{path} 第 {reader.line_num} 行不是合格的 CSV（{error}）。请检查引号是否成对。") from None


def _line(path: Path, number: int, row: list[str], headings: tuple[str, ...]) -> _Line:
    if len(row) != len(headings):
        raise ConfigError(f"{path} 第 {number} 行有 {len(row)} 格，应为 {len(headings)} 格。请检查逗号。")
    return _Line(f"{path} 第 {number} 行", dict(zip(headings, (cell.strip() for cell in row), strict=True)))
