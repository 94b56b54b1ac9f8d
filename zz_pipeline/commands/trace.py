"""`zz trace RECORD`: the whole life of one record in Chinese.

Belongs here: arguments and printing. Must not: gathering (that is `reports.trace`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from zz_pipeline.commands.show import out

if TYPE_CHECKING:
    from zz_pipeline.night import Night


def register(app: typer.Typer, opened: Callable[[], AbstractContextManager[Night]]) -> None:
    """Add the command to `zz`."""

    @app.command()
    def trace(
        record: Annotated[str, typer.Argument(help="记录键，如 610124-SCJG-2026-0004711；评价用评价编号")],
        as_json: Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")] = False,
    ) -> None:
        """一条记录的一生：从哪来、怎么查、何时发往哪里、各平台怎么答、谁作过什么决定、现在怎样。"""
        from zz_pipeline.reports.trace import lines
        from zz_pipeline.reports.trace import trace as gather

        with opened() as night, night.ledger.read() as conn:
            found = gather(conn, night.settings, record)
        if as_json:
            sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        else:
            for line in lines(found):
                out.print(line, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(0 if found["found"] else 1)
