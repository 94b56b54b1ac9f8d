"""Clean-up drops only what carries no meaning, says what it changed, and does nothing the second time."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from zz_pipeline.standard.normalize import CHANGED, FOREIGN, clean_identifier, clean_name, clean_text, half_width

texts = st.text(
    st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from(" '＇\"“”=＝（()\n\r\t\u200b\ufeff　ａＡ1"))
)


def one(clean, value):
    return clean(pa.array([value], type=pa.string()))[0].as_py()


def identifier(value, **options):
    values, flags = clean_identifier([value], **options)
    return values[0].as_py(), flags[0].as_py()


@pytest.mark.parametrize(
    ("raw", "clean", "flag"),
    [
        ("91610124YY000001XB", "91610124YY000001XB", ""),
        ("  91610124YY000001XB\n", "91610124YY000001XB", ""),
        ("'91610124YY000001XB", "91610124YY000001XB", ""),
        ('="0012"', "0012", ""),
        ("\ufeff\u200b0012\u00a0", "0012", ""),
        ("９１６１０１２４ＹＹ", "91610124YY", CHANGED),
        ("91610124yy", "91610124YY", CHANGED),
        ("9161\u200b0124", "9161\u200b0124", FOREIGN),
        ("9161 0124", "9161 0124", FOREIGN),
        ("9161'0124", "9161'0124", FOREIGN),
        ("   ", None, ""),
        ("'", None, ""),
        (None, None, ""),
        ("设备-1号", "设备-1号", ""),
    ],
)
def test_an_identifier_loses_only_what_stands_at_its_ends(raw, clean, flag):
    assert identifier(raw) == (clean, flag)


def test_letters_are_never_repaired_into_digits():
    assert identifier("9161O124lI")[0] == "9161O124LI"


def test_a_record_number_keeps_its_case():
    assert identifier("ab-12", upper=False) == ("ab-12", "")
    assert identifier("ａb", upper=False) == ("ab", CHANGED)


def test_a_sharp_s_is_no_code_letter_and_stays():
    assert identifier("ß1") == ("ß1", "")


def test_flags_keep_their_rows_in_a_long_column():
    values, flags = clean_identifier(pa.chunked_array([["A1", None], ["b2", "c 3"]]))
    assert values.to_pylist() == ["A1", None, "B2", "C 3"]
    assert flags.to_pylist() == ["", "", CHANGED, FOREIGN]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("周至县样例\n餐饮有限公司", "周至县样例餐饮有限公司"),
        ("周至县样例(一)公司", "周至县样例（一）公司"),
        ("周至县样例（一）公司", "周至县样例（一）公司"),
        ("张　 某", "张 某"),
        ("'张某", "张某"),
        ("周至县\u200b样例", "周至县样例"),
        ("ＡＢＣ公司", "ＡＢＣ公司"),
        (" \n ", None),
        (None, None),
    ],
)
def test_a_name_stands_on_one_line_with_full_width_brackets(raw, clean):
    assert one(clean_name, raw) == clean


def test_a_free_text_keeps_its_lines_and_its_width():
    assert one(clean_text, " 第一行\r\n第二行(ａ) ") == "第一行\n第二行(ａ)"


def test_half_width_touches_ascii_forms_only():
    assert half_width("Ａ１　①") == "A1 ①"


@pytest.mark.parametrize("clean", [clean_name, clean_text, lambda v: clean_identifier(v)[0]])
@given(text=texts)
@hypothesis_settings(deadline=None)
def test_cleaning_twice_is_cleaning_once(clean, text):
    once = clean(pa.array([text], type=pa.string()))
    assert clean(once).equals(once)
    assert once[0].as_py() != ""


@given(text=texts)
@hypothesis_settings(deadline=None)
def test_a_clean_identifier_has_no_warning_left(text):
    values, _ = clean_identifier([text])
    again, flags = clean_identifier(values)
    assert again.equals(values)
    assert flags[0].as_py() in ("", FOREIGN)
