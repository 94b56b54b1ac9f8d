"""Lanes and delivery on PostgreSQL: the lock, the fence and the row locks that SQLite's single writer hides.

Belongs here: what differs between the two databases. Must not: faults that do not touch the database.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from tests.delivery.bench import ENTRY, FakeClock, accept, accept_many, chain_whole, row, settings_for, states, table
from tests.delivery.tiny_platform import TinyPlatform
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.lanes import LaneBusy, take
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.reconcile import reconcile

pytestmark = pytest.mark.postgres


@pytest.fixture
def ledger(postgres):
    ledger = Ledger(postgres.database())
    with ledger.begin() as conn:
        schema.metadata.create_all(conn)
    yield ledger
    ledger.close()


@pytest.fixture
def platform():
    with TinyPlatform() as platform:
        yield platform


@pytest.fixture
def settings(tmp_path, platform):
    depts = ("SCJG", "YJJ", "NYJ", "JTJ")
    return settings_for(tmp_path, {ENTRY: platform.url}, depts, night_wait_seconds=7200.0, rate=1000.0, burst=1000.0)


def _hold(url, ready, done):
    ledger = Ledger(url)
    with take(ledger, None, ENTRY, "SCJG", 1.0):
        ready.set()
        done.wait(30)


def test_fault_04_the_lock_of_a_lane_holds_across_hosts_and_ends_with_its_process(ledger, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(ledger.url, ready, done))
    process.start()
    try:
        assert ready.wait(60)
        with pytest.raises(LaneBusy), take(ledger, tmp_path, ENTRY, "SCJG", 2.0):
            pass
        with take(ledger, tmp_path, ENTRY, "YJJ", 2.0) as other:
            assert other.epoch == 1
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    for _ in range(50):  # the server notices the closed connection a moment later
        try:
            with take(ledger, tmp_path, ENTRY, "SCJG", 3.0) as lane:
                assert lane.epoch == 2
                return
        except LaneBusy:
            time.sleep(0.1)
    pytest.fail("the killed holder's lock was never given back")


def test_fault_14_lanes_side_by_side_deliver_through_faults_once_each(platform, ledger, settings):
    keys = [key for dept in ("SCJG", "YJJ", "NYJ", "JTJ") for key in accept_many(ledger, settings, dept, 5)]
    platform.faults.extend(["close_after", "500_before", "half", "busy"])
    clock = FakeClock()
    result = deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=4)
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=4)
    assert states(ledger) == {"CONFIRMED": 20}
    assert sorted(key for key, _, _ in platform.effects) == sorted(keys)
    assert result.alarms == []
    assert chain_whole(ledger)
    assert len(table(ledger, schema.attempt)) == len(platform.pushes) + len(platform.queries)


def test_versions_gates_and_reconciliation_work_on_postgresql(platform, ledger, settings):
    key = accept(ledger, settings, "SCJG", "2026-1")
    accept(ledger, settings, "SCJG", "2026-1", version=2, op="CORRECT", due="2026-12-01")
    second = accept(ledger, settings, "SCJG", "2026-2")
    clock = FakeClock()
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep)
    assert states(ledger) == {"CONFIRMED": 3}
    with ledger.begin() as conn:
        conn.execute(schema.holding.delete().where(schema.holding.c.record_key == second))
        mine = schema.outbox.c.record_key == second
        conn.execute(update(schema.outbox).where(mine).values(state="UNKNOWN"))
    result = reconcile(ledger, settings, ENTRY, datetime.now(UTC).date(), clock=clock, sleep=clock.sleep)
    assert (result.state, result.counts["recovered"]) == ("OK", 1)
    assert (row(ledger, second).state, row(ledger, key, 2).state) == ("CONFIRMED", "CONFIRMED")
