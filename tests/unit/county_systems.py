"""The sample county's systems read back for tests: by the department files and code tables alone, with none of the writers' code.

Belongs here: hand-made records, independent readers of databases, workbooks, CSV files and services, and their comparison.
Must not: the pipeline's readers, `CodeBook`, `cells`.
"""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import urllib.parse
import urllib.request
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import openpyxl

from mock_platforms.county.model import Dept, Inspection, Item
from zz_pipeline.settings import Department, load_settings
from zz_pipeline.standard.tables import INSPECTION

CONFIG = Path(__file__).resolve().parents[2] / "config"
SETTINGS = load_settings(CONFIG, env={})
DEPARTMENTS = [Dept(d.key, d.name, d.short, d.uscc) for d in SETTINGS.departments.values()]
REPORTING = sorted(d.key for d in SETTINGS.departments.values() if d.source.kind != "none")
OF_KIND = {
    kind: [k for k in REPORTING if SETTINGS.departments[k].source.kind == kind] for kind in ("database", "http", "csv")
}
DAYS = (date(2026, 7, 3), date(2026, 7, 4))
CODED = {f.name: f.codes for f in INSPECTION.fields if f.codes} | {"joint": "是否", "publishable": "是否"}
COMPARED = [
    "record_no",
    "plan_id",
    "plan_name",
    "task_id",
    "task_name",
    "check_kind",
    "case_reason",
    "joint",
    "lead_dept",
    "subject_name",
    "uscc",
    "object_type",
    "object_code",
    "counterpart_nature",
    "address_operating",
    "area_code",
    "check_form",
    "check_type",
    "check_mode",
    "publishable",
    "not_publish_reason",
    "entered_by",
]

Record = dict[str, object]


def good(dept: str, number: int, day: date, **changes: object) -> Inspection:
    """A lawful record of two items."""
    moment = datetime.combine(day, clock(17, 20, number))
    uscc = SETTINGS.departments[dept].uscc
    values: dict[str, object] = {
        "dept": dept,
        "record_no": f"2026-{dept}-{number:04d}",
        "changed": moment,
        "plan_id": "61012420261000",
        "plan_name": "周至县2026年度部门联合双随机抽查计划",
        "task_id": "610124202607011001",
        "task_name": "样例联合抽查，第一批",
        "check_kind": "不定向抽查",
        "case_reason": "",
        "joint": True,
        "lead_dept": SETTINGS.departments[dept].name,
        "subject_name": f"周至县样例{number}号（{dept}）有限公司",
        "uscc": "91610124YY000001XB",
        "object_type": "1",
        "object_code": "",
        "counterpart_nature": "02",
        "address_operating": "周至县样例街道1号;甲座",
        "area_code": "610124",
        "inspectors": [("张某", "27010124001"), ("李某", "27010124002")],
        "inspect_date": day - timedelta(days=1),
        "finish_date": day,
        "check_form": "01",
        "check_type": "01",
        "check_mode": "1",
        "publishable": True,
        "not_publish_reason": "",
        "entered_by": "王某",
        "entered_at": moment - timedelta(minutes=9, seconds=1),
        "items": [
            Item(
                "61012400010001", "样例检查一", f"{uscc}4000001", "NO_ISSUE", follow_up="01", remark='台账"齐全"\n已看'
            ),
            Item("61012400010002", "样例检查二", f"{uscc}4000002", "CORRECTED", follow_up="02"),
        ],
    }
    return Inspection(**{**values, **changes})  # type: ignore[arg-type]


def code_lines(name: str) -> list[dict[str, str]]:
    with (CONFIG / "codes" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def meaning(dept: Department, field: str, text: str) -> str:
    """Standard code of a cell, by the configured tables only."""
    if not text:
        return ""
    mode = dept.columns[field].codes
    if mode == "map":
        own = [r for r in code_lines(f"departments/{dept.key}") if r["字段"] == field and r["原值"] == text]
        if own:
            return own[0]["标准值"]
    if mode.startswith("set:"):
        older = [r for r in code_lines(f"检查结果旧码·{mode[4:]}") if r["原值"] == text]
        if older:
            return older[0]["标准值"]
    if mode == "standard" or field == "area_code":
        return text
    return next(r["标准值"] for r in code_lines(str(CODED[field])) if r["原值"] == text)


def moment_of(value: object) -> datetime:
    """A day or moment of any habit of the sample county, told apart by its form alone."""
    if isinstance(value, datetime):
        return (value + timedelta(milliseconds=500)).replace(microsecond=0)
    text = str(value)
    if re.fullmatch(r"\d{5}(\.\d+)?", text):
        return datetime.combine(date(1899, 12, 30), clock()) + timedelta(seconds=round(float(text) * 86400))
    parts = re.findall(r"\d+", text)
    if len(parts) == 1:
        parts = [text[:4], *re.findall("..", text[4:])]
    year, month, day, *rest = (int(part) for part in parts)
    return datetime.combine(date(year, month, day), clock(*rest))


def day_of(value: object) -> date:
    return moment_of(value).date()


def database_rows(root: Path, dept: Department) -> list[Record]:
    with sqlite3.connect(root / "sources" / f"{dept.key.lower()}.db") as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(dept.source.query)]


