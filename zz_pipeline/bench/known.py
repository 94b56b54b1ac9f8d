"""A ledger full of known records: accepted over many nights, confirmed on every platform, told in the audit chain.

Belongs here: what a night finds of earlier ones, table by table. Must not: measuring, opening a night, PostgreSQL.

The first `REAL` records are made as acceptance makes them; the others are copies of them under other numbers and of
other subjects, made by the database: their digests fit nothing, and nobody but a correction would look at them.
Whatever a night could walk through is there: versions, heads, rows, holdings, terms of publicity, counts, audit events.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any, NamedTuple

import numpy as np
import orjson
from sqlalchemy import Connection, TextClause, text

from zz_pipeline.bench import rows, town
from zz_pipeline.ledger import audit, counts, publicity
from zz_pipeline.ledger.payload import content, contents
from zz_pipeline.ledger.schema import metadata
from zz_pipeline.night import Night
from zz_pipeline.sources import Window, read_source
from zz_pipeline.standard.tables import Kind
from zz_pipeline.standardize import standardize

_CHUNK = 10_000
REAL = 20_000
_DAYS = 1000  # known records were accepted over so many nights
_BEFORE = 1_700_000_000.0

_EVENT = 400  # records that one event tells of


class _Shown(NamedTuple):
    """A publishing decision that has opened a term."""

    state: str = "READY"
    op: str = "PUBLISH"


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


# Of the n-th record's copy: number, key, digest and subject of the record that stands :shift places behind it.
_NUMBER = "printf('%07d', CAST(substr(record_key, -7) AS INTEGER) + :shift)"
_KEY = f"substr(record_key, 1, length(record_key) - 7) || {_NUMBER}"
_SUBJECT = f"'91610124' || {_NUMBER} || 'YYX'"
_SAID = (
    f"replace(replace(CAST(payload AS TEXT), substr(record_key, -12), '2026-' || {_NUMBER}),"
    f" json_extract(CAST(payload AS TEXT), '$.uscc'), {_SUBJECT})"
)
_REAL = "CAST(substr(record_key, -7) AS INTEGER) < :most"
# table → what a copy has of its own
_OWN = {
    "record_version": {"record_key": _KEY, "digest": f"{_NUMBER} || substr(digest, 8)", "payload": f"CAST({_SAID} AS BLOB)"},
    "record_head": {
        "record_key": _KEY, "digest": f"{_NUMBER} || substr(digest, 8)", "twin": f"{_NUMBER} || substr(twin, 8)"
    },
    "outbox": {"record_key": _KEY, "item_key": f"substr(item_key, 1, 3) || {_NUMBER} || substr(item_key, 11)"},
    "holding": {"record_key": _KEY, "remote_key": _KEY},
    "publicity": {"record_key": _KEY},
    "subject_check": {"record_key": _KEY, "subject": _SUBJECT},
}  # fmt: skip


def _copying(name: str, own: dict[str, str]) -> TextClause:
    """The statement that copies a table's first records."""
    columns = [column.name for column in metadata.tables[name].columns]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(own.get(column, f'"{column}"') for column in columns)
    return text(f"INSERT INTO {name} ({names}) SELECT {values} FROM {name} WHERE {_REAL}")  # noqa: S608 - of the schema


_COPIES = tuple(_copying(name, own) for name, own in _OWN.items())
_ROOM = (
    "PRAGMA cache_size = -2000000"  # KiB: with SQLite's two megabytes each page of an index is read and written anew
)
# Each of these records has one row, with one code in each field.
_RECOUNT = text(
    "UPDATE code_count SET n = (SELECT count(*) FROM record_version v WHERE v.day = code_count.day"
    " AND v.owner_dept = code_count.dept)"
)


