"""The `zz` command: thin, calls the core, speaks Chinese, and ends with 0 only when balanced.

Belongs here: putting the commands together, opening the core, errors as sentences. Must not: steps, SQL, wire, a command's body.
Exit codes: 0 balanced and complete · 1 not balanced · 2 configuration or usage · 3 balanced, but a source or platform was missing.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zz_pipeline.commands import (
    audit,
    balances,
    bench,
    bulletin,
    chaos,
    codes,
    daily,
    faults,
    panels,
    people,
    quarantine,
    reading,
    reconcile,
    rules,
    show,
    trace,
    withdraw,
)
from zz_pipeline.errors import ConfigError, ZzError

if TYPE_CHECKING:
    from zz_pipeline.night import Night

HELP = """周至县跨部门综合监管数据管道：每夜读取各部门的检查结果与信用评价，检查后以检查部门的名义报送三个平台。

先看 zz today；出了问题看 zz doctor。退出码：0 平衡且齐全，1 不平衡，2 配置或用法有误，3 平衡但有来源或平台没办完。"""
app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)


@contextmanager
def opened() -> Iterator[Night]:
    """The core over the configured county; the ledger is migrated and closed."""
    from zz_pipeline import handover
    from zz_pipeline.ledger.db import Ledger
    from zz_pipeline.night import Night
    from zz_pipeline.settings import load_settings

    settings = load_settings()
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    handover.sweep(settings.home)
    try:
        yield Night(settings, ledger, f"cli-{uuid.uuid4().hex}")
    finally:
        ledger.close()


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="要生成配置的目录，须为空或不存在。")]) -> None:
    """生成一份完整、带注释的样例配置。"""
    from zz_pipeline.setup import write_example

    for path in write_example(folder):
        show.out.print(f"已生成 {path}")
    show.out.print(f"下一步：按注释修改，然后 export ZZ_CONFIG={folder.resolve()}，再执行 zz doctor。")


daily.register(app, opened)
balances.register(app, opened)
reading.register(app, opened)
people.register(app, opened)
withdraw.register(app, opened)
trace.register(app, opened)
bulletin.register(app, opened)
audit.register(app, opened)
reconcile.register(app, opened)
faults.register(app)
rules.register(app)
bench.register(app)
chaos.register(app)
quarantine.register(app, opened)
codes.register(app, opened)
panels.arrange(app)


def main() -> None:
    """Entry point: errors meant for people are shown as one Chinese sentence, never as a traceback."""
    try:
        app()
    except ConfigError as error:
        show.complain(f"配置有误：{error}")
        sys.exit(2)
    except ZzError as error:
        show.complain(f"未完成：{error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
