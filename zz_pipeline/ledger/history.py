"""Earlier nights for the check: what the ledger knows before a day, as the plain tables of `zz_pipeline.history`.

Belongs here: reading versions and intakes of days before the checked one. Must not: judging, limits' meaning, writing.
Only days before the checked one count, so that reading a day again finds what the first reading found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson
import pyarrow as pa
from sqlalchemy import Connection, func, select

from zz_pipeline.history import CHECKS, SHARE_FIELDS, SHARES, VERSIONS, VOLUMES, History, stage
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, record_version
from zz_pipeline.ledger.versions import chunks
from zz_pipeline.settings import Limits

KIND, CASE = "inspection", "个案检查"
_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Past:
    """The part of a history that is the same for every batch of a day."""

    checks: pa.Table
    volumes: pa.Table
    shares: pa.Table


def past(ledger: Ledger, day: date, limits: Limits) -> Past:
    """Counts of the year, sizes and shares of the last weeks before `day`, all departments."""
    since = day - timedelta(weeks=limits.weeks)
    with ledger.read() as conn:
        volumes = _volumes(conn, since, day)
        checks, shares = _counts(conn, since, day)
    return Past(checks, volumes, shares)


def history(ledger: Ledger, known: Past, keys: Iterable[str], day: date, limits: Limits) -> History:
    """The past and the newest version before `day` of each of the records."""
    with ledger.read() as conn:
        rows = [row for part in chunks(sorted(set(keys))) for row in _versions(conn, part, day)]
    return History(limits, pa.Table.from_pylist(rows, VERSIONS), known.checks, known.volumes, known.shares)


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


def _counts(conn: Connection, since: date, day: date) -> tuple[pa.Table, pa.Table]:
    v = record_version.c
    start = min(since, day.replace(month=1, day=1)).isoformat()
    query = select(v.owner_dept, v.record_key, v.day, v.payload).where(
        v.kind == KIND, v.day >= start, v.day < day.isoformat()
    )
    checks: dict[tuple[str, str, int], set[str]] = {}
    shares: Counter[tuple[str, str, str]] = Counter()
    for dept, key, on, payload in conn.execute(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        said = orjson.loads(payload)
        if said.get("uscc") and said.get("inspect_date") and said.get("check_kind") != CASE:
            checks.setdefault((dept, said["uscc"], int(said["inspect_date"][:4])), set()).add(key)
        if on >= since.isoformat():
            shares.update((dept, name, code) for name, code in _codes(said))
    counted = [{"dept": d, "subject": s, "year": y, "checks": len(k)} for (d, s, y), k in checks.items()]
    told = [{"dept": d, "field": f, "code": c, "rows": n} for (d, f, c), n in shares.items()]
    return pa.Table.from_pylist(counted, CHECKS), pa.Table.from_pylist(told, SHARES)


def _codes(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, code) for each row that the record had in the standard table."""
    for item in said.get("items") or ():
        for name in SHARE_FIELDS:
            code = item.get(name) if name in item else said.get(name)
            if code:
                yield name, code
