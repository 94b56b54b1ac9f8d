"""A process of its own that delivers or migrates and is stopped, starved or killed at a named point.

Belongs here: what runs in that process, starting it, talking to it. Must not: assertions.
Each is forked from one server that has the product loaded: the import costs four times what such a delivery does.

plan: {"do": "deliver" | "migrate", "ledger": URL, "home": folder, "url": of the entry platform, "depts": […],
 "spec": {…}, "act": "stop" | "kill" | "files" | "size" | "wait" | "", "point": name, "passing": n, "env": {…}}
It says `acting` when the point is reached, at the end a dict: {"error", "stopped", "moves", "trace"}.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

from tests.delivery.bench import ENTRY, settings_for
from zz_pipeline.delivery import points
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.errors import ZzError
from zz_pipeline.ledger.db import Ledger

WAIT = 60.0
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__])
SPEC = {
    "quiet_seconds": 0.6, "late_effect_seconds": 0.1, "night_wait_seconds": 20.0, "poll_first_seconds": 0.1,
    "send_deadline_seconds": 1.0, "rate": 1000.0, "burst": 1000.0, "batch_records": 2,
}  # fmt: skip


class Process:
    """A running rig."""

    def __init__(self, process: multiprocessing.process.BaseProcess, said: Connection) -> None:
        self.process, self.pid, self._said = process, process.pid, said

    def acting(self) -> bool:
        """Wait until its point is reached; False if it ended before."""
        return self._next() == "acting"

    def result(self) -> dict:
        """What it told at its end; empty if it was killed."""
        told = {}
        while said := self._next():
            told = said if isinstance(said, dict) else {}
        self.wait(WAIT)
        return told

    def wait(self, seconds: float) -> None:
        """Wait until it is gone."""
        self.process.join(seconds)
        if self.process.is_alive():
            raise TimeoutError("the process does not end")

    def _next(self) -> str | dict:
        if not self._said.poll(WAIT):
            raise TimeoutError("the process says nothing")
        try:
            return self._said.recv()
        except EOFError:
            return ""


@contextmanager
def served(**environment: str) -> Iterator[None]:
    """Rigs started in this block have such an environment from their very beginning, as a loader's library needs it."""
    forkserver._forkserver._stop()
    try:
        with patch.dict(os.environ, environment):
            forkserver.ensure_running()
        yield
    finally:
        forkserver._forkserver._stop()


@contextmanager
def started(plan: dict) -> Iterator[Process]:
    """The rig over a plan; it is gone when the block ends."""
    ours, theirs = FORKED.Pipe(duplex=False)
    process = FORKED.Process(target=main, args=(plan, theirs))
    process.start()
    theirs.close()
    try:
        yield Process(process, ours)
    finally:
        process.kill()
        process.join()
        ours.close()


def plan(ledger: Ledger, home: Path, url: str, depts=("SCJG",), act="", point="", **spec) -> dict:
    """A plan of delivering; the first request is the question after the platform's health, the second one pushes."""
    passing = 2 if point.startswith("wire:") else 1
    place = {"ledger": ledger.url, "home": str(home), "url": url, "depts": list(depts), "spec": SPEC | spec}
    return {"do": "deliver", **place, "act": act, "point": point, "passing": passing}


# ── inside the process ────────────────────────────────────────────────────────────────────────────────────────────────
def main(wish: dict, said: Connection) -> None:
    # what the tests' own process does about being ended was handed down to the server and to everything forked from it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.environ.update(wish.get("env", {}))
    ledger = Ledger(wish["ledger"])
    told = {"error": "", "stopped": [], "moves": {}, "trace": ""}
    try:
        points.hook = _Hook(wish, said)
        told |= _deliver(ledger, wish) if wish["do"] == "deliver" else _migrate(ledger)
    except ZzError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    except Exception as error:
        told["trace"] = f"{type(error).__name__}: {error}"
    points.hook = None
    _free()
    said.send(told)


def _deliver(ledger: Ledger, wish: dict) -> dict:
    settings = settings_for(Path(wish["home"]), {ENTRY: wish["url"]}, wish["depts"], **wish["spec"])
    done = deliver(ledger, settings, ENTRY, threads=len(wish["depts"]))
    return {"stopped": [lane.stopped for lane in done.lanes.values()] + [done.stopped], "moves": dict(done.moves)}


def _migrate(ledger: Ledger) -> dict:
    ledger.migrate()
    return {}


class _Hook:
    def __init__(self, wish: dict, said: Connection) -> None:
        self.wish, self.said, self.passed, self.lock = wish, said, Counter(), threading.Lock()

    def __call__(self, name: str) -> None:
        with self.lock:
            self.passed[name] += 1
            due = name == self.wish["point"] and self.passed[name] == self.wish["passing"]
        if due:
            self.said.send("acting")
            ACTS[self.wish["act"]]()


def _stop() -> None:
    # To this thread: one that is sent to the process waits for whichever thread takes it, and on a busy machine this
    # one passes its point meanwhile.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


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
