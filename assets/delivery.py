"""delivery/<platform> and reconcile/<platform>: sending in each owner's name, then asking what arrived.

Belongs here: the factories, a pool for each platform. Must not: the protocol.
"""

import dagster as dg

from assets import clocks, groups, results
from assets.partitions import days, run_of
from assets.records import RETURNED
from assets.resources import NightResource
from zz_pipeline.settings import PlatformSpec


def delivery_key(platform: str) -> dg.AssetKey:
    """Key of a platform's delivery asset."""
    return dg.AssetKey(["delivery", platform])


def delivery_asset(spec: PlatformSpec, office: str, after: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """Sends what is due to one platform. It needs no partition's data: the outbox knows what is due."""
    platform, key = spec.name, delivery_key(spec.name)
    up = dg.AssetCheckSpec("platform_answers", asset=key, description="平台可用；停用时记录留在本库，下次运行补送。")
    fine = dg.AssetCheckSpec("no_alarm", asset=key, description="没有需要人处理的停送、冲突或异常应答。")

    @dg.asset(
        key=key,
        deps=[RETURNED, *after],
        description=f"{spec.label}：以检查部门的名义把应报送的记录送达，逐条取得结论或回执。",
        kinds={"http"},
        pool=f"platform_{platform}",
        check_specs=[up, fine],
        freshness_policy=clocks.within_period([spec]) or clocks.by_morning(),
        **groups.common(groups.DELIVERY, office, platform=platform),
    )
    @results.spoken
    def delivery(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done = night.night(run_of(context)).deliver(platform)
        reached = results.check("platform_answers", not done.stopped, done.stopped or "平台应答正常。")
        alarms = results.check("no_alarm", not done.alarms, "；".join(done.alarms) or "没有异常。", warn=True)
        yield dg.MaterializeResult(metadata=results.delivered(done, spec.url), check_results=[reached, alarms])

    return delivery


def reconcile_asset(spec: PlatformSpec, office: str) -> dg.AssetsDefinition:
    """Compares our ledger with the platform's own list for the day."""
    platform, key = spec.name, dg.AssetKey(["reconcile", spec.name])
    agrees = dg.AssetCheckSpec("ledgers_agree", asset=key, description="本库与平台清单一致；有差异即列明。")

    @dg.asset(
        key=key,
        deps=[delivery_key(platform)],
        description=f"{spec.label}：查询平台实际持有的记录，与本库逐条核对。",
        kinds={"http"},
        pool=f"platform_{platform}",
        check_specs=[agrees],
        **groups.common(groups.RECONCILE, office, platform=platform),
    )
    @results.spoken
    def reconciled(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        steps = night.night(run_of(context))
        done = steps.reconcile_days(platform, days(context))
        for day, found in done.items():
            context.add_asset_metadata(results.reconciled(found), partition_key=day.isoformat())
        text = "；".join(f"{day} {found.text}" for day, found in done.items() if found.state != "OK")
        agree = results.check("ledgers_agree", not text, text or "一致。", warn=True)
        yield dg.MaterializeResult(check_results=[agree])

    return reconciled
