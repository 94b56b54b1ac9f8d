"""CSV files in their declared encoding, the inbox, the archive, and the one entry for all kinds of sources."""

from __future__ import annotations

import csv
import io
import threading
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.unit.source_bench import DAY, HEADINGS, WINDOW, department, hand_in, row, settings, workbook
from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.sources import Window, read_source
from zz_pipeline.sources.archive import keep_bytes
from zz_pipeline.sources.csvfile import read_csv
from zz_pipeline.sources.files import whole_content
from zz_pipeline.sources.returned import LEADING
from zz_pipeline.standard.canonical import sm3_hex

GB = department("csv", encoding="gb18030", pattern="*.csv", day_pattern=r"(\d{8})")
UTF8 = department("csv", encoding="utf-8-sig", pattern="*.csv", day_pattern=r"(\d{4}-\d{2}-\d{2})")
BOOKS = department("workbook", pattern="*.xlsx")


def lines(*rows, encoding="gb18030", delimiter=","):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows([HEADINGS, *rows])
    return buffer.getvalue().encode(encoding)


def test_a_gb18030_file_with_line_breaks_in_cells_is_read_exactly():
    found = read_csv(
        GB, "样例.csv", lines(row("1", 备注="第一行\n第二行，“引号”", 单位名称="周至县样例𠮷有限公司"), row("2"))
    )
    first, second = found.table.to_pylist()
    assert first["备注"] == "第一行\n第二行，“引号”"
    assert first["单位名称"] == "周至县样例𠮷有限公司"
    assert (first["_row"], second["_row"]) == (2, 3)


def test_a_utf8_file_is_read_with_and_without_its_mark():
    for encoding in ("utf-8", "utf-8-sig"):
        assert read_csv(UTF8, "样例.csv", lines(row("1"), encoding=encoding)).table["编号"].to_pylist() == ["1"]


@given(st.integers(0, 10**18 - 1))
@hypothesis_settings(max_examples=30, deadline=None)
def test_an_eighteen_digit_text_keeps_every_digit_through_a_csv_file(number):
    text = f"{number:018d}"
    assert read_csv(GB, "样例.csv", lines(row("1", 备注=text))).table["备注"].to_pylist() == [text]


@pytest.mark.parametrize(
    ("dept", "content", "word"),
    [
        (GB, lines(row("1"), encoding="utf-8"), "UTF-8"),
        (UTF8, lines(row("1")), "第 1 行不是"),
        (UTF8, lines(row("1"), encoding="utf-8") + b"2,\xff\xfe\r\n", "第 3 行不是"),
        (GB, lines(row("1")).replace("未发现".encode("gb18030"), b"\x00"), "第 2 行含有空字符"),
        (GB, lines(row("1")) + b'2,"x,y\r\n', "断裂"),
        (GB, lines(row("1"), row("2")[:-2]), "第 3 行有 6 格"),
        (GB, lines([*row("1"), "多"]), "第 2 行有 9 格|内容可能错位"),
        (GB, b"", "空的"),
    ],
)
def test_a_csv_file_that_cannot_be_read_for_certain_is_refused_with_row_and_reason(dept, content, word):
    with pytest.raises(SourceRefused, match=word):
        read_csv(dept, "样例.csv", content)


def test_a_refused_file_stands_alone_and_the_others_go_on(tmp_path):
    config = settings(tmp_path)
    hand_in(tmp_path, "甲.xlsx", workbook([list(HEADINGS), row("1")]))
    hand_in(tmp_path, "乙.xlsx", b"no workbook")
    raw = read_source(BOOKS, config, WINDOW)
    assert raw.table["编号"].to_pylist() == ["1"]
    states = {f.name: f.state for f in raw.files}
    assert states == {"甲.xlsx": "READ", "乙.xlsx": "REFUSED"}
    (problem,) = [f.problem for f in raw.files if f.problem]
    assert "乙.xlsx" in problem
    assert "重交" in problem


