"""Taking a lane and claiming from it, on a real SQLite ledger: one writer, order of versions, entry platform first.

Belongs here: lanes, gates, claims, budget. Must not: HTTP.
"""

from __future__ import annotations

import multiprocessing
import os
import signal

import orjson
import pytest
from sqlalchemy import select, update

from tests.delivery.bench import (
    ENTRY,
    FakeClock,
    a_ledger,
    accept,
    accept_many,
    beijing_midnight_after,
    row,
    settings_for,
    states,
    table,
)
from zz_pipeline.delivery import budget, gates, points
from zz_pipeline.delivery.claim import Desk, claim
from zz_pipeline.delivery.lanes import LaneBusy, take
from zz_pipeline.delivery.protocol import Answer, Effect, State
from zz_pipeline.delivery.settle import Heard, settle, unsend
from zz_pipeline.errors import FenceLost, LedgerError, OwnerGate
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.platforms import registry

SECOND = "internet_supervision"


@pytest.fixture
def settings(tmp_path):
    return settings_for(tmp_path, {ENTRY: "http://127.0.0.1:9", SECOND: "http://127.0.0.1:9"})


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    yield ledger
    ledger.close()


def desk(settings, platform=ENTRY, dept="SCJG", **spec):
    own = settings.platforms[platform].model_copy(update=spec)
    return Desk(registry.adapter(own.adapter), own, settings.departments[dept], ENTRY, settings.zone)


def claimed(ledger, settings, now, platform=ENTRY, **spec):
    """Claim once and leave the lane; the keys that were claimed."""
    with take(ledger, settings.home / "locks", platform, "SCJG", now) as lane:
        gates.settle(lane, ENTRY, now)
        done = claim(lane, desk(settings, platform, **spec), now)
        if done.claim is None:
            return []
        unsend(lane, done.claim.sent.batch_id, done.claim.attempt, now)
        return [(r.key.record_key, r.key.version) for r in done.claim.sent.rows]


def put(ledger, key, platform=ENTRY, version=1, **values):
    where = (
        schema.outbox.c.platform == platform,
        schema.outbox.c.record_key == key,
        schema.outbox.c.version == version,
    )
    with ledger.begin() as conn:
        conn.execute(update(schema.outbox).where(*where).values(**values))


def test_the_epoch_is_granted_by_the_takeover_and_grows(ledger, settings, tmp_path):
    with take(ledger, tmp_path / "locks", ENTRY, "SCJG", 1.0) as first:
        pass
    with take(ledger, tmp_path / "locks", ENTRY, "SCJG", 2.0) as second:
        assert second.epoch == first.epoch + 1


def test_a_lane_that_is_held_cannot_be_taken_again_but_another_lane_can(ledger, tmp_path):
    with take(ledger, tmp_path / "locks", ENTRY, "SCJG", 1.0):
        with pytest.raises(LaneBusy, match="另一进程"), take(ledger, tmp_path / "locks", ENTRY, "SCJG", 1.0):
            pass
        with take(ledger, tmp_path / "locks", ENTRY, "YJJ", 1.0) as other:
            assert other.epoch == 1


def _hold(url, locks, ready, done):
    ledger = Ledger(url)
    with take(ledger, locks, ENTRY, "SCJG", 1.0):
        ready.set()
        done.wait(20)


def test_fault_04_a_killed_process_gives_the_lock_back_and_a_live_one_keeps_it(ledger, tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(ledger.url, tmp_path / "locks", ready, done))
    process.start()
    try:
        assert ready.wait(30)
        with pytest.raises(LaneBusy), take(ledger, tmp_path / "locks", ENTRY, "SCJG", 2.0):
            pass
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    with take(ledger, tmp_path / "locks", ENTRY, "SCJG", 3.0) as lane:
        assert lane.epoch == 2


def test_fault_05_a_lane_that_was_taken_over_writes_nothing_more(ledger, settings, tmp_path):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    with take(ledger, tmp_path / "a", ENTRY, "SCJG", 1.0) as stale:
        done = claim(stale, desk(settings), 10.0)
        with take(ledger, tmp_path / "b", ENTRY, "SCJG", 11.0):  # another host: its lock file is not ours
            pass
        assert row(ledger, key).state == "UNKNOWN"
        heard = Heard(done.claim.sent.batch_id, Answer(Effect.BUSY), 12.0, 8, attempt=done.claim.attempt)
        with pytest.raises(FenceLost, match="接管"):
            settle(stale, desk(settings), heard)
        with pytest.raises(FenceLost):
            claim(stale, desk(settings), 12.0)
    assert row(ledger, key).state == "UNKNOWN"
    assert table(ledger, schema.attempt)[0].outcome is None


