"""Accepting: what was read is compared with what is there; new content becomes versions, all in one transaction.

Belongs here: comparing with the newest version, closing an intake with its quarantine, files and watermark.
Must not: judging content (that was `quality`), deciding about publicity (handed in as `decide`), sending.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, select, update

from zz_pipeline.delivery import points
from zz_pipeline.ledger import bulk, intake, unknowns
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import Content, content
from zz_pipeline.ledger.quarantine import Entry, reopen, settle, settle_answered
from zz_pipeline.ledger.schema import record_head, record_version, suppression
from zz_pipeline.ledger.versions import (
    Change,
    Decide,
    Source,
    Target,
    heads_of,
    parts,
    serialize,
    suppressed,
    write_versions,
)
from zz_pipeline.standard.personal import mask_text

STALE, TWIN = "INS-043", "INS-031"
# 不予公示理由 by reason code; the texts go to ① (standard 3.4).
STOPPED = {
    "REPAIRED": "信用修复",
    "EXPIRED": "公示期满",
    "NOT_PUBLIC": "依法不宜公开",
    "REVOKED": "决定被撤销或变更",
    "ENTRY_ERROR": "录入错误",
    "OBJECTION": "异议成立",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """Counts of one intake in records; `found_here` (INS-031, INS-043) are among the quarantined."""

    unchanged: int = 0
    accepted: int = 0
    accepted_before: int = 0
    quarantined: int = 0
    found_here: int = 0


def accept(
    ledger: Ledger,
    source: Source,
    records: Iterable[Content],
    entries: Sequence[Entry],
    platforms: Sequence[Target],
    decide: Decide,
    *,
    now: float,
    zone_offset: float,
) -> Accepted:
    """Close an intake: accept `records`, keep `entries` as quarantine, move watermark and files on. One transaction.

    `records`, each with a key of its own, are taken a few thousand at a time and need not all be in memory.
    """
    with ledger.begin("accept") as conn:
        serialize(conn, source.owner)
        taken, waiting = _Taken(), iter(records)
        while some := _barred(conn, source.kind, list(islice(waiting, bulk.PART))):
            heads = heads_of(conn, source.kind, [r.record_key for r in some])
            fresh = taken.sorted_out(conn, source, some, heads)
            changes = [Change(r) for r in fresh]
            write_versions(conn, source, changes, heads, platforms, decide, now=now, zone_offset=zone_offset)
            taken.written(fresh, heads)
        points.reach("accept:written")
        kept = [*entries, *taken.found]
        units = {e.unit for e in kept if e.severity == "ERROR"}
        settle(conn, source.dept, source.kind, [*taken.fresh, *taken.same], now)
        _notices_met(conn, source.kind, list(taken.fresh), now)
        reopen(conn, source.intake_id, source.day, source.dept, source.kind, kept, now)
        settle_answered(conn, source.intake_id, source.dept, source.kind, source.returned, now)
        unknowns.note(conn, source.dept, source.unknown, now)
        unchanged = len(taken.same) - taken.before
        result = Accepted(unchanged, len(taken.fresh), taken.before, len(units), len(taken.found))
        _close(conn, source, result, now)
    return result


@dataclass(slots=True)
class _Taken:
    """What has become of the records so far; `fresh` are keys in the order in which they were written.

    `replaced`: content that this reading has replaced by a correction → its key. The ledger does not show it any more,
    and a record that repeats it must be found whether it comes in the correction's part or in a later one.
    """

    fresh: dict[str, None] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    same: list[str] = field(default_factory=list)
    before: int = 0  # of `same`, those that an earlier reading of this partition had accepted
    found: list[Entry] = field(default_factory=list)

    def sorted_out(
        self, conn: Connection, source: Source, records: Sequence[Content], heads: Mapping[str, Any]
    ) -> list[Content]:
        """Those that become versions; what becomes of the others is noted."""
        fresh, same, stale = _compare(records, heads)
        fresh, twins = _twins(conn, source, fresh, heads, self)
        self.before += _accepted_in(conn, source, same)
        self.same += [r.record_key for r in same]
        self.found += [_stale_entry(r, heads[r.record_key]) for r in stale]
        self.found += [_twin_entry(r, other) for r, other in twins]
        return fresh

    def written(self, fresh: Sequence[Content], heads: Mapping[str, Any]) -> None:
        """These became versions; `heads` are the newest ones from before."""
        self.fresh |= dict.fromkeys(r.record_key for r in fresh)
        corrected = (r.record_key for r in fresh if r.record_key in heads)
        self.replaced |= {heads[key].twin: key for key in corrected}


def unpublished(payload: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """An inspection's content as it must read once it may not be public any more (standard 3.4)."""
    return {**payload, "publishable": False, "not_publish_reason": STOPPED.get(reason, STOPPED["NOT_PUBLIC"])}


