"""No identifier changes a digit on its way from any kind of source to the bytes that leave for the platform."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from datetime import datetime
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

import pytest

from tests.delivery.loopback import Loopback, says
from tests.unit.source_bench import WINDOW, department, workbook
from tests.unit.test_standardize import GOOD
from zz_pipeline.delivery.protocol import RenderContext, Row, RowKey
from zz_pipeline.ledger.payload import contents
from zz_pipeline.platforms.double_random import DoubleRandom
from zz_pipeline.settings import CHECKOUT
from zz_pipeline.sources import RawBatch
from zz_pipeline.sources.api import read_api
from zz_pipeline.sources.csvfile import read_csv
from zz_pipeline.sources.database import read_database
from zz_pipeline.sources.workbook import read_workbook
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import Kind
from zz_pipeline.standardize import standardize

NOW = datetime.fromisoformat("2026-11-21 01:30")
HEAD = ["编号", "任务", "对象编码", "时间"]
READ = {"record_no": "编号", "task_id": "任务", "object_code": "对象编码", "changed_at": "时间"}
COLUMNS = {name: {"constant": value} for name, value in GOOD.items() if value and name not in READ}
COLUMNS |= {name: {"heading": heading} for name, heading in READ.items() if name != "changed_at"}
for _name in ("inspector_names", "inspector_certs"):
    COLUMNS[_name]["split"] = "、"


def dept(kind, **source):
    made = department(kind, COLUMNS, changed_at="时间", **source)
    return made.model_copy(update={"owner_column": "", "void_column": ""})


def rows_of(numbers):
    return [[f"N{n:07d}", number, f"S{number}", "2026-11-20 08:00:00"] for n, number in enumerate(numbers)]


def as_number(text):
    """The number where a number can say the text."""
    return text if text.startswith("0") else int(text)


def through_csv(_folder, numbers):
    buffer = io.StringIO()
    csv.writer(buffer).writerows([HEAD, *rows_of(numbers)])
    made = dept("csv", encoding="gb18030")
    return made, read_csv(made, "样例.csv", buffer.getvalue().encode("gb18030")).table


def through_a_workbook(_folder, numbers):
    made = dept("workbook")
    return made, read_workbook(made, "样例.xlsx", workbook([HEAD, *rows_of(numbers)])).table


def through_a_database(folder, numbers):
    path = folder / f"{len(list(folder.iterdir()))}.db"
    with sqlite3.connect(path) as conn:
        conn.execute('CREATE TABLE "检查" ("编号" TEXT, "任务", "对象编码" TEXT, "时间" TEXT)')
        rows = [[no, as_number(number), code, at] for no, number, code, at in rows_of(numbers)]
        conn.executemany('INSERT INTO "检查" VALUES (?, ?, ?, ?)', rows)
    conn.close()
    made = dept("database", url=f"sqlite:///{path}", query='SELECT "编号", "任务", "对象编码", "时间" FROM "检查"')
    return made, read_database(made, made.source.url, WINDOW, ZoneInfo("Asia/Shanghai")).table


def through_an_interface(_folder, numbers):
    rows = [
        dict(zip(HEAD, [no, as_number(number), code, at], strict=True)) for no, number, code, at in rows_of(numbers)
    ]
    pages = [says(200, {"rows": rows[n : n + 1000], "total": len(rows)}) for n in range(0, len(rows), 1000)]
    made = dept("http", path="/x", items_key="rows", page_size=1000)
    with Loopback(pages) as server:
        return made, read_api(made, server.url, WINDOW)


THROUGH = (through_csv, through_a_workbook, through_a_database, through_an_interface)


@cache
def book():
    return CodeBook.load(CHECKOUT / "config")


def on_the_wire(made, table):
    """(task number, object code) of every record in the bytes for the entry platform, in the order of the source."""
    raw = RawBatch(made.key, Kind.INSPECTION, table, (), WINDOW.since, WINDOW.until, NOW)
    standard = standardize(raw, made, book(), Lists.of(), "610124")
    speaker, context, sent = DoubleRandom(), RenderContext(made, NOW), []
    for said in contents(Kind.INSPECTION, standard.table):
        key = RowKey("inspection", said.record_key, 1)
        wire = speaker.render(key, "PUBLISH", "", "", json.loads(said.body), context)
        body = speaker.freeze(made, "D20261121-SLJ-000001", "/x", (Row(key, "PUBLISH", "", "", wire),))
        [record] = json.loads(body)["records"]
        sent.append((record["raninsTaskId"], record["objectCode"]))
    return sent


def drawn(rng, count):
    return [f"{rng.randrange(10**18):018d}" for _ in range(count)]


@pytest.mark.parametrize("through", THROUGH)
def test_no_identifier_changes_a_digit_between_source_and_wire(through, tmp_path):
    numbers = ["0" * 18, "9" * 18, "610124202611101018", "9007199254740993".zfill(18), *drawn(Random("digits"), 400)]

    assert on_the_wire(*through(tmp_path, numbers)) == [(number, f"S{number}") for number in numbers]


@pytest.mark.long
@pytest.mark.parametrize("through", THROUGH)
def test_none_of_a_million_identifiers_changes_a_digit_between_source_and_wire(through, tmp_path):
    rng = Random(f"million/{through.__name__}")
    for _ in range(100):  # readings of 10 000, for each kind of source
        numbers = drawn(rng, 10_000)
        assert on_the_wire(*through(tmp_path, numbers)) == [(number, f"S{number}") for number in numbers]
