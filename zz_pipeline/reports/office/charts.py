"""Two small charts as geometry: shares by department as bars, records by day as columns.

Belongs here: numbers → places on the drawing. Must not: markup (the template draws), figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from zz_pipeline.reports.office.model import Ratio

LABEL, BAR, ROW = 150, 430, 24  # pixels: names, full bar, height of a line
WIDE, HIGH = 700, 150  # pixels: drawing of the columns


@dataclass(frozen=True, slots=True)
class Mark:
    """One bar or column. before: where the period before stood (same scale); None if it had no share."""

    name: str
    text: str
    x: float
    y: float
    width: float
    height: float
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of `width` × `height`; legend: what the small line marks."""

    width: int
    height: int
    marks: tuple[Mark, ...]
    legend: str = ""


def bars(shares: Sequence[tuple[str, Ratio, Ratio]], before_word: str) -> Chart:
    """(name, now, before) → bars from 0 to 100 %, highest first."""
    ordered = sorted(shares, key=lambda one: -(one[1].share or 0))
    marks = tuple(
        Mark(name, now.text, LABEL, n * ROW + 6, _length(now.share), ROW - 9, None if before.share is None else LABEL + _length(before.share))
        for n, (name, now, before) in enumerate(ordered)
    )  # fmt: skip
    return Chart(LABEL + BAR + 70, len(marks) * ROW + 8, marks, before_word)


def columns(days: Sequence[tuple[str, int]]) -> Chart:
    """(day, number) → columns from 0 to the highest."""
    top = max((n for _, n in days), default=0) or 1
    step = WIDE / max(len(days), 1)
    width = min(step * 0.7, 60)
    marks = tuple(
        Mark(day, str(n), round(place * step + (step - width) / 2, 1), round(HIGH - n / top * (HIGH - 24), 1), round(width, 1), round(n / top * (HIGH - 24), 1))
        for place, (day, n) in enumerate(days)
    )  # fmt: skip
    return Chart(WIDE, HIGH + 24, marks)


def _length(share: Fraction | None) -> float:
    return round(float(share or 0) * BAR, 1)
