"""`make ui`: Dagster's web UI and daemon with the sample county and the mock platforms, until Ctrl-C.

Belongs here: staging and starting. Must not: anything that an operator could not do by hand.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from mock_platforms.stage import ROOT, county_at, stage, tool, yesterday


def ui(
    dir: Annotated[Path, typer.Option(help="样例县与结果所在目录")] = Path("var/ui"),
    port: Annotated[int, typer.Option(help="Dagster 网页端口")] = 3000,
    days: Annotated[int, typer.Option(help="样例县的天数")] = 7,
    seed: Annotated[int, typer.Option(help="随机种子")] = 7,
    scale: Annotated[float, typer.Option(help="规模")] = 1.0,
) -> None:
    """起样例县、模拟平台和 Dagster 网页；按 Ctrl-C 全部停止。"""
    folder = dir.resolve()
    county = county_at(folder / "home", yesterday(), days, seed, scale)
    county.apply(county.days[-1])
    with stage(folder, county) as world:
        command = [tool("dagster"), "dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
        typer.echo(f"请打开 http://127.0.0.1:{port}　任务 nightly，分区选 {county.days[0]} 至 {county.days[-1]}。")
        typer.echo(f"信用公示网页（样例）：{world.mocks.urls['publicity']}/　按 Ctrl-C 停止。")
        process = subprocess.Popen(command, env=world.env, cwd=ROOT)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
