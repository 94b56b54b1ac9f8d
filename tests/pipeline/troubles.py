"""Troubles of a night, staged on a town: what breaks, how it is mended, and what the platforms should hold meanwhile.

Belongs here: breaking and mending of sources, filters over the manifest's expectation, the record of a night.
Must not: checks, knowledge of a rule.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
from typer.testing import CliRunner

from tests.pipeline import harness
from tests.pipeline.harness import Town
from zz_pipeline.cli import app
from zz_pipeline.reports.balance import Balance

Entry = dict[str, Any]
State = dict[str, dict[str, Entry]]
ACTION = re.compile(r"-\d{14}$")  # what ② adds to a record's key


@dataclass
class Told:
    """A night as the operator and the platforms saw it. `pushed`: platform → departments with their record keys."""

    day: date
    code: int
    said: str
    balance: Balance
    report: dict[str, Any]
    held: State
    pushed: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)


def run(town: Town, day: date) -> Told:
    """One night by the command `zz sync`, in this process: Great Expectations is imported only once."""
    before = {p: len(town.mocks.wire(p)) for p in harness.PLATFORMS}
    code, said = zz(town, "sync", "--day", day.isoformat())
    return _told(town, day, code, said, before)


def zz(town: Town, *args: str) -> tuple[int, str]:
    """Exit code and all output of a command."""
    done = CliRunner().invoke(app, args, env=town.env, catch_exceptions=False)
    return done.exit_code, done.output


def _told(town: Town, day: date, code: int, said: str, before: dict[str, int]) -> Told:
    with town.opened() as night:
        balance = night.balance(day)
    report = json.loads((town.home / "reports" / str(day) / f"日报-{day}.json").read_text("utf-8"))
    held = {p: harness.held(town.mocks, p) for p in harness.PLATFORMS}
    pushed = {p: _pushed(town.mocks.wire(p)[before[p] :]) for p in harness.PLATFORMS}
    return Told(day, code, said, balance, report, held, pushed)


def _pushed(wire: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter((e["department"], key) for e in wire if e["method"] == "POST" for key in e["keys"])


# --- the manifest's expectation, and parts of it ---


def expected(town: Town, day: date) -> State:
    found: State = town.manifest()["expected"][day.isoformat()]
    return found


def without(state: State, gone: Callable[[str, str, Entry], bool]) -> State:
    """The expectation without the entries (platform, key, entry) that are `gone`."""
    return {p: {k: e for k, e in entries.items() if not gone(p, k, e)} for p, entries in state.items()}


def record_of(key: str, entry: Entry) -> str:
    """The record behind a key of a platform."""
    return ACTION.sub("", key) if entry["kind"] == "inspection" else key


def differences(held: State, want: State, *, late: bool = False) -> list[str]:
    """In words, what the platforms hold beside what they should; empty if nothing.

    late: what was taken back before it ever arrived leaves no trace, where a punctual night leaves a withdrawn entry.
    """
    problems = []
    for platform in harness.PLATFORMS:
        have, should = held[platform], harness.wanted(want[platform])
        for key in sorted(have.keys() | should.keys()):
            if have.get(key) == should.get(key):
                continue
            if late and key not in have and should[key]["state"] == "WITHDRAWN":
                continue
            problems.append(f"{platform} {key}: have {have.get(key)}, want {should.get(key)}")
    return problems


def changed(before: State, after: State) -> set[str]:
    """Records that any platform should hold otherwise after the second day."""
    found = set()
    for platform, entries in after.items():
        old = before[platform]
        found |= {record_of(k, e) for k, e in entries.items() if k in old and old[k] != e}
        found |= {record_of(k, e) for k, e in old.items() if k not in entries}
    return found


def doubled(town: Town) -> dict[str, Any]:
    """Effects that a platform saw twice: a version on ①, the same content or end of a record in a row on ② and ③."""
    one = town.mocks.ledger("double_random", history=True)
    versions = Counter((r["kind"], r["key"], r["version"]) for r in one)
    found: dict[str, Any] = {str(k): n for k, n in versions.items() if n > 1}
    for platform in harness.PLATFORMS[1:]:
        last: dict[str, tuple[str, str]] = {}
        for r in town.mocks.ledger(platform, history=True):
            now = (r["state"], r["hash"])
            if last.get(r["key"]) == now:
                found[f"{platform} {r['key']}"] = now
            last[r["key"]] = now
    return found


# --- sources ---


def aside(path: Path) -> Path:
    """Where a file is put for a while; a hidden name, for a stranger in an inbox would be reported."""
    return path.with_name(f".{path.name}.away")


@contextmanager
def gone(path: Path) -> Iterator[None]:
    """A file that is not there for a while."""
    away = aside(path)
    path.rename(away)
    yield
    away.rename(path)


@contextmanager
def no_database(path: Path) -> Iterator[None]:
    """Something else stands where a database was."""
    with gone(path):
        path.write_text("服务器维护中\n" * 400, "utf-8")
        yield
        path.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A database that another program holds for itself."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


@contextmanager
def pointed(town: Town, **env: str) -> Iterator[None]:
    """Other addresses in the environment for a while."""
    old = {name: town.env[name] for name in env}
    town.env |= env
    yield
    town.env |= old


@contextmanager
def other_encoding(path: Path, registered: str, used: str) -> Iterator[None]:
    """A CSV that was saved in another encoding than the registered one."""
    with gone(path):
        path.write_bytes(aside(path).read_bytes().decode(registered).encode(used))
        yield
        path.unlink()


@contextmanager
def second_part_cut(path: Path, heading: str, numbers: set[str]) -> Iterator[Path]:
    """The records of `numbers` come in a workbook of their own beside the first, and its upload broke off.

    Later the whole second workbook is there.
    """
    part = path.with_name(path.name.replace("_检查", "续_检查"))
    shutil.copyfile(path, part)
    _keep_rows(path, heading, lambda number: number not in numbers)
    _keep_rows(part, heading, lambda number: number in numbers)
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) * 2 // 3])
    yield part
    part.write_bytes(whole)


def _keep_rows(path: Path, heading: str, keep: Callable[[str], bool]) -> None:
    book = openpyxl.load_workbook(path)
    sheet = book.active
    head = next(row for row in sheet.iter_rows() if heading in [cell.value for cell in row])
    column = next(cell.column for cell in head if cell.value == heading)
    for row in range(sheet.max_row, head[0].row, -1):
        if not keep(str(sheet.cell(row, column).value)):
            sheet.delete_rows(row)
    book.save(path)
    book.close()


def closed_port() -> str:
    """An address on loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def drop_credential(town: Town, platform: str, dept: str) -> str:
    """Take a credential out of secrets.toml; returns the former text."""
    path = town.home / "secrets.toml"
    text = path.read_text("utf-8")
    path.write_text(re.sub(rf"\[{platform}\.{dept}\]\n.*\n.*\n", "", text), "utf-8")
    return text
