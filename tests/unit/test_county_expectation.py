"""What the platforms must hold follows from what happened: every derivation against hand-written contract records.

Belongs here: `expect` and `manifest`. Must not: the pipeline, the platforms' mocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_platforms.county import departments
from mock_platforms.county.contents import double_random, internet_supervision, publicity
from mock_platforms.county.expect import expected, nights
from mock_platforms.county.manifest import manifest, units
from mock_platforms.county.model import Defect, Inspection, Item
from mock_platforms.county.world import World

LAST = date(2026, 11, 20)
SEEDS = st.integers(min_value=0, max_value=10**6)
FEW = settings(max_examples=6, deadline=None, derandomize=True)
NAMES = ("double_random", "internet_supervision", "publicity")
USCC_OF = {d.key: d.uscc for d in departments.DEPARTMENTS}
NAME_OF = {d.key: d.name for d in departments.DEPARTMENTS}


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, LAST, 3)


@pytest.fixture(scope="module")
def final(world: World) -> dict[str, dict[str, Any]]:
    return expected(world, LAST)


def of(world: World, name: str) -> Defect:
    return next(d for d in world.defects if d.defect == name)


def key(defect: Defect) -> str:
    return f"610124-{defect.dept}-{defect.record_no}"


def record(world: World, defect: Defect) -> Inspection:
    rows = world.inspections(defect.day)
    return next(r for r in rows if (r.dept, r.record_no) == (defect.dept, defect.record_no))


def present(state: dict[str, dict[str, Any]], platform: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((k, e) for k, e in state[platform].items() if e["state"] == "PRESENT")


def handmade() -> Inspection:
    return Inspection(
        dept="SCJG",
        record_no="2026-0004711",
        changed=datetime.fromisoformat("2026-11-20 17:30:00"),
        plan_id="61012420261000",
        plan_name="周至县2026年度部门联合双随机抽查计划",
        task_id="610124202611101001",
        task_name="餐饮服务单位食品安全与燃气安全联合抽查",
        check_kind="不定向抽查",
        case_reason="",
        joint=True,
        lead_dept="周至县市场监督管理局",
        subject_name="周至县样例餐饮有限公司",
        uscc="91610124YY000001XB",
        object_type="1",
        object_code="",
        counterpart_nature="02",
        address_operating="周至县二曲街道样例路1号",
        area_code="610124",
        inspectors=[("张某", "27010124001"), ("李某", "27010124002")],
        inspect_date=date(2026, 11, 19),
        finish_date=date(2026, 11, 20),
        check_form="02",
        check_type="01",
        check_mode="1",
        publishable=True,
        not_publish_reason="",
        entered_by="王某",
        entered_at=datetime.fromisoformat("2026-11-20 17:20:00"),
        items=[
            Item("61012400010001", "食品安全检查", "11610124YY900001644000001", "CORRECTED", remark="当场告知"),
            Item("61012400010001", "食品安全检查", "11610124YY900001644000001", "NOT_PUBLISHED"),
        ],
    )


def test_the_entry_platforms_record_is_the_contracts_example() -> None:
    assert double_random(handmade()) == {
        "recordKey": "610124-SCJG-2026-0004711",
        "operation": "UPSERT",
        "raninsPlanId": "61012420261000",
        "raninsPlaneName": "周至县2026年度部门联合双随机抽查计划",
        "raninsTaskId": "610124202611101001",
        "raninsTaskName": "餐饮服务单位食品安全与燃气安全联合抽查",
        "raninsTypeName": "不定向抽查",
        "caseReason": "",
        "jointCheck": True,
        "leadDept": "周至县市场监督管理局",
        "entName": "周至县样例餐饮有限公司",
        "uniCode": "91610124YY000001XB",
        "objectType": "1",
        "objectCode": "",
        "insAuth": "周至县市场监督管理局",
        "insAuthCode": "11610124YY90000164",
        "inspectors": [{"name": "张某", "certNo": "27010124001"}, {"name": "李某", "certNo": "27010124002"}],
        "insDate": "2026-11-19",
        "finishDate": "2026-11-20",
        "details": [
            {
                "itemCode": "61012400010001",
                "raninsItemName": "食品安全检查",
                "raninsCheckResName": "未按规定公示应当公示的信息",
                "remark": "",
            },
            {
                "itemCode": "61012400010001",
                "raninsItemName": "食品安全检查",
                "raninsCheckResName": "发现问题已责令改正",
                "remark": "当场告知",
            },
        ],
        "publishable": True,
        "notPublishReason": "",
        "enteredBy": "周至县市场监督管理局",
        "enteredByCode": "11610124YY90000164",
        "enteredAt": "2026-11-20 17:20:00",
    }


def test_the_citys_record_is_one_for_each_item_with_what_was_done_next() -> None:
    cd_id = "610124-SCJG-2026-0004711-61012400010001"
    assert internet_supervision(handmade()) == {
        cd_id: {
            "cd_id": cd_id,
            "record_unique_identity": cd_id,
            "plan_id": "61012420261000",
            "supervise_item_implement_code": "61012400010001",
            "supervise_item_check_icode": "11610124YY900001644000001",
            "check_action_name": "餐饮服务单位食品安全与燃气安全联合抽查",
            "check_action_code": cd_id,
            "implement_institution": "周至县市场监督管理局",
            "implement_institution_code": "11610124YY90000164",
            "supervise_object_type": "1",
            "supervise_object": "周至县样例餐饮有限公司",
            "administrative_cp": "周至县样例餐饮有限公司",
            "administrative_cp_na": "02",
            "administrative_cp_ce_type": "001",
            "administrative_cp_ui_code": "91610124YY000001XB",
            "address_registered": "",
            "address_operating": "周至县二曲街道样例路1号",
            "area_number": "610124",
            "check_form": "02",
            "check_type": "01",
            "check_mode": "1",
            "check_result": "02",
            "check_date": "2026-11-19",
            "check_personnel": "张某,李某",
            "check_personnel_code": "27010124001,27010124002",
            "submitted_personnel": "王某",
        }
    }


def test_the_public_record_counts_from_completion_and_numbers_its_details() -> None:
    assert publicity(handmade()) == {
        "pubId": "610124-SCJG-2026-0004711",
        "UniCode": "91610124YY000001XB",
        "EntName": "周至县样例餐饮有限公司",
        "raninsPlanId": "61012420261000",
        "raninsPlaneName": "周至县2026年度部门联合双随机抽查计划",
        "raninsTaskId": "610124202611101001",
        "raninsTaskName": "餐饮服务单位食品安全与燃气安全联合抽查",
        "raninsTypeName": "不定向抽查",
        "insAuth": "周至县市场监督管理局",
        "insDate": "2026-11-20",
        "details": [
            {"seqno": 1, "raninsItemName": "食品安全检查", "raninsCheckResName": "未按规定公示应当公示的信息"},
            {"seqno": 2, "raninsItemName": "食品安全检查", "raninsCheckResName": "发现问题已责令改正"},
        ],
        "publicUntil": "",
    }


@pytest.mark.parametrize(
    ("result", "follow_up", "code"),
    [
        ("NO_ISSUE", None, "01"),
        ("NO_ACTIVITY", None, "01"),
        ("FALSE_INFO", None, "02"),
        ("UNREACHABLE", None, "06"),
        ("REFUSED", None, "06"),
        ("REFUSED", "04", "04"),
        ("PENDING", "06", "06"),
    ],
)
def test_a_department_s_own_outcome_goes_before_the_map(result: str, follow_up: str | None, code: str) -> None:
    row = handmade()
    row.items = [Item("61012400010001", "食品安全检查", "x", result, follow_up=follow_up)]
    assert [r["check_result"] for r in internet_supervision(row).values()] == [code]


def test_a_lift_goes_to_the_city_under_its_responsible_body_and_a_house_under_its_own_code() -> None:
    lift = handmade()
    lift.uscc, lift.object_code, lift.object_type = "", "YLDX-610124-000001", "3"
    lift.counterpart_name, lift.counterpart_code = "周至县样例物业有限公司", "91610124YY000001XB"
    (content,) = internet_supervision(lift).values()
    assert content["supervise_object"] == "周至县样例餐饮有限公司"
    assert (content["administrative_cp"], content["administrative_cp_ce_type"]) == ("周至县样例物业有限公司", "001")
    assert content["administrative_cp_ui_code"] == "91610124YY000001XB"
    lift.counterpart_name = lift.counterpart_code = ""
    (content,) = internet_supervision(lift).values()
    assert (content["administrative_cp_ce_type"], content["administrative_cp_ui_code"]) == ("099", "YLDX-610124-000001")


@FEW
@given(SEEDS)
def test_only_publishable_results_of_market_entities_are_public_and_never_a_risk_rating(seed: int) -> None:
    county = World(seed, LAST, 3)
    newest = {f"610124-{r.dept}-{r.record_no}": r for d in county.days for r in county.inspections(d)}
    for _, state in nights(county):
        for remote, entry in present(state, "publicity"):
            content = entry["content"]
            assert content["UniCode"][:2] in ("91", "92", "93")
            if entry["kind"] == "rating":
                assert content["scheme"] == "PUBLIC"
            else:
                assert state["double_random"][remote]["content"]["publishable"] is True
                assert "13000000000" not in str(content)
                assert remote in newest
    for remote, entry in state["double_random"].items():
        if entry["kind"] == "inspection" and not entry["content"]["publishable"]:
            assert entry["content"]["notPublishReason"]
            assert state["publicity"].get(remote, {"state": "WITHDRAWN"})["state"] == "WITHDRAWN"


@FEW
@given(SEEDS)
def test_every_record_stands_in_the_name_of_the_department_that_inspected(seed: int) -> None:
    state = expected(World(seed, LAST, 3), LAST)
    for remote, entry in present(state, "double_random"):
        owner, content = entry["department"], entry["content"]
        if entry["kind"] == "inspection":
            assert remote.split("-")[1] == owner
            assert content["insAuthCode"] == content["enteredByCode"] == USCC_OF[owner]
            assert content["insAuth"] == NAME_OF[owner]
        else:
            assert content["sharedByCode"] == USCC_OF["KGJ"]
    for remote, entry in present(state, "internet_supervision"):
        owner, content = entry["department"], entry["content"]
        if entry["kind"] == "inspection":
            assert remote.split("-")[1] == owner
            assert content["implement_institution_code"] == USCC_OF[owner]
            assert content["supervise_item_check_icode"].startswith(f"{USCC_OF[owner]}4")
    assert all(
        e["content"]["insAuth"] == NAME_OF[e["department"]]
        for _, e in present(state, "publicity")
        if "insAuth" in e["content"]
    )


def test_a_returned_record_reaches_no_platform(world: World, final: dict[str, dict[str, Any]]) -> None:
    entered = {(r.dept, r.record_no): d for d in world.days for r in world.inspections(d)}
    returned = {
        (d.dept, d.record_no): d for d in world.defects if d.effect == "quarantine" and (d.dept, d.record_no) in entered
    }
    accepted_at_some_time = {"returned_then_mended", "quarantined_correction", "older_after_newer"}
    stories = {(d.dept, d.record_no) for d in world.defects if d.defect in accepted_at_some_time}
    alone = [d for mark, d in returned.items() if mark not in stories]
    assert len(alone) > 25
    for d in alone:
        assert [k for name in NAMES for k in final[name] if k == key(d) or k.startswith(f"{key(d)}-")] == []


@pytest.mark.parametrize("name", ["quarantined_correction", "older_after_newer"])
def test_a_returned_correction_leaves_the_accepted_version_standing(world: World, name: str) -> None:
    d = of(world, name)
    before, after = expected(world, world.days[world.days.index(d.day) - 1]), expected(world, d.day)
    assert before["double_random"][key(d)] == after["double_random"][key(d)]
    assert after["publicity"][key(d)]["state"] == "PRESENT"


def test_a_mended_record_is_accepted_the_day_it_is_mended(world: World) -> None:
    d = of(world, "returned_then_mended")
    before = expected(world, world.days[world.days.index(d.day) - 1])
    assert key(d) not in before["double_random"]
    assert key(d) in expected(world, d.day)["double_random"]


def test_a_pending_result_waits_for_the_city_until_its_outcome_is_known(world: World) -> None:
    d = of(world, "pending_outcome")
    before, after = expected(world, world.days[world.days.index(d.day) - 1]), expected(world, d.day)
    cd_id = f"{key(d)}-{record(world, d).items[0].item_code}"
    assert before["double_random"][key(d)]["content"]["details"][0]["raninsCheckResName"] == "发现问题待后续处理"
    assert key(d) in before["publicity"]
    assert cd_id not in before["internet_supervision"]
    assert after["internet_supervision"][cd_id]["content"]["check_result"] == "02"


def test_personal_data_in_a_task_name_holds_the_public_record_only(
    world: World, final: dict[str, dict[str, Any]]
) -> None:
    for name in ("id_in_task_name", "mobile_in_task_name"):
        d = of(world, name)
        assert final["double_random"][key(d)]["state"] == "PRESENT"
        assert key(d) not in final["publicity"]


def test_a_remark_with_personal_data_leaves_empty_and_the_record_passes(
    world: World, final: dict[str, dict[str, Any]]
) -> None:
    for name in ("id_in_remark", "mobile_in_remark"):
        d = of(world, name)
        assert record(world, d).items[0].remark
        content = final["double_random"][key(d)]["content"]
        assert [row["remark"] for row in content["details"]] == [""] * len(content["details"])
        assert final["publicity"][key(d)]["state"] == "PRESENT"


def test_odd_but_lawful_writing_arrives_in_its_plain_form(world: World, final: dict[str, dict[str, Any]]) -> None:
    for name in ("full_width_uscc", "lower_case_uscc"):
        d = of(world, name)
        code = final["publicity"][key(d)]["content"]["UniCode"]
        assert code.isascii()
        assert code == code.upper() != record(world, d).raw["uscc"]
    brackets = final["publicity"][key(of(world, "half_width_brackets"))]["content"]["EntName"]
    assert "（" in brackets
    assert "(" not in brackets
    assert "\n" not in final["publicity"][key(of(world, "line_break_in_name"))]["content"]["EntName"]
    assert "（10%20户）" in final["publicity"][key(of(world, "ratio_and_count"))]["content"]["raninsTaskName"]


def test_subjects_without_a_market_code_are_entered_but_not_public(
    world: World, final: dict[str, dict[str, Any]]
) -> None:
    for name in ("school_without_uscc", "site_without_uscc", "lift_without_uscc"):
        d = of(world, name)
        content = final["double_random"][key(d)]["content"]
        assert content["uniCode"] == ""
        assert content["objectCode"]
        assert key(d) not in final["publicity"]


def test_a_repaired_inspection_is_stopped_and_stays_so_in_later_versions(world: World) -> None:
    later = of(world, "correction_after_repair")
    stopped = world.days[world.days.index(later.day) - 1]
    before, after, end = (expected(world, d) for d in (world.days[0], stopped, later.day))
    assert before["publicity"][key(later)]["state"] == "PRESENT"
    for state in (after, end):
        assert state["publicity"][key(later)] == {
            **before["publicity"][key(later)],
            "state": "WITHDRAWN",
            "content": {},
        }
        content = state["double_random"][key(later)]["content"]
        assert (content["publishable"], content["notPublishReason"]) == (False, "信用修复")
        assert any(k.startswith(f"{key(later)}-") for k, _ in present(state, "internet_supervision"))
    assert after["double_random"][key(later)] != end["double_random"][key(later)]


def test_a_repair_on_the_day_of_entry_keeps_the_record_off_the_public_page(
    world: World, final: dict[str, dict[str, Any]]
) -> None:
    remote = of(world, "repair_before_first_sending").record_no
    assert remote not in final["publicity"]
    assert final["double_random"][remote]["content"]["notPublishReason"] == "信用修复"
    assert any(k.startswith(f"{remote}-") for k, _ in present(final, "internet_supervision"))


def test_a_repair_of_an_unknown_or_never_sent_key_or_a_penalty_touches_nothing(
    world: World, final: dict[str, dict[str, Any]]
) -> None:
    for name in ("repair_of_unknown", "repair_of_never_sent", "repair_of_penalty"):
        remote = of(world, name).record_no
        assert [n for n in NAMES if remote in final[n]] == []


def test_a_repaired_rating_is_withdrawn_everywhere(world: World, final: dict[str, dict[str, Any]]) -> None:
    remote = of(world, "repair_of_rating").record_no
    assert [final[n][remote]["state"] for n in NAMES] == ["WITHDRAWN"] * 3
    assert [expected(world, world.days[0])[n][remote]["state"] for n in NAMES] == ["PRESENT"] * 3


def test_ratings_arrive_in_the_grades_of_their_scheme(world: World, final: dict[str, dict[str, Any]]) -> None:
    grades = {"PUBLIC": "优良中差", "INDUSTRY": "ABCDM", "RISK": "ABCD"}
    ratings = [e["content"] for _, e in present(final, "double_random") if e["kind"] == "rating"]
    assert len(ratings) > 30
    assert all(r["grade"] in grades[r["scheme"]] for r in ratings)
    assert {r["scheme"] for r in ratings} == set(grades)
    assert final["double_random"][of(world, "grade_full_width").record_no]["content"]["grade"] == "A"
    assert final["publicity"][of(world, "grade_long_word").record_no]["content"]["grade"] == "优"
    text = of(world, "mark_as_text").record_no
    assert final["double_random"][text]["content"]["score"] == 88.5
    assert final["internet_supervision"][text]["content"]["enterpriseMark"] == "88.50"
    missing = of(world, "mark_missing").record_no
    assert final["double_random"][missing]["content"]["score"] is None
    assert final["internet_supervision"][missing]["content"]["enterpriseMark"] == ""
    assert "（" in final["publicity"][of(world, "rating_name_brackets").record_no]["content"]["EntName"]


def test_an_expired_or_unreadable_rating_goes_nowhere_and_an_unpublishable_one_is_not_public(
    world: World, final: dict[str, dict[str, Any]]
) -> None:
    for name in ("rating_past_its_date", "grade_aaa", "grade_letter_under_public", "rating_bad_check_digit"):
        assert [n for n in NAMES if of(world, name).record_no in final[n]] == []
    for name in ("risk_publishable", "rating_withheld"):
        remote = of(world, name).record_no
        assert [n for n in NAMES if remote in final[n]] == ["double_random", "internet_supervision"]
    assert final["publicity"][of(world, "rating_no_longer_publishable").record_no]["state"] == "WITHDRAWN"


def test_a_county_that_released_no_scheme_publishes_no_rating(world: World) -> None:
    state = expected(world, LAST, released=())
    assert [k for k, e in state["publicity"].items() if e["kind"] == "rating"] == []


@FEW
@given(SEEDS)
def test_one_backfill_over_newest_states_ends_in_the_same_present_records(seed: int) -> None:
    nightly = World(seed, LAST, 3)
    backfill = World(seed, LAST, 3)
    last_seen: dict[tuple[str, str], int] = {}
    for number, day in enumerate(backfill.days):
        last_seen |= {(r.dept, r.record_no): number for r in backfill.inspections(day)}
        last_seen |= {("", i["rating_id"]): number for i in backfill.ratings(day)}
    for number, day in enumerate(backfill.days):
        rows, ratings = backfill.inspections(day), backfill.ratings(day)
        old = departments.NEWEST_ONLY
        rows[:] = [r for r in rows if r.dept not in old or last_seen[r.dept, r.record_no] == number]
        ratings[:] = [i for i in ratings if last_seen["", i["rating_id"]] == number]
    for name in NAMES:
        assert dict(present(expected(nightly, LAST), name)) == dict(present(expected(backfill, LAST), name))


def test_a_day_outside_the_county_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="不在样例县的日期"):
        expected(world, date(2020, 1, 1))


def test_units_count_what_each_night_reads(world: World) -> None:
    counted = units(world)
    for day in world.days:
        for dept, row in counted[day.isoformat()].items():
            if dept not in departments.CUMULATIVE:
                numbers = {r.record_no for r in world.inspections(day) if r.dept == dept}
                returned = {
                    d.record_no for d in world.defects if (d.day, d.dept, d.effect) == (day, dept, "quarantine")
                }
                assert row["pulled"] == len(numbers)
                assert row["quarantined"] == len(returned & numbers)
    civil = [counted[day.isoformat()]["MZJ"]["pulled"] for day in world.days]
    assert civil == sorted(civil)
    assert civil[-1] == len({r.record_no for d in world.days for r in world.inspections(d) if r.dept == "MZJ"})
    assert sum(row["skipped_helper_rows"] for rows in counted.values() for row in rows.values()) > 0


def test_the_manifest_is_plain_json_with_every_nights_expectation(
    world: World, final: dict[str, dict[str, Any]]
) -> None:
    document = json.loads(json.dumps(manifest(world), ensure_ascii=False))
    assert document["expected_days"] == document["days"] == [d.isoformat() for d in world.days]
    assert document["expected"][LAST.isoformat()] == final
    assert len(document["defects"]) == len(world.defects)
    assert set(document["units"][LAST.isoformat()]) == set(departments.REPORTING)


def test_a_large_county_gives_its_last_nights_expectation_only() -> None:
    large = World(7, LAST, 12)
    document = manifest(large)
    assert document["expected_days"] == [LAST.isoformat()]
    assert document["expected"] == {LAST.isoformat(): expected(large, LAST)}
