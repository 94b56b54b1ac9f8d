"""`python -m mock_platforms platforms`: all platforms and the control server in one process, one event loop.

Belongs here: composition and life cycle (ready line, signals, death of the parent). Must not: contract rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mock_platforms.admission import Admission
from mock_platforms.base import Clock, Credential, Platform
from mock_platforms.control import Unknown, application
from mock_platforms.credit import Credit
from mock_platforms.double_random import DoubleRandom
from mock_platforms.faults import FaultBook
from mock_platforms.gateway import Gateway
from mock_platforms.internet_supervision import InternetSupervision
from mock_platforms.network import Listener
from mock_platforms.publicity import Publicity
from mock_platforms.store import Store
from mock_platforms.wirelog import WireLog

PLATFORMS: dict[str, type[Platform]] = {cls.name: cls for cls in (DoubleRandom, InternetSupervision, Publicity, Credit)}
_TICK_SECONDS = 0.02


@dataclass(slots=True)
class Node:
    """One running platform."""

    platform: Platform
    store: Store
    admission: Admission
    credentials: dict[str, Credential]
    log: WireLog
    listener: Listener


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    dir: Path
    credentials: Path
    credit_dir: Path | None
    wire_dir: Path | None
    only: tuple[str, ...]
    ports: dict[str, int]
    receipt_delay: float
    environment: str


class Running:
    """All platforms of this process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.faults = FaultBook()
        given = _credentials(options.credentials)
        self.nodes = {name: self._node(name, given) for name in options.only}
        self.control = Listener(application(self), options.ports.get("control", 0))

    def node(self, order: Any) -> Node:
        """The platform that an order names."""
        found = self.nodes.get(order.get("platform"))
        if found is None:
            raise Unknown(f"没有平台 {order.get('platform')}，现有：{'、'.join(self.nodes)}")
        return found

    def _node(self, name: str, given: list[Credential]) -> Node:
        options, cls = self.options, PLATFORMS[name]
        store = Store(options.dir / f"{name}.db")
        clock = Clock(store.meta("offset", 0.0))
        if cls is Credit:
            platform: Platform = Credit(store, clock, options.receipt_delay, options.credit_dir)
        else:
            platform = cls(store, clock, options.receipt_delay)
        credentials = {c.app_id: c for c in given if c.platform == name}
        admission = Admission(credentials, store, clock, cls.alg, cls.uses_sessions)
        log = WireLog((options.wire_dir or options.dir / "wire") / f"{name}.jsonl")
        gateway = Gateway(platform, admission, self.faults, log, options.environment)
        listener = Listener(gateway, options.ports.get(name, 0))
        return Node(platform, store, admission, credentials, log, listener)

    @property
    def urls(self) -> dict[str, str]:
        """Name → address, the control server's included."""
        return {**{name: node.listener.url for name, node in self.nodes.items()}, "control": self.control.url}

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        for node in self.nodes.values():
            await node.listener.up()
        await self.control.up()
        ticking = asyncio.create_task(self._tick())
        print(json.dumps({"ready": True, "urls": self.urls, "pid": os.getpid()}), flush=True)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, ticking}, return_when=asyncio.FIRST_COMPLETED)
        if ticking.done():
            ticking.result()  # the background check broke: the process must not go on as if receipts were only late
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
        for listener in (self.control, *(node.listener for node in self.nodes.values())):
            await listener.down(hold=False)
        for node in self.nodes.values():
            node.log.close()
            node.store.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for node in self.nodes.values():
                node.platform.tick()


def _credentials(path: Path) -> list[Credential]:
    try:
        return [Credential(**entry) for entry in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise typer.BadParameter(
            f"凭证文件 {path} 读不出：{error}。应为 JSON 列表，每项含 platform、department、app_id、secret 等。"
        ) from None


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the thread that started this process ends (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 = PR_SET_PDEATHSIG


def platforms(
    dir: Annotated[Path, typer.Option(help="状态目录：每个平台一个 SQLite 账本，重启后仍在")],
    credentials: Annotated[Path, typer.Option(help="凭证 JSON 文件")],
    credit_dir: Annotated[Path | None, typer.Option(help="信用平台的 ratings.json 与 repairs.json 所在目录")] = None,
    wire_dir: Annotated[Path | None, typer.Option(help="线路日志目录，默认 状态目录/wire")] = None,
    only: Annotated[list[str] | None, typer.Option(help="只启动这个平台，可重复")] = None,
    port_double_random: Annotated[int, typer.Option(help="端口，0 为任选")] = 0,
    port_internet_supervision: Annotated[int, typer.Option(help="端口，0 为任选")] = 0,
    port_publicity: Annotated[int, typer.Option(help="端口，0 为任选")] = 0,
    port_credit: Annotated[int, typer.Option(help="端口，0 为任选")] = 0,
    port_control: Annotated[int, typer.Option(help="控制端口，0 为任选")] = 0,
    receipt_delay: Annotated[float, typer.Option(help="② 收到批次后多少秒出回执")] = 0.2,
    environment: Annotated[str, typer.Option(help="/health 报出的环境：test 或 production")] = "test",
) -> None:
    """启动模拟的政府平台；就绪后在标准输出打印一行 JSON（地址与进程号）。"""
    names = tuple(only or PLATFORMS)
    if set(names) - set(PLATFORMS) or environment not in ("test", "production"):
        raise typer.BadParameter(f"--only 可选：{'、'.join(PLATFORMS)}；--environment 可选：test、production")
    ports = {
        "double_random": port_double_random,
        "internet_supervision": port_internet_supervision,
        "publicity": port_publicity,
        "credit": port_credit,
        "control": port_control,
    }
    die_with_parent()
    options = Options(dir, credentials, credit_dir, wire_dir, names, ports, receipt_delay, environment)
    asyncio.run(Running(options).run())
