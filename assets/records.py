"""standard/… → quality/verdicts → ledger/accepted → quarantine/returned: from raw tables to versions.

Belongs here: the chain's assets. Must not: rules, comparison, SQL.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets import families, groups, results
from assets.partitions import days, run_of
from assets.resources import NightResource

STANDARD = dg.AssetKey(["standard", "records"])
VERDICTS = dg.AssetKey(["quality", "verdicts"])
ACCEPTED = dg.AssetKey(["ledger", "accepted"])
RETURNED = dg.AssetKey(["quarantine", "returned"])
# percent of a source's records, and how many at least: more is a wrong code map rather than bad work
MANY_RETURNED, NOT_JUST_A_FEW = 30, 5


def record_assets(raw: Sequence[dg.AssetKey], office: str) -> list[dg.AssetsDefinition]:
    """The chain over all sources; each source fails alone inside a step."""
    return [standard_asset(raw, office), verdict_asset(office), accepted_asset(office), returned_asset(office)]


def standard_asset(raw: Sequence[dg.AssetKey], office: str) -> dg.AssetsDefinition:
    """Native columns → the standard table."""

    @dg.asset(
        key=STANDARD,
        deps=list(raw),
        description="把各部门的表头和代码转换为标准记录；不认识的值列为疑问，不猜。",
        kinds={"arrow"},
        check_specs=[_check("every_source_standardized", STANDARD, "每个已读来源都转换成标准表。")],
        **groups.common(groups.STANDARD, office),
    )
    @results.spoken
    def standard(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done, names = _all(context, night, "standardize")
        results.note(context, done, names)
        yield dg.MaterializeResult(check_results=[_verdict("every_source_standardized", done, names, "全部完成。")])

    return standard


def verdict_asset(office: str) -> dg.AssetsDefinition:
    """What the rules say, with a check for each of the ten families."""

    @dg.asset(
        key=VERDICTS,
        deps=[STANDARD],
        description="用 Great Expectations 逐条核对规则；有错误的记录退回部门，合格的继续。十个数据检核类型各有一项检查。",
        kinds={"greatexpectations"},
        check_specs=[
            _check("rules_ran", VERDICTS, "规则引擎正常运行；运行出错的批次一条也不放行。"),
            _check("few_returned", VERDICTS, "退回记录不多于三成；超过多半是对照表配置有误。"),
            *families.specs(VERDICTS),
        ],
        **groups.common(groups.QUALITY, office),
    )
    @results.spoken
    def verdicts(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done, names = _all(context, night, "check")
        results.note(context, done, names, _why)
        ran = _verdict("rules_ran", done, names, "规则全部运行。")
        found = [ran, _few_returned(done, names), *families.judged(done, names)]
        yield dg.MaterializeResult(check_results=found)

    return verdicts


def accepted_asset(office: str) -> dg.AssetsDefinition:
    """What passed, as versions and outbox rows."""

    @dg.asset(
        key=ACCEPTED,
        deps=[VERDICTS],
        description="合格记录写入业务库成为新版本，并为每个平台决定：发送、暂缓、不予公示或不适用。",
        kinds={"sql"},
        check_specs=[_check("every_source_accepted", ACCEPTED, "每个来源的结果都已写入业务库。")],
        **groups.common(groups.LEDGER, office),
    )
    @results.spoken
    def accepted(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        done, names = _all(context, night, "accept")
        results.note(context, done, names)
        yield dg.MaterializeResult(check_results=[_verdict("every_source_accepted", done, names, "全部写入。")])

    return accepted


def returned_asset(office: str) -> dg.AssetsDefinition:
    """The workbooks that go back to departments."""

    @dg.asset(
        key=RETURNED,
        deps=[ACCEPTED],
        description="退回清单：把当日仍待更正的记录按部门原表样写成工作簿，标出错格、原因和改法；条目按规则计数。",
        kinds={"excel"},
        check_specs=[_check("lists_written", RETURNED, "每个部门的退回清单都已写成工作簿。")],
        **groups.common(groups.RETURNED, office),
    )
    @results.spoken
    def returned(context: dg.AssetExecutionContext, night: NightResource) -> results.Told:
        from zz_pipeline.course import returned_lists

        steps = night.night(run_of(context))
        failed = []
        for day in days(context):
            failed += [r.error for r in returned_lists(steps, [day])]
            context.add_asset_metadata(results.returned(steps, day), partition_key=day.isoformat())
        written = results.check("lists_written", not failed, "；".join(failed) or "全部写成。", warn=True)
        yield dg.MaterializeResult(check_results=[written])

    return returned


def _all(context: dg.AssetExecutionContext, night: NightResource, step: str) -> tuple[results.ByDay, dict[str, str]]:
    """One step over all sources, day by day."""
    from zz_pipeline.course import every_source

    steps = night.night(run_of(context))
    return {day: every_source(steps, step, [day]) for day in days(context)}, results.named(steps)


def _check(name: str, key: dg.AssetKey, text: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=key, description=text)


def _verdict(name: str, done: results.ByDay, names: dict[str, str], fine: str) -> dg.AssetCheckResult:
    failed = {day: results.failures(found) for day, found in done.items()}
    wrong = results.troubles(failed, names)
    return results.check(name, not wrong, "；".join(wrong) or fine)


def _why(found: results.Steps, names: results.Names) -> dict[str, Any]:
    findings = [(names.get(r.dept, r.dept), f) for r in found for f in r.findings]
    return {"主要原因": families.reasons(findings, families.rule_book())} if findings else {}


def _few_returned(done: results.ByDay, names: dict[str, str]) -> dg.AssetCheckResult:
    many = [
        f"{day} {names.get(r.dept, r.dept)}退回 {r.share}%"
        for day, found in done.items()
        for r in found
        if r.share > MANY_RETURNED and r.counts["退回记录"] >= NOT_JUST_A_FEW
    ]
    text = f"{'；'.join(many)}。请先检查这些部门的代码对照表和表头，再退部门更正。" if many else "各来源退回都不多。"
    return results.check("few_returned", not many, text, warn=True)
