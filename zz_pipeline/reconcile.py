"""Reconciliation: what a platform says it holds against what we believe, in both directions, and what follows.

Belongs here: listing, the repairs that need no person, the record of all differences.
Must not: pushes, a platform's contract, a state change that is not in the table of `delivery.states`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import orjson
from sqlalchemy import Connection, and_, insert, select, update

from zz_pipeline.delivery import compare, holdings, people
from zz_pipeline.delivery.client import Client, check_identity
from zz_pipeline.delivery.compare import Found, Held
from zz_pipeline.delivery.lanes import Lane, take
from zz_pipeline.delivery.meter import Meter
from zz_pipeline.delivery.protocol import Clock, Remote, RenderContext, RowKey, State
from zz_pipeline.delivery.rows import Facts, OutRow, advance, read_keys, read_rows, save_rows
from zz_pipeline.delivery.states import OUT, Event
from zz_pipeline.errors import ConfigError, DeliveryError, LedgerError, NotRenderable
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import conflict, difference, holding, outbox, reconciliation, record_version
from zz_pipeline.platforms import registry
from zz_pipeline.settings import PlatformSpec, Settings
from zz_pipeline.standard.results import FollowUps

KINDS = ("inspection", "rating")
SKEW = timedelta(minutes=10)  # platform clocks may be off by 300 s (gateway page); the window is wider than that
LABELS = {
    "lost": "平台缺少",
    "unexpected": "平台多出",
    "altered": "内容不同",
    "stale": "平台仍是旧版",
    "duplicate": "平台重复",
    "recovered": "查明已到",
}
ACTIONS = {
    "recovered": "平台已有我方内容，已记为确认",
    "unexpected": "平台有而我方无报送记录：请与部门核实是否在平台手工录入",
    "waiting": "我方待报记录在平台上已有其他内容，报送时按平台答复处理",
    "altered": "平台内容与我方确认的不同：请核对后决定",
    "ask": "平台缺少我方已确认的记录：已转回查询，仍没有则按原内容重发",
    "person": "平台缺少的记录超过允许比例：请确认平台是否恢复过备份，批准后才重新核实和补报",
}


@dataclass(slots=True)
class ReconcileResult:
    """OK: nothing open · DIFFERS: see differences · FAILED: not all departments could be compared, see error."""

    platform: str
    day: str
    state: str = "OK"
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[Found, str]] = field(default_factory=list)  # with what was or must be done
    error: str = ""
    id: int = 0

    @property
    def text(self) -> str:
        """Chinese: what differs or why it could not be compared; empty if both sides agree."""
        if self.error or self.state == "OK":
            return self.error
        return "、".join(f"{label} {self.counts[name]} 条" for name, label in LABELS.items() if self.counts[name])


def reconcile(
    ledger: Ledger,
    settings: Settings,
    platform: str,
    day: date,
    *,
    since: datetime | None = None,
    clock: Clock = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> ReconcileResult:
    """Compare each department's list on a platform with ours; default window: changed since the day before `day`.

    since: Beijing wall time without zone; the year 1 means everything. A platform that is down gives FAILED.
    """
    since = since or datetime.fromisoformat((day - timedelta(days=1)).isoformat())
    run = _Run(ledger, settings, settings.platforms[platform], since, clock, sleep)
    result = ReconcileResult(platform, day.isoformat())
    with ledger.begin("reconcile_begin") as conn:
        # a crash leaves a FAILED reconciliation behind, never the look of one that was not needed
        row = {"day": result.day, "platform": platform, "state": "FAILED", "error": "对账未完成", "at": clock()}
        result.id = int((conn.execute(insert(reconciliation).values(**row)).inserted_primary_key or (0,))[0])
    try:
        check_identity(run.spec, settings.county.environment)
        run.compare_all(result)
        run.repair_lost(result)
    except DeliveryError as error:
        result.error = f"{run.spec.label} 未能对账：{error}"
    return _closed(ledger, result, clock())


def _closed(ledger: Ledger, result: ReconcileResult, now: float) -> ReconcileResult:
    open_ = sum(n for name, n in result.counts.items() if name in ("lost", "unexpected", "altered", "stale"))
    result.state = "FAILED" if result.error else "DIFFERS" if open_ else "OK"
    with ledger.begin("reconcile_end") as conn:
        values = {"state": result.state, "counts": orjson.dumps(dict(result.counts)).decode(), "error": result.error}
        conn.execute(update(reconciliation).where(reconciliation.c.id == result.id).values(**values, at=now))
        for found, action in result.differences:
            said = {"remote_key": found.remote_key, "type": found.type, "ours": found.ours, "theirs": found.theirs}
            names = {"reconciliation_id": result.id, "platform": result.platform, "kind": found.kind}
            conn.execute(insert(difference).values(**names, **said, action=action))
        detail = {"day": result.day, "state": result.state, "counts": dict(result.counts), "error": result.error}
        audit.append(conn, "reconcile", "RECONCILED", result.platform, result.state == "OK", detail)
    return result


class _Run:
    """One reconciliation: what its departments share."""

    def __init__(
        self, ledger: Ledger, settings: Settings, spec: PlatformSpec, since: datetime, clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.ledger, self.settings, self.spec, self.since = ledger, settings, spec, since
        self.clock, self.sleep = clock, sleep
        self.adapter = registry.adapter(spec.adapter)
        self.lost: list[tuple[str, Found]] = []

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
        troubles = []
        for dept in self.departments:
            try:
                with take(self.ledger, self.settings.home / "locks", self.spec.name, dept, self.clock()) as lane:
                    if reason := lane.stopped():
                        troubles.append(f"{self._called(dept)}的通道已停用（{reason}）")
                        continue
                    self._department(lane, result)
            except (ConfigError, DeliveryError, LedgerError) as error:
                troubles.append(f"{self._called(dept)}：{error}")
        if troubles:
            result.error = f"{self.spec.label} 有 {len(troubles)} 个部门未能对账：" + "；".join(troubles)

    def _called(self, dept: str) -> str:
        found = self.settings.departments.get(dept)
        return f"{found.short}（{dept}）" if found else dept

    def _department(self, lane: Lane, result: ReconcileResult) -> None:
        department = self.settings.departments.get(lane.dept)
        if department is None:
            raise ConfigError(f"部门目录里没有 {lane.dept} 的配置，请补上 departments/{lane.dept}.toml。")
        line = Client(self.spec, self.settings.credential(self.spec.name, lane.dept), department)
        meter = Meter(lane, self.spec, line, self.clock, self.sleep)
        try:
            for kind in KINDS:
                self._kind(lane, meter, kind, result)
        finally:
            meter.flush()
            line.close()

    def _kind(self, lane: Lane, meter: Meter, kind: str, result: ReconcileResult) -> None:
        everything = self.since.year <= 1970
        theirs = self._list(meter, kind, None if everything else self.since - SKEW)
        with self.ledger.read() as conn:
            held = _held(conn, lane, kind)
            rows_of = _RowsOf(conn, lane, kind)
            hashes_of = _Hashes(conn, self, lane)
            found = list(compare.differences(kind, held, theirs, rows_of, hashes_of))
            start = 0.0 if everything else self.since.replace(tzinfo=self.settings.zone).timestamp()
            gone = list(compare.missing(held, theirs, start, rows_of))
            if gone:  # our own clock of confirmation is not the platform's clock of change: only a full list tells
                full = theirs if everything else self._list(meter, kind, None)
                absent = [mine for mine in gone if mine.remote_key not in full]
                found += [compare.lost(mine) for mine in absent]
                old = {m.remote_key: full[m.remote_key] for m in gone if m.remote_key in full}
                found += compare.differences(kind, held, old, rows_of, hashes_of)
        result.counts["theirs"] += len(theirs)
        result.counts["ours"] += sum(mine.confirmed_at >= start for mine in held.values())
        self._note(lane, found, result)

    def _list(self, meter: Meter, kind: str, since: datetime | None) -> dict[str, Remote]:
        """The platform's list by key; of an item that comes twice the later statement counts."""
        try:
            return {remote.remote_key: remote for remote in self.adapter.listing(meter, kind, since, None)}
        finally:
            meter.flush()

    def _note(self, lane: Lane, found: Sequence[Found], result: ReconcileResult) -> None:
        now = self.clock()
        with lane.fenced("reconcile") as conn:
            for one in found:
                result.counts[one.type] += 1
                if one.type in ("lost", "stale"):
                    self.lost.append((lane.dept, one))
                    continue
                action = ACTIONS["waiting" if one.type == "unexpected" and not one.person else one.type]
                result.differences.append((one, action))
                if one.type == "recovered":
                    _recover(conn, lane, one, now)
                elif one.person:
                    _open_conflict(conn, lane, one, now)
                    _contest(conn, lane, one, now)
            if found:
                told = {"found": [[f.type, f.kind, f.remote_key] for f in found[:500]], "count": len(found)}
                audit.append(conn, lane.actor, "DIFFERENCES", lane.name, False, told)

    def repair_lost(self, result: ReconcileResult) -> None:
        """A few lost records are asked about again; many are a platform's restored backup: a person decides."""
        share = len(self.lost) / max(1, result.counts["ours"])
        few = share <= self.settings.county.lost_share_needs_person
        result.differences += [(found, ACTIONS["ask" if few else "person"]) for _, found in self.lost]
        if not few:
            return
        for dept in sorted({dept for dept, _ in self.lost}):
            keys = sorted({found.key for owner, found in self.lost if owner == dept and found.key is not None})
            now = self.clock()
            with (
                take(self.ledger, self.settings.home / "locks", self.spec.name, dept, now) as lane,
                lane.fenced("lost") as conn,
            ):
                count = people.vanish(conn, self.spec.name, keys, "对账时平台查不到，正在重新核实", now)
                audit.append(conn, lane.actor, "LOST", lane.name, False, {"rows": count})


