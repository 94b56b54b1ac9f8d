"""Standard rows → the content of a version: one canonical payload and its digest for each record.

Belongs here: grouping of rows into records, what counts as content. Must not: SQL, publishing decisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.standard.canonical import canonical_json, sm3_hex
from zz_pipeline.standard.tables import RESULT_LABELS, TABLES, Kind, Scope

# What tells a check from the same check handed in again under another number: neither the number nor the typing-in does.
_NUMBER_AND_ENTRY = ("record_key", "record_no", "entered_by", "entered_at", "publishable", "not_publish_reason")
_ORDER = {key: n for n, key in enumerate(RESULT_LABELS)}


@dataclass(frozen=True, slots=True)
class Content:
    """One record as a department said it: payload, digest of the payload, and where it came from."""

    record_key: str
    payload: dict[str, Any]
    digest: str
    changed_at: str | None
    source_file: str | None
    source_row: int | None

    @property
    def twin(self) -> str:
        """Digest of the content without its number: equal for one check that was handed in under two numbers."""
        return sm3_hex(canonical_json({k: v for k, v in self.payload.items() if k not in _NUMBER_AND_ENTRY}))

    @property
    def body(self) -> bytes:
        """The canonical bytes that the ledger keeps."""
        return canonical_json(self.payload)


def contents(kind: Kind, table: pa.Table) -> Iterator[Content]:
    """Each record of a standard table once, in the order of its first row."""
    spec = TABLES[kind]
    plain = _texts(table)
    record_names, item_names = spec.names(Scope.RECORD), spec.names(Scope.ITEM)
    rows = plain.to_pylist()
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["record_key"], []).append(row)
    for key, members in groups.items():
        first = members[0]
        payload: dict[str, Any] = {"kind": str(kind), **{name: first[name] for name in record_names}}
        if item_names:
            payload["items"] = _items(members, item_names)
            names, certs = first["inspector_names"] or [], first["inspector_certs"] or []
            pairs = sorted(zip(certs, names, strict=False))
            payload["inspector_certs"] = [c for c, _ in pairs]
            payload["inspector_names"] = [n for _, n in pairs]
        changed = max((m["changed_at"] for m in members if m["changed_at"]), default=None)
        yield content(key, payload, changed, first["source_file"], first["source_row"])


def content(
    key: str, payload: dict[str, Any], changed_at: str | None, source_file: str | None, source_row: int | None
) -> Content:
    """A `Content` with its digest computed from the payload."""
    return Content(key, payload, sm3_hex(canonical_json(payload)), changed_at, source_file, source_row)


def _items(members: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    unique = {(m["item_code"], m["result"]): {n: m[n] for n in names} for m in members}
    ordered = sorted(unique, key=lambda pair: (pair[0] or "", _ORDER.get(pair[1], len(_ORDER))))
    return [unique[pair] for pair in ordered]


def _texts(table: pa.Table) -> pa.Table:
    """Dates and times as the texts that travel; everything else as it is."""
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_date32(column.type):
            column = pc.strftime(column.cast(pa.timestamp("s")), format="%Y-%m-%d")
        elif pa.types.is_timestamp(column.type):
            column = pc.strftime(column.cast(pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S")
        columns.append(pa.chunked_array(column) if not isinstance(column, pa.ChunkedArray) else column)
        del name
    return pa.table(columns, names=table.column_names)
