"""What a backfill would do, without effect: the days are taken in as a night does, in a copy of the ledger that is thrown away.

Belongs here: the trial, its counts and examples. Must not: writing anything that stays, asking a platform.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, case, func, select

from zz_pipeline.backfill import Filters, one_day
from zz_pipeline.course import Progress
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, outbox, record_version
from zz_pipeline.ledger.scratch import copied
from zz_pipeline.night import Night
from zz_pipeline.settings import Settings

EXAMPLES = 3
CREDIT_NOTES = {"rating": "信用评价", "repair": "信用修复通知", "expiry": "公示期满停止"}


def preview(night: Night, days: Sequence[date], progress: Progress, filters: Filters | None = None) -> dict[str, Any]:
    """What a backfill would pull, change and send; sources and ledger are only read, no platform is asked.

    {"rows": day × source with pulled, new, changed, unchanged, quarantined, examples, note; "changes"; "platforms":
    per platform `sends` (records of these days), `waiting` (records of earlier runs that would go too), `seconds`, `examples`;
    "sends", "waiting", "estimated_seconds": their sums}.
    """
    night.load_all()
    part = filters or Filters()
    folder = night.settings.home / "work" / night.run / "preview"
    folder.mkdir(parents=True, mode=0o700)
    start = night.clock()
    try:
        with copied(night.ledger, folder) as ledger:
            trial = Night(_elsewhere(night.settings, folder), ledger, night.run, clock=night.clock)
            rows: list[dict[str, Any]] = []
            for n, day in enumerate(days, 1):
                rows += _tried(trial, day, part, progress)
                progress("预览", n, len(days))
            platforms = _sends(ledger, night.settings, part, start)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    changes = sum(row["new"] + row["changed"] for row in rows)
    sums = {name: sum(p[name] for p in platforms) for name in ("sends", "waiting")}
    seconds = sum(p["seconds"] for p in platforms)
    return {"rows": rows, "changes": changes, "platforms": platforms, **sums, "estimated_seconds": seconds}


def _elsewhere(settings: Settings, folder: Path) -> Settings:
    """The same county with its state in `folder`; what it reads stays where it is."""
    departments = {}
    for key, department in settings.departments.items():
        places = {name: settings.expand(getattr(department.source, name)) for name in ("url", "folder")}
        departments[key] = department.model_copy(update={"source": department.source.model_copy(update=places)})
    places = {"inbox": str(settings.inbox), "lists": str(settings.lists)}
    county = settings.county.model_copy(update=places)
    return settings.model_copy(update={"home": folder, "county": county, "departments": departments})


def _tried(trial: Night, day: date, part: Filters, progress: Progress) -> list[dict[str, Any]]:
    """Take one day in and count it, a row for each source."""
    with trial.ledger.read() as conn:
        before = conn.scalar(select(func.max(intake.c.id))) or 0
    start = trial.clock()
    one_day(trial, day, part, progress)
    with trial.ledger.read() as conn:
        readings = conn.execute(select(intake).where(intake.c.id > before).order_by(intake.c.id)).mappings().all()
        return [_row(conn, trial, dict(reading), start) for reading in readings]


def _row(conn: Connection, trial: Night, reading: dict[str, Any], start: float) -> dict[str, Any]:
    owner = trial.settings.county.credit_lead if reading["kind"] == "rating" else reading["dept"]
    v = record_version.c
    where = (v.kind == reading["kind"]) & (v.owner_dept == owner) & (v.day == reading["day"]) & (v.accepted_at >= start)
    written = conn.execute(select(v.record_key, v.version).where(where).order_by(v.record_key)).all()
    first = sum(row.version == 1 for row in written) if reading["kind"] != "repair" else 0
    note = "；".join(filter(None, (CREDIT_NOTES.get(reading["kind"]), _note(reading))))
    return {
        "day": reading["day"],
        "dept": reading["dept"],
        "kind": reading["kind"],
        "pulled": reading["pulled"],
        "new": first,
        "changed": reading["accepted"] - first,
        "unchanged": reading["unchanged"] + reading["accepted_before"],
        "quarantined": reading["quarantined"],
        "examples": [row.record_key for row in written[:EXAMPLES]],
        "note": note,
    }


def _note(reading: dict[str, Any]) -> str:
    return "零报送" if reading["state"] == "NONE" else reading["error"]


def _sends(ledger: Ledger, settings: Settings, part: Filters, start: float) -> list[dict[str, Any]]:
    """What would be sent to each platform, and how long that takes at its rate of requests; lanes wait for their turn."""
    o, lanes = outbox.c, part.lanes(settings)
    mine = [o.state == "READY", *([o.dept.in_(lanes)] if lanes is not None else [])]
    found = []
    with ledger.read() as conn:
        for name, spec in settings.platforms.items():
            if part.platforms and name not in part.platforms:
                continue
            where = (*mine, o.platform == name)
            new = o.updated_at >= start
            columns = (o.dept, func.count(), func.sum(case((new, 1), else_=0)))
            counted = list(conn.execute(select(*columns).where(*where).group_by(o.dept)).tuples())
            keys = conn.scalars(select(o.record_key).where(*where, new).order_by(o.record_key).limit(EXAMPLES))
            sends = sum(int(n) for _, _, n in counted)
            seconds = sum(-(-count // spec.batch_records) / spec.rate for _, count, _ in counted)
            found.append(
                {"platform": name, "label": spec.label, "sends": sends, "seconds": seconds, "examples": list(keys)}
                | {"waiting": sum(count for _, count, _ in counted) - sends}
            )
    return found
