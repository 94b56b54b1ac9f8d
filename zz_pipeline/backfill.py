"""A range of days: preview without effect, or run; days already delivered change nothing.

Belongs here: the order of days, the preview's counts. Must not: a second way of doing a night: the preview takes the
days in as a night does, in a copy of the ledger, and throws the copy away.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from zz_pipeline.course import NightResult, Progress, send, take_in
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, outbox, record_version
from zz_pipeline.ledger.scratch import copied
from zz_pipeline.night import Night
from zz_pipeline.reports.balance import Balance
from zz_pipeline.settings import Settings

EXAMPLES = 3
CREDIT_NOTES = {"rating": "信用评价", "repair": "信用修复通知", "expiry": "公示期满停止"}


def run(night: Night, days: Sequence[date], progress: Progress) -> list[Balance]:
    """Take the days in, oldest first, then send once; a failed day does not stop the others."""
    night.load_all()
    for n, day in enumerate(days, 1):
        take_in(night, day, progress)
        progress("日子", n, len(days))
    send(night, days, NightResult(days[-1]), progress)
    return [night.balance(day) for day in days]


def preview(night: Night, days: Sequence[date], progress: Progress) -> dict[str, Any]:
    """What a backfill would pull, change and send; sources and ledger are only read, no platform is asked.

    {"rows": day × source with pulled, new, changed, unchanged, quarantined, examples, note; "changes"; "sends":
    records to be sent, over all platforms; "estimated_seconds"}.
    """
    night.load_all()
    folder = night.settings.home / "work" / night.run / "preview"
    folder.mkdir(parents=True, mode=0o700)
    start = night.clock()
    try:
        with copied(night.ledger, folder) as ledger:
            trial = Night(_elsewhere(night.settings, folder), ledger, night.run, clock=night.clock)
            rows: list[dict[str, Any]] = []
            for n, day in enumerate(days, 1):
                rows += _tried(trial, day, progress)
                progress("预览", n, len(days))
            sends, seconds = _sends(ledger, night.settings, start)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    changes = sum(row["new"] + row["changed"] for row in rows)
    return {"rows": rows, "changes": changes, "sends": sends, "estimated_seconds": seconds}


def _elsewhere(settings: Settings, folder: Path) -> Settings:
    """The same county with its state in `folder`; what it reads stays where it is."""
    departments = {}
    for key, department in settings.departments.items():
        places = {name: settings.expand(getattr(department.source, name)) for name in ("url", "folder")}
        departments[key] = department.model_copy(update={"source": department.source.model_copy(update=places)})
    places = {"inbox": str(settings.inbox), "lists": str(settings.lists)}
    county = settings.county.model_copy(update=places)
    return settings.model_copy(update={"home": folder, "county": county, "departments": departments})


def _tried(trial: Night, day: date, progress: Progress) -> list[dict[str, Any]]:
    """Take one day in and count it, a row for each source."""
    with trial.ledger.read() as conn:
        before = conn.scalar(select(func.max(intake.c.id))) or 0
    start = trial.clock()
    take_in(trial, day, progress)
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


def _sends(ledger: Ledger, settings: Settings, start: float) -> tuple[int, float]:
    """How many records would be sent, and how long that takes at the platforms' rate of requests."""
    query = select(outbox.c.platform, outbox.c.dept, func.count()).where(
        outbox.c.state == "READY", outbox.c.updated_at >= start
    )
    total, seconds = 0, 0.0
    with ledger.read() as conn:
        for platform, _, count in conn.execute(query.group_by(outbox.c.platform, outbox.c.dept)).tuples():
            spec = settings.platforms[platform]
            total += count
            seconds += -(-count // spec.batch_records) / spec.rate
    return total, seconds
