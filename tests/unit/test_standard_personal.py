"""Personal data: found however it is written, masked by class, and never where a task number only looks like it."""

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_pipeline.standard.personal import (
    ADDRESS_FIELDS,
    EXEMPT_FIELDS,
    find_personal,
    hide_names,
    hide_quoted_names,
    mask,
    mask_field,
    mask_text,
    personal_kind,
    redact,
    row_names,
)
from zz_pipeline.standard.tables import INSPECTION, Personal

TODAY = date(2026, 11, 22)
PLACE_OF_NO_ONE = "610199"


def person(birth="18990101", serial="001"):
    """A resident ID that no one has: region and year of birth do not exist."""
    first = f"{PLACE_OF_NO_ONE}{birth}{serial}"
    return first + "10X98765432"[sum(int(c) * pow(2, 17 - i, 11) for i, c in enumerate(first)) % 11]


ID = person()
ID_X = next(p for p in (person(serial=f"{n:03d}") for n in range(99)) if p.endswith("X"))
FULL = str.maketrans("0123456789Xx", "０１２３４５６７８９Ｘｘ")


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"法定代表人张某，身份证{ID}。",
        ID_X.lower(),
        ID.translate(FULL),
        ID_X.lower().translate(FULL),
        f"{ID[:6]} {ID[6:14]} {ID[14:]}",
        f"{ID[:6]}-{ID[6:14]}－{ID[14:]}",
        " ".join(ID),
        f"{ID[:9]}\u200b{ID[9:]}",
        f"{ID[:9]}\n{ID[9:]}",
        f"99{ID}",
        f"{ID}7788",
        f"A{ID}B",
    ],
)
def test_a_resident_id_is_found_however_it_is_written(text):
    assert personal_kind(text, TODAY) == "resident_id"


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        "电话：138-0013-8000",
        "138 0013 8000",
        "8613800138000",
        "+86 13800138000",
        "１３８００１３８０００",
        "a13800138000b",
    ],
)
def test_a_mobile_number_is_found_however_it_is_written(text):
    assert personal_kind(text, TODAY) == "mobile"


def card(first):
    """A number with the check digit of ISO/IEC 7812; the account part is invented."""
    doubled = [int(c) * 2 - 9 * (c > "4") if place % 2 == 0 else int(c) for place, c in enumerate(reversed(first))]
    return first + str(-sum(doubled) % 10)


CARD = card("622202000000000123")


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "卡号 4111 1111 1111 1111",
        CARD,
        f"开户行样例银行，账号{CARD}。",
        CARD.translate(FULL),
        " ".join(CARD[i : i + 4] for i in range(0, 19, 4)),
        "－".join(CARD[i : i + 4] for i in range(0, 19, 4)).translate(FULL),
        "　".join(CARD[i : i + 4] for i in range(0, 19, 4)),
        " ".join(CARD),
    ],
)
def test_a_bank_card_is_found_by_its_check(text):
    assert personal_kind(text, TODAY) == "bank_card"


@pytest.mark.parametrize("place", range(len(CARD)))
def test_a_card_number_with_one_wrong_digit_is_no_card(place):
    wrong = CARD[:place] + str((int(CARD[place]) + 1) % 10) + CARD[place + 1 :]
    assert personal_kind(wrong, TODAY) is None


@pytest.mark.parametrize(
    "text",
    [
        "家住周至县样例镇样例村三组12号",
        "当事人住址：样例路8号院2号楼3单元501室",
        "户籍地周至县样例村5组",
        "户籍所在地：样例省样例市样例路12号",
        "家庭住址样例镇样例街7号",
        "居住于样例路9号附1号",
        "样例小区３号楼２单元５０１",
        "样例花园 12栋 1单元 302室",
        "样例家属院东区501室",
        "周至县样例镇样例村三组 12 号",
        "现住样例公寓1203室",
        "2 单元 301 室",
    ],
)
def test_a_home_address_is_found_down_to_its_door(text):
    assert personal_kind(text, TODAY) == "home_address"
    assert personal_kind(mask_text(text), TODAY) is None


@pytest.mark.parametrize(
    "text",
    [
        "通过登记的住所（经营场所）无法联系",
        "周至县样例小区物业服务有限公司",
        "周至县二曲街道样例路1号",
        "样例路8号2号楼",
        "第3单元教学检查",
        "特种设备2单元锅炉",
        "样例住宿服务有限公司",
        "检查组3组12人",
        "住建局第12号公告",
        "核对住址登记情况 2 号文",
        "常住人口登记12户",
        "周至县样例村股份经济合作社",
        "餐饮服务单位食品安全与燃气安全联合抽查",
    ],
)
def test_an_enterprises_place_and_a_word_that_sounds_alike_are_no_home(text):
    assert personal_kind(text, TODAY) is None
    assert mask_text(text) == text


@pytest.mark.parametrize("field", sorted(ADDRESS_FIELDS))
def test_in_the_address_fields_of_an_enterprise_no_home_is_looked_for_but_numbers_are(field):
    assert personal_kind("样例花园12栋1单元302室", TODAY, field=field) is None
    assert personal_kind(f"样例花园12栋1单元302室 {ID}", TODAY, field=field) == "resident_id"
    assert personal_kind("样例花园12栋1单元302室", TODAY, field="remark") == "home_address"


