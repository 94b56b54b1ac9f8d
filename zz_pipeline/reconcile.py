"""Reconciliation: what a platform says it holds against what we believe, in both directions, and what follows.

Belongs here: which departments, listing, the record of a reconciliation, the preview without effect.
Must not: pushes, a platform's contract, what a difference leads to (that is `delivery.repair_plan`).

Memory does not grow with either side: lists lie in a scratch database (`delivery.listed`), both sides are compared in
parts, differences are written as they are found; only the first `SHOWN` of them are kept for the caller.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import chain, islice

import orjson
from sqlalchemy import insert, select, update

from zz_pipeline.delivery import compare, repair_plan, twins
from zz_pipeline.delivery.client import Client, check_identity
from zz_pipeline.delivery.compare import Found
from zz_pipeline.delivery.lanes import Lane, take
from zz_pipeline.delivery.listed import Held, Listed
from zz_pipeline.delivery.meter import Meter
from zz_pipeline.delivery.our_side import LedgerBook, Rendering
from zz_pipeline.delivery.protocol import Clock, State
from zz_pipeline.delivery.repair_plan import ACTIONS, LABELS, PLANNED, Agreement
from zz_pipeline.delivery.rows import CHUNK
from zz_pipeline.delivery.states import OUT
from zz_pipeline.errors import ConfigError, DeliveryError, LedgerError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import outbox, reconciliation
from zz_pipeline.platforms import registry
from zz_pipeline.settings import PlatformSpec, Settings
from zz_pipeline.standard.results import FollowUps

__all__ = ["ACTIONS", "EVERYTHING", "KINDS", "LABELS", "ReconcileResult", "reconcile"]

KINDS = ("inspection", "rating")
SKEW = timedelta(minutes=10)  # platform clocks may be off by 300 s (gateway page); the window is wider than that
EVERYTHING = datetime(1, 1, 1)  # noqa: DTZ001 - the county's wall time has no zone; since then: all there is
SHOWN = 500


@dataclass(slots=True)
class ReconcileResult:
    """OK: nothing open · DIFFERS: see differences · FAILED: not all departments could be compared, see error.

    differences: the first `SHOWN`, with what was or must be done; all are in the ledger · uncompared: department → why.
    """

    platform: str
    day: str
    state: str = "OK"
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[Found, str]] = field(default_factory=list)
    error: str = ""
    id: int = 0
    uncompared: dict[str, str] = field(default_factory=dict)
    refusal: str = ""  # why a person's agreement was not enough

    @property
    def text(self) -> str:
        """Chinese: what differs or why it could not be compared; empty if both sides agree."""
        if self.error or self.state == "OK":
            return self.error
        return repair_plan.text(self.counts)

    @property
    def compared(self) -> bool:
        """Whether the platform answered at all; departments that were left out are in `uncompared`."""
        return not self.error or bool(self.uncompared)


def reconcile(
    ledger: Ledger,
    settings: Settings,
    platform: str,
    day: date,
    *,
    since: datetime | None = None,
    clock: Clock = time.time,
    sleep: Callable[[float], None] = time.sleep,
    agreement: Agreement | None = None,
    dry: bool = False,
) -> ReconcileResult:
    """Compare each department's list on a platform with ours; default window: changed since the day before `day`.

    since: Beijing wall time without zone; `EVERYTHING` means all. A platform that is down gives FAILED.
    agreement: a person agrees that what is lost is sent again · dry: nothing is repaired, nothing written of it.
    """
    since = since or datetime.fromisoformat((day - timedelta(days=1)).isoformat())
    run = _Run(ledger, settings, settings.platforms[platform], since, clock, sleep, dry)
    result = ReconcileResult(platform, day.isoformat())
    if not dry:
        with ledger.begin("reconcile_begin") as conn:
            # a crash leaves a FAILED reconciliation behind, never the look of one that was not needed
            row = {"day": result.day, "platform": platform, "state": "FAILED", "error": "对账未完成", "at": clock()}
            result.id = int((conn.execute(insert(reconciliation).values(**row)).inserted_primary_key or (0,))[0])
    try:
        check_identity(run.spec, settings.county.environment)
        run.compare_all(result)
        run.repair_lost(result, agreement)
    except DeliveryError as error:
        result.error = f"{run.spec.label} 未能对账：{error}"
    return _closed(ledger, result, clock(), dry)


def _closed(ledger: Ledger, result: ReconcileResult, now: float, dry: bool) -> ReconcileResult:
    open_ = any(result.counts[name] for name in repair_plan.OPEN)
    result.state = "FAILED" if result.error else "DIFFERS" if open_ else "OK"
    if dry:
        return result
    with ledger.begin("reconcile_end") as conn:
        values = {"state": result.state, "counts": orjson.dumps(dict(result.counts)).decode(), "error": result.error}
        conn.execute(update(reconciliation).where(reconciliation.c.id == result.id).values(**values, at=now))
        detail = {"day": result.day, "state": result.state, "counts": dict(result.counts), "error": result.error}
        audit.append(conn, "reconcile", "RECONCILED", result.platform, result.state == "OK", detail)
    return result


class _Run:
    """One reconciliation: what its departments share."""

    def __init__(
        self, ledger: Ledger, settings: Settings, spec: PlatformSpec, since: datetime, clock: Clock,
        sleep: Callable[[float], None], dry: bool,
    ) -> None:  # fmt: skip
        self.ledger, self.settings, self.spec, self.since = ledger, settings, spec, since
        self.clock, self.sleep, self.dry = clock, sleep, dry
        self.adapter = registry.adapter(spec.adapter)
        self.follow_ups = FollowUps.load(settings.config_dir)
        self.everything = since.year <= 1970
        self.lists_all = self.everything or not spec.capability.list_by_time
        self.start = 0.0 if self.everything else since.replace(tzinfo=settings.zone).timestamp()
        self.losers: set[str] = set()  # departments of which something is lost or stale

    @property
    def departments(self) -> list[str]:
        """Departments that have a credential on the platform, and those that should: with something there or to be sent."""
        own = {c.department for c in self.settings.credentials.values() if c.platform == self.spec.name}
        with self.ledger.read() as conn:
            waits = outbox.c.state.in_((State.READY, *OUT, State.CONFIRMED))
            query = select(outbox.c.dept).where(outbox.c.platform == self.spec.name, waits).distinct()
            used = set(conn.execute(query).scalars())
        return sorted((own & self.settings.departments.keys()) | used)

    def compare_all(self, result: ReconcileResult) -> None:
        """Every department; the trouble of one is noted and the others go on."""
        for dept in self.departments:
            try:
                with self._lane(dept) as lane:
                    if reason := lane.stopped():
                        result.uncompared[dept] = f"通道已停用（{reason}）"
                        continue
                    self._department(lane, result)
            except (ConfigError, DeliveryError, LedgerError) as error:
                result.uncompared[dept] = str(error)
        if result.uncompared:
            told = "；".join(f"{self._called(dept)}：{why}" for dept, why in result.uncompared.items())
            result.error = f"{self.spec.label} 有 {len(result.uncompared)} 个部门未能对账：{told}"

    @contextmanager
    def _lane(self, dept: str) -> Iterator[Lane]:
        with take(self.ledger, self.settings.home / "locks", self.spec.name, dept, self.clock()) as lane:
            yield lane

    def _called(self, dept: str) -> str:
        found = self.settings.departments.get(dept)
        return f"{found.short}（{dept}）" if found else dept

    def _department(self, lane: Lane, result: ReconcileResult) -> None:
        department = self.settings.departments.get(lane.dept)
        if department is None:
            raise ConfigError(f"部门目录里没有 {lane.dept} 的配置，请补上 departments/{lane.dept}.toml。")
        now = datetime.fromtimestamp(self.clock(), self.settings.zone).replace(tzinfo=None)
        rendering = Rendering(self.adapter, department, now, self.follow_ups)
        line = Client(self.spec, self.settings.credential(self.spec.name, lane.dept), department)
        meter = Meter(lane, self.spec, line, self.clock, self.sleep)
        line.spend = meter.token
        try:
            for kind in KINDS:
                self._kind(lane, meter, kind, rendering, result)
        finally:
            meter.flush()
            line.close()

    def _kind(self, lane: Lane, meter: Meter, kind: str, rendering: Rendering, result: ReconcileResult) -> None:
        with Listed(kind) as theirs:
            self._list(meter, kind, None if self.lists_all else self.since - SKEW, theirs)
            with self.ledger.read() as conn:
                book = LedgerBook(conn, self.spec.name, lane.dept, kind, rendering)
                theirs.hold(book.holdings(0.0 if self.lists_all else self.start))
                if not self.lists_all:  # what was confirmed before the window may have changed in it
                    theirs.hold(book.held(theirs.unheld()))
                strange: list[Found] = []
                self._note(lane, _without(compare.differences(kind, theirs, book), strange), result)
                self._note(lane, self._missing(meter, kind, theirs, book), result)
                found = twins.identified(conn, self.spec.name, lane.dept, kind, self.adapter, meter, strange)
                self._note(lane, found, result)
                meter.flush()
            result.counts["theirs"] += len(theirs)
            result.counts["ours"] += theirs.held_since(self.start)

    def _missing(self, meter: Meter, kind: str, theirs: Listed, book: LedgerBook) -> Iterator[Found]:
        """What should be in the list and is not, as a full list sees it."""
        source = iter(compare.missing(theirs, self.start, book))
        if (first := next(source, None)) is None:
            return
        gone = chain([first], source)
        if self.lists_all:
            yield from _told(kind, gone, theirs, book)
            return
        with Listed(kind) as full:
            # our clock of confirmation is not the platform's clock of change: only a full list tells
            self._list(meter, kind, None, full)
            yield from _told(kind, gone, full, book)

    def _list(self, meter: Meter, kind: str, since: datetime | None, into: Listed) -> None:
        try:
            into.add(self.adapter.listing(meter, kind, since, None))
        finally:
            meter.flush()

    def _note(self, lane: Lane, found: Iterable[Found], result: ReconcileResult) -> None:
        """Write differences down in parts, and repair what needs no agreement."""
        source = iter(found)
        while part := list(islice(source, CHUNK)):
            for one in part:
                result.counts[one.type] += 1
                if len(result.differences) < SHOWN:
                    result.differences.append((one, repair_plan.action_of(one, PLANNED if self.dry else ACTIONS)))
                if one.type in repair_plan.RESENT:
                    self.losers.add(lane.dept)
            if not self.dry:
                with lane.fenced("reconcile") as conn:
                    repair_plan.repair(conn, lane, part, result.id, self.clock(), self.spec.quiet_seconds)

    def repair_lost(self, result: ReconcileResult, agreement: Agreement | None) -> None:
        """What is lost goes back to be asked about, if it is little or a person agrees; else it waits for one."""
        if not self.losers:
            return
        decided = repair_plan.verdict(result.counts, self.settings.county.lost_share_needs_person, agreement)
        result.refusal = decided.refusal
        words = (PLANNED if self.dry else ACTIONS)[decided.action]
        result.differences = [(f, words if f.type in repair_plan.RESENT else a) for f, a in result.differences]
        if self.dry:
            return
        for dept in sorted(self.losers) if decided.go else ():
            with self._lane(dept) as lane, lane.fenced("lost") as conn:
                repair_plan.ask_again(conn, lane, result.id, decided.reason, self.clock())
        with self.ledger.begin("requeue") as conn:
            repair_plan.decided(conn, result.id, decided.action)
            if agreement is not None and decided.go:
                told = {"platform": self.spec.name, "note": agreement.why, "approved_by": agreement.approved_by}
                audit.append(conn, agreement.by, "REQUEUE_LOST", str(result.id), True, told)


def _without(found: Iterable[Found], strange: list[Found]) -> Iterator[Found]:
    """The differences without entries nobody of us made: those are looked at again for twins of our own."""
    for one in found:
        if one.type == "unexpected" and one.person and len(strange) < twins.MOST:
            strange.append(one)
        else:
            yield one


def _told(kind: str, gone: Iterator[Held], full: Listed, book: LedgerBook) -> Iterator[Found]:
    """What is not in the list of the window: lost if it is in no list at all, else judged by what the full list says."""
    while part := list(islice(gone, CHUNK)):
        there = full.of([mine.remote_key for mine in part])
        yield from (compare.lost(mine) for mine in part if mine.remote_key not in there)
        pairs = [(there[mine.remote_key], mine) for mine in part if mine.remote_key in there]
        yield from compare.differences(kind, full, book, only=pairs)


def shown(result: ReconcileResult) -> Sequence[dict[str, str]]:
    """The differences that are kept for the caller, as plain values."""
    return [
        {"type": found.type, "kind": found.kind, "key": found.remote_key, "ours": found.ours, "theirs": found.theirs}
        | {"record": found.key.record_key if found.key else "", "action": action}
        for found, action in result.differences
    ]
