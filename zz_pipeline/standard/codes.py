"""Code sets: what departments write → standard codes, by tables that a person can edit and the loader has checked.

Belongs here: look-up forms, the order in which tables are asked, splitting of result cells.
Must not: defaults for unknown values, knowledge that belongs in config/codes, opening files anywhere but in `CodeBook.load`.

Source: standard 1.2–1.4, 2.1, 3.1; tables config/codes/*.csv (found) and synonyms there (derived).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard import code_files
from zz_pipeline.standard.code_files import CodeSet, Entry
from zz_pipeline.standard.columns import as_text
from zz_pipeline.standard.results import EXCLUSIVE

OK, UNKNOWN, ASK, IGNORED, EMPTY, FORBIDDEN = "ok", "unknown", "ask", "ignored", "empty", "forbidden"
RESULTS = "检查结果类别"
EMPTY_MARKS = "空值标记"  # marks such as "-" that stand for nothing in particular: always asked
_OLDER = {RESULTS: "检查结果旧码"}  # set → stem of the older sets that a source may declare as "set:X"
_MISS = Entry(UNKNOWN, None)

_BLANK = re.compile(r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3000\u3164\ufeff]+")
_CIRCLED = re.compile("\\A[\u2460-\u2473\u2776-\u2793\u24f5-\u24fe\u3251-\u325f\u32b1-\u32bf](?=.)")
_LIST_MARK = re.compile(
    r"\A(?:\((?:\d{1,2}|[一二三四五六七八九十]{1,3})\)|[一二三四五六七八九十]{1,3}[、.)]|\d{1,2}[.、)])(?=\D)"
)
_END_MARKS = "。.,，;；、!！?？:："
# A cell is split at semicolons first and at line breaks only where that gives nothing: a long label may be broken.
_PARTS = re.compile("[；;]+")
_LINES = re.compile("[\r\n\v\f\u0085\u2028\u2029]+")
_CODE_PARTS = re.compile(r"[；;,，、/|\s]+")  # codes of an older set hold none of these; labels do, so only for codes
_GRADE_END = re.compile(r"(?<=.)[级类等]\Z")


def lookup_form(text: str) -> str:
    """The form under which a text is looked up (standard 1.3): NFKC, without blanks, end punctuation and list marks.

    For looking up only: what is sent is the standard label, what is kept is the raw text. Idempotent.
    """
    form = _BLANK.sub("", text)
    while True:
        before = form
        form = _BLANK.sub("", unicodedata.normalize("NFKC", _CIRCLED.sub("", form)))
        form = _LIST_MARK.sub("", form)
        form = form.rstrip(_END_MARKS) or form
        if form == before:
            return form


def grade_form(text: str) -> str:
    """`lookup_form` of a grade: upper case, without a final 级/类/等 (standard 3.1)."""
    form = text
    while True:  # what a removed word uncovers is looked at again, so that the form of a form is the form
        before, form = form, _GRADE_END.sub("", lookup_form(form).upper())
        if form == before:
            return form


def form_of(set_name: str) -> Callable[[str], str]:
    """How values of a set are brought into the form under which they are looked up."""
    return grade_form if set_name.startswith("信用等级·") else lookup_form


@dataclass(frozen=True, slots=True)
class Resolved:
    """One column resolved: standard codes (null unless ok) and a status for each value."""

    codes: pa.Array
    status: pa.Array


@dataclass(frozen=True, slots=True)
class ResolvedResults:
    """One column of result cells: class keys of each cell in the standard's order, status, and whether a label stood twice.

    status is ok, unknown, ask, ignored, empty, or forbidden (STD-011); `classes` is null unless ok.
    """

    classes: pa.Array
    status: pa.Array
    repeated: pa.Array


@dataclass(frozen=True, slots=True)
class CodeBook:
    """All code sets and all departments' confirmed maps, checked for contradictions."""

    sets: Mapping[str, CodeSet]
    maps: Mapping[tuple[str, str], Mapping[str, Entry]]
    regions: frozenset[str]
    provinces: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def load(cls, config_dir: Path) -> CodeBook:
        """Read `codes/` of the configuration folder; ConfigError names file, line and remedy."""
        folder = Path(config_dir) / "codes"
        regions = code_files.read_regions(folder / "regions.csv")
        provinces = code_files.read_provinces(folder / "provinces.csv")
        sets = code_files.read_sets(folder, form_of)
        sets["行政区划"] = code_files.region_set(regions, lookup_form)
        maps = code_files.read_maps(folder / "departments", sets, form_of)
        return cls(sets, maps, frozenset(code for code in regions if len(code) == 6), provinces)

    @property
    def uscc_regions(self) -> frozenset[str]:
        """Regions for `identifiers.uscc_region`: our province by its counties, other provinces as a whole."""
        return self.regions | self.provinces

    def codes(self, set_name: str) -> frozenset[str]:
        """Standard codes of a set."""
        return frozenset(self._set(set_name).labels)

    def labels(self, set_name: str) -> dict[str, str]:
        """Standard codes of a set → official labels."""
        return dict(self._set(set_name).labels)

    def resolve(self, set_name: str, values: Any, dept: str = "", field: str = "", mode: str = "") -> Resolved:
        """Standard codes of a column; `mode` as ColumnSpec.codes: "", "standard", "set:X", "map"."""
        form, tables = form_of(set_name), self._tables(set_name, dept, field, mode)
        codes: list[str | None] = []
        status: list[str] = []
        encoded = as_text(values).dictionary_encode()
        for text in encoded.dictionary.to_pylist():
            entry = _ask(tables, form(text))
            codes.append(entry.code)
            status.append(entry.status)
        return Resolved(_taken(codes, pa.string(), encoded), _status(status, encoded))

    def resolve_results(self, values: Any, dept: str = "", mode: str = "", field: str = "result") -> ResolvedResults:
        """Classes of result cells: the whole cell first, then its parts at ；; and line breaks (standard 1.3)."""
        tables = self._tables(RESULTS, dept, field, mode)
        older = [tables[0]] if mode.startswith("set:") else []
        order = {key: place for place, key in enumerate(self._set(RESULTS).labels)}
        encoded = as_text(values).dictionary_encode()
        cells = [_cell(text, tables, older, order) for text in encoded.dictionary.to_pylist()]
        return ResolvedResults(
            _taken([cell[0] for cell in cells], pa.list_(pa.string()), encoded),
            _status([cell[1] for cell in cells], encoded),
            pc.fill_null(_taken([cell[2] for cell in cells], pa.bool_(), encoded), False),
        )

    def mode(self, dept: str, field: str, declared: str) -> str:
        """ColumnSpec.codes as it is in force: plain labels become "map" once the department has confirmed a map."""
        return "map" if not declared and (dept, field) in self.maps else declared

    def _set(self, name: str) -> CodeSet:
        found = self.sets.get(name)
        if found is None:
            raise ConfigError(f"代码集 {name} 不存在。请在 config/codes/ 下放置 {name}.csv，或改正引用它的配置。")
        return found

    def _tables(self, set_name: str, dept: str, field: str, mode: str) -> list[Mapping[str, Entry]]:
        """Look-up tables in the order in which they are asked: what is declared, the department's confirmed map, labels."""
        base = self._set(set_name)
        first: list[Mapping[str, Entry]] = []
        confirmed = [self.maps.get((dept, field), {})] if mode else []
        if mode == "standard":
            first = [{code: Entry(OK, code) for code in base.labels}]
        elif mode.startswith("set:"):
            first = [self._set(self._older(set_name, mode[4:])).entries]
        elif mode not in ("", "map"):
            raise ConfigError(f"{dept} 的 columns.{field}.codes 写的是 {mode}，只能是空、standard、map 或 set:集名。")
        marks = self.sets.get(EMPTY_MARKS)
        return [*first, *confirmed, base.entries, *([marks.entries] if marks else [])]

    def _older(self, set_name: str, name: str) -> str:
        older = f"{_OLDER.get(set_name, set_name)}·{name}"
        return older if older in self.sets else name


