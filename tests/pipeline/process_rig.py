"""A process of its own that delivers or migrates and is stopped, starved or killed at a named point.

Belongs here: what runs in that process, starting it, talking to it. Must not: assertions.

plan (JSON on stdin): {"do": "deliver" | "migrate", "ledger": URL, "home": folder, "url": of the entry platform,
 "depts": […], "spec": {…}, "act": "stop" | "kill" | "files" | "size" | "wait" | "", "point": name, "passing": n}
On stdout: the line `acting` when the point is reached, at the end one JSON object: {"error", "stopped", "moves"}.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from tests.delivery.bench import ENTRY, settings_for
from zz_pipeline.delivery import points
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.errors import ZzError
from zz_pipeline.ledger.db import Ledger

ROOT = Path(__file__).resolve().parents[2]
WAIT = 60.0
SPEC = {
    "quiet_seconds": 0.6, "late_effect_seconds": 0.1, "night_wait_seconds": 20.0, "poll_first_seconds": 0.1,
    "send_deadline_seconds": 1.0, "rate": 1000.0, "burst": 1000.0, "batch_records": 2,
}  # fmt: skip


class Process:
    """A running rig."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process, self.pid = process, process.pid

    def acting(self) -> bool:
        """Wait until its point is reached; False if it ended before."""
        return self._line() == "acting"

    def result(self) -> dict:
        """What it told at its end; empty if it was killed."""
        said = ""
        while line := self._line():
            said = line
        self.process.wait(WAIT)
        return json.loads(said) if said.startswith("{") else {}

    def _line(self) -> str:
        if not select.select([self.process.stdout], [], [], WAIT)[0]:
            raise TimeoutError("the process says nothing")
        return self.process.stdout.readline().strip()


@contextmanager
def started(plan: dict, **options):
    """The rig over a plan; it is gone when the block ends."""
    command = [sys.executable, "-m", "tests.pipeline.process_rig"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
        **options,
    )
    try:
        process.stdin.write(json.dumps(plan))
        process.stdin.close()
        yield Process(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def plan(ledger: Ledger, home: Path, url: str, depts=("SCJG",), act="", point="", **spec) -> dict:
    """A plan of delivering; the first request is the question after the platform's health, the second one pushes."""
    passing = 2 if point.startswith("wire:") else 1
    place = {"ledger": ledger.url, "home": str(home), "url": url, "depts": list(depts), "spec": SPEC | spec}
    return {"do": "deliver", **place, "act": act, "point": point, "passing": passing}


# ── inside the process ────────────────────────────────────────────────────────────────────────────────────────────────
def main() -> None:
    wish = json.load(sys.stdin)
    ledger = Ledger(wish["ledger"])
    told = {"error": "", "stopped": [], "moves": {}, "trace": ""}
    try:
        points.hook = _Hook(wish)
        told |= _deliver(ledger, wish) if wish["do"] == "deliver" else _migrate(ledger)
    except ZzError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    except Exception as error:
        told["trace"] = f"{type(error).__name__}: {error}"
    points.hook = None
    _free()
    print(json.dumps(told), flush=True)


def _deliver(ledger: Ledger, wish: dict) -> dict:
    settings = settings_for(Path(wish["home"]), {ENTRY: wish["url"]}, wish["depts"], **wish["spec"])
    done = deliver(ledger, settings, ENTRY, threads=len(wish["depts"]))
    return {"stopped": [lane.stopped for lane in done.lanes.values()] + [done.stopped], "moves": dict(done.moves)}


def _migrate(ledger: Ledger) -> dict:
    ledger.migrate()
    return {}


class _Hook:
    def __init__(self, wish: dict) -> None:
        self.wish, self.passed, self.lock = wish, Counter(), threading.Lock()

    def __call__(self, name: str) -> None:
        with self.lock:
            self.passed[name] += 1
            due = name == self.wish["point"] and self.passed[name] == self.wish["passing"]
        if due:
            print("acting", flush=True)
            ACTS[self.wish["act"]]()


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _no_more_files() -> None:
    """As if every file descriptor were in use."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, HARD[0]))


def _no_more_room() -> None:
    """As if the disk were full: no file may grow, whichever it is."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, HARD[1]))


def _wait() -> None:
    time.sleep(WAIT)


def _free() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, HARD[0]), HARD[0]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (HARD[1], HARD[1]))


HARD = (resource.getrlimit(resource.RLIMIT_NOFILE)[1], resource.getrlimit(resource.RLIMIT_FSIZE)[1])
ACTS = {
    "stop": _stop, "kill": _kill, "files": _no_more_files, "size": _no_more_room,
    "wait": _wait, "": lambda: None,
}  # fmt: skip

if __name__ == "__main__":
    main()
