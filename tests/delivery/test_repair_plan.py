"""Repair plans: what would be done, by whose agreement it is done, one check under two numbers, and how much memory it takes.

Belongs here: preview, agreement and duplicates of `reconcile`, against platforms on loopback. Must not: single types of
difference (test_reconcile).
"""

from __future__ import annotations

import json
import threading
import tracemalloc
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import insert, select

from tests.delivery.bench import (
    ENTRY,
    FakeClock,
    a_ledger,
    accept,
    accept_many,
    chain_whole,
    row,
    settings_for,
    states,
    table,
)
from tests.delivery.tiny_platform import HEALTH, answer
from tests.pipeline.small_county import THREE, record, small
from zz_pipeline.delivery import people
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.people import two_people
from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.delivery.repair_plan import ACTIONS, PLANNED, Agreement, action_of, verdict
from zz_pipeline.errors import LedgerError
from zz_pipeline.ledger import schema
from zz_pipeline.reconcile import EVERYTHING, reconcile, shown


@pytest.fixture
def settings(tmp_path, platform):
    return settings_for(tmp_path, {ENTRY: platform.url}, ("SCJG",), night_wait_seconds=7200.0, rate=1000.0)


def send(ledger, settings, clock):
    return deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)


def compare(ledger, settings, clock, **options):
    day = datetime.fromtimestamp(clock(), UTC).date()
    return reconcile(ledger, settings, ENTRY, day, clock=clock, sleep=clock.sleep, **options)


def contents(ledger):
    """All that a preview must leave alone; tokens, epochs and queries are no business of a record."""
    names = ("outbox", "holding", "conflict", "reconciliation", "difference", "receipt", "record_version", "batch")
    return {name: table(ledger, getattr(schema, name)) for name in names}


def staged(platform, ledger, settings, clock):
    """One lost, one altered, one strange, one recovered record."""
    keys = accept_many(ledger, settings, "SCJG", 4)
    send(ledger, settings, clock)
    del platform.records[keys[0]]
    platform.store(keys[1], {**platform.records[keys[1]]["record"], "leadDept": "改过"}, "app-SCJG")
    platform.store("610124-SCJG-HAND-1", {"recordKey": "x", "version": 1, "operation": "UPSERT"}, "app-SCJG")
    platform.batches.clear()
    last = accept(ledger, settings, "SCJG", "2026-0009")
    platform.faults.append("close_after")
    platform.ask_faults.extend(["html"] * 4)
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1, until=clock() + 0.5)
    platform.ask_faults.clear()
    return [*keys, last]


def test_a_plan_names_each_difference_and_what_would_be_done_and_changes_nothing(platform, ledger, settings, clock):
    keys = staged(platform, ledger, settings, clock)
    before, pushes = contents(ledger), len(platform.pushes)
    result = compare(ledger, settings, clock, dry=True)
    told = {(d["type"], d["key"]): d["action"] for d in shown(result)}
    assert told == {
        ("lost", keys[0]): PLANNED["person"],
        ("altered", keys[1]): PLANNED["altered"],
        ("unexpected", "610124-SCJG-HAND-1"): PLANNED["unexpected"],
        ("recovered", keys[4]): PLANNED["recovered"],
    }
    assert (contents(ledger), len(platform.pushes)) == (before, pushes)
    assert chain_whole(ledger)


def test_above_the_threshold_only_a_persons_agreement_sends_lost_records_again(platform, ledger, settings, clock):
    keys = accept_many(ledger, settings, "SCJG", 3)
    send(ledger, settings, clock)
    platform.records.clear()
    platform.batches.clear()
    assert compare(ledger, settings, clock).counts["lost"] == 3
    assert states(ledger) == {"CONFIRMED": 3}
    result = compare(ledger, settings, clock, agreement=Agreement("张某", "平台恢复过备份"))
    assert (result.refusal, states(ledger)) == ("", {"UNKNOWN": 3})
    assert {d.action for d in table(ledger, schema.difference) if d.reconciliation_id == result.id} == {ACTIONS["ask"]}
    send(ledger, settings, clock)
    assert sorted(platform.records) == sorted(keys)
    told = [e for e in table(ledger, schema.audit_event) if e.type == "REQUEUE_LOST"]
    assert [(e.actor, json.loads(e.detail)["note"]) for e in told] == [("张某", "平台恢复过备份")]


