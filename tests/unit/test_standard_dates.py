"""Dates: every accepted form of standard 1.7 is read, everything else is held."""

from datetime import date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_pipeline.standard.dates import parse_date, parse_dates, parse_datetime, parse_datetimes

wall = datetime.fromisoformat  # Beijing wall time has no zone
DAY = date(2026, 7, 3)
FORMS = ["2026-07-03", "2026-7-3", "2026/7/3", "2026.7.3", "2026年7月3日", "2026年07月03号", "20260703"]
FORMS += ["二〇二六年七月三日", "二○二六年七月三日", "二零二六年七月三日", "２０２６－０７－０３", " 2026-07-03 "]
TIMES = [" 09:05", " 9:05:00", "T09:05:00", " 09:05:00.000", " 9时5分", " 09:05:00+08:00"]


@pytest.mark.parametrize("text", FORMS)
def test_every_accepted_form_is_the_same_day(text):
    assert parse_date(text) == DAY


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("text", [form.strip() for form in FORMS])
def test_each_form_may_carry_a_time_of_day(text, time):
    assert parse_datetime(text + time) == wall("2026-07-03 09:05")
    assert parse_date(text + time) == DAY


@pytest.mark.parametrize(
    "text",
    [
        "26-07-03",
        "3/7/2026",
        "03.07.2026",
        "2026-07/03",
        "2026-07",
        "2026",
        "2026-02-30",
        "2026-13-01",
        "2026-07-03 24:00:00",
        "2026-07-03T09:05:00Z",
        "2026-07-03 09:05:00+00:00",
        "七月三日",
        "二〇二六年一二月三日",
        "二〇二六年七月十十日",
        "0026-07-03",
        "昨天",
        "1.5",
    ],
)
def test_what_could_mean_two_days_or_none_is_held(text):
    days, bad = parse_dates([text])
    assert days[0].as_py() is None
    assert bad[0].as_py() is True


def test_empty_cells_are_absent_and_not_bad():
    days, bad = parse_dates([None, "", "  "])
    assert days.to_pylist() == [None, None, None]
    assert bad.to_pylist() == [False, False, False]


def test_serials_mean_a_day_only_in_the_system_the_source_declares():
    assert parse_dates(["46206"], "1900")[0].to_pylist() == [DAY]
    assert parse_dates(["44744"], "1904")[0].to_pylist() == [DAY]
    assert parse_dates(["46206"], None)[1].to_pylist() == [True]


def test_a_serial_carries_its_time_of_day_to_the_second():
    assert parse_datetime("46206.3784722222", "1900") == wall("2026-07-03 09:05")
    assert parse_datetime("46206.999999", "1900") == wall("2026-07-04")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("二〇二六年十月十日", date(2026, 10, 10)),
        ("二〇二六年十一月二十日", date(2026, 11, 20)),
        ("二〇二六年十二月三十一日", date(2026, 12, 31)),
        ("二〇二四年二月二十九日", date(2024, 2, 29)),
    ],
)
def test_chinese_numerals_up_to_thirty_one_are_read(text, day):
    assert parse_date(text) == day


def test_columns_mix_forms_and_keep_their_rows():
    column = pa.chunked_array([["2026-07-03 09:05:00", None], ["2026/7/3", "x", "2026-02-30 09:05:00"]])
    moments, bad = parse_datetimes(column)
    assert moments.type == pa.timestamp("s")
    assert moments.to_pylist() == [wall("2026-07-03 09:05"), None, wall("2026-07-03"), None, None]
    assert bad.to_pylist() == [False, False, False, True, True]


@given(st.datetimes(min_value=wall("1900-01-01"), max_value=wall("9999-12-31")))
def test_the_fast_way_and_the_slow_way_agree(moment):
    second = moment.replace(microsecond=0)
    text = second.strftime("%Y-%m-%d %H:%M:%S")
    moments, bad = parse_datetimes([text, text.replace("-", "/")])
    assert moments.to_pylist() == [second, second]
    assert bad.to_pylist() == [False, False]
    assert parse_dates([text])[0].to_pylist() == [second.date()]


@given(st.text(max_size=25))
def test_no_text_makes_the_reader_fail(text):
    days, bad = parse_dates([text])
    assert days[0].as_py() is None or not bad[0].as_py()
