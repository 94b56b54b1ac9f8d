"""`make ui`: Dagster's web UI and daemon with the sample county and the mock platforms, until Ctrl-C.

Belongs here: staging, starting, telling the address, ending everything. Must not: anything that an operator could not do by hand.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from mock_platforms.serve import die_with_parent
from mock_platforms.stage import ROOT, Stage, county_at, stage, tool, yesterday

START_SECONDS, STOP_SECONDS = 180.0, 60.0  # on a loaded machine the definitions alone take half a minute
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ui(
    dir: Annotated[Path, typer.Option(help="样例县与结果所在目录")] = Path("var/ui"),
    port: Annotated[int, typer.Option(help="Dagster 网页端口")] = 3000,
    days: Annotated[int, typer.Option(help="样例县的天数")] = 7,
    seed: Annotated[int, typer.Option(help="随机种子")] = 7,
    scale: Annotated[float, typer.Option(help="规模，1 约为每日三百条")] = 1.0,
) -> None:
    """起样例县、模拟平台和 Dagster 网页；按 Ctrl-C 全部停止。"""
    folder, address = dir.resolve(), f"http://127.0.0.1:{port}"
    if _taken(port):
        typer.echo(f"端口 {port} 已被占用，没有启动。请先停掉占用它的程序，或换一个端口：--port 3001。", err=True)
        raise typer.Exit(2)
    code = 0
    with suppress(KeyboardInterrupt), _interrupted_by_any_ending():
        county = county_at(folder / "home", yesterday(), days, seed, scale)
        county.apply(county.days[-1])
        with stage(folder, county) as world:
            _tell(address, world, county.days, folder)
            code = _serve(world, port, folder / "dagster.log")
    typer.echo("已全部停止。")
    raise typer.Exit(code)


def _tell(address: str, world: Stage, days: list[date], folder: Path) -> None:
    """What to open and what to do there; before anything of Dagster's own is printed."""
    typer.echo(f"请打开　{address}　（启动约需一分钟）")
    typer.echo(f"　补跑：Jobs → nightly → Materialize，分区选 {days[0]} 至 {days[-1]}")
    typer.echo(f"　样例公示网页：{world.mocks.urls['publicity']}/")
    typer.echo(f"　日报：{folder / 'home' / 'reports'}")
    typer.echo(f"　Dagster 日志：{folder / 'dagster.log'}")
    typer.echo("按 Ctrl-C 停止。")


def _serve(world: Stage, port: int, log: Path) -> int:
    """Dagster until somebody ends it; 1 if it ended by itself."""
    home = Path(world.env["DAGSTER_HOME"])
    command = [tool("dagster"), "dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    env = world.env | {"PYTHONWARNINGS": "ignore"}  # Dagster's own words about its successor commands
    with log.open("wb") as out:
        # a session of its own: Ctrl-C reaches only us, and Dagster gets one signal instead of two
        process: subprocess.Popen[Any] = subprocess.Popen(
            command, env=env, cwd=home, stdout=out, stderr=out, start_new_session=True, preexec_fn=die_with_parent
        )
    try:
        if _answers(process, port):
            typer.echo("网页已就绪。")
        code = process.wait()
        typer.echo(f"Dagster 自行结束（{code}）。请查看日志末尾：{log}", err=True)
        return 1
    finally:
        _end(process)


def _answers(process: subprocess.Popen[Any], port: int) -> bool:
    """Wait until the page answers; False if Dagster ended or did not come up in time."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with suppress(urllib.error.URLError, OSError), opener.open(f"http://127.0.0.1:{port}/server_info", timeout=5):
            return True
        time.sleep(0.5)
    return False


def _end(process: subprocess.Popen[Any]) -> None:
    """Ask Dagster to stop; what is left of its session afterwards (a run under way) is killed."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
    typer.echo("正在停止 ……")
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _interrupted_by_any_ending() -> Iterator[None]:
    """SIGTERM and a closed terminal unwind like Ctrl-C, so that everything started is ended."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in ENDINGS:
        signal.signal(number, interrupt)
    yield


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
