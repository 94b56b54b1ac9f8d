"""`zz bench night`: a night of some changes on a ledger that knows many records, on one that knows few, and a quiet one.

Belongs here: one measurement, and that each night was what it should be. Must not: Dagster in this process.

`ratio` is the night on the large ledger to the same night on `FEW` records. `quiet_ratio` is a night with nothing new
through Dagster to an empty Dagster job of as many assets and the import of what checks.
"""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from zz_pipeline.bench import discard, town
from zz_pipeline.bench.run import Clocks, medians, scene
from zz_pipeline.errors import ConfigError, ZzError
from zz_pipeline.settings import load_settings

FEW = 20_000
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def measure(known: int, changed: int, runs: int) -> dict[str, Any]:
    """Seconds of the nights; all of them on a ledger put back before each."""
    if not 1 <= changed <= min(known, FEW):
        raise ConfigError(f"--changed 应在 1 与 --known 之间，且不超过 {FEW}。")
    with tempfile.TemporaryDirectory(prefix="zz-bench-") as folder:
        many, few = (
            _filled(Path(folder) / name, n, changed) for name, n in (("many", known), ("few", min(known, FEW)))
        )
        large = medians(lambda: _night(many, changed), runs)
        small = medians(lambda: _night(few, changed), runs)
        quiet = medians(lambda: _quiet(many), runs)
    return {
        "known": known, "changed": changed, "runs": runs, **large,
        "records_per_s": round(changed / large["wall_s"]),
        "reference_per_s": round(changed / small["wall_s"]),
        "reference_s": small["wall_s"], "reference_cpu_s": small["cpu_s"], "reference_rss_mib": small["peak_rss_mib"],
        "ratio": round(large["wall_s"] / small["wall_s"], 3), "cpu_ratio": round(large["cpu_s"] / small["cpu_s"], 3),
        **quiet,
    }  # fmt: skip


def _filled(folder: Path, known: int, changed: int) -> town.Town:
    """A county whose one department has changed so many of the records that the ledger knows."""
    here = town.Town(folder, {})
    folder.mkdir()
    town.build(here, changed)
    scene("fill", {"count": known}, here.environment)
    (here.home / "ledger.db").rename(here.folder / "known.db")
    return here


def fill(clocks: Clocks, *, count: int) -> None:
    """The scene that prepares: a ledger of known records."""
    from zz_pipeline.bench import known, nights

    with nights.opened(town.DAY, checked=False) as night, clocks.measured():
        known.fill(night, town.departments(1)[0], count)


def _night(base: town.Town, changed: int) -> dict[str, Any]:
    with discard.running() as urls:
        here = town.Town(base.folder, urls)
        _put_back(here)
        found = scene("night", {"day": 0}, here.environment)
    if found["corrected"] != changed or found["failed"] or not found["balanced"]:
        raise ZzError(
            f"测量中应有 {changed} 条更正且平衡，实际 {found['corrected']} 条，{found['failed']} 步失败，结果无效。请先执行 make test。"
        )
    return found


def _put_back(here: town.Town) -> None:
    town.forget(here)
    town.copy(here.folder / "known.db", here.home / "ledger.db")


def night(clocks: Clocks, *, day: int) -> None:
    """The scene: a whole night, imports counted apart."""
    from zz_pipeline import course
    from zz_pipeline.bench import nights

    with nights.opened(town.DAY, checked=True) as here:
        nights.warm()
        with clocks.measured():
            found = course.whole_night(here, town.DAY)
        accepted = sum(step.counts.get("接收", 0) for step in found.steps)
    clocks.told |= {"corrected": accepted, "failed": len(found.failed), "balanced": found.balanced_or_fail().balanced}
    clocks.told["stages"] = {name: result.moves.total() for name, result in found.deliveries.items()}


def _quiet(base: town.Town) -> dict[str, Any]:
    """A night without changes through Dagster, an empty job, and how many pushes the platforms saw."""
    with discard.running() as urls:
        here = town.Town(base.folder, urls)
        _put_back(here)
        for path in (here.home / "sources").glob("*.db"):
            town.age(path)
        ours = scene("dagster_night", {}, here.environment)
        pushed = sum(discard.asked(url)["requests"] for url in urls.values())
    if pushed:
        raise ZzError(f"没有任何变更的一夜发出了 {pushed} 次报送请求，应为 0 次，结果无效。请先执行 make test。")
    plain = scene("empty_job", {"assets": ours["assets"]}, here.environment)
    return {
        "quiet_s": ours["wall_s"], "quiet_cpu_s": ours["cpu_s"], "quiet_pushes": pushed, "assets": ours["assets"],
        "empty_job_s": plain["wall_s"], "empty_job_cpu_s": plain["cpu_s"],
        "quiet_ratio": round(ours["wall_s"] / plain["wall_s"], 3),
        "quiet_cpu_ratio": round(ours["cpu_s"] / plain["cpu_s"], 3),
    }  # fmt: skip


def dagster_night(clocks: Clocks) -> None:
    """The scene: the nightly job in process, from the import of its definitions on."""
    with clocks.measured():
        dg = import_module("dagster")  # by name: the core imports no Dagster, not even to be compared with it
        made = import_module("zz_pipeline.definitions")
        definitions = made.build(load_settings())
        with dg.DagsterInstance.ephemeral() as instance:
            job = definitions.resolve_job_def("nightly")
            day = town.DAY.isoformat()
            ended = job.execute_in_process(run_config=_SILENT, instance=instance, partition_key=day)
    clocks.told["assets"] = len(ended.get_asset_materialization_events())


def empty_job(clocks: Clocks, *, assets: int) -> None:
    """The scene: a job of so many assets that do nothing, and the import of Great Expectations."""
    with clocks.measured():
        dg = import_module("dagster")
        import_module("great_expectations")
        made = [dg.asset(name=f"nothing_{n}")(_nothing) for n in range(assets)]
        job = dg.define_asset_job("empty", executor_def=dg.in_process_executor)
        with dg.DagsterInstance.ephemeral() as instance:
            definitions = dg.Definitions(assets=made, jobs=[job])
            definitions.resolve_job_def("empty").execute_in_process(run_config=_SILENT, instance=instance)


def _nothing() -> None:
    """An asset's whole work."""
