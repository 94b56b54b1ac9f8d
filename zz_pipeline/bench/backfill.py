"""`zz bench backfill`: a month of one county or of a city's counties taken in afterwards, against the same month at scale 1.

Belongs here: one measurement, how many records a day has, and that every record arrived. Must not: a second way of a backfill.

A city is what the pipeline makes of it: each county its own folder, configuration, ledger and process. `ratio` is the
cost of a record to that of a record of the first county at scale 1.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from zz_pipeline.bench import discard, town
from zz_pipeline.bench.run import Clocks, scene
from zz_pipeline.errors import ConfigError, ZzError
from zz_pipeline.settings import CHECKOUT

# What a department of the sample county enters on a working day at scale 1: 12-15 records and its part of the joint
# inspections; on Saturday and Sunday three tenths of it.
A_DAY, WEEKEND = 14, 0.3
SILENT = ("XCB", "BB")  # report nothing
_MIB = 1024 * 1024
# What the progress of a backfill calls its parts → how they are told
_PARTS = {"日子": "taken_in_s", "报送": "sent_s", "核对": "compared_s"}


def measure(days: int, scale: float, counties: int, at_once: int = 1) -> dict[str, Any]:
    """Seconds, memory and ledger size of the backfill of each county, and of the first one at scale 1."""
    known = places()
    if days < 1 or scale <= 0 or not 1 <= counties <= len(known) or at_once < 1:
        raise ConfigError(f"--days、--at-once 应为正整数，--scale 应大于 0，--counties 应在 1 与 {len(known)} 之间。")
    plain = _county(known[0], days, 1.0)
    begun = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(lambda place: _county(place, days, scale), known[:counties]))
    whole = {"wall_s": round(time.perf_counter() - begun, 1), "cpu_s": round(sum(one["cpu_s"] for one in found), 2)}
    records, peak = sum(one["records"] for one in found), max(one["peak_rss_mib"] for one in found)
    return {
        "days": days, "scale": scale, "counties": counties, "at_once": at_once, "records": records,
        **whole, "peak_rss_mib": peak, **_rates(found, plain),
        "reference_records": plain["records"], "reference_s": plain["wall_s"], "reference_cpu_s": plain["cpu_s"],
        "reference_rss_mib": plain["peak_rss_mib"], "each": found,
    }  # fmt: skip


def _rates(found: Sequence[Mapping[str, Any]], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Records a second while a county is at work, whatever runs beside it; what a record costs to one at scale 1."""
    records = sum(one["records"] for one in found)
    ours, theirs = sum(one["wall_s"] for one in found) / records, plain["wall_s"] / plain["records"]
    cpu = sum(one["cpu_s"] for one in found) / records, plain["cpu_s"] / plain["records"]
    return {
        "records_per_s": round(1 / ours, 1), "reference_per_s": round(1 / theirs, 1),
        "ratio": round(ours / theirs, 3), "cpu_ratio": round(cpu[0] / cpu[1], 3),
    }  # fmt: skip


def places() -> list[town.Place]:
    """The counties of the sample county's city, the sample county first."""
    own = town.Place()
    with (CHECKOUT / "config" / "codes" / "regions.csv").open(encoding="utf-8-sig", newline="") as file:
        regions = {row["code"]: row for row in csv.DictReader(file)}
    city = regions[own.code]["parent"]
    others = [town.Place(c, r["name"]) for c, r in regions.items() if (r["parent"], r["level"]) == (city, "县")]
    return [own, *(place for place in others if place != own)]


def entered(day: date, scale: float) -> int:
    """How many records a department enters on that day."""
    return max(1, round(A_DAY * scale * (WEEKEND if day.weekday() >= 5 else 1.0)))


def _county(place: town.Place, days: int, scale: float) -> dict[str, Any]:
    """The backfill of one county, made for it and removed afterwards."""
    span = [town.DAY - timedelta(days=back) for back in range(days - 1, -1, -1)]
    with tempfile.TemporaryDirectory(prefix="zz-bench-") as folder, discard.running() as urls:
        here = town.Town(Path(folder), urls, place=place)
        records = _build(here, span, scale)
        wanted = {"first": span[0].isoformat(), "last": span[-1].isoformat()}
        found = scene("backfill", wanted, here.environment)
        kept = sum(path.stat().st_size for path in here.home.rglob("*") if path.is_file())
        ledger = sum(path.stat().st_size for path in here.home.glob("ledger.db*"))
    if (found["code"], found["confirmed"]) != (0, records * len(here.platforms)):
        raise ZzError(
            f"{place.name}应有 {records} 条记录在 {len(here.platforms)} 个平台确认，"
            f"实际共确认 {found['confirmed']} 条次（退出码 {found['code']}），结果无效。请先执行 make test。"
        )
    size = {"ledger_mib": round(ledger / _MIB, 1), "home_mib": round(kept / _MIB, 1)}
    return {"county": place.code, "name": place.name, "records": records, **found, **size}


def _build(here: town.Town, span: Sequence[date], scale: float) -> int:
    """Everything that all departments entered on these days; how many records that is."""
    keys = [path.stem for path in sorted((CHECKOUT / "config" / "departments").glob("*.toml"))]
    reporting, number = [key for key in keys if key not in SILENT], 0
    known = town.furnish(here, reporting)
    for key in reporting:
        for day in span:
            town.fill(here.source(key), known[key], number, entered(day, scale), day, here.place)
            number += entered(day, scale)
    return number


def backfill(clocks: Clocks, *, first: str, last: str) -> None:
    """The scene: the backfill of these days; imports and the first check of a row are counted apart."""
    from zz_pipeline import backfill as core
    from zz_pipeline.bench import nights
    from zz_pipeline.commands.show import day_range

    days = day_range(first, last)
    with nights.opened(days[-1], checked=True) as night:
        nights.warm()
        parts = Parts()
        with clocks.measured():
            done = core.run(night, days, parts.reach)
    for text in done.failures:
        raise ZzError(text)
    sent = sum(platform.states["confirmed"] for day in done.balances for platform in day.platforms)
    clocks.told |= {"code": done.code, "confirmed": sent, **parts.seconds}


class Parts:
    """Seconds of each part of a backfill, from what it says of its progress."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock, self.before = clock, clock()
        self.seconds: dict[str, float] = {}

    def reach(self, part: str, done: int, _of: int) -> None:
        """The backfill has done so many of a part."""
        name = _PARTS.get(part)
        if name is None:  # reading is a part of taking in
            return
        now = self.clock()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self.before, 2)
        self.before = now
