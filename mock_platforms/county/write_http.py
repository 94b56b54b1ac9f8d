"""Blocks → the JSON file that a department's HTTP service serves, newest states only, in the order of change.

Belongs here: the file's form (`{"rows": [...]}`, native field names). Must not: serving (`serve_http`), words (`cells`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from mock_platforms.county.cells import Block
from mock_platforms.county.layout_model import Layout

# A service that says yes and no in JSON's own words.
_JSON_WORDS = {"true": True, "false": False}


def write_http(path: Path, layout: Layout, blocks: Sequence[Block], *, first: bool) -> None:
    """Replace the rows of every record that is at least as new as the one held; written atomically."""
    key, changed = layout.heading("@key"), layout.heading("changed_at")
    held: dict[str, list[dict[str, Any]]] = {}
    if path.exists() and not first:
        for row in orjson.loads(path.read_bytes())["rows"]:
            held.setdefault(row[key], []).append(row)
    for one in sorted(blocks, key=lambda b: b.changed):
        rows = _rows(layout, one)
        if one.rows and rows[0][changed] >= held.get(rows[0][key], rows)[0][changed]:
            held[rows[0][key]] = rows
    ordered = sorted((row for rows in held.values() for row in rows), key=lambda row: (row[changed], row[key]))
    aside = path.with_suffix(".tmp")
    aside.write_bytes(orjson.dumps({"rows": ordered}))
    os.replace(aside, path)


def _rows(layout: Layout, block: Block) -> list[dict[str, Any]]:
    return [
        {c.heading: _value(layout, c.field, v) for c, v in zip(layout.columns, row.cells, strict=True)}
        for row in block.rows
    ]


def _value(layout: Layout, name: str, value: Any) -> Any:
    if name in ("joint", "publishable") and "true" in layout.yes_no:
        return _JSON_WORDS.get(value, value)
    return value
