"""The gateway rules of `gateway.md`, case by case, on the running mocks.

Belongs here: signing, refusals and their order, sessions, rate, quota, queries, health. Must not: a platform's records.
"""

import http.client
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mock_platforms.run import Mocks
from tests.contract.mock_client import JSON, SECRET, Client, credentials, send, sign_s1, sign_s2
from tests.contract.mock_records import action, batch, cd_batch, pub_batch, publication, result

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))
RESULTS = "/api/v1/inspection-results"
PLATFORMS = ("double_random", "internet_supervision", "publicity", "credit")
SUCCESS = {"double_random": "0000", "internet_supervision": "200", "publicity": 200, "credit": "0"}


def ms(seconds=0.0):
    return str(int((time.time() + seconds) * 1000))


# the vectors, on both this client and the mocks' own code


@pytest.mark.parametrize("v", VECTORS["s1"], ids=lambda v: f"{v['alg']}-{v['method']}")
def test_a_vector_of_s1_gives_its_signature(v):
    from mock_platforms.codec import sign_s1 as theirs

    args = (v["alg"], v["secret"], v["method"], v["path"], v["query"], v["timestamp"], v["nonce"], v["body"].encode())
    assert sign_s1(*args) == theirs(*args) == v["signature"]


def test_the_vector_of_s2_gives_its_signature():
    from mock_platforms.codec import sign_s2 as theirs

    v = VECTORS["s2"]
    args = (v["session_secret"], v["sid"], v["rid"], v["rtime"])
    assert sign_s2(*args) == theirs(*args) == v["sign"]


def test_the_hashes_of_the_vectors_hold():
    from mock_platforms import codec

    assert codec.sm3(b"abc") == VECTORS["sm3_abc"] == codec._sm3_fallback(b"abc").hex()
    hashed = VECTORS["contentHash"]
    assert codec.canonical(hashed["record"]).decode() == hashed["canonical"]
    assert codec.content_hash(hashed["record"]) == hashed["sm3"]
    assert codec.content_md5(VECTORS["content_md5"]["record"]) == VECTORS["content_md5"]["md5"]
    assert codec.content_sha256(VECTORS["contentSha256"]["record"]) == VECTORS["contentSha256"]["sha256"]


# refusals and their order


def refusal(reply):
    return reply.http, reply.code, isinstance(reply.json["message"], str)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_unknown_or_missing_app_is_4011(mocks, platform):
    client = Client(mocks, platform)
    assert refusal(client.call("GET", "/quota", app_id="nobody")) == (401, "4011", True)
    assert refusal(send(client.url, "GET", "/quota")) == (401, "4011", True)


def test_a_credential_of_another_platform_is_unknown_here(mocks):
    client = Client(mocks, "publicity")
    assert client.call("GET", "/quota", app_id="do-scjg").code == "4011"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("timestamp", ["", "soon", "12.5", "-1", -301.5, 330])
def test_a_clock_off_by_more_than_300_seconds_or_no_number_is_4013(mocks, platform, timestamp):
    timestamp = timestamp if isinstance(timestamp, str) else ms(timestamp)
    reply = Client(mocks, platform).call("GET", "/quota", timestamp=timestamp)
    assert refusal(reply) == (401, "4013", True)


@pytest.mark.parametrize("shift", [-298, 298])
def test_a_clock_within_300_seconds_passes(one, shift):
    assert one.call("GET", "/quota", timestamp=ms(shift)).code == "0000"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_wrong_signature_is_4012(mocks, platform):
    client = Client(mocks, platform)
    assert refusal(client.call("GET", "/quota", secret="f" * 32)) == (401, "4012", True)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("nonce", ["", "A" * 32, "0" * 31, "0" * 33, "g" * 32])
def test_a_malformed_nonce_is_4012(mocks, platform, nonce):
    assert refusal(Client(mocks, platform).call("GET", "/quota", nonce=nonce)) == (401, "4012", True)


@pytest.mark.parametrize(("platform", "alg"), [("double_random", "HMAC-SHA256"), ("publicity", "HMAC-SM3")])
def test_an_algorithm_that_the_page_does_not_name_is_4012(mocks, platform, alg):
    assert Client(mocks, platform).call("GET", "/quota", alg=alg).code == "4012"


