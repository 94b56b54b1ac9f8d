"""信用修复 from the notice to the three platforms, over three days: what was public stops, and nothing makes it public again.

Belongs here: notices before, with and after their record. Must not: whole nights (their ends are in test_whole_nights).
Two notices of the first day name what only the second day brings; all others are the sample county's own.
"""

import json
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from tests.pipeline import harness, troubles
from zz_pipeline.course import STEPS, one_step
from zz_pipeline.ledger.schema import outbox, quarantine, suppression
from zz_pipeline.reports.day import day_figures
from zz_pipeline.standard.tables import Kind

ONE, TWO, THREE = harness.PLATFORMS


@dataclass
class Story:
    """Record keys of the stories, and what the platforms held after each day."""

    town: harness.Town
    repaired: str  # public on day 1, notice on day 2, corrected on day 3
    early: str  # notice on day 1, the record on day 2
    rating: str  # public on day 1, notice on day 2
    early_rating: str  # notice on day 1, the rating on day 2, its revision on day 3
    held: list
    open: list  # open entries of the repairs after each day


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    with harness.town(tmp_path_factory.mktemp("repairs"), seed=3, days=3, scale=0.1) as town:
        first, _, third = town.county.days
        told = Story(town, *_chosen(town), [], [])
        depts = sorted({key.split("-")[1] for key in (told.repaired, told.early)})
        for day in town.county.days:
            town.county.apply(day)
            _notice(town, first, "INSPECTION", told.early)
            _notice(town, first, "RATING", told.early_rating)
            if day == third:
                _revise(town, told.early_rating, third)
            _short_night(town, day, depts)
            told.held.append({p: harness.held(town.mocks, p) for p in harness.PLATFORMS})
            told.open.append(_open(town))
        yield told


def _chosen(town):
    """The county's own stories, and a record and a rating of the second day that nobody tells a story about."""
    planted = {d["defect"]: d for d in town.manifest()["defects"]}
    left_alone = {d["record_no"] for d in town.manifest()["defects"]}
    repaired = planted["correction_after_repair"]
    dept = repaired["dept"]
    days = [troubles.expected(town, day) for day in town.county.days]
    new = [
        (key, entry["kind"])
        for key, entry in days[1][THREE].items()
        if key not in days[0][ONE] and days[2][THREE].get(key) == entry and key.split("-", 2)[-1] not in left_alone
    ]
    on_two = {troubles.record_of(key, entry) for key, entry in days[1][TWO].items()}
    early = next(key for key, kind in new if kind == "inspection" and key in on_two)
    early_rating = next(key for key, kind in new if kind == "rating" and key not in left_alone)
    return f"610124-{dept}-{repaired['record_no']}", early, planted["repair_of_rating"]["record_no"], early_rating


def _notice(town, day, target, key):
    """One more notice of the credit platform, updated on `day`."""
    path = town.home / "credit" / "repairs.json"
    notices = json.loads(path.read_text("utf-8"))
    number = f"XF-{day:%Y%m%d}-9{len(notices):05d}"
    said = {
        "repair_id": number, "enterpriseCreditCode": "", "enterpriseName": "周至县样例修复有限公司", "target": target,
        "target_key": key, "decision_no": f"周信修样例〔{day.year}〕9号", "decided_at": day.isoformat(),
        "effective_at": day.isoformat(), "updated_at": f"{day} 21:00:00",
    }  # fmt: skip
    notices.append(said)
    notices.sort(key=lambda item: (item["updated_at"], item["repair_id"]))
    path.with_suffix(".new").write_text(json.dumps(notices), "utf-8")
    path.with_suffix(".new").replace(path)


def _revise(town, key, day):
    path = town.home / "credit" / "ratings.json"
    ratings = json.loads(path.read_text("utf-8"))
    (item,) = [r for r in ratings if r["rating_id"] == key]
    grade = "中" if item["enterpriseType"] != "中" else "良"
    item |= {"revision": item["revision"] + 1, "enterpriseType": grade, "updated_at": f"{day} 20:59:00"}
    ratings.sort(key=lambda r: (r["updated_at"], r["rating_id"]))
    path.with_suffix(".new").write_text(json.dumps(ratings), "utf-8")
    path.with_suffix(".new").replace(path)


def _short_night(town, day, depts):
    """A night of few departments and the credit platform, without reconciliation."""
    with town.opened(f"night-{day}") as night:
        pulled = [night.pull(dept, day) for dept in depts]
        pulled += [night.pull_credit(kind, day) for kind in (Kind.RATING, Kind.REPAIR)]
        for step in STEPS:
            pulled += one_step(night, step, day, depts, credit_too=True)
        assert [r for r in pulled if not r.ok] == []
        for platform in harness.PLATFORMS:
            assert night.deliver(platform).alarms == []


def _open(town):
    """Open entries of the repairs: the key that was named → (rule, message)."""
    where = (quarantine.c.kind == "repair") & quarantine.c.settled_at.is_(None)
    with town.opened() as night, night.ledger.read() as conn:
        return {row.value: (row.rule, row.message) for row in conn.execute(select(quarantine).where(where))}


def _rows(town, platform, key):
    """Version → row of the outbox."""
    where = (outbox.c.platform == platform) & (outbox.c.record_key == key)
    with town.opened() as night, night.ledger.read() as conn:
        return {row.version: row for row in conn.execute(select(outbox).where(where))}


def _history(town, platform, key):
    return [r for r in town.mocks.ledger(platform, history=True) if r["key"] == key or r["key"].startswith(f"{key}-")]


def _actions(held, key):
    return {k: e for k, e in held[TWO].items() if k.startswith(f"{key}-")}


