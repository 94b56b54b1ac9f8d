"""Departments' databases: the window in the column's own form, exact texts, nothing written, nothing lost."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.unit.source_bench import DAY, WINDOW, department
from zz_pipeline.errors import ConfigError, SourceDown, SourceRefused
from zz_pipeline.sources import Window
from zz_pipeline.sources.base import exact_text
from zz_pipeline.sources.database import read_database

ZONE = ZoneInfo("Asia/Shanghai")
COLUMNS = {"record_no": {"heading": "BH"}, "remark": {"heading": "BZ"}}


def dept(query='SELECT BH, BZ, GXSJ FROM "检查"', **more):
    source = {"query": query, "changed_at": "GXSJ"} | more
    made = department("database", COLUMNS, url="sqlite:///x", **source)
    return made.model_copy(update={"owner_column": "", "void_column": ""})


def database(path, *rows, types=("TEXT", "TEXT", "TEXT")):
    with sqlite3.connect(path) as conn:
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(("BH", "BZ", "GXSJ"), types, strict=True))
        conn.execute(f'CREATE TABLE "检查" ({columns})')
        conn.executemany('INSERT INTO "检查" VALUES (?, ?, ?)', rows)
    conn.close()
    return f"sqlite:///{path}"


def read(url, made=None, window=WINDOW):
    return read_database(made or dept(), url, window, ZONE)


def numbers(url, made=None, window=WINDOW):
    return read(url, made, window).table["BH"].to_pylist()


def test_the_window_begins_with_its_first_second_and_ends_before_its_last(tmp_path):
    moments = ("2026-11-19 23:59:59", "2026-11-20 00:00:00", "2026-11-20 23:59:59", "2026-11-21 00:00:00")
    url = database(tmp_path / "a.db", *[(str(n), "", m) for n, m in enumerate(moments)])
    assert numbers(url) == ["1", "2"]


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("2026-11-20", "2026-11-21"),
        ("2026-11-20T08:00:00", "2026-11-21T00:00:00"),
        ("2026/11/20 08:00:00", "2026/11/21 08:00:00"),
        ("20261120080000", "20261119235959"),
        ("2026年11月20日", "2026年11月19日"),
    ],
)
def test_texts_in_other_forms_are_compared_as_times_and_not_as_letters(tmp_path, inside, outside):
    url = database(tmp_path / "a.db", ("in", "", inside), ("out", "", outside))
    assert numbers(url) == ["in"]


@pytest.mark.parametrize("moment", [None, "", "昨天"])
def test_a_row_without_a_readable_change_time_is_read_every_time_and_never_lost(tmp_path, moment):
    url = database(
        tmp_path / "a.db", ("1", "", "2026-11-20 08:00:00"), ("2", "", moment), ("3", "", "2026-11-01 00:00:00")
    )
    assert sorted(numbers(url)) == ["1", "2"]


def test_change_times_kept_as_whole_numbers_are_understood_or_refused(tmp_path):
    types = ("TEXT", "TEXT", "INTEGER")
    url = database(tmp_path / "a.db", ("1", "", 20261120080000), ("2", "", 20261121080000), types=types)
    assert numbers(url) == ["1"]
    days = database(tmp_path / "b.db", ("1", "", 20261120), ("2", "", 20261121), types=types)
    assert numbers(days) == ["1"]
    epoch = database(tmp_path / "c.db", ("1", "", 1763596800), types=types)
    with pytest.raises(SourceRefused, match="whole"):
        read(epoch)


def test_a_source_read_whole_has_no_window(tmp_path):
    url = database(tmp_path / "a.db", ("1", "", "2020-01-01 00:00:00"), ("2", "", None))
    assert numbers(url, dept(whole=True)) == ["1", "2"]


def test_a_named_table_is_read_without_a_query(tmp_path):
    url = database(tmp_path / "a.db", ("1", "", "2026-11-20 08:00:00"))
    assert numbers(url, dept(query="", table="检查")) == ["1"]


def test_headings_are_found_whatever_case_the_database_gives_them(tmp_path):
    url = database(tmp_path / "a.db", ("1", "x", "2026-11-20 08:00:00"))
    found = read(url, dept('SELECT BH AS bh, BZ AS bz, GXSJ AS gxsj FROM "检查"')).table
    assert found.column_names[:3] == ["BH", "BZ", "GXSJ"]


def test_more_rows_than_a_chunk_are_all_read_and_numbered(tmp_path):
    url = database(tmp_path / "a.db", *[(str(n), "", "2026-11-20 08:00:00") for n in range(25_001)])
    found = read(url).table
    assert found["_row"].to_pylist() == list(range(1, 25_002))
    assert found["_file"][0].as_py() == "a.db"


def test_an_empty_window_is_told_from_an_emptied_table(tmp_path):
    assert not read(database(tmp_path / "a.db", ("1", "", "2020-01-01 00:00:00"))).empty
    assert read(database(tmp_path / "b.db")).empty


def test_typed_values_become_exact_texts(tmp_path):
    values = [610124202611101018, 2.5, 1.0, 6.1e17, b"\xe5\x91\xa8", None, "0012"]
    rows = [(str(n), value, "2026-11-20 08:00:00") for n, value in enumerate(values)]
    found = read(database(tmp_path / "a.db", *rows, types=("TEXT", "", "TEXT"))).table["BZ"].to_pylist()
    assert found[:3] == ["610124202611101018", "2.5", "1"]
    assert "E+17" in found[3]
    assert found[4:] == ["周", None, "0012"]


@given(st.integers(0, 10**18 - 1), st.booleans())
@hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_eighteen_digit_number_keeps_every_digit_through_a_database(tmp_path_factory, number, as_text):
    value = f"{number:018d}" if as_text else number
    url = database(
        tmp_path_factory.mktemp("db") / "a.db", ("1", value, "2026-11-20 08:00:00"), types=("TEXT", "", "TEXT")
    )
    assert read(url).table["BZ"].to_pylist() == [f"{number:018d}" if as_text else str(number)]


def test_a_missing_database_is_down_and_is_not_created(tmp_path):
    with pytest.raises(SourceDown):
        read(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()


def test_a_server_that_does_not_answer_is_down(tmp_path):
    with pytest.raises(SourceDown):
        read("postgresql+psycopg2://nobody@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ('SELECT BZ, GXSJ FROM "检查"', "BH"),
        ('SELECT BH, BZ FROM "检查"', "GXSJ"),
        ("SELECT BH, BZ, GXSJ FROM gone", "no such table"),
        ('SELECT BH, BZ, GXSJ, BZ AS "b h" FROM "检查"', "同名"),
    ],
)
def test_a_query_that_no_longer_fits_the_tables_is_refused(tmp_path, query, word):
    url = database(tmp_path / "a.db", ("1", "", "2026-11-20 08:00:00"))
    with pytest.raises(SourceRefused, match=word):
        read(url, dept(query))


@pytest.mark.parametrize("query", ['DELETE FROM "检查"', 'SELECT 1; DELETE FROM "检查"', ""])
def test_only_a_single_select_is_ever_sent_to_a_source(tmp_path, query):
    url = database(tmp_path / "a.db", ("1", "", "2026-11-20 08:00:00"))
    with pytest.raises(ConfigError):
        read(url, dept(query))
    assert numbers(url) == ["1"]


def test_a_source_is_opened_read_only(tmp_path):
    url = database(tmp_path / "a.db", ("1", "", "2026-11-20 08:00:00"))
    writing = 'WITH gone AS (SELECT 1) DELETE FROM "检查"'
    with pytest.raises((SourceRefused, SourceDown)):
        read(url, dept(writing))
    assert numbers(url) == ["1"]


def test_a_database_without_a_change_column_must_be_declared_whole(tmp_path):
    url = database(tmp_path / "a.db", ("1", "", None))
    with pytest.raises(ConfigError, match="changed_at"):
        read(url, dept(changed_at=""))


def test_an_unknown_driver_is_a_matter_of_configuration():
    with pytest.raises(ConfigError, match="驱动"):
        read("nodialect://host/db")


def test_a_window_that_begins_at_an_older_watermark_reaches_back_to_it(tmp_path):
    url = database(tmp_path / "a.db", ("1", "", "2026-11-18 10:00:00"), ("2", "", "2026-11-17 23:00:00"))
    assert numbers(url, window=Window(DAY, WINDOW.since - timedelta(days=2), WINDOW.until)) == ["1"]


def test_moments_with_a_zone_are_written_in_beijing_time():
    moment = datetime(2026, 11, 20, 0, 30, tzinfo=ZoneInfo("UTC"))
    assert exact_text(moment, ZONE) == "2026-11-20 08:30:00"
