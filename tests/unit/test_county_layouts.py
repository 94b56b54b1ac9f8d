"""25 departments' systems hold what happened, each in its own words; read back here without any of the writers' code.

Belongs here: layouts, department files and the two HTTP services. Must not: the pipeline's readers, the world's random choices.
"""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import pytest
from county_systems import (
    COMPARED,
    DAYS,
    DEPARTMENTS,
    OF_KIND,
    REPORTING,
    SETTINGS,
    Record,
    cell,
    cell_raw,
    check_same,
    code_lines,
    database_rows,
    files_of,
    good,
    moment_of,
    rows_of,
    states,
    workbook_rows,
)

from mock_platforms.county.layout_tables import FOLLOW_UP, LABEL_RESULTS, LAYOUTS
from mock_platforms.county.layouts import write_day
from mock_platforms.county.model import Inspection, Item
from mock_platforms.county.serve_http import HttpSources
from zz_pipeline.settings import Department
from zz_pipeline.standard.tables import INSPECTION


def all_classes(dept: str, day) -> Inspection:
    """A record in which each of the eight classes stands on an item of its own."""
    classes = [line["标准值"] for line in code_lines("检查结果类别") if line["类型"] == "标准"]
    items = [
        Item(f"6101240001{n:04d}", f"样例检查{n}", f"11610124YY900001644{n:06d}", key) for n, key in enumerate(classes)
    ]
    return good(
        dept, 9, day, items=items, check_kind="个案检查", case_reason="投诉举报线索核查", plan_id="", task_id=""
    )


def county(root: Path) -> dict[str, list[list[Inspection]]]:
    """Two days of every reporting department: a joint record corrected on the second day, all classes, a refusal to publish."""
    told = {}
    for key in REPORTING:
        joint = good(key, 1, DAYS[0], helper_rows=2)
        corrected = replace(
            joint, changed=datetime.combine(DAYS[1], clock(8, 0, 59)), items=joint.items[1:], entered_by="赵某"
        )
        site = good(key, 2, DAYS[0], uscc="", object_type="9", object_code="YY-场所-01", counterpart_nature="03")
        closed = good(key, 3, DAYS[1], joint=False, publishable=False, not_publish_reason="涉及商业秘密，依法不予公示")
        told[key] = [[joint, site, all_classes(key, DAYS[0])], [corrected, closed]]
    for number, day in enumerate(DAYS):
        write_day(root, DEPARTMENTS, day, [i for days in told.values() for i in days[number]], first=number == 0)
    return told


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("county")
    told = county(root)
    with HttpSources(root) as sources:
        yield root, told, {key: rows_of(root, sources.urls, SETTINGS.departments[key]) for key in REPORTING}


# ---------------------------------------------------------------- what is in the systems


@pytest.mark.parametrize("key", REPORTING)
def test_what_happened_is_read_back_from_each_system_by_its_department_file_alone(world, key):
    dept = SETTINGS.departments[key]
    found = states(dept, world[2][key])
    (joint, site, classes), (corrected, closed) = world[1][key]
    newest_only = dept.source.kind in ("database", "http") or dept.source.whole
    meant = [site, classes, corrected, closed] if newest_only else [joint, site, classes, corrected, closed]
    assert len(found) == len(meant)
    for inspection in meant:
        day = None if dept.source.whole else inspection.changed.date()
        check_same(dept, inspection, found[inspection.record_no, day])


@pytest.mark.parametrize("key", [k for k in REPORTING if "changed_at" in SETTINGS.departments[k].columns])
def test_every_row_tells_the_second_of_its_last_change(world, key):
    dept = SETTINGS.departments[key]
    for (number, _), rows in states(dept, world[2][key]).items():
        told = [i for day in world[1][key] for i in day if i.record_no == number]
        assert {moment_of(cell_raw(dept, row, "changed_at")) for row in rows} <= {i.changed for i in told}


@pytest.mark.parametrize("key", REPORTING)
def test_a_lead_departments_table_also_shows_rows_that_name_another_department(world, key):
    dept = SETTINGS.departments[key]
    others = [row for row in world[2][key] if row[dept.owner_column] not in dept.names]
    names = {name for d in SETTINGS.departments.values() if d.key != key for name in d.names}
    assert others
    assert {row[dept.owner_column] for row in others} <= names
    assert {cell(dept, row, "record_no") for row in others} == {world[1][key][0][0].record_no}


