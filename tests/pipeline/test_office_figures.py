"""The office's figures against the same figures reckoned by hand, and the rules of rank, dash, 零报送 and 补报."""

import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.pipeline import harness
from tests.pipeline.office_by_hand import ByHand
from tests.pipeline.office_ledger import AS_OF, DAY, PLATFORMS, an_empty_ledger, at
from zz_pipeline import course
from zz_pipeline.reports.office import Period
from zz_pipeline.reports.office.gather import bulletin
from zz_pipeline.reports.office.model import Ratio

# a workbook that grows, the credit lead, a record with an empty item, and most of the county's stories
REPORTING = ("WLJ", "JTJ", "MZJ", "KGJ")
SUNDAY = date(2026, 11, 15)
COUNTED = ("provided", "owed", "accepted", "stored", "returned", "reworked", "bad_codes", "belated", "public_owed", "public",
           "timely", "late", "missed", "items_owed", "items")  # fmt: skip
SHARED = ("provided", "owed", "accepted", "stored", "returned", "reworked", "bad_codes")


@dataclass
class Reported:
    town: harness.Town
    hand: ByHand

    def of(self, span, day):
        with self.town.opened() as night:
            return bulletin(night, Period.of(span, day))


def build(folder, days, scale, reporting):
    """Every day taken in on its own, then one delivery to three running platforms."""
    with harness.town(folder, seed=7, days=days, scale=scale, last=SUNDAY, reporting=reporting) as town:
        with town.opened() as night:
            night.load_all()
            for day in town.county.days:
                town.county.apply(day)
                failed = [r for r in course.take_in(night, day, lambda *_: None) if r.error]
                assert not failed
            sent = [night.deliver(target.name) for target in night.targets]
            assert not any(one.stopped for one in sent)
            today = night.now().date()
        ledgers = {name: town.mocks.ledger(name) for name in harness.PLATFORMS}
        yield Reported(town, ByHand(town.county.world, ledgers, today, reporting or ()))


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    yield from build(tmp_path_factory.mktemp("office"), 7, 0.1, REPORTING)


def differences(reported, period, found):
    """What the bulletin says and what was reckoned, where they differ."""
    problems = []
    for line in found.lines:
        rating = line.kind == "信用评价"
        if line.dept in (reported.hand.reporting or (line.dept,)):
            args = (period.first, period.last)
            want = reported.hand.shared(*args) if rating else reported.hand.inspections(line.dept, *args)
            keys = SHARED if rating else COUNTED
            said = {k: line.now.counts[k] for k in keys}
            wanted = {k: want[k] for k in keys}
            if said != wanted:
                wrong = {k: (said[k], wanted[k]) for k in keys if said[k] != wanted[k]}
                problems.append((period.mark, line.dept, line.kind, wrong))
    return problems


def test_a_weeks_figures_are_those_reckoned_from_the_county_and_the_platforms(week):
    period = Period.of("week", SUNDAY)
    found = week.of("week", SUNDAY)
    assert differences(week, period, found) == []
    assert found.total.now.counts["stored"] > 30
    assert found.total.now.counts["returned"] > 5


def test_each_days_figures_are_those_reckoned_and_the_trend_is_the_day_before(week):
    problems, earlier = [], None
    for day in week.town.county.days:
        found = week.of("day", day)
        problems += differences(week, Period.of("day", day), found)
        if earlier is not None:
            assert found.total.before == earlier.total.now
        earlier = found
    assert problems == [], "\n".join(map(str, problems))


def test_the_command_writes_the_four_files_of_the_week_and_names_them(week, tmp_path):
    said = week.town.zz("bulletin", "week", "--day", SUNDAY.isoformat(), "--out", str(tmp_path), "--json")
    assert said.returncode == 0, said.stderr
    files = json.loads(said.stdout)["files"]
    assert {p.name for p in tmp_path.iterdir()} == {f"周报-2026-W46.{e}" for e in ("html", "xlsx", "docx", "json")}
    figures = json.loads(Path(files["json"]).read_text("utf-8"))
    assert figures["total"]["now"]["counts"]["stored"] == week.of("week", SUNDAY).total.now.counts["stored"]
    wrong = week.town.zz("bulletin", "day", "--day", "20.11.2026")
    assert (wrong.returncode, "应写成" in wrong.stderr) == (2, True)


# ── rules that an ordinary week does not show ────────────────────────────────────────────────────────────────────────
def line_of(found, dept):
    return next(line for line in found.lines if line.dept == dept and line.kind == "检查结果")


def test_an_empty_denominator_shows_a_dash_and_never_a_percentage(tmp_path):
    with an_empty_ledger(tmp_path) as (night, _):
        found = bulletin(night, Period.of("month", DAY))
    shown = {ratio.text for line in (*found.lines, found.total) for ratio in line.now.ratios.values()}
    assert shown == {"—"}


@pytest.mark.parametrize(
    ("n", "d", "text"),
    [(0, 0, "—"), (0, 7, "0.0%"), (7, 7, "100.0%"), (99_999, 100_000, "99.9%"), (1, 100_000, "0.1%"), (1, 16, "6.3%")],
)
def test_only_what_is_whole_reads_as_a_hundred_percent(n, d, text):
    assert Ratio(n, d).text == text


