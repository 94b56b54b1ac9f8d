"""`zz trace`: a record's whole life, in order, in Chinese, without personal data.

Belongs here: what a trace tells of records with a past. Must not: how that past comes about (other tests).
"""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from tests.pipeline.small_county import FINISHED, ONE, THREE, TWO, record, small
from zz_pipeline.cli import app
from zz_pipeline.delivery import people
from zz_pipeline.delivery.protocol import Effect, Finding, RowKey, State, Transport
from zz_pipeline.ledger.schema import quarantine
from zz_pipeline.reports import words
from zz_pipeline.reports.trace import lines, trace
from zz_pipeline.withdraw import Order, withdraw

KEY = "610124-SCJG-2026-0000001"
REFUSED = "610124-SCJG-2026-0000002"
RETURNED = "610124-SCJG-2026-0000003"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One record that was lost on its way, corrected, reconciled and withdrawn; one that a person retried; one returned."""
    with small(tmp_path_factory.mktemp("trace")) as place, place.opened() as night:
        place.mocks.control("POST", "/faults", {"platform": ONE, "fault": "close_after", "method": "POST", "times": 1})
        place.take_in(night, "SCJG", [record(night.settings, "SCJG", 1)])
        place.send(night)
        place.take_in(night, "SCJG", [record(night.settings, "SCJG", 1, version=2)])
        place.send(night)
        place.take_in(night, "SCJG", [record(night.settings, "SCJG", 2, finish_date="2031-01-01")])
        place.send(night)
        people.decide(
            night.ledger,
            ONE,
            [RowKey("inspection", REFUSED, 1)],
            "give_up",
            actor="张某",
            note="部门已知",
            now=night.clock(),
        )
        with night.ledger.begin() as conn:
            entry = {
                "intake_id": 1,
                "day": FINISHED.isoformat(),
                "dept": "SCJG",
                "kind": "inspection",
                "unit": RETURNED,
            }
            entry |= {"record_key": RETURNED, "source_file": "a.xlsx", "source_row": 9, "rule": "INS-003"}
            entry |= {"field": "uscc", "value": "9161…", "message": "统一社会信用代码校验位不对。", "severity": "ERROR"}
            conn.execute(insert(quarantine).values(**entry, opened_at=night.clock()))
        place.mocks.control("POST", "/forget", {"platform": THREE, "keys": [KEY]})
        night.reconcile(THREE, night.now().date())
        withdraw(night, Order("inspection", KEY, "样例文书1号", "张某", "李某", "REVOKED"))
        place.send(night)
        yield place


def told(place, key):
    with place.opened() as night, night.ledger.read() as conn:
        return trace(conn, night.settings, key)


def test_the_life_of_a_record_is_told_in_the_order_of_time_from_its_row_to_its_withdrawal(place):
    found = told(place, KEY)
    events = found["events"]
    assert [e["at"] for e in events] == sorted(e["at"] for e in events)
    text = "\n".join(lines(found))
    for expected in (
        "文件 SCJG.xlsx 第 4 行", "按规则集 rules 检查通过", "第 2 版更正入库", "第 3 版撤回入库", "按“撤回”处理",
        "张某 经办、李某 批准撤回（决定被撤销或变更），依据：样例文书1号", "对账：平台缺少", "登记停止公示（决定被撤销或变更）",
    ):  # fmt: skip
        assert expected in text, expected


def test_each_batch_is_told_with_its_attempts_its_answer_and_its_proof(place):
    events = told(place, KEY)["events"]
    sends = [e for e in events if e["what"] == "发送"]
    assert len({e["platform"] for e in sends}) == 3
    assert any("不知道是否收到" in e["text"] for e in sends), "the answer that was lost"
    assert any(e["what"] == "查询" for e in events) or any("结果不明" in e["text"] for e in events)
    receipts = [e for e in events if e["what"] == "回执"]
    assert len(receipts) >= 6
    assert any("回执号 SN" in e["text"] for e in receipts)


def test_the_present_state_of_each_platform_and_what_comes_next_stand_at_the_end(place):
    found = told(place, KEY)
    assert len(found["now"]) == 3
    by_name = {row["platform"]: row for row in found["now"]}
    with place.opened() as night:
        labels = {p: night.settings.platforms[p].label for p in (ONE, TWO, THREE)}
    assert (by_name[labels[ONE]]["state"], by_name[labels[ONE]]["op"]) == ("已确认", "撤回")
    assert "已从平台撤下" in by_name[labels[ONE]]["holds"]
    assert all(row["next"] for row in found["now"])


def test_what_a_person_decided_is_told_with_name_and_reason(place):
    text = "\n".join(lines(told(place, REFUSED)))
    assert "平台拒收" in text
    assert "张某 决定“放弃，不再发送”：部门已知" in text


def test_a_returned_record_that_was_never_accepted_is_found_with_its_reason(place):
    found = told(place, RETURNED)
    assert (found["found"], found["now"]) == (True, [])
    assert "INS-003" in found["events"][0]["text"]
    assert "a.xlsx 第 9 行" in found["events"][0]["text"]


def test_an_unknown_record_says_where_it_was_looked_for(place):
    found = told(place, "610124-SCJG-2026-9999999")
    assert found["found"] is False
    (line,) = lines(found)
    assert "退回清单" in line
    assert "已入库的版本" in line


def test_no_personal_data_and_nothing_of_the_subject_stands_in_a_life(place):
    text = json.dumps([told(place, KEY), told(place, REFUSED)], ensure_ascii=False)
    for secret in ("周至县样例2026", "27010124001", "王某", "91610124MA"):
        assert secret not in text


def test_the_command_prints_a_line_an_event_and_ends_with_one_for_an_unknown_record(place):
    env = {"ZZ_HOME": str(place.home), "ZZ_LEDGER_URL": f"sqlite:///{Path(place.path)}"}
    done = CliRunner().invoke(app, ["trace", KEY], env=env, catch_exceptions=False)
    assert done.exit_code == 0
    assert len(done.output.splitlines()) == len(list(lines(told(place, KEY))))
    done = CliRunner().invoke(app, ["trace", KEY, "--json"], env=env, catch_exceptions=False)
    assert json.loads(done.output)["record"] == KEY
    assert CliRunner().invoke(app, ["trace", "610124-X-1"], env=env).exit_code == 1


def test_no_word_of_the_protocol_is_shown_to_an_operator(place):
    told_words = {str(w) for w in (*Effect, *Finding, *Transport, *State)} | set(people.DECISIONS) | {"NOT_SENT"}
    text = "\n".join("\n".join(lines(told(place, key))) for key in (KEY, REFUSED, RETURNED))
    assert {w for w in re.findall(r"[A-Za-z_]{3,}", text) if w in told_words} == set()


def test_every_word_of_the_protocol_has_its_chinese():
    assert set(words.OUTCOMES) >= {str(e) for e in (*Effect, *Transport)}
    assert set(words.FINDINGS) == {str(f) for f in Finding}
    assert set(words.STATES) == {str(s) for s in State}
    assert set(words.DECISIONS) == set(people.DECISIONS)
