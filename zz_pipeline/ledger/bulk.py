"""Many rows by one prepared statement: what takes in or settles hundreds of records speaks to the database through this.

Belongs here: INSERT statements derived from the schema and statements written out, for rows as tuples; the condition
"one of these many keys".
Must not: knowledge of a table, transactions, statements put together from data.

SQLAlchemy's own way of many rows looks at every value of every row again; these rows come from one place and are all of
one form, so their statement is compiled once and the rows go to the driver as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Connection, String, Table, any_, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

_NAME = re.compile(r"(?<!:):([a-z_]+)")
_MARKS = {"qmark": "?", "format": "%s", "pyformat": "%s"}
PART = 4000  # records whose rows are in hand at once
_DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),
}


class Prepared:
    """A statement with `:name` for its values and no other colon, percent sign or question mark in it."""

    def __init__(self, statement: str) -> None:
        self._statements = {style: _NAME.sub(mark, statement) for style, mark in _MARKS.items()}

    def write(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute it for each row; a row has the values in the order of the names, of types that the driver takes."""
        if rows:
            conn.exec_driver_sql(self._statements[conn.dialect.paramstyle], rows)


def write(conn: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values stand in the order of `names`; columns that are not named are NULL."""
    if rows:
        conn.exec_driver_sql(_insert(table, names, conn.dialect.name), list(rows))


@lru_cache(maxsize=64)
def _insert(table: Table, names: tuple[str, ...], dialect: str) -> str:
    """The statement; LookupError if a column is named that the table lacks, or one with a default is left out.

    A default of the schema is applied by SQLAlchemy, which does not see these rows.
    """
    unknown = set(names) - set(table.c.keys())
    unsaid = [c.name for c in table.c if c.name not in names and not c.nullable]
    if unknown or unsaid:
        raise LookupError(f"{table.name}: {sorted(unknown)} {unsaid}")
    compiled = insert(table).compile(dialect=_DIALECTS[dialect], column_keys=list(names))
    if tuple(compiled.positiontup or ()) != names:
        raise LookupError(f"{table.name}: columns are named in the order of the schema")
    return str(compiled)


def among(conn: Connection, column: ColumnElement[Any], keys: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text column holds one of the keys: one parameter however many they are."""
    if conn.dialect.name == "sqlite":
        told = func.json_each(literal(orjson.dumps(list(keys)).decode())).table_valued("value")
        return column.in_(select(told.c.value))
    return column == any_(literal(list(keys), ARRAY(String)))
