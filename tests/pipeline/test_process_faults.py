"""Processes that are stopped, starved or ended while they deliver; databases that die, are cut off or run full.

Belongs here: faults of process, database and disk around a real delivery. Must not: kills at all points (test_kill_points).
"""

import os
import signal
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, inspect, select, text

from tests.delivery.bench import ENTRY, a_ledger, accept_many, chain_whole, settings_for, states, table
from tests.delivery.tiny_platform import TinyPlatform
from tests.pipeline import process_rig
from tests.pipeline.commit_cutter import CommitCutter
from tests.pipeline.postgres import MISSING, installed, server
from tests.pipeline.process_rig import plan, started
from zz_pipeline.delivery import points
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.errors import LedgerError, ZzError
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger

COUNT = 4


@pytest.fixture
def platform():
    with TinyPlatform() as platform:
        yield platform


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
def pg_ledger(postgres):
    with made(postgres.database()) as ledger:
        yield ledger


@contextmanager
def made(url):
    ledger = Ledger(url)
    with ledger.begin() as conn:
        schema.metadata.create_all(conn)
    yield ledger
    ledger.close()


def due(ledger, home, platform, depts=("SCJG",), count=COUNT):
    """Records that wait; their keys."""
    settings = settings_for(home, {ENTRY: platform.url}, depts)
    return [key for dept in depts for key in accept_many(ledger, settings, dept, count)]


def again(ledger, home, platform, depts=("SCJG",)):
    """The next run, in this process: it ends by itself within the night's wait."""
    settings = settings_for(home, {ENTRY: platform.url}, depts, **process_rig.SPEC)
    return deliver(ledger, settings, ENTRY, threads=len(depts))


def all_well(ledger, platform, keys):
    """Each record confirmed here and there once, the audit whole, and an intent in it for each push on the wire."""
    assert states(ledger) == {"CONFIRMED": len(keys)}
    assert sorted(key for key, _, _ in platform.effects) == sorted(keys)
    assert chain_whole(ledger)
    audited(ledger, platform)


def audited(ledger, platform):
    """No push without its event in the audit."""
    frozen = {b.body: b.batch_id for b in table(ledger, schema.batch)}
    intents = Counter(e.object for e in table(ledger, schema.audit_event) if e.type == "SEND")
    pushed = Counter(body for *_, body in platform.pushes)
    assert pushed.keys() <= frozen.keys()
    assert all(intents[frozen[body]] >= n for body, n in pushed.items())


# ── 5: stopped for long, then going on ────────────────────────────────────────────────────────────────────────────────
SENT = ("wire:written", "wire:head", "send:after")  # the request has left at these
POINTS = ("grant:after_commit", "claim:after_commit", "send:claimed", "send:before", "wire:connected", *SENT)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "point", [pytest.param(p, marks=[pytest.mark.long] * (p not in POINTS[3:7:1])) for p in POINTS]
)
def test_fault_05_a_worker_that_was_stopped_sends_nothing_once_another_has_its_lane(
    pg_ledger, platform, tmp_path, point
):
    keys = due(pg_ledger, tmp_path, platform)
    with started(plan(pg_ledger, tmp_path, platform.url, act="stop", point=point)) as stale:
        assert stale.acting()
        stopped(stale.pid)
        _cut_off(pg_ledger)
        again(pg_ledger, tmp_path / "other", platform)
        assert states(pg_ledger) == {"CONFIRMED": COUNT}
        before = len(platform.pushes)
        time.sleep(process_rig.SPEC["send_deadline_seconds"])
        os.kill(stale.pid, signal.SIGCONT)
        told = stale.result()
    assert len(platform.pushes) == before, "the stale worker sent"
    assert told["error"] or any(told["stopped"]), told
    assert not told["moves"]
    all_well(pg_ledger, platform, keys)


def stopped(pid):
    """Wait until the kernel says so."""
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < until
        time.sleep(0.01)


def _cut_off(ledger):
    """The database ends the sessions of everybody else, as its keep-alive does with a host that is gone."""
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ledger.close()
    with ledger.begin() as conn:
        conn.execute(text(sql))


@pytest.mark.parametrize("point", ["claim:after_commit", "send:before"])
def test_fault_05_a_stopped_process_keeps_its_lane_and_sends_nothing_after_its_send_deadline(
    ledger, platform, tmp_path, point
):
    keys = due(ledger, tmp_path, platform)
    with started(plan(ledger, tmp_path, platform.url, act="stop", point=point)) as slow:
        assert slow.acting()
        stopped(slow.pid)
        (lane,) = again(ledger, tmp_path, platform).lanes.values()
        assert "另一进程" in lane.stopped
        time.sleep(process_rig.SPEC["send_deadline_seconds"])
        sent = len(platform.pushes)
        os.kill(slow.pid, signal.SIGCONT)
        told = slow.result()
    assert told["error"] == told["trace"] == ""
    outcomes = [a.outcome for a in table(ledger, schema.attempt) if a.method == "POST"]
    assert outcomes[0] in ("NOT_SENT", "NO_CONNECT")
    assert sent == 0
    again(ledger, tmp_path, platform)
    all_well(ledger, platform, keys)


