"""日报: one self-contained HTML file and the same figures as JSON, from the ledger alone.

Belongs here: gathering the day's figures and writing both files. Must not: looks (the template), contents of records.
"""

from __future__ import annotations

import os
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import orjson
from sqlalchemy import Connection, select

from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import difference, outbox, reconciliation
from zz_pipeline.reports.balance import COLUMNS
from zz_pipeline.reports.returned import entries

if TYPE_CHECKING:
    from zz_pipeline.night import Night

LABELS = {
    "confirmed": "已确认",
    "rejected": "平台拒收",
    "held": "暂缓",
    "blocked": "不予公示",
    "not_applicable": "不适用",
    "cancelled": "已取消",
    "pending": "待办",
    "unknown": "结果不明",
}
STATES = {
    "HELD": "暂缓",
    "BLOCKED": "不予公示",
    "REJECTED": "平台拒收",
    "UNKNOWN": "结果不明",
    "CONFLICT": "内容冲突，待裁定",
    "DEAD": "多次失败，待人处理",
    "READY": "待发送",
    "INFLIGHT": "发送中",
    "ACCEPTED": "待回执",
}
INTAKE = {"OK": "已读", "EMPTY": "无新数据", "NONE": "零报送", "FAILED": "读取失败", "RUNNING": "中断"}
KINDS = {"inspection": "检查结果", "rating": "信用评价", "repair": "信用修复"}
# What a person should see first: the states that wait for one, then those that wait for a platform.
ATTENTION = ("CONFLICT", "DEAD", "UNKNOWN", "REJECTED", "HELD", "READY", "ACCEPTED", "INFLIGHT", "BLOCKED")


def write_day_report(night: Night, day: date) -> Path:
    """Write `<home>/reports/<day>/日报-<day>.html` and `.json`; returns the path of the HTML file."""
    figures = day_figures(night, day)
    folder = night.settings.home / "reports" / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"日报-{day.isoformat()}.html"
    _write(path.with_suffix(".json"), orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    _write(path, _template().render(**figures).encode())
    return path


def day_figures(night: Night, day: date) -> dict[str, Any]:
    """Everything the day report shows, as plain values."""
    found = night.balance(day)
    names = {k: d.short for k, d in night.settings.departments.items()} | {"credit": "信用信息共享平台"}
    labels = {n: s.label for n, s in night.settings.platforms.items()}
    with night.ledger.read() as conn:
        waiting = _waiting(conn, day, names, labels)
        differences = _differences(conn, day, labels)
        chain = audit.verify(conn)
    departments = [
        {
            **d,
            "name": names.get(d["dept"], d["dept"]),
            "kind_label": KINDS[d["kind"]],
            "state_label": INTAKE[d["state"]],
        }
        for d in found.as_dict()["departments"]
    ]
    returned = [{**e, "name": names.get(e["dept"], e["dept"])} for e in entries(night.ledger, day)]
    platforms = [
        {
            "name": p.platform,
            "label": labels[p.platform],
            "accepted": p.accepted,
            "states": p.states,
            "balanced": p.balanced,
        }
        for p in found.platforms
    ]
    return {
        "county": night.settings.county.name,
        "office": night.settings.county.office,
        "day": day.isoformat(),
        "made_at": night.now().strftime("%Y-%m-%d %H:%M:%S"),
        "balanced": found.balanced,
        "complete": found.complete,
        "gaps": found.missing,
        "totals": found.totals(),
        "columns": {c: LABELS[c] for c in COLUMNS},
        "platforms": platforms,
        "departments": departments,
        "reasons": _reasons(returned),
        "returned": returned,
        "waiting": waiting,
        "differences": differences,
        "audit": {"events": chain.events, "head": chain.head, "whole": chain.broken_at is None},
    }


def _waiting(conn: Connection, day: date, names: dict[str, str], labels: dict[str, str]) -> list[dict[str, Any]]:
    """Rows of the day that are not where they should end, grouped by platform, state and reason with some keys."""
    where = (outbox.c.day == day.isoformat()) & outbox.c.state.in_(ATTENTION)
    columns = (
        outbox.c.platform,
        outbox.c.state,
        outbox.c.reason,
        outbox.c.rule,
        outbox.c.dept,
        outbox.c.record_key,
        outbox.c.due,
    )
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in conn.execute(select(*columns).where(where).order_by(outbox.c.record_key)):
        group = groups.setdefault(
            (row.platform, row.state, row.reason),
            {
                "platform": labels.get(row.platform, row.platform),
                "state": STATES[row.state],
                "code": row.state,
                "reason": row.reason,
                "rule": row.rule,
                "count": 0,
                "departments": {},
                "keys": [],
                "due": None,
            },
        )
        group["count"] += 1
        group["departments"][names[row.dept]] = group["departments"].get(names[row.dept], 0) + 1
        group["due"] = min(filter(None, (group["due"], row.due)), default=None)
        if len(group["keys"]) < 20:
            group["keys"].append(row.record_key)
    return sorted(groups.values(), key=lambda g: (ATTENTION.index(g["code"]), -g["count"]))


def _differences(conn: Connection, day: date, labels: dict[str, str]) -> list[dict[str, Any]]:
    newest: dict[str, int] = {}
    runs = select(reconciliation.c.platform, reconciliation.c.id).where(reconciliation.c.day == day.isoformat())
    for row in conn.execute(runs.order_by(reconciliation.c.id)):
        newest[row.platform] = row.id
    query = (
        select(difference).where(difference.c.reconciliation_id.in_(list(newest.values()))).order_by(difference.c.id)
    )
    keep = ("type", "remote_key", "action")
    return [
        {"platform": labels.get(r["platform"], r["platform"]), **{k: r[k] for k in keep}}
        for r in conn.execute(query.limit(2000)).mappings()
    ]


def _reasons(returned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in returned:
        start = {
            "rule": entry["rule"],
            "severity": entry["severity"],
            "message": entry["message"],
            "count": 0,
            "departments": {},
        }
        group = groups.setdefault((entry["severity"], entry["rule"]), start)
        group["count"] += 1
        group["departments"][entry["name"]] = group["departments"].get(entry["name"], 0) + 1
    return sorted(groups.values(), key=lambda g: (g["severity"], -g["count"], g["rule"]))


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("zz_pipeline.reports", "templates")
    env = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    return env.get_template("day.html")
