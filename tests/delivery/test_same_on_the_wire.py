"""A version that looks on ③ as the one before it is confirmed without sending, and stands for what is there from then on.

Belongs here: what the platform loses, or somebody changes, under such a version. Must not: other differences
(`test_reconcile`), what is shown twice (`test_shown_twice`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.delivery.bench import a_ledger, chain_whole, row, table
from tests.delivery.on_three import OnThree
from tests.pipeline.small_county import THREE, small
from zz_pipeline.delivery import people
from zz_pipeline.ledger import schema


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with small(tmp_path_factory.mktemp("same")) as place:
        yield place


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    yield ledger
    assert chain_whole(ledger)
    ledger.close()


class Record(OnThree):
    """A record whose versions differ only in what is not shown there."""

    def say(self, version, op="PUBLISH", changes=None, **values):
        super().say(version, op, {"task_name": "样例任务", **(changes or {})}, **values)

    def sent_again(self, difference):
        """The platform is compared, a person approves, and the lane works."""
        number, differences = self.compare()
        assert differences == [difference]
        people.requeue_lost(self.ledger, number, actor="张某", note="平台恢复过备份", now=time.time())
        self.send()

    def shown(self):
        return next((e for e in self.place.mocks.ledger(THREE) if e["key"] == self.key), None)

    def states(self, *versions):
        return [row(self.ledger, self.key, version, THREE).state for version in versions]


@pytest.fixture
def record(place, ledger):
    """Published, then corrected in an address that ③ never shows."""
    record = Record(place, ledger)
    record.say(1)
    record.say(2, "CORRECT", {"address_operating": "周至县样例路9号"})
    assert record.states(1, 2) == ["CONFIRMED", "CONFIRMED"]
    assert row(ledger, record.key, 2, THREE).batch_id is None, "nothing was sent of it"
    return record


def test_fault_30_what_the_platform_loses_under_a_version_that_needed_no_sending_is_sent_again(record):
    assert record.compare()[1] == []
    record.brought_back()
    assert record.shown() is None
    record.sent_again("lost")
    assert record.shown()["state"] == "PUBLIC"
    assert record.states(1, 2) == ["CONFIRMED", "CONFIRMED"]
    assert record.compare()[1] == []


def test_a_withdrawal_that_found_everything_withdrawn_is_carried_out_when_a_restore_brings_the_record_back(
    place, ledger
):
    record = Record(place, ledger)
    record.say(1)
    time.sleep(1.1)  # the platform's history knows seconds
    between = f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m-%d %H:%M:%S}"
    record.say(2, "WITHDRAW", rule="REPAIRED")
    record.say(3, "WITHDRAW", rule="REPAIRED")
    assert record.states(2, 3) == ["CONFIRMED", "CONFIRMED"]
    record.brought_back(between)
    assert record.shown()["state"] == "PUBLIC"
    record.sent_again("stale")
    assert record.shown()["state"] == "STOPPED"
    assert record.states(2, 3) == ["CONFIRMED", "CONFIRMED"]


def test_fault_39_what_a_clerk_typed_over_it_is_a_conflict_and_replaced_when_a_person_wants_ours(record, ledger):
    ours = record.shown()["record"]
    typed = {**ours, "EntName": "周至县手工录入有限公司"}
    foreign = {"platform": THREE, "kind": "inspection", "department": "SCJG", "record": typed}
    record.place.mocks.control("POST", "/foreign", foreign)
    assert record.compare()[1] == ["altered"]
    record.send()
    assert (record.states(2), record.shown()["record"]) == (["CONFLICT"], typed)
    undecided = [c for c in table(ledger, schema.conflict) if (c.record_key, c.decision) == (record.key, "")]
    assert [c.version for c in undecided] == [2]
    record.decide("retry", 2)
    assert (record.states(2), record.shown()["record"]["EntName"]) == (["CONFIRMED"], ours["EntName"])


def test_fault_39_what_a_clerk_typed_over_the_version_before_a_refused_one_is_not_replaced_by_the_next(place, ledger):
    record = Record(place, ledger)
    record.say(1)
    record.say(2, "CORRECT", {"uscc": "91610124MA6XXXXXXX"})
    assert record.states(1, 2) == ["CONFIRMED", "REJECTED"]
    typed = {**record.shown()["record"], "EntName": "周至县手工录入有限公司"}
    foreign = {"platform": THREE, "kind": "inspection", "department": "SCJG", "record": typed}
    place.mocks.control("POST", "/foreign", foreign)
    assert record.compare()[1] == ["altered"]
    record.say(3, "CORRECT", {"address_operating": "周至县样例路9号"})
    assert (record.states(1, 3), record.shown()["record"]) == (["CONFLICT", "READY"], typed)


def test_a_withdrawal_that_finds_the_record_gone_is_done_and_done_again_when_the_record_comes_back(place, ledger):
    record = Record(place, ledger)
    record.say(1)
    record.brought_back()
    shown, held = record.shown(), table(ledger, schema.holding)
    assert shown is None
    with ledger.begin() as conn:  # as asking about a version in between has noted it
        conn.execute(schema.holding.delete().where(schema.holding.c.record_key == record.key))
    record.say(2, "WITHDRAW", rule="REPAIRED")
    assert record.states(1, 2) == ["CONFIRMED", "CONFIRMED"], "it was there, and is not there any more"
    assert len(table(ledger, schema.holding)) == len(held) - 1
    deliver_again(record)
    assert record.compare()[1] == ["recovered"]
    record.send()
    assert (record.states(2), record.shown()["state"]) == (["CONFIRMED"], "STOPPED")


def deliver_again(record):
    """What had waited at the platform through its restore takes effect again."""
    (wire,) = orjson.loads(row(record.ledger, record.key, 1, THREE).wire)
    again = {"platform": THREE, "kind": "inspection", "department": "SCJG", "record": wire}
    record.place.mocks.control("POST", "/foreign", again)
