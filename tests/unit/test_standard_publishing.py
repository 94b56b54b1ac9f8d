"""Publishing decisions: every branch of 0001 and of standard 1.5, 1.8, 3.1, 3.4, without a sender."""

from datetime import date, datetime
from pathlib import Path

import pytest

from zz_pipeline.errors import ConfigError, StandardError
from zz_pipeline.settings import PlatformSpec, load_settings
from zz_pipeline.standard.publishing import STOP_REASONS, PublishContext, decide
from zz_pipeline.standard.publishing_periods import Periods, Term
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
        {"task_name": "家住周至县样例镇样例村三组12号的投诉"},
        {"subject_name": "周至县样例店 4111 1111 1111 1111"},
    ],
)
def test_a_text_that_may_not_be_public_holds_the_record_there_and_nowhere_else(changes):
    decision = told("inspection", inspection(**changes), PUBLIC)
    assert (decision.state, decision.rule) == ("HELD", "6005")
    assert PERSON not in decision.reason
    assert "样例村" not in decision.reason
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


# ── periods of publicity ───────────────────────────────────────────────────────────────────────────────────────────
PLAIN = Periods.load(CONFIG)
HEAD = "类别,领域,自,至,最短,最长,依据,说明"
NO_END = "检查结果,,,,,不限,样例依据,"
OWN_END = "公共信用综合评价,,,,,有效期,样例依据,"


def periods(folder, *lines, transition="shorter"):
    (folder / "publicity_periods.csv").write_text("\n".join([HEAD, *lines]) + "\n", "utf-8")
    return Periods.load(folder, transition)


def last_day(table, name, since, until="", field=""):
    last = table.last(Term(name, field, date.fromisoformat(since), until))
    return last and last.isoformat(" ")


def test_by_default_an_inspection_has_no_end_and_a_rating_its_own():
    assert last_day(PLAIN, "检查结果", "2001-01-01") is None
    assert last_day(PLAIN, "公共信用综合评价", "2026-01-01", "2027-01-31") == "2027-01-31 23:59:59"
    assert last_day(PLAIN, "公共信用综合评价", "2026-01-01", "2027-01-31 12:00:00") == "2027-01-31 12:00:00"
    assert last_day(PLAIN, "公共信用综合评价", "2026-01-01") is None


@pytest.mark.parametrize(
    ("name", "since", "last"),
    [
        ("行政处罚·轻微", "2026-04-01", "2026-07-01"),  # 国办发〔2025〕22号: at most 3 months
        ("行政处罚·一般", "2026-04-01", "2027-04-01"),
        ("行政处罚·严重", "2026-04-01", "2029-04-01"),
        ("行政处罚·轻微", "2026-11-30", "2027-02-28"),  # no such day: the end of the month (民法典 §202)
        ("行政处罚·严重", "2028-02-29", "2031-02-28"),
        ("行政处罚·一般", "2026-03-31", "2027-03-31"),  # decided before the new rule, still public: the shorter
        ("行政处罚·轻微", "2026-03-31", "2026-06-30"),
        (
            "行政处罚·轻微",
            "2025-06-01",
            "2026-03-31",
        ),  # the new rule would have ended it: it ends when that begins to hold
        ("行政处罚·严重", "2023-06-01", "2026-06-01"),
        ("行政处罚·一般", "2023-05-01", "2026-03-31"),
        ("行政处罚·简易", "2026-03-01", "2026-02-28"),  # never to be public
    ],
)
def test_the_dated_rules_before_and_after_the_first_of_april_2026(name, since, last):
    assert last_day(PLAIN, name, since) == f"{last} 23:59:59"


@pytest.mark.parametrize(
    ("transition", "last"), [("shorter", "2027-03-01"), ("old", "2029-03-01"), ("new", "2027-03-01")]
)
def test_which_rule_holds_for_a_decision_that_outlives_its_rule_is_a_setting(transition, last):
    assert last_day(Periods.load(CONFIG, transition), "行政处罚·一般", "2026-03-01") == f"{last} 23:59:59"


def test_the_new_rule_lengthens_only_where_the_county_says_so(tmp_path):
    lines = (OWN_END, "检查结果,,,2026-03-31,,1年,旧,", "检查结果,,2026-04-01,,,3年,新,")
    assert last_day(periods(tmp_path, *lines), "检查结果", "2026-01-01") == "2027-01-01 23:59:59"
    assert last_day(periods(tmp_path, *lines, transition="new"), "检查结果", "2026-01-01") == "2029-01-01 23:59:59"
    assert last_day(periods(tmp_path, *lines), "检查结果", "2026-04-01") == "2029-04-01 23:59:59"
    assert (
        last_day(periods(tmp_path, *lines), "检查结果", "2025-01-01") == "2026-01-01 23:59:59"
    )  # over before the change


def test_a_line_for_a_field_of_regulation_goes_before_the_general_one(tmp_path):
    table = periods(tmp_path, NO_END, OWN_END, "公共信用综合评价,食品、药品,,,,30天,样例依据,")
    assert last_day(table, "公共信用综合评价", "2026-11-01", field="药品") == "2026-12-01 23:59:59"
    assert last_day(table, "公共信用综合评价", "2026-11-01", "2026-11-20", field="药品") == "2026-11-20 23:59:59"
    assert last_day(table, "公共信用综合评价", "2026-11-01", field="综合") is None


