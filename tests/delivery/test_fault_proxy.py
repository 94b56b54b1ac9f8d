"""Faults on the wire between our client and the three platforms: each record is there once, ours, and nothing was guessed.

Belongs here: whole deliveries through the proxy, judged by the platforms' own ledgers and by what the proxy carried.
Must not: the platforms' own faults (test_deliver_mocks), reading of bent answers (test_mutated_answers).
"""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from mock_platforms.run import Mocks
from tests.delivery.bench import a_ledger, a_uscc, accept, chain_whole, settings_for, table
from tests.delivery.fault_proxy import PATIENCE, Fault, FaultProxy, byte_at, inside, message
from zz_pipeline.delivery import people, points
from zz_pipeline.delivery.client import new_nonce
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.ledger import schema

ONE, TWO, THREE = "double_random", "internet_supervision", "publicity"
PLATFORMS = (ONE, TWO, THREE)
DEPTS = ("SCJG", "YJJ")
PRESENT = ("STORED", "PUBLIC", "i", "u")
OPS = ("PUBLISH", "CORRECT", "WITHDRAW")
NUMBERS, LEDGERS = iter(range(1, 100_000)), iter(range(1, 250))


class HurriedClock:
    """Real time, but a sleep of a second takes a twentieth; what is still on the wire is waited for before more is slept."""

    def __init__(self, proxy):
        self.ahead, self.proxy = 0.0, proxy

    def __call__(self):
        return time.time() + self.ahead

    def sleep(self, seconds):
        self.proxy.settled()
        real = min(seconds, 0.05)
        time.sleep(real)
        self.ahead += seconds - real


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    plain = settings_for(folder, dict.fromkeys(PLATFORMS, "http://127.0.0.1:9"), DEPTS)
    entries = [
        {
            "platform": c.platform, "department": c.department, "app_id": c.app_id,
            "secret": c.secret.get_secret_value(), "department_uscc": plain.departments[c.department].uscc,
            "department_name": plain.departments[c.department].name,
        }
        for c in plain.credentials.values()
    ]  # fmt: skip
    (folder / "credentials.json").write_text(json.dumps(entries))
    with Mocks(folder / "platforms", folder / "credentials.json", receipt_delay=0.02) as mocks:
        mocks.control("POST", "/reset", {"rate": 10_000, "burst": 10_000, "daily_records": 1_000_000})
        yield mocks


