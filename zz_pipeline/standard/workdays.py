"""Working days of the State Council's notices, from our own table; an unknown year is an error, never a guess.

Belongs here: counting working days by config/workdays.csv. Must not: which clock applies to what (that is `publishing`).

Table: date,kind,note; 休 = a weekday off, 班 = a weekend day worked, every other day by weekday. Source: standard 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from zz_pipeline.errors import ConfigError, UnknownYear
from zz_pipeline.standard.code_files import read_table

HEADINGS = ("date", "kind", "note")
_DAY = timedelta(days=1)
_REMIND_MONTH = 12  # the notice for next year comes in October or November


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Weekdays off, weekend days worked, and the years the table knows."""

    off: frozenset[date]
    worked: frozenset[date]
    years: frozenset[int]

    @classmethod
    def load(cls, path: Path) -> WorkCalendar:
        """Read the table; ConfigError names the line that cannot be right."""
        days: dict[date, str] = {}
        for line in read_table(Path(path), HEADINGS):
            try:
                day = date.fromisoformat(line["date"])
            except ValueError:
                raise ConfigError(f"{line.where}：“{line['date']}”不是日期，应写成 2027-01-01。") from None
            kind = {True: "休", False: "班"}[day.weekday() < 5]
            if line["kind"] != kind or day in days:
                raise ConfigError(
                    f"{line.where}：{day} 应为“{kind}”（平日只登记休，周末只登记班），且每日只写一行。请改正。"
                )
            days[day] = kind
        off = frozenset(day for day, kind in days.items() if kind == "休")
        # Every year's notice frees a weekday of 1–7 October. One row of a new year (a bridge over New Year) is no notice.
        known = frozenset(day.year for day in off if day.month == 10 and day.day <= 7)
        return cls(off, frozenset(days) - off, known)

    def is_workday(self, day: date) -> bool:
        """Whether the day is worked; UnknownYear if the table does not know its year."""
        if day.year not in self.years:
            raise UnknownYear(
                f"工作日表没有 {day.year} 年（推算到 {day}）。请按国务院办公厅 {day.year} 年放假通知补全 config/workdays.csv 后再运行。"
            )
        return day in self.worked or (day.weekday() < 5 and day not in self.off)

    def due(self, start: date, n: int) -> date:
        """The n-th working day after `start`, which is not counted itself; UnknownYear if the way leads out of the table."""
        return _due(self, start, n)

    def between(self, start: date, end: date) -> int:
        """Working days after `start` up to and including `end`; negative if `end` lies before."""
        if end < start:
            return -self.between(end, start)
        return sum(self.is_workday(start + _DAY * i) for i in range(1, (end - start).days + 1))

    def reminder(self, today: date) -> str | None:
        """From 1 December on: that next year is missing; None if there is nothing to say."""
        if today.month < _REMIND_MONTH or today.year + 1 in self.years:
            return None
        return f"工作日表还没有 {today.year + 1} 年。跨年的期限暂时算不出来，请按国务院办公厅放假通知补全 config/workdays.csv。"


@lru_cache(maxsize=4096)  # a night's records share few dates, and each is asked about once a platform
def _due(calendar: WorkCalendar, start: date, n: int) -> date:
    day = start
    while n > 0:
        day += _DAY
        n -= calendar.is_workday(day)
    return day
