"""The simulated world of one schedule: virtual time, processes, the wire with its faults, and all evidence.

Belongs here: clock and events, which process acts, requests and what became of them. Must not: checking, choosing faults.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from zz_pipeline.chaos.sim_contracts import MODELS
from zz_pipeline.chaos.sim_evidence import Evidence, Move, Note
from zz_pipeline.chaos.sim_ledger import Moved, SimLedger
from zz_pipeline.chaos.sim_platforms import Platform
from zz_pipeline.chaos.sim_records import DEPTS, ENTRY, LATE_EFFECT, SEND_DEADLINE

START = 1_795_368_600.0  # 2026-11-23 01:30 in Beijing
NIGHT = 86_400.0


class SimKill(BaseException):
    """The process is dead. No `except Exception` may survive it."""


class SimOver(BaseException):
    """The schedule does not end by itself."""


@dataclass
class Process:
    """One process of ours. `epoch` is what it was granted; `shown`: answers heard, not yet committed."""

    number: int
    platform: str = ""
    dept: str = ""
    what: str = "worker"
    epoch: int | None = None
    heard: list[Any] = field(default_factory=list)


@dataclass
class World:
    """One schedule's world; everything random comes from `rng`."""

    seed: int
    rng: Random
    ledger: SimLedger
    now: float = START
    process: Process = field(default_factory=lambda: Process(0, what="nobody"))
    evidence: Evidence = field(init=False)
    platforms: dict[str, Platform] = field(default_factory=dict)
    locks: dict[tuple[str, str], int] = field(default_factory=dict)
    stopped: bool = False
    quiet: bool = False  # faults have ended
    crashes: int = 0
    faults: int = 0
    processes: int = 0
    approved: set[int] = field(default_factory=set)  # reconciliations

    def __post_init__(self) -> None:
        self.evidence = Evidence(
            self.seed, late_effect=LATE_EFFECT, send_deadline=SEND_DEADLINE, uscc=dict(DEPTS), entry=ENTRY
        )
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._told: list[str] = []
        self.ledger.committed = self._moved

    def add(self, name: str) -> Platform:
        """A platform of this world."""
        made = MODELS[name](name, lambda: self.now, self.later, DEPTS)
        self.platforms[name] = made
        return made

    # -- time --------------------------------------------------------------------------------------------------------

    def clock(self) -> float:
        """Virtual Unix seconds; also the monotonic clock."""
        return self.now

    def later(self, at: float, act: Callable[[], None]) -> None:
        """Let something happen at a moment, in nobody's process."""
        self._count += 1
        heapq.heappush(self._events, (at, self._count, act))

    def sleep(self, seconds: float) -> None:
        """Time passes, and what is due happens."""
        self.until(self.now + max(seconds, 0.0))

    def until(self, moment: float) -> None:
        """Time passes until a moment."""
        while self._events and self._events[0][0] <= moment:
            at, _, act = heapq.heappop(self._events)
            self.now = max(self.now, at)
            act()
        self.now = max(self.now, moment)

    # -- evidence ----------------------------------------------------------------------------------------------------

    def tell(self, *said: Any) -> None:
        """Add to the trace, by which two runs of one seed are compared."""
        self._told.append(repr(said))

    @property
    def trace(self) -> str:
        """Digest of everything that happened."""
        return hashlib.blake2b("".join(self._told).encode(), digest_size=8).hexdigest()

    def note(self, what: str, platform: str = "", record_key: str = "", detail: str = "") -> None:
        """Write down something that happened beside the protocol."""
        self.evidence.notes.append(Note(self.now, what, platform, record_key, detail))
        self.tell("note", self.now, what, platform, record_key, detail)

    def _moved(self, moved: list[Moved]) -> None:
        who = self.process
        for platform, kind, key, version, old, new, epoch in moved:
            self.evidence.moves.append(
                Move(self.now, platform, kind, key, version, old, new, epoch, who.epoch, who.number)
            )
            self.tell("move", self.now, platform, key, version, new, who.number)
