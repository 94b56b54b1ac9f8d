"""Bytes and hashes of the contracts: strict JSON, canonical JSON, SM3, HMAC, content_md5.

Belongs here: what `gateway.md` says of bytes, as pure functions. Must not: IO, clocks, what a field means.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any


class BadJson(ValueError):
    """The bytes are not the JSON that the gateway rules allow."""


def _sm3_fallback(data: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes

    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def _sm3_openssl(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


_HAS_SM3 = "sm3" in hashlib.algorithms_available
_sm3_digest: Callable[[bytes], bytes] = _sm3_openssl if _HAS_SM3 else _sm3_fallback


def sm3(data: bytes) -> str:
    """Lower-case hex SM3 (GB/T 32905)."""
    return _sm3_digest(data).hex()


def sha256(data: bytes) -> str:
    """Lower-case hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def _hmac_sm3(key: bytes, data: bytes) -> bytes:
    # Written out (RFC 2104, block of 64 bytes): hmac.new does not take SM3 where OpenSSL lacks it.
    key = (_sm3_digest(key) if len(key) > 64 else key).ljust(64, b"\0")
    inner = _sm3_digest(bytes(b ^ 0x36 for b in key) + data)
    return _sm3_digest(bytes(b ^ 0x5C for b in key) + inner)


def _hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


# Signing method of S1 → (hash of the body, HMAC).
S1: dict[str, tuple[Callable[[bytes], str], Callable[[bytes, bytes], bytes]]] = {
    "HMAC-SM3": (sm3, _hmac_sm3),
    "HMAC-SHA256": (sha256, _hmac_sha256),
}


def sign_s1(alg: str, secret: str, method: str, path: str, query: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Signature of a request under S1; `alg` is one of `S1`."""
    hash_of, mac = S1[alg]
    text = "\n".join((method.upper(), path, query, timestamp, nonce, hash_of(body)))
    return mac(secret.encode("ascii"), text.encode("utf-8")).hex()


def sign_s2(session_secret: str, sid: str, rid: str, rtime: str) -> str:
    """Signature of a request under S2."""
    return base64.b64encode(_hmac_sha256(session_secret.encode(), (sid + rid + rtime).encode())).decode("ascii")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise BadJson(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise BadJson("a number is out of range")
    return value


def strict_json(data: bytes) -> Any:
    """JSON of a body: UTF-8 without BOM, no key twice, no NaN, no lone surrogate; BadJson otherwise."""
    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            raise BadJson("BOM")
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            canonical(value)  # only an escape can bring a lone surrogate, which is no UTF-8
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson(str(error)) from None
    return value


def canonical(record: Any) -> bytes:
    """Canonical JSON of `gateway.md`, as bytes."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def content_hash(record: Mapping[str, Any]) -> str:
    """`contentHash` of platform ①."""
    return sm3(canonical(record))


def content_md5(record: Mapping[str, Any]) -> str:
    """`content_md5` of platform ②: values by key order, without the cd_* keys."""
    text = "|".join(str(record[key]) for key in sorted(record) if not key.startswith("cd_"))
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def content_sha256(record: Mapping[str, Any]) -> str:
    """`contentSha256` of platform ③: canonical JSON without publicFrom."""
    return sha256(canonical({key: value for key, value in record.items() if key != "publicFrom"}))
