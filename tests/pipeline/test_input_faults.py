"""What departments do to their files, and what the pipeline makes of it: repeated, shortened, broken, hostile texts.

Belongs here: faults 43–46 and 61 over whole takings-in of a small county. Must not: single hostile files (tests/unit).
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from tests.unit.hostile_books import book
from tests.unit.hostile_county import DAY, HEADINGS, SOURCES, county, good
from zz_pipeline.course import take_in
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import outbox, quarantine, record_head, record_version, source_file, watermark
from zz_pipeline.night import Night
from zz_pipeline.reports.balance import balance

TEXTS, BOOKS = "JUT", "JBK"
ROWS = 12


class Place:
    """A county with its ledger: files are handed in, a day is taken in, the ledger is asked."""

    def __init__(self, home: Path, **changes: dict[str, Any]) -> None:
        self.home, self.settings = home, county(home)
        if changes:
            found = {k: d.model_copy(update=changes.get(k, {})) for k, d in self.settings.departments.items()}
            self.settings = self.settings.model_copy(update={"departments": found})
        self.ledger = Ledger(self.settings.ledger_url)
        self.ledger.migrate()

    def hand_in(self, dept: str, name: str, rows: list[list[Any]], head: tuple[str, ...] = HEADINGS) -> Path:
        path = self.home / "inbox" / dept / name
        if SOURCES[dept][1]["kind"] == "workbook":
            path.write_bytes(book([list(head), *rows]))
            return path
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerows([head, *rows])
        path.write_bytes(buffer.getvalue().encode("utf-8-sig"))
        return path

    def night(self, days_later: int = 0, run: str = "faults") -> list[Any]:
        night = Night(self.settings, self.ledger, run)
        return take_in(night, DAY + timedelta(days=days_later), lambda *_: None, list(SOURCES))

    def all(self, table: Any) -> list[Any]:
        with self.ledger.read() as conn:
            return list(conn.execute(select(table)))

    def versions(self) -> Counter[str]:
        return Counter(v.record_key for v in self.all(record_version))

    def state(self) -> tuple[Any, ...]:
        """Everything by which a repeated reading could be seen: versions, their contents, what is to be sent."""
        heads = sorted((h.record_key, h.version, h.withdrawn, h.digest) for h in self.all(record_head))
        rows = sorted((o.platform, o.record_key, o.version, o.op, o.state) for o in self.all(outbox))
        return heads, sorted(self.versions().items()), rows


@contextmanager
def place(home: Path, **changes: dict[str, Any]):
    made = Place(home, **changes)
    try:
        yield made
    finally:
        made.ledger.close()


def keys(dept: str, numbers: Any) -> set[str]:
    return {f"610124-{dept}-{dept}{n:06d}" for n in numbers}


def failed(results: list[Any]) -> list[str]:
    return [r.error for r in results if not r.ok and r.state != "SKIPPED"]


def shuffled(rows: list[list[Any]], seed: int) -> list[list[Any]]:
    return Random(seed).sample(rows, len(rows))


def test_fault_43_a_file_again_renamed_or_resorted_makes_no_new_record_and_no_new_version(tmp_path):
    with place(tmp_path) as here:
        rows = {dept: [good(dept, n) for n in range(ROWS)] for dept in (TEXTS, BOOKS)}
        suffix = {TEXTS: ".csv", BOOKS: ".xlsx"}
        for dept, found in rows.items():
            here.hand_in(dept, "检查" + suffix[dept], found)
        assert failed(here.night()) == []
        first = here.state()
        assert here.versions() == Counter(keys(TEXTS, range(ROWS)) | keys(BOOKS, range(ROWS)))
        for later in (1, 2):
            for dept, found in rows.items():
                path = here.home / "inbox" / dept / ("检查" + suffix[dept])
                path.with_name(f"检查（{later}）{suffix[dept]}").write_bytes(path.read_bytes())
                here.hand_in(dept, f"重排{later}{suffix[dept]}", shuffled(found, later))
                order = shuffled(list(range(len(HEADINGS))), later)
                turned = [[row[i] for i in order] for row in found]
                here.hand_in(dept, f"换列{later}{suffix[dept]}", turned, tuple(HEADINGS[i] for i in order))
        assert failed(here.night(1)) == []
        assert here.state() == first
        assert balance(here.ledger, DAY + timedelta(days=1), ("double_random",), {}).balanced
        assert here.all(quarantine) == [] or {e.severity for e in here.all(quarantine)} == {"WARN"}


def test_fault_44_rows_that_are_missing_from_an_export_are_never_a_withdrawal(tmp_path):
    with place(tmp_path) as here:
        rows = [good(TEXTS, n) for n in range(ROWS)]
        here.hand_in(TEXTS, "全部.csv", rows)
        assert failed(here.night()) == []
        first = here.state()
        for kept in (8, 3, 0):
            here.hand_in(TEXTS, f"只有{kept}条.csv", shuffled(rows, kept)[:kept])
        assert failed(here.night(1)) == []
        assert here.state() == first
        assert {h.withdrawn for h in here.all(record_head)} == {False}
        assert {o.op for o in here.all(outbox)} == {"PUBLISH"}


# heading → what a clerk wrote there; each spoils its own record and no other
DAMAGES: tuple[tuple[str, str], ...] = (
    ("信用代码", "91610124YY00000000"),
    ("检查日期", "二〇二六年"),
    ("检查结果", "大概没有问题"),
    ("检查结果", ""),
    ("检查人员", "张某"),
    ("执法证号", "00000000001、00000000002"),
    ("事项编码", "99999999999999"),
    ("单位名称", ""),
    ("办结日期", "2026-11-01"),
    ("检查单位", "不知哪个局"),
    ("状态", "作废"),
    ("录入时间", "昨天"),
)


def test_fault_45_a_bad_record_is_returned_alone_and_all_others_go_on(tmp_path):
    with place(tmp_path) as here:
        total = 5 * len(DAMAGES)
        rows = [good(TEXTS, n) for n in range(total)]
        bad = dict(zip(Random("bad").sample(range(total), len(DAMAGES)), DAMAGES, strict=True))
        for n, (heading, value) in bad.items():
            rows[n][HEADINGS.index(heading)] = value
        here.hand_in(TEXTS, "检查.csv", rows)
        here.hand_in("JOK", "检查.csv", [good("JOK", n) for n in range(3)])
        assert failed(here.night()) == []
        accepted, returned = set(here.versions()), {e.unit for e in here.all(quarantine) if e.severity == "ERROR"}
        assert accepted == keys(TEXTS, set(range(total)) - set(bad)) | keys("JOK", range(3))
        assert returned == keys(TEXTS, bad)
        assert balance(here.ledger, DAY, ("double_random",), {}).balanced


def raises(*_args: Any, **_more: Any) -> Any:
    raise RuntimeError("engine: 91610124YY000001XB")


# What breaks inside Great Expectations: the run itself, the rows of one condition, the reading of the metrics.
BREAKS = {
    "the run": ("great_expectations.validator.validation_graph", "ValidationGraph", "resolve"),
    "one condition": ("great_expectations.execution_engine", "PandasExecutionEngine", "get_compute_domain"),
    "the metrics": ("great_expectations.execution_engine", "PandasExecutionEngine", "resolve_metrics"),
}


@pytest.mark.parametrize(
    "what", ["the run", *(pytest.param(w, marks=pytest.mark.long) for w in ("one condition", "the metrics"))]
)
def test_fault_46_a_checker_that_breaks_lets_nothing_pass_and_the_next_night_takes_it_in(tmp_path, monkeypatch, what):
    module, cls, method = BREAKS[what]
    with place(tmp_path) as here:
        here.hand_in(TEXTS, "检查.csv", [good(TEXTS, n) for n in range(3)])
        here.hand_in("JOK", "检查.csv", [good("JOK", n) for n in range(3)])
        with monkeypatch.context() as broken:
            broken.setattr(getattr(__import__(module, fromlist=[cls]), cls), method, raises)
            said = failed(here.night())
        assert len(said) >= 2
        assert all("请" in words and "91610124YY000001XB" not in words for words in said), said
        for table in (record_version, outbox, source_file):
            assert here.all(table) == []
        assert {m.dept for m in here.all(watermark)}.isdisjoint({TEXTS, "JOK"})
        assert not balance(here.ledger, DAY, ("double_random",), {}).complete
        assert failed(here.night(1, "next")) == []
        assert set(here.versions()) == keys(TEXTS, range(3)) | keys("JOK", range(3))


SQL = (
    "'; DROP TABLE outbox; --", "' OR '1'='1", "\" OR 1=1 --", "1; DELETE FROM record_version", "') UNION SELECT 1 --",
    "Robert'); DROP TABLE quarantine;--", "%s", "%(key)s", ":key", ":1", "?", "{0}", "{key}", "${home}", "$1", "\\", "\\'",
    "`id`", "--", "/*", "*/", "/* */ ;", "%", "_", "%%", "';SELECT pg_sleep(9);--", "1' AND SLEEP(9)#",
    "'||(SELECT 1)||'", "admin'--", "x' AND 1=(SELECT COUNT(*) FROM sqlite_master); --", "NULL", "$$;DROP TABLE intake;$$",
)  # fmt: skip


def test_fault_61_sql_in_cells_headings_file_names_and_names_of_departments_is_only_text(tmp_path):
    hostile_name = "周至县样例'); DROP TABLE outbox; --局"
    with place(tmp_path, JOK={"name": hostile_name, "short": "县样例%s局:key"}) as here:
        tables = set(inspect(here.ledger.engine).get_table_names())
        head = (*HEADINGS, *SQL)
        rows = [
            [*good(TEXTS, n, 备注=f"甲{sign}乙", 单位名称=f"周至县样例{sign}{n}号"), *SQL] for n, sign in enumerate(SQL)
        ]
        here.hand_in(TEXTS, "'; DROP TABLE intake; --.csv", rows, head)
        broken = [good(TEXTS, 100 + n, 检查结果=sign, 编号=f"{TEXTS}9{n:05d}") for n, sign in enumerate(SQL)]
        here.hand_in(TEXTS, "%s :key {0}.csv", broken)
        here.hand_in("JOK", "检查.csv", [good("JOK", 1, 检查单位=hostile_name), good("JOK", 2, 检查单位="' OR 1=1 --")])
        assert failed(here.night()) == []
        assert set(inspect(here.ledger.engine).get_table_names()) == tables
        kept = {v.record_key: json.loads(v.payload) for v in here.all(record_version)}
        for n, sign in enumerate(SQL):
            said = kept[f"610124-{TEXTS}-{TEXTS}{n:06d}"]
            assert said["items"][0]["remark"] == f"甲{sign}乙"
            assert said["subject_name"] == f"周至县样例{sign}{n}号".replace("(", "（").replace(
                ")", "）"
            )  # standard 4.1
        errors = [e for e in here.all(quarantine) if e.severity == "ERROR" and e.source_file == "%s :key {0}.csv"]
        assert {e.source_row: e.value for e in errors} == dict(enumerate(SQL, 2))
        assert {f.name for f in here.all(source_file)} == {
            "'; DROP TABLE intake; --.csv",
            "%s :key {0}.csv",
            "检查.csv",
        }
        assert set(kept) & keys("JOK", (1, 2)) == keys("JOK", (1,))
        with here.ledger.read() as conn:
            assert conn.scalar(text("SELECT count(*) FROM record_version")) == len(SQL) + 1
