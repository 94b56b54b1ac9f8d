"""A platform's list in a scratch database: as long as the platform likes, with little of it in memory.

Belongs here: taking in a list page by page, reading it back by key. Must not: comparing, HTTP, the business database.
What is kept in memory is one part of `CHUNK` entries and the database's page cache (2 MB), whatever the length.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType

from zz_pipeline.delivery.protocol import Remote
from zz_pipeline.delivery.rows import CHUNK

_TABLE = """
CREATE TABLE listed (remote_key TEXT PRIMARY KEY, kind TEXT, state TEXT, content_hash TEXT, version INTEGER,
  receipt TEXT, updated_at TEXT) WITHOUT ROWID
"""
_COLUMNS = "remote_key, kind, state, content_hash, version, receipt, updated_at"


class Listed:
    """What a platform's list says, by key; of an entry that comes twice the later statement counts."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # an unnamed database: on disk, gone when it is closed
        self._db.execute("PRAGMA cache_size = -2000")
        self._db.execute(_TABLE)

    def __enter__(self) -> Listed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM listed").fetchone()[0])

    def add(self, remotes: Iterable[Remote]) -> Listed:
        """Take entries in, a part at a time."""
        source = iter(remotes)
        while part := list(islice(source, CHUNK)):
            self._db.execute("BEGIN")
            rows = [(r.remote_key, r.kind, r.state, r.content_hash, r.version, r.receipt, r.updated_at) for r in part]
            self._db.executemany("INSERT OR REPLACE INTO listed VALUES (?,?,?,?,?,?,?)", rows)
            self._db.execute("COMMIT")
        return self

    def parts(self) -> Iterator[list[Remote]]:
        """All entries in the order of their keys, `CHUNK` at a time."""
        after = ""
        while True:
            found = self._read("remote_key > ? ORDER BY remote_key LIMIT ?", (after, CHUNK))
            if not found:
                return
            yield found
            after = found[-1].remote_key

    def of(self, keys: Sequence[str]) -> dict[str, Remote]:
        """The entries of those keys that are there; at most `CHUNK` keys."""
        marks = ",".join("?" * len(keys))
        return {r.remote_key: r for r in self._read(f"remote_key IN ({marks})", tuple(keys))}

    def of_record(self, record_key: str) -> list[Remote]:
        """Entries whose key is the record's, alone or with something behind a dash."""
        # "." follows "-" in the order of code points, in which SQLite compares
        return self._read(
            "remote_key = ? OR (remote_key > ? AND remote_key < ?)", (record_key, f"{record_key}-", f"{record_key}.")
        )

    def _read(self, where: str, values: Sequence[str | int]) -> list[Remote]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM listed WHERE {where}", values)  # noqa: S608 - constants and marks
        return [Remote(key, kind, *rest) for key, kind, *rest in rows]
