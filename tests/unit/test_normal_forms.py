"""Every normal form is a form: applying it to what it gave changes nothing, whatever the text."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from zz_pipeline.standard.codes import grade_form, lookup_form
from zz_pipeline.standard.normalize import clean_identifier, clean_name, clean_text, half_width
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
