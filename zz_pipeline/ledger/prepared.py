"""One prepared statement for many rows: values go to the driver as they are, by position.

Belongs here: naming of parameters, handing over. Must not: particular statements, transactions.

SQLAlchemy names, copies and looks at every value of every row; for an answer about hundreds of records that costs more
than the database does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

_NAME = re.compile(r"(?<!:):([a-z_]+)")
_MARKS = {"qmark": "?", "format": "%s", "pyformat": "%s"}


class Prepared:
    """A statement with `:name` for its values and no other colon, percent sign or question mark in it."""

    def __init__(self, statement: str) -> None:
        self.names = tuple(_NAME.findall(statement))
        self._statements = {style: _NAME.sub(mark, statement) for style, mark in _MARKS.items()}

    def write(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute it for each row; a row has the values in the order of `names`, of types that the driver takes."""
        if rows:
            conn.exec_driver_sql(self._statements[conn.dialect.paramstyle], rows)

    def write_named(self, conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same with the values by name."""
        self.write(conn, [tuple(row[name] for name in self.names) for row in rows])
