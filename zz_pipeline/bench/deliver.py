"""`zz bench deliver`: the whole way of many records to a discarding server, against a plain script on one platform.

Belongs here: one measurement, and that everything really arrived. Must not: the county it is taken on (that is `town`),
printing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zz_pipeline.bench import discard, town
from zz_pipeline.bench.run import Clocks, medians, scene
from zz_pipeline.errors import ConfigError, ZzError


def measure(records: int, platforms: int, runs: int) -> dict[str, Any]:
    """Medians of deliveries a second on `platforms` platforms and of the script's on one, in turn; memory of ours."""
    if records < 1 or not 1 <= platforms <= len(town.PLATFORMS):
        raise ConfigError(f"--records 应为正整数，--platforms 应在 1 与 {len(town.PLATFORMS)} 之间。")
    with tempfile.TemporaryDirectory(prefix="zz-bench-") as folder:
        base = town.Town(Path(folder), {}, town.PLATFORMS[:platforms])
        town.build(base, records)
        found = medians(lambda: _both(base, records), runs)
    return {"records": records, "platforms": platforms, "runs": runs, **found}


def _both(base: town.Town, records: int) -> dict[str, Any]:
    keys = town.departments(records)
    with discard.running() as urls:
        here = town.Town(base.folder, urls, base.platforms)
        town.forget(here)
        ours = scene("deliver", {"keys": keys, "platforms": list(here.platforms)}, here.environment)
    with discard.running() as urls:
        known = base.settings.departments
        names = {key: [known[key].name, known[key].uscc] for key in keys}
        sources = {key: str(base.source(key)) for key in keys}
        plain = scene("reference", {"sources": sources, "names": names, "url": urls["double_random"]})
    if (ours["deliveries"], plain["deliveries"]) != (records * len(base.platforms), records):
        raise ZzError("测量中有记录没有到达，结果无效。请先执行 make test 查明原因。")
    rate, reference = ours["deliveries"] / ours["wall_s"], records / plain["wall_s"]
    return {
        **ours,
        "records_per_s": round(rate),
        "reference_per_s": round(reference),
        "ratio": round(rate / reference, 3),
        "reference_s": plain["wall_s"],
        "reference_cpu_s": plain["cpu_s"],
        "cpu_ratio": round(ours["deliveries"] / ours["cpu_s"] / (records / plain["cpu_s"]), 3),
        "reference_rss_mib": plain["peak_rss_mib"],
    }


def deliver(clocks: Clocks, *, keys: Sequence[str], platforms: Sequence[str]) -> None:
    """The scene: take in the departments' records and send them everywhere; imports are counted apart."""
    from zz_pipeline import course
    from zz_pipeline.bench import nights

    begun = time.perf_counter()
    with nights.opened(town.DAY, checked=True) as night:
        nights.warm()
        clocks.told["start_s"] = round(time.perf_counter() - begun, 3)
        with clocks.measured():
            steps = course.take_in(night, town.DAY, lambda *_: None, keys)
            clocks.told["taken_in_s"] = round(time.perf_counter() - begun - clocks.told["start_s"], 3)
            results = [night.deliver(name) for name in platforms]
    failed = [*(s.error for s in steps if not s.ok), *(alarm for result in results for alarm in result.alarms)]
    if failed:
        raise ZzError(failed[0])
    clocks.told["deliveries"] = sum(result.moves["CONFIRMED"] for result in results)
    clocks.told["requests"] = sum(result.requests for result in results)
