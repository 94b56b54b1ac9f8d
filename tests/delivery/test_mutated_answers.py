"""Fault 22 and 59: real answers of the three platforms, bent and cut. None makes a success of what is not there.

Belongs here: an oracle that knows what each platform truly holds, and thousands of answers that say otherwise.
Must not: opinions about what an adapter should make of an answer beyond that; the ways to bend (`bent_answers`).

Believed in spite of this, because nothing contradicts it: one whole, well-formed answer of a query that shows a record
as taken down which is not. TLS protects it, and reconciliation compares the list again the same night.
"""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from mock_platforms.run import Mocks
from tests.delivery import contract_words as w
from tests.delivery.bench import a_uscc
from tests.delivery.bent_answers import Bender, Raw, of_wire
from tests.delivery.fault_proxy import FaultProxy, flip
from tests.delivery.loopback import SECRET, Loopback, credential, department, raw, says, spec
from zz_pipeline.delivery.client import Client
from zz_pipeline.delivery.protocol import Answer, Effect, Finding, RenderContext, Row, RowKey, Sent
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.platforms.wire import QueryFailed

PLATFORMS = ("double_random", "internet_supervision", "publicity")
SHORT, LONG = 500, 10_000  # bent answers for each platform
NUMBERS = itertools.count(1)


@dataclass
class Target:
    """A batch of ours, what truly became of its rows, and what the platform truly says of it by path."""

    name: str
    sent: Sent
    stored: dict[str, bool]
    truth: dict[str, Raw] = field(default_factory=dict)
    pushed: Raw | None = None


class Stage:
    """One platform with batches that were stored, in part, or never sent; all answers are the mock's own."""

    def __init__(self, mocks, name):
        self.name, self.speaker = name, adapter(name)
        self.held = {}
        with FaultProxy(mocks.urls[name]) as self.proxy:
            self.line = Client(spec(name, self.proxy.url), credential(name), department())
            good, mixed = self.target("other", 3), self.target("partly", 3, bad=1)
            for one in (good, mixed):
                one.pushed = self.push(one.sent)
                self.wait(one.sent)
            self.held = {r.remote_key: r for r in self.remotes(good.sent)}
            never = self.target("never sent", 3)
            corrected = self.again(good, "never corrected", 2, "CORRECT")
            withdrawn = self.again(good, "never withdrawn", 2, "WITHDRAW")
            mixed.stored = {row.key.record_key: n != 1 for n, row in enumerate(mixed.sent.rows)}
            good.stored = {row.key.record_key: True for row in good.sent.rows}
            self.targets = [never, mixed, corrected, withdrawn]
            for one in (good, *self.targets):
                one.truth = self.questions(one.sent)
            self.pushes = [good.pushed, mixed.pushed, self.push(good.sent), *self.refusals(mocks, never.sent)]
            self.good = good
        self.keys = [str(v) for t in (good, *self.targets) for r in t.sent.rows for v in (r.key.record_key, *ids(r))]
        self.numbers = [t.sent.number for t in (good, *self.targets)]

    def target(self, name, count, bad=None):
        rows = [self.row(inspection(wrong=n == bad)) for n in range(count)]
        return Target(name, self.batch(rows), {row.key.record_key: False for row in rows})

    def again(self, good, name, version, op):
        """A later version of what is there, which never left."""
        rows = []
        for old in good.sent.rows:
            payload = inspection(key=old.key.record_key, task=f"更正{version}")
            rows.append(self.row(payload, version, op))
        return Target(name, self.batch(rows), {row.key.record_key: False for row in rows})

    def row(self, payload, version=1, op="PUBLISH"):
        key = RowKey("inspection", payload["record_key"], version)
        held = {k: v for k, v in self.held.items() if k.startswith(payload["record_key"])}
        wires = self.speaker.render(key, op, "录入错误", "ENTRY_ERROR", payload, RenderContext(w.DEPT, w.NOW, held))
        return Row(key, op, "录入错误", "ENTRY_ERROR", wires)

    def batch(self, rows):
        return w.batch(self.speaker, *rows, number=self.speaker.number(w.DEPT, w.NOW, next(NUMBERS)))

    def push(self, sent):
        self.line.push(sent.path, sent.body, "SCJG")
        return of_wire(self.proxy.pushes[-1].answer)

    def wait(self, sent):
        for _ in range(200):
            answer = self.speaker.ask(self.line, sent, taken_in=True)
            if answer.effect is Effect.JUDGED:
                return
        raise AssertionError(answer)

    def remotes(self, sent):
        return [r for v in self.speaker.ask(self.line, sent, taken_in=True).verdicts for r in v.remotes]

    def questions(self, sent):
        """What the platform answers to everything that is ever asked about a batch, by path."""
        start = len(self.proxy.passed)
        self.speaker.ask(self.line, sent, taken_in=False)
        self.speaker.ask(self.line, sent, taken_in=False, after=Answer(Effect.ASK))
        list(self.speaker.listing(self.line, "inspection", None, None))
        return {question(one.target): of_wire(one.answer) for one in self.proxy.passed[start:] if one.method == "GET"}

    def refusals(self, mocks, sent):
        """What is said when nothing is stored: each leaves the platform as it was."""
        found = []
        for fault in ("busy429", "unavailable503", "error500_before", "body500", "redirect302", "html"):
            order = {"platform": self.name, "fault": fault, "method": "POST", "times": 1}
            mocks.control("POST", "/faults", order)
            found.append(self.push(sent))
        mocks.control("DELETE", "/faults", {})
        other = Client(spec(self.name, self.proxy.url), credential(self.name), department())
        broken = json.loads(sent.body)
        broken["records"][0]["extra"] = {}
        other.push(sent.path, json.dumps(broken, ensure_ascii=False).encode(), "SCJG")
        return [*found, of_wire(self.proxy.pushes[-1].answer)] if self.name == "publicity" else found


