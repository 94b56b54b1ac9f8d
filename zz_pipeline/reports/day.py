"""日报: one self-contained HTML file and the same figures as JSON, from the ledger alone.

Belongs here: gathering the day's figures and writing both files. Must not: looks (the template), contents of records.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import orjson
from markupsafe import Markup
from sqlalchemy import Connection, func, select

from zz_pipeline.delivery import points
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import difference, outbox, reconciliation
from zz_pipeline.reports import words
from zz_pipeline.reports.balance import Balance
from zz_pipeline.reports.divergent import divergent
from zz_pipeline.reports.returned import entries
from zz_pipeline.sources.returned import guard
from zz_pipeline.standard.personal import mask_text
from zz_pipeline.standard.tables import TABLES, Kind

if TYPE_CHECKING:
    from zz_pipeline.night import Night
    from zz_pipeline.settings import Settings

# What a person should see first: the states that wait for one, then those that the next run goes on with.
PERSON = ("CONFLICT", "DEAD", "REJECTED", "HELD")
NEXT_RUN = ("UNKNOWN", "READY", "ACCEPTED", "INFLIGHT")
OPEN = (*PERSON, *NEXT_RUN)
SHOWN_KEYS = 20
SHOWN_DIFFERENCES = 500


def write_day_report(night: Night, day: date) -> Path:
    """Write `<home>/reports/<day>/日报-<day>.html` and `.json`; returns the path of the HTML file."""
    figures = day_figures(night, day)
    if figures["audit"]["whole"]:
        with night.ledger.begin("verified") as conn:
            audit.note_verified(conn, figures["audit"]["head"])
    path = report_path(night.settings, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path.with_suffix(".json"), orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    _write(path, _template().render(**figures).encode())
    return path


def report_path(settings: Settings, day: date) -> Path:
    """Where a day's report lies: the HTML file, whether it is written or not."""
    return settings.home / "reports" / day.isoformat() / f"日报-{day.isoformat()}.html"


def day_figures(night: Night, day: date) -> dict[str, Any]:
    """Everything the day report shows, as plain values."""
    found = night.balance(day)
    settings = night.settings
    names = {k: d.short for k, d in settings.departments.items()} | {
        "credit": settings.credit.label,
        "office": settings.county.office,
    }
    labels = {n: s.label for n, s in settings.platforms.items()}
    with night.ledger.read() as conn:
        checked = _reconciliations(conn, day)
        rows = {
            "platforms": [_platform(p, labels, checked.get(p.platform)) for p in found.platforms],
            "waiting": _groups(conn, day, OPEN, names, labels),
            "barred": _groups(conn, day, ("BLOCKED",), names, labels),
            "earlier": _earlier(conn, day, labels),
            "differences": _differences(conn, [c["id"] for c in checked.values()], labels),
        }
        chain = audit.verify_new(conn, night.now().date())
        uneven = divergent(conn, settings, night.clock())
    listed = [_entry(e, names) for e in entries(night.ledger, day)]
    return {
        "county": settings.county.name,
        "office": settings.county.office,
        "day": day.isoformat(),
        "made_at": night.now().strftime("%Y-%m-%d %H:%M:%S"),
        **_verdict(found),
        "columns": dict(words.COLUMNS),
        **rows,
        "departments": _departments(found, names),
        "reasons": _reasons(e for e in listed if e["severity"] == "ERROR"),
        "reminders": _reasons(e for e in listed if e["severity"] != "ERROR"),
        "returned": listed,
        "divergent": uneven,
        "audit": {"events": chain.events, "head": chain.head, "whole": chain.broken_at is None},
    }


def _verdict(found: Balance) -> dict[str, Any]:
    return {
        "balanced": found.balanced,
        "complete": found.complete,
        "gaps": found.missing,
        "totals": found.totals(),
    }


def _platform(found: Any, labels: dict[str, str], checked: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": found.platform,
        "label": labels.get(found.platform, found.platform),
        "accepted": found.accepted,
        "states": found.states,
        "balanced": found.balanced,
        "reconciled": checked["label"] if checked else "还没有核对",
        "agrees": checked is not None and checked["state"] == "OK",
    }


def _departments(found: Balance, names: dict[str, str]) -> list[dict[str, Any]]:
    """One row a source and kind; what is wrong first, then as the departments are configured."""
    rows = [
        {
            **row,
            "name": names.get(row["dept"], row["dept"]),
            "kind_label": words.KINDS[row["kind"]],
            "state_label": "有文件没读到" if row["refused"] else words.INTAKE[row["state"]],
            "wrong": row["state"] in ("FAILED", "RUNNING") or not row["balanced"] or bool(row["refused"]),
            "notes": [text for text in (row["error"], *row["refused"]) if text],
        }
        for row in found.as_dict()["departments"]
    ]
    place = {key: n for n, key in enumerate(names)}
    return sorted(rows, key=lambda r: (not r["wrong"], place.get(r["dept"], len(place))))