def fill(night: Night, dept: str, count: int) -> None:
    """Fill the ledger with so many records of a department, numbered from 0, accepted and confirmed on every platform.

    Their content is what the department's first record says, under other numbers and subjects and at an older address.
    """
    owner = night.settings.departments[dept]
    until = datetime.combine(town.DAY + timedelta(days=1), clock_time())
    window = Window(town.DAY, datetime(2000, 1, 1), until)  # noqa: DTZ001 - the county's wall time
    raw = read_source(owner, night.settings, window)
    batch = standardize(raw, owner, night.book, night.lists, night.settings.county.code)
    said = next(iter(contents(Kind.INSPECTION, batch.table))).payload
    size = min(count, REAL)
    _make(night, dept, said, size)
    while size < count:
        more = min(size, count - size)
        with night.ledger.begin(durable=False) as conn:
            conn.exec_driver_sql(_ROOM)
            for statement in _COPIES:
                conn.execute(statement, {"shift": size, "most": more})
        _tell(night, dept, [(f"610124-{dept}-{town.record_no(n)}", f"{n:064d}") for n in range(size, size + more)])
        size += more
    with night.ledger.begin() as conn:
        conn.execute(_RECOUNT)
        audit.note_verified(conn, audit.head(conn).h)  # as the night before has done


def _make(night: Night, dept: str, said: dict[str, Any], count: int) -> None:
    for start in range(0, count, _CHUNK):
        numbers = range(start, min(start + _CHUNK, count))
        subjects = rows.usccs(np.arange(numbers.start, numbers.stop)).to_pylist()
        made = [_made(dept, said, n, subject) for n, subject in zip(numbers, subjects, strict=True)]
        with night.ledger.begin() as conn:
            _fill(conn, night, dept, made)
            while publicity.reckon(conn, night.periods, _CHUNK):
                pass
        _tell(night, dept, [(one["key"], one["digest"]) for one in made])


def _fill(conn: Connection, night: Night, dept: str, made: list[dict[str, Any]]) -> None:
    conn.execute(_VERSION, made)
    conn.execute(_HEAD, made)
    for target in night.targets:
        name, public = target.name, target.public
        sent = [{**one, "platform": name, "public": public, "item": f"{name[:3]}{one['digest'][3:]}"} for one in made]
        conn.execute(_OUTBOX, sent)
        conn.execute(_HOLDING, [{**one, "remote": one["key"], "hash": one["digest"]} for one in sent])
    publicity.note(conn, str(Kind.INSPECTION), [(one["key"], one["said"], _Shown()) for one in made])
    days = defaultdict(list)
    for one in made:
        days[one["day"]].append((one["key"], one["said"]))
    for day, found in days.items():
        counts.note(conn, str(Kind.INSPECTION), dept, day, found)


def _tell(night: Night, dept: str, made: list[tuple[str, str]]) -> None:
    """Events of the form and size that acceptance, sending and answers leave behind of (key, digest)."""
    platforms = [target.name for target in night.targets]
    for start in range(0, len(made), _EVENT):
        part = made[start : start + _EVENT]
        told = [[key, 1, digest, dict.fromkeys(platforms, "READY")] for key, digest in part]
        sent = [["inspection", key, 1] for key, _ in part]
        with night.ledger.begin(durable=False) as conn:
            audit.append(conn, "bench", "ACCEPT", f"{dept}/bench", True, {"records": told}, ts=_BEFORE)
            for name in platforms:
                audit.append(conn, "bench", "SEND", name, True, {"rows": sent}, ts=_BEFORE)
                judged = [[*row, "CONFIRMED"] for row in sent]
                audit.append(conn, "bench", "ANSWER", name, True, {"rows": judged}, ts=_BEFORE)


def _made(dept: str, said: dict[str, Any], n: int, subject: str) -> dict[str, Any]:
    number = town.record_no(n)
    key = f"610124-{dept}-{number}"
    day = (town.DAY - timedelta(days=1 + n % _DAYS)).isoformat()
    own = {"record_key": key, "record_no": number, "subject_name": f"周至县样例{n:07d}号有限公司", "uscc": subject}
    own |= {"inspect_date": day, "finish_date": day, "entered_at": f"{day} 17:20:00"}
    one = content(key, {**said, **own, "address_operating": "周至县样例旧址"}, None, None, None)
    common: dict[str, Any] = {
        "key": key,
        "dept": dept,
        "day": day,
        "digest": one.digest,
        "payload": one.body,
        "said": one.payload,
    }
    common |= {"row": n, "no": False, "changed": f"{day} 08:00:00", "twin": one.twin, "at": _BEFORE + n}
    wire = orjson.dumps([{"recordKey": key, "entName": one.payload["subject_name"]}])
    return {**common, "wire": wire}
