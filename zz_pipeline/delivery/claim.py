"""Claiming: choose rows, freeze their batch and commit the intent, before the first byte leaves.

Belongs here: the choice and its order, rendering at the first claim, batch numbers, the intent's transaction.
Must not: sending, reading answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, and_, case, insert, select, update

from zz_pipeline.delivery import budget, gates, holdings, points, strange
from zz_pipeline.delivery.ahead import Ahead, due, ordered, still_due
from zz_pipeline.delivery.lanes import Lane
from zz_pipeline.delivery.protocol import Adapter, Clock, Remote, RenderContext, Renews, RowKey, Sent, State
from zz_pipeline.delivery.rows import (
    CHUNK,
    Batch,
    Facts,
    OutRow,
    advance,
    read_batch,
    read_keys,
    read_rows,
    save_rows,
    set_batch,
)
from zz_pipeline.delivery.states import Event
from zz_pipeline.errors import LedgerError, NotRenderable, OwnerGate
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.audit_check import stands_in
from zz_pipeline.ledger.schema import attempt, batch, outbox, record_version, sequence
from zz_pipeline.ledger.versions import chunks
from zz_pipeline.settings import Department, PlatformSpec
from zz_pipeline.standard.canonical import sm3_hex
from zz_pipeline.standard.results import FollowUps

OPS = ("PUBLISH", "CORRECT", "WITHDRAW")
FRAME_BYTES = 4096  # room for what surrounds the records in a body


@dataclass(frozen=True, slots=True)
class Desk:
    """What claiming needs to know beside the lane: contract, limits, whose name, which platform is the entry."""

    adapter: Adapter
    spec: PlatformSpec
    department: Department
    entry: str
    zone: ZoneInfo
    follow_ups: FollowUps | None = None
    monotonic: Clock = time.monotonic  # by which the send deadline is measured


@dataclass(frozen=True, slots=True)
class Claim:
    """A committed intent: the bytes to send, under which attempt, at which monotonic moment its claim began."""

    sent: Sent
    attempt: int
    at: float


@dataclass(slots=True)
class Claimed:
    """What a claim did: a batch to send, or seconds to wait for a token, or rows settled without sending, or nothing."""

    claim: Claim | None = None
    wait: float = 0.0
    settled: list[OutRow] = field(default_factory=list)
    spent: bool = False  # the platform's records of the day are used up; the lane's rows wait for the next day


def claim(lane: Lane, desk: Desk, now: float, ahead: Ahead | None = None) -> Claimed:
    """Freeze the next batch of the lane in one fenced transaction; it may be sent when this has returned.

    ahead: the order of the lane's rows, kept by the caller from batch to batch.
    """
    done, ahead = Claimed(), ahead or Ahead()
    # before the commit: a machine that is frozen right behind it must not send hours later
    begun = desk.monotonic()
    with lane.fenced("claim") as conn:
        # acceptance may have cancelled a row between the choice and the lock on it
        rows = [row for row in _pick(conn, lane, desk, now, ahead) if row.state is State.READY]
        if not rows:
            return done
        done.wait = budget.take_token(conn, lane.platform, lane.dept, desk.spec, now)
        if done.wait:
            return done
        old = read_batch(conn, rows[0].batch_id) if rows[0].batch_id else None
        there = strange.entries(conn, lane.platform)
        if old is not None and old.state == "FROZEN":
            seen = [strange.contested(conn, desk.adapter, row, there, now) for row in rows]
            done.settled = [row for row in seen if row.state is not State.READY]
            _settle(conn, lane, done, now)
            done.claim = None if done.settled else _again(conn, lane, desk, old, rows, done, now)
        else:
            done.claim = _fresh(conn, lane, desk, old, rows, there, done, now)
    ahead.drop(row.key for row in done.settled)
    if done.claim is not None:
        ahead.drop(row.key for row in done.claim.sent.rows)
        done.claim = replace(done.claim, at=begun)
    return done


def _pick(conn: Connection, lane: Lane, desk: Desk, now: float, ahead: Ahead) -> list[OutRow]:
    """The rows of the next batch: nearest to the statutory limit first, of one kind and one path."""
    rows = _next_rows(conn, lane, desk, now, ahead)
    lead = rows[0] if rows else None
    old = read_batch(conn, lead.batch_id) if lead and lead.batch_id else None
    if old is not None and old.state in ("FROZEN", "SPLIT"):
        ahead.clear()
        members = read_rows(conn, outbox.c.platform == lane.platform, outbox.c.batch_id == old.batch_id)
        if old.state == "SPLIT":
            turn = and_(due(lane, desk.entry, now), outbox.c.batch_id == old.batch_id)
            return read_keys(conn, lane.platform, [key for key, _ in ordered(conn, turn, old.n)])
        if all(m.state is State.READY for m in members) and sum(len(m.wires) for m in members) == old.n:
            return members
        set_batch(conn, old.batch_id, state="CLOSED", closed_at=now)  # its rows have parted: a new number
    special = _special(conn, {row.batch_id for row in rows[1:] if row.batch_id})
    return [*rows[:1], *(row for row in rows[1:] if row.batch_id not in special)]


def _next_rows(conn: Connection, lane: Lane, desk: Desk, now: float, ahead: Ahead) -> list[OutRow]:
    """The next rows in order that can share a batch, each of them due in this very transaction."""
    for chosen_now in (False, True):
        if chosen_now:
            ahead.choose(conn, lane, desk.entry, now)
        lead = ahead.lead()
        if lead is None:
            continue
        path = desk.adapter.path(lead[0].kind, lead[1])
        ops = {op for op in OPS if op == lead[1] or _same_path(desk.adapter, lead[0].kind, op, path)}
        most = desk.adapter.limit(path)
        keys = ahead.alike(lead[0].kind, ops, most)
        if chosen_now:
            return read_keys(conn, lane.platform, keys)
        rows = still_due(conn, lane, desk.entry, keys, now)
        ahead.drop(set(keys) - {row.key for row in rows})
        if rows and ahead.enough(keys, most):
            return rows
    return []


def _same_path(adapter: Adapter, kind: str, op: str, path: str) -> bool:
    try:
        return adapter.path(kind, op) == path
    except (KeyError, ValueError, NotRenderable):  # an operation that the contract does not have for this kind
        return False


def _special(conn: Connection, numbers: set[str]) -> set[str]:
    """Those batches whose rows go together or in halves, never in another batch."""
    state = batch.c.state.in_(("FROZEN", "SPLIT"))
    found: set[str] = set()
    for part in chunks(sorted(numbers)):
        found |= set(conn.execute(select(batch.c.batch_id).where(batch.c.batch_id.in_(part), state)).scalars())
    return found


def _again(
    conn: Connection, lane: Lane, desk: Desk, old: Batch, rows: list[OutRow], done: Claimed, now: float
) -> Claim | None:
    """The same frozen bytes under the same number; what was counted for another day is counted for today."""
    if sm3_hex(old.body) != old.digest:
        raise LedgerError(
            f"批次 {old.number} 的冻结内容与其摘要不符，台账可能被改动，已停止发送。请核查审计链并从备份恢复。"
        )
    if budget.day(old.created_at, desk.zone) != budget.day(now, desk.zone):
        wanted = old.n if _counts(desk, rows[0]) else 0
        if wanted and budget.take_records(conn, lane.platform, desk.spec, wanted, now, desk.zone) < wanted:
            _tomorrow(conn, lane, desk, done, now)
            return None
    return _commit_intent(conn, lane, desk, old, rows, now)


def _counts(desk: Desk, row: OutRow) -> bool:
    """Whether a row's records count against the day: all do but a stop of publicity (gateway page, "Rate and quota")."""
    return not (desk.spec.capability.public and row.op == "WITHDRAW")


