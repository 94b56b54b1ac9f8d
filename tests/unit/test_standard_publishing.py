"""Publishing decisions: every branch of 0001 and of standard 1.5, 1.8, 3.1, 3.4, without a sender."""

from datetime import date, datetime
from pathlib import Path

import pytest

from zz_pipeline.errors import StandardError
from zz_pipeline.standard.publishing import STOP_REASONS, PublishContext, decide
from zz_pipeline.standard.results import FollowUps
from zz_pipeline.standard.workdays import WorkCalendar

CONFIG = Path(__file__).parents[2] / "config"
CALENDAR = WorkCalendar.load(CONFIG / "workdays.csv")
ENTRY, INTERNAL, PUBLIC = "double_random", "internet_supervision", "publicity"
PLATFORMS = (ENTRY, INTERNAL, PUBLIC)
DUE = {ENTRY: 20, INTERNAL: 5, PUBLIC: 20}
wall = datetime.fromisoformat  # Beijing wall time has no zone
PERSON = "610199189901010015"


def item(**changes):
    return {
        "item_code": "61012400010001",
        "item_name": "食品安全检查",
        "result": "NO_ISSUE",
        "follow_up": None,
    } | changes


def inspection(**changes):
    return {
        "kind": "inspection",
        "subject_name": "周至县样例餐饮有限公司",
        "uscc": "91610124YY000001XB",
        "plan_name": "周至县2026年度抽查计划",
        "plan_id": "61012420261000",
        "task_name": "餐饮联合抽查",
        "task_id": "610124202611101018",
        "inspect_date": "2026-11-20",
        "finish_date": "2026-11-20",
        "publishable": True,
        "not_publish_reason": None,
        "items": [item()],
    } | changes


def rating(**changes):
    return {
        "kind": "rating",
        "uscc": "91610124YY000001XB",
        "subject_name": "周至县样例餐饮有限公司",
        "scheme": "PUBLIC",
        "grade": "优",
        "evaluator": "样例评价机构",
        "rated_at": "2026-11-01",
        "valid_until": "2027-11-01",
        "publishable": True,
    } | changes


def told(kind, payload, platform, **context):
    context = {"due_workdays": DUE[platform], "release_ratings": {"PUBLIC"}} | context
    return decide(kind, payload, platform, PublishContext(wall("2026-11-22 01:30"), CALENDAR, **context))


def short(decision):
    return decision.state, decision.op


# ── inspections ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_good_inspection_goes_to_all_three(platform):
    assert short(told("inspection", inspection(), platform)) == ("READY", "PUBLISH")
    assert short(told("inspection", inspection(), platform, was_public=True, version=2)) == ("READY", "CORRECT")


def test_the_entry_platform_takes_what_is_not_publishable_or_pending():
    payload = inspection(
        publishable=False, not_publish_reason="涉及商业秘密", uscc=None, items=[item(result="PENDING")]
    )
    assert short(told("inspection", payload, ENTRY)) == ("READY", "PUBLISH")


def test_a_record_of_the_day_waits_for_tomorrow_on_the_internet_platform_only():
    assert told("inspection", inspection(), INTERNAL).not_before == wall("2026-11-21")
    assert told("inspection", inspection(), ENTRY).not_before is None


def test_pending_without_a_follow_up_is_held_for_the_internet_platform_and_keeps_its_clock():
    payload = inspection(items=[item(), item(result="PENDING")])
    decision = told("inspection", payload, INTERNAL)
    assert decision.state == "HELD"
    assert "发现问题待后续处理" in decision.reason
    assert decision.due == date(2026, 11, 27)
    assert told("inspection", payload, PUBLIC).state == "READY"


def test_pending_with_a_follow_up_of_the_department_goes():
    assert told("inspection", inspection(items=[item(result="PENDING", follow_up="06")]), INTERNAL).state == "READY"


def test_a_class_without_a_line_in_the_map_of_that_day_is_held(tmp_path):
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "检查结果处理.csv").write_text(
        "类别,处理结果,自,至,说明\nNO_ISSUE,01,2026-12-01,,\n", "utf-8"
    )
    context = {"follow_ups": FollowUps.load(tmp_path)}
    assert told("inspection", inspection(), INTERNAL, **context).state == "HELD"
    assert told("inspection", inspection(inspect_date="2026-12-01"), INTERNAL, **context).state == "READY"


@pytest.mark.parametrize("uscc", ["12610124YY00000521", "52610124YY0000060P", "", None])
def test_a_subject_that_is_no_market_entity_is_not_applicable_on_the_public_page(uscc):
    assert told("inspection", inspection(uscc=uscc), PUBLIC).state == "NOT_APPLICABLE"


