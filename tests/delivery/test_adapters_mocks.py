"""The adapters and the signed line against the running platforms: real batches, real answers, ordered faults."""

import json
import time
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest

from mock_platforms.run import Mocks
from tests.delivery import contract_words as w
from tests.delivery.loopback import SECRET, credential, department, spec
from zz_pipeline.delivery.client import Client, check_identity
from zz_pipeline.delivery.protocol import Effect, RenderContext, Row, RowKey, Sent
from zz_pipeline.errors import DeliveryError, WrongPlatform
from zz_pipeline.platforms.registry import adapter

PLATFORMS = ("double_random", "internet_supervision", "publicity")
NUMBERS = count(1)
KEYS = count(1)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("platforms")
    found = [
        {
            "platform": name, "department": w.DEPT.key, "app_id": "app-scjg", "secret": SECRET,
            "department_uscc": w.DEPT.uscc, "department_name": w.DEPT.name, "suspended": False,
        }
        for name in PLATFORMS
    ]  # fmt: skip
    path = folder / "credentials.json"
    path.write_text(json.dumps(found, ensure_ascii=False), "utf-8")
    with Mocks(folder / "state", path, receipt_delay=0.05) as mocks:
        yield mocks


@pytest.fixture
def mocks(running):
    """The platforms without faults and without limits; what earlier tests stored stays."""
    running.control("POST", "/reset", {"rate": 10_000, "burst": 10_000, "daily_records": 1_000_000})
    return running


class Desk:
    """One department's work on one platform, as a lane would do it but without a ledger."""

    def __init__(self, mocks, name):
        self.name, self.speaker = name, adapter(name)
        self.line = Client(spec(name, mocks.urls[name]), credential(name), department())
        self.held = {}

    def row(self, payload, version=1, op="PUBLISH", reason="录入错误", rule="ENTRY_ERROR"):
        key = RowKey(payload["kind"], payload["record_key"], version)
        wire = self.speaker.render(key, op, reason, rule, payload, RenderContext(w.DEPT, beijing(), self.held))
        return Row(key, op, reason, rule, wire)

    def batch(self, *rows, number=None):
        number = number or self.speaker.number(w.DEPT, beijing(), next(NUMBERS))
        path = self.speaker.path(rows[0].key.kind, rows[0].op)
        body = self.speaker.freeze(w.DEPT, number, path, rows)
        return Sent("b" * 64, w.DEPT, number, path, rows[0].key.kind, body, rows)

    def push(self, sent):
        return self.speaker.read(self.line.push(sent.path, sent.body, "SCJG"), sent)

    def ask(self, sent, *, taken_in=False, after=None):
        return self.speaker.ask(self.line, sent, taken_in=taken_in, after=after, held=self.held)

    def settle(self, *rows):
        """Push, and ask until every row is settled; holdings are kept."""
        sent = self.batch(*rows)
        answer = self.push(sent)
        after, end = answer, time.monotonic() + 20
        while answer.effect in (Effect.TAKEN_IN, Effect.ASK):
            assert time.monotonic() < end
            time.sleep(0.05)
            answer = self.ask(sent, taken_in=after.effect is Effect.TAKEN_IN, after=after)
        assert answer.effect is Effect.JUDGED, answer
        for verdict in answer.verdicts:
            self.held |= {remote.remote_key: remote for remote in verdict.remotes}
        return answer


def beijing():
    return datetime.now(timezone(timedelta(hours=8))).replace(tzinfo=None)


def day(ago):
    return (beijing() - timedelta(days=ago)).strftime("%Y-%m-%d")


def fresh(**changes):
    """An inspection nobody has sent before, done some days ago."""
    key = f"610124-SCJG-{next(KEYS):07d}"
    dates = {"inspect_date": day(4), "finish_date": day(3), "entered_at": f"{day(3)} 17:20:00"}
    items = [
        w.item("61012400010001", "食品安全检查", "NOT_PUBLISHED"),
        w.item("61012400010001", "食品安全检查", "UNREACHABLE"),
        w.item("61012400010002", "燃气安全检查", "CORRECTED"),
    ]
    return w.inspection(record_key=key, items=items, **dates) | changes


def rated(**changes):
    return w.rating(record_key=f"R-{next(KEYS)}", rated_at=f"{day(5)} 09:00:00") | changes


