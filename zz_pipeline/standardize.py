"""Raw table → standard table and issues: native headings to names, native values to standard values, nothing guessed.

Belongs here: the order of the steps, derivations of docs/decisions/0001, units. Every value is handled, ignored by name, or an
issue. Must not: reading sources, rules about good records (those are checks), the ledger, IO.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.settings import Department
from zz_pipeline.sources.base import FILE, FORMULA, HIDDEN, MARK, ROW, STRUCK, TRACE, RawBatch
from zz_pipeline.sources.grid import plain
from zz_pipeline.standard import identifiers
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.columns import Bools, Ints, map_unique, to_bools
from zz_pipeline.standard.dates import parse_datetimes
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import INSPECTION, Kind, Scope
from zz_pipeline.standardizing import credit_items
from zz_pipeline.standardizing.columns import Source, cells, pair_positions, read_column, read_results
from zz_pipeline.standardizing.credit_items import Items
from zz_pipeline.standardizing.issues import Issues
from zz_pipeline.standardizing.repeats import newest_files, other_content, other_number, without_equal

__all__ = ["StandardBatch", "standardize", "standardize_ratings", "standardize_repairs"]

HELPERS = "配合单位的行（由其自行报送）"
_KEY_LENGTH = 35
_FILE_KINDS = ("workbook", "csv")
_COUNTERPART = ("counterpart_name", "counterpart_id_type", "counterpart_code")
_READ_APART = {"record_key", "result", "result_raw", "changed_at", *INSPECTION.names(Scope.TRACE)}


@dataclass(frozen=True, slots=True)
class StandardBatch:
    """A standard table with its issues: issues are (row int64 into table, rule, field, value, message).

    skipped: rows that are no data of the department, by reason. units: what counts as pulled (docs/decisions/0001 "Grain").
    """

    kind: Kind
    table: pa.Table
    issues: pa.Table
    skipped: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    units: int = 0


def standardize(raw: RawBatch, dept: Department, book: CodeBook, lists: Lists, county_code: str) -> StandardBatch:
    """Inspection results of one department as one row for each (record, item, result label)."""
    skipped = Counter(raw.skipped)
    issues = Issues(INSPECTION)
    table = _own_rows(raw, dept, issues, skipped)
    source = Source(table, dept, book, issues)
    _held_rows(source)
    issues.add(pair_positions(source), "STD-009", "inspector_names", None, "姓名和证号没有一一对应，有人缺姓名或缺证号")
    columns = _columns(source, county_code)
    _derive(columns, dept, lists)
    standard, repeated = _explode(source, columns)
    other_content(standard, issues, files=dept.source.kind in _FILE_KINDS)
    for step in (without_equal, lambda t: newest_files(t, [f.name for f in raw.files])):
        reshaped = step(standard)
        standard = reshaped.table
        issues.moved(reshaped.where)
        skipped += reshaped.skipped
    other_number(standard, issues)
    warnings = [*_unknown_headings(raw, dept), *repeated, *_unread_times(source, columns)]
    return StandardBatch(Kind.INSPECTION, standard, issues.table(), dict(skipped), tuple(warnings), _units(standard))


def standardize_ratings(raw: RawBatch, book: CodeBook) -> StandardBatch:
    """Ratings of the credit platform, one row a rating (its newest revision)."""
    return _credit(Kind.RATING, raw, credit_items.rating_items(raw, book), credit_items.ratings)


def standardize_repairs(raw: RawBatch, book: CodeBook) -> StandardBatch:
    """信用修复 notices of the credit platform, one row a notice."""
    return _credit(Kind.REPAIR, raw, credit_items.repair_items(raw, book), credit_items.repairs)


def _credit(kind: Kind, raw: RawBatch, items: Items, read: Callable[[Items], pa.Table]) -> StandardBatch:
    table = read(items)
    return StandardBatch(kind, table, items.issues.table(), dict(raw.skipped), items.warnings, table.num_rows)


# ── which rows are read ─────────────────────────────────────────────────────────────────────────────────────────────
def _own_rows(raw: RawBatch, dept: Department, issues: Issues, skipped: Counter[str]) -> pa.Table:
    """Rows without those of helping departments; a name that no department bears is an issue (STD-007)."""
    if not dept.owner_column or not raw.table.num_rows:
        return raw.table
    own = {plain(name) for name in dept.names}
    others = {plain(name) for name, key in raw.owners.items() if key != dept.key} - own
    names = cells(raw.table, dept.owner_column)
    helping = _among(names, others)
    table = raw.table.filter(pa.array(~helping))
    kept = names.filter(pa.array(~helping))
    if helping.any():
        skipped[HELPERS] += int(helping.sum())
    issues.add(~_among(kept, own), "STD-007", "dept", kept)
    return table


def _among(values: pa.Array, names: set[str]) -> Bools:
    return to_bools(map_unique(values, lambda text: plain(text) in names, pa.bool_()))


def _held_rows(source: Source) -> None:
    """Rows that a department has voided, hidden, struck through, or not finished (STD-008, STD-002)."""
    dept, issues = source.dept, source.issues
    if dept.void_column:
        state = source.cells(dept.void_column)
        void = _among(state, {plain(value) for value in dept.void_values})
        issues.add(void, "STD-008", dept.void_column, state, lambda row: f"的“{dept.void_column}”是“{state[row]}”")
    marks = source.cells(MARK)
    for mark, words in ((HIDDEN, "所在的行被手工隐藏"), (STRUCK, "所在的行打了删除线")):
        issues.add(to_bools(pc.equal(marks, mark)), "STD-008", "", None, words)
    issues.add(
        to_bools(pc.equal(marks, FORMULA)),
        "STD-002",
        "",
        None,
        text="这一行有没算出结果的公式，读不出内容。请在表格软件里打开，重新计算并保存后重交。",
    )


def _unknown_headings(raw: RawBatch, dept: Department) -> list[str]:
    """STD-010: a column that nobody mapped or ignored is named, never silently dropped."""
    mapped = {h for spec in dept.columns.values() for h in (spec.heading, *spec.headings)}
    handled = {plain(h) for h in (*mapped, *dept.ignore, dept.owner_column, dept.void_column, dept.source.changed_at)}
    warnings = []
    for name in raw.table.column_names:
        if name in TRACE or plain(name) in handled or plain(name.partition("#")[0]) in {plain(h) for h in dept.ignore}:
            continue
        filled = pc.unique(raw.table[FILE].filter(pc.is_valid(raw.table[name]))).to_pylist()
        where = "、".join(f"《{f}》" for f in filled[:5]) or "来源"
        warnings.append(
            f"STD-010 {where}有一列“{name}”没有登记用途，未采用。请管理员在部门目录里写明它对应的字段，或写进 ignore。"
        )
    return warnings


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _columns(source: Source, county_code: str) -> dict[str, pa.Array]:
    """Standard columns before the rows are taken apart by result label."""
    columns = {f.name: read_column(source, f) for f in INSPECTION.fields if f.name not in _READ_APART}
    rows = source.table.num_rows
    columns["record_key"] = _record_keys(columns["record_no"], f"{county_code}-{source.dept.key}-")
    columns["result_raw"] = source.column(source.dept.columns.get("result"))
    columns["dept"] = pa.repeat(pa.scalar(source.dept.key, pa.string()), rows)
    columns["source_file"] = source.cells(FILE)
    columns["source_row"] = source.table[ROW].combine_chunks()
    columns["changed_at"] = parse_datetimes(_changed(source), source.date_system)[0]
    return columns


def _record_keys(numbers: pa.Array, prefix: str) -> pa.Array:
    """`<county>-<DEPT>-<number>`; null for a number that no platform would take."""
    usable = identifiers.record_no(numbers, min(22, _KEY_LENGTH - len(prefix)))
    keys = pc.binary_join_element_wise(prefix, numbers, "")
    return pc.if_else(pa.array(usable), keys, pa.scalar(None, pa.string()))


def _changed(source: Source) -> pa.Array:
    spec = source.dept.columns.get("changed_at")
    return source.column(spec) if spec else source.cells(source.dept.source.changed_at)


def _unread_times(source: Source, columns: Mapping[str, pa.Array]) -> list[str]:
    bad = int(pc.sum(pc.and_(pc.is_valid(_changed(source)), pc.is_null(columns["changed_at"]))).as_py() or 0)
    return [f"有 {bad} 行的变更时间读不出，无法判断先后。请该部门按 2026-07-03 08:00:00 的形式填写。"] if bad else []


def _derive(columns: dict[str, pa.Array], dept: Department, lists: Lists) -> None:
    """Fields that a source may leave out because others say them (docs/decisions/0001)."""
    _counterpart(columns)
    own = lists.items.filter(pc.equal(lists.items["dept"], dept.key))
    for name in ("item_name", "implement_code"):
        if name not in dept.columns:
            columns[name] = _looked_up(columns["item_code"], own, name)


def _counterpart(columns: dict[str, pa.Array]) -> None:
    """Without a responsible body of its own the subject answers for itself: by its USCC, else by its object code."""
    subject, uscc, number = columns["subject_name"], columns["uscc"], columns["object_code"]
    name, kind, code = (columns[n] for n in _COUNTERPART)
    itself = pc.and_(pc.is_null(code), pc.fill_null(pc.equal(name, subject), True))
    own_kind = pc.if_else(
        pc.is_valid(uscc), "001", pc.if_else(pc.is_valid(number), "099", pa.scalar(None, pa.string()))
    )
    columns["counterpart_name"] = pc.coalesce(name, subject)
    columns["counterpart_id_type"] = pc.if_else(itself, own_kind, kind)
    columns["counterpart_code"] = pc.if_else(itself, pc.coalesce(uscc, number), code)


def _looked_up(codes: pa.Array, items: pa.Table, name: str) -> pa.Array:
    """The item list's value by item code; null where the list is silent or says two things."""
    told: dict[str, set[str]] = {}
    for code, value in zip(items["item_code"].to_pylist(), items[name].to_pylist(), strict=True):
        told.setdefault(code, set()).add(value)
    clear = {code: values.copy().pop() for code, values in told.items() if len(values) == 1}
    return map_unique(codes, clear.get, pa.string())


