"""Bringing all departments' own systems to their state at the end of a day.

Belongs here: which department's system lies where, and which writer serves it. Must not: words, formats, tables.

    <root>/sources/<key>.db           the nine databases (SQLite, unless `urls` names another)
    <root>/inbox/<KEY>/…              workbooks and CSV files, one a day; 民政's cumulative workbook
    <root>/sources/http/<key>.json    what the two HTTP services serve (`serve_http`)
    <root>/sources/clerk/<key>.json   the cumulative workbook's rows, as the clerk's own copy
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType

import orjson

from mock_platforms.county.cells import Block, Row, block
from mock_platforms.county.layout_model import Layout
from mock_platforms.county.layout_tables import LAYOUTS
from mock_platforms.county.model import Dept, Inspection
from mock_platforms.county.write_csv import write_csv
from mock_platforms.county.write_database import write_database
from mock_platforms.county.write_http import write_http
from mock_platforms.county.write_workbook import write_workbook

_FILE_WRITERS = MappingProxyType({"workbook": write_workbook, "csv": write_csv})


def write_day(
    root: Path,
    departments: Sequence[Dept],
    day: date,
    inspections: Sequence[Inspection],
    *,
    first: bool,
    urls: Mapping[str, str] | None = None,
) -> None:
    """Bring every department's system to its state at the end of `day`; call day after day, in order.

    `first` starts from nothing. The same day again gives the same state. `urls`: department → SQLAlchemy URL for
    databases that are not SQLite files. ValueError names a department that cannot write a record down.
    """
    for one in departments:
        layout = LAYOUTS[one.key]
        if layout.medium != "none":
            blocks = [block(layout, i, departments, day) for i in inspections if i.dept == one.key]
            _write(root, layout, blocks, day, first, (urls or {}).get(one.key))


def _write(root: Path, layout: Layout, blocks: list[Block], day: date, first: bool, url: str | None) -> None:
    if layout.medium == "database":
        write_database(url or _sqlite(root, layout, first), layout, blocks, first=first)
    elif layout.medium == "http":
        write_http(_folder(root / "sources" / "http") / f"{layout.key.lower()}.json", layout, blocks, first=first)
    else:
        _file(root, layout, blocks, day, first)


def _file(root: Path, layout: Layout, blocks: list[Block], day: date, first: bool) -> None:
    """The day's file. No records: no file, also none from an earlier run of the same day."""
    folder = _folder(root / "inbox" / layout.key)
    if first:
        for old in folder.glob(f"*{Path(layout.file).suffix}"):
            old.unlink()
    if layout.cumulative:
        blocks = _cumulated(_folder(root / "sources" / "clerk") / f"{layout.key.lower()}.json", blocks, first)
    path = folder / layout.file.format(day=day)
    path.unlink(missing_ok=True)
    if blocks:
        _FILE_WRITERS[layout.medium](path, layout, blocks, day)


def _cumulated(path: Path, blocks: Sequence[Block], first: bool) -> list[Block]:
    """All records until now, a corrected one in its old place; a newer state is never replaced by an older."""
    held = {} if first or not path.exists() else {key: _read(one) for key, one in orjson.loads(path.read_bytes())}
    for one in sorted(blocks, key=lambda b: b.changed):
        if one.key not in held or held[one.key].changed <= one.changed:
            held[one.key] = one
    path.write_bytes(orjson.dumps([[key, _plain(one)] for key, one in held.items()], default=str))
    return list(held.values())


def _plain(one: Block) -> dict[str, object]:
    return {"changed": one.changed.isoformat(), "key": one.key, "rows": [row.cells for row in one.rows]}


def _read(plain: dict[str, object]) -> Block:
    changed = datetime.fromisoformat(str(plain["changed"]))
    rows = plain["rows"]
    cells = rows if isinstance(rows, list) else []
    return Block(str(plain["key"]), changed, tuple(Row(tuple(c), n == 0, changed) for n, c in enumerate(cells)))


def _sqlite(root: Path, layout: Layout, first: bool) -> str:
    path = _folder(root / "sources") / f"{layout.key.lower()}.db"
    if first:
        path.unlink(missing_ok=True)
    return f"sqlite:///{path}"


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
