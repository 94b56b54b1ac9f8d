"""What the client is not led to do: other hosts, other names, other secrets, other moments; and what stops it.

Belongs here: the guards around a call (faults 21, 25, 60, 66, 70) and the change of secrets.
Must not: reading of answers (test_client), TLS (test_client_tls), the wire's faults (test_fault_proxy).
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.delivery import contract_words as w
from tests.delivery.bench import ENTRY, FakeClock, a_ledger, accept_many, chain_whole, row, settings_for, states
from tests.delivery.loopback import SECRET, USCC, Loopback, credential, department, raw, says, spec, whole
from tests.delivery.tiny_platform import TinyPlatform, sm3
from zz_pipeline.addresses import peer_problem, url_problem
from zz_pipeline.delivery import signing
from zz_pipeline.delivery.client import Client
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.protocol import Transport
from zz_pipeline.errors import ConfigError, NotRenderable
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.settings import CHECKOUT, load_settings

OK = {"code": "0000", "message": "成功", "data": {}}
PUSH = "/api/v1/inspection-results"
BODY = json.dumps({"batchNo": "B-1", "records": [{"recordKey": "610124-SCJG-1", "insAuthCode": USCC}]}).encode()


def client(url, name="double_random", own=None, **options):
    return Client(spec(name, url), own or credential(name), department(), **options)


# ---------------------------------------------------------------- fault 60: where a request may go

NO_PLATFORMS = {
    "user in the address": "http://platform.invalid@evil.invalid",
    "user and password": "https://user:word@platform.invalid",
    "a path": "https://platform.invalid/api",
    "a query": "https://platform.invalid?next=evil.invalid",
    "a fragment": "https://platform.invalid#evil.invalid",
    "a backslash": "https://platform.invalid\\@evil.invalid",
    "a line break": "https://platform.invalid\r\nHost: evil.invalid",
    "a file": "file:///etc/hostname",
    "gopher": "gopher://127.0.0.1:70",
    "ftp": "ftp://platform.invalid",
    "no scheme": "platform.invalid:443",
    "port nought": "http://platform.invalid:0",
    "a port beyond all ports": "http://platform.invalid:65536",
    "an empty port": "http://platform.invalid:",
    "one number": "http://2130706433",
    "hexadecimal": "http://0x7f000001",
    "hexadecimal at the end": "http://1.2.3.0x4",
    "a short form": "http://127.1",
    "octal": "http://0177.0.0.1",
    "a metadata address": "http://169.254.169.254",
    "another cloud's metadata address": "http://100.100.100.200",
    "a link-local address": "http://[fe80::1]",
    "metadata in IPv6": "http://[fd00:ec2::254]",
    "IPv4 in IPv6": "http://[::ffff:169.254.169.254]",
    "loopback in IPv6": "http://[::ffff:127.0.0.1]",
    "any address": "http://0.0.0.0:80",
    "a multicast address": "http://224.0.0.1",
    "a dot at the end": "https://platform.invalid.",
    "an empty part": "https://platform..invalid",
    "upper case": "https://Platform.Invalid",
    "letters of another script": "https://рlatform.invalid",
    "full-width dots": "https://platform。invalid",
    "percent in the host": "https://platform%2einvalid",
    "nothing": "https://",
}


@pytest.mark.parametrize("url", NO_PLATFORMS.values(), ids=NO_PLATFORMS)
def test_fault_60_an_address_with_two_readings_is_no_platforms_address(url, tmp_path):
    assert url_problem(url)
    with pytest.raises(ConfigError, match="ZZ_URL_PUBLICITY"):
        load_settings(CHECKOUT / "config", tmp_path, {"ZZ_URL_PUBLICITY": url})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:18101",
        "https://10.20.30.40",
        "https://credit.xa.gov.cn:8443",
        "http://[::1]:80",
        "https://xn--fiq228c.cn",
    ],
)
def test_a_plain_address_is_taken_as_it_stands(url, tmp_path):
    assert load_settings(CHECKOUT / "config", tmp_path, {"ZZ_URL_PUBLICITY": url}).platforms["publicity"].url == url


LED_ASTRAY = [
    "127.0.0.1",
    "::1",
    "169.254.169.254",
    "::ffff:127.0.0.1",
    "fe80::1%2",
    "0.0.0.0",
    "100.100.100.200",
    "224.1.1.1",
]


@pytest.mark.parametrize("peer", LED_ASTRAY)
def test_fault_60_a_name_may_not_lead_to_this_machine_or_to_its_clouds_services(peer):
    assert peer_problem("platform.invalid", peer)


def test_a_name_may_lead_to_a_private_or_public_address_and_loopback_may_be_named():
    said = [("a.invalid", "10.1.2.3"), ("a.invalid", "203.0.113.9"), ("127.0.0.1", "127.0.0.1"), ("localhost", "::1")]
    assert [peer_problem(*one) for one in said] == ["", "", "", ""]


@pytest.mark.parametrize("times", [1, 2], ids=["at once", "at the second look-up"])
def test_fault_60_a_name_that_resolves_elsewhere_gets_no_byte(monkeypatch, times):
    """The resolver says another address than it said before: the standing connection is what is looked at."""
    with Loopback([says(200, OK)]) as server, socket.create_server(("127.0.0.1", 0)) as closed:
        port, dead = int(server.url.rpartition(":")[2]), closed.getsockname()[1]
        closed.close()
        found = iter([dead] * (times - 1) + [port] * 9)

        def resolver(host, asked_port, *args, **kwargs):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", next(found)))]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        line = client(f"http://platform.invalid:{port}")
        replies = [line.push(PUSH, BODY, "SCJG") for _ in range(times)]
    assert {reply.transport for reply in replies} == {Transport.NO_CONNECT}
    assert "域名解析到了本机" in replies[-1].error
    assert server.asked == []


LOCATIONS = [
    "http://{other}/login", "//{other}/login", "http://platform.invalid@{other}/", "file:///etc/hostname",
    "gopher://{other}/_GET", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]:{port}/", "/login", "\\\\{other}\\x",
]  # fmt: skip


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("status", [301, 307])
def test_fault_60_24_no_redirect_is_followed_wherever_it_leads(location, status):
    with Loopback([says(200, OK)]) as elsewhere:
        other = elsewhere.url.removeprefix("http://")
        said = f"Location: {location.format(other=other, port=other.rpartition(':')[2])}"
        with Loopback([raw(whole(status, b"", said)), says(200, OK)]) as server:
            reply = client(server.url).push(PUSH, BODY, "SCJG")
    assert (reply.transport, elsewhere.connections, len(server.asked)) == (Transport.UNKNOWN, 0, 1)


def test_fault_60_addresses_inside_an_answer_are_only_text():
    with Loopback([says(200, OK)]) as elsewhere:
        hints = [
            f"Refresh: 0; url={elsewhere.url}",
            f"Content-Location: {elsewhere.url}",
            f"Link: <{elsewhere.url}>; rel=next",
        ]
        hints += [f'Alt-Svc: h2="{elsewhere.url.removeprefix("http://")}"']
        page = {"code": "0000", "data": {"items": [], "nextCursor": f"{elsewhere.url}/next?x=1"}}
        last = {"code": "0000", "data": {"items": [], "nextCursor": ""}}
        with Loopback([says(200, page, *hints), says(200, last)]) as server:
            assert list(adapter(ENTRY).listing(client(server.url), "inspection", None, None)) == []
    assert elsewhere.connections == 0
    assert len(server.asked) == 2
    assert "nextCursor" not in server.asked[1].target
    assert "cursor=http%3A%2F%2F" in server.asked[1].target


@pytest.mark.parametrize(
    "path", ["//evil.invalid/", "http://evil.invalid/", "/a b", "/a\r\nHost: evil.invalid", "/a#b", "\\\\evil", ""]
)
def test_fault_60_a_path_that_could_name_another_host_never_leaves(path):
    with Loopback([says(200, OK)]) as server, pytest.raises(ValueError, match=r"signed|slash"):
        client(server.url)("GET", path)
    assert server.connections == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("bypass", ["", "*", "127.0.0.1"])
def test_fault_60_a_proxy_of_the_surroundings_sees_nothing(monkeypatch, name, bypass):
    with Loopback([says(502, {})]) as proxy, Loopback([says(200, OK)]) as server:
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", bypass)
        monkeypatch.setenv("no_proxy", bypass)
        assert client(server.url)("GET", "/quota").json == OK
    assert proxy.connections == 0


def test_fault_60_passwords_of_the_surroundings_are_not_sent(monkeypatch, tmp_path):
    secrets = tmp_path / ".netrc"
    secrets.write_text("machine 127.0.0.1 login zhang password invented\ndefault login zhang password invented\n")
    secrets.chmod(0o600)
    monkeypatch.setenv("NETRC", str(secrets))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Loopback([says(200, OK)]) as server:
        client(server.url)("GET", "/quota")
    assert "authorization" not in server.asked[0].headers


# ---------------------------------------------------------------- a secret that changes

NEW = "another-invented-secret-of-32-chars!"


class Keys:
    """A platform that takes one secret until a moment of its own clock, and the next one from then on."""

    def __init__(self, clock, change, session_secret="s" * 32):
        self.clock, self.change, self.session = clock, change, session_secret
        self.said = []

    def __call__(self, conn, asked):
        secret = NEW if self.clock() >= self.change else SECRET
        h = asked.headers
        if "gjgxjhpt_sid" in h:
            good = h["gjgxjhpt_sign"] == signing.s2(
                self.session, h["gjgxjhpt_sid"], h["gjgxjhpt_rid"], h["gjgxjhpt_rtime"]
            )
        else:
            text = (h["x-sign-alg"], secret, asked.method, asked.target, "", h["x-timestamp"], h["x-nonce"], asked.body)
            good = h["x-signature"] == signing.s1(*text)
        self.said.append((asked.target, good))
        if not good:
            return says(401, {"code": "4012", "message": "签名错误"})(conn, asked)
        if asked.target == "/auth/session":
            ends = datetime.fromtimestamp(self.clock() + 3600, timezone(timedelta(hours=8)))
            data = {"session_secret": self.session, "expires_at": f"{ends:%Y-%m-%d %H:%M:%S}"}
            return says(200, {"code": "200", "data": data})(conn, asked)
        return says(200, OK)(conn, asked)


def changing(name, moment):
    return credential(name).model_copy(update={"next_secret": type(credential(name).secret)(NEW), "next_from": moment})


@pytest.mark.parametrize("name", ["double_random", "publicity"])
@pytest.mark.parametrize("skew", [0.0, 120.0, -120.0], ids=["clocks agree", "platform ahead", "platform behind"])
def test_a_next_secret_signs_from_its_moment_on_and_clocks_may_differ_a_little(name, skew):
    clock = FakeClock()
    change = clock() + 1000
    keys = Keys(lambda: clock() + skew, change)
    with Loopback([keys]) as server:
        line = client(server.url, name, changing(name, change), clock=clock)
        for after in (-990, -60, 0, 60, 990):
            clock.now = change + after
            assert line("GET", "/quota").json == OK, after
    refused = [good for _, good in keys.said].count(False)
    assert refused == (0 if not skew else 2 if skew < 0 else 1), "one call more where the clocks disagree"


def test_away_from_the_change_a_refused_signature_is_not_tried_again_with_another_secret():
    clock = FakeClock()
    for moment in (clock() + 301, clock() - 301):
        keys = Keys(lambda: 0.0, 1.0 if moment < clock() else -1.0)
        with Loopback([keys]) as server:
            assert client(server.url, own=changing(ENTRY, moment), clock=clock)("GET", "/quota").http == 401
        assert len(keys.said) == 1


def test_a_session_of_the_old_secret_is_not_used_beyond_the_change():
    clock = FakeClock()
    change = clock() + 600
    keys = Keys(clock, change)
    body = json.dumps({"cd_batch": "1", "cd_source": "610124", "records": [{"cd_id": "610124-SCJG-1-1"}]}).encode()
    with Loopback([keys]) as server:
        line = client(server.url, "internet_supervision", changing("internet_supervision", change), clock=clock)
        for after in (-590, -10, 10, 20):
            clock.now = change + after
            line.push("/exchange/jg_jgxw_check_action", body, "SCJG")
    assert all(good for _, good in keys.said)
    asked = [target for target, _ in keys.said]
    assert asked.count("/auth/session") == 2, "one session of each secret"
    assert asked[0] == asked[3] == "/auth/session"


def secrets_file(home, text):
    path = home / "secrets.toml"
    path.write_text(f'[{ENTRY}.SCJG]\napp_id = "app"\nsecret = "{SECRET}"\n{text}', "utf-8")
    path.chmod(0o600)
    return load_settings(CHECKOUT / "config", home, {})


def test_the_next_secret_and_its_moment_stand_in_the_secrets_file_in_the_countys_time(tmp_path):
    own = secrets_file(tmp_path, f'next_secret = "{NEW}"\nnext_from = 2026-12-01T00:00:00\n').credential(ENTRY, "SCJG")
    moment = datetime(2026, 12, 1, tzinfo=timezone(timedelta(hours=8))).timestamp()
    assert (own.secret_at(moment - 1), own.secret_at(moment)) == (SECRET, NEW)
    assert (own.other_at(moment - 300), own.other_at(moment + 300)) == (NEW, SECRET)
    assert (own.other_at(moment - 301), own.other_at(moment + 301)) == (None, None)
    assert NEW not in repr(own)
    assert SECRET not in repr(own)


@pytest.mark.parametrize(
    "text",
    [f'next_secret = "{NEW}"', "next_from = 2026-12-01T00:00:00", f'next_secret = "{NEW}"\nnext_from = "2026-12-01"',
     'next_secret = "short"\nnext_from = 2026-12-01T00:00:00'],
)  # fmt: skip
def test_half_a_change_of_secrets_is_a_fault_of_configuration(tmp_path, text):
    with pytest.raises(ConfigError, match=r"double_random\.SCJG.*next_"):
        secrets_file(tmp_path, text)


# ---------------------------------------------------------------- fault 21: come again later


@pytest.fixture
def platform():
    with TinyPlatform() as platform:
        yield platform


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    yield ledger
    ledger.close()


def settings_of(tmp_path, platform, **changes):
    usual = {"quiet_seconds": 900.0, "night_wait_seconds": 7200.0, "rate": 1000.0, "burst": 1000.0, "batch_records": 1}
    return settings_for(tmp_path, {ENTRY: platform.url}, ("SCJG",), **(usual | changes))


def once_each(platform, keys):
    assert sorted(key for key, _, _ in platform.effects) == sorted(keys)
    assert all(r["hash"] == sm3(r["record"]) for r in platform.records.values())


@pytest.mark.parametrize("http", [429, 503])
@pytest.mark.parametrize(("told", "waited"), [(7, 7), (900, 900), (86_120, 900)])
def test_fault_21_a_platform_that_names_a_wait_is_left_alone_so_long_but_a_quarter_hour_at_most(
    platform, ledger, tmp_path, http, told, waited
):
    settings, clock, moments = settings_of(tmp_path, platform), FakeClock(), []
    keys = accept_many(ledger, settings, "SCJG", 3)
    until = clock() + waited

    def busy(records):
        moments.append(clock())
        return (f"busy{http}", str(told)) if clock() < until else None

    platform.always = busy
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
    once_each(platform, keys)
    assert moments[0] + waited <= moments[1] <= moments[0] + waited + 2
    assert len(moments) == 4, "the whole lane waits, not only the batch that was told so"


@pytest.mark.parametrize("told", ["5", pytest.param(None, marks=pytest.mark.long)], ids=["with Retry-After", "without"])
def test_fault_21_a_platform_that_is_busy_now_and_then_gets_at_most_a_tenth_more_requests(
    platform, ledger, tmp_path, told
):
    settings, clock, count = settings_of(tmp_path, platform), FakeClock(), itertools.count(1)
    keys = accept_many(ledger, settings, "SCJG", 30)
    platform.always = lambda records: ("busy429", told) if next(count) % 15 == 0 else None
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
    once_each(platform, keys)
    assert states(ledger) == {"CONFIRMED": 30}
    assert len(platform.pushes) <= 33


# ---------------------------------------------------------------- fault 25: every split of a batch


def splits():
    return [(n, split) for n in range(1, 9) for split in itertools.product((True, False), repeat=n)]


def rows_of(name, n):
    speaker = adapter(name)
    item = [w.item("61012120010001", "食品安全检查", "CORRECTED")]
    return speaker, [w.row(speaker, w.inspection(record_key=f"610124-SCJG-{k}", items=item)) for k in range(n)]


def judgement(split):
    """Findings of a batch that was split so, without alarm."""
    return {f"610124-SCJG-{k}": "STORED" if good else "REFUSED" for k, good in enumerate(split)}, ""


def test_fault_25_every_split_of_up_to_eight_is_read_record_by_record_from_verdicts():
    made = {n: rows_of("double_random", n) for n in range(1, 9)}
    for n, split in splits():
        speaker, rows = made[n]
        sent = w.batch(speaker, *rows)
        bad = {"verdict": "REJECTED", "receiptNo": "", "errors": [{"code": "E06", "field": "x", "message": "x"}]}
        good = {"verdict": "ACCEPTED", "receiptNo": "SN1", "errors": []}
        results = [
            {"recordKey": r.key.record_key, "version": 1} | (good if s else bad)
            for r, s in zip(rows, split, strict=True)
        ]
        data = {"batchNo": sent.number, "results": results[::-1]}
        said = speaker.read(w.reply(200, {"code": "0000", "data": data}), sent)
        assert (w.findings(said), said.alarm) == judgement(split)


def test_fault_25_every_split_of_up_to_eight_is_read_record_by_record_from_receipts():
    made = {n: rows_of("internet_supervision", n) for n in range(1, 9)}
    for n, split in splits():
        speaker, rows = made[n]
        sent = w.batch(speaker, *rows)
        wires = [r.wire[0] for r in rows]
        check = {"type": "06", "field": "x", "message": "x"}
        lines = [
            {"cd_id": x["cd_id"]}
            | ({"result": "PASS", "receipt": "H1"} if s else {"result": "FAIL", "checks": [check]})
            for x, s in zip(wires, split, strict=True)
        ]
        totals = {"total": n, "passed": sum(split), "failed": n - sum(split)}
        done = {"code": "200", "data": {"cd_batch": sent.number, "status": "DONE", "results": lines} | totals}
        shown = [
            {
                "cd_id": x["cd_id"],
                "cd_operation": "i",
                "receipt": "H1",
                "content_md5": speaker.content_hash(x),
                "updated_at": "t",
            }
            for x, s in zip(wires, split, strict=True)
            if s
        ]
        listed = w.reply(200, {"code": "200", "data": {"total": len(shown), "rows": shown}})
        call = w.Script(receipts=w.reply(200, done), records=lambda fields, r=listed, s=shown: only(fields, s))
        said = speaker.ask(call, sent, taken_in=True)
        assert (w.findings(said), said.alarm) == judgement(split)


def only(fields, shown):
    rows = [row for row in shown if row["cd_id"] in fields["cd_ids"].split(",")]
    return w.reply(200, {"code": "200", "data": {"total": len(rows), "rows": rows}})


def test_fault_25_every_split_of_up_to_eight_is_asked_for_record_by_record_after_counts():
    made = {n: rows_of("publicity", n) for n in range(1, 9)}
    for n, split in splits():
        speaker, rows = made[n]
        sent = w.batch(speaker, *rows)
        counts = {"totalSize": n, "successSize": sum(split), "failSize": n - sum(split), "errorMsg": "", "tips": ""}
        after = speaker.read(w.reply(200, {"code": 200} | counts), sent)
        shown = [
            {"pubId": r.key.record_key, "kind": "inspection", "state": "PUBLIC", "contentSha256": speaker.content_hash(r.wire[0]), "updatedAt": "t"}
            for r, s in zip(rows, split, strict=True)
            if s
        ]  # fmt: skip
        answer = w.reply(200, {"code": 200, "data": {"items": shown, "nextCursor": ""}})
        said = speaker.ask(w.Script(records=answer), sent, taken_in=False, after=after)
        assert (w.findings(said), said.alarm) == judgement(split)


@pytest.mark.parametrize("name", ["double_random", "internet_supervision", "publicity"])
def test_fault_25_one_record_twice_in_a_batch_is_never_sent(name):
    speaker, (one,) = rows_of(name, 1)
    with pytest.raises(NotRenderable, match="出现两次"):
        w.batch(speaker, one, one)


@pytest.mark.parametrize("split", list(itertools.product((True, False), repeat=3)))
def test_fault_25_every_split_of_three_ends_in_the_ledger_as_the_platform_judged(platform, ledger, tmp_path, split):
    settings, clock = settings_of(tmp_path, platform, batch_records=3), FakeClock()
    keys = accept_many(ledger, settings, "SCJG", 3)
    platform.refuse = lambda record: None if split[keys.index(record["recordKey"])] else "E06"
    deliver(ledger, settings, ENTRY, clock=clock, sleep=clock.sleep, threads=1)
    assert [row(ledger, key).state for key in keys] == ["CONFIRMED" if good else "REJECTED" for good in split]
    once_each(platform, [key for key, good in zip(keys, split, strict=True) if good])


# ---------------------------------------------------------------- fault 70: the stop switch while sending


def zz(home, *args):
    env = os.environ | {"ZZ_HOME": str(home), "ZZ_LEDGER_URL": f"sqlite:///{home / 'ledger.db'}"}
    command = [str(Path(sys.executable).parent / "zz"), *args, "--by", "张某", "--why", "演练"]
    subprocess.run(command, env=env, cwd=CHECKOUT, check=True, capture_output=True, timeout=60)


def test_fault_70_one_command_ends_all_sending_within_five_seconds_and_another_lets_it_finish(platform, tmp_path):
    settings = settings_of(tmp_path, platform)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    keys = accept_many(ledger, settings, "SCJG", 120)
    moments, ended = [], []

    def slow(records):
        moments.append(time.monotonic())
        threading.Event().wait(0.25)

    def run():
        ended.append(deliver(ledger, settings, ENTRY, threads=1))
        moments.append(time.monotonic())

    platform.always = slow
    night = threading.Thread(target=run)
    night.start()
    while len(moments) < 5:
        time.sleep(0.01)
    zz(tmp_path, "stop")
    ordered = time.monotonic()
    night.join(30)
    sent = len(platform.pushes)
    assert moments[-1] - ordered < 5.0, "the run itself is over"
    assert 5 <= sent < 120, "stopped in the middle"
    assert "总开关" in ended[0].stopped or "总开关" in ended[0].lanes["SCJG"].stopped
    assert states(ledger) == {"CONFIRMED": sent, "READY": 120 - sent}
    assert chain_whole(ledger)
    platform.always = lambda records: None
    assert deliver(ledger, settings, ENTRY, threads=1).requests == 0
    zz(tmp_path, "resume")
    deliver(ledger, settings.model_copy(update={"platforms": {ENTRY: settings.platforms[ENTRY].model_copy(update={"batch_records": 200})}}), ENTRY, threads=1)  # fmt: skip
    assert states(ledger) == {"CONFIRMED": 120}
    once_each(platform, keys)
    ledger.close()
