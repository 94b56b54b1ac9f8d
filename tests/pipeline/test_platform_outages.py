"""A platform that is away for an hour, a night, five nights: the others do not notice, and afterwards nothing is late longer.

Belongs here: nights of deliveries by a clock of their own over three small platforms. Must not: contracts, sources.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache

import pytest

from tests.delivery.bench import FakeClock, a_ledger, accept, beijing_midnight_after, chain_whole, settings_for, states
from tests.delivery.tiny_platform import TinyPlatform
from zz_pipeline.delivery.deliver import deliver

ENTRY, SECOND, THIRD = NAMES = ("double_random", "internet_supervision", "publicity")
DEPTS = ("SCJG", "YJJ", "NYJ", "JTJ", "SWJ")
HOUR, NIGHT, MORNING = 3600.0, 1.5 * 3600, 6.5 * 3600
A_NIGHT, PER_BATCH = 4, 1  # records a department and night; single records make the requests easy to count
NIGHTS, FEW = 7, 4  # five nights of outage need the seven


class Switchable(TinyPlatform):
    """A platform with a switch: while it is down every connection is closed without a word."""

    def __init__(self):
        super().__init__()
        self.down = False
        self.down_after = None  # goes down by itself after so many pushes

    def get(self, http):
        if self.down:
            return http.connection.close()
        return super().get(http)

    def post(self, http, body):
        if self.down_after is not None and len(self.pushes) >= self.down_after:
            self.down, self.down_after = True, None
        if self.down:
            return http.connection.close()
        return super().post(http, body)


@dataclass
class Course:
    """What happened: seconds by the nights' own clock and signed requests of each platform, and its pushes in order."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NAMES, 0.0))
    requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    pushed: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    states: dict[str, dict[str, int]] = field(default_factory=dict)
    looks: float = 0.0  # real seconds of the runs that found the platform away
    caught_up: list[tuple[str, str]] = field(default_factory=list)  # pushes of the first run after the outage
    effects: dict[str, list[str]] = field(default_factory=dict)
    whole: bool = False


def dues():
    """Due dates of all records, the same in every course: many of them before the first night, in no order."""
    choice = random.Random(34)
    days = [(date(2026, 11, 20) + timedelta(days=n)).isoformat() for n in range(40)]
    return {(night, dept, n): choice.choice(days) for night in range(NIGHTS) for dept in DEPTS for n in range(A_NIGHT)}


DUES = dues()


def number(night, n):
    return f"2026-{night * A_NIGHT + n + 1:05d}"


def due_of(key):
    _, dept, _, n = key.split("-")
    night, rest = divmod(int(n) - 1, A_NIGHT)
    return DUES[(night, dept, rest)]


def course(folder, nights, away=(), down=None, in_the_middle=False):
    """Nights one after the other, each with a morning; `down` is away during the runs of `away` ((night, "morning")…)."""
    folder.mkdir()
    ledger, clock, told = a_ledger(folder), FakeClock(), Course()
    platforms = {name: Switchable() for name in NAMES}
    for platform in platforms.values():
        platform.__enter__()
    try:
        settings = county(folder, platforms)
        midnight = beijing_midnight_after(clock())
        for night in range(nights):
            for dept in DEPTS:
                for n in range(A_NIGHT):
                    accept(ledger, settings, dept, number(night, n), platforms=NAMES, due=DUES[(night, dept, n)])
            for moment, hour in (("night", NIGHT), ("morning", MORNING)):
                clock.now = max(clock.now, midnight + night * 24 * HOUR + hour)
                gone = (night, moment) in away
                if in_the_middle and gone and not platforms[down].down:
                    platforms[down].down_after = len(platforms[down].pushes) + A_NIGHT
                elif down:
                    platforms[down].down = gone
                if not gone and told.looks and not told.caught_up:
                    before = len(platforms[down].pushes)
                one_run(ledger, settings, platforms, clock, told, down if gone else None)
                if not gone and told.looks and not told.caught_up:
                    told.caught_up = keys(platforms[down].pushes[before:])
        told.pushed = {name: keys(p.pushes) for name, p in platforms.items()}
        told.states = {name: states(ledger, name) for name in NAMES}
        told.effects = {name: [key for key, _, _ in p.effects] for name, p in platforms.items()}
        told.whole = chain_whole(ledger)
    finally:
        for platform in platforms.values():
            platform.__exit__()
        ledger.close()
    return told


def one_run(ledger, settings, platforms, clock, told, away):
    for name in NAMES:
        began, real = clock(), time.monotonic()
        result = deliver(ledger, settings, name, clock=clock, sleep=clock.sleep, threads=1)
        told.seconds[name] += clock() - began
        told.requests[name] += result.requests
        if name == away:
            told.looks += time.monotonic() - real
        clock.now = began if name == away else clock.now  # platforms are served side by side