class Wire:
    """One platform behind the proxy, one ledger, and what must be true of both at every moment."""

    def __init__(self, folder, mocks, platform, proxy):
        self.mocks, self.platform, self.proxy = mocks, platform, proxy
        self.settings = settings_for(
            folder, {platform: proxy.url}, DEPTS, quiet_seconds=5.0, night_wait_seconds=600.0, connect_seconds=2.0,
            read_seconds=0.5, call_seconds=0.6, rate=1000.0, burst=1000.0, poll_first_seconds=1.0,
        )  # fmt: skip
        self.ledger = a_ledger(folder)
        self.own_numbers()
        self.looks, self.alarms = 0, []

    def own_numbers(self):
        """The platforms live longer than a ledger here: each ledger has its own batch numbers."""
        start, today = 86_400 + 50 * next(LEDGERS), datetime.now(UTC) + timedelta(hours=8)
        names = [f"batch:{self.platform}/{d}:{t:%Y%m%d}" for d in DEPTS for t in (today, today + timedelta(days=1))]
        with self.ledger.begin() as conn:
            conn.execute(schema.sequence.insert(), [{"name": name, "value": start} for name in names])

    def accept(self, number, op, dept="SCJG"):
        n = int(number.rpartition("-")[2])
        changes = {"uscc": a_uscc(n), "counterpart_code": a_uscc(n)}
        rule = {"rule": "REPAIRED"} if op == "WITHDRAW" and self.platform == THREE else {}
        version = OPS.index(op) + 1
        return accept(self.ledger, self.settings, dept, number, version, op, (self.platform,), changes=changes, **rule)

    def run(self, **options):
        """One run; at every settlement each CONFIRMED row is looked for at the platform."""
        clock = HurriedClock(self.proxy)
        points.hook = self.look
        try:
            options = {"threads": 1} | options
            result = deliver(self.ledger, self.settings, self.platform, clock=clock, sleep=clock.sleep, **options)
        finally:
            points.hook = None
        assert chain_whole(self.ledger)
        self.alarms += result.alarms
        return result

    def look(self, point):
        if point == "settle:after_commit":
            self.looks += 1
            assert self.false_successes() == []

    def false_successes(self):
        """CONFIRMED rows whose newest wire the platform does not hold as it was frozen."""
        rows = [r for r in table(self.ledger, schema.outbox) if r.state == "CONFIRMED"]
        newest = {r.record_key: r for r in sorted(rows, key=lambda r: r.version)}
        there = {e["key"]: e for e in self.mocks.ledger(self.platform)}
        later = {
            r.record_key for r in table(self.ledger, schema.outbox) if r.state in ("UNKNOWN", "ACCEPTED", "INFLIGHT")
        }
        return [
            (r.record_key, r.version, key)
            for r in newest.values()
            for key, wanted in self.frozen(r).items()
            if r.record_key not in later and not self.holds(there.get(key), wanted)
        ]

    def frozen(self, row):
        """Remote key → the content that must be there, None if it must not be visible."""
        wires = orjson.loads(row.wire)
        names = [w.get("recordKey") or w.get("cd_id") or w.get("pubId") for w in wires]
        return {n: None if row.op == "WITHDRAW" else content(w) for n, w in zip(names, wires, strict=True)}

    def holds(self, entry, wanted):
        if wanted is None:
            return entry is not None and entry["state"] not in PRESENT
        return entry is not None and entry["state"] in PRESENT and content(entry["record"]) == wanted

    def settle(self):
        """Run until all is CONFIRMED; a person releases what waits for one."""
        for _ in range(4):
            result = self.run()
            if set(self.states()) == {"CONFIRMED"}:
                return
            for dept in [d for d, lane in result.lanes.items() if lane.stopped]:
                people.release_lane(self.ledger, self.platform, dept, actor="张某", note="已核对")
        raise AssertionError(self.states())

    def states(self):
        return dict(Counter(r.state for r in table(self.ledger, schema.outbox)))

    def effects(self, keys):
        """How often the platform changed something under each of our records."""
        found = Counter()
        for entry in self.mocks.ledger(self.platform, history=True):
            key = entry["key"].rpartition("-")[0] if self.platform == TWO else entry["key"]
            found.update([key] if key in keys else [])
        return found

    def asked_before_each_repeat(self):
        """Whether between two pushes of the same bytes, or of the same records, a question was answered."""
        known: dict[bytes, int] = {}
        for n, one in enumerate(self.proxy.passed):
            body = one.data.partition(b"\r\n\r\n")[2]
            if one in self.proxy.pushes:
                before = known.get(body)
                between = self.proxy.passed[before + 1 : n] if before is not None else []
                refused = before is not None and b" 401 " in self.proxy.passed[before].answer[:16]
                if before is not None and not refused and not any(o.method == "GET" and o.answer for o in between):
                    return False
                known[body] = n
        return True


def content(record):
    return {k: v for k, v in record.items() if k not in ("cd_operation", "cd_time")}


@pytest.fixture
def wire(tmp_path, world, request):
    platform = request.param
    with FaultProxy(world.urls[platform]) as proxy:
        found = Wire(tmp_path, world, platform, proxy)
        yield found
        found.ledger.close()


@dataclass(frozen=True)
class Told:
    """What came of a publication, a correction and a withdrawal, each of which met a fault.

    pushes: how many went over the wire for each · well: each fault was met, every change took effect exactly once,
    nothing was called a success that was none, and nothing went again before the platform was asked.
    """

    pushes: tuple[int, ...]
    well: bool
    why: str


def story(wire, fault):
    """Each operation meets the fault once; what came of them."""
    numbers = [f"2026-{next(NUMBERS):07d}" for _ in range(2)]
    pushes, effects, unmet = [], [], 0
    for op in OPS:
        keys = [wire.accept(number, op) for number in numbers]
        before = len(wire.proxy.pushes)
        wire.proxy.faults.append(fault)
        wire.settle()
        wire.proxy.settled()
        unmet += len(wire.proxy.faults)
        effects.append(wire.effects(keys) == dict.fromkeys(keys, len(effects) + 1))
        pushes.append(len(wire.proxy.pushes) - before)
    found = (unmet, effects, wire.false_successes(), wire.looks >= 3, wire.asked_before_each_repeat())
    return Told(tuple(pushes), found == (0, [True] * len(OPS), [], True, True), repr(found))


EVERYWHERE = pytest.mark.parametrize("wire", PLATFORMS, indirect=True)


