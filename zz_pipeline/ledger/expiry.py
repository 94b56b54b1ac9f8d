"""The end of publicity: what is public and whose period is over gets the version that takes it down, once, for good.

Belongs here: the bar EXPIRED, the versions that carry it, the book entry of the night that made them, the audit event.
Must not: the length of a period, wire operations, deciding (handed in as `decide`).
Source: standard 3.4; 国办发〔2025〕22号 (at the longest period publicity stops by itself).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from zz_pipeline.ledger import audit, intake, publicity
from zz_pipeline.ledger.accept import STOPPED, unpublished
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import content
from zz_pipeline.ledger.schema import intake as book
from zz_pipeline.ledger.schema import outbox, record_head, record_version, suppression
from zz_pipeline.ledger.versions import (
    MAYBE_THERE,
    Change,
    Decide,
    Source,
    Target,
    chunks,
    heads_of,
    serialize,
    suppressed,
    write_versions,
)
from zz_pipeline.standard.publishing_periods import Periods

OFFICE, KIND = "office", "expiry"  # whose reading of which kind the book names; departments' keys are capitals
REASON = "EXPIRED"
AT_ONCE = 500
_UNSENT = ("READY", "HELD")


@dataclass(frozen=True, slots=True)
class Frame:
    """A night's frame: partition, the county's wall time, who leads credit (first in the order of locks)."""

    day: date
    now: datetime
    lead: str
    clock: Callable[[], float]
    zone_offset: float


def end_publicity(
    ledger: Ledger, frame: Frame, periods: Periods, platforms: Sequence[Target], decide: Decide
) -> dict[str, int]:
    """Take down all whose period is over; kind → how many. Run again it finds nothing, since a term ends once.

    Work is in proportion to what is new and what ends: both stand in an index.
    """
    while True:
        with ledger.begin("publicity_reckoned") as conn:
            if not publicity.reckon(conn, periods, AT_ONCE * 10):
                break
    ended: dict[str, int] = {}
    while True:
        with ledger.begin("publicity_ended") as conn:
            terms = publicity.over(conn, frame.now, AT_ONCE)
            if not terms:
                return ended
            for kind, count in _end(conn, frame, terms, platforms, decide).items():
                ended[kind] = ended.get(kind, 0) + count


def _end(
    conn: Connection, frame: Frame, terms: Sequence[Any], platforms: Sequence[Target], decide: Decide
) -> dict[str, int]:
    by_kind = {kind: list(rows) for kind, rows in groupby(sorted(terms, key=_kind), key=_kind)}
    for owner in _owners(conn, frame.lead, by_kind):
        serialize(conn, owner)
    ended = {}
    for kind, rows in by_kind.items():
        found = publicity.still_over(conn, kind, [row.record_key for row in rows], frame.now)
        live = _live(conn, kind, [row.record_key for row in found], [p.name for p in platforms if p.public])
        _bar(conn, kind, found, frame.clock())
        publicity.forget(conn, kind, [row.record_key for row in found])
        ended[kind] = _write(conn, frame, kind, [row for row in found if row.record_key in live], platforms, decide)
    return {kind: count for kind, count in ended.items() if count}


def _kind(term: Any) -> str:
    return str(term.kind)


def _owners(conn: Connection, lead: str, by_kind: dict[str, list[Any]]) -> list[str]:
    """The credit lead first, then by name: the order in which repair notices take the same locks."""
    found: set[str] = set()
    for kind, rows in by_kind.items():
        for part in chunks([row.record_key for row in rows]):
            where = (record_head.c.kind == kind) & record_head.c.record_key.in_(part)
            found |= set(conn.scalars(select(record_head.c.owner_dept).where(where)))
    return [lead, *sorted(found - {lead})]


def _live(conn: Connection, kind: str, keys: Sequence[str], public: Sequence[str]) -> set[str]:
    """Keys that are or may be public, or still wait to become so; what was refused needs no version."""
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for part in chunks(keys):
        where = (outbox.c.kind == kind) & outbox.c.record_key.in_(part) & outbox.c.platform.in_(public)
        query = select(outbox.c.platform, outbox.c.record_key, outbox.c.version, outbox.c.op)
        for platform, key, version, op in conn.execute(
            query.where(where, outbox.c.state.in_((*_UNSENT, *MAYBE_THERE)))
        ):
            newest[platform, key] = max(newest.get((platform, key), (0, "")), (version, op))
    return {key for (_, key), (_, op) in newest.items() if op != "WITHDRAW"}


def _bar(conn: Connection, kind: str, terms: Sequence[Any], now: float) -> None:
    """Note the bar: no later version is public again. What is barred for another reason stays so."""
    known = suppressed(conn, kind, [term.record_key for term in terms])
    rows = [
        {
            "kind": kind,
            "record_key": t.record_key,
            "reason": REASON,
            "basis": f"公示截止 {t.ends}",
            "decided_at": t.ends,
        }
        | {"source": "periods", "state": "APPLIED", "at": now}
        for t in terms
        if t.record_key not in known
    ]
    if rows:
        conn.execute(insert(suppression), rows)
    for part in chunks([term.record_key for term in terms]):
        # A row behind a refusal of the entry platform would open by itself, were the refusal taken back.
        behind = (outbox.c.kind == kind) & outbox.c.record_key.in_(part) & outbox.c.public
        behind &= (outbox.c.state == "BLOCKED") & (outbox.c.rule == "ENTRY")
        conn.execute(update(outbox).where(behind).values(rule=REASON, reason="公示期满，不再公示", updated_at=now))


def _write(
    conn: Connection, frame: Frame, kind: str, terms: Sequence[Any], platforms: Sequence[Target], decide: Decide
) -> int:
    """One version for each term, in its owner's name, under the rules that passed the version before."""
    if not terms:
        return 0
    ends = {term.record_key: term.ends for term in terms}
    heads = heads_of(conn, kind, list(ends))
    newest = sorted(_newest(conn, kind, heads), key=_frame_of)
    number = _open_book(conn, frame, len(newest))
    for (owner, rule_set), rows in groupby(newest, key=_frame_of):
        source = Source(number, kind, OFFICE, owner, frame.day, None, rule_set, 0, 0)
        changes = [_change(kind, row, ends[row.record_key]) for row in rows]
        common: dict[str, Any] = {"now": frame.clock(), "zone_offset": frame.zone_offset}
        write_versions(conn, source, changes, heads, platforms, decide, **common)
    told = {"records": [[key, ends[key]] for key in sorted(ends)], "count": len(newest)}
    audit.append(conn, "pipeline", "EXPIRE", f"{kind}/{frame.day}", True, told, ts=frame.clock())
    intake.close(conn, number, "OK", frame.clock(), accepted=len(newest))
    return len(newest)