def test_a_class_or_day_without_a_line_is_an_error_with_its_remedy_and_no_default():
    with pytest.raises(StandardError, match=r"请在 config/publicity_periods\.csv 补上"):
        PLAIN.last(Term("行政处罚·轻微", "", date(2020, 1, 1)))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("检查记录,,,,,3年,依据,", ("第 4 行", "检查记录", "只能是")),
        ("行政处罚,,,,,3年,,", ("第 4 行", "依据")),
        ("行政处罚,,,,,,依据,", ("第 4 行", "最长", "不限")),
        ("行政处罚,,,,,三年,依据,", ("第 4 行", "三年", "3月")),
        ("行政处罚,,,,0年,3年,依据,", ("第 4 行", "最短", "0年")),
        ("行政处罚,,,,2年,1年,依据,", ("第 4 行", "长过最长")),
        ("行政处罚,,,,13月,1年,依据,", ("第 4 行", "长过最长")),
        ("行政处罚,,2026-13-01,,,1年,依据,", ("第 4 行", "2026-13-01", "2026-04-01")),
        ("行政处罚,,2026-04-01,2026-03-31,,1年,依据,", ("第 4 行", "晚于")),
        ("行政处罚,,,,,有效期,依据,", ("第 4 行", "有效期")),
        ("检查结果,,2026-01-01,,,3年,依据,", ("第 4 行", "重叠")),
        ("行政处罚,,,,1年,依据,", ("第 4 行", "格")),
    ],
)
def test_a_line_that_cannot_be_right_is_named_with_its_place_and_remedy(tmp_path, line, words):
    with pytest.raises(ConfigError) as refused:
        periods(tmp_path, NO_END, OWN_END, line)
    said = str(refused.value)
    assert all(word in said for word in ("publicity_periods.csv", *words))


@pytest.mark.parametrize(
    "lines",
    [
        (OWN_END,),
        (OWN_END, "检查结果,,2026-01-01,,,3年,依据,"),
        (OWN_END, "检查结果,,,2026-01-01,,3年,依据,"),
        (OWN_END, "检查结果,,,2026-01-01,,3年,依据,", "检查结果,,2026-01-03,,,3年,依据,"),
        (OWN_END, "检查结果,食品,,,,3年,依据,"),
        (NO_END,),
    ],
)
def test_what_is_published_has_a_line_for_every_day(tmp_path, lines):
    with pytest.raises(ConfigError, match="没有管到每一天"):
        periods(tmp_path, *lines)


def test_an_inspection_whose_period_is_over_is_not_shown_any_more_but_still_entered(tmp_path):
    table = periods(tmp_path, OWN_END, "检查结果,,,,,1年,依据,")
    over, holds = inspection(finish_date="2025-11-21"), inspection(finish_date="2025-11-22")
    assert told("inspection", holds, PUBLIC, periods=table).state == "READY"
    assert told("inspection", over, PUBLIC, periods=table).state == "NOT_APPLICABLE"
    stopped = told("inspection", over, PUBLIC, periods=table, was_public=True)
    assert (short(stopped), stopped.rule) == (("READY", "WITHDRAW"), "EXPIRED")
    for platform in (ENTRY, INTERNAL):
        assert told("inspection", over, platform, periods=table).state == "READY"


def test_the_end_of_a_period_leaves_the_internet_platform_alone():
    payload = inspection(publishable=False, not_publish_reason="公示期满")
    decision = told("inspection", payload, INTERNAL, suppressed="EXPIRED", repair=True, was_public=True)
    assert decision.state == "NOT_APPLICABLE"
    assert "公示期满" in decision.reason


# ── due days that hold from a date on ──────────────────────────────────────────────────────────────────────────────
def spec(due):
    settings = load_settings(CONFIG, CONFIG / "none", {})
    return PlatformSpec.model_validate(settings.platforms[PUBLIC].model_dump() | {"due_workdays": due})


def test_a_plain_number_of_working_days_holds_for_inspections_from_ever():
    found = spec(20)
    assert found.due_days("inspection", date(1999, 1, 1)) == 20
    assert found.due_days("rating", date(2026, 1, 1)) == 0


def test_due_days_by_kind_and_from_a_day_on():
    rules = [{"days": 20}, {"from": "2027-01-01", "days": 10}, {"kind": "rating", "from": "2026-04-01", "days": 7}]
    found = spec(rules)
    days = [found.due_days("inspection", date.fromisoformat(d)) for d in ("2026-12-31", "2027-01-01", "2030-01-01")]
    assert days == [20, 10, 10]
    assert [found.due_days("rating", date.fromisoformat(d)) for d in ("2026-03-31", "2026-04-01")] == [0, 7]


def test_the_county_ships_with_twenty_five_and_twenty_working_days():
    platforms = load_settings(CONFIG, CONFIG / "none", {}).platforms
    assert {name: p.due_days("inspection", date(2026, 11, 20)) for name, p in platforms.items()} == DUE


@pytest.mark.parametrize(
    "due",
    [[{"days": 1}, {"days": 2}], [{"days": -1}], [{"days": 5, "since": "2026-01-01"}], [{"from": "明年", "days": 1}]],
)
def test_due_days_that_contradict_each_other_or_cannot_be_read_are_refused(due):
    with pytest.raises(ValueError, match="due_workdays"):
        spec(due)


def test_a_rating_has_a_clock_only_where_the_platform_has_a_rule_for_it():
    assert told("rating", rating(), ENTRY, due_workdays=0).due is None
    assert told("rating", rating(rated_at="2026-11-20"), ENTRY, due_workdays=7).due == date(2026, 12, 1)
