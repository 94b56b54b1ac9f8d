"""The audit: whole, in agreement with the tables, exported for others, kept as long as the law says.

Belongs here: `zz audit`, edits by SQL beside the product, retention. Must not: what single events say (their own tests).
"""

import json
import random
import re
import subprocess
import sys
import time
from datetime import date
from itertools import islice

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from typer.testing import CliRunner

from tests.delivery.bench import ENTRY, FakeClock, settings_for, table
from tests.delivery.tiny_platform import TinyPlatform
from tests.pipeline.small_county import record
from zz_pipeline import restored
from zz_pipeline.cli import app
from zz_pipeline.commands.audit import verified
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.errors import ConfigError, LedgerError
from zz_pipeline.ledger import accept as acceptance
from zz_pipeline.ledger import audit, audit_check, intake, retention, schema, versions
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.night import Night
from zz_pipeline.settings import CHECKOUT

DAY = 86_400.0
TODAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """A ledger with thirty records of which twenty were sent, as bytes; every test has a copy of its own."""
    home = tmp_path_factory.mktemp("audit")
    with TinyPlatform() as platform:
        settings = settings_for(home, {ENTRY: platform.url}, ("SCJG",), rate=1000.0, batch_records=5)
        ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        ledger.migrate()
        night = Night(settings, ledger, "test")
        take_in(night, [record(settings, "SCJG", n) for n in range(1, 21)])
        platform.faults.extend(["close_after", "busy", "half"])
        clock = FakeClock()
        deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
        take_in(night, [record(settings, "SCJG", n) for n in range(21, 31)])
        ledger.close()
        yield (home / "ledger.db").read_bytes(), (home / "ledger.mark").read_bytes()


def take_in(night, contents):
    since, until = intake.window(night.ledger, "SCJG", "inspection", TODAY)
    number = intake.begin(night.ledger, TODAY, "SCJG", "inspection", since, until, night.clock())
    source = versions.Source(number, "inspection", "SCJG", "SCJG", TODAY, until, "r", len(contents), len(contents))
    common = {"now": night.clock(), "zone_offset": night.zone_offset}
    acceptance.accept(night.ledger, source, contents, [], night.targets, night._decide, **common)


@pytest.fixture
def home(tmp_path, delivered):
    (tmp_path / "ledger.db").write_bytes(delivered[0])
    (tmp_path / "ledger.mark").write_bytes(delivered[1])
    return tmp_path


@pytest.fixture
def night(home):
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    yield Night(settings_for(home, {}), ledger, "test")
    ledger.close()


def wrong(ledger):
    with ledger.read() as conn:
        chain = audit.verify(conn)
        if chain.broken_at is not None:
            return [f"chain {chain.broken_at}"]
        return [c.text for c in islice(audit_check.contradictions(conn), 5)]


def test_what_the_product_wrote_agrees_with_its_chain(night):
    found = verified(night)
    assert (found["whole"], found["agrees"], found["contradictions"]) == (True, True, [])
    assert found["events"] > 10
    states = {row.state for row in table(night.ledger, schema.outbox)}
    assert {"CONFIRMED", "READY"} <= states


# What an insider may write with SQL, each in a way that the schema itself lets pass.
EDITS = {
    "event changed": "UPDATE audit_event SET detail = replace(detail, '2026', '2025') WHERE n = :n",
    "event's time": "UPDATE audit_event SET ts = ts + 1 WHERE n = :n",
    "event's actor": "UPDATE audit_event SET actor = 'x' WHERE n = :n",
    "event's end": "UPDATE audit_event SET ok = NOT ok WHERE n = :n",
    "event gone": "DELETE FROM audit_event WHERE n = :n",
    "content": "UPDATE record_version SET payload = CAST(replace(CAST(payload AS TEXT), '样例', '实例') AS BLOB) WHERE rowid = :r",
    "digest": "UPDATE record_version SET digest = substr(digest, 2) || 'x' WHERE rowid = :r",
    "owner": "UPDATE record_version SET owner_dept = 'YJJ', submit_dept = 'YJJ' WHERE rowid = :r",
    "lane": "UPDATE outbox SET dept = 'YJJ' WHERE rowid = :o",
    "state": "UPDATE outbox SET state = CASE state WHEN 'CONFIRMED' THEN 'READY' ELSE 'CONFIRMED' END WHERE rowid = :o",
    "to be sent gone": "DELETE FROM outbox WHERE rowid = :o",
    "body": "UPDATE batch SET body = CAST(replace(CAST(body AS TEXT), '样例', '实例') AS BLOB) WHERE rowid = :b",
    "body and digest": "UPDATE batch SET digest = substr(digest, 2) || 'x' WHERE rowid = :b",
    "wire": "UPDATE outbox SET wire = CAST(replace(CAST(wire AS TEXT), '样例', '实例') AS BLOB) WHERE rowid = :w",
    "attempt gone": "DELETE FROM attempt WHERE seq = (SELECT seq FROM attempt WHERE method = 'POST' LIMIT 1 OFFSET :a)",
    "attempt added": "INSERT INTO attempt (platform, dept, batch_id, epoch, method, path, nonce, started_at)"
    " SELECT platform, dept, batch_id, epoch, 'POST', path, '', created_at FROM batch WHERE rowid = :b",
}


