"""What was stopped on ③ and comes back with a restored backup does not stand beside its successor as if nothing were wrong.

Belongs here: a public record under two ids after a restore of the platform, and what people can do about it.
Must not: other differences (`test_reconcile`), twins typed in by hand (`test_repair_plan`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.delivery.bench import a_ledger, chain_whole, row, table
from tests.delivery.on_three import OnThree
from tests.pipeline.small_county import THREE, small
from zz_pipeline.delivery import people
from zz_pipeline.ledger import schema


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with small(tmp_path_factory.mktemp("twice")) as place:
        yield place


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    yield ledger
    assert chain_whole(ledger)
    ledger.close()


class Record(OnThree):
    """A record that was stopped and comes back."""

    def stopped_then(self):
        """Published and stopped; returns the platform's backup of the moment between."""
        self.say(1, "PUBLISH")
        time.sleep(1.1)  # the platform's history knows seconds
        between = f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m-%d %H:%M:%S}"
        self.say(2, "WITHDRAW", rule="REPAIRED")
        assert self.held == {self.key: "WITHDRAWN"}
        return between

    @property
    def held(self):
        return self.place.held(THREE, self.key)

    def state(self, version):
        return row(self.ledger, self.key, version, THREE).state

    @property
    def undecided(self):
        found = [c for c in table(self.ledger, schema.conflict) if (c.decision, c.record_key) == ("", self.key)]
        return [c.theirs.split(" ")[0] for c in found]


@pytest.fixture
def twice(place, ledger):
    """A record that is public under its new id, and under its old one again."""
    record = Record(place, ledger)
    between = record.stopped_then()
    record.say(3, "PUBLISH")
    record.brought_back(between)
    assert record.held == {record.key: "PRESENT", f"{record.key}-R2": "PRESENT"}
    assert record.state(3) == "CONFIRMED"
    return record


def test_fault_30_what_was_stopped_and_is_back_beside_its_successor_is_put_before_a_person(twice):
    assert twice.compare()[1] == ["altered"]
    assert (twice.state(3), twice.undecided) == ("CONFLICT", [twice.key])
    twice.decide("adopt", 3)
    assert (twice.state(3), twice.compare()[1]) == ("CONFIRMED", [])
    twice.say(4, "WITHDRAW", rule="REPAIRED")
    assert set(twice.held.values()) == {"WITHDRAWN"}, "what a person has accepted is stopped with the rest"


def test_while_it_stands_there_twice_a_retry_brings_it_back_before_a_person_with_something_to_decide(twice):
    for _ in range(2):
        twice.compare()
        assert (twice.state(3), twice.undecided) == ("CONFLICT", [twice.key])
        twice.decide("retry", 3)
        assert (twice.state(3), twice.undecided) == ("CONFIRMED", [])
    assert len(twice.held) == 2


def test_fault_30_a_stale_stop_approved_after_its_successor_has_left_is_not_believed_to_be_public(place, ledger):
    record = Record(place, ledger)
    record.brought_back(record.stopped_then())
    number, differences = record.compare()
    assert differences == ["stale"]
    record.say(3, "PUBLISH")
    people.requeue_lost(ledger, number, actor="张某", note="平台恢复过备份", now=time.time())
    record.send()
    assert set(record.held.values()) == {"PRESENT"}
    assert (record.state(2), record.state(3)) == ("CONFLICT", "CONFIRMED")
    record.decide("give_up", 2)
    assert record.compare()[1] == ["altered"], "it is never called in order while both are public"
    assert record.state(3) == "CONFLICT"


def test_what_a_person_has_given_up_though_it_stands_there_is_not_gone_over_by_an_older_version(twice, ledger):
    twice.compare()
    twice.decide("give_up", 3)
    number, differences = twice.compare()
    assert differences == ["stale"]
    assert people.requeue_lost(ledger, number, actor="张某", note="平台恢复过备份", now=time.time()) == 0
    twice.send()
    assert (twice.state(2), set(twice.held.values())) == ("CONFIRMED", {"PRESENT"})
    assert twice.compare()[1] == ["stale"], "it is told every night until somebody takes it down at the platform"
