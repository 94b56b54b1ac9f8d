"""A night over a measured county: the product's own steps, with a clock that stands where the measurement wants it.

Belongs here: opening a night, leaving the rules out where they are not what is measured, ledgers full of known records.
Must not: measuring, knowledge of a command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
from sqlalchemy import Connection, text

from zz_pipeline import quality
from zz_pipeline.bench import rows, town
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import content, contents
from zz_pipeline.night import Night
from zz_pipeline.settings import load_settings
from zz_pipeline.sources import Window, read_source
from zz_pipeline.standard.tables import Kind
from zz_pipeline.standardize import StandardBatch, standardize

_AT = clock_time(1, 30)
_CHUNK = 10_000
_DAYS = 1000  # known records were accepted over so many nights
_BEFORE = 1_700_000_000.0

_VERSION = text(
    "INSERT INTO record_version (kind, record_key, version, op, owner_dept, submit_dept, day, digest, payload,"
    " rule_set, reason, changed_at, source_file, source_row, accepted_at)"
    " VALUES ('inspection', :key, 1, 'PUBLISH', :dept, :dept, :day, :digest, :payload, 'bench', '', :changed, 'bench',"
    " :row, :at)"
)
_HEAD = text(
    "INSERT INTO record_head (kind, record_key, version, digest, changed_at, owner_dept, withdrawn, twin)"
    " VALUES ('inspection', :key, 1, :digest, :changed, :dept, :no, :twin)"
)
_OUTBOX = text(
    "INSERT INTO outbox (platform, kind, record_key, version, dept, day, op, scheme, public, state, reason, rule,"
    " item_key, not_before, wire, epoch, tries, next_at, absences, receipt, remote_code, updated_at)"
    " VALUES (:platform, 'inspection', :key, 1, :dept, :day, 'PUBLISH', '', :public, 'CONFIRMED', '', '',"
    " :item, 0, :wire, 1, 1, 0, 0, 'R', '0000', :at)"
)
_HOLDING = text(
    "INSERT INTO holding (platform, kind, remote_key, record_key, version, dept, state, content_hash, confirmed_at)"
    " VALUES (:platform, 'inspection', :remote, :key, 1, :dept, 'PRESENT', :hash, :at)"
)


class Unchecked(Night):
    """A night whose rules find nothing and cost nothing."""

    def judge(
        self, batches: Sequence[tuple[StandardBatch, str]], kind: Kind, day: date
    ) -> list[quality.CheckOutcome | Any]:
        """Everything passes."""
        return [quality.nothing_to_check() for _ in batches]


def clock(day: date) -> Callable[[], float]:
    """A clock that stands at 01:30 of that day in the county when it is made, and goes on like any other."""
    begin = datetime.combine(day, _AT, ZoneInfo("Asia/Shanghai")).timestamp() - time.time()
    return lambda: time.time() + begin


@contextmanager
def opened(day: date, *, checked: bool) -> Iterator[Night]:
    """The county of the environment on the night after `day`; its ledger is migrated and closed."""
    settings = load_settings()
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    try:
        night = (Night if checked else Unchecked)(settings, ledger, "bench", clock=clock(day + timedelta(days=1)))
        night.load_all()
        yield night
    finally:
        ledger.close()


def warm() -> None:
    """Import what checks, and check a row: a fixed cost of a night, which would hide the cost of a record."""
    common: dict[str, Any] = {"lists": rows.lists(), "day": rows.DAY, "now": rows.NOW, "regions": frozenset({"610124"})}
    quality.load_checker()([(rows.table(1, 0.0), rows.DEPARTMENT)], str(Kind.INSPECTION), **common)


def known(night: Night, dept: str, count: int) -> None:
    """Fill the ledger with so many records of a department, numbered from 0, accepted and confirmed on every platform.

    Their content is what the department's first record says, under other numbers and subjects and at an older address.
    """
    owner = night.settings.departments[dept]
    until = datetime.combine(town.DAY + timedelta(days=1), clock_time())
    window = Window(town.DAY, datetime(2000, 1, 1), until)  # noqa: DTZ001 - the county's wall time
    raw = read_source(owner, night.settings, window)
    batch = standardize(raw, owner, night.book, night.lists, night.settings.county.code)
    said = next(iter(contents(Kind.INSPECTION, batch.table))).payload
    for start in range(0, count, _CHUNK):
        with night.ledger.begin() as conn:
            _fill(conn, night, dept, said, range(start, min(start + _CHUNK, count)))


def _fill(conn: Connection, night: Night, dept: str, said: dict[str, Any], numbers: range) -> None:
    subjects = rows.usccs(np.arange(numbers.start, numbers.stop)).to_pylist()
    made = [_made(dept, said, n, subject) for n, subject in zip(numbers, subjects, strict=True)]
    conn.execute(_VERSION, made)
    conn.execute(_HEAD, made)
    for target in night.targets:
        name, public = target.name, target.public
        sent = [{**one, "platform": name, "public": public, "item": f"{name[:3]}{one['digest'][3:]}"} for one in made]
        conn.execute(_OUTBOX, sent)
        conn.execute(_HOLDING, [{**one, "remote": one["key"], "hash": one["digest"]} for one in sent])


def _made(dept: str, said: dict[str, Any], n: int, subject: str) -> dict[str, Any]:
    number = town.record_no(n)
    key = f"610124-{dept}-{number}"
    day = (town.DAY - timedelta(days=1 + n % _DAYS)).isoformat()
    own = {"record_key": key, "record_no": number, "subject_name": f"周至县样例{n:07d}号有限公司", "uscc": subject}
    own |= {"inspect_date": day, "finish_date": day, "entered_at": f"{day} 17:20:00"}
    one = content(key, {**said, **own, "address_operating": "周至县样例旧址"}, None, None, None)
    common = {"key": key, "dept": dept, "day": day, "digest": one.digest, "payload": one.body, "row": n, "no": False}
    wire = orjson.dumps([{"recordKey": key, "entName": one.payload["subject_name"]}])
    return {**common, "changed": f"{day} 08:00:00", "twin": one.twin, "at": _BEFORE + n, "wire": wire}
