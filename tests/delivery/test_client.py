"""The signed line against real sockets: what leaves, what may be believed, and what nobody knows."""

import json
import socket
import struct
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.delivery.loopback import (
    SECRET,
    USCC,
    Loopback,
    credential,
    department,
    drip,
    raw,
    says,
    spec,
    whole,
)
from zz_pipeline.delivery import signing
from zz_pipeline.delivery.client import Client, check_identity
from zz_pipeline.delivery.protocol import Transport
from zz_pipeline.errors import DeliveryError, OwnerGate, WrongPlatform

PUSH = "/api/v1/inspection-results"
OK = {"code": "0000", "message": "成功", "data": {}}


def client(server, name="double_random", **changes):
    options = {key: changes.pop(key) for key in ("clock", "nonce", "observe") if key in changes}
    return Client(spec(name, server.url, **changes), credential(name), department(), **options)


def batch(**changes):
    record = {"recordKey": "610124-SCJG-1", "insAuthCode": USCC, "enteredByCode": USCC} | changes
    return json.dumps({"batchNo": "B-1", "records": [record]}, ensure_ascii=False).encode()


def answered(data, **changes):
    """The reply to a query that is answered with these bytes."""
    with Loopback([raw(data)]) as server:
        return client(server, **changes)("GET", "/api/v1/records", query="kind=inspection-results")


# ---------------------------------------------------------------- signing on the wire


def test_a_push_leaves_signed_by_s1_over_exactly_the_bytes_sent():
    with Loopback([says(200, OK)]) as server:
        reply = client(server).push(PUSH, batch(entName="周至县样例餐饮有限公司"), "SCJG")
    (asked,) = server.asked
    h = asked.headers
    wanted = signing.s1("HMAC-SM3", SECRET, "POST", PUSH, "", h["x-timestamp"], h["x-nonce"], asked.body)
    assert (reply.transport, reply.http, reply.json) == (Transport.ANSWERED, 200, OK)
    assert (h["x-signature"], h["x-sign-alg"], h["x-app-id"]) == (wanted, "HMAC-SM3", "app-scjg")
    assert h["content-type"] == "application/json; charset=utf-8"
    assert "content-encoding" not in h
    assert abs(int(h["x-timestamp"]) / 1000 - time.time()) < 5


def test_a_query_is_signed_as_it_stands_in_the_address():
    query = "kind=inspection-results&recordKeys=a,b&updatedFrom=2026-11-22%2001%3A00%3A00"
    with Loopback([says(200, OK)]) as server:
        client(server, "publicity")("GET", "/publicity/records", query=query)
    (asked,) = server.asked
    h = asked.headers
    wanted = signing.s1("HMAC-SHA256", SECRET, "GET", "/publicity/records", query, h["x-timestamp"], h["x-nonce"], b"")
    assert asked.target == f"/publicity/records?{query}"
    assert h["x-signature"] == wanted


def test_every_attempt_has_a_new_nonce_even_for_the_same_bytes():
    with Loopback([says(200, OK)]) as server:
        line = client(server)
        for _ in range(5):
            line.push(PUSH, batch(), "SCJG")
    nonces = [asked.headers["x-nonce"] for asked in server.asked]
    assert len(set(nonces)) == 5
    assert all(len(nonce) == 32 and nonce == nonce.lower() for nonce in nonces)


def test_the_secret_is_neither_sent_nor_shown():
    with Loopback([says(200, OK)]) as server:
        line = client(server)
        reply = line.push(PUSH, batch(), "SCJG")
    assert SECRET not in repr(server.asked)
    assert SECRET not in repr(reply) + repr(line.credential) + repr(vars(line))


def test_an_address_that_would_leave_otherwise_than_signed_is_a_defect():
    with Loopback([says(200, OK)]) as server:
        with pytest.raises(ValueError, match="as it was signed"):
            client(server)("GET", "/api/v1/records", query="a=b c")
        with pytest.raises(ValueError, match="exactly one slash"):
            client(server)("GET", "//elsewhere.invalid/")
    assert server.connections == 0


