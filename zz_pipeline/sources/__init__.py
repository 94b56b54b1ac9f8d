"""How a department is read: database, workbook, CSV, HTTP interface → one table of exact texts and its provenance.

Belongs here: the one entry `read_source`, which finds the reader by the kind of source.
Must not: meaning of values (that is `standardize`), writing to a source, watermarks (those are the ledger's).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.settings import Department, Settings
from zz_pipeline.sources.api import read_api
from zz_pipeline.sources.archive import keep_rows
from zz_pipeline.sources.base import FILE, RawBatch, SourceFile, Window, empty_table, refuse_emptied
from zz_pipeline.sources.database import read_database
from zz_pipeline.sources.files import read_files
from zz_pipeline.standard.tables import Kind

__all__ = ["RawBatch", "SourceFile", "Window", "owners", "read_source"]


def read_source(
    dept: Department, settings: Settings, window: Window, known: frozenset[str] = frozenset(), last_rows: int = 0
) -> RawBatch:
    """Read and archive what a department has for the window.

    known: digests of files already processed. last_rows: rows of the last good reading; if there were many and the
    source now holds nothing at all, SourceRefused. SourceDown: not reachable, may be tried again tonight.
    """
    batch = _READERS[dept.source.kind](dept, settings, window, known)
    refuse_emptied(batch, last_rows, settings.county.empty_stop_from, dept.name)
    return batch


def _from_database(dept: Department, settings: Settings, window: Window, _known: frozenset[str]) -> RawBatch:
    found = read_database(dept, settings.expand(dept.source.url), window, settings.zone)
    batch = _batch(dept, settings, window, _of_day(found.table, window), empty=found.empty)
    return keep_rows(settings.home, window.day, found.name, batch)


def _from_api(dept: Department, settings: Settings, window: Window, _known: frozenset[str]) -> RawBatch:
    table = read_api(dept, settings.expand(dept.source.url), window)
    empty = dept.source.whole and table.num_rows == 0
    batch = _batch(dept, settings, window, _of_day(table, window), empty=empty)
    return keep_rows(settings.home, window.day, dept.source.path.strip("/").replace("/", "-") or dept.key, batch)


def _from_files(dept: Department, settings: Settings, window: Window, known: frozenset[str]) -> RawBatch:
    inbox = read_files(dept, settings, window, known)
    batch = _batch(dept, settings, window, inbox.table, empty=inbox.empty)
    return replace(batch, files=tuple(inbox.files), warnings=tuple(inbox.warnings), skipped=dict(inbox.skipped))


def _nothing(dept: Department, settings: Settings, window: Window, _known: frozenset[str]) -> RawBatch:
    return _batch(dept, settings, window, empty_table(), empty=False)


def _of_day(table: pa.Table, window: Window) -> pa.Table:
    """Row 3 of today's reading is another row than row 3 of yesterday's: the day is part of where it was read."""
    day = pc.binary_join_element_wise(table[FILE], window.day.isoformat(), " ")
    return table.set_column(table.column_names.index(FILE), FILE, day)


def owners(settings: Settings) -> dict[str, str]:
    """Every name of every department → its key."""
    return {name: other.key for other in settings.departments.values() for name in other.names}


def _batch(dept: Department, settings: Settings, window: Window, table: pa.Table, *, empty: bool) -> RawBatch:
    now = datetime.now(settings.zone).replace(tzinfo=None)
    frame = (window.since, window.until, now)
    return RawBatch(dept.key, Kind.INSPECTION, table, (), *frame, empty=empty, owners=owners(settings))


_READERS: dict[str, Callable[[Department, Settings, Window, frozenset[str]], RawBatch]] = {
    "database": _from_database,
    "workbook": _from_files,
    "csv": _from_files,
    "http": _from_api,
    "none": _nothing,
}
