"""Senders' tables → pieces of a bounded size, each holding whole records, so that a frame never grows with the night.

Belongs here: the cutting. Must not: Great Expectations, frames, facts.
A frame takes about 1.2 KiB a row and GX's metrics as much again: 1 000 000 rows at once would need 3 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.standard.columns import as_text
from zz_pipeline.standard.tables import Rows

ROWS = 50_000
Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one sender's table: which part, and the rows' places in that part's table."""

    part: int
    rows: Places


def pieces(tables: Sequence[Rows], rows: int = ROWS) -> Iterator[list[Slice]]:
    """Slices of the tables in groups of about `rows` rows; all rows of a record are in one slice."""
    group: list[Slice] = []
    held = 0
    for part, table in enumerate(tables):
        for places in _cuts(table, rows):
            if held and held + len(places) > rows:
                yield group
                group, held = [], 0
            group.append(Slice(part, places))
            held += len(places)
    if group:
        yield group


def _cuts(table: Rows, rows: int) -> Iterator[Places]:
    if table.num_rows <= rows:
        if table.num_rows:
            yield np.arange(table.num_rows, dtype=np.int64)
        return
    codes = record_codes(table)
    order = np.argsort(codes, kind="stable").astype(np.int64)
    sorted_codes = codes[order]
    starts = np.flatnonzero(np.r_[True, sorted_codes[1:] != sorted_codes[:-1]])
    first = 0
    while first < len(order):
        # the last record that begins within the limit ends the cut; one record larger than the limit stays whole
        later = starts[starts > first]
        within = later[later <= first + rows]
        end = len(order) if first + rows >= len(order) else int(within[-1] if len(within) else [*later, len(order)][0])
        yield order[first:end]
        first = end


def record_codes(table: Rows) -> Places:
    """A number for each different record key, in the order of first appearance; rows without a key come one by one."""
    encoded = as_text(table.select(["record_key"]).column(0)).dictionary_encode()
    codes = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    missing = codes < 0
    codes[missing] = len(encoded.dictionary) + np.arange(missing.sum())
    return codes


def take(table: pa.Table, places: Places) -> pa.Table:
    """Those rows as a table; without copying where they stand together."""
    if len(places) and places[-1] - places[0] + 1 == len(places) and (np.diff(places) == 1).all():
        return table.slice(int(places[0]), len(places))
    return table.take(pa.array(places))
