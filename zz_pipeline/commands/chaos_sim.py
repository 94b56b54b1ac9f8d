"""`zz chaos sim`: the delivery protocol in virtual time, against faults on purpose and, on request, errors on purpose.

Belongs here: arguments and the form of the answer. Must not: schedules, checking (those are `zz_pipeline.chaos`).
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from zz_pipeline.commands.show import out
from zz_pipeline.errors import ConfigError


def register(chaos_app: typer.Typer) -> None:
    """Add the command to the group `zz chaos`."""

    @chaos_app.command()
    def sim(
        schedules: Annotated[int, typer.Option("--schedules", min=1, help="模拟多少个故障日程。")] = 1000,
        seed: Annotated[int, typer.Option("--seed", help="第一个日程的种子；同一种子总是同一过程。")] = 1,
        error: Annotated[
            str, typer.Option("--error", help="故意开启一种协议错误，看检查器能否发现；list 列出全部。")
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")] = False,
    ) -> None:
        """在虚拟时间里模拟故障日程（崩溃、停顿、迟到、丢失、恢复备份），核对每一条不变式。"""
        from zz_pipeline.chaos.mutants import MUTANTS
        from zz_pipeline.chaos.sim import campaign

        if error == "list":
            _names(list(MUTANTS), as_json)
            return
        if error and error not in MUTANTS:
            raise ConfigError(f"没有名为“{error}”的协议错误。执行 zz chaos sim --error list 查看全部名称。")
        found = campaign(seed, schedules, error=MUTANTS[error] if error else None, stop=bool(error)).as_dict()
        found["error"] = error
        if as_json:
            sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        else:
            _told(found)
        raise typer.Exit(0 if bool(found["violations"]) == bool(error) else 1)


def _names(names: list[str], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"errors": names}) + "\n")
        return
    for name in names:
        out.print(name)


def _told(found: dict[str, object]) -> None:
    violations = found["violations"]
    out.print(
        f"日程 {found['schedules']} 个，进程崩溃 {found['crashes']} 次，停顿 {found['stalls']} 次，"
        f"网络与平台故障 {found['faults']} 次，请求 {found['requests']} 个，用时 {found['seconds']} 秒。"
    )
    out.print(f"最后一个日程的过程摘要 {found['trace']}（同一种子应当相同）。")
    if not isinstance(violations, list) or not violations:
        out.print("没有发现违反不变式的情况。" if not found["error"] else "没有发现这种错误，请增加日程数。")
        return
    for one in violations[:20]:
        out.print(f"{one['invariant']}  种子 {one['seed']}：{one['what']}", markup=False, soft_wrap=True)
    out.print(f"重演：zz chaos sim --seed {violations[0]['seed']} --schedules 1", markup=False)
