"""A lane against a platform on loopback: whatever the platform does, each record is there once, with our content.

Belongs here: delivery end to end on a real ledger, real HTTP and the real client. Must not: the full mocks.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import select, update

from tests.delivery.bench import (
    ENTRY,
    accept,
    accept_many,
    beijing_midnight_after,
    chain_whole,
    row,
    settings_for,
    states,
    table,
)
from tests.delivery.tiny_platform import sm3
from zz_pipeline.delivery import people, points
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.ledger import schema

QUIET = 900.0


@pytest.fixture
def settings(tmp_path, platform):
    # a night long enough for the quiet window, on a clock that only sleeping moves
    return settings_for(
        tmp_path, {ENTRY: platform.url}, ("SCJG", "YJJ"), quiet_seconds=QUIET, night_wait_seconds=7200.0, rate=1000.0,
        burst=1000.0, connect_seconds=2.0, read_seconds=2.0, call_seconds=4.0,
    )  # fmt: skip


def narrow(settings, **spec):
    own = settings.platforms[ENTRY].model_copy(update=spec)
    return settings.model_copy(update={"platforms": {**settings.platforms, ENTRY: own}})


def run(ledger, settings, clock, **options):
    options = {"threads": 1} | options
    result = deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, **options)
    assert chain_whole(ledger)
    return result


def once_each(platform, keys):
    """Every key was stored exactly once, with what a record of it hashes to."""
    assert sorted(key for key, _, _ in platform.effects) == sorted(keys)
    assert all(r["hash"] == sm3(r["record"]) for r in platform.records.values())


@contextmanager
def crash_at(point, nth=1):
    class Killed(BaseException):
        pass

    count = 0

    def kill(name):
        nonlocal count
        count += name == point
        if name == point and count == nth:
            raise Killed

    points.hook = kill
    try:
        with pytest.raises(Killed):
            yield
    finally:
        points.hook = None


def test_records_arrive_once_each_and_are_confirmed_with_receipt_and_holding(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 5)
    result = run(ledger, settings, clock)
    once_each(platform, keys)
    assert states(ledger) == {"CONFIRMED": 5}
    assert result.moves == {"CONFIRMED": 5}
    assert {h.content_hash for h in table(ledger, schema.holding)} == {r["hash"] for r in platform.records.values()}
    assert {r.receipt for r in table(ledger, schema.outbox)} == {r["receipt"] for r in platform.records.values()}
    assert (result.requests, result.alarms, result.down, result.stopped) == (1, [], False, "")


def test_fault_40_a_second_run_sends_nothing(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 3)
    run(ledger, settings, clock)
    assert run(ledger, settings, clock).requests == 0
    assert len(platform.pushes) == 1


UNKNOWNS = ["500_before", "500_after", "close_before", "close_after", "cut_after", "html", "redirect", "short", "half"]


@pytest.mark.parametrize("fault", UNKNOWNS)
def test_fault_17_to_24_an_unknown_is_asked_about_and_arrives_once(platform, ledger, settings, clock, fault):
    keys = accept_many(ledger, settings, "SCJG", 6)
    platform.faults.append(fault)
    run(ledger, settings, clock)
    once_each(platform, keys)
    assert states(ledger) == {"CONFIRMED": 6}
    assert platform.queries, "it was asked"


@pytest.mark.parametrize("fault", ["500_after", "close_after", "cut_after"])
def test_fault_18_what_was_applied_is_found_by_asking_and_never_sent_again(platform, ledger, settings, clock, fault):
    accept_many(ledger, settings, "SCJG", 3)
    platform.faults.append(fault)
    run(ledger, settings, clock)
    assert len(platform.pushes) == 1


def test_fault_19_nothing_is_sent_again_before_the_quiet_window_is_over(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 3)
    platform.faults.append("500_before")
    start = clock()
    run(ledger, settings, clock, until=start + QUIET - 1)
    assert (len(platform.pushes), states(ledger)) == (1, {"UNKNOWN": 3})
    run(ledger, settings, clock)
    assert clock() >= start + QUIET
    assert len(platform.pushes) == 2
    assert platform.pushes[0][3] == platform.pushes[1][3], "the same number and bytes"
    assert states(ledger) == {"CONFIRMED": 3}


def test_fault_19_being_asked_early_and_often_does_not_shorten_the_quiet_window(platform, ledger, settings, clock):
    accept(ledger, settings, "SCJG", "2026-0001")
    platform.faults.append("500_before")
    for _ in range(4):
        run(ledger, settings, clock, until=clock() + 5)
        with ledger.begin() as conn:
            conn.execute(update(schema.outbox).values(next_at=0.0))
    assert (len(platform.pushes), states(ledger)) == (1, {"UNKNOWN": 1})


def test_a_partial_effect_is_completed_by_a_new_batch_of_the_absent_records_only(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 6)
    platform.faults.append("half")
    run(ledger, settings, clock)
    once_each(platform, keys)
    assert [len(push[2]) for push in platform.pushes] == [6, 3]
    assert platform.pushes[0][0] != platform.pushes[1][0]


def test_fault_21_busy_waits_as_told_and_sends_the_same_batch(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 2)
    platform.faults.extend(["busy", "maintenance"])
    start = clock()
    run(ledger, settings, clock)
    assert clock() - start >= 2.0
    assert len({push[3] for push in platform.pushes[:2]}) == 1
    assert states(ledger) == {"CONFIRMED": 2}


def test_fault_34_a_used_up_quota_waits_until_the_countys_midnight(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 2)
    platform.faults.append("quota")
    result = run(ledger, narrow(settings, night_wait_seconds=1.0), clock)
    assert {r.next_at for r in table(ledger, schema.outbox)} == {beijing_midnight_after(clock())}
    assert states(ledger) == {"READY": 2}
    assert any("额度" in alarm for alarm in result.alarms)


def test_fault_66_a_refused_credential_stops_its_lane_at_the_first_call_until_a_person_acts(
    platform, ledger, settings, clock
):
    accept_many(ledger, settings, "SCJG", 3)
    other = accept(ledger, settings, "YJJ", "2026-9")
    settings = narrow(settings, batch_records=1)
    platform.always = lambda records: "auth" if "SCJG" in records[0]["recordKey"] else None
    result = run(ledger, settings, clock)
    assert [app for _, app, _, _ in platform.pushes] == ["app-SCJG", "app-YJJ"]
    assert states(ledger) == {"READY": 3, "CONFIRMED": 1}
    assert row(ledger, other).state == "CONFIRMED"
    assert "凭证" in result.lanes["SCJG"].stopped
    assert any("凭证" in alarm for alarm in result.alarms)
    platform.always = lambda records: None
    assert run(ledger, settings, clock).requests == 0
    people.release_lane(ledger, ENTRY, "SCJG", actor="张某", note="已换密钥")
    run(ledger, settings, clock)
    assert states(ledger) == {"CONFIRMED": 4}


def test_fault_25_a_refused_record_goes_back_alone_with_code_and_words(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 4)
    platform.refuse = lambda record: "E06" if record["recordKey"] == keys[1] else None
    run(ledger, settings, clock)
    refused = row(ledger, keys[1])
    assert (refused.state, refused.remote_code) == ("REJECTED", "E06")
    assert "样例" in refused.reason
    assert states(ledger) == {"CONFIRMED": 3, "REJECTED": 1}


def test_fault_25_a_batch_refused_for_its_data_is_halved_until_the_record_stands_alone(
    platform, ledger, settings, clock
):
    keys = accept_many(ledger, settings, "SCJG", 9)
    platform.always = lambda records: "poison" if keys[4] in [r["recordKey"] for r in records] else None
    run(ledger, settings, clock)
    once_each(platform, [key for key in keys if key != keys[4]])
    assert (row(ledger, keys[4]).state, row(ledger, keys[4]).remote_code) == ("REJECTED", "4130")
    assert len({push[0] for push in platform.pushes}) == len(platform.pushes), "each half has its own number"
    assert states(ledger) == {"CONFIRMED": 8, "REJECTED": 1}


def test_a_record_that_always_gets_a_500_while_others_pass_ends_with_a_person(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 4)
    platform.always = lambda records: "500_before" if keys[2] in [r["recordKey"] for r in records] else None
    result = run(ledger, narrow(settings, night_wait_seconds=50_000.0), clock)
    once_each(platform, [key for key in keys if key != keys[2]])
    assert row(ledger, keys[2]).state == "DEAD"
    assert states(ledger) == {"CONFIRMED": 3, "DEAD": 1}
    assert any(keys[2] in alarm for alarm in result.alarms)


def test_a_platform_that_answers_500_to_everything_kills_no_record(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 4)
    platform.always = lambda records: "500_before"
    run(ledger, settings, clock)
    assert "DEAD" not in states(ledger)
    assert sum(states(ledger).values()) == 4


def test_tries_of_a_night_are_limited(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 1)
    platform.always = lambda records: "busy"
    run(ledger, narrow(settings, night_wait_seconds=50_000.0), clock, until=beijing_midnight_after(clock()) - 1)
    assert len(platform.pushes) == settings.county.max_tries_per_night


def test_a_stop_of_the_platform_stops_the_lane_and_waits_for_a_person(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 2)
    platform.faults.append("stop")
    result = run(ledger, settings, clock)
    assert states(ledger) == {"DEAD": 2}
    assert "4009" in result.lanes["SCJG"].stopped
    keys = [RowKey(r.kind, r.record_key, r.version) for r in table(ledger, schema.outbox)]
    people.decide(ledger, ENTRY, keys, "retry", actor="张某", note="已核对", now=clock())
    people.release_lane(ledger, ENTRY, "SCJG", actor="张某", note="已核对")
    run(ledger, settings, clock)
    assert states(ledger) == {"CONFIRMED": 2}


def test_fault_39_another_content_under_our_key_is_a_conflict_and_never_overwritten(platform, ledger, settings, clock):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    foreign = {"recordKey": key, "version": 7, "operation": "UPSERT", "typed": "by hand"}
    platform.store(key, foreign)
    result = run(ledger, settings, clock)
    assert row(ledger, key).state == "CONFLICT"
    assert platform.records[key]["record"] == foreign
    assert len(table(ledger, schema.conflict)) == 1
    assert any(key in alarm for alarm in result.alarms)
    assert len(platform.pushes) == 1
    people.decide(ledger, ENTRY, [RowKey("inspection", key, 1)], "retry", actor="张某", note="再查", now=clock())
    run(ledger, settings, clock)
    assert (row(ledger, key).state, len(platform.pushes)) == ("CONFLICT", 1)
    people.decide(
        ledger, ENTRY, [RowKey("inspection", key, 1)], "give_up", actor="张某", note="以平台为准", now=clock()
    )
    assert row(ledger, key).state == "CANCELLED"
    assert table(ledger, schema.conflict)[0].decided_by == "张某"


def test_fault_39_our_own_content_typed_in_by_hand_is_adopted(platform, ledger, settings, clock):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    run(ledger, settings, clock)
    with ledger.begin() as conn:  # the ledger forgets that it was sent, as after a restore
        conn.execute(update(schema.outbox).values(state="READY", batch_id=None))
        conn.execute(schema.holding.delete())
    run(ledger, settings, clock)
    assert row(ledger, key).state == "CONFIRMED"
    once_each(platform, [key])


def test_fault_36_37_versions_and_withdrawal_arrive_in_order_even_after_an_unknown(platform, ledger, settings, clock):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="CORRECT")
    platform.faults.extend(["close_after", "500_before", "close_after"])
    platform.ask_faults.extend(["html"] * 2)
    with crash_at("send:after", nth=3):  # the second version is there, and its answer was lost
        run(ledger, settings, clock)
    accept(ledger, settings, "SCJG", "2026-0001", version=3, op="WITHDRAW")
    platform.faults.append("cut_after")
    run(ledger, settings, clock)
    assert [(k, v) for k, v, _ in platform.effects] == [(key, 1), (key, 2), (key, 3)]
    assert states(ledger) == {"CONFIRMED": 3}
    assert platform.records[key]["state"] == "WITHDRAWN"
    assert [h.state for h in table(ledger, schema.holding)] == ["WITHDRAWN"]


def test_fault_28_a_platform_that_is_away_costs_a_single_look_and_rows_stay_ready(platform, ledger, tmp_path, clock):
    away = settings_for(tmp_path, {ENTRY: "http://127.0.0.1:9"}, ("SCJG", "YJJ"))
    accept_many(ledger, away, "SCJG", 2)
    accept(ledger, away, "YJJ", "2026-9")
    result = run(ledger, away, clock)
    assert result.down
    assert result.requests == 0
    assert "连接不上" in result.stopped
    assert states(ledger) == {"READY": 3}


@pytest.mark.parametrize("said", [{"platform": "publicity"}, {"environment": "production"}])
def test_fault_69_another_platform_or_environment_gets_nothing(platform, ledger, settings, clock, said):
    accept_many(ledger, settings, "SCJG", 2)
    platform.health |= said
    result = run(ledger, settings, clock)
    assert platform.pushes == []
    assert result.stopped
    assert not result.down
    assert states(ledger) == {"READY": 2}


def test_fault_70_the_stop_switch_stops_every_send_and_leaves_rows_ready(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 2)
    people.set_stop(ledger, True, actor="张某", note="演练", now=clock())
    result = run(ledger, settings, clock)
    assert "总开关" in result.stopped
    assert (platform.pushes, states(ledger)) == ([], {"READY": 2})
    people.set_stop(ledger, False, actor="张某", note="演练结束", now=clock())
    run(ledger, settings, clock)
    assert states(ledger) == {"CONFIRMED": 2}


def test_fault_70_a_switch_thrown_between_claim_and_send_stops_that_very_batch(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 2)

    def throw(name):
        if name == "send:claimed":
            points.hook = None
            people.set_stop(ledger, True, actor="张某", note="演练", now=clock())

    points.hook = throw
    try:
        run(ledger, settings, clock)
    finally:
        points.hook = None
    assert (platform.pushes, states(ledger)) == ([], {"READY": 2})
    assert [a.outcome for a in table(ledger, schema.attempt)] == ["NOT_SENT"]


def test_fault_05_a_claim_that_waited_too_long_is_not_sent(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 2)
    stalls = iter([1.6])

    def stall(name):
        if name == "send:claimed":
            threading.Event().wait(next(stalls, 0.0))

    points.hook = stall
    try:
        run(ledger, narrow(settings, send_deadline_seconds=1.5), clock)
    finally:
        points.hook = None
    assert [a.outcome for a in table(ledger, schema.attempt)] == ["NOT_SENT", "JUDGED"]
    assert states(ledger) == {"CONFIRMED": 2}


SEND_POINTS = ["claim:before_commit", "claim:after_commit", "send:before", "send:after"]
SETTLE_POINTS = ["settle:before_commit", "settle:after_commit", "gates:after_commit", "takeover:before_commit"]


@pytest.mark.parametrize("fault", [None, "close_after", "500_before"])
@pytest.mark.parametrize("point", [*SEND_POINTS, *SETTLE_POINTS])
def test_fault_01_a_crash_at_any_border_loses_and_doubles_nothing(platform, ledger, settings, clock, point, fault):
    keys = accept_many(ledger, settings, "SCJG", 5)
    platform.faults.extend([fault] if fault else [])
    with crash_at(point):
        run(ledger, settings, clock)
    run(ledger, settings, clock)
    once_each(platform, keys)
    assert states(ledger) == {"CONFIRMED": 5}


@pytest.mark.parametrize("point", ["ask:answered", "settle:before_commit", "claim:after_commit", "send:before"])
def test_fault_02_crashes_in_recovery_of_a_crash_lose_and_double_nothing(platform, ledger, settings, clock, point):
    keys = accept_many(ledger, settings, "SCJG", 3)
    platform.faults.append("close_after")
    with crash_at("send:after"):
        run(ledger, settings, clock)
    for again in ("takeover:after_commit", "ask:answered"):
        with crash_at(again):
            run(ledger, settings, clock)
    accept(ledger, settings, "SCJG", "2026-0100")
    with crash_at(point):
        run(ledger, settings, clock)
    run(ledger, settings, clock)
    once_each(platform, [*keys, "610124-SCJG-2026-0100"])
    assert states(ledger) == {"CONFIRMED": 4}


def test_fault_59_an_answer_about_foreign_records_is_an_alarm_and_explains_nothing(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 2)
    judged = platform.judged

    def other(app, number, records, body):
        data = judged(app, number, records, body)
        return {**data, "results": [{**r, "recordKey": "610124-SCJG-other"} for r in data["results"]]}

    platform.judged = other
    result = run(ledger, settings, clock)
    once_each(platform, keys)
    assert states(ledger) == {"CONFIRMED": 2}
    assert result.alarms


def test_many_refusals_in_one_batch_stop_the_lane_for_a_person(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 60)
    platform.refuse = lambda record: "E10" if int(record["recordKey"][-4:]) % 3 == 0 else None
    result = run(ledger, narrow(settings, batch_records=50), clock)
    assert len(platform.pushes) == 1
    assert "对照" in result.lanes["SCJG"].stopped


def test_the_breaker_opens_probes_with_a_query_and_closes_again(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 3)
    platform.faults.append("close_before")
    platform.ask_faults.extend(["html"] * 6)
    start = clock()
    run(ledger, settings, clock)
    assert clock() - start >= 60.0
    assert "/quota" in platform.queries
    assert len(platform.pushes) == 2
    assert states(ledger) == {"CONFIRMED": 3}
    assert table(ledger, schema.lane)[0].failures == 0


def test_fault_66_a_breakers_probe_that_is_refused_stops_the_lane_until_a_person_releases_it(
    platform, ledger, settings, clock
):
    accept_many(ledger, settings, "SCJG", 3)
    platform.faults.append("close_before")
    platform.ask_faults.extend([*["html"] * 4, "auth"])
    result = run(ledger, settings, clock)
    assert platform.queries[-1] == "/quota"
    assert "凭证被平台拒绝（4012）" in result.lanes["SCJG"].stopped
    assert any("zz release" in alarm for alarm in result.alarms)
    asked = len(platform.queries)
    clock.sleep(86_400.0)
    assert run(ledger, settings, clock).requests == 0
    assert (len(platform.queries), len(platform.pushes)) == (asked, 1)
    people.release_lane(ledger, ENTRY, "SCJG", actor="张某", note="已换密钥")
    run(ledger, settings, clock)
    assert states(ledger) == {"CONFIRMED": 3}


def test_lanes_run_side_by_side_and_one_lanes_missing_credential_stops_only_itself(
    platform, ledger, settings, tmp_path, clock
):
    depts = ("SCJG", "YJJ", "NYJ", "JTJ")
    wide = settings_for(tmp_path, {ENTRY: platform.url}, depts, night_wait_seconds=10.0)
    keys = [key for dept in depts for key in accept_many(ledger, wide, dept, 3)]
    lone = accept(ledger, wide, "GAJ", "2026-1")
    result = run(ledger, wide, clock, threads=4)
    once_each(platform, keys)
    assert row(ledger, lone).state == "READY"
    assert "凭证" in result.lanes["GAJ"].stopped
    owners = {app: {key.split("-")[1] for key in keys} for _, app, keys, _ in platform.pushes}
    assert owners == {f"app-{dept}": {dept} for dept in depts}


def test_a_defect_in_one_lane_stops_that_lane_only_and_the_next_run_finishes_it(platform, ledger, settings, clock):
    keys = [accept(ledger, settings, dept, "2026-1") for dept in ("SCJG", "YJJ")]

    def defect(name):
        if name == "send:after":
            points.hook = None
            raise RuntimeError("姓名 张某")

    points.hook = defect
    try:
        result = run(ledger, settings, clock)
    finally:
        points.hook = None
    assert states(ledger) == {"INFLIGHT": 1, "CONFIRMED": 1}
    assert "缺陷" in result.alarms[0]
    assert "张某" not in result.alarms[0]
    run(ledger, settings, clock)
    once_each(platform, keys)
    assert states(ledger) == {"CONFIRMED": 2}


def test_every_wire_request_has_its_attempt_and_every_push_one_audit_event(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 3)
    platform.faults.extend(["close_after"])
    accept(ledger, settings, "YJJ", "2026-9")
    result = run(ledger, settings, clock)
    attempts = table(ledger, schema.attempt)
    assert len(attempts) == result.requests == len(platform.pushes) + len(platform.queries)
    assert all(a.ended_at is not None and a.outcome for a in attempts)
    assert len({a.nonce for a in attempts}) == len(attempts)
    with ledger.read() as conn:
        sends = conn.execute(select(schema.audit_event.c.n).where(schema.audit_event.c.type == "SEND")).all()
    assert len(sends) == len(platform.pushes)