def test_a_signature_in_upper_case_is_wrong(one):
    nonce, at = secrets.token_hex(16), ms()
    signature = sign_s1("HMAC-SM3", SECRET, "GET", "/quota", "", at, nonce, b"").upper()
    assert one.call("GET", "/quota", nonce=nonce, timestamp=at, signature=signature).code == "4012"


def test_the_signature_covers_body_path_and_query(mocks, one):
    body = json.dumps(batch(result())).encode()
    headers = {**one.s1("POST", RESULTS, body), **JSON}
    assert send(one.url, "POST", RESULTS, headers, body + b" ").code == "4012"
    assert send(one.url, "POST", "/api/v1/credit-ratings", headers, body).code == "4012"
    assert send(one.url, "POST", f"{RESULTS}?a=b", headers, body).code == "4012"
    assert send(one.url, "POST", RESULTS, headers, body).code == "0000"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_nonce_seen_in_the_last_ten_minutes_is_4014(mocks, platform):
    client, nonce = Client(mocks, platform), secrets.token_hex(16)
    assert client.call("GET", "/quota", nonce=nonce).http == 200
    assert refusal(client.call("GET", "/quota", nonce=nonce)) == (401, "4014", True)


def test_a_nonce_is_kept_per_app_and_only_after_its_signature_was_verified(mocks, one):
    nonce = secrets.token_hex(16)
    assert one.call("GET", "/quota", nonce=nonce, secret="f" * 32).code == "4012"
    assert one.call("GET", "/quota", nonce=nonce).code == "0000"
    assert Client(mocks, "double_random", "YJJ").call("GET", "/quota", nonce=nonce).code == "0000"


def test_a_nonce_may_come_again_after_ten_minutes(mocks, one):
    nonce = secrets.token_hex(16)
    assert one.call("GET", "/quota", nonce=nonce).code == "0000"
    mocks.control("POST", "/clock", {"platform": "double_random", "offset": 601})
    assert one.call("GET", "/quota", nonce=nonce, timestamp=ms(601)).code == "0000"


def test_a_captured_request_is_refused_after_a_restart_too(mocks, one):
    nonce = secrets.token_hex(16)
    assert one.call("GET", "/quota", nonce=nonce).code == "0000"
    mocks.restart(kill=True)
    assert one.call("GET", "/quota", nonce=nonce).code == "4014"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_suspended_app_is_4030(mocks, platform):
    client = Client(mocks, platform)
    client.call("GET", "/quota")
    mocks.control("POST", "/suspend", {"platform": platform, "department": "SCJG", "on": True})
    try:
        assert refusal(client.call("GET", "/quota")) == (403, "4030", True)
    finally:
        mocks.control("POST", "/suspend", {"platform": platform, "department": "SCJG", "on": False})
    assert client.call("GET", "/quota").code == SUCCESS[platform]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_maintenance_is_503_with_5030(mocks, platform):
    client = Client(mocks, platform)
    client.call("GET", "/quota")
    mocks.control("POST", "/maintenance", {"platform": platform, "on": True, "retry_after": 7})
    try:
        reply = client.call("GET", "/quota")
        assert refusal(reply) == (503, "5030", True)
        assert reply.headers["retry-after"] == "7"
        mocks.control("POST", "/maintenance", {"platform": platform, "on": True})
        assert "retry-after" not in client.call("GET", "/quota").headers
    finally:
        mocks.control("POST", "/maintenance", {"platform": platform, "on": False})


def test_a_body_over_four_mebibytes_is_4130(one):
    most = one.call("POST", RESULTS, body=b" " * 4_194_304)
    assert most.code == "4001"
    assert refusal(one.call("POST", RESULTS, body=b" " * 4_194_305)) == (413, "4130", True)


