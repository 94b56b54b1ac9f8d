"""`zz balance`, `zz report`, and a balance in the terminal with its exit code.

Belongs here: the table of a balance, its exit code. Must not: counting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from zz_pipeline.commands import show
from zz_pipeline.commands.show import Day, Json, Opened
from zz_pipeline.reports.words import COLUMNS

if TYPE_CHECKING:
    from zz_pipeline.night import Night
    from zz_pipeline.reports.balance import Balance


def register(app: typer.Typer, opened: Opened) -> None:
    """Add the commands to `zz`."""

    @app.command("balance")
    def balance_command(day: Day = "", as_json: Json = False) -> None:
        """某日的平衡表。"""
        with opened() as night:
            found = night.balance(show.day_or_yesterday(night, day))
        finish(night, found, as_json, {})

    @app.command()
    def report(day: Day = "", as_json: Json = False) -> None:
        """重出某日的日报（HTML 与 JSON）。"""
        from zz_pipeline.reports.day import write_day_report

        with opened() as night:
            when = show.day_or_yesterday(night, day)
            path = write_day_report(night, when)
            found = night.balance(when)
        finish(night, found, as_json, {"report": str(path)})


def code(found: Balance) -> int:
    """Exit code of a balance: 0 balanced and complete, 1 not balanced, 3 something was missing."""
    if not found.balanced:
        return 1
    return 0 if found.complete else 3


def finish(night: Night, found: Balance, as_json: bool, more: dict[str, Any]) -> None:
    """Show a balance and end the command with its code."""
    show.shown({**found.as_dict(), **more}, as_json, lambda: balance_table(night, found))
    if not as_json:
        for text in found.missing:
            show.complain(f"未完成：{text}")
        if more.get("report"):
            show.out.print(f"日报：{more['report']}", soft_wrap=True)
    raise typer.Exit(code(found))


def balance_table(night: Night, found: Balance) -> None:
    """Both equations of the promise, a row a platform."""
    if not found.departments:
        return
    total = found.totals()
    show.out.print(
        f"{found.day}  拉取 {total['pulled']} ＝ 未变 {total['unchanged']} ＋ 退回 {total['quarantined']} ＋ 接收 {total['accepted']}"
        f"  {'平衡' if found.balanced else '不平衡！'}"
    )
    table = show.table("平台", "接收", *COLUMNS.values())
    for platform in found.platforms:
        label = night.settings.platforms[platform.platform].label
        table.add_row(label, str(platform.accepted), *(str(platform.states[w]) for w in COLUMNS))
    show.out.print(table)
