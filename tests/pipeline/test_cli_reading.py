"""Commands that only show: what they say, as people and as programs read it, and that the help speaks Chinese.

Belongs here: `zz today|why|due|departments|alerts`, the help of all commands. Must not: whole nights, orders of people.
"""

import json
import re
from pathlib import Path

import pytest
import typer
from sqlalchemy import insert, select, update
from typer.testing import CliRunner

from tests.pipeline.small_county import FINISHED, ONE, PLATFORMS, TWO, rating, record, small
from zz_pipeline.cli import app
from zz_pipeline.commands.panels import PANELS
from zz_pipeline.ledger.schema import alert_message, lane, metadata, outbox, quarantine

GOOD, REFUSED, RETURNED = (f"610124-SCJG-2026-000000{n}" for n in (1, 2, 3))
LATE, RISK = "610124-YJJ-2026-0000004", "PJ-2026-000005"
ROOT = Path(__file__).resolve().parents[2]
TREE = typer.main.get_command(app)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A record that arrived, one that was refused, one that was returned, one overdue, a rating that is never public."""
    with small(tmp_path_factory.mktemp("reading")) as place, place.opened() as night:
        place.take_in(night, "SCJG", [record(night.settings, "SCJG", 1)])
        place.take_in(night, "SCJG", [record(night.settings, "SCJG", 2, finish_date="2031-01-01")])
        place.take_in(night, "credit", [rating(5, scheme="RISK", grade="A")], kind="rating")
        place.send(night)
        place.take_in(night, "YJJ", [record(night.settings, "YJJ", 4)])
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
            mine = (outbox.c.record_key == LATE, outbox.c.platform == ONE)
            conn.execute(update(outbox).where(*mine).values(due="2026-11-02"))
            conn.execute(update(lane).where(lane.c.platform == TWO, lane.c.dept == "SCJG").values(stopped="凭证被拒绝"))
        yield place


def zz(place, *args):
    urls = {f"ZZ_URL_{name.upper()}": place.mocks.urls[name] for name in PLATFORMS}
    env = {"ZZ_HOME": str(place.home), "ZZ_LEDGER_URL": f"sqlite:///{Path(place.path)}", "COLUMNS": "200", **urls}
    return CliRunner().invoke(app, list(args), env=env, catch_exceptions=False)


def as_json(place, *args, code=0):
    done = zz(place, *args, "--json")
    assert done.exit_code == code, done.output
    found, end = json.JSONDecoder().raw_decode(done.stdout)
    assert done.stdout[end:].strip() == ""
    return found


def contents(place):
    with place.opened() as night, night.ledger.read() as conn:
        return {t.name: sorted(map(repr, conn.execute(select(t)))) for t in metadata.sorted_tables}


# ── why ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_why_says_of_a_record_that_arrived_that_it_is_public_and_that_nothing_is_to_be_done(place):
    found = {row["platform"]: row for row in as_json(place, "why", GOOD)["platforms"]}
    assert set(found) == set(PLATFORMS)
    assert found["publicity"]["there"] == "现已公示"
    assert found[ONE]["there"] == "平台上有"
    assert all(row["command"] == "" for row in found.values())


def test_why_says_of_a_refused_record_who_refused_it_and_what_to_look_at(place):
    found = {row["platform"]: row for row in as_json(place, "why", REFUSED)["platforms"]}
    assert found[ONE]["state_label"] == "平台拒收"
    assert f"zz trace {REFUSED}" in found[ONE]["command"]
    assert found["publicity"]["there"] == "没有公示"
    said = zz(place, "why", REFUSED).output
    assert "原因：" in said
    assert "接下来：" in said


def test_why_gives_the_legal_source_of_what_is_never_public(place):
    found = {row["platform"]: row for row in as_json(place, "why", RISK)["platforms"]}
    assert found["publicity"]["state_label"] == "不予公示"
    assert found["publicity"]["why"]
    assert found["publicity"]["basis"]


def test_why_says_of_a_returned_record_that_it_was_not_taken_in_and_why(place):
    found = as_json(place, "why", RETURNED)
    assert (found["platforms"], found["returned"][0]["rule"]) == ([], "INS-003")
    assert "还没有入库" in zz(place, "why", RETURNED).output


def test_why_ends_with_one_for_a_record_that_nobody_knows(place):
    assert as_json(place, "why", "610124-SCJG-2026-9999999", code=1)["found"] is False


# ── due, departments, today, alerts ─────────────────────────────────────────────────────────────────────────────────────
def test_due_lists_what_is_overdue_first_with_platform_department_and_an_example(place):
    rows = as_json(place, "due", "--days", "60")["due"]
    assert [row["due"] for row in rows] == sorted(row["due"] for row in rows)
    first = rows[0]
    assert (first["platform"], first["dept"], first["count"], first["example"]) == (ONE, "YJJ", 1, LATE)
    assert (first["days_left"], first["left"]) == (-1, "已超期")
    assert len(rows) > 1
    assert as_json(place, "due", "--days", "0", "--dept", "HBJ")["due"] == []
    assert "没有部门" in str(CliRunner().invoke(app, ["due", "--dept", "XX"]).exception)


def test_departments_are_each_on_one_line_with_what_is_open(place):
    rows = {row["dept"]: row for row in as_json(place, "departments")["departments"]}
    assert len(rows) == 25
    assert rows["SCJG"]["returned"] == 1
    assert rows["SCJG"]["newest"] == FINISHED.isoformat()
    assert rows["YJJ"]["waiting"] == 3
    assert rows["HBJ"]["read"] == "从未"
    assert rows["SCJG"]["credential"] == "无"
    said = zz(place, "departments").output
    for word in ("最近读取", "凭证", "县市场监管局"):
        assert word in said


def test_today_names_what_needs_a_person_and_the_command_for_it(place):
    needs = as_json(place, "today")["needs"]
    commands = {n["what"]: n["command"] for n in needs}
    assert commands["通道停用"].startswith(f"zz release {TWO} SCJG")
    assert commands["已超期"] == "zz due"
    assert {n["severity"] for n in needs[:1]} == {"告警"}
    said = zz(place, "today").output
    assert f"zz release {TWO} SCJG" in said
    assert "已超期 1 条" in said


def test_commands_that_only_show_change_nothing(place):
    before = contents(place)
    for args in (["today"], ["alerts"], ["due"], ["departments"], ["why", GOOD], ["trace", GOOD], ["status"]):
        zz(place, *args)
        zz(place, *args, "--json")
    assert contents(place) == before


def test_alerts_are_listed_and_only_with_send_written_down_once(place):
    listed = as_json(place, "alerts")
    assert {t["label"] for t in listed["troubles"]} >= {"通道停用", "已超期", "缺少凭证"}
    assert listed["sent"] == []
    first, second = as_json(place, "alerts", "--send"), as_json(place, "alerts", "--send")
    assert len(first["changes"]) == len(listed["troubles"])
    assert second["changes"] == []
    with place.opened() as night, night.ledger.read() as conn:
        assert "" in {row.dept for row in conn.execute(select(alert_message))}
    assert "没有渠道可发" in zz(place, "alerts").output


# ── help ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def commands(node=TREE, path=()):
    """(words, command) of every command and group of the tree."""
    yield path, node
    for name, child in getattr(node, "commands", {}).items():
        yield from commands(child, (*path, name))


ALL = dict(commands())


def test_every_command_stands_under_a_chinese_heading_in_the_order_of_the_table():
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    places = [said.index(f" {panel} ") for panel in PANELS]
    assert places == sorted(places)
    top = {path[0] for path in ALL if len(path) == 1}
    listed = {name for names in PANELS.values() for name in names}
    assert top - listed == set()
    for name in top:
        assert re.search(rf"│ {name} ", said), name


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_option_has_its_help_in_chinese(path):
    command = ALL[path]
    chinese = re.compile(r"[\u4e00-\u9fff]")
    assert chinese.search(command.help or ""), path
    without = [
        p.name for p in command.get_params(typer.Context(command)) if not chinese.search(getattr(p, "help", None) or "")
    ]
    assert without == []
    said = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "120"}).output
    for word in ("Options", "Arguments", "Commands", "Show this message", "required", "default:"):
        assert word not in said, word


def test_the_readme_names_every_command_of_every_group():
    readme = (ROOT / "README.md").read_text("utf-8")
    leaves = [" ".join(("zz", *path)) for path, c in ALL.items() if path and not hasattr(c, "commands")]
    assert [name for name in leaves if name not in readme] == []


def test_the_shell_can_complete_the_names_of_commands():
    env = {"_ZZ_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "zz to"}
    said = CliRunner().invoke(app, [], prog_name="zz", env=env).output
    assert "today" in said
    assert "sync" not in said