def test_ties_share_their_place_and_who_had_nothing_to_report_is_not_last(tmp_path):
    with an_empty_ledger(tmp_path) as (night, rows):
        for dept in night.settings.departments:
            rows.read(dept, state="FAILED" if dept == "ZJJ" else "NONE" if dept == "XCB" else "OK")
        for dept, good, bad in (("SCJG", 2, 0), ("HBJ", 4, 0), ("JYJ", 1, 1), ("KGJ", 3, 3), ("WLJ", 0, 2)):
            for n in range(good + bad):
                rows.record(dept, f"{n}", states={} if n < good else {"double_random": "REJECTED"})
        found = bulletin(night, Period.of("day", DAY))
    ranks = {dept: line_of(found, dept).rank for dept in ("SCJG", "HBJ", "JYJ", "KGJ", "WLJ", "XCB", "GAJ", "ZJJ")}
    assert ranks == {
        "SCJG": "并列第1", "HBJ": "并列第1", "JYJ": "并列第3", "KGJ": "并列第3", "WLJ": "第5",
        "XCB": "零报送", "GAJ": "零报送", "ZJJ": "没有读到",
    }  # fmt: skip
    assert [line.rank for line in found.lines[:5]] == ["并列第1", "并列第1", "并列第3", "并列第3", "第5"]


def test_each_day_says_whether_it_was_reported_empty_unread_or_never_run(tmp_path):
    days = [DAY - timedelta(days=n) for n in (4, 3, 2, 1, 0)]
    with an_empty_ledger(tmp_path) as (night, rows):
        rows.read("SCJG", days[0])
        rows.record("SCJG", "1", days[0])
        rows.read("SCJG", days[1], "EMPTY")
        rows.read("SCJG", days[2], "FAILED")
        rows.read("SCJG", days[4])
        rows.record("SCJG", "2", days[4])
        rows.record("SCJG", "3", days[4], changed=f"{days[2]} 10:00:00")
        found = bulletin(night, Period.of("week", DAY))
        month = bulletin(night, Period.of("month", DAY))
    marks = next(a.marks for a in found.attendance if a.name == "县市场监管局")
    assert marks == ("1", "零", "未读到", "未运行", "2补1", "未运行", "未运行")
    assert next(a.marks for a in month.attendance if a.name == "县市场监管局")[20:] == (
        "未运行",
        "未运行",
        *["未到"] * 8,
    )
    assert line_of(month, "SCJG").now.counts["lost_days"] == 15 + 4
    assert line_of(found, "SCJG").now.counts["zero_days"] == 1
    assert line_of(found, "SCJG").now.counts["lost_days"] == 4
    assert [row[2] for row in found.listing("belated").rows] == ["610124-SCJG-3"]


def test_a_record_taken_in_after_its_own_night_is_shown_as_handed_in_late(tmp_path):
    with an_empty_ledger(tmp_path) as (night, rows):
        rows.record("SCJG", "in-time", taken=at(DAY + timedelta(days=1), "23:59:59"))
        rows.record("SCJG", "late", taken=at(DAY + timedelta(days=2), "00:00:00"))
        found = bulletin(night, Period.of("day", DAY))
    assert [row[2] for row in found.listing("belated").rows] == ["610124-SCJG-late"]
    assert line_of(found, "SCJG").remark == "补报 1 条"


def test_the_last_second_of_the_statutory_day_is_in_time_and_the_next_is_late(tmp_path):
    waits = dict.fromkeys(PLATFORMS, "READY")
    with an_empty_ledger(tmp_path) as (night, rows):
        rows.record("SCJG", "in-time", due="2026-11-20", done=at(DAY, "23:59:59"))
        rows.record("SCJG", "late", due="2026-11-20", done=at(DAY + timedelta(days=1), "00:00:00"))
        rows.record("SCJG", "missed", due="2026-11-20", states=waits)
        rows.record("SCJG", "today", due="2026-11-23", states=waits)
        found = bulletin(night, Period.of("day", DAY))
    counts = line_of(found, "SCJG").now.counts
    assert (counts["timely"], counts["late"], counts["missed"], counts["judged"]) == (3, 3, 3, 9)
    assert line_of(found, "SCJG").now.ratios["timeliness"].text == "33.3%"
    assert line_of(found, "SCJG").now.ratios["lateness"].text == "50.0%"


def test_overdue_and_near_are_counted_in_working_days_with_every_platform_named(tmp_path):
    dues = {"friday": "2026-11-20", "monday": "2026-11-23", "thursday": "2026-11-26", "next-friday": "2026-11-27"}
    with an_empty_ledger(tmp_path) as (night, rows):
        for number, due in dues.items():
            rows.record("SCJG", number, due=due, states={"publicity": "HELD"})
        found = bulletin(night, Period.of("day", DAY))
    overdue, near = found.listing("overdue"), found.listing("near")
    assert overdue.rows == (
        ("县市场监管局", "检查结果", "610124-SCJG-friday", "信用公示系统", "2026-11-20", "-1", "暂缓"),
    )
    assert [(row[2].rpartition("SCJG-")[2], row[5]) for row in near.rows] == [("monday", "0"), ("thursday", "3")]
    assert found.total.now.counts["overdue"] == 1
    assert found.total.now.counts["near"] == 2
    assert found.total.now.counts["held"] == 4


