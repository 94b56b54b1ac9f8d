"""The faults that tests order from the mocks: each does what its name says, and the ledger shows whether it took effect.

Belongs here: one case a fault, the rules that aim them, the control server. Must not: the contract's own codes.
"""

import contextlib
import http.client
import json
import socket
import time
import urllib.error

import pytest

from tests.contract.mock_client import Client, send, stamp, wait_done
from tests.contract.mock_records import action, batch, cd_batch, pub_batch, publication, rating, result

RESULTS, ACTIONS, INSPECTIONS = "/api/v1/inspection-results", "/exchange/jg_jgxw_check_action", "/publicity/inspections"


def order(mocks, platform, fault, **more):
    """Order a fault; every other key than the rule's own is an argument of the fault."""
    own = ("path", "method", "department", "contains", "nth", "every", "times", "probability", "seed")
    rule = {name: more.pop(name) for name in own if name in more}
    return mocks.control("POST", "/faults", {"platform": platform, "fault": fault, "args": more, **rule})["id"]


def keys(mocks, platform):
    return {r["key"] for r in mocks.ledger(platform)}


def wait_for(condition, seconds=10.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.03)


# what takes effect and what does not

LOST = [
    ("error500_before", {}, 500, False),
    ("error500_after", {}, 500, True),
    ("body500", {}, 200, False),
    ("body500", {"effect": True}, 200, True),
    ("busy429", {}, 429, False),
    ("quota4291", {}, 429, False),
    ("unavailable503", {}, 503, False),
    ("unavailable503", {"code": False}, 503, False),
    ("unavailable503", {"code": False, "effect": True}, 503, True),
    ("redirect302", {}, 302, False),
    ("redirect307", {"effect": True}, 307, True),
    ("html", {}, 200, False),
    ("html", {"effect": True}, 200, True),
    ("cut_json", {}, 200, True),
    ("wrong_charset", {}, 200, True),
    ("duplicate_keys", {}, 200, True),
    ("huge_answer", {}, 200, True),
    ("missing_result", {}, 200, True),
    ("foreign_result", {}, 200, True),
    ("delay", {"seconds": 0.1}, 200, True),
]


@pytest.mark.parametrize(
    ("fault", "args", "status", "effect"), LOST, ids=[f"{f}-{e}-{i}" for i, (f, _, _, e) in enumerate(LOST)]
)
def test_a_fault_bends_the_answer_and_the_ledger_tells_its_effect(mocks, one, fault, args, status, effect):
    record = result()
    order(mocks, "double_random", fault, times=1, **args)
    reply = one.call("POST", RESULTS, batch(record))
    assert reply.http == status
    assert (record["recordKey"] in keys(mocks, "double_random")) == effect
    assert mocks.wire("double_random")[-1]["fault"] == fault
    assert one.call("POST", RESULTS, batch(result())).code == "0000"


CLOSED = [
    ("close_before", {}, False),
    ("close_before", {"reset": True}, False),
    ("close_after", {}, True),
    ("close_after", {"reset": True}, True),
    ("cut_json", {"short": True}, True),
]


@pytest.mark.parametrize(("fault", "args", "effect"), CLOSED, ids=range(len(CLOSED)))
def test_a_connection_that_closes_tells_nothing(mocks, one, fault, args, effect):
    record = result()
    order(mocks, "double_random", fault, times=1, **args)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        one.call("POST", RESULTS, batch(record))
    assert (record["recordKey"] in keys(mocks, "double_random")) == effect


@pytest.mark.parametrize("effect", [True, False])
def test_silence_keeps_the_connection_and_says_nothing(mocks, one, effect):
    record = result()
    order(mocks, "double_random", "silence", times=1, effect=effect)
    with pytest.raises(TimeoutError):
        one.call("POST", RESULTS, batch(record), timeout=0.4)
    assert (record["recordKey"] in keys(mocks, "double_random")) == effect


