"""Fault 22: thousands of bent answers. None may confirm what was refused, none may refuse what was stored."""

import copy
import json
import random

import pytest

from tests.delivery import contract_words as w
from zz_pipeline.delivery.protocol import Effect
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.platforms.wire import strict_json

EACH = 1700  # mutations of each of the six answers: 10 200 in all
KEYS = tuple(f"610124-SCJG-{n}" for n in (1, 2, 3))
# What an answer might hold in place of what it holds; chosen to tempt.
TEMPTING = (
    None, True, False, 0, 1, 3, -1, 200, 500, 1.0, "", "0", "0000", "200", "202", "4001", "ACCEPTED", "DUPLICATE",
    "REJECTED", "PASS", "FAIL", "DONE", "SN1", [], {}, [{}], KEYS[0], KEYS[1],
)  # fmt: skip


def batch(name):
    speaker = adapter(name)
    one = [w.item("61012400010001", "食品安全检查", "CORRECTED")]
    return speaker, w.batch(speaker, *(w.row(speaker, w.inspection(record_key=key, items=one)) for key in KEYS))


def entry(good):
    def line(key):
        said = {"recordKey": key, "version": 1, "verdict": "ACCEPTED", "receiptNo": "SN1", "errors": []}
        bad = {"verdict": "REJECTED", "receiptNo": "", "errors": [{"code": "E06", "field": "uniCode", "message": "x"}]}
        return said if good else said | bad

    results = [line(key) for key in KEYS]
    return {
        "code": "0000",
        "message": "成功",
        "requestId": "1",
        "data": {"batchNo": "D20261122-SCJG-000017", "results": results},
    }


def receipts(good):
    def line(key):
        said = {"cd_id": f"{key}-61012400010001", "result": "PASS", "receipt": "HLW1"}
        check = {"type": "06", "field": "x", "message": "x"}
        return said if good else {"cd_id": said["cd_id"], "result": "FAIL", "checks": [check]}

    data = {"cd_batch": "2026112200017", "status": "DONE", "total": 3, "passed": 3 * good, "failed": 3 * (not good)}
    return {"code": "200", "data": data | {"results": [line(key) for key in KEYS]}}


def counts(good):
    said = {"code": 200 if good else 6002, "errorMsg": "", "totalSize": 3, "successSize": 3 * good, "failSize": 0}
    return said | {"tips": ""}


ANSWERS = {"double_random": entry, "internet_supervision": receipts, "publicity": counts}


def places(value, path=()):
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def bent(dice, answer):
    """One change of structure: another value, a missing or a repeated part."""
    found = copy.deepcopy(answer)
    *path, last = dice.choice(list(places(found)))
    parent = found
    for key in path:
        parent = parent[key]
    how = dice.randrange(4)
    if how == 0:
        del parent[last]
    elif how == 1 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[last]))
    else:
        parent[last] = dice.choice(TEMPTING)
    return json.dumps(found, ensure_ascii=False).encode()


def broken(dice, data):
    """One change of bytes: a flip, a cut, a part left out, a part twice."""
    a, b = sorted((dice.randrange(len(data)), dice.randrange(len(data))))
    flipped = bytes([data[a] ^ (1 << dice.randrange(8))])
    return dice.choice((data[:a] + flipped + data[a + 1 :], data[:a], data[:a] + data[b:], data[:b] + data[a:]))


def reply(http, data):
    try:
        return w.reply(http, strict_json(data))
    except ValueError:
        return w.reply(http)


def understood(name, speaker, sent, data):
    """What the adapter makes of these bytes; on ② as a receipt, with a list that shows nothing."""
    if name != "internet_supervision":
        return speaker.read(reply(200, data), sent)
    nothing = w.reply(200, {"code": "200", "data": {"total": 0, "rows": []}})
    return speaker.ask(w.Script(receipts=reply(200, data), records=nothing), sent, taken_in=True)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("good", [True, False], ids=["stored", "refused"])
def test_fault_22_no_bent_answer_turns_a_refusal_into_a_success_or_the_other_way_round(name, good):
    dice = random.Random(f"{name} {good}")
    speaker, sent = batch(name)
    answer = ANSWERS[name](good)
    data = json.dumps(answer, ensure_ascii=False).encode()
    never = "REFUSED" if good else "STORED"
    for n in range(EACH):
        changed = bent(dice, answer) if n % 2 else broken(dice, data)
        said = understood(name, speaker, sent, changed)
        assert never not in w.findings(said).values(), changed
        assert len(w.findings(said)) in (0, 3)
        if said.effect is Effect.JUDGED and "UNSAID" in w.findings(said).values():
            assert said.alarm


@pytest.mark.parametrize("name", ANSWERS)
def test_the_unbent_answers_are_understood(name):
    speaker, sent = batch(name)
    for good in (True, False):
        said = understood(name, speaker, sent, json.dumps(ANSWERS[name](good)).encode())
        if name == "publicity":
            assert said.effect is (Effect.ASK if good else Effect.POISON), "counts alone confirm nothing"
        elif name == "internet_supervision" and good:
            assert set(w.findings(said).values()) == {"ABSENT"}, "the list shows nothing"
        else:
            assert set(w.findings(said).values()) == {"STORED" if good else "REFUSED"}
