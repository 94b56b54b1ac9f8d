"""The nightly job (01:30) and the morning report (06:30), county time.

Belongs here: what runs when. Must not: steps.
"""

from __future__ import annotations

import dagster as dg

from assets import groups
from assets.partitions import DAYS

# One run at a time touches the ledger's intake: days of a backfill stay in order (dagster.yaml limits this tag to 1).
EXCLUSIVE = {"zz/exclusive": "night"}

nightly = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all(),
    partitions_def=DAYS,
    description="夜间任务：读取各部门与信用平台，检查、入库、报送三个平台、核对、平衡、出日报。取前一日。",
    tags=EXCLUSIVE,
    executor_def=dg.in_process_executor,
)

morning = dg.define_asset_job(
    "morning_report",
    selection=dg.AssetSelection.groups(groups.DELIVERY, groups.RECONCILE, groups.REPORT),
    partitions_def=DAYS,
    description="晨报：补取夜里到达的回执、补送、核对，并重出前一日日报。",
    tags=EXCLUSIVE,
    executor_def=dg.in_process_executor,
)

nightly_schedule = dg.build_schedule_from_partitioned_job(
    nightly,
    name="nightly_0130",
    hour_of_day=1,
    minute_of_hour=30,
    description="每日 01:30 运行夜间任务（前一日）。",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
morning_schedule = dg.build_schedule_from_partitioned_job(
    morning,
    name="morning_0630",
    hour_of_day=6,
    minute_of_hour=30,
    description="每日 06:30 出晨报（前一日）。",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

JOBS = [nightly, morning]
SCHEDULES = [nightly_schedule, morning_schedule]
