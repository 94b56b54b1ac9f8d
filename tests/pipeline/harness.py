"""A county, its platforms and the pipeline over them, for tests of whole nights.

Belongs here: staging and comparing with the manifest. Must not: payload building, knowledge of a rule.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import select

from mock_platforms.county.build import County
from mock_platforms.county.serve_http import HttpSources
from mock_platforms.run import Mocks
from zz_pipeline import cli
from zz_pipeline.course import NightResult, whole_night
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import quarantine
from zz_pipeline.night import Night
from zz_pipeline.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
LAST = date(2026, 11, 20)
PLATFORMS = ("double_random", "internet_supervision", "publicity")
# Quick clocks: the mocks' late effects are switched on by fault rules only, so a short quiet window is honest here.
QUICK = {"quiet_seconds": 1.0, "late_effect_seconds": 0.5, "poll_first_seconds": 0.2, "night_wait_seconds": 40.0}
# One department for each kind of source, the credit lead among them. A night of all 25 costs twice as much.
ONE_OF_EACH = ("SCJG", "HBJ", "SPJ", "SFJ", "MZJ", "JTJ", "KGJ", "GAJ")
# What depends on the moment or the count of a run and not on what the departments said.
STATES = {
    "STORED": "PRESENT",
    "PUBLIC": "PRESENT",
    "i": "PRESENT",
    "u": "PRESENT",
    "STOPPED": "WITHDRAWN",
    "d": "WITHDRAWN",
    "DELETED": "WITHDRAWN",
}
RUN_DEPENDENT = {"version", "submitted_date", "publicFrom", "cd_time", "cd_operation"}


@dataclass
class Town:
    """A staged county. `env` is what a command needs to find it; of `reporting` departments only, if it is given."""

    county: County
    mocks: Mocks
    sources: HttpSources
    config: Path
    env: dict[str, str]
    reporting: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        return self.county.dir

    @property
    def settings(self) -> Settings:
        return load_settings(self.config, self.home, self.env)

    @contextmanager
    def opened(self, run: str = "test") -> Iterator[Night]:
        settings = self.settings
        ledger = Ledger(settings.ledger_url)
        ledger.migrate()
        try:
            yield Night(settings, ledger, run)
        finally:
            ledger.close()

    def night(self, day: date) -> NightResult:
        """One night in this process."""
        with self.opened() as night:
            return whole_night(night, day)

    def zz(self, *args: str, apart: bool = False) -> subprocess.CompletedProcess[str]:
        """The command as an operator runs it; `apart`: in a process of its own, which costs the imports once more."""
        if apart:
            command = [str(Path(sys.executable).parent / "zz"), *args]
            return subprocess.run(command, env=os.environ | self.env, cwd=ROOT, capture_output=True, text=True)
        said, problems, code = StringIO(), StringIO(), 0
        order = patch.dict(os.environ, self.env), patch.object(sys, "argv", ["zz", *args])
        with order[0], order[1], redirect_stdout(said), redirect_stderr(problems):
            try:
                cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
        return subprocess.CompletedProcess(args, code, said.getvalue(), problems.getvalue())

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "manifest.json").read_text("utf-8"))
        if self.reporting:
            for platforms in found["expected"].values():
                for name, held in platforms.items():
                    platforms[name] = {k: e for k, e in held.items() if e["department"] in self.reporting}
            found["defects"] = [d for d in found["defects"] if d["dept"] in (*self.reporting, "credit")]
        return found


@contextmanager
def town(
    folder: Path,
    *,
    seed: int = 7,
    days: int = 1,
    scale: float = 0.3,
    last: date = LAST,
    config: Path | None = None,
    env: dict[str, str] | None = None,
    prepare: Callable[[County, Path], None] | None = None,
    reporting: tuple[str, ...] = (),
) -> Iterator[Town]:
    """Stage a county on free ports; everything has ended when the block ends. No day is applied yet.

    prepare: changes county and configuration before the platforms start, and read who may send to them.
    reporting: keys of the departments that report; the others are set to 零报送. Empty: all.
    """
    county = County.create(folder / "home", last, days, seed, scale)
    if config is None:
        config = folder / "config"
        shutil.copytree(ROOT / "config", config)
    quicken(config)
    if prepare is not None:
        prepare(county, config)
    with ExitStack() as stack:
        mocks = stack.enter_context(
            Mocks(folder / "platforms", county.dir / "credentials.json", county.dir / "credit", 0.2)
        )
        sources = stack.enter_context(HttpSources(county.dir))
        found = {"ZZ_HOME": str(county.dir), "ZZ_CONFIG": str(config), "DAGSTER_DISABLE_TELEMETRY": "1"}
        found |= {f"ZZ_URL_{name.upper()}": url for name, url in mocks.urls.items() if name != "control"}
        found |= {f"ZZ_SOURCE_{key}": url for key, url in sources.urls.items()}
        if reporting:
            _silence(config, county.dir, reporting)
        yield Town(county, mocks, sources, config, found | (env or {}), reporting)


def _silence(config: Path, home: Path, reporting: tuple[str, ...]) -> None:
    """Only these departments report and have credentials."""
    for path in (config / "departments").glob("*.toml"):
        if path.stem not in reporting:
            path.write_text(re.sub(r'(?m)^kind = "\w+"', 'kind = "none"', path.read_text("utf-8")), "utf-8")
    secrets = home / "secrets.toml"
    sections = re.split(r"(?m)^(?=\[)", secrets.read_text("utf-8"))
    secrets.write_text("".join(s for s in sections if s[: s.find("]")].rpartition(".")[2] in reporting), "utf-8")


def quicken(config: Path) -> None:
    """Short clocks in the platform files, as an operator would set them for a test environment."""
    for path in (config / "platforms").glob("*.toml"):
        text = path.read_text("utf-8")
        head, _, tail = text.partition("[capability]")
        for name, value in QUICK.items():
            head = re.sub(rf"(?m)^{name} *=.*\n", "", head) + f"{name} = {value}\n"
        path.write_text(f"{head}\n[capability]{tail}", "utf-8")


def held(mocks: Mocks, platform: str) -> dict[str, dict[str, Any]]:
    """What a platform holds, in the manifest's form."""
    found = {}
    for row in mocks.ledger(platform):
        state = STATES.get(row["state"], row["state"])
        kind = "rating" if "rating" in row["kind"] or "credit" in row["kind"] else "inspection"
        entry = {"kind": kind, "state": state, "department": row["department"]}
        if state == "PRESENT":
            entry["content"] = plain(row["record"])
        found[row["key"]] = entry
    return found


