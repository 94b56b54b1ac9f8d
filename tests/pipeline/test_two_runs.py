"""Two runs of one night over the same sources: whoever accepts first, the day is counted once and balances."""

import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import select

from tests.pipeline import harness
from zz_pipeline.course import CREDIT_KINDS, STEPS, one_step, take_in
from zz_pipeline.ledger.schema import record_version
from zz_pipeline.night import CREDIT
from zz_pipeline.standard.tables import Kind

SEED, SCALE = 21, 0.4


def staged(folder, **env):
    return harness.town(folder, seed=SEED, scale=SCALE, env=env, reporting=harness.ONE_OF_EACH)


def read_all(night, day):
    for dept in night.reporting:
        night.pull(dept, day)
    for kind in CREDIT_KINDS:
        night.pull_credit(kind, day)


def versions(night):
    with night.ledger.read() as conn:
        return sorted(tuple(row) for row in conn.execute(select(*record_version.primary_key, record_version.c.digest)))


@pytest.fixture(scope="module")
def overtaken(tmp_path_factory):
    """A night whose run began first and accepted last: another run did all of its taking in between."""
    with staged(tmp_path_factory.mktemp("town")) as town, town.opened("slow") as slow, town.opened("quick") as quick:
        day = town.county.days[-1]
        town.county.apply(day)
        read_all(slow, day)
        take_in(quick, day, lambda *_: None)
        first, written = quick.balance(day), versions(quick)
        for step in STEPS:
            one_step(slow, step, day, slow.reporting, credit_too=True)
        yield town, slow, first, written


def test_the_day_balances_after_the_run_that_was_overtaken(overtaken):
    town, night, _, _ = overtaken
    after = night.balance(town.county.days[-1])
    assert [(d.dept, d.kind) for d in after.departments if not d.balanced] == []
    assert after.balanced


def test_fault_40_every_record_is_counted_once_and_has_one_version(overtaken):
    town, night, first, written = overtaken
    after = night.balance(town.county.days[-1])
    assert len(written) > 50
    assert versions(night) == written
    assert after.totals() == first.totals()
    assert after.totals()["accepted"] == len(written)


def test_every_department_is_counted_as_the_manifest_counts_it(overtaken):
    town, night, _, _ = overtaken
    after = night.balance(town.county.days[-1])
    units = town.manifest()["units"][after.day]
    said = {d.dept: (d.pulled, d.quarantined) for d in after.departments if d.kind == "inspection" and d.state == "OK"}
    assert said
    assert said == {dept: (units[dept]["pulled"], units[dept]["quarantined"]) for dept in said}


@pytest.mark.postgres
def test_fault_40_two_runs_that_accept_at_the_same_moment_write_every_version_once(overtaken, tmp_path, postgres):
    _, _, first, written = overtaken
    with ExitStack() as stack:
        town = stack.enter_context(staged(tmp_path, ZZ_LEDGER_URL=postgres.database()))
        nights = [stack.enter_context(town.opened(name)) for name in ("one", "two")]
        day = town.county.days[-1]
        town.county.apply(day)
        for night in nights:
            read_all(night, day)
            for step in STEPS[:-1]:
                one_step(night, step, day, night.reporting, credit_too=True)
        results = side_by_side(nights, day)
        assert [r for r in results if r.state == "FAILED"] == []
        assert versions(nights[0]) == written
        after = nights[0].balance(day)
        assert [(d.dept, d.kind) for d in after.departments if not d.balanced] == []
        assert after.balanced
        assert after.totals() == first.totals()


def side_by_side(nights, day):
    """Both runs accept the same source at the same moment, source by source."""
    together, results = threading.Barrier(len(nights)), []
    order = [(dept, Kind.INSPECTION) for dept in nights[0].reporting] + [(CREDIT, kind) for kind in CREDIT_KINDS]

    def accept(night):
        for dept, kind in order:
            together.wait(60)
            results.append(night.accept(dept, kind, day))

    threads = [threading.Thread(target=accept, args=[night]) for night in nights]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
