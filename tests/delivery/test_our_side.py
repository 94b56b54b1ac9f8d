"""What a row that was never sent in this life of the ledger would have sent: by that a restored ledger knows its records.

Belongs here: `LedgerBook.hashes` on a real ledger. Must not: comparing, platforms.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.delivery.bench import a_ledger, accept, payload, settings_for
from zz_pipeline.delivery.our_side import LedgerBook, Rendering
from zz_pipeline.delivery.protocol import Remote, RenderContext, RowKey
from zz_pipeline.ledger.schema import holding
from zz_pipeline.platforms import registry
from zz_pipeline.standard.results import FollowUps

TWO = "internet_supervision"
TAKEN = datetime.fromisoformat("2026-12-18 09:00:00")
DEPT = "SCJG"


@pytest.fixture
def book(tmp_path):
    """A book over a ledger with one version on ② that was never claimed, and that version's payload."""
    ledger, settings = a_ledger(tmp_path), settings_for(tmp_path, {TWO: "http://127.0.0.1:9"})
    accept(ledger, settings, DEPT, "2026-1", platforms=(TWO,))
    now = TAKEN + timedelta(days=3)
    rendering = Rendering(registry.adapter(TWO), settings.departments[DEPT], now, FollowUps.load(settings.config_dir))
    with ledger.read() as conn:
        yield LedgerBook(conn, TWO, DEPT, "inspection", rendering), payload(settings, DEPT, "2026-1")
    ledger.close()


def as_of(book, said, day):
    """(remote key, content hash) of the version as it is rendered on that day."""
    with_ = book.rendering
    context = RenderContext(with_.department, day, follow_ups=with_.follow_ups)
    wire = with_.adapter.render(RowKey("inspection", said["record_key"], 1), "PUBLISH", "", "", said, context)[0]
    return wire["cd_id"], with_.adapter.content_hash(wire)


@pytest.mark.parametrize("days", [0, 1, 9, 31])
def test_fault_13_a_version_frozen_weeks_before_it_was_taken_is_recognised_after_a_restore(book, days):
    book, said = book
    cd_id, digest = as_of(book, said, TAKEN - timedelta(days=days))
    there = Remote(cd_id, "inspection", "PRESENT", digest, updated_at=f"{TAKEN:%Y-%m-%d %H:%M:%S}")
    assert frozenset({digest}) in list(book.hashes(book.rows(cd_id)[0], there))


def test_another_content_is_not_taken_for_ours_on_any_day(book):
    book, said = book
    cd_id, digest = as_of(book, said | {"task_name": "另一任务"}, TAKEN)
    there = Remote(cd_id, "inspection", "PRESENT", digest, updated_at=f"{TAKEN:%Y-%m-%d %H:%M:%S}")
    found = list(book.hashes(book.rows(cd_id)[0], there))
    assert frozenset({digest}) not in found
    assert len(found) == len(set(found)) == 33


def test_the_likely_days_are_tried_first(book):
    book, said = book
    cd_id, digest = as_of(book, said, TAKEN)
    there = Remote(cd_id, "inspection", "PRESENT", digest, updated_at=f"{TAKEN:%Y-%m-%d %H:%M:%S}")
    assert next(book.hashes(book.rows(cd_id)[0], there)) == {digest}


def believed(conn, key, dept=DEPT, at=100.0, kind="inspection"):
    names = {
        "platform": TWO,
        "kind": kind,
        "remote_key": f"{key}-{kind}",
        "record_key": key,
        "version": 2,
        "dept": dept,
    }
    conn.execute(holding.insert().values(**names, state="PRESENT", content_hash="aa", confirmed_at=at))


def test_of_what_we_hold_only_the_window_and_the_keys_that_are_asked_for_are_read(tmp_path):
    ledger, settings = a_ledger(tmp_path), settings_for(tmp_path, {TWO: "http://127.0.0.1:9"})
    rendering = Rendering(registry.adapter(TWO), settings.departments[DEPT], TAKEN, FollowUps.load(settings.config_dir))
    with ledger.begin() as conn:
        for n in range(900):
            believed(conn, f"old-{n:03d}")
        believed(conn, "new", at=200.0)
        believed(conn, "new", at=200.0, kind="rating")
        believed(conn, "theirs", dept="YJJ", at=200.0)
    with ledger.read() as conn:
        book = LedgerBook(conn, TWO, DEPT, "inspection", rendering)
        assert [tuple(h) for h in book.holdings(200.0)] == [("new-inspection", "new", 2, "PRESENT", "aa", 200.0)]
        assert len(list(book.holdings(0.0))) == 901
        asked = (f"{key}-inspection" for key in ("theirs", "nobody", *(f"old-{n:03d}" for n in range(850))))
        assert sorted(h[1] for h in book.held(asked)) == [f"old-{n:03d}" for n in range(850)]
    ledger.close()


def test_rows_that_were_foreseen_are_the_rows_that_are_asked_for(tmp_path):
    ledger, settings = a_ledger(tmp_path), settings_for(tmp_path, {TWO: "http://127.0.0.1:9"})
    rendering = Rendering(registry.adapter(TWO), settings.departments[DEPT], TAKEN, FollowUps.load(settings.config_dir))
    for n in (1, 2):
        accept(ledger, settings, DEPT, f"2026-{n}", platforms=(TWO,))
    accept(ledger, settings, DEPT, "2026-1", version=2, op="CORRECT", platforms=(TWO,))
    keys = [f"610124-{DEPT}-2026-{n}-61012400010000" for n in (1, 2, 3)]
    with ledger.read() as conn:
        alone = LedgerBook(conn, TWO, DEPT, "inspection", rendering)
        together = LedgerBook(conn, TWO, DEPT, "inspection", rendering)
        together.foresee(keys)
        found = [[row.key.version for row in together.rows(key)] for key in keys]
        assert found == [[row.key.version for row in alone.rows(key)] for key in keys] == [[2, 1], [1], []]
    ledger.close()