def each(name, faults):
    """Every fault on every platform; in the normal run each fault meets one of them, in turn."""
    pairs = [(n, fault, platform) for n, fault in enumerate(faults) for platform in PLATFORMS]
    long = pytest.mark.long
    cases = [pytest.param(p, f, marks=() if PLATFORMS[n % 3] == p else long, id=f"{f} {p}") for n, f, p in pairs]
    return pytest.mark.parametrize(("wire", name), cases, indirect=["wire"])


LOST = {
    "before its first byte": Fault("cut request"),
    "within its head": Fault("cut request", byte_at("head")),
    "before its body": Fault("cut request", byte_at("before body")),
    "within its body": Fault("cut request", byte_at("body")),
    "before its last byte": Fault("cut request", byte_at("last"), reset=True),
}


@each("where", LOST)
def test_fault_17_a_request_cut_on_its_way_is_sent_once_more_and_only_after_asking(wire, where):
    told = story(wire, LOST[where])
    assert told.well, told.why
    assert set(told.pushes) == {2}


UNHEARD = {
    "before its first byte": Fault("cut answer"),
    "by a reset": Fault("cut answer", reset=True),
    "within its head": Fault("cut answer", byte_at("head")),
    "before its body": Fault("cut answer", byte_at("before body")),
    "within its body": Fault("cut answer", byte_at("body")),
    "before its last byte": Fault("cut answer", byte_at("last")),
}


@each("where", UNHEARD)
def test_fault_18_20_22_an_answer_cut_after_the_effect_is_found_by_asking_and_nothing_is_sent_again(wire, where):
    told = story(wire, UNHEARD[where])
    assert told.well, told.why
    assert set(told.pushes) == {1}


@each("kind", ["hold request", "drip request"])
def test_fault_19_a_request_that_arrives_after_we_gave_up_and_asked_has_its_effect_once(wire, kind):
    told = story(wire, Fault(kind))
    assert told.well, told.why
    assert set(told.pushes) == {1}


SILENT = {"drip answer": 1, "half open": 2, "hold answer": 1}


@each("kind", SILENT)
def test_fault_29_a_line_that_drips_or_falls_silent_is_left_at_the_deadline_of_the_call(wire, kind):
    told = story(wire, Fault(kind))
    assert told.well, told.why
    assert set(told.pushes) == {SILENT[kind]}
    took = [a.ended_at - a.started_at for a in table(wire.ledger, schema.attempt) if a.method == "POST"]
    assert max(took) < PATIENCE / 2, "the proxy holds out that long; the deadline is 0.6 seconds"


@each("kind", ["double late", "double"])
def test_fault_58_a_request_that_the_wire_doubles_is_served_once_and_the_copy_refused(wire, kind):
    told = story(wire, Fault(kind))
    assert told.well, told.why
    assert set(told.pushes) == {1}
    doubled = [one for one in wire.proxy.pushes if one.fault == kind]
    assert len(doubled) == 3
    assert all(b'"4014"' in one.answers[1] and b'"4014"' not in one.answers[0] for one in doubled)


def test_fault_19_two_pushes_that_overtake_each_other_on_the_wire_both_arrive_once(tmp_path, world):
    for platform in PLATFORMS:
        folder = tmp_path / platform
        folder.mkdir()
        with FaultProxy(world.urls[platform]) as proxy:
            wire = Wire(folder, world, platform, proxy)
            numbers = {dept: f"2026-{next(NUMBERS):07d}" for dept in DEPTS}
            for n, op in enumerate(OPS):
                keys = [wire.accept(number, op, dept) for dept, number in numbers.items()]
                proxy.faults.append(Fault("reorder"))
                wire.run(threads=2)
                assert wire.states() == {"CONFIRMED": 2 * (n + 1)}
                assert wire.effects(keys) == dict.fromkeys(keys, n + 1)
            assert [one.fault for one in proxy.pushes].count("reorder") == 3
            wire.ledger.close()


# What a single turned bit can contradict in an answer: whose batch it is, how many, which verdict, which record.
BENT = {
    ONE: [inside(b'"batchNo":"', 3), inside(b'"recordKey":"', 9), inside(b'"verdict":"', 1), inside(b'"version":')],
    TWO: [inside(b'"cd_batch":"', 3), inside(b'"received":')],
    THREE: [inside(b'"totalSize":'), inside(b'"successSize":'), inside(b'"failSize":')],
}


BITS = [
    pytest.param(p, n, marks=pytest.mark.long if n else (), id=f"{p} {n}")
    for p in PLATFORMS
    for n in range(len(BENT[p]))
]