def _held(conn: Connection, lane: Lane, kind: str) -> dict[str, Held]:
    where = and_(holding.c.platform == lane.platform, holding.c.dept == lane.dept, holding.c.kind == kind)
    return {
        row.remote_key: Held(
            row.remote_key, RowKey(kind, row.record_key, row.version), row.state, row.content_hash, row.confirmed_at
        )
        for row in conn.execute(select(holding).where(where))
    }


class _RowsOf:
    """Our rows of the record behind a remote key, newest first; each record is read once."""

    def __init__(self, conn: Connection, lane: Lane, kind: str) -> None:
        self.conn, self.lane, self.kind = conn, lane, kind
        self.seen: dict[str, list[OutRow]] = {}

    def __call__(self, remote_key: str) -> list[OutRow]:
        if remote_key not in self.seen:
            names = compare.record_keys(remote_key)
            mine = and_(outbox.c.platform == self.lane.platform, outbox.c.dept == self.lane.dept)
            where = (mine, outbox.c.kind == self.kind, outbox.c.record_key.in_(names))
            rows = read_rows(self.conn, *where, lock=False)
            self.seen[remote_key] = sorted(rows, key=lambda row: row.key.version, reverse=True)
        return self.seen[remote_key]


class _Hashes:
    """Content hashes of a row: of its frozen wire, or of what it would send if it was never claimed (after a restore)."""

    def __init__(self, conn: Connection, run: _Run, lane: Lane) -> None:
        self.conn, self.run, self.lane = conn, run, lane

    def __call__(self, row: OutRow) -> frozenset[str]:
        wires = row.wires or (self._rendered(row) if row.state is State.READY else ())
        return frozenset(self.run.adapter.content_hash(wire) for wire in wires)

    def _rendered(self, row: OutRow) -> Sequence[dict[str, object]]:
        names = zip(("kind", "record_key", "version"), row.key, strict=True)
        where = [record_version.c[name] == value for name, value in names]
        payload = orjson.loads(self.conn.execute(select(record_version.c.payload).where(*where)).scalar_one())
        now = datetime.fromtimestamp(self.run.clock(), self.run.settings.zone).replace(tzinfo=None)
        department = self.run.settings.departments[self.lane.dept]
        context = RenderContext(department, now, follow_ups=FollowUps.load(self.run.settings.config_dir))
        try:
            return self.run.adapter.render(row.key, row.op, row.reason, row.rule, payload, context)
        except NotRenderable:
            return ()  # delivery says so with its reason when the row's turn comes


