"""A night over a measured county: the product's own steps, with a clock that stands where the measurement wants it.

Belongs here: opening a night, leaving the rules out where they are not what is measured.
Must not: measuring, knowledge of a command, ledgers full of known records (that is `known`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

from zz_pipeline import quality
from zz_pipeline.bench import rows
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.night import Night
from zz_pipeline.settings import load_settings
from zz_pipeline.standard.tables import Kind

_AT = clock_time(1, 30)


class Unchecked(Night):
    """A night whose rules find nothing and cost nothing."""

    def judge(
        self, batches: Sequence[tuple[quality.Tabled, str]], kind: Kind, day: date
    ) -> list[quality.CheckOutcome | Any]:
        """Everything passes."""
        return [quality.nothing_to_check() for _ in batches]


def clock(day: date) -> Callable[[], float]:
    """A clock that stands at 01:30 of that day in the county when it is made, and goes on like any other."""
    begin = datetime.combine(day, _AT, ZoneInfo("Asia/Shanghai")).timestamp() - time.time()
    return lambda: time.time() + begin


@contextmanager
def opened(day: date, *, checked: bool) -> Iterator[Night]:
    """The county of the environment on the night after `day`; its ledger is migrated and closed."""
    settings = load_settings()
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    try:
        night = (Night if checked else Unchecked)(settings, ledger, "bench", clock=clock(day + timedelta(days=1)))
        night.load_all()
        yield night
    finally:
        ledger.close()


def warm() -> None:
    """Import what checks, and check a row: a fixed cost of a night, which would hide the cost of a record."""
    common: dict[str, Any] = {"lists": rows.lists(), "day": rows.DAY, "now": rows.NOW, "regions": frozenset({"610124"})}
    quality.load_checker()([(rows.table(1, 0.0), rows.DEPARTMENT)], str(Kind.INSPECTION), **common)
