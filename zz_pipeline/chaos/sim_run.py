"""One schedule while it runs: nights of real lanes against simulated platforms, until nothing moves.

Belongs here: carrying a plan out, processes that die, stall and compete. Must not: judging (that is `checker`), campaigns.

What runs is production code: `Worker`, `claim`, `settle`, `gates`, `lanes.take`, `reconcile`, `people`, `write_versions`,
the client with its signatures and owner gate, the adapters. Simulated are time, the wire, the platforms, and processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from zz_pipeline import reconcile as reconciling
from zz_pipeline.chaos import sim_people, sim_schedule, sim_specials
from zz_pipeline.chaos.sim_evidence import Request
from zz_pipeline.chaos.sim_ledger import SimLedger
from zz_pipeline.chaos.sim_records import DEPTS, ENTRY, Acceptance, Wanted, settings
from zz_pipeline.chaos.sim_schedule import Plan, Special
from zz_pipeline.chaos.sim_wire import GOOD, Fault, Wire
from zz_pipeline.chaos.sim_world import NIGHT, START, Process, SimKill, SimOver, World
from zz_pipeline.delivery import lanes
from zz_pipeline.delivery.claim import Desk
from zz_pipeline.delivery.client import Client
from zz_pipeline.delivery.worker import Watch, Worker
from zz_pipeline.errors import DeliveryError, FenceLost
from zz_pipeline.platforms import registry

CALM_NIGHTS = 9  # after the faults: so many nights must be enough for everything to come to rest
MOST_POINTS = 20_000  # a schedule that reaches more goes round in circles
LOCKS = Path("sim")
TABLES = ("outbox", "attempt", "audit_event", "batch", "conflict", "holding", "difference")
OUT = {
    "settle:after_commit",
    "probe:after_commit",
    "reconcile:after_commit",
}  # points at which what was heard is written down
DOWN = Fault("none", "no_connect")


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
        self.depth = self.stalls = self.reached = 0
        self.takers: list[tuple[str, str, int]] = []
        self._nonces = 0
        for special in self.plan.specials:
            sim_specials.prepare(self, special)

    def whole(self) -> None:
        """Nights with faults, then calm ones until nothing moves."""
        try:
            self._nights()
        except SimOver:
            self.world.tell("over")
        except Exception as error:  # it ends its schedule with a violation, not the campaign without any evidence
            self.world.evidence.defects.append(f"outside all processes {type(error).__name__}: {error}")
        self._close()

    def _nights(self) -> None:
        for night in range(self.plan.nights):
            self._night(night)
        self.world.quiet, self.down = True, {}
        self.world.stopped = False
        for night in range(self.plan.nights, self.plan.nights + CALM_NIGHTS):
            self._night(night)
            if self._at_rest() and not self._differs():
                break

    # -- nights ------------------------------------------------------------------------------------------------------

    def _night(self, night: int) -> None:
        world = self.world
        world.until(START + night * NIGHT)
        world.tell("night", night)
        sim_specials.restored(self)
        while self.pending and self.pending[0][0] <= night:
            self.accept_next()
        if world.quiet and self.plan.has("poison"):  # only while others pass is a record that always fails given up
            fine = Wanted(f"RT-AAAA-9{night:02d}", "rating", "AAAA", 1)
            self.acceptance.accept(fine, world.now)
        for platform in self.plan.platforms:
            for dept in self._lanes(platform):
                self._lane(platform, dept)
        # the last night of all is reconciled below, when everything is at rest
        for platform in self.plan.platforms:
            if self.rng.random() < (0.15 if world.quiet else 0.4):
                self.reconcile(platform)
        world.sleep(3600.0)
        sim_people.morning(world, tired=not world.quiet)

    def accept_next(self) -> None:
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

    def reconcile(self, platform: str, *, everything: bool = False) -> None:
        day = datetime.fromtimestamp(self.world.now, settings().zone)
        since = datetime.min if everything else None  # noqa: DTZ901 - wall time, as reconcile takes it

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
        self.reached += 1
        if self.reached > MOST_POINTS:
            world.evidence.defects.append(f"{MOST_POINTS} points and no end")
            raise SimOver
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
        self.accept_next()
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
            self.reconcile(platform, everything=True)
            state, error = self.ledger.raw.execute(
                "SELECT state, error FROM reconciliation ORDER BY id DESC"
            ).fetchone()
            if state == "FAILED":
                self.world.evidence.defects.append(f"a calm reconciliation failed: {error}")
        self.world.sleep(3600.0)
        sim_people.morning(self.world, tired=False)
        return not self._at_rest()

    def dump(self) -> None:
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
