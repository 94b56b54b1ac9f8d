"""Working days: the fixed values of standard 5, 调休 included, and the refusal to guess a year."""

from datetime import date
from pathlib import Path

import pytest

from zz_pipeline.errors import ConfigError, UnknownYear
from zz_pipeline.standard.workdays import WorkCalendar

TABLE = Path(__file__).parents[2] / "config" / "workdays.csv"


@pytest.fixture(scope="module")
def calendar():
    return WorkCalendar.load(TABLE)


@pytest.mark.parametrize(
    ("start", "n", "due"),
    [
        ("2024-09-27", 7, "2024-10-12"),
        ("2024-09-30", 20, "2024-11-01"),
        ("2025-09-28", 20, "2025-10-31"),
        ("2026-12-03", 20, "2026-12-31"),
        ("2026-02-10", 5, "2026-02-24"),
        ("2026-04-28", 7, "2026-05-11"),
        ("2026-09-25", 20, "2026-10-29"),
    ],
)
def test_the_due_days_of_the_standard_come_out(calendar, start, n, due):
    assert calendar.due(date.fromisoformat(start), n) == date.fromisoformat(due)
    assert calendar.between(date.fromisoformat(start), date.fromisoformat(due)) == n


def test_an_unknown_year_is_an_error_with_a_remedy_and_never_a_guess(calendar):
    with pytest.raises(UnknownYear, match=r"2027 年.*workdays\.csv"):
        calendar.due(date(2026, 12, 4), 20)


def test_a_worked_saturday_counts_and_a_weekday_off_does_not(calendar):
    assert calendar.is_workday(date(2024, 10, 12))
    assert not calendar.is_workday(date(2024, 10, 1))
    assert not calendar.is_workday(date(2026, 11, 21))
    assert calendar.is_workday(date(2026, 11, 23))


def test_days_between_are_negative_the_other_way_round(calendar):
    assert calendar.between(date(2026, 11, 20), date(2026, 11, 20)) == 0
    assert calendar.between(date(2026, 11, 25), date(2026, 11, 20)) == -3


def test_zero_days_are_the_day_itself(calendar):
    assert calendar.due(date(2026, 11, 21), 0) == date(2026, 11, 21)


def test_from_december_on_the_missing_next_year_is_reminded(calendar):
    assert calendar.reminder(date(2026, 11, 30)) is None
    assert "2027" in calendar.reminder(date(2026, 12, 1))
    assert calendar.reminder(date(2025, 12, 1)) is None


def table(tmp_path, *rows):
    path = tmp_path / "workdays.csv"
    path.write_text("\n".join(["date,kind,note", *rows]), "utf-8")
    return path


def test_one_row_of_a_new_year_does_not_make_the_year_known(tmp_path):
    calendar = WorkCalendar.load(table(tmp_path, "2026-10-01,休,国庆节", "2027-01-01,休,元旦"))
    assert calendar.years == {2026}
    with pytest.raises(UnknownYear):
        calendar.is_workday(date(2027, 1, 4))


@pytest.mark.parametrize(
    "row", ["2026-10-03,休,", "2026-10-08,班,", "2026-10-08,假,", "十月一日,休,", "2026-10-01,休,"]
)
def test_a_row_that_cannot_be_right_is_named_with_its_line(tmp_path, row):
    with pytest.raises(ConfigError, match="第 3 行"):
        WorkCalendar.load(table(tmp_path, "2026-10-01,休,国庆节", row))
