"""Acceptance: one transaction a source; versions, outbox rows, quarantine and the balance that follows from them."""

import datetime as dt
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from zz_pipeline.delivery import people
from zz_pipeline.ledger import accept, audit, bulk, intake, versions
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import content
from zz_pipeline.ledger.quarantine import Entry
from zz_pipeline.ledger.schema import audit_event, outbox, quarantine, record_head, record_version, watermark
from zz_pipeline.reports.balance import balance

DAY = dt.date(2026, 11, 20)
TARGETS = [versions.Target("one", False), versions.Target("open", True)]


@dataclass(frozen=True)
class Plain:
    state: str = "READY"
    op: str = "PUBLISH"
    reason: str = ""
    rule: str = ""
    not_before: dt.datetime | None = None
    due: dt.date | None = dt.date(2026, 12, 18)


def decide(kind, payload, platform, facts):
    if platform == "open" and payload.get("scheme") == "RISK":
        return Plain(state="BLOCKED", reason="永不公示")
    return Plain(op=facts.op)


def record(key, text="甲", changed="2026-11-20 10:00:00", **more):
    said = {"kind": "inspection", "record_key": key, "record_no": key, "subject": key, "text": text, **more}
    return content(key, said, changed, "a.xlsx", 3)


def entry(unit, severity="ERROR", rule="INS-003"):
    return Entry(
        unit, unit, "a.xlsx", 4, rule, "uscc", "9161…", "统一社会信用代码校验位不对，请核对营业执照。", severity
    )


def put(ledger, records, entries=(), day=DAY, kind="inspection", dept="SCJG", now=1000.0):
    since, until = intake.window(ledger, dept, kind, day)
    number = intake.begin(ledger, day, dept, kind, since, until, now)
    pulled = len(records) + len({e.unit for e in entries if e.severity == "ERROR"})
    source = versions.Source(number, kind, dept, dept, day, until, "rules", pulled, pulled)
    return accept.accept(ledger, source, records, list(entries), TARGETS, decide, now=now, zone_offset=28800.0)


def moment(day):
    return dt.datetime.combine(dt.date(2026, 11, day), dt.time())


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


def states(ledger, platform="one"):
    query = select(outbox.c.record_key, outbox.c.version, outbox.c.state).where(outbox.c.platform == platform)
    with ledger.read() as conn:
        return {(key, version): state for key, version, state in conn.execute(query)}


def test_new_content_becomes_a_version_with_one_row_for_each_platform(ledger):
    done = put(ledger, [record("A"), record("B")])
    assert (done.accepted, done.unchanged) == (2, 0)
    assert states(ledger, "one") == {("A", 1): "READY", ("B", 1): "READY"}
    assert states(ledger, "open") == {("A", 1): "READY", ("B", 1): "READY"}


def test_the_same_content_again_is_unchanged_and_makes_no_row(ledger):
    put(ledger, [record("A")])
    done = put(ledger, [record("A")], day=DAY + dt.timedelta(days=1))
    assert (done.accepted, done.unchanged) == (0, 1)
    assert states(ledger) == {("A", 1): "READY"}


def test_a_correction_cancels_what_never_left_and_says_so(ledger):
    put(ledger, [record("A")])
    put(ledger, [record("A", "乙", "2026-11-20 11:00:00")])
    assert states(ledger) == {("A", 1): "CANCELLED", ("A", 2): "READY"}


def test_a_correction_leaves_alone_what_may_have_arrived(ledger):
    put(ledger, [record("A")])
    with ledger.begin() as conn:
        conn.execute(update(outbox).where(outbox.c.platform == "one").values(state="UNKNOWN"))
    put(ledger, [record("A", "乙", "2026-11-20 11:00:00")])
    assert states(ledger) == {("A", 1): "UNKNOWN", ("A", 2): "READY"}


def test_an_older_state_after_a_newer_one_is_returned_and_not_accepted(ledger):
    put(ledger, [record("A", changed="2026-11-20 10:00:00")])
    done = put(ledger, [record("A", "旧", "2026-11-19 10:00:00")], day=DAY + dt.timedelta(days=1))
    assert (done.accepted, done.quarantined, done.found_here) == (0, 1, 1)
    with ledger.read() as conn:
        assert conn.scalar(select(quarantine.c.rule)) == "INS-043"


def test_the_same_check_under_another_number_is_returned_and_names_the_first(ledger):
    put(ledger, [record("A", subject="同一家")])
    done = put(ledger, [record("B", subject="同一家")], day=DAY + dt.timedelta(days=1))
    assert (done.accepted, done.quarantined) == (0, 1)
    with ledger.read() as conn:
        found = conn.execute(select(quarantine)).one()
    assert (found.rule, found.unit) == ("INS-031", "B")
    assert "A" in found.message


