"""Versions: content that was accepted gets a number, one outbox row for each platform, and an audit event.

Belongs here: writing versions, their outbox rows, cancelling what never left, what is barred from publicity.
Must not: comparing what came in with what is there (that is `accept`), the decision itself (handed in as `decide`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, insert, select, text, update

from zz_pipeline.ledger import audit, counts, publicity
from zz_pipeline.ledger.intake import FileNote
from zz_pipeline.ledger.payload import Content
from zz_pipeline.ledger.schema import outbox, record_head, record_version, suppression
from zz_pipeline.ledger.unknowns import Unknown
from zz_pipeline.standard.canonical import sm3_hex

CHUNK = 400  # keys in one IN (...): SQLite's older limit on variables is 999
# The platform has or may have the record as published by these rows.
MAYBE_THERE = ("INFLIGHT", "UNKNOWN", "ACCEPTED", "CONFIRMED", "CONFLICT")


class Decision(Protocol):
    """What `standard.publishing.decide` returns."""

    @property
    def state(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def not_before(self) -> datetime | None: ...
    @property
    def due(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision may know beside the content."""

    version: int
    op: str
    suppressed: str | None
    was_public: bool
    repair: bool = False  # made by a repair notice or the end of a period, not by its department


Decide = Callable[[str, Mapping[str, Any], str, Facts], Decision]


@dataclass(frozen=True, slots=True)
class Source:
    """One intake's frame: whose it is, for which partition, with what it read."""

    intake_id: int
    kind: str
    dept: str  # the department that was read
    owner: str  # in whose name the records leave
    day: date
    until: datetime | None
    rule_set: str
    pulled: int
    rows: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    files: tuple[FileNote, ...] = ()
    warnings: tuple[str, ...] = ()
    returned: tuple[int, ...] = ()  # quarantine entries that this reading answers
    unknown: tuple[Unknown, ...] = ()  # values that no code table knows


class Target(NamedTuple):
    """A platform that gets an outbox row for each version; `public`: what it holds is open to anyone."""

    name: str
    public: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A version to be written: content, operation and why."""

    content: Content
    op: str = "PUBLISH"  # PUBLISH becomes CORRECT where an earlier version exists
    reason: str = ""
    repair: bool = False


def write_versions(
    conn: Connection,
    source: Source,
    changes: Sequence[Change],
    heads: Mapping[str, Any],
    platforms: Sequence[Target],
    decide: Decide,
    *,
    now: float,
    zone_offset: float,
) -> None:
    """Insert versions with their outbox rows and the audit event, cancelling earlier rows that never left."""
    keys = [c.content.record_key for c in changes]
    if not keys:
        return
    _cancel_unsent(conn, source.kind, keys, now)
    there = _maybe_there(conn, source.kind, keys)
    barred = suppressed(conn, source.kind, keys)
    versions, rows, told, shown = [], [], [], []
    for change in changes:
        c = change.content
        head = heads.get(c.record_key)
        version = (head.version if head else 0) + 1
        op = "CORRECT" if head and change.op == "PUBLISH" else change.op
        versions.append(_version_row(source, change, version, op, now))
        states: dict[str, str] = {}
        told.append([c.record_key, version, c.digest, states])
        for platform in platforms:
            facts = Facts(version, op, barred.get(c.record_key), (platform.name, c.record_key) in there, change.repair)
            decision = decide(source.kind, c.payload, platform.name, facts)
            states[platform.name] = str(decision.state)
            rows.append(_outbox_row(source, c, version, platform, decision, now, zone_offset))
            if platform.public:
                shown.append((c.record_key, c.payload, decision))
    conn.execute(insert(record_version), versions)
    _move_heads(conn, source, changes, heads)
    conn.execute(insert(outbox), rows)
    publicity.note(conn, source.kind, shown)
    contents = ((c.content.record_key, c.content.payload) for c in changes)
    counts.note(conn, source.kind, source.owner, source.day.isoformat(), contents)
    for start in range(0, len(told), CHUNK):
        part = told[start : start + CHUNK]
        audit.append(
            conn, "pipeline", "ACCEPT", f"{source.owner}/{source.kind}/{source.day}", True, {"records": part}, ts=now
        )


def serialize(conn: Connection, owner: str) -> None:
    """One acceptance at a time for each owner; SQLite's single writer needs no lock of ours."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(610124003, hashtext(:owner))"), {"owner": owner})


