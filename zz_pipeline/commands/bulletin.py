"""`zz bulletin`: 工作日报, 周报 or 月度通报 as page, workbook and official document.

Belongs here: arguments and printing. Must not: figures, files (those are `reports.office`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zz_pipeline.commands.show import out
from zz_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from zz_pipeline.night import Night


def register(app: typer.Typer, opened: Callable[[], AbstractContextManager[Night]]) -> None:
    """Add the command to `zz`."""

    @app.command()
    def bulletin(
        span: Annotated[
            Literal["day", "week", "month"],
            typer.Argument(help="day 工作日报 · week 周报（周一至周日）· month 月度通报"),
        ],
        day: Annotated[str, typer.Option("--day", help="所在的日期 YYYY-MM-DD；默认昨天。")] = "",
        folder: Annotated[
            Path | None, typer.Option("--out", help="写到哪个目录；默认 $ZZ_HOME/reports/<最后一日>/。")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")] = False,
    ) -> None:
        """出工作日报、周报或月度通报：网页、工作簿和公文稿，数字相同，可查到记录键。"""
        from zz_pipeline.reports.office import Period, write

        with opened() as night:
            period = Period.of(span, _day(day) if day else night.now().date() - timedelta(days=1))
            files = write(night, period, folder)
        if as_json:
            sys.stdout.write(json.dumps({"period": period.mark, "files": files.as_dict()}, ensure_ascii=False) + "\n")
            return
        out.print(f"{period.name}已写好：{period.text}", markup=False, soft_wrap=True)
        for path in files.as_dict().values():
            out.print(f"  {path}", markup=False, soft_wrap=True)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"日期“{text}”应写成 2026-11-20 的形式。") from None