def test_a_reading_that_is_taken_in_by_parts_counts_as_one_and_knows_only_earlier_twins(ledger, monkeypatch):
    put(ledger, [record("A", subject="同一家")])
    monkeypatch.setattr(bulk, "PART", 2)
    twins = [record(key, subject="另一家") for key in ("C", "D", "E", "F")]  # of each other: the standardizer's matter
    read = [twins[0], record("A", subject="同一家"), twins[1], record("B", subject="同一家"), *twins[2:]]
    done = put(ledger, read)
    assert (done.accepted, done.accepted_before, done.quarantined, done.found_here) == (4, 1, 1, 1)
    assert states(ledger) == dict.fromkeys([("A", 1), ("C", 1), ("D", 1), ("E", 1), ("F", 1)], "READY")
    assert balance(ledger, DAY, ("one",), {}).balanced


@pytest.mark.parametrize("part", [1, 2])
@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")], ids="".join)
@pytest.mark.parametrize(
    "after", [{"subject": "改过的"}, {"subject": "同一家", "publishable": False}], ids=["other", "same"]
)
def test_a_repeated_content_is_found_though_its_first_number_is_corrected_in_the_same_reading(
    ledger, monkeypatch, part, order, after
):
    put(ledger, [record("A", subject="同一家")])
    monkeypatch.setattr(bulk, "PART", part)
    read = {"A": record("A", changed="2026-11-20 11:00:00", **after), "B": record("B", subject="同一家")}
    done = put(ledger, [read[key] for key in order])
    assert (done.accepted, done.quarantined, done.found_here) == (1, 1, 1)
    assert states(ledger) == {("A", 1): "CANCELLED", ("A", 2): "READY"}


def test_a_returned_record_is_settled_by_its_corrected_successor(ledger):
    put(ledger, [], [entry("A")])
    put(ledger, [record("A")], day=DAY + dt.timedelta(days=1))
    with ledger.read() as conn:
        assert conn.scalar(select(quarantine.c.settled_by)) == "更正后已接收"


def test_a_warning_stays_visible_though_its_record_is_accepted(ledger):
    put(ledger, [record("A")], [entry("A", "WARN", "INS-046")])
    with ledger.read() as conn:
        assert conn.scalar(select(quarantine.c.settled_at)) is None


def test_the_watermark_moves_only_when_the_reading_was_accepted(ledger):
    since, until = intake.window(ledger, "SCJG", "inspection", DAY)
    number = intake.begin(ledger, DAY, "SCJG", "inspection", since, until, 1.0)
    intake.fail(ledger, number, "连不上", 2.0)
    later = DAY + dt.timedelta(days=1)
    put(ledger, [], day=DAY)
    assert intake.window(ledger, "SCJG", "inspection", later)[0] == moment(21)
    with ledger.read() as conn:
        assert conn.scalar(select(watermark.c.until)) == "2026-11-21 00:00:00"


def test_after_nights_without_a_reading_the_window_starts_where_the_last_one_ended(ledger):
    put(ledger, [record("A")])
    since, until = intake.window(ledger, "SCJG", "inspection", DAY + dt.timedelta(days=4))
    assert (since, until) == (moment(21), moment(25))


def test_a_backfill_of_an_old_day_reads_that_day_only_and_never_moves_the_watermark_back(ledger):
    put(ledger, [record("A")])
    old = DAY - dt.timedelta(days=9)
    assert intake.window(ledger, "SCJG", "inspection", old) == (moment(11), moment(12))
    put(ledger, [record("Z")], day=old)
    with ledger.read() as conn:
        assert conn.scalar(select(watermark.c.until)) == "2026-11-21 00:00:00"


def test_the_schema_refuses_a_version_in_another_departments_name(ledger):
    put(ledger, [record("A")])
    with pytest.raises(IntegrityError, match="owner_is_submitter"), ledger.begin() as conn:
        conn.execute(update(record_version).values(submit_dept="YJJ"))


def test_the_schema_refuses_a_risk_rating_on_its_way_to_a_public_platform(ledger):
    put(ledger, [record("R1", scheme="RISK")], kind="rating", dept="KGJ")
    with pytest.raises(IntegrityError, match="risk_is_never_public"), ledger.begin() as conn:
        conn.execute(update(outbox).where(outbox.c.public).values(state="READY"))


def test_the_schema_refuses_an_unknown_state(ledger):
    put(ledger, [record("A")])
    with pytest.raises(IntegrityError, match="known_state"), ledger.begin() as conn:
        conn.execute(update(outbox).values(state="PERHAPS"))


def test_a_failure_in_the_middle_of_acceptance_leaves_nothing_behind(ledger):
    def broken(kind, payload, platform, facts):
        if payload["record_key"] == "B":
            raise RuntimeError
        return Plain()

    source = versions.Source(1, "inspection", "SCJG", "SCJG", DAY, None, "rules", 2, 2)
    with pytest.raises(RuntimeError):
        accept.accept(ledger, source, [record("A"), record("B")], [], TARGETS, broken, now=1.0, zone_offset=0.0)
    with ledger.read() as conn:
        assert conn.execute(select(record_version)).first() is None
        assert conn.execute(select(outbox)).first() is None
        assert conn.execute(select(audit_event)).first() is None


