"""A run over many days reads them all before it accepts the first: each row once, and none lost when a day fails."""

from collections import Counter
from itertools import pairwise

import pytest
from sqlalchemy import select, text

from tests.pipeline import harness
from zz_pipeline.course import CREDIT_KINDS
from zz_pipeline.ledger.schema import intake, record_head, watermark
from zz_pipeline.quality import nothing_to_check
from zz_pipeline.standard.tables import Kind

TRAP = "CREATE TRIGGER trap BEFORE INSERT ON record_version BEGIN SELECT RAISE(ABORT, 'refused'); END"
DEPARTMENT = "CGJ"  # hands in a workbook a day


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with harness.town(tmp_path_factory.mktemp("ahead"), seed=7, days=3, scale=0.1) as found:
        found.county.apply(found.county.days[-1])
        yield found


def waiting(night, dept, kind, days):
    """day → the reading that waits for its next step."""
    found = {day: night._desk(dept, kind, day).raw() for day in days}
    return {day: raw.batch for day, raw in found.items() if raw is not None}


def test_days_read_in_one_run_follow_one_another_without_gap_or_overlap(town):
    days = town.county.days
    with town.opened("windows") as night:
        for dept in night.reporting:
            for day in days:
                night.pull(dept, day)
        for kind in CREDIT_KINDS:
            for day in days:
                night.pull_credit(kind, day)
        sources = [(dept, str(Kind.INSPECTION)) for dept in night.reporting] + [
            ("credit", str(k)) for k in CREDIT_KINDS
        ]
        for dept, kind in sources:
            readings = waiting(night, dept, kind, days)
            bounds = [(batch.since, batch.until) for batch in readings.values()]
            assert all(before[1] == after[0] for before, after in pairwise(bounds)), dept
            files = Counter(f.digest for batch in readings.values() for f in batch.files)
            if town.settings.departments.get(dept) and town.settings.departments[dept].source.kind in (
                "workbook",
                "csv",
            ):
                assert max(files.values(), default=1) == 1, dept


def test_a_day_that_fails_takes_the_later_days_of_its_run_with_it_and_all_are_read_again(town):
    days = town.county.days
    with town.opened("failing") as night:
        for day in days:
            night.pull(DEPARTMENT, day)
            night.standardize(DEPARTMENT, Kind.INSPECTION, day)
        for day in days:
            night.check(Kind.INSPECTION, day, [DEPARTMENT])
        with night.ledger.begin() as conn:
            conn.execute(text(TRAP))
        assert night.accept(DEPARTMENT, Kind.INSPECTION, days[0]).state == "FAILED"
        with night.ledger.begin() as conn:
            conn.execute(text("DROP TRIGGER trap"))
        assert [night.accept(DEPARTMENT, Kind.INSPECTION, day).state for day in days[1:]] == ["SKIPPED", "SKIPPED"]
        with night.ledger.read() as conn:
            said = conn.execute(
                select(intake.c.day, intake.c.state, intake.c.error)
                .where(intake.c.dept == DEPARTMENT, intake.c.finished_at.is_not(None))
                .order_by(intake.c.day)
            ).all()
            marks = conn.execute(select(watermark.c.until).where(watermark.c.dept == DEPARTMENT)).all()
    assert [(row.day, row.state) for row in said] == [(day.isoformat(), "FAILED") for day in days]
    assert all(days[0].isoformat() in row.error for row in said[1:])
    assert marks == []


def test_a_table_that_is_gone_when_its_verdicts_come_is_a_failed_day_and_not_a_quiet_one(town):
    last = town.county.days[-1]
    with town.opened("gone") as night:
        night.pull(DEPARTMENT, last)
        night.standardize(DEPARTMENT, Kind.INSPECTION, last)
        desk = night._desk(DEPARTMENT, Kind.INSPECTION, last)

        def judge(batches, *_):
            desk.clear()
            return [nothing_to_check() for _ in batches]

        night.judge = judge
        [done] = night.check(Kind.INSPECTION, last, [DEPARTMENT])
        with night.ledger.read() as conn:
            newest = select(intake.c.state).where(intake.c.dept == DEPARTMENT).order_by(intake.c.id.desc()).limit(1)
            assert conn.scalar(newest) == "FAILED"
    assert done.state == "FAILED"
    assert "请联系技术人员" in done.error


def test_the_next_run_takes_in_everything_the_failed_one_had_read(town):
    last = town.county.days[-1]
    with town.opened("after") as night:
        assert night.pull(DEPARTMENT, last).state == "OK"
        night.standardize(DEPARTMENT, Kind.INSPECTION, last)
        night.check(Kind.INSPECTION, last, [DEPARTMENT])
        assert night.accept(DEPARTMENT, Kind.INSPECTION, last).state == "OK"
        with night.ledger.read() as conn:
            heads = set(
                conn.execute(select(record_head.c.record_key).where(record_head.c.owner_dept == DEPARTMENT)).scalars()
            )
    expected = town.manifest()["expected"][last.isoformat()]["double_random"]
    mine = {k for k, e in expected.items() if e["department"] == DEPARTMENT and e["kind"] == "inspection"}
    assert {k for k in mine if expected[k]["state"] == "PRESENT"} <= heads
    assert mine
