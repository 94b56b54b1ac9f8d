"""A PostgreSQL server of the tests' own: in a temporary directory, on loopback, gone when the tests end.

Belongs here: finding, starting, stopping the server, making databases. Must not: tables, anything of the pipeline.
Tests that use it carry the marker `postgres`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

MISSING = "PostgreSQL is not installed: install postgresql (apt-get install postgresql)"
START_SECONDS = 30.0
# A test's data may be lost with the machine, so nothing waits for a disk.
OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
}


@dataclass(frozen=True)
class Server:
    """A running server. `database()` gives the SQLAlchemy URL of a fresh, empty database."""

    port: int
    numbers: Iterator[int]

    def database(self) -> str:
        name = f"zz_test_{next(self.numbers)}"
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url(name)

    def ready(self) -> bool:
        engine = create_engine(self._url("postgres"))
        try:
            engine.connect().close()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True

    def _url(self, name: str) -> str:
        return make_url(f"postgresql+psycopg2://zz@127.0.0.1:{self.port}/{name}").render_as_string()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server for the whole session; the test is skipped where PostgreSQL is not installed."""
    programs = installed()
    if programs is None:
        pytest.skip(MISSING)
    with server(programs) as running:
        yield running


def installed() -> Path | None:
    """The folder that holds `initdb` and `postgres`; None if there is none."""
    on_path = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name.zfill(3), reverse=True)
    for folder in ([Path(on_path).resolve().parent] if on_path else []) + packaged:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@contextmanager
def server(programs: Path) -> Iterator[Server]:
    """Start a server on a free port; it and its files are gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="zz-pg-"))  # not pytest's folder: another user must reach it
    user = _user(folder)
    process = None
    try:
        data, log = folder / "data", folder / "log"
        _run(
            [str(programs / "initdb"), "-D", str(data), "-U", "zz", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
            user,
        )
        port = _free_port()
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        command = [
            *_mortal(),
            str(programs / "postgres"),
            "-D",
            str(data),
            "-k",
            str(folder),
            "-p",
            str(port),
            *options,
        ]
        with log.open("ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, **user)
        running = Server(port, count(1))
        _wait(running, process, log)
        yield running
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _user(folder: Path) -> dict:
    """Popen's arguments for running as somebody else, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _mortal() -> list[str]:
    """A prefix by which the server ends with the test process, also when that is killed; not everywhere to be had."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def _run(command: list[str], user: dict) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", **user)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(running: Server, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not running.ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.1)


def _stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)  # "fast": open connections are cut
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
