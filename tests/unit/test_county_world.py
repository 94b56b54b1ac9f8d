"""The sample county is the same for the same seed, lawful where nothing was planted, and holds every defect of §7.

Belongs here: properties of `World`. Must not: the pipeline; check digits are computed here a second time.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_platforms.county import departments
from mock_platforms.county.layout_tables import FOLLOW_UP, LABEL_RESULTS
from mock_platforms.county.model import Inspection
from mock_platforms.county.world import World

LAST = date(2026, 11, 20)
SEEDS = st.integers(min_value=0, max_value=10**6)
DAYS = st.dates(min_value=date(2025, 1, 20), max_value=date(2026, 12, 30))
FEW = settings(max_examples=6, deadline=None, derandomize=True)

# Standard §7, "Plant each defect", in the words of the county.
PLANTED = {
    "bad_check_digit",
    "lower_case_l",
    "letter_o",
    "fifteen_digits",
    "other_region",
    "school_without_uscc",
    "site_without_uscc",
    "lift_without_uscc",
    "resident_id_in_uscc",
    "id_in_remark",
    "mobile_in_remark",
    "id_in_task_name",
    "mobile_in_task_name",
    "one_inspector",
    "same_certificate",
    "certificate_expired",
    "auxiliary_inspector",
    "same_day_check",
    "future_check",
    "item_not_listed",
    "item_cancelled",
    "task_without_plan",
    "no_issue_beside_problem",
    "result_normal",
    "result_qualified",
    "result_empty",
    "result_status",
    "result_bare_number",
    "pending",
    "pending_outcome",
    "same_row_twice",
    "same_number_other_content",
    "same_content_other_number",
    "same_content_next_day",
    "update_after_acceptance",
    "quarantined_correction",
    "older_after_newer",
    "repair_of_public",
    "correction_after_repair",
    "repair_of_unknown",
    "repair_of_never_sent",
    "repair_of_penalty",
    "repair_of_rating",
    "repair_before_first_sending",
    "exchanged_week",
    "yuan_under_wan",
    "ratio_and_count",
    "helper_rows",
    "date_dots",
    "date_slash",
    "date_serial",
    "full_width_uscc",
    "half_width_brackets",
    "line_break_in_name",
    "lower_case_uscc",
    "grade_full_width",
    "grade_long_word",
    "grade_m",
    "risk_publishable",
    "rating_past_its_date",
    "task_number_resembles_id",
    "empty_day",
    "voided",
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, LAST, 3)


def everything(county: World) -> list[Inspection]:
    return [r for day in county.days for r in county.inspections(day)]


def planted(county: World) -> set[tuple[date, str, str]]:
    return {(d.day, d.dept, d.record_no) for d in county.defects}


def good(county: World) -> list[tuple[date, Inspection]]:
    """Records in which nothing was planted."""
    marks = planted(county)
    return [(day, r) for day in county.days for r in county.inspections(day) if (day, r.dept, r.record_no) not in marks]


def uscc_holds(code: str) -> bool:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    if len(code) != 18 or any(c not in alphabet for c in code):
        return False
    outer = sum(alphabet.index(c) * pow(3, n, 31) for n, c in enumerate(code[:17])) % 31
    inner = sum(int(c, 36) * w for c, w in zip(code[8:16], (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    return (outer + alphabet.index(code[17])) % 31 == 0 and code[16] == "0X987654321"[inner]


def passes_as_resident_id(number: str) -> bool:
    total = sum(int(c) * (2 ** (17 - n) % 11) for n, c in enumerate(number[:17]))
    return number[17] == "10X98765432"[total % 11]


def test_the_composed_codes_of_the_standard_pass_this_files_own_check() -> None:
    for code in ("91610124YY000001XB", "93610124YY00000360", "12610124YY00000521", "91610100YY0000079T"):
        assert uscc_holds(code)
        assert not uscc_holds(f"{code[:-1]}{'A' if code[-1] != 'A' else 'B'}")
    assert passes_as_resident_id("610124202611101018")


@FEW
@given(SEEDS, DAYS)
def test_the_same_arguments_give_the_same_county(seed: int, last: date) -> None:
    one, two = World(seed, last, 2), World(seed, last, 2)
    assert [one.inspections(d) for d in one.days] == [two.inspections(d) for d in two.days]
    assert [one.ratings(d) for d in one.days] == [two.ratings(d) for d in two.days]
    assert [one.repairs(d) for d in one.days] == [two.repairs(d) for d in two.days]
    assert one.defects == two.defects


def test_another_seed_gives_another_county_with_its_defects_elsewhere(world: World) -> None:
    other = World(8, LAST, 3)
    assert everything(world) != everything(other)
    here = {d.defect: (d.day, d.dept) for d in world.defects}
    there = {d.defect: (d.day, d.dept) for d in other.defects}
    assert sum(here[name] != there[name] for name in here) > 20


@FEW
@given(SEEDS, DAYS)
def test_every_defect_of_the_standard_is_planted_in_every_county_of_three_days(seed: int, last: date) -> None:
    county = World(seed, last, 3)
    assert {d.defect for d in county.defects} >= PLANTED
    assert {d.effect for d in county.defects} == {
        "quarantine",
        "warn",
        "held",
        "not_applicable",
        "blocked",
        "skipped",
        "lawful",
    }


@FEW
@given(SEEDS, DAYS)
def test_a_record_carries_at_most_one_defect_a_day(seed: int, last: date) -> None:
    county = World(seed, last, 3)
    marks = Counter((d.day, d.dept, d.record_no) for d in county.defects if d.dept != "KGJ" and d.record_no)
    assert [mark for mark, times in marks.items() if times > 1] == []


def test_every_planted_record_stands_in_that_departments_day(world: World) -> None:
    entered = {(day, r.dept, r.record_no) for day in world.days for r in world.inspections(day)}
    credit = {i["rating_id"] for d in world.days for i in world.ratings(d)}
    credit |= {i["target_key"] for d in world.days for i in world.repairs(d)}
    for defect in world.defects:
        if defect.record_no:
            assert (defect.day, defect.dept, defect.record_no) in entered or defect.record_no in credit


def test_the_defects_stand_in_the_values(world: World) -> None:
    found = {d.defect: d for d in world.defects if d.record_no}

    def of(name: str) -> Inspection:
        d = found[name]
        return next(r for r in world.inspections(d.day) if (r.dept, r.record_no) == (d.dept, d.record_no))

    assert not uscc_holds(of("bad_check_digit").raw["uscc"])
    assert "l" in of("lower_case_l").raw["uscc"]
    assert not uscc_holds(of("lower_case_l").raw["uscc"].upper())
    assert "O" in of("letter_o").raw["uscc"]
    assert re.fullmatch(r"\d{15}", of("fifteen_digits").raw["uscc"])
    number = of("resident_id_in_uscc").raw["uscc"]
    assert passes_as_resident_id(number)
    assert number.startswith("6101991899")
    assert not uscc_holds(number)
    assert of("other_region").uscc[2:8] != "610124"
    assert uscc_holds(of("other_region").uscc)
    assert of("lift_without_uscc").uscc == ""
    assert of("lift_without_uscc").counterpart_code.startswith("91")
    assert len(of("one_inspector").inspectors) == 1
    assert len({cert for _, cert in of("same_certificate").inspectors}) == 1
    assert of("future_check").inspect_date > LAST + timedelta(days=365)
    assert of("same_day_check").inspect_date == found["same_day_check"].day
    assert passes_as_resident_id(of("task_number_resembles_id").task_id)
    assert of("task_without_plan").plan_id == ""
    assert of("task_without_plan").task_id
    assert "\n" in of("line_break_in_name").raw["subject_name"]
    assert of("result_empty").items[0].result_text == ""
    assert {i.result for i in of("no_issue_beside_problem").items} == {"NO_ISSUE", "CORRECTED"}


def test_every_code_in_the_county_holds_both_check_digits(world: World) -> None:
    codes = [s.uscc for pool in world.subjects.values() for s in pool if s.uscc]
    codes += [d.uscc for d in world.departments]
    codes += [i["estimateOrgCode"] for day in world.days for i in world.ratings(day)]
    assert [code for code in codes if not uscc_holds(code)] == []
    assert all(code[8:10] == "YY" for code in codes)
    assert len(set(codes[: -len(world.ratings(LAST))])) > 500
    assert {s.uscc[:2] for pool in world.subjects.values() for s in pool} == {"91", "92", "93", "12", "52", ""}


def test_only_the_planted_task_numbers_pass_as_resident_ids(world: World) -> None:
    numbers = [t.task_id for t in world.registry.all_tasks()]
    assert len(numbers) == len(set(numbers))
    passing = {n for n in numbers if passes_as_resident_id(n)}
    assert passing == {t.task_id for t in world.registry.resembling.values()}
    used = Counter(r.task_id for r in everything(world) if r.task_id in passing)
    assert sum(used.values()) == 1


@FEW
@given(SEEDS, DAYS)
def test_what_was_not_planted_is_lawful(seed: int, last: date) -> None:
    county = World(seed, last, 3)
    registry = county.registry
    listed = {(i.item_code, i.item_name, i.implement_code, i.dept) for items in registry.items.values() for i in items}
    people = {(p.name, p.cert_no, p.dept) for p in registry.all_inspectors() if p.status == "有效" and p.nature != "05"}
    tasks = {t.task_id: t for t in registry.all_tasks()}
    plans = {p.plan_id: p for p in registry.plans.values()}
    for day, r in good(county):
        assert r.inspect_date <= r.finish_date <= r.entered_at.date() <= r.changed.date() == day
        assert r.entered_at <= r.changed
        assert r.raw == {}
        assert len({cert for _, cert in r.inspectors}) >= 2
        assert all((name, cert, r.dept) in people for name, cert in r.inspectors)
        assert all((i.item_code, i.item_name, i.implement_code, r.dept) in listed for i in r.items)
        assert 1 <= len({i.item_code for i in r.items}) <= 4
        assert bool(r.case_reason) == (r.check_kind == "个案检查")
        assert r.publishable or r.not_publish_reason
        assert r.uscc or (r.object_code and r.object_type != "1")
        sampled = r.check_kind in ("定向抽查", "不定向抽查")
        assert bool(r.plan_id) == bool(r.task_id) == sampled
        if sampled:
            task = tasks[r.task_id]
            assert task.plan_id == r.plan_id
            assert r.dept in task.depts
            assert task.start <= r.inspect_date <= task.end
            assert plans[r.plan_id].year == r.inspect_date.year


@FEW
@given(SEEDS)
def test_record_numbers_are_lawful_and_never_used_twice(seed: int) -> None:
    county = World(seed, LAST, 3)
    first_day: dict[tuple[str, str], date] = {}
    for day in county.days:
        for r in county.inspections(day):
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,18}", r.record_no)
            first_day.setdefault((r.dept, r.record_no), day)
    styles = {dept: re.sub(r"\d", "0", number) for dept, number in first_day}
    assert len(set(styles.values())) > 15
    subjects = {}
    for day, r in good(county):
        key = (r.dept, r.record_no)
        assert subjects.setdefault(key, (r.subject_name, r.inspect_date)) == (r.subject_name, r.inspect_date), day


def test_no_department_checks_one_subject_twice_on_a_day(world: World) -> None:
    seen: dict[tuple[str, str, date], str] = {}
    for _, r in good(world):
        mark = (r.dept, r.uscc or r.object_code, r.inspect_date)
        assert seen.setdefault(mark, r.record_no) == r.record_no


def test_twenty_three_departments_report_and_two_have_nothing(world: World) -> None:
    assert len(world.departments) == 25
    assert {r.dept for r in everything(world)} == set(departments.REPORTING)
    assert len(departments.REPORTING) == 23
    kinds = (departments.DATABASE, departments.WORKBOOK, departments.CUMULATIVE, departments.CSV, departments.HTTP)
    assert sorted(key for kind in kinds for key in kind) == sorted(departments.REPORTING)


def test_a_working_day_has_twelve_to_fifteen_records_a_department_and_a_sunday_fewer(world: World) -> None:
    friday = Counter(r.dept for r in world.inspections(LAST))
    empty = {d.dept for d in world.defects if d.defect == "empty_day" and d.day == LAST}
    assert all(friday[key] >= 12 for key in departments.REPORTING if key not in empty)
    sunday = World(7, date(2026, 11, 22), 1)
    assert 0 < len(sunday.inspections(sunday.last)) < len(world.inspections(LAST)) / 2
    wide = World(7, LAST, 1, 4.0)
    assert 3 < len(good(wide)) / len(good(World(7, LAST, 1))) < 5


def test_an_empty_day_has_no_record_of_that_department(world: World) -> None:
    empty = [d for d in world.defects if d.defect == "empty_day"]
    assert len(empty) == 1
    assert [r for r in world.inspections(empty[0].day) if r.dept == empty[0].dept] == []


def test_joint_inspections_share_subject_and_task_and_each_department_enters_its_own_items(world: World) -> None:
    joint: dict[tuple[str, str], list[Inspection]] = {}
    for r in everything(world):
        if r.joint:
            joint.setdefault((r.task_id, r.uscc or r.object_code), []).append(r)
    several = [rows for rows in joint.values() if len({r.dept for r in rows}) > 1]
    assert several
    for rows in several:
        assert len({r.lead_dept for r in rows}) == 1
        codes = [i.item_code for r in {r.dept: r for r in rows}.values() for i in r.items]
        assert len({code[:10] for code in codes}) == len({r.dept for r in rows})


def test_corrections_come_later_under_the_same_number(world: World) -> None:
    versions: dict[tuple[str, str], list[tuple[date, Inspection]]] = {}
    for day, r in good(world):
        versions.setdefault((r.dept, r.record_no), []).append((day, r))
    corrected = [v for v in versions.values() if len(v) > 1]
    assert len(corrected) > 5
    for (day, r), (later, after) in corrected:
        assert day < later
        assert r != after
        assert r.entered_at == after.entered_at


def test_all_eight_classes_occur_and_most_find_nothing(world: World) -> None:
    found = Counter(i.result for r in everything(world) for i in r.items)
    assert len(found) == 8
    assert found["NO_ISSUE"] > sum(found.values()) * 0.6


def test_follow_ups_and_planted_wordings_stand_only_where_the_department_could_write_them(world: World) -> None:
    for r in everything(world):
        for item in r.items:
            assert not item.follow_up or r.dept in FOLLOW_UP
            assert item.result_text is None or r.dept in LABEL_RESULTS
        assert not r.counterpart_code or r.dept in ("SCJG", "ZJJ")


def test_what_a_database_would_forget_is_planted_in_daily_files_only(world: World) -> None:
    needs_a_file = {"same_row_twice", "same_number_other_content", "older_after_newer", "quarantined_correction"}
    for d in world.defects:
        assert d.defect not in needs_a_file or d.dept in departments.DAILY_FILE


def test_ratings_and_repairs_belong_to_their_day_and_are_in_order(world: World) -> None:
    for day in world.days:
        for items in (world.ratings(day), world.repairs(day)):
            moments = [i["updated_at"] for i in items]
            assert moments == sorted(moments)
            assert all(m.startswith(day.isoformat()) for m in moments)
        for item in world.ratings(day):
            assert item["estimateTime"][:10] < day.isoformat()
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,35}", item["rating_id"])


def test_a_county_of_one_day_and_one_over_the_turn_of_the_year_can_be_drawn() -> None:
    assert World(3, LAST, 1).inspections(LAST)
    turn = World(3, date(2027, 1, 2), 4)
    assert [d for d in turn.defects if d.defect == "due_in_unknown_year"]
    assert {p.year for p in turn.registry.plans.values()} == {2026, 2027}


def test_a_county_without_days_is_refused_in_plain_words() -> None:
    with pytest.raises(ValueError, match="至少要有 1 天"):
        World(1, LAST, 0)
