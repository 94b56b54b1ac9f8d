"""One seed, one schedule: nights of real lanes against simulated platforms, until nothing moves; then the checker.

Belongs here: carrying a plan out, processes that die, stall and compete, campaigns. Must not: judging (that is `checker`).

What runs is production code: `Worker`, `claim`, `settle`, `gates`, `lanes.take`, `reconcile`, `people`, `write_versions`,
the client with its signatures and owner gate, the adapters. Simulated are time, the wire, the platforms, and processes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from zz_pipeline import reconcile as reconciling
from zz_pipeline.chaos import sim_people, sim_schedule
from zz_pipeline.chaos.checker import Violation, check
from zz_pipeline.chaos.sim_evidence import Request
from zz_pipeline.chaos.sim_ledger import SimLedger
from zz_pipeline.chaos.sim_records import DEPTS, ENTRY, Acceptance, Wanted, settings
from zz_pipeline.chaos.sim_schedule import Plan, Special
from zz_pipeline.chaos.sim_sql import fast_sql
from zz_pipeline.chaos.sim_wire import GOOD, Fault, Wire
from zz_pipeline.chaos.sim_world import NIGHT, START, Process, SimKill, World
from zz_pipeline.delivery import budget, client, lanes, points
from zz_pipeline.delivery.claim import Desk
from zz_pipeline.delivery.client import Client
from zz_pipeline.delivery.worker import Watch, Worker
from zz_pipeline.errors import DeliveryError, FenceLost
from zz_pipeline.platforms import registry

Mutant = Callable[[], AbstractContextManager[Any]]
CALM_NIGHTS = 9  # after the faults: so many nights must be enough for everything to come to rest
LOCKS = Path("sim")
TABLES = ("outbox", "attempt", "audit_event", "batch", "conflict", "holding", "difference")
OUT = {"settle:after_commit", "reconcile:after_commit"}  # points at which what was heard is written down
DOWN = Fault("none", "no_connect")


class SimLine:
    """Stands in for the HTTP line of a client: nothing is connected."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec

    def close(self) -> None:
        """Nothing to close."""


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