def test_a_file_whose_name_is_not_as_agreed_is_kept_and_named_instead_of_overlooked(tmp_path):
    config = settings(tmp_path)
    hand_in(tmp_path, "甲.xlsx", workbook([list(HEADINGS), row("1")]))
    hand_in(tmp_path, "甲.xls", b"an older workbook")
    hand_in(tmp_path, "Thumbs.db", b"Explorer")
    named = BOOKS.model_copy(update={"source": BOOKS.source.model_copy(update={"pattern": "*.xlsx"})})
    raw = read_source(named, config, WINDOW)
    assert raw.table["编号"].to_pylist() == ["1"]
    (stranger,) = [f for f in raw.files if f.state == "REFUSED"]
    assert stranger.name == "甲.xls"
    assert "约定" in stranger.problem
    assert (tmp_path / stranger.archived).read_bytes() == b"an older workbook"


def test_files_of_later_days_known_files_and_unfinished_copies_are_left_alone(tmp_path):
    config = settings(tmp_path)
    yesterday, today, tomorrow = (f"{DAY + timedelta(days=n):%Y%m%d}" for n in (-1, 0, 1))
    for n, day in enumerate((tomorrow, today, yesterday)):
        hand_in(tmp_path, f"检查{day}.csv", lines(row(str(n))))
    hand_in(tmp_path, f"~$检查{today}.csv", b"lock")
    hand_in(tmp_path, f".检查{today}.csv", b"hidden")
    raw = read_source(GB, config, WINDOW)
    assert raw.table["编号"].to_pylist() == ["2", "1"]
    known = frozenset(f.digest for f in raw.files)
    again = read_source(GB, config, WINDOW, known)
    assert (again.rows, again.files) == (0, ())


def test_the_same_bytes_under_two_names_are_read_once(tmp_path):
    config = settings(tmp_path)
    for name in ("检查20261119.csv", "检查20261120（副本）.csv"):
        hand_in(tmp_path, name, lines(row("1")))
    assert read_source(GB, config, WINDOW).rows == 1


def test_a_file_whose_name_holds_no_day_is_read_with_a_warning(tmp_path):
    config = settings(tmp_path)
    hand_in(tmp_path, "检查20261345.csv", lines(row("1")))
    raw = read_source(GB, config, WINDOW)
    assert raw.rows == 1
    assert "读不出日期" in raw.warnings[0]


def look_often(path):
    """A writer that the machine holds up at the first look is caught at a later one."""
    for _ in range(50):
        whole_content(path)


def test_a_file_that_grows_while_it_is_read_is_left_for_later_and_not_read_half(tmp_path):
    config, stop, begun = settings(tmp_path), threading.Event(), threading.Event()
    path = hand_in(tmp_path, "检查20261120.csv", lines(*[row(str(n)) for n in range(50_000)]))
    line = lines(row("x")).splitlines(keepends=True)[1]

    def write_on():
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(line)
                begun.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    begun.wait()
    try:
        with pytest.raises(SourceRefused, match="还没有写完"):
            look_often(path)
    finally:
        stop.set()
        writer.join()
    assert read_source(GB, config, WINDOW).files[0].state == "READ"


def test_a_returned_list_behind_a_link_is_not_followed(tmp_path):
    hand_in(tmp_path, "甲.xlsx", workbook([list(HEADINGS), row("1")]))
    (tmp_path / "别处.xlsx").write_bytes(workbook([list(LEADING), ["SLJ-1-000000", "甲.xlsx", "2"]]))
    (tmp_path / "inbox" / "SLJ" / "退回清单.xlsx").symlink_to(tmp_path / "别处.xlsx")
    named = BOOKS.model_copy(update={"source": BOOKS.source.model_copy(update={"pattern": "甲*.xlsx"})})
    raw = read_source(named, settings(tmp_path), WINDOW)
    states = {f.name: f.state for f in raw.files}
    assert states == {"甲.xlsx": "READ", "退回清单.xlsx": "REFUSED"}


def test_a_missing_share_is_down_and_a_department_without_a_folder_has_nothing_today(tmp_path):
    config = settings(tmp_path)
    (tmp_path / "inbox" / "SLJ").rmdir()
    raw = read_source(GB, config, WINDOW)
    assert raw.rows == 0
    assert "不存在" in raw.warnings[0]
    (tmp_path / "inbox").rmdir()
    with pytest.raises(SourceDown):
        read_source(GB, config, WINDOW)


