"""One record said more than once: the same rows, other content under one number, one content under two numbers.

Belongs here: INS-030, INS-031, collapsing of equal rows, the newest of several files. Must not: comparing with the ledger.
Everything works on numbers of equal contents, by column; loops touch only the few records that are repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.standard.columns import Bools, Ints, to_bools
from zz_pipeline.standard.tables import INSPECTION, Scope
from zz_pipeline.standardizing.issues import Issues

_NUMBER = ("record_key", "record_no")
# When a record was typed in, and by whom, does not make it another check.
_ENTRY = ("entered_by", "entered_at")
_RECORD = tuple(n for n in INSPECTION.names(Scope.RECORD) if n not in _NUMBER)
_ITEM = INSPECTION.names(Scope.ITEM)
_UNLIKE = ("item_name", "implement_code", "follow_up")  # of one label on one item these cannot differ; remarks may
SUPERSEDED, EQUAL = "同一记录在更晚交来的文件里已更正", "重复行"
_TEAM = ("inspector_names", "inspector_certs")


@dataclass(frozen=True, slots=True)
class Reshaped:
    """The table without repetitions, where each row went (-1: gone), and what was left out."""

    table: pa.Table
    where: Ints
    skipped: Counter[str]


def equal_rows(table: pa.Table, names: Iterable[str]) -> Ints:
    """A number for each row; two rows have the same one exactly if they agree in all these columns."""
    ids = np.zeros(table.num_rows, dtype=np.int64)
    for name in names:
        codes = _codes(table[name].combine_chunks())
        ids = np.unique(ids * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1].astype(np.int64)
    return ids


def _codes(column: pa.Array) -> Ints:
    if pa.types.is_list(column.type):
        column = _list_numbers(column)
    encoded = column.dictionary_encode(null_encoding="encode") if len(column) else column.dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _list_numbers(column: pa.Array) -> pa.Array:
    """Each list as the numbers of its entries: no separator that a text might hold stands between them."""
    numbers = pc.list_flatten(column).dictionary_encode(null_encoding="encode").indices.cast(pa.string())
    offsets = np.concatenate([[0], np.cumsum(_sizes(column))]).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), numbers), ",")
    return pc.if_else(pc.is_valid(column), joined, pa.scalar(None, pa.string()))


def with_team(table: pa.Table) -> pa.Table:
    """The table with its inspectors as one unordered team: another order of them is no other content."""
    names, certs = (table[name].combine_chunks() for name in _TEAM)
    sizes = _sizes(certs)
    paired = sizes == _sizes(names)
    texts = (pc.fill_null(_list_numbers(column), "") for column in (certs, names))
    as_said = pc.binary_join_element_wise(*texts, ";")  # lists that do not pair up stay as they are
    team = pc.if_else(pa.array(paired), _pairs(certs, names, paired), as_said)
    for name in _TEAM:
        table = table.set_column(table.column_names.index(name), name, team)
    return table


def _pairs(certs: pa.Array, names: pa.Array, paired: Bools) -> pa.Array:
    """The pairs of certificate and name of each row in an order of their own; nothing for rows that do not pair up."""
    mine = pa.array(paired)
    ours, theirs = certs.filter(mine), names.filter(mine)
    cert, name = (_codes(pc.list_flatten(column)) for column in (ours, theirs))
    sizes = np.zeros(len(paired), dtype=np.int64)
    sizes[paired] = _sizes(ours)
    order = np.lexsort((name, cert, np.repeat(np.arange(len(sizes)), sizes)))
    texts = (pa.array(numbers[order]).cast(pa.string()) for numbers in (cert, name))
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, pc.binary_join_element_wise(*texts, ":")), " ")


def _sizes(lists: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def other_content(table: pa.Table, issues: Issues, *, files: bool) -> None:
    """INS-030 on all rows of a record that one file states in two ways. files: rows have an order that was meant."""
    sorted_table = with_team(table)
    keyed = to_bools(pc.is_valid(table["record_key"]))
    group = equal_rows(table, ("record_key", "source_file"))
    bad = _differs(group, equal_rows(sorted_table, _RECORD))
    label = equal_rows(table, ("record_key", "source_file", "item_code", "result"))
    bad |= _spread(group, _differs(label, equal_rows(table, _UNLIKE)))
    if files and table.num_rows:
        bad |= _entries_differ(table, group)
    rows = np.flatnonzero(bad & keyed)
    names = table["source_file"].combine_chunks()
    issues.add(rows, "INS-030", "record_no", table["record_no"].combine_chunks(), lambda row: str(names[row]))


def _entries_differ(table: pa.Table, group: Ints) -> Bools:
    """Records that stand in a file as several entries with unlike items.

    An item that comes back after another row has intervened, or with another change time, opens a new entry of the record.
    """
    content = equal_rows(table, _ITEM)
    changed = _codes(table["changed_at"].combine_chunks())
    item = equal_rows(table, ("record_key", "source_file", "item_code"))
    run = np.cumsum(np.concatenate([[True], item[1:] != item[:-1]]))
    return _spread(group, _unlike_sets(item, _combined(run, changed), content)) | _spread(
        group, _unlike_sets(group, changed, content)
    )


def _unlike_sets(group: Ints, entry: Ints, content: Ints) -> Bools:
    """Rows of groups whose entries do not all hold the same set of contents."""
    bad = np.zeros(len(group), dtype=np.bool_)
    several = _differs(group, entry)
    for rows in _members(group, np.flatnonzero(several)):
        sets: dict[int, set[int]] = {}
        for row in rows:
            sets.setdefault(int(entry[row]), set()).add(int(content[row]))
        bad[rows] = len({frozenset(s) for s in sets.values()}) > 1
    return bad


def without_equal(table: pa.Table) -> Reshaped:
    """Rows that say the same of the same record once; the latest change time of them stands."""
    content = equal_rows(with_team(table), (*_NUMBER, *_RECORD, *_ITEM))
    keyed = to_bools(pc.is_valid(table["record_key"]))
    # a row without a usable number is a unit of its own: never merged with another
    content = np.where(keyed, content, content.max(initial=0) + 1 + np.arange(table.num_rows))
    first, inverse = np.unique(content, return_index=True, return_inverse=True)[1:]
    order = np.argsort(first)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    kept = table.take(pa.array(first[order]))
    latest = _latest(table, place[inverse], len(order))
    kept = kept.set_column(kept.column_names.index("changed_at"), "changed_at", latest)
    gone = table.num_rows - kept.num_rows
    return Reshaped(kept, place[inverse], Counter({EQUAL: gone} if gone else {}))


def _latest(table: pa.Table, group: Ints, size: int) -> pa.Array:
    times = _seconds(table)
    latest = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(latest, group, times)
    return pa.array(latest, pa.int64(), mask=latest == np.iinfo(np.int64).min).cast(pa.timestamp("s"))


def _seconds(table: pa.Table) -> Ints:
    stamps = pc.fill_null(table["changed_at"].combine_chunks().cast(pa.int64()), np.iinfo(np.int64).min)
    return np.asarray(stamps.to_numpy(zero_copy_only=False), dtype=np.int64)


def newest_files(table: pa.Table, order: Sequence[str]) -> Reshaped:
    """Of a record that several files of one reading hold in several states, the state of the newest file.

    Newest by change time, where the files have one, else the last handed in (`order`).
    """
    several = _differs(_codes(table["record_key"].combine_chunks()), _codes(table["source_file"].combine_chunks()))
    several &= to_bools(pc.is_valid(table["record_key"]))
    keep = np.ones(table.num_rows, dtype=np.bool_)
    places = {name: n for n, name in enumerate(order)}
    files = table["source_file"].to_pylist() if several.any() else []
    times = _seconds(table)
    for rows in _members(_codes(table["record_key"].combine_chunks()), np.flatnonzero(several)):
        rank = {files[row]: (int(times[row]), places.get(files[row], -1)) for row in rows}
        newest = max(rank, key=lambda name: rank[name])
        keep[rows] = [files[row] == newest for row in rows]
    where = np.where(keep, np.cumsum(keep) - 1, -1)
    gone = int((~keep).sum())
    return Reshaped(table.filter(pa.array(keep)), where, Counter({SUPERSEDED: gone} if gone else {}))


def other_number(table: pa.Table, issues: Issues) -> None:
    """INS-031 on all rows of records that agree in everything but their number (and when it was typed in)."""
    judged = to_bools(
        pc.and_(
            pc.is_valid(table["record_key"]),
            pc.and_(pc.is_valid(table["subject_name"]), pc.is_valid(table["inspect_date"])),
        )
    )
    names = [n for n in (*_RECORD, *_ITEM) if n not in _ENTRY]
    content = equal_rows(with_team(table), names)
    record = _codes(table["record_key"].combine_chunks())
    shared = _differs(content, record) & judged
    contents: dict[int, set[int]] = {}
    for rows in _members(record, np.flatnonzero(_spread(record, shared) & judged)):
        contents[int(record[rows[0]])] = {int(content[row]) for row in rows}
    twins: dict[frozenset[int], list[int]] = {}
    for number, told in contents.items():
        twins.setdefault(frozenset(told), []).append(number)
    _report_twins(table, issues, record, [numbers for numbers in twins.values() if len(numbers) > 1])


def _report_twins(table: pa.Table, issues: Issues, record: Ints, twins: list[list[int]]) -> None:
    numbers = table["record_no"].combine_chunks()
    for group in twins:
        rows = np.flatnonzero(np.isin(record, group))
        texts = sorted({str(numbers[int(row)]) for row in rows})
        for text in texts:
            mine = rows[to_bools(pc.equal(numbers.take(pa.array(rows)), text))]
            issues.add(mine, "INS-031", "record_no", numbers, "、".join(t for t in texts if t != text))


def _differs(group: Ints, value: Ints) -> Bools:
    """Rows of groups in which the value is not the same throughout."""
    if len(group) == 0:
        return np.zeros(0, dtype=np.bool_)
    size = int(group.max()) + 1
    low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(low, group, value)
    np.maximum.at(high, group, value)
    return np.asarray((low != high)[group], dtype=np.bool_)


def _spread(group: Ints, flags: Bools) -> Bools:
    """All rows of the groups of flagged rows."""
    return np.asarray(np.isin(group, np.unique(group[flags])), dtype=np.bool_)


def _combined(one: Ints, other: Ints) -> Ints:
    return np.asarray(one * (int(other.max(initial=0)) + 1) + other, dtype=np.int64)


def _members(group: Ints, rows: Ints) -> list[Ints]:
    """The given rows (and only those) by their group, each in the order of the table."""
    if len(rows) == 0:
        return []
    order = rows[np.argsort(group[rows], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    return list(np.split(order, cuts))
