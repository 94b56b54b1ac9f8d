"""Keeping and deleting the audit: nothing younger than the legal time goes, and what goes leaves a proof in the chain.

Belongs here: deleting old audit events and attempts, the export that can be verified without this product.
Must not: verifying (that is `audit`), deleting anything else.
Source: 网络安全法 §21 (network logs at least six months); the county keeps 200 days at the very least.
The schema refuses younger deletions as well (migration 0004): this module is the only lawful way, not the only guard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlalchemy import Connection, delete, func, select

from zz_pipeline.errors import ConfigError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import attempt, audit_event

LEAST_DAYS = 200
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, and where the chain begins now."""

    events: int
    attempts: int
    begins_at: int


def prune(conn: Connection, before: float, now: float, *, keep_days: int, by: str, why: str) -> Pruned:
    """Delete events and attempts older than `before`; ConfigError if any of it must still be kept.

    The deletion is an event itself: it names the last deleted event and its hash, so the chain stays verifiable.
    """
    days = max(LEAST_DAYS, keep_days)
    if before > now - days * DAY:
        raise ConfigError(
            f"审计日志至少保存 {days} 天（网络安全法第二十一条；county.toml audit_keep_days），未删除任何内容。"
        )
    # the newest event stays whatever its age: the chain must have an end to go on from
    top = conn.scalar(select(func.max(audit_event.c.n))) or 0
    young = select(func.min(audit_event.c.n)).where(audit_event.c.ts >= before)
    cut = min(conn.scalar(young) or top, top)
    last = conn.execute(select(audit_event.c.n, audit_event.c.h).where(audit_event.c.n == cut - 1)).first()
    if last is None:
        return Pruned(0, 0, cut or 1)
    events = conn.execute(delete(audit_event).where(audit_event.c.n < cut)).rowcount
    attempts = conn.execute(delete(attempt).where(attempt.c.ended_at < before)).rowcount
    told = {"through": last.n, "head": last.h, "before": before, "events": events, "attempts": attempts, "why": why}
    audit.append(conn, by, audit.PRUNED, "chain", True, told, ts=now)
    return Pruned(events, attempts, cut)


def export(conn: Connection, first: float, last: float, path: Path) -> dict[str, object]:
    """Write the events of a time as JSON lines, the last line naming what they hang on; returns that line.

    A line is {"n", "ts", "actor", "type", "object", "ok", "detail", "prev", "h"}; docs/audit-export.md verifies it.
    """
    count, before, head = 0, "", ""
    with path.open("wb") as out:
        for event in _between(conn, first, last):
            before = before or str(event["prev"])
            head, count = str(event["h"]), count + 1
            out.write(orjson.dumps(event) + b"\n")
        whole = audit.head(conn)
        end = {"events": count, "prev": before, "head": head, "chain_events": whole.n if whole else 0}
        end["chain_head"] = whole.h if whole else audit.GENESIS
        out.write(orjson.dumps(end) + b"\n")
    return end


def _between(conn: Connection, first: float, last: float) -> Iterator[dict[str, object]]:
    """Events by number from the first to the last of that time: clocks may step back, the chain may not have gaps."""
    c = audit_event.c
    low, high = conn.execute(select(func.min(c.n), func.max(c.n)).where(c.ts >= first, c.ts < last)).one()
    if low is not None:
        yield from audit.events(conn, c.n >= low, c.n <= high)
