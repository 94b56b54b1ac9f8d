"""A platform's own durable ledger: one SQLite file in the state directory, which survives kills and restarts.

Belongs here: records and their history, batches, nonces, sessions, usage, small settings. Must not: rules of a contract.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS record (
  kind TEXT NOT NULL, key TEXT NOT NULL, department TEXT NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL,
  operation TEXT NOT NULL, receipt TEXT NOT NULL, hash TEXT NOT NULL, content TEXT NOT NULL, code TEXT NOT NULL,
  updated_at TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (kind, key));
CREATE INDEX IF NOT EXISTS record_order ON record (department, kind, seq);
CREATE INDEX IF NOT EXISTS record_code ON record (kind, code);
CREATE TABLE IF NOT EXISTS history (
  kind TEXT NOT NULL, key TEXT NOT NULL, department TEXT NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL,
  operation TEXT NOT NULL, receipt TEXT NOT NULL, hash TEXT NOT NULL, content TEXT NOT NULL, code TEXT NOT NULL,
  updated_at TEXT NOT NULL, seq INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE INDEX IF NOT EXISTS history_key ON history (kind, key, seq);
CREATE TABLE IF NOT EXISTS batch (
  department TEXT NOT NULL, number TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL, status TEXT NOT NULL,
  body BLOB NOT NULL, answer TEXT NOT NULL, created_at TEXT NOT NULL, due REAL NOT NULL, hints TEXT NOT NULL,
  PRIMARY KEY (department, number));
CREATE INDEX IF NOT EXISTS batch_status ON batch (status, due);
CREATE TABLE IF NOT EXISTS nonce (app_id TEXT NOT NULL, nonce TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (app_id, nonce));
CREATE INDEX IF NOT EXISTS nonce_at ON nonce (at);
CREATE TABLE IF NOT EXISTS session (secret TEXT PRIMARY KEY, app_id TEXT NOT NULL, issued REAL NOT NULL, ends REAL NOT NULL);
CREATE TABLE IF NOT EXISTS usage (day TEXT PRIMARY KEY, used INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS violation (department TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL, at TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as the platform holds it. `version` is text on the disk because the wire does not bound it."""

    kind: str
    key: str
    department: str
    version: int
    state: str
    operation: str
    receipt: str
    hash: str
    content: dict[str, Any]
    code: str  # a second unique number of the record (② check_action_code); empty where there is none
    updated_at: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch number that was used up, with the bytes it was used for and what became of them."""

    department: str
    number: str
    path: str
    digest: str
    status: str
    body: bytes
    answer: dict[str, Any]
    created_at: str
    due: float = 0.0
    hints: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A listing: one department, one kind, inclusive bounds of the last change (empty: open)."""

    department: str
    kind: str
    low: str = ""
    high: str = ""

    @property
    def bounds(self) -> tuple[str, str, str, str]:
        """Arguments of the queries."""
        return self.department, self.kind, self.low, self.high or "9999"