def test_every_call_is_observed_with_its_reply():
    seen = []
    with Loopback([says(200, OK)]) as server:
        client(server, observe=lambda *args: seen.append(args)).push(PUSH, batch(), "SCJG")
    ((reply, method, path),) = seen
    assert (method, path, reply.http, reply.nonce) == ("POST", PUSH, 200, server.asked[0].headers["x-nonce"])
    assert reply.started_at <= reply.ended_at
    assert len(reply.body_digest) == 64


# ---------------------------------------------------------------- whose name (fault 35)


@pytest.mark.parametrize(
    ("body", "owner"),
    [
        pytest.param(batch(), "CGJ", id="another owner"),
        pytest.param(batch(insAuthCode="11610124YY0000060P"), "SCJG", id="another code"),
        pytest.param(batch(enteredByCode="11610124YY0000060P"), "SCJG", id="entered by another"),
        pytest.param(batch(recordKey="610124-CGJ-2026-1"), "SCJG", id="another department's record"),
        pytest.param(b'{"batchNo": "B-1"}', "SCJG", id="no records"),
        pytest.param(b"[]", "SCJG", id="no object"),
        pytest.param(b'{"records": [], "records": []}', "SCJG", id="a key twice"),
    ],
)
def test_fault_35_nothing_leaves_in_another_departments_name(body, owner):
    with Loopback([says(200, OK)]) as server, pytest.raises(OwnerGate):
        client(server).push(PUSH, body, owner)
    assert server.connections == 0


def test_fault_35_a_post_through_the_query_door_passes_the_same_gate():
    with Loopback([says(200, OK)]) as server, pytest.raises(OwnerGate):
        client(server)("POST", PUSH, body=batch(insAuthCode="11610124YY0000060P"))
    assert server.connections == 0


def test_fault_35_a_client_with_another_departments_credential_is_never_made():
    with pytest.raises(OwnerGate):
        Client(spec("double_random", "http://127.0.0.1:9"), credential("double_random", "CGJ"), department())
    with pytest.raises(OwnerGate):
        Client(spec("double_random", "http://127.0.0.1:9"), credential("publicity"), department())


# ---------------------------------------------------------------- nothing has left


def test_a_refused_connection_says_that_nothing_has_left():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    reply = Client(spec("double_random", url), credential("double_random"), department())("GET", "/quota")
    assert (reply.transport, reply.http) == (Transport.NO_CONNECT, None)
    assert "没有发出" in reply.error


def test_after_the_send_deadline_no_byte_leaves():
    with Loopback([says(200, OK)]) as server:
        reply = client(server).push(PUSH, batch(), "SCJG", latest=time.monotonic() - 0.1)
    assert reply.transport is Transport.NO_CONNECT
    assert "发送时限" in reply.error
    assert server.asked == []


def test_before_the_send_deadline_the_batch_leaves():
    with Loopback([says(200, OK)]) as server:
        reply = client(server).push(PUSH, batch(), "SCJG", latest=time.monotonic() + 5)
    assert reply.transport is Transport.ANSWERED


# ---------------------------------------------------------------- nobody knows


def close(conn, asked):
    conn.close()


def reset(conn, asked):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


@pytest.mark.parametrize("handler", [close, reset], ids=["closed", "reset"])
def test_fault_18_a_connection_that_ends_without_an_answer_is_unknown(handler):
    with Loopback([handler]) as server:
        reply = client(server).push(PUSH, batch(), "SCJG")
    assert (reply.transport, reply.http) == (Transport.UNKNOWN, None)
    assert len(server.asked) == 1, "a push is never repeated by the client"


def test_silence_is_unknown_after_the_read_timeout():
    over = []
    with Loopback([]) as server:
        server.handlers.append(lambda conn, asked: over.append(server.pause(10)))
        reply = client(server, read_seconds=0.3).push(PUSH, batch(), "SCJG")
    assert reply.transport is Transport.UNKNOWN
    assert over == [False], "the other side was still silent when the client gave up"


