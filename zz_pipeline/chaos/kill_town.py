"""A small county for kills: departments, platforms and a ledger that can be put back to a moment in a blink.

Belongs here: staging by the commands an operator would use, turning ledger and platforms back, reading the platforms.
Must not: killing, judging; importing the platforms (they are run as programs).

The county is staged once. A moment of its night (`begun`, `taken_in`) is kept as a copy of the ledger; a return to it
puts the copy in place, removes the files that a night writes, and lets the platforms forget everything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import text

from zz_pipeline import restored
from zz_pipeline.chaos.kill_postgres import Server
from zz_pipeline.errors import CheckError
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.night import Night
from zz_pipeline.quality import CheckOutcome, Tabled
from zz_pipeline.settings import CHECKOUT, Settings, load_settings
from zz_pipeline.sources.archive import parquet
from zz_pipeline.standard.canonical import sm3_hex
from zz_pipeline.standard.tables import Kind

DAY = date(2026, 11, 20)
SCALE = 0.1
PLATFORMS = ("double_random", "internet_supervision", "publicity")
# A database that is read again every night and files that are read once, the credit lead among them.
REPORTING = ("HBJ", "KGJ")
# Short clocks and free rates. Nothing takes effect late here: after each kill the rig waits until the platforms are
# idle, so that a short quiet window is honest.
CLOCKS = {
    "quiet_seconds": 0.3, "late_effect_seconds": 0.1, "poll_first_seconds": 0.05, "night_wait_seconds": 300.0,
    "send_deadline_seconds": 5.0, "rate": 10000.0, "burst": 10000.0,
}  # fmt: skip
LIMITS = {"rate": 10000.0, "burst": 10000.0, "daily_records": 100_000_000}
WRITTEN = ("archive", "work", "returned", "reports", "locks")  # folders that nights write
Verdicts = dict[str, list[CheckOutcome | CheckError]]  # by a digest of the tables
NOBODY = "http://127.0.0.1:9/robot"  # a port on which nobody listens: alerts stay in their outbox
STOP_SECONDS, CALM_SECONDS = 60, 10


class Shelf(Protocol):
    """Where moments of a ledger are kept."""

    url: str

    def keep(self, name: str) -> None:
        """Keep the ledger as it is under a name."""
        ...

    def put_back(self, name: str) -> None:
        """Make the ledger what it was; the name `empty` is a database without tables."""
        ...

    def calm(self) -> None:
        """Wait until the database has noticed that a killed process is gone."""
        ...


class Files:
    """A SQLite ledger and its copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"sqlite:///{folder / 'ledger.db'}"

    def keep(self, name: str) -> None:
        """Copy the file; its last connection has been closed, so the journal is in it."""
        shutil.copyfile(self.folder / "ledger.db", self.folder / f"{name}.kept")

    def put_back(self, name: str) -> None:
        """Replace the file and forget its journal."""
        for left in self.folder.glob("ledger.db*"):
            left.unlink()
        if name != "empty":
            shutil.copyfile(self.folder / f"{name}.kept", self.folder / "ledger.db")

    def calm(self) -> None:
        """Nothing to wait for: the kernel gives locks back with the process."""


class Databases:
    """A PostgreSQL ledger and its copies, on a server that is handed in."""

    def __init__(self, server: Server, name: str) -> None:
        self._admin, self._name = Ledger(server.url("postgres")), name
        self.url = server.url(name)
        self._order(f"CREATE DATABASE {name}")

    def keep(self, name: str) -> None:
        """A copy of the database under the server."""
        self._order(f"CREATE DATABASE {self._name}_{name} TEMPLATE {self._name}")

    def put_back(self, name: str) -> None:
        """A fresh copy of the kept one; whoever still has the old one open loses it."""
        self._order(f"DROP DATABASE {self._name} WITH (FORCE)")
        source = "template1" if name == "empty" else f"{self._name}_{name}"
        self._order(f"CREATE DATABASE {self._name} TEMPLATE {source}")

    def calm(self) -> None:
        """A server notices a closed connection a moment later, and only then gives back its locks."""
        until = time.monotonic() + CALM_SECONDS
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self._name}'"  # noqa: S608 - a name of ours
        while self._order(query) and time.monotonic() < until:
            time.sleep(0.02)

    def _order(self, sql: str) -> Any:
        with self._admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            found = conn.execute(text(sql))
            value = found.scalar() if found.returns_rows else None
        self._admin.close()  # a child that is forked must not inherit a connection
        return value


class Remembering(Night):
    """A night that does not ask the rules twice about the same tables: their answer would be the same.

    A check costs more than all the rest of so small a night. Nothing else of it is spared.
    """

    def __init__(self, settings: Settings, ledger: Ledger, run: str, known: Verdicts, ahead: float) -> None:
        super().__init__(settings, ledger, run, clock=lambda: time.time() + ahead)
        self._verdicts = known

    def judge(self, batches: Sequence[tuple[Tabled, str]], kind: Kind, day: date) -> list[CheckOutcome | CheckError]:
        """The rules' answer, asked for once."""
        told = [dept.encode() + parquet(batch.table.select(batch.table.column_names)) for batch, dept in batches]
        key = sm3_hex(b"|".join([str(kind).encode(), *told]))
        if key not in self._verdicts:
            self._verdicts[key] = super().judge(batches, kind, day)
        return self._verdicts[key]