def ids(row):
    return [wire.get("cd_id") or wire.get("pubId") or wire.get("recordKey") for wire in row.wire]


def question(target):
    """What a query is about: its path, and whether it names records or lists all."""
    where = urlsplit(target)
    single = {"recordKeys", "cd_ids", "pubIds"} & parse_qs(where.query).keys()
    path = where.path if where.path.endswith("records") else where.path.rpartition("/")[0]
    return f"{path} {'single' if single else 'all'}"


def inspection(key="", wrong=False, task="样例任务"):
    n = next(NUMBERS)
    code = a_uscc(n)
    code = code[:-1] + ("0" if code[-1] != "0" else "1") if wrong else code
    items = [w.item("61012400010001", "食品安全检查", "CORRECTED")]
    said = {"uscc": code, "counterpart_code": code, "task_name": task, "items": items}
    return w.inspection(record_key=key or f"610124-SCJG-{n:07d}", **said)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    found = [
        {
            "platform": name, "department": w.DEPT.key, "app_id": "app-scjg", "secret": SECRET,
            "department_uscc": w.DEPT.uscc, "department_name": w.DEPT.name,
        }
        for name in PLATFORMS
    ]  # fmt: skip
    (folder / "credentials.json").write_text(json.dumps(found, ensure_ascii=False), "utf-8")
    with Mocks(folder / "state", folder / "credentials.json", receipt_delay=0.01) as mocks:
        mocks.control("POST", "/reset", {"rate": 10_000, "burst": 10_000, "daily_records": 1_000_000})
        yield {name: Stage(mocks, name) for name in PLATFORMS}


class Liar:
    """A platform that answers with the bytes laid out for the case; sessions are honest."""

    def __init__(self, name):
        self.name, self.by_question, self.push = name, {}, b""
        self.session = says(
            200, {"code": "200", "data": {"session_secret": "s" * 32, "expires_at": "2099-01-01 00:00:00"}}
        )

    def __call__(self, conn, asked):
        if asked.target == "/auth/session":
            return self.session(conn, asked)
        return raw(self.push if asked.method == "POST" else self.by_question[question(asked.target)])(conn, asked)


class Case:
    """Reads what the liar says as a lane would, and compares every success with the truth."""

    def __init__(self, stage, server, liar):
        self.stage, self.liar = stage, liar
        changes = {"read_seconds": 1.0, "call_seconds": 2.0}
        self.line = Client(spec(stage.name, server.url, **changes), credential(stage.name), department())
        self.believed = 0

    def judge(self, target, answer, said):
        for verdict in answer.verdicts:
            if verdict.finding is Finding.STORED:
                assert target.stored[verdict.key.record_key], (target.name, verdict, said)
                self.believed += 1

    def pushed(self, target, answer):
        self.liar.push = answer.wire()
        found = self.stage.speaker.read(self.line.push(target.sent.path, target.sent.body, "SCJG"), target.sent)
        self.judge(target, found, answer)
        return found

    def asked(self, target, answers, after=None, taken_in=False):
        self.liar.by_question = {name: answer.wire() for name, answer in answers.items()}
        found = self.stage.speaker.ask(self.line, target.sent, taken_in=taken_in, after=after, held=self.stage.held)
        self.judge(target, found, answers)
        return found

    def listed(self, target, answers):
        self.liar.by_question = {name: answer.wire() for name, answer in answers.items()}
        try:
            found = list(self.stage.speaker.listing(self.line, "inspection", None, None))
        except QueryFailed:
            return
        ours = {(k, self.stage.speaker.content_hash(x)): row for row in target.sent.rows for k, x in zip(ids(row), row.wire, strict=True) if row.op != "WITHDRAW"}  # fmt: skip
        for remote in found:
            row = ours.get((remote.remote_key, remote.content_hash))
            assert row is None or remote.state != "PRESENT" or target.stored[row.key.record_key]