@pytest.mark.parametrize("part", ["head", "body", "body without length"])
def test_fault_29_a_slow_drip_is_cut_at_the_calls_deadline(part):
    body = json.dumps(OK).encode()
    data = {
        "head": whole(200, body),
        "body": whole(200, body),
        "body without length": b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n" + b" " * 200,
    }[part]
    at_once = 0 if part == "head" else data.index(b"\r\n\r\n") + 4
    with Loopback([]) as server:
        server.handlers.append(drip(server, data, at_once, 0.1))
        started = time.monotonic()
        reply = client(server, call_seconds=0.5).push(PUSH, batch(), "SCJG")
        took = time.monotonic() - started
    assert reply.transport is Transport.UNKNOWN
    assert 0.4 < took < 0.1 * (len(data) - at_once), "cut before the whole answer could have come"


def test_an_answer_shorter_than_its_length_is_unknown():
    data = whole(200, json.dumps(OK).encode()).replace(b"Content-Length: ", b"Content-Length: 9")
    reply = answered(data)
    assert reply.transport is Transport.UNKNOWN


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_fault_24_a_redirect_is_not_followed_and_is_unknown(status):
    with Loopback([says(200, OK)]) as elsewhere:
        server = Loopback([raw(whole(status, b"<html>", f"Location: {elsewhere.url}/login"))])
        with server:
            reply = client(server).push(PUSH, batch(), "SCJG")
    assert (reply.transport, reply.http) == (Transport.UNKNOWN, status)
    assert elsewhere.connections == 0
    assert len(server.asked) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_huge_answer_is_not_read_to_its_end(chunked):
    block = b"x" * 65536

    def handler(conn, asked):
        head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 99999999"
        conn.sendall(b"HTTP/1.1 200 X\r\n" + head + b"\r\n\r\n")
        for _ in range(1000):
            conn.sendall(b"10000\r\n" + block + b"\r\n" if chunked else block)

    with Loopback([handler]) as server:
        reply = client(server)("GET", "/quota")
    assert reply.transport is Transport.UNKNOWN
    assert "4 MiB" in reply.error


# ---------------------------------------------------------------- an answer is read strictly (fault 22)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>502</html>", id="html"),
        pytest.param(b'{"code": "0000"', id="cut"),
        pytest.param(b'{"code": "0000"} {}', id="two values"),
        pytest.param(b'{"code": "4001", "code": "0000"}', id="a key twice"),
        pytest.param(b'{"data": {"a": 1, "a": 2}}', id="a key twice inside"),
        pytest.param(b'{"n": NaN}', id="NaN"),
        pytest.param(b'{"n": -Infinity}', id="Infinity"),
        pytest.param(b'{"n": 1e999}', id="too large"),
        pytest.param(b'{"n": ' + b"1" * 5000 + b"}", id="too many digits"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param('{"message": "成功"}'.encode("gb18030"), id="GB18030"),
        pytest.param(b'{"a": "\\ud800"}', id="half a character"),
        pytest.param(b'{"a": "\xed\xa0\x80"}', id="half a character in UTF-8"),
    ],
)
def test_fault_22_what_is_not_exactly_one_json_value_is_no_answer(body):
    reply = answered(whole(200, body))
    assert (reply.transport, reply.http, reply.json) == (Transport.ANSWERED, 200, None)
    assert reply.error


@pytest.mark.parametrize("header", ["Content-Encoding: gzip", "Content-Encoding: br"])
def test_fault_22_an_encoded_body_is_no_answer(header):
    assert answered(whole(200, b"{}", header)).json is None


def test_fault_22_another_charset_is_no_answer():
    data = whole(200, b"{}").replace(b"application/json", b"application/json; charset=GBK")
    assert answered(data).json is None


def test_the_same_answers_read_well_when_they_keep_the_contract():
    body = '{"message": "成功 \\u5468\\ud83d\\ude00", "n": 1.5}'.encode()
    data = whole(200, body).replace(b"application/json", b"application/json;charset=UTF-8")
    assert answered(data).json == {"message": "成功 周😀", "n": 1.5}


