"""Records that are taken down on one platform and still shown on another: visible until all platforms are equal.

Belongs here: finding them, the sentences, how long it may last. Must not: repairs, contents of records.
Source: 《信用修复管理办法》发改委令第36号 (publicity ends within three working days of the notice).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, literal_column, select

from zz_pipeline.errors import UnknownYear
from zz_pipeline.ledger.schema import holding, outbox, record_version
from zz_pipeline.reports import words
from zz_pipeline.settings import Settings
from zz_pipeline.standard.workdays import WorkCalendar

DAYS = 3  # working days in which what was taken back must be down everywhere
MOST = 500
# Written out, not bound: only so the index `outbox_takedown`, which holds just these rows, can answer.
_TAKEDOWN = (outbox.c.op == literal_column("'WITHDRAW'"), outbox.c.state != literal_column("'CONFIRMED'"))


def divergent(conn: Connection, settings: Settings, now: float) -> list[dict[str, Any]]:
    """One row for each record and platform that still shows what was to be taken down; `late` past the legal days."""
    calendar = WorkCalendar.load(settings.config_dir / "workdays.csv")
    today = datetime.fromtimestamp(now, settings.zone).date()
    later, there = outbox.alias("later"), holding.alias("there")
    same = and_(later.c.platform == outbox.c.platform, later.c.kind == outbox.c.kind)
    newer = and_(same, later.c.record_key == outbox.c.record_key, later.c.version > outbox.c.version)
    shown = and_(there.c.platform == outbox.c.platform, there.c.kind == outbox.c.kind)
    shown = and_(shown, there.c.record_key == outbox.c.record_key, there.c.state == "PRESENT")
    v = record_version.c
    of = and_(v.kind == outbox.c.kind, v.record_key == outbox.c.record_key, v.version == outbox.c.version)
    columns = (outbox.c.platform, outbox.c.kind, outbox.c.record_key, outbox.c.version, outbox.c.state, outbox.c.reason)
    query = select(*columns, v.accepted_at).join_from(outbox, record_version, of).where(
        *_TAKEDOWN, exists(select(there.c.version).where(shown)),
        ~exists(select(later.c.version).where(newer, later.c.state != "CANCELLED")),
    )  # fmt: skip
    found = []
    for row in conn.execute(query.order_by(v.accepted_at).limit(MOST)):
        since = datetime.fromtimestamp(row.accepted_at, settings.zone).date()
        try:
            due = calendar.due(since, DAYS)
        except UnknownYear:
            due = since
        down = _down(conn, settings, row)
        found.append(
            {
                "record": row.record_key, "platform": settings.platforms[row.platform].label,
                "state": words.STATES[row.state], "reason": row.reason, "since": since.isoformat(),
                "due": due.isoformat(), "late": today > due, "down": down,
            }
        )  # fmt: skip
    return found


def _down(conn: Connection, settings: Settings, row: Any) -> list[str]:
    """Where the same record is down already."""
    mine = and_(holding.c.kind == row.kind, holding.c.record_key == row.record_key, holding.c.state == "WITHDRAWN")
    names = conn.scalars(select(holding.c.platform).where(mine, holding.c.platform != row.platform).distinct())
    return sorted(settings.platforms[name].label for name in names if name in settings.platforms)


def sentences(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The rows as people read them."""
    return [
        {
            "记录": row["record"],
            "仍在": row["platform"],
            "已撤下": "、".join(row["down"]) or "—",
            "状态": f"{row['state']}{'（已超期）' if row['late'] else ''}",
            "最迟": row["due"],
            "原因": row["reason"] or "下次运行处理",
        }
        for row in found
    ]