# ── 6: asked to end ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("point", ["claim:before_commit", "send:before", "wire:written", "settle:saved"])
def test_fault_06_sigterm_in_mid_push_ends_the_process_at_once_and_nothing_is_stuck(ledger, platform, tmp_path, point):
    keys = due(ledger, tmp_path, platform)
    with started(plan(ledger, tmp_path, platform.url, act="wait", point=point)) as pushing:
        assert pushing.acting()
        asked = time.monotonic()
        os.kill(pushing.pid, signal.SIGTERM)
        pushing.wait(30)
        assert time.monotonic() - asked < 30
    assert set(states(ledger)) <= {"READY", "INFLIGHT"}
    again(ledger, tmp_path, platform)
    all_well(ledger, platform, keys)


# ── 8: no more files ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("point", ["lane:locked", "claim:after_commit", "send:before", "wire:written", "send:after"])
def test_fault_08_without_file_descriptors_nothing_is_half_done_and_the_next_run_goes_on(
    ledger, platform, tmp_path, point
):
    keys = due(ledger, tmp_path, platform)
    with started(plan(ledger, tmp_path, platform.url, act="files", point=point, night_wait_seconds=0.5)) as starved:
        assert starved.acting()
        told = starved.result()
    assert told["trace"] == "", told
    assert told["error"] or told["stopped"]
    again(ledger, tmp_path, platform)
    all_well(ledger, platform, keys)


# ── 9, 10: the database dies, or its answer is lost ───────────────────────────────────────────────────────────────────
@pytest.mark.postgres
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.long)])
def test_fault_09_a_postgresql_killed_during_a_push_comes_back_within_ten_seconds_and_nothing_is_lost(
    platform, tmp_path, kills
):
    if installed() is None:
        pytest.skip(MISSING)
    with server(installed(), durable=True) as postgres, made(postgres.database()) as ledger:
        keys = due(ledger, tmp_path, platform, count=2 * kills + COUNT)  # each kill ends with its batch of two
        struck = []

        def kill(records):
            if len(struck) < kills:
                struck.append(records)
                postgres.kill()

        platform.always = kill
        for n in range(kills):
            with pytest.raises(ZzError):
                again(ledger, tmp_path, platform)
            assert len(struck) == n + 1
            began = time.monotonic()
            postgres.start()
            assert time.monotonic() - began < 10
        again(ledger, tmp_path, platform)
        all_well(ledger, platform, keys)


@pytest.mark.postgres
@pytest.mark.parametrize("rounds", [1, pytest.param(12, marks=pytest.mark.long)])
def test_fault_10_an_answer_lost_after_each_commit_in_turn_is_read_back_and_nothing_is_sent_twice(
    pg_ledger, platform, tmp_path, rounds
):
    settings = settings_for(tmp_path, {ENTRY: platform.url}, ("SCJG",), **process_rig.SPEC)
    cuts, keys = 0, []
    for turn in range(rounds):
        with CommitCutter(pg_ledger.url) as cutter:
            for n in range(1, 1000):
                keys += accept_more(pg_ledger, settings, turn, n)
                if not cut_at(cutter, settings, n):
                    break
                cuts += 1
                again(pg_ledger, tmp_path, platform)
                assert states(pg_ledger) == {"CONFIRMED": len(keys)}
        all_well(pg_ledger, platform, keys)
    assert cuts >= 8 * rounds


def accept_more(ledger, settings, turn, n):
    from tests.delivery.bench import accept

    return [accept(ledger, settings, "SCJG", f"2026-{turn:02d}{n:03d}{m}") for m in (1, 2)]


def cut_at(cutter, settings, n):
    """Deliver through the cutter, which loses the answer to the n-th commit; False if there were not so many."""
    cutter.arm(n)
    ledger = Ledger(cutter.url)
    try:
        deliver(ledger, settings, ENTRY, threads=1)
    except LedgerError:
        return True
    finally:
        ledger.close()
    return cutter.struck


# ── 11: full disk ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("point", ["lane:locked", "claim:frozen", "claim:after_commit", "wire:written", "settle:saved"])
def test_fault_11_a_full_disk_stops_before_the_next_effect_and_no_push_lacks_its_audit(
    ledger, platform, tmp_path, point
):
    keys = due(ledger, tmp_path, platform)
    with started(plan(ledger, tmp_path, platform.url, act="size", point=point)) as full:
        assert full.acting()
        told = full.result()
    assert told["trace"] == "", told
    assert "磁盘" in told["error"]
    assert len(platform.pushes) == (point in ("wire:written", "settle:saved"))
    audited(ledger, platform)
    again(ledger, tmp_path, platform)
    all_well(ledger, platform, keys)