@pytest.mark.parametrize("key", ["XCB", "BB"])
def test_departments_without_results_have_no_system(world, key):
    root = world[0]
    assert SETTINGS.departments[key].source.kind == "none"
    assert not (root / "inbox" / key).exists()
    assert not (root / "sources" / f"{key.lower()}.db").exists()


# ---------------------------------------------------------------- department files


@pytest.mark.parametrize("key", REPORTING)
def test_every_heading_is_mapped_or_ignored_and_no_mapped_heading_is_missing(world, key):
    dept = SETTINGS.departments[key]
    present = set(world[2][key][0])
    mapped = {h for spec in dept.columns.values() for h in (spec.heading, *spec.headings) if h}
    handled = mapped | {dept.owner_column, dept.void_column, dept.source.changed_at} - {""}
    assert handled <= present
    assert present == handled | set(dept.ignore)


@pytest.mark.parametrize("key", REPORTING)
def test_every_mapped_field_is_one_of_the_standard_and_names_its_way_once(key):
    for name, spec in SETTINGS.departments[key].columns.items():
        INSPECTION.field(name)
        assert sum(bool(way) for way in (spec.heading, spec.headings, spec.constant)) == 1, name


def test_no_two_departments_share_their_headings():
    seen: dict[frozenset[str], str] = {}
    for key in REPORTING:
        headings = frozenset(c.heading for c in LAYOUTS[key].columns)
        for other, name in seen.items():
            assert len(headings & other) < len(headings) * 0.6, f"{key} and {name}"
        seen[headings] = key


def test_every_field_that_reaches_a_platform_is_known_to_every_reporting_department():
    needed = {*COMPARED, "inspector_names", "inspector_certs", "inspect_date", "finish_date", "entered_at"}
    for key in REPORTING:
        assert needed | {"item_code", "result", "remark"} <= set(SETTINGS.departments[key].columns), key


def test_the_departments_that_keep_the_follow_up_are_the_ones_that_say_so():
    assert {k for k in REPORTING if "follow_up" in SETTINGS.departments[k].columns} == FOLLOW_UP


def test_the_departments_with_plain_labels_declare_no_map_and_no_older_set():
    assert {k for k in REPORTING if SETTINGS.departments[k].columns["result"].codes == ""} == LABEL_RESULTS


# ---------------------------------------------------------------- days, corrections, idempotence


def simple_day(root: Path, key: str, day: date, *inspections: Inspection, first: bool = True) -> Department:
    write_day(root, DEPARTMENTS, day, inspections, first=first)
    return SETTINGS.departments[key]


def read_back(root: Path, dept: Department) -> list[Record]:
    """All rows of one department; its service is started if it has one."""
    if dept.source.kind != "http":
        return rows_of(root, {}, dept)
    with HttpSources(root) as sources:
        return rows_of(root, sources.urls, dept)


@pytest.mark.parametrize("key", OF_KIND["database"])
def test_a_correction_in_a_database_keeps_its_rows_and_moves_the_change_time(tmp_path, key):
    record = good(key, 1, DAYS[0])
    simple_day(tmp_path, key, DAYS[0], record, good(key, 2, DAYS[0]))
    layout = LAYOUTS[key]
    path = tmp_path / "sources" / f"{key.lower()}.db"
    with sqlite3.connect(path) as connection:
        before = connection.execute(f"SELECT ID_ FROM {layout.item_table or layout.table} ORDER BY ID_").fetchall()
    corrected = replace(record, changed=record.changed + timedelta(days=1), entered_by="赵某")
    dept = simple_day(tmp_path, key, DAYS[1], corrected, first=False)
    with sqlite3.connect(path) as connection:
        after = connection.execute(f"SELECT ID_ FROM {layout.item_table or layout.table} ORDER BY ID_").fetchall()
    rows = [r for r in database_rows(tmp_path, dept) if cell(dept, r, "record_no") == record.record_no]
    assert after == before
    assert {str(r[dept.source.changed_at]) for r in rows} == {"2026-07-04 17:20:01"}
    assert {cell(dept, r, "entered_by") for r in rows} == {"赵某"}


@pytest.mark.parametrize("key", OF_KIND["database"] + OF_KIND["http"] + ["MZJ"])
def test_a_system_of_record_never_goes_back_to_an_older_state(tmp_path, key):
    record = good(key, 1, DAYS[0], entered_by="赵某")
    older = replace(record, changed=record.changed - timedelta(hours=3), entered_by="钱某")
    simple_day(tmp_path, key, DAYS[0], record)
    dept = simple_day(tmp_path, key, DAYS[1], older, first=False)
    rows = read_back(tmp_path, dept)
    assert {cell(dept, row, "entered_by") for row in rows} == {"赵某"}