def edited(ledger, name, dice):
    """Make one edit in an open transaction, see what verification says of it, and take it back."""
    with ledger.engine.connect() as conn:
        count = {t: [r for (r,) in conn.execute(text(q))] for t, q in ROWS.items()}
        values = {t: dice.choice(found) for t, found in count.items()}
        done = conn.execute(text(EDITS[name]), {k: v for k, v in values.items() if f":{k}" in EDITS[name]})
        chain = audit.verify(conn)
        found = chain.broken_at is not None or next(audit_check.contradictions(conn), None) is not None
        changed = done.rowcount
        conn.rollback()
    return changed, found


ROWS = {
    "n": "SELECT n FROM audit_event WHERE detail LIKE '%2026%' AND n < (SELECT max(n) FROM audit_event)",
    "r": "SELECT rowid FROM record_version",
    "o": "SELECT rowid FROM outbox WHERE state IN ('READY', 'CONFIRMED')",
    "b": "SELECT rowid FROM batch",
    "w": "SELECT rowid FROM outbox WHERE wire IS NOT NULL",
    "a": "SELECT 0 UNION SELECT 1 UNION SELECT 2",
}


def campaign(night, count, seed):
    with night.ledger.begin() as conn:  # who may write SQL may also take the guards away
        conn.execute(text("DROP TRIGGER audit_event_is_kept"))
        conn.execute(text("DROP TRIGGER attempt_is_kept"))
    dice, missed = random.Random(seed), []
    for n in range(count):
        name = list(EDITS)[n % len(EDITS)]
        changed, found = edited(night.ledger, name, dice)
        assert changed == 1, name
        if not found:
            missed.append(name)
    return missed


def test_fault_15_64_every_edit_by_sql_of_tables_or_chain_is_found(night):
    assert wrong(night.ledger) == []
    assert campaign(night, 4 * len(EDITS), seed=1) == []
    assert wrong(night.ledger) == [], "the edits were taken back"


@pytest.mark.long
def test_fault_64_a_thousand_edits_are_found(night):
    assert campaign(night, 1000, seed=2) == []


def test_fault_15_no_batch_is_made_of_a_frozen_wire_that_was_changed(home):
    with TinyPlatform() as platform:
        settings = settings_for(home, {ENTRY: platform.url}, ("SCJG",), rate=1000.0, night_wait_seconds=0.0)
        ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        clock = FakeClock()
        platform.faults.append("busy")
        deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
        change = "UPDATE outbox SET wire = CAST(replace(CAST(wire AS TEXT), '样例', '实例') AS BLOB)"
        with ledger.begin() as conn:
            assert conn.execute(text(f"{change} WHERE state = 'READY' AND wire IS NOT NULL")).rowcount
            conn.execute(text("UPDATE batch SET state = 'CLOSED'"))
        clock.now += 3600
        before = len(platform.pushes)
        with pytest.raises(LedgerError, match="改动"):
            deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
        assert len(platform.pushes) == before
        ledger.close()


def test_the_command_names_the_first_broken_event_and_what_to_do(home, night):
    with night.ledger.begin() as conn:
        conn.execute(text("UPDATE audit_event SET actor = 'x' WHERE n = 3"))
    done = CliRunner().invoke(app, ["audit", "verify", "--json"], env={"ZZ_HOME": str(home)}, catch_exceptions=False)
    told = json.loads(done.output)
    assert (done.exit_code, told["whole"], told["broken_at"]) == (1, False, 3)
    assert "第 3 个事件" in told["contradictions"][0]
    assert "zz stop" in told["what_to_do"]


def test_a_tail_that_was_cut_off_shows_by_the_mark_beside_the_ledger(night):
    with night.ledger.begin() as conn:
        conn.execute(text("DROP TRIGGER audit_event_is_kept"))
        marked = json.loads((night.settings.home / restored.NAME).read_text())["n"]
        conn.execute(text("DELETE FROM audit_event WHERE n >= :n"), {"n": marked})
    assert any("标记" in t or "没有" in t for t in verified(night)["contradictions"])


def test_a_night_verifies_what_is_new_and_a_part_of_the_old_and_finds_an_edit_in_both(night):
    with night.ledger.begin() as conn:
        first = audit.verify_new(conn, TODAY)
        assert (first.broken_at, first.checked) == (None, first.events)
        audit.note_verified(conn, first.head)
        audit.note_verified(conn, audit.head(conn).h)  # nothing is new: nothing is written
        events = audit.verify(conn).events
        assert events == first.events + 1
        for n in range(3):
            audit.append(conn, "test", "X", "y", True, {"n": n})
        second = audit.verify_new(conn, TODAY)
    assert second.broken_at is None
    assert 4 <= second.checked < events / 3
    for damaged in (events + 2, 5):
        with night.ledger.engine.connect() as conn:
            conn.execute(text("UPDATE audit_event SET actor = 'x' WHERE n = :n"), {"n": damaged})
            days = [date.fromordinal(TODAY.toordinal() + n) for n in range(audit.SWEEP)]
            found = {audit.verify_new(conn, day).broken_at for day in days}
            assert damaged in found, "each old event has its turn within the sweep"
            conn.rollback()