def test_fault_11_nothing_is_sent_when_the_audit_cannot_be_written(ledger, platform, tmp_path):
    keys = due(ledger, tmp_path, platform)
    with ledger.begin() as conn:
        conn.execute(text(
            "CREATE TRIGGER full BEFORE INSERT ON audit_event WHEN NEW.type = 'SEND'"
            " BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        ))  # fmt: skip
    with pytest.raises(LedgerError, match="审计日志写不进去"):
        again(ledger, tmp_path, platform)
    assert platform.pushes == []
    assert states(ledger) == {"READY": COUNT}
    with ledger.begin() as conn:
        conn.execute(text("DROP TRIGGER full"))
    again(ledger, tmp_path, platform)
    all_well(ledger, platform, keys)


# ── 14: lanes in each other's way ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.postgres
@pytest.mark.parametrize("point", ["claim:frozen", "settle:saved"])
def test_fault_14_a_transaction_that_the_database_gives_up_is_repeated_and_the_request_is_not(
    postgres, platform, tmp_path, point, monkeypatch
):
    """Another session waits for a row that the transaction holds, and holds what the transaction needs next."""
    url = postgres.database()
    with made(url) as ledger, ledger.begin() as conn:
        # of two that wait for each other the one is given up that looks first: ours, the rival waits for a minute
        conn.exec_driver_sql(f"ALTER DATABASE {conn.engine.url.database} SET deadlock_timeout = '50ms'")
    with closing(Ledger(url)) as ledger, closing(Ledger(url)) as others:
        keys = due(ledger, tmp_path, platform, count=2)
        given_up, rival = [], Rival(others, point)
        event.listen(ledger.engine, "handle_error", lambda met: given_up.append(met.original_exception.pgcode))
        monkeypatch.setattr(points, "hook", rival)
        try:
            result = again(ledger, tmp_path, platform)
        finally:
            monkeypatch.setattr(points, "hook", None)
            rival.end()
        assert given_up == ["40P01"]  # deadlock_detected, once
        assert rival.met
        assert result.alarms == []
        assert len(platform.pushes) == 1
        all_well(ledger, platform, keys)


class Rival:
    """A session that runs into a deadlock with the first transaction that passes `point`, and is not the one given up."""

    def __init__(self, ledger, point):
        self.ledger, self.point, self.met, self.thread = ledger, point, False, None

    def __call__(self, name):
        if name != self.point or self.thread is not None:
            return
        self.thread = threading.Thread(target=self._block)
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self._waits() and time.monotonic() < deadline:
            time.sleep(0.01)  # once it waits for our row, the next lock that we want closes the circle

    def _block(self):
        with self.ledger.begin() as conn:
            conn.exec_driver_sql("SET LOCAL deadlock_timeout = '60s'")
            conn.exec_driver_sql("SELECT pg_advisory_xact_lock(610124002)")
            conn.execute(text("UPDATE lane SET holder = holder"))
            self.met = True

    def _waits(self):
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        with self.ledger.read() as conn:
            return conn.scalar(text(query)) > 0

    def end(self):
        if self.thread is not None:
            self.thread.join(60)


# ── 16: a migration that is interrupted ───────────────────────────────────────────────────────────────────────────────
def migrated(url, home, passing=0, point="migrate:step"):
    """The schema brought up in a process of its own, killed at the n-th passing of a point; True if it was killed."""
    wish = {"do": "migrate", "ledger": url, "home": str(home), "act": "kill" if passing else "", "point": point}
    with started(wish | {"passing": passing}) as running:
        killed = running.acting() if passing else False
        running.wait(60)
        return killed


def tables(url):
    ledger = Ledger(url)
    with ledger.read() as conn:
        found = set(inspect(conn).get_table_names())
        version = conn.scalar(text("SELECT version_num FROM alembic_version")) if "alembic_version" in found else None
    ledger.close()
    return found, version


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_fault_16_a_migration_killed_in_each_step_leaves_the_old_schema_whole_and_is_completed_later(
    tmp_path, kind, request
):
    url = f"sqlite:///{tmp_path / 'ledger.db'}" if kind == "sqlite" else request.getfixturevalue("postgres").database()
    first(url)
    old = tables(url)
    assert old[1] == "0001"
    step = 1
    while migrated(url, tmp_path, step):
        assert tables(url) == old
        step += 1
    assert step >= 2
    found, version = tables(url)
    assert version != "0001"
    assert {t.name for t in schema.metadata.sorted_tables} <= found
    assert old[0] <= found


def first(url):
    """A ledger as the first version left it, with a record in it."""
    from alembic import command
    from alembic.config import Config

    from zz_pipeline.ledger.db import MIGRATIONS

    ledger, config = Ledger(url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with ledger.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.execute(text("INSERT INTO sequence (name, value) VALUES ('kept', 7)"))
    ledger.close()


def test_fault_16_a_schema_that_was_completed_keeps_what_the_old_one_held(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first(url)
    assert migrated(url, tmp_path, 1, "migrate:before_commit")
    assert not migrated(url, tmp_path)
    ledger = Ledger(url)
    with ledger.read() as conn:
        assert conn.execute(select(schema.sequence.c.value).where(schema.sequence.c.name == "kept")).scalar() == 7
    ledger.close()
