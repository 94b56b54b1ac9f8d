"""`zz bench report`: the day report over so many nights in the ledger, against the same report over the first of them.

Belongs here: one measurement. Must not: the report itself.
"""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from zz_pipeline.bench import discard, town
from zz_pipeline.bench.run import Clocks, medians, scene
from zz_pipeline.errors import ConfigError

A_NIGHT = 200  # records


def measure(days: int, runs: int) -> dict[str, Any]:
    """Seconds of one day's report with `days` nights behind it; `ratio` is to the report of the first night."""
    if days < 2:
        raise ConfigError("--days 应至少为 2。")
    with tempfile.TemporaryDirectory(prefix="zz-bench-") as folder, discard.running() as urls:
        here = town.Town(Path(folder), urls)
        town.build(here, A_NIGHT)
        last = town.DAY + timedelta(days=days - 1)
        first = scene("nights", {"days": 1}, here.environment)
        alone = medians(lambda: scene("report", {"day": str(town.DAY)}, here.environment), runs)
        scene("nights", {"days": days, "after": 1}, here.environment)
        found = medians(lambda: scene("report", {"day": str(last)}, here.environment), runs)
    return {
        "days": days,
        "records_a_night": first["records"],
        "runs": runs,
        **found,
        "records_per_s": round(A_NIGHT * days / found["wall_s"]),
        "reference_per_s": round(A_NIGHT / alone["wall_s"]),
        "reference_s": alone["wall_s"],
        "reference_cpu_s": alone["cpu_s"],
        "ratio": round(found["wall_s"] / alone["wall_s"], 3),
        "cpu_ratio": round(found["cpu_s"] / alone["cpu_s"], 3),
    }


def nights(clocks: Clocks, *, days: int, after: int = 0) -> None:
    """The scene that prepares: whole nights, each with its corrections of the same records, the checks left out."""
    from zz_pipeline import course
    from zz_pipeline.bench.nights import clock, opened

    with opened(town.DAY, checked=False) as night:
        keys = town.departments(A_NIGHT)
        owner = night.settings.departments[keys[0]]
        for n in range(after, days):
            day = town.DAY + timedelta(days=n)
            town.fill(night.settings.home / "sources" / f"{keys[0]}.db", owner, 0, A_NIGHT, day)
            night.clock = clock(day + timedelta(days=1))
            course.take_in(night, day, lambda *_: None, keys)
            for target in night.targets:
                night.deliver(target.name)
    clocks.told["records"] = A_NIGHT


def report(clocks: Clocks, *, day: str) -> None:
    """The scene: one day's report, written."""
    from zz_pipeline.bench.nights import opened
    from zz_pipeline.reports.day import write_day_report

    wanted = date.fromisoformat(day)
    with opened(wanted, checked=False) as night, clocks.measured():
        write_day_report(night, wanted)