@pytest.mark.parametrize(("wire", "place"), BITS, indirect=["wire"])
def test_fault_59_a_turned_bit_that_contradicts_the_batch_is_an_alarm_and_is_asked_about(wire, place):
    fault = Fault("flip answer", BENT[wire.platform][place], bit=2 if wire.platform == ONE and place == 2 else 0)
    told = story(wire, fault)
    assert told.well, told.why
    assert set(told.pushes) == {1}
    said = [a.outcome for a in table(wire.ledger, schema.attempt) if a.method == "POST"]
    unsaid = said.count("UNKNOWN") + sum("回答" in alarm for alarm in wire.alarms)
    assert unsaid >= 3, "each of the three pushes was unknown and told"
    assert len(wire.alarms) >= 3


TURNED = {
    "its body": byte_at("body"),
    "its signature": inside(b"_sign: "),
    "its length": inside(b"content-length: "),
    "its first line": inside(b"POST", 2),
}


@each("where", TURNED)
def test_fault_59_a_request_with_a_turned_bit_changes_nothing_at_the_platform(wire, where):
    place = TURNED[where]
    if where == "its signature" and wire.platform != TWO:
        place = inside(b"x-signature: ")
    if where == "its body" and wire.platform == TWO:
        place = inside(b"gjgxjhpt_rid: ", 5)  # S2 does not sign the body: the next test
    # a body that is all there is served by this platform even if its head promised more: then one push is enough
    told = story(wire, Fault("flip request", place))
    assert told.well, told.why
    assert set(told.pushes) <= ({1, 2, 3} if where == "its length" else {2, 3})


@pytest.mark.parametrize("wire", [TWO], indirect=True)
def test_fault_59_where_the_body_is_not_signed_an_altered_record_is_never_confirmed_and_waits_for_a_person(wire):
    keys = [wire.accept(f"2026-{next(NUMBERS):07d}", "PUBLISH") for _ in range(2)]
    wire.proxy.faults.append(Fault("flip request", inside(b'"check_personnel_code":"', 3)))
    wire.run()
    rows = {r.record_key: r.state for r in table(wire.ledger, schema.outbox)}
    assert rows == {keys[0]: "CONFLICT", keys[1]: "CONFIRMED"}
    assert any(keys[0] in alarm for alarm in wire.alarms)
    assert len(wire.proxy.pushes) == 1


# ---------------------------------------------------------------- replays


def replayed(address, data):
    """What the platform says to bytes that somebody kept."""
    with socket.create_connection(address, 5) as conn:
        conn.sendall(data)
        answer = message(conn)
    return int(answer[9:12]), json.loads(answer.partition(b"\r\n\r\n")[2])["code"]


def captured(wire):
    """All signed requests of a delivery with a correction and a withdrawal."""
    number = f"2026-{next(NUMBERS):07d}"
    for op in OPS:
        key = wire.accept(number, op)
        wire.settle()
    return key, [one.data for one in wire.proxy.passed if one.target != "/health"]


@EVERYWHERE
def test_fault_58_what_was_captured_on_the_wire_is_refused_at_once_and_for_ever(wire):
    key, kept = captured(wire)
    before = wire.mocks.ledger(wire.platform, history=True)
    said = [replayed(wire.proxy.upstream, data) for data in kept * 3]
    assert {http for http, _ in said} == {401}
    assert {code for _, code in said} <= {"4014", "4015"}
    wire.mocks.control("POST", "/clock", {"platform": wire.platform, "offset": 601.0})  # the nonces are forgotten now
    try:
        said = [replayed(wire.proxy.upstream, data) for data in kept]
    finally:
        wire.mocks.control("POST", "/clock", {"platform": wire.platform, "offset": 0.0})
    assert set(said) == {(401, "4013")}
    assert wire.mocks.ledger(wire.platform, history=True) == before
    assert wire.effects([key])[key] == 3


@pytest.mark.long
@EVERYWHERE
def test_fault_58_of_ten_thousand_replays_none_is_accepted(wire):
    _, kept = captured(wire)
    before = wire.mocks.ledger(wire.platform, history=True)
    said = Counter(replayed(wire.proxy.upstream, kept[n % len(kept)]) for n in range(10_000))
    assert {http for http, _ in said} == {401}
    assert wire.mocks.ledger(wire.platform, history=True) == before


def test_fault_58_ten_thousand_nonces_of_ours_are_all_different():
    made = [new_nonce() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert all(len(nonce) == 32 and set(nonce) <= set("0123456789abcdef") for nonce in made)