def everything(root: Path) -> dict[str, object]:
    """Bytes of all files, and rows of all databases."""
    found: dict[str, object] = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = str(path.relative_to(root))
        found[name] = list(sqlite3.connect(path).iterdump()) if path.suffix == ".db" else path.read_bytes()
    return found


def test_the_same_day_again_changes_no_byte(tmp_path):
    told = county(tmp_path)
    before = everything(tmp_path)
    write_day(tmp_path, DEPARTMENTS, DAYS[1], [i for days in told.values() for i in days[1]], first=False)
    assert everything(tmp_path) == before
    assert len(before) == 9 + 7 * 2 + 1 + 4 * 2 + 2 + 1


def test_a_new_beginning_leaves_nothing_of_what_was(tmp_path):
    county(tmp_path)
    write_day(tmp_path, DEPARTMENTS, DAYS[0], [], first=True)
    left = everything(tmp_path)
    assert not [name for name in left if name.startswith("inbox")]
    assert not any("INSERT" in line for name, dump in left.items() if name.endswith(".db") for line in dump)
    assert json.loads(left["sources/http/spj.json"])["rows"] == []


def test_a_day_without_records_gives_no_file(tmp_path):
    simple_day(tmp_path, "KGJ", DAYS[0], good("KGJ", 1, DAYS[0]), good("CGJ", 1, DAYS[0]))
    simple_day(tmp_path, "KGJ", DAYS[1], good("CGJ", 2, DAYS[1]), first=False)
    assert [p.name for p in files_of(tmp_path, SETTINGS.departments["KGJ"])] == ["kgj_jcjg_20260703.csv"]
    assert len(files_of(tmp_path, SETTINGS.departments["CGJ"])) == 2


def test_the_day_in_a_file_name_is_found_by_the_departments_pattern(world):
    for key in REPORTING:
        dept = SETTINGS.departments[key]
        if dept.source.day_pattern:
            names = [p.name for p in files_of(world[0], dept)]
            days = [re.sub(r"\D", "", re.search(dept.source.day_pattern, name)[1]) for name in names]
            assert sorted(days) == ["20260703", "20260704"], key


def test_the_cumulative_workbook_is_one_file_with_all_days_and_numbers_its_records(world):
    dept = SETTINGS.departments["MZJ"]
    assert [p.name for p in files_of(world[0], dept)] == ["民政检查台账.xlsx"]
    rows = workbook_rows(files_of(world[0], dept)[0], dept)
    assert sorted({int(str(row["台账序号"])) for row in rows}) == [1, 2, 3, 4]


@pytest.mark.parametrize("key", ["CGJ", "KGJ"])
def test_a_daily_file_shows_two_states_of_one_number_both(tmp_path, key):
    record = good(key, 1, DAYS[0])
    other = replace(record, entered_by="赵某", changed=record.changed + timedelta(minutes=1))
    dept = simple_day(tmp_path, key, DAYS[0], record, other)
    rows = read_back(tmp_path, dept)
    assert [cell(dept, row, "entered_by") for row in rows] == ["王某", "王某", "赵某", "赵某"]


def test_a_database_may_lie_at_any_address(tmp_path):
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    write_day(tmp_path, DEPARTMENTS, DAYS[0], [good("SCJG", 1, DAYS[0])], first=True, urls={"SCJG": url})
    with sqlite3.connect(tmp_path / "elsewhere.sqlite") as connection:
        assert connection.execute("SELECT COUNT(*) FROM JCJG_SX").fetchone() == (2,)
    assert not (tmp_path / "sources" / "scjg.db").exists()


# ---------------------------------------------------------------- what people do to cells


PLANTED = {"uscc": "9161O124YY000001XB", "inspect_date": "03/07/26", "publishable": "待定", "record_no": "2026 #1"}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """One day on which every department hands in a record with planted values; each department's rows."""
    root = tmp_path_factory.mktemp("planted")
    items = [Item("61012400010001", "样例检查一", "x", "NO_ISSUE", result_text="见附件")]
    return one_day(root, [good(key, 1, DAYS[0], raw=PLANTED, items=items) for key in REPORTING])


@pytest.fixture(scope="module")
def voided(tmp_path_factory):
    """One day on which every department voids a record; each department's rows."""
    root = tmp_path_factory.mktemp("voided")
    return one_day(root, [good(key, 1, DAYS[0], voided=True) for key in REPORTING])