def test_a_subject_that_turned_out_to_be_no_market_entity_is_taken_down():
    decision = told("inspection", inspection(uscc="12610124YY00000521"), PUBLIC, was_public=True)
    assert (short(decision), decision.rule) == (("READY", "WITHDRAW"), "ENTRY_ERROR")


@pytest.mark.parametrize("publishable", [False, None])
def test_what_is_not_publishable_is_blocked_or_taken_down(publishable):
    payload = inspection(publishable=publishable, not_publish_reason="涉及商业秘密")
    blocked = told("inspection", payload, PUBLIC)
    assert blocked.state == "BLOCKED"
    assert "涉及商业秘密" in blocked.reason
    stopped = told("inspection", payload, PUBLIC, was_public=True)
    assert (short(stopped), stopped.rule) == (("READY", "WITHDRAW"), "NOT_PUBLIC")


def test_a_typed_reason_with_an_id_does_not_reach_the_decision():
    decision = told("inspection", inspection(publishable=False, not_publish_reason=f"当事人 {PERSON}"), PUBLIC)
    assert PERSON not in decision.reason


def test_a_repair_stops_what_is_public_and_blocks_what_is_not():
    payload = inspection(publishable=False, not_publish_reason="信用修复")
    stopped = told("inspection", payload, PUBLIC, suppressed="REPAIRED", was_public=True, version=2)
    assert (short(stopped), stopped.rule) == (("READY", "WITHDRAW"), "REPAIRED")
    assert told("inspection", payload, PUBLIC, suppressed="REPAIRED", version=2).state == "BLOCKED"
    assert short(told("inspection", payload, ENTRY, suppressed="REPAIRED", was_public=True)) == ("READY", "CORRECT")


def test_a_repair_leaves_the_internet_platform_alone_if_it_has_the_inspection():
    payload = inspection(publishable=False, not_publish_reason="信用修复")
    context = {"suppressed": "REPAIRED", "repair": True}
    assert told("inspection", payload, INTERNAL, was_public=True, **context).state == "NOT_APPLICABLE"
    assert told("inspection", payload, INTERNAL, **context).state == "READY"


def test_a_later_correction_of_a_repaired_record_reaches_the_internet_platform_but_not_the_public():
    for payload in (inspection(), inspection(publishable=False, not_publish_reason="信用修复")):
        context = {"suppressed": "REPAIRED", "version": 3}
        assert short(told("inspection", payload, INTERNAL, was_public=True, **context)) == ("READY", "CORRECT")
        assert told("inspection", payload, PUBLIC, **context).state == "BLOCKED"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_name": f"周至县样例店{PERSON}"},
        {"task_name": "联系 138-0013-8000"},
        {"plan_name": "企业信用风险分类抽查"},
        {"plan_name": "risk plan"},
        {"items": [item(item_name=f"食品安全检查 {PERSON}")]},
    ],
)
def test_a_text_that_may_not_be_public_holds_the_record_there_and_nowhere_else(changes):
    decision = told("inspection", inspection(**changes), PUBLIC)
    assert (decision.state, decision.rule) == ("HELD", "6005")
    assert PERSON not in decision.reason
    assert told("inspection", inspection(**changes), ENTRY).state == "READY"


def test_a_remark_and_a_task_number_do_not_hold_a_record():
    assert told("inspection", inspection(items=[item(remark=PERSON)]), PUBLIC).state == "READY"


@pytest.mark.parametrize(("platform", "due"), [(ENTRY, "2026-12-18"), (INTERNAL, "2026-11-27"), (PUBLIC, "2026-12-18")])
def test_the_clock_starts_on_completion(platform, due):
    assert told("inspection", inspection(), platform).due == date.fromisoformat(due)
    assert told("inspection", inspection(), platform, due_workdays=0).due is None


def test_an_unknown_year_gives_no_due_date_but_says_so():
    decision = told("inspection", inspection(finish_date="2026-12-04"), PUBLIC)
    assert decision.state == "READY"
    assert decision.due is None
    assert "2027" in decision.reason


def test_what_never_goes_has_no_clock():
    assert told("inspection", inspection(publishable=False), PUBLIC).due is None


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("kind", ["inspection", "rating"])
def test_a_withdrawal_goes_where_something_is_with_a_code_the_contract_knows(kind, platform):
    payload = inspection() if kind == "inspection" else rating()
    there = told(kind, payload, platform, op="WITHDRAW", suppressed="REVOKED", was_public=True)
    assert (short(there), there.rule) == (("READY", "WITHDRAW"), "REVOKED")
    assert "撤销" in there.reason
    assert told(kind, payload, platform, op="WITHDRAW", was_public=True).rule in STOP_REASONS
    assert told(kind, payload, platform, op="WITHDRAW").state == "NOT_APPLICABLE"


