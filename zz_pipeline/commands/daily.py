"""`zz sync`, `zz backfill`, `zz today`, `zz alerts`: what a day begins and ends with.

Belongs here: arguments, tables, exit codes. Must not: steps, SQL, finding troubles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zz_pipeline.commands import show
from zz_pipeline.commands.balances import balance_table, finish
from zz_pipeline.commands.show import Day, Json, Opened

if TYPE_CHECKING:
    from zz_pipeline.backfill import Backfill
    from zz_pipeline.night import Night

Depts = Annotated[list[str], typer.Option("--dept", help="只办这个部门（部门键，如 SCJG）；可写多次。")]
Platforms = Annotated[list[str], typer.Option("--platform", help="只报这个平台，如 double_random；可写多次。")]
Kinds = Annotated[
    list[str],
    typer.Option("--kind", help="只办这类数据：inspection 检查结果、rating 信用评价、repair 信用修复；可写多次。"),
]


def register(app: typer.Typer, opened: Opened) -> None:
    """Add the commands to `zz`; `opened` gives the core over the configured county."""

    @app.command()
    def sync(day: Day = "", as_json: Json = False) -> None:
        """运行一夜：从读取到日报，最后发提醒。

        读取、检查、入库、报送、核对、平衡、出日报；同一天再运行一次不会重复报送。
        """
        from zz_pipeline.course import whole_night

        with opened() as night, show.progress(as_json) as progress:
            result = whole_night(night, show.day_or_yesterday(night, day), progress)
            _tell(night)
        failed = [s.dept for s in result.failed]
        finish(night, result.balanced_or_fail(), as_json, {"report": result.report, "failed": failed})

    @app.command()
    def backfill(
        first: Annotated[str, typer.Argument(help="第一天 YYYY-MM-DD")],
        last: Annotated[str, typer.Argument(help="最后一天 YYYY-MM-DD")],
        dept: Depts = [],  # noqa: B006 - typer's form of an option that may be repeated; never changed
        platform: Platforms = [],  # noqa: B006 - the same
        kind: Kinds = [],  # noqa: B006 - the same
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="只预览会读到什么、改变什么、发出什么，不写入也不发送。")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """补报一段日子；已报送过的不会重复。

        一天或一个来源失败不影响其余，最后逐项说明如何处理；中断后再执行一次，即从断处接着办。
        """
        from zz_pipeline.backfill import Filters, run
        from zz_pipeline.backfill_preview import preview

        with opened() as night, show.progress(as_json) as progress:
            days, part = show.day_range(first, last), Filters.of(night.settings, dept, platform, kind)
            if dry_run:
                plan = preview(night, days, progress, part)
                show.shown(plan, as_json, lambda: _plan(plan))
                return
            done = run(night, days, progress, part)
            _tell(night)
        _told(night, done, as_json)

    _looks(app, opened)


def _looks(app: typer.Typer, opened: Opened) -> None:
    """What there is to do, and who is told."""

    @app.command()
    def today(as_json: Json = False) -> None:
        """一屏看今天：昨夜、平衡、现在要办的事和命令。"""
        from zz_pipeline.reports.today import today as gather

        with opened() as night:
            found = gather(night)
            names = {key: spec.short for key, spec in night.settings.departments.items()}
        show.shown(found, as_json, lambda: _screen(found, names))

    @app.command()
    def alerts(
        send: Annotated[
            bool, typer.Option("--send", help="把有变化的写成消息并发送；不加只列出，不写也不发。")
        ] = False,
        again: Annotated[bool, typer.Option("--again", help="与 --send 同用：没有送达的也重新发送。")] = False,
        as_json: Json = False,
    ) -> None:
        """提醒与告警：列出现在的每一项，或发送。

        --send 把新出现、加重、解除的发给专班和有关部门；没有变化的不再发。
        """
        from zz_pipeline.alerts import send as sending
        from zz_pipeline.alerts import turn, watch
        from zz_pipeline.errors import ConfigError

        if again and not send:
            raise ConfigError("--again 须与 --send 同用。")
        with opened() as night:
            now = night.clock()
            if again:
                sending.again(night.ledger, now)
            take = turn.take if send else lambda *given: turn.Turn(watch.look(*given))
            found = take(night.settings, night.ledger, now).as_dict()
            found["outbox"] = sending.counts(night.ledger)
        show.shown(found, as_json, lambda: _alerts(found))


def _tell(night: Night) -> None:
    from zz_pipeline.alerts.turn import after_night

    turn = after_night(night.settings, night.ledger, night.clock())
    if turn.error:
        show.complain(turn.error)


def _told(night: Night, done: Backfill, as_json: bool) -> None:
    shown = {
        "days": [b.as_dict() for b in done.balances], "balanced": all(b.balanced for b in done.balances),
        "resumed": [day.isoformat() for day in done.resumed], "failures": done.failures,
    }  # fmt: skip
    show.shown(shown, as_json, lambda: show.each(done.balances, lambda found: balance_table(night, found)))
    if not as_json:
        if done.resumed:
            show.say(f"接着上次中断的地方办：{len(done.resumed)} 天已读取入库，没有重读。")
        for text in done.failures:
            show.complain(f"未完成：{text}")
    raise typer.Exit(done.code)


def _plan(plan: dict[str, Any]) -> None:
    columns = ("day", "dept", "pulled", "new", "changed", "unchanged", "quarantined")
    headings = ("日期", "部门", "拉取", "新增", "更正", "未变", "退回", "例", "说明")
    rows = [[*(row[k] for k in columns), "、".join(row["examples"]), row["note"]] for row in plan["rows"]]
    show.rows_table(headings, rows)
    sends = [
        [p["label"], p["sends"], p["waiting"], f"{p['seconds']:.0f} 秒", "、".join(p["examples"])]
        for p in plan["platforms"]
    ]
    show.rows_table(("平台", "将发送", "另有待发", "约需", "例"), sends)
    show.say(f"约需 {plan['estimated_seconds']:.0f} 秒（按各平台速率上限估算），共发送 {plan['sends']} 条次。")


def _screen(found: dict[str, Any], names: dict[str, str]) -> None:
    night = found["night"]
    if not night["run"]:
        show.say(f"{night['day']}：昨夜没有运行。请执行 zz sync --day {night['day']}。", "bold")
    else:
        verdict = "平衡" if night["balanced"] else "不平衡！"
        verdict += "，来源与平台齐全" if night["complete"] else "，有来源或平台没办完"
        sums = f"拉取 {night['pulled']} ＝ 未变 {night['unchanged']} ＋ 退回 {night['quarantined']} ＋ 接收 {night['accepted']}"
        show.say(f"{night['day']}  {sums}  {verdict}", "bold")
        for label, states in night["platforms"].items():
            left = states["pending"] + states["held"] + states["unknown"]
            show.say(f"  {label}：已确认 {states['confirmed']}，拒收 {states['rejected']}，未了 {left}")
        show.say(f"  日报：{night['report'] or '还没有'}")
    show.say("现在需要人办：", "bold")
    rows = [[n["severity"], names.get(n["department"], "专班"), n["title"], n["command"]] for n in found["needs"]]
    show.rows_table(("级别", "部门", "事项", "执行"), rows)
    late = sum(d["count"] for d in found["due"] if d["days_left"] < 0)
    soon = sum(d["count"] for d in found["due"] if d["days_left"] >= 0)
    show.say(f"法定期限：已超期 {late} 条，将到期 {soon} 条（zz due）。")


def _alerts(found: dict[str, Any]) -> None:
    rows = [[t["label"], t["title"], t["text"]] for t in found["troubles"]]
    show.rows_table(("类别", "事项", "说明与处理"), rows, "没有需要提醒的事")
    for sent in found["sent"]:
        done = "已送达" if sent["state"] == "sent" else f"没有送达（第 {sent['attempts']} 次）：{sent['error']}"
        show.say(f"消息 {sent['message']} 经 {CHANNELS[sent['channel']]}：{done}")
    box = found["outbox"]
    show.say(f"待送 {box['waiting']}，没有送达 {box['failed']}，已送 {box['sent']}。")
    if box["unplanned"]:
        show.say(
            f"有 {box['unplanned']} 条消息没有渠道可发：请在 county.toml 的 [alerts] 或 secrets.toml 的 [alerts] 配置。"
        )


CHANNELS = {"mail": "邮件", "webhook": "群机器人"}