def test_the_checks_come_in_the_order_of_the_page(mocks, one):
    """Each call breaks everything from its point on; the first breach in the order of the page is said."""
    large, wrong = b" " * 4_194_305, {"timestamp": "soon", "signature": "0" * 64}
    suspend = {"platform": "double_random", "department": "SCJG"}
    maintenance = {"platform": "double_random"}
    nonce = secrets.token_hex(16)
    one.call("GET", "/quota", nonce=nonce)
    mocks.control("POST", "/maintenance", {**maintenance, "on": True})
    mocks.control("POST", "/suspend", {**suspend, "on": True})
    mocks.control("POST", "/quota", {"platform": "double_random", "rate": 0.001, "burst": 0.001, "daily_records": 0})
    try:
        assert one.call("POST", RESULTS, body=large, app_id="nobody", **wrong).code == "4130"
        assert one.call("GET", "/quota", app_id="nobody", **wrong).code == "5030"
        mocks.control("POST", "/maintenance", {**maintenance, "on": False})
        assert one.call("GET", "/quota", app_id="nobody", **wrong).code == "4011"
        assert one.call("GET", "/quota", **wrong).code == "4030"
        mocks.control("POST", "/suspend", {**suspend, "on": False})
        assert one.call("GET", "/quota", nonce=nonce, **wrong).code == "4013"
        assert one.call("GET", "/quota", nonce=nonce, signature="0" * 64).code == "4012"
        assert one.call("GET", "/quota", nonce=nonce).code == "4014"
        assert one.call("POST", RESULTS, batch(result())).code == "4290"
        mocks.control("POST", "/quota", {"platform": "double_random", "rate": 1000, "burst": 1000})
        assert one.call("POST", RESULTS, batch(result())).code == "4291"
    finally:
        mocks.control("POST", "/maintenance", {**maintenance, "on": False})
        mocks.control("POST", "/suspend", {**suspend, "on": False})


# rate and quota


def test_over_the_rate_is_429_with_retry_after_in_whole_seconds(mocks, one):
    mocks.control("POST", "/quota", {"platform": "double_random", "rate": 0.5, "burst": 3})
    replies = [one.call("GET", "/quota") for _ in range(5)]
    assert [reply.code for reply in replies] == ["0000"] * 3 + ["4290"] * 2
    assert replies[4].http == 429
    assert 1 <= int(replies[4].headers["retry-after"]) <= 2


def test_the_rate_is_counted_for_each_credential(mocks, one):
    mocks.control("POST", "/quota", {"platform": "double_random", "rate": 0.01, "burst": 1})
    assert [one.call("GET", "/quota").code for _ in range(2)] == ["0000", "4290"]
    assert Client(mocks, "double_random", "YJJ").call("GET", "/quota").code == "0000"


def test_a_refused_request_takes_no_token(mocks, one):
    mocks.control("POST", "/quota", {"platform": "double_random", "rate": 0.01, "burst": 2, "daily_records": 0})
    for _ in range(3):
        assert one.call("GET", "/quota", secret="f" * 32).code == "4012"
        assert one.call("POST", RESULTS, batch(result())).code == "4291"
    assert [one.call("GET", "/quota").code for _ in range(3)] == ["0000", "0000", "4290"]