def test_the_address_fields_are_those_of_the_standard_table():
    assert {"address_registered", "address_operating"} == ADDRESS_FIELDS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "餐饮服务单位食品安全与燃气安全联合抽查",
        "029-87111234",
        "138001380001",
        "91380013800",
        "12800138000",
        "610124202611101001",
        "4111111111111112",
        ID[:17] + ("0" if ID[17] != "0" else "1"),
        "61012400010001 61012400010002",
        "2026-11-20 至 2026-11-30",
    ],
)
def test_other_numbers_are_no_personal_data(text):
    assert personal_kind(text, TODAY) is None


def test_a_birth_in_the_future_is_none_on_that_day():
    number = person("20261123")
    assert personal_kind(number, TODAY) is None
    assert personal_kind(number) == "resident_id"


def test_a_column_keeps_its_rows_and_its_nulls():
    texts = [None, ID, "无", "13800138000", CARD, "家住样例村3组12号"]
    kinds = [None, "resident_id", None, "mobile", "bank_card", "home_address"]
    assert find_personal(texts, TODAY).to_pylist() == kinds


@given(st.text(max_size=20), st.text(max_size=20))
def test_an_id_inside_any_text_is_found(before, after):
    assert personal_kind(f"{before}，{ID}，{after}", TODAY) == "resident_id"


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_masked_text_still_holds_the_number(before, after):
    masked = mask_text(f"{before}，{ID}，{after}，13800138000。")
    assert ID not in masked
    assert "13800138000" not in masked
    assert personal_kind(masked, TODAY) is None or personal_kind(before + after, TODAY) is not None


@pytest.mark.parametrize(
    ("value", "personal", "shown"),
    [
        ("张三丰", Personal.NAME, "张某"),
        ("欧阳锋", Personal.NAME, "欧阳某"),
        ("周至县样例餐饮有限公司", Personal.NAME, "周至县样例餐饮有限公司"),
        (ID, Personal.ID, "6" + "*" * 16 + ID[-1]),
        ("91610124YY000001XB", Personal.ID, "91610124YY000001XB"),
        ("27010124001", Personal.CERT, "*******4001"),
        ("13800138000", Personal.PHONE, "138****8000"),
        ("+86 138-0013-8000", Personal.PHONE, "138****8000"),
        ("周至县二曲街道样例路1号", Personal.ADDRESS, "周至县二曲街****"),
        (f"见张三丰{ID}", Personal.TEXT, "（文字 22 字，内容见原表）"),
        (ID, Personal.NONE, "6" + "*" * 16 + ID[-1]),
        ("91610124YY000001XB", Personal.NONE, "91610124YY000001XB"),
        ("未发现问题", Personal.NONE, "未发现问题"),
        ("ab", Personal.ID, "**"),
        (None, Personal.NAME, ""),
    ],
)
def test_each_class_has_its_mask(value, personal, shown):
    assert mask(value, personal) == shown


def test_a_mistyped_id_is_masked_although_its_check_fails():
    wrong = ID[:17] + ("0" if ID[17] != "0" else "1")
    assert mask(wrong, Personal.NONE) == wrong  # born in 1899: no one's, and its check fails
    living = "61019919900101" + "0010"
    assert personal_kind(living) is None
    assert mask(living, Personal.NONE) == "6" + "*" * 16 + "0"


def test_a_task_number_is_shown_whole_under_its_own_name_only():
    trap = "610124202611101018"
    assert "task_id" in EXEMPT_FIELDS
    assert mask(trap, Personal.NONE, field="task_id") == trap
    assert mask(trap, Personal.NONE, field="remark") != trap


def test_masking_leaves_every_other_character_in_its_place():
    text = f"甲 {ID[:6]} {ID[6:]} 乙，８６１３８００１３８０００ 丙"
    masked = mask_text(text)
    assert len(masked) == len(text)
    assert masked[:3] == "甲 6"
    assert "乙" in masked
    assert "１３８****８０００" in masked
    assert personal_kind(masked) is None


def test_a_log_message_holds_neither_numbers_nor_secrets():
    told = redact(f"app_id=in-scjg secret=0123456789abcdef sign: deadbeef 张某 {ID} 13800138000")
    assert "in-scjg" in told
    for hidden in ("0123456789abcdef", "deadbeef", ID, "13800138000"):
        assert hidden not in told


def test_names_of_a_row_are_masked_in_what_is_quoted_and_words_of_a_message_are_left_alone():
    table = pa.table(
        {"inspector_names": [["张甲子", "检查"]], "entered_by": ["王乙丑"], "subject_name": ["样例有限公司"]}
    )
    names = row_names(table, 0)
    assert names == {"张甲子", "检查", "王乙丑"}
    assert hide_names("王乙丑说张甲子同意", names) == "王某说张某同意"
    assert hide_quoted_names("检查结果“王乙丑说没问题”不在代码表里", names) == "检查结果“王某说没问题”不在代码表里"


@pytest.mark.parametrize(
    ("written", "shown"),
    [("张甲子记", "＊"), ("2026年13月2日", "2026年13月2日"), ("王乙丑11月2日", "＊11月2日"), ("26.11.19", "26.11.19")],
)
def test_in_the_place_of_a_date_only_what_a_date_is_made_of_is_shown(written, shown):
    assert mask_field(written, INSPECTION.field("entered_at")) == shown
