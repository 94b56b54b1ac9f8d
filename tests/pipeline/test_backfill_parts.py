"""Parts of a backfill: by department, platform and kind; after a failure, after an interruption, and with nothing left to do.

Belongs here: what is read and sent of a part. Must not: whole weeks (that is `test_backfill`), rules.
"""

import json
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import select

from tests.pipeline import harness
from zz_pipeline import backfill
from zz_pipeline.ledger.schema import intake, outbox
from zz_pipeline.reports.day import report_path
from zz_pipeline.standard.tables import Kind

REPORTING = ("HBJ", "KGJ", "SCJG")  # two databases and a workbook, the credit lead among them
LEAD = "KGJ"


class Story:
    """One county days behind, whose parts are taken in one after the other; each step once, in its order."""

    def __init__(self, town):
        self.town, self.said = town, {}
        self.days = town.county.days
        self.range = (self.days[0].isoformat(), self.days[-1].isoformat())

    def step(self, name, make):
        if name not in self.said:
            self.said[name] = make()
        return self.said[name]

    def zz(self, *args, days=None):
        done = self.town.zz("backfill", *(days or self.range), *args, "--json")
        return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr

    def readings(self):
        with self.town.opened() as night, night.ledger.read() as conn:
            columns = (intake.c.dept, intake.c.kind, intake.c.day, intake.c.state)
            return [tuple(row) for row in conn.execute(select(*columns).order_by(intake.c.id))]

    def senders(self, platform):
        return {e["department"] for e in harness_pushes(self.town, platform)}

    def previewed(self):
        return self.step("preview", lambda: self.zz("--dept", "HBJ", "--platform", harness.PLATFORMS[0], "--dry-run"))

    def one_department(self):
        self.previewed()
        return self.step(
            "department", lambda: (self.zz("--dept", "HBJ", "--platform", harness.PLATFORMS[0]), self.now())
        )

    def ratings(self):
        self.one_department()
        return self.step("ratings", lambda: (self.zz("--kind", "rating"), self.now()))

    def interrupted(self):
        """Everything, stopped by hand after the first day; then once more."""
        self.ratings()
        return self.step("interrupted", self._interrupted)

    def _interrupted(self):
        def stop(name, *_):
            if name == "日子":
                raise KeyboardInterrupt

        before = len(self.readings())
        ahead, backfill.AHEAD = backfill.AHEAD, 1
        try:
            with self.town.opened("stopped") as night, pytest.raises(KeyboardInterrupt):
                backfill.run(night, self.days, stop)
        finally:
            backfill.AHEAD = ahead
        middle = len(self.readings())
        source = self.town.home / "sources" / "scjg.db"
        source.rename(source.with_suffix(".away"))
        failed = self.zz()
        source.with_suffix(".away").rename(source)
        readings = self.readings()
        return {"stopped": readings[before:middle], "failed": failed, "second": readings[middle:]}

    def finished(self):
        self.interrupted()
        return self.step("finished", lambda: (self.zz(), self.now()))

    def again(self):
        self.finished()
        return self.step("again", lambda: (self.zz("--dept", "SCJG", "--dept", "HBJ"), self.now()))

    def now(self):
        """Readings, pushes and senders at this moment."""
        wire = {p: harness_pushes(self.town, p) for p in harness.PLATFORMS}
        return {
            "readings": self.readings(),
            "pushes": {p: len(w) for p, w in wire.items()},
            "senders": {p: {e["department"] for e in w} for p, w in wire.items()},
            "reports": [day for day in self.days if report_path(self.town.settings, day).exists()],
            "marks": list((self.town.home / "work").glob("backfill-*")),
        }


def harness_pushes(town, platform):
    return [e for e in town.mocks.wire(platform) if e["method"] == "POST" and e["keys"]]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    with harness.town(tmp_path_factory.mktemp("parts"), seed=11, days=2, scale=0.1, reporting=REPORTING) as town:
        town.county.apply(town.county.days[-1])
        yield Story(town)


def test_a_preview_of_a_part_shows_that_part_only(story):
    code, plan, _ = story.previewed()
    assert code == 0
    assert {(row["dept"], row["kind"]) for row in plan["rows"]} == {("HBJ", "inspection")}
    assert [p["platform"] for p in plan["platforms"]] == [harness.PLATFORMS[0]]
    assert plan["sends"] == plan["platforms"][0]["sends"] > 0
    assert len(plan["platforms"][0]["examples"]) > 0
    assert plan["estimated_seconds"] > 0


def test_one_department_and_one_platform_touch_no_other(story):
    (code, _, err), then = story.one_department()
    assert code == 0, err
    assert {(dept, kind) for dept, kind, _, _ in then["readings"]} == {("HBJ", "inspection")}
    assert then["senders"] == {harness.PLATFORMS[0]: {"HBJ"}, harness.PLATFORMS[1]: set(), harness.PLATFORMS[2]: set()}
    _, plan, _ = story.previewed()
    with story.town.opened() as night, night.ledger.read() as conn:
        mine = (outbox.c.platform == harness.PLATFORMS[0], outbox.c.dept == "HBJ", outbox.c.kind == "inspection")
        assert len(conn.execute(select(outbox.c.version).where(*mine)).all()) == plan["sends"]


