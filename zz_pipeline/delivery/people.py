"""What people decide: a row that waits for them, a stopped lane, the stop switch, records a platform has lost.

Belongs here: their decisions as events with name, reason and audit. Must not: deciding by itself, sending.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, and_, delete, exists, insert, select, update

from zz_pipeline.delivery import holdings
from zz_pipeline.delivery.compare import record_keys
from zz_pipeline.delivery.protocol import Remote, RowKey, State
from zz_pipeline.delivery.rows import Facts, OutRow, advance, read_keys, save_rows, set_batch
from zz_pipeline.delivery.states import Event
from zz_pipeline.errors import LedgerError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import conflict, difference, holding, lane, outbox, switch

FOUR_EYES_FROM = 100  # more records than that: a second person must approve
DECISIONS = {"retry": Event.RETRY, "give_up": Event.GIVE_UP, "adopt": Event.ADOPT}
_WORDS = {Event.RETRY: "人工决定重试", Event.GIVE_UP: "人工决定不再报送", Event.ADOPT: "人工认定以平台现有内容为准"}


def two_people(by: str, approved_by: str) -> str:
    """Why two names are not two people; empty if they are."""
    same = "".join(by.split()) == "".join(approved_by.split())
    return f"经办人与批准人都是“{approved_by}”，须是两个人" if same else ""


def four_eyes(count: int, by: str, approved_by: str) -> str:
    """Why so many records may not be moved by these people, in Chinese; empty if they may."""
    if count <= FOUR_EYES_FROM:
        return ""
    if not approved_by:
        return f"涉及 {count} 条，超过 {FOUR_EYES_FROM} 条须两人：请加 --approved-by 批准人"
    return two_people(by, approved_by)


def decide(
    ledger: Ledger,
    platform: str,
    keys: Sequence[RowKey],
    decision: str,
    *,
    actor: str,
    note: str,
    now: float,
    approved_by: str = "",
) -> int:
    """Apply a person's decision (retry, give_up, adopt) to rows; all or nothing; returns how many.

    Above `FOUR_EYES_FROM` rows a second person must have approved.
    A retry of a CONFLICT only asks the platform again: another's entry is never overwritten from here. Only a row that
    was never sent, and is in CONFLICT because of what a reconciliation found, is sent then.
    """
    event = DECISIONS[decision]
    if refusal := four_eyes(len(keys), actor, approved_by):
        raise LedgerError(f"{refusal}，未作任何改动。")
    with ledger.begin("decision") as conn:
        rows = read_keys(conn, platform, keys)
        if len(rows) != len(set(keys)):
            raise LedgerError(f"平台 {platform} 的台账里找不到所选的全部记录，未作任何改动；请刷新清单后重选。")
        if event is Event.RETRY:
            _refuse_old(conn, platform, rows)
        facts = Facts(now=now, reason=f"{_WORDS[event]}（{actor}：{note}）")
        moved = [_decided(conn, platform, row, event, facts, actor, note) for row in rows]
        save_rows(conn, platform, moved, now)
        told = {
            "decision": decision,
            "note": note,
            "approved_by": approved_by,
            "rows": [[*row.key, row.state] for row in moved],
        }
        audit.append(conn, actor, "DECISION", platform, True, told)
    return len(moved)


def _refuse_old(conn: Connection, platform: str, rows: Sequence[OutRow]) -> None:
    """A version with a newer one is not sent again, least of all one that was withdrawn; a conflict may be asked about."""
    later = outbox.alias("later")
    for row in rows:
        same = and_(
            later.c.platform == platform, later.c.kind == row.key.kind, later.c.record_key == row.key.record_key
        )
        newer = select(later.c.version).where(same, later.c.version > row.key.version)
        if row.state is not State.CONFLICT and (found := conn.scalar(newer.limit(1))):
            raise LedgerError(
                f"记录 {row.key.record_key} 第 {row.key.version} 版之后已有第 {found} 版，旧版不再重发，未作任何改动；请对新版作决定。"
            )


def _decided(conn: Connection, platform: str, row: OutRow, event: Event, facts: Facts, actor: str, note: str) -> OutRow:
    if event is Event.RETRY and row.state is State.CONFLICT and row.batch_id is None:
        event = Event.OVERRULED  # it was never sent: there is no batch to ask about
    if row.state is State.CONFLICT:
        _close_conflict(conn, platform, row, event, facts.now, actor, note)
    new = advance(row, event, facts)[0]._replace(tries=0)
    if new.state is State.UNKNOWN and row.batch_id:
        set_batch(conn, row.batch_id, state="UNKNOWN")
    return new


def _close_conflict(
    conn: Connection, platform: str, row: OutRow, event: Event, now: float, actor: str, note: str
) -> None:
    names = zip(("kind", "record_key", "version"), row.key, strict=True)
    where = and_(conflict.c.platform == platform, conflict.c.decision == "", *(conflict.c[n] == v for n, v in names))
    if event is Event.ADOPT:
        dept = conn.execute(select(outbox.c.dept).where(outbox.c.item_key == row.item_key)).scalar_one()
        for theirs in conn.execute(select(conflict.c.theirs).where(where)).scalars():
            said = [line.split(" ")[:3] for line in theirs.splitlines()]
            remotes = [Remote(key, row.key.kind, state, digest) for key, state, digest in said]
            holdings.take_over(conn, platform, dept, row.key, remotes, now)
    if event is Event.OVERRULED:  # what is sent now goes over theirs, not over what we had believed to be there
        for theirs in conn.execute(select(conflict.c.theirs).where(where)).scalars():
            for key, *said in (line.split(" ")[:3] for line in theirs.splitlines()):
                holdings.set_back(conn, platform, row.key.kind, key, " ".join(said))
    conn.execute(update(conflict).where(where).values(decided_by=actor, decision=f"{event}：{note}"))


def release_lane(ledger: Ledger, platform: str, dept: str, *, actor: str, note: str) -> None:
    """Let a stopped lane work again; its breaker is closed too."""
    with ledger.begin("release") as conn:
        where = and_(lane.c.platform == platform, lane.c.dept == dept)
        conn.execute(update(lane).where(where).values(stopped="", failures=0, breaker_until=0.0, breaker_step=0))
        audit.append(conn, actor, "LANE_RELEASE", f"{platform}/{dept}", True, {"note": note})


def set_stop(ledger: Ledger, on: bool, *, actor: str, note: str, now: float) -> None:
    """Throw the switch that stops every send, or release it."""
    with ledger.begin("switch") as conn:
        conn.execute(delete(switch).where(switch.c.name == "stop"))
        conn.execute(insert(switch).values(name="stop", value="on" if on else "off", at=now))
        audit.append(conn, actor, "STOP_SWITCH", "all", True, {"on": on, "note": note})


def requeue_lost(ledger: Ledger, reconciliation_id: int, *, actor: str, note: str, now: float) -> int:
    """A person approves that records a reconciliation found lost are asked about and, if absent, sent again."""
    lost = and_(difference.c.reconciliation_id == reconciliation_id, difference.c.type.in_(("lost", "stale")))
    same = and_(
        holding.c.platform == difference.c.platform,
        holding.c.kind == difference.c.kind,
        holding.c.remote_key == difference.c.remote_key,
    )
    older = (difference.c.platform, difference.c.kind, difference.c.remote_key, difference.c.theirs)
    columns = (holding.c.platform, holding.c.kind, holding.c.record_key, holding.c.version)
    query = select(*columns, difference.c.type, difference.c.remote_key).join_from(difference, holding, same)
    count = 0
    with ledger.begin("requeue") as conn:
        rows = conn.execute(query.where(lost)).all()
        for stale in conn.execute(select(*older).where(lost, difference.c.type == "stale")).all():
            holdings.set_back(conn, *stale)
        gone: dict[tuple[str, RowKey], set[str]] = {}
        for platform, kind, record_key, version, what, remote_key in rows:
            names = gone.setdefault((platform, RowKey(kind, record_key, version)), set())
            names.update([remote_key] if what == "lost" else ())
        for (platform, key), names in gone.items():
            count += vanish(conn, platform, [key], names, f"人工批准重新核实（{actor}：{note}）", now)
        audit.append(conn, actor, "REQUEUE_LOST", str(reconciliation_id), True, {"rows": count, "note": note})
    return count


def vanish(
    conn: Connection, platform: str, keys: Sequence[RowKey], lost: Collection[str], reason: str, now: float
) -> int:
    """CONFIRMED rows that the platform does not show go back to be asked about; rows that moved on are left alone.

    What was never sent in this life of the ledger (a reconciliation after a restore had confirmed it) has no batch to ask
    about, nor has what needed no sending: the full list has spoken, and it is sent. What a person has adopted stays as
    it is, and so does what a later version stands over that a person has given up.

    lost: remote keys that the list does not show at all; beside them, what is there is an older content.
    """
    rows = [row for row in read_keys(conn, platform, keys) if row.state is State.CONFIRMED]
    rows = [row for row in rows if row.batch_id or not _adopted(conn, platform, row.key)]
    since = _given_up(conn, platform, {row.key.record_key for row in rows})
    rows = [row for row in rows if row.key.version >= since.get((row.key.kind, row.key.record_key), 0)]
    facts = Facts(now=now, reason=reason)
    gone = [advance(row, Event.VANISHED if row.batch_id else Event.GONE, facts)[0] for row in rows]
    for kind in {row.key.kind for row in gone if row.batch_id is None}:
        mine = {row.key.record_key for row in gone if row.batch_id is None and row.key.kind == kind}
        holdings.forget(conn, platform, kind, [k for k in sorted(lost) if mine.intersection(record_keys(k))])
    save_rows(conn, platform, gone, now)
    audit.append_rows(conn, "reconcile", "VANISHED", platform, False, [[*row.key, str(row.state)] for row in gone])
    for batch_id in sorted({row.batch_id for row in rows if row.batch_id}):
        set_batch(conn, batch_id, state="UNKNOWN")
    return len(rows)


def _given_up(conn: Connection, platform: str, record_keys: Collection[str]) -> dict[tuple[str, str], int]:
    """(kind, record key) → the version that a person has given up although it stands there: no older one goes over it."""
    o = outbox.c
    mine = and_(o.platform == platform, o.record_key.in_(record_keys), o.state == State.CANCELLED)
    same = and_(holding.c.platform == platform, holding.c.kind == o.kind, holding.c.record_key == o.record_key)
    there = exists(select(holding.c.remote_key).where(same, holding.c.version == o.version))
    query = select(o.kind, o.record_key, o.version).where(mine, o.batch_id.is_not(None), there).order_by(o.version)
    return {(kind, key): version for kind, key, version in conn.execute(query)}


def _adopted(conn: Connection, platform: str, key: RowKey) -> bool:
    names = zip(("kind", "record_key", "version"), key, strict=True)
    mine = and_(conflict.c.platform == platform, *(conflict.c[n] == v for n, v in names))
    return conn.scalar(select(conflict.c.id).where(mine, conflict.c.decision.like("adopt%")).limit(1)) is not None