def one_day(root: Path, inspections: list[Inspection]) -> dict[str, list[Record]]:
    write_day(root, DEPARTMENTS, DAYS[0], inspections, first=True)
    with HttpSources(root) as sources:
        return {key: rows_of(root, sources.urls, SETTINGS.departments[key]) for key in REPORTING}


@pytest.mark.parametrize("key", REPORTING)
def test_a_planted_value_stands_in_its_cell_as_it_is(planted, key):
    dept, rows = SETTINGS.departments[key], planted[key]
    assert {field: cell(dept, rows[0], field) for field in PLANTED} == PLANTED
    assert cell(dept, rows[0], "result") == "见附件"


@pytest.mark.parametrize("key", REPORTING)
def test_a_void_record_bears_the_departments_mark(voided, key):
    dept = SETTINGS.departments[key]
    assert {str(row[dept.void_column]) for row in voided[key]} == set(dept.void_values)


STYLES = {
    "dots": "2026.7.2",
    "slash": "2026/7/2",
    "chinese": "2026年7月2日",
    "compact": "20260702",
}


@pytest.mark.parametrize(("style", "text"), STYLES.items())
@pytest.mark.parametrize("key", ["RSJ", "WLJ", "CZJ"])
def test_a_record_may_have_its_dates_in_another_form_than_its_department(tmp_path, key, style, text):
    dept = simple_day(tmp_path, key, DAYS[0], good(key, 1, DAYS[0], style={"date": style}))
    assert {cell(dept, row, "inspect_date") for row in read_back(tmp_path, dept)} == {text}


def test_a_serial_number_is_written_only_where_cells_can_be_numbers(tmp_path):
    both = [good(key, 1, DAYS[0], style={"date": "serial"}) for key in ("NYJ", "KGJ")]
    write_day(tmp_path, DEPARTMENTS, DAYS[0], both, first=True)
    seen = {
        key: rows_of(tmp_path, {}, SETTINGS.departments[key])[0][
            SETTINGS.departments[key].columns["inspect_date"].heading
        ]
        for key in ("NYJ", "KGJ")
    }
    assert seen == {"NYJ": 46205, "KGJ": "2026-07-02"}


def test_full_width_lower_case_and_line_breaks_are_left_as_people_typed_them(tmp_path):
    records = [
        good("ZJJ", 1, DAYS[0], style={"width": "full"}),
        good("ZJJ", 2, DAYS[0], style={"uscc": "lower"}),
        good("ZJJ", 3, DAYS[0], style={"subject_name": "linebreak"}),
    ]
    dept = simple_day(tmp_path, "ZJJ", DAYS[0], *records)
    full, lower, broken = (rows[0] for rows in states(dept, database_rows(tmp_path, dept)).values())
    assert cell(dept, full, "uscc") == "９１６１０１２４ＹＹ０００００１ＸＢ"
    assert cell(dept, lower, "uscc") == "91610124yy000001xb"
    assert cell(dept, broken, "subject_name").replace("\n", "") == records[2].subject_name
    assert "\n" in cell(dept, broken, "subject_name")


@pytest.mark.parametrize("key", ["SCJG", "ZJJ"])
def test_the_responsible_body_of_a_lift_stands_in_columns_of_its_own(tmp_path, key):
    body = {"counterpart_name": "周至县样例物业有限公司", "counterpart_code": "91610124YY000001XB"}
    lift = good(key, 1, DAYS[0], uscc="", object_type="3", object_code="YY31001", **body)
    dept = simple_day(tmp_path, key, DAYS[0], lift, good(key, 2, DAYS[0]))
    first, plain = (rows[0] for rows in states(dept, database_rows(tmp_path, dept)).values())
    assert {field: cell(dept, first, field) for field in body} == body
    assert cell(dept, first, "counterpart_id_type") == "001"
    assert cell(dept, plain, "counterpart_name") == good(key, 2, DAYS[0]).subject_name


def test_an_inspector_without_a_column_is_refused_and_never_dropped(tmp_path):
    crowd = [(f"张某{n}", f"2701012400{n}") for n in range(5)]
    with pytest.raises(ValueError, match="WLJ 的表只有 4 列检查人员"):
        simple_day(tmp_path, "WLJ", DAYS[0], good("WLJ", 1, DAYS[0], inspectors=crowd))


def test_dates_of_one_workbook_are_date_cells_and_of_another_serial_numbers(world):
    cells, numbers = (cell_raw(SETTINGS.departments[k], world[2][k][0], "finish_date") for k in ("WLJ", "ZGJ"))
    assert isinstance(cells, datetime)
    assert numbers == 46206
