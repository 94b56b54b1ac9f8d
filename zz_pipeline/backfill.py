"""A range of days: preview without effect, or run; days already delivered change nothing.

Belongs here: the order of days, the preview's counts. Must not: a second way of doing a night.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from zz_pipeline import quality, standardize
from zz_pipeline.course import NightResult, Progress, send, take_in
from zz_pipeline.errors import CheckError, ZzError
from zz_pipeline.ledger import intake, versions
from zz_pipeline.ledger.payload import contents
from zz_pipeline.night import Night
from zz_pipeline.reports.balance import Balance
from zz_pipeline.sources import Window, read_source
from zz_pipeline.standard.tables import Kind


def run(night: Night, days: Sequence[date], progress: Progress) -> list[Balance]:
    """Take the days in, oldest first, then send once; a failed day does not stop the others."""
    for n, day in enumerate(days, 1):
        take_in(night, day, progress)
        progress("日子", n, len(days))
    send(night, days, NightResult(days[-1]), progress)
    return [night.balance(day) for day in days]


def preview(night: Night, days: Sequence[date], progress: Progress) -> dict[str, Any]:
    """What a backfill would pull, change and send. Reads sources and ledger; writes neither ledger nor platform."""
    rows: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for n, day in enumerate(days, 1):
        rows += [_preview_one(night, dept, day, seen) for dept in night.reporting]
        progress("预览", n, len(days))
    changes = sum(r["new"] + r["changed"] for r in rows)
    rate = min(spec.rate for spec in night.settings.platforms.values())
    size = min(spec.batch_records for spec in night.settings.platforms.values())
    requests = sum(-(-(r["new"] + r["changed"]) // size) for r in rows)
    sends = changes * len(night.targets)
    return {"rows": rows, "changes": changes, "sends": sends, "estimated_seconds": requests * len(night.targets) / rate}


def _preview_one(night: Night, dept: str, day: date, seen: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"day": day.isoformat(), "dept": dept, "pulled": 0, "new": 0, "changed": 0, "unchanged": 0}
    row |= {"quarantined": 0, "examples": [], "note": ""}
    spec = night.settings.departments[dept]
    if spec.source.kind == "none":
        return row | {"note": "零报送"}
    since, until = intake.window(night.ledger, dept, str(Kind.INSPECTION), day)
    try:
        raw = read_source(spec, night.settings, Window(day, since, until), intake.known_files(night.ledger, dept))
        batch = standardize.standardize(raw, spec, night.book, night.lists, night.settings.county.code)
        outcome = night.judge([(batch, dept)], Kind.INSPECTION, day)[0]
        if isinstance(outcome, CheckError):
            raise outcome
        split = quality.split(batch, outcome)
    except ZzError as error:
        return row | {"note": str(error)}
    row |= {"pulled": batch.units, "quarantined": split.quarantined_units}
    records = list(contents(Kind.INSPECTION, split.accepted))
    with night.ledger.read() as conn:
        heads = versions.heads_of(conn, "inspection", [r.record_key for r in records])
    for record in records:
        head = heads.get(record.record_key)
        known = seen.get(record.record_key) or (head.digest if head else None)
        word = "new" if known is None else "unchanged" if known == record.digest else "changed"
        row[word] += 1
        seen[record.record_key] = record.digest
        if word != "unchanged" and len(row["examples"]) < 3:
            row["examples"].append(record.record_key)
    return row