def test_what_was_read_is_kept_untouched_under_its_digest(tmp_path):
    config = settings(tmp_path)
    content = lines(row("1"))
    hand_in(tmp_path, "检查20261120.csv", content)
    (file,) = read_source(GB, config, WINDOW).files
    kept = tmp_path / file.archived
    assert kept.read_bytes() == content
    assert file.digest == sm3_hex(content)
    assert kept == tmp_path / "archive" / "SLJ" / "2026-11-20" / f"{file.digest[:16]}-检查20261120.csv"
    assert not list(kept.parent.glob(".*"))


def test_an_archived_file_that_somebody_changed_is_not_overwritten(tmp_path):
    _, path = keep_bytes(tmp_path, "SLJ", DAY, "甲.csv", b"one")
    assert keep_bytes(tmp_path, "SLJ", DAY, "甲.csv", b"one") == (sm3_hex(b"one"), path)
    (tmp_path / path).write_bytes(b"two")
    with pytest.raises(SourceRefused, match="存档"):
        keep_bytes(tmp_path, "SLJ", DAY, "甲.csv", b"one")
    assert (tmp_path / path).read_bytes() == b"two"


def test_an_archived_name_stays_in_its_folder_and_within_the_length_of_names(tmp_path):
    _, path = keep_bytes(tmp_path, "SLJ", DAY, "../../" + "长" * 200 + ".xlsx", b"one")
    kept = tmp_path / path
    assert kept.resolve().parent == (tmp_path / "archive" / "SLJ" / DAY.isoformat()).resolve()
    assert kept.suffix == ".xlsx"


def test_an_archive_that_cannot_be_written_stops_the_source_before_anything_is_used(tmp_path):
    config = settings(tmp_path)
    hand_in(tmp_path, "检查20261120.csv", lines(row("1")))
    (tmp_path / "archive").write_text("a file where a folder should be")
    with pytest.raises(SourceDown, match="存档"):
        read_source(GB, config, WINDOW)


def test_an_export_that_was_emptied_is_refused_only_if_there_were_many_rows_before(tmp_path):
    config = settings(tmp_path)
    hand_in(tmp_path, "检查20261120.csv", lines())
    assert read_source(GB, config, WINDOW, last_rows=config.county.empty_stop_from - 1).rows == 0
    with pytest.raises(SourceRefused, match="上次读到 20 条"):
        read_source(GB, config, WINDOW, last_rows=config.county.empty_stop_from)


def test_a_day_without_any_file_is_no_emptied_export(tmp_path):
    assert read_source(GB, settings(tmp_path), WINDOW, last_rows=500).rows == 0


def test_a_department_without_a_source_has_nothing(tmp_path):
    raw = read_source(department("none"), settings(tmp_path), WINDOW)
    assert (raw.rows, raw.files, raw.empty) == (0, (), False)


def test_every_reading_knows_the_names_of_all_departments(tmp_path):
    owners = read_source(GB, settings(tmp_path), WINDOW).owners
    assert owners["县市场监管局"] == owners["周至县市场监督管理局"] == "SCJG"


def test_a_window_with_a_zone_is_refused_because_sources_know_wall_time_only():
    with pytest.raises(ValueError, match="wall time"):
        Window(date(2026, 11, 20), WINDOW.since.astimezone(), WINDOW.until)


def test_rows_of_a_database_are_kept_as_parquet(tmp_path):
    import sqlite3

    config = settings(tmp_path)
    with sqlite3.connect(tmp_path / "slj.db") as conn:
        conn.execute(f"CREATE TABLE t ({', '.join(HEADINGS)})")
        conn.execute("INSERT INTO t VALUES (?,?,?,?,?,?,?,?)", row("1"))
    conn.close()
    dept = department("database", url="sqlite:///${home}/slj.db", query="SELECT * FROM t", whole=True)
    raw = read_source(dept, config, WINDOW)
    (file,) = raw.files
    kept = Path(tmp_path / file.archived)
    assert sm3_hex(kept.read_bytes()) == file.digest
    assert pq.read_table(kept)["编号"].to_pylist() == ["1"]