class Store:
    """The ledger of one platform. Not thread-safe: one event loop uses it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        # A killed process loses nothing under WAL; NORMAL spares an fsync a request that only a power cut would need.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested (the outermost commits)."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # records

    def get(self, kind: str, key: str) -> Stored | None:
        """The record as it stands now."""
        return self._one("SELECT * FROM record WHERE kind = ? AND key = ?", kind, key)

    def by_code(self, kind: str, code: str) -> Stored | None:
        """The record whose second number is `code`."""
        return self._one("SELECT * FROM record WHERE kind = ? AND code = ?", kind, code)

    def put(self, record: Stored) -> None:
        """Store a record and its place in the order of changes."""
        values = [
            *(record.kind, record.key, record.department, str(record.version), record.state, record.operation),
            *(record.receipt, record.hash, _dump(record.content), record.code, record.updated_at),
        ]
        with self.transaction():
            seq = self._db.execute("INSERT INTO history VALUES (?,?,?,?,?,?,?,?,?,?,?,NULL)", values).lastrowid
            self._db.execute("INSERT OR REPLACE INTO record VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", [*values, seq])

    def forget(self, kind: str, key: str, since: str = "") -> None:
        """Drop a record, or turn it back to what it was before `since`."""
        with self.transaction():
            self._db.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))
            self._db.execute("DELETE FROM history WHERE kind = ? AND key = ? AND updated_at >= ?", (kind, key, since))
            self._db.execute(
                "INSERT INTO record SELECT * FROM history WHERE kind = ? AND key = ? ORDER BY seq DESC LIMIT 1",
                (kind, key),
            )

    def all_records(self) -> list[Stored]:
        """Every record, by last change."""
        return self._many("SELECT * FROM record ORDER BY seq")

    def changes(self) -> list[Stored]:
        """Every change ever stored, in order."""
        return self._many("SELECT * FROM history ORDER BY seq")

    def listing(self, window: Window, limit: int, after: int = 0, skip: int = 0) -> list[Stored]:
        """The records of a window by last change."""
        return self._many(
            "SELECT * FROM record WHERE department = ? AND kind = ? AND updated_at >= ? AND updated_at <= ?"
            " AND seq > ? ORDER BY seq LIMIT ? OFFSET ?",
            *(*window.bounds, after, limit, skip),
        )

    def count(self, window: Window) -> int:
        """How many records a window holds."""
        row = self._db.execute(
            "SELECT count(*) FROM record WHERE department = ? AND kind = ? AND updated_at >= ? AND updated_at <= ?",
            window.bounds,
        ).fetchone()
        return int(row[0])

    def public(self, kind: str) -> list[Stored]:
        """What anyone may see of a kind (③), newest first."""
        return self._many("SELECT * FROM record WHERE kind = ? AND state = 'PUBLIC' ORDER BY seq DESC", kind)

    def _many(self, sql: str, *args: Any) -> list[Stored]:
        return [_stored(row) for row in self._db.execute(sql, args)]

    def _one(self, sql: str, *args: Any) -> Stored | None:
        row = self._db.execute(sql, args).fetchone()
        return None if row is None else _stored(row)

    # batches

    def batch(self, department: str, number: str) -> Batch | None:
        """What is remembered of a batch number."""
        sql = "SELECT * FROM batch WHERE department = ? AND number = ?"
        row = self._db.execute(sql, (department, number)).fetchone()
        return None if row is None else _batch(row)

    def save_batch(self, batch: Batch) -> None:
        """Remember a batch number."""
        self._db.execute(
            "INSERT OR REPLACE INTO batch VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                *(batch.department, batch.number, batch.path, batch.digest, batch.status, batch.body),
                *(_dump(batch.answer), batch.created_at, batch.due, _dump(batch.hints or {})),
            ),
        )

    def drop_batch(self, department: str, number: str) -> None:
        """Forget a batch number."""
        self._db.execute("DELETE FROM batch WHERE department = ? AND number = ?", (department, number))

    def batches(self) -> list[Batch]:
        """All remembered batches."""
        return [_batch(row) for row in self._db.execute("SELECT * FROM batch ORDER BY created_at")]

    def waiting(self, due: float) -> list[Batch]:
        """Batches taken in whose check is due, oldest first."""
        sql = "SELECT * FROM batch WHERE status = 'PROCESSING' AND due <= ? ORDER BY due"
        return [_batch(row) for row in self._db.execute(sql, (due,))]

    def next_due(self) -> float | None:
        """When the next check is due; None if no batch waits."""
        row = self._db.execute("SELECT min(due) FROM batch WHERE status = 'PROCESSING'").fetchone()
        return None if row[0] is None else float(row[0])

    # gateway

    def meta(self, name: str, default: Any = None) -> Any:
        """A small remembered value."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set_meta(self, name: str, value: Any) -> None:
        """Remember a small value."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, _dump(value)))

    def next_number(self, name: str) -> int:
        """1, 2, 3… of a named counter."""
        number = int(self.meta(name, 0)) + 1
        self.set_meta(name, number)
        return number

    def fresh_nonce(self, app_id: str, nonce: str, now: float, keep: float) -> bool:
        """Whether the nonce was not seen in the last `keep` seconds; it is remembered."""
        self._db.execute("DELETE FROM nonce WHERE at < ?", (now - keep,))
        return self._db.execute("INSERT OR IGNORE INTO nonce VALUES (?, ?, ?)", (app_id, nonce, now)).rowcount == 1

    def open_session(self, app_id: str, secret: str, now: float, ends: float, overlap: float) -> None:
        """Remember a session; earlier ones end `overlap` seconds from now at the latest."""
        with self.transaction():
            self._db.execute("UPDATE session SET ends = min(ends, ?) WHERE app_id = ?", (now + overlap, app_id))
            self._db.execute("INSERT INTO session VALUES (?, ?, ?, ?)", (secret, app_id, now, ends))

    def sessions(self, app_id: str) -> list[tuple[str, float]]:
        """(secret, end) of all sessions of a credential."""
        return self._db.execute("SELECT secret, ends FROM session WHERE app_id = ?", (app_id,)).fetchall()

    def end_sessions(self, now: float, app_id: str) -> None:
        """End the live sessions of a credential."""
        self._db.execute("UPDATE session SET ends = min(ends, ?) WHERE app_id = ?", (now, app_id))

    def used(self, day: str) -> int:
        """Records counted on a Beijing day."""
        row = self._db.execute("SELECT used FROM usage WHERE day = ?", (day,)).fetchone()
        return 0 if row is None else int(row[0])

    def use(self, day: str, records: int) -> None:
        """Count records on a Beijing day."""
        self._db.execute(
            "INSERT INTO usage VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET used = used + excluded.used",
            (day, records),
        )

    def violate(self, department: str, path: str, key: str, at: str) -> None:
        """Record an attempt to publish what must not be published."""
        self._db.execute("INSERT INTO violation VALUES (?, ?, ?, ?)", (department, path, key, at))

    def violations(self) -> list[dict[str, str]]:
        """All recorded attempts."""
        names = ("department", "path", "key", "at")
        return [
            dict(zip(names, row, strict=True)) for row in self._db.execute("SELECT * FROM violation ORDER BY rowid")
        ]


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _stored(row: tuple[Any, ...]) -> Stored:
    kind, key, department, version, state, operation, receipt, digest, content, code, updated_at, seq = row
    return Stored(
        *(kind, key, department, int(version), state, operation, receipt, digest),
        *(json.loads(content), code, updated_at, seq),
    )


def _batch(row: tuple[Any, ...]) -> Batch:
    department, number, path, digest, status, body, answer, created_at, due, hints = row
    return Batch(
        *(department, number, path, digest, status, body, json.loads(answer), created_at, due, json.loads(hints))
    )
