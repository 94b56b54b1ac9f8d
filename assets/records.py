"""standard/… → quality/verdicts → ledger/accepted → quarantine/returned: from raw tables to versions.

Belongs here: the chain's assets. Must not: rules, comparison, SQL.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets import results
from assets.partitions import DAYS, MANY_DAYS, days, run_of
from assets.resources import NightResource

if TYPE_CHECKING:
    from zz_pipeline.night import StepResult

STANDARD = dg.AssetKey(["standard", "records"])
VERDICTS = dg.AssetKey(["quality", "verdicts"])
ACCEPTED = dg.AssetKey(["ledger", "accepted"])
RETURNED = dg.AssetKey(["quarantine", "returned"])


def _all(context: dg.AssetExecutionContext, night: NightResource, step: str) -> "list[StepResult]":
    from zz_pipeline.course import every_source

    steps = night.night(run_of(context))
    return every_source(steps, step, days(context))


def _check(name: str, key: dg.AssetKey, text: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=key, description=text)


def record_assets(raw: Sequence[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """The chain over all sources; each source fails alone inside a step."""

    @dg.asset(
        key=STANDARD,
        deps=list(raw),
        description="把各部门的表头和代码转换为标准记录；不认识的值列为疑问，不猜。",
        group_name="standard",
        kinds={"arrow"},
        check_specs=[_check("every_source_standardized", STANDARD, "每个已读来源都转换成标准表。")],
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    def standard(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult:
        done = _all(context, night, "standardize")
        verdict = results.check(
            "every_source_standardized", not results.failures(done), results.said(done, "全部完成。")
        )
        return dg.MaterializeResult(metadata=results.metadata(done), check_results=[verdict])

    @dg.asset(
        key=VERDICTS,
        deps=[STANDARD],
        description="用 Great Expectations 逐条核对规则；有错误的记录退回部门，合格的继续。",
        group_name="quality",
        kinds={"greatexpectations"},
        check_specs=[
            _check("rules_ran", VERDICTS, "规则引擎正常运行；运行出错的批次一条也不放行。"),
            _check("few_returned", VERDICTS, "退回记录不多于三成；超过多半是对照表配置有误。"),
        ],
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    def verdicts(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult:
        done = _all(context, night, "check")
        ran = results.check("rules_ran", not results.failures(done), results.said(done, "规则全部运行。"))
        few = _few_returned(done)
        return dg.MaterializeResult(metadata=results.metadata(done), check_results=[ran, few])

    @dg.asset(
        key=ACCEPTED,
        deps=[VERDICTS],
        description="合格记录写入业务库成为新版本，并为每个平台决定：发送、暂缓、不予公示或不适用。",
        group_name="ledger",
        kinds={"sql"},
        check_specs=[_check("every_source_accepted", ACCEPTED, "每个来源的结果都已写入业务库。")],
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    def accepted(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult:
        done = _all(context, night, "accept")
        verdict = results.check("every_source_accepted", not results.failures(done), results.said(done, "全部写入。"))
        return dg.MaterializeResult(metadata=results.metadata(done), check_results=[verdict])

    @dg.asset(
        key=RETURNED,
        deps=[ACCEPTED],
        description="退回清单：各部门当日被退回的记录、原因和改法。",
        group_name="quarantine",
        kinds={"excel"},
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    def returned(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult:
        from zz_pipeline.reports.returned import returned_by_rule

        rows = [returned_by_rule(night.night(run_of(context)).ledger, day) for day in days(context)]
        total = sum(sum(found.values()) for found in rows)
        reasons: dict[str, int] = {}
        for found in rows:
            for reason, count in found.items():
                reasons[reason] = reasons.get(reason, 0) + count
        return dg.MaterializeResult(metadata={"退回条目": total, "按原因": dg.MetadataValue.json(reasons)})

    return [standard, verdicts, accepted, returned]


def _few_returned(done: "Sequence[StepResult]") -> dg.AssetCheckResult:
    many = [r for r in done if r.share > 30]
    text = "；".join(f"{r.dept} 退回 {r.share}%，请检查该部门的代码对照表" for r in many)
    return results.check("few_returned", not many, text or "各来源退回都不多。", warn=True)
