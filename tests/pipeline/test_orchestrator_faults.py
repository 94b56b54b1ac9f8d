"""What becomes of the nights when the orchestrator fails: daemons away or doubled, schedules changed, storage lost.

Belongs here: Dagster's real scheduler, queue and monitoring over our definitions. Must not: steps of a night.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from sqlalchemy import select

from schedules.nightly import missed, nightly_schedule
from tests.pipeline import dagster_rig, harness
from tests.pipeline.dagster_rig import at
from tests.pipeline.harness import ROOT
from zz_pipeline.definitions import build
from zz_pipeline.ledger.schema import lane

FIRST = date(2026, 11, 2)


def days(count, after=FIRST):
    return [(after + timedelta(days=n)).isoformat() for n in range(1, count + 1)]


def morning_after(day):
    """01:31 of the day after: the schedule of that night is due."""
    return at((date.fromisoformat(day) + timedelta(days=1)).isoformat())


@pytest.fixture
def folder(tmp_path):
    return dagster_rig.configure(tmp_path / "dagster")


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    return {"ZZ_HOME": str(tmp_path_factory.mktemp("home")), "ZZ_CONFIG": str(ROOT / "config")}


@pytest.fixture(scope="module")
def server(tmp_path_factory, env):
    """What knows our definitions; each test has daemons and a storage of its own."""
    with dagster_rig.code_server(dagster_rig.configure(tmp_path_factory.mktemp("server")), env) as found:
        yield found


@pytest.fixture
def running(folder, env, server):
    """Daemons that have seen one night."""
    with dagster_rig.daemons(folder, env, server) as found:
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


def test_fault_51_a_new_instance_asks_for_yesterday_and_for_nothing_before_it(folder, env, server):
    with dagster_rig.daemons(folder, env, server) as found:
        found.tick(at(FIRST.isoformat(), "12:00"))
        found.tick(morning_after(days(3)[-1]))
        assert found.nights() == days(3)[-1:]


def test_fault_52_two_daemons_that_see_one_tick_ask_for_that_night_only(folder, env, server, running):
    """Both may look before either writes: what Dagster lets through is a second run of the same request."""
    night = days(1)[0]
    with dagster_rig.daemons(folder, env, server) as second:
        both = [threading.Thread(target=one.tick, args=[morning_after(night)]) for one in (running, second)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        second.tick(morning_after(night))
    assert running.nights()[:2] == [FIRST.isoformat(), night]
    assert set(running.nights()[2:]) <= {night}
    assert len(running.nights()) <= 3


def test_fault_52_of_two_runs_of_one_request_the_later_is_never_started(running):
    instance = running.instance
    asked = instance.get_runs(dg.RunsFilter(job_name="nightly"))[0]
    twin = instance.add_run(asked._replace(run_id=str(uuid.uuid4())))
    running.start(twin)
    assert instance.get_run_by_id(twin.run_id).status is dg.DagsterRunStatus.CANCELED
    said = [entry.dagster_event.message or "" for entry in instance.all_logs(twin.run_id) if entry.dagster_event]
    assert any("不需要处理" in text and asked.run_id in text for text in said)
    assert instance.get_run_by_id(asked.run_id).status is dg.DagsterRunStatus.QUEUED


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


# ---------------------------------------------------------------- runs that end without their process


def test_fault_53_a_slot_of_a_run_that_ended_without_giving_it_back_is_free_within_two_minutes(tmp_path, env, server):
    monitoring = yaml.safe_load((ROOT / "dagster.yaml").read_text("utf-8"))["run_monitoring"]
    assert monitoring["free_slots_after_run_end_seconds"] + monitoring["poll_interval_seconds"] <= 120
    folder = dagster_rig.configure(tmp_path / "dagster", run_monitoring={"free_slots_after_run_end_seconds": 1})
    pool = "platform_double_random"
    with dagster_rig.daemons(folder, env, server) as found:
        storage = found.instance.event_log_storage
        storage.initialize_concurrency_limit_to_default(pool)
        leaked = found.instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        assert storage.claim_concurrency_slot(pool, leaked.run_id, "step").is_claimed
        assert not storage.claim_concurrency_slot(pool, "next night", "step").is_claimed
        found.instance.report_run_failed(leaked, "killed")
        until = time.monotonic() + 60
        while not storage.check_concurrency_claim(pool, "next night", "step").is_claimed:
            assert time.monotonic() < until
            found.monitor()
            time.sleep(0.5)
            storage.claim_concurrency_slot(pool, "next night", "step")


@dg.job
def nothing():
    pass


@pytest.mark.long  # a night in a process of its own, and one more
@pytest.mark.parametrize("kill", ["worker", "server"])
def test_fault_03_04_a_killed_run_ends_as_failed_without_an_orphan_and_the_next_one_delivers_the_rest(tmp_path, kill):
    """A night under the real queue, launcher and code server, killed while its records travel."""
    place = dagster_rig.configure(tmp_path / "dagster")
    with harness.town(tmp_path / "town", seed=7, days=1, scale=0.1) as town:
        day = town.county.days[-1]
        town.county.apply(day)
        with dagster_rig.daemons(place, town.env) as found:
            found.tick(at(day.isoformat(), "12:00"))
            found.tick(morning_after(day.isoformat()))
            run = started(found)
            worker = travelling(town, found, run)
            os.kill(worker if kill == "worker" else parent(worker), signal.SIGKILL)
            struck = time.monotonic()
            until_failed(found, run, struck)
            assert gone(worker, struck), "no orphan goes on"
        assert town.night(day).report
        assert harness.compare(town.mocks, town.manifest()["expected"][day.isoformat()]) == []
        once(town)


def started(found):
    """The queue's run on its way in a process of the code server."""
    run = found.instance.get_runs(dg.RunsFilter(job_name="nightly"))[0]
    until = time.monotonic() + 120
    while found.instance.get_run_by_id(run.run_id).status is not dg.DagsterRunStatus.STARTED:
        assert time.monotonic() < until
        found.dequeue()
        time.sleep(1.0)
    return run


