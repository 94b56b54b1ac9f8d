"""`zz quarantine list | show | replay`: what was returned to departments, and reading it once more.

Belongs here: arguments and what the terminal shows. Must not: queries, steps, unmasked values.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from zz_pipeline.commands.show import out
from zz_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from zz_pipeline.night import Night, StepResult

Json = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")]
Dept = Annotated[str, typer.Option("--dept", help="部门键，如 SCJG；默认全部。")]
Day = Annotated[str, typer.Option("--day", help="业务日期 YYYY-MM-DD；默认全部。")]
COLUMNS = {
    "id": "条目",
    "day": "日期",
    "dept": "部门",
    "unit": "记录",
    "rule": "规则",
    "value": "内容",
    "message": "原因与改法",
}


def register(app: typer.Typer, opened: Callable[[], AbstractContextManager[Night]]) -> None:
    """Add `zz quarantine` to `zz`; `opened` gives the core over the configured county."""
    group = typer.Typer(help="退回的记录：查看、重放。", no_args_is_help=True)
    app.add_typer(group, name="quarantine")

    @group.command("list")
    def list_entries(
        dept: Dept = "",
        day: Day = "",
        rule: Annotated[str, typer.Option("--rule", help="规则号，如 INS-003。")] = "",
        as_json: Json = False,
    ) -> None:
        """仍待更正的退回条目（个人信息已遮盖）。"""
        from zz_pipeline.returns.listing import open_entries

        with opened() as night:
            departments(night, dept)
            found = open_entries(night.ledger, dept, parsed(day), rule)
        show({"entries": found}, as_json, lambda: _table(found, "没有待更正的退回条目。"))

    @group.command("show")
    def show_unit(
        wanted: Annotated[
            str, typer.Argument(metavar="条目号|退回编号|记录", help="zz quarantine list 里的条目或记录。")
        ],
        as_json: Json = False,
    ) -> None:
        """一条记录的全部退回经过，含已结清的。"""
        from zz_pipeline.returns.listing import about

        with opened() as night:
            found = about(night.ledger, wanted)
        show({"entries": found}, as_json, lambda: _history(found))

    @group.command("replay")
    def replay_units(dept: Dept = "", day: Day = "", as_json: Json = False) -> None:
        """从存档重读未结清的记录，并读收件夹里交回的退回清单；计入今天。"""
        from zz_pipeline.returns.replay import replay

        with opened() as night:
            found = replay(night, departments(night, dept), day=parsed(day))
        show({"steps": [told(r) for r in found]}, as_json, lambda: replayed(found))
        raise typer.Exit(exit_code(found))


def parsed(text: str) -> date | None:
    """A day as given on the command line; None if none was given."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigError(f"日期“{text}”应写成 2026-11-20 的形式。") from None


def departments(night: Night, dept: str) -> list[str]:
    """The named department, or all; ConfigError if there is none of that name."""
    if dept and dept not in night.settings.departments:
        raise ConfigError(f"没有部门 {dept}。部门键见 config/departments/ 的文件名。")
    return [dept] if dept else night.reporting


def show(value: dict[str, Any], as_json: bool, table: Callable[[], None]) -> None:
    """One JSON object for programs, or the table for people."""
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    else:
        table()


def told(result: StepResult) -> dict[str, Any]:
    """A step's result as plain values."""
    return {"dept": result.dept, "state": result.state, "error": result.error, **result.counts}


def exit_code(results: Sequence[StepResult]) -> int:
    """0, or 3 if a department could not be replayed."""
    return 3 if any(r.state == "FAILED" for r in results) else 0


def replayed(results: Sequence[StepResult]) -> None:
    """What a replay did, a line for each department; nothing open is said so."""
    done = [r for r in results if "接收" in r.counts]
    for result in done:
        accepted, same, back = (result.counts[n] for n in ("接收", "未变", "退回"))
        out.print(f"{result.dept}：接收 {accepted}，未变 {same}，仍退回 {back}。")
    for result in results:
        if result.state == "FAILED":
            out.print(f"未完成：{result.error}", markup=False, soft_wrap=True)
        for text in result.counts.get("被拒文件", ()):
            out.print(f"未读取：{text}", markup=False, soft_wrap=True)
    if not results:
        out.print("没有需要重放的记录，收件夹里也没有交回的退回清单。")
    elif done:
        out.print("接收的记录在下一次报送（zz sync 或夜间运行）时发出。")


def _table(entries: Sequence[dict[str, Any]], none: str) -> None:
    if not entries:
        out.print(none)
        return
    table = Table(*COLUMNS.values())
    for entry in entries:
        table.add_row(*(str(entry[name]) for name in COLUMNS))
    out.print(table)
    out.print(f"共 {len(entries)} 条，涉及 {len({(e['dept'], e['unit']) for e in entries})} 条记录。")


def _history(entries: Sequence[dict[str, Any]]) -> None:
    first = entries[0]
    out.print(f"{first['dept']}  {first['unit']}", markup=False)
    for e in entries:
        state = f"已结清（{e['settled_by']}）" if e["settled_at"] is not None else "未结清"
        place = f"《{e['source_file']}》第 {e['source_row']} 行"
        text = f"{e['day']}  {e['return_number']}  {place}  {e['rule']} {e['value']}\n    {e['message']}  [{state}]"
        out.print(text, markup=False, soft_wrap=True)
