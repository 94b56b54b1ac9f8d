"""Versions: content that was accepted gets a number, one outbox row for each platform, and an audit event.

Belongs here: writing versions, their outbox rows, cancelling what never left, what is barred from publicity.
Must not: comparing what came in with what is there (that is `accept`), the decision itself (handed in as `decide`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Connection, bindparam, select, text, update

from zz_pipeline.ledger import audit, bulk, counts, publicity
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
_facts = lru_cache(maxsize=1024)(Facts)  # a night's records differ in few of them
_UNSENT = {"epoch": 0, "tries": 0, "next_at": 0.0, "absences": 0, "receipt": "", "remote_code": ""}
# Columns in the order of the rows that are written here, which is that of the schema.
_VERSION = (
    "kind", "record_key", "version", "op", "owner_dept", "submit_dept", "day", "digest", "payload", "rule_set", "reason",
    "changed_at", "source_file", "source_row", "accepted_at",
)  # fmt: skip
_HEAD = ("kind", "record_key", "version", "digest", "changed_at", "owner_dept", "withdrawn", "twin")
_SAME = (
    "platform", "kind", "dept", "day", "op", "public", "state", "reason", "rule", "due", "not_before", "epoch", "tries",
    "next_at", "absences", "receipt", "remote_code", "updated_at",
)  # fmt: skip
OUTBOX = (
    "platform", "kind", "record_key", "version", "dept", "day", "op", "scheme", "public", "state", "reason", "rule",
    "item_key", "due", "not_before", "epoch", "tries", "next_at", "absences", "receipt", "remote_code", "updated_at",
)  # fmt: skip


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
    told = []
    for start in range(0, len(changes), bulk.PART):
        part = changes[start : start + bulk.PART]
        told += _write_part(conn, source, part, heads, platforms, decide, now, zone_offset)
    for start in range(0, len(told), CHUNK):
        some = told[start : start + CHUNK]
        audit.append(
            conn, "pipeline", "ACCEPT", f"{source.owner}/{source.kind}/{source.day}", True, {"records": some}, ts=now
        )


def _write_part(
    conn: Connection,
    source: Source,
    changes: Sequence[Change],
    heads: Mapping[str, Any],
    platforms: Sequence[Target],
    decide: Decide,
    now: float,
    zone_offset: float,
) -> list[list[Any]]:
    """Versions, heads, outbox rows and terms of some changes; what the audit event tells of each."""
    known = [c.content.record_key for c in changes if c.content.record_key in heads]
    _cancel_unsent(conn, source.kind, known, now)
    there = _maybe_there(conn, source.kind, known)
    barred = suppressed(conn, source.kind, [c.content.record_key for c in changes])
    rendered = _Rendered(source, now, zone_offset)
    versions, rows, told, shown = [], [], [], []
    for change in changes:
        c = change.content
        head = heads.get(c.record_key)
        version = (head.version if head else 0) + 1
        op = "CORRECT" if head and change.op == "PUBLISH" else change.op
        versions.append(_version_row(source, change, version, op, now))
        states: dict[str, str] = {}
        told.append([c.record_key, version, c.digest, states])
        reason = barred.get(c.record_key)
        for platform in platforms:
            facts = _facts(version, op, reason, (platform.name, c.record_key) in there, change.repair)
            decision = decide(source.kind, c.payload, platform.name, facts)
            states[platform.name] = str(decision.state)
            rows.append(rendered.row(c, version, platform, decision))
            if platform.public:
                shown.append((c.record_key, c.payload, decision))
    bulk.write(conn, record_version, _VERSION, versions)
    _move_heads(conn, source, changes, heads)
    bulk.write(conn, outbox, OUTBOX, rows)
    publicity.note(conn, source.kind, shown)
    contents = ((c.content.record_key, c.content.payload) for c in changes)
    counts.note(conn, source.kind, source.owner, source.day.isoformat(), contents)
    return told


def serialize(conn: Connection, owner: str) -> None:
    """One acceptance at a time for each owner; SQLite's single writer needs no lock of ours."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(610124003, hashtext(:owner))"), {"owner": owner})


def suppressed(conn: Connection, kind: str, keys: Iterable[str]) -> dict[str, str]:
    """Keys that must not be public any more → reason; notices that came before their record count too."""
    found: dict[str, str] = {}
    for part in parts(list(keys)):
        query = select(suppression.c.record_key, suppression.c.reason)
        query = query.where(suppression.c.kind == kind, bulk.among(conn, suppression.c.record_key, part))
        rows = conn.execute(query)
        found |= {row.record_key: row.reason for row in rows}
    return found


def heads_of(conn: Connection, kind: str, keys: Iterable[str]) -> dict[str, Any]:
    """Newest versions by key; on PostgreSQL the rows are locked until the transaction ends."""
    found: dict[str, Any] = {}
    for part in parts(list(keys)):
        query = select(record_head).where(record_head.c.kind == kind, bulk.among(conn, record_head.c.record_key, part))
        found |= {row.record_key: row for row in conn.execute(query.with_for_update())}
    return found


