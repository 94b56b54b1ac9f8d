"""The nightly job (01:30) and the morning report (06:30), county time.

Belongs here: what runs when. Must not: steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from assets import groups
from assets.partitions import TIMEZONE

# One run at a time touches the ledger's intake: days of a backfill stay in order (dagster.yaml limits this tag to 1).
EXCLUSIVE = {"zz/exclusive": "night"}

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all(),
    description="夜间任务：读取各部门与信用平台，检查、入库、报送三个平台、核对、平衡、出日报。取前一日。",
    tags=EXCLUSIVE,
    executor_def=dg.in_process_executor,
)

morning = dg.define_asset_job(
    "morning_report",
    selection=dg.AssetSelection.groups(groups.DELIVERY, groups.RECONCILE, groups.REPORT),
    description="晨报：补取夜里到达的回执、补送、核对，并重出前一日日报。",
    tags=EXCLUSIVE,
    executor_def=dg.in_process_executor,
)

REHEARSAL = {"ops": {"gate__dry_run": {"config": {"dry_run": True}}}}
dry_run = dg.define_asset_job(
    "dry_run",
    selection=dg.AssetSelection.groups(groups.GATE),
    config=REHEARSAL,
    description="试运行：预览所选日子会读到什么、会报送多少；不写业务库、不发送。结果见资产 gate/dry_run 的 Observation。",
    executor_def=dg.in_process_executor,
)

MISSED_MOST = 14  # nights that are asked for after the daemon was away; older ones are a person's backfill
PARTITION = "dagster/partition"
BALANCE = dg.AssetKey(["reports", "balance"])


# Dagster itself catches up one missed tick only: schedules made from partitioned jobs have no "partition set" any more.
@dg.schedule(
    name="nightly_0130",
    job=nightly,
    cron_schedule="30 1 * * *",
    execution_timezone=TIMEZONE,
    description="每日 01:30 运行夜间任务（前一日）；停机期间错过的日子（最多 14 天）从旧到新一并补跑。",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def nightly_schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """Yesterday, and before it the days that no run was ever asked for; a day is asked for once, whatever the cron."""
    at = context.scheduled_execution_time.astimezone(ZoneInfo(TIMEZONE))
    for day in missed(context.instance, at):
        yield dg.RunRequest(run_key=day, partition_key=day)


def missed(instance: dg.DagsterInstance, at: datetime) -> list[str]:
    """Days up to the one before `at` (county time) without a run, oldest first; on a new instance yesterday only."""
    yesterday = at.date() - timedelta(days=1)
    window = [(yesterday - timedelta(days=n)).isoformat() for n in reversed(range(MISSED_MOST))]
    filters = dg.RunsFilter(job_name=nightly.name, tags={PARTITION: window})
    asked = [run for run in instance.get_runs(filters) if not rehearsed(run)]
    known = {run.tags[PARTITION] for run in asked} | instance.get_materialized_partitions(BALANCE)
    oldest = instance.get_run_records(dg.RunsFilter(job_name=nightly.name), limit=1, ascending=True)
    first = oldest[0].dagster_run.tags.get(PARTITION, window[-1]) if oldest else window[-1]
    return [day for day in window if day >= min(first, window[-1]) and day not in known]


def rehearsed(run: dg.DagsterRun) -> bool:
    """Whether a person asked that run for a preview only: its day still waits for a night."""
    ops: Any = run.run_config.get("ops", {})
    return bool(ops.get("gate__dry_run", {}).get("config", {}).get("dry_run", False))


morning_schedule = dg.build_schedule_from_partitioned_job(
    morning,
    name="morning_0630",
    hour_of_day=6,
    minute_of_hour=30,
    description="每日 06:30 出晨报（前一日）。",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

JOBS = [nightly, morning, dry_run]
SCHEDULES = [nightly_schedule, morning_schedule]