def test_a_session_request_takes_a_token(mocks):
    client = Client(mocks, "internet_supervision")
    mocks.control("POST", "/quota", {"platform": "internet_supervision", "rate": 0.01, "burst": 2})
    assert [client.open_session().http for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_quota_shows_the_limits_and_what_the_whole_platform_used(mocks, platform):
    reply = Client(mocks, platform).call("GET", "/quota")
    assert reply.code == SUCCESS[platform]
    assert type(reply.code) is type(SUCCESS[platform])
    assert set(reply.json["data"]) == {"rate", "burst", "daily_records", "used_today"}


def test_the_limits_are_ten_twenty_and_200000_unless_told(tmp_path):
    from mock_platforms.admission import DEFAULT_LIMITS

    assert DEFAULT_LIMITS == {"rate": 10.0, "burst": 20.0, "daily_records": 200_000}


def used(client):
    return client.call("GET", "/quota").json["data"]["used_today"]


def test_every_judged_record_counts_once_whatever_the_verdict(mocks, one):
    other = Client(mocks, "double_random", "YJJ")
    before = used(one)
    sent = batch(result(), result(uniCode="x"))
    assert one.call("POST", RESULTS, sent).code == "0000"
    assert used(one) == used(other) == before + 2
    assert one.call("POST", RESULTS, sent).code == "0000"  # a repeated number
    assert one.call("POST", RESULTS, {"batchNo": "", "records": [result()]}).code == "4001"
    assert used(one) == before + 2


def test_the_quota_is_asked_only_for_a_batch_that_would_be_judged(mocks, one):
    sent = batch(result())
    assert one.call("POST", RESULTS, sent).code == "0000"
    mocks.control("POST", "/quota", {"platform": "double_random", "daily_records": used(one)})
    assert one.call("POST", RESULTS, sent).code == "0000"
    assert one.call("POST", RESULTS, batch(result(), number=sent["batchNo"])).code == "4009"
    assert one.call("POST", RESULTS, {}).code == "4001"
    reply = one.call("POST", RESULTS, batch(result()))
    assert refusal(reply) == (429, "4291", True)
    assert "retry-after" not in reply.headers


def test_the_quota_holds_on_the_other_two_platforms_as_well(mocks, two, three):
    for platform in ("internet_supervision", "publicity"):
        mocks.control("POST", "/quota", {"platform": platform, "daily_records": 0})
    assert refusal(two.call("POST", "/exchange/jg_jgxw_check_action", cd_batch(action()))) == (429, "4291", True)
    assert refusal(three.call("POST", "/publicity/inspections", pub_batch(publication()))) == (429, "4291", True)


def test_a_new_beijing_day_has_a_new_quota(mocks, one):
    one.call("POST", RESULTS, batch(result()))
    assert used(one) > 0
    mocks.control("POST", "/clock", {"platform": "double_random", "offset": 86400})
    assert one.call("GET", "/quota", timestamp=ms(86400)).json["data"]["used_today"] == 0


# sessions (S2)


def test_a_session_is_asked_for_with_hmac_sm3_and_an_empty_object(mocks):
    client = Client(mocks, "internet_supervision")
    reply = client.open_session()
    assert (reply.http, reply.code, reply.json["message"]) == (200, "200", "成功")
    assert set(reply.json["data"]) == {"session_secret", "expires_at"}
    assert client.open_session(alg="HMAC-SHA256").code == "4012"
    for body in (b"", b"[]", b'{"a":1}', b"{"):
        reply = client.open_session(body=body)
        assert (reply.http, reply.code) == (400, "6002")
    assert client.open_session(headers={"Content-Type": "text/plain"}).code == "6002"


def test_without_a_live_session_the_answer_is_4015(mocks):
    client = Client(mocks, "internet_supervision", "YJJ")
    client.open_session()
    assert refusal(client.call("GET", "/quota", secret="x" * 32)) == (401, "4012", True)
    mocks.control("POST", "/sessions/expire", {"platform": "internet_supervision", "department": "YJJ"})
    assert refusal(client.call("GET", "/quota")) == (401, "4015", True)
    assert refusal(client.call("GET", "/quota", secret="x" * 32)) == (401, "4015", True)


def test_a_session_ends_after_sixty_minutes(mocks):
    client = Client(mocks, "internet_supervision")
    client.open_session()
    mocks.control("POST", "/clock", {"platform": "internet_supervision", "offset": 3590})
    assert client.call("GET", "/quota", timestamp=ms(3590)).code == "200"
    mocks.control("POST", "/clock", {"platform": "internet_supervision", "offset": 3605})
    assert client.call("GET", "/quota", timestamp=ms(3605)).code == "4015"


def test_an_earlier_session_ends_thirty_seconds_after_the_next(mocks):
    old, new = Client(mocks, "internet_supervision"), Client(mocks, "internet_supervision")
    old.open_session()
    new.open_session()
    assert old.call("GET", "/quota").code == "200"
    mocks.control("POST", "/clock", {"platform": "internet_supervision", "offset": 32})
    assert refusal(old.call("GET", "/quota", timestamp=ms(32))) == (401, "4015", True)
    assert new.call("GET", "/quota", timestamp=ms(32)).code == "200"
    assert new.call("GET", "/quota", timestamp=ms(32), secret="x" * 32).code == "4012"


# content


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json; charset=gb18030"},
        {"Content-Type": "text/json; charset=utf-8"},
        {"Content-Type": None},
        {"Content-Encoding": "gzip"},
    ],
)
def test_another_content_type_or_a_content_encoding_is_refused_in_each_platforms_words(one, two, three, headers):
    assert one.call("POST", RESULTS, batch(result()), headers=headers).code == "4001"
    reply = two.call("POST", "/exchange/jg_jgxw_check_action", cd_batch(action()), headers=headers)
    assert (reply.http, reply.code) == (400, "6002")
    assert three.call("POST", "/publicity/inspections", pub_batch(publication()), headers=headers).code == 6002