def test_a_part_is_no_night_and_gets_no_report(story):
    _, then = story.one_department()
    assert then["reports"] == []


def test_ratings_alone_are_read_from_the_credit_platform_and_sent_by_the_lead_only(story):
    _, before = story.one_department()
    (code, _, err), then = story.ratings()
    assert code == 0, err
    assert {row[:2] for row in then["readings"][len(before["readings"]) :]} == {("credit", "rating")}
    assert then["senders"][harness.PLATFORMS[0]] == {"HBJ", LEAD}
    assert then["senders"][harness.PLATFORMS[1]] == {LEAD}


def test_an_interrupted_backfill_goes_on_after_the_days_that_were_taken_in(story):
    done = story.interrupted()
    assert {day for _, _, day, _ in done["stopped"]} == {story.range[0]}
    assert story.range[0] not in {day for _, _, day, _ in done["second"]}
    assert done["failed"][1]["resumed"] == [story.range[0]]


def test_a_source_that_fails_stops_no_other_and_is_told_at_the_end_with_the_command(story):
    code, said, _ = story.interrupted()["failed"]
    assert code == 3
    told = [text for text in said["failures"] if "县市场监管局" in text]
    assert len(told) == len(story.days) - 1
    assert f"zz backfill {story.range[1]} {story.range[1]} --dept SCJG" in told[-1]
    others = {d["dept"] for day in said["days"][1:] for d in day["departments"] if d["state"] in ("OK", "EMPTY")}
    assert {"HBJ", LEAD, "credit"} <= others


def test_the_next_backfill_makes_up_for_what_failed_and_leaves_what_every_night_would_have_left(story):
    (code, said, err), then = story.finished()
    assert (code, said["failures"]) == (0, []), err
    assert said["resumed"] == []
    assert then["marks"] == []
    assert then["reports"] == story.days
    expected = story.town.manifest()["expected"][story.range[1]]
    for platform in harness.PLATFORMS:
        have, want = harness.held(story.town.mocks, platform), harness.wanted(expected[platform])
        assert {k: e for k, e in have.items() if e["state"] == "PRESENT"} == {
            k: e for k, e in want.items() if e["state"] == "PRESENT"
        }
        sent = Counter(key for line in harness_pushes(story.town, platform) for key in line["keys"])
        effects = Counter(e["key"] for e in story.town.mocks.ledger(platform, history=True))
        assert {key: n for key, n in sent.items() if n > effects[key]} == {}, "sent without effect"


def test_a_second_backfill_sends_no_push_request(story):
    _, before = story.finished()
    (code, _, _), then = story.again()
    assert code == 0
    assert then["pushes"] == before["pushes"]
    assert sum(before["pushes"].values()) > 5


def test_days_of_one_source_are_read_in_their_order_while_sources_are_read_side_by_side(story):
    _, then = story.finished()
    by_source = {}
    for dept, kind, day, _ in then["readings"]:
        by_source.setdefault((dept, kind), []).append(day)
    last = [
        days[-len(story.days) :]
        for (dept, kind), days in by_source.items()
        if kind in ("inspection", "rating", "repair")
    ]
    assert all(days == [d.isoformat() for d in story.days] for days in last)


@pytest.mark.parametrize(
    ("args", "said"),
    [(("--dept", "XXX"), "没有部门"), (("--platform", "x"), "没有平台"), (("--kind", "x"), "没有数据类")],
)
def test_a_filter_that_names_nothing_is_refused_and_says_what_there_is(story, args, said):
    code, found, err = story.zz(*args)
    assert (code, found) == (2, {})
    assert said in err
    assert "可选" in err


@pytest.mark.parametrize(
    ("filters", "lanes"),
    [
        (backfill.Filters(), None),
        (backfill.Filters(kinds=(Kind.INSPECTION,)), None),
        (backfill.Filters(departments=("HBJ",)), ("HBJ",)),
        (backfill.Filters(kinds=(Kind.RATING,)), (LEAD,)),
        (backfill.Filters(departments=("HBJ",), kinds=(Kind.INSPECTION, Kind.RATING)), ("HBJ", LEAD)),
        (backfill.Filters(departments=("HBJ",), kinds=(Kind.REPAIR,)), None),
    ],
)
def test_only_the_lanes_that_a_part_can_change_are_sent(story, filters, lanes):
    assert filters.lanes(story.town.settings) == lanes


def test_marks_that_a_kill_cut_short_or_that_are_of_long_ago_are_not_believed(story):
    with story.town.opened("marks") as night:
        days = [date(2026, 11, 1), date(2026, 11, 2)]
        marks = backfill.Marks.open(night, days, backfill.Filters())
        marks.note(days[0])
        assert backfill.Marks.open(night, days, backfill.Filters()).days == [days[0]]
        assert backfill.Marks.open(night, days, backfill.Filters(departments=("HBJ",))).days == []
        marks.path.write_text(marks.path.read_text()[:-5])
        assert backfill.Marks.open(night, days, backfill.Filters()).days == []
        marks.began -= 4 * 86_400.0
        marks.note(days[1])
        assert backfill.Marks.open(night, days, backfill.Filters()).days == []
        marks.close()