def _groups(
    conn: Connection, day: date, states: Sequence[str], names: dict[str, str], labels: dict[str, str]
) -> list[dict[str, Any]]:
    """Rows of the day in these states by platform, state and reason, with some keys; in the order of the states."""
    where = (outbox.c.day == day.isoformat()) & outbox.c.state.in_(states)
    names_of = ("platform", "state", "reason", "rule", "dept", "record_key", "due")  # not the frozen wire
    query = select(*(outbox.c[n] for n in names_of)).where(where).order_by(outbox.c.record_key, outbox.c.version)
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in conn.execute(query):
        start = {
            "platform": labels.get(row.platform, row.platform),
            "state": words.STATES[row.state],
            "next": words.NEXT[row.state],
            "code": row.state,
            "person": row.state in PERSON,
            "reason": row.reason,
            "rule": row.rule,
            "basis": words.basis(row.rule),
            "count": 0,
            "departments": {},
            "keys": [],
            "due": None,
        }
        group = groups.setdefault((row.platform, row.state, row.reason), start)
        group["count"] += 1
        _add(group["departments"], names.get(row.dept, row.dept))
        group["due"] = min(filter(None, (group["due"], row.due)), default=None)
        if len(group["keys"]) < SHOWN_KEYS:
            group["keys"].append(row.record_key)
    return sorted(groups.values(), key=lambda g: (states.index(g["code"]), -g["count"], g["platform"]))


def _earlier(conn: Connection, day: date, labels: dict[str, str]) -> list[dict[str, Any]]:
    """What of earlier days is still open, by platform and state."""
    where = (outbox.c.day < day.isoformat()) & outbox.c.state.in_(OPEN)
    columns = (
        outbox.c.platform,
        outbox.c.state,
        func.count().label("n"),
        func.min(outbox.c.day),
        func.min(outbox.c.due),
    )
    query = select(*columns).where(where).group_by(outbox.c.platform, outbox.c.state)
    rows = [
        {"platform": labels.get(p, p), "state": words.STATES[s], "next": words.NEXT[s], "code": s, "count": n}
        | {"since": first, "due": due, "person": s in PERSON}
        for p, s, n, first, due in conn.execute(query).tuples()
    ]
    return sorted(rows, key=lambda r: (OPEN.index(r["code"]), r["platform"]))


def _reconciliations(conn: Connection, day: date) -> dict[str, dict[str, Any]]:
    """Platform → its newest reconciliation of the day."""
    query = select(reconciliation).where(reconciliation.c.day == day.isoformat()).order_by(reconciliation.c.id)
    return {
        row.platform: {"id": row.id, "state": row.state, "label": words.RECONCILED.get(row.state, row.state)}
        for row in conn.execute(query)
    }


def _differences(conn: Connection, runs: list[int], labels: dict[str, str]) -> list[dict[str, Any]]:
    query = select(difference).where(difference.c.reconciliation_id.in_(runs)).order_by(difference.c.id)
    return [
        {
            "platform": labels.get(row.platform, row.platform),
            "type": words.DIFFERENCES.get(row.type, row.type),
            "key": row.remote_key,
            "action": row.action,
        }
        for row in conn.execute(query.limit(SHOWN_DIFFERENCES))
    ]


def _entry(entry: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """An entry of the 退回清单 as people read it; its value was masked when it was stored."""
    keep = ("dept", "kind", "unit", "source_file", "source_row", "rule", "severity", "field", "value", "message")
    labels = {f.name: f.label for f in TABLES[Kind(entry["kind"])].fields}
    name = names.get(entry["dept"], entry["dept"])
    file = (
        mask_text(entry["source_file"]) if entry["kind"] == Kind.INSPECTION else name
    )  # the credit platform hands over no files
    shown = {"name": name, "field_label": labels.get(entry["field"], mask_text(entry["field"])), "source_file": file}
    shown["unit"] = (
        mask_text(entry["unit"]) if "#" in entry["unit"] else entry["unit"]
    )  # <file>#<row>, else a record's key
    shown["field"] = mask_text(entry["field"])  # a heading that nobody knows is named as it is written
    return {k: entry[k] for k in keep} | shown | {"source": f"{file} 第 {entry['source_row']} 行"}


def _reasons(listed: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries by rule, the most frequent first, with one message as an example."""
    groups: dict[str, dict[str, Any]] = {}
    for entry in listed:
        start = {"rule": entry["rule"], "message": entry["message"], "count": 0, "departments": {}}
        group = groups.setdefault(entry["rule"], start)
        group["count"] += 1
        _add(group["departments"], entry["name"])
    return sorted(groups.values(), key=lambda g: (-g["count"], g["rule"]))


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    points.reach("report:before_rename")
    os.replace(part, path)
    points.reach("report:after_rename")


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("zz_pipeline.reports", "templates")
    env = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_inert,
    )
    return env.get_template("day.html")


def _inert(value: Any) -> Any:
    """Spreadsheet programs open the page too, and take a cell that begins with = for a formula."""
    bare = isinstance(value, str) and not isinstance(value, Markup) and len(value) > 1
    return guard(value) if bare else value