def test_fault_01_rows_left_inflight_are_asked_about_by_the_next_holder(ledger, settings, tmp_path):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    with take(ledger, tmp_path, ENTRY, "SCJG", 1.0) as lane:
        claim(lane, desk(settings), 10.0)
    assert row(ledger, key).state == "INFLIGHT"
    with take(ledger, tmp_path, ENTRY, "SCJG", 20.0):
        found = row(ledger, key)
    assert (found.state, found.next_at, found.sent_at) == ("UNKNOWN", 20.0, 10.0)


def test_intent_before_effect_rows_bytes_attempt_and_audit_are_committed_by_the_claim(ledger, settings, tmp_path):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    with take(ledger, tmp_path, ENTRY, "SCJG", 1.0) as lane:
        done = claim(lane, desk(settings), 10.0)
        found = row(ledger, key)
        frozen, attempt = table(ledger, schema.batch)[0], table(ledger, schema.attempt)[0]
        assert (found.state, found.sent_at, found.epoch, found.tries) == ("INFLIGHT", 10.0, lane.epoch, 1)
        assert (frozen.body, frozen.batch_id) == (done.claim.sent.body, found.batch_id)
        assert (attempt.started_at, attempt.outcome, attempt.method) == (10.0, None, "POST")
        with ledger.read() as conn:
            kinds = conn.execute(select(schema.audit_event.c.type)).scalars().all()
        assert kinds.count("SEND") == 1


@pytest.mark.parametrize("point", ["claim:before_commit", "claim:after_commit"])
def test_fault_01_a_stop_at_the_claims_commit_leaves_all_of_it_or_nothing(ledger, settings, tmp_path, point):
    key = accept(ledger, settings, "SCJG", "2026-0001")

    class Killed(BaseException):
        pass

    def kill(name):
        if name == point:
            raise Killed

    points.hook = kill
    try:
        with pytest.raises(Killed), take(ledger, tmp_path, ENTRY, "SCJG", 1.0) as lane:
            claim(lane, desk(settings), 10.0)
    finally:
        points.hook = None
    whole = point.endswith("after_commit")
    assert row(ledger, key).state == ("INFLIGHT" if whole else "READY")
    assert len(table(ledger, schema.batch)) == len(table(ledger, schema.attempt)) == int(whole)


def test_what_is_nearest_to_its_statutory_limit_is_claimed_first_and_no_limit_comes_last(ledger, settings):
    for number, due in (("2026-1", None), ("2026-2", "2026-12-20"), ("2026-3", "2026-12-01")):
        accept(ledger, settings, "SCJG", number, due=due)
    assert [k[-1] for k, _ in claimed(ledger, settings, 5.0)] == ["3", "2", "1"]


def test_rows_before_their_time_are_left_alone(ledger, settings):
    accept(ledger, settings, "SCJG", "2026-0001", not_before=100.0)
    accept(ledger, settings, "SCJG", "2026-0002", next_at=50.0)
    assert claimed(ledger, settings, 40.0) == []
    assert [k[-1] for k, _ in claimed(ledger, settings, 60.0)] == ["2"]
    assert len(claimed(ledger, settings, 100.0)) == 1  # the frozen batch of the second comes first, alone


@pytest.mark.parametrize("state", ["READY", "INFLIGHT", "UNKNOWN", "ACCEPTED", "CONFLICT"])
def test_fault_36_a_correction_never_overtakes_an_open_version(ledger, settings, state):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="CORRECT")
    put(ledger, key, state=state, next_at=1e12, epoch=99)
    assert claimed(ledger, settings, 5.0) == []


@pytest.mark.parametrize("state", ["REJECTED", "CANCELLED", "NOT_APPLICABLE", "BLOCKED", "HELD", "DEAD"])
def test_a_correction_goes_once_the_earlier_version_has_surely_ended(ledger, settings, state):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="CORRECT")
    put(ledger, key, state=state)
    assert claimed(ledger, settings, 5.0) == [(key, 2)]


def test_an_older_version_that_comes_back_after_a_newer_one_went_is_cancelled(ledger, settings):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="CORRECT")
    put(ledger, key, version=2, state="CONFIRMED")
    assert claimed(ledger, settings, 5.0) == []
    assert row(ledger, key).state == "CANCELLED"


