"""gate/dry_run: the first step of a night, where a person may ask for a rehearsal instead.

Belongs here: the choice, and the preview that a rehearsal leaves. Must not: the preview itself (`zz_pipeline.backfill`).
A rehearsal makes no output here, so Dagster does not execute any step behind it: nothing is written, nothing is sent.
"""

import dagster as dg
from pydantic import Field

from assets import groups, results
from assets.partitions import days, run_of
from assets.resources import NightResource

GATE = dg.AssetKey(["gate", "dry_run"])
STEP = "gate__dry_run"
NEXT = "试运行完成：没有写入业务库，没有发送。数字合适后，把 dry_run 改为 false（或直接运行 nightly）即正式运行。"


class Choice(dg.Config):
    """What a person may choose for a run."""

    dry_run: bool = Field(
        default=False,
        description="true：试运行，只预览会读到什么、会报送多少，不写业务库、不发送；false：正式运行。",
    )


def gate_asset(office: str) -> dg.AssetsDefinition:
    """Lets a run pass, or writes the preview and lets nothing pass."""

    @dg.asset(
        key=GATE,
        description="闸口：正式运行时放行；选择试运行（dry_run: true）时只写预览，后面各步一步也不执行，平台收不到任何东西。",
        kinds={"python"},
        output_required=False,
        **groups.common(groups.GATE, office),
    )
    @results.spoken
    def gate(context: dg.AssetExecutionContext, config: Choice, night: NightResource) -> results.Told:
        if not config.dry_run:
            yield dg.MaterializeResult(metadata={"运行方式": "正式运行"})
            return
        from zz_pipeline.backfill_preview import preview

        steps, wanted = night.night(run_of(context)), days(context)
        plan = preview(steps, wanted, lambda *_: None)
        for day in wanted:
            seen = results.previewed(plan, day, results.named(steps)) | {"下一步": NEXT}
            context.log_event(dg.AssetObservation(asset_key=GATE, partition=day.isoformat(), metadata=seen))
        context.log.info(f"将报送 {plan['sends']} 条次。{NEXT}")

    return gate
