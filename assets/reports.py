"""reports/day and reports/balance: what the office reads, and the promise that a night must keep.

Belongs here: the two assets. Must not: figures (those are `zz_pipeline.reports`).
"""

import dagster as dg

from assets import clocks, groups, results
from assets.partitions import days, run_of
from assets.resources import NightResource

DAY_REPORT = dg.AssetKey(["reports", "day"])
BALANCE = dg.AssetKey(["reports", "balance"])


def report_assets(after: list[dg.AssetKey], office: str) -> list[dg.AssetsDefinition]:
    """The day report, then the balance; a night that does not balance fails here."""
    return [day_report_asset(after, office), balance_asset(office)]


def day_report_asset(after: list[dg.AssetKey], office: str) -> dg.AssetsDefinition:
    """What the office reads in the morning."""

    @dg.asset(
        key=DAY_REPORT,
        deps=after,
        description="日报：收支平衡、各部门各平台情况、退回原因、暂缓与不明及其原因（HTML 与 JSON）。",
        kinds={"html"},
        freshness_policy=clocks.by_morning(),
        **groups.common(groups.REPORT, office),
    )
    @results.spoken
    def day_report(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        from zz_pipeline.reports.day import write_day_report

        steps = night.night(run_of(context))
        for day in days(context):
            path = write_day_report(steps, day)
            context.add_asset_metadata(results.reported(steps, day, path), partition_key=day.isoformat())
        yield dg.MaterializeResult()

    return day_report


def balance_asset(office: str) -> dg.AssetsDefinition:
    """The promise; a night that does not keep it fails."""

    @dg.asset(
        key=BALANCE,
        deps=[DAY_REPORT],
        description="平衡：拉取＝未变＋退回＋接收；每个平台的接收＝各状态之和。不平衡则当夜失败。",
        kinds={"sql"},
        freshness_policy=clocks.by_morning(),
        check_specs=[
            dg.AssetCheckSpec("balanced", asset=BALANCE, description="两条等式对每个部门、每个平台都成立。"),
            dg.AssetCheckSpec("complete", asset=BALANCE, description="所有来源都已读到，所有平台都已核对。"),
        ],
        **groups.common(groups.REPORT, office),
    )
    @results.spoken
    def balance(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        steps = night.night(run_of(context))
        done = {day: steps.balance(day) for day in days(context)}
        for day, found in done.items():
            context.add_asset_metadata(results.balanced(found), partition_key=day.isoformat())
        wrong = "、".join(found.day for found in done.values() if not found.balanced)
        said = f"{wrong} 不平衡，有记录下落不明。请打开当日日报，看标红的部门或平台，再联系技术人员。"
        none = "没有任何来源的读取记录"
        gaps = "；".join(found.gaps() or f"{found.day} {none}" for found in done.values() if not found.complete)
        # yielded before the failure: a red check on the asset's page, not the green one of the night before
        yield results.check("balanced", not wrong, said if wrong else "平衡。")
        yield results.check("complete", not gaps, gaps or "来源与平台齐全。", warn=True)
        if wrong:
            raise dg.Failure(said, allow_retries=False)
        yield dg.MaterializeResult()

    return balance
