"""What the tables say against what the audit chain says: every version, batch, attempt and state has its event.

Belongs here: replaying the chain into a scratch database and comparing. Must not: hashes of the chain (that is `audit`),
repairs, record contents in what is told.

The chain itself only shows that nobody edited the chain; a row that was edited by SQL beside the product shows here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import attempt, batch, outbox, record_version
from zz_pipeline.standard.canonical import sm3_hex

MOST = 200  # so many contradictions are told one by one
_SCRATCH = """
CREATE TABLE version (kind, key, version, digest, owner, PRIMARY KEY (kind, key, version)) WITHOUT ROWID;
CREATE TABLE batch (id PRIMARY KEY, digest, sends) WITHOUT ROWID;
CREATE TABLE row (platform, kind, key, version, state, batch, PRIMARY KEY (platform, kind, key, version)) WITHOUT ROWID;
CREATE INDEX row_batch ON row (batch);
"""


class Contradiction(NamedTuple):
    """One thing that the tables and the chain say differently; `text` is Chinese and names the record."""

    what: str  # version | batch | attempt | state
    key: str
    text: str


def contradictions(conn: Connection) -> Iterator[Contradiction]:
    """All contradictions between tables and chain; memory is bounded, the replay lies in a temporary file."""
    scratch = sqlite3.connect("", isolation_level=None)  # an unnamed database: on disk, gone when it is closed
    try:
        scratch.executescript(_SCRATCH)
        scratch.execute("BEGIN")
        pruned = _replay(conn, scratch)
        yield from _versions(conn, scratch, pruned)
        yield from _batches(conn, scratch, pruned)
        yield from _states(conn, scratch, pruned)
    finally:
        scratch.close()


# ── replay ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _replay(conn: Connection, scratch: sqlite3.Connection) -> float:
    """Follow every event; returns the moment before which events were lawfully deleted (0 if none were)."""
    for event in audit.events(conn):
        told = _TOLD.get(event["type"])
        if told is not None:
            told(scratch, event, orjson.loads(event["detail"]))
    pruned = audit.newest(conn, audit.PRUNED)
    return float(pruned["before"]) if pruned else 0.0


def _platform(event: dict[str, Any]) -> str:
    """The platform of a lane's event (`lane:<platform>/<department>@<epoch>`), else the event's object."""
    actor, name = event["actor"], event["object"]
    return str(actor.removeprefix("lane:") if actor.startswith("lane:") else name).split("/")[0]


def _accepted(scratch: sqlite3.Connection, event: dict[str, Any], detail: dict[str, Any]) -> None:
    owner, kind, _ = event["object"].split("/")
    for key, version, digest, states in detail["records"]:
        scratch.execute("INSERT OR REPLACE INTO version VALUES (?,?,?,?,?)", (kind, key, version, digest, owner))
        # a newer version cancels what never left; that is told by its acceptance alone
        scratch.execute(
            "UPDATE row SET state = 'CANCELLED' WHERE kind = ? AND key = ? AND version < ?"
            " AND state IN ('READY', 'HELD')",
            (kind, key, version),
        )
        rows = [(platform, kind, key, version, state, None) for platform, state in states.items()]
        scratch.executemany("INSERT OR REPLACE INTO row VALUES (?,?,?,?,?,?)", rows)


def _sent(scratch: sqlite3.Connection, event: dict[str, Any], detail: dict[str, Any]) -> None:
    number = event["object"]
    again = (
        "INSERT INTO batch VALUES (?,?,1) ON CONFLICT (id) DO UPDATE SET sends = sends + 1, digest = excluded.digest"
    )
    scratch.execute(again, (number, detail["digest"]))
    rows = [(_platform(event), *row, "INFLIGHT", number) for row in detail["rows"]]
    scratch.executemany("INSERT OR REPLACE INTO row VALUES (?,?,?,?,?,?)", rows)


def _moved(scratch: sqlite3.Connection, event: dict[str, Any], detail: dict[str, Any]) -> None:
    change = "UPDATE row SET state = ? WHERE platform = ? AND kind = ? AND key = ? AND version = ?"
    rows = detail.get("rows")
    if isinstance(rows, list):
        platform = _platform(event)
        scratch.executemany(change, [(state, platform, kind, key, n) for kind, key, n, state in rows])


def _renumbered(scratch: sqlite3.Connection, event: dict[str, Any], detail: dict[str, Any]) -> None:
    values = (detail["to"], detail["kind"], event["object"], detail["from"])
    scratch.execute("UPDATE version SET version = ? WHERE kind = ? AND key = ? AND version = ?", values)
    scratch.execute("UPDATE row SET version = ? WHERE kind = ? AND key = ? AND version = ?", values)


def _back(scratch: sqlite3.Connection, event: dict[str, Any], detail: dict[str, Any]) -> None:
    change = "UPDATE row SET state = 'READY' WHERE batch = ? AND state = 'INFLIGHT'"
    scratch.execute(change, (event["object"],))


def _taken_over(scratch: sqlite3.Connection, event: dict[str, Any], detail: dict[str, Any]) -> None:
    change = "UPDATE row SET state = 'UNKNOWN' WHERE batch = ? AND state = 'INFLIGHT'"
    scratch.executemany(change, [(number,) for number in detail["batches"]])


_TOLD: dict[str, Callable[[sqlite3.Connection, dict[str, Any], dict[str, Any]], None]] = {
    "ACCEPT": _accepted,
    "SEND": _sent,
    "NOT_SENT": _back,
    "TAKE_OVER": _taken_over,
    "RENUMBER": _renumbered,
    **dict.fromkeys(("ANSWER", "ASKED", "SETTLE", "GATE", "DECISION", "VANISHED", "DIFFERENCES"), _moved),
}


# ── comparison ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _versions(conn: Connection, scratch: sqlite3.Connection, pruned: float) -> Iterator[Contradiction]:
    v = record_version.c
    columns = (v.kind, v.record_key, v.version, v.digest, v.owner_dept, v.payload, v.accepted_at)
    for kind, key, version, digest, owner, payload, at in _stream(conn, select(*columns)):
        name = f"{key} 第 {version} 版"
        if sm3_hex(payload) != digest:
            yield Contradiction("version", key, f"记录 {name} 的内容与其摘要不符，内容被改动过")
        where = "SELECT digest, owner FROM version WHERE kind = ? AND key = ? AND version = ?"
        told = scratch.execute(where, (kind, key, version)).fetchone()
        if told is None and at >= pruned:
            yield Contradiction("version", key, f"记录 {name} 没有入库的审计事件")
        elif told is not None and told != (digest, owner):
            yield Contradiction("version", key, f"记录 {name} 的摘要或所属部门与入库时的审计事件不符")
        scratch.execute("DELETE FROM version WHERE kind = ? AND key = ? AND version = ?", (kind, key, version))
    for key, version in scratch.execute("SELECT key, version FROM version"):
        yield Contradiction("version", key, f"审计有 {key} 第 {version} 版入库，台账里却没有，被删除过")


def _batches(conn: Connection, scratch: sqlite3.Connection, pruned: float) -> Iterator[Contradiction]:
    tries = select(attempt.c.batch_id, func.count()).where(attempt.c.method == "POST").group_by(attempt.c.batch_id)
    posts = sqlite3.connect("", isolation_level=None)
    posts.execute("CREATE TABLE post (id PRIMARY KEY, n) WITHOUT ROWID")
    posts.executemany("INSERT INTO post VALUES (?,?)", (tuple(row) for row in _stream(conn, tries) if row[0]))
    columns = (batch.c.batch_id, batch.c.number, batch.c.digest, batch.c.body, batch.c.created_at)
    for number, name, digest, body, at in _stream(conn, select(*columns)):
        if sm3_hex(body) != digest:
            yield Contradiction("batch", name, f"批次 {name} 的冻结内容与其摘要不符，内容被改动过")
        told = scratch.execute("SELECT digest, sends FROM batch WHERE id = ?", (number,)).fetchone()
        made = posts.execute("SELECT n FROM post WHERE id = ?", (number,)).fetchone() or (0,)
        if told is None:
            if at >= pruned:
                yield Contradiction("batch", name, f"批次 {name} 没有发送的审计事件")
            continue
        if told[0] != digest:
            yield Contradiction("batch", name, f"批次 {name} 的摘要与发送时的审计事件不符")
        if told[1] != made[0] and at >= pruned:
            text = f"批次 {name} 有 {told[1]} 次发送的审计事件，发送记录却有 {made[0]} 条"
            yield Contradiction("attempt", name, text)
        scratch.execute("DELETE FROM batch WHERE id = ?", (number,))
    posts.close()
    for (number,) in scratch.execute("SELECT id FROM batch"):
        yield Contradiction("batch", number, f"审计有批次 {number[:12]}… 的发送，台账里却没有，被删除过")


def _states(conn: Connection, scratch: sqlite3.Connection, pruned: float) -> Iterator[Contradiction]:
    o = outbox.c
    columns = (o.platform, o.kind, o.record_key, o.version, o.state, o.dept, o.batch_id, o.wire)
    v = record_version
    same = (v.c.kind == o.kind) & (v.c.record_key == o.record_key) & (v.c.version == o.version)
    query = select(*columns, v.c.owner_dept, v.c.accepted_at).join_from(outbox, v, same)
    bodies = _Bodies(conn)
    for platform, kind, key, version, state, dept, number, wire, owner, at in _stream(conn, query):
        name = f"{platform} 记录 {key} 第 {version} 版"
        if dept != owner:
            yield Contradiction("state", key, f"{name} 排在 {dept} 的通道里，却属于 {owner}")
        if wire is not None and number is not None and not bodies.hold(number, wire):
            yield Contradiction("state", key, f"{name} 冻结的报文与其批次的内容不符，报文被改动过")
        at_row = (platform, kind, key, version)
        where = "WHERE platform = ? AND kind = ? AND key = ? AND version = ?"
        told = scratch.execute(f"SELECT state FROM row {where}", at_row).fetchone()  # noqa: S608 - a constant
        if told is None and at >= pruned:
            yield Contradiction("state", key, f"{name} 没有审计事件")
        elif told is not None and told[0] != state and at >= pruned:
            yield Contradiction("state", key, f"{name} 在台账里是 {state}，审计最后说的是 {told[0]}")
        scratch.execute(f"DELETE FROM row {where}", at_row)  # noqa: S608 - a constant
    for platform, key, version in scratch.execute("SELECT platform, key, version FROM row"):
        yield Contradiction("state", key, f"审计有 {platform} 记录 {key} 第 {version} 版的待发，台账里却没有，被删除过")


class _Bodies:
    """The records inside batch bodies; the last few bodies are kept, rows of a batch mostly lie together."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.seen: dict[str, frozenset[bytes]] = {}

    def hold(self, number: str, wire: bytes) -> bool:
        """Whether every wire record of a row stands in the body of its batch."""
        if number not in self.seen:
            if len(self.seen) > 40:
                self.seen.pop(next(iter(self.seen)))
            body = self.conn.execute(select(batch.c.body).where(batch.c.batch_id == number)).scalar()
            self.seen[number] = _records(body or b"")
        return _among(self.seen[number], wire)


def stands_in(body: bytes, wire: bytes) -> bool:
    """Whether every wire record of a row (a JSON list) stands in the one list of a batch's frame."""
    return _among(_records(body), wire)


@lru_cache(maxsize=4)
def _records(body: bytes) -> frozenset[bytes]:
    """The entries of the one list in a batch's frame, as canonical bytes; none if the bytes are no such batch."""
    try:
        frame = orjson.loads(body)
    except orjson.JSONDecodeError:
        return frozenset()
    lists = [value for value in frame.values() if isinstance(value, list)] if isinstance(frame, dict) else []
    return frozenset(_canonical(record) for record in lists[0]) if len(lists) == 1 else frozenset()


def _among(records: frozenset[bytes], wire: bytes) -> bool:
    try:
        return all(_canonical(record) in records for record in orjson.loads(wire))
    except orjson.JSONDecodeError:
        return False


def _canonical(record: Any) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def _stream(conn: Connection, query: Any) -> Iterator[Any]:
    return iter(conn.execution_options(yield_per=500).execute(query))
