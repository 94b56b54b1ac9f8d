"""`zz reconcile`: ask the platforms what they hold; preview the repairs, or agree to them.

Belongs here: arguments and printing. Must not: comparing, repairs (those are `reconcile`, `delivery.repair_plan`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from zz_pipeline.commands.show import out
from zz_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from zz_pipeline.night import Night
    from zz_pipeline.reconcile import ReconcileResult


def register(app: typer.Typer, opened: Callable[[], AbstractContextManager[Night]]) -> None:
    """Add the command to `zz`."""

    @app.command("reconcile")
    def reconcile_command(
        day: Annotated[str, typer.Option("--day", help="业务日期 YYYY-MM-DD；默认昨天。")] = "",
        everything: Annotated[bool, typer.Option("--all", help="核对平台上的全部记录，不只是这一天前后的。")] = False,
        plan: Annotated[bool, typer.Option("--plan", help="只列出差异和将怎么处理，不作任何改动。")] = False,
        apply: Annotated[bool, typer.Option("--apply", help="批准补报平台缺少的记录（须 --by、--why）。")] = False,
        by: Annotated[str, typer.Option("--by", help="谁决定的（姓名，写入审计）。")] = "",
        why: Annotated[str, typer.Option("--why", help="为什么（写入审计）。")] = "",
        approved_by: Annotated[
            str, typer.Option("--approved-by", help="批准人；超过 100 条时必填，须是另一个人。")
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")] = False,
    ) -> None:
        """向各平台查询并与本库核对；差异分类列出，可先看处理方案再批准。"""
        from zz_pipeline.delivery.repair_plan import Agreement, named
        from zz_pipeline.reconcile import EVERYTHING

        if plan and apply:
            raise ConfigError("--plan 只看不改，--apply 才执行，请二选一。")
        agreement = named(Agreement(by, why, approved_by)) if apply else None
        options: dict[str, Any] = {"dry": plan, "agreement": agreement, "since": EVERYTHING if everything else None}
        with opened() as night:
            when = _day(night, day)
            found = {t.name: night.reconcile(t.name, when, **options) for t in night.targets}
            labels = {t.name: night.settings.platforms[t.name].label for t in night.targets}
        _show(found, labels, plan, as_json)
        refused = any(result.refusal for result in found.values())
        fine = all(result.state == "OK" for result in found.values())
        raise typer.Exit(2 if refused else 0 if fine else 3)


def _day(night: Night, text: str) -> date:
    try:
        return date.fromisoformat(text) if text else night.now().date() - timedelta(days=1)
    except ValueError:
        raise ConfigError(f"日期“{text}”应写成 2026-11-20 的形式。") from None


def _show(found: dict[str, ReconcileResult], labels: dict[str, str], plan: bool, as_json: bool) -> None:
    from zz_pipeline.reconcile import shown

    if as_json:
        told = {
            name: {"state": r.state, "counts": r.counts, "text": r.text, "differences": shown(r)}
            | {"refusal": r.refusal, "changed": not plan}
            for name, r in found.items()
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    for name, result in found.items():
        out.print(f"{labels[name]}：{result.text or '一致'}", markup=False, soft_wrap=True)
        if result.refusal:
            out.print(f"没有补报：{result.refusal}。", markup=False, soft_wrap=True)
        if result.differences:
            out.print(_table(result, "将怎么处理" if plan else "处理"))


def _table(result: ReconcileResult, last: str) -> Table:
    from zz_pipeline.delivery.repair_plan import LABELS

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("差异", "平台编号", last):
        table.add_column(heading, overflow="fold", no_wrap=heading == "差异")
    for found, action in result.differences:
        table.add_row(LABELS[found.type], found.remote_key, action)
    return table
