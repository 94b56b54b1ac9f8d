"""The three mocked platforms with their faults: each record ends there once, as it was frozen, under its own department.

Belongs here: delivery and reconciliation against `mock_platforms` as a process of its own, in real time.
Must not: rules of the contracts (tests/contract), the state machine's details.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations

import orjson
import pytest
from sqlalchemy import select

from mock_platforms.run import Mocks
from tests.delivery.bench import a_ledger, a_uscc, accept, chain_whole, payload, row, settings_for, states, table
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.ledger import schema
from zz_pipeline.reconcile import reconcile

ONE, TWO, THREE = "double_random", "internet_supervision", "publicity"
PLATFORMS = (ONE, TWO, THREE)
DEPTS = ("SCJG", "YJJ")
QUIET = 20.0


class HurriedClock:
    """Real time, but a sleep of a second takes a twentieth: the platforms' own clocks go on meanwhile."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead

    def sleep(self, seconds):
        real = min(seconds, 0.05)
        time.sleep(real)
        self.ahead += seconds - real


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Mocks with credentials of two departments, shared by the module; each test uses records of its own."""
    folder = tmp_path_factory.mktemp("world")
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
    with Mocks(folder / "platforms", folder / "credentials.json", receipt_delay=0.1) as mocks:
        yield mocks


@pytest.fixture
def mocks(world):
    world.control("POST", "/reset", {})
    return world


@pytest.fixture
def settings(tmp_path, mocks):
    urls = {name: mocks.urls[name] for name in PLATFORMS}
    return settings_for(
        tmp_path, urls, DEPTS, quiet_seconds=QUIET, night_wait_seconds=600.0, connect_seconds=2.0, read_seconds=3.0,
        call_seconds=5.0,
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    with ledger.begin() as conn:  # the platforms live longer than a ledger here: each ledger has its own batch numbers
        start, today = 86_400 + 50 * next(LEDGERS), datetime.now(UTC) + timedelta(hours=8)
        for day in (today, today + timedelta(days=1)):
            names = [f"batch:{platform}/{dept}:{day:%Y%m%d}" for platform in PLATFORMS for dept in DEPTS]
            conn.execute(schema.sequence.insert(), [{"name": name, "value": start} for name in names])
    yield ledger
    ledger.close()


def entity(n):
    return {"uscc": a_uscc(n), "counterpart_code": a_uscc(n)}


COUNT, LEDGERS = iter(range(1, 10_000)), iter(range(1, 250))


def records(ledger, settings, platform, dept="SCJG", count=4):
    keys = []
    for _ in range(count):
        n = next(COUNT)
        keys.append(accept(ledger, settings, dept, f"2026-{n:07d}", platforms=(platform,), changes=entity(n)))
    return keys


def send(ledger, settings, platform, **options):
    clock = HurriedClock()
    result = deliver(ledger, settings, platform, clock=clock, sleep=clock.sleep, **({"threads": 1} | options))
    assert chain_whole(ledger)
    return result


def held(mocks, ledger, platform, keys):
    """The platform's effects on those records: once each, as frozen, under the owner's name."""
    ours = {entry["key"]: entry for entry in mocks.ledger(platform) if _record_key(platform, entry["key"]) in keys}
    effects = Counter(
        entry["key"] for entry in mocks.ledger(platform, history=True) if _record_key(platform, entry["key"]) in keys
    )
    assert set(effects.values()) <= {1}, "nothing took effect twice"
    frozen = {}
    for key in keys:
        for wire in orjson.loads(row(ledger, key, platform=platform).wire):
            frozen[wire.get("recordKey") or wire.get("cd_id") or wire.get("pubId")] = wire
    for name, entry in ours.items():
        assert _content(entry["record"]) == _content(frozen[name]), "nothing was altered"
        assert entry["department"] == name.split("-")[1]
    return sorted({_record_key(platform, name) for name in ours})


def _record_key(platform, key):
    return key.rpartition("-")[0] if platform == TWO else key


def _content(record):
    return {k: v for k, v in record.items() if k not in ("cd_operation", "cd_time")}


def order(mocks, platform, fault, **rule):
    mocks.control("POST", "/faults", {"platform": platform, "fault": fault, "method": "POST", "times": 1} | rule)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_plain_night_confirms_every_record_on_each_platform(mocks, ledger, settings, platform):
    keys = records(ledger, settings, platform) + records(ledger, settings, platform, "YJJ")
    result = send(ledger, settings, platform, threads=2)
    assert states(ledger, platform) == {"CONFIRMED": 8}
    assert held(mocks, ledger, platform, keys) == sorted(keys)
    assert result.alarms == []


EVERYWHERE = [
    "error500_before", "error500_after", "close_before", "close_after", "cut_json", "wrong_counts", "busy429",
    "redirect302", "redirect307", "html", "unavailable503", "body500", "duplicate_keys", "wrong_charset", "huge_answer", "late_effect",
]  # fmt: skip
CASES = [(platform, fault) for platform in PLATFORMS for fault in EVERYWHERE]
CASES += [(ONE, f) for f in ("missing_result", "foreign_result", "busy5000", "maintenance5001")]
CASES += [(TWO, f) for f in ("session_expired", "lost_batch", "failed_batch")]


@pytest.mark.parametrize(("platform", "fault"), CASES)
def test_fault_17_18_19_20_21_22_23_24_whatever_meets_the_push_each_record_is_there_once(
    mocks, ledger, settings, platform, fault
):
    keys = records(ledger, settings, platform)
    order(mocks, platform, fault, args={"seconds": 0.4} if fault == "late_effect" else {})
    send(ledger, settings, platform)
    assert states(ledger, platform) == {"CONFIRMED": 4}
    assert held(mocks, ledger, platform, keys) == sorted(keys)


@pytest.mark.parametrize(
    "fault", ["cut_json", "html", "error500_before", "wrong_counts", "foreign_result", "missing_result"]
)
def test_fault_22_a_receipt_that_cannot_be_believed_is_asked_for_again(mocks, ledger, settings, fault):
    keys = records(ledger, settings, TWO)
    order(mocks, TWO, fault, method="GET", path="/exchange/receipts/*")
    send(ledger, settings, TWO)
    assert states(ledger, TWO) == {"CONFIRMED": 4}
    assert held(mocks, ledger, TWO, keys) == sorted(keys)
    assert sum(w["method"] == "POST" and "check_action" in w["path"] for w in mocks.wire(TWO)) >= 1


@pytest.mark.parametrize("platform", PLATFORMS)
def test_fault_25_some_refused_some_stored_each_gets_its_own_state(mocks, ledger, settings, platform):
    keys = records(ledger, settings, platform, count=6)
    order(mocks, platform, "partial_rejection", args={"count": 2})
    send(ledger, settings, platform)
    assert states(ledger, platform) == {"CONFIRMED": 4, "REJECTED": 2}
    confirmed = [key for key in keys if row(ledger, key, platform=platform).state == "CONFIRMED"]
    assert held(mocks, ledger, platform, keys) == sorted(confirmed)
    assert all(row(ledger, k, platform=platform).reason for k in keys if k not in confirmed)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_fault_34_a_used_up_quota_leaves_everything_ready_for_tomorrow(mocks, ledger, settings, platform):
    keys = records(ledger, settings, platform)
    order(mocks, platform, "quota4291")
    result = send(ledger, settings, platform)
    assert states(ledger, platform) == {"READY": 4}
    assert held(mocks, ledger, platform, keys) == []
    assert any("额度" in alarm for alarm in result.alarms)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_corrections_and_withdrawal_arrive_in_order_through_faults(mocks, ledger, settings, platform):
    n = next(COUNT)
    number, changes = f"2026-{n:07d}", entity(n)
    key = accept(ledger, settings, "SCJG", number, platforms=(platform,), changes=changes)
    for fault in ("close_after", "error500_before"):
        order(mocks, platform, fault)
    send(ledger, settings, platform)
    accept(ledger, settings, "SCJG", number, version=2, op="CORRECT", platforms=(platform,), changes=changes)
    order(mocks, platform, "error500_after")
    send(ledger, settings, platform)
    rule = {"rule": "REPAIRED"} if platform == THREE else {}
    accept(ledger, settings, "SCJG", number, 3, "WITHDRAW", (platform,), changes=changes, **rule)
    order(mocks, platform, "close_before")
    send(ledger, settings, platform)
    assert [row(ledger, key, v, platform).state for v in (1, 2, 3)] == ["CONFIRMED"] * 3
    changes_there = [e for e in mocks.ledger(platform, history=True) if _record_key(platform, e["key"]) == key]
    assert len(changes_there) == 3
    assert {h.state for h in table(ledger, schema.holding) if h.record_key == key} == {"WITHDRAWN"}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_fault_66_a_revoked_credential_is_called_once_and_the_other_departments_go_on(
    mocks, ledger, settings, platform
):
    records(ledger, settings, platform)
    other = records(ledger, settings, platform, "YJJ")
    mocks.control("POST", "/suspend", {"platform": platform, "department": "SCJG", "on": True})
    before = len(mocks.wire(platform))
    try:
        result = send(ledger, settings, platform)
    finally:
        mocks.control("POST", "/suspend", {"platform": platform, "department": "SCJG", "on": False})
    assert states(ledger, platform) == {"READY": 4, "CONFIRMED": 4}
    calls = [one for one in mocks.wire(platform)[before:] if one["department"] == "SCJG"]
    assert [(one["http"], one["code"]) for one in calls] == [(403, "4030")]
    assert "凭证" in result.lanes["SCJG"].stopped
    assert held(mocks, ledger, platform, other) == sorted(other)


@pytest.mark.parametrize(("platform", "other"), list(permutations(PLATFORMS, 2)))
def test_fault_69_of_two_swapped_platforms_neither_is_sent_anything(mocks, ledger, settings, platform, other):
    records(ledger, settings, platform)
    swapped = settings.platforms[platform].model_copy(update={"url": mocks.urls[other]})
    settings = settings.model_copy(update={"platforms": settings.platforms | {platform: swapped}})
    before = {name: mocks.wire(name) for name in PLATFORMS}
    result = send(ledger, settings, platform)
    assert other in result.stopped
    assert states(ledger, platform) == {"READY": 4}
    new = [one for name in PLATFORMS for one in mocks.wire(name)[len(before[name]) :]]
    assert {(one["method"], one["path"]) for one in new} == {("GET", "/health")}


@pytest.mark.parametrize("mode", ["both", "flip"])
def test_fault_27_a_receipt_that_contradicts_itself_or_the_list_is_told_and_what_is_there_stays_confirmed(
    mocks, ledger, settings, mode
):
    keys = records(ledger, settings, TWO)
    order(mocks, TWO, "receipt_contradictory", method="GET", path="/exchange/receipts/*", times=50, args={"mode": mode})
    result = send(ledger, settings, TWO)
    assert any("回执" in alarm for alarm in result.alarms)
    mocks.control("DELETE", "/faults", {})
    send(ledger, settings, TWO)
    assert states(ledger, TWO) == {"CONFIRMED": 4}
    assert held(mocks, ledger, TWO, keys) == sorted(keys)


def test_fault_58_no_nonce_is_used_twice_and_every_push_was_intended_before(mocks, ledger, settings):
    keys = records(ledger, settings, ONE)
    order(mocks, ONE, "error500_before")
    send(ledger, settings, ONE)
    nonces = [a.nonce for a in table(ledger, schema.attempt)]
    assert len(set(nonces)) == len(nonces) >= 4
    with ledger.read() as conn:
        kinds = conn.execute(select(schema.audit_event.c.type)).scalars().all()
    assert kinds.count("SEND") == sum(a.method == "POST" for a in table(ledger, schema.attempt)) == 2
    assert held(mocks, ledger, ONE, keys) == sorted(keys)


def test_fault_30_a_platform_restored_from_its_backup_is_found_out_and_mended_when_approved(mocks, ledger, settings):
    keys = records(ledger, settings, TWO, count=3)
    send(ledger, settings, TWO)
    mocks.control("POST", "/forget", {"platform": TWO, "keys": [f"{keys[0]}-61012400010001"]})
    clock = HurriedClock()
    few = settings.model_copy(update={"county": settings.county.model_copy(update={"lost_share_needs_person": 1.0})})
    result = reconcile(ledger, few, TWO, _today(), clock=clock, sleep=clock.sleep)
    assert result.counts["lost"] == 1
    send(ledger, settings, TWO)
    assert states(ledger, TWO) == {"CONFIRMED": 3}
    assert {e["key"] for e in mocks.ledger(TWO)} >= {f"{key}-61012400010001" for key in keys}


@pytest.mark.parametrize("op", ["CORRECT", "WITHDRAW"])
def test_fault_30_a_correction_that_meets_a_restored_platform_is_stored_whole_without_a_person(
    mocks, ledger, settings, op
):
    number, codes = next(COUNT), ("61012400010001", "61012400010002")
    item = payload(settings, "SCJG", f"2026-{number:07d}")["items"][0]
    two = entity(number) | {"items": [{**item, "item_code": code} for code in codes]}
    key = accept(ledger, settings, "SCJG", f"2026-{number:07d}", platforms=(TWO,), changes=two)
    send(ledger, settings, TWO)
    mocks.control("POST", "/forget", {"platform": TWO, "keys": [f"{key}-{codes[0]}"]})
    accept(
        ledger, settings, "SCJG", f"2026-{number:07d}", version=2, op=op, platforms=(TWO,),
        changes=two | {"task_name": "样例任务更正"},
    )  # fmt: skip
    for _ in range(2):
        send(ledger, settings, TWO)
    assert states(ledger, TWO) == {"CONFIRMED": 2}
    there = {e["key"]: e for e in mocks.ledger(TWO) if e["key"].startswith(key) and e["state"] == "STORED"}
    assert set(there) == ({f"{key}-{code}" for code in codes} if op == "CORRECT" else set())
    assert {e["record"]["check_action_name"] for e in there.values()} <= {"样例任务更正"}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_our_list_and_the_platforms_agree_after_faults(mocks, ledger, settings, platform):
    records(ledger, settings, platform)
    order(mocks, platform, "close_after")
    send(ledger, settings, platform)
    clock = HurriedClock()
    result = reconcile(ledger, settings, platform, _today(), clock=clock, sleep=clock.sleep)
    ours = {r.record_key for r in table(ledger, schema.outbox)}
    foreign = [found for found, _ in result.differences if _record_key(platform, found.remote_key) in ours]
    assert foreign == [], "other tests' records are strange to this ledger, ours are not"
    assert result.counts["ours"] == 4


def test_fault_28_a_platform_that_goes_down_and_comes_back_gets_each_record_once(mocks, ledger, settings):
    keys = records(ledger, settings, ONE)
    mocks.stop(kill=True)
    result = send(ledger, settings, ONE)
    assert (result.down, result.requests, states(ledger, ONE)) == (True, 0, {"READY": 4})
    mocks.start()
    send(ledger, settings, ONE)
    assert states(ledger, ONE) == {"CONFIRMED": 4}
    assert held(mocks, ledger, ONE, keys) == sorted(keys)


def _today():
    return datetime.now(UTC).date()