def _frame_of(row: Any) -> tuple[str, str]:
    return row.owner_dept, row.rule_set


def _newest(conn: Connection, kind: str, heads: dict[str, Any]) -> Iterable[Any]:
    versions = record_version.c
    for part in chunks(list(heads)):
        query = select(record_version).where(versions.kind == kind, versions.record_key.in_(part))
        yield from (row for row in conn.execute(query) if row.version == heads[row.record_key].version)


def _open_book(conn: Connection, frame: Frame, count: int) -> int:
    """The versions are counted as a reading of the county's own table: the day's balance must find them in a book."""
    row = {"day": frame.day.isoformat(), "dept": OFFICE, "kind": KIND, "state": "RUNNING", "started_at": frame.clock()}
    result = conn.execute(insert(book).values(**row, pulled=count, rows=count))
    return int((result.inserted_primary_key or (0,))[0])


def _change(kind: str, row: Any, ends: str) -> Change:
    """An inspection says that it is not publishable any more; a rating says what it said, it is only not shown."""
    payload = orjson.loads(row.payload)
    if kind == "inspection":
        payload = unpublished(payload, REASON)
    record = content(row.record_key, payload, row.changed_at, row.source_file, row.source_row)
    return Change(record, "PUBLISH", f"{STOPPED[REASON]}（截止 {ends}）", repair=True)