@pytest.mark.parametrize("charset", ["application/json;charset=UTF-8", 'application/json; charset="utf-8"'])
def test_the_content_type_may_be_spelt_in_other_letters(one, charset):
    assert one.call("POST", RESULTS, batch(result()), headers={"Content-Type": charset}).code == "0000"


BODIES = [
    b"\xef\xbb\xbf" + b'{"batchNo":"A","records":[{}]}',
    b'{"batchNo":"A","batchNo":"A","records":[{}]}',
    b'{"batchNo":"A","records":[{"score":NaN}]}',
    b'{"batchNo":"A","records":[{"score":1e999}]}',
    b'{"batchNo":"A","records":[{"entName":"\\ud800"}]}',
    b'{"batchNo":"A","records":[{"entName":"\xff"}]}',
    b'{"batchNo":"A","records":[{}]',
    b"[" * 100_000,
    b"",
]


@pytest.mark.parametrize(
    "body", BODIES, ids=["bom", "key twice", "nan", "inf", "surrogate", "bytes", "cut", "deep", "empty"]
)
def test_what_is_no_strict_json_is_refused(one, two, three, body):
    assert one.call("POST", RESULTS, body=body).code == "4001"
    assert two.call("POST", "/exchange/jg_jgxw_check_action", body=body).code == "6002"
    assert three.call("POST", "/publicity/inspections", body=body).code == 6002


# queries

LISTS = {
    "double_random": ("/api/v1/records", {"kind": "inspection-results"}, "updatedFrom", "updatedTo", "recordKeys"),
    "internet_supervision": (
        "/exchange/records",
        {"table": "jg_jgxw_check_action"},
        "updated_from",
        "updated_to",
        "cd_ids",
    ),
    "publicity": ("/publicity/records", {}, "updatedFrom", "updatedTo", "pubIds"),
    "credit": ("/api/ratings", {}, "updated_from", "updated_to", None),
}
BAD = {
    "double_random": (200, "4001"),
    "internet_supervision": (400, "6002"),
    "publicity": (200, 6002),
    "credit": (200, "4000"),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_bad_parameters_get_the_platforms_own_code(mocks, platform):
    client = Client(mocks, platform)
    path, fixed, low, high, keys = LISTS[platform]
    query = "&".join(f"{k}={v}" for k, v in fixed.items())
    bad = [
        f"{low}=2026-11-22",
        f"{low}=2026-11-22+01:00:00",
        f"{low}=2026-02-30%2001:00:00",
        f"{low}=2026-11-22%2001:00:00&{low}=2026-11-22%2001:00:00",
        f"{high}=",
        "unknown=1",
        "%66oo=1",
        f"{low}",
    ]
    if keys:
        bad += [
            f"{keys}=a&{low}=2026-11-22%2001:00:00",
            f"{keys}=",
            f"{keys}=a,,b",
            f"{keys}=" + ",".join(f"k{i}" for i in range(101)),
        ]
    answers = [client.call("GET", f"{path}?{query}&{part}".replace("?&", "?")) for part in bad]
    assert [(reply.http, reply.code) for reply in answers] == [BAD[platform]] * len(bad)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_bounds_with_blanks_as_percent_twenty_are_good(mocks, platform):
    path, fixed, low, high, _ = LISTS[platform]
    reply = Client(mocks, platform).get(path, **fixed, **{low: "2026-11-22 00:00:00", high: "2026-11-22 00:00:01"})
    assert reply.code == SUCCESS[platform]


@pytest.mark.parametrize(
    ("platform", "name", "value"),
    [
        ("double_random", "limit", "1001"),
        ("double_random", "limit", "0"),
        ("double_random", "cursor", "x"),
        ("double_random", "kind", "x"),
        ("internet_supervision", "size", "501"),
        ("internet_supervision", "page", "0"),
        ("internet_supervision", "table", "x"),
        ("publicity", "limit", "10"),
        ("publicity", "cursor", "x"),
        ("credit", "limit", "501"),
    ],
)
def test_sizes_out_of_range_are_bad_parameters(mocks, platform, name, value):
    path, fixed, *_ = LISTS[platform]
    reply = Client(mocks, platform).get(path, **{**fixed, name: value})
    assert (reply.http, reply.code) == BAD[platform]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_parameters_where_there_are_none_are_bad(mocks, platform):
    reply = Client(mocks, platform).get("/quota", a=1)
    assert (reply.http, reply.code) == BAD[platform]


def test_a_push_with_a_query_is_refused(one, two, three):
    assert one.call("POST", f"{RESULTS}?a=1", batch(result())).code == "4001"
    assert two.call("POST", "/exchange/jg_jgxw_check_action?a=1", cd_batch(action())).code == "6002"
    assert three.call("POST", "/publicity/inspections?a=1", pub_batch(publication())).code == 6002


# health and the rest


@pytest.mark.parametrize("platform", PLATFORMS)
def test_health_needs_no_signature_and_names_the_platform(mocks, platform):
    reply = send(mocks.urls[platform], "GET", "/health")
    assert (reply.http, reply.json) == (200, {"status": "UP", "platform": platform, "environment": "test"})


def test_the_date_header_follows_the_platforms_clock(mocks, one):
    from email.utils import parsedate_to_datetime

    mocks.control("POST", "/clock", {"platform": "double_random", "offset": -7200})
    said = parsedate_to_datetime(send(one.url, "GET", "/health").headers["date"]).timestamp()
    assert abs(said - (time.time() - 7200)) < 5


def test_the_wire_log_names_credential_department_keys_and_verdicts_but_no_content(mocks, one):
    good, bad = result(), result(uniCode="x")
    one.call("POST", RESULTS, batch(good, bad))
    line = mocks.wire("double_random")[-1]
    assert (line["app_id"], line["department"], line["path"], line["method"]) == ("do-scjg", "SCJG", RESULTS, "POST")
    assert line["keys"] == [good["recordKey"], bad["recordKey"]]
    assert line["verdicts"] == {good["recordKey"]: "ACCEPTED", bad["recordKey"]: "REJECTED E06"}
    assert (line["http"], line["code"], line["fault"]) == (200, "0000", "")
    assert "张某" not in json.dumps(line, ensure_ascii=False)


def test_many_requests_at_once_are_all_answered_and_counted_once(mocks, one):
    before = used(one)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: one.call("POST", RESULTS, batch(result())), range(24)))
    assert [reply.code for reply in replies] == ["0000"] * 24
    assert len({reply.json["data"]["results"][0]["receiptNo"] for reply in replies}) == 24
    assert used(one) == before + 24


