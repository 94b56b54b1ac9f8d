"""The `zz` command: thin, calls the core, speaks Chinese, and ends with 0 only when balanced.

Belongs here: arguments, tables in the terminal, exit codes. Must not: steps, SQL, wire.
Exit codes: 0 balanced and complete · 1 not balanced · 2 configuration or usage · 3 balanced, but a source or platform was missing.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from zz_pipeline.commands import (
    audit,
    bench,
    bulletin,
    chaos,
    codes,
    faults,
    people,
    quarantine,
    reconcile,
    rules,
    trace,
    withdraw,
)
from zz_pipeline.errors import ConfigError, ZzError
from zz_pipeline.reports.words import COLUMNS

if TYPE_CHECKING:
    from zz_pipeline.doctor import Finding
    from zz_pipeline.night import Night
    from zz_pipeline.reports.balance import Balance

app = typer.Typer(
    help="周至县跨部门综合监管数据管道。", no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False
)
out, err = Console(), Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")]
Day = Annotated[str, typer.Option("--day", help="业务日期 YYYY-MM-DD；默认昨天。")]


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
        out.print(f"已生成 {path}")
    out.print(f"下一步：按注释修改，然后 export ZZ_CONFIG={folder.resolve()}，再执行 zz doctor。")


@app.command()
def sync(day: Day = "", as_json: Json = False) -> None:
    """运行一夜：读取、检查、入库、报送、核对、平衡、出日报。"""
    from zz_pipeline.course import whole_night

    with opened() as night, _progress(as_json) as progress:
        result = whole_night(night, _day(night, day), progress)
    _finish(
        night, result.balanced_or_fail(), as_json, {"report": result.report, "failed": [s.dept for s in result.failed]}
    )


@app.command()
def backfill(
    first: Annotated[str, typer.Argument(help="第一天 YYYY-MM-DD")],
    last: Annotated[str, typer.Argument(help="最后一天 YYYY-MM-DD")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只预览会读到什么、会改变什么，不写入也不发送。")] = False,
    as_json: Json = False,
) -> None:
    """补报一段日子；已报送过的不会重复。"""
    from zz_pipeline.backfill import preview, run

    with opened() as night, _progress(as_json) as progress:
        days = _range(first, last)
        if dry_run:
            plan = preview(night, days, progress)
            _show(plan, as_json, lambda: _plan_table(plan))
            return
        done = run(night, days, progress)
    shown = {"days": [b.as_dict() for b in done], "balanced": all(b.balanced for b in done)}
    _show(shown, as_json, lambda: _each(done, partial(_balance_table, night)))
    raise typer.Exit(max(_code(b) for b in done))


@app.command()
def status(as_json: Json = False) -> None:
    """现在的情况：各平台待发、暂缓、不明，停用的通道，最近一次读取。"""
    from zz_pipeline.reports.status import status as read

    with opened() as night:
        found = read(night.ledger, night.settings)
    _show(found, as_json, lambda: _status_tables(found))


@app.command("balance")
def balance_command(day: Day = "", as_json: Json = False) -> None:
    """某日的平衡表。"""
    with opened() as night:
        found = night.balance(_day(night, day))
    _finish(night, found, as_json, {})


@app.command()
def report(day: Day = "", as_json: Json = False) -> None:
    """重出某日的日报（HTML 与 JSON）。"""
    from zz_pipeline.reports.day import write_day_report

    with opened() as night:
        when = _day(night, day)
        path = write_day_report(night, when)
        found = night.balance(when)
    _finish(night, found, as_json, {"report": str(path)})


@app.command()
def doctor(as_json: Json = False) -> None:
    """检查配置、密钥、数据库、来源和平台，逐项说明如何处理。"""
    from zz_pipeline.doctor import examine

    found = examine()
    bad = [f for f in found if not f.ok]
    shown = {"ok": not bad, "findings": [f.as_dict() for f in found]}
    _show(shown, as_json, lambda: _each(found, _finding))
    raise typer.Exit(2 if bad else 0)


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


def main() -> None:
    """Entry point: errors meant for people are shown as one Chinese sentence, never as a traceback."""
    try:
        app()
    except ConfigError as error:
        err.print(f"配置有误：{error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except ZzError as error:
        err.print(f"未完成：{error}", markup=False, soft_wrap=True)
        sys.exit(1)


def _day(night: Night, text: str) -> date:
    return _parse(text) if text else night.now().date() - timedelta(days=1)


def _parse(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"日期“{text}”应写成 2026-11-20 的形式。") from None


def _range(first: str, last: str) -> list[date]:
    start, end = _parse(first), _parse(last)
    if end < start:
        raise ConfigError("最后一天早于第一天。")
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    if quiet or not err.is_terminal:
        yield lambda *_: None
        return
    with Progress(console=err, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def step(name: str, done: int, total: int) -> None:
            task = tasks.setdefault(name, bar.add_task(name, total=total))
            bar.update(task, completed=done, total=total)

        yield step


def _code(found: Balance) -> int:
    if not found.balanced:
        return 1
    return 0 if found.complete else 3


def _finish(night: Night, found: Balance, as_json: bool, more: dict[str, Any]) -> None:
    _show({**found.as_dict(), **more}, as_json, lambda: _balance_table(night, found))
    if not as_json:
        for text in found.missing:
            err.print(f"未完成：{text}", markup=False, soft_wrap=True)
        if more.get("report"):
            out.print(f"日报：{more['report']}", soft_wrap=True)
    raise typer.Exit(_code(found))


def _finding(found: Finding) -> None:
    # without markup: [double_random.SCJG] is a name in a file, no colour
    out.print(f"{'✓' if found.ok else '✗'} {found.what}：{found.text}", markup=False, soft_wrap=True)


def _each(values: Iterable[Any], show: Callable[[Any], None]) -> None:
    for value in values:
        show(value)


def _show(value: Any, as_json: bool, table: Callable[[], Any]) -> None:
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    else:
        table()


def _table(*headings: str) -> Table:
    """A table that never cuts a Chinese word short; a narrow terminal wraps it."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)
    return table


def _balance_table(night: Night, found: Balance) -> None:
    if not found.departments:
        return
    total = found.totals()
    out.print(
        f"{found.day}  拉取 {total['pulled']} ＝ 未变 {total['unchanged']} ＋ 退回 {total['quarantined']} ＋ 接收 {total['accepted']}"
        f"  {'平衡' if found.balanced else '不平衡！'}"
    )
    table = _table("平台", "接收", *COLUMNS.values())
    for platform in found.platforms:
        table.add_row(
            night.settings.platforms[platform.platform].label,
            str(platform.accepted),
            *(str(platform.states[w]) for w in COLUMNS),
        )
    out.print(table)


def _status_tables(found: dict[str, Any]) -> None:
    for title, rows in found.items():
        out.print(title, style="bold")
        if not rows:
            out.print("  无")
            continue
        table = _table(*rows[0])
        for row in rows:
            table.add_row(*(str(v) for v in row.values()))
        out.print(table)


def _plan_table(plan: dict[str, Any]) -> None:
    table = _table("日期", "部门", "拉取", "新增", "更正", "未变", "退回", "说明")
    for row in plan["rows"]:
        table.add_row(
            *(str(row[k]) for k in ("day", "dept", "pulled", "new", "changed", "unchanged", "quarantined", "note"))
        )
    out.print(table)
    out.print(f"约需 {plan['estimated_seconds']:.0f} 秒（按各平台速率上限估算），共发送 {plan['sends']} 条次。")


if __name__ == "__main__":
    main()
