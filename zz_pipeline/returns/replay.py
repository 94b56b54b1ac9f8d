"""Returned records once more through standardizing, checks and acceptance: from the archive, and from what was handed back.

Belongs here: what is replayed, for which day it counts. Must not: a second way of checking or accepting.
A replay counts for the day on which it is made, as a reading of its own without window (docs/decisions/0005): the day of the
first reading keeps its figures, and no watermark moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from zz_pipeline.errors import ZzError
from zz_pipeline.ledger import intake
from zz_pipeline.ledger.quarantine import units_of
from zz_pipeline.returns.inbox import with_returned
from zz_pipeline.returns.units import KIND, Unit, native_rows, open_units
from zz_pipeline.returns.workbook import write_returned
from zz_pipeline.sources import RawBatch, SourceFile, owners
from zz_pipeline.sources.base import empty_table, join_tables
from zz_pipeline.standard.tables import Kind

if TYPE_CHECKING:
    from zz_pipeline.night import Night, StepResult

Chosen = Callable[[Unit], bool]


def replay(
    night: Night,
    departments: Sequence[str],
    *,
    day: date | None = None,
    chosen: Chosen | None = None,
    inbox: bool = True,
) -> list[StepResult]:
    """Replay open units (of one day, or those chosen) and handed-back 退回清单 of departments; empty if there is nothing.

    A department whose archive cannot be used fails alone.
    """
    today = night.now().date()
    readings: list[tuple[int, RawBatch]] = []
    failed: list[StepResult] = []
    days = {today}
    for dept in departments:
        try:
            units = [u for u in open_units(night.ledger, dept, day) if chosen is None or chosen(u)]
            raw = _raw(night, dept, units, today, inbox=inbox)
        except Exception as error:
            failed.append(night.not_replayed(dept, error))
            continue
        if raw.rows or raw.files:
            number = intake.begin(night.ledger, today, dept, KIND, None, None, night.clock())
            readings.append((number, raw))
            days |= {date.fromisoformat(u.first["day"]) for u in units}
    if not readings:
        return failed
    done = night.take(readings, today)
    return [*failed, *done, *write_lists(night, [raw.dept for _, raw in readings], days)]


def write_lists(night: Night, departments: Sequence[str], days: set[date]) -> list[StepResult]:
    """Write the 退回清单 of these departments and days; one that fails is told, and stops nothing."""
    failed = []
    for dept in departments:
        for day in sorted(days):
            try:
                write_returned(night, dept, day)
            except Exception as error:
                failed.append(night.not_written(dept, day, error))
    return failed


def _raw(night: Night, dept: str, units: Sequence[Unit], today: date, *, inbox: bool) -> RawBatch:
    """What is read of one department: what it handed back, and the archive's rows of the units that it did not answer."""
    nothing = (empty_table(), (), None, None, night.now())
    raw = RawBatch(dept, Kind.INSPECTION, *nothing, owners=owners(night.settings))
    if inbox:
        known = intake.known_files(night.ledger, dept)
        raw = with_returned(raw, night.ledger, night.settings, today, known)
    with night.ledger.read() as conn:
        answered = units_of(conn, dept, KIND, raw.returned)
    left = [u for u in units if u.name not in answered]
    native = native_rows(night.ledger, night.settings, night.book, dept, left)
    if native.problems:
        raise ZzError(f"{night.settings.departments[dept].short}的退回记录没有重放：{'；'.join(native.problems)}")
    files = tuple(SourceFile(f.name, f.digest, f.rows, f.state, f.problem, f.archived) for f in native.files)
    found = set(native.units)
    ids = tuple(n for u in left if u.name in found for n in u.ids)
    tables = [t for t in (native.table, raw.table) if t.num_rows]
    return replace(raw, table=join_tables(tables), files=(*files, *raw.files), returned=(*ids, *raw.returned))
