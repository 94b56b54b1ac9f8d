"""The one partition set: days in the county's time zone, by the day on which the change happened in the source.

Belongs here: partitions and what reads them from a context. Must not: schedules.
"""

from __future__ import annotations

import warnings
from datetime import date

import dagster as dg

# `backfill_policy` has been "beta" since Dagster 1.3; the version is pinned, and the word must not reach an operator.
warnings.filterwarnings("ignore", message=".*`backfill_policy`.*", category=dg.BetaWarning)

TIMEZONE = "Asia/Shanghai"
DAYS = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone=TIMEZONE)
# A backfill is few big runs, not one run a day: enqueuing costs about a second a run (operations.md).
MANY_DAYS = dg.BackfillPolicy.multi_run(max_partitions_per_run=31)


def days(context: dg.AssetExecutionContext) -> list[date]:
    """The days of this run, oldest first."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def run_of(context: dg.AssetExecutionContext) -> str:
    """The run whose hand-over folder is used; a re-execution goes on with that of the first run."""
    run = context.run
    return run.root_run_id or run.run_id