@dataclass
class Town:
    """A staged county. `control`: address of the platforms' control server."""

    home: Path
    config: Path
    wire: Path
    control: str
    env: dict[str, str]
    shelf: Shelf
    verdicts: Verdicts
    _read: dict[str, int] = field(default_factory=dict)

    @cached_property
    def settings(self) -> Settings:
        """What the pipeline knows of the county."""
        return load_settings(self.config, self.home, self.env)

    @contextmanager
    def opened(self, run: str, ahead: float = 0.0) -> Iterator[Night]:
        """The core over the county, its clock so many seconds ahead; connections are closed afterwards. Not migrated."""
        try:
            yield Remembering(self.settings, self.ledger, run, self.verdicts, ahead)
        finally:
            self.ledger.close()

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger without an open connection: its statements are compiled once, not once a child."""
        return Ledger(self.shelf.url)

    def put_back(self, moment: str) -> None:
        """Everything as it was at that moment; the platforms have never heard of us."""
        self.shelf.put_back(moment)
        for left in self.home.glob(f"{restored.NAME}*"):  # this is no restored ledger that must be compared first
            left.unlink()
        for name in WRITTEN:
            if name != "archive" or moment != "taken_in":
                shutil.rmtree(self.home / name, ignore_errors=True)
        for platform in PLATFORMS:
            self.order("POST", "/forget", {"platform": platform, "since": ""})
            self.limit(platform)
            self._read[platform] = self._log(platform).stat().st_size if self._log(platform).exists() else 0

    def limit(self, platform: str, left: int | None = None) -> None:
        """Free rates on a platform, and so many records that it still takes in today; None: as many as one likes."""
        said = self.order("POST", "/quota", {"platform": platform, **LIMITS})
        if left is not None:
            self.order("POST", "/quota", {"platform": platform, "daily_records": said["used_today"] + left})

    def settle(self) -> None:
        """Wait until the platforms have dealt with what a killed process had still handed over.

        They are one event loop: what had come before an order is taken up before the answer to the second one.
        """
        for _ in range(2):
            self.order("GET", "/faults")
        self.shelf.calm()

    def order(self, method: str, path: str, body: Any = None) -> Any:
        """An order to the platforms' control server."""
        data = None if body is None else json.dumps(body).encode()
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.control + path, data, head, method=method)  # noqa: S310 - a loopback address of our own child
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.loads(answer.read())

    def requests(self, platform: str) -> list[dict[str, Any]]:
        """The platform's wire log since the last return to a moment, oldest first."""
        path = self._log(platform)
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._read.get(platform, 0))
            return [json.loads(line) for line in file.read().split(b"\n")[:-1]]

    def _log(self, platform: str) -> Path:
        return self.wire / f"{platform}.jsonl"


@contextmanager
def staged(folder: Path, shelf: Shelf, seed: int, verdicts: Verdicts) -> Iterator[Town]:
    """Stage a county and start the platforms; all of it has ended when the block ends. Nothing is taken in yet."""
    home, config, wire = folder / "home", folder / "config", folder / "wire"
    common = ["--dir", str(home), "--last", DAY.isoformat(), "--days", "1"]
    _run("county", *common, "--seed", str(seed), "--scale", str(SCALE))
    shutil.copytree(CHECKOUT / "config", config)
    _quicken(config)
    _silence(config, home)
    with ExitStack() as stack:
        args = ["--dir", str(folder / "platforms"), "--credentials", str(home / "credentials.json")]
        args += ["--credit-dir", str(home / "credit"), "--wire-dir", str(wire), "--receipt-delay", "0.02"]
        urls = stack.enter_context(_started("platforms", *args))
        env = {f"ZZ_URL_{name.upper()}": url for name, url in urls.items() if name != "control"}
        env["ZZ_ALERTS_WEBHOOK_URL"] = NOBODY
        town = Town(home, config, wire, urls["control"], env, shelf, verdicts)
        town.limit("credit")
        yield town


def _command(name: str, *args: str) -> list[str]:
    return [sys.executable, "-m", "mock_platforms", name, *args]


def _run(name: str, *args: str) -> None:
    done = subprocess.run(_command(name, *args), cwd=CHECKOUT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"样例县没有生成：{done.stderr[-2000:]}")


@contextmanager
def _started(name: str, *args: str) -> Iterator[Mapping[str, str]]:
    """The platforms as a child; yields their addresses."""
    process = subprocess.Popen(_command(name, *args), cwd=CHECKOUT, stdout=subprocess.PIPE, env=os.environ.copy())
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise RuntimeError("模拟平台没有启动，请查看上面的错误。")
        yield json.loads(line)["urls"]
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        if process.stdout:
            process.stdout.close()


def _quicken(config: Path) -> None:
    for path in (config / "platforms").glob("*.toml"):
        head, _, tail = path.read_text("utf-8").partition("[capability]")
        for name, value in CLOCKS.items():
            head = re.sub(rf"(?m)^{name} *=.*\n", "", head) + f"{name} = {value}\n"
        path.write_text(f"{head}\n[capability]{tail}", "utf-8")
    county = config / "county.toml"
    # A record in thirty that a platform loses is far above a real county's share; here it must still mend itself.
    fresh = re.sub(r"(?m)^lost_share_needs_person *=.*$", "lost_share_needs_person = 0.5", county.read_text("utf-8"))
    county.write_text(fresh, "utf-8")


def _silence(config: Path, home: Path) -> None:
    """Only the departments of REPORTING report and have credentials."""
    for path in (config / "departments").glob("*.toml"):
        if path.stem not in REPORTING:
            path.write_text(re.sub(r'(?m)^kind = "\w+"', 'kind = "none"', path.read_text("utf-8")), "utf-8")
    secrets = home / "secrets.toml"
    sections = re.split(r"(?m)^(?=\[)", secrets.read_text("utf-8"))
    kept = [s for s in sections if s[: s.find("]")].rpartition(".")[2] in REPORTING]
    secrets.write_text("".join(kept), "utf-8")
