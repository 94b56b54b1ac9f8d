"""A small client of the contract pages for the tests of the mocks: signs, sends, reads. It shares nothing with either side.

Belongs here: signing and the wire. Must not: any import of the mocks or the pipeline.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlsplit

BEIJING = timezone(timedelta(hours=8))
SECRET = "0123456789abcdef0123456789abcdef"
OWN = "11610124YY00000449"
COMPANY, SCHOOL, SELF_EMPLOYED = "91610124YY000001XB", "12610124YY00000521", "92610124YY00000288"
ALGS = {"double_random": "HMAC-SM3", "publicity": "HMAC-SHA256", "credit": "HMAC-SHA256"}
_numbers = itertools.count(1)


def uscc(first17):
    """A code whose check digit holds, by GB 32100 as the standard states it."""
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    return first17 + letters[(31 - sum(w * letters.index(c) for w, c in zip(weights, first17, strict=True)) % 31) % 31]


OTHER = uscc("11610124YY0000052")


def credentials():
    """Two departments on all four platforms."""
    found = []
    for platform in ("double_random", "internet_supervision", "publicity", "credit"):
        for key, code, name in (("SCJG", OWN, "周至县市场监督管理局"), ("YJJ", OTHER, "周至县应急管理局")):
            found.append(
                {
                    "platform": platform,
                    "department": key,
                    "app_id": f"{platform[:2]}-{key.lower()}",
                    "secret": SECRET,
                    "department_uscc": code,
                    "department_name": name,
                    "suspended": False,
                }
            )
    return found


def now(**shift):
    return datetime.now(BEIJING).replace(tzinfo=None) + timedelta(**shift)


def day(shift=0):
    return (now() + timedelta(days=shift)).date().isoformat()


def stamp(**shift):
    return now(**shift).strftime("%Y-%m-%d %H:%M:%S")


def fresh(prefix="R"):
    """A number that was not used yet."""
    return f"{prefix}{next(_numbers):07d}"


def number_of_day():
    """A batch number of ② that was not used yet."""
    return now().strftime("%Y%m%d") + f"{next(_numbers):05d}"


def sign_s1(alg, secret, method, path, query, timestamp, nonce, body):
    name = {"HMAC-SM3": "sm3", "HMAC-SHA256": "sha256"}[alg]
    text = "\n".join((method, path, query, timestamp, nonce, hashlib.new(name, body).hexdigest()))
    return hmac.new(secret.encode(), text.encode(), name).hexdigest()


def sign_s2(secret, sid, rid, rtime):
    return base64.b64encode(hmac.new(secret.encode(), (sid + rid + rtime).encode(), "sha256").digest()).decode()


@dataclass
class Reply:
    http: int
    headers: dict
    raw: bytes

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def code(self):
        return self.json["code"]


def send(url, method, target, headers=None, body=None, timeout=20):
    """One request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


class Client:
    """A department's client of one platform; every part of a request can be overridden by a test."""

    def __init__(self, mocks, platform, department="SCJG"):
        self.mocks, self.platform, self.department = mocks, platform, department
        self.app_id = f"{platform[:2]}-{department.lower()}"
        self.session = None

    @property
    def url(self):
        return self.mocks.urls[self.platform]

    def s1(self, method, target, body, **over):
        path, _, query = target.partition("?")
        alg = over.get("alg", ALGS.get(self.platform, "HMAC-SM3"))
        timestamp = over.get("timestamp", str(int(time.time() * 1000)))
        nonce = over.get("nonce", secrets.token_hex(16))
        signature = sign_s1(
            alg if alg in ("HMAC-SM3", "HMAC-SHA256") else "HMAC-SM3",
            *(over.get("secret", SECRET), method, path, query, timestamp, nonce, body),
        )
        return {
            "X-App-Id": over.get("app_id", self.app_id),
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Sign-Alg": alg,
            "X-Signature": over.get("signature", signature),
        }

    def s2(self, **over):
        if self.session is None:
            self.open_session()
        sid = over.get("app_id", self.app_id)
        rid = over.get("nonce", secrets.token_hex(16))
        rtime = over.get("timestamp", str(int(time.time() * 1000)))
        sign = over.get("signature", sign_s2(over.get("secret", self.session), sid, rid, rtime))
        return {"gjgxjhpt_sid": sid, "gjgxjhpt_rid": rid, "gjgxjhpt_rtime": rtime, "gjgxjhpt_sign": sign}

    def open_session(self, body=b"{}", **over):
        headers = {**self.s1("POST", "/auth/session", body, **over), **JSON, **over.get("headers", {})}
        reply = send(self.url, "POST", "/auth/session", headers, body)
        if reply.http == 200:
            self.session = reply.json["data"]["session_secret"]
        return reply

    def call(self, method, target, payload=None, *, body=None, timeout=20, headers=None, **over):
        """Send; `payload` is rendered as JSON, `body` is sent as is."""
        if body is None:
            body = b"" if payload is None else json.dumps(payload, ensure_ascii=False).encode()
        signed = self.s2(**over) if self.platform == "internet_supervision" else self.s1(method, target, body, **over)
        sent = {**signed, **(JSON if method == "POST" else {}), **(headers or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        return send(self.url, method, target, sent, body or None, timeout)

    def get(self, path, **params):
        query = "&".join(f"{name}={quote(str(value), safe=',')}" for name, value in params.items())
        return self.call("GET", f"{path}?{query}" if query else path)


JSON = {"Content-Type": "application/json; charset=utf-8"}


def wait_done(client, number, seconds=10.0):
    """The receipts of a batch of ②, once they are final."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = client.get(f"/exchange/receipts/{number}").json["data"]
        if data["status"] != "PROCESSING":
            return data
        time.sleep(0.03)
    raise AssertionError(f"batch {number} is still being checked after {seconds} s")
