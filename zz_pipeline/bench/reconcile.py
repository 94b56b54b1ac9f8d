"""`zz bench reconcile`: comparing a platform's list with as many holdings of ours, some of which differ.

Belongs here: one measurement, and that exactly the differences were found. Must not: comparing, lists.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zz_pipeline.bench import discard, made, town
from zz_pipeline.bench.run import Clocks, medians, scene
from zz_pipeline.errors import ConfigError, ZzError

PLATFORM = "double_random"
SMALLER = 10  # the cost of a record is compared with that of a list of a tenth
_CHUNK = 10_000


def measure(records: int, differences: int, runs: int) -> dict[str, Any]:
    """Seconds and memory of a full comparison; `ratio` is the cost of a record to that in a list of a tenth."""
    if records < SMALLER or not 0 <= differences <= records // SMALLER:
        raise ConfigError(f"--records 应至少为 {SMALLER}，--differences 应不超过其十分之一。")
    with tempfile.TemporaryDirectory(prefix="zz-bench-") as folder:
        found = _of(Path(folder) / "all", records, differences, runs)
        part = _of(Path(folder) / "tenth", records // SMALLER, differences // SMALLER, runs)
    rate, reference = records / found["wall_s"], records // SMALLER / part["wall_s"]
    return {
        "records": records, "differences": differences, "platform": PLATFORM, "runs": runs, **found,
        "records_per_s": round(rate), "reference_per_s": round(reference),
        "reference_s": part["wall_s"], "reference_cpu_s": part["cpu_s"], "reference_rss_mib": part["peak_rss_mib"],
        "ratio": round(reference / rate, 3), "cpu_ratio": round(found["cpu_s"] / part["cpu_s"] / SMALLER, 3),
    }  # fmt: skip


def _of(folder: Path, records: int, differences: int, runs: int) -> dict[str, Any]:
    folder.mkdir()
    with discard.running(records, differences) as urls:
        here = town.Town(folder, urls)
        town.build(here, 1)
        scene("held", {"count": records}, here.environment)
        found = medians(lambda: scene("reconcile", {}, here.environment), runs)
    told = {name: found["found"].get(name, 0) for name in ("lost", "altered", "unexpected")}
    wanted = {name: len(range(n, differences, 3)) for n, name in enumerate(told)}
    if told != wanted:
        raise ZzError(f"测量中应查出 {wanted}，实际 {told}，结果无效。请先执行 make test 查明原因。")
    return found


def held(clocks: Clocks, *, count: int) -> None:
    """The scene that prepares: holdings on the platform, confirmed long ago."""
    from sqlalchemy import insert

    from zz_pipeline.bench.nights import opened
    from zz_pipeline.ledger.schema import holding

    with opened(town.DAY, checked=False) as night, clocks.measured():
        for start in range(0, count, _CHUNK):
            with night.ledger.begin() as conn:
                conn.execute(insert(holding), list(_holdings(range(start, min(start + _CHUNK, count)))))


def _holdings(numbers: range) -> Iterator[dict[str, Any]]:
    for n in numbers:
        yield {
            "platform": PLATFORM, "kind": "inspection", "remote_key": made.remote_key(PLATFORM, n), "version": 1,
            "record_key": made.record_key(n), "dept": made.DEPT, "state": "PRESENT", "content_hash": made.digest(n),
            "confirmed_at": 1_700_000_000.0,
        }  # fmt: skip


def reconcile(clocks: Clocks) -> None:
    """The scene: everything compared, nothing repaired."""
    from zz_pipeline.bench.nights import opened
    from zz_pipeline.reconcile import EVERYTHING

    with opened(town.DAY, checked=False) as night:
        with clocks.measured():
            found = night.reconcile(PLATFORM, town.DAY, since=EVERYTHING, dry=True)
        if found.error:
            raise ZzError(found.error)
    clocks.told["found"] = {name: n for name, n in found.counts.items() if n}
