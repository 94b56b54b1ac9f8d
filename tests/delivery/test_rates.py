"""The rate of a credential and the day's records of a platform, by the platforms' own counts.

Belongs here: real processes that share one ledger, measured against the mocked platforms. Must not: other faults.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest
from sqlalchemy import select

from tests.delivery import rate_rig
from tests.delivery.bench import a_ledger, a_uscc, accept, chain_whole, settings_for, states
from tests.delivery.rate_rig import ONE, PLATFORMS, THREE, TWO
from zz_pipeline.delivery import budget
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.lanes import take
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger

DEPTS = ("SCJG", "YJJ")
SHORT = 6.0
FULL = 20.0 / 10.0  # seconds in which an empty bucket fills


@pytest.fixture
def mocks(tmp_path_factory):
    """Platforms of each test's own: to platforms that know yesterday's ledger a fresh one would repeat batch numbers."""
    with rate_rig.platforms(tmp_path_factory.mktemp("world"), DEPTS) as mocks:
        yield mocks


@pytest.fixture
def fresh(mocks):
    """The platforms with full buckets and the usual limits."""
    mocks.control("POST", "/reset", {})
    for platform in PLATFORMS:
        mocks.control("POST", "/quota", {"platform": platform, "rate": 10.0, "burst": 20.0, "daily_records": 200_000})
    return mocks


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    yield ledger
    ledger.close()


def shared_by(count, mocks, home, url, platform, seconds):
    """Answers of `count` processes that ask as fast as the shared bucket lets them, and the share used of what was granted.

    Not granted to us is what overflows while the machine keeps a process longer than a bucket takes to fill; behind such
    a moment the platform's bucket, filled no further than ours, may lack what was still under way.
    """
    arguments = [lambda start, told: (str(home), mocks.urls, url, platform, start, seconds, told) for _ in range(count)]
    with rate_rig.processes(rate_rig.ask_as_fast_as_allowed, arguments) as (told, _):
        began, ended, answers, kept = zip(*(told.get(timeout=120) for _ in range(count)), strict=True)
    found = Counter(http for one in answers for http in one)
    stalls = [seconds - FULL for one in kept for seconds in one if seconds > FULL]
    found[429] -= min(found[429], len(stalls))
    return found, found[200] / (10.0 * (max(ended) - min(began) - sum(stalls)) + 20.0)


@pytest.mark.parametrize("platform", [ONE, TWO])
def test_fault_34_one_process_uses_its_credentials_rate_and_is_not_refused(fresh, ledger, tmp_path, platform):
    rate_rig.make_lane(ledger, platform)
    answers, share = shared_by(1, fresh, tmp_path, ledger.url, platform, SHORT)
    assert share >= 0.97, f"{share:.3f} of what the platform grants was used: {answers}"
    assert answers[429] <= 0.01 * sum(answers.values()), answers


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("count", "seconds"),
    [(2, SHORT), *(pytest.param(n, 30.0, marks=pytest.mark.long) for n in (1, 2, 4))],
)
def test_fault_34_processes_that_share_a_credential_use_its_rate_together(fresh, tmp_path, postgres, count, seconds):
    ledger = Ledger(postgres.database())
    with ledger.begin() as conn:
        schema.metadata.create_all(conn)
    rate_rig.make_lane(ledger, ONE)
    url = ledger.url
    ledger.close()
    answers, share = shared_by(count, fresh, tmp_path, url, ONE, seconds)
    assert share >= 0.97, f"{share:.3f} of what the platform grants was used: {answers}"
    assert answers[429] <= 0.01 * sum(answers.values()), answers


def test_fault_34_a_second_host_whose_clock_is_ahead_is_granted_nothing_twice(ledger, settings, tmp_path):
    spec, granted = settings.platforms[ONE], 0
    with take(ledger, tmp_path, ONE, "SCJG", 0.0), ledger.begin() as conn:
        for tick in range(200):  # twenty seconds in which two hosts ask ten times a second each, three seconds apart
            for skew in (0.0, 3.0):
                granted += budget.take_token(conn, ONE, "SCJG", spec, 1000.0 + tick / 10 + skew) == 0.0
    assert 0.97 * 200 <= granted <= 20 + 10 * 23


# ---------------------------------------------------------------- the product's own lanes


@pytest.fixture
def settings(tmp_path, mocks):
    return settings_for(tmp_path, {name: mocks.urls[name] for name in PLATFORMS}, DEPTS, batch_records=1)


def test_fault_34_a_lane_with_more_to_send_than_its_burst_keeps_to_the_rate(fresh, ledger, settings):
    many(ledger, settings, ONE, "SCJG", 60)
    before, began = len(fresh.wire(ONE)), time.monotonic()
    result = deliver(ledger, settings, ONE)
    took = time.monotonic() - began
    assert states(ledger, ONE) == {"CONFIRMED": 60}
    assert [line for line in fresh.wire(ONE)[before:] if line["http"] == 429] == []
    assert result.requests == 60
    assert took >= (60 - 20) / 10.0 - 0.5


def test_fault_34_a_session_takes_a_token_like_every_signed_request(fresh, ledger, settings):
    before = len(fresh.wire(TWO))
    many(ledger, settings, TWO, "SCJG", 3)
    result = deliver(ledger, settings, TWO)
    signed = [line["path"] for line in fresh.wire(TWO)[before:] if line["path"] != "/health"]
    assert states(ledger, TWO) == {"CONFIRMED": 3}
    assert any("/auth/session" in path for path in signed)
    assert result.requests == len(signed)


# ---------------------------------------------------------------- the day's records


def test_fault_34_records_beyond_the_platforms_day_stay_ready_until_the_countys_midnight(fresh, ledger, settings):
    fresh.control("POST", "/quota", {"platform": ONE, "daily_records": used(fresh, ONE) + 5})
    few = daily(settings, 5)
    many(ledger, few, ONE, "SCJG", 4)
    many(ledger, few, ONE, "YJJ", 4)
    before = pushes(fresh, ONE)
    result = deliver(ledger, few, ONE)
    assert states(ledger, ONE) == {"CONFIRMED": 5, "READY": 3}
    assert pushes(fresh, ONE) - before == 5, "nothing was sent to be refused"
    assert any("额度" in alarm for alarm in result.alarms)
    morrow = budget.next_day(time.time(), few.zone)
    assert {row.next_at for row in ready(ledger)} == {morrow}
    fresh.control("POST", "/quota", {"platform": ONE, "daily_records": 200_000})
    tomorrow = MovedClock(morrow + 3600.0)
    deliver(ledger, few, ONE, clock=tomorrow, sleep=tomorrow.sleep)
    assert states(ledger, ONE) == {"CONFIRMED": 8}
    assert chain_whole(ledger)


def test_fault_34_a_batch_is_cut_to_what_is_left_of_the_day(fresh, ledger, settings):
    big = daily(settings, 3, batch_records=200)
    many(ledger, big, ONE, "SCJG", 5)
    before = pushes(fresh, ONE)
    deliver(ledger, big, ONE)
    assert states(ledger, ONE) == {"CONFIRMED": 3, "READY": 2}
    assert pushes(fresh, ONE) - before == 1


def test_fault_34_when_the_platform_counts_more_than_we_do_one_refusal_stops_all_lanes(fresh, ledger, settings):
    fresh.control("POST", "/quota", {"platform": ONE, "daily_records": used(fresh, ONE) + 2})
    many(ledger, settings, ONE, "SCJG", 6)
    many(ledger, settings, ONE, "YJJ", 6)
    before = pushes(fresh, ONE)
    deliver(ledger, settings, ONE, threads=1)
    assert states(ledger, ONE) == {"CONFIRMED": 2, "READY": 10}
    assert pushes(fresh, ONE) - before == 3, "two that fit and one that was refused"


def test_fault_34_a_stop_of_publicity_is_not_counted_and_leaves_though_the_day_is_used_up(fresh, ledger, settings):
    few = daily(settings, 1)
    key = many(ledger, few, THREE, "SCJG", 1)[0]
    deliver(ledger, few, THREE)
    accept(ledger, few, "SCJG", key.split("-", 2)[2], 2, "WITHDRAW", (THREE,), changes=entity(key), rule="REPAIRED")
    many(ledger, few, THREE, "SCJG", 1)
    deliver(ledger, few, THREE)
    found = {(row.record_key == key, row.op): row.state for row in rows(ledger)}
    assert found == {(True, "PUBLISH"): "CONFIRMED", (True, "WITHDRAW"): "CONFIRMED", (False, "PUBLISH"): "READY"}


class MovedClock:
    """A clock that begins at a moment and goes on with sleeping only; the platforms keep their own."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def daily(settings, records, **more):
    changed = {name: p.model_copy(update={"daily_records": records, **more}) for name, p in settings.platforms.items()}
    return settings.model_copy(update={"platforms": changed})


NUMBERS = iter(range(1, 100_000))


def entity(key):
    number = int(key.rsplit("-", 1)[1])
    return {"uscc": a_uscc(number), "counterpart_code": a_uscc(number)}


def many(ledger, settings, platform, dept, count):
    keys = []
    for _ in range(count):
        number = f"2026-{next(NUMBERS):07d}"
        keys.append(accept(ledger, settings, dept, number, platforms=(platform,), changes=entity(number)))
    return keys


def rows(ledger):
    with ledger.read() as conn:
        return conn.execute(select(schema.outbox)).all()


def ready(ledger):
    return [row for row in rows(ledger) if row.state == "READY"]


def pushes(mocks, platform):
    return sum(line["method"] == "POST" and "session" not in line["path"] for line in mocks.wire(platform))


def used(mocks, platform):
    return mocks.control("POST", "/quota", {"platform": platform})["used_today"]