def test_a_500_with_a_page_is_answered_and_unreadable():
    reply = answered(whole(500, b"<html>"))
    assert (reply.transport, reply.http, reply.json) == (Transport.ANSWERED, 500, None)


@pytest.mark.parametrize(("value", "wait"), [("7", 7.0), ("0", 0.0), ("-1", None), ("soon", None), ("1.5", None)])
def test_retry_after_is_whole_seconds_or_nothing(value, wait):
    assert answered(whole(429, b"{}", f"Retry-After: {value}")).retry_after == wait


def test_the_platforms_clock_is_compared_with_ours():
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    date = hour_ago.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert answered(whole(200, b"{}", f"Date: {date}")).skew_seconds == pytest.approx(-3600, abs=5)
    assert answered(whole(200, b"{}", "Date: yesterday")).skew_seconds is None


# ---------------------------------------------------------------- surroundings


def test_proxies_of_the_environment_are_ignored(monkeypatch):
    with Loopback([says(502, {})]) as proxy, Loopback([says(200, OK)]) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert client(server)("GET", "/quota").json == OK
    assert proxy.connections == 0


def test_a_cookie_is_not_sent_back():
    with Loopback([says(200, OK, "Set-Cookie: session=1; Path=/")]) as server:
        line = client(server)
        line("GET", "/quota")
        line("GET", "/quota")
    assert all("cookie" not in asked.headers for asked in server.asked)


def test_each_call_has_a_connection_of_its_own_even_if_the_platform_keeps_them():
    def keep(conn, asked):
        conn.sendall(whole(200, b"{}", "Connection: keep-alive"))
        server.pause(1)

    with Loopback([keep]) as server:
        line = client(server)
        line("GET", "/quota")
        line("GET", "/quota")
    assert server.connections == 2


# ---------------------------------------------------------------- sessions (S2)


