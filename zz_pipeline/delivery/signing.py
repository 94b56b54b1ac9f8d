"""Signatures of the gateway (S1, S2) and the hashes in which platforms name contents.

Belongs here: HMAC and digests over bytes and texts that are handed in; canonical JSON.
Must not: clocks, random numbers, HTTP, knowledge of a platform's field names.

Source: contracts/gateway.md "Signing" and "Canonical JSON"; GB/T 32905 (SM3) by OpenSSL, else by `cryptography`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as crypto_hmac

from zz_pipeline.standard.canonical import sm3_hex

__all__ = [
    "HMAC_SHA256",
    "HMAC_SM3",
    "canonical",
    "md5_hex",
    "s1",
    "s1_headers",
    "s2",
    "s2_headers",
    "sha256_hex",
    "sm3_hex",
]

HMAC_SM3 = "HMAC-SM3"
HMAC_SHA256 = "HMAC-SHA256"


def _hmac_sm3_openssl(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, "sm3").hexdigest()


def _hmac_sm3_cryptography(key: bytes, data: bytes) -> str:
    mac = crypto_hmac.HMAC(key, hashes.SM3())
    mac.update(data)
    return mac.finalize().hex()


# Some builds of OpenSSL leave SM3 out; the choice is made once, by what this one has.
_OPENSSL = "sm3" in hashlib.algorithms_available
_hmac_sm3: Callable[[bytes, bytes], str] = _hmac_sm3_openssl if _OPENSSL else _hmac_sm3_cryptography


def sha256_hex(data: bytes) -> str:
    """SHA-256 of bytes as 64 lower-case hex characters."""
    return hashlib.sha256(data).hexdigest()


def md5_hex(data: bytes) -> str:
    """MD5 of bytes as 32 lower-case hex characters; a content name of platform ②, never a safeguard."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _hmac_sha256(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, "sha256").hexdigest()


# algorithm → (HMAC, body hash)
_S1: dict[str, tuple[Callable[[bytes, bytes], str], Callable[[bytes], str]]] = {
    HMAC_SM3: (lambda key, data: _hmac_sm3(key, data), sm3_hex),
    HMAC_SHA256: (_hmac_sha256, sha256_hex),
}


def s1(alg: str, secret: str, method: str, path: str, query: str, timestamp: str, nonce: str, body: bytes) -> str:
    """S1 signature, lower-case hex. The key is the secret's ASCII bytes; KeyError for an algorithm we do not have."""
    mac, body_hash = _S1[alg]
    text = "\n".join((method.upper(), path, query, timestamp, nonce, body_hash(body)))
    return mac(secret.encode("ascii"), text.encode("utf-8"))


def s1_headers(
    alg: str,
    app_id: str,
    secret: str,
    method: str,
    path: str,
    query: str,
    body: bytes,
    *,
    timestamp_ms: int,
    nonce: str,
) -> dict[str, str]:
    """The five S1 headers of one request."""
    timestamp = str(timestamp_ms)
    return {
        "X-App-Id": app_id,
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Sign-Alg": alg,
        "X-Signature": s1(alg, secret, method, path, query, timestamp, nonce, body),
    }


def s2(session_secret: str, sid: str, rid: str, rtime: str) -> str:
    """S2 signature: Base64 of HMAC-SHA256 over sid + rid + rtime."""
    text = (sid + rid + rtime).encode("utf-8")
    return base64.b64encode(hmac.new(session_secret.encode("ascii"), text, "sha256").digest()).decode("ascii")


def s2_headers(app_id: str, session_secret: str, *, timestamp_ms: int, nonce: str) -> dict[str, str]:
    """The four S2 headers of one request."""
    rtime = str(timestamp_ms)
    return {
        "gjgxjhpt_sid": app_id,
        "gjgxjhpt_rid": nonce,
        "gjgxjhpt_rtime": rtime,
        "gjgxjhpt_sign": s2(session_secret, app_id, nonce, rtime),
    }


# Where the quick writer may differ from the contract's form of a number: exponents, very small ones, NaN as null. That a
# text holds such letters costs only the time of the slow writer.
_DOUBTFUL = re.compile(rb"[0-9][eE]|0\.0000|null")


def canonical(record: Mapping[str, Any]) -> bytes:
    """Canonical JSON as the contracts define it: Python's own form of numbers is the contract's."""
    try:
        quick = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a whole number beyond 64 bits, or no JSON value at all
        quick = b"null"
    if not _DOUBTFUL.search(quick):
        return quick
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")