def workbook_rows(path: Path, dept: Department) -> list[Record]:
    book = openpyxl.load_workbook(path)
    sheet = book[dept.source.sheet] if dept.source.sheet else book.worksheets[0]
    for area in list(sheet.merged_cells.ranges):
        top = sheet.cell(area.min_row, area.min_col).value
        sheet.unmerge_cells(str(area))
        for row in range(area.min_row, area.max_row + 1):
            sheet.cell(row, area.min_col).value = top
    lines = [list(row) for row in sheet.iter_rows(values_only=True)]
    start = next(n for n, line in enumerate(lines) if set(dept.source.header_contains) <= {str(c) for c in line})
    heading = [str(cell) for cell in lines[start]]
    rows = [dict(zip(heading, line, strict=True)) for line in lines[start + 1 :] if line != heading]
    return [row for row in rows if row[dept.columns["item_code"].heading]]


def csv_rows(path: Path, dept: Department) -> list[Record]:
    with path.open(encoding=dept.source.encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=dept.source.delimiter))


def get(url: str, **query: object) -> dict[str, object]:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        return json.load(answer)


def http_rows(
    url: str, dept: Department, since: str = "2026-07-01 00:00:00", until: str = "2026-07-09 00:00:00", size=3
):
    spec, rows, page, cursor = dept.source, [], 1, ""
    while True:
        step = {"page": page} if spec.paging == "page" else {"cursor": cursor}
        answer = get(url + spec.path, since=since, until=until, size=size, **step)
        rows += answer[spec.items_key]
        page, cursor = page + 1, str(answer.get(spec.cursor_key, ""))
        if (page - 1) * size >= int(answer[spec.total_key]) if spec.paging == "page" else not cursor:
            return rows


def files_of(root: Path, dept: Department) -> list[Path]:
    return sorted((root / "inbox" / dept.key).glob(dept.source.pattern))


def rows_of(root: Path, urls: dict[str, str], dept: Department) -> list[Record]:
    """All rows of a department, files of all days together, each cell as it stands there."""
    if dept.source.kind == "database":
        return database_rows(root, dept)
    if dept.source.kind == "http":
        return http_rows(urls[dept.key], dept)
    read = workbook_rows if dept.source.kind == "workbook" else csv_rows
    return [row for path in files_of(root, dept) for row in read(path, dept)]


def cell(dept: Department, row: Record, field: str) -> str:
    value = row[dept.columns[field].heading]
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    guarded = re.fullmatch(r'="(.*)"', text)
    return guarded[1] if guarded else text


def people(dept: Department, row: Record, field: str) -> list[str]:
    spec = dept.columns[field]
    cells = [row[h] for h in spec.headings] if spec.headings else re.split(f"[{spec.split}]", str(row[spec.heading]))
    return [str(one) for one in cells if one]


def states(dept: Department, rows: list[Record]) -> dict[tuple[str, date], list[Record]]:
    """(record number, day of change or None) → the department's own rows; helping departments' rows are left out."""
    found: dict[tuple[str, date], list[Record]] = {}
    for row in rows:
        if row[dept.owner_column] in dept.names:
            day = day_of(cell_raw(dept, row, "changed_at")) if "changed_at" in dept.columns else None
            found.setdefault((cell(dept, row, "record_no"), day), []).append(row)
    return found


def cell_raw(dept: Department, row: Record, field: str) -> object:
    return row[dept.columns[field].heading]


def check_same(dept: Department, inspection: Inspection, rows: list[Record]) -> None:
    assert len(rows) == len(inspection.items)
    for item, row in zip(inspection.items, rows, strict=True):
        for field in COMPARED:
            meant = getattr(inspection, field)
            meant = str(meant).lower() if isinstance(meant, bool) else meant
            text = cell(dept, row, field)
            assert (meaning(dept, field, text) if field in CODED else text) == meant, field
        assert people(dept, row, "inspector_names") == [name for name, _ in inspection.inspectors]
        assert people(dept, row, "inspector_certs") == [cert for _, cert in inspection.inspectors]
        assert day_of(cell_raw(dept, row, "inspect_date")) == inspection.inspect_date
        assert day_of(cell_raw(dept, row, "finish_date")) == inspection.finish_date
        assert moment_of(cell_raw(dept, row, "entered_at")) == inspection.entered_at
        assert cell(dept, row, "item_code") == item.item_code
        assert meaning(dept, "result", cell(dept, row, "result")) == item.result
        assert cell(dept, row, "remark").replace("\r\n", "\n") == item.remark
        for field in ("item_name", "implement_code", "follow_up"):
            if field in dept.columns:
                text = cell(dept, row, field)
                assert (meaning(dept, field, text) if field in CODED else text) == (getattr(item, field) or "")
        assert str(row[dept.void_column] or "") not in dept.void_values
