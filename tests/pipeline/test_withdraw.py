"""Two people take records back, or bring them back: every platform that accepted the record, and proof from each.

Belongs here: `zz withdraw`, `zz reinstate` against running mocks. Must not: repair notices (test_repairs).
"""

import json

import pytest
from typer.testing import CliRunner

from tests.pipeline.small_county import ONE, THREE, TWO, rating, record, rows, small, whole
from zz_pipeline.cli import app
from zz_pipeline.delivery import people, points
from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.errors import ConfigError, LedgerError
from zz_pipeline.reports.divergent import divergent
from zz_pipeline.reports.status import status
from zz_pipeline.reports.trace import lines, trace
from zz_pipeline.withdraw import DEEDS, Order, reinstate, withdraw

COUNT = iter(range(1, 1000))
GONE = {name: {"WITHDRAWN"} for name in (ONE, TWO, THREE)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with small(tmp_path_factory.mktemp("withdraw")) as place:
        yield place


@pytest.fixture
def night(place):
    place.mocks.control("POST", "/reset", {"rate": 1000, "burst": 1000})
    with place.opened() as night:
        yield night
        assert whole(night)


def order(key, reason="REVOKED", by="张某", approved_by="李某", kind="inspection"):
    return Order(kind, key, "周市监样例撤〔2026〕1号", by, approved_by, reason)


def published(place, night):
    """A record that all three platforms show."""
    said = record(night.settings, "SCJG", next(COUNT))
    place.take_in(night, "SCJG", [said])
    place.send(night)
    assert {row.state for row in rows(night, said.record_key).values()} == {"CONFIRMED"}
    return said.record_key


def states(place, key):
    return {p: set(place.held(p, key).values()) for p in (ONE, TWO, THREE)}


@pytest.mark.parametrize("reason", ["REVOKED", "ENTRY_ERROR", "OBJECTION"])
def test_a_record_that_should_never_have_been_is_visible_on_no_platform_and_each_proves_it(place, night, reason):
    key = published(place, night)
    done = withdraw(night, order(key, reason))
    assert done.version == 2
    place.send(night)
    assert states(place, key) == GONE
    assert {row.state for (_, version), row in rows(night, key).items() if version == 2} == {"CONFIRMED"}
    with night.ledger.read() as conn:
        told = "\n".join(lines(trace(conn, night.settings, key)))
    assert told.count("第 2 版的回执") >= 3
    assert "李某 批准撤回" in told
    assert "周市监样例撤〔2026〕1号" in told


@pytest.mark.parametrize("reason", ["REPAIRED", "EXPIRED", "NOT_PUBLIC"])
def test_what_may_only_not_be_public_stays_inside_and_says_so(place, night, reason):
    key = published(place, night)
    before = place.effects(TWO, key)
    withdraw(night, order(key, reason))
    place.send(night)
    found = states(place, key)
    assert found == {ONE: {"PRESENT"}, TWO: {"PRESENT"}, THREE: {"WITHDRAWN"}}
    (newest,) = [e for e in place.effects(ONE, key) if e["version"] == 2]
    assert newest["record"]["publishable"] is False
    assert place.effects(TWO, key) == before


def test_a_rating_that_was_revoked_is_withdrawn_everywhere(place, night):
    said = rating(next(COUNT))
    place.take_in(night, "credit", [said], kind="rating")
    place.send(night)
    withdraw(night, order(said.record_key, kind="rating"))
    place.send(night)
    assert states(place, said.record_key) == GONE


def test_a_rating_that_may_not_be_public_stays_shared(place, night):
    said = rating(next(COUNT))
    place.take_in(night, "credit", [said], kind="rating")
    place.send(night)
    withdraw(night, order(said.record_key, "NOT_PUBLIC", kind="rating"))
    place.send(night)
    assert states(place, said.record_key) == {ONE: {"PRESENT"}, TWO: {"PRESENT"}, THREE: {"WITHDRAWN"}}


def test_fault_38_before_the_first_send_a_withdrawal_cancels_and_nothing_leaves(place, night):
    said = record(night.settings, "YJJ", next(COUNT))
    place.take_in(night, "YJJ", [said])
    done = withdraw(night, order(said.record_key))
    assert done.cancelled == (ONE, TWO, THREE) or set(done.cancelled) == {ONE, TWO, THREE}
    place.send(night)
    assert states(place, said.record_key) == {ONE: set(), TWO: set(), THREE: set()}
    found = {(p, v): row.state for (p, v), row in rows(night, said.record_key).items()}
    assert {found[p, 1] for p in (ONE, TWO, THREE)} == {"CANCELLED"}
    assert {found[p, 2] for p in (ONE, TWO, THREE)} == {"NOT_APPLICABLE"}
    assert not any(said.record_key in str(e.get("keys")) for p in (ONE, TWO, THREE) for e in place.mocks.wire(p))


def unknown(place, night, fault):
    """A record whose publication on ① nobody knows the end of: the process ended before it read the answer."""

    class Killed(BaseException):
        pass

    def kill(name):
        if name == "send:after":
            raise Killed

    said = record(night.settings, "YJJ", next(COUNT))
    place.take_in(night, "YJJ", [said])
    place.mocks.control("POST", "/faults", {"platform": ONE, "fault": fault, "method": "POST", "times": 1})
    points.hook = kill
    try:
        with pytest.raises(Killed):
            night.deliver(ONE, lanes=["YJJ"])
    finally:
        points.hook = None
    assert rows(night, said.record_key)[ONE, 1].state == "INFLIGHT"
    return said.record_key


def test_fault_37_a_publication_nobody_knows_the_end_of_is_found_first_and_then_withdrawn(place, night):
    key = unknown(place, night, "close_after")
    withdraw(night, order(key))
    place.send(night)
    assert [e["state"] for e in place.effects(ONE, key)] == ["STORED", "WITHDRAWN"]
    assert states(place, key)[ONE] == {"WITHDRAWN"}


def test_fault_37_a_publication_that_never_arrived_is_not_sent_again_only_to_be_withdrawn(place, night):
    key = unknown(place, night, "close_before")
    withdraw(night, order(key))
    place.send(night)
    assert place.effects(ONE, key) == []
    found = rows(night, key)
    assert (found[ONE, 1].state, found[ONE, 2].state) == ("CANCELLED", "CANCELLED")


def test_fault_42_what_is_down_on_one_platform_and_not_on_another_is_shown_until_both_are_equal(place, night):
    key = published(place, night)
    withdraw(night, order(key))
    place.mocks.control("POST", "/suspend", {"platform": TWO, "department": "SCJG", "on": True})
    place.send(night)
    assert states(place, key) == {**GONE, TWO: {"PRESENT"}}
    with night.ledger.read() as conn:
        (row,) = [r for r in divergent(conn, night.settings, night.clock()) if r["record"] == key]
        (late,) = [r for r in divergent(conn, night.settings, night.clock() + 9 * 86_400) if r["record"] == key]
    assert (row["platform"], len(row["down"]), row["late"], late["late"]) == (
        night.settings.platforms[TWO].label, 2, False, True,
    )  # fmt: skip
    shown = [table for title, table in status(night.ledger, night.settings).items() if title.startswith("未撤净")]
    assert [r["记录"] for r in shown[0]] == [key]
    place.mocks.control("POST", "/suspend", {"platform": TWO, "department": "SCJG", "on": False})
    people.release_lane(night.ledger, TWO, "SCJG", actor="张某", note="凭证已恢复")
    place.send(night, TWO)
    assert states(place, key) == GONE
    with night.ledger.read() as conn:
        assert divergent(conn, night.settings, night.clock()) == []


def test_what_the_department_hands_in_afterwards_waits_for_people_and_comes_back_with_their_reason(place, night):
    number = next(COUNT)
    said = record(night.settings, "SCJG", number)
    key = said.record_key
    place.take_in(night, "SCJG", [said])
    place.send(night)
    withdraw(night, order(key, "ENTRY_ERROR"))
    place.send(night)
    assert place.take_in(night, "SCJG", [said]).accepted == 0, "the same content again is no new version"
    place.take_in(night, "SCJG", [record(night.settings, "SCJG", number, version=2)])
    place.send(night)
    assert states(place, key) == GONE
    assert "reinstate" in rows(night, key)[ONE, 3].reason
    reinstate(night, order(key, reason=""))
    place.send(night)
    assert states(place, key) == {ONE: {"PRESENT"}, TWO: {"PRESENT"}, THREE: {"PRESENT", "WITHDRAWN"}}
    assert place.held(THREE, key) == {key: "WITHDRAWN", f"{key}-R2": "PRESENT"}
    (back,) = [e for e in place.mocks.ledger(ONE) if e["key"] == key]
    assert back["record"]["publishable"] is True
    assert back["record"]["raninsTaskName"] == "样例任务2"


def test_what_was_repaired_does_not_come_back(place, night):
    key = published(place, night)
    withdraw(night, order(key, "REPAIRED"))
    with pytest.raises(LedgerError, match="不得恢复"):
        reinstate(night, order(key, reason=""))


def test_one_person_alone_can_not_withdraw(place, night):
    key = published(place, night)
    with pytest.raises(ConfigError, match="两个人"):
        withdraw(night, order(key, by="张某", approved_by=" 张 某"))
    with pytest.raises(ConfigError, match="approved-by"):
        withdraw(night, order(key, approved_by=""))
    assert (ONE, 2) not in rows(night, key)


def test_an_unknown_record_a_second_withdrawal_and_an_unknown_reason_change_nothing_and_say_why(place, night):
    with pytest.raises(LedgerError, match="台账里没有"):
        withdraw(night, order("610124-SCJG-2026-9999999"))
    key = published(place, night)
    with pytest.raises(ConfigError, match="可用"):
        withdraw(night, order(key, "BORED"))
    withdraw(night, order(key))
    with pytest.raises(LedgerError, match="已经撤回"):
        withdraw(night, order(key, "OBJECTION"))
    assert max(version for _, version in rows(night, key)) == 2


def test_a_version_that_was_superseded_is_not_retried_by_a_decision(place, night):
    said = record(night.settings, "SCJG", next(COUNT), finish_date="2031-01-01")
    place.take_in(night, "SCJG", [said])
    place.send(night)
    assert rows(night, said.record_key)[ONE, 1].state == "REJECTED"
    withdraw(night, order(said.record_key))
    key = RowKey("inspection", said.record_key, 1)
    with pytest.raises(LedgerError, match="旧版不再重发"):
        people.decide(night.ledger, ONE, [key], "retry", actor="张某", note="再试", now=night.clock())


def test_the_days_book_finds_what_people_ordered(place, night):
    key = published(place, night)
    withdraw(night, order(key))
    balance = night.balance(night.now().date())
    assert balance.balanced
    assert next(d.accepted for d in balance.departments if d.kind == "withdraw") >= 1


def test_the_table_of_the_standard_names_every_reason_for_both_kinds():
    assert len(DEEDS) == 12
    assert {reason for _, reason in DEEDS} == {
        "REVOKED", "ENTRY_ERROR", "OBJECTION", "NOT_PUBLIC", "EXPIRED", "REPAIRED",
    }  # fmt: skip


def test_the_command_withdraws_and_tells_where_the_record_stands(place, night):
    key = published(place, night)
    env = {
        "ZZ_HOME": str(place.home), "ZZ_LEDGER_URL": f"sqlite:///{place.path}",
        **{f"ZZ_URL_{p.upper()}": place.mocks.urls[p] for p in (ONE, TWO, THREE)},
    }  # fmt: skip
    said = ["withdraw", key, "--reason", "REVOKED", "--basis", "样例文书1号", "--by", "张某", "--approved-by", "李某"]
    done = CliRunner().invoke(app, [*said, "--json"], env=env, catch_exceptions=False)
    told = json.loads(done.output)
    assert (done.exit_code, told["record"], told["version"]) == (0, key, 2)
    assert {row["platform"]: row["state"] for row in told["now"]} == {
        night.settings.platforms[p].label: "待发送" for p in (ONE, TWO, THREE)
    }