def test_the_audit_chain_shows_a_changed_a_missing_and_an_added_event(ledger):
    put(ledger, [record(f"K{n}") for n in range(3)])
    put(ledger, [record("L")])
    put(ledger, [record("M")])
    with ledger.read() as conn:
        assert audit.verify(conn).broken_at is None
    with ledger.engine.connect() as conn:  # who may write SQL may also take the guard away
        conn.execute(text("DROP TRIGGER audit_event_is_kept"))
        conn.commit()
    for damage in ("UPDATE audit_event SET detail = '{}' WHERE n = 2", "DELETE FROM audit_event WHERE n = 2"):
        with ledger.engine.connect() as conn:
            conn.execute(text(damage))
            assert audit.verify(conn).broken_at in (2, 3)
            conn.rollback()
    with ledger.engine.connect() as conn:
        last = conn.execute(select(audit_event).order_by(audit_event.c.n.desc())).mappings().first()
        conn.execute(insert(audit_event).values(**{**last, "n": last["n"] + 1}))
        assert audit.verify(conn).broken_at == last["n"] + 1
        conn.rollback()


def test_the_balance_of_a_repeated_day_says_the_same_as_the_first_time(ledger):
    put(ledger, [record("A"), record("B")], [entry("C")])
    first = balance(ledger, DAY, ("one", "open")).as_dict()
    put(ledger, [record("A"), record("B")], [entry("C")])
    again = balance(ledger, DAY, ("one", "open")).as_dict()
    assert first["balanced"]
    assert again["balanced"]
    for word in ("pulled", "unchanged", "quarantined", "accepted", "platforms"):
        assert first[word] == again[word]


def test_a_later_empty_reading_of_the_day_takes_nothing_away_from_its_balance(ledger):
    put(ledger, [record("A")], [entry("C")])
    put(ledger, [])
    found = balance(ledger, DAY, ("one",))
    assert found.totals() == {"pulled": 2, "unchanged": 0, "quarantined": 1, "accepted": 1}
    assert found.balanced


def test_a_version_that_vanished_from_the_ledger_unbalances_the_day(ledger):
    put(ledger, [record("A"), record("B")])
    with ledger.engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA foreign_keys=OFF")
        conn.execute(outbox.delete().where(outbox.c.record_key == "A"))
        conn.execute(record_version.delete().where(record_version.c.record_key == "A"))
        conn.commit()
    assert not balance(ledger, DAY, ("one", "open")).balanced


def test_an_outbox_row_that_vanished_unbalances_its_platform(ledger):
    put(ledger, [record("A"), record("B")])
    with ledger.begin() as conn:
        conn.execute(outbox.delete().where(outbox.c.record_key == "A", outbox.c.platform == "open"))
    found = balance(ledger, DAY, ("one", "open"))
    assert [p.balanced for p in found.platforms] == [True, False]
    assert not found.balanced


def test_a_failed_source_is_balanced_but_not_complete(ledger):
    since, until = intake.window(ledger, "SCJG", "inspection", DAY)
    number = intake.begin(ledger, DAY, "SCJG", "inspection", since, until, 1.0)
    intake.fail(ledger, number, "数据库连不上", 2.0)
    found = balance(ledger, DAY, ("one",))
    assert found.balanced
    assert not found.complete
    assert "数据库连不上" in found.gaps()


CALLS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from("甲乙丙"), st.integers(0, 2)), min_size=1, max_size=12
)


@settings(max_examples=25, deadline=None)
@given(CALLS)
def test_whatever_comes_in_heads_are_the_newest_versions_and_the_day_balances(tmp_path_factory, calls):
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('l')}/ledger.db")
    ledger.migrate()
    for n, (key, said, offset) in enumerate(calls):
        when = f"2026-11-20 10:00:{n:02d}"
        put(ledger, [record(key, said, when)], day=DAY + dt.timedelta(days=offset), now=1000.0 + n)
    with ledger.read() as conn:
        heads = {r.record_key: r.version for r in conn.execute(select(record_head))}
        versions: dict[str, list[int]] = {}
        for r in conn.execute(select(record_version).order_by(record_version.c.version)):
            versions.setdefault(r.record_key, []).append(r.version)
        assert audit.verify(conn).broken_at is None
    assert {k: v[-1] for k, v in versions.items()} == heads
    assert all(v == list(range(1, len(v) + 1)) for v in versions.values())
    for offset in {c[2] for c in calls}:
        assert balance(ledger, DAY + dt.timedelta(days=offset), ("one", "open")).balanced
    ledger.close()


def test_a_night_under_the_stop_switch_is_not_complete_and_names_the_way_back(ledger):
    put(ledger, [record("A")])
    people.set_stop(ledger, True, actor="张某", note="演练", now=1.0)
    found = balance(ledger, DAY, ("one",))
    assert not found.complete
    assert "zz resume" in found.gaps()
    people.set_stop(ledger, False, actor="张某", note="演练结束", now=2.0)
    assert "zz resume" not in balance(ledger, DAY, ("one",)).gaps()


def test_a_platform_that_was_never_reconciled_makes_the_day_incomplete(ledger):
    put(ledger, [record("A")])
    found = balance(ledger, DAY, ("one",), {"one": "甲平台"})
    assert found.balanced
    assert "甲平台" in found.gaps()
