"""The value object of a bulletin: what all three renderings show, frozen.

Belongs here: values and how one of them is written. Must not: SQL, looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from zz_pipeline.reports.office.period import Period

EMPTY = "—"
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Ratio:
    """Numerator and denominator, both whole numbers; without a denominator there is no share."""

    n: int
    d: int

    @property
    def share(self) -> Fraction | None:
        """The exact share; None if there is nothing to divide by."""
        return Fraction(self.n, self.d) if self.d else None

    @property
    def text(self) -> str:
        """Percent with one decimal. Only what is whole reads 100.0%, only what is nothing reads 0.0%; else —."""
        if not self.d:
            return EMPTY
        shown = _tenths(Fraction(100 * self.n, self.d))
        if 0 < self.n < self.d:
            shown = min(max(shown, _TENTH), Decimal("99.9"))
        return f"{shown}%"

    def change(self, before: Ratio) -> str:
        """Percentage points since the period before: +1.2, -0.3, 持平, or — if either has no share."""
        if self.share is None or before.share is None:
            return EMPTY
        moved = 100 * (self.share - before.share)
        if not moved:
            return "持平"
        shown = _tenths(abs(moved))
        return f"{'+' if moved > 0 else '-'}{max(shown, _TENTH)}"


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts by the keys of `indicators.COUNTS`, ratios by the keys of `indicators.INDICATORS`."""

    counts: Mapping[str, int]
    ratios: Mapping[str, Ratio]


@dataclass(frozen=True, slots=True)
class Line:
    """One department's figures of one kind of data. rank: 第1, 并列第2, or why there is none."""

    dept: str
    name: str
    kind: str
    now: Figures
    before: Figures
    rank: str
    remark: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A drill-down list: rows of texts, those that fall short first. total: how many there are, even if not all stand here."""

    key: str
    title: str
    hint: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    short: int
    total: int


@dataclass(frozen=True, slots=True)
class Attendance:
    """One department's days: how many records it handed in, 零 if it had nothing, or why nothing is known."""

    name: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bulletin:
    """Everything that is shown. as_of: ISO day from which days left are counted; made_at: Beijing wall time."""

    county: str
    office: str
    issuer: str
    period: Period
    as_of: str
    made_at: str
    events: int
    head: str
    lines: tuple[Line, ...]
    total: Line
    listings: tuple[Listing, ...]
    attendance: tuple[Attendance, ...]
    daily: tuple[int, ...]  # records handed in on each day of the period
    entry_label: str

    @property
    def title(self) -> str:
        """What stands at its head."""
        return f"{self.county}跨部门综合监管数据报送{self.period.name}"

    def listing(self, key: str) -> Listing:
        """The list of that key."""
        return next(one for one in self.listings if one.key == key)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {
            "title": self.title,
            "period": {
                "span": self.period.span,
                "first": self.period.first.isoformat(),
                "last": self.period.last.isoformat(),
                "text": self.period.text,
            },
        }


def _tenths(value: Fraction) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(_TENTH, ROUND_HALF_UP)
