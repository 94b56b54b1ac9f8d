"""raw/<department>: one asset a source, so that a failing one is seen and stops only itself.

Belongs here: the factories. Must not: reading (that is `zz_pipeline.sources`).
A source that is down ends with a failed ERROR check, not with an exception: in Dagster an exception would skip
everything downstream, and one department would stop the county.
"""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import groups, results
from assets.gate import GATE
from assets.partitions import days, run_of
from assets.resources import NightResource

if TYPE_CHECKING:
    from zz_pipeline.night import Night, StepResult

READ = "source_was_read"
KINDS = {"database": "sql", "workbook": "excel", "csv": "csv", "http": "api", "none": "noop"}


def department_asset(key: str, short: str, kind: str, clock: dg.FreshnessPolicy | None) -> dg.AssetsDefinition:
    """The raw asset of one department; `clock`: how old what was read may be."""
    text = f"{short}：读取当日新增和更正的检查结果，原样存档。" if kind != "none" else f"{short}：零报送，无数据来源。"
    look = {"kinds": {KINDS[kind]}, "freshness_policy": clock, **groups.common(groups.SOURCE, short, source=key)}
    return _raw(key, text, look, lambda night, day: night.pull(key, day))


def credit_asset(
    name: str, kind: str, text: str, owner: str, clock: dg.FreshnessPolicy | None = None
) -> dg.AssetsDefinition:
    """The raw asset of ratings or of repair notices."""

    def read(night: "Night", day: date) -> "StepResult":
        from zz_pipeline.standard.tables import Kind

        return night.pull_credit(Kind(kind), day)

    look = {"kinds": {"api"}, "freshness_policy": clock, **groups.common(groups.SOURCE, owner, source="credit")}
    return _raw(name, text, look, read)


def _raw(
    name: str, text: str, look: dict[str, Any], read: "Callable[[Night, date], StepResult]"
) -> dg.AssetsDefinition:
    key = dg.AssetKey(["raw", name])
    spec = dg.AssetCheckSpec(READ, asset=key, description="来源已读到；读不到时只影响该来源，下次运行补读。")

    @dg.asset(key=key, deps=[GATE], description=text, check_specs=[spec], **look)
    @results.spoken
    def raw(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        steps = night.night(run_of(context))
        names = results.named(steps)
        done = {day: [read(steps, day)] for day in days(context)}
        results.note(context, done, names)
        wrong = results.troubles(done, names)
        yield dg.MaterializeResult(check_results=[results.check(READ, not wrong, "；".join(wrong) or "已读取。")])

    return raw