def travelling(town, found, run):
    """The run's process, once records are on their way to the entry platform."""
    until = time.monotonic() + 300
    while not any(line["method"] == "POST" and line["keys"] for line in town.mocks.wire("double_random")):
        assert time.monotonic() < until
        assert not found.instance.get_run_by_id(run.run_id).is_finished
        time.sleep(0.02)
    with town.opened() as night, night.ledger.read() as conn:
        return int(
            conn.execute(select(lane.c.holder).where(lane.c.holder != "").limit(1)).scalar_one().rpartition(":")[2]
        )


def parent(pid):
    status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(status[1])


def gone(pid, struck):
    """The process has ended by itself (a zombie is no process any more)."""
    while time.monotonic() - struck < 90:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.2)
    return False


def until_failed(found, run, struck):
    while found.instance.get_run_by_id(run.run_id).status is not dg.DagsterRunStatus.FAILURE:
        assert time.monotonic() - struck < 90, "FAILURE within 90 s"
        found.monitor()
        time.sleep(5.0)


def once(town):
    """No platform stored a version twice."""
    for platform in harness.PLATFORMS:
        history = town.mocks.ledger(platform, history=True)
        assert len({(e["key"], e["hash"], e["state"]) for e in history}) == len(history)


# ---------------------------------------------------------------- Dagster's storage is lost


@pytest.mark.long  # three nights of Dagster
def test_fault_56_without_dagsters_storage_nothing_is_lost_or_sent_twice(tmp_path):
    place = dagster_rig.configure(tmp_path / "dagster")
    with harness.town(tmp_path / "town", seed=7, days=2, scale=0.1) as town:
        first, second = town.county.days
        definitions = build(town.settings)
        for day, lost in ((first, False), (first, True), (second, True)):
            if day != first or not lost:
                town.county.apply(day)
            if lost:
                dagster_rig.wipe(place)
            before = pushed(town)
            with dagster_rig.environment(town.env), dg.DagsterInstance.from_config(str(place)) as instance:
                job = definitions.resolve_job_def("nightly")
                assert job.execute_in_process(instance=instance, partition_key=day.isoformat()).success
            if day == first and lost:
                assert pushed(town) == before, "the same day again sends nothing"
            assert harness.compare(town.mocks, town.manifest()["expected"][day.isoformat()]) == []


def pushed(town):
    entries = [e for p in harness.PLATFORMS for e in town.mocks.wire(p) if e["method"] == "POST"]
    return sum(len(e["keys"]) for e in entries)
