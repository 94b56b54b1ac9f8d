"""`zz status`, `zz why`, `zz due`, `zz departments`, `zz doctor`: how things stand; nothing is changed.

Belongs here: arguments and tables. Must not: figures (those are `reports`), SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zz_pipeline.commands import show
from zz_pipeline.commands.show import Json, Opened
from zz_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from zz_pipeline.night import Night

LATE = "已超期"


def register(app: typer.Typer, opened: Opened) -> None:
    """Add the commands to `zz`."""

    @app.command()
    def status(as_json: Json = False) -> None:
        """现在的情况：各平台待发、暂缓、不明，停用的通道，最近一次读取。"""
        from zz_pipeline.reports.status import status as read

        with opened() as night:
            found = read(night.ledger, night.settings)
        show.shown(found, as_json, lambda: _tables(found))

    @app.command()
    def departments(as_json: Json = False) -> None:
        """各部门一览，每部门一行。

        来源、最近读取、最近业务日、未整改退回、待发、待人处理、不明、有无凭证。
        """
        from zz_pipeline.reports.departments import COLUMNS
        from zz_pipeline.reports.departments import departments as read

        with opened() as night:
            rows = read(night.ledger, night.settings)
        table = [[row[name] for name in COLUMNS] for row in rows]
        show.shown({"departments": rows}, as_json, lambda: show.rows_table(list(COLUMNS.values()), table))

    @app.command()
    def due(
        days: Annotated[int, typer.Option("--days", min=0, max=60, help="看几个工作日之内到期的。")] = 5,
        dept: Annotated[str, typer.Option("--dept", help="只看这个部门（部门键，如 SCJG）。")] = "",
        as_json: Json = False,
    ) -> None:
        """法定期限：各平台、各部门接下来要到期的，已超期的排在最前。"""
        with opened() as night:
            if dept and dept not in night.settings.departments:
                raise ConfigError(f"没有部门“{dept}”。现有：{'、'.join(night.settings.departments)}。")
            rows = [row for row in _due(night, days) if dept in ("", row["dept"])]
        headings = ("期限", "还剩", "平台", "部门", "条数", "状态", "例")
        names = ("due", "left", "platform_label", "dept_name", "count", "states", "example")
        table = [[row[name] for name in names] for row in rows]
        show.shown({"due": rows}, as_json, lambda: show.rows_table(headings, table, "没有要到期的"))

    _of_one(app, opened)


def _of_one(app: typer.Typer, opened: Opened) -> None:
    """One record, and the set-up itself."""

    @app.command()
    def why(
        record: Annotated[str, typer.Argument(help="记录键，如 610124-SCJG-2026-0004711；评价用评价编号")],
        as_json: Json = False,
    ) -> None:
        """一条记录为什么（没）公开，接下来该做什么。

        逐个平台列出决定、依据、状态和法定期限。
        """
        from zz_pipeline.reports.why import lines
        from zz_pipeline.reports.why import why as gather

        with opened() as night, night.ledger.read() as conn:
            found = gather(conn, night.settings, record)
        show.shown(found, as_json, lambda: show.each(lines(found), show.say))
        raise typer.Exit(0 if found["found"] else 1)

    @app.command()
    def doctor(as_json: Json = False) -> None:
        """检查配置、密钥、数据库、来源和平台，逐项说明如何处理。"""
        from zz_pipeline.doctor import examine

        found = examine()
        bad = [f for f in found if not f.ok]
        texts = [f"{'✓' if f.ok else '✗'} {f.what}：{f.text}" for f in found]
        shown = {"ok": not bad, "findings": [f.as_dict() for f in found]}
        show.shown(shown, as_json, lambda: show.each(texts, show.say))
        raise typer.Exit(2 if bad else 0)


def _due(night: Night, days: int) -> list[dict[str, Any]]:
    from zz_pipeline.alerts import deadlines

    settings = night.settings
    with night.ledger.read() as conn:
        found = deadlines.groups(conn, settings, night.calendar, night.now().date(), days)
    return [
        {
            **row.as_dict(),
            "left": LATE if row.days_left < 0 else f"{row.days_left} 个工作日",
            "platform_label": settings.platforms[row.platform].label,
            "dept_name": settings.departments[row.dept].short if row.dept in settings.departments else row.dept,
        }
        for row in found
    ]


def _tables(found: dict[str, Any]) -> None:
    for title, rows in found.items():
        show.out.print(title, style="bold")
        show.rows_table(list(rows[0]) if rows else [], [row.values() for row in rows])
