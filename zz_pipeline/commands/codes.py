"""`zz codes unknown | map | ignore`: the queue of values that no code table knows.

Belongs here: arguments and what the terminal shows. Must not: editing of maps, queries, steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from zz_pipeline.commands.quarantine import Dept, Json, departments, exit_code, replayed, show, told
from zz_pipeline.commands.show import out

if TYPE_CHECKING:
    from zz_pipeline.night import Night

Key = Annotated[str, typer.Argument(metavar="部门", help="部门键，如 SCJG。")]
Name = Annotated[str, typer.Argument(metavar="字段", help="标准字段名，如 result、check_kind。")]
Raw = Annotated[str, typer.Argument(metavar="原值", help="部门写的原样。")]
By = Annotated[str, typer.Option("--by", help="由谁确认或决定（姓名，写入对照表说明和审计）。")]
COLUMNS = {"dept": "部门", "field": "字段", "set": "代码集", "raw": "原值", "count": "行数", "state": "状态"}
STATES = {"OPEN": "待处理", "MAPPED": "已对照", "IGNORED": "不对照"}


def register(app: typer.Typer, opened: Callable[[], AbstractContextManager[Night]]) -> None:
    """Add `zz codes` to `zz`; `opened` gives the core over the configured county."""
    group = typer.Typer(help="代码表里没有的值：查看、对照、不对照。", no_args_is_help=True)
    app.add_typer(group, name="codes")

    @group.command("unknown")
    def unknown(dept: Dept = "", as_json: Json = False) -> None:
        """等人处理的值，按部门和出现次数列出。"""
        from zz_pipeline.ledger.unknowns import waiting

        with opened() as night:
            departments(night, dept)
            with night.ledger.read() as conn:
                found = waiting(conn, dept)
        show({"unknown": found}, as_json, lambda: _table(found))

    @group.command("map")
    def map_value(
        dept: Key,
        field: Name,
        raw: Raw,
        standard: Annotated[str, typer.Argument(metavar="标准值", help="标准代码或标准名称。")],
        by: By,
        as_json: Json = False,
    ) -> None:
        """部门书面确认后，把一个值写进它的对照表，并重放因此退回的记录。"""
        from zz_pipeline.returns.decisions import map_value as decide

        with opened() as night:
            done = decide(night, dept, field, raw, standard, by)
        shown: dict[str, Any] = {"set": done.confirmed.set, "code": done.confirmed.code}
        shown |= {"written": done.confirmed.written, "steps": [told(r) for r in done.replayed]}

        def say() -> None:
            word = "已写入对照表" if done.confirmed.written else "对照表里本来就有"
            out.print(f"{word}：{dept} 的“{raw}” = {done.confirmed.label}（{done.confirmed.code}）。", markup=False)
            replayed(done.replayed)

        show(shown, as_json, say)
        raise typer.Exit(exit_code(done.replayed))

    @group.command("ignore")
    def ignore(dept: Key, field: Name, raw: Raw, by: By) -> None:
        """不做对照：这个值不再列出，含它的记录仍退回部门更正。"""
        from zz_pipeline.returns.decisions import ignore_value

        with opened() as night:
            ignore_value(night, dept, field, raw, by)
        out.print(f"已记下：{dept} 的“{raw}”不做对照，含它的记录仍由部门更正。", markup=False)


def _table(values: Sequence[dict[str, Any]]) -> None:
    if not values:
        out.print("没有等人处理的值。")
        return
    table = Table(*COLUMNS.values())
    for value in values:
        table.add_row(*(STATES.get(str(value[name]), str(value[name])) for name in COLUMNS))
    out.print(table)
    out.print(
        "部门书面确认后：zz codes map 部门 字段 原值 标准值 --by 姓名；不能对照的：zz codes ignore 部门 字段 原值 --by 姓名。"
    )
