"""A week taken in afterwards from the command line: previewed without effect, delivered once, and not again."""

import json
from collections import Counter

import pytest
from sqlalchemy import select

from tests.pipeline import harness
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import metadata

SEED = 31

pytestmark = pytest.mark.xdist_group("backfill")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((3, 0.25, harness.ONE_OF_EACH), id="three days of eight departments"),
        pytest.param((7, 0.1, ()), id="seven days of all departments", marks=pytest.mark.long),
    ],
)
def week(request, tmp_path_factory):
    """A county days behind: nothing of it was delivered yet, its systems stand at the last day."""
    days, scale, reporting = request.param
    with harness.town(tmp_path_factory.mktemp("week"), seed=SEED, days=days, scale=scale, reporting=reporting) as town:
        town.county.apply(town.county.days[-1])
        yield Week(town)


class Week:
    """The county and what each order said; an order is given once."""

    def __init__(self, town):
        self.town, self.said = town, {}
        self.first, self.last = (town.county.days[n].isoformat() for n in (0, -1))

    def order(self, name, *args):
        """What `zz` printed as JSON: exactly one object, with exit code 0."""
        if name not in self.said:
            done = self.town.zz(*args, "--json")
            assert done.returncode == 0, (done.returncode, done.stdout[-2000:], done.stderr[-4000:])
            self.said[name] = one_object(done.stdout)
        return self.said[name]

    def previewed(self):
        """The plan, and everything that a preview could have changed, before and after it."""
        if "traces" not in self.said:
            self.order("status before", "status")
            before = traces(self.town)
            self.order("preview", "backfill", self.first, self.last, "--dry-run")
            self.said["traces"] = (before, traces(self.town))
        return self.said["preview"], self.said["traces"]

    def delivered(self):
        self.previewed()
        return self.order("run", "backfill", self.first, self.last)

    def repeated(self):
        self.delivered()
        if "again traces" not in self.said:
            before = traces(self.town)
            self.order("again", "backfill", self.first, self.last)
            self.said["again traces"] = (before, traces(self.town))
        return self.said["again"], self.said["again traces"]


def one_object(text):
    found, end = json.JSONDecoder().raw_decode(text)
    assert text[end:].strip() == ""
    assert isinstance(found, dict)
    return found


def traces(town):
    """Rows of every table of the ledger, and how many requests each platform saw."""
    with town.opened() as night, night.ledger.read() as conn:
        tables = {t.name: sorted(map(repr, conn.execute(select(t)).all())) for t in metadata.sorted_tables}
    wire = {platform: len(town.mocks.wire(platform)) for platform in harness.PLATFORMS}
    return {**tables, "wire": wire, "files": files(town)}


def files(town):
    """Every file under the county's home but the ledger's own, which the database names by itself."""
    found = (p for p in town.home.rglob("*") if p.is_file() and not p.name.startswith("ledger.db"))
    return sorted(str(p.relative_to(town.home)) for p in found)


def test_a_preview_writes_nothing_and_asks_no_platform(week):
    plan, (before, after) = week.previewed()
    assert plan["changes"] > 50
    assert {name: len(after[name]) for name in after if after[name] != before[name]} == {}


def test_a_preview_counts_what_the_run_then_counts(week):
    plan, _ = week.previewed()
    done = week.delivered()
    foretold = {(r["day"], r["dept"], r["kind"]): counts(r, r["new"] + r["changed"]) for r in plan["rows"]}
    happened = {
        (d["day"], s["dept"], s["kind"]): counts(s, s["accepted"]) for d in done["days"] for s in d["departments"]
    }
    assert foretold == happened
    assert plan["changes"] == sum(d["accepted"] for d in done["days"])


def counts(row, accepted):
    return row["pulled"], row["unchanged"], row["quarantined"], accepted


def test_a_preview_foretells_how_many_records_are_sent(week):
    plan, _ = week.previewed()
    week.delivered()
    with week.town.opened() as night, night.ledger.read() as conn:
        outbox = metadata.tables["outbox"]
        sent = len(conn.execute(select(outbox.c.platform).where(outbox.c.state == "CONFIRMED")).all())
    assert plan["sends"] == sent
    assert plan["estimated_seconds"] > 0


def test_days_afterwards_leave_the_platforms_with_what_their_nights_would_have_left(week):
    done = week.delivered()
    assert done["balanced"]
    expected = week.town.manifest()["expected"][week.last]
    for platform in harness.PLATFORMS:
        have, want = harness.held(week.town.mocks, platform), harness.wanted(expected[platform])
        assert present(have) == present(want)
        # what was taken back before the backfill ran was never sent by it
        assert withdrawn(have) <= withdrawn(want)


def present(held):
    return {key: entry for key, entry in held.items() if entry["state"] == "PRESENT"}


def withdrawn(held):
    return {key for key, entry in held.items() if entry["state"] == "WITHDRAWN"}


def test_a_backfill_sends_each_record_once(week):
    week.delivered()
    for platform in harness.PLATFORMS:
        sent = Counter(key for line in pushes(week.town, platform) for key in line["keys"])
        assert sent
        assert {key: n for key, n in sent.items() if n > 1} == {}


def pushes(town, platform):
    return [e for e in town.mocks.wire(platform) if e["method"] == "POST" and e["keys"]]


def test_the_same_days_again_change_no_record_and_send_none(week):
    first = week.delivered()
    sent = {platform: len(pushes(week.town, platform)) for platform in harness.PLATFORMS}
    again, (before, after) = week.repeated()
    assert {platform: len(pushes(week.town, platform)) for platform in harness.PLATFORMS} == sent
    for table in ("record_version", "record_head", "outbox", "holding", "batch", "receipt", "watermark"):
        assert after[table] == before[table], table
    totals = ("pulled", "quarantined", "accepted")
    assert [[d[n] for n in totals] for d in again["days"]] == [[d[n] for n in totals] for d in first["days"]]


def test_a_preview_of_delivered_days_foretells_nothing_to_send(week):
    week.repeated()
    plan = week.order("preview again", "backfill", week.last, week.last, "--dry-run")
    assert (plan["changes"], plan["sends"]) == (0, 0)
    assert sum(row["unchanged"] for row in plan["rows"]) > 10


def test_every_command_that_shows_something_prints_one_json_object(week):
    week.delivered()
    assert week.order("balance", "balance", "--day", week.last)["balanced"]
    assert week.order("report", "report", "--day", week.last)["report"].endswith(".html")
    assert week.order("reconcile", "reconcile", "--day", week.last).keys() == set(harness.PLATFORMS)
    assert week.order("status", "status")


def test_a_range_that_ends_before_it_begins_is_refused_in_chinese_and_changes_nothing(week):
    before = traces(week.town)
    done = week.town.zz("backfill", week.last, week.first, "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "最后一天早于第一天" in done.stderr
    assert traces(week.town) == before


def test_the_audit_chain_of_a_backfill_is_whole(week):
    week.delivered()
    with week.town.opened() as night, night.ledger.read() as conn:
        state = audit.verify(conn)
    assert state.events > 10
    assert state.broken_at is None
