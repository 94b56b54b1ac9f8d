"""delivery/<platform> and reconcile/<platform>: sending in each owner's name, then asking what arrived.

Belongs here: the factories, a pool for each platform. Must not: the protocol.
"""

import dagster as dg

from assets import groups, results
from assets.partitions import DAYS, MANY_DAYS, days, run_of
from assets.records import RETURNED
from assets.resources import NightResource


def delivery_key(platform: str) -> dg.AssetKey:
    """Key of a platform's delivery asset."""
    return dg.AssetKey(["delivery", platform])


def delivery_asset(platform: str, label: str, after: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """Sends what is due to one platform. It needs no partition's data: the outbox knows what is due."""
    key = delivery_key(platform)
    up = dg.AssetCheckSpec("platform_answers", asset=key, description="平台可用；停用时记录留在本库，下次运行补送。")
    fine = dg.AssetCheckSpec("no_alarm", asset=key, description="没有需要人处理的停送、冲突或异常应答。")

    @dg.asset(
        key=key,
        deps=[RETURNED, *after],
        description=f"{label}：以检查部门的名义把应报送的记录送达，逐条取得结论或回执。",
        group_name=groups.DELIVERY,
        kinds={"http"},
        pool=f"platform_{platform}",
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
        check_specs=[up, fine],
    )
    @results.spoken
    def delivery(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done = night.night(run_of(context)).deliver(platform)
        reached = results.check("platform_answers", not done.stopped, done.stopped or "平台应答正常。")
        alarms = results.check("no_alarm", not done.alarms, "；".join(done.alarms) or "没有异常。", warn=True)
        yield dg.MaterializeResult(metadata=results.delivered(done), check_results=[reached, alarms])

    return delivery


def reconcile_asset(platform: str, label: str) -> dg.AssetsDefinition:
    """Compares our ledger with the platform's own list for the day."""
    key = dg.AssetKey(["reconcile", platform])
    agrees = dg.AssetCheckSpec("ledgers_agree", asset=key, description="本库与平台清单一致；有差异即列明。")

    @dg.asset(
        key=key,
        deps=[delivery_key(platform)],
        description=f"{label}：查询平台实际持有的记录，与本库逐条核对。",
        group_name=groups.RECONCILE,
        kinds={"http"},
        pool=f"platform_{platform}",
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
        check_specs=[agrees],
    )
    @results.spoken
    def reconciled(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        steps = night.night(run_of(context))
        done = {day: steps.reconcile(platform, day) for day in days(context)}
        for day, found in done.items():
            context.add_asset_metadata(results.reconciled(found), partition_key=day.isoformat())
        text = "；".join(f"{day} {found.text}" for day, found in done.items() if found.state != "OK")
        agree = results.check("ledgers_agree", not text, text or "一致。", warn=True)
        yield dg.MaterializeResult(check_results=[agree])

    return reconciled
