"""Every hostile file ends as read, returned or refused with a reason a clerk understands; none stops its department."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.unit import hostile_county
from tests.unit.hostile_case import MOBILE, READ, REFUSED, RESIDENT, RETURNED, Case, Maker
from tests.unit.hostile_corpus import CORPUS, hand_in
from tests.unit.hostile_county import DAY, SOURCES
from zz_pipeline.course import take_in
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import quarantine, record_version, source_file
from zz_pipeline.night import Night
from zz_pipeline.settings import CHECKOUT
from zz_pipeline.sources.signs import shown
from zz_pipeline.standard.canonical import sm3_hex

REGULAR = [case for case in CORPUS if not case.says or not set(case.says) & {"链接", "普通文件", "文件夹"}]
CLEAN = "清白的检查表"


@dataclass
class Told:
    """One night over the whole corpus, as the ledger tells it. files: department and shown name → what was noted."""

    home: Path
    results: list[Any]
    files: dict[tuple[str, str], Any]
    accepted: dict[tuple[str, str], int]
    entries: dict[tuple[str, str], list[Any]]
    refusals: dict[tuple[str, str], str]
    warnings: list[str]


def clean(dept: str) -> bytes:
    """A harmless file of a department."""
    from tests.unit.hostile_books import book

    maker = Maker(dept, 9000)
    if SOURCES[dept][1]["kind"] == "workbook":
        return book([list(hostile_county.HEADINGS), maker.row(), maker.row()])
    head = hostile_county.PINYIN if dept == "JPY" else hostile_county.HEADINGS
    return maker.text(maker.row(), maker.row(), head=head).encode(SOURCES[dept][1]["encoding"])


def clean_name(dept: str) -> str:
    return CLEAN + SOURCES[dept][1]["pattern"].lstrip("*")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """All files at once in the inboxes, with a clean neighbour in each; then pull, standardize, check, accept."""
    home = tmp_path_factory.mktemp("county")
    settings = hostile_county.county(home)
    hand_in(home)
    for dept in SOURCES:
        (home / "inbox" / dept / clean_name(dept)).write_bytes(clean(dept))
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    try:
        results = take_in(Night(settings, ledger, "hostile"), DAY, lambda *_: None, list(SOURCES))
        yield told(home, ledger, results)
    finally:
        ledger.close()


def told(home: Path, ledger: Ledger, results: list[Any]) -> Told:
    entries: dict[tuple[str, str], list[Any]] = defaultdict(list)
    with ledger.read() as conn:
        files = {(f.dept, f.name): f for f in conn.execute(select(source_file))}
        accepted = Counter((v.owner_dept, v.source_file) for v in conn.execute(select(record_version)))
        for entry in conn.execute(select(quarantine)):
            entries[entry.dept, entry.source_file].append(entry)
    refusals = {}
    for result in results:
        for text in result.counts.get("被拒文件", ()):
            refusals[result.dept, text.partition("：文件《")[0]] = text
    return Told(home, results, files, dict(accepted), dict(entries), refusals, [])


def named(case: Case) -> tuple[str, str]:
    return case.dept, shown(case.name)


def test_the_corpus_is_large_and_every_file_has_a_name_of_its_own():
    assert len(CORPUS) >= 96
    assert len({(case.dept, case.name) for case in CORPUS}) == len(CORPUS)
    assert Counter(case.outcome for case in CORPUS).keys() == {READ, RETURNED, REFUSED}


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_fault_47_49_each_file_ends_as_the_table_says(night, case):
    key = named(case)
    errors = {e.rule for e in night.entries.get(key, ()) if e.severity == "ERROR"}
    if case.outcome == REFUSED:
        reason = night.refusals[key].partition("》没有读取：")[2]
        assert [word for word in case.says if word not in reason] == [], reason
        assert (errors, night.accepted.get(key, 0)) == (set(), 0)
        return
    assert night.files[key].state == "READ"
    assert errors == set(case.says), [e.message for e in night.entries.get(key, ())]
    assert night.accepted.get(key, 0) == case.rows


@pytest.mark.parametrize("case", [c for c in CORPUS if c.shown], ids=str)
def test_a_name_that_cannot_be_shown_is_written_out(case):
    assert shown(case.name) == case.shown


def test_no_file_stops_its_department_or_another(night):
    assert [r.error for r in night.results if not r.ok] == []
    assert {dept: night.accepted[dept, clean_name(dept)] for dept in SOURCES} == dict.fromkeys(SOURCES, 2)
    assert [e for e in night.entries if e[0] == "JOK"] == []


def test_every_reason_is_chinese_names_its_file_and_says_what_to_do(night):
    texts = list(night.refusals.items())
    texts += [((e.dept, e.source_file), e.message) for found in night.entries.values() for e in found]
    for (_, name), text in texts:
        assert re.search("[\u4e00-\u9fff]", text), text
        assert "请" in text, text
        if "没有读取" in text:
            assert f"《{name}》" in text
            assert not re.search(r"[A-Za-z]{3,} [a-z]{3,}|Error|0x", text.replace(name, "")), text
    for text in [text for _, text in texts] + [e.value for found in night.entries.values() for e in found]:
        assert text.replace("\n", "").isprintable(), ascii(text)


def test_fault_62_no_message_holds_a_personal_number(night):
    shown_values = [e.value for found in night.entries.values() for e in found]
    for text in [*night.refusals.values(), *shown_values, *(r.error for r in night.results)]:
        assert RESIDENT not in text
        assert MOBILE not in text
    assert any("*" in value for value in shown_values)


def test_a_refused_file_is_kept_as_it_came_and_may_be_handed_in_again(night):
    kept = {f.digest: night.home / f.archived for f in night.files.values() if f.archived}
    for case in REGULAR:
        content = (night.home / "inbox" / case.dept / case.name).read_bytes()
        assert kept[sm3_hex(content)].read_bytes() == content
    refused = [f for f in night.files.values() if f.state == REFUSED]
    assert len(refused) >= 60


def test_what_lies_outside_the_inbox_is_never_kept_as_handed_in(night):
    outside = (night.home / "outside" / "别处.csv").read_bytes()
    found = [p for p in (night.home / "archive").rglob("*") if p.is_file() and p.read_bytes() == outside]
    assert found == []


# What is measured in a process of its own: the files that ask for memory or time.
HUNGRY = [
    case
    for case in CORPUS
    if re.search("炸弹|远处|百万|很长|一万层|三千万|两万列|九百列|嵌套|十亿|二十一兆|部件", case.name)
]
CHILD = """
import json, os, resource, sys
from pathlib import Path
from tests.unit.hostile_corpus import CORPUS
from tests.unit.hostile_county import county
from tests.unit.source_bench import WINDOW
from zz_pipeline.sources import read_source
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standardize import standardize

