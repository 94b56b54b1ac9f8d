"""The end of publicity over two years on running mocks: nothing is taken down before its day, then once, with proof, for good.

Belongs here: a rating's own end, a period that the county sets, what comes after the end. Must not: the table's form.
The county's clock is moved where ends are looked at; sending keeps the real one, since a platform refuses a
moved clock.
"""

import json
import time
from datetime import date, datetime, timedelta, timezone

import pytest
from sqlalchemy import event, select, text

from tests.pipeline import harness
from zz_pipeline.course import STEPS, one_step
from zz_pipeline.delivery import points
from zz_pipeline.ledger import publicity
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import audit_event, outbox, record_version, suppression
from zz_pipeline.night import Night
from zz_pipeline.standard.publishing_periods import FILE
from zz_pipeline.standard.tables import Kind

ONE, TWO, THREE = harness.PLATFORMS
BEIJING = timezone(timedelta(hours=8))


class Story:
    """A county whose clocks a test moves; `seen` keeps what the platforms held after each chapter."""

    def __init__(self, town):
        planted = {d["defect"]: d for d in town.manifest()["defects"]}
        self.town, self.offset, self.seen, self.results = town, 0.0, {}, {}
        self.dept = planted["correction_after_repair"]["dept"]
        self.inspection = f"610124-{self.dept}-{planted['correction_after_repair']['record_no']}"
        self.rating = planted["repair_of_rating"]["record_no"]
        self.late = ""  # a rating that was never sent before its end

    def at(self, day, hour=1, minute=30):
        """Set the county's clock to that wall time."""
        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=BEIJING)
        self.offset = moment.timestamp() - time.time()
        self.town.mocks.control("POST", "/clock", {"platform": "credit", "offset": self.offset})

    def run(self, chapter, day, *, kinds=(Kind.RATING,), depts=True, read=True, sends=harness.PLATFORMS):
        """A night of one department and the credit platform; what it said and what the platforms then hold."""
        settings = self.town.settings
        ledger = Ledger(settings.ledger_url)
        ledger.migrate()
        night = Night(settings, ledger, f"night-{chapter}", clock=lambda: time.time() + self.offset)
        try:
            results = []
            sources = [self.dept] if read and depts else []
            results += [night.pull(dept, day) for dept in sources]
            results += [night.pull_credit(kind, day) for kind in kinds if read]
            for step in STEPS:
                results += one_step(night, step, day, sources, credit_too=True)
            assert [r.error for r in results if not r.ok] == []
            for platform in sends:
                assert Night(settings, ledger, "send").deliver(platform).alarms == []
            self.results[chapter] = [r for r in results if r.kind == "expiry"]
            self.seen[chapter] = {p: harness.held(self.town.mocks, p) for p in harness.PLATFORMS}
            return night.balance(day)
        finally:
            ledger.close()

    def state(self, chapter, platform, key):
        return self.seen[chapter][platform].get(key, {}).get("state")

    def rows(self, platform, key):
        where = (outbox.c.platform == platform) & (outbox.c.record_key == key)
        with self.town.opened() as night, night.ledger.read() as conn:
            return {row.version: row for row in conn.execute(select(outbox).where(where))}

    def wire(self, row):
        """What was sent of a row."""
        return json.loads(row.wire)

    def finished(self, key):
        with self.town.opened() as night, night.ledger.read() as conn:
            query = select(record_version.c.payload).where(record_version.c.record_key == key)
            return date.fromisoformat(json.loads(conn.scalars(query).first())["finish_date"])


def _own_end(town, key, end):
    path = town.home / "credit" / "ratings.json"
    ratings = json.loads(path.read_text("utf-8"))
    (item,) = [r for r in ratings if r["rating_id"] == key]
    item |= {"validUntil": end.isoformat(), "publishable": True}
    path.with_suffix(".new").write_text(json.dumps(ratings), "utf-8")
    path.with_suffix(".new").replace(path)


def _one_more(town, like, day, end):
    """One more rating, changed on `day`."""
    path = town.home / "credit" / "ratings.json"
    ratings = json.loads(path.read_text("utf-8"))
    (item,) = [r for r in ratings if r["rating_id"] == like]
    number = "XYPJ-9999-0000001"
    ratings.append(item | {"rating_id": number, "validUntil": end.isoformat(), "updated_at": f"{day} 20:59:00"})
    path.with_suffix(".new").write_text(json.dumps(ratings), "utf-8")
    path.with_suffix(".new").replace(path)
    return number


