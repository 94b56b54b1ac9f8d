"""What a reconciliation finds under a key of ours, and nobody of us sent, is not overwritten before a person has decided.

Belongs here: entries typed in at a platform on loopback, listed, then met by a record of ours under the same key.
Must not: entries that only a push or a question discovers (`test_deliver_scenarios`, `test_reconcile`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.delivery.bench import ENTRY, accept, chain_whole, row, settings_for, table
from zz_pipeline.delivery import people
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.ledger import schema
from zz_pipeline.reconcile import reconcile

KEY = "610124-SCJG-2026-0001"
# the platform would take ours over it: a higher version replaces a lower one
TYPED = {"recordKey": KEY, "version": 0, "operation": "UPSERT", "entName": "周至县手工录入有限公司"}


@pytest.fixture
def settings(tmp_path, platform):
    return settings_for(tmp_path, {ENTRY: platform.url}, ("SCJG",), night_wait_seconds=7200.0, rate=1000.0)


def send(ledger, settings, clock):
    return deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)


def compare(ledger, settings, clock):
    return reconcile(
        ledger, settings, ENTRY, datetime.fromtimestamp(clock(), UTC).date(), clock=clock, sleep=clock.sleep
    )


def typed_listed_and_met(platform, ledger, settings, clock):
    """A clerk types, a reconciliation lists it, the department sends a record with that number; the run's result."""
    platform.store(KEY, TYPED)
    assert compare(ledger, settings, clock).counts["unexpected"] == 1
    accept(ledger, settings, "SCJG", "2026-0001")
    return send(ledger, settings, clock)


def decide(ledger, clock, decision):
    return people.decide(
        ledger, ENTRY, [RowKey("inspection", KEY, 1)], decision, actor="张某", note="已与部门核实", now=clock()
    )


def test_fault_39_what_a_clerk_typed_and_a_reconciliation_listed_is_not_overwritten(platform, ledger, settings, clock):
    result = typed_listed_and_met(platform, ledger, settings, clock)
    assert platform.pushes == []
    assert platform.records[KEY]["record"] == TYPED
    assert row(ledger, KEY).state == "CONFLICT"
    assert any("手工录入" in alarm for alarm in result.alarms)
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op="CORRECT")
    send(ledger, settings, clock)
    assert platform.pushes == []
    assert row(ledger, KEY, 2).state == "READY"
    assert chain_whole(ledger)


@pytest.mark.parametrize(
    ("decision", "state", "pushes"), [("give_up", "CANCELLED", 0), ("adopt", "CONFIRMED", 0), ("retry", "CONFIRMED", 1)]
)
def test_a_persons_decision_about_what_was_typed_in_is_carried_out(
    platform, ledger, settings, clock, decision, state, pushes
):
    typed_listed_and_met(platform, ledger, settings, clock)
    assert decide(ledger, clock, decision) == 1
    send(ledger, settings, clock)
    assert (row(ledger, KEY).state, len(platform.pushes)) == (state, pushes)
    assert (platform.records[KEY]["record"] == TYPED) == (pushes == 0)
    assert [c.decided_by for c in table(ledger, schema.conflict)] == ["张某"]


def test_an_entry_equal_to_ours_is_adopted_when_it_is_listed(platform, ledger, settings, clock):
    accept(ledger, settings, "SCJG", "2026-0001")
    platform.faults.append("close_before")
    platform.ask_faults.extend(["html"] * 100)  # nothing is learnt of the first sending
    send(ledger, settings, clock)
    sent = platform.pushes[0][3]
    platform.ask_faults.clear()
    platform.judged("app-SCJG", "typed", json.loads(sent)["records"], sent)
    result = compare(ledger, settings, clock)
    assert (result.counts["recovered"], result.counts["unexpected"]) == (1, 0)
    assert row(ledger, KEY).state == "CONFIRMED"


def test_a_row_that_was_ready_when_the_entry_was_listed_waits_for_a_person_too(platform, ledger, settings, clock):
    accept(ledger, settings, "SCJG", "2026-0001")
    platform.store(KEY, TYPED)
    assert compare(ledger, settings, clock).counts["unexpected"] == 1
    send(ledger, settings, clock)
    assert (row(ledger, KEY).state, platform.pushes) == ("CONFLICT", [])


def test_a_frozen_batch_that_never_left_is_held_back_as_well(platform, ledger, settings, clock):
    accept(ledger, settings, "SCJG", "2026-0001")
    platform.faults.extend(["busy"] * 100)
    send(ledger, settings, clock)
    before = len(platform.pushes)
    platform.faults.clear()
    platform.store(KEY, TYPED)
    clock.sleep(86_400.0)
    compare(ledger, settings, clock)
    send(ledger, settings, clock)
    assert (row(ledger, KEY).state, len(platform.pushes)) == ("CONFLICT", before)
    assert platform.records[KEY]["record"] == TYPED


@pytest.mark.parametrize("op", ["CORRECT", "WITHDRAW"])
def test_fault_39_what_was_typed_in_anew_after_a_person_had_given_ours_up_waits_for_a_person_again(
    platform, ledger, settings, clock, op
):
    accept(ledger, settings, "SCJG", "2026-0001")
    send(ledger, settings, clock)
    platform.store(KEY, {**TYPED, "version": 1}, "app-SCJG")
    assert compare(ledger, settings, clock).counts["altered"] == 1
    decide(ledger, clock, "give_up")
    again = {**TYPED, "version": 1, "entName": "周至县又一次手工录入有限公司"}
    platform.store(KEY, again, "app-SCJG")
    assert compare(ledger, settings, clock).counts["altered"] == 1
    accept(ledger, settings, "SCJG", "2026-0001", version=2, op=op)
    send(ledger, settings, clock)
    assert (row(ledger, KEY, 2).state, len(platform.pushes)) == ("CONFLICT", 1)
    assert platform.records[KEY]["record"] == again
    people.decide(ledger, ENTRY, [RowKey("inspection", KEY, 2)], "retry", actor="张某", note="以我方为准", now=clock())
    send(ledger, settings, clock)
    assert (row(ledger, KEY, 2).state, platform.records[KEY]["version"]) == ("CONFIRMED", 2)
