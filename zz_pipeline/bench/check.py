"""`zz bench check`: all inspection rules over many rows, with row verdicts, against Great Expectations' own validation.

Belongs here: one measurement and what it needed. Must not: rules, rows (that is `rows`), printing.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

from zz_pipeline.bench import rows
from zz_pipeline.errors import ConfigError
from zz_pipeline.history import History
from zz_pipeline.quality import load_plug
from zz_pipeline.settings import Limits

_KIB = 1 if sys.platform != "darwin" else 1024  # ru_maxrss counts KiB on Linux and bytes on macOS


def check(count: int, bad: float) -> dict[str, Any]:
    """Seconds, their ratio, rows a second and the peak of memory, the making of the rows included in the peak."""
    if count < 1 or not 0 <= bad <= 1:
        raise ConfigError("--rows 应为正整数，--bad 应在 0 与 1 之间。")
    table = rows.table(count, bad)
    history = History(Limits(subjects_a_day=10_000_000))
    common: dict[str, Any] = {"lists": rows.lists(), "department": rows.DEPARTMENT, "day": rows.DAY, "now": rows.NOW}
    found = load_plug("measure")(table, regions=frozenset({"610124"}), history=history, **common)
    wall, reference = found.pop("wall_s"), found.pop("reference_s")
    cpu, reference_cpu = found.pop("cpu_s"), found.pop("reference_cpu_s")
    return {
        "rows": count,
        "bad": bad,
        "wall_s": round(wall, 2),
        "reference_s": round(reference, 2),
        "ratio": round(wall / reference, 3),
        "rows_per_s": round(count / wall),
        "cpu_s": round(cpu, 2),
        "reference_cpu_s": round(reference_cpu, 2),
        "cpu_ratio": round(cpu / reference_cpu, 3),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / _KIB),
        "table_mib": round(table.nbytes / 2**20),
        **found,
    }
