"""One run in a forked child that may send itself SIGKILL at a named point.

Belongs here: forking, the hook that kills, waiting, what passed. Must not: what the child works on, judging.

A process with threads must not fork: the caller has none.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from zz_pipeline.delivery import points

TOO_LONG = 600.0  # seconds after which a run counts as hanging; a crowded machine needs two minutes for a night
SHOWN_LINES = 4  # of a traceback, its last ones


class Aim(NamedTuple):
    """Kill at the n-th passing of a point, counted from 1."""

    point: str
    passing: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. `code` is what its work returned, -1 if it was killed; `passed` is told by a run that lived."""

    struck: bool
    code: int
    passed: Counter[str] = field(default_factory=Counter)
    error: str = ""

    @property
    def well(self) -> bool:
        """Whether it ended by itself and was content."""
        return self.code == 0


def run(work: Callable[[], int], aim: Aim | None = None, stall: str = "", seconds: float = 0.0) -> Ended:
    """Do `work` in a child, killed at `aim`. stall: a point at whose first passing the child pauses for `seconds`."""
    if threading.active_count() != 1:
        raise RuntimeError(f"{threading.active_count()} threads are alive: a fork would copy their locks")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(work, _Hook(aim, stall, seconds), write)
    os.close(write)
    said, hangs = _said(read)
    if hangs:
        os.kill(pid, signal.SIGKILL)
    os.close(read)
    _, status = os.waitpid(pid, 0)
    if hangs:
        return Ended(False, -1, error=f"一次运行 {TOO_LONG:.0f} 秒没有结束")
    if os.WIFSIGNALED(status):
        return Ended(True, -1) if aim else Ended(False, -1, error=f"运行被信号 {os.WTERMSIG(status)} 结束")
    if not said:
        return Ended(False, -1, error=f"运行以 {os.WEXITSTATUS(status)} 结束，没有留下结果")
    told = json.loads(said)
    return Ended(False, told["code"], Counter(told["passed"]), told["error"])


def _said(pipe: int) -> tuple[bytes, bool]:
    """(all that the child wrote before it ended, whether it did not end in time)."""
    found, until = b"", time.monotonic() + TOO_LONG
    while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        part = os.read(pipe, 65536)
        if not part:
            return found, False
        found += part
    return found, True


class _Hook:
    """Counts passings over all threads of the child, and kills at the right one."""

    def __init__(self, aim: Aim | None, stall: str, seconds: float) -> None:
        self.aim, self.stall, self.seconds = aim, stall, seconds
        self.passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        with self._lock:
            self.passed[name] += 1
            if self.aim is not None and name == self.aim.point and self.passed[name] == self.aim.passing:
                os.kill(os.getpid(), signal.SIGKILL)
            first = self.passed[name] == 1
        if first and name == self.stall:
            time.sleep(self.seconds)


def _child(work: Callable[[], int], hook: _Hook, pipe: int) -> None:
    code, error = 70, ""
    try:
        points.hook = hook
        code = work()
    except BaseException:
        error = "".join(traceback.format_exc().splitlines(keepends=True)[-SHOWN_LINES:])
    finally:
        points.hook = None
        os.write(pipe, json.dumps({"code": code, "passed": hook.passed, "error": error}).encode())
        os._exit(0)
