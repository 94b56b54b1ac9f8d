"""退回清单 from end to end: written for each department, corrected in LibreOffice, put back, read, accepted, settled."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from tests.pipeline import harness
from zz_pipeline.cli import app
from zz_pipeline.course import take_in
from zz_pipeline.errors import ConfigError, ZzError
from zz_pipeline.ledger.quarantine import ACCEPTED
from zz_pipeline.ledger.schema import quarantine, record_version
from zz_pipeline.returns.replay import replay
from zz_pipeline.returns.units import open_units
from zz_pipeline.sources.returned import LEADING, TRAILING, return_number
from zz_pipeline.standard.canonical import sm3_hex

# the tests share one staged county, so they run in one process

OFFICE = shutil.which("soffice")
MARKED = "FFFFEB9C"
# rule → (standard field, what its department writes instead)
FIXES = {
    "STD-001": ("result", "未发现问题"),
    "STD-002": ("result", "未发现问题"),
    "INS-022": ("case_reason", None),
    "INS-028": ("result", "未发现问题"),
    "INS-032": ("publishable", "是"),
    "INS-033": ("not_publish_reason", "涉及国家秘密，依法不予公开"),
}
LOOSE, RENUMBERED = "CZJ", "FGW"


@dataclass
class Nights:
    town: harness.Town
    first: date
    lists: dict[str, Path]
    units: dict[str, list]


def nothing(*_):
    return None


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """One night taken in, with its lists; nothing is sent."""
    with harness.town(tmp_path_factory.mktemp("town"), seed=3, days=1, scale=0.5) as town:
        day = town.county.days[-1]
        town.county.apply(day)
        with town.opened() as night:
            assert [r.error for r in take_in(night, day, nothing) if r.state == "FAILED"] == []
            units = {dept: open_units(night.ledger, dept, day) for dept in night.reporting}
        lists = {path.parts[-3]: path for path in (town.home / "returned").rglob("*.xlsx")}
        yield Nights(town, day, lists, units)


def sheet_of(path):
    book = openpyxl.load_workbook(path)
    sheet = book["退回清单"]
    return book, sheet, {cell.value: cell.column for cell in sheet[1]}


def rows_of(sheet):
    return [
        dict(zip((c.value for c in sheet[1]), (c.value for c in row), strict=True))
        for row in sheet.iter_rows(min_row=2)
    ]


def entries(town, **where):
    with town.opened() as night, night.ledger.read() as conn:
        query = select(quarantine).where(*(quarantine.c[k] == v for k, v in where.items()))
        return [dict(row) for row in conn.execute(query.order_by(quarantine.c.id)).mappings()]


def heading(town, dept, field):
    return town.settings.departments[dept].columns[field].heading


def fixable(unit):
    wrong = [e for e in unit.entries if e["severity"] == "ERROR"]
    return all(e["rule"] in FIXES and e["field"] == FIXES[e["rule"]][0] for e in wrong)


def corrected(nights, dept, target):
    """The department's list with every fixable record corrected in its marked cells; the keys of those records."""
    book, sheet, columns = sheet_of(nights.lists[dept])
    done = []
    for unit in filter(fixable, nights.units[dept]):
        number = f"{dept}-{unit.number}-"
        for row in range(2, sheet.max_row + 1):
            if not sheet.cell(row, columns["退回编号"]).value.startswith(number):
                continue
            for rule in {e["rule"] for e in unit.entries if e["severity"] == "ERROR"}:
                field, value = FIXES[rule]
                cell = sheet.cell(row, columns[heading(nights.town, dept, field)])
                if cell.fill.fgColor.rgb == MARKED:
                    cell.value = value
        done.append(unit.name)
    book.save(target)
    return done


def test_there_is_a_list_for_each_department_with_returned_records_and_for_no_other(nights):
    assert set(nights.lists) == {dept for dept, units in nights.units.items() if units}
    assert len(nights.lists) >= 10
    for dept, path in nights.lists.items():
        short = nights.town.settings.departments[dept].short
        assert path.name == f"退回清单-{short}-{nights.first}.xlsx"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_list_has_the_departments_own_headings_and_only_the_returned_rows(nights):
    for dept, path in nights.lists.items():
        _, sheet, columns = sheet_of(path)
        names = list(columns)
        assert tuple(names[: len(LEADING)]) == LEADING
        assert tuple(names[-len(TRAILING) :]) == TRAILING
        spec = nights.town.settings.departments[dept]
        mapped = {h for s in spec.columns.values() for h in (s.heading, *s.headings) if h}
        assert mapped <= set(names)
        told = {row["退回编号"].rsplit("-", 1)[0] for row in rows_of(sheet)}
        assert told == {f"{dept}-{unit.number}" for unit in nights.units[dept]}