def test_a_drip_sends_a_byte_at_a_time(mocks, one):
    order(mocks, "double_random", "drip", times=1, interval=0.002)
    start = time.monotonic()
    reply = one.call("POST", RESULTS, batch(result()))
    assert reply.code == "0000"
    assert time.monotonic() - start > 0.002 * len(reply.raw) * 0.8


def test_a_late_effect_happens_after_the_connection_is_gone(mocks, one):
    sent = batch(result())
    order(mocks, "double_random", "late_effect", times=1, seconds=0.6)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        one.call("POST", RESULTS, sent)
    assert one.get(f"/api/v1/batches/{sent['batchNo']}").code == "4040"
    wait_for(lambda: one.get(f"/api/v1/batches/{sent['batchNo']}").code == "0000")
    late = [line for line in mocks.wire("double_random") if line["late"]]
    assert late[-1]["keys"] == [sent["records"][0]["recordKey"]]


def test_a_late_effect_on_a_repeated_batch_stores_nothing_twice(mocks, one):
    sent = batch(result())
    order(mocks, "double_random", "late_effect", times=1, seconds=0.3, silence=True)
    with pytest.raises(TimeoutError):
        one.call("POST", RESULTS, sent, timeout=0.1)
    assert one.call("POST", RESULTS, sent).code == "0000"
    wait_for(
        lambda: any(
            line["late"] and line["keys"] == [sent["records"][0]["recordKey"]] for line in mocks.wire("double_random")
        )
    )
    assert [r["key"] for r in mocks.ledger("double_random", history=True)].count(sent["records"][0]["recordKey"]) == 1


def test_a_late_effect_beyond_120_seconds_is_no_lawful_order(mocks):
    with pytest.raises(urllib.error.HTTPError) as refused:
        order(mocks, "double_random", "late_effect", seconds=121)
    assert "120" in json.loads(refused.value.read())["error"]


# the answers themselves


def test_busy_may_name_its_wait_or_not(mocks, one):
    order(mocks, "double_random", "busy429", times=1, retry_after=3)
    order(mocks, "double_random", "busy429", times=1)
    named, silent = (one.call("POST", RESULTS, batch(result())) for _ in range(2))
    assert (named.code, named.headers["retry-after"]) == ("4290", "3")
    assert (silent.code, "retry-after" in silent.headers) == ("4290", False)


def test_a_503_carries_5030_or_nothing_readable(mocks, one):
    order(mocks, "double_random", "unavailable503", times=1, retry_after=5)
    order(mocks, "double_random", "unavailable503", times=1, code=False)
    first, second = (one.call("POST", RESULTS, batch(result())) for _ in range(2))
    assert (first.code, first.headers["retry-after"]) == ("5030", "5")
    assert second.headers["content-type"].startswith("text/html")


def test_a_redirect_names_another_place(mocks, one):
    order(mocks, "double_random", "redirect302", location="http://127.0.0.1:9/elsewhere")
    assert one.call("POST", RESULTS, batch(result())).headers["location"] == "http://127.0.0.1:9/elsewhere"


def test_the_bodies_are_really_broken(mocks, one):
    for fault in ("cut_json", "wrong_charset", "duplicate_keys", "huge_answer"):
        order(mocks, "double_random", fault, times=1)
    cut, charset, twice, huge = (one.call("POST", RESULTS, batch(result())) for _ in range(4))
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.raw)
    with pytest.raises(UnicodeDecodeError):
        charset.raw.decode()
    assert [k for k, _ in json.loads(twice.raw, object_pairs_hook=list)].count("code") == 2
    assert len(huge.raw) > 4 * 1024 * 1024