def suppressed(conn: Connection, kind: str, keys: Iterable[str]) -> dict[str, str]:
    """Keys that must not be public any more → reason; notices that came before their record count too."""
    found: dict[str, str] = {}
    for part in chunks(list(keys)):
        query = select(suppression.c.record_key, suppression.c.reason)
        rows = conn.execute(query.where(suppression.c.kind == kind, suppression.c.record_key.in_(part)))
        found |= {row.record_key: row.reason for row in rows}
    return found


def heads_of(conn: Connection, kind: str, keys: Iterable[str]) -> dict[str, Any]:
    """Newest versions by key; on PostgreSQL the rows are locked until the transaction ends."""
    found: dict[str, Any] = {}
    for part in chunks(list(keys)):
        query = select(record_head).where(record_head.c.kind == kind, record_head.c.record_key.in_(part))
        found |= {row.record_key: row for row in conn.execute(query.with_for_update())}
    return found


def _cancel_unsent(conn: Connection, kind: str, keys: Sequence[str], now: float) -> None:
    """Rows that surely left nothing on a platform give way to the newer version."""
    for part in chunks(keys):
        where = (outbox.c.kind == kind) & outbox.c.record_key.in_(part) & outbox.c.state.in_(("READY", "HELD"))
        conn.execute(
            update(outbox).where(where).values(state="CANCELLED", reason="已有更新的版本，本版不再发送", updated_at=now)
        )


def _maybe_there(conn: Connection, kind: str, keys: Sequence[str]) -> set[tuple[str, str]]:
    """(platform, key) whose newest row that may have arrived is a publication, not a withdrawal."""
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    columns = (outbox.c.platform, outbox.c.record_key, outbox.c.version, outbox.c.op)
    for part in chunks(keys):
        where = (outbox.c.kind == kind) & outbox.c.record_key.in_(part) & outbox.c.state.in_(MAYBE_THERE)
        for platform, key, version, op in conn.execute(select(*columns).where(where)):
            newest[platform, key] = max(newest.get((platform, key), (0, "")), (version, op))
    return {pair for pair, (_, op) in newest.items() if op != "WITHDRAW"}


def _version_row(source: Source, change: Change, version: int, op: str, now: float) -> dict[str, Any]:
    c = change.content
    return {
        "kind": source.kind,
        "record_key": c.record_key,
        "version": version,
        "op": op,
        "owner_dept": source.owner,
        "submit_dept": source.owner,
        "day": source.day.isoformat(),
        "digest": c.digest,
        "payload": c.body,
        "rule_set": source.rule_set,
        "reason": change.reason,
        "changed_at": c.changed_at,
        "source_file": c.source_file,
        "source_row": c.source_row,
        "accepted_at": now,
    }


def _move_heads(conn: Connection, source: Source, changes: Sequence[Change], heads: Mapping[str, Any]) -> None:
    new = []
    for change in changes:
        c, head = change.content, heads.get(change.content.record_key)
        row = {"digest": c.digest, "changed_at": c.changed_at, "twin": c.twin, "withdrawn": change.op == "WITHDRAW"}
        if head is None:
            new.append(
                {"kind": source.kind, "record_key": c.record_key, "version": 1, "owner_dept": source.owner, **row}
            )
        else:
            where = (record_head.c.kind == source.kind) & (record_head.c.record_key == c.record_key)
            conn.execute(update(record_head).where(where).values(version=head.version + 1, **row))
    if new:
        conn.execute(insert(record_head), new)


def _outbox_row(
    source: Source, c: Content, version: int, platform: Target, decision: Decision, now: float, zone_offset: float
) -> dict[str, Any]:
    wait = decision.not_before
    op = str(decision.op)
    return {
        "platform": platform.name,
        "public": platform.public,
        "scheme": c.payload.get("scheme") or "",
        "kind": source.kind,
        "record_key": c.record_key,
        "version": version,
        "dept": source.owner,
        "day": source.day.isoformat(),
        "op": op,
        "state": str(decision.state),
        "reason": decision.reason,
        "rule": decision.rule,
        "item_key": sm3_hex(
            "|".join(("zz1", platform.name, c.record_key, str(version), op, c.digest, source.kind)).encode()
        ),
        "due": decision.due.isoformat() if decision.due else None,
        # wall time of the county → Unix seconds; Beijing has no daylight saving since 1991
        "not_before": (wait - datetime(1970, 1, 1)).total_seconds() - zone_offset if wait else 0.0,  # noqa: DTZ001 - both are wall times
        "updated_at": now,
    }


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """The keys in parts that fit one IN (...)."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
