"""The stage for a demo or the UI: a sample county on disk, the platforms and the departments' APIs running beside it.

Belongs here: starting and stopping the outside world, the environment in which the pipeline finds it.
Must not: import of the pipeline; it is run as commands, as an operator would.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

from mock_platforms.county.build import STATE, County
from mock_platforms.county.serve_http import HttpSources
from mock_platforms.run import Mocks

ROOT = Path(__file__).resolve().parent.parent
BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Stage:
    """A running outside world: `env` is what the pipeline's commands need to find it."""

    home: Path
    county: County
    mocks: Mocks
    env: dict[str, str]
    wire: Path


def yesterday() -> date:
    """The business day that a night takes, Beijing time."""
    return datetime.now(UTC).astimezone(BEIJING).date() - timedelta(days=1)


def county_at(home: Path, last: date, days: int, seed: int, scale: float) -> County:
    """The county in that folder, drawn on the first call and kept afterwards: a second run shows the same days."""
    return County.open(home) if (home / STATE).exists() else County.create(home, last, days, seed, scale)


@contextmanager
def stage(folder: Path, county: County, *, receipt_delay: float = 0.5) -> Iterator[Stage]:
    """Start everything on free ports; all of it has ended when the block ends."""
    home = county.dir
    runs = len(list((folder / "wire").glob("run-*"))) + 1
    wire = folder / "wire" / f"run-{runs:04d}"
    extra = ("--wire-dir", str(wire))
    with ExitStack() as stack:
        mocks = stack.enter_context(
            Mocks(folder / "platforms", home / "credentials.json", home / "credit", receipt_delay, extra)
        )
        sources = stack.enter_context(HttpSources(home))
        env = dict(os.environ)
        env |= {"ZZ_HOME": str(home), "ZZ_CONFIG": str(ROOT / "config"), "DAGSTER_HOME": str(dagster_home(folder))}
        env |= {"DAGSTER_DISABLE_TELEMETRY": "1", "PYTHONUTF8": "1"}
        env |= {f"ZZ_URL_{name.upper()}": url for name, url in mocks.urls.items() if name != "control"}
        env |= {f"ZZ_SOURCE_{key}": url for key, url in sources.urls.items()}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
        yield Stage(home, county, mocks, env, wire)


def dagster_home(folder: Path) -> Path:
    """A Dagster instance of its own with the settings of the checkout."""
    home = (folder / "dagster").resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text("utf-8"), "utf-8")
    return home


def tool(name: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).parent / name)
