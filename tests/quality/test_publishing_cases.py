"""Cases: a decision that is used again is the decision that the whole record would have had."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_pipeline.county import CountyTables
from zz_pipeline.ledger.versions import Facts
from zz_pipeline.settings import CHECKOUT, load_settings
from zz_pipeline.standard import cases
from zz_pipeline.standard.personal import find_personal, personal_kind
from zz_pipeline.standard.tables import RESULT_LABELS

PLATFORMS = ("double_random", "internet_supervision", "publicity")
AT = dt.datetime(2026, 11, 21, 1, 30, tzinfo=dt.UTC).timestamp()
# Pieces of which homes, numbers of persons and risk classes are made, and such as are nearly these.
PIECES = (
    "家庭地址", "家庭住址：", "住址", "现住", "居住在", "户籍地", "阳光小区", "花园", "家属院", "公寓", "某村", "3", "12", "幸福路", "5号",
    "2栋", "1单元", "302室", "7户", "4组", "号楼", "号", "室", "二", "十", "13800138000", "138 0013 8000", "6222020200112230",
    "11010519491231002X", "1101051949", "信用风险分类", "RISK", "risk", "RiSk", "ＲＩＳＫ", "１３８００１３８０００", "①", "⑩", "㋀", "周至县样例",
    "有限公司", "（", "）", "、", " ", "-", "—", "\n", "\u200b", "张某", "検査", "工作室", "农户",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
DAYS = st.sampled_from((None, "", "2026-11-20", "2026-11-21", "2025-01-01", "2019-06-30", "2031-01-01", "不详"))
ITEM = st.fixed_dictionaries(
    {
        "item_code": st.sampled_from(("6101240001", "6101240002", None)),
        "item_name": TEXTS,
        "result": st.sampled_from((*RESULT_LABELS, None)),
        "follow_up": st.sampled_from((None, "", "01", "06")),
        "implement_code": st.just("X"),
    }
)
RECORD = st.fixed_dictionaries(
    {
        "record_key": st.text(max_size=3),
        "uscc": st.sampled_from((None, "", "9", "91610124YY0000010X", "92610124YY0000010X", "11610124YY00000449")),
        "publishable": st.sampled_from((True, False, None)),
        "not_publish_reason": st.sampled_from((None, "", "涉密", "本人 13800138000")),
        "finish_date": DAYS,
        "inspect_date": DAYS,
        "subject_name": TEXTS,
        "plan_name": TEXTS,
        "task_name": st.none() | TEXTS,
        "items": st.lists(ITEM, max_size=3),
    }
)
FACTS = st.builds(
    Facts,
    version=st.sampled_from((1, 2)),
    op=st.sampled_from(("PUBLISH", "CORRECT", "WITHDRAW")),
    suppressed=st.sampled_from((None, "REPAIRED", "REVOKED")),
    was_public=st.booleans(),
    repair=st.booleans(),
)


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    return CountyTables(load_settings(CHECKOUT / "config", tmp_path_factory.mktemp("home"), {}), lambda: AT)


@settings(max_examples=400, deadline=None)
@given(records=st.lists(st.tuples(RECORD, FACTS), min_size=1, max_size=4))
def test_a_case_is_decided_as_the_whole_record_would_be(county, records):
    decide = county.cases()
    for record, facts in records * 2:
        for platform in PLATFORMS:
            wanted = county._decide("inspection", record, platform, facts)
            assert decide("inspection", record, platform, facts) == wanted


@settings(max_examples=1500, deadline=None)
@given(text=TEXTS | st.text(max_size=30))
def test_a_text_that_is_called_harmless_holds_nothing_personal_and_no_risk_class(text):
    if cases._shown(text) == "":
        assert personal_kind(text, dt.date(2026, 11, 21)) is None
        assert "RISK" not in text.upper()
        assert "信用风险分类" not in text


@pytest.mark.parametrize(
    "home",
    ["家庭地址幸福路5号", "住址幸福路5号", "2栋1单元302", "3单元5号", "阳光小区3户", "某村4组5号", "户籍地幸福路5号"],
)
def test_every_form_of_a_home_is_looked_at_and_found_in_one_text_as_in_a_column(home):
    assert personal_kind(home) == "home_address"
    assert cases._shown(home) == home
    assert find_personal([home]).to_pylist() == ["home_address"]


def test_ordinary_names_are_harmless_and_need_no_second_look():
    for text in ("周至县样例0000001号有限公司", "样例年度计划", "双随机、一公开抽查（2026）", "食品经营·散装"):
        assert cases._shown(text) == ""


def test_a_rule_that_asks_for_what_no_case_has_fails_instead_of_seeing_nothing():
    asks = cases.Cases(lambda kind, payload, platform, facts: payload.get("remark"), lambda *_: True)
    with pytest.raises(KeyError):
        asks("inspection", {"remark": "x"}, "publicity", None)


def test_a_rating_is_decided_whole():
    whole = cases.Cases(lambda kind, payload, platform, facts: payload, lambda *_: True)
    rating = {"scheme": "RISK"}
    assert whole("rating", rating, "publicity", None) is rating


def test_equal_cases_are_decided_once():
    asked = []

    def decide(kind, payload, platform, facts):
        asked.append(platform)
        return object()

    once = cases.Cases(decide, lambda *_: True)
    for n in range(50):
        for platform in PLATFORMS:
            once("inspection", {"record_key": str(n), "subject_name": f"周至县样例{n}号有限公司"}, platform, None)
    assert asked == list(PLATFORMS)
