"""Canonical JSON and SM3."""

from zz_pipeline.standard.canonical import canonical_json, digests, sm3_hex


def test_sm3_of_abc_is_the_vector_of_the_national_standard():
    assert sm3_hex(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_the_order_of_keys_does_not_change_the_bytes():
    assert canonical_json({"b": [1, None], "a": "周至"}) == canonical_json({"a": "周至", "b": [1, None]})
    assert canonical_json({"b": 1, "a": "周至"}) == '{"a":"周至","b":1}'.encode()


def test_a_column_of_payloads_gives_a_digest_each():
    assert digests([{"a": 1}, {"a": 1}, {"a": 2}])[0] == sm3_hex(b'{"a":1}')
    assert len(set(digests([{"a": 1}, {"a": 1}, {"a": 2}]))) == 2