def _tomorrow(conn: Connection, lane: Lane, desk: Desk, done: Claimed, now: float) -> None:
    """What counts and is due on the lane waits for the county's next midnight."""
    done.spent = True
    due = and_(gates.mine(lane.platform, lane.dept), outbox.c.state == State.READY)
    if desk.spec.capability.public:
        due = and_(due, outbox.c.op != "WITHDRAW")
    morrow = budget.next_day(now, desk.zone)
    conn.execute(update(outbox).where(due, outbox.c.next_at < morrow).values(next_at=morrow, updated_at=now))


def _granted(conn: Connection, lane: Lane, desk: Desk, rows: list[OutRow], done: Claimed, now: float) -> list[OutRow]:
    """The first of the rows whose records the platform's day still has room for; without any, the lane waits."""
    if not rows or not _counts(desk, rows[0]):
        return rows
    wanted = sum(len(row.wires) for row in rows)
    granted = budget.take_records(conn, lane.platform, desk.spec, wanted, now, desk.zone)
    if granted == wanted:
        return rows
    fit, count = [], 0
    for row in rows:
        if count + len(row.wires) > granted:
            break
        fit.append(row)
        count += len(row.wires)
    budget.give_records_back(conn, lane.platform, granted - count, now, desk.zone)
    _tomorrow(conn, lane, desk, done, now)
    return fit