ENTRY_DECIDES = {
    "CONFIRMED": ("READY", True),
    "NOT_APPLICABLE": ("READY", True),
    "READY": ("READY", False),
    "INFLIGHT": ("READY", False),
    "UNKNOWN": ("READY", False),
    "ACCEPTED": ("READY", False),
    "HELD": ("READY", False),
    "DEAD": ("READY", False),
    "CONFLICT": ("READY", False),
    "REJECTED": ("BLOCKED", False),
    "BLOCKED": ("BLOCKED", False),
    "CANCELLED": ("CANCELLED", False),
}


@pytest.mark.parametrize("state", State)
def test_the_other_platforms_get_a_version_only_after_the_entry_platform_has_it(ledger, settings, state):
    key = accept(ledger, settings, "SCJG", "2026-0001", platforms=(ENTRY, SECOND))
    put(ledger, key, state=str(state), next_at=1e12)
    after, goes = ENTRY_DECIDES[str(state)]
    keys = claimed(ledger, settings, 1.8e9, platform=SECOND)
    assert (keys == [(key, 1)]) is goes
    assert row(ledger, key, platform=SECOND).state == after


def test_a_row_blocked_behind_the_entry_platform_follows_when_that_is_mended(ledger, settings):
    key = accept(ledger, settings, "SCJG", "2026-0001", platforms=(ENTRY, SECOND), states={ENTRY: "REJECTED"})
    assert claimed(ledger, settings, 1.8e9, platform=SECOND) == []
    assert "不再报送" in row(ledger, key, platform=SECOND).reason
    put(ledger, key, state="CONFIRMED")
    assert claimed(ledger, settings, 1.8e9, platform=SECOND) == [(key, 1)]


def test_fault_38_a_withdrawal_of_what_never_arrived_is_cancelled_and_nothing_is_sent(ledger, settings):
    key = accept(ledger, settings, "SCJG", "2026-0001", states={ENTRY: "CANCELLED"})
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="WITHDRAW")
    assert claimed(ledger, settings, 5.0) == []
    assert row(ledger, key, 2).state == "CANCELLED"
    assert table(ledger, schema.batch) == []


def test_a_batch_holds_no_more_records_than_the_limit_and_rows_keep_their_wire(ledger, settings):
    accept_many(ledger, settings, "SCJG", 5)
    assert len(claimed(ledger, settings, 5.0, batch_records=3)) == 3
    wires = [r.wire for r in table(ledger, schema.outbox)]
    assert sum(wire is not None for wire in wires) == 3


def test_a_batch_holds_no_more_bytes_than_the_limit(ledger, settings):
    accept_many(ledger, settings, "SCJG", 6)
    keys = claimed(ledger, settings, 5.0, batch_bytes=4096 + 2500)
    assert 1 <= len(keys) <= 2
    assert len(table(ledger, schema.batch)[0].body) <= 4096 + 2500


def test_a_record_larger_than_the_limit_goes_alone_instead_of_never(ledger, settings):
    accept_many(ledger, settings, "SCJG", 2)
    assert len(claimed(ledger, settings, 5.0, batch_bytes=100)) == 1


def test_the_unsent_batch_goes_again_with_the_same_number_and_bytes(ledger, settings):
    accept_many(ledger, settings, "SCJG", 2)
    claimed(ledger, settings, 5.0)
    first = table(ledger, schema.batch)
    accept(ledger, settings, "SCJG", "2026-0009", due="2026-01-01")
    claimed(ledger, settings, 6.0, batch_records=1)
    claimed(ledger, settings, 7.0)
    bodies = {b.number: b.body for b in table(ledger, schema.batch)}
    assert bodies[first[0].number] == first[0].body
    assert len(bodies) == 2


def test_fault_15_a_changed_payload_or_frozen_body_is_never_sent(ledger, settings):
    accept(ledger, settings, "SCJG", "2026-0001")
    with ledger.begin() as conn:
        body = conn.execute(select(schema.record_version.c.payload)).scalar_one()
        conn.execute(update(schema.record_version).values(payload=body.replace("样例".encode(), "篡改".encode())))
    with pytest.raises(LedgerError, match="摘要不符"):
        claimed(ledger, settings, 5.0)
    with ledger.begin() as conn:
        conn.execute(update(schema.record_version).values(payload=body))
    claimed(ledger, settings, 6.0)
    with ledger.begin() as conn:
        conn.execute(update(schema.batch).values(body=b"{}"))
    with pytest.raises(LedgerError, match="冻结内容"):
        claimed(ledger, settings, 7.0)