def session(secret="an-invented-session-secret-of-32-ch", minutes=60.0):
    beijing = timezone(timedelta(hours=8))
    until = (datetime.now(beijing) + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")
    data = {"session_secret": secret, "expires_at": until}
    return says(200, {"code": "200", "message": "成功", "data": data})


TAKEN = says(202, {"code": "202", "message": "已接收", "data": {}})
ENDED = says(401, {"code": "4015", "message": "会话已失效"})
S2_BODY = json.dumps({"cd_batch": "1", "cd_source": "610124", "records": [{"cd_id": "610124-SCJG-1-1"}]}).encode()
S2_PUSH = "/exchange/jg_jgxw_check_action"


def test_a_session_is_fetched_by_s1_once_and_signs_what_follows():
    with Loopback([session("s" * 32), TAKEN]) as server:
        line = client(server, "internet_supervision")
        line.push(S2_PUSH, S2_BODY, "SCJG")
        line("GET", "/quota")
    first, push, query = server.asked
    h = first.headers
    assert (first.method, first.target, first.body) == ("POST", "/auth/session", b"{}")
    wanted = signing.s1("HMAC-SM3", SECRET, "POST", "/auth/session", "", h["x-timestamp"], h["x-nonce"], b"{}")
    assert h["x-signature"] == wanted
    for asked in (push, query):
        h = asked.headers
        wanted = signing.s2("s" * 32, h["gjgxjhpt_sid"], h["gjgxjhpt_rid"], h["gjgxjhpt_rtime"])
        assert (h["gjgxjhpt_sign"], h["gjgxjhpt_sid"]) == (wanted, "app-scjg")
        assert "x-signature" not in h
    assert len({push.headers["gjgxjhpt_rid"], query.headers["gjgxjhpt_rid"], first.headers["x-nonce"]}) == 3


def test_a_session_is_renewed_ahead_of_its_end():
    now = [time.time()]
    with Loopback([session("a" * 32), TAKEN, session("b" * 32, 180), TAKEN]) as server:
        line = client(server, "internet_supervision", clock=lambda: now[0])
        line.push(S2_PUSH, S2_BODY, "SCJG")
        now[0] += 56 * 60
        line.push(S2_PUSH, S2_BODY, "SCJG")
    assert [a.target for a in server.asked] == ["/auth/session", S2_PUSH] * 2


def test_a_query_whose_session_ended_is_asked_once_more_a_push_is_not():
    with Loopback([session(), ENDED, session(), says(200, {"code": "200", "data": {}})]) as server:
        assert client(server, "internet_supervision")("GET", "/quota").http == 200
    assert [a.target for a in server.asked] == ["/auth/session", "/quota"] * 2
    with Loopback([session(), ENDED]) as server:
        reply = client(server, "internet_supervision").push(S2_PUSH, S2_BODY, "SCJG")
    assert (reply.http, reply.json["code"]) == (401, "4015")
    assert [a.target for a in server.asked] == ["/auth/session", S2_PUSH]


def test_after_new_session_the_next_call_is_signed_with_the_new_secret():
    with Loopback([session("a" * 32), ENDED, session("b" * 32), TAKEN]) as server:
        line = client(server, "internet_supervision")
        line.push(S2_PUSH, S2_BODY, "SCJG")
        line.new_session()
        line.push(S2_PUSH, S2_BODY, "SCJG")
    h = server.asked[-1].headers
    assert h["gjgxjhpt_sign"] == signing.s2("b" * 32, h["gjgxjhpt_sid"], h["gjgxjhpt_rid"], h["gjgxjhpt_rtime"])


def test_a_refused_session_is_the_answer_to_the_push_which_never_left():
    with Loopback([says(401, {"code": "4011", "message": "未知应用"})]) as server:
        reply = client(server, "internet_supervision").push(S2_PUSH, S2_BODY, "SCJG")
    assert (reply.transport, reply.http, reply.json["code"]) == (Transport.ANSWERED, 401, "4011")
    assert [a.target for a in server.asked] == ["/auth/session"]


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(close, id="closed"),
        pytest.param(raw(whole(500, b"<html>")), id="500"),
        pytest.param(says(200, {"code": "200", "data": {}}), id="no secret"),
        pytest.param(says(200, {"code": "200", "data": {"session_secret": "x", "expires_at": "soon"}}), id="no end"),
        pytest.param(raw(whole(302, b"", "Location: /login")), id="redirect"),
    ],
)
def test_without_a_session_the_push_has_surely_not_left(handler):
    with Loopback([handler]) as server:
        reply = client(server, "internet_supervision").push(S2_PUSH, S2_BODY, "SCJG")
    assert reply.transport is Transport.NO_CONNECT
    assert [a.target for a in server.asked] == ["/auth/session"]


def test_new_session_is_nothing_where_the_platform_knows_no_sessions():
    with Loopback([says(200, OK)]) as server:
        client(server).new_session()
    assert server.connections == 0


# ---------------------------------------------------------------- identity (fault 69)


def health(**changes):
    return {"status": "UP", "platform": "double_random", "environment": "test"} | changes


def test_a_platform_that_says_who_it_is_may_be_sent_to():
    with Loopback([says(200, health())]) as server:
        check_identity(spec("double_random", server.url), "test")
        check_identity(client(server), "test")
    assert [a.target for a in server.asked] == ["/health", "/health"]
    assert "x-signature" not in server.asked[0].headers


@pytest.mark.parametrize(
    "answer",
    [
        health(platform="publicity"),
        health(environment="production"),
        {"status": "UP"},
        [],
        {"platform": "double_random"},
    ],
)
def test_fault_69_another_platform_or_environment_is_never_sent_to(answer):
    with Loopback([says(200, answer)]) as server, pytest.raises(WrongPlatform, match="一条也不发送"):
        check_identity(spec("double_random", server.url), "test")


def test_a_platform_that_is_away_or_not_ready_is_only_asked_again_later():
    for handler in (close, raw(whole(503, b"{}")), says(200, health(status="DOWN"))):
        with Loopback([handler]) as server, pytest.raises(DeliveryError) as caught:
            check_identity(spec("double_random", server.url), "test")
        assert caught.value.retry


def test_production_never_goes_in_clear_to_another_host():
    with pytest.raises(WrongPlatform, match="https"):
        check_identity(spec("double_random", "http://platform.invalid"), "production")
