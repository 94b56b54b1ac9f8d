"""Nights that are killed: forks a child for each night and sends it SIGKILL at the planned moment.

Belongs here: forking, killing, noting when and where each kill struck. Must not: staging, comparing, any judgement.

Run as a program of its own, because a process with threads must not fork: a plan as JSON on stdin, what happened as
JSON on stdout. A night's imports and its first check cost more than the rest of the night, so the parent rehearses
the taking in and every child starts warm.

plan: {"measure": town, "chains": [{"town": town, "moments": [[part, 0…1], …]}], "at_once": n}
town: {"env": environment of a command, "day": ISO date}; part: "night" or "sending" (what comes after the taking in)
out: {"seconds": {part: of an undisturbed night}, "chains": [{"runs": [{"start", "end", "struck": the signal that ended
     it or 0, "code": exit code or -1, "steps": the steps it had finished}]}]}
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from tqdm import tqdm

from zz_pipeline.course import take_in, whole_night
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.night import Night
from zz_pipeline.settings import load_settings

TOO_LONG = 180.0  # seconds after which a night counts as hanging
EARLY = 0.6  # a night that ended before its moment is tried again at this share of the time
TAKEN_IN = "检查入库"
Moment = tuple[str, float]  # part of the night, seconds after its beginning


@dataclass
class Run:
    """One child: a night that is killed at a moment, or left alone."""

    town: dict[str, Any]
    moment: Moment | None = None
    pid: int = 0
    pipe: int = -1
    start: float = 0.0
    sending: float | None = None  # when the taking in had ended
    end: float = 0.0
    struck: int = 0
    code: int = -1
    steps: list[str] = field(default_factory=list)

    def fork(self) -> None:
        self.pipe, write = os.pipe()
        self.start = time.time()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _child(self.town, write)
        os.close(write)

    def ended(self) -> bool:
        """Kill it if its moment has come; True once it is gone."""
        self._listen()
        late = self._late()
        if late:
            os.kill(self.pid, signal.SIGKILL)
        pid, status = os.waitpid(self.pid, 0 if late else os.WNOHANG)
        if not pid:
            return False
        self._listen()
        os.close(self.pipe)
        self.end = time.time()
        self.struck = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        self.code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        return True

    def _late(self) -> bool:
        if self.moment is None:
            return time.time() - self.start > TOO_LONG
        part, seconds = self.moment
        since = self.start if part == "night" else self.sending
        return since is not None and time.time() - since > seconds

    def _listen(self) -> None:
        while select.select([self.pipe], [], [], 0)[0] and (said := os.read(self.pipe, 65536)):
            self.steps += said.decode().split("\n")[:-1]
        if self.sending is None and any(s.startswith(TAKEN_IN) and s.endswith("3/3") for s in self.steps):
            self.sending = time.time()

    def lasted(self, part: str) -> float:
        return self.end - (self.start if part == "night" else self.sending or self.start)


def main() -> None:
    plan = json.load(sys.stdin)
    tqdm.monitor_interval = 0  # GX's hidden progress bars would start a thread
    with _opened(plan["measure"]) as night:
        take_in(night, _day(plan["measure"]), lambda *_: None)
    if threading.active_count() != 1:
        raise RuntimeError(f"{threading.active_count()} threads are alive: a fork would copy their locks")
    seconds = _measured(plan["measure"])
    chains = [_chain(chain, seconds) for chain in plan["chains"]]
    print(json.dumps({"seconds": seconds, "chains": _work(chains, plan["at_once"])}))


def _measured(town: dict[str, Any]) -> dict[str, float]:
    run = Run(town)
    _work([iter([run])], 1)
    if run.code != 0:
        raise RuntimeError(f"the undisturbed night ended with {run.code} (signal {run.struck})")
    return {part: run.lasted(part) for part in ("night", "sending")}


def _chain(chain: dict[str, Any], seconds: dict[str, float]) -> Iterator[Run]:
    """Nights that are killed one after the other, then one that finishes."""
    for part, share in chain["moments"]:
        after = share * seconds[part]
        while True:
            run = Run(chain["town"], (part, after))
            yield run
            if run.struck == signal.SIGKILL:
                break
            after = min(after, run.lasted(part)) * EARLY
    yield Run(chain["town"])


def _work(chains: list[Iterator[Run]], at_once: int) -> list[dict[str, Any]]:
    """Run the chains, some at once; each chain's nights follow each other."""
    told: list[list[Run]] = [[] for _ in chains]
    waiting, live = list(range(len(chains))), {}
    try:
        while waiting or live:
            while waiting and len(live) < at_once:
                _next(waiting.pop(0), chains, live, told)
            for n in [n for n, run in live.items() if run.ended()]:
                del live[n]
                _next(n, chains, live, told)
            time.sleep(0.002)
    finally:
        for run in live.values():
            os.kill(run.pid, signal.SIGKILL)
    return [{"runs": [_plain(run) for run in runs]} for runs in told]


def _next(n: int, chains: list[Iterator[Run]], live: dict[int, Run], told: list[list[Run]]) -> None:
    run = next(chains[n], None)
    if run is not None:
        run.fork()
        live[n] = run
        told[n].append(run)


def _plain(run: Run) -> dict[str, Any]:
    kept = ("start", "end", "struck", "code", "steps")
    return {name: value for name, value in asdict(run).items() if name in kept}


def _child(town: dict[str, Any], pipe: int) -> None:
    code = 70
    try:
        code = _night(town, lambda name, done, total: os.write(pipe, f"{name} {done}/{total}\n".encode()))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _night(town: dict[str, Any], progress: Any) -> int:
    """0 if the night balanced, was complete and agrees with the platforms."""
    with _opened(town) as night:
        result = whole_night(night, _day(town), progress)
    agreed = all(r.state == "OK" for r in result.reconciled.values())
    found = result.balanced_or_fail()
    return 0 if found.balanced and found.complete and agreed else 3


@contextmanager
def _opened(town: dict[str, Any]) -> Iterator[Night]:
    env = town["env"]
    settings = load_settings(env["ZZ_CONFIG"], env["ZZ_HOME"], env)
    ledger = Ledger(settings.ledger_url)
    try:
        ledger.migrate()
        yield Night(settings, ledger, f"rig-{os.getpid()}")
    finally:
        ledger.close()


def _day(town: dict[str, Any]) -> date:
    return date.fromisoformat(town["day"])


if __name__ == "__main__":
    main()
