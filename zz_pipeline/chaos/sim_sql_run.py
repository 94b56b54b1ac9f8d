"""Running what `sim_sql` puts together, and letting the core speak it for a while.

Belongs here: a connection on SQLite, results, the exchange of names in the core's modules.
Must not: be used in production. A test runs the same seeds with SQLAlchemy and with this and compares their traces; a
form that is missing fails loudly.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from operator import itemgetter
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import sqlalchemy
from sqlalchemy.exc import IntegrityError, NoResultFound

from zz_pipeline.chaos import sim_sql, sim_sql_write
from zz_pipeline.chaos.sim_sql import Args, Bind, Select, table
from zz_pipeline.chaos.sim_sql_write import Write
from zz_pipeline.delivery import gates, lanes
from zz_pipeline.ledger import bulk, schema

_PLAIN = {str, int, float, bytes, bool, type(None)}


@cache
def _row(names: tuple[str, ...]) -> type:
    """A tuple with named fields."""
    fields: dict[str, Any] = {name: property(itemgetter(n)) for n, name in enumerate(names) if name}
    mapping = property(lambda row: dict(zip(names, row, strict=True)))
    return type("Row", (tuple,), {"__slots__": (), "_mapping": mapping, **fields})


class Result:
    """What came back, all of it."""

    def __init__(self, rows: list[Any], rowcount: int, lastrowid: int | None) -> None:
        self.rows, self.rowcount, self.inserted_primary_key = rows, rowcount, (lastrowid,)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def all(self) -> list[Any]:
        """All rows."""
        return self.rows

    def first(self) -> Any:
        """The first row or None."""
        return self.rows[0] if self.rows else None

    one_or_none = first

    def one(self) -> Any:
        """The only row."""
        if len(self.rows) != 1:
            raise NoResultFound(f"{len(self.rows)} rows")
        return self.rows[0]

    def scalar(self) -> Any:
        """The first value or None."""
        return self.rows[0][0] if self.rows else None

    def scalar_one(self) -> Any:
        """The only row's value."""
        return self.one()[0]

    def scalars(self) -> Result:
        """The first value of each row."""
        return Result([row[0] for row in self.rows], self.rowcount, None)

    def mappings(self) -> Result:
        """Rows as mappings."""
        return Result([row._mapping for row in self.rows], self.rowcount, None)


class Fast:
    """A connection that runs these forms; what else the protocol asks of one."""

    dialect = SimpleNamespace(name="sqlite", paramstyle="qmark")

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    def execute(self, query: Any, parameters: Any = None, **_: Any) -> Result:
        """Run a query or a write, once or for each of many parameters."""
        if type(query) is Select and parameters is None:
            return self._run(*query.compiled(), query)
        if isinstance(query, sqlalchemy.TextClause):
            return self._text(query.text, parameters)
        rows = parameters
        if isinstance(query, Write) and query.kind == "INSERT":
            rows = query.data if isinstance(query.data, list) else parameters
            if isinstance(rows, list):
                for row in rows:
                    self._run(*query.compiled(query.data | row if isinstance(query.data, dict) else row), query)
                return Result([], len(rows), None)
        text, args = query.compiled()
        if isinstance(rows, list):
            for row in rows:
                self._run(text, tuple(row[a.name] if type(a) is Bind else a for a in args), query)
            return Result([], len(rows), None)
        return self._run(text, args, query)

    def exec_driver_sql(self, text: str, rows: list[tuple[Any, ...]]) -> None:
        """A statement of the driver's own, for each of many rows (`bulk.Prepared`)."""
        self.raw.executemany(text, rows)

    def _text(self, text: str, parameters: Any) -> Result:
        """A statement that is text already, with parameters by name."""
        for row in parameters if isinstance(parameters, list) else [parameters or {}]:
            values = {name: v if type(v) in _PLAIN else str(v) for name, v in row.items()}
            cursor = self.raw.execute(text, values)
        if cursor.description is None:
            return Result([], cursor.rowcount, cursor.lastrowid)
        made = _row(tuple(column[0] for column in cursor.description))
        found = list(map(made, cursor.fetchall()))
        return Result(found, len(found), None)

    def _run(self, text: str, args: Args, query: Any) -> Result:
        try:
            cursor = self.raw.execute(text, args)  # an enumeration is a text, for SQLite too
        except sqlite3.IntegrityError as error:
            raise IntegrityError(text, None, error) from error
        if cursor.description is None:
            return Result([], cursor.rowcount, cursor.lastrowid)
        found = cursor.fetchall()
        if not found:
            return Result(found, 0, None)
        return Result(list(map(_row(query.names), found)), len(found), None)

    @contextmanager
    def begin_nested(self) -> Iterator[None]:
        """A savepoint."""
        self.raw.execute("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            self.raw.execute("ROLLBACK TO nested")
            raise
        finally:
            self.raw.execute("RELEASE nested")

    def scalar(self, query: Any) -> Any:
        """The first value."""
        return self.execute(query).scalar()

    def scalars(self, query: Any) -> Result:
        """First values."""
        return self.execute(query).scalars()

    def execution_options(self, **_: Any) -> Fast:
        """Nothing to choose."""
        return self


_PURE = (
    (gates, "mine"), (gates, "sendable"), (gates, "in_turn"), (gates, "_superseded"), (lanes, "_mine"),
)  # fmt: skip
_NAMES = {
    name: getattr(place, name)
    for place, names in (
        (sim_sql, ("select", "and_", "or_", "exists", "case", "bindparam", "func")),
        (sim_sql_write, ("insert", "update", "delete")),
    )
    for name in names
}


def _stand_ins() -> dict[int, Any]:
    found = {id(getattr(sqlalchemy, name)): value for name, value in _NAMES.items()}
    return found | {id(real): table(name) for name, real in schema.metadata.tables.items()}


def _columns(value: Any) -> Any:
    """A module's constant tuple of columns in the same form; None if it is none."""
    if not (type(value) is tuple and value and all(isinstance(v, sqlalchemy.Column) for v in value)):
        return None
    return tuple(table(v.table.name).c[v.name] for v in value)


def _among(_: Any, column: Any, keys: Any) -> Any:
    """`bulk.among` in this form."""
    return column.in_(list(keys))


def _written(conn: Fast, into: Any, names: tuple[str, ...], rows: Any) -> None:
    """`bulk.write` in this form, where a column that is not named is NULL too."""
    missing = {name: None for name in into.names if name not in names}
    insert = sim_sql_write.insert(into)
    conn.execute(insert, [missing | dict(zip(names, row, strict=True)) for row in rows])


@contextmanager
def fast_sql() -> Iterator[None]:
    """Every module of the core speaks these forms for the duration; the ledger's connection must be a `Fast` one."""
    known = _stand_ins()
    with ExitStack() as stack:
        for name, module in sorted(sys.modules.items()):
            if not name.startswith("zz_pipeline.") or ".chaos" in name or module is schema or ".migrations" in name:
                continue
            for attribute, value in list(vars(module).items()):
                other = known.get(id(value)) or _columns(value)
                if other is not None:
                    stack.enter_context(patch.object(module, attribute, other))
        stack.enter_context(patch.multiple(bulk, among=_among, write=_written))
        for place, name in _PURE:  # conditions that only names decide are put together once
            stack.enter_context(patch.object(place, name, cache(getattr(place, name))))
        yield
