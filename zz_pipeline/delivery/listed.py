"""A platform's list in a scratch database, and beside it what we believe: as long as both like, with little in memory.

Belongs here: taking both sides in, telling where they do not say the same, reading by key. Must not: judging what a
difference means, HTTP, the business database.

Each side is written down as it comes and then sorted once: to put every entry in its place at once costs the more, the
longer the list is. Kept in memory are the database's cache and its sorter's, `_CACHE` KiB each, whatever the length.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from types import TracebackType
from typing import Any

import orjson

from zz_pipeline.delivery.protocol import Remote, RowKey

Holding = tuple[str, str, int, str, str, float]  # remote key, record key, version, state, content hash, confirmed at

_CACHE = 32_000
_FEW = 1000  # a list shorter than that lies in the cache, whatever its order
_SIDES = {
    "listed": "remote_key TEXT PRIMARY KEY, kind TEXT, state TEXT, content_hash TEXT, version INTEGER, receipt TEXT,"
    " updated_at TEXT",
    "held": "remote_key TEXT PRIMARY KEY, record_key TEXT, version INTEGER, state TEXT, content_hash TEXT,"
    " confirmed_at REAL",
}
_BEGIN = (
    f"PRAGMA cache_size = -{_CACHE}",
    "PRAGMA journal_mode = OFF",  # what goes wrong ends the comparison, and this with it
    *(f"CREATE TABLE {side} ({columns}) WITHOUT ROWID" for side, columns in _SIDES.items()),
)
_WIDTHS = {side: columns.count(",") + 1 for side, columns in _SIDES.items()}
_TAKE = {
    side: (
        f"CREATE TABLE came AS SELECT * FROM {side} LIMIT 0",  # noqa: S608 - names of `_SIDES`
        f"INSERT INTO came VALUES ({','.join('?' * width)})",  # noqa: S608 - marks
        f"INSERT OR REPLACE INTO {side} SELECT * FROM came ORDER BY remote_key, rowid",  # noqa: S608 - names of `_SIDES`
        f"INSERT OR REPLACE INTO {side} VALUES ({','.join('?' * width)})",  # noqa: S608 - names of `_SIDES` and marks
    )
    for side, width in _WIDTHS.items()
}
# A row value that holds a NULL is never the same: what only one side has is told as well.
_DIFFERING = (
    "SELECT listed.*, held.* FROM listed LEFT JOIN held USING (remote_key)"
    " WHERE (listed.state, listed.content_hash) IS NOT (held.state, held.content_hash) ORDER BY listed.remote_key"
)
_UNHELD = (
    "SELECT remote_key FROM listed WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.remote_key = listed.remote_key)"
)
_ABSENT = (
    "SELECT * FROM held WHERE state = 'PRESENT' AND confirmed_at >= ? AND NOT EXISTS"
    " (SELECT 1 FROM listed WHERE listed.remote_key = held.remote_key) ORDER BY remote_key"
)
_OF = "SELECT * FROM listed WHERE remote_key IN (SELECT value FROM json_each(?))"
# "." follows "-" in the order of code points, in which SQLite compares
_OF_RECORD = "SELECT * FROM listed WHERE remote_key = ? OR (remote_key > ? AND remote_key < ?)"


@dataclass(frozen=True, slots=True)
class Held:
    """One holding of ours; `confirmed_at` in Unix seconds."""

    remote_key: str
    key: RowKey
    state: str  # PRESENT | WITHDRAWN
    content_hash: str
    confirmed_at: float


class Listed:
    """What a platform's list says of one kind, by key, and what we believe of the same."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._db = sqlite3.connect("", isolation_level=None)  # an unnamed database: on disk, gone when it is closed
        for statement in _BEGIN:
            self._db.execute(statement)

    def __enter__(self) -> Listed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM listed").fetchone()[0])

    def add(self, remotes: Iterable[Remote]) -> Listed:
        """Take a list in; of an entry that comes twice the later statement counts."""
        return self._take("listed", remotes)

    def hold(self, holdings: Iterable[Holding]) -> Listed:
        """Take in what we believe; it may be read from this very list meanwhile."""
        return self._take("held", holdings)

    def held_since(self, since: float) -> int:
        """How many holdings were confirmed since then."""
        return int(self._db.execute("SELECT count(*) FROM held WHERE confirmed_at >= ?", (since,)).fetchone()[0])

    def unheld(self) -> Iterator[str]:
        """Keys in the list of which no holding was taken in yet."""
        return (key for (key,) in self._db.execute(_UNHELD))

    def differing(self) -> Iterator[tuple[Remote, Held | None]]:
        """Entries of which we do not believe the very same, in the order of their keys, with what we believe if anything."""
        width = _WIDTHS["listed"]
        for row in self._db.execute(_DIFFERING):
            yield Remote._make(row[:width]), self._held(row[width:]) if row[width] is not None else None

    def absent(self, since: float) -> Iterator[Held]:
        """What we have believed to be there since then, and is not in the list, in the order of the keys."""
        return map(self._held, self._db.execute(_ABSENT, (since,)))

    def of(self, keys: Sequence[str]) -> dict[str, Remote]:
        """The entries of those keys that are there."""
        rows = self._db.execute(_OF, (orjson.dumps(list(keys)).decode(),))
        return {r.remote_key: r for r in map(Remote._make, rows)}

    def of_record(self, record_key: str) -> list[Remote]:
        """Entries whose key is the record's, alone or with something behind a dash."""
        return [
            Remote._make(row) for row in self._db.execute(_OF_RECORD, (record_key, f"{record_key}-", f"{record_key}."))
        ]

    def _held(self, row: Sequence[Any]) -> Held:
        remote_key, record_key, version, state, content_hash, confirmed_at = row
        return Held(remote_key, RowKey(self.kind, record_key, version), state, content_hash, confirmed_at)

    def _take(self, side: str, rows: Iterable[Sequence[Any]]) -> Listed:
        """Write rows as they come, then once more in the order of their keys, so that each is put behind the one before."""
        create, insert, sort, put = _TAKE[side]
        source = iter(rows)
        first = list(islice(source, _FEW))
        self._db.execute("BEGIN")
        if len(first) < _FEW:
            self._db.executemany(put, first)
        else:
            self._db.execute(create)
            self._db.executemany(insert, chain(first, source))
            self._db.execute(sort)
            self._db.execute("DROP TABLE came")
        self._db.execute("COMMIT")
        return self