# ---------------------------------------------------------------- a published inspection


def test_a_repaired_inspection_stays_on_one_as_not_publishable_with_its_reason(story):
    before, after = (held[ONE][story.repaired]["content"] for held in story.held[:2])
    assert before["publishable"] is True
    assert (after["publishable"], after["notPublishReason"]) == (False, "信用修复")
    same = {"publishable": 0, "notPublishReason": 0}
    assert before | same == after | same


def test_a_repaired_inspection_is_left_on_two_as_it_was(story):
    before, after = (_actions(held, story.repaired) for held in story.held[:2])
    assert before
    assert before == after
    assert {e["state"] for e in after.values()} == {"PRESENT"}
    assert _rows(story.town, TWO, story.repaired)[2].state == "NOT_APPLICABLE"


def test_a_repaired_inspection_is_stopped_on_three_for_that_reason(story):
    states = [held[THREE][story.repaired]["state"] for held in story.held[:2]]
    assert states == ["PRESENT", "WITHDRAWN"]
    stop = _rows(story.town, THREE, story.repaired)[2]
    assert (stop.op, stop.state, stop.rule) == ("WITHDRAW", "CONFIRMED", "REPAIRED")


def test_a_correction_after_the_repair_reaches_one_and_two_and_is_not_public_again(story):
    repaired, corrected = (held[ONE][story.repaired]["content"] for held in story.held[1:])
    assert repaired["details"] != corrected["details"]
    assert (corrected["publishable"], corrected["notPublishReason"]) == (False, "信用修复")
    assert _actions(story.held[1], story.repaired) != _actions(story.held[2], story.repaired)
    assert story.held[2][THREE][story.repaired]["state"] == "WITHDRAWN"
    assert _rows(story.town, THREE, story.repaired)[3].state == "BLOCKED"
    assert [r["state"] for r in _history(story.town, THREE, story.repaired)] == ["PUBLIC", "STOPPED"]


# ---------------------------------------------------------------- a shared rating


def test_a_repaired_rating_is_withdrawn_on_all_three_platforms(story):
    states = [[held[p][story.rating]["state"] for p in harness.PLATFORMS] for held in story.held]
    assert states == [["PRESENT"] * 3, ["WITHDRAWN"] * 3, ["WITHDRAWN"] * 3]


# ---------------------------------------------------------------- a notice that finds nothing


def test_a_notice_with_an_unknown_key_is_kept_and_shown_with_what_will_happen(story):
    unknown = next(d for d in story.town.manifest()["defects"] if d["defect"] == "repair_of_unknown")
    number = story.town.county.days.index(next(d for d in story.town.county.days if d.isoformat() == unknown["day"]))
    rule, message = story.open[number][unknown["record_no"]]
    assert rule == "REP-004"
    assert "没有收到过" in message
    assert "到达时不会公示" in message
    with story.town.opened() as night, night.ledger.read() as conn:
        kept = conn.execute(select(suppression).where(suppression.c.record_key == unknown["record_no"])).one()
        assert (kept.state, kept.reason) == ("UNKNOWN_KEY", "REPAIRED")
    with story.town.opened() as night:
        shown = day_figures(night, story.town.county.days[number])["returned"]
    assert [e for e in shown if e["value"] == unknown["record_no"] and e["name"] == "信用信息共享平台"]


def test_a_notice_about_a_penalty_is_shown_and_changes_nothing(story):
    rules = [rule for opened in story.open for rule, _ in opened.values()]
    assert "REP-005" in rules
    assert all(not key.startswith("周市监样例罚") for held in story.held for p in held.values() for key in p)


# ---------------------------------------------------------------- a record that comes after its notice


def test_an_inspection_that_comes_after_its_notice_is_never_public(story):
    assert story.early in story.open[0]
    assert all(story.early not in p for p in story.held[0].values())
    for held in story.held[1:]:
        content = held[ONE][story.early]["content"]
        assert (content["publishable"], content["notPublishReason"]) == (False, "信用修复")
        assert {e["state"] for e in _actions(held, story.early).values()} == {"PRESENT"}
    assert _history(story.town, THREE, story.early) == []
    assert {row.state for row in _rows(story.town, THREE, story.early).values()} == {"BLOCKED"}


def test_a_notice_is_no_longer_shown_as_open_once_its_record_has_come(story):
    for key in (story.early, story.early_rating):
        assert key in story.open[0]
        assert key not in story.open[1]


def test_a_rating_that_comes_after_its_notice_is_not_shared_anywhere(story):
    assert all(story.early_rating not in p for held in story.held[:2] for p in held.values())
    for platform in harness.PLATFORMS:
        row = _rows(story.town, platform, story.early_rating)[1]
        assert row.state == "BLOCKED"
        assert "修复" in row.reason


def test_its_later_revision_is_shared_as_the_new_rating_it_is_and_still_never_public(story):
    assert [story.early_rating in story.held[2][p] for p in harness.PLATFORMS] == [True, True, False]
    assert _history(story.town, THREE, story.early_rating) == []
    assert _rows(story.town, THREE, story.early_rating)[2].state == "BLOCKED"


def test_the_first_nights_notices_read_again_change_nothing(story):
    town, first = story.town, story.town.county.days[0]
    before = {p: len(town.mocks.ledger(p, history=True)) for p in harness.PLATFORMS}
    _short_night(town, first, [])
    assert {p: len(town.mocks.ledger(p, history=True)) for p in harness.PLATFORMS} == before
    with town.opened() as night:
        (day,) = [d for d in night.balance(first).departments if (d.dept, d.kind) == ("credit", "repair")]
    assert day.balanced