def _ask(tables: Iterable[Mapping[str, Entry]], form: str) -> Entry:
    if not form:
        return Entry(EMPTY, None)
    return next((table[form] for table in tables if form in table), _MISS)


def _cell(
    text: str, tables: list[Mapping[str, Entry]], older: list[Mapping[str, Entry]], order: Mapping[str, int]
) -> tuple[list[str] | None, str, bool]:
    """(class keys, status, a label stood twice) of one result cell."""
    whole = _ask(tables, lookup_form(text))
    entries = [whole] if whole.status != UNKNOWN else list(_parts(text, tables, older))
    told = {entry.status for entry in entries}
    for status in (UNKNOWN, ASK):
        if status in told:
            return None, status, False
    found = [entry.code for entry in entries if entry.code]
    if not found:
        return None, IGNORED if IGNORED in told else EMPTY, False
    classes = sorted(set(found), key=lambda key: order[key])
    if len(classes) > 1 and EXCLUSIVE & set(classes):
        return None, FORBIDDEN, False
    return classes, OK, len(classes) < len(found)


def _parts(text: str, tables: list[Mapping[str, Entry]], older: list[Mapping[str, Entry]]) -> Iterator[Entry]:
    for part in _PARTS.split(text):
        entry = _ask(tables, lookup_form(part))
        if entry.status != UNKNOWN:
            yield entry
            continue
        for line in _LINES.split(part):
            entry = _ask(tables, lookup_form(line))
            if entry.status == UNKNOWN and older:
                yield from (_ask(older, lookup_form(code)) for code in _CODE_PARTS.split(line))
            else:
                yield entry


def _taken(values: list[Any], kind: pa.DataType, encoded: pa.DictionaryArray) -> pa.Array:
    return pc.take(pa.array(values, type=kind), encoded.indices)


def _status(values: list[str], encoded: pa.DictionaryArray) -> pa.Array:
    return pc.fill_null(_taken(values, pa.string(), encoded), EMPTY)
