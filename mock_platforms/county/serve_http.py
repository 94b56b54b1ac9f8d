"""The two departments that answer over HTTP: 县行政审批局 in pages, 县司法局 with a cursor. One process, two ports.

Belongs here: the Starlette apps, the command that serves them, and `HttpSources`, which runs it as a child process.
Must not: making of the data (`write_http`); the platforms of the contracts.

GET /api/results?since=…&until=…&page=1&size=200        → {"code":0,"page":1,"size":200,"total":n,"rows":[…]}
GET /api/results?since=…&until=…&cursor=…&size=200      → {"list":[…],"total":n,"next_cursor":"…"}   (empty at the end)
Times are `YYYY-MM-DD HH:MM:SS`, since inclusive, until exclusive, by the change time of the row.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mock_platforms.county.layout_model import Layout
from mock_platforms.county.layout_tables import LAYOUTS

KEYS = ("SPJ", "SFJ")
MAX_SIZE = 1000
_PR_SET_PDEATHSIG = 1


class Rows:
    """The rows of one JSON file, read again when the file changed; none while there is no file."""

    def __init__(self, path: Path, changed: str) -> None:
        self._path, self._changed = path, changed
        self._stamp: tuple[int, int] | None = None
        self._rows: list[dict[str, Any]] = []

    def between(self, since: str, until: str) -> list[dict[str, Any]]:
        """Rows with since ≤ change time < until, in the order of change; an empty bound is none."""
        self._refresh()
        return [r for r in self._rows if since <= r[self._changed] and (not until or r[self._changed] < until)]

    def _refresh(self) -> None:
        try:
            seen = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._rows = None, []
            return
        if self._stamp != (seen.st_mtime_ns, seen.st_ino):
            self._rows = orjson.loads(self._path.read_bytes())["rows"]
            self._stamp = (seen.st_mtime_ns, seen.st_ino)


class BadQuery(ValueError):
    """A parameter that is not a whole number of its range."""


def _whole(request: Request, name: str, default: int, top: int) -> int:
    text = request.query_params.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 <= int(text) <= top:
        raise BadQuery(f"参数 {name} 应为 0 到 {top} 的整数，收到的不是。请检查请求地址。")
    return int(text)


def _page(rows: list[dict[str, Any]], request: Request, size: int, layout: Layout) -> dict[str, Any]:
    page = max(1, _whole(request, "page", 1, 10**6))
    part = rows[(page - 1) * size : page * size]
    return {"code": 0, "page": page, "size": size, "total": len(rows), layout.rows_key: part}


def _cursor(rows: list[dict[str, Any]], request: Request, size: int, layout: Layout) -> dict[str, Any]:
    start = _whole(request, "cursor", 0, 10**9)
    following = str(start + size) if start + size < len(rows) else ""
    return {layout.rows_key: rows[start : start + size], "total": len(rows), "next_cursor": following}


_PAGING: Mapping[str, Callable[[list[dict[str, Any]], Request, int, Layout], dict[str, Any]]] = {
    "page": _page,
    "cursor": _cursor,
}


def application(root: Path, key: str) -> Starlette:
    """The service of one department over `<root>/sources/http/<key>.json`."""
    layout = LAYOUTS[key]
    held = Rows(root / "sources" / "http" / f"{key.lower()}.json", layout.heading("changed_at"))

    async def results(request: Request) -> JSONResponse:
        try:
            size = max(1, _whole(request, "size", 200, MAX_SIZE))
            moments = [request.query_params.get(name, "").replace("T", " ") for name in ("since", "until")]
            return JSONResponse(_PAGING[layout.paging](held.between(*moments), request, size, layout))
        except BadQuery as problem:
            return JSONResponse({"code": 1, "message": str(problem)}, status_code=400)

    return Starlette(routes=[Route("/api/results", results)])


def sources(
    directory: Annotated[Path, typer.Option("--dir", help="样例县的目录（其下有 sources/http）")],
    port_spj: Annotated[int, typer.Option("--port-SPJ", help="县行政审批局的端口，0 为任选")] = 0,
    port_sfj: Annotated[int, typer.Option("--port-SFJ", help="县司法局的端口，0 为任选")] = 0,
) -> None:
    """启动两个部门的结果查询接口（仅本机），就绪后打印一行 JSON，直到收到停止信号。"""
    die_with_parent()
    asyncio.run(_serve(directory, dict(zip(KEYS, (port_spj, port_sfj), strict=True))))


async def _serve(root: Path, ports: Mapping[str, int]) -> None:
    sockets = {key: _listen(port) for key, port in ports.items()}
    servers = {
        key: uvicorn.Server(uvicorn.Config(application(root, key), log_level="warning", lifespan="off"))
        for key in ports
    }
    tasks = [asyncio.create_task(servers[key].serve(sockets=[sockets[key]])) for key in ports]
    while not all(server.started for server in servers.values()):
        await asyncio.sleep(0.02)
    urls = {key: f"http://127.0.0.1:{sockets[key].getsockname()[1]}" for key in ports}
    print(json.dumps({"ready": True, "urls": urls, "pid": os.getpid()}), flush=True)
    # uvicorn puts a handler of its own for each server; only the last one is called, so it tells all.
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, list(servers.values()))
    await asyncio.gather(*tasks)


def _stop(servers: list[uvicorn.Server]) -> None:
    for server in servers:
        server.should_exit = True


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def die_with_parent() -> None:
    """On Linux, end when the parent process ends, so that no server is left behind; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class HttpSources:
    """Both services as a child process: `with HttpSources(root) as sources: sources.urls["SPJ"]`."""

    def __init__(self, root: Path, ports: Mapping[str, int] | None = None) -> None:
        asked = {**dict.fromkeys(KEYS, 0), **(ports or {})}
        command = [sys.executable, "-m", __name__, "--dir", str(root)]
        command += [part for key in KEYS for part in (f"--port-{key}", str(asked[key]))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.urls: dict[str, str] = self._ready()

    def _ready(self) -> dict[str, str]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self.stop()
            raise RuntimeError("部门接口没有启动：没有收到就绪信息。请查看上面的错误，常见原因是端口已被占用。")
        return dict(json.loads(line)["urls"])

    def stop(self) -> None:
        """End the process; safe to call twice."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def __enter__(self) -> HttpSources:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


if __name__ == "__main__":
    typer.run(sources)
