"""The office's files: the same numbers in all of them, readable offline, inert in a spreadsheet program."""

import csv
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from docx import Document
from openpyxl import load_workbook

from tests.pipeline.office_ledger import DAY, EVIL, a_county
from zz_pipeline.reports import office
from zz_pipeline.reports.office import Period, write
from zz_pipeline.reports.office.compose import write_bulletin
from zz_pipeline.reports.office.gather import bulletin
from zz_pipeline.reports.office.indicators import COUNTS, INDICATORS
from zz_pipeline.sources.returned import unguard

SOFFICE = shutil.which("soffice") or ""
CHROMIUM = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), "")
SENT = ("provided", "owed", "reported", "stored", "accepted", "returned", "reworked", "public_owed", "public")
WAITING = ("overdue", "near", "unknown", "held", "rejected", "late", "missed", "undated", "belated", "zero_days", "lost_days")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A week's bulletin of an invented ledger: value object and files."""
    folder = tmp_path_factory.mktemp("bulletin")
    with a_county(folder) as night:
        found = bulletin(night, Period.of("week", DAY))
        yield found, write_bulletin(found, folder / "out")


@pytest.fixture(scope="module")
def shown(made, tmp_path_factory):
    """The week's workbook as LibreOffice shows it."""
    return recalculated(made[1].xlsx, tmp_path_factory.mktemp("recalculated"))


