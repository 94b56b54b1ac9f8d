"""Reconciliation against a platform on loopback: what each side has that the other lacks, and what follows.

Belongs here: `reconcile` on a real ledger and a real platform. Must not: faults of pushes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tests.delivery.bench import (
    ENTRY,
    accept,
    accept_many,
    chain_whole,
    row,
    settings_for,
    states,
    table,
)
from zz_pipeline.delivery import people
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.ledger import schema
from zz_pipeline.reconcile import reconcile


@pytest.fixture
def settings(tmp_path, platform):
    return settings_for(tmp_path, {ENTRY: platform.url}, ("SCJG", "YJJ"), night_wait_seconds=7200.0, rate=1000.0)


def send(ledger, settings, clock):
    return deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)


def today(clock):
    return datetime.fromtimestamp(clock(), UTC).date()


def compare(ledger, settings, clock, **options):
    result = reconcile(ledger, settings, ENTRY, today(clock), clock=clock, sleep=clock.sleep, **options)
    assert chain_whole(ledger)
    assert [r.state for r in table(ledger, schema.reconciliation)][-1] == result.state
    return result


def tolerant(settings, share=1.0):
    return settings.model_copy(update={"county": settings.county.model_copy(update={"lost_share_needs_person": share})})


def test_both_sides_agree_after_a_good_night(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 3)
    accept(ledger, settings, "YJJ", "2026-9")
    send(ledger, settings, clock)
    result = compare(ledger, settings, clock)
    assert (result.state, result.differences, result.text) == ("OK", [], "")
    assert result.counts == {"ours": 4, "theirs": 4}


def test_what_is_unknown_here_and_present_there_is_confirmed(platform, ledger, settings, clock):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    platform.faults.append("close_after")
    platform.ask_faults.extend(["html"] * 4)
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1, until=clock() + 0.5)
    platform.ask_faults.clear()
    assert row(ledger, key).state == "UNKNOWN"
    result = compare(ledger, settings, clock)
    assert (result.state, result.counts["recovered"]) == ("OK", 1)
    found = row(ledger, key)
    assert (found.state, found.receipt) == ("CONFIRMED", platform.records[key]["receipt"])
    assert compare(ledger, settings, clock).differences == []


def test_fault_13_a_ledger_restored_from_a_backup_learns_what_was_sent_and_sends_nothing_twice(
    platform, ledger, settings, clock
):
    keys = accept_many(ledger, settings, "SCJG", 4)
    send(ledger, settings, clock)
    with ledger.begin() as conn:  # yesterday's state: accepted, never sent
        conn.execute(schema.holding.delete())
        conn.execute(
            update(schema.outbox).values(state="READY", wire=None, batch_id=None, sent_at=None, receipt="", tries=0)
        )
    result = compare(ledger, settings, clock)
    assert result.counts["recovered"] == 4
    assert states(ledger) == {"CONFIRMED": 4}
    assert len(table(ledger, schema.holding)) == 4
    send(ledger, settings, clock)
    assert len(platform.pushes) == 1
    assert len(platform.effects) == len(keys)


def test_fault_30_a_few_lost_records_are_asked_about_and_sent_again(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 3)
    send(ledger, settings, clock)
    del platform.records[keys[1]]
    platform.batches.clear()
    result = compare(ledger, tolerant(settings), clock)
    assert (result.state, result.counts["lost"]) == ("DIFFERS", 1)
    assert "重发" in result.differences[0][1]
    assert row(ledger, keys[1]).state == "UNKNOWN"
    assert len(platform.pushes) == 1, "nothing is sent before it was asked about twice"
    send(ledger, settings, clock)
    assert platform.pushes[-1][2] == [keys[1]]
    assert states(ledger) == {"CONFIRMED": 3}
    assert compare(ledger, settings, clock).state == "OK"


def test_fault_30_many_lost_records_wait_for_a_person(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 3)
    send(ledger, settings, clock)
    platform.records.clear()
    platform.batches.clear()
    result = compare(ledger, settings, clock)
    assert (result.state, result.counts["lost"], states(ledger)) == ("DIFFERS", 3, {"CONFIRMED": 3})
    assert {d.action for d in table(ledger, schema.difference)} == {result.differences[0][1]}
    assert "批准" in result.differences[0][1]
    assert send(ledger, settings, clock).requests == 0
    assert people.requeue_lost(ledger, result.id, actor="张某", note="平台恢复过备份", now=clock()) == 3
    assert people.requeue_lost(ledger, result.id, actor="张某", note="再点一次", now=clock()) == 0
    send(ledger, settings, clock)
    assert sorted(platform.records) == sorted(keys)
    assert states(ledger) == {"CONFIRMED": 3}


def test_an_entry_nobody_of_us_made_is_shown_once_and_left_alone(platform, ledger, settings, clock):
    accept(ledger, settings, "SCJG", "2026-0001")
    send(ledger, settings, clock)
    foreign = {"recordKey": "610124-SCJG-HAND-1", "version": 1, "operation": "UPSERT"}
    platform.store("610124-SCJG-HAND-1", foreign, "app-SCJG")
    for _ in range(2):
        result = compare(ledger, settings, clock)
        assert (result.state, result.counts["unexpected"]) == ("DIFFERS", 1)
    assert len(table(ledger, schema.conflict)) == 1
    assert platform.records["610124-SCJG-HAND-1"]["record"] == foreign


def test_content_changed_at_the_platform_is_a_conflict_for_a_person(platform, ledger, settings, clock):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    send(ledger, settings, clock)
    platform.store(key, {**platform.records[key]["record"], "leadDept": "改过"}, "app-SCJG")
    result = compare(ledger, settings, clock)
    assert (result.state, result.counts["altered"]) == ("DIFFERS", 1)
    assert row(ledger, key).state == "CONFLICT"
    people.decide(ledger, ENTRY, [RowKey("inspection", key, 1)], "adopt", actor="张某", note="以平台为准", now=clock())
    assert row(ledger, key).state == "CONFIRMED"
    assert compare(ledger, settings, clock).state == "OK"


def test_an_older_version_at_the_platform_is_stale_and_the_newer_one_is_sent_again(platform, ledger, settings, clock):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    send(ledger, settings, clock)
    old = dict(platform.records[key])
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="CORRECT")
    send(ledger, settings, clock)
    platform.records[key] = old
    platform.batches.clear()
    result = compare(ledger, tolerant(settings), clock)
    assert result.counts["stale"] == 1
    send(ledger, settings, clock)
    assert platform.records[key]["version"] == 2
    assert row(ledger, key, 2).state == "CONFIRMED"


def test_rows_that_are_just_being_judged_are_left_to_delivery(platform, ledger, settings, clock):
    key = accept(ledger, settings, "SCJG", "2026-0001")
    send(ledger, settings, clock)
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="CORRECT")
    with ledger.begin() as conn:
        conn.execute(update(schema.outbox).where(schema.outbox.c.version == 2).values(state="ACCEPTED"))
    platform.store(key, {**platform.records[key]["record"], "version": 2}, "app-SCJG")
    assert compare(ledger, settings, clock).state == "OK"
    assert states(ledger) == {"CONFIRMED": 1, "ACCEPTED": 1}


def test_what_was_confirmed_before_the_window_is_not_looked_for(platform, ledger, settings, clock):
    accept(ledger, settings, "SCJG", "2026-0001")
    send(ledger, settings, clock)
    platform.records.clear()
    clock.now += 5 * 86_400
    assert compare(ledger, settings, clock).state == "OK"
    everything = datetime.fromisoformat("1970-01-01")
    assert compare(ledger, settings, clock, since=everything).counts["lost"] == 1
    assert compare(ledger, settings, clock, since=everything + timedelta(days=400)).counts["lost"] == 1


def test_fault_28_a_platform_that_is_away_is_a_failed_reconciliation_and_no_exception(ledger, tmp_path, clock):
    away = settings_for(tmp_path, {ENTRY: "http://127.0.0.1:9"})
    result = compare(ledger, away, clock)
    assert result.state == "FAILED"
    assert "未能对账" in result.error


def test_one_departments_trouble_is_told_and_the_others_are_compared(platform, ledger, settings, clock):
    accept(ledger, settings, "SCJG", "2026-0001")
    accept(ledger, settings, "YJJ", "2026-9")
    send(ledger, settings, clock)
    with ledger.begin() as conn:
        conn.execute(update(schema.lane).where(schema.lane.c.dept == "SCJG").values(stopped="凭证被拒绝"))
    result = compare(ledger, settings, clock)
    assert result.state == "FAILED"
    assert "SCJG" in result.error
    assert result.counts["theirs"] == 1
