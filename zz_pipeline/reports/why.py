"""Why a record is, or is not, on each platform: the decision, its legal source, where it stands, and what to do next.

Belongs here: one record's present, its sentences. Must not: its past (that is `trace`), contents of the record, changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, or_, select

from zz_pipeline.ledger.accept import STOPPED
from zz_pipeline.ledger.schema import holding, outbox, quarantine, suppression
from zz_pipeline.reports import words
from zz_pipeline.reports.trace import OPS
from zz_pipeline.settings import Settings

# what a person does with a row in that state; empty: nothing
COMMANDS: Mapping[str, str] = {
    "CONFLICT": "zz decide {platform} {key} {version} retry|give_up|adopt --by 姓名 --why 原因",
    "DEAD": "zz decide {platform} {key} {version} retry|give_up|adopt --by 姓名 --why 原因",
    "REJECTED": "zz trace {key}（看平台的答复；部门在来源中更正后下一夜自动重报）",
    "HELD": "按上面的原因补齐；确需重报时 zz decide {platform} {key} {version} retry --by 姓名 --why 原因",
    "UNKNOWN": "zz reconcile --day {day}（向平台查询；查明之前不重发）",
    "READY": "zz due（看期限）；下一夜自动报送",
}


def why(conn: Connection, settings: Settings, key: str) -> dict[str, Any]:
    """{"record", "found", "platforms": rows, "returned": rows, "stopped": Chinese}: all that bears this key."""
    platforms = list(_platforms(conn, settings, key))
    returned = list(_returned(conn, key))
    return {
        "record": key,
        "found": bool(platforms or returned),
        "platforms": platforms,
        "returned": returned,
        "stopped": "；".join(_stopped(conn, key)),
    }


def _platforms(conn: Connection, settings: Settings, key: str) -> Iterator[dict[str, Any]]:
    """One row for each platform and kind: its newest version that was not cancelled, else the newest."""
    names = ("platform", "kind", "version", "op", "state", "reason", "rule", "due", "day", "public")
    query = select(*(outbox.c[n] for n in names)).where(outbox.c.record_key == key)
    newest: dict[tuple[str, str], Any] = {}
    for row in conn.execute(query.order_by(outbox.c.version)):
        if row.state != "CANCELLED" or (row.platform, row.kind) not in newest:
            newest[row.platform, row.kind] = row
    h = holding.c
    there = select(h.platform, h.kind, h.state).where(h.record_key == key)
    held: dict[tuple[str, str], set[str]] = {}
    for row in conn.execute(there):
        held.setdefault((row.platform, row.kind), set()).add(row.state)
    for name in [n for n in settings.platforms if any(p == n for p, _ in newest)]:
        for (platform, kind), row in newest.items():
            if platform == name:
                yield _row(settings, key, row, held.get((platform, kind), set()))


def _row(settings: Settings, key: str, row: Any, held: set[str]) -> dict[str, Any]:
    command = COMMANDS.get(row.state, "").format(platform=row.platform, key=key, version=row.version, day=row.day)
    return {
        "platform": row.platform,
        "label": settings.platforms[row.platform].label,
        "kind": words.KINDS.get(row.kind, row.kind),
        "version": row.version,
        "op": OPS[row.op],
        "state": row.state,
        "state_label": words.STATES[row.state],
        "there": _there(held, bool(row.public)),
        "why": row.reason,
        "basis": words.basis(row.rule),
        "due": row.due,
        "next": words.NEXT.get(row.state, "无需处理"),
        "command": command,
    }


def _there(held: set[str], public: bool) -> str:
    if "PRESENT" in held:
        return "现已公示" if public else "平台上有"
    return "已撤下" if held else "没有公示" if public else "平台上没有"


def _returned(conn: Connection, key: str) -> Iterator[dict[str, str]]:
    """What is still open on the 退回清单 of this record."""
    q = quarantine.c
    open_ones = (q.settled_at.is_(None), or_(q.record_key == key, q.unit == key))
    for row in conn.execute(select(quarantine).where(*open_ones).order_by(q.severity, q.id)):
        level = "退回" if row.severity == "ERROR" else "提醒"
        yield {"day": row.day, "level": level, "rule": row.rule, "message": row.message, "dept": row.dept}


def _stopped(conn: Connection, key: str) -> Iterator[str]:
    for row in conn.execute(select(suppression).where(suppression.c.record_key == key)):
        yield f"{STOPPED.get(row.reason, row.reason)}（依据：{row.basis or '见通知'}），以后的版本也不再公示"


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The answer as text, platform by platform."""
    if not found["found"]:
        yield f"没有找到 {found['record']}：既没有入库，也不在退回清单中。请核对记录键（区划-部门-编号）。"
        return
    for row in found["platforms"]:
        yield f"{row['label']}：{row['there']}（第 {row['version']} 版{row['op']}，{row['state_label']}）"
        for title, text in (("原因", row["why"]), ("依据", row["basis"]), ("法定期限", row["due"])):
            if text:
                yield f"  {title}：{text}"
        yield f"  接下来：{row['next']}" + (f"。{row['command']}" if row["command"] else "")
    if found["stopped"]:
        yield f"停止公示：{found['stopped']}"
    for row in found["returned"]:
        yield f"{row['level']}（{row['day']}，{row['rule']}）：{row['message']}"
    if found["returned"] and not found["platforms"]:
        yield "还没有入库，所以没有报送任何平台。请部门按退回清单更正，下一夜自动再查。"
