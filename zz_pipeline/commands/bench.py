"""`zz bench`: measurements that can be repeated on the county's own machine.

Belongs here: arguments and the form of the answer. Must not: what is measured (that is `zz_pipeline.bench`).
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from zz_pipeline.commands.show import out

RUNS = 5
Json = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")]
Runs = Annotated[int, typer.Option("--runs", help="预热一次之后的运行次数，取中位数；0 表示只运行一次。")]


def _tell(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    table = Table("项目", "数值")
    for name, value in found.items():
        table.add_row(name, str(value))
    out.print(table)


def register(app: typer.Typer) -> None:
    """Add the group to `zz`."""
    group = typer.Typer(help="性能测量：在本机上重做。", no_args_is_help=True)

    @group.callback()
    def bench() -> None:
        """性能测量：在本机上重做。"""

    @group.command()
    def check(
        rows: Annotated[int, typer.Option("--rows", help="行数。")] = 100_000,
        bad: Annotated[float, typer.Option("--bad", help="不合格记录所占比例，0 至 1。")] = 0.01,
        as_json: Json = False,
    ) -> None:
        """全部检查结果规则（含逐行结论）的速度与内存，并与 Great Expectations 自身的汇总校验比较。"""
        from zz_pipeline.bench.check import check as measure

        _tell(measure(rows, bad), as_json)

    @group.command()
    def deliver(
        records: Annotated[int, typer.Option("--records", help="记录数。")] = 20_000,
        platforms: Annotated[int, typer.Option("--platforms", help="平台数，1 至 3。")] = 3,
        runs: Runs = RUNS,
        as_json: Json = False,
    ) -> None:
        """从来源到回执入账的全程，与一个 pandas + requests 脚本（一个平台，不检查、不记账）比较。"""
        from zz_pipeline.bench.deliver import measure

        _tell(measure(records, platforms, runs), as_json)

    _nights(group)
    app.add_typer(group, name="bench")


def _nights(group: typer.Typer) -> None:
    """What a county pays every night."""

    @group.command()
    def night(
        known: Annotated[int, typer.Option("--known", help="台账已有的记录数。")] = 200_000,
        changed: Annotated[int, typer.Option("--changed", help="当夜有变更的记录数。")] = 1000,
        runs: Runs = RUNS,
        as_json: Json = False,
    ) -> None:
        """大台账上的增量一夜，与小台账上的同样一夜比较；没有变更的一夜，与空的 Dagster 任务比较。"""
        from zz_pipeline.bench.night import measure

        _tell(measure(known, changed, runs), as_json)

    @group.command()
    def backfill(
        days: Annotated[int, typer.Option("--days", help="补报的天数。")] = 31,
        scale: Annotated[float, typer.Option("--scale", help="记录数是样例县的多少倍。")] = 10.0,
        counties: Annotated[int, typer.Option("--counties", help="区县数，1 至 13；每个区县各用一个进程和台账。")] = 1,
        at_once: Annotated[int, typer.Option("--at-once", help="同时办几个区县。")] = 1,
        as_json: Json = False,
    ) -> None:
        """一县或一市多个区县补报一段日子的时间、内存、台账大小；每条成本与规模为 1 时比较。"""
        from zz_pipeline.bench.backfill import measure

        _tell(measure(days, scale, counties, at_once), as_json)

    @group.command("reconcile")
    def reconcile_(
        records: Annotated[int, typer.Option("--records", help="双方各有的记录数。")] = 100_000,
        differences: Annotated[int, typer.Option("--differences", help="其中有差异的条数。")] = 100,
        runs: Runs = RUNS,
        as_json: Json = False,
    ) -> None:
        """与平台全部清单对账的时间与内存，每条成本与十分之一长的清单比较。"""
        from zz_pipeline.bench.reconcile import measure

        _tell(measure(records, differences, runs), as_json)

    @group.command()
    def startup(runs: Runs = RUNS, as_json: Json = False) -> None:
        """装载 Dagster 定义的时间，与只装载 dagster 比较。"""
        from zz_pipeline.bench.startup import measure

        _tell(measure(runs), as_json)

    @group.command()
    def report(
        days: Annotated[int, typer.Option("--days", help="台账里的夜数。")] = 30,
        runs: Runs = RUNS,
        as_json: Json = False,
    ) -> None:
        """积累多夜之后出一日日报的时间，与第一夜的日报比较。"""
        from zz_pipeline.bench.report import measure

        _tell(measure(days, runs), as_json)
