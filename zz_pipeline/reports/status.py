"""How things stand now: what waits, what is held or unknown, which lanes are stopped.

Belongs here: figures over all days. Must not: one day's balance, any change.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import func, select

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import conflict, intake, lane, outbox, quarantine, switch
from zz_pipeline.reports.divergent import divergent, sentences
from zz_pipeline.reports.words import INTAKE, KINDS, STATES
from zz_pipeline.settings import Settings

BEIJING = timezone(timedelta(hours=8))


def status(ledger: Ledger, settings: Settings) -> dict[str, Any]:
    """Tables by Chinese title, each a list of rows."""
    names = {k: d.short for k, d in settings.departments.items()} | {
        "credit": settings.credit.label,
        "office": settings.county.office,
    }
    labels = {n: p.label for n, p in settings.platforms.items()}
    with ledger.read() as conn:
        states = select(outbox.c.platform, outbox.c.state, func.count(), func.min(outbox.c.due))
        states = states.group_by(outbox.c.platform, outbox.c.state).order_by(outbox.c.platform, outbox.c.state)
        waiting = [
            {"平台": labels.get(p, p), "状态": STATES[s], "条数": n, "最早期限": d or "—"}
            for p, s, n, d in conn.execute(states).tuples()
        ]
        stops = select(lane.c.platform, lane.c.dept, lane.c.stopped).where(lane.c.stopped != "")
        stopped = [
            {"平台": labels.get(p, p), "部门": names.get(d, d), "原因": why}
            for p, d, why in conn.execute(stops).tuples()
        ]
        newest = select(func.max(intake.c.id)).group_by(intake.c.dept, intake.c.kind)
        reads = conn.execute(
            select(intake).where(intake.c.id.in_(newest)).order_by(intake.c.dept, intake.c.kind)
        ).mappings()
        last = [
            {
                "来源": names.get(r["dept"], r["dept"]),
                "数据类": KINDS[r["kind"]],
                "业务日": r["day"],
                "结果": INTAKE[r["state"]],
                "时间": clock(r["started_at"]),
            }
            for r in reads
        ]
        open_errors = (quarantine.c.settled_at.is_(None)) & (quarantine.c.severity == "ERROR")
        returned = conn.scalar(select(func.count(func.distinct(quarantine.c.unit))).where(open_errors))
        disputes = conn.scalar(select(func.count()).select_from(conflict).where(conflict.c.decided_by == ""))
        off = conn.scalar(select(switch.c.value).where(switch.c.name == "stop"))
        uneven = sentences(divergent(conn, settings, time.time()))
    heads = [
        {"未整改退回记录": returned or 0, "待裁定冲突": disputes or 0, "总开关": "已停发" if off == "on" else "正常"}
    ]
    tables = {"概况": heads, "各平台": waiting, "停用的通道": stopped, "最近读取": last}
    return tables | {"未撤净（一个平台已撤、另一平台仍在）": uneven}


def clock(seconds: float) -> str:
    """Beijing wall time of a moment."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
