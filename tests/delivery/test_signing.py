"""Signatures and hashes against the contracts' test vectors."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_pipeline.delivery import signing

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS["s1"], ids=lambda v: f"{v['alg']}-{v['method']}")
def test_an_s1_signature_equals_the_contracts_vector(vector):
    found = signing.s1(
        vector["alg"],
        vector["secret"],
        vector["method"],
        vector["path"],
        vector["query"],
        vector["timestamp"],
        vector["nonce"],
        vector["body"].encode(),
    )
    assert found == vector["signature"]


def test_the_s1_headers_carry_what_was_signed():
    v = VECTORS["s1"][0]
    headers = signing.s1_headers(
        v["alg"],
        "app-1",
        v["secret"],
        "post",
        v["path"],
        v["query"],
        v["body"].encode(),
        timestamp_ms=int(v["timestamp"]),
        nonce=v["nonce"],
    )
    assert headers == {
        "X-App-Id": "app-1",
        "X-Timestamp": v["timestamp"],
        "X-Nonce": v["nonce"],
        "X-Sign-Alg": "HMAC-SM3",
        "X-Signature": v["signature"],
    }


def test_an_unknown_algorithm_is_never_replaced_by_another():
    with pytest.raises(KeyError):
        signing.s1("HMAC-MD5", "0" * 32, "GET", "/", "", "1", "0" * 32, b"")


def test_an_s2_signature_equals_the_contracts_vector():
    v = VECTORS["s2"]
    headers = signing.s2_headers(v["sid"], v["session_secret"], timestamp_ms=int(v["rtime"]), nonce=v["rid"])
    assert headers["gjgxjhpt_sign"] == v["sign"]
    assert (headers["gjgxjhpt_sid"], headers["gjgxjhpt_rid"], headers["gjgxjhpt_rtime"]) == (
        v["sid"],
        v["rid"],
        v["rtime"],
    )


def test_canonical_json_and_its_sm3_equal_the_contracts_vector():
    v = VECTORS["contentHash"]
    assert signing.canonical(v["record"]).decode() == v["canonical"]
    assert signing.sm3_hex(signing.canonical(v["record"])) == v["sm3"]


def test_canonical_json_refuses_a_number_that_json_does_not_know():
    with pytest.raises(ValueError, match="Out of range"):
        signing.canonical({"score": float("nan")})


_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
_SMALL = st.floats(min_value=-1e-3, max_value=1e-3, allow_nan=False)
_VALUES = st.recursive(
    st.one_of(_TEXTS, _NUMBERS, _SMALL, st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(_TEXTS, _VALUES, max_size=5))
def test_the_quick_writer_of_canonical_json_writes_what_pythons_own_writes(record):
    wanted = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    assert signing.canonical(record) == wanted.encode()


def test_sm3_of_abc_is_the_standards_own_example():
    assert signing.sm3_hex(b"abc") == VECTORS["sm3_abc"]


@pytest.mark.parametrize("data", [b"", b"abc", "周至县".encode() * 50])
def test_both_makers_of_hmac_sm3_agree(data):
    assert signing._hmac_sm3_cryptography(b"k" * 80, data) == signing._hmac_sm3(b"k" * 80, data)


def test_the_other_digests_are_plain():
    assert signing.sha256_hex(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert signing.md5_hex(b"z|x|y") == hashlib.md5(b"z|x|y").hexdigest()
