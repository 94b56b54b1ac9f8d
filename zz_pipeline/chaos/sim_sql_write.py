"""INSERT, UPDATE and DELETE in the simulator's form of SQL.

Belongs here: stand-ins for `insert`, `update`, `delete`. Must not: be used in production, run anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from zz_pipeline.chaos.sim_sql import SPOKEN, Args, Table, X, spoken


class Write:
    """INSERT, UPDATE or DELETE; every method gives a new one."""

    def __init__(self, kind: str, target: Table) -> None:
        self.kind, self.target = kind, target
        self.data: Any = {}
        self.wheres: tuple[X, ...] = ()
        self.back: tuple[X, ...] = ()
        self.names: tuple[str, ...] = ()

    def _new(self, **values: Any) -> Write:
        made = Write.__new__(Write)
        made.__dict__ = self.__dict__ | values
        return made

    def values(self, data: Any = None, **more: Any) -> Write:
        """SET or VALUES."""
        return self._new(data=data if isinstance(data, list) else self.data | (data or {}) | more)

    def where(self, *conditions: X) -> Write:
        """AND."""
        return self._new(wheres=self.wheres + conditions)

    def returning(self, *columns: X) -> Write:
        """RETURNING."""
        return self._new(back=columns, names=tuple(c.name for c in columns))

    def compiled(self, row: Mapping[str, Any] | None = None) -> tuple[str, Args]:
        """Text and values; `row`: of an INSERT."""
        args: Args = ()
        if self.kind == "INSERT":
            values = {**self.target.defaults, **(self.data if row is None else row)}
            text, args = _said(_insertion, self.target.name, values)
        elif self.kind == "UPDATE":
            text, args = _said(_change, self.target.name, self.data)
        else:
            text = f"DELETE FROM {self.target.name}"  # noqa: S608 - names of the schema and question marks
        for part in self.wheres:
            args += part.args
        if self.wheres:
            text += " WHERE " + " AND ".join([w.sql for w in self.wheres])
        if self.back:
            text += " RETURNING " + ", ".join(b.sql for b in self.back)
        return text, args


def _said(form: Any, target: str, values: Mapping[str, Any]) -> tuple[str, Args]:
    """Text and values of what is written; the text is put together once for plain values of the same names."""
    if SPOKEN.isdisjoint(map(type, values.values())):
        return form(target, tuple(values), ("?",) * len(values)), tuple(values.values())
    parts = [spoken(v) for v in values.values()]
    args: Args = ()
    for part in parts:
        args += part.args
    return form(target, tuple(values), tuple(part.sql for part in parts)), args


@cache
def _insertion(target: str, names: tuple[str, ...], parts: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {target} ({columns}) VALUES ({', '.join(parts)})"  # noqa: S608 - names of the schema and question marks


@cache
def _change(target: str, names: tuple[str, ...], parts: tuple[str, ...]) -> str:
    pairs = (f'"{name}" = {part}' for name, part in zip(names, parts, strict=True))
    return f"UPDATE {target} SET {', '.join(pairs)}"  # noqa: S608 - names of the schema and question marks


def insert(target: Table) -> Write:
    """INSERT."""
    return Write("INSERT", target)


def update(target: Table) -> Write:
    """UPDATE."""
    return Write("UPDATE", target)


def delete(target: Table) -> Write:
    """DELETE."""
    return Write("DELETE", target)
