"""The queue of unknown values: fed by every reading, emptied by a person, and what waited is accepted."""

import json

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from tests.pipeline import harness
from zz_pipeline.cli import app
from zz_pipeline.course import take_in
from zz_pipeline.errors import ConfigError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.quarantine import ACCEPTED
from zz_pipeline.ledger.schema import quarantine
from zz_pipeline.returns.units import open_units

# one town for the module, and each test goes on where the one before left off
DEPARTMENTS = ["KGJ", "NYJ", "WLJ", "ZGJ"]


def nothing(*_):
    return None


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """One night of four departments; nothing is sent."""
    with harness.town(tmp_path_factory.mktemp("town"), seed=3, days=1, scale=0.5) as staged:
        staged.county.apply(harness.LAST)
        with staged.opened() as night:
            assert [r.error for r in take_in(night, harness.LAST, nothing, DEPARTMENTS) if r.state == "FAILED"] == []
        yield staged


def codes(town, *args):
    return CliRunner().invoke(app, ["codes", *args], env=town.env)


def unknown(town, *args):
    return {(v["dept"], v["raw"]): v for v in json.loads(codes(town, "unknown", "--json", *args).stdout)["unknown"]}


def entries(town, dept):
    with town.opened() as night, night.ledger.read() as conn:
        where = (quarantine.c.dept == dept) & quarantine.c.rule.in_(("STD-001", "STD-002"))
        return [dict(r) for r in conn.execute(select(quarantine).where(where).order_by(quarantine.c.id)).mappings()]


def test_every_unknown_and_every_to_be_asked_value_waits_in_the_queue_with_its_count(town):
    found = unknown(town)
    told = {(e["dept"], e["value"]) for dept in DEPARTMENTS for e in entries(town, dept)}
    assert set(found) == told
    assert len(found) >= 4
    for value in found.values():
        assert (value["state"], value["field"], value["set"]) == ("OPEN", "result", "检查结果类别")
        assert value["count"] >= 1
    assert set(unknown(town, "--dept", "ZGJ")) == {("ZGJ", "合格")}


def test_a_value_that_may_never_be_mapped_is_refused_with_the_reason_and_keeps_waiting(town):
    refused = codes(town, "map", "NYJ", "result", "—", "NO_ISSUE", "--by", "张某")
    assert isinstance(refused.exception, ConfigError)
    assert "不是结果" in str(refused.exception)
    assert ("NYJ", "—") in unknown(town)
    assert not (town.config / "codes" / "departments" / "NYJ.csv").exists()


def test_a_mapped_value_is_written_down_and_the_records_that_waited_are_accepted(town):
    done = codes(town, "map", "ZGJ", "result", "合格", "未发现问题", "--by", "张某", "--json")
    assert json.loads(done.stdout)["code"] == "NO_ISSUE"
    assert (town.config / "codes" / "departments" / "ZGJ.csv").read_text("utf-8").count("合格") == 1
    assert {e["settled_by"] for e in entries(town, "ZGJ")} == {ACCEPTED}
    assert ("ZGJ", "合格") not in unknown(town)
    with town.opened() as night:
        assert night.balance(night.now().date()).balanced
        assert night.balance(harness.LAST).balanced
        with night.ledger.read() as conn:
            assert audit.verify(conn).broken_at is None


def test_what_waits_for_another_reason_is_not_replayed_by_a_mapping(town):
    with town.opened() as night:
        left = open_units(night.ledger, "ZGJ")
    assert left
    assert {u.first["day"] for u in left} == {harness.LAST.isoformat()}


def test_an_ignored_value_leaves_the_list_and_its_record_stays_returned(town):
    assert codes(town, "ignore", "KGJ", "result", "1", "--by", "张某").exit_code == 0
    assert ("KGJ", "1") not in unknown(town)
    assert [e["settled_at"] for e in entries(town, "KGJ")] == [None]
    with town.opened("again") as night:
        take_in(night, harness.LAST, nothing, ["KGJ"])
    assert ("KGJ", "1") not in unknown(town)


def test_a_mapped_value_that_is_unknown_again_waits_again(town):
    (town.config / "codes" / "departments" / "ZGJ.csv").unlink()
    path = next((town.settings.inbox / "ZGJ").glob("*.xlsx"))
    path.write_bytes(reworked(path))
    with town.opened("later") as night:
        take_in(night, harness.LAST, nothing, ["ZGJ"])
    assert unknown(town)["ZGJ", "合格"]["state"] == "OPEN"


def reworked(path):
    """The same table in a file with other bytes, as a department saves it again."""
    import io

    import openpyxl

    book = openpyxl.load_workbook(path)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_an_unknown_department_or_field_is_refused_in_plain_words(town):
    for args, word in (
        (("map", "没有", "result", "合格", "NO_ISSUE"), "没有部门"),
        (("map", "WLJ", "subject_name", "合格", "NO_ISSUE"), "没有代码集"),
        (("ignore", "WLJ", "follow_up", "合格"), "没有字段"),
    ):
        refused = codes(town, *args, "--by", "张某")
        assert isinstance(refused.exception, ConfigError)
        assert word in str(refused.exception)
