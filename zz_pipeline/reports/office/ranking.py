"""Ranks: by one indicator, ties shown as ties; who had nothing to report is not ranked last for it.

Belongs here: the order. Must not: SQL, looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from zz_pipeline.reports.office.indicators import INDICATOR, RANKED_BY
from zz_pipeline.reports.office.model import Figures

NOTHING, NOT_READ, NOT_RANKED = "零报送", "没有读到", "不排名"
SHARED = "共享数据，不排名"  # ratings: the credit platform made them, the credit lead only passes them on
_AFTER = (NOT_RANKED, NOT_READ, NOTHING, SHARED)


def ranks(found: Mapping[str, Figures]) -> dict[str, str]:
    """Department → 第1, 并列第2 (the next is then 第4), 零报送, 没有读到 or 不排名."""
    good = INDICATOR[RANKED_BY].good
    shares = {dept: share for dept, f in found.items() if (share := f.ratios[RANKED_BY].share) is not None}
    return {
        dept: _place(shares[dept], list(shares.values()), good) if dept in shares else unranked(f)
        for dept, f in found.items()
    }


def _place(mine: Fraction, others: list[Fraction], good: bool) -> str:
    better = sum((other > mine) if good else (other < mine) for other in others)
    return f"{'并列' if others.count(mine) > 1 else ''}第{better + 1}"


def unranked(f: Figures) -> str:
    """Why a department without a share has no rank."""
    if f.counts["handed"]:
        return NOT_RANKED
    return NOT_READ if f.counts["lost_days"] else NOTHING


def order(rank: str) -> tuple[int, int]:
    """Where a rank stands in a table: places first, then who has none, then data that are not ranked at all."""
    _, sign, place = rank.partition("第")
    return (0, int(place)) if sign else (1 + _AFTER.index(rank), 0)
