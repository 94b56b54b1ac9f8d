"""Canonical JSON and SM3: the one form in which content is hashed in our own ledger.

Belongs here: bytes in, bytes or hex out. Must not: a platform's own hash rules (those are in `platforms/`).
Source: GB/T 32905-2016 (SM3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

# Looking the algorithm up by its name costs as much as hashing a short text: it is looked up once and copied.
_EMPTY = hashlib.new("sm3") if "sm3" in hashlib.algorithms_available else None


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no blanks; the same value always gives the same bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sm3_hex(data: bytes) -> str:
    """Lower-case hex SM3 of the bytes."""
    if _EMPTY is not None:
        mine = _EMPTY.copy()
        mine.update(data)
        return mine.hexdigest()
    from cryptography.hazmat.primitives.hashes import SM3, Hash

    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize().hex()


def digests(values: Iterable[Any]) -> list[str]:
    """SM3 of the canonical JSON of each value."""
    return [sm3_hex(canonical_json(v)) for v in values]
