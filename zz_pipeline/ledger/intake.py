"""The book of readings: what was read of each source for each partition, with which outcome, and how far.

Belongs here: intake rows, watermarks, processed files. Must not: reading sources, deciding about records.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, source_file, watermark

STAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class FileNote:
    """A file that was read or refused: what the ledger remembers of it."""

    name: str
    digest: str
    rows: int
    state: str  # READ | REFUSED
    problem: str = ""
    archived: str = ""


def window(ledger: Ledger, dept: str, kind: str, day: date) -> tuple[datetime, datetime]:
    """[since, until) of partition `day` in Beijing wall time: from the watermark if that lies before the day.

    A source that was never read well has no watermark: it is read from where its first failed reading began.
    """
    start = datetime.combine(day, time())
    with ledger.read() as conn:
        mark = conn.scalar(select(watermark.c.until).where(watermark.c.dept == dept, watermark.c.kind == kind))
        if mark is None:
            unread = (intake.c.dept == dept) & (intake.c.kind == kind) & intake.c.state.in_(("FAILED", "RUNNING"))
            mark = conn.scalar(select(func.min(intake.c.since)).where(unread))
    since = start if mark is None else min(start, datetime.strptime(mark, STAMP))  # noqa: DTZ007 - wall time by design
    return since, start + timedelta(days=1)


def known_files(ledger: Ledger, dept: str) -> frozenset[str]:
    """Digests of the files of a department that were processed; refused ones may be tried again."""
    with ledger.read() as conn:
        found = conn.scalars(
            select(source_file.c.digest).where(source_file.c.dept == dept, source_file.c.state == "READ")
        )
        return frozenset(found)


def last_rows(ledger: Ledger, dept: str, kind: str, day: date) -> int:
    """Rows of the newest good reading of an earlier day: an emptied source is told by comparison with it."""
    with ledger.read() as conn:
        rows = conn.scalar(
            select(intake.c.rows)
            .where(intake.c.dept == dept, intake.c.kind == kind, intake.c.state == "OK", intake.c.day < day.isoformat())
            .order_by(intake.c.day.desc(), intake.c.id.desc())
            .limit(1)
        )
    return int(rows or 0)


def begin(
    ledger: Ledger, day: date, dept: str, kind: str, since: datetime | None, until: datetime | None, now: float
) -> int:
    """Open an intake; one that a kill leaves RUNNING counts for nothing. Without bounds: it is no reading of the source."""
    with ledger.begin("intake") as conn:
        result = conn.execute(
            insert(intake).values(
                day=day.isoformat(),
                dept=dept,
                kind=kind,
                state="RUNNING",
                since=since.strftime(STAMP) if since else None,
                until=until.strftime(STAMP) if until else None,
                started_at=now,
            )
        )
        return int((result.inserted_primary_key or (0,))[0])


def fail(ledger: Ledger, intake_id: int, error: str, now: float, files: tuple[FileNote, ...] = ()) -> None:
    """Close an intake whose source could not be read; the watermark stays where it was."""
    with ledger.begin("intake_failed") as conn:
        close(conn, intake_id, "FAILED", now, error=error, files=files_json(files))


def close(conn: Connection, intake_id: int, state: str, now: float, **values: Any) -> None:
    """Set the outcome of an intake in the caller's transaction.

    It ends after every reading of the same partition that has ended: a clock is read before a lock is waited for.
    """
    other, mine = intake.alias(), intake.c.id == intake_id
    same = [other.c[name] == intake.c[name] for name in ("day", "dept", "kind")]
    last = conn.scalar(select(func.max(other.c.finished_at)).select_from(intake).join(other, and_(*same)).where(mine))
    end = now if last is None else max(now, math.nextafter(last, math.inf))
    conn.execute(update(intake).where(mine).values(state=state, finished_at=end, **values))


def remember_files(conn: Connection, dept: str, day: date, files: tuple[FileNote, ...], now: float) -> None:
    """Note files as processed; a refused one that is read later becomes READ."""
    for note in files:
        row = {"name": note.name, "day": day.isoformat(), "rows": note.rows, "state": note.state, "at": now}
        row |= {"problem": note.problem, "archived": note.archived}
        where = (source_file.c.dept == dept) & (source_file.c.digest == note.digest)
        if not conn.execute(update(source_file).where(where).values(**row)).rowcount:
            conn.execute(insert(source_file).values(dept=dept, digest=note.digest, **row))


def advance(conn: Connection, dept: str, kind: str, until: datetime) -> None:
    """Move the watermark forward, never back."""
    text = until.strftime(STAMP)
    where = (watermark.c.dept == dept) & (watermark.c.kind == kind)
    changed = conn.execute(update(watermark).where(where, watermark.c.until < text).values(until=text)).rowcount
    if not changed and not conn.scalar(select(func.count()).select_from(watermark).where(where)):
        conn.execute(insert(watermark).values(dept=dept, kind=kind, until=text, rows=0))


def files_json(files: tuple[FileNote, ...]) -> str:
    notes = [
        {"name": f.name, "digest": f.digest, "rows": f.rows, "state": f.state, "problem": f.problem} for f in files
    ]
    return to_json(notes)


def to_json(value: Any) -> str:
    """JSON text as the ledger keeps it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
