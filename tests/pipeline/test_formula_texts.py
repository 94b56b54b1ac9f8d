"""A text that looks like a formula stays a text in every file that leaves the house for people's spreadsheets."""

from __future__ import annotations

import re
import shutil
import subprocess

import openpyxl
import pytest

from tests.pipeline.test_input_faults import TEXTS, place
from tests.unit.hostile_county import DAY, HEADINGS, good
from zz_pipeline.night import Night
from zz_pipeline.reports.day import write_day_report
from zz_pipeline.reports.office import Period
from zz_pipeline.reports.office import write as write_bulletin
from zz_pipeline.sources.returned import unguard

OFFICE = shutil.which("soffice")
FORMULAS = (
    "=cmd|' /C calc'!A0", "=1+1", "+1+1", "-1+1", "@SUM(1,1)", "=HYPERLINK(\"http://127.0.0.1/\",\"x\")", "＝1+1", "\t=1+1",
    "=WEBSERVICE(\"http://127.0.0.1/\")", "'=1+1", "{=1+1}", "=DDE(\"soffice\";\"a\";\"b\")", "<a href='x'>=1</a>", "%0A=1+1",
    "\r=1+1", "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "\u202e=1+1", "\u2066<b>", "]]>&lt;=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The 退回清单 and the day report of a night whose cells, headings and file names look like formulas."""
    with place(tmp_path_factory.mktemp("formulas")) as here:
        head = (*HEADINGS, "=1+2", "@evil")
        rows = [[*good(TEXTS, n, 备注=sign, 检查结果=sign), sign, sign] for n, sign in enumerate(FORMULAS)]
        nameless = [*good(TEXTS, 900, 编号=""), "", ""]  # known by its file and row only
        here.hand_in(TEXTS, "=1+1.csv", [*rows, nameless], head)
        assert [r.error for r in here.night() if r.state == "FAILED"] == []
        report = write_day_report(Night(here.settings, here.ledger, "report"), DAY)
        [returned] = (here.home / "returned" / TEXTS).rglob("*.xlsx")
        night = Night(here.settings, here.ledger, "report")
        yield returned, report, write_bulletin(night, Period.of("day", DAY), here.home / "bulletins")


def cells(path):
    book = openpyxl.load_workbook(path)
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]


def test_fault_63_a_returned_list_holds_no_formula_and_gives_each_text_back(written):
    returned, _, _ = written
    found = cells(returned)
    assert {cell.data_type for cell in found} == {"s"}
    values = [
        cell.value for cell in found if cell.row > 1
    ]  # headings stand as they came, by which they are known again
    assert not [text for text in values if text.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t"))]
    said = {
        unguard(cell.value.replace("_x000D_", "\r")) for cell in found
    }  # the format's way to write a carriage return
    assert set(FORMULAS) - said == set()


def test_fault_63_the_day_report_escapes_every_text(written):
    _, report, _ = written
    page = report.read_text("utf-8")
    assert "<a href='x'>" not in page
    assert ">&#39;=cmd|&#39; /C calc&#39;!A0<" in page


def test_fault_63_the_offices_workbook_holds_no_formula_and_no_link(written):
    book = written[2].xlsx
    found = cells(book)
    assert len(found) > 50
    assert any(str(cell.value).lstrip("'").startswith("=1+1.csv#") for cell in found)
    assert {cell.data_type for cell in found} <= {"s", "n", "d", "b"}
    assert [cell.value for cell in found if cell.hyperlink and not str(cell.hyperlink.location or "").strip()] == []


def test_fault_63_no_page_holds_markup_or_turning_signs_of_a_department(written):
    for path in (written[1], written[2].html):
        page = path.read_text("utf-8")
        assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)&lt;/script&gt;|onerror=alert\(1\)&gt;", "", page), (
            path.name
        )
        assert re.findall(r"<(?:script|img|b)\b[^>]*(?:alert|onerror)", page) == []
        assert re.findall("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", page) == [], path.name


@pytest.mark.office
@pytest.mark.skipif(not OFFICE, reason="没有 LibreOffice（soffice）：装上 libreoffice-calc 才能跑这项测试")
def test_fault_63_libreoffice_recalculates_nothing_in_what_it_opens(written, tmp_path):
    """The list as it is; the report as a spreadsheet takes a page in: there a cell may have been a formula."""
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    page = ("--infilter=HTML (StarCalc)",)
    returned, report, office = written
    for path, taken in ((returned, ()), (report, page), (office.xlsx, ()), (office.html, page)):
        command = [OFFICE, profile, "--headless", *taken, "--convert-to", "xlsx", "--outdir", str(tmp_path / "to")]
        subprocess.run([*command, str(path)], check=True, capture_output=True, timeout=120)
        found = cells(tmp_path / "to" / f"{path.stem}.xlsx")
        assert found
        assert [c.value for c in found if c.data_type == "f"] == []