def order(mocks, platform, fault, **changes):
    mocks.control("POST", "/faults", {"platform": platform, "fault": fault, "times": 1} | changes)


def ledger(mocks, name):
    return {entry["key"]: entry for entry in mocks.ledger(name)}


# ---------------------------------------------------------------- the ordinary course


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("make", [fresh, rated])
def test_what_is_sent_is_stored_unaltered_and_listed_under_the_hash_we_compute(mocks, name, make):
    desk, payloads = Desk(mocks, name), [make(), make()]
    since = beijing() - timedelta(seconds=5)
    answer = desk.settle(*map(desk.row, payloads))
    assert set(w.findings(answer).values()) == {"STORED"}
    assert answer.alarm == ""
    stored = ledger(mocks, name)
    listed = {r.remote_key: r for r in desk.speaker.listing(desk.line, payloads[0]["kind"], since, None)}
    for remote in desk.held.values():
        assert stored[remote.remote_key]["hash"] == remote.content_hash
        assert listed[remote.remote_key].content_hash == remote.content_hash
        assert (listed[remote.remote_key].state, listed[remote.remote_key].kind) == ("PRESENT", payloads[0]["kind"])
    assert len(desk.held) == (4 if name == "internet_supervision" and make is fresh else 2)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_correction_then_a_withdrawal_then_a_return(mocks, name):
    desk, payload = Desk(mocks, name), fresh()
    corrected = payload | {"subject_name": "周至县样例商贸有限公司", "items": payload["items"][:1]}
    steps = [(payload, "PUBLISH"), (corrected, "CORRECT"), (corrected, "WITHDRAW"), (payload, "CORRECT")]
    for version, (content, op) in enumerate(steps, start=1):
        answer = desk.settle(desk.row(content, version, op))
        assert set(w.findings(answer).values()) == {"STORED"}, (op, answer)
        states = {
            r.state for r in desk.speaker.listing(desk.line, "inspection", None, None) if r.remote_key in desk.held
        }
        if op == "WITHDRAW":
            assert states == {"WITHDRAWN"}
    present = {key for key, remote in desk.held.items() if remote.state == "PRESENT"}
    expected = {
        "double_random": {payload["record_key"]},
        "internet_supervision": {f"{payload['record_key']}-6101240001000{n}" for n in (1, 2)},
        "publicity": {f"{payload['record_key']}-R2"},
    }[name]
    assert present == expected
    stored = ledger(mocks, name)
    for key in present:
        assert stored[key]["hash"] == desk.held[key].content_hash


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_same_batch_again_changes_nothing_and_is_a_success(mocks, name):
    desk = Desk(mocks, name)
    sent = desk.batch(desk.row(fresh()), desk.row(fresh()))
    for _ in range(2):
        answer = desk.push(sent)
        assert answer.effect in (Effect.JUDGED, Effect.TAKEN_IN, Effect.ASK)
        assert set(w.findings(answer).values()) <= {"STORED", "PENDING"}
        assert answer.stored in (None, 2)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_bad_record_is_refused_alone_with_its_reason(mocks, name):
    desk, good = Desk(mocks, name), fresh()
    code = "91610124YY000001X1"
    bad = fresh(uscc=code, counterpart_code=code)
    answer = desk.settle(desk.row(good), desk.row(bad))
    assert w.findings(answer) == {good["record_key"]: "STORED", bad["record_key"]: "REFUSED"}
    refused = next(v for v in answer.verdicts if str(v.finding) == "REFUSED")
    assert refused.code == {"double_random": "E06", "internet_supervision": "06", "publicity": "FAILED"}[name]
    assert refused.message


def test_an_older_version_and_other_content_are_conflicts_on_the_entry_platform(mocks):
    desk, payload = Desk(mocks, "double_random"), fresh()
    desk.settle(desk.row(payload, 3))
    for version, content in ((2, payload), (3, payload | {"subject_name": "周至县样例商贸有限公司"})):
        sent = desk.batch(desk.row(content, version))
        answer = desk.push(sent)
        assert w.findings(answer) == {payload["record_key"]: "DIFFERENT"}
        assert w.findings(desk.ask(sent)) == {payload["record_key"]: "DIFFERENT"}