def test_a_row_that_a_later_version_has_overtaken_is_open_no_more(tmp_path):
    with an_empty_ledger(tmp_path) as (night, rows):
        key = rows.record("SCJG", "1", due="2026-11-20", states={"publicity": "REJECTED"})
        assert bulletin(night, Period.of("day", DAY)).total.now.counts["rejected"] == 1
        rows.newer(key, "publicity", DAY + timedelta(days=1))
        found = bulletin(night, Period.of("day", DAY))
    assert found.total.now.counts["rejected"] == 0
    assert found.total.now.counts["overdue"] == 0


def test_a_unit_found_bad_again_and_again_is_mended_only_when_nothing_of_it_is_open(tmp_path):
    with an_empty_ledger(tmp_path) as (night, rows):
        rows.returned("MZJ", "610124-MZJ-1", DAY, settled=at(AS_OF), by="已由新的检查结果取代")
        rows.returned("MZJ", "610124-MZJ-1", DAY + timedelta(days=1))
        rows.returned("MZJ", "610124-MZJ-2", DAY, settled=at(AS_OF))
        found = bulletin(night, Period.of("day", DAY))
    assert line_of(found, "MZJ").now.ratios["rework"] == Ratio(1, 2)
    assert [row[2:] for row in found.listing("returned").rows] == [
        ("610124-MZJ-1", "2026-11-20", "INS-003", "统一社会信用代码", "未整改"),
        ("610124-MZJ-2", "2026-11-20", "INS-003", "统一社会信用代码", "已整改"),
    ]


def test_a_row_answered_under_its_return_number_is_not_owed_twice(tmp_path):
    with an_empty_ledger(tmp_path) as (night, rows):
        rows.returned("SCJG", "表.xlsx#7", settled=at(AS_OF), by="已交回更正并重新检查", rule="INS-001")
        rows.record("SCJG", "mended")
        found = bulletin(night, Period.of("day", DAY))
    counts = line_of(found, "SCJG").now.counts
    assert (counts["handed"], counts["provided"], counts["owed"], counts["stored"]) == (2, 1, 1, 1)
    assert (counts["returned"], counts["reworked"]) == (1, 1)


def test_every_count_is_as_long_as_the_list_behind_it(week):
    found = week.of("week", SUNDAY)
    counts, size = found.total.now.counts, {one.key: one.total for one in found.listings}
    same = ("overdue", "near", "unknown", "held", "rejected", "returned")
    assert {key: size[key] for key in same} == {key: counts[key] for key in same}
    assert size["records"] == counts["handed"]
    assert size["published"] == counts["public_owed"]
    for at_column, key in ((5, "accepted"), (6, "owed"), (7, "reported"), (8, "stored")):
        assert sum(row[at_column] == "是" for row in found.listing("records").rows) == counts[key]
    verdicts = Counter(row[7] for row in found.listing("timely").rows)
    keys = (("按期入库", "timely"), ("迟报", "late"), ("逾期未入库", "missed"))
    assert [verdicts[word] for word, _ in keys] == [counts[key] for _, key in keys]
    assert len({row[:3] for row in found.listing("belated").rows}) == counts["belated"]


def test_no_name_of_a_person_or_an_enterprise_stands_in_a_bulletin(week):
    said = repr(week.of("week", SUNDAY).as_dict())
    names = {r.subject_name for day in week.town.county.days for r in week.town.county.world.inspections(day)}
    people = {
        name
        for day in week.town.county.days
        for r in week.town.county.world.inspections(day)
        for name, _ in r.inspectors
    }
    assert len(names) > 20
    assert [name for name in names | people if name in said] == []
    assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", said)


# ── a large county, a long time ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.long
def test_sixty_days_of_the_county_are_reckoned_right_for_every_week_and_month(tmp_path):
    for reported in build(tmp_path, 60, 0.1, REPORTING):
        problems = []
        for span in ("week", "month"):
            for period in {Period.of(span, day) for day in reported.town.county.days}:
                problems += differences(reported, period, reported.of(span, period.first))
        assert problems == [], "\n".join(map(str, problems))


@pytest.mark.long
def test_a_month_of_a_county_with_a_million_records_a_year_is_counted_in_seconds(tmp_path):
    with an_empty_ledger(tmp_path) as (night, rows):
        rows.many(250_000, date(2026, 9, 1), 91, sorted(night.settings.departments))
        start = time.process_time()
        found = bulletin(night, Period.of("month", DAY))
        spent = time.process_time() - start
    assert 82_000 < found.total.now.counts["handed"] < 82_800
    assert found.total.now.ratios["intake"].text == "100.0%"
    print(f"{found.total.now.counts['handed']} records of the month: {spent:.1f} s")
    assert spent < 60