def _cancel_unsent(conn: Connection, kind: str, keys: Sequence[str], now: float) -> None:
    """Rows that surely left nothing on a platform give way to the newer version."""
    if not keys:
        return
    gone = {"state": "CANCELLED", "reason": "已有更新的版本，本版不再发送", "updated_at": now}
    where = _rows_of(conn, kind, keys) & outbox.c.state.in_(("READY", "HELD"))
    conn.execute(update(outbox).where(where).values(gone))


def _maybe_there(conn: Connection, kind: str, keys: Sequence[str]) -> set[tuple[str, str]]:
    """(platform, key) whose newest row that may have arrived is a publication, not a withdrawal."""
    if not keys:
        return set()
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    columns = (outbox.c.platform, outbox.c.record_key, outbox.c.version, outbox.c.op)
    where = _rows_of(conn, kind, keys) & outbox.c.state.in_(MAYBE_THERE)
    for platform, key, version, op in conn.execute(select(*columns).where(where)):
        newest[platform, key] = max(newest.get((platform, key), (0, "")), (version, op))
    return {pair for pair, (_, op) in newest.items() if op != "WITHDRAW"}


def _rows_of(conn: Connection, kind: str, keys: Sequence[str]) -> ColumnElement[bool]:
    return (outbox.c.kind == kind) & bulk.among(conn, outbox.c.record_key, keys)


def _version_row(source: Source, change: Change, version: int, op: str, now: float) -> tuple[Any, ...]:
    """Values in the order of `_VERSION`."""
    c, owner = change.content, source.owner
    return (
        source.kind, c.record_key, version, op, owner, owner, source.day.isoformat(), c.digest, c.body, source.rule_set,
        change.reason, c.changed_at, c.source_file, c.source_row, now,
    )  # fmt: skip


def _move_heads(conn: Connection, source: Source, changes: Sequence[Change], heads: Mapping[str, Any]) -> None:
    new, moved = [], []
    for change in changes:
        c, head = change.content, heads.get(change.content.record_key)
        gone = change.op == "WITHDRAW"
        if head is None:
            new.append((source.kind, c.record_key, 1, c.digest, c.changed_at, source.owner, gone, c.twin))
        else:
            row = {"version": head.version + 1, "digest": c.digest, "changed_at": c.changed_at, "twin": c.twin}
            moved.append({"k": source.kind, "r": c.record_key, "withdrawn": gone, **row})
    bulk.write(conn, record_head, _HEAD, new)
    if moved:
        here = (record_head.c.kind == bindparam("k")) & (record_head.c.record_key == bindparam("r"))
        names = ("version", "digest", "changed_at", "twin", "withdrawn")
        conn.execute(update(record_head).where(here).values({name: bindparam(name) for name in names}), moved)


class _Rendered:
    """Decisions as outbox rows; what rows of one decision on one platform have in common is made once."""

    def __init__(self, source: Source, now: float, zone_offset: float) -> None:
        self.source, self.now, self.zone_offset = source, now, zone_offset
        self._known: dict[tuple[str, int], tuple[Decision, tuple[Any, ...]]] = {}

    def row(self, c: Content, version: int, platform: Target, decision: Decision) -> tuple[Any, ...]:
        """Values in the order of `OUTBOX`."""
        name, kind = platform.name, self.source.kind
        known = self._known.get((name, id(decision)))
        if known is None:
            made = _outbox_row(self.source, platform, decision, self.now, self.zone_offset)
            # the decision is kept with its row: the number of one that was thrown away may be another's
            known = self._known[name, id(decision)] = (decision, tuple(made[column] for column in _SAME))
        same = known[1]
        said = f"zz1|{name}|{c.record_key}|{version}|{decision.op}|{c.digest}|{kind}"
        item_key, scheme = sm3_hex(said.encode()), c.payload.get("scheme") or ""
        return (name, kind, c.record_key, version, *same[2:5], scheme, *same[5:9], item_key, *same[9:])


def _outbox_row(source: Source, platform: Target, decision: Decision, now: float, zone_offset: float) -> dict[str, Any]:
    """What a decision says of each row on that platform; what is the record's own is left to the caller."""
    wait = decision.not_before
    return {
        "platform": platform.name,
        "public": platform.public,
        "kind": source.kind,
        "dept": source.owner,
        "day": source.day.isoformat(),
        "op": str(decision.op),
        "state": str(decision.state),
        "reason": decision.reason,
        "rule": decision.rule,
        "due": decision.due.isoformat() if decision.due else None,
        # wall time of the county → Unix seconds; Beijing has no daylight saving since 1991
        "not_before": (wait - datetime(1970, 1, 1)).total_seconds() - zone_offset if wait else 0.0,  # noqa: DTZ001 - both are wall times
        "updated_at": now,
        **_UNSENT,
    }


def parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """The keys in parts for `bulk.among`."""
    for start in range(0, len(values), bulk.PART):
        yield values[start : start + bulk.PART]


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """The keys in parts that fit one IN (...)."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
