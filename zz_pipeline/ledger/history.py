"""Earlier nights for the check: what the ledger knows before a day, as the plain tables of `zz_pipeline.history`.

Belongs here: reading versions, counts and intakes of days before the checked one. Must not: judging, limits' meaning, writing.
Only days before the checked one count, so that reading a day again finds what the first reading found.
Work is in proportion to the batch: its records, its subjects, and a few weeks of counts by code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, func, select

from zz_pipeline.history import CHECKS, SHARES, VERSIONS, VOLUMES, History, stage
from zz_pipeline.ledger.counts import KIND
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import code_count, intake, record_version, subject_check
from zz_pipeline.ledger.versions import chunks
from zz_pipeline.settings import Limits
from zz_pipeline.standard.tables import Rows

Part = tuple[Rows, str]  # a department's standard inspection table and the department's key


def history(ledger: Ledger, parts: Sequence[Part], day: date, limits: Limits) -> History:
    """What the ledger knew before `day` of the records and subjects of these tables, and of their departments."""
    since = day - timedelta(weeks=limits.weeks)
    start = min(since, day.replace(month=1, day=1))
    keys = sorted({key for table, _ in parts for key in _distinct(table, "record_key")})
    with ledger.read() as conn:
        versions = [row for some in chunks(keys) for row in _versions(conn, some, day)]
        checks = [row for table, dept in parts for row in _checks(conn, table, dept, start, day)]
        shares = _shares(conn, sorted({dept for _, dept in parts}), since, day)
        volumes = _volumes(conn, since, day)
    return History(
        limits, pa.Table.from_pylist(versions, VERSIONS), pa.Table.from_pylist(checks, CHECKS), volumes, shares
    )


def _distinct(table: Rows, name: str) -> list[Any]:
    return [value for value in pc.unique(table.select([name]).column(0)).to_pylist() if value]


def _versions(conn: Connection, keys: Any, day: date) -> Iterator[dict[str, Any]]:
    v = record_version.c
    mine = (v.kind == KIND) & v.record_key.in_(keys) & (v.day < day.isoformat())
    newest = select(v.record_key, func.max(v.version).label("version")).where(mine).group_by(v.record_key).subquery()
    query = select(v.record_key, v.payload).join(
        newest, (v.record_key == newest.c.record_key) & (v.version == newest.c.version)
    )
    for key, payload in conn.execute(query.where(v.kind == KIND)):
        said = orjson.loads(payload)
        common = {"record_key": key} | {name: said.get(name) for name in ("uscc", "finish_date", "entered_at")}
        for item in said.get("items") or ():
            reached = stage(item.get("result"), item.get("follow_up"))
            yield {**common, "item_code": item.get("item_code"), "stage": reached}


def _volumes(conn: Connection, since: date, day: date) -> pa.Table:
    """The largest good reading of each day: a second reading of the same day is no second batch."""
    i = intake.c
    query = select(i.dept, i.day, func.max(i.pulled)).group_by(i.dept, i.day)
    query = query.where(
        i.kind == KIND, i.state.in_(("OK", "EMPTY")), i.day >= since.isoformat(), i.day < day.isoformat()
    )
    rows = [{"dept": d, "day": date.fromisoformat(on), "units": int(n)} for d, on, n in conn.execute(query)]
    return pa.Table.from_pylist(rows, VOLUMES)


def _checks(conn: Connection, table: Rows, dept: str, start: date, day: date) -> Iterator[dict[str, Any]]:
    """Records that made a subject of the batch a checked one in a year of the batch, each counted once."""
    c = subject_check.c
    dates = table.select(["inspect_date"]).column(0)
    years = [year for year in pc.unique(pc.year(dates)).to_pylist() if year is not None]
    query = select(c.subject, c.year, func.count(c.record_key.distinct())).group_by(c.subject, c.year)
    query = query.where(c.dept == dept, c.year.in_(years), c.day >= start.isoformat(), c.day < day.isoformat())
    for some in chunks(sorted(_distinct(table, "uscc"))):
        for subject, year, n in conn.execute(query.where(c.subject.in_(some))).tuples():
            yield {"dept": dept, "subject": subject, "year": year, "checks": n}


def _shares(conn: Connection, depts: Sequence[str], since: date, day: date) -> pa.Table:
    c = code_count.c
    query = select(c.dept, c.field, c.code, func.sum(c.n)).group_by(c.dept, c.field, c.code)
    query = query.where(c.dept.in_(depts), c.day >= since.isoformat(), c.day < day.isoformat())
    rows = [{"dept": d, "field": f, "code": x, "rows": int(n)} for d, f, x, n in conn.execute(query).tuples()]
    return pa.Table.from_pylist(rows, SHARES)