def _explode(source: Source, columns: dict[str, pa.Array]) -> tuple[pa.Table, list[str]]:
    """One row for each result label; a cell that could not be read keeps one row without a result."""
    found = read_results(source, columns["result_raw"])
    labels = np.asarray(pc.fill_null(pc.list_value_length(found.classes), 0).to_numpy(zero_copy_only=False), np.int64)
    counts = np.maximum(labels, 1)
    origin = np.repeat(np.arange(len(counts)), counts)
    place = np.full(len(origin), -1, dtype=np.int64)
    place[np.repeat(labels > 0, counts)] = np.arange(int(labels.sum()))
    results = pc.list_flatten(found.classes).take(pa.array(place, mask=place < 0))
    taken = {name: column.take(pa.array(origin)) for name, column in columns.items()} | {"result": results}
    source.issues.moved(_starts(counts))
    table = pa.table([taken[f.name].cast(f.arrow) for f in INSPECTION.fields], schema=INSPECTION.schema)
    twice = [str(source.table[ROW][int(i)]) for i in np.flatnonzero(to_bools(found.repeated))]
    warning = f"有 {len(twice)} 格检查结果把同一结论写了两次，已按一次计（行 {'、'.join(twice[:10])}）。"
    return table, [warning] if twice else []


def _starts(counts: Ints) -> Ints:
    return np.asarray(np.cumsum(counts) - counts, dtype=np.int64)


def _units(table: pa.Table) -> int:
    """Records, and each source row whose number is not usable."""
    loose = table.filter(pc.is_null(table["record_key"])).select(["source_file", "source_row"])
    keys = pc.count_distinct(table["record_key"], mode="only_valid").as_py()
    return int(keys) + loose.group_by(["source_file", "source_row"]).aggregate([]).num_rows