def settle(home, case):
    (home / "inbox" / case.dept).mkdir(parents=True)
    case.put(home / "inbox" / case.dept, CORPUS.index(case) + 1)
    settings = county(home)
    dept = settings.departments[case.dept]
    raw = read_source(dept, settings, WINDOW)
    standardize(raw, dept, CodeBook.load(settings.config_dir), Lists.load(settings.lists), "610124")
    return raw.files[0].state

home, said = Path(sys.argv[1]), {}
for case in (c for c in CORPUS if c.name in sys.argv[2:]):
    come, go = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
        os.write(go, settle(home / str(len(said)), case).encode())
        os._exit(0)
    os.close(go)
    _, status, used = os.wait4(child, 0)
    said[case.name] = [os.read(come, 20).decode(), status, used.ru_maxrss // 1024, used.ru_utime + used.ru_stime]
    os.close(come)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """Name → state, exit status, peak of resident MiB and CPU seconds: each read and standardized in a process of its own."""
    names = [case.name for case in HUNGRY]
    command = [sys.executable, "-c", CHILD, str(tmp_path_factory.mktemp("bombs")), *names]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", HUNGRY, ids=str)
def test_fault_47_a_bomb_is_settled_within_a_gibibyte_and_two_minutes(bombs, case):
    state, status, mebibytes, seconds = bombs[case.name]
    assert status == 0
    assert state == (REFUSED if case.outcome == REFUSED else READ)
    assert mebibytes < 1024
    assert seconds < 120


def test_the_bombs_of_every_kind_are_measured():
    assert len(HUNGRY) >= 20
