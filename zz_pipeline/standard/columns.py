"""Small column tools that the standard's functions share.

Belongs here: turning what callers hold (Arrow, pandas, numpy, lists) into Arrow text, fixed-width byte matrices,
work on unique values, real dates in numpy. Must not: knowledge of codes, identifiers or records; IO.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)


def as_text(values: Any) -> pa.Array:
    """Any column as one Arrow string array; null stays null."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.ChunkedArray):  # combine_chunks keeps more than 2 GiB of text in chunks
        values = pa.concat_arrays(values.chunks)
    if not isinstance(values, pa.Array):
        values = pa.array(values, from_pandas=True)
    return values if values.type == pa.string() else values.cast(pa.string())


def map_unique(values: pa.Array, change: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """`change` applied once to each different text; null stays null."""
    encoded = values.dictionary_encode()
    mapped = pa.array([change(text) for text in encoded.dictionary.to_pylist()], type=kind)
    return pc.take(mapped, encoded.indices)


def matches(values: Any, pattern: str) -> Bools:
    """Where a text holds the RE2 pattern; null is False."""
    return to_bools(pc.match_substring_regex(as_text(values), pattern))


def to_bools(flags: pa.Array) -> Bools:
    """An Arrow boolean array as numpy; null is False."""
    return np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def matrix(values: Any, width: int) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Bools]:
    """Bytes of the texts that are `width` bytes long as a (k, width) matrix, and which rows these k are."""
    array = as_text(values)
    chosen = pc.fill_null(pc.equal(pc.binary_length(array), width), False)
    taken = array.filter(chosen)
    flags = to_bools(chosen)
    if len(taken) == 0:
        return np.zeros((0, width), dtype=np.uint8), flags
    offsets = np.frombuffer(taken.buffers()[1], dtype=np.int32)
    start = int(offsets[taken.offset])
    data = np.frombuffer(taken.buffers()[2], dtype=np.uint8, count=len(taken) * width, offset=start)
    return data.reshape(-1, width), flags


def spread(flags: Bools, verdicts: Bools) -> Bools:
    """Verdicts of the chosen rows back to all rows; the others are False."""
    out = np.zeros(len(flags), dtype=np.bool_)
    out[flags] = verdicts
    return out


def numbers(digits: np.ndarray[Any, np.dtype[np.uint8]]) -> Ints:
    """Rows of ASCII digits as whole numbers; the caller has tested that they are digits."""
    total = np.zeros(len(digits), dtype=np.int64)
    for column in range(digits.shape[1]):
        total = total * 10 + (digits[:, column].astype(np.int64) - ord("0"))
    return total


def all_digits(block: np.ndarray[Any, np.dtype[np.uint8]]) -> Bools:
    """Rows that are ASCII digits throughout."""
    return np.asarray(((block >= ord("0")) & (block <= ord("9"))).all(axis=1), dtype=np.bool_)


def real_date(year: Ints, month: Ints, day: Ints) -> Bools:
    """Whether year, month and day are a date of the Gregorian calendar, years 1 to 9999."""
    shape = (year >= 1) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1)
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    longest = _MONTH_DAYS[np.where(shape, month, 0)] + (leap & (month == 2))
    return np.asarray(shape & (day <= longest), dtype=np.bool_)