class Run:
    """One schedule while it runs."""

    def __init__(self, seed: int, ledger: SimLedger) -> None:
        rng = Random(seed)
        ledger.empty()
        self.plan: Plan = sim_schedule.plan(rng)
        self.kinds = tuple(sorted({wanted.kind for _, wanted in self.plan.versions}))
        self.settings = settings(len({wanted.owner for _, wanted in self.plan.versions}))
        self.world = World(seed, rng, ledger)
        self.rng, self.ledger = rng, ledger
        for name in self.plan.platforms:
            platform = self.world.add(name)
            platform.delay = self._delay
            platform.fails = self._fails
        self.acceptance = Acceptance(ledger, self.plan.platforms)
        self.pending = list(self.plan.versions)
        self.wire = Wire(self.world, self._choose)
        self.down: dict[str, float] = {}
        self.backups: dict[str, Any] = {}
        self.restores: list[Special] = []
        self.depth = self.stalls = 0
        self.takers: list[tuple[str, str, int]] = []
        self._nonces = 0
        for special in self.plan.specials:
            self._prepare(special)

    def whole(self) -> None:
        """Nights with faults, then calm ones until nothing moves."""
        for night in range(self.plan.nights):
            self._night(night)
        self.world.quiet, self.down = True, {}
        self.world.stopped = False
        for night in range(self.plan.nights, self.plan.nights + CALM_NIGHTS):
            self._night(night)
            if self._at_rest() and not self._differs():
                break
        self._close()

    # -- nights ------------------------------------------------------------------------------------------------------

    def _night(self, night: int) -> None:
        world = self.world
        world.until(START + night * NIGHT)
        world.tell("night", night)
        self._restored()
        while self.pending and self.pending[0][0] <= night:
            self._accept()
        if world.quiet and self.plan.has("poison"):  # only while others pass is a record that always fails given up
            fine = Wanted(f"RT-AAAA-9{night:02d}", "rating", "AAAA", 1)
            self.acceptance.accept(fine, world.now)
        for platform in self.plan.platforms:
            for dept in self._lanes(platform):
                self._lane(platform, dept)
        # the last night of all is reconciled below, when everything is at rest
        for platform in self.plan.platforms:
            if self.rng.random() < (0.15 if world.quiet else 0.4):
                self._reconcile(platform)
        world.sleep(3600.0)
        sim_people.morning(world, tired=not world.quiet)

    def _accept(self) -> None:
        if self.pending:
            wanted = self.pending.pop(0)[1]
            self.world.tell("accept", wanted.marker)
            self.acceptance.accept(wanted, self.world.now)

    def _lanes(self, platform: str) -> list[str]:
        query = (
            "SELECT DISTINCT dept FROM outbox WHERE platform = ? AND state IN "
            "('READY','INFLIGHT','UNKNOWN','ACCEPTED') ORDER BY dept"
        )
        return [dept for (dept,) in self.ledger.raw.execute(query, (platform,))]

    def _lane(self, platform: str, dept: str) -> None:
        """A process works the lane; when it dies another may follow in the same night."""
        for _ in range(4):
            if not self.process(platform, dept) or self.rng.random() < 0.3:
                return
            self.world.sleep(self.rng.choice((0.0, 1.0, self.rng.uniform(0.0, 120.0))))

    # -- processes ---------------------------------------------------------------------------------------------------

    def process(self, platform: str, dept: str) -> bool:
        """One process on one lane; True if it was killed."""
        return self._as_process("worker", platform, dept, lambda: self._work(platform, dept))

    def _work(self, platform: str, dept: str) -> None:
        world, spec = self.world, self._spec(platform)
        if self._is_down(platform) and not world.quiet and self.rng.random() < 0.5:
            return  # /health has told so
        with lanes.take(self.ledger, LOCKS, platform, dept, world.now) as lane:
            self._granted(lane.epoch)
            credential = settings().credential(platform, dept)
            line = Client(spec, credential, settings().departments[dept], clock=world.clock, nonce=self._nonce)
            watch = Watch(world.clock, world.sleep, None, self._halted, lambda: self._health(platform))
            desk = Desk(
                registry.adapter(platform), spec, settings().departments[dept], ENTRY, settings().zone,
                monotonic=world.clock,
            )  # fmt: skip
            Worker(lane, desk, line, watch, settings().county.max_tries_per_night).run()

    def _as_process(self, what: str, platform: str, dept: str, work: Callable[[], None]) -> bool:
        world, before = self.world, self.world.process
        world.processes += 1
        world.process = Process(world.processes, platform, dept, what)
        try:
            work()
        except SimKill:
            world.tell("killed", world.process.number)
            return True
        except lanes.LaneBusy:
            world.tell("busy", world.process.number)
        except FenceLost:
            world.tell("fenced out", world.process.number)
            if what == "worker" and not self._overtaken(world.process):
                world.evidence.defects.append("FenceLost although nobody took the lane over")
        except DeliveryError as error:
            if what == "worker":
                world.evidence.defects.append(f"{type(error).__name__}: {error}")
        except Exception as error:  # a defect of ours is what this looks for
            world.evidence.defects.append(f"{type(error).__name__}: {error}")
        finally:
            world.process = before
        return False

    def _granted(self, epoch: int) -> None:
        me = self.world.process
        me.epoch = epoch
        self.world.evidence.grants.append((self.world.now, me.platform, me.dept, epoch, me.number))

    def _overtaken(self, me: Process) -> bool:
        return any(taker[:2] == (me.platform, me.dept) and taker[2] > me.number for taker in self.takers)

    def _reconcile(self, platform: str, *, everything: bool = False) -> None:
        day = datetime.fromtimestamp(self.world.now, settings().zone)
        since = datetime(1, 1, 1) if everything else None

        def work() -> None:
            reconciling.reconcile(
                self.ledger, self.settings, platform, day.date(), since=since, clock=self.world.clock,
                sleep=self.world.sleep,
            )  # fmt: skip

        self._as_process("reconcile", platform, "", work)

    @contextmanager
    def lock(self, ledger: Any, locks: Any, platform: str, dept: str) -> Iterator[None]:
        """The process lock of a lane, which a frozen machine may lose."""
        held, me = self.world.locks, self.world.process
        if (platform, dept) in held:
            raise lanes._busy(platform, dept)
        held[platform, dept] = me.number
        if me.what == "reconcile":
            me.dept = dept
        try:
            yield
        finally:
            if held.get((platform, dept)) == me.number:
                del held[platform, dept]

    # -- what happens at points --------------------------------------------------------------------------------------

    def reach(self, name: str) -> None:
        """The hook of `delivery.points`."""
        world, me = self.world, self.world.process
        if name in OUT:
            for request in me.heard:
                request.taken = True
            me.heard.clear()
        if not me.number:
            return
        if name == "grant:after_commit":
            self.takers.append((me.platform, me.dept, me.number))
        world.tell("at", name, me.number)
        if world.quiet:
            return
        draw = self.rng.random()
        if draw < self.plan.kill_rate and world.crashes < sim_schedule.MOST_CRASHES:
            world.crashes += 1
            raise SimKill
        if not self.ledger.open and self.depth < 2 and draw > 1.0 - self.plan.stall_rate:
            self._stall(me)

    def _stall(self, me: Process) -> None:
        """The process stands still, and others go on."""
        self.stalls += 1
        self.depth += 1
        try:
            STALLS[self.rng.randrange(len(STALLS))](self, me)
        finally:
            self.depth -= 1

    def _pause(self, me: Process) -> None:
        self.world.sleep(self.rng.uniform(0.1, 200.0))

    def _lose(self, me: Process) -> None:
        """The machine is frozen, its lock is lost, and somebody else works the lane meanwhile."""
        if not me.dept:
            return
        self.world.locks.pop((me.platform, me.dept), None)
        self.world.tell("lost", me.number)
        self.world.sleep(self.rng.choice((0.0, 1.0, 2.0, self.rng.uniform(0.0, 100.0))))
        for _ in range(self.rng.choice((1, 1, 2))):
            self.process(me.platform, me.dept)

    def _twice(self, me: Process) -> None:
        if me.dept:
            self.process(me.platform, me.dept)  # finds the lane busy

    def _elsewhere(self, me: Process) -> None:
        others = [(p, d) for p in self.plan.platforms for d in DEPTS if (p, d) not in self.world.locks]
        if others:
            self.process(*self.rng.choice(others))

    def _intake(self, me: Process) -> None:
        before, self.world.process = self.world.process, Process(0, what="nobody")
        self._accept()
        self.world.process = before

    # -- faults ------------------------------------------------------------------------------------------------------

    def _choose(self, request: Request) -> tuple[str, Fault]:
        if self.world.quiet:
            return "", GOOD
        if self._is_down(request.platform):
            return "down", DOWN
        if request.path == "/auth/session":
            return "", GOOD
        name, fault = sim_schedule.choose(self.rng, self.plan, request)
        if fault.answer == "killed" and self.world.crashes >= sim_schedule.MOST_CRASHES:
            return "", GOOD
        return name, fault

    def _is_down(self, platform: str) -> bool:
        return self.world.now < self.down.get(platform, 0.0)

    def _health(self, platform: str) -> str:
        return "平台连接不上" if self._is_down(platform) else ""

    def _halted(self) -> str:
        return "报送总开关处于停止状态" if self.world.stopped else ""

    def _delay(self) -> float:
        if self.world.quiet:
            return 3.0
        return self.rng.uniform(600.0, 60_000.0) if self.plan.slow else self.rng.uniform(0.5, 40.0)

    def _fails(self) -> bool:
        return not self.world.quiet and self.plan.has("batch_fails") and self.rng.random() < 0.3

    def _nonce(self) -> str:
        self._nonces += 1
        return f"{self._nonces:032x}"

    def _spec(self, platform: str) -> Any:
        spec = settings().platforms[platform]
        return SMALL[platform] if self.plan.small_batches else spec

    # -- specials ----------------------------------------------------------------------------------------------------

    def _prepare(self, special: Special) -> None:
        what, at = special.what, START + special.at
        target = self.world.platforms[special.platform]
        wanted = self.plan.versions[special.pick % len(self.plan.versions)][1]
        if what in ("refused", "poison"):
            getattr(target, what).add(wanted.marker)
        elif what == "hand":
            how = sim_people.HAND[special.how]
            self.world.later(at, lambda: sim_people.type_in(self.world, target, wanted, how))
        elif what == "outage":
            self.world.later(at, lambda: self.down.__setitem__(special.platform, at + special.seconds))
        elif what == "stop":
            self.world.later(at, lambda: self._switch(True))
            self.world.later(at + special.seconds, lambda: self._switch(False))
        elif what == "platform_restore":
            self.world.later(at, lambda: self.backups.__setitem__(special.platform, target.backup()))
            self.world.later(at + special.seconds, lambda: self._platform_restore(special.platform))
        elif what == "ledger_restore":
            self.restores.append(special)

    def _switch(self, on: bool) -> None:
        if not self.world.quiet:
            self.world.stopped = on
            self.world.note("stop" if on else "resume")

    def _platform_restore(self, platform: str) -> None:
        if not self.world.quiet:
            self.world.note("platform_restore", platform)
            self.world.platforms[platform].restore(self.backups[platform])

    def _restored(self) -> None:
        """Our database is lost and comes back as it was; the order of the handbook: read again, reconcile, then send."""
        for special in list(self.restores):
            if "ledger" not in self.backups:
                self.backups["ledger"] = self.ledger.backup()
            elif not self.world.quiet or special.how % 2:
                self.restores.remove(special)
                self._dump()
                self.ledger.restore(self.backups.pop("ledger"))
                self.world.note("ledger_restore")
                calm, self.world.quiet = self.world.quiet, True
                for read in (False, True):
                    if read:
                        self.acceptance.again(self.world.now)
                    for platform in self.plan.platforms:
                        self._reconcile(platform, everything=True)
                self.world.quiet = calm

    # -- the end -----------------------------------------------------------------------------------------------------

    def _at_rest(self) -> bool:
        if self.pending or self.restores:
            return False
        query = "SELECT count(*) FROM outbox WHERE state IN ('READY','INFLIGHT','UNKNOWN','ACCEPTED')"
        open_ = self.ledger.raw.execute(query).fetchone()[0]
        return not open_ and not self.ledger.raw.execute("SELECT 1 FROM lane WHERE stopped <> ''").fetchone()

    def _differs(self) -> bool:
        """Reconcile everything with every platform; whether that has put anything in motion again."""
        for platform in self.plan.platforms:
            self._reconcile(platform, everything=True)
            state, error = self.ledger.raw.execute(
                "SELECT state, error FROM reconciliation ORDER BY id DESC"
            ).fetchone()
            if state == "FAILED":
                self.world.evidence.defects.append(f"a calm reconciliation failed: {error}")
        self.world.sleep(3600.0)
        sim_people.morning(self.world, tired=False)
        return not self._at_rest()

    def _dump(self) -> None:
        for name in TABLES:
            self.world.evidence.tables.setdefault(f"{name}@{len(self.world.evidence.notes)}", self.ledger.rows(name))

    def _close(self) -> None:
        evidence = self.world.evidence
        for name in TABLES:
            evidence.tables[name] = self.ledger.rows(name)
        for name, platform in self.world.platforms.items():
            evidence.stores[name] = platform.held()
            evidence.effects += platform.effects
            evidence.refusals += platform.refusals
            for request, start, end in platform.taken_in:
                evidence.pending.setdefault(request, []).append((start, end))
        evidence.effects.sort(key=lambda effect: effect.at)
        evidence.versions = list(self.acceptance.decided.values())


STALLS = (Run._pause, Run._lose, Run._lose, Run._lose, Run._twice, Run._elsewhere, Run._intake, Run._intake)
SMALL = {name: spec.model_copy(update={"batch_records": 2}) for name, spec in settings().platforms.items()}


@contextmanager
def wired(run: Run) -> Iterator[None]:
    """The production modules on the simulated wire, clock and locks, for the duration."""
    with ExitStack() as stack:
        for module, name, value in (
            (client, "exchange", run.wire.exchange),
            (client, "Line", SimLine),
            (reconciling, "check_identity", lambda *_: None),
            (reconciling, "KINDS", run.kinds),
            (lanes, "_process_lock", run.lock),
            (budget, "random", Random(run.world.seed + 1)),
            (points, "hook", run.reach),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


@contextmanager
def quickly() -> Iterator[None]:
    """SQL put together by `sim_sql` for the duration: the same statements, some ten times cheaper."""
    ledger = shared_ledger()
    with fast_sql():
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
    return Outcome(
        seed, world.trace, world.crashes, world.faults, len(world.evidence.requests), check(world.evidence), states,
        run.stalls,
    )  # fmt: skip


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
