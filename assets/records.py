"""standard/… → quality/verdicts → ledger/accepted → quarantine/returned: from raw tables to versions.

Belongs here: the chain's assets. Must not: rules, comparison, SQL.
"""

from collections.abc import Sequence

import dagster as dg

from assets import groups, results
from assets.partitions import DAYS, MANY_DAYS, days, run_of
from assets.resources import NightResource

STANDARD = dg.AssetKey(["standard", "records"])
VERDICTS = dg.AssetKey(["quality", "verdicts"])
ACCEPTED = dg.AssetKey(["ledger", "accepted"])
RETURNED = dg.AssetKey(["quarantine", "returned"])
# percent of a source's records, and how many at least: more is a wrong code map rather than bad work
MANY_RETURNED, NOT_JUST_A_FEW = 30, 5


def _all(context: dg.AssetExecutionContext, night: NightResource, step: str) -> tuple[results.ByDay, dict[str, str]]:
    """One step over all sources, day by day; each day's figures on its partition."""
    from zz_pipeline.course import every_source

    steps = night.night(run_of(context))
    names = results.named(steps)
    done = {day: every_source(steps, step, [day]) for day in days(context)}
    results.note(context, done, names)
    return done, names


def _check(name: str, key: dg.AssetKey, text: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=key, description=text)


def _verdict(name: str, done: results.ByDay, names: dict[str, str], fine: str) -> dg.AssetCheckResult:
    failed = {day: results.failures(found) for day, found in done.items()}
    wrong = results.troubles(failed, names)
    return results.check(name, not wrong, "；".join(wrong) or fine)


def record_assets(raw: Sequence[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """The chain over all sources; each source fails alone inside a step."""

    @dg.asset(
        key=STANDARD,
        deps=list(raw),
        description="把各部门的表头和代码转换为标准记录；不认识的值列为疑问，不猜。",
        group_name=groups.STANDARD,
        kinds={"arrow"},
        check_specs=[_check("every_source_standardized", STANDARD, "每个已读来源都转换成标准表。")],
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    @results.spoken
    def standard(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done, names = _all(context, night, "standardize")
        yield dg.MaterializeResult(check_results=[_verdict("every_source_standardized", done, names, "全部完成。")])

    @dg.asset(
        key=VERDICTS,
        deps=[STANDARD],
        description="用 Great Expectations 逐条核对规则；有错误的记录退回部门，合格的继续。",
        group_name=groups.QUALITY,
        kinds={"greatexpectations"},
        check_specs=[
            _check("rules_ran", VERDICTS, "规则引擎正常运行；运行出错的批次一条也不放行。"),
            _check("few_returned", VERDICTS, "退回记录不多于三成；超过多半是对照表配置有误。"),
        ],
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    @results.spoken
    def verdicts(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done, names = _all(context, night, "check")
        ran = _verdict("rules_ran", done, names, "规则全部运行。")
        yield dg.MaterializeResult(check_results=[ran, _few_returned(done, names)])

    @dg.asset(
        key=ACCEPTED,
        deps=[VERDICTS],
        description="合格记录写入业务库成为新版本，并为每个平台决定：发送、暂缓、不予公示或不适用。",
        group_name=groups.LEDGER,
        kinds={"sql"},
        check_specs=[_check("every_source_accepted", ACCEPTED, "每个来源的结果都已写入业务库。")],
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    @results.spoken
    def accepted(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done, names = _all(context, night, "accept")
        yield dg.MaterializeResult(check_results=[_verdict("every_source_accepted", done, names, "全部写入。")])

    @dg.asset(
        key=RETURNED,
        deps=[ACCEPTED],
        description="退回清单：把当日仍待更正的记录按部门原表样写成工作簿，标出错格、原因和改法；条目按规则计数。",
        group_name=groups.RETURNED,
        kinds={"excel"},
        check_specs=[_check("lists_written", RETURNED, "每个部门的退回清单都已写成工作簿。")],
        partitions_def=DAYS,
        backfill_policy=MANY_DAYS,
    )
    @results.spoken
    def returned(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        from zz_pipeline.course import returned_lists
        from zz_pipeline.reports.returned import returned_by_rule

        steps = night.night(run_of(context))
        failed = []
        for day in days(context):
            found = returned_by_rule(steps.ledger, day)
            figures = {"退回条目": sum(found.values()), "按规则": dg.MetadataValue.json(found)}
            context.add_asset_metadata(figures, partition_key=day.isoformat())
            failed += [r.error for r in returned_lists(steps, [day])]
        written = results.check("lists_written", not failed, "；".join(failed) or "全部写成。", warn=True)
        yield dg.MaterializeResult(check_results=[written])

    return [standard, verdicts, accepted, returned]


def _few_returned(done: results.ByDay, names: dict[str, str]) -> dg.AssetCheckResult:
    many = [
        f"{day} {names.get(r.dept, r.dept)}退回 {r.share}%"
        for day, found in done.items()
        for r in found
        if r.share > MANY_RETURNED and r.counts["退回记录"] >= NOT_JUST_A_FEW
    ]
    text = f"{'；'.join(many)}。请先检查这些部门的代码对照表和表头，再退部门更正。" if many else "各来源退回都不多。"
    return results.check("few_returned", not many, text, warn=True)
