"""Two workers of one lane that are frozen in turns, each losing its lock while it stands still: the fence holds.

Belongs here: SIGSTOP and SIGCONT of real processes that take turns on one lane. Must not: a single stop (`test_process_faults`).
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import closing

import pytest
from sqlalchemy import text

from tests.delivery import rate_rig
from tests.delivery.bench import a_uscc, accept, chain_whole, settings_for, states, table
from tests.delivery.rate_rig import ONE
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger

pytestmark = pytest.mark.postgres

DEPT, RECORDS, TURNS = "SCJG", 120, 12
SPEC = {
    "batch_records": 1, "quiet_seconds": 2.0, "late_effect_seconds": 0.5, "send_deadline_seconds": 0.5,
    "rate": 1000.0, "burst": 1000.0,
}  # fmt: skip
# What the database does with the sessions of a host that has gone silent: the lane's lock first, then what stands open.
GONE = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :host AND (state LIKE 'idle in%' "
    "OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted))"
)


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    with rate_rig.platforms(tmp_path_factory.mktemp("world"), (DEPT,), (ONE,), rate=1000.0, burst=1000.0) as mocks:
        yield mocks


@pytest.fixture
def ledger(postgres):
    with closing(Ledger(postgres.database())) as ledger:
        with ledger.begin() as conn:
            schema.metadata.create_all(conn)
        yield ledger


def backlog(mocks, ledger, folder):
    """Keys of records that are ready on one lane."""
    settings = settings_for(folder, {ONE: mocks.urls[ONE]}, (DEPT,))
    subjects = [{"uscc": a_uscc(n), "counterpart_code": a_uscc(n)} for n in range(RECORDS)]
    return [accept(ledger, settings, DEPT, f"2026-{n:07d}", changes=said) for n, said in enumerate(subjects)]


def hosts(mocks, ledger, folder):
    """Arguments of two processes whose sessions the database can tell apart."""
    for name in ("a", "b"):
        (folder / name).mkdir()
    return [
        lambda start, told, name=name: (
            str(folder / name), {ONE: mocks.urls[ONE]}, f"{ledger.url}?application_name={name}", (DEPT,), SPEC, start,
            told,
        )
        for name in ("a", "b")
    ]  # fmt: skip


def epoch(ledger):
    return max((row.epoch for row in table(ledger, schema.lane)), default=0)


def lane_is_taken(ledger, beyond, frozen=""):
    """Wait until somebody has been granted a later epoch; meanwhile the frozen host's sessions end. The epoch."""
    until = time.monotonic() + 30
    while (now := epoch(ledger)) <= beyond and time.monotonic() < until and states(ledger) != {"CONFIRMED": RECORDS}:
        if frozen:
            with ledger.begin() as conn:
                conn.execute(GONE, {"host": frozen})
        time.sleep(0.02)
    return now


def frozen_in_turns(ledger, *workers):
    """SIGSTOP who holds the lane, let the other take it and work a while, and so on; the epochs of the turns."""
    names, granted = dict(zip((one.pid for one in workers), ("a", "b"), strict=True)), [lane_is_taken(ledger, 0)]
    for _ in range(TURNS):
        holder = int(table(ledger, schema.lane)[0].holder.rpartition(":")[2])
        os.kill(holder, signal.SIGSTOP)
        for other in names.keys() - {holder}:
            os.kill(other, signal.SIGCONT)
        granted.append(lane_is_taken(ledger, granted[-1], names[holder]))
        time.sleep(0.1)
    for pid in names:
        os.kill(pid, signal.SIGCONT)
    return granted


def test_fault_05_two_workers_of_a_lane_that_are_frozen_in_turns_are_fenced_out_and_each_record_arrives_once(
    mocks, ledger, tmp_path
):
    keys = backlog(mocks, ledger, tmp_path)
    with rate_rig.processes(rate_rig.deliver_stubbornly, hosts(mocks, ledger, tmp_path)) as (told, started):
        granted = frozen_in_turns(ledger, *started)
        found = [told.get(timeout=120) for _ in started]
    assert len(set(granted)) >= 4, "the lane changed hands again and again"
    assert sum(fenced for _, fenced in found) >= 1, "somebody woke up and met the fence"
    assert states(ledger) == {"CONFIRMED": RECORDS}
    assert Counter(e["key"] for e in mocks.ledger(ONE, history=True) if e["key"] in set(keys)) == Counter(keys)
    made = [a.epoch for a in sorted(table(ledger, schema.attempt), key=lambda a: a.seq) if a.method == "POST"]
    assert made == sorted(made), "nothing was intended under an epoch that was over"
    assert chain_whole(ledger)
