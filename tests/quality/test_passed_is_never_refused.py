"""A record that passes our checks is never refused by the platforms for its data, whatever values it was drawn with."""

from collections import Counter
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import func, select

from tests.pipeline import harness
from tests.quality.any_records import batch
from zz_pipeline import quality
from zz_pipeline.ledger import accept, intake, versions
from zz_pipeline.ledger.payload import contents
from zz_pipeline.ledger.schema import outbox
from zz_pipeline.standard.tables import Kind

KIND = Kind.INSPECTION


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with harness.town(tmp_path_factory.mktemp("town"), seed=4, scale=0.1) as made:
        yield made


def passed(night, rng, depts, count, first):
    """Accept what our checks let through of `count` records for each department; how many those are."""
    day = night.now().date() - timedelta(days=1)
    departments = [night.settings.departments[key] for key in depts]
    drawn = [(batch(rng, d, night.lists, day, count, first + n * count), d.key) for n, d in enumerate(departments)]
    kept = 0
    for (made, dept), outcome in zip(drawn, night.judge(drawn, KIND, day), strict=True):
        records = list(contents(KIND, quality.split(made, outcome).accepted))
        since, until = intake.window(night.ledger, dept, str(KIND), day)
        number = intake.begin(night.ledger, day, dept, str(KIND), since, until, night.clock())
        source = versions.Source(number, str(KIND), dept, dept, day, until, outcome.rule_set, made.units, made.units)
        times = {"now": night.clock(), "zone_offset": night.zone_offset}
        kept += accept.accept(night.ledger, source, records, [], night.targets, night._decide, **times).accepted
    return kept


def delivered(night):
    """(platform, state) → rows, after everything was sent and every receipt fetched."""
    for target in night.targets:
        night.deliver(target.name)
    with night.ledger.read() as conn:
        query = select(outbox.c.platform, outbox.c.state, func.count()).group_by(outbox.c.platform, outbox.c.state)
        return Counter({(platform, state): n for platform, state, n in conn.execute(query)})


def refusals(night):
    """What the platforms said of every record they refused."""
    with night.ledger.read() as conn:
        rows = conn.execute(select(outbox).where(outbox.c.state.in_(("REJECTED", "DEAD", "UNKNOWN", "CONFLICT"))))
        return [(r.platform, r.record_key, r.state, r.reason) for r in rows]


def assert_none_was_refused(town, night, kept):
    states = delivered(night)
    assert refusals(night) == []
    for target in night.targets:
        assert sum(n for (platform, _), n in states.items() if platform == target.name) == kept
        assert states[target.name, "CONFIRMED"] > 0
    assert states["double_random", "CONFIRMED"] == kept
    assert not [e for e in town.mocks.wire("publicity") if str(e.get("code")) in ("6005", "6002")]


def test_two_thousand_records_of_any_values_are_not_refused_once_they_passed(town):
    with town.opened() as night:
        depts = ("SCJG", "YJJ", "JYJ", "ZJJ")
        kept = passed(night, Random("any/1"), depts, 500, 1)

        assert 400 < kept < 1900  # both lawful and unlawful ones were drawn
        assert_none_was_refused(town, night, kept)


@pytest.mark.long
def test_two_hundred_thousand_records_of_any_values_are_not_refused_once_they_passed(town):
    with town.opened() as night:
        depts = [key for key, d in night.settings.departments.items() if d.source.kind != "none"]
        per, rounds = 1000, -(-200_000 // (1000 * len(depts)))
        kept = sum(
            passed(night, Random(f"any/long/{n}"), depts, per, 10_000 + n * per * len(depts)) for n in range(rounds)
        )
        with night.ledger.read() as conn:
            kept = conn.scalar(
                select(func.count()).select_from(outbox).where(outbox.c.platform == night.targets[0].name)
            )

        assert_none_was_refused(town, night, kept)
