"""The day report of a night full of trouble, as the office reads it: on a screen, on paper, without a network."""

import json
import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mock_platforms.county.codes import invented_resident_id
from mock_platforms.county.defects import MOBILE
from tests.pipeline import harness
from zz_pipeline.reports.day import write_day_report

CANARY_ID, CANARY_MOBILE, CANARY_NAME = invented_resident_id(777), "13900000077", "金丝雀某某"
INJECTED = "<script>alert(1)</script>"
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
]  # fmt: skip


@dataclass
class Reported:
    town: harness.Town
    day: str
    path: Path

    @property
    def html(self):
        return self.path.read_text("utf-8")

    @property
    def figures(self):
        return json.loads(self.path.with_suffix(".json").read_text("utf-8"))


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A night with a source down, an unreadable workbook, a platform down, rejected, held and returned records."""
    with harness.town(tmp_path_factory.mktemp("office"), seed=7, days=1, scale=0.2) as town:
        day = town.county.days[0]
        town.county.apply(day)
        plant(town.home / "inbox" / "FGW" / f"发改稽察{day}.csv")
        next((town.home / "inbox" / "CGJ").glob("*.xlsx")).write_bytes(b"PK\x03\x04 cut off in the middle")
        town.env["ZZ_SOURCE_SPJ"] = "http://127.0.0.1:9"
        town.mocks.control("POST", "/down", {"platform": "publicity", "on": True})
        refuse = {"platform": "double_random", "fault": "partial_rejection", "times": 1, "args": {"count": 3}}
        town.mocks.control("POST", "/faults", refuse)
        result = town.night(day)
        yield Reported(town, day.isoformat(), Path(result.report))


def plant(path):
    """Two more records: one named like a script, one with somebody's number and phone where they must not be."""
    text = path.read_text("utf-8-sig")
    row = text.splitlines()[1]
    cells = row.split(";")
    number, name, code, remark, inspectors = cells[0], cells[9], cells[10], 31, cells[16]
    long = row.replace(number, "FGW2026990001").replace(name, INJECTED + "样例" * 120)
    cells = (
        row.replace(number, "FGW2026990002")
        .replace(code, f'"=""{CANARY_ID}"""')
        .replace(inspectors, CANARY_NAME)
        .split(";")
    )
    cells[remark] = f"联系电话{CANARY_MOBILE}，证件{CANARY_ID}"
    path.write_text("\r\n".join([*text.splitlines(), long, ";".join(cells)]) + "\r\n", "utf-8-sig")


