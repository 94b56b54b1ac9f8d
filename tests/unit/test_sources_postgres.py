"""A department's PostgreSQL with typed columns, on a real server of the test's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg2
import pytest

from tests.unit.source_bench import WINDOW, department
from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.sources import Window
from zz_pipeline.sources.database import read_database

BIN = next(
    (p for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if (p / "initdb").exists()), None
)
pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(BIN is None, reason="PostgreSQL is not installed on this machine"),
]
ZONE = ZoneInfo("Asia/Shanghai")
COLUMNS = {"record_no": {"heading": "BH"}, "remark": {"heading": "BZ"}}


def as_server() -> dict[str, object]:
    """PostgreSQL refuses to run as root; then it runs as its own user."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="module")
def server():
    """Address of a server that listens on a socket in a folder of its own only."""
    folder = Path(tempfile.mkdtemp(prefix="zzpg"))
    who = as_server()
    if who:
        os.chown(folder, who["user"], who["group"])
    run = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | who
    subprocess.run(
        [BIN / "initdb", "-D", folder / "data", "-U", "test", "--auth=trust", "-E", "UTF8", "--no-sync"], **run
    )
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    process = subprocess.Popen(
        [BIN / "postgres", "-D", folder / "data", *options], cwd=folder, stderr=subprocess.DEVNULL, **who
    )
    try:
        url = f"postgresql+psycopg2://test@/postgres?host={folder}"
        for _ in range(200):
            try:
                psycopg2.connect(host=str(folder), user="test", dbname="postgres").close()
                break
            except psycopg2.OperationalError:
                time.sleep(0.05)
        yield folder, url
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def run_sql(server, *statements):
    with psycopg2.connect(host=str(server[0]), user="test", dbname="postgres") as conn, conn.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    conn.close()


def dept(query="SELECT BH, BZ, GXSJ FROM jc", **more):
    made = department("database", COLUMNS, query=query, changed_at="GXSJ", **more)
    return made.model_copy(update={"owner_column": "", "void_column": ""})


def table(server, kind, *moments, bz="text", value="'x'"):
    rows = ", ".join(f"('{n}', {value}, {m})" for n, m in enumerate(moments))
    run_sql(
        server,
        "DROP TABLE IF EXISTS jc",
        f"CREATE TABLE jc (BH text, BZ {bz}, GXSJ {kind})",
        f"INSERT INTO jc VALUES {rows}",
    )


@pytest.mark.parametrize(
    ("kind", "moments"),
    [
        ("timestamp", ("'2026-11-19 23:59:59'", "'2026-11-20'", "'2026-11-20 23:59:59'", "'2026-11-21'", "NULL")),
        (
            "timestamptz",
            ("'2026-11-19 15:59:59Z'", "'2026-11-19 16:00Z'", "'2026-11-20 15:59Z'", "'2026-11-20 16:00Z'", "NULL"),
        ),
        ("date", ("'2026-11-19'", "'2026-11-20'", "'2026-11-20'", "'2026-11-21'", "NULL")),
        ("numeric(14)", ("20261119235959", "20261120000000", "20261120235959", "20261121000000", "NULL")),
        ("text", ("'2026-11-19 23:59:59'", "'2026-11-20'", "'2026/11/20 08:00'", "'2026-11-21 00:00:00'", "NULL")),
    ],
)
def test_the_window_is_bound_in_the_columns_own_type_and_no_row_is_lost(server, kind, moments):
    table(server, kind, *moments)
    found = read_database(dept(), server[1], WINDOW, ZONE).table
    assert sorted(found["BH"].to_pylist()) == ["1", "2", "4"]
    assert found.column_names[:3] == ["BH", "BZ", "GXSJ"]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("numeric(18)", "610124202611101018", "610124202611101018"),
        ("bigint", "610124202611101018", "610124202611101018"),
        ("numeric(8,2)", "12.50", "12.50"),
        ("boolean", "true", "true"),
        ("timestamptz", "'2026-11-20 00:30Z'", "2026-11-20 08:30:00"),
        ("date", "'2026-11-20'", "2026-11-20"),
        ("text[]", "'{张某,李某}'", '["张某","李某"]'),
    ],
)
def test_typed_values_become_exact_texts_in_beijing_time(server, kind, value, text):
    table(server, "timestamp", "'2026-11-20 08:00:00'", bz=kind, value=value)
    assert read_database(dept(), server[1], WINDOW, ZONE).table["BZ"].to_pylist() == [text]


def test_a_connection_to_a_source_cannot_write(server):
    table(server, "timestamp", "'2026-11-20 08:00:00'")
    writing = "SELECT BH, BZ, GXSJ FROM gone_or_written()"
    run_sql(
        server,
        "CREATE OR REPLACE FUNCTION gone_or_written() RETURNS SETOF jc LANGUAGE sql AS 'DELETE FROM jc RETURNING *'",
    )
    with pytest.raises((SourceRefused, SourceDown)):
        read_database(dept(writing), server[1], WINDOW, ZONE)
    assert read_database(dept(), server[1], WINDOW, ZONE).table.num_rows == 1
    run_sql(server, "DROP FUNCTION gone_or_written")


def test_a_missing_table_is_refused_and_an_empty_window_is_told_from_an_empty_table(server):
    table(server, "timestamp", "'2026-11-20 08:00:00'")
    with pytest.raises(SourceRefused):
        read_database(dept("SELECT BH, BZ, GXSJ FROM nowhere"), server[1], WINDOW, ZONE)
    later = Window(WINDOW.day, WINDOW.since + timedelta(days=5), WINDOW.until + timedelta(days=5))
    assert not read_database(dept(), server[1], later, ZONE).empty
    run_sql(server, "DELETE FROM jc")
    assert read_database(dept(), server[1], later, ZONE).empty
