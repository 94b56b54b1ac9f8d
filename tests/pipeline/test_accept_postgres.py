"""Acceptance on PostgreSQL: the same statements, the same rows as on SQLite."""

import datetime as dt

import pytest
from sqlalchemy import MetaData, select

from tests.pipeline.test_ledger_accept import DAY, entry, put, record
from zz_pipeline.ledger import accept
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import metadata

pytestmark = pytest.mark.postgres
ODD = ("A", "B'%s?", "丙:x", "%(d)s")


def two_nights(ledger):
    first = put(ledger, [record(key) for key in ODD], [entry("U1")])
    # what a platform may hold, what was sent back and is now corrected, what nobody has changed
    more = [record(key, "乙", "2026-11-21 09:00:00") for key in ODD[1:]]
    second = put(ledger, [record("A"), *more, record("U1")], day=DAY + dt.timedelta(days=1), now=2000.0)
    assert isinstance(second, accept.Accepted)
    return first, second


def written(ledger):
    """Every row of every table of the schema, in an order of its own."""
    assert isinstance(metadata, MetaData)
    with ledger.read() as conn:
        return {
            table.name: sorted(repr(tuple(map(_plain, row))) for row in conn.execute(select(table)))
            for table in metadata.sorted_tables
        }


def _plain(value):
    return bytes(value) if isinstance(value, memoryview) else value


def test_two_nights_leave_the_same_ledger_on_both_databases(postgres, tmp_path):
    ledgers = [Ledger(postgres.database()), Ledger(f"sqlite:///{tmp_path}/ledger.db")]
    try:
        for ledger in ledgers:
            ledger.migrate()
        told = [two_nights(ledger) for ledger in ledgers]
        ours, theirs = (written(ledger) for ledger in ledgers)
    finally:
        for ledger in ledgers:
            ledger.close()
    assert told[0] == told[1]
    assert (told[0][1].accepted, told[0][1].unchanged) == (4, 1)
    assert ours == theirs
    assert len(ours["outbox"]) == 2 * (4 + 4)
    assert sum("'CANCELLED'" in row for row in ours["outbox"]) == 2 * 3
