"""Standard rows → the content of a version: one canonical payload and its digest for each record.

Belongs here: grouping of rows into records, what counts as content. Must not: SQL, publishing decisions.

Columns are read once, each different value once; what is made for each record is its payload, its bytes and its digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.standard.canonical import canonical_json, sm3_hex
from zz_pipeline.standard.tables import RESULT_LABELS, TABLES, Kind, Scope, Table

# What tells a check from the same check handed in again under another number: neither the number nor the typing-in does.
_NUMBER_AND_ENTRY = ("record_key", "record_no", "entered_by", "entered_at", "publishable", "not_publish_reason")
_ORDER = {key: n for n, key in enumerate(RESULT_LABELS)}
_TEAM = ("inspector_certs", "inspector_names")
_DAY, _MOMENT = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Content:
    """One record as a department said it: payload, its canonical bytes, their digest, and where it came from."""

    record_key: str
    payload: dict[str, Any]
    digest: str
    changed_at: str | None
    source_file: str | None
    source_row: int | None
    body: bytes = field(repr=False)  # the canonical bytes that the ledger keeps

    @cached_property
    def twin(self) -> str:
        """Digest of the content without its number: equal for one check that was handed in under two numbers."""
        rest = self.payload.copy()
        for name in _NUMBER_AND_ENTRY:
            rest.pop(name, None)
        return sm3_hex(canonical_json(rest))


def contents(kind: Kind, table: pa.Table) -> Iterator[Content]:
    """Each record of a standard table once, in the order of its first row."""
    if not table.num_rows:
        return
    spec, (first, members) = TABLES[kind], _groups(table["record_key"])
    firsts = table.take(pa.array(first))
    names = spec.names(Scope.RECORD)
    records = zip(*(_values(firsts[name]) for name in names), strict=True)
    trace = zip(*(_values(firsts[name]) for name in ("record_key", "source_file", "source_row")), strict=True)
    changed = _newest(table, members)
    items = _items(table, spec, members)
    for n, (values, (key, file, row)) in enumerate(zip(records, trace, strict=True)):
        payload: dict[str, Any] = {"kind": kind.value, **dict(zip(names, values, strict=True))}
        if items is not None:
            payload["items"] = items[n]
            team = sorted(zip(*(payload[name] or () for name in _TEAM), strict=False))
            payload["inspector_certs"] = [cert for cert, _ in team]
            payload["inspector_names"] = [name for _, name in team]
        yield content(key, payload, changed[n], file, row)


def content(
    key: str, payload: dict[str, Any], changed_at: str | None, source_file: str | None, source_row: int | None
) -> Content:
    """A `Content` with its bytes and their digest made from the payload."""
    body = canonical_json(payload)
    return Content(key, payload, sm3_hex(body), changed_at, source_file, source_row, body)


def _groups(keys: pa.ChunkedArray) -> tuple[Any, Sequence[Any]]:
    """Number of the first row of each record, in that order, and all row numbers of each."""
    codes = _one(keys).dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")  # codes count from 0 in the order of first appearance
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    if len(cuts) == len(order) - 1:  # one row a record
        return order, order[:, None].tolist()
    return order[np.concatenate([[0], cuts])], [rows.tolist() for rows in np.split(order, cuts)]


def _newest(table: pa.Table, members: Sequence[list[int]]) -> list[str | None]:
    times = _values(table["changed_at"])
    if len(members) == len(times):
        return [times[rows[0]] or None for rows in members]
    return [max((times[row] for row in rows if times[row]), default=None) for rows in members]


def _items(table: pa.Table, spec: Table, members: Sequence[list[int]]) -> list[list[dict[str, Any]]] | None:
    """The items of each record by code and class; None for a kind that has none."""
    names = spec.names(Scope.ITEM)
    if not names:
        return None
    rows = [dict(zip(names, values, strict=True)) for values in zip(*(_values(table[n]) for n in names), strict=True)]
    return [[rows[mine[0]]] if len(mine) == 1 else _ordered([rows[row] for row in mine]) for mine in members]


def _ordered(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    unique = {(item["item_code"], item["result"]): item for item in items}
    ordered = sorted(unique, key=lambda pair: (pair[0] or "", _ORDER.get(pair[1], len(_ORDER))))
    return [unique[pair] for pair in ordered]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """A column as plain values, dates and times as the texts that travel; equal values are one object."""
    array = _one(column)
    if pa.types.is_list(array.type):
        return _lists(array)
    if not pa.types.is_string(array.type) and not pa.types.is_temporal(array.type):
        return list(array.to_pylist())
    encoded = array.dictionary_encode()
    words = encoded.dictionary
    if pa.types.is_temporal(words.type):
        form = _DAY if pa.types.is_date(words.type) else _MOMENT
        words = pc.strftime(words.cast(pa.timestamp("s")), format=form)
    known = np.empty(len(words) + 1, dtype=object)
    known[: len(words)] = words.to_pylist()
    places = pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)
    return list(known[places])


def _lists(array: pa.ListArray) -> list[list[Any] | None]:
    entries = _values(pa.chunked_array([array.flatten()], array.type.value_type))
    ends = np.cumsum(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)).tolist()
    known = array.is_valid().to_pylist()
    return [entries[a:b] if good else None for a, b, good in zip([0, *ends], ends, known, strict=False)]


def _one(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined
