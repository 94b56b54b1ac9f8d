"""A night on a ledger that knows many records: what it asks is answered by an index, whatever the planner guesses.

Belongs here: the plans of a night's statements, ledgers filled for a measurement. Must not: seconds (docs/decisions/0014).
SQLite has no statistics here, as it has none in a county: what it takes today it takes in ten years.
"""

import datetime as dt
import re

import pyarrow as pa
import pytest
from alembic import command
from sqlalchemy import event, select, text, update

from tests.pipeline.test_counts_of_versions import BATCH, counted, moved
from zz_pipeline import course
from zz_pipeline.alerts import turn
from zz_pipeline.bench import discard, known, nights, town
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.history import history
from zz_pipeline.ledger.schema import outbox
from zz_pipeline.settings import Limits

# What grows with every record. Not: lanes, watermarks, switches, conflicts, and the book of readings (27 rows a night).
GROWS = ("outbox", "before", "later", "gate", "holding", "there", "record_version", "record_head", "receipt", "batch")
GROWS += ("attempt", "quarantine", "publicity", "subject_check", "code_count", "audit_event", "suppression")
# Conditions that leave a share of a table, not what is asked for: a platform's, a kind's, a lane's rows.
SHARE = ("platform=?", "kind=?", "dept=?", "platform=? AND kind=?", "platform=? AND dept=?")
# Only their first row is taken: the end of the chain, its beginning, whether there is any.
FIRST = re.compile(r"ORDER BY audit_event\.n( DESC)? *LIMIT|SELECT attempt\.seq *FROM attempt *LIMIT", re.S)


def walks(statement, plan):
    """Lines of a plan that pass over a table that grows, or over a share of it."""
    if FIRST.search(" ".join(statement.split())):
        return []
    share = (*SHARE, "state=?") if "outbox.day = " in statement else SHARE  # a day's rows of a state, not all days'
    found = [(line, match) for line in plan if (match := LINE.match(line)) and match["table"] in GROWS]
    return [line for line, match in found if match["how"] == "SCAN" or (match["where"] or "") in share]


LINE = re.compile(r"(?P<how>SCAN|SEARCH) (?P<table>\w+)(?: USING [^(]*\((?P<where>[^)]*)\))?")


@pytest.fixture
def night(tmp_path, monkeypatch):
    with discard.running() as urls:
        here = town.Town(tmp_path / "town", urls)
        here.folder.mkdir()
        town.build(here, 12)
        for name, value in here.environment.items():
            monkeypatch.setenv(name, value)
        with nights.opened(town.DAY, checked=False) as made:
            yield made


def watch(engine):
    """statement → lines of its plan, for everything that the engine is asked from now on."""
    plans = {}

    def look(_conn, cursor, statement, parameters, _context, executemany):
        word = statement.lstrip()[:6].upper()
        if word not in ("SELECT", "UPDATE", "DELETE") or statement in plans:
            return
        own = cursor.connection.cursor()
        own.execute(f"EXPLAIN QUERY PLAN {statement}", parameters[0] if executemany else parameters)
        plans[statement] = [row[3] for row in own.fetchall()]
        own.close()

    event.listen(engine, "after_cursor_execute", look)
    return plans


def batch(count):
    rows = [
        {"record_key": f"k{n}", "uscc": f"91610124YY{n:07d}X", "inspect_date": dt.date(2026, 6, 1)}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, BATCH)


def test_no_statement_of_a_night_walks_through_what_is_known(night):
    dept = town.departments(1)[0]
    known.fill(night, dept, 60)
    plans = watch(night.ledger.engine)
    found = course.whole_night(night, town.DAY)
    assert found.balance.balanced
    assert sum(step.counts.get("接收", 0) for step in found.steps) == 12
    history(night.ledger, [(batch(5), dept)], town.DAY, Limits())
    assert not turn.after_night(night.settings, night.ledger, night.clock()).error
    assert len(plans) > 60
    found = {statement: lines for statement, plan in plans.items() if (lines := walks(statement, plan))}
    assert found == {}, "\n".join(f"{s} {p}" for s, p in found.items())


def test_a_statement_that_walks_is_seen(night):
    plans = watch(night.ledger.engine)
    with night.ledger.begin() as conn:
        conn.execute(select(outbox.c.state).where(outbox.c.op == "PUBLISH")).all()
        conn.execute(select(outbox.c.due).where(outbox.c.platform == "one").order_by(outbox.c.kind)).all()
        conn.execute(update(outbox).where(outbox.c.due == "x").values(rule=""))
        conn.execute(text("SELECT h FROM audit_event WHERE type = 'x' ORDER BY n DESC LIMIT 1")).all()
    assert [len(walks(statement, plan)) for statement, plan in plans.items()] == [1, 1, 1, 1]


def test_a_ledger_filled_for_a_measurement_is_one_that_nights_could_have_left(night, monkeypatch):
    monkeypatch.setattr(known, "REAL", 20)
    known.fill(night, town.departments(1)[0], 50)
    with night.ledger.read() as conn:
        for name, rows in (("record_version", 50), ("record_head", 50), ("outbox", 150), ("holding", 150)):
            assert conn.scalar(text(f"SELECT count(*) FROM {name}")) == rows
        assert conn.scalar(text("SELECT count(DISTINCT subject) FROM subject_check")) == 50
        assert conn.scalar(text("SELECT count(*) FROM publicity WHERE rules <> ''")) == 50
        state = audit.verify(conn)
    assert state.broken_at is None
    kept = counted(night.ledger)
    moved(night.ledger, command.downgrade, "0005")
    moved(night.ledger, command.upgrade, "head")
    assert counted(night.ledger) == kept
