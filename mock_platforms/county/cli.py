"""The `county` command: put a sample county on disk.

Belongs here: arguments and what is said to a person. Must not: anything that `build` could do.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import typer

from mock_platforms.county.build import County
from mock_platforms.county.departments import DATABASE

BEIJING = timezone(timedelta(hours=8))
Folder = Annotated[Path, typer.Option("--dir", help="写到哪个目录；布局与管道的 ZZ_HOME 相同")]
LastDay = Annotated[str, typer.Option("--last", help="最后一天，如 2026-11-20；默认昨天（北京时间）")]
Through = Annotated[str, typer.Option("--through", help="各部门的系统推进到这一天结束；默认最后一天")]

DatabaseUrls = Annotated[
    list[str] | None,
    typer.Option("--database-url", help="部门=SQLAlchemy 地址，可多次给出；不给的部门用 SQLite 文件"),
]


def county(
    folder: Folder,
    last: LastDay = "",
    days: Annotated[int, typer.Option("--days", min=1, help="共多少天")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="随机种子；相同参数得到相同的县")] = 7,
    scale: Annotated[float, typer.Option("--scale", min=0.01, help="规模倍数；1 为每部门每日 12–15 条")] = 1.0,
    through: Through = "",
    database_url: DatabaseUrls = None,
) -> None:
    """生成样例县：25 个部门的系统、名录、凭证、信用数据，以及埋设的问题与预期结果。"""
    final = _day(last) if last else datetime.now(BEIJING).date() - timedelta(days=1)
    end = _day(through) if through else final
    first = final - timedelta(days=days - 1)
    if not first <= end <= final:
        raise typer.BadParameter(f"--through {end} 不在 {first} 至 {final} 之内，请改成其中一天。")
    made = County.create(folder, final, days, seed, scale, dict(_pair(text) for text in database_url or ()))
    made.apply(end)
    count = sum(len(made.world.inspections(day)) for day in made.days)
    typer.echo(f"样例县已写入 {folder}：{made.days[0]} 至 {final}，检查结果 {count} 条，已推进到 {end}。")
    typer.echo(f"埋设了 {len(made.world.defects)} 处问题，预期结果见 {folder / 'manifest.json'}。")


def _pair(text: str) -> tuple[str, str]:
    key, sign, url = text.partition("=")
    if not sign or key not in DATABASE:
        raise typer.BadParameter(f"“{key}”不是用数据库的部门，请写成 SCJG=postgresql+psycopg2://用户@主机/库 的样子。")
    return key, url


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"“{text}”不是日期，请写成 2026-11-20 的样子。") from None