def test_each_row_says_why_and_what_to_do_and_names_its_file_and_row(nights):
    marked = 0
    for dept, path in nights.lists.items():
        _, sheet, _ = sheet_of(path)
        places = {(e["source_file"]) for unit in nights.units[dept] for e in unit.entries}
        for row in rows_of(sheet):
            assert row["退回原因"]
            assert row["怎么改"]
            assert row["原文件"] in places
            assert row["原行号"].isdigit()
        marked += sum(cell.fill.fgColor.rgb == MARKED for row in sheet.iter_rows(min_row=2) for cell in row)
    assert marked >= sum(map(len, nights.units.values()))


def test_no_cell_of_a_list_is_a_formula_or_a_number(nights):
    for path in nights.lists.values():
        _, sheet, _ = sheet_of(path)
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in ("s", "n")
                assert cell.data_type == "s" or cell.value is None
                assert not str(cell.value or "").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


@pytest.mark.office
@pytest.mark.skipif(not OFFICE, reason="没有 LibreOffice（soffice）：装上 libreoffice-calc 才能跑往返测试")
def test_lists_corrected_in_libreoffice_are_accepted_and_settle_their_entries(nights, tmp_path):
    town, today = nights.town, None
    (tmp_path / "from").mkdir()
    fixed = {}
    for dept in nights.lists:
        target = tmp_path / "from" / f"{dept}.xlsx"
        if done := corrected(nights, dept, target):
            fixed[dept] = done
        else:
            target.unlink()
    assert len(fixed) >= 6
    kinds = {town.settings.departments[dept].source.kind for dept in fixed}
    assert kinds == {"database", "workbook", "csv", "http"}
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [OFFICE, profile, "--headless", "--convert-to", "xlsx", "--outdir", str(tmp_path / "to")]
    files = [str(tmp_path / "from" / f"{dept}.xlsx") for dept in fixed]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=80)
    for dept in fixed:
        (town.settings.inbox / dept).mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "to" / f"{dept}.xlsx", town.settings.inbox / dept / "改好的.xlsx")
    with town.opened() as night:
        today = night.now().date()
        done = replay(night, list(fixed))
        assert [r.error for r in done if r.state == "FAILED"] == []
        after, before = night.balance(today), night.balance(nights.first)
    assert after.balanced
    assert before.balanced
    for dept, keys in fixed.items():
        rows = entries(town, dept=dept, severity="ERROR")
        assert {r["settled_by"] for r in rows if r["unit"] in keys} == {ACCEPTED}
        left = {u.name for u in nights.units[dept]} - set(keys)
        assert {r["unit"] for r in rows if r["settled_at"] is None} == left
    with town.opened() as night, night.ledger.read() as conn:
        accepted = set(
            conn.scalars(select(record_version.c.record_key).where(record_version.c.day == today.isoformat()))
        )
    assert accepted == {key for keys in fixed.values() for key in keys}


def hand_back(town, dept, book, name="退回清单改好.xlsx"):
    folder = town.settings.inbox / dept
    folder.mkdir(parents=True, exist_ok=True)
    book.save(folder / name)


def test_a_row_without_a_number_is_settled_by_its_return_number_once_it_has_one(nights):
    town = nights.town
    with town.opened() as night:
        (unit,) = [u for u in open_units(night.ledger, LOOSE) if "#" in u.name]
    book, sheet, columns = sheet_of(nights.lists[LOOSE])
    for row in range(2, sheet.max_row + 1):
        if sheet.cell(row, columns["退回编号"]).value.startswith(f"{LOOSE}-{nights_number(nights, LOOSE, unit.name)}-"):
            sheet.cell(row, columns[heading(town, LOOSE, "record_no")]).value = "cz2026999999"
    hand_back(town, LOOSE, book)
    with town.opened() as night:
        results = replay(night, [LOOSE])
        assert [r.error for r in results if r.state == "FAILED"] == []
        names = {u.name for u in open_units(night.ledger, LOOSE)}
        assert night.balance(night.now().date()).balanced
    assert unit.name not in names
    # the others came back as they were: returned again, each once
    assert names == {u.name for u in nights.units[LOOSE]} - {unit.name}


def nights_number(nights, dept, name):
    return next(u.number for u in nights.units[dept] if u.name == name)


