"""The reader of what platforms answer: exactly one JSON value, or nothing at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_pipeline.platforms.wire import dump, strict_json

_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_VALUES = st.recursive(
    st.one_of(_TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=10,
)


@settings(max_examples=800, deadline=None)
@given(_VALUES, st.sampled_from([None, 2]), st.booleans())
def test_whatever_is_written_is_read_as_it_was_meant_however_it_is_spaced(value, indent, escaped):
    separators = (",", ":") if indent is None else None
    data = json.dumps(value, ensure_ascii=escaped, indent=indent, separators=separators).encode()
    found = strict_json(data)
    assert found == value
    assert json.dumps(found) == json.dumps(value)  # 1 is not 1.0, and true is not 1


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":2}', b'[{"code":"0000","code":"0000"}]', b'{"a":{"b":1,"b":1}}', b"[NaN]", b"[Infinity]", b"[1e999]",
     b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b"\xef\xbb\xbf{}", b"", b"{}{}", b"[1,]", b"[" * 5000, b"01"],
)  # fmt: skip
def test_what_could_mean_two_things_or_nothing_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - the reader's kinds of ValueError are its own affair
        strict_json(data)


@pytest.mark.parametrize("data", [b"12345678901234567890123", b"[1.10]", b'{"a":1e2}', b"-0", b'"\\u4e2d\\/"'])
def test_a_value_in_an_unusual_but_lawful_form_is_read_exactly(data):
    assert repr(strict_json(data)) == repr(json.loads(data))


def test_a_batch_is_written_without_blanks_in_the_order_given():
    assert dump({"b": "周至县", "a": [1, True, None, 88.5]}) == '{"b":"周至县","a":[1,true,null,88.5]}'.encode()
