"""Campaigns: many seeds, each one schedule that replays identically, each judged by the checker.

Belongs here: running and checking a schedule, sums over many. Must not: what happens in a schedule, invariants.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from zz_pipeline.chaos.checker import Violation, check
from zz_pipeline.chaos.sim_ledger import SimLedger
from zz_pipeline.chaos.sim_run import Run
from zz_pipeline.chaos.sim_sql_run import fast_sql
from zz_pipeline.chaos.sim_wired import wired

Mutant = Callable[[], AbstractContextManager[Any]]
RARELY = (50_000, 20, 20)  # objects, collections of the young, of the middle-aged: thresholds of the collector


@dataclass
class Outcome:
    """What a schedule did. `trace`: equal for equal seeds and equal code."""

    seed: int
    trace: str
    crashes: int
    faults: int
    requests: int
    violations: list[Violation]
    states: Counter[str] = field(default_factory=Counter)
    stalls: int = 0


@cache
def shared_ledger() -> SimLedger:
    """The process's ledger in memory: migrating costs seconds, emptying a fraction of a millisecond."""
    return SimLedger()


@contextmanager
def _little_collected() -> Iterator[None]:
    """Garbage is looked for rarely, and not among what was there before: in a large process that costs a fifth."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def quickly() -> Iterator[None]:
    """SQL put together by `sim_sql` for the duration: the same statements, some ten times cheaper."""
    ledger = shared_ledger()
    with fast_sql(), _little_collected():
        ledger.speak(fast=True)
        try:
            yield
        finally:
            ledger.speak(fast=False)


def schedule(seed: int, error: Mutant | None = None) -> Outcome:
    """Run one schedule and check it; `error`: a deliberate one that is switched on meanwhile."""
    run = Run(seed, shared_ledger())
    with wired(run), error() if error else nullcontext():
        run.whole()
    world = run.world
    states = Counter(str(row["state"]) for row in world.evidence.tables["outbox"])
    outcome = Outcome(
        seed, world.trace, world.crashes, world.faults, len(world.evidence.requests), check(world.evidence), states,
        run.stalls,
    )  # fmt: skip
    # they know each other in circles, for which only the collector has an eye
    for part in (*world.platforms.values(), run.wire, run.acceptance, world, run):
        vars(part).clear()
    return outcome


@dataclass
class Campaign:
    """Sums over many schedules; `violations` holds the first of each kind, `found` how many there were."""

    schedules: int = 0
    crashes: int = 0
    faults: int = 0
    stalls: int = 0
    requests: int = 0
    found: int = 0
    violations: list[dict[str, Any]] = field(default_factory=list)
    trace: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    states: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count a schedule."""
        self.schedules += 1
        for name in ("crashes", "faults", "stalls", "requests"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        self.states.update(outcome.states)
        self.trace = outcome.trace
        self.found += len(outcome.violations)
        if len(self.violations) < 50:
            self.violations += [v._asdict() for v in outcome.violations]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "schedules": self.schedules, "crashes": self.crashes, "stalls": self.stalls, "faults": self.faults,
            "requests": self.requests, "violations": self.violations, "violations_found": self.found,
            "states": dict(sorted(self.states.items())), "trace": self.trace, "seconds": round(self.seconds, 1),
            "cpu_seconds": round(self.cpu_seconds, 1),
        }  # fmt: skip


def campaign(
    first: int, schedules: int, *, error: Mutant | None = None, stop: bool = False, fast: bool = True
) -> Campaign:
    """Schedules of the seeds `first`, `first` + 1, …; stop: at the first violation."""
    shared_ledger()
    done, begun, cpu = Campaign(), time.perf_counter(), time.process_time()
    with quickly() if fast else nullcontext():
        for seed in range(first, first + schedules):
            done.add(schedule(seed, error))
            if stop and done.found:
                break
    done.seconds, done.cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
    return done