def _recover(conn: Connection, lane: Lane, found: Found, now: float) -> None:
    for row in read_keys(conn, lane.platform, [found.key] if found.key else []):
        if row.state in (State.UNKNOWN, State.READY):
            receipt = next((remote.receipt for remote in found.remotes if remote.receipt), "")
            new, _ = advance(row, Event.STORED, Facts(now=now, reason="对账确认平台已有", receipt=receipt))
            save_rows(conn, lane.platform, [replace(new, reason="对账确认平台已有")], now)
        holdings.take_over(conn, lane.platform, lane.dept, row.key, found.remotes, now)


def _contest(conn: Connection, lane: Lane, found: Found, now: float) -> None:
    """What we called confirmed is not what is there: a person decides before anything more of the record is sent."""
    for row in read_keys(conn, lane.platform, [found.key] if found.key else []):
        if row.state is State.CONFIRMED:
            new, _ = advance(row, Event.ALTERED, Facts(now=now, reason=ACTIONS["altered"]))
            save_rows(conn, lane.platform, [new], now)


def _open_conflict(conn: Connection, lane: Lane, found: Found, now: float) -> None:
    """For a person, once: the same statement of the platform is not put before them again every night."""
    kind, record_key, version = found.key or RowKey(found.kind, found.remote_key[:35], 0)
    names = {"platform": lane.platform, "kind": kind, "record_key": record_key, "version": version}
    said = f"{found.remote_key} {found.theirs}"
    known = and_(conflict.c.theirs == said, *(conflict.c[name] == value for name, value in names.items()))
    if conn.execute(select(conflict.c.id).where(known)).first() is None:
        conn.execute(insert(conflict).values(**names, ours=found.ours, theirs=said, opened_at=now))
