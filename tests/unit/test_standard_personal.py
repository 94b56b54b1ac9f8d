"""Personal data: found however it is written, masked by class, and never where a task number only looks like it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_pipeline.standard.personal import EXEMPT_FIELDS, find_personal, mask, mask_text, personal_kind, redact
from zz_pipeline.standard.tables import Personal

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


@pytest.mark.parametrize("text", ["4111111111111111", "卡号 4111 1111 1111 1111"])
def test_a_bank_card_is_found_by_its_check(text):
    assert personal_kind(text, TODAY) == "bank_card"


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
    assert find_personal([None, ID, "无", "13800138000"], TODAY).to_pylist() == [None, "resident_id", None, "mobile"]


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
        (f"见{ID}", Personal.TEXT, f"见6{'*' * 16}{ID[-1]}"),
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
