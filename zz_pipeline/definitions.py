"""Composition root: settings → Dagster definitions. The one module here that imports Dagster and the shell.

Belongs here: putting the rooms together. Must not: steps, GX, pandas (it is loaded by daemon, webserver and every run).
"""

from __future__ import annotations

import dagster as dg

from assets.delivery import delivery_asset, delivery_key, reconcile_asset
from assets.raw import credit_asset, department_asset
from assets.records import record_assets
from assets.reports import report_assets
from assets.resources import NightResource
from schedules.nightly import JOBS, SCHEDULES
from zz_pipeline.settings import Settings, load_settings


def build(settings: Settings) -> dg.Definitions:
    """All assets, jobs and schedules for a county's settings."""
    raw = [department_asset(d.key, d.short, d.source.kind) for d in settings.departments.values()]
    raw.append(credit_asset("credit_ratings", "rating", "从信用信息共享平台读取当日新的信用评价。"))
    raw.append(credit_asset("credit_repairs", "repair", "从信用信息共享平台读取当日的信用修复通知。"))
    records = record_assets([a.key for a in raw])
    entry = settings.county.entry_platform
    deliveries, checks = [], []
    for name, spec in settings.platforms.items():
        after = [] if name == entry else [delivery_key(entry)]
        deliveries.append(delivery_asset(name, spec.label, after))
        checks.append(reconcile_asset(name, spec.label))
    reports = report_assets([a.key for a in checks])
    assets = [*raw, *records, *deliveries, *checks, *reports]
    return dg.Definitions(assets=assets, jobs=JOBS, schedules=SCHEDULES, resources={"night": NightResource()})


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions of the county that the environment names."""
    return build(load_settings())
