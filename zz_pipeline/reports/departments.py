"""Each department on one line: how it is read, how far, and what of it is still open.

Belongs here: figures over all days, by department. Must not: one day's balance, any change.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, outbox, quarantine, record_version
from zz_pipeline.reports.status import clock
from zz_pipeline.reports.words import INTAKE, SOURCES
from zz_pipeline.settings import Settings

# column → states of the outbox
OPEN = {"waiting": ("READY", "INFLIGHT", "ACCEPTED"), "held": ("HELD", "CONFLICT", "DEAD"), "unknown": ("UNKNOWN",)}
COLUMNS = {
    "dept": "键", "name": "部门", "source": "来源", "read": "最近读取", "newest": "最近业务日", "returned": "未整改退回",
    "waiting": "待发", "held": "待人处理", "unknown": "不明", "credential": "凭证",
}  # fmt: skip


def departments(ledger: Ledger, settings: Settings) -> list[dict[str, Any]]:
    """One row a department, in the order of the files; keys as in `COLUMNS`."""
    with ledger.read() as conn:
        reads, newest = _reads(conn), _newest(conn)
        returned, states = _returned(conn), _states(conn)
    return [
        {
            "dept": key,
            "name": spec.short,
            "source": SOURCES[spec.source.kind],
            "read": reads.get(key, "从未"),
            "newest": newest.get(key, "—"),
            "returned": returned.get(key, 0),
            **{column: sum(states.get((key, s), 0) for s in of) for column, of in OPEN.items()},
            "credential": _credential(settings, key),
        }
        for key, spec in settings.departments.items()
    ]


def _reads(conn: Connection) -> dict[str, str]:
    newest = select(func.max(intake.c.id)).where(intake.c.kind == "inspection").group_by(intake.c.dept)
    query = select(intake.c.dept, intake.c.state, intake.c.started_at).where(intake.c.id.in_(newest))
    return {dept: f"{clock(at)[5:16]} {INTAKE[state]}" for dept, state, at in conn.execute(query).tuples()}


def _newest(conn: Connection) -> dict[str, str]:
    v = record_version.c
    return dict(list(conn.execute(select(v.owner_dept, func.max(v.day)).group_by(v.owner_dept)).tuples()))


def _returned(conn: Connection) -> dict[str, int]:
    q = quarantine.c
    where = (q.settled_at.is_(None), q.severity == "ERROR")
    query = select(q.dept, func.count(func.distinct(q.unit))).where(*where).group_by(q.dept)
    return dict(list(conn.execute(query).tuples()))


def _states(conn: Connection) -> dict[tuple[str, str], int]:
    o = outbox.c
    query = select(o.dept, o.state, func.count()).group_by(o.dept, o.state)
    return {(dept, state): n for dept, state, n in conn.execute(query).tuples()}


def _credential(settings: Settings, key: str) -> str:
    """Whether there is one for every platform; where not, for which there is none."""
    missing = [spec.label for name, spec in settings.platforms.items() if f"{name}.{key}" not in settings.credentials]
    if not missing:
        return "有"
    return "无" if len(missing) == len(settings.platforms) else f"缺 {'、'.join(missing)}"