def test_a_record_somebody_typed_in_is_a_conflict_on_the_second_platform(mocks):
    desk, payload = Desk(mocks, "internet_supervision"), fresh()
    row = desk.row(payload)
    other = row.wire[0] | {"supervise_object": "周至县样例商贸有限公司"}
    mocks.control(
        "POST", "/foreign",
        {"platform": desk.name, "kind": "jg_jgxw_check_action", "department": w.DEPT.key, "record": other},
    )  # fmt: skip
    assert w.findings(desk.settle(row)) == {payload["record_key"]: "DIFFERENT"}


# ---------------------------------------------------------------- faults: what an answer proves

# (platform, fault, args) → effect of the push, and what asking then finds
TROUBLE = [
    *[(name, fault, {}, Effect.UNKNOWN, "STORED") for name in PLATFORMS for fault in (
        "error500_after", "close_after", "cut_json", "duplicate_keys", "huge_answer",
    )],
    *[(name, "wrong_charset", {}, Effect.UNKNOWN, "STORED") for name in PLATFORMS if name != "publicity"],
    *[(name, fault, args, Effect.UNKNOWN, "ABSENT") for name in PLATFORMS for fault, args in (
        ("error500_before", {}), ("close_before", {}), ("body500", {}), ("html", {}), ("redirect302", {}),
        ("redirect307", {}), ("unavailable503", {"code": False}), ("silence", {"seconds": 5}),
    )],
    *[(name, "html", {"effect": True}, Effect.UNKNOWN, "STORED") for name in PLATFORMS],
    *[(name, "busy429", {"retry_after": 2}, Effect.BUSY, "ABSENT") for name in PLATFORMS],
    *[(name, "quota4291", {}, Effect.BUSY, "ABSENT") for name in PLATFORMS],
    *[(name, "unavailable503", {}, Effect.BUSY, "ABSENT") for name in PLATFORMS],
    ("double_random", "maintenance5001", {}, Effect.BUSY, "ABSENT"),
    ("double_random", "missing_result", {}, Effect.JUDGED, "STORED"),
    ("double_random", "foreign_result", {}, Effect.JUDGED, "STORED"),
    ("double_random", "receipt_contradictory", {}, Effect.JUDGED, "STORED"),
    ("internet_supervision", "wrong_counts", {}, Effect.UNKNOWN, "STORED"),
    ("publicity", "wrong_counts", {}, Effect.UNKNOWN, "STORED"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fault", "args", "effect", "found"), TROUBLE, ids=[f"{t[0]}-{t[1]}-{t[4]}" for t in TROUBLE]
)
def test_fault_18_20_22_23_24_after_trouble_only_asking_tells_what_is_there(mocks, name, fault, args, effect, found):
    desk = Desk(mocks, name)
    desk.line.new_session()  # before the fault: the push is to be hit, not the session
    sent = desk.batch(desk.row(fresh()), desk.row(fresh()))
    order(mocks, name, fault, method="POST", args=args)
    answer = desk.push(sent)
    assert answer.effect is effect
    assert "STORED" not in w.findings(answer).values() or effect is Effect.JUDGED
    settled, end = desk.ask(sent), time.monotonic() + 20
    while settled.effect is Effect.TAKEN_IN:
        assert time.monotonic() < end
        time.sleep(0.05)
        settled = desk.ask(sent)
    assert (settled.effect, set(w.findings(settled).values())) == (Effect.JUDGED, {found})
    stored = ledger(mocks, name)
    for row in sent.rows:
        for record in row.wire:
            key = record.get("recordKey") or record.get("cd_id") or record.get("pubId")
            assert (key in stored) == (found == "STORED")


def test_a_busy_platform_that_stored_half_is_told_apart_record_by_record(mocks):
    desk = Desk(mocks, "double_random")
    sent = desk.batch(*(desk.row(fresh()) for _ in range(4)))
    order(mocks, desk.name, "busy5000", args={"stored": 1})
    assert desk.push(sent).effect is Effect.UNKNOWN
    assert sorted(w.findings(desk.ask(sent)).values()) == ["ABSENT", "ABSENT", "ABSENT", "STORED"]
    assert set(w.findings(desk.push(sent)).values()) == {"STORED"}


def test_a_number_used_with_other_bytes_stores_nothing_and_is_told(mocks):
    first = Desk(mocks, "double_random")
    number = first.batch(first.row(fresh())).number
    first.push(first.batch(first.row(fresh()), number=number))
    answer = first.push(first.batch(first.row(fresh()), number=number))
    assert (answer.effect, answer.code) == (Effect.STOP, "4009")
    second = Desk(mocks, "internet_supervision")
    number = "2020010100001"
    second.push(second.batch(second.row(fresh()), number=number))
    sent = second.batch(second.row(fresh()), number=number)
    answer = second.push(sent)
    assert (answer.effect, answer.code) == (Effect.ASK, "6009")
    found = second.ask(sent, after=answer)
    assert (found.effect, set(w.findings(found).values())) == (Effect.LOST, {"ABSENT"})
    time.sleep(0.3)
    found = second.ask(sent, taken_in=True)
    assert (found.effect, set(w.findings(found).values())) == (Effect.LOST, {"ABSENT"})


@pytest.mark.parametrize(("fault", "effect"), [("lost_batch", Effect.LOST), ("failed_batch", Effect.LOST)])
def test_fault_26_a_batch_that_is_lost_after_the_202_is_told(mocks, fault, effect):
    desk = Desk(mocks, "internet_supervision")
    sent = desk.batch(desk.row(fresh()))
    order(mocks, desk.name, fault)
    assert desk.push(sent).effect is Effect.TAKEN_IN
    answer, end = desk.ask(sent, taken_in=True), time.monotonic() + 20
    while answer.effect is Effect.TAKEN_IN:
        assert time.monotonic() < end
        time.sleep(0.05)
        answer = desk.ask(sent, taken_in=True)
    assert (answer.effect, set(w.findings(answer).values())) == (effect, {"ABSENT"})


@pytest.mark.parametrize("fault", ["receipt_contradictory", "foreign_result", "missing_result", "wrong_counts"])
def test_fault_27_a_bent_receipt_confirms_only_what_the_list_proves(mocks, fault):
    desk = Desk(mocks, "internet_supervision")
    sent = desk.batch(desk.row(fresh()), desk.row(fresh()))
    desk.push(sent)
    time.sleep(0.4)
    order(mocks, desk.name, fault, method="GET", path="/exchange/receipts/*")
    answer = desk.ask(sent, taken_in=True)
    assert answer.effect is Effect.JUDGED
    assert answer.alarm
    assert set(w.findings(answer).values()) == {"STORED"}, "all of it is there, and the list shows it"


def test_an_ended_session_is_renewed_for_a_query_and_told_for_a_push(mocks):
    desk = Desk(mocks, "internet_supervision")
    sent = desk.batch(desk.row(fresh()))
    desk.line("GET", "/quota")
    mocks.control("POST", "/sessions/expire", {"platform": desk.name})
    assert desk.push(sent).effect is Effect.SESSION
    desk.line.new_session()
    assert desk.push(sent).effect is Effect.TAKEN_IN
    mocks.control("POST", "/sessions/expire", {"platform": desk.name})
    assert desk.speaker.probe(desk.line).effect is Effect.JUDGED


# ---------------------------------------------------------------- refusals of whole batches


def test_one_malformed_record_poisons_a_public_batch_and_stores_nothing(mocks):
    desk, good = Desk(mocks, "publicity"), fresh()
    broken = desk.row(fresh())
    broken = broken._replace(wire=({**broken.wire[0], "insDate": "2026-02-30"},))
    sent = desk.batch(desk.row(good), broken)
    answer = desk.push(sent)
    assert (answer.effect, answer.code) == (Effect.POISON, "6002")
    assert set(w.findings(desk.ask(sent)).values()) == {"ABSENT"}


def test_what_must_not_be_public_stops_the_lane(mocks):
    desk = Desk(mocks, "publicity")
    before = len(mocks.control("GET", "/violations/publicity"))
    answer = desk.push(desk.batch(desk.row(fresh(task_name="请联系13800001234"))))
    assert (answer.effect, answer.code) == (Effect.STOP, "6005")
    assert len(mocks.control("GET", "/violations/publicity")) == before + 1


def test_a_repeated_public_batch_is_answered_20001_and_a_success(mocks):
    desk, payload = Desk(mocks, "publicity"), fresh()
    row = desk.row(payload)
    desk.settle(row)
    sent = desk.batch(row)
    answer = desk.push(sent)
    assert (answer.effect, answer.code, answer.stored) == (Effect.ASK, "20001", 1)
    assert w.findings(desk.ask(sent, after=answer)) == {payload["record_key"]: "STORED"}


def test_a_stop_of_what_was_never_public_is_refused_silently_and_found_by_asking(mocks):
    desk, payload = Desk(mocks, "publicity"), fresh()
    desk.held = {payload["record_key"]: w.remote(payload["record_key"])}
    answer = desk.settle(desk.row(payload, 2, "WITHDRAW"))
    assert w.findings(answer) == {payload["record_key"]: "REFUSED"}


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_gateways_refusals_are_read_on_every_platform(mocks, name):
    desk = Desk(mocks, name)
    sent = desk.batch(desk.row(fresh()))
    desk.line("GET", "/quota")
    mocks.control("POST", "/maintenance", {"platform": name, "on": True, "retry_after": 9})
    answer = desk.push(sent)
    assert (answer.effect, answer.code, answer.retry_after) == (Effect.BUSY, "5030", 9.0)
    mocks.control("POST", "/maintenance", {"platform": name, "on": False})
    mocks.control("POST", "/suspend", {"platform": name, "department": "SCJG", "on": True})
    answer = desk.push(sent)
    assert (answer.effect, answer.code) == (Effect.AUTH, "4030")
    mocks.control("POST", "/suspend", {"platform": name, "department": "SCJG", "on": False})
    mocks.control("POST", "/clock", {"platform": name, "offset": 400})
    answer = desk.push(sent)
    assert (answer.effect, answer.code) == (Effect.AUTH, "4013")
    assert "时钟" in answer.message
    mocks.control("POST", "/clock", {"platform": name, "offset": 0})
    mocks.control("POST", "/quota", {"platform": name, "daily_records": 0})
    answer = desk.push(sent)
    assert (answer.effect, answer.code, answer.retry_after) == (Effect.BUSY, "4291", None)
    assert desk.speaker.probe(desk.line).effect is Effect.JUDGED


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_wrong_secret_and_an_unknown_app_are_refused(mocks, name):
    right = credential(name)
    for changes, code in (({"app_id": "nobody"}, "4011"), ({"secret": "x" * 32}, "4012")):
        desk = Desk(mocks, name)
        wrong = type(right).model_validate(right.model_dump() | changes)
        desk.line = Client(spec(name, mocks.urls[name]), wrong, department())
        answer = desk.push(desk.batch(desk.row(fresh())))
        assert (answer.effect, answer.code) == (Effect.AUTH, code)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_replayed_nonce_is_unknown_and_an_alarm(mocks, name):
    desk = Desk(mocks, name)
    nonces = iter(["a" * 32, "b" * 32, "b" * 32, "b" * 32] if name == "internet_supervision" else ["b" * 32] * 3)
    desk.line = Client(spec(name, mocks.urls[name]), credential(name), department(), nonce=lambda: next(nonces))
    sent = desk.batch(desk.row(fresh()))
    desk.push(sent)
    answer = desk.push(sent)
    assert (answer.effect, answer.code) == (Effect.UNKNOWN, "4014")
    assert answer.alarm


@pytest.mark.parametrize("name", PLATFORMS)
def test_fault_69_identity_is_asked_before_anything_is_sent(mocks, name):
    where = spec(name, mocks.urls[name])
    check_identity(where, "test")
    with pytest.raises(WrongPlatform):
        check_identity(where, "production")
    order(mocks, name, "wrong_platform")
    with pytest.raises(WrongPlatform):
        check_identity(where, "test")


@pytest.mark.parametrize("name", PLATFORMS)
def test_fault_28_a_platform_that_is_away_is_told_as_such(mocks, name):
    desk = Desk(mocks, name)
    mocks.control("POST", "/down", {"platform": name, "on": True})
    assert desk.push(desk.batch(desk.row(fresh()))).effect is Effect.NO_CONNECT
    with pytest.raises(DeliveryError):
        check_identity(spec(name, mocks.urls[name]), "test")