def test_results_can_be_missing_foreign_or_contradictory(mocks, one):
    def answered(fault, **args):
        order(mocks, "double_random", fault, times=1, **args)
        sent = [result(), result()]
        found = one.call("POST", RESULTS, batch(*sent)).json["data"]["results"]
        return [r["recordKey"] for r in sent], [r["recordKey"] for r in found], [r["verdict"] for r in found]

    sent, found, _ = answered("missing_result")
    assert found == sent[1:]
    sent, found, _ = answered("foreign_result", key="610124-XXX-1")
    assert found == [*sent, "610124-XXX-1"]
    sent, found, verdicts = answered("receipt_contradictory")
    assert (found, verdicts) == ([*sent, sent[0]], ["ACCEPTED", "ACCEPTED", "REJECTED"])
    sent, found, verdicts = answered("receipt_contradictory", mode="flip")
    assert (found, verdicts) == (sent, ["REJECTED", "ACCEPTED"])


def test_counts_can_be_wrong_on_two_and_three(mocks, two, three):
    order(mocks, "internet_supervision", "wrong_counts", path=ACTIONS, times=1)
    assert two.call("POST", ACTIONS, cd_batch(action(), action())).json["data"]["received"] == 1
    order(mocks, "publicity", "wrong_counts", times=1)
    body = three.call("POST", INSPECTIONS, pub_batch(publication(), publication())).json
    assert (body["totalSize"], body["successSize"], body["failSize"]) == (2, 1, 0)


def test_a_partial_rejection_refuses_sound_records_and_stores_the_rest(mocks, one, two, three):
    for platform in ("double_random", "internet_supervision", "publicity"):
        order(mocks, platform, "partial_rejection", times=1, count=1)
    first, second = result(), result()
    found = one.call("POST", RESULTS, batch(first, second)).json["data"]["results"]
    assert [r["verdict"] for r in found] == ["REJECTED", "ACCEPTED"]
    assert first["recordKey"] not in keys(mocks, "double_random")
    sent = cd_batch(action(), action())
    two.call("POST", ACTIONS, sent)
    assert [r["result"] for r in wait_done(two, sent["cd_batch"])["results"]] == ["FAIL", "PASS"]
    shown = [publication(), publication()]
    assert three.call("POST", INSPECTIONS, pub_batch(*shown)).json["failSize"] == 1
    assert {r["pubId"] for r in shown} & keys(mocks, "publicity") == {shown[1]["pubId"]}


def test_a_body_that_says_500_is_an_integer_on_three(mocks, three):
    order(mocks, "publicity", "body500", times=1, effect=True)
    record = publication()
    body = three.call("POST", INSPECTIONS, pub_batch(record)).json
    assert (body["code"], body["errorMsg"], body["totalSize"]) == (500, "服务器内部错误", 1)
    assert record["pubId"] in keys(mocks, "publicity")


# ②: receipts and sessions


def test_a_receipt_can_be_late(mocks, two):
    order(mocks, "internet_supervision", "receipt_late", times=1, seconds=0.8)
    sent = cd_batch(action())
    start = time.monotonic()
    two.call("POST", ACTIONS, sent)
    assert wait_done(two, sent["cd_batch"])["status"] == "DONE"
    assert time.monotonic() - start > 0.7


def test_a_batch_can_be_lost_after_it_was_taken_in(mocks, two):
    order(mocks, "internet_supervision", "lost_batch", times=1)
    sent = cd_batch(action())
    assert two.call("POST", ACTIONS, sent).http == 202
    assert two.get(f"/exchange/receipts/{sent['cd_batch']}").code == "6040"
    assert sent["records"][0]["cd_id"] not in keys(mocks, "internet_supervision")


def test_a_batch_can_fail_as_a_whole(mocks, two):
    order(mocks, "internet_supervision", "failed_batch", times=1)
    sent = cd_batch(action())
    two.call("POST", ACTIONS, sent)
    done = wait_done(two, sent["cd_batch"])
    assert (done["status"], "results" in done) == ("FAILED", False)
    assert sent["records"][0]["cd_id"] not in keys(mocks, "internet_supervision")
    again = cd_batch(*sent["records"])
    two.call("POST", ACTIONS, again)
    assert wait_done(two, again["cd_batch"])["passed"] == 1