def test_an_export_is_verified_by_the_page_that_comes_with_it_and_shows_a_change(home, night, tmp_path):
    path = tmp_path / "a.jsonl"
    with night.ledger.read() as conn:
        done = retention.export(conn, 0.0, time.time() + DAY, path)
    page = (CHECKOUT / "docs" / "audit-export.md").read_text("utf-8")
    script = re.search(r"```python\n(.*?)```", page, re.S)[1]
    assert len(script.splitlines()) <= 20

    def check(file):
        return subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True)

    good = check(path)
    assert (good.returncode, done["head"] in good.stdout) == (0, True), good.stderr
    lines = path.read_text("utf-8").splitlines()
    for n, line in ((0, lines[0].replace('"ok":true', '"ok":false')), (2, None)):
        bad = tmp_path / f"bad{n}.jsonl"
        bad.write_text("\n".join([*lines[:n], *([line] if line else []), *lines[n + 1 :]]) + "\n", "utf-8")
        assert check(bad).returncode == 1


def test_fault_71_young_audit_is_refused_by_the_schema_and_by_the_command(home, night):
    for name in ("audit_event", "attempt"):
        with night.ledger.engine.connect() as conn, pytest.raises(IntegrityError, match="kept by law"):
            conn.execute(text(f"DELETE FROM {name}"))
    with night.ledger.begin() as conn, pytest.raises(ConfigError, match="至少保存"):
        retention.prune(conn, time.time() - 199 * DAY, time.time(), keep_days=200, by="张某", why="腾地方")
    words = ["audit", "prune", "--before", "2026-11-01", "--by", "张某", "--why", "腾地方"]
    done = CliRunner().invoke(app, words, env={"ZZ_HOME": str(home)})
    assert isinstance(done.exception, ConfigError)
    assert verified(night)["agrees"]


def test_fault_71_after_a_lawful_deletion_the_chain_is_still_verifiable_and_an_unlawful_one_shows(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    now = time.time()
    with ledger.begin() as conn:
        for n in range(10):
            audit.append(conn, "test", "X", "y", True, {"n": n}, ts=now - (400 - 30 * n) * DAY)
        row = {"platform": "p", "dept": "d", "epoch": 1, "method": "GET", "path": "/", "nonce": ""}
        old = {"started_at": now - 400 * DAY, "ended_at": now - 400 * DAY}
        conn.execute(insert(schema.attempt).values(**row | old))
    with ledger.begin() as conn:
        done = retention.prune(conn, now - 250 * DAY, now, keep_days=200, by="张某", why="到期")
    assert (done.events, done.attempts, done.begins_at) == (5, 1, 6)
    with ledger.read() as conn:
        chain = audit.verify(conn)
        assert (chain.broken_at, conn.scalar(select(schema.audit_event.c.n).limit(1))) == (None, 6)
        assert audit.verify_new(conn, TODAY).broken_at is None
    with ledger.engine.connect() as conn:
        conn.execute(text("DELETE FROM audit_event WHERE n = 6"))
        assert audit.verify(conn).broken_at == 7
        conn.rollback()
    ledger.close()


def test_nothing_is_sent_when_the_audit_can_not_be_written(home):
    with TinyPlatform() as platform:
        settings = settings_for(home, {ENTRY: platform.url}, ("SCJG",), rate=1000.0)
        ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        with ledger.begin() as conn:
            trap = "CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'full'); END"
            conn.execute(text(trap))
        clock = FakeClock()
        with pytest.raises(LedgerError, match="审计日志写不进去"):
            deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
        assert platform.pushes == []
        ledger.close()


@pytest.mark.postgres
def test_fault_71_postgresql_keeps_young_audit_too_and_its_tables_agree_with_the_chain(postgres, tmp_path):
    ledger = Ledger(postgres.database())
    ledger.migrate()
    with TinyPlatform() as platform:
        settings = settings_for(tmp_path, {ENTRY: platform.url}, ("SCJG",), rate=1000.0, batch_records=2)
        night = Night(settings, ledger, "test")
        take_in(night, [record(settings, "SCJG", n) for n in range(1, 6)])
        clock = FakeClock()
        platform.faults.append("close_after")
        deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
        found = verified(night)
    assert (found["whole"], found["contradictions"]) == (True, [])
    for name in ("audit_event", "attempt"):
        with ledger.engine.connect() as conn, pytest.raises(DatabaseError, match="kept by law"):
            conn.execute(text(f"DELETE FROM {name}"))
    with ledger.begin() as conn:
        conn.execute(text("UPDATE outbox SET state = 'CONFIRMED' WHERE platform <> 'double_random'"))
    assert not verified(night)["agrees"]
    ledger.close()
