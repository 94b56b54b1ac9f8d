"""退回清单 as a workbook: the department's own headings, only the returned rows, failing cells marked, reason and remedy beside.

Belongs here: looks and words of the workbook, where it lies. Must not: reading it back (that is `sources.returned`).
It holds the department's own full values and goes to that department alone: folder 0700, file 0600, nothing of it in logs.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xlsxwriter

from zz_pipeline.delivery import points
from zz_pipeline.errors import ZzError
from zz_pipeline.returns.units import Native, Unit, native_rows, open_units
from zz_pipeline.settings import Department
from zz_pipeline.sources.base import FILE, LONGEST_CELL, ROW, TRACE
from zz_pipeline.sources.returned import LEADING, TRAILING, guard, return_number
from zz_pipeline.standard.tables import INSPECTION, Scope

if TYPE_CHECKING:
    from zz_pipeline.night import Night

SHEET, HELP = "退回清单", "填写说明"
ROWS = 1_048_575
# A field that the department does not have is derived from these: there the clerk finds the cause.
_FROM = {
    "record_key": ("record_no",),
    "counterpart_name": ("counterpart_name", "subject_name"),
    "counterpart_id_type": ("counterpart_id_type", "uscc", "object_code"),
    "counterpart_code": ("counterpart_code", "uscc", "object_code"),
    "item_name": ("item_name", "item_code"),
    "implement_code": ("implement_code", "item_code"),
}
_ITEM_FIELDS = frozenset(INSPECTION.names(Scope.ITEM))
_HELP = (
    "这份清单里只有被退回的行，表头与贵部门原表相同。黄色的格是有问题的格，最后两列写明原因和改法。",
    "请直接在黄色格里改正。同一检查编号有几行的，请把几行都留下，不要只交其中一行。",
    "不要改动“退回编号”一列；工作表可以改名，文件也可以改名，文件类型保持 .xlsx。",
    "格子里开头的撇号（'）是防止表格软件把内容当成公式，不用删。",
    "改好后放回收件夹 {folder}，下一次夜间运行自动读取；急用可请操作员执行 zz quarantine replay --dept {dept}。",
    "同时请在贵部门自己的系统或台账里改正，否则以后再读到原来的内容会再次退回。",
    "清单内含本部门的个人信息，请勿转发给无关人员。",
)


def workbook_path(home: Path, dept: Department, day: date) -> Path:
    """Where the 退回清单 of a department and day lies."""
    short = re.sub(r'[\\/:*?"<>|\s]', "", dept.short)
    return home / "returned" / dept.key / day.isoformat() / f"退回清单-{short}-{day.isoformat()}.xlsx"


def write_returned(night: Night, dept: str, day: date) -> Path | None:
    """Write the 退回清单 of what is open of that day; None (and an earlier one removed) if nothing is. ZzError if rows are lost."""
    spec = night.settings.departments[dept]
    path = workbook_path(night.settings.home, spec, day)
    units = open_units(night.ledger, dept, day)
    if not units:
        path.unlink(missing_ok=True)
        return None
    native = native_rows(night.ledger, night.settings, night.book, dept, units)
    _save(path, _render(spec, native, units))
    if native.missing:
        why = "；".join(native.problems) or "存档里找不到这些行"
        raise ZzError(f"{spec.short} {day} 的退回清单少了 {len(native.missing)} 条记录的原始行：{why}。")
    return path


def headings_of(dept: Department, field: str) -> tuple[str, ...]:
    """The department's headings in which the cause of a finding on a standard field stands."""
    if field == "dept":
        return (dept.owner_column,) if dept.owner_column else ()
    if field and field in (dept.void_column, dept.source.changed_at):
        return (field,)
    found: list[str] = []
    for name in _FROM.get(field, (field,)):
        spec = dept.columns.get(name)
        if spec is not None and not spec.constant:
            found += [h for h in (spec.heading, *spec.headings) if h]
            if name == field:
                break
    return tuple(dict.fromkeys(found))