def _set_period(town, longest):
    path = town.config / FILE
    text = path.read_text("utf-8")
    assert "检查结果,,,,,不限," in text
    path.write_text(text.replace("检查结果,,,,,不限,", f"检查结果,,,,,{longest},"), "utf-8")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    with harness.town(tmp_path_factory.mktemp("ends"), seed=3, days=3, scale=0.1) as town:
        told = Story(town)
        first, second, third = town.county.days
        town.county.apply(first)
        last = first + timedelta(days=1)  # the calendar day of the first night, the rating's last
        _own_end(town, told.rating, last)
        told.at(last, 23, 30)
        told.balances = {"first": told.run("first", first)}
        told.at(last + timedelta(days=1))
        told.run("rating over", first, read=False)
        told.late = _one_more(town, told.rating, second, last + timedelta(days=1))
        told.run("three is down", second, depts=False, sends=(ONE, TWO))
        told.at(last + timedelta(days=2))
        told.run("three is back", second, read=False)
        year = told.finished(told.inspection).replace(year=first.year + 1)
        told.at(year + timedelta(days=1))
        told.run("no end was set", first, read=False, sends=())
        _set_period(town, "1年")
        told.at(year, 23, 30)
        told.run("last day", first, read=False, sends=(THREE,))
        told.at(year + timedelta(days=1))
        told.balances["over"] = told.run("over", third, read=False)
        told.run("again", third, read=False)
        for day in town.county.days[1:]:
            town.county.apply(day)
        told.run("corrected", third)
        told.run("repaired", second, kinds=(Kind.REPAIR,), depts=False)
        yield told


# ---------------------------------------------------------------- a rating's own end


def test_a_rating_is_public_on_the_last_day_of_its_validity_and_stopped_in_the_night_after(story):
    assert [story.state(c, THREE, story.rating) for c in ("first", "rating over")] == ["PRESENT", "WITHDRAWN"]
    stop = story.rows(THREE, story.rating)[2]
    assert (stop.op, stop.state, stop.rule) == ("WITHDRAW", "CONFIRMED", "EXPIRED")
    assert "公示期满" in story.wire(stop)[0]["basis"]


def test_a_rating_past_its_end_stays_on_one_and_two_exactly_as_it_was(story):
    for platform in (ONE, TWO):
        assert story.seen["rating over"][platform][story.rating] == story.seen["first"][platform][story.rating]
        assert story.rows(platform, story.rating)[2].state == "NOT_APPLICABLE"


def test_a_rating_that_was_not_sent_before_its_end_is_never_public(story):
    assert story.rows(THREE, story.late)[1].state == "CANCELLED"
    assert story.rows(THREE, story.late)[2].state == "BLOCKED"
    assert [story.state("three is down", p, story.late) for p in (ONE, TWO)] == ["PRESENT", "PRESENT"]
    assert [r for r in story.town.mocks.ledger(THREE, history=True) if r["key"] == story.late] == []


# ---------------------------------------------------------------- a period that the county sets


def test_an_inspection_has_no_end_unless_the_county_sets_one(story):
    assert story.state("no end was set", THREE, story.inspection) == "PRESENT"
    assert story.results["no end was set"] == []


def test_an_inspection_is_public_on_its_last_day_and_stopped_in_the_night_after(story):
    states = [story.state(c, THREE, story.inspection) for c in ("last day", "over")]
    assert states == ["PRESENT", "WITHDRAWN"]
    stop = story.rows(THREE, story.inspection)[2]
    assert (stop.op, stop.state, stop.rule) == ("WITHDRAW", "CONFIRMED", "EXPIRED")
    assert stop.receipt or stop.remote_code


def test_each_inspection_is_public_until_its_own_day(story):
    day = story.finished(story.inspection)
    before = story.seen["no end was set"][THREE]
    inspections = [k for k, e in before.items() if (e["state"], e["kind"]) == ("PRESENT", "inspection")]
    for chapter, ended in (("last day", lambda on: on < day), ("over", lambda on: on <= day)):
        wanted = {k: "WITHDRAWN" if ended(story.finished(k)) else "PRESENT" for k in inspections}
        assert {k: story.state(chapter, THREE, k) for k in inspections} == wanted
    assert story.inspection in inspections


def test_one_is_told_that_it_is_no_longer_publishable_and_two_is_left_alone(story):
    before, after = (story.seen[c][ONE][story.inspection]["content"] for c in ("last day", "over"))
    assert (before["publishable"], after["publishable"]) == (True, False)
    assert after["notPublishReason"] == "公示期满"
    same = {"publishable": 0, "notPublishReason": 0}
    assert before | same == after | same
    actions = [
        {k: e for k, e in story.seen[c][TWO].items() if k.startswith(story.inspection)} for c in ("last day", "over")
    ]
    assert actions[0]
    assert actions[0] == actions[1]
    assert story.rows(TWO, story.inspection)[2].state == "NOT_APPLICABLE"


def test_a_second_run_of_the_same_night_finds_nothing_and_sends_nothing(story):
    assert story.results["over"]
    assert story.results["again"] == []
    assert story.seen["again"] == story.seen["over"]