# ── ratings ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("scheme", ["PUBLIC", "INDUSTRY", "RISK"])
@pytest.mark.parametrize("platform", [ENTRY, INTERNAL])
def test_all_three_schemes_are_shared_with_the_two_internal_platforms(scheme, platform):
    decision = told("rating", rating(scheme=scheme), platform)
    assert short(decision) == ("READY", "PUBLISH")
    assert decision.due is None


@pytest.mark.parametrize("was_public", [True, False])
@pytest.mark.parametrize("op", ["PUBLISH", "CORRECT", "WITHDRAW"])
@pytest.mark.parametrize("publishable", [True, False])
def test_risk_is_blocked_on_the_public_page_whatever_else_is_said(was_public, op, publishable):
    payload = rating(scheme="RISK", grade="A", publishable=publishable, valid_until=None)
    context = {"release_ratings": {"PUBLIC", "RISK"}, "was_public": was_public, "op": op}
    assert told("rating", payload, PUBLIC, **context).state == "BLOCKED"


def test_industry_ratings_have_no_public_page():
    assert told("rating", rating(scheme="INDUSTRY", grade="A"), PUBLIC).state == "NOT_APPLICABLE"


def test_a_public_rating_needs_both_the_county_and_the_source():
    assert told("rating", rating(), PUBLIC).state == "READY"
    assert told("rating", rating(), PUBLIC, release_ratings=()).state == "BLOCKED"
    assert told("rating", rating(publishable=False), PUBLIC).state == "BLOCKED"
    taken = told("rating", rating(publishable=False), PUBLIC, was_public=True)
    assert (short(taken), taken.rule) == (("READY", "WITHDRAW"), "NOT_PUBLIC")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("until", "state"),
    [
        ("2026-11-21", "NOT_APPLICABLE"),
        ("2026-11-22", "READY"),
        ("2026-11-22 01:00:00", "NOT_APPLICABLE"),
        ("2026-11-22 02:00:00", "READY"),
        (None, "READY"),
        ("长期", "HELD"),
    ],
)
def test_a_rating_past_its_date_is_not_pushed_and_an_unreadable_date_is_held(platform, until, state):
    assert told("rating", rating(valid_until=until), platform).state == state


def test_an_expired_rating_that_is_public_is_taken_down_but_an_unreadable_date_takes_nothing_down():
    expired = told("rating", rating(valid_until="2026-11-21"), PUBLIC, was_public=True)
    assert (short(expired), expired.rule) == (("READY", "WITHDRAW"), "EXPIRED")
    assert told("rating", rating(valid_until="长期"), PUBLIC, was_public=True).state == "HELD"


def test_a_rating_of_no_market_entity_is_not_applicable_on_the_public_page():
    assert told("rating", rating(uscc="12610124YY00000521"), PUBLIC).state == "NOT_APPLICABLE"


def test_an_evaluators_mobile_holds_a_rating():
    assert told("rating", rating(evaluator="样例评价 13800138000"), PUBLIC).state == "HELD"


def test_a_later_revision_of_a_repaired_rating_is_shared_but_never_shown():
    for platform in (ENTRY, INTERNAL):
        assert told("rating", rating(), platform, suppressed="REPAIRED", version=3).state == "READY"
    assert told("rating", rating(), PUBLIC, suppressed="REPAIRED", version=3).state == "BLOCKED"
    again = told("rating", rating(), PUBLIC, suppressed="REPAIRED", version=3, was_public=True)
    assert (short(again), again.rule) == (("READY", "WITHDRAW"), "REPAIRED")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_rating_that_comes_after_its_repair_notice_goes_nowhere(platform):
    assert told("rating", rating(), platform, suppressed="REPAIRED", version=1).state == "BLOCKED"


# ── notices and the unknown ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_repair_notice_itself_goes_nowhere(platform):
    assert told("repair", {"target": "RATING"}, platform).state == "NOT_APPLICABLE"


def test_a_platform_without_rules_is_an_error_and_no_default():
    with pytest.raises(StandardError, match="发布规则"):
        decide("inspection", inspection(), "somewhere", PublishContext(wall("2026-11-22"), CALENDAR))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_whatever_does_not_go_says_why_in_chinese(platform):
    for payload in (inspection(uscc=None), inspection(publishable=False), inspection(items=[item(result="PENDING")])):
        decision = told("inspection", payload, platform)
        assert decision.state == "READY" or any("\u4e00" <= char <= "\u9fff" for char in decision.reason)