def county(folder, platforms):
    settings = settings_for(
        folder, {name: p.url for name, p in platforms.items()}, DEPTS, batch_records=PER_BATCH, quiet_seconds=60.0,
        night_wait_seconds=600.0, connect_seconds=2.0, read_seconds=5.0, call_seconds=5.0, adapter="double_random",
        sign="HMAC-SM3",
    )  # fmt: skip
    capability = settings.platforms[ENTRY].capability
    same = {name: p.model_copy(update={"capability": capability}) for name, p in settings.platforms.items()}
    return settings.model_copy(update={"platforms": same})


def keys(pushes):
    return [(app.removeprefix("app-"), key) for _, app, names, _ in pushes for key in names]


OUTAGES = {
    "an hour": [(1, "night")],
    "a night": [(1, "night"), (1, "morning")],
    "five nights": [(n, moment) for n in range(1, 6) for moment in ("night", "morning")],
}


def everything(nights):
    return nights * len(DEPTS) * A_NIGHT


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """So many nights of which nothing is to be told, made once."""
    return cache(lambda nights: course(tmp_path_factory.mktemp("plain") / "course", nights))


LONG = pytest.mark.long  # each course is several seconds of processor time


@pytest.fixture(
    scope="module",
    params=[
        ("a night", FEW),
        pytest.param(("an hour", FEW), marks=LONG),
        pytest.param(("five nights", NIGHTS), marks=LONG),
    ],
    ids=lambda param: param[0],
)
def disturbed(request, tmp_path_factory, undisturbed):
    """The same nights without an outage and with one."""
    name, nights = request.param
    return (
        undisturbed(nights),
        course(tmp_path_factory.mktemp("outage") / "course", nights, OUTAGES[name], THIRD),
        nights,
    )


def test_fault_28_the_other_platforms_lose_neither_time_nor_requests(disturbed):
    undisturbed, disturbed, _ = disturbed
    for name in (ENTRY, SECOND):
        assert disturbed.seconds[name] <= 1.05 * undisturbed.seconds[name]
        assert disturbed.requests[name] == undisturbed.requests[name] > 0
        assert disturbed.pushed[name] == undisturbed.pushed[name]


def test_fault_28_21_afterwards_everything_has_arrived_once_with_hardly_more_requests(disturbed):
    undisturbed, disturbed, nights = disturbed
    for name in NAMES:
        assert disturbed.states[name] == {"CONFIRMED": everything(nights)}
        assert len(disturbed.effects[name]) == len(set(disturbed.effects[name])) == everything(nights)
    assert disturbed.requests[THIRD] <= 1.1 * undisturbed.requests[THIRD]
    assert disturbed.whole


def test_fault_28_the_backlog_leaves_in_order_of_its_due_dates_what_is_overdue_first(disturbed):
    _, disturbed, _ = disturbed
    lanes = defaultdict(list)
    for dept, key in disturbed.caught_up:
        lanes[dept].append(due_of(key))
    assert set(lanes) == set(DEPTS)
    assert all(found == sorted(found) for found in lanes.values())
    firsts = [found[0] for found in lanes.values()]  # lanes in the order in which they began
    assert firsts == sorted(firsts)


def test_fault_28_a_platform_that_is_away_costs_a_look_and_no_waiting(disturbed):
    _, disturbed, _ = disturbed
    assert 0.0 < disturbed.looks < 20.0


@pytest.fixture(scope="module")
def struck(tmp_path_factory):
    """The platform falls in the middle of a lane and stays away for the rest of the night and the next."""
    away = [(1, "night"), (1, "morning"), (2, "night")]
    return course(tmp_path_factory.mktemp("struck") / "course", FEW, away, THIRD, in_the_middle=True)


def test_fault_28_17_a_platform_that_falls_in_the_middle_is_asked_first_and_gets_each_record_once(undisturbed, struck):
    undisturbed = undisturbed(FEW)
    assert struck.states[THIRD] == {"CONFIRMED": everything(FEW)}
    assert len(struck.effects[THIRD]) == len(set(struck.effects[THIRD])) == everything(FEW)
    assert struck.requests[THIRD] <= 1.1 * undisturbed.requests[THIRD]
    assert struck.pushed[ENTRY] == undisturbed.pushed[ENTRY]
    assert struck.pushed[SECOND] == undisturbed.pushed[SECOND]


@LONG
def test_fault_28_while_the_entry_platform_is_away_nothing_goes_round_it_and_all_catch_up(undisturbed, tmp_path):
    found = course(tmp_path / "entry", FEW, OUTAGES["a night"], ENTRY)
    assert found.states == {name: {"CONFIRMED": everything(FEW)} for name in NAMES}
    assert sum(found.requests.values()) <= 1.1 * sum(undisturbed(FEW).requests.values())
    assert found.whole
