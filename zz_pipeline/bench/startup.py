"""`zz bench startup`: what it costs to begin — importing the definitions against importing Dagster alone.

Belongs here: one measurement, each import in an interpreter of its own. Must not: Dagster in this process.
"""

from __future__ import annotations

from typing import Any

from zz_pipeline.bench.run import Clocks, medians, scene

OURS, THEIRS = "zz_pipeline.definitions", "dagster"


def measure(runs: int) -> dict[str, Any]:
    """Seconds of both imports, in turn; `ratio` is ours to Dagster's."""
    return {"runs": runs, **medians(_both, runs)}


def _both() -> dict[str, Any]:
    ours, theirs = scene("startup", {"module": OURS}), scene("startup", {"module": THEIRS})
    return {
        **ours,
        "records_per_s": 0,
        "reference_per_s": 0,
        "reference_s": theirs["wall_s"],
        "reference_cpu_s": theirs["cpu_s"],
        "ratio": round(ours["wall_s"] / theirs["wall_s"], 3),
        "cpu_ratio": round(ours["cpu_s"] / theirs["cpu_s"], 3),
    }


def startup(clocks: Clocks, *, module: str) -> None:
    """The scene: one import, its interpreter's own start included in neither."""
    from importlib import import_module

    with clocks.measured():
        import_module(module)
