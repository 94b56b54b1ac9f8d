"""`zz faults`: the table of faults and the tests that prove each row.

Belongs here: arguments and printing. Must not: finding tests (that is `chaos.faults`).
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from zz_pipeline.commands.show import out


def register(app: typer.Typer) -> None:
    """Add the command to `zz`."""

    @app.command()
    def faults(
        as_json: Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")] = False,
    ) -> None:
        """故障表：每一种故障由哪些测试证明。"""
        from zz_pipeline.chaos.faults import table
        from zz_pipeline.settings import CHECKOUT

        rows = table(CHECKOUT / "tests")
        if as_json:
            sys.stdout.write(json.dumps({"rows": [row.as_dict() for row in rows]}, ensure_ascii=False) + "\n")
            return
        shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for heading in ("号", "故障", "证明它的测试", "未覆盖的原因"):
            shown.add_column(heading, overflow="fold", no_wrap=heading == "号")
        for row in rows:
            shown.add_row(str(row.row), row.fault, "\n".join(row.tests), "" if row.tests else row.why_not)
        out.print(shown)
        out.print(f"{sum(bool(row.tests) for row in rows)} / {len(rows)} 种故障有测试证明。")