class Elements(HTMLParser):
    """Every tag and every attribute of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.values = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]


# ── what it says ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_report_says_the_same_numbers_as_the_balance_command(reported):
    said = json.loads(reported.town.zz("balance", "--day", reported.day, "--json").stdout)
    figures = reported.figures
    assert figures["totals"] == {n: said[n] for n in ("pulled", "unchanged", "quarantined", "accepted")}
    assert (figures["balanced"], figures["complete"]) == (said["balanced"], said["complete"]) == (True, False)
    assert {p["name"]: {"accepted": p["accepted"], **p["states"]} for p in figures["platforms"]} == {
        name: {k: v for k, v in states.items() if k != "balanced"} for name, states in said["platforms"].items()
    }
    by_source = {(d["dept"], d["kind"]): (d["pulled"], d["accepted"], d["state"]) for d in said["departments"]}
    assert {
        (d["dept"], d["kind"]): (d["pulled"], d["accepted"], d["state"]) for d in figures["departments"]
    } == by_source
    shown = re.findall(r"<b>(\d+)</b>", reported.html)
    assert shown == [str(said[n]) for n in ("pulled", "unchanged", "quarantined", "accepted")]


def test_what_was_not_finished_stands_at_the_top_with_name_and_remedy(reported):
    gaps = "\n".join(reported.figures["gaps"])
    for words in ("县行政审批局", "县城管局", "信用公示系统"):
        assert words in gaps
    head = reported.html.split("<h2>")[0]
    assert "平衡，但没有做完" in head
    assert "县行政审批局" in head


def test_every_trouble_of_the_night_is_shown_with_reason_and_next_step(reported):
    waiting = {(g["platform"], g["code"]) for g in reported.figures["waiting"]}
    assert ("省双随机平台", "REJECTED") in waiting
    assert ("市互联网+监管", "HELD") in waiting
    assert ("信用公示系统", "READY") in waiting
    assert all(g["next"] and g["departments"] and g["keys"] for g in reported.figures["waiting"])
    rejected = next(g for g in reported.figures["waiting"] if g["code"] == "REJECTED")
    assert rejected["count"] == 3
    assert rejected["reason"]


def test_a_statutory_limit_that_has_passed_is_marked(reported):
    overdue = [g for g in reported.figures["waiting"] if g["due"] and g["due"] < reported.day]
    assert overdue
    assert reported.html.count("已逾期") == len(overdue)


def test_groups_of_waiting_rows_add_up_to_the_platforms_columns(reported):
    column = {"HELD": "held", "CONFLICT": "held", "DEAD": "held", "REJECTED": "rejected", "UNKNOWN": "unknown"}
    column |= dict.fromkeys(("READY", "INFLIGHT", "ACCEPTED"), "pending")
    sums = {}
    for group in (*reported.figures["waiting"], *reported.figures["barred"]):
        key = (group["platform"], column.get(group["code"], "blocked"))
        sums[key] = sums.get(key, 0) + group["count"]
        assert sum(group["departments"].values()) == group["count"]
    columns = ("rejected", "held", "blocked", "pending", "unknown")
    said = {(p["label"], c): p["states"][c] for p in reported.figures["platforms"] for c in columns if p["states"][c]}
    assert sums == said


def test_a_person_reads_names_and_chinese_words_and_no_keys_of_ours(reported):
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", reported.html, flags=re.S)
    text = re.sub(r'<div class="keys">.*?</div>', " ", text, flags=re.S)
    states = r"\b(READY|INFLIGHT|CONFIRMED|REJECTED|UNKNOWN|HELD|BLOCKED|NOT_APPLICABLE|FAILED|RUNNING|DIFFERS)\b"
    assert re.findall(states, text) == []
    assert re.findall(r"\b(double_random|internet_supervision|publicity|inspection|rating|repair|credit)\b", text) == []
    assert re.findall(r"(?<![-\w])(SCJG|SPJ|CGJ|FGW)(?![-\w])", text) == []
    assert re.findall(r"\b(subject_name|uscc|inspector_names|record_no)\b", text) == []


# ── what it must not say ─────────────────────────────────────────────────────────────────────────────────────────────
def test_personal_numbers_planted_in_the_sources_stand_nowhere_in_the_report(reported):
    planted = {CANARY_ID, CANARY_MOBILE, MOBILE, *(invented_resident_id(n) for n in range(1000))}
    source = (reported.town.home / "inbox" / "FGW" / f"发改稽察{reported.day}.csv").read_text("utf-8-sig")
    assert CANARY_ID in source
    assert CANARY_MOBILE in source
    for text in (reported.html, reported.path.with_suffix(".json").read_text("utf-8")):
        assert "FGW2026990002" in text  # the record is reported
        assert [number for number in planted if number in text] == []
        assert CANARY_NAME not in text


def test_a_name_that_is_a_script_is_shown_as_text(reported):
    assert "&lt;script&gt;" in reported.html
    assert INJECTED not in reported.html
    assert "script" not in Elements(reported.html).tags


def test_the_file_refers_to_nothing_outside_itself(reported):
    page = Elements(reported.html)
    assert not {"script", "iframe", "img", "object", "embed", "form", "base"} & set(page.tags)
    refers = [v for n, v in page.values if n in ("src", "href", "action", "srcset", "background", "data")]
    assert refers == ["data:,"]
    assert not [n for n, _ in page.values if n.startswith("on")]
    assert re.findall(r"url\(|@import|https?:", re.search(r"<style>(.*?)</style>", reported.html, re.S)[1]) == []
    assert "http://" not in reported.html.replace("http://127.0.0.1:9", "")


def test_writing_the_report_again_changes_only_the_moment_it_was_made(reported):
    before = reported.figures
    with reported.town.opened() as night:
        write_day_report(night, reported.town.county.days[0])
    after = reported.figures
    assert {k: v for k, v in after.items() if k != "made_at"} == {k: v for k, v in before.items() if k != "made_at"}


# ── how it looks ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def browser(tmp_path):
    """Runs Chromium on an address with some flags; returns its standard output."""
    if not CHROMIUM:
        pytest.skip("没有安装 Chromium：请执行 apt-get install chromium 后再运行浏览器测试。")

    def run(address, *more):
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *more, address]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=os.environ).stdout

    return run


MEASURE = """<script>addEventListener('load', () => { const e = document.documentElement, cut = [];
for (const t of document.querySelectorAll('.wide')) if (t.scrollWidth > t.clientWidth) cut.push(t.scrollWidth);
e.dataset.measured = [e.scrollWidth, e.clientWidth, e.scrollHeight, cut.length].join(' '); });</script>"""


@pytest.mark.browser
def test_nothing_overflows_on_the_screen_of_an_office(reported, browser, tmp_path):
    copy = tmp_path / "measured.html"
    copy.write_text(reported.html.replace("</body>", MEASURE + "</body>"), "utf-8")
    shown = browser(copy.as_uri(), "--dump-dom", "--window-size=1200,1600")
    width, room, height, cut = map(int, re.search(r'data-measured="([\d ]+)"', shown)[1].split())
    assert width <= room == 1200
    assert cut == 0
    assert height > 1500


@pytest.mark.browser
def test_the_report_prints_on_few_pages(reported, browser, tmp_path):
    printed = tmp_path / "report.pdf"
    browser(reported.path.as_uri(), f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))
    assert 2 <= pages <= 8


@pytest.mark.browser
def test_opening_the_report_asks_for_nothing_but_the_report(reported, browser):
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=reported.path.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shutil.copy(reported.path, reported.path.parent / "report.html")
        shown = browser(f"http://127.0.0.1:{server.server_port}/report.html", "--dump-dom")
        server.shutdown()
    assert "跨部门综合监管数据日报" in shown
    assert asked == ["/report.html"]