def test_a_receipt_can_contradict_itself_and_a_fault_waits_until_there_is_one(mocks, two):
    order(mocks, "internet_supervision", "receipt_contradictory", times=1)
    sent = cd_batch(action())
    two.call("POST", ACTIONS, sent)
    done = wait_done(two, sent["cd_batch"])
    assert [r["result"] for r in done["results"]] == ["PASS", "FAIL"]
    assert [r["result"] for r in wait_done(two, sent["cd_batch"])["results"]] == ["PASS"]


def test_a_session_can_end_at_any_time(mocks):
    client = Client(mocks, "internet_supervision")
    client.open_session()
    order(mocks, "internet_supervision", "session_expired", times=1)
    assert client.call("POST", ACTIONS, cd_batch(action())).code == "4015"
    client.open_session()
    assert client.call("POST", ACTIONS, cd_batch(action())).code == "202"


# aiming


def test_rules_aim_by_path_method_department_and_content(mocks, one):
    other = Client(mocks, "double_random", "YJJ")
    record = result()
    order(mocks, "double_random", "error500_before", contains=record["recordKey"])
    assert one.call("POST", RESULTS, batch(result(), record)).http == 500
    assert one.call("POST", RESULTS, batch(result())).http == 200
    mocks.control("DELETE", "/faults")
    order(mocks, "double_random", "error500_before", department="YJJ", method="GET", path="/api/v1/batches/*")
    assert other.get("/api/v1/batches/A").http == 500
    assert other.get("/api/v1/records", kind="inspection-results").http == 200
    assert one.get("/api/v1/batches/A").http == 200


def test_rules_aim_by_count_and_share(mocks, one):
    def statuses(n, **rule):
        mocks.control("DELETE", "/faults")
        order(mocks, "double_random", "error500_before", **rule)
        return [one.get("/api/v1/batches/A").http for _ in range(n)]

    assert statuses(4, nth=2) == [200, 500, 200, 200]
    assert statuses(4, every=2) == [200, 500, 200, 500]
    assert statuses(4, times=2) == [500, 500, 200, 200]
    some = statuses(20, probability=0.5, seed=7)
    assert some == statuses(20, probability=0.5, seed=7)
    assert {200, 500} == set(some)


def test_rules_without_a_path_leave_health_quota_and_sessions_alone(mocks):
    client = Client(mocks, "internet_supervision")
    order(mocks, "internet_supervision", "error500_before")
    assert client.open_session().http == 200
    assert client.call("GET", "/quota").http == 200
    assert send(client.url, "GET", "/health").http == 200
    assert client.call("GET", "/exchange/receipts/2026112200001").http == 500


def test_rules_are_shown_and_removed(mocks, one):
    first = order(mocks, "double_random", "html", times=1)
    second = order(mocks, "double_random", "error500_before")
    assert [r["id"] for r in mocks.control("GET", "/faults")] == [first, second]
    mocks.control("DELETE", f"/faults?id={first}")
    assert one.get("/api/v1/batches/A").http == 500
    mocks.control("DELETE", "/faults")
    assert mocks.control("GET", "/faults") == []


@pytest.mark.parametrize(
    "spec", [{"platform": "double_random", "fault": "?"}, {"platform": "?", "fault": "html"}, {"fault": "html"}]
)
def test_an_order_that_means_nothing_is_refused_with_a_reason(mocks, spec):
    with pytest.raises(urllib.error.HTTPError) as refused:
        mocks.control("POST", "/faults", spec)
    assert refused.value.code == 400
    assert json.loads(refused.value.read())["error"]


# the control server


def test_health_can_name_another_platform(mocks, one):
    order(mocks, "double_random", "wrong_platform")
    assert send(one.url, "GET", "/health").json["platform"] == "another_platform"
    assert one.get("/api/v1/batches/A").http == 200


def test_a_platform_that_is_down_refuses_connections_and_comes_back_on_its_port(mocks, one):
    mocks.control("POST", "/down", {"platform": "double_random", "on": True})
    with pytest.raises(ConnectionRefusedError):
        one.call("GET", "/quota")
    mocks.control("POST", "/down", {"platform": "double_random", "on": False})
    assert one.call("GET", "/quota").code == "0000"


