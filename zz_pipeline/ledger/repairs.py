"""信用修复 notices: what must no longer be public becomes a new version, once, and stays barred.

Belongs here: applying notices to the ledger. Must not: reading the credit platform, wire operations.
Source: standard 3.4, 《信用修复管理办法》发改委令第36号.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from zz_pipeline.ledger import intake
from zz_pipeline.ledger.accept import Accepted, unpublished
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import content
from zz_pipeline.ledger.quarantine import Entry, reopen, settle
from zz_pipeline.ledger.schema import record_head, record_version, suppression
from zz_pipeline.ledger.versions import Change, Decide, Source, Target, chunks, heads_of, serialize, write_versions

TARGETS = {"INSPECTION": "inspection", "RATING": "rating"}
REASON = "信用修复"


def apply(
    ledger: Ledger,
    source: Source,
    notices: Sequence[Mapping[str, Any]],
    entries: Sequence[Entry],
    platforms: Sequence[Target],
    decide: Decide,
    *,
    now: float,
    zone_offset: float,
) -> Accepted:
    """Close the repairs' intake: each notice is applied once; one whose record is unknown is kept and shown."""
    done = same = before = 0
    kept = list(entries)
    with ledger.begin("repairs") as conn:
        for owner in _owners(conn, source, notices):
            serialize(conn, owner)
        settle(conn, source.dept, source.kind, [str(n["record_key"]) for n in notices], now)
        for notice in notices:
            kind = TARGETS.get(str(notice["target"]))
            if kind is None:
                kept.append(
                    _shown(notice, "REP-005", "处罚类修复通知：本系统目前不推送行政处罚，未作处理，请转有关部门。")
                )
            elif _already(conn, kind, str(notice["target_key"])):
                earlier = _applied_in(conn, source, kind, str(notice["target_key"]))
                before, same = before + earlier, same + (not earlier)
            elif _bar(conn, source, kind, notice, platforms, decide, now, zone_offset):
                done += 1
            else:
                kept.append(
                    _shown(notice, "REP-004", "修复通知所指的编号本系统没有收到过，已保存；该编号今后到达时不会公示。")
                )
        units = {e.unit for e in kept if e.severity == "ERROR"}
        reopen(conn, source.intake_id, source.day, source.dept, source.kind, kept, now)
        counts = {"pulled": source.pulled, "unchanged": same, "accepted": done, "quarantined": len(units)}
        counts["accepted_before"] = before
        intake.close(conn, source.intake_id, "OK" if notices else "EMPTY", now, rows=source.rows, **counts)
        if source.until is not None:
            intake.advance(conn, source.dept, source.kind, source.until)
    return Accepted(unchanged=same, accepted=done, accepted_before=before, quarantined=len(units))


def _owners(conn: Connection, source: Source, notices: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whose records the notices may touch: all their acceptances wait, before anything is looked at.

    The credit lead stands first, so that two runs apply notices one after the other. A record that is not here yet is
    known by its key: its department may be accepting it at this very moment.
    """
    keys = [str(n["target_key"]) for n in notices]
    found = {key.split("-")[1] for key in keys if key.count("-") > 1}
    for part in chunks(keys):
        found |= set(conn.scalars(select(record_head.c.owner_dept).where(record_head.c.record_key.in_(part))))
    return [source.owner, *sorted(found - {source.owner})]


def _already(conn: Connection, kind: str, key: str) -> bool:
    """Whether a notice of repair was applied; what stopped for another reason (期满) is still to be repaired."""
    where = (suppression.c.kind == kind) & (suppression.c.record_key == key) & (suppression.c.state == "APPLIED")
    where &= suppression.c.reason == "REPAIRED"
    return conn.scalar(select(suppression.c.record_key).where(where)) is not None


def _applied_in(conn: Connection, source: Source, kind: str, key: str) -> bool:
    """Whether an earlier reading of this very partition wrote the notice's version."""
    where = (record_version.c.kind == kind) & (record_version.c.record_key == key)
    where &= (record_version.c.day == source.day.isoformat()) & record_version.c.reason.startswith(REASON)
    return conn.scalar(select(record_version.c.version).where(where).limit(1)) is not None


def _bar(
    conn: Connection,
    source: Source,
    kind: str,
    notice: Mapping[str, Any],
    platforms: Sequence[Target],
    decide: Decide,
    now: float,
    zone_offset: float,
) -> bool:
    """Note the bar and write the version that carries it; False if there is no such record yet."""
    key = str(notice["target_key"])
    head = heads_of(conn, kind, [key]).get(key)
    row = {"reason": "REPAIRED", "basis": notice.get("decision_no") or "", "decided_at": notice.get("decided_at") or ""}
    row |= {"source": f"repair:{notice['record_key']}", "state": "APPLIED" if head else "UNKNOWN_KEY", "at": now}
    where = (suppression.c.kind == kind) & (suppression.c.record_key == key)
    if not conn.execute(update(suppression).where(where).values(**row)).rowcount:
        conn.execute(insert(suppression).values(kind=kind, record_key=key, **row))
    if head is None:
        return False
    newest = (record_version.c.kind == kind) & (record_version.c.record_key == key)
    newest &= record_version.c.version == head.version
    old = conn.execute(select(record_version).where(newest)).one()
    payload = orjson.loads(old.payload)
    op = "WITHDRAW" if kind == "rating" else "PUBLISH"
    if kind == "inspection":
        payload = unpublished(payload, "REPAIRED")
    record = content(key, payload, old.changed_at, old.source_file, old.source_row)
    frame = replace(source, kind=kind, owner=head.owner_dept)
    change = Change(record, op, f"{REASON} {notice.get('decision_no') or ''}".strip(), repair=True)
    write_versions(conn, frame, [change], {key: head}, platforms, decide, now=now, zone_offset=zone_offset)
    return True


def _shown(notice: Mapping[str, Any], rule: str, message: str) -> Entry:
    key = str(notice["record_key"])
    return Entry(key, key, "credit", 0, rule, "target_key", str(notice["target_key"]), message, "ERROR")