def test_above_a_hundred_records_two_people_must_agree(platform, ledger, settings, clock):
    accept_many(ledger, settings, "SCJG", 101)
    send(ledger, settings, clock)
    platform.records.clear()
    platform.batches.clear()
    for agreement in (Agreement("张某", "恢复"), Agreement("张某", "恢复", "张 某")):
        result = compare(ledger, settings, clock, agreement=agreement)
        assert result.refusal
        assert states(ledger) == {"CONFIRMED": 101}
    result = compare(ledger, settings, clock, agreement=Agreement("张某", "恢复", "李某"))
    assert (result.refusal, states(ledger)) == ("", {"UNKNOWN": 101})


def test_the_table_says_something_for_every_type_before_and_after():
    assert PLANNED.keys() == ACTIONS.keys()
    assert two_people("张某", "李某") == ""
    assert "两个人" in two_people("张某", " 张某 ")
    assert verdict({"lost": 1, "ours": 10_000}, 0.001, None).go
    assert not verdict({"lost": 11, "ours": 10_000}, 0.001, None).go
    assert not verdict({"stale": 11, "ours": 10_000}, 0.001, None).go


def test_fault_31_an_unknown_older_than_the_platforms_memory_of_numbers_is_asked_for_and_not_sent_again(
    platform, ledger, settings, clock
):
    keys = accept_many(ledger, settings, "SCJG", 2)
    platform.faults.append("half")
    platform.ask_faults.extend(["html"] * 4)
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1, until=clock() + 0.5)
    platform.ask_faults.clear()
    assert states(ledger) == {"UNKNOWN": 2}
    clock.now += 40 * 86_400
    platform.batches.clear()  # 7 days are over: the number is forgotten, 4040 says nothing any more
    before, asked = len(platform.pushes), len(platform.queries)
    send(ledger, settings, clock)
    assert states(ledger) == {"CONFIRMED": 2}
    assert len(platform.queries) > asked
    assert [p[2] for p in platform.pushes[before:]] == [[keys[1]]], "only what was twice not there goes again"
    assert sorted(key for key, _, _ in platform.effects) == sorted(keys)


def test_fault_41_a_dead_letter_replayed_twice_has_one_effect_and_above_a_hundred_two_people_replay(
    platform, ledger, settings, clock
):
    keys = [RowKey("inspection", key, 1) for key in accept_many(ledger, settings, "SCJG", 101, states={ENTRY: "DEAD"})]
    said = {"actor": "张某", "note": "已修好", "now": clock()}
    for other in ("", "张 某"):
        with pytest.raises(LedgerError, match="两"):
            people.decide(ledger, ENTRY, keys, "retry", approved_by=other, **said)
        assert states(ledger) == {"DEAD": 101}
    assert people.decide(ledger, ENTRY, keys, "retry", approved_by="李某", **said) == 101
    with pytest.raises(LedgerError):
        people.decide(ledger, ENTRY, keys[:1], "retry", **said)
    send(ledger, settings, clock)
    with pytest.raises(LedgerError):
        people.decide(ledger, ENTRY, keys, "retry", approved_by="李某", **said)
    send(ledger, settings, clock)
    assert states(ledger) == {"CONFIRMED": 101}
    assert len(platform.effects) == 101


# ---------------------------------------------------------------- one check under two numbers


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with small(tmp_path_factory.mktemp("twins")) as place:
        yield place


def by_hand(place, key, number, **changes):
    """A clerk types the same check in again, under another number."""
    (ours,) = [e for e in place.mocks.ledger(THREE) if e["key"] == key]
    said = {**ours["record"], "pubId": number, **changes}
    place.mocks.control(
        "POST", "/foreign", {"platform": THREE, "kind": "inspection", "department": "SCJG", "record": said}
    )


