"""How a measurement is taken: a process of its own for each run, one warm-up, some runs, the median.

Belongs here: starting a scene, its clocks and peak of memory, medians. Must not: what a scene does.

`python -m zz_pipeline.bench.run SCENE` reads a JSON object from standard input, calls the scene with it and prints what
it gives, with `wall_s`, `cpu_s` and `peak_rss_mib` of what it did inside `measured`. A run of its own process forgets
nothing: caches, imports and memory are those of a night, not of the run before.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from zz_pipeline.errors import ConfigError, ZzError

_KIB = 1 if sys.platform != "darwin" else 1024  # ru_maxrss counts KiB on Linux and bytes on macOS
# scene → module whose function of that name is called
SCENES = {
    "backfill": "zz_pipeline.bench.backfill",
    "deliver": "zz_pipeline.bench.deliver",
    "reference": "zz_pipeline.bench.reference",
    "startup": "zz_pipeline.bench.startup",
    "nights": "zz_pipeline.bench.report",
    "report": "zz_pipeline.bench.report",
    "fill": "zz_pipeline.bench.night",
    "night": "zz_pipeline.bench.night",
    "dagster_night": "zz_pipeline.bench.night",
    "empty_job": "zz_pipeline.bench.night",
    "held": "zz_pipeline.bench.reconcile",
    "reconcile": "zz_pipeline.bench.reconcile",
}


@dataclass
class Clocks:
    """What a scene measured; `told` is what it says besides."""

    told: dict[str, Any] = field(default_factory=dict)
    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count the block's wall and processor time, that of all its threads and ended children."""
        wall, cpu = time.perf_counter(), _cpu()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += _cpu() - cpu

    def values(self) -> dict[str, Any]:
        """All of it as plain values."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / _KIB
        return {"wall_s": round(self.wall, 3), "cpu_s": round(self.cpu, 4), "peak_rss_mib": round(peak), **self.told}


def _cpu() -> float:
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system


def scene(name: str, arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One run of a scene in a new process; ZzError if it did not come to its end."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("ZZ_")} | dict(environment or {})
    ended = subprocess.run(
        [sys.executable, "-m", "zz_pipeline.bench.run", name],
        input=json.dumps(arguments), stdout=subprocess.PIPE, text=True, env=own, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise ZzError(f"测量“{name}”没有完成（退出码 {ended.returncode}），原因见上面的输出。请处理后重新运行。")
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def medians(once: Callable[[], dict[str, Any]], runs: int) -> dict[str, Any]:
    """One warm-up and so many runs; of each number the median, of everything else the last. Without runs: the warm-up."""
    if runs < 0:
        raise ConfigError("--runs 应为 0 或正整数；0 表示只运行一次、不预热。")
    found = [once()]
    if runs:
        found = [once() for _ in range(runs)]
    return {name: _middle([one[name] for one in found]) for name in found[-1]}


def _middle(values: Sequence[Any]) -> Any:
    if not all(type(value) in (int, float) for value in values):
        return values[-1]
    middle = statistics.median(values)
    return round(middle) if all(type(value) is int for value in values) else round(middle, 4)


def main(name: str) -> None:
    """Act a scene in this process and print what was measured."""
    clocks = Clocks()
    getattr(import_module(SCENES[name]), name)(clocks, **json.load(sys.stdin))
    sys.stdout.write(json.dumps(clocks.values()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
