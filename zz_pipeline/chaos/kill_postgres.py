"""A PostgreSQL server of one's own: in a temporary directory, on loopback, gone when the block ends.

Belongs here: finding, starting, killing, restarting, stopping the server, making databases.
Must not: tables, anything of the pipeline.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

START_SECONDS = 30.0
# Data of a trial may be lost with the machine, so nothing waits for a disk.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
COMMON = {"max_connections": "60", "listen_addresses": "127.0.0.1"}


@dataclass
class Server:
    """A server. `database()` gives the SQLAlchemy URL of a fresh, empty database."""

    programs: Path
    folder: Path
    port: int
    options: Mapping[str, str]
    user: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def database(self) -> str:
        """The URL of a fresh database."""
        name = f"zz_test_{next(self._numbers)}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database of this server."""
        return make_url(f"postgresql+psycopg2://zz@127.0.0.1:{self.port}/{name}").render_as_string()

    def ready(self) -> bool:
        """Whether it accepts connections."""
        engine = create_engine(self.url("postgres"))
        try:
            engine.connect().close()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True

    def start(self) -> None:
        """Start and wait; after a kill it recovers its data first. RuntimeError if it does not start."""
        options = [part for name, value in self.options.items() for part in ("-c", f"{name}={value}")]
        command = [*_mortal(), str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        command += ["-k", str(self.folder), "-p", str(self.port), *options]
        log = self.folder / "log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, cwd=self.folder, **self.user)
        end = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to the server's main process and to all of its children, as when the machine loses its power."""
        process, self.process = self.process, None
        if process is None:
            return
        children = _children(process.pid)
        process.kill()
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it went with its parent
        process.wait()

    def stop(self) -> None:
        """End it; open connections are cut."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def installed() -> Path | None:
    """The folder that holds `initdb` and `postgres`; None if there is none."""
    on_path = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name.zfill(3), reverse=True)
    for folder in ([Path(on_path).resolve().parent] if on_path else []) + packaged:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@contextmanager
def server(programs: Path, *, durable: bool = False) -> Iterator[Server]:
    """Start a server on a free port; it and its files are gone when the block ends.

    durable: it waits for the disk, so that what it called committed survives its own death.
    """
    folder = Path(tempfile.mkdtemp(prefix="zz-pg-"))  # not the caller's folder: another user must reach it
    options = COMMON if durable else COMMON | HASTY
    made = Server(programs, folder, _free_port(), options, _user(folder))
    try:
        data = str(folder / "data")
        _run([str(programs / "initdb"), "-D", data, "-U", "zz", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], made)
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _user(folder: Path) -> dict[str, Any]:
    """Popen's arguments for running as somebody else, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _mortal() -> list[str]:
    """A prefix by which the server ends with the process that started it, also when that is killed; not everywhere to be had."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def _run(command: list[str], made: Server) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", **made.user)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(part) for part in listed.read_text("ascii").split()] if listed.exists() else []
