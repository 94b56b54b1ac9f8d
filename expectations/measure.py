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
    """Seconds of the whole check with row verdicts (`wall_s`) and of GX's SUMMARY validation alone (`reference_s`)."""
    parts, failed = [run.Part(table, Setting(lists, department, day, now, frozenset(regions)))], dict[int, CheckError]()
    suite, tally = run.suite(Kind.INSPECTION), Tally(Kind.INSPECTION, 1)
    _summary(pd.DataFrame({"uscc": ["x"]}), _one(suite))  # the first use loads modules; neither clock shall hold that
    wall = reference = 0.0
    frames = run.frames(parts, Kind.INSPECTION, history, failed)
    while True:
        start = time.perf_counter()
        frame = next(frames, None)
        if frame is None:
            outcome = tally.outcome(0)
            wall += time.perf_counter() - start
            break
        tally.add(frame.rows, frame.part, frame.place, list(run.run_suite(suite, frame.rows)))
        wall += time.perf_counter() - start
        start = time.perf_counter()
        _summary(frame.rows, suite)
        reference += time.perf_counter() - start
    if failed:
        raise failed[0]
    verdicts = outcome.verdicts
    returned = len(verdicts.filter(_is(verdicts, "ERROR")).column("row").unique())
    warned = len(verdicts.filter(_is(verdicts, "WARN")).column("row").unique())
    return {
        "wall_s": wall,
        "reference_s": reference,
        "expectations": len(suite.expectations),
        "verdicts": verdicts.num_rows,
        "returned_rows": returned,
        "warned_rows": warned,
    }


def _is(verdicts: pa.Table, severity: str) -> Any:
    import pyarrow.compute as pc

    return pc.equal(verdicts.column("severity"), severity)


def _one(suite: Any) -> Any:
    import great_expectations as gx
    import great_expectations.expectations as gxe

    del suite
    return gx.ExpectationSuite(name="warm", expectations=[gxe.ExpectColumnValuesToNotBeNull(column="uscc")])


def _summary(frame: pd.DataFrame, suite: Any) -> None:
    """The validation as Great Expectations does it by itself: counts and examples, no row verdicts."""
    context = run.context()
    source = context.data_sources.add_or_update_pandas("measure")
    asset = source.add_dataframe_asset("frame")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
    batch.validate(suite, result_format="SUMMARY")
    context.data_sources.delete("measure")
