"""Two hosts, each with its own home and processes, one PostgreSQL: they deliver one backlog together, each record once.

Belongs here: what holds when several hosts deliver. Must not: faults of a platform.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from tests.delivery import rate_rig
from tests.delivery.bench import a_uscc, accept, chain_whole, settings_for, states, table
from tests.delivery.rate_rig import ONE
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger

pytestmark = pytest.mark.postgres

DEPTS = ("SCJG", "YJJ", "NYJ", "JTJ", "SWJ", "WLJ")
EACH = 30
SPEC = {"batch_records": 3, "quiet_seconds": 2.0, "late_effect_seconds": 0.5, "rate": 1000.0, "burst": 1000.0}


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    with rate_rig.platforms(folder, DEPTS, (ONE,), rate=1000.0, burst=1000.0) as mocks:
        yield mocks


@pytest.fixture
def ledger(postgres):
    ledger = Ledger(postgres.database())
    with ledger.begin() as conn:
        schema.metadata.create_all(conn)
    yield ledger
    ledger.close()


COUNT = iter(range(1, 1_000_000))
RUNS = iter(range(1, 1_000))


@pytest.fixture
def backlog(mocks, ledger, tmp_path):
    """Records of six departments, ready at the entry platform; returns their keys."""
    settings, keys = settings_for(tmp_path, {ONE: mocks.urls[ONE]}, DEPTS), []
    batches_of_their_own(ledger)
    for dept in DEPTS:
        for _ in range(EACH):
            n = next(COUNT)
            code = {"uscc": a_uscc(n), "counterpart_code": a_uscc(n)}
            keys.append(accept(ledger, settings, dept, f"2026-{n:07d}", changes=code))
    return keys


def batches_of_their_own(ledger):
    """The platform outlives a ledger here: each ledger begins with numbers that it has not seen."""
    start, now = 86_400 + 1_000 * next(RUNS), time.time() + 8 * 3600
    days = [time.strftime("%Y%m%d", time.gmtime(moment)) for moment in (now, now + 86_400)]
    with ledger.begin() as conn:
        rows = [{"name": f"batch:{ONE}/{dept}:{day}", "value": start} for dept in DEPTS for day in days]
        conn.execute(schema.sequence.insert(), rows)


def hosts(mocks, ledger, folder, count=2):
    """Arguments of processes that share nothing but the database."""
    homes = [folder / f"host{n}" for n in range(count)]
    for home in homes:
        home.mkdir()
    url = ledger.url
    return [
        lambda start, told, home=home: (str(home), {ONE: mocks.urls[ONE]}, url, DEPTS, SPEC, start, told)
        for home in homes
    ]


def everything_arrived_once(mocks, ledger, keys):
    assert states(ledger) == {"CONFIRMED": len(keys)}
    effects = Counter(e["key"] for e in mocks.ledger(ONE, history=True) if e["key"] in set(keys))
    assert effects == Counter(keys)
    assert all(e["department"] == e["key"].split("-")[1] for e in mocks.ledger(ONE) if e["key"] in set(keys))
    assert chain_whole(ledger)


def one_writer_a_lane(ledger):
    """In the order in which a lane's pushes were intended their epochs never go back, and none began inside another."""
    lanes = defaultdict(list)
    for made in sorted(table(ledger, schema.attempt), key=lambda a: a.seq):
        if made.method == "POST":
            lanes[made.dept].append(made)
    for made in lanes.values():
        assert [a.epoch for a in made] == sorted(a.epoch for a in made)
        ended = [(a.ended_at or a.started_at, b.started_at) for a, b in pairwise(made)]
        assert all(end <= start + 0.001 for end, start in ended)
    assert set(lanes) == set(DEPTS)


def test_fault_40_52_two_hosts_deliver_one_backlog_together_and_each_record_once(mocks, ledger, backlog, tmp_path):
    with rate_rig.processes(rate_rig.deliver_all, hosts(mocks, ledger, tmp_path)) as (told, started):
        found = [told.get(timeout=120) for _ in started]
    everything_arrived_once(mocks, ledger, backlog)
    one_writer_a_lane(ledger)
    assert sum(moves for _, moves, _ in found) == len(backlog)
    assert all(moves > 0 for _, moves, _ in found), "both took part"


def test_fault_01_04_one_host_killed_in_the_middle_is_finished_by_the_other(mocks, ledger, backlog, tmp_path):
    before = len(mocks.wire(ONE))
    mocks.control("POST", "/faults", {"platform": ONE, "fault": "late_effect", "method": "POST", "times": 1})
    with rate_rig.processes(rate_rig.deliver_all, hosts(mocks, ledger, tmp_path)) as (told, started):
        victim = started[0]
        while not busy_lanes(ledger, victim.pid) or len(mocks.wire(ONE)) - before < 8:
            time.sleep(0.005)
        os.kill(victim.pid, signal.SIGKILL)
        left = states(ledger).get("CONFIRMED", 0)
        pid, _, _ = told.get(timeout=120)
    assert pid != victim.pid
    assert left < len(backlog), "it was killed in the middle"
    everything_arrived_once(mocks, ledger, backlog)
    one_writer_a_lane(ledger)


def busy_lanes(ledger, pid):
    return [row.dept for row in table(ledger, schema.lane) if row.holder.endswith(f":{pid}")]
