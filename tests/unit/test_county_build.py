"""A county on disk is a home of the pipeline: systems, inbox, lists, secrets, credit data, manifest.

Belongs here: which files stand where, and that applying days in steps or at once is the same. Must not: the pipeline.
"""

from __future__ import annotations

import csv
import json
import stat
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mock_platforms.county import departments
from mock_platforms.county.build import County
from mock_platforms.county.cli import county as command

LAST = date(2026, 11, 20)
HEADINGS = {
    "items": "item_code,item_name,dept,implement_code,status,category,special",
    "inspectors": "cert_no,name,dept,nature,valid_from,valid_until,status",
    "plans": "plan_id,plan_name,dept,year",
    "tasks": "task_id,plan_id,task_name,lead_dept,depts,start,end",
    "subjects": "object_code,name,uscc,object_type,area_code",
}


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> County:
    made = County.create(tmp_path_factory.mktemp("county"), LAST, scale=0.2)
    made.apply(LAST)
    return made


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(root: Path) -> dict[str, Any]:
    """What the departments and the credit platform show, without the byte forms of databases and workbooks."""
    plain = [*root.glob("inbox/*/*.csv"), *root.glob("sources/http/*.json"), *root.glob("credit/*.json")]
    found: dict[str, Any] = {str(p.relative_to(root)): p.read_bytes() for p in plain}
    found["files"] = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    return found


def test_every_reporting_department_has_something_to_read(county: County) -> None:
    for key in departments.DATABASE:
        assert (county.dir / "sources" / f"{key.lower()}.db").stat().st_size > 0
    for key in departments.HTTP:
        assert (county.dir / "sources" / "http" / f"{key.lower()}.json").exists()
    for key in (*departments.DAILY_FILE, *departments.CUMULATIVE):
        assert list((county.dir / "inbox" / key).iterdir())
    assert not [p for p in county.dir.rglob("*") if p.name.lower().startswith(("xcb.", "bb."))]


def test_the_lists_have_the_agreed_headings_and_hang_together(county: County) -> None:
    lists = {p.stem: rows(p) for p in (county.dir / "lists").glob("*.csv")}
    assert {name: ",".join(table[0]) for name, table in lists.items()} == HEADINGS
    assert {t["plan_id"] for t in lists["tasks"]} <= {p["plan_id"] for p in lists["plans"]}
    assert {i["status"] for i in lists["items"]} == {"在用", "取消"}
    assert {i["status"] for i in lists["inspectors"]} == {"有效", "失效"}
    assert len({i["cert_no"] for i in lists["inspectors"]}) == len(lists["inspectors"])
    assert all(s["uscc"] or s["object_code"] for s in lists["subjects"])


def test_secrets_are_private_and_the_same_on_both_sides(county: County) -> None:
    listed = json.loads((county.dir / "credentials.json").read_text("utf-8"))
    held = tomllib.loads((county.dir / "secrets.toml").read_text("utf-8"))
    for name in ("secrets.toml", "credentials.json"):
        assert stat.S_IMODE((county.dir / name).stat().st_mode) == 0o600
    assert len(listed) == 3 * 23 + 1
    for one in listed:
        pair = held[one["platform"]][one["department"]]
        assert pair == {"app_id": one["app_id"], "secret": one["secret"]}
        assert len(one["secret"]) >= 32
        assert one["secret"].isascii()
        assert one["suspended"] is False
    assert len({one["secret"] for one in listed}) == len(listed)
    assert list(held["credit"]) == ["KGJ"]
    assert {one["department"] for one in listed} == set(departments.REPORTING)


def test_the_credit_platform_shows_the_newest_revision_only(county: County) -> None:
    ratings = json.loads((county.dir / "credit" / "ratings.json").read_text("utf-8"))
    assert len({r["rating_id"] for r in ratings}) == len(ratings)
    revised = next(d.record_no for d in county.world.defects if d.defect == "rating_revised")
    assert [r["revision"] for r in ratings if r["rating_id"] == revised] == [2]
    assert [r["updated_at"] for r in ratings] == sorted(r["updated_at"] for r in ratings)


def test_days_applied_one_by_one_by_two_processes_end_like_days_applied_at_once(county: County, tmp_path: Path) -> None:
    first = County.create(tmp_path / "steps", LAST, scale=0.2)
    first.apply(first.days[0])
    before = json.loads((tmp_path / "steps" / "credit" / "ratings.json").read_text("utf-8"))
    assert {r["updated_at"][:10] for r in before} == {first.days[0].isoformat()}
    assert not list((tmp_path / "steps" / "inbox").glob(f"*/*{LAST:%Y%m%d}*"))
    later = County.open(tmp_path / "steps")
    later.apply(later.days[1])
    later.apply(LAST)
    later.apply(later.days[0])
    assert contents(tmp_path / "steps") == contents(county.dir)


def test_a_day_outside_the_county_is_not_applied(county: County) -> None:
    with pytest.raises(ValueError, match="2020"):
        county.apply(date(2020, 1, 1))


def test_the_command_writes_a_county_and_says_so(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command)
    told = CliRunner().invoke(app, ["--dir", str(tmp_path), "--last", "2026-11-20", "--days", "1", "--scale", "0.1"])
    assert told.exit_code == 0, told.output
    assert "样例县已写入" in told.output
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8"))["days"] == ["2026-11-20"]


@pytest.mark.parametrize("wrong", [["--last", "昨天"], ["--last", "2026-11-20", "--through", "2026-11-01"]])
def test_the_command_refuses_a_day_it_cannot_reach(tmp_path: Path, wrong: list[str]) -> None:
    app = typer.Typer()
    app.command()(command)
    told = CliRunner().invoke(app, ["--dir", str(tmp_path), *wrong])
    assert told.exit_code == 2
    assert list(tmp_path.iterdir()) == []
