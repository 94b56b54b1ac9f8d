"""A question about a batch names all its records: what it shows of those that were confirmed before is not passed over.

Belongs here: an entry typed over a confirmed record while a sibling of its batch is still unknown. Must not: what a
reconciliation finds (`test_reconcile`), entries under records whose own fate is open (`test_strange_entries`).
"""

from __future__ import annotations

import time

import pytest

from tests.delivery.bench import a_ledger, a_uscc, accept, chain_whole, row, table
from tests.pipeline.small_county import ONE, small
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.ledger import schema

TYPED = "周至县手工录入有限公司"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with small(tmp_path_factory.mktemp("beside")) as place:
        yield place


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """One for all: two fresh ones would give the same number to two batches of one second."""
    ledger = a_ledger(tmp_path_factory.mktemp("ledger"))
    yield ledger
    assert chain_whole(ledger)
    ledger.close()


def two_records(place, ledger, first):
    """Two records in one batch of ①, of which the platform stores the first and says that it was busy."""
    place.mocks.control("POST", "/faults", {"platform": ONE, "fault": "busy5000", "times": 1, "args": {"stored": 1}})
    keys = []
    for n in (first, first + 1):
        own = {"uscc": a_uscc(n), "counterpart_code": a_uscc(n)}
        keys.append(accept(ledger, place.settings, "SCJG", f"2026-{n:07d}", platforms=(ONE,), changes=own))
    return keys


def there(place, key):
    return next(e["record"] for e in place.mocks.ledger(ONE) if e["key"] == key)


def typing(place, key):
    """A sleep in which a clerk writes over the record once, as soon as it is there."""
    done = []

    def sleep(seconds):
        if not done and any(e["key"] == key for e in place.mocks.ledger(ONE)):
            done.append(key)
            typed = {**there(place, key), "entName": TYPED}
            said = {"platform": ONE, "kind": "inspection-results", "department": "SCJG", "record": typed}
            place.mocks.control("POST", "/foreign", said)
        time.sleep(seconds)

    return sleep


def test_fault_39_what_a_clerk_typed_over_a_confirmed_record_is_kept_when_a_question_about_its_sibling_shows_it(
    place, ledger
):
    first, second = two_records(place, ledger, 4001)
    result = deliver(ledger, place.settings, ONE, threads=1, sleep=typing(place, first))
    assert (row(ledger, first, 1, ONE).state, row(ledger, second, 1, ONE).state) == ("CONFLICT", "CONFIRMED")
    assert any(first in alarm and "确认之后平台上的内容变了" in alarm for alarm in result.alarms)
    assert [(c.record_key, c.version) for c in table(ledger, schema.conflict) if not c.decision] == [(first, 1)]
    own = {"uscc": a_uscc(4001), "counterpart_code": a_uscc(4001), "subject_name": "周至县样例更正有限公司"}
    accept(ledger, place.settings, "SCJG", "2026-0004001", 2, "CORRECT", platforms=(ONE,), changes=own)
    deliver(ledger, place.settings, ONE, threads=1)
    assert there(place, first)["entName"] == TYPED, "the next version does not go over it before a person has decided"
    assert row(ledger, first, 2, ONE).state == "READY"


def test_a_question_that_shows_a_confirmed_record_as_it_was_sent_changes_nothing(place, ledger):
    first, second = two_records(place, ledger, 4011)
    result = deliver(ledger, place.settings, ONE, threads=1)
    assert [row(ledger, key, 1, ONE).state for key in (first, second)] == ["CONFIRMED", "CONFIRMED"]
    assert not [c for c in table(ledger, schema.conflict) if c.record_key in (first, second)]
    assert not any(first in alarm for alarm in result.alarms)
