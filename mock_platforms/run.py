"""`Mocks`: the platforms as a subprocess, for tests and the demo.

Belongs here: start, stop, restart, and small readers over the control server. Must not: platform rules.
"""

from __future__ import annotations

import json as json_text
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_START_SECONDS = 30.0


class Mocks:
    """Context manager around `python -m mock_platforms platforms`.

    dir: state folder; credentials: JSON file; credit_dir: folder of ratings.json and repairs.json.
    The process also ends when the *thread* that started it ends: start it from a thread that lives as long.
    """

    def __init__(
        self,
        dir: Path | str,
        credentials: Path | str,
        credit_dir: Path | str | None = None,
        receipt_delay: float = 0.2,
        extra_args: Sequence[str] = (),
    ) -> None:
        self.dir = Path(dir)
        self._args = ["--dir", str(dir), "--credentials", str(credentials), "--receipt-delay", str(receipt_delay)]
        self._args += ["--credit-dir", str(credit_dir)] if credit_dir else []
        self._args += list(extra_args)
        self._process: subprocess.Popen[bytes] | None = None
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Mocks:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the running mocks."""
        if self._process is None:
            raise RuntimeError("模拟平台没有在运行。请先 start()。")
        return self._process.pid

    def start(self) -> None:
        """Start and wait for the ready line; after a stop the same ports are used again."""
        ports = [f"--port-{name.replace('_', '-')}={url.rpartition(':')[2]}" for name, url in self.urls.items()]
        command = [sys.executable, "-m", "mock_platforms", "platforms", *self._args, *ports]
        root = Path(__file__).resolve().parent.parent
        self.dir.mkdir(parents=True, exist_ok=True)
        self._stderr = self.dir / "stderr.log"
        with self._stderr.open("ab") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=root)
        self._process = process
        self.urls = json_text.loads(self._first_line(process))["urls"]

    def _first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        if process.stdout is None:
            raise RuntimeError("模拟平台没有标准输出。")
        until = time.monotonic() + _START_SECONDS
        while not select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
            if time.monotonic() >= until:
                self.stop()
                raise RuntimeError(f"模拟平台 {_START_SECONDS:.0f} 秒内没有就绪，见 {self._stderr}。")
        line = process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"模拟平台启动失败：{self._stderr.read_text('utf-8', 'replace')[-2000:]}")
        return line

    def stop(self, kill: bool = False) -> int | None:
        """End the process: SIGTERM, or SIGKILL if asked for or if it does not end in 10 s. Returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill() if kill else process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        return process.returncode

    def restart(self, kill: bool = False) -> None:
        """Stop (or kill) and start again on the same ports with the same state; fault rules are forgotten."""
        self.stop(kill)
        self.start()

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """An order to the control server; returns parsed JSON, raises urllib.error.HTTPError for a refused order."""
        return _request(method, self.urls["control"] + path, json)

    def wire(self, platform: str) -> list[dict[str, Any]]:
        """The platform's wire log, oldest first."""
        found: list[dict[str, Any]] = self.control("GET", f"/wire/{platform}")
        return found

    def ledger(self, platform: str, history: bool = False) -> list[dict[str, Any]]:
        """What the platform holds: kind, key, department, version, state, receipt, hash, record, updated_at."""
        found: list[dict[str, Any]] = self.control("GET", f"/ledger/{platform}{'?history=1' if history else ''}")
        return found


def _request(method: str, url: str, body: Any) -> Any:
    data = None if body is None else json_text.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - the address is our own child's on loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json_text.loads(answer.read())
