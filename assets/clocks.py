"""How old an asset may be before the UI calls it late: the statutory periods, and the morning by which a night is done.

Belongs here: freshness policies from settings. Must not: a record's own due date (that is `zz_pipeline.standard.publishing`).
Dagster counts calendar time: so many days are never more than as many working days, so the UI warns early, not late.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import dagster as dg

from assets.partitions import TIMEZONE
from zz_pipeline.settings import DueRule, PlatformSpec

# 夜间已完成 is expected by 07:30; the night begins at 01:30.
MORNING, NIGHT_BEGAN = "30 7 * * *", timedelta(hours=6)
ONE_NIGHT_MISSED = timedelta(hours=36)


def by_morning() -> dg.FreshnessPolicy:
    """Made between 01:30 and 07:30 county time, every day."""
    return dg.FreshnessPolicy.cron(MORNING, NIGHT_BEGAN, TIMEZONE)


def within_period(platforms: Iterable[PlatformSpec]) -> dg.FreshnessPolicy | None:
    """Warns after a missed night, fails when the shortest statutory period of these platforms is over; None without one."""
    rules: list[DueRule] = [rule for spec in platforms for rule in spec.due_workdays if rule.days]
    if not rules:
        return None
    period = timedelta(days=min(rule.days for rule in rules))
    return dg.FreshnessPolicy.time_window(period, min(ONE_NIGHT_MISSED, period / 2))
