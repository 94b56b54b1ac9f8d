"""A range of days asks a platform once, and every day has its entry all the same.

Belongs here: `reconcile_span`. Must not: what a comparison finds (test_reconcile).
"""

from datetime import timedelta

import pytest

from tests.delivery.bench import table
from tests.pipeline.small_county import FINISHED, ONE, record, small, whole
from zz_pipeline.ledger.schema import difference, reconciliation
from zz_pipeline.reconcile_span import each_day

DAYS = [FINISHED + timedelta(days=n) for n in range(3)]


@pytest.fixture
def asked(tmp_path):
    """A county of two records on ①, and how each of its days is asked; the days that were asked are noted."""
    with small(tmp_path) as town, town.opened() as night:
        town.take_in(night, "SCJG", [record(night.settings, "SCJG", n) for n in (1, 2)])
        town.send(night, ONE)
        days = []

        def ask(day):
            days.append(day)
            return night.reconcile(ONE, day)

        yield town, night, lambda: (each_day(night.ledger, DAYS, ask, night.clock), days)


def test_days_that_lie_in_one_window_are_asked_once_and_each_has_its_entry(asked):
    _, night, ask = asked
    found, days = ask()
    assert days == DAYS[:1]
    assert {day: one.state for day, one in found.items()} == dict.fromkeys(DAYS, "OK")
    rows = table(night.ledger, reconciliation)
    assert [(row.day, row.state) for row in rows] == [(day.isoformat(), "OK") for day in DAYS]
    assert [one.id for one in found.values()] == [row.id for row in rows]
    assert found[DAYS[-1]].counts["ours"] == 2
    assert [night.balance(day).reconciliations[ONE] for day in DAYS] == ["OK"] * 3
    assert whole(night)


def test_after_a_difference_every_day_is_asked_itself_and_shows_its_own_differences(asked):
    town, night, ask = asked
    town.mocks.control("POST", "/forget", {"platform": ONE, "keys": ["610124-SCJG-2026-0000001"]})
    found, days = ask()
    assert days == DAYS
    assert found[DAYS[0]].state == "DIFFERS"
    assert [row.day for row in table(night.ledger, reconciliation)] == [day.isoformat() for day in DAYS]
    assert {row.reconciliation_id for row in table(night.ledger, difference)} >= {found[DAYS[0]].id}


def test_a_platform_that_is_away_is_a_failed_entry_of_every_day(asked):
    town, night, ask = asked
    town.mocks.control("POST", "/down", {"platform": ONE, "on": True})
    found, days = ask()
    assert days == DAYS
    assert {one.state for one in found.values()} == {"FAILED"}
    assert {row.state for row in table(night.ledger, reconciliation)} == {"FAILED"}