def lies_about_withdrawals(target, answers):
    """The one lie that nothing contradicts: see the head of this file."""
    return target.name == "never withdrawn" and any(
        word in a.body for a in answers.values() for word in (b'"d"', b"STOPPED", b"WITHDRAWN")
    )


@pytest.fixture
def case(stages, request):
    stage = stages[request.param]
    liar = Liar(stage.name)
    with Loopback([liar]) as server:
        yield Case(stage, server, liar)


EACH = pytest.mark.parametrize("case", PLATFORMS, indirect=True)
HOW_MANY = pytest.mark.parametrize("many", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])


@EACH
def test_the_true_answers_are_believed_where_they_tell_of_a_success(case):
    stage = case.stage
    for target in (stage.good, *stage.targets):
        found = case.asked(target, target.truth)
        assert {v.key.record_key for v in found.verdicts if v.finding is Finding.STORED} == {
            key for key, stored in target.stored.items() if stored
        }
    assert case.believed == 5
    found = case.pushed(stage.good, stage.good.pushed)
    assert found.effect in (Effect.JUDGED, Effect.TAKEN_IN, Effect.ASK)
    assert (case.believed == 8) == (stage.name == "double_random"), "only a verdict for each record is proof by itself"


@EACH
@HOW_MANY
def test_fault_22_59_no_bent_answer_makes_a_success_of_what_is_not_there(case, many):
    stage, dice = case.stage, random.Random(f"{case.stage.name} {many}")
    bender = Bender(dice, stage.keys, stage.numbers)
    alarms = 0
    for n in range(many):
        target, times = dice.choice(stage.targets), dice.choice((0, 1, 1, 1, 2))
        truth = target.truth
        if n % 3 == 0:
            answer = case.pushed(target, bender.bend(dice.choice(stage.pushes), times))
            if answer.effect in (Effect.ASK, Effect.TAKEN_IN):
                answer = case.asked(target, truth, after=answer, taken_in=answer.effect is Effect.TAKEN_IN)
            alarms += bool(answer.alarm)
            continue
        source = dice.choice((truth, truth, stage.good.truth, dice.choice(stage.targets).truth))
        lied = dice.choice(sorted(truth))
        answers = {**truth, lied: bender.bend(source[lied], max(times, source is truth))}
        if lies_about_withdrawals(target, answers):
            continue
        if n % 3 == 1:
            alarms += bool(case.asked(target, answers, taken_in=dice.random() < 0.5).alarm)
        else:
            case.listed(target, answers)
    assert alarms > many / 20, "the answers were bent where it matters"


@EACH
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.long)])
def test_fault_22_an_answer_cut_at_any_byte_confirms_nothing(case, step):
    never = case.stage.targets[0]
    data = case.stage.good.pushed.wire()
    for length in range(0, len(data) - 1, step):
        case.liar.push = data[:length]
        answer = case.stage.speaker.read(case.line.push(never.sent.path, never.sent.body, "SCJG"), never.sent)
        assert answer.effect is Effect.UNKNOWN, data[:length]


@EACH
@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.long)])
def test_fault_59_of_all_turned_bits_none_confirms_what_is_not_there_and_contradictions_are_told(case, step):
    """The true answer to a batch of which nothing was stored by us: every bit of another batch's success."""
    stage = case.stage
    good, never = stage.good, stage.targets[0]
    body = good.pushed.body
    told = 0
    for bit in range(0, len(body) * 8, step):
        bent = Raw(good.pushed.status, flip(body, bit // 8, bit % 8))
        answer = case.pushed(never, bent)
        if answer.effect in (Effect.ASK, Effect.TAKEN_IN):
            answer = case.asked(never, never.truth, after=answer, taken_in=answer.effect is Effect.TAKEN_IN)
        assert Finding.STORED not in {v.finding for v in answer.verdicts}
        told += bool(answer.alarm)
    assert told > 0
    if stage.name != "publicity":
        assert told == len(range(0, len(body) * 8, step)), "another batch's answer contradicts ours, bent or not"


@EACH
def test_fault_22_26_a_perfectly_forged_answer_that_the_others_deny_confirms_nothing(case):
    """Another batch's success under our number and our keys, word for word: only what the list shows counts."""
    good, never = case.stage.good, case.stage.targets[0]
    names = [(good.sent.number, never.sent.number)]
    for theirs, ours in zip(good.sent.rows, never.sent.rows, strict=True):
        names += list(zip(ids(theirs), ids(ours), strict=True))
    for question_, answer in good.truth.items():
        text = answer.body.decode()
        for theirs, ours in names:
            text = text.replace(theirs, ours)
        found = case.asked(never, {**never.truth, question_: Raw(answer.status, text.encode())}, taken_in=True)
        assert found.effect in (Effect.JUDGED, Effect.LOST)
    assert case.believed == 0
