"""What may be public now and until when: the table `publicity`, so that a night looks only at what ends.

Belongs here: noting what a version opens or closes, reckoning ends anew after the county's table has changed, what is due.
Must not: making versions (that is `expiry`), knowing how long a period is (that is `standard.publishing_periods`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, delete, select, update

from zz_pipeline.ledger import bulk
from zz_pipeline.ledger.schema import publicity
from zz_pipeline.standard.publishing_periods import Periods, Term, term_of

STAMP = "%Y-%m-%d %H:%M:%S"
_OPEN = ("READY", "HELD")
_TERM = ("kind", "record_key", "name", "field", "since", "until", "rules")


class Shown(Protocol):
    """What of a publishing decision says that something is to be public."""

    @property
    def state(self) -> str: ...
    @property
    def op(self) -> str: ...


def note(conn: Connection, kind: str, decided: Sequence[tuple[str, dict[str, Any], Shown]]) -> None:
    """Keep (key, payload, decision of the public platform): a publication opens a term, anything else closes it."""
    forget(conn, kind, [key for key, _, _ in decided])
    rows = []
    for key, payload, decision in decided:
        term = term_of(kind, payload) if decision.state in _OPEN and decision.op != "WITHDRAW" else None
        if term is not None:
            rows.append((kind, key, term.name, term.field, term.since.isoformat(), term.until, ""))
    bulk.write(conn, publicity, _TERM, rows)


def reckon(conn: Connection, periods: Periods, most: int) -> int:
    """Reckon the ends of at most so many terms that are new or were reckoned by another table; returns how many."""
    # two ranges of the index; with != all terms would be read, each night
    others = (publicity.c.rules < periods.mark, publicity.c.rules > periods.mark)
    rows = [row for other in others for row in conn.execute(select(publicity).where(other).limit(most))][:most]
    values = []
    for row in rows:
        last = periods.last(Term(row.name, row.field, date.fromisoformat(row.since), row.until))
        ends = last.strftime(STAMP) if last else None
        values.append({"k": row.kind, "r": row.record_key, "ends": ends, "rules": periods.mark})
    if values:
        here = (publicity.c.kind == bindparam("k")) & (publicity.c.record_key == bindparam("r"))
        conn.execute(update(publicity).where(here).values(ends=bindparam("ends"), rules=bindparam("rules")), values)
    return len(values)


def over(conn: Connection, now: datetime, most: int) -> list[Any]:
    """At most so many terms that have ended before this moment of the county, the oldest first."""
    ended = publicity.c.ends < now.strftime(STAMP)
    return list(conn.execute(select(publicity).where(ended).order_by(publicity.c.ends).limit(most)))


def still_over(conn: Connection, kind: str, keys: Sequence[str], now: datetime) -> list[Any]:
    """Those of the keys that have ended, looked at again under the owners' locks."""
    ended = publicity.c.ends < now.strftime(STAMP)
    where = (publicity.c.kind == kind) & publicity.c.record_key.in_(keys)
    return list(conn.execute(select(publicity).where(where, ended).order_by(publicity.c.record_key)))


def forget(conn: Connection, kind: str, keys: Sequence[str]) -> None:
    """The terms of these records are over or were never begun."""
    for start in range(0, len(keys), bulk.PART):
        mine = bulk.among(conn, publicity.c.record_key, keys[start : start + bulk.PART])
        conn.execute(delete(publicity).where(publicity.c.kind == kind, mine))
