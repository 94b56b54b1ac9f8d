"""What is open in the quarantine, by unit, and the native rows of these units out of the archive.

Belongs here: open units, archive → native rows. Must not: writing workbooks, settling, values in messages or logs.
The work is bound by the readings that have something open: others are not opened.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Connection, select

from zz_pipeline.errors import SourceError, SourceRefused
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.intake import FileNote
from zz_pipeline.ledger.quarantine import CHUNK
from zz_pipeline.ledger.schema import intake, quarantine, source_file
from zz_pipeline.settings import Department, Settings
from zz_pipeline.sources import owners
from zz_pipeline.sources.base import FILE, ROW, join_tables
from zz_pipeline.sources.files import read_content
from zz_pipeline.sources.grid import plain
from zz_pipeline.sources.returned import is_returned, placed, read_returned
from zz_pipeline.standard.canonical import sm3_hex
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.columns import map_unique
from zz_pipeline.standard.tables import INSPECTION, Kind
from zz_pipeline.standardizing.columns import Source, cells, read_column
from zz_pipeline.standardizing.issues import Issues

KIND = str(Kind.INSPECTION)
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Unit:
    """One returned unit: its open entries (errors first), and the number that its 退回编号 carries."""

    name: str
    entries: tuple[Mapping[str, Any], ...]

    @property
    def number(self) -> int:
        """Quarantine entry by which the unit is found again when it comes back."""
        return int(min(e["id"] for e in self.entries))

    @property
    def first(self) -> Mapping[str, Any]:
        """The entry that tells where the unit was read."""
        return self.entries[0]

    @property
    def ids(self) -> tuple[int, ...]:
        """All its open entries."""
        return tuple(int(e["id"]) for e in self.entries)


@dataclass(frozen=True, slots=True)
class Native:
    """Native rows with provenance, the unit of each row, the files they came from, and units whose rows are not to be had."""

    table: pa.Table
    units: tuple[str, ...]
    files: tuple[FileNote, ...]
    missing: tuple[str, ...]
    problems: tuple[str, ...]


def open_units(ledger: Ledger, dept: str, day: date | None = None) -> list[Unit]:
    """Units of a department on which an error is open (of one day if given), in the order in which they were read."""
    where = (quarantine.c.dept == dept) & (quarantine.c.kind == KIND) & quarantine.c.settled_at.is_(None)
    if day is not None:
        where &= quarantine.c.day == day.isoformat()
    order = (quarantine.c.severity, quarantine.c.source_file, quarantine.c.source_row, quarantine.c.id)
    with ledger.read() as conn:
        rows = [
            {str(k): v for k, v in r.items()}
            for r in conn.execute(select(quarantine).where(where).order_by(*order)).mappings()
        ]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["severity"] == "ERROR" or row["unit"] in found:
            found.setdefault(row["unit"], []).append(row)
    return [Unit(name, tuple(entries)) for name, entries in found.items()]


def native_rows(ledger: Ledger, settings: Settings, book: CodeBook, dept: str, units: Sequence[Unit]) -> Native:
    """The rows of the units as they were read; units of a reading whose archive is gone or altered are named as missing."""
    spec = settings.departments[dept]
    tables: list[pa.Table] = []
    names: list[str] = []
    files: dict[str, FileNote] = {}
    problems: list[str] = []
    for number in sorted({u.first["intake_id"] for u in units}):
        mine = [u for u in units if u.first["intake_id"] == number]
        wanted = {u.first["source_file"] for u in mine}
        for note in _files(ledger, dept, number):
            try:
                table = _read(ledger, settings, spec, note, wanted)
            except SourceError as error:
                problems.append(f"《{note.name}》的存档用不了：{error}")
                continue
            kept, told = _of_units(table, settings, spec, book, mine)
            if told:
                tables.append(kept)
                names += told
                files[note.digest] = note
    missing = tuple(u.name for u in units if u.name not in set(names))
    return Native(join_tables(tables), tuple(names), tuple(files.values()), missing, tuple(problems))


def origins(conn: Connection, dept: str, ids: Iterable[int]) -> dict[int, tuple[str, int]]:
    """Entry → where the row was read, for rows that are their own unit (they have no usable number)."""
    todo, found = sorted(set(ids)), {}
    for start in range(0, len(todo), CHUNK):
        where = (quarantine.c.dept == dept) & quarantine.c.id.in_(todo[start : start + CHUNK])
        for row in conn.execute(select(quarantine).where(where)):
            if row.unit == loose(row.source_file, row.source_row):
                found[row.id] = (row.source_file, row.source_row)
    return found


def loose(file: str | None, row: int | None) -> str:
    """Unit of a row without a usable record number, as the ledger keeps it."""
    return f"{file or ''}#{row}"[:200]


def _files(ledger: Ledger, dept: str, number: int) -> list[FileNote]:
    with ledger.read() as conn:
        told = conn.scalar(select(intake.c.files).where(intake.c.id == number)) or "[]"
        digests = [f["digest"] for f in json.loads(told) if f["state"] == "READ"]
        where = (source_file.c.dept == dept) & source_file.c.digest.in_(digests)
        rows = {r.digest: r for r in conn.execute(select(source_file).where(where))}
    kept = (rows[d] for d in digests if d in rows)
    return [FileNote(r.name, r.digest, r.rows, r.state, r.problem, r.archived) for r in kept]


def _read(ledger: Ledger, settings: Settings, spec: Department, note: FileNote, wanted: Collection[str]) -> pa.Table:
    """Rows of an archived file as the reading saw them; SourceRefused if it is not what was archived."""
    try:
        content = (settings.home / note.archived).read_bytes()
    except OSError as error:
        raise SourceRefused(f"打不开（{error.strerror}）。请从备份恢复 {note.archived} 后再试。") from error
    if sm3_hex(content) != note.digest:
        raise SourceRefused(f"{note.archived} 与登记的摘要不符，可能被改动。请保留现场并联系管理员。")
    if content.startswith(_PARQUET):
        return pq.read_table(io.BytesIO(content))
    if is_returned(content):
        rows = read_returned(spec, note.name, content)
        with ledger.read() as conn:
            return placed(rows, origins(conn, spec.key, (n for n in rows.entries.to_pylist() if n)))
    return read_content(spec, note.name, content).table if note.name in wanted else join_tables([])


def _of_units(
    table: pa.Table, settings: Settings, spec: Department, book: CodeBook, units: Sequence[Unit]
) -> tuple[pa.Table, list[str]]:
    """Rows that belong to one of the units, and the unit of each; rows of helping departments belong to none."""
    if not table.num_rows:
        return table, []
    keyed = {(u.name, u.first["source_file"]) for u in units}
    single = {u.name for u in units}
    numbers = _numbers(table, spec, book)
    files, rows = table[FILE].to_pylist(), table[ROW].to_pylist()
    own = _own(table, settings, spec)
    prefix = f"{settings.county.code}-{spec.key}-"
    told: list[str | None] = []
    for number, file, row, mine in zip(numbers, files, rows, own, strict=True):
        key, alone = f"{prefix}{number}", loose(file, row)
        told.append(None if not mine else key if (key, file) in keyed else alone if alone in single else None)
    kept = table.filter(pa.array([t is not None for t in told], pa.bool_()))
    return kept, [t for t in told if t is not None]


def _numbers(table: pa.Table, spec: Department, book: CodeBook) -> list[str | None]:
    """Record numbers as the standardizer reads them."""
    found: list[str | None] = read_column(
        Source(table, spec, book, Issues(INSPECTION)), INSPECTION.field("record_no")
    ).to_pylist()
    return found


def _own(table: pa.Table, settings: Settings, spec: Department) -> list[bool]:
    if not spec.owner_column:
        return [True] * table.num_rows
    others = {plain(name) for name, key in owners(settings).items() if key != spec.key} - {plain(n) for n in spec.names}
    helping = map_unique(cells(table, spec.owner_column), lambda text: plain(text) in others, pa.bool_())
    return [not flag for flag in pc.fill_null(helping, False).to_pylist()]
