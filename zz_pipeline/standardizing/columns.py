"""Native columns → standard columns, one way of reading for each kind of field.

Belongs here: choosing and applying the way of reading; every value becomes a standard value or an issue.
Must not: knowledge of one department (that is its file), rules about records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.settings import ColumnSpec, Department
from zz_pipeline.standard import codes
from zz_pipeline.standard.codes import CodeBook, ResolvedResults
from zz_pipeline.standard.columns import Bools, as_text, map_unique, matches, to_bools
from zz_pipeline.standard.dates import parse_dates, parse_datetimes
from zz_pipeline.standard.normalize import FOREIGN, clean_identifier, clean_name, clean_text
from zz_pipeline.standard.tables import RESULT_LABELS, Field
from zz_pipeline.standardizing.issues import Issues

YES_NO = "是否"
LIST_FIELDS = ("inspector_names", "inspector_certs")
# Identifier fields, and whether a lower-case letter is the same code (4.1) or another number.
IDENTIFIERS: Mapping[str, bool] = {
    "record_no": False,
    "object_code": False,
    "plan_id": True,
    "task_id": True,
    "uscc": True,
    "counterpart_code": True,
    "item_code": True,
    "implement_code": True,
    "inspector_certs": True,
    "evaluator_code": True,
}
NAMES = frozenset(
    {
        "subject_name", "counterpart_name", "lead_dept", "plan_name", "task_name", "item_name", "entered_by",
        "inspector_names", "evaluator",
    }
)  # fmt: skip
_LOST = r"\A\s*[+-]?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+\s*\z|\A\s*[0-9]+\.[0-9]+\s*\z"
_POINT_ZERO = r"\A\s*([0-9]{1,15})\.0+\s*\z"
_SHEET_ERROR = r"\A#(?:N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|错误)\z"
_SEPARATORS = re.compile(r"[、，,;；/|\t\r\n]")
_PLAIN_PART = "[0-9A-Za-z\u4e00-\u9fff]+"
_SHOWN_CHOICES = 12


@dataclass(frozen=True, slots=True)
class Source:
    """The rows at hand with what is needed to read them. `date_system`: of serial numbers; None: there are none."""

    table: pa.Table
    dept: Department
    book: CodeBook
    issues: Issues

    @property
    def date_system(self) -> str | None:
        """Only a workbook holds serial numbers; elsewhere five digits are no date."""
        return self.dept.source.date_system if self.dept.source.kind == "workbook" else None

    def cells(self, heading: str) -> pa.Array:
        """A native column as text; nulls if this reading has no such heading."""
        return cells(self.table, heading)

    def column(self, spec: ColumnSpec | None) -> pa.Array:
        """The cells of a mapped column or its constant; nulls if it is not mapped."""
        if spec is None:
            return pa.nulls(self.table.num_rows, pa.string())
        if spec.constant:
            return pa.repeat(pa.scalar(spec.constant, pa.string()), self.table.num_rows)
        return self.cells(spec.heading)


def cells(table: pa.Table, heading: str) -> pa.Array:
    """A native column as text; nulls if the reading has no such heading."""
    return as_text(table[heading]) if heading in table.column_names else pa.nulls(table.num_rows, pa.string())


def read_column(source: Source, field: Field) -> pa.Array:
    """The standard column of a field; issues are noted by row."""
    spec = source.dept.columns.get(field.name)
    if spec is None:
        return pa.nulls(source.table.num_rows, field.arrow)
    if field.type == "texts":
        return read_list(source, field.name, spec)
    raw = source.column(spec)
    bad = matches(raw, _SHEET_ERROR)
    if bad.any():
        source.issues.add(bad, "STD-002", field.name, raw, "表格里这一格是出错的公式，请填写实际内容")
        raw = pc.if_else(pa.array(~bad), raw, pa.scalar(None, pa.string()))
    return _way(field)(source, field, spec, raw)


def _way(field: Field) -> Callable[[Source, Field, ColumnSpec, pa.Array], pa.Array]:
    if field.type in _BY_TYPE:
        return _BY_TYPE[field.type]
    if field.codes:
        return _coded
    if field.name in IDENTIFIERS:
        return _identifier
    return _name if field.name in NAMES else _text


def _date(source: Source, field: Field, _spec: ColumnSpec, raw: pa.Array) -> pa.Array:
    values, bad = parse_dates(raw, source.date_system)
    source.issues.add(to_bools(bad), "STD-003", field.name, raw)
    return values


def _datetime(source: Source, field: Field, _spec: ColumnSpec, raw: pa.Array) -> pa.Array:
    values, bad = parse_datetimes(raw, source.date_system)
    source.issues.add(to_bools(bad), "STD-003", field.name, raw)
    return values


def _bool(source: Source, field: Field, spec: ColumnSpec, raw: pa.Array) -> pa.Array:
    found = source.book.resolve(YES_NO, raw, source.dept.key, field.name, _mode(source, field.name, spec))
    source.issues.add(_is(found.status, codes.UNKNOWN, codes.ASK), "STD-005", field.name, raw)
    return map_unique(found.codes, lambda text: text == "true", pa.bool_())


def _coded(source: Source, field: Field, spec: ColumnSpec, raw: pa.Array) -> pa.Array:
    return coded(source, field.name, field.codes or field.label, raw, _mode(source, field.name, spec))


def coded(source: Source, name: str, set_name: str, raw: pa.Array, mode: str) -> pa.Array:
    """Standard codes of a column; unknown and to-be-asked values are issues."""
    found = source.book.resolve(set_name, raw, source.dept.key, name, mode)
    hint = choices(source.book.labels(set_name), set_name)
    source.issues.add(_is(found.status, codes.UNKNOWN), "STD-001", name, raw, hint)
    source.issues.add(_is(found.status, codes.ASK), "STD-002", name, raw, hint)
    return found.codes


def _identifier(source: Source, field: Field, spec: ColumnSpec, raw: pa.Array) -> pa.Array:
    if spec.decimals:
        raw = pc.replace_substring_regex(raw, _POINT_ZERO, r"\1")
    return identifier(source.issues, field.name, raw)


def identifier(issues: Issues, name: str, raw: pa.Array) -> pa.Array:
    """A cleaned identifier column; what lost digits or holds foreign characters inside is an issue and stays as written."""
    values, flags = clean_identifier(raw, upper=IDENTIFIERS[name])
    lost = matches(values, _LOST)
    issues.add(lost, "STD-004", name, raw)
    issues.add(_is(flags, FOREIGN) & ~lost, "STD-006", name, raw)
    return values


def _name(_source: Source, _field: Field, _spec: ColumnSpec, raw: pa.Array) -> pa.Array:
    return clean_name(raw)


def _text(_source: Source, _field: Field, _spec: ColumnSpec, raw: pa.Array) -> pa.Array:
    return clean_text(raw)


_BY_TYPE = {"date": _date, "datetime": _datetime, "bool": _bool}


def read_results(source: Source, raw: pa.Array) -> ResolvedResults:
    """Result cells as lists of classes (standard 1.3); what is no class of its own is an issue."""
    spec = source.dept.columns.get("result") or ColumnSpec()
    found = source.book.resolve_results(raw, source.dept.key, _mode(source, "result", spec))
    hint = "、".join(RESULT_LABELS.values())
    source.issues.add(_is(found.status, codes.UNKNOWN), "STD-001", "result", raw, hint)
    source.issues.add(_is(found.status, codes.ASK), "STD-002", "result", raw, hint)
    source.issues.add(_is(found.status, codes.FORBIDDEN), "STD-011", "result", raw)
    return found


def read_list(source: Source, name: str, spec: ColumnSpec) -> pa.Array:
    """A list cell, or several columns that make one list; a cell that cannot be taken apart is STD-009."""
    if spec.headings:
        return _from_columns(source, name, spec)
    raw = source.column(spec)
    easy, quick = _plain_lists(raw, spec.split)
    hard = pc.if_else(easy, pa.scalar(None, pa.string()), raw)
    split = {text: _split(text, spec.split) for text in pc.unique(hard).to_pylist() if text is not None}
    broken = map_unique(hard, lambda text: split[text] is None, pa.bool_())
    source.issues.add(
        to_bools(broken), "STD-009", name, raw, f"各人之间只能用“{spec.split or '（一格一人）'}”分隔，中间不能空"
    )
    parts = {text: found or [] for text, found in split.items()}
    read = map_unique(hard, lambda text: parts[text], pa.list_(pa.string()))
    return _cleaned(source, name, raw, pc.if_else(easy, quick, read))


def _plain_lists(raw: pa.Array, separators: str) -> tuple[pa.Array, pa.Array]:
    """Which cells are plain words between declared separators, and their parts: nearly all are, and need no second look."""
    between = f"[{re.escape(separators)}]"
    if not separators or re.search(_PLAIN_PART, separators):
        return pa.repeat(pa.scalar(False), len(raw)), pa.nulls(len(raw), pa.list_(pa.string()))
    easy = pc.fill_null(pc.match_substring_regex(raw, rf"\A{_PLAIN_PART}(?:{between}{_PLAIN_PART})*\z"), False)
    return easy, pc.split_pattern_regex(pc.if_else(easy, raw, pa.scalar(None, pa.string())), between)


def _split(text: str, separators: str) -> list[str] | None:
    """The parts of a list cell; None if one is empty inside or holds a separator that is none of the declared."""
    parts = re.split(f"[{re.escape(separators)}]", text.strip()) if separators else [text]
    parts = [part.strip() for part in parts]
    while parts and not parts[-1]:
        parts.pop()
    if any(not part or _SEPARATORS.search(part) for part in parts):
        return None
    return parts


def _from_columns(source: Source, name: str, spec: ColumnSpec) -> pa.Array:
    columns = [clean_text(source.cells(heading)) for heading in spec.headings]
    raw = pc.binary_join_element_wise(*columns, "、", null_handling="skip") if columns else source.column(None)
    crowded = np.logical_or.reduce([matches(column, _SEPARATORS.pattern) for column in columns])
    source.issues.add(crowded, "STD-009", name, raw, "一格只能写一人")
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return _cleaned(source, name, raw, pa.array([[c for c in row if c] for row in rows], pa.list_(pa.string())))


def _cleaned(source: Source, name: str, raw: pa.Array, lists: pa.Array) -> pa.Array:
    """Each entry cleaned as its kind asks; an empty list is null."""
    entries, owner = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
    if name in IDENTIFIERS:
        cleaned, flags = clean_identifier(entries, upper=IDENTIFIERS[name])
        lost = matches(cleaned, _LOST)
        foreign = _is(flags, FOREIGN) & ~lost
        source.issues.add(np.unique(owner[lost]).astype(np.int64), "STD-004", name, raw)
        source.issues.add(np.unique(owner[foreign]).astype(np.int64), "STD-006", name, raw)
    else:
        cleaned = clean_name(entries)
    # an entry of invisible characters only is an empty one
    gaps = np.unique(owner[to_bools(pc.is_null(cleaned))]).astype(np.int64)
    source.issues.add(gaps, "STD-009", name, raw, "中间有看不见的空项")
    cleaned = pc.fill_null(cleaned, "")
    counts = np.bincount(owner, minlength=len(lists)) if len(owner) else np.zeros(len(lists), dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    rebuilt = pa.ListArray.from_arrays(pa.array(offsets), cleaned)
    return pc.if_else(pa.array(counts > 0), rebuilt, pa.scalar(None, pa.list_(pa.string())))


def pair_positions(source: Source) -> Bools:
    """Rows in which a name column is empty beside a certificate, or the reverse: leaving the gap out would pair strangers."""
    names, certs = (source.dept.columns.get(name) for name in LIST_FIELDS)
    apart = np.zeros(source.table.num_rows, dtype=np.bool_)
    if names is None or certs is None or not names.headings or len(names.headings) != len(certs.headings):
        return apart
    for name, cert in zip(names.headings, certs.headings, strict=True):
        filled = [to_bools(pc.is_valid(clean_text(source.cells(heading)))) for heading in (name, cert)]
        apart |= filled[0] != filled[1]
    return apart


def choices(labels: Mapping[str, str], set_name: str) -> str:
    """What may be written, for a message."""
    if len(labels) > _SHOWN_CHOICES:
        return f"代码表“{set_name}”里的名称或代码"
    return "、".join(label if code == label else f"{label}（{code}）" for code, label in labels.items())


def _mode(source: Source, name: str, spec: ColumnSpec) -> str:
    # A constant is confirmed by the department and written in its file as code or label.
    declared = "standard" if spec.constant and not spec.codes else spec.codes
    return source.book.mode(source.dept.key, name, declared)


def _is(status: pa.Array, *wanted: str) -> Bools:
    return to_bools(pc.is_in(status, pa.array(wanted)))
