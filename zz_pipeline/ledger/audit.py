"""The audit chain: each event's hash covers the one before, so that a changed or missing event shows.

Belongs here: appending within the effect's own transaction, verifying all of it or what is new. Must not: contents of
records, secrets, comparing with other tables (that is `audit_check`), deleting (that is `retention`).
Source: 网络安全法 §21 (kept at least six months), GB/T 22239 level 3 (time, actor, event, object, success; protected).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, func, insert, select

from zz_pipeline.errors import AuditBroken
from zz_pipeline.ledger.schema import audit_event
from zz_pipeline.standard.canonical import canonical_json, sm3_hex

GENESIS = "0" * 64
_LOCK = 610124002
FIELDS = ("n", "ts", "actor", "type", "object", "ok", "detail")  # what an event's hash covers, beside `prev`
VERIFIED, PRUNED = "VERIFIED", "PRUNED"
ROWS_AN_EVENT = 500
SWEEP = 30  # days in which the nightly verification passes over all older events once


def append(
    conn: Connection, actor: str, type: str, object: str, ok: bool, detail: dict[str, Any], *, ts: float | None = None
) -> int:
    """Add one event in the caller's transaction; returns its number. AuditBroken if it cannot be written."""
    if conn.dialect.name == "postgresql":  # one appender at a time, until its transaction ends
        conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    last = head(conn)
    n, prev = (last.n + 1, last.h) if last else (1, GENESIS)
    row = {
        "n": n,
        "ts": ts if ts is not None else time.time(),
        "actor": actor,
        "type": type,
        "object": object,
        "ok": ok,
    }
    row["detail"] = canonical_json(detail).decode()
    try:
        conn.execute(insert(audit_event).values(**row, prev=prev, h=event_hash(prev, row)))
    except Exception as error:
        raise AuditBroken("审计日志写不进去，已停止发送。请检查磁盘空间和业务数据库。") from error
    return n


def append_rows(
    conn: Connection, actor: str, type: str, object: str, ok: bool, rows: Sequence[Sequence[Any]], **detail: Any
) -> None:
    """Events that tell [kind, record key, version, state] of each row, in parts, so that no event grows without bound."""
    for start in range(0, len(rows), ROWS_AN_EVENT):
        part = [list(row) for row in rows[start : start + ROWS_AN_EVENT]]
        append(conn, actor, type, object, ok, {**detail, "rows": part})


def head(conn: Connection) -> Any:
    """Number and hash (`n`, `h`) of the newest event; None while there is none."""
    return conn.execute(select(audit_event.c.n, audit_event.c.h).order_by(audit_event.c.n.desc()).limit(1)).first()


@dataclass(frozen=True, slots=True)
class ChainState:
    """Result of a verification: `broken_at` is the first event that does not fit, None if what was checked is whole.

    events: how many the ledger holds · checked: how many of them this verification recomputed.
    """

    events: int
    head: str
    broken_at: int | None
    checked: int = 0


def verify(conn: Connection) -> ChainState:
    """Walk the whole chain; memory is bounded by the driver's fetch size.

    A chain whose beginning was lawfully deleted begins with what its own PRUNED event says.
    """
    first = conn.execute(select(audit_event.c.n, audit_event.c.prev).order_by(audit_event.c.n).limit(1)).first()
    if first is None:
        return ChainState(0, GENESIS, None)
    start, prev = (1, GENESIS) if first.n == 1 else (first.n, first.prev)
    state = _walk(conn, start, prev, audit_event.c.n >= start)
    if state.broken_at is None and first.n > 1 and not _was_pruned(conn, first.n - 1, first.prev):
        return ChainState(state.events, state.head, first.n, state.checked)
    return state


def verify_new(conn: Connection, day: date) -> ChainState:
    """Check what came since the newest VERIFIED event, and the part of the older ones whose turn it is on `day`.

    The cost is in proportion to a night: the new events and a thirtieth of the old ones.
    """
    last = newest(conn, VERIFIED)
    if last is None:
        return verify(conn)
    through, known = int(last["through"]), str(last["head"])
    fresh = _walk(conn, through + 1, known, audit_event.c.n > through)
    low = int(conn.scalar(select(func.min(audit_event.c.n))) or 1)
    if fresh.broken_at is None and fresh.checked == 1:  # the note itself: a report written again says the same
        fresh = ChainState(through, known, None, 1)
    events = (fresh.events if fresh.broken_at is None else through) - low + 1
    if fresh.broken_at is not None:
        return ChainState(events, fresh.head, fresh.broken_at, fresh.checked)
    size = -(-(through - low + 1) // SWEEP)
    start = low + (day.toordinal() % SWEEP) * size
    part = (audit_event.c.n >= start) & (audit_event.c.n <= min(start + size, through))
    link = conn.scalar(select(audit_event.c.prev).where(audit_event.c.n == start)) or GENESIS
    older = _walk(conn, start, link, part) if start <= through else None
    ends = conn.scalar(select(audit_event.c.h).where(audit_event.c.n == through))
    broken = (older.broken_at if older else None) or (through if ends != known else None)
    if older and broken is None and older.events < min(start + size, through):
        broken = older.events + 1  # events at the end of the part are missing
    return ChainState(events, fresh.head, broken, fresh.checked + (older.checked if older else 0))


def note_verified(conn: Connection, known: str) -> None:
    """Write down that the chain was found whole up to the hash `known`: the next night begins there. Once for each end."""
    query = select(audit_event.c.n, audit_event.c.type).where(audit_event.c.h == known)
    last = conn.execute(query.order_by(audit_event.c.n.desc()).limit(1)).first()
    noted = newest(conn, VERIFIED)
    if last is not None and last.type != VERIFIED and (noted is None or noted["head"] != known):
        append(conn, "audit", VERIFIED, "chain", True, {"through": last.n, "head": known})


def newest(conn: Connection, type: str) -> dict[str, Any] | None:
    """The detail of the newest event of a type; None if there is none."""
    query = select(audit_event.c.detail).where(audit_event.c.type == type).order_by(audit_event.c.n.desc()).limit(1)
    found = conn.scalar(query)
    return dict(orjson.loads(found)) if found else None


def events(conn: Connection, *where: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    """Events in order, a few at a time, with their detail as it is written."""
    query = select(audit_event).where(*where).order_by(audit_event.c.n)
    for row in conn.execution_options(yield_per=2000).execute(query).mappings():
        yield {str(name): value for name, value in row.items()}


def event_hash(prev: str, row: dict[str, Any]) -> str:
    """SM3 over the hash of the event before and the canonical JSON of this event's fields."""
    return sm3_hex(prev.encode() + canonical_json(row))


def _walk(conn: Connection, start: int, prev: str, where: ColumnElement[bool]) -> ChainState:
    """Recompute events from number `start`, whose predecessor has the hash `prev`; `events` is the last number seen."""
    n, checked = start - 1, 0
    for row in events(conn, where):
        n, checked = n + 1, checked + 1
        said = {k: row[k] for k in FIELDS}
        if row["n"] != n or row["prev"] != prev or row["h"] != event_hash(prev, said):
            return ChainState(n, prev, row["n"], checked)
        prev = row["h"]
    return ChainState(n, prev, None, checked)


def _was_pruned(conn: Connection, through: int, known: str) -> bool:
    told = newest(conn, PRUNED)
    return told is not None and (told["through"], told["head"]) == (through, known)