def test_fault_32_a_check_typed_in_again_under_another_number_is_told_as_a_duplicate_with_the_extra_one_named(place):
    with place.opened() as night:
        ours = [record(night.settings, "SCJG", n) for n in (1, 2)]
        place.take_in(night, "SCJG", ours)
        place.send(night)
        by_hand(place, ours[0].record_key, "HAND-0001")
        by_hand(place, ours[1].record_key, "HAND-0002", raninsTaskId="610124202611109999")
        plan = night.reconcile(THREE, night.now().date(), since=EVERYTHING, dry=True)
        result = night.reconcile(THREE, night.now().date(), since=EVERYTHING)
    found = {d["key"]: (d["type"], d["record"], d["action"]) for d in shown(result)}
    assert found["HAND-0001"] == ("duplicate", ours[0].record_key, ACTIONS["duplicate"])
    assert found["HAND-0002"][0] == "unexpected", "another task is another check"
    assert {d["key"]: d["type"] for d in shown(plan)} == {"HAND-0001": "duplicate", "HAND-0002": "unexpected"}
    assert result.state == "DIFFERS"
    assert "平台重复 1 条" in result.text
    assert action_of(result.differences[0][0]) in ACTIONS.values()
    with place.opened() as night, night.ledger.read() as conn:
        open_ = conn.execute(select(schema.conflict.c.theirs).where(schema.conflict.c.decided_by == "")).scalars().all()
    assert any(text.startswith("HAND-0001") for text in open_)
    assert {e["state"] for e in place.mocks.ledger(THREE)} == {"PUBLIC"}, "nothing of a clerk's is taken down unseen"


# ---------------------------------------------------------------- memory


class LongList:
    """A platform that makes its list up page by page: `count` records, all as the ledger believes but for a few."""

    def __init__(self, count, altered, gone):
        self.count, self.altered, self.gone = count, altered, gone
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                where = urlsplit(self.path)
                query = parse_qs(where.query)
                if where.path == "/health":
                    return answer(self, 200, HEALTH)
                return answer(self, 200, outer.page(query))

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def page(self, query):
        start = int(query.get("cursor", ["0"])[0]) if query["kind"] == ["inspection-results"] else self.count
        end = min(start + 1000, self.count)
        items = [self.item(n) for n in range(start, end) if n not in self.gone]
        cursor = str(end) if end < self.count else ""
        return {"code": "0000", "message": "", "requestId": "1", "data": {"items": items, "nextCursor": cursor}}

    def item(self, n):
        digest = "f" * 64 if n in self.altered else a_hash(n)
        said = {"recordKey": a_key(n), "version": 1, "state": "STORED", "receiptNo": f"SN{n}"}
        return said | {"contentHash": digest, "updatedAt": "2026-11-22 01:00:00"}


def a_key(n):
    return f"610124-SCJG-2026-{n:07d}"


def a_hash(n):
    return f"{n:064x}"


def holdings(ledger, count):
    common = {"platform": ENTRY, "kind": "inspection", "version": 1, "dept": "SCJG", "state": "PRESENT"}
    with ledger.begin() as conn:
        for start in range(0, count, 5000):
            rows = [
                {
                    **common,
                    "remote_key": a_key(n),
                    "record_key": a_key(n),
                    "content_hash": a_hash(n),
                    "confirmed_at": 1.0,
                }
                for n in range(start, min(start + 5000, count))
            ]
            conn.execute(insert(schema.holding), rows)


def measured(tmp_path, count):
    """Peak of Python's memory during a comparison of everything, in MB, with what it found."""
    folder = tmp_path / str(count)
    folder.mkdir()
    ledger, clock = a_ledger(folder), FakeClock()
    holdings(ledger, count)
    platform = LongList(count, altered={7, count - 3}, gone={11})
    try:
        settings = settings_for(folder, {ENTRY: platform.url}, ("SCJG",), rate=100_000.0)
        tracemalloc.start()
        result = compare(ledger, settings, clock, since=EVERYTHING)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    finally:
        platform.server.shutdown()
        platform.server.server_close()
        ledger.close()
    assert (result.counts["altered"], result.counts["lost"], result.counts["theirs"]) == (2, 1, count - 1)
    return peak


def test_memory_does_not_grow_with_the_length_of_the_lists(tmp_path):
    short, long = measured(tmp_path, 1_000), measured(tmp_path, 4_000)
    assert long < short * 1.5 + 2.0, (short, long)


@pytest.mark.long
def test_two_hundred_thousand_records_are_compared_within_the_memory_of_a_few_thousand(tmp_path, capsys):
    short, long = measured(tmp_path, 5_000), measured(tmp_path, 200_000)
    with capsys.disabled():
        print(f"\npeak of Python memory: 5 000 records {short:.1f} MB, 200 000 records {long:.1f} MB")
    assert long < short * 1.5 + 2.0


def test_a_row_that_was_found_again_names_its_receipt(platform, ledger, settings, clock):
    keys = staged(platform, ledger, settings, clock)
    compare(ledger, settings, clock)
    assert row(ledger, keys[4]).receipt == platform.records[keys[4]]["receipt"]
