"""Connections to the business database: one writer at a time on SQLite, transactions that begin when they say so.

Belongs here: engine, pragmas, transactions, migration on demand. Must not: tables, queries.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from zz_pipeline.delivery import points
from zz_pipeline.errors import LedgerError

_BUSY_SECONDS = 60.0
MIGRATIONS = Path(__file__).parent / "migrations"
# A disk that has failed to sync once may call the next sync done without having written what the first one lost.
_NOT_SYNCED = frozenset((sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC))
_UNSAFE = (
    "业务数据库所在磁盘没有确认写入（fsync 失败），本次运行不再写台账、也不再报送。"
    "请检查磁盘后重新运行；已在台账里的记录不会重复报送。"
)


class Ledger:
    """The business database. `begin()` is one write transaction, `read()` a consistent look."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._writer = threading.Lock()
        self._not_synced = False
        try:
            self.sqlite = make_url(url).get_backend_name() == "sqlite"
            self.engine = _engine(url, self.sqlite)
            event.listen(self.engine, "handle_error", self._look_at)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise LedgerError(
                f"ledger_url 不是可用的数据库地址（{type(error).__name__}）。请照 county.toml 的样例改写，并确认驱动已安装。"
            ) from None

    @contextmanager
    def begin(self, point: str = "", *, durable: bool = True) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back on any exception.

        point: its name in `delivery.points`; what the product writes has one.
        durable: whether it must outlast a power failure by itself; if not, it does once a later one has.
        LedgerError once the disk has failed to sync: this process writes nothing more.
        """
        with self._turn(), self._safe(), self._writing(durable) as conn, conn.begin():
            if not durable and not self.sqlite:
                conn.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield conn
            if point:
                points.reach(f"{point}:before_commit")
        if point:
            points.reach(f"{point}:after_commit")

    def _look_at(self, met: ExceptionContext) -> None:
        if getattr(met.original_exception, "sqlite_errorcode", None) in _NOT_SYNCED:
            self._not_synced = True

    @contextmanager
    def _safe(self) -> Iterator[None]:
        """Nothing is written after a sync that failed, and the failure has its own words."""
        if self._not_synced:
            raise LedgerError(_UNSAFE)
        try:
            yield
        except DatabaseError:
            if self._not_synced:
                raise LedgerError(_UNSAFE) from None
            raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite has one writer, and one that finds it busy sleeps ever longer: threads of a process queue up instead."""
        mine = self.sqlite and self._writer.acquire(timeout=_BUSY_SECONDS)
        try:
            yield
        finally:
            if mine:
                self._writer.release()

    @contextmanager
    def _writing(self, durable: bool) -> Iterator[Connection]:
        with self.engine.connect().execution_options(zz_write=True) as conn:
            raw: Any = None if durable or not self.sqlite else conn.connection.dbapi_connection
            if raw is None:
                yield conn
                return
            raw.execute("PRAGMA synchronous=NORMAL")
            try:
                yield conn
            finally:
                raw.execute("PRAGMA synchronous=FULL")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction that sees one moment, however many queries it makes; never waits for a writer."""
        options = {} if self.sqlite else {"isolation_level": "REPEATABLE READ"}  # a snapshot is all SQLite has
        with self.engine.connect().execution_options(**options) as conn, conn.begin():
            yield conn

    def migrate(self) -> None:
        """Bring the schema to the newest version; LedgerError if the database is not reachable."""
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        if self.sqlite and (name := make_url(self.url).database):
            _make_folder(Path(name).parent)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        try:
            with self.begin("migrate") as conn:
                if not self.sqlite:  # two processes that start together migrate one after the other
                    conn.exec_driver_sql("SELECT pg_advisory_xact_lock(610124001)")
                config.attributes["connection"] = conn
                command.upgrade(config, "head")
        except CommandError:
            raise LedgerError(
                f"业务数据库的结构比本软件新（{self._version()}），本软件不认识，未作任何改动。请装回较新的软件版本，或恢复与本版相配的备份。"
            ) from None
        except DatabaseError as error:
            shown = make_url(self.url).render_as_string(hide_password=True)
            said = next(iter(str(error.orig).strip().splitlines()), type(error.orig).__name__)
            raise LedgerError(f"业务数据库 {shown} 打不开：{said}。请检查 ledger_url 和数据库服务。") from None

    def _version(self) -> str:
        with self.read() as conn:
            return str(conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerError(
            f"业务数据库的文件夹 {folder} 建不了（{error.strerror}）。请检查 ledger_url 与该处的权限。"
        ) from None


def _engine(url: str, sqlite: bool) -> Engine:
    if not sqlite:
        # rows of one statement go over the wire by the hundred, not one by one
        batched = {"executemany_mode": "values_plus_batch"}
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=8, max_overflow=8, **batched)
    engine = create_engine(
        url,
        hide_parameters=True,  # a driver's message must not quote a record
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        pool_size=8,
        max_overflow=16,
    )
    event.listen(engine, "connect", _pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late; `_begin` sends ours
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(conn: Connection) -> None:
    # A writer takes its lock at once: a deferred one that upgrades later fails with "database is locked".
    write = conn.get_execution_options().get("zz_write", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