def test_records_whose_number_is_corrected_settle_under_their_old_number(nights):
    town = nights.town
    twins = [u for u in nights.units[RENUMBERED] if {e["rule"] for e in u.entries} & {"INS-031"}]
    assert twins
    book, sheet, columns = sheet_of(nights.lists[RENUMBERED])
    old = twins[0]
    for row in range(2, sheet.max_row + 1):
        if sheet.cell(row, columns["退回编号"]).value.startswith(f"{RENUMBERED}-{old.number}-"):
            sheet.cell(row, columns[heading(town, RENUMBERED, "record_no")]).value = "FGW2026999999"
    hand_back(town, RENUMBERED, book)
    with town.opened() as night:
        replay(night, [RENUMBERED])
        names = {u.name for u in open_units(night.ledger, RENUMBERED)}
    assert old.name not in names
    assert "610124-FGW-FGW2026999999" in names  # still the same content under two numbers: returned under the new one


def test_a_list_in_the_wrong_departments_inbox_is_refused_and_touches_nothing(nights):
    town = nights.town
    dept, other = "GAJ", "JTJ"
    book, _, _ = sheet_of(nights.lists[dept])
    hand_back(town, other, book, "别人的.xlsx")
    with town.opened() as night:
        before = {u.name for u in open_units(night.ledger, other)}
        results = replay(night, [other])
        after = {u.name for u in open_units(night.ledger, other)}
    assert any("别的部门（GAJ）" in text for r in results for text in r.counts.get("被拒文件", ()))
    assert before == after
    (town.settings.inbox / other / "别人的.xlsx").unlink()


def test_a_file_that_is_no_list_is_named_where_nobody_else_would_read_it(nights):
    town = nights.town
    folder = town.settings.inbox / "XFJ"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "说明.docx").write_bytes(b"nothing")
    with town.opened() as night:
        results = replay(night, ["XFJ"])
    assert any("说明.docx" in text for r in results for text in r.counts.get("被拒文件", ()))
    (folder / "说明.docx").unlink()


def test_an_archive_that_was_altered_stops_the_replay_and_leaves_the_records_returned(nights):
    town = nights.town
    with town.opened() as night:
        before = {u.name for u in open_units(night.ledger, "GAJ")}
    (kept,) = [
        p
        for p in (town.home / "archive" / "GAJ").rglob("*.csv")
        if sm3_hex(p.read_bytes())[:16] in p.name and str(nights.first) in str(p.parent)
    ]
    content = kept.read_bytes()
    kept.write_bytes(content + b"\n")
    try:
        with town.opened() as night:
            (result,) = replay(night, ["GAJ"])
            after = {u.name for u in open_units(night.ledger, "GAJ")}
    finally:
        kept.write_bytes(content)
    assert result.state == "FAILED"
    assert "摘要不符" in result.error
    assert before == after
    with town.opened() as night:
        assert [r.error for r in replay(night, ["GAJ"]) if r.state == "FAILED"] == []


def test_the_quarantine_commands_list_show_and_replay_without_full_values(nights):
    town, unit = nights.town, nights.units["SFJ"][0]

    def zz(*args):
        return CliRunner().invoke(app, ["quarantine", *args], env=town.env)

    listed = json.loads(zz("list", "--dept", "SFJ", "--json").stdout)["entries"]
    assert {e["dept"] for e in listed} == {"SFJ"}
    assert unit.first["message"][:10] in zz("show", unit.name).stdout
    assert unit.first["message"][:10] in zz("show", return_number("SFJ", unit.number)).stdout
    assert isinstance(zz("show", "没有这条").exception, ZzError)
    assert isinstance(zz("list", "--dept", "没有").exception, ConfigError)
    assert zz("replay", "--dept", "SFJ", "--day", "2020-01-01").exit_code == 0


def test_an_unchanged_list_in_the_next_night_is_returned_again_once(nights):
    town = nights.town
    book, _, _ = sheet_of(nights.lists["SPJ"])
    hand_back(town, "SPJ", book)
    with town.opened("next") as night:
        before = {u.name for u in open_units(night.ledger, "SPJ")}
        results = take_in(night, nights.first, nothing, ["SPJ"])
        assert [r.error for r in results if r.state == "FAILED"] == []
        assert {u.name for u in open_units(night.ledger, "SPJ")} == before
        assert night.balance(nights.first).balanced
    for unit in before:
        rules = [e["rule"] for e in entries(town, dept="SPJ", unit=unit, severity="ERROR") if e["settled_at"] is None]
        assert len(rules) == len(set(rules))