def _barred(conn: Connection, kind: str, records: Sequence[Content]) -> list[Content]:
    """Inspections that may not be public any more keep that mark in every later version."""
    if kind != "inspection":
        return list(records)
    barred = suppressed(conn, kind, [r.record_key for r in records])
    return [
        content(r.record_key, unpublished(r.payload, barred[r.record_key]), r.changed_at, r.source_file, r.source_row)
        if r.record_key in barred
        else r
        for r in records
    ]


def _notices_met(conn: Connection, kind: str, keys: Sequence[str], now: float) -> None:
    """A notice that came before its record is obeyed from the first version on: applied, and no longer shown as open."""
    met: list[str] = []
    for part in parts(keys):
        waiting = (suppression.c.kind == kind) & (suppression.c.state == "UNKNOWN_KEY")
        waiting &= bulk.among(conn, suppression.c.record_key, part)
        met += conn.execute(select(suppression.c.source).where(waiting)).scalars()
        conn.execute(update(suppression).where(waiting).values(state="APPLIED", at=now))
    notices = [source.removeprefix("repair:") for source in met]
    settle(conn, "credit", "repair", notices, now, by="所指记录已到达，按通知不予公示")


def _compare(
    records: Sequence[Content], heads: Mapping[str, Any]
) -> tuple[list[Content], list[Content], list[Content]]:
    """(new content, the newest version again, an older state after a newer one)."""
    fresh: list[Content] = []
    same: list[Content] = []
    stale: list[Content] = []
    for record in records:
        head = heads.get(record.record_key)
        if head is None:
            fresh.append(record)
        elif head.digest == record.digest:
            same.append(record)
        elif head.changed_at and record.changed_at and record.changed_at < head.changed_at:
            stale.append(record)
        else:
            fresh.append(record)
    return fresh, same, stale


def _accepted_in(conn: Connection, source: Source, same: Sequence[Content]) -> int:
    """How many of `same` were accepted by an earlier reading of this very partition, also if they went on since."""
    count = 0
    for part in parts([r.record_key for r in same]):
        query = select(func.count(record_version.c.record_key.distinct()))
        mine = bulk.among(conn, record_version.c.record_key, part)
        query = query.where(record_version.c.kind == source.kind, mine)
        count += conn.scalar(query.where(record_version.c.day == source.day.isoformat())) or 0
    return count


def _twins(
    conn: Connection, source: Source, fresh: Sequence[Content], heads: Mapping[str, Any], taken: _Taken
) -> tuple[list[Content], list[tuple[Content, str]]]:
    """(records that are new, records whose content this department handed in before under another number).

    Contents of this very reading do not count (`taken` says which): equal ones within it are the standardizer's matter.
    """
    if source.kind != "inspection":
        return list(fresh), []
    unknown = [r for r in fresh if r.record_key not in heads]
    known = dict(taken.replaced)
    for part in parts([r.twin for r in unknown]):
        query = select(record_head.c.twin, record_head.c.record_key).where(record_head.c.kind == source.kind)
        query = query.where(record_head.c.owner_dept == source.owner, bulk.among(conn, record_head.c.twin, part))
        known |= {row.twin: row.record_key for row in conn.execute(query) if row.record_key not in taken.fresh}
    twins = [(r, known[r.twin]) for r in unknown if r.twin in known]
    held = {r.record_key for r, _ in twins}
    return [r for r in fresh if r.record_key not in held], twins


def _twin_entry(record: Content, other: str) -> Entry:
    number = str(record.payload.get("record_no") or record.record_key)
    return Entry(
        unit=record.record_key,
        record_key=record.record_key,
        source_file=record.source_file or "",
        source_row=record.source_row or 0,
        rule=TWIN,
        field="record_no",
        value=number,
        message=f"编号 {number} 的内容与以前交来的 {other} 完全相同，疑为重复上报，未采用。如确是另一次检查，请补充能区分的内容；如是换号，请改回原编号。",
        severity="ERROR",
    )


def _stale_entry(record: Content, head: Any) -> Entry:
    return Entry(
        unit=record.record_key,
        record_key=record.record_key,
        source_file=record.source_file or "",
        source_row=record.source_row or 0,
        rule=STALE,
        field="changed_at",
        value=record.changed_at or "",
        message=f"这一行的变更时间早于已接收的第 {head.version} 版（{head.changed_at}），是旧数据，未采用。如确需改回，请更新变更时间后重新提交。",
        severity="ERROR",
    )


def _close(conn: Connection, source: Source, result: Accepted, now: float) -> None:
    state = "OK" if source.pulled or source.files else "EMPTY"
    skipped = dict(source.skipped)
    intake.close(
        conn,
        source.intake_id,
        state,
        now,
        rows=source.rows,
        skipped=intake.to_json(skipped),
        files=intake.files_json(source.files),
        error=mask_text("；".join(source.warnings)),  # names of files and headings, as people wrote them
        pulled=source.pulled,
        unchanged=result.unchanged,
        quarantined=result.quarantined,
        accepted=result.accepted,
        accepted_before=result.accepted_before,
    )
    intake.remember_files(conn, source.dept, source.day, source.files, now)
    if source.until is not None:
        intake.advance(conn, source.dept, source.kind, source.until)
