"""Identifiers: fixed values of the standard, traps, and agreement with a second, slow calculation."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_pipeline.standard import identifiers as ids

# Standard 4.1: composed codes of the sample block in which both checks hold.
COMPOSED = [
    "91610124YY000001XB",
    "92610124YY00000288",
    "93610124YY00000360",
    "11610124YY00000449",
    "12610124YY00000521",
    "52610124YY0000060P",
    "91610100YY0000079T",
]
REGIONS = {"610124", "610100"}
TODAY = date(2026, 11, 22)
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def slow_uscc(first17: str) -> str:
    total = sum(ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(first17))
    return ALPHABET[-total % 31]


def slow_resident(first17: str) -> str:
    return "10X98765432"[sum(int(c) * (pow(2, 17 - i, 11)) for i, c in enumerate(first17)) % 11]


def test_both_checks_hold_for_the_codes_of_the_standard():
    assert ids.uscc_check(COMPOSED).all()
    assert ids.uscc_inner_check(COMPOSED).all()
    assert ids.uscc_category_known(COMPOSED).all()
    assert ids.uscc_region(COMPOSED, REGIONS).all()


def test_the_example_of_the_national_standard_ends_in_three():
    assert ids.uscc_check_digit("91350100M000100Y4") == "3"
    assert ids.is_uscc("91350100M000100Y43")


@pytest.mark.parametrize("place", range(18))
def test_one_wrong_character_anywhere_breaks_check_one(place):
    code = COMPOSED[0]
    wrong = "1" if code[place] != "1" else "2"
    assert not ids.is_uscc(code[:place] + wrong + code[place + 1 :])


@pytest.mark.parametrize("letter", list("IOSVZilo周"))
def test_letters_outside_the_alphabet_are_refused_and_never_repaired(letter):
    assert not ids.is_uscc(COMPOSED[0][:12] + letter + COMPOSED[0][13:])


def test_an_inner_digit_can_be_wrong_while_check_one_holds():
    body = "91610124YY000001" + "1"
    code = body + ids.uscc_check_digit(body)
    assert ids.is_uscc(code)
    assert not ids.uscc_inner_check([code])[0]


def test_eighteen_zeros_pass_both_checks_but_neither_category_nor_region():
    zeros = ["0" * 18]
    assert ids.uscc_check(zeros)[0]
    assert ids.uscc_inner_check(zeros)[0]
    assert not ids.uscc_category_known(zeros)[0]
    assert not ids.uscc_region(zeros, REGIONS)[0]


def test_a_province_of_two_digits_stands_for_all_its_regions_and_ours_is_exact():
    codes = ["91110108YY00000999", "91610199YY00000999"]
    assert ids.uscc_region(codes, {"610124", "11"}).tolist() == [True, False]


def test_only_91_92_and_93_are_market_entities():
    assert ids.uscc_market(COMPOSED).tolist() == [True, True, True, False, False, False, True]


@given(st.text(ALPHABET, min_size=17, max_size=17))
def test_the_check_digit_agrees_with_a_second_calculation(first17):
    assert ids.uscc_check_digit(first17) == slow_uscc(first17)
    assert ids.is_uscc(first17 + slow_uscc(first17))


def test_null_short_and_foreign_values_are_false_and_keep_their_rows():
    column = pa.chunked_array([[None, "", "周至县"], [COMPOSED[0], COMPOSED[0][:17]]])
    assert ids.uscc_check(column).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("make", [list, pa.array, pd.Series, lambda v: pa.array(["x", *v]).slice(1)])
def test_every_kind_of_column_gives_the_same_answer(make):
    assert ids.uscc_check(make([*COMPOSED, None])).tolist() == [True] * 7 + [False]


def test_a_resident_id_needs_its_check_character_and_a_real_day_of_birth():
    first = "61019918990101001"
    good = first + slow_resident(first)
    no_day = "61019918990230001"
    assert ids.resident_id([good, good[:17] + "Y", no_day + slow_resident(no_day)]).tolist() == [True, False, False]


def test_a_birth_after_the_given_day_is_no_resident_id():
    first = "61019920261123001"
    number = [first + slow_resident(first)]
    assert ids.resident_id(number)[0]
    assert not ids.resident_id(number, TODAY)[0]


def test_a_lower_case_x_is_found_but_not_accepted():
    first = next(f"6101991899010100{n}" for n in range(10) if slow_resident(f"6101991899010100{n}") == "X")
    assert not ids.resident_id([first + "x"])[0]
    assert ids.looks_like_resident_id([first + "x"])[0]
    assert ids.is_resident_id(first + "x", TODAY)


def test_a_task_number_may_look_like_a_resident_id():
    assert ids.looks_like_resident_id(["610124202611101018"], TODAY)[0]
    assert ids.task_id(["610124202611101018"])[0]


def test_what_passes_the_resident_check_is_personal_unless_it_is_surely_an_organisation():
    first = "61019918990101001"
    person = first + slow_resident(first)
    assert ids.resident_id_trap([person, *COMPOSED, None], REGIONS, TODAY).tolist() == [True] + [False] * 8


def test_a_whole_province_never_makes_an_organisation_of_a_resident_id():
    # Composed: all three checks hold, but characters 3-8 are only a region if whole provinces counted.
    found = next(n for n in map(_twin, range(20_000)) if n)
    assert ids.uscc_check([found])[0]
    assert ids.uscc_inner_check([found])[0]
    assert ids.resident_id_trap([found], {*REGIONS, "15"}, TODAY)[0]


def _twin(n: int) -> str | None:
    first = f"511599{18990101 + n % 28}{n % 1000:03d}"
    number = first + slow_resident(first)
    return number if number[17] != "X" and ids.is_uscc(number) and ids.uscc_inner_check([number])[0] else None


def test_a_fifteen_digit_number_is_recognised_by_its_own_check():
    number = "61012410000001"
    carry = 10
    for digit in number:
        carry = ((carry + int(digit)) % 10 or 10) * 2 % 11
    whole = number + str((11 - carry) % 10)
    assert ids.registration_number_15([whole])[0]
    assert not ids.registration_number_15([whole[:-1] + str((int(whole[-1]) + 1) % 10)])[0]
    assert ids.fifteen_digits([whole, whole[:-1], None]).tolist() == [True, False, False]


def test_an_implement_code_begins_with_its_own_department_and_a_level():
    own, other = COMPOSED[3], COMPOSED[4]
    column = [own + "4000001", own + "6000001", other + "4000001", own, None, own + "4" + "0" * 782]
    assert ids.implement_code(column, own).tolist() == [True, False, False, False, False, False]
    assert ids.implement_code([own + "4", other + "4"], [own, own]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (ids.item_code, "61012400010001", "6101240001000"),
        (ids.item_code, "61012400010001", "61012400010001\n"),
        (ids.cert_no, "27010124001", "2701012"),
        (ids.cert_no, "A" * 20, "A" * 21),
        (ids.cert_no, "27010124001", "27010124a01"),
        (ids.plan_id, "61012420261000", "6101242026100"),
        (ids.task_id, "610124202611101001", "610124202613101001"),
        (ids.record_no, "2026-0004711", "2026/4711"),
        (ids.record_no, "A" * 22, "A" * 23),
        (ids.record_key, "610124-SCJG-2026-0004711", "６１０１２４"),
    ],
)
def test_numbers_of_the_contracts_have_their_form(check, good, bad):
    assert check([good, bad, None]).tolist() == [True, False, False]


def test_an_empty_column_gives_an_empty_answer():
    for check in (ids.uscc_check, ids.uscc_inner_check, ids.resident_id, ids.task_id, ids.registration_number_15):
        assert check(pa.array([], type=pa.string())).dtype == np.bool_
        assert len(check(pa.array([], type=pa.string()))) == 0
