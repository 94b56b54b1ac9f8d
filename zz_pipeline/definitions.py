"""Composition root: settings → Dagster definitions. The one module here that imports Dagster and the shell.

Belongs here: putting the rooms together. Must not: steps, GX, pandas (it is loaded by daemon, webserver and every run).
"""

from __future__ import annotations

import dagster as dg

from assets import clocks
from assets.delivery import delivery_asset, delivery_key, reconcile_asset
from assets.gate import gate_asset
from assets.raw import credit_asset, department_asset
from assets.records import record_assets
from assets.reports import report_assets
from assets.resources import NightResource
from schedules.nightly import JOBS, SCHEDULES
from schedules.sensors import SENSORS
from zz_pipeline.settings import Settings, load_settings


def build(settings: Settings) -> dg.Definitions:
    """All assets, jobs, schedules and sensors for a county's settings."""
    office, entry = settings.county.office, settings.county.entry_platform
    clock = clocks.within_period(settings.platforms.values())
    raw = [department_asset(d.key, d.short, d.source.kind, clock) for d in settings.departments.values()]
    lead = settings.departments[settings.county.credit_lead].short
    raw.append(credit_asset("credit_ratings", "rating", "从信用信息共享平台读取当日新的信用评价。", lead, clock))
    raw.append(credit_asset("credit_repairs", "repair", "从信用信息共享平台读取当日的信用修复通知。", lead))
    records = record_assets([a.key for a in raw], office)
    deliveries, checks = [], []
    for name, spec in settings.platforms.items():
        after = [] if name == entry else [delivery_key(entry)]
        deliveries.append(delivery_asset(spec, office, after))
        checks.append(reconcile_asset(spec, office))
    reports = report_assets([a.key for a in checks], office)
    return dg.Definitions(
        assets=[gate_asset(office), *raw, *records, *deliveries, *checks, *reports],
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources={"night": NightResource()},
        # also for what a person materializes from the graph: one process a run, never a step that outlives its worker
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions of the county that the environment names."""
    return build(load_settings())
