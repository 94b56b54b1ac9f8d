"""`zz chaos kill`: real kills at named points, each followed by a recovery that nobody helps.

Belongs here: arguments and the form of the answer. Must not: killing, judging (that is `zz_pipeline.chaos.kill`).
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from zz_pipeline.commands.show import out


def register(chaos_app: typer.Typer) -> None:
    """Add the command to the group `zz chaos`."""

    @chaos_app.command()
    def kill(
        kills: Annotated[int, typer.Option("--kills", min=1, help="杀多少次。")] = 200,
        seed: Annotated[int, typer.Option("--seed", help="随机种子：同样的种子选同样的断点。")] = 1,
        postgres: Annotated[
            bool, typer.Option("--postgres", help="台账用本机临时启动的 PostgreSQL，默认 SQLite。")
        ] = False,
        minutes: Annotated[float, typer.Option("--minutes", min=0.0, help="最多演练多少分钟；0 为不限。")] = 0.0,
        as_json: Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")] = False,
    ) -> None:
        """在提交、发送、写文件的每个边界上用 SIGKILL 杀进程，再运行，核对平台与台账同没被杀过一样。

        用自带的样例县和模拟平台，不碰正式数据。有一处不符即以 1 退出。
        """
        from zz_pipeline.chaos.kill import campaign

        found = campaign(kills, seed, postgres=postgres, minutes=minutes)
        if as_json:
            sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        else:
            _show(found)
        raise typer.Exit(1 if found["violations"] else 0)


def _show(found: dict) -> None:
    shape = f"{found['chains']} 条链，其中 {found['deep']} 次杀在恢复途中；台账 {found['ledger']}"
    out.print(f"杀了 {found['kills']} 次（{shape}），用时 {found['seconds']} 秒。")
    out.print(
        f"断点 {len(found['points'])} 个，自行恢复 {found['recovered']} 条链，不符 {len(found['violations'])} 处。"
    )
    for text in found["violations"]:
        out.print(f"✗ {text}", markup=False, soft_wrap=True)