class Page(HTMLParser):
    """Tables by id, each a list of rows of texts; every attribute; every list's rows."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.values, self.tags, self.lists = {}, [], [], {}
        self._rows = self._list = None
        self._cell = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]
        if tag == "details":
            self._list = self.lists.setdefault(named["id"], [])
        if tag == "table":
            self._rows = self._list if self._list is not None else self.tables.setdefault(named["id"], [])
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._cell = []
        if tag == "br" and self._cell is not None:
            self._cell.append("|")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._rows[-1].append("".join(self._cell).strip())
            self._cell = None
        if tag == "details":
            self._list = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)


def lines(found):
    return [*found.lines, found.total]


# ── the same numbers ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_page_shows_every_number_of_the_value_object(made):
    found, files = made
    page = Page(files.html.read_text("utf-8"))
    for line, rates, sent, waiting in zip(
        lines(found), *(page.tables[name][1:] for name in ("rates", "sent", "waiting")), strict=True
    ):
        pairs = [(line.now.ratios[i.key], line.before.ratios[i.key]) for i in INDICATORS]
        shown = [f"{now.text}|{now.change(before)}" if now.d else now.text for now, before in pairs]
        assert rates == [line.name, line.kind, line.rank, *shown, line.remark]
        assert sent == [line.name, line.kind, *(str(line.now.counts[k]) for k in SENT)]
        assert waiting == [line.name, line.kind, *(str(line.now.counts[k]) for k in WAITING)]
    assert page.tables["days"][1:] == [[a.name, *a.marks] for a in found.attendance]
    for one in found.listings:
        shown = [[unguard(cell) for cell in row] for row in page.lists[one.key][1:]]  # as a spreadsheet would show it
        assert shown == [list(row) for row in one.rows[:200]]


def test_the_workbook_shows_every_number_and_every_record_key_of_the_value_object(made):
    found, files = made
    book = load_workbook(files.xlsx)
    for line, top, change, number in zip(
        lines(found), *(rows(book[name], 5) for name in ("汇总", "较上期", "数量")), strict=True
    ):
        ratios = [(line.now.ratios[i.key], line.before.ratios[i.key]) for i in INDICATORS]
        assert top == [line.name, line.kind, line.rank, *(now.text for now, _ in ratios), line.remark]
        assert change == [line.name, line.kind, *(t for now, old in ratios for t in (old.text, now.change(old)))]
        assert number == [line.name, line.kind, *(line.now.counts[c.key] for c in COUNTS)]
    for one in found.listings:
        assert rows(book[one.title], 5) == [list(row) for row in one.rows]


def rows(sheet, first):
    """Cells as texts and numbers from a row on; an empty text is stored as no value."""
    return [["" if cell is None else cell for cell in row] for row in sheet.iter_rows(min_row=first, values_only=True)]


def test_the_document_shows_the_same_numbers_in_the_form_of_an_official_document(made):
    found, files = made
    doc = Document(str(files.docx))
    tables = [[[cell.text for cell in row.cells] for row in table.rows[1:]] for table in doc.tables]
    for line, sent, rates, change, waiting in zip(lines(found), *tables, strict=True):
        pairs = [(line.now.ratios[i.key], line.before.ratios[i.key]) for i in INDICATORS]
        assert sent == [line.name, line.kind, *(str(line.now.counts[k]) for k in SENT)]
        assert rates == [line.name, line.kind, line.rank or "—", *(now.text for now, _ in pairs)]
        assert change == [line.name, line.kind, *(now.change(before) for now, before in pairs)]
        assert waiting == [line.name, line.kind, *(str(line.now.counts[k]) for k in WAITING)]
    text = "\n".join(p.text for p in doc.paragraphs)
    assert all(f"{i.name} {found.total.now.ratios[i.key].text}" in text for i in INDICATORS)


def test_the_document_has_the_paper_types_and_parts_that_gb_t_9704_asks_for(made):
    _, files = made
    doc = Document(str(files.docx))
    section = doc.sections[0]
    margins = (section.top_margin, section.bottom_margin, section.left_margin, section.right_margin)
    assert [round(margin.mm) for margin in margins] == [37, 35, 28, 26]
    said = [p for p in doc.paragraphs if p.text]
    types = {p.text: (p.runs[0].font.name, p.runs[0].font.size.pt) for p in said}
    assert types[said[0].text] == ("方正小标宋简体", 22)
    assert types["一、总体情况"] == ("黑体", 16)
    assert types["（一）报送与整改"] == ("楷体_GB2312", 16)
    assert types[said[-2].text] == ("仿宋_GB2312", 16)
    assert all(p.paragraph_format.line_spacing.pt == 28 for p in said)
    assert [said[-2].text, said[-1].text] == ["周至县市场监督管理局（专班办公室）", "2026年11月23日"]
    assert said[-3].text == f"附件：周报明细（{files.xlsx.name}）"


# ── the page by itself ───────────────────────────────────────────────────────────────────────────────────────────────
def test_the_page_refers_to_nothing_but_files_beside_it(made):
    _, files = made
    text = files.html.read_text("utf-8")
    page = Page(text)
    assert not {"script", "iframe", "img", "object", "embed", "form", "base"} & set(page.tags)
    refers = {v for n, v in page.values if n in ("src", "href", "action", "srcset", "background", "data", "xlink:href")}
    assert refers == {"data:,", files.xlsx.name, files.docx.name}
    assert not [n for n, _ in page.values if n.startswith("on")]
    assert re.findall(r"url\(|@import|https?:|//[a-z]", text) == []


@pytest.mark.browser
def test_the_page_is_whole_in_a_browser_without_a_network(made, tmp_path):
    if not CHROMIUM:
        pytest.skip("没有安装 Chromium：请执行 apt-get install chromium 后再运行浏览器测试。")
    _, files = made
    copy = tmp_path / "page.html"
    probe = "<script>addEventListener('load',()=>{const e=document.documentElement,cut=[...document.querySelectorAll('.wide')].filter(t=>t.scrollWidth>t.clientWidth);e.dataset.measured=[e.scrollWidth,e.clientWidth,cut.length,performance.getEntriesByType('resource').length].join(' ')})</script>"
    copy.write_text(files.html.read_text("utf-8").replace("</body>", probe + "</body>"), "utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--hide-scrollbars",
    ]
    command = [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1300,1600", "--dump-dom"]
    shown = subprocess.run([*command, copy.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    width, room, cut, loaded = map(int, re.search(r'data-measured="([\d ]+)"', shown)[1].split())
    assert (width <= room, cut, loaded) == (True, 0, 0)


# ── texts stay texts ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_departments_write_is_escaped_in_the_page(made):
    _, files = made
    text = files.html.read_text("utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.office
def test_fault_63_texts_that_begin_like_formulas_are_inert_after_recalculation_in_libreoffice(made, shown):
    _, files = made
    book = load_workbook(files.xlsx)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    found = {cell.value for cell in cells if isinstance(cell.value, str)}
    assert set(EVIL) <= found
    for evil in EVIL:
        assert any(evil in row for sheet in shown.values() for row in sheet), evil
    assert not any(cell.startswith(("#", "Err:")) for sheet in shown.values() for row in sheet for cell in row)


@pytest.mark.office
def test_libreoffice_reads_every_cell_of_the_workbook_as_it_was_written(made, shown):
    found, _ = made
    for one in found.listings:
        said = [row[: len(one.headings)] for row in shown[one.title][4:]]
        assert said == [list(row) for row in one.rows]
    for line, row in zip(lines(found), shown["数量"][4:], strict=True):
        assert row == [line.name, line.kind, *(str(line.now.counts[c.key]) for c in COUNTS)]


@pytest.mark.office
def test_the_printed_workbook_loses_no_number_of_the_summary(made, tmp_path):
    if not shutil.which("pdftotext"):
        pytest.skip("没有安装 pdftotext：请执行 apt-get install poppler-utils 后再运行。")
    found, files = made
    convert(files.xlsx, tmp_path, "pdf:calc_pdf_Export")
    text = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "book.pdf"), "-"], capture_output=True, text=True, check=True
    ).stdout
    flat = [line.split() for line in text.splitlines()]
    for line in lines(found):
        numbers = [str(line.now.counts[c.key]) for c in COUNTS]
        assert any(row[-len(numbers) :] == numbers for row in flat), line.name
        rates = [line.now.ratios[i.key].text for i in INDICATORS]
        assert any(holds(row, rates) for row in flat), line.name


def holds(row, wanted):
    return any(row[n : n + len(wanted)] == wanted for n in range(len(row)))


@pytest.mark.office
def test_libreoffice_reads_every_number_of_the_document(made, tmp_path):
    if not list(Path(SOFFICE or "/").resolve().parent.glob("libswlo.so")):
        pytest.skip("LibreOffice 没有 Writer：请执行 apt-get install libreoffice-writer 后再运行。")
    found, files = made
    convert(files.docx, tmp_path, "txt:Text (encoded):UTF8")
    text = (tmp_path / "book.txt").read_text("utf-8-sig")
    words = text.split()
    for line in lines(found):
        assert holds(words, [line.name, line.kind, *(str(line.now.counts[k]) for k in SENT)]), line.name


def convert(path, folder, to):
    """The file by LibreOffice, under a plain name: it does not open every name in a C locale."""
    if not SOFFICE:
        pytest.skip("没有安装 LibreOffice：请执行 apt-get install libreoffice-calc 后再运行。")
    copy = folder / f"book{path.suffix}"
    shutil.copy(path, copy)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [SOFFICE, profile, "--headless", "--convert-to", to, "--outdir", str(folder), str(copy)]
    subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def recalculated(path, folder):
    """Sheet name → rows of texts, as LibreOffice shows them after it has loaded and recalculated the workbook."""
    convert(path, folder, "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1")
    shown = {}
    for part in folder.glob("book-*.csv"):
        with part.open(encoding="utf-8", newline="") as file:
            shown[part.stem.removeprefix("book-")] = list(csv.reader(file))
    return shown


# ── the command and the places ───────────────────────────────────────────────────────────────────────────────────────
def test_the_files_lie_beside_the_operators_report_and_link_to_it(tmp_path):
    with a_county(tmp_path) as night:
        place = night.settings.home / "reports" / DAY.isoformat()
        place.mkdir(parents=True)
        (place / f"日报-{DAY}.html").write_text("<p>当夜</p>", "utf-8")
        files = write(night, Period.of("day", DAY))
        assert files.html == place / f"工作日报-{DAY}.html"
        assert sorted(p.name for p in place.iterdir()) == sorted(
            [f"日报-{DAY}.html", *(f"工作日报-{DAY}.{ending}" for ending in ("html", "xlsx", "docx", "json"))]
        )
        assert ("href", f"日报-{DAY}.html") in Page(files.html.read_text("utf-8")).values


@pytest.mark.parametrize(
    ("span", "mark"), [("day", "工作日报-2026-11-20"), ("week", "周报-2026-W47"), ("month", "月度通报-2026-11")]
)
def test_each_period_has_its_own_name_and_bounds(span, mark):
    period = Period.of(span, DAY)
    assert period.stem == mark
    assert period.first <= DAY <= period.last
    assert period.before.last < period.first
    assert {"day": 1, "week": 7, "month": 30}[span] == len(period.days)


def test_the_same_ledger_gives_the_same_files_but_for_the_moment(tmp_path):
    with a_county(tmp_path) as night:
        one = office.write(night, Period.of("week", DAY), tmp_path / "one")
        two = office.write(night, Period.of("week", DAY), tmp_path / "two")
        assert one.json.read_bytes() == two.json.read_bytes()
        assert one.html.read_bytes() == two.html.read_bytes()
