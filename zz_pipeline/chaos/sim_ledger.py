"""The production ledger in memory: migrated once a process, emptied for each schedule, restored from copies.

Belongs here: one SQLite connection for everything, transactions, the log of committed state changes.
Must not: queries of the protocol, decisions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import StaticPool, create_engine, event

from zz_pipeline.chaos.sim_sql_run import Fast
from zz_pipeline.delivery import points
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger

Moved = tuple[str, str, str, int, str, str, int | None]
# The trigger writes nothing: it tells Python, which forgets what is rolled back.
_TRIGGER = """CREATE TEMP TRIGGER sim_moved AFTER UPDATE OF state ON outbox WHEN old.state <> new.state BEGIN
SELECT sim_move(new.platform, new.kind, new.record_key, new.version, old.state, new.state,
  (SELECT epoch FROM lane WHERE lane.platform = new.platform AND lane.dept = new.dept)); END"""

# what points at others first, so that foreign keys may stay on
_EMPTYING = tuple(f"DELETE FROM {table.name}" for table in reversed(schema.metadata.sorted_tables))  # noqa: S608 - names of the schema


class SimLedger(Ledger):
    """A `Ledger` on one SQLite connection in memory. Not for several threads at once: callers take turns."""

    def __init__(self) -> None:
        self.url, self.sqlite = "sqlite://", True
        self.engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False, "cached_statements": 2000}
        )
        event.listen(self.engine, "connect", _plain)
        self.conn: Any = self.engine.connect()
        self.raw: sqlite3.Connection = self.conn.connection.dbapi_connection  # type: ignore[assignment]  # - pysqlite's own
        self.open = False
        self.committed: Callable[[list[Moved]], None] = lambda moved: None
        self._pending: list[Moved] = []
        self.migrate()
        self.raw.create_function("sim_move", 7, lambda *moved: self._pending.append(moved))
        self.raw.execute(_TRIGGER)
        # a handful of rows is found without them, and written quicker
        plain = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE 'CREATE INDEX%'"
        for (name,) in self.raw.execute(plain).fetchall():
            self.raw.execute(f"DROP INDEX {name}")
        kept = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%DELETE ON%'"
        for (name,) in self.raw.execute(kept).fetchall():  # what the law keeps, a simulation forgets
            self.raw.execute(f"DROP TRIGGER {name}")
        self.slow, self.fast = self.conn, Fast(self.raw)

    def speak(self, fast: bool) -> None:
        """Choose between SQLAlchemy's connection and the one of `sim_sql`."""
        self.conn = self.fast if fast else self.slow

    @contextmanager
    def begin(self, point: str = "", *, durable: bool = True) -> Iterator[Any]:
        """A write transaction with its points, like the production one."""
        if self.open:
            raise RuntimeError("a write transaction inside another")
        self.raw.execute("BEGIN IMMEDIATE")
        self.open = True
        try:
            yield self.conn
            if point:
                points.reach(f"{point}:before_commit")
        except BaseException:
            self.open = False
            self.raw.execute("ROLLBACK")
            self._pending.clear()
            raise
        self.open = False
        if self.raw.in_transaction:  # alembic has committed by itself
            self.raw.execute("COMMIT")
        if self._pending:
            moved, self._pending = self._pending, []
            self.committed(moved)
        if point:
            points.reach(f"{point}:after_commit")

    @contextmanager
    def read(self) -> Iterator[Any]:
        """A look; nobody else writes meanwhile, so that it needs no transaction."""
        yield self.conn

    def empty(self) -> None:
        """Forget all rows; compiled statements stay, which a PRAGMA would throw away."""
        for text in _EMPTYING:
            self.raw.execute(text)

    def backup(self) -> sqlite3.Connection:
        """All of it, as it is now."""
        kept = sqlite3.connect(":memory:", check_same_thread=False)
        self.raw.backup(kept)
        return kept

    def restore(self, kept: sqlite3.Connection) -> None:
        """Go back to a backup."""
        kept.backup(self.raw)
        kept.close()
        self.raw.execute("DROP TRIGGER IF EXISTS temp.sim_moved")  # it would hear nothing of the new schema
        self.raw.execute(_TRIGGER)

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """A table as plain mappings, in the order of its first column."""
        table = schema.metadata.tables[name]
        columns = [c.name for c in table.columns]
        found = self.raw.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1")  # noqa: S608 - names of the schema
        return [dict(zip(columns, row, strict=True)) for row in found]


def _plain(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
