"""What becomes of the nights when the orchestrator fails: daemons away or doubled, schedules changed, storage lost.

Belongs here: Dagster's real scheduler, queue and monitoring over our definitions. Must not: steps of a night.
"""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta

import dagster as dg
import pytest

from schedules.nightly import missed, nightly_schedule
from tests.pipeline import dagster_rig
from tests.pipeline.dagster_rig import at
from tests.pipeline.harness import ROOT

FIRST = date(2026, 11, 2)


def days(count, after=FIRST):
    return [(after + timedelta(days=n)).isoformat() for n in range(1, count + 1)]


def morning_after(day):
    """01:31 of the day after: the schedule of that night is due."""
    return at((date.fromisoformat(day) + timedelta(days=1)).isoformat())


@pytest.fixture
def folder(tmp_path):
    return dagster_rig.configure(tmp_path / "dagster")


@pytest.fixture
def env(tmp_path):
    return {"ZZ_HOME": str(tmp_path / "home"), "ZZ_CONFIG": str(ROOT / "config")}


@pytest.fixture
def running(folder, env):
    """Daemons that have seen one night."""
    with dagster_rig.daemons(folder, env) as found:
        found.tick(at(FIRST.isoformat(), "12:00"))
        found.tick(morning_after(FIRST.isoformat()))
        assert found.nights() == [FIRST.isoformat()]
        yield found


@pytest.mark.parametrize("gaps", [(3,), pytest.param((1, 2, 14), marks=pytest.mark.long)])
def test_fault_51_every_night_of_a_gap_is_asked_for_once_and_in_order(running, gaps):
    asked, last = [FIRST.isoformat()], FIRST
    for gap in gaps:
        missed = days(gap, last)
        running.tick(morning_after(missed[-1]))
        asked += missed
        assert running.nights() == asked
        last = date.fromisoformat(missed[-1])
    running.tick(morning_after(asked[-1]))
    assert running.nights() == asked


def test_fault_51_a_new_instance_asks_for_yesterday_and_for_nothing_before_it(folder, env):
    with dagster_rig.daemons(folder, env) as found:
        found.tick(at(FIRST.isoformat(), "12:00"))
        found.tick(morning_after(days(3)[-1]))
        assert found.nights() == days(3)[-1:]


def test_fault_52_two_daemons_that_see_one_tick_ask_for_its_night_once(folder, env, running):
    night = days(1)[0]
    with dagster_rig.daemons(folder, env) as second:
        both = [threading.Thread(target=one.tick, args=[morning_after(night)]) for one in (running, second)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        second.tick(morning_after(night))
    assert running.nights() == [FIRST.isoformat(), night]


def test_fault_54_a_clock_that_jumps_a_day_asks_for_no_night_twice_and_leaves_none_out(running):
    first, second = days(2)
    running.tick(morning_after(first))
    running.tick(morning_after(FIRST.isoformat()))  # a day back
    running.tick(morning_after(second))  # and a day ahead of that
    running.tick(morning_after(first))
    running.tick(morning_after(second))
    assert running.nights() == [FIRST.isoformat(), first, second]


@pytest.mark.parametrize(
    ("moment", "day"),
    [("2026-11-22T17:30:00+00:00", "2026-11-22"), ("2026-11-22T15:59:00+00:00", "2026-11-21"), ("2024-02-29T17:30:00+00:00", "2024-02-29"), ("2026-12-31T17:30:00+00:00", "2026-12-31")],
)  # fmt: skip
def test_fault_54_a_partition_is_the_business_day_of_the_county_whatever_utc_says(moment, day):
    with dg.DagsterInstance.ephemeral() as instance:
        assert missed(instance, datetime.fromisoformat(moment).astimezone(dagster_rig.BEIJING)) == [day]


def test_fault_55_another_cron_text_asks_for_no_night_a_second_time(running):
    """The schedule's function is what decides; Dagster's own memory of ticks begins anew with a new text."""
    night = datetime(2026, 11, 3, 23, 45, tzinfo=dagster_rig.BEIJING)
    later = replace_cron(nightly_schedule, "45 23 * * *")
    with dg.build_schedule_context(running.instance, night) as context:
        assert [request.partition_key for request in later(context)] == []
    with dg.build_schedule_context(running.instance, night + timedelta(days=1)) as context:
        assert [request.partition_key for request in later(context)] == [days(1)[0]]


def replace_cron(schedule, text):
    """The same schedule as if its file said otherwise."""
    return dg.ScheduleDefinition(
        name=schedule.name,
        job_name=schedule.job_name,
        cron_schedule=text,
        execution_timezone=schedule.execution_timezone,
        execution_fn=schedule._execution_fn,
    )