def test_the_night_still_balances_and_says_in_whose_name_nothing_was_read(story):
    over = story.balances["over"]
    assert over.balanced
    (book,) = [d for d in over.departments if d.kind == "expiry"]
    assert (book.dept, book.accepted) == ("office", book.pulled)
    assert book.accepted == over.versions
    assert [d for d in story.balances["first"].departments if d.kind == "expiry"] == []


def test_each_end_is_in_the_audit_chain_with_its_last_moment(story):
    with story.town.opened() as night, night.ledger.read() as conn:
        told = [json.loads(d) for d in conn.scalars(select(audit_event.c.detail).where(audit_event.c.type == "EXPIRE"))]
    ends = {key: end for event in told for key, end in event["records"]}
    year = story.finished(story.inspection).year + 1
    assert ends[story.inspection] == f"{story.finished(story.inspection).replace(year=year)} 23:59:59"
    assert story.rating in ends


# ---------------------------------------------------------------- what comes after the end


def test_a_correction_after_the_end_reaches_one_and_two_and_is_not_public_again(story):
    over, corrected = (story.seen[c][ONE][story.inspection]["content"] for c in ("over", "corrected"))
    assert over["details"] != corrected["details"]
    assert (corrected["publishable"], corrected["notPublishReason"]) == (False, "公示期满")
    assert story.state("corrected", THREE, story.inspection) == "WITHDRAWN"
    assert story.rows(THREE, story.inspection)[3].state == "BLOCKED"
    history = [r["state"] for r in story.town.mocks.ledger(THREE, history=True) if r["key"] == story.inspection]
    assert history == ["PUBLIC", "STOPPED"]


def test_a_repair_that_comes_after_the_end_is_still_done_everywhere(story):
    assert [story.state("corrected", p, story.rating) for p in harness.PLATFORMS] == ["PRESENT", "PRESENT", "WITHDRAWN"]
    assert [story.state("repaired", p, story.rating) for p in harness.PLATFORMS] == ["WITHDRAWN"] * 3
    with story.town.opened() as night, night.ledger.read() as conn:
        bars = dict(conn.execute(select(suppression.c.record_key, suppression.c.reason)).tuples().all())
    assert bars[story.rating] == "REPAIRED"
    assert bars[story.late] == "EXPIRED"


# ---------------------------------------------------------------- the work and its transaction


def _terms(ledger, count, ends):
    row = {"kind": "inspection", "name": "检查结果", "field": "", "since": "2026-11-20", "until": ""}
    with ledger.begin() as conn:
        rows = [row | {"record_key": f"610124-SCJG-{n:08d}", "ends": ends, "rules": "x"} for n in range(count)]
        conn.execute(publicity.publicity.insert(), rows)


def test_a_night_on_which_nothing_ends_reads_no_record_however_many_are_public(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    _terms(ledger, 20_000, "2029-11-20 23:59:59")
    asked = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    with ledger.begin() as conn:
        assert publicity.over(conn, datetime(2029, 11, 20, 23, 59, 59), 500) == []  # noqa: DTZ001 - wall time
        assert len(publicity.over(conn, datetime(2029, 11, 21), 500)) == 500  # noqa: DTZ001 - wall time
        plan = conn.execute(text("EXPLAIN QUERY PLAN SELECT * FROM publicity WHERE ends < 'x' ORDER BY ends")).all()
    ledger.close()
    assert not [q for q in asked if "record_version" in q or "outbox" in q]
    assert [row for row in plan if "publicity_ends" in str(row)]
    assert not [row for row in plan if "SCAN" in str(row)]


def test_a_kill_before_the_commit_of_the_end_leaves_all_public_and_the_next_run_does_it(story, tmp_path):
    class Killed(BaseException):
        pass

    def kill(name):
        if name == "publicity_ended:before_commit":
            raise Killed

    with story.town.opened() as night, night.ledger.read() as conn:
        still = conn.execute(select(publicity.publicity.c.record_key)).scalars().all()
    assert still
    story.at(date(2099, 1, 1))
    before = {p: len(story.town.mocks.ledger(p, history=True)) for p in harness.PLATFORMS}
    points.hook = kill
    try:
        with pytest.raises(Killed):
            story.run("killed", story.town.county.days[2], read=False)
    finally:
        points.hook = None
    with story.town.opened() as night, night.ledger.read() as conn:
        assert conn.execute(select(publicity.publicity.c.record_key)).scalars().all() == still
    assert {p: len(story.town.mocks.ledger(p, history=True)) for p in harness.PLATFORMS} == before
    assert story.run("after", story.town.county.days[2], read=False).balanced
    assert [k for k, e in story.seen["after"][THREE].items() if e["state"] == "PRESENT"] == []
