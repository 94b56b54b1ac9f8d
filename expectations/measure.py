"""How fast the check is, against Great Expectations' own SUMMARY validation of the same suite over the same frames.

Belongs here: the two clocks, frame by frame in turn, so that a busy machine slows both alike.
Must not: making of rows (that is the bench), rules, printing.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations import run
from expectations.frame import Setting
from expectations.outcome import Tally
from zz_pipeline.errors import CheckError
from zz_pipeline.history import History
from zz_pipeline.settings import Department
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import Kind


def measure(
    table: pa.Table,
    *,
    lists: Lists,
    department: Department,
    day: date,
    now: datetime,
    regions: Collection[str],
    history: History,
) -> dict[str, Any]:
    """Seconds of the whole check with row verdicts (`wall_s`) and of GX's SUMMARY validation alone (`reference_s`).

    The same in processor time (`cpu_s`, `reference_cpu_s`): on a busy machine wall time also holds others' work.
    """
    setting = Setting(lists, department, day, now, frozenset(regions))
    suite, tally, failed = run.suite(Kind.INSPECTION), Tally(Kind.INSPECTION, 1), dict[int, CheckError]()
    _warm(run.Part(table.slice(0, 100), setting), suite, history)
    ours, theirs = Clock(), Clock()
    frames = run.frames([run.Part(table, setting)], Kind.INSPECTION, history, failed)
    while True:
        with ours:
            frame = next(frames, None)
            if frame is None:
                outcome = tally.outcome(0)
                break
            tally.add(frame.rows, frame.part, frame.place, run.run_kind(Kind.INSPECTION, frame.rows))
        with theirs:
            _summary(frame.rows, suite)
    if failed:
        raise failed[0]
    verdicts = outcome.verdicts
    returned = len(verdicts.filter(_is(verdicts, "ERROR")).column("row").unique())
    warned = len(verdicts.filter(_is(verdicts, "WARN")).column("row").unique())
    return {
        "wall_s": ours.wall,
        "reference_s": theirs.wall,
        "cpu_s": ours.cpu,
        "reference_cpu_s": theirs.cpu,
        "expectations": len(suite.expectations),
        "verdicts": verdicts.num_rows,
        "returned_rows": returned,
        "warned_rows": warned,
    }


def _is(verdicts: pa.Table, severity: str) -> Any:
    return pc.equal(verdicts.column("severity"), severity)


class Clock:
    """Seconds of wall time and of processor time between entering and leaving, summed up."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_error: object) -> None:
        self.wall += time.perf_counter() - self._began[0]
        self.cpu += time.process_time() - self._began[1]


def _warm(part: run.Part, suite: Any, history: History) -> None:
    """A few rows through both ways: the first use loads modules, and neither clock shall hold that."""
    for frame in run.frames([part], Kind.INSPECTION, history, {}):
        run.run_kind(Kind.INSPECTION, frame.rows)
        _summary(frame.rows, suite)


def _summary(frame: pd.DataFrame, suite: Any) -> None:
    """The validation as Great Expectations does it by itself: counts and examples, no row verdicts."""
    context = run.context()
    source = context.data_sources.add_or_update_pandas("measure")
    asset = source.add_dataframe_asset("frame")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
    batch.validate(suite, result_format="SUMMARY")
    context.data_sources.delete("measure")