def test_fault_35_a_record_in_another_departments_lane_is_not_claimed(ledger, settings):
    accept(ledger, settings, "YJJ", "2026-0001")
    with ledger.begin() as conn:
        conn.execute(update(schema.outbox).values(dept="SCJG"))
    with pytest.raises(OwnerGate, match="YJJ"):
        claimed(ledger, settings, 5.0)
    assert states(ledger) == {"READY": 1}


def test_batch_numbers_count_on_and_never_begin_below_the_second_of_the_day(ledger, settings):
    accept_many(ledger, settings, "SCJG", 4)
    with take(ledger, settings.home / "locks", ENTRY, "SCJG", 1.8e9) as lane:
        moments = (1.8e9, 1.8e9, 1.8e9 - 50, 1.8e9 + 10)  # 2027-01-15 16:00:00 in Beijing; once the clock is set back
        numbers = [claim(lane, desk(settings, batch_records=1), now).claim.sent.number for now in moments]
    assert numbers == [f"D20270115-SCJG-{57_600 + n:06d}" for n in (0, 1, 2, 10)]


def test_a_wire_that_was_frozen_is_sent_as_it_is_and_never_rendered_again(ledger, settings):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    claimed(ledger, settings, 5.0)
    frozen = orjson.loads(row(ledger, key).wire)
    assert [w["recordKey"] for w in frozen] == [key]
    put(ledger, key, batch_id=None, wire=orjson.dumps([{**frozen[0], "caseReason": "首次渲染的内容"}]))
    claimed(ledger, settings, 6.0)
    bodies = sorted(table(ledger, schema.batch), key=lambda b: b.created_at)
    assert [("首次渲染的内容" in b.body.decode()) for b in bodies] == [False, True]
    assert bodies[0].number != bodies[1].number


def test_fault_34_the_rate_bucket_is_durable_and_gives_no_more_than_burst_and_rate(ledger, settings, tmp_path):
    spec = settings.platforms[ENTRY].model_copy(update={"rate": 2.0, "burst": 3.0 + budget.BURST_SPARED})
    with take(ledger, tmp_path, ENTRY, "SCJG", 100.0), ledger.begin() as conn:
        waits = [budget.take_token(conn, ENTRY, "SCJG", spec, 100.0) for _ in range(4)]
        assert waits[:3] == [0.0, 0.0, 0.0]
        assert waits[3] == pytest.approx(0.5)
    other = Ledger(ledger.url)
    with other.begin() as conn:
        assert budget.take_token(conn, ENTRY, "SCJG", spec, 100.2) == pytest.approx(0.3)
        assert budget.take_token(conn, ENTRY, "SCJG", spec, 100.5) == 0.0
        assert budget.take_token(conn, ENTRY, "SCJG", spec, 90.0) > 0  # a clock set back grows nothing
        assert budget.take_token(conn, ENTRY, "SCJG", spec, 90.2) > 0  # nor does the next moment of that clock
        assert [budget.take_token(conn, ENTRY, "SCJG", spec, 1e6) for _ in range(3)] == [0.0, 0.0, 0.0]
        assert budget.take_token(conn, ENTRY, "SCJG", spec, 1e6) > 0  # a long rest fills no more than the burst
    other.close()


def test_the_breaker_opens_after_five_failures_and_doubles_up_to_fifteen_minutes(ledger, tmp_path):
    with take(ledger, tmp_path, ENTRY, "SCJG", 0.0), ledger.begin() as conn:
        until = [budget.note_failure(conn, ENTRY, "SCJG", 1000.0) - 1000.0 for _ in range(12)]
        assert until[:4] == [-1000.0] * 4
        assert until[4:] == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0, 900.0]
        budget.note_success(conn, ENTRY, "SCJG")
        assert budget.note_failure(conn, ENTRY, "SCJG", 1000.0) == 0.0


def test_back_off_is_full_jitter_within_bounds_and_retry_after_is_obeyed_up_to_fifteen_minutes():
    waits = [budget.backoff(n) for n in range(12) for _ in range(50)]
    assert all(0.0 <= w <= 300.0 for w in waits)
    assert max(budget.backoff(0) for _ in range(50)) <= 2.0
    assert (budget.retry_wait(7.0, 3), budget.retry_wait(5000.0, 3)) == (7.0, 900.0)


def test_the_next_day_begins_at_the_countys_midnight(settings):
    clock = FakeClock()
    assert budget.next_day(clock(), settings.zone) == beijing_midnight_after(clock())
