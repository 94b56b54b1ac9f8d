"""Two runs of one night over the same sources: whoever accepts first, the day is counted once and balances."""

import pytest
from sqlalchemy import func, select

from tests.pipeline import harness
from zz_pipeline.course import CREDIT_KINDS, STEPS, one_step, take_in
from zz_pipeline.ledger.schema import record_version
from zz_pipeline.night import Night


@pytest.fixture(scope="module")
def overtaken(tmp_path_factory):
    """A night whose run began first and accepted last: another run did all of its taking in between."""
    with harness.town(tmp_path_factory.mktemp("town"), seed=21, scale=0.1) as town:
        day = town.county.days[-1]
        town.county.apply(day)
        with town.opened("slow") as slow:
            for dept in slow.reporting:
                slow.pull(dept, day)
            for kind in CREDIT_KINDS:
                slow.pull_credit(kind, day)
            quick = Night(slow.settings, slow.ledger, "quick")
            take_in(quick, day, lambda *_: None)
            first = quick.balance(day)
            for step in STEPS:
                one_step(slow, step, day, slow.reporting, credit_too=True)
            yield town, slow, first, slow.balance(day)


def test_the_day_balances_after_the_run_that_was_overtaken(overtaken):
    _, _, _, after = overtaken
    assert [(d.dept, d.kind) for d in after.departments if not d.balanced] == []
    assert after.balanced


def test_every_record_is_counted_once_and_has_one_version(overtaken):
    _, night, first, after = overtaken
    with night.ledger.read() as conn:
        versions = conn.scalar(select(func.count()).select_from(record_version))
    assert after.totals()["accepted"] == first.totals()["accepted"] == versions > 50
    assert after.totals() == first.totals()


def test_every_department_is_counted_as_the_manifest_counts_it(overtaken):
    town, _, _, after = overtaken
    units = town.manifest()["units"][after.day]
    said = {d.dept: (d.pulled, d.quarantined) for d in after.departments if d.kind == "inspection" and d.state == "OK"}
    assert said
    assert said == {dept: (units[dept]["pulled"], units[dept]["quarantined"]) for dept in said}