def test_the_ledger_and_the_addresses_survive_a_kill(mocks, one):
    sent = result()
    one.call("POST", RESULTS, batch(sent))
    urls = dict(mocks.urls)
    mocks.restart(kill=True)
    assert mocks.urls == urls
    found = one.get("/api/v1/records", kind="inspection-results", recordKeys=sent["recordKey"]).json["data"]["items"]
    assert [item["record"] for item in found] == [sent]


def test_the_process_ends_with_the_thread_that_started_it(tmp_path):
    import subprocess
    import sys

    (tmp_path / "c.json").write_text("[]")
    code = (
        "import os, sys; from mock_platforms.run import Mocks;"
        f"m = Mocks({str(tmp_path / 's')!r}, {str(tmp_path / 'c.json')!r}); m.start(); print(m.pid, flush=True); os._exit(0)"
    )
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True).stdout)
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < until, "the mocks outlive their parent"
        time.sleep(0.05)


def test_one_platform_alone_starts_with_its_suspended_app_and_stops_cleanly_in_the_middle_of_a_request(tmp_path):
    given = [{**entry, "suspended": entry["department"] == "YJJ"} for entry in credentials()]
    (tmp_path / "c.json").write_text(json.dumps(given))
    alone = Mocks(tmp_path / "state", tmp_path / "c.json", extra_args=["--only", "double_random"])
    alone.start()
    try:
        assert set(alone.urls) == {"double_random", "control"}
        assert Client(alone, "double_random", "YJJ").call("GET", "/quota").code == "4030"
        alone.control("POST", "/faults", {"platform": "double_random", "fault": "silence"})
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(Client(alone, "double_random").call, "GET", "/api/v1/batches/A")
            while not any(line["fault"] == "silence" for line in alone.wire("double_random")):
                time.sleep(0.02)
            start = time.monotonic()
            code = alone.stop()
            assert isinstance(waiting.exception(10), (ConnectionError, http.client.HTTPException))
    finally:
        alone.stop()
    assert code == 0
    assert time.monotonic() - start < 5
