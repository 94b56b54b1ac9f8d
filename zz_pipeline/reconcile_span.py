"""One question for many days: what a backfill has just sent lies in the window of its first day, and in every later one.

Belongs here: which days an agreeing comparison speaks for. Must not: comparing (that is `reconcile`).

Each day's window begins the day before and has no end, so asking day by day lists the same entries as often as there
are days: a month of 80 000 records would be read and compared thirty times over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import orjson
from sqlalchemy import insert

from zz_pipeline.ledger import audit
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import reconciliation
from zz_pipeline.reconcile import ReconcileResult

Ask = Callable[[date], ReconcileResult]


def each_day(ledger: Ledger, days: Sequence[date], ask: Ask, now: Callable[[], float]) -> dict[date, ReconcileResult]:
    """Reconcile these days of one platform, oldest first; after a difference or a failure each day is asked itself."""
    first, *others = days
    whole = ask(first)
    if whole.state != "OK":
        return {first: whole} | {day: ask(day) for day in others}
    return {first: whole} | {day: _within(ledger, whole, day, now()) for day in others}


def _within(ledger: Ledger, whole: ReconcileResult, day: date, now: float) -> ReconcileResult:
    """The entry of a day whose window lies within one that agreed; its counts are those of the wider window."""
    found = replace(whole, day=day.isoformat(), differences=[])
    counts = dict(whole.counts)
    row = {"day": found.day, "platform": found.platform, "state": found.state, "at": now}
    with ledger.begin("reconcile_end") as conn:
        made = conn.execute(insert(reconciliation).values(**row, counts=orjson.dumps(counts).decode(), error=""))
        detail = {"day": found.day, "state": found.state, "counts": counts, "error": "", "within": whole.id}
        audit.append(conn, "reconcile", "RECONCILED", found.platform, True, detail)
    found.id = int((made.inserted_primary_key or (0,))[0])
    return found
