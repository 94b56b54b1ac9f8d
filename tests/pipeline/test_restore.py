"""The ledger set back to an earlier moment, then a night: the platforms are asked first, nothing is doubled or lost.

Belongs here: copies of the ledger taken at random moments of several nights, put back; a platform's own restore; numbers
that a platform has forgotten. Must not: kills (test_kills).
"""

import random
from collections import Counter
from datetime import timedelta

import pytest

from tests.pipeline.small_county import FINISHED, ONE, PLATFORMS, THREE, TWO, record, rows, small, whole
from zz_pipeline import restored
from zz_pipeline.delivery import points
from zz_pipeline.withdraw import Order, withdraw

NUMBERS = range(1, 9)
POINTS, DRILLS = (
    10,
    3,
)  # moments in `make test` and how many of them are set back there; all of them in `make test-long`


def night_of(place, night, n):
    """The n-th night: what the two departments hand in, as their databases show it from the watermark on."""
    for dept in ("SCJG", "YJJ"):
        shift = 0 if dept == "SCJG" else 100
        new = [record(night.settings, dept, shift + 10 * n + m) for m in range(3)]
        old = [record(night.settings, dept, shift + 10 * (n - 1) + m, version=n) for m in range(2)] if n > 1 else []
        place.take_in(night, dept, [*new, *old], day=FINISHED + timedelta(days=n))
    place.send(night)


def again(place, night, last):
    """After a restore a night reads everything since the watermark: the newest state of every record."""
    newest = {}
    for n in range(1, last + 1):
        for dept in ("SCJG", "YJJ"):
            shift = 0 if dept == "SCJG" else 100
            for m in range(3):
                newest[dept, shift + 10 * n + m] = record(night.settings, dept, shift + 10 * n + m)
            for m in range(2):
                if n > 1:
                    key = dept, shift + 10 * (n - 1) + m
                    newest[key] = record(night.settings, *key, version=n)
    for dept in ("SCJG", "YJJ"):
        place.take_in(
            night, dept, [c for (d, _), c in newest.items() if d == dept], day=FINISHED + timedelta(days=last)
        )
    return place.send(night)


class Copies:
    """A copy of the ledger at chosen passings of the commit points."""

    def __init__(self, place, folder, wanted):
        self.place, self.folder, self.wanted = place, folder, wanted
        self.count, self.taken = 0, []

    def __call__(self, name):
        if name.endswith(":after_commit"):
            self.count += 1
            if self.count in self.wanted:
                path = self.folder / f"{self.count}.db"
                self.place.copy(path)
                self.taken.append(path)


def state(place):
    """What the platforms hold, and how often each thing took effect."""
    held = {p: {e["key"]: (e["state"], content(e)) for e in place.mocks.ledger(p)} for p in PLATFORMS}
    doubled = Counter()
    for p in PLATFORMS:
        last = {}
        for e in place.mocks.ledger(p, history=True):
            now = (e["state"], content(e))
            doubled[p, e["key"]] += last.get(e["key"]) == now
            last[e["key"]] = now
    return held, {k: n for k, n in doubled.items() if n}


def content(entry):
    left = {"cd_operation", "cd_time", "submitted_date", "publicFrom", "version", "operation"}
    return str(sorted((k, str(v)) for k, v in (entry["record"] or {}).items() if k not in left))


@pytest.fixture(scope="module")
def drilled(tmp_path_factory):
    """Three nights, with copies of the ledger at ten random moments of them."""
    folder = tmp_path_factory.mktemp("restore")
    with small(folder) as place:
        dice = random.Random(20261123)
        copies = Copies(place, folder, {*sorted(dice.sample(range(8, 90), POINTS))})
        points.hook = copies
        try:
            for n in (1, 2, 3):
                with place.opened() as night:
                    night_of(place, night, n)
        finally:
            points.hook = None
        place.copy(folder / "end.db")
        yield place, copies.taken, state(place)


def drill(place, path):
    """Set the ledger back, let a night go by; what the platforms hold then, and how the night went."""
    place.restore(path)
    with place.opened() as night:
        done = again(place, night, 3)
        assert whole(night)
        left = Counter(row.state for n in range(1, 4) for m in range(3) for row in _rows(night, n, m))
    return done, left


def _rows(night, n, m):
    return [*rows(night, f"610124-SCJG-2026-{10 * n + m:07d}").values()]


def test_fault_13_a_ledger_set_back_at_random_moments_doubles_nothing_and_loses_nothing(drilled):
    place, taken, (held, doubled) = drilled
    assert len(taken) == POINTS
    assert doubled == {}
    for path in random.Random(7).sample(taken, DRILLS):
        _, left = drill(place, path)
        now, twice = state(place)
        assert now == held, path.name
        assert twice == {}, path.name
        assert set(left) <= {"CONFIRMED", "CANCELLED"}, (path.name, left)


@pytest.mark.long
def test_fault_13_a_ledger_set_back_at_each_of_ten_moments_doubles_nothing_and_loses_nothing(drilled):
    place, taken, (held, _) = drilled
    for path in taken:
        _, left = drill(place, path)
        assert state(place) == (held, {}), path.name
        assert set(left) <= {"CONFIRMED", "CANCELLED"}, (path.name, left)


def test_fault_13_the_night_after_a_restore_asks_for_everything_before_its_first_push(drilled):
    place, taken, _ = drilled
    before = {p: len(place.mocks.wire(p)) for p in PLATFORMS}
    drill(place, taken[-1])
    for platform in PLATFORMS:
        new = [(e["method"], e["path"]) for e in place.mocks.wire(platform)[before[platform] :]]
        lists = [n for n, (method, path) in enumerate(new) if method == "GET" and path.endswith("/records")]
        pushes = [n for n, (method, path) in enumerate(new) if method == "POST" and "session" not in path]
        assert lists
        assert not pushes or min(lists) < min(pushes)
    with place.opened() as night, night.ledger.read() as conn:
        assert restored.behind(conn, place.home) == ""


def test_fault_13_while_a_platform_can_not_be_asked_nothing_is_pushed_to_it(drilled):
    place, taken, _ = drilled
    place.restore(taken[0])
    place.mocks.control("POST", "/maintenance", {"platform": ONE, "on": True})
    try:
        with place.opened() as night:
            before = len(place.mocks.wire(ONE))
            done = again(place, night, 3)
            assert [e for e in place.mocks.wire(ONE)[before:] if e["method"] == "POST"] == []
            assert "核对" in "".join(done[ONE].alarms)
    finally:
        place.mocks.control("POST", "/reset", {"rate": 1000, "burst": 1000})
    with place.opened() as night:
        place.send(night)
        assert whole(night)


def test_a_withdrawal_that_the_restored_ledger_forgot_is_no_reason_to_publish_again(drilled):
    place, _, _ = drilled
    key = "610124-SCJG-2026-0000012"
    with place.opened() as night:
        place.copy(place.home / "before.db")
        withdraw(night, Order("inspection", key, "样例文书", "张某", "李某", "REVOKED"))
        place.send(night)
    place.restore(place.home / "before.db")
    with place.opened() as night:
        place.send(night)
        place.take_in(night, "SCJG", [record(night.settings, "SCJG", 12)], day=FINISHED + timedelta(days=4))
        place.send(night)
        assert {row.state for row in rows(night, key).values() if row.platform == THREE} <= {"CONFLICT", "CONFIRMED"}
    assert place.held(THREE, key) == {key: "WITHDRAWN"}
    assert set(place.held(TWO, key).values()) == {"WITHDRAWN"}