def wanted(state: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The manifest's expectation in the same form."""
    found = {}
    for key, entry in state.items():
        kept = {name: entry[name] for name in ("kind", "state", "department")}
        if entry["state"] == "PRESENT":
            kept["content"] = plain(entry["content"])
        found[key] = kept
    return found


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """Content without what a run decides; lists without order; empty counts as absent."""
    out: dict[str, Any] = {}
    for name, value in record.items():
        if name in RUN_DEPENDENT or value in ("", None):
            continue
        if name == "details":
            value = sorted(tuple(sorted((k, v) for k, v in d.items() if k != "seqno" and v != "")) for d in value)
        elif name == "inspectors":
            value = sorted((i["certNo"], i["name"]) for i in value)
        elif name == "check_personnel" or name == "check_personnel_code":
            value = sorted(value.split(","))
        out[name] = value
    return out


def compare(mocks: Mocks, expected: dict[str, dict[str, Any]]) -> list[str]:
    """Differences between the platforms' ledgers and the manifest, in words; empty if they are equal."""
    problems = []
    for platform in PLATFORMS:
        have, want = held(mocks, platform), wanted(expected[platform])
        problems += [f"{platform} lacks {k} ({want[k]['state']})" for k in sorted(want.keys() - have.keys())]
        problems += [
            f"{platform} holds {k} ({have[k]['state']}) unexpectedly" for k in sorted(have.keys() - want.keys())
        ]
        for key in sorted(want.keys() & have.keys()):
            if have[key] != want[key]:
                problems.append(f"{platform} {key}: {_difference(have[key], want[key])}")
    return problems


def _difference(have: dict[str, Any], want: dict[str, Any]) -> str:
    if have.get("state") != want.get("state") or have.get("department") != want.get("department"):
        return f"have {have.get('state')}/{have.get('department')}, want {want.get('state')}/{want.get('department')}"
    a, b = have.get("content", {}), want.get("content", {})
    return "; ".join(
        f"{k}: have {a.get(k)!r}, want {b.get(k)!r}" for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)
    )


def returned(town: Town, severity: str = "ERROR") -> dict[tuple[str, str, str], set[str]]:
    """(day, department, record number) → rules, for everything that was ever returned."""
    found: dict[tuple[str, str, str], set[str]] = {}
    with town.opened() as night, night.ledger.read() as conn:
        for row in conn.execute(select(quarantine).where(quarantine.c.severity == severity)):
            number = row.unit.split("-", 2)[-1] if row.unit.startswith("610124-") else row.unit
            found.setdefault((row.day, row.dept, number), set()).add(row.rule)
    return found


def planted(town: Town) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(day, source, unit) → defect, for everything that must be returned.

    A record without a usable number is a unit of its own (`<file>#<row>`): it is found by its day, department and rule.
    """
    nameless = [key for key, rules in returned(town).items() if "INS-001" in rules]
    found = {}
    for defect in town.manifest()["defects"]:
        if defect["effect"] != "quarantine":
            continue
        source = "credit" if defect["rule"].startswith("RAT") else defect["dept"]
        key = (defect["day"], source, defect["record_no"])
        if defect["rule"] == "INS-001":
            key = next((k for k in nameless if k[:2] == key[:2]), key)
        found[key] = defect
    return found