def split_message(message: str) -> tuple[str, str]:
    """(what is wrong, what to do): a message says first the one, then the other from its first 请 on."""
    parts = [p for p in re.split(r"(?<=[。；])", message) if p]
    at = next((n for n, part in enumerate(parts) if "请" in part), len(parts))
    return "".join(parts[:at]).strip() or message, "".join(parts[at:]).strip()


def _render(dept: Department, native: Native, units: Sequence[Unit]) -> bytes:
    target = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(target, options)
    sheet = book.add_worksheet(SHEET)
    headings = [n for n in native.table.column_names if n not in TRACE]
    _head(book, sheet, headings)
    _rows(book, sheet, dept, native, {u.name: u for u in units}, headings)
    _help(book, dept)
    book.close()
    return target.getvalue()


def _head(book: Any, sheet: Any, headings: Sequence[str]) -> None:
    own = book.add_format({"bold": True, "num_format": "@", "bg_color": "#D9E2F3", "border": 1, "text_wrap": True})
    ours = book.add_format({"bold": True, "num_format": "@", "bg_color": "#E7E6E6", "border": 1})
    text = book.add_format({"num_format": "@"})
    for place, heading in enumerate((*LEADING, *headings, *TRAILING)):
        sheet.write_string(0, place, heading, own if heading in headings else ours)
        sheet.set_column(place, place, 48 if heading in TRAILING else 18, text)
    sheet.freeze_panes(1, 1)


def _rows(
    book: Any, sheet: Any, dept: Department, native: Native, units: Mapping[str, Unit], headings: Sequence[str]
) -> None:
    plain = book.add_format({"num_format": "@"})
    marked = book.add_format({"num_format": "@", "bg_color": "#FFEB9C", "border": 1})
    wrapped = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
    if native.table.num_rows > ROWS:
        raise ZzError(f"{dept.short}退回 {native.table.num_rows} 行，一张工作表放不下。请先核对代码对照表和表样。")
    for at, (row, name) in enumerate(zip(native.table.to_pylist(), native.units, strict=True), 1):
        unit = units[name]
        findings = _of_row(unit, row)
        reason, remedy = _words(findings)
        lead = (return_number(dept.key, unit.number), row[FILE] or "", str(row[ROW]))
        for place, value in enumerate(lead):
            sheet.write_string(at, place, guard(value), plain)
        wrong = {h for e in findings if e["severity"] == "ERROR" for h in headings_of(dept, e["field"])}
        for place, heading in enumerate(headings, len(LEADING)):
            form = marked if heading in wrong else plain
            value = guard(row[heading] or "")[:LONGEST_CELL]
            if value:
                sheet.write_string(at, place, value, form)
            else:
                sheet.write_blank(at, place, None, form)
        for place, value in enumerate((reason, remedy), len(LEADING) + len(headings)):
            sheet.write_string(at, place, guard(value)[:LONGEST_CELL], wrapped)


def _of_row(unit: Unit, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Findings on a row: of the record as a whole, or of just this row."""
    here = (row[FILE], row[ROW])
    return [e for e in unit.entries if e["field"] not in _ITEM_FIELDS or (e["source_file"], e["source_row"]) == here]


def _words(findings: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    reasons: list[str] = []
    remedies: list[str] = []
    for e in findings:
        reason, remedy = split_message(e["message"])
        reasons.append(f"{'' if e['severity'] == 'ERROR' else '（提示）'}{e['rule']} {reason}")
        if remedy:
            remedies.append(remedy)
    if not reasons:
        return "同一检查编号的其他行有问题，整条记录一起退回。", "这一行如无误，不用改；与其他行一起交回。"
    return "\n".join(dict.fromkeys(reasons)), "\n".join(dict.fromkeys(remedies))


def _help(book: Any, dept: Department) -> None:
    sheet = book.add_worksheet(HELP)
    sheet.set_column(0, 0, 100)
    wrapped = book.add_format({"num_format": "@", "text_wrap": True})
    for at, line in enumerate(_HELP):
        sheet.write_string(at, 0, line.format(dept=dept.key, folder=f"inbox/{dept.key}"), wrapped)


def _save(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    points.reach("list:before_rename")
    os.replace(part, path)
    points.reach("list:after_rename")
