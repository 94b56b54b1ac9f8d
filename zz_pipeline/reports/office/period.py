"""The period of a bulletin: one day, one week from Monday to Sunday, or one calendar month.

Belongs here: bounds, names and the period before. Must not: clocks, figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Span = Literal["day", "week", "month"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Business days `first` to `last`, both counted."""

    span: Span
    first: date
    last: date

    @classmethod
    def of(cls, span: Span, day: date) -> Period:
        """The period of this kind in which the day lies."""
        first, last = _BOUNDS[span](day)
        return cls(span, first, last)

    @property
    def before(self) -> Period:
        """The period of the same kind that ends the day before this one begins."""
        return Period.of(self.span, self.first - _DAY)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of it, in order."""
        return tuple(self.first + _DAY * n for n in range((self.last - self.first).days + 1))

    @property
    def name(self) -> str:
        """What people call this kind of bulletin."""
        return _NAMES[self.span]

    @property
    def mark(self) -> str:
        """2026-11-20, 2026-W47 (ISO 8601) or 2026-11."""
        return _MARKS[self.span](self.first)

    @property
    def stem(self) -> str:
        """File name without its ending: 工作日报-2026-11-20, 周报-2026-W47, 月度通报-2026-11."""
        return f"{self.name}-{self.mark}"

    @property
    def text(self) -> str:
        """The period in Chinese words."""
        return _TEXTS[self.span](self.first, self.last)

    @property
    def before_word(self) -> str:
        """What people call the period before."""
        return {"day": "上日", "week": "上周", "month": "上月"}[self.span]


def chinese(day: date) -> str:
    """A date as official documents write it: 2026年11月20日."""
    return f"{day.year}年{day.month}月{day.day}日"


def _week(day: date) -> tuple[date, date]:
    monday = day - _DAY * day.weekday()
    return monday, monday + _DAY * 6


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + _DAY * 31).replace(day=1) - _DAY


def _week_mark(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


_BOUNDS: Mapping[Span, Callable[[date], tuple[date, date]]] = {
    "day": lambda day: (day, day),
    "week": _week,
    "month": _month,
}
# 日报-… is the operator's report of a night (`reports.day`), so the office's has its own name
_NAMES: Mapping[Span, str] = {"day": "工作日报", "week": "周报", "month": "月度通报"}
_MARKS: Mapping[Span, Callable[[date], str]] = {
    "day": date.isoformat,
    "week": _week_mark,
    "month": lambda day: f"{day:%Y-%m}",
}
_TEXTS: Mapping[Span, Callable[[date, date], str]] = {
    "day": lambda first, last: chinese(first),
    "week": lambda first, last: f"{chinese(first)}至{chinese(last)}（第{first.isocalendar().week}周）",
    "month": lambda first, last: f"{first.year}年{first.month}月",
}
