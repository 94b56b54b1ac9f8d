"""reports/day and reports/balance: what the office reads, and the promise that a night must keep.

Belongs here: the two assets. Must not: figures (those are `zz_pipeline.reports`).
"""

import dagster as dg

from assets import results
from assets.partitions import DAYS, MANY_DAYS, days, run_of
from assets.resources import NightResource

DAY_REPORT = dg.AssetKey(["reports", "day"])
BALANCE = dg.AssetKey(["reports", "balance"])


def report_assets(after: list[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """The day report, then the balance; a night that does not balance fails here."""

    @dg.asset(
        key=DAY_REPORT,
        deps=after,
        description="日报：收支平衡、各部门各平台情况、退回原因、暂缓与不明及其原因（HTML 与 JSON）。",
        group_name="report",
        kinds={"html"},
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    def day_report(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult:
        from zz_pipeline.reports.day import write_day_report

        steps = night.night(run_of(context))
        paths = [write_day_report(steps, day) for day in days(context)]
        links = {f"日报 {path.stem}": dg.MetadataValue.path(str(path)) for path in paths}
        return dg.MaterializeResult(metadata={"份数": len(paths), **links})

    @dg.asset(
        key=BALANCE,
        deps=[DAY_REPORT],
        description="平衡：拉取＝未变＋退回＋接收；每个平台的接收＝各状态之和。不平衡则当夜失败。",
        group_name="report",
        kinds={"sql"},
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
        check_specs=[
            dg.AssetCheckSpec("balanced", asset=BALANCE, description="两条等式对每个部门、每个平台都成立。"),
            dg.AssetCheckSpec("complete", asset=BALANCE, description="所有来源都已读到，所有平台都已核对。"),
        ],
    )
    def balance(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult:
        steps = night.night(run_of(context))
        done = [steps.balance(day) for day in days(context)]
        wrong = [b.day for b in done if not b.balanced]
        if wrong:
            raise dg.Failure(
                f"{'、'.join(wrong)} 不平衡。请打开当日日报查看是哪个部门或平台，再联系技术人员。", allow_retries=False
            )
        gaps = "；".join(b.gaps() for b in done if not b.complete)
        checks = [
            results.check("balanced", True, "平衡。"),
            results.check("complete", not gaps, gaps or "来源与平台齐全。", warn=True),
        ]
        sums: dict[str, int] = {}
        for one in done:
            for name, value in one.totals().items():
                sums[name] = sums.get(name, 0) + value
        return dg.MaterializeResult(metadata={**sums}, check_results=checks)

    return [day_report, balance]
