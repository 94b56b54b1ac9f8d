"""Every normal form is a form: applying it to what it gave changes nothing, whatever the text."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from zz_pipeline.sources.grid import plain
from zz_pipeline.sources.signs import shown
from zz_pipeline.standard.codes import grade_form, lookup_form
from zz_pipeline.standard.dates import parse_date
from zz_pipeline.standard.identifiers import INNER_WEIGHTS, uscc_check_digit, uscc_inner_check
from zz_pipeline.standard.normalize import (
    amount_yuan,
    clean_identifier,
    clean_name,
    clean_text,
    half_width,
    visible,
)
from zz_pipeline.standard.personal import mask_text, redact


def _column(clean):
    return lambda text: clean(pa.array([text], pa.string()))[0].as_py() or ""


FORMS = {
    "half_width": half_width,
    "lookup_form": lookup_form,
    "grade_form": grade_form,
    "clean_name": _column(clean_name),
    "clean_text": _column(clean_text),
    "clean_identifier": _column(lambda v: clean_identifier(v)[0]),
    "clean_identifier_keeping_case": _column(lambda v: clean_identifier(v, upper=False)[0]),
    "heading": plain,
    "visible": visible,
    "file_name": shown,
    "date": lambda text: str(parse_date(text, "1900") or ""),
    "amount": lambda text: f"{amount}元" if (amount := amount_yuan(text)) is not None else "",
    "mask_text": mask_text,
    "redact": redact,
}
# Signs that one of the forms treats: blanks, marks, brackets, list marks, grades, numbers, a secret.
SIGNS = " 　\t\r\n\u200b\ufeff\u3164'＇‘=＝\"“”（）()①一、.。；;:：级类等ＡaA1１ßŉﬁ-·0"
texts = st.text(st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from(SIGNS)), max_size=30)


@pytest.mark.parametrize("name", FORMS)
@given(text=texts)
@hypothesis_settings(deadline=None)
def test_a_form_of_a_form_is_the_form(name, text):
    once = FORMS[name](text)

    assert FORMS[name](once) == once


@pytest.mark.parametrize(
    ("raw", "form"), [("Ａ级", "A"), ("A级级", "A"), ("优等级", "优"), ("级", "级"), ("Ｂ 类。", "B")]
)
def test_a_grade_is_its_letter_without_what_it_is_called(raw, form):
    assert grade_form(raw) == form


@hypothesis_settings(deadline=None)
@given(number=st.integers(0, 10**18 - 1), before=st.sampled_from(["", " ", "'", "　", "\ufeff"]))
def test_cleaning_never_changes_a_digit(number, before):
    text = f"{number:018d}"

    assert clean_identifier([before + text + before.strip("'")])[0].to_pylist() == [text]


@pytest.mark.parametrize(
    ("text", "yuan"),
    [
        ("3.5万元", "35000"),
        ("３．５万元", "35000"),
        (" 1,234,567.89 元", "1234567.89"),
        ("￥500元整", "500"),
        ("1亿元", "100000000"),
        ("0.000001万元", "0.01"),
        ("0元", "0"),
    ],
)
def test_an_amount_with_its_unit_is_read_to_the_fen(text, yuan):
    assert amount_yuan(text) == Decimal(yuan)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "500",
        "约500元",
        "500美元",
        "1,23元",
        "1 000元",
        "3.5E3元",
        "0.001元",
        "-5元",
        "五百元",
        "500元以下",
        "5千元",
        "万元",
    ],
)
def test_an_amount_that_is_not_certain_is_none_and_never_guessed(text):
    assert amount_yuan(text) is None


@hypothesis_settings(deadline=None)
@given(fen=st.integers(0, 10**14), unit=st.sampled_from([("元", 2), ("万元", 6), ("亿元", 10)]))
def test_an_amount_is_the_same_whatever_unit_it_is_written_in(fen, unit):
    word, places = unit
    text = format(Decimal(fen).scaleb(-places), "f").rstrip("0").rstrip(".") if fen else "0"

    assert amount_yuan(f"{text or '0'}{word}") == (
        Decimal(fen).scaleb(-2) if len(text.partition(".")[2]) <= 8 else None
    )


@hypothesis_settings(deadline=None)
@given(number=st.integers(0, 999_999), wrong=st.integers(1, 35), place=st.integers(0, 7))
def test_the_inner_check_digit_finds_every_single_wrong_sign_of_an_organisations_number(number, wrong, place):
    body = f"YY{number:06d}"
    value = sum(int(char, 36) * weight for char, weight in zip(body, INNER_WEIGHTS, strict=True))
    inner = body + "0123456789X0"[11 - value % 11]
    code = f"91610124{inner}"
    assert uscc_inner_check(pa.array([code + uscc_check_digit(code)])).tolist() == [True]
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    other = alphabet[(alphabet.index(inner[place]) + 1 + wrong % 30) % 31]
    bent = f"91610124{inner[:place]}{other}{inner[place + 1 :]}"
    same = (int(other, 36) - int(inner[place], 36)) * INNER_WEIGHTS[place] % 11 == 0
    assert uscc_inner_check(pa.array([bent + uscc_check_digit(bent)])).tolist() == [same]