def test_going_down_cuts_what_is_open(mocks, one):
    host, port = one.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as idle:
        assert send(one.url, "GET", "/health").http == 200
        mocks.control("POST", "/down", {"platform": "double_random", "on": True})
        with contextlib.suppress(ConnectionResetError):
            assert idle.recv(1) == b""
    mocks.control("POST", "/down", {"platform": "double_random", "on": False})


def test_a_restore_by_keys_forgets_the_records_and_their_batch(mocks, one, two):
    sent, kept = batch(result()), batch(result())
    one.call("POST", RESULTS, sent)
    one.call("POST", RESULTS, kept)
    key = sent["records"][0]["recordKey"]
    assert mocks.control("POST", "/forget", {"platform": "double_random", "keys": [key]}) == {"forgotten": [key]}
    assert key not in keys(mocks, "double_random")
    assert kept["records"][0]["recordKey"] in keys(mocks, "double_random")
    assert one.get(f"/api/v1/batches/{sent['batchNo']}").code == "4040"
    assert one.call("POST", RESULTS, sent).json["data"]["results"][0]["verdict"] == "ACCEPTED"


def test_a_restore_to_a_time_brings_the_older_version_back(mocks, one):
    record = result()
    mocks.control("POST", "/clock", {"platform": "double_random", "offset": -250})
    one.call("POST", RESULTS, batch(record))
    mocks.control("POST", "/clock", {"platform": "double_random", "offset": 0})
    newer = result()
    one.call("POST", RESULTS, batch({**record, "version": 2}, newer))
    mocks.control("POST", "/forget", {"platform": "double_random", "since": stamp(seconds=-100)})
    (left,) = [r for r in mocks.ledger("double_random") if r["key"] == record["recordKey"]]
    assert left["version"] == 1
    assert newer["recordKey"] not in keys(mocks, "double_random")


def test_a_restore_of_a_share_is_the_same_for_the_same_seed(mocks, three):
    records = [publication() for _ in range(40)]
    three.call("POST", INSPECTIONS, pub_batch(*records))
    gone = mocks.control("POST", "/forget", {"platform": "publicity", "fraction": 0.5, "seed": 3})["forgotten"]
    left = {r["pubId"] for r in records} & keys(mocks, "publicity")
    assert 0 < len(left) < 40
    assert not left & set(gone)


def test_a_clerk_can_type_a_record_on_the_platform_itself(mocks, one, three):
    typed, rated, shown = result(version=9), rating(), publication()
    order_ = {"platform": "double_random", "department": "SCJG"}
    mocks.control("POST", "/foreign", {**order_, "kind": "inspection-results", "record": typed})
    mocks.control("POST", "/foreign", {**order_, "kind": "credit-ratings", "record": rated})
    mocks.control(
        "POST", "/foreign", {"platform": "publicity", "department": "SCJG", "kind": "inspection", "record": shown}
    )
    reply = one.call("POST", RESULTS, batch({**typed, "version": 1}))
    assert reply.json["data"]["results"][0]["errors"][0]["code"] == "E16"
    assert three.get("/publicity/records", pubIds=shown["pubId"]).json["data"]["items"][0]["record"] == shown


def test_the_ledger_shows_key_kind_state_version_department_receipt_record_and_hash(mocks, one):
    record = result()
    reply = one.call("POST", RESULTS, batch(record)).json["data"]["results"][0]
    (entry,) = [r for r in mocks.ledger("double_random") if r["key"] == record["recordKey"]]
    assert entry["record"] == record
    assert (entry["kind"], entry["state"], entry["version"], entry["department"]) == (
        "inspection-results",
        "STORED",
        1,
        "SCJG",
    )
    assert (entry["receipt"], len(entry["hash"])) == (reply["receiptNo"], 64)