def _fresh(
    conn: Connection, lane: Lane, desk: Desk, old: Batch | None, rows: list[OutRow], there: strange.Strange,
    done: Claimed, now: float,
) -> Claim | None:  # fmt: skip
    """A new batch out of the first rows that fit; rows that need no sending are settled on the way."""
    path = desk.adapter.path(rows[0].key.kind, rows[0].op)
    most = min(desk.adapter.limit(path), desk.spec.batch_records)
    if old is not None and old.state == "SPLIT":
        most = max(1, (old.n + 1) // 2)
    _as_frozen(conn, rows)
    known = _known(conn, lane, rows)
    ready: list[OutRow] = []
    size, count = FRAME_BYTES, 0
    for row in rows:
        rendered = _rendered(known, lane, desk, row, now)
        if there and rendered.state is State.READY:
            seen = strange.contested(conn, desk.adapter, rendered, there, now)
            # of a row that was never sent nothing stays frozen: what a person's decision leads to is rendered then
            rendered = rendered if seen.state is State.READY else seen._replace(wire=row.wire)
        if rendered.state is not State.READY:
            done.settled.append(rendered)
            continue
        bytes_, records = len(rendered.wire or b""), len(rendered.wires)
        if ready and (count + records > most or size + bytes_ > desk.spec.batch_bytes):
            break
        ready.append(rendered)
        size, count = size + bytes_, count + records
    ready = _granted(conn, lane, desk, ready, done, now)  # before the audit: all lanes lock in this order
    _settle(conn, lane, done, now)
    return _frozen(conn, lane, desk, path, ready, now) if ready else None


def _settle(conn: Connection, lane: Lane, done: Claimed, now: float) -> None:
    """Write the rows that are not sent after all."""
    save_rows(conn, lane.platform, done.settled, now)
    for row in done.settled:
        if row.state is State.CONFIRMED:
            holdings.inherit(conn, lane.platform, row.key, "WITHDRAWN" if row.op == "WITHDRAW" else "PRESENT")
    if done.settled:
        told = {"rows": [[*row.key, row.state] for row in done.settled]}
        audit.append(conn, lane.actor, "SETTLE", lane.name, True, told)


def _as_frozen(conn: Connection, rows: Sequence[OutRow]) -> None:
    """What was sent before goes again only as it stands in the batch it was sent in; LedgerError if it was changed."""
    frozen = [row for row in rows if row.wire is not None]
    for number in {row.batch_id for row in frozen if row.batch_id}:
        old = read_batch(conn, number)
        whole = old is not None and sm3_hex(old.body) == old.digest
        altered = [r for r in frozen if r.batch_id == number and not stands_in(old.body if old else b"", r.wire or b"")]
        if altered or not whole:
            key = altered[0].key.record_key if altered else f"批次 {number[:12]}"
            raise LedgerError(
                f"{key} 冻结的报文与其批次的内容不符，台账可能被改动，已停止发送。请执行 zz audit verify 并从备份恢复。"
            )


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows of a batch's rows, read by a few statements: their versions, and what the platform holds."""

    versions: dict[RowKey, Any]
    held: dict[str, dict[str, Remote]]
    gone: set[str]  # records to be withdrawn that were there, and that the platform has been found not to hold any more


def _known(conn: Connection, lane: Lane, rows: Sequence[OutRow]) -> _Known:
    keys = [row.key for row in rows]
    versions: dict[RowKey, Any] = {}
    for start in range(0, len(keys), CHUNK):
        part, v = keys[start : start + CHUNK], record_version.c
        where = (v.kind == part[0].kind, v.record_key.in_([key.record_key for key in part]))
        query = select(v.kind, v.record_key, v.version, v.owner_dept, v.submit_dept, v.digest, v.payload).where(*where)
        wanted = v.version.in_({key.version for key in part})
        versions |= {RowKey(*found[:3]): found for found in conn.execute(query.where(wanted))}
    held = holdings.of_each(conn, lane.platform, keys)
    unheld = [row.key for row in rows if row.op == "WITHDRAW" and row.key.record_key not in held]
    return _Known(versions, held, holdings.once_there(conn, lane.platform, unheld))


def _rendered(known: _Known, lane: Lane, desk: Desk, row: OutRow, now: float) -> OutRow:
    """The row with its wire frozen, or settled because there is nothing to send of it."""
    held = known.held.get(row.key.record_key, {})
    if row.wire is not None:
        return _renewed(held, desk, row, now)
    version = known.versions.get(row.key)
    if version is None:
        raise LedgerError(
            f"台账里没有记录 {row.key.record_key} 第 {row.key.version} 版的内容，台账可能被改动，已停止发送。请从备份恢复。"
        )
    if version.owner_dept != lane.dept or version.submit_dept != lane.dept:
        raise OwnerGate(
            f"记录 {row.key.record_key} 属于 {version.owner_dept}，却排在 {lane.dept} 的通道里，已拒绝发送。请联系维护人员。"
        )
    if sm3_hex(version.payload) != version.digest:
        raise LedgerError(
            f"记录 {row.key.record_key} 第 {row.key.version} 版的内容与其摘要不符，台账可能被改动，已停止发送。"
        )
    if row.op == "WITHDRAW" and row.key.record_key in known.gone:
        return advance(row, Event.EMPTY, Facts(now=now, reason="平台上已没有这条记录，无需再撤回"))[0]
    if row.op == "WITHDRAW" and not held:
        return advance(row, Event.CANCELLED, Facts(now=now, reason="该记录从未到达本平台，无需撤回"))[0]
    day = datetime.fromtimestamp(now, desk.zone).replace(tzinfo=None)
    context = RenderContext(desk.department, day, held, desk.follow_ups)
    try:
        wires = desk.adapter.render(row.key, row.op, row.reason, row.rule, orjson.loads(version.payload), context)
    except NotRenderable as error:
        return advance(row, Event.UNRENDERABLE, Facts(now=now, reason=str(error)))[0]
    if not wires:
        return advance(row, Event.EMPTY, Facts(now=now, reason="平台已有相同内容，无需再报"))[0]
    return row._replace(wire=orjson.dumps(list(wires)))


def _renewed(held: Mapping[str, Remote], desk: Desk, row: OutRow, now: float) -> OutRow:
    """What was frozen goes again as it is; only its operations follow what the platform holds now."""
    if not isinstance(desk.adapter, Renews):
        return row
    wires = desk.adapter.renewed(row.wires, held)
    if wires == row.wires:
        return row
    if not wires:
        return advance(row, Event.EMPTY, Facts(now=now, reason="平台上已没有这条记录，无需再撤回"))[0]
    return row._replace(wire=orjson.dumps(list(wires)))


def _frozen(conn: Connection, lane: Lane, desk: Desk, path: str, rows: Sequence[OutRow], now: float) -> Claim:
    day = datetime.fromtimestamp(now, desk.zone).replace(tzinfo=None)
    number = desk.adapter.number(desk.department, day, _next(conn, f"batch:{lane.name}:{day:%Y%m%d}", day))
    body = desk.adapter.freeze(desk.department, number, path, tuple(row.seen() for row in rows))
    while len(body) > desk.spec.batch_bytes and len(rows) > 1:
        if _counts(desk, rows[0]):
            spare = sum(len(row.wires) for row in rows[len(rows) // 2 :])
            budget.give_records_back(conn, lane.platform, spare, now, desk.zone)
        rows = rows[: len(rows) // 2]
        body = desk.adapter.freeze(desk.department, number, path, tuple(row.seen() for row in rows))
    told = "|".join((lane.name, *sorted(row.item_key for row in rows), str(lane.epoch), number))
    count = sum(len(r.wires) for r in rows)
    new = Batch(sm3_hex(told.encode()), path, number, body, sm3_hex(body), count, "FROZEN", now, 0.0, 0)
    values = {name: getattr(new, name) for name in Batch.__slots__}
    conn.execute(insert(batch).values(platform=lane.platform, dept=lane.dept, epoch=lane.epoch, **values))
    points.reach("claim:frozen")
    return _commit_intent(conn, lane, desk, new, rows, now)


def _next(conn: Connection, name: str, now: datetime) -> int:
    """The next number of a day's sequence, never below the second of the day (which five digits can hold).

    So a ledger restored from a backup does not begin with numbers that the platform has seen: the clock went on.
    """
    second = (now.hour * 60 + now.minute) * 60 + now.second
    value = case((sequence.c.value < second, second), else_=sequence.c.value + 1)
    grown = conn.execute(
        update(sequence).where(sequence.c.name == name).values(value=value).returning(sequence.c.value)
    )
    found = grown.scalar()
    if found is not None:
        return int(found)
    conn.execute(insert(sequence).values(name=name, value=max(second, 1)))
    return max(second, 1)


def _commit_intent(
    conn: Connection, lane: Lane, desk: Desk, frozen: Batch, rows: Sequence[OutRow], now: float
) -> Claim:
    facts = Facts(now=now, epoch=lane.epoch, batch_id=frozen.batch_id, reason="")
    save_rows(conn, lane.platform, [advance(row, Event.CLAIMED, facts)[0] for row in rows], now)
    set_batch(conn, frozen.batch_id, state="UNKNOWN", epoch=lane.epoch, first_byte_at=now, next_at=now)
    intent = {"platform": lane.platform, "dept": lane.dept, "batch_id": frozen.batch_id, "epoch": lane.epoch}
    made = conn.execute(insert(attempt).values(**intent, method="POST", path=frozen.path, nonce="", started_at=now))
    told = {"number": frozen.number, "digest": frozen.digest, "rows": [list(row.key) for row in rows]}
    audit.append(conn, lane.actor, "SEND", frozen.batch_id, True, told)
    seen = tuple(row.seen() for row in rows)
    sent = Sent(frozen.batch_id, desk.department, frozen.number, frozen.path, rows[0].key.kind, frozen.body, seen)
    return Claim(sent, int((made.inserted_primary_key or (0,))[0]), 0.0)
