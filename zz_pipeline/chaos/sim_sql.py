"""The few forms of SQL that the protocol uses, put together as text: some ten times cheaper than SQLAlchemy's.

Belongs here: stand-ins for `select`, `update`, `case`, tables and columns. Must not: be used in production, run anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from zz_pipeline.ledger import schema

Args = tuple[Any, ...]


class Bind:
    """A named parameter."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class X:
    """An expression: its text with `?`, the values for them, and the tables it speaks of."""

    __slots__ = ("args", "froms", "name", "sql")
    __hash__ = object.__hash__

    def __init__(self, sql: str, args: Args = (), froms: tuple[str, ...] = (), name: str = "") -> None:
        self.sql, self.args, self.froms, self.name = sql, args, froms, name

    def _with(self, op: str, other: Any) -> X:
        if type(other) not in SPOKEN:
            return X(f"({self.sql} {op} ?)", (*self.args, other), self.froms)
        right = spoken(other)
        return X(f"({self.sql} {op} {right.sql})", self.args + right.args, self.froms + right.froms)

    def __eq__(self, other: object) -> X:  # type: ignore[override]  # - an expression, as in SQLAlchemy
        return self._with("IS" if other is None else "=", other)

    def __ne__(self, other: object) -> X:  # type: ignore[override]  # - an expression, as in SQLAlchemy
        return self._with("IS NOT" if other is None else "<>", other)

    def __lt__(self, other: Any) -> X:
        return self._with("<", other)

    def __le__(self, other: Any) -> X:
        return self._with("<=", other)

    def __gt__(self, other: Any) -> X:
        return self._with(">", other)

    def __ge__(self, other: Any) -> X:
        return self._with(">=", other)

    def __add__(self, other: Any) -> X:
        return self._with("+", other)

    def __sub__(self, other: Any) -> X:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> X:
        return spoken(other)._with("-", self)

    def __mul__(self, other: Any) -> X:
        return self._with("*", other)

    def __and__(self, other: Any) -> X:
        return self._with("AND", other)

    def __or__(self, other: Any) -> X:
        return self._with("OR", other)

    def __invert__(self) -> X:
        return X(f"(NOT {self.sql})", self.args, self.froms)

    def is_(self, other: Any) -> X:
        """IS."""
        return self._with("IS", other)

    def is_not(self, other: Any) -> X:
        """IS NOT."""
        return self._with("IS NOT", other)

    def like(self, other: Any) -> X:
        """LIKE."""
        return self._with("LIKE", other)

    def in_(self, values: Any) -> X:
        """IN a list or a query."""
        if isinstance(values, Select):
            inner = values.compiled()
            return X(f"({self.sql} IN ({inner[0]}))", self.args + inner[1], self.froms)
        found = tuple(values)
        return X(f"({self.sql} IN ({_marks(len(found))}))", self.args + found, self.froms)

    def not_in(self, values: Any) -> X:
        """NOT IN."""
        return ~self.in_(values)

    def desc(self) -> X:
        """Descending."""
        return X(f"{self.sql} DESC", self.args, self.froms)

    def label(self, name: str) -> X:
        """A name for the result."""
        return X(self.sql, self.args, self.froms, name)


class Name(X):
    """A column: it is made once, so that what is put together of columns alone can be kept."""

    __slots__ = ()
    __hash__ = object.__hash__


@cache
def _marks(count: int) -> str:
    return ",".join("?" * count)


def spoken(value: Any) -> X:
    if type(value) is X or type(value) is Name:
        return value
    if isinstance(value, Select):
        inner = value.compiled()
        return X(f"({inner[0]})", inner[1])
    return X("NULL") if value is None else X("?", (value,))


class Columns:
    """`table.c`."""

    def __init__(self, table: str, names: Sequence[str]) -> None:
        for name in names:
            setattr(self, name, Name(f'{table}."{name}"', (), (table,), name))
        self._names = tuple(names)

    def __getitem__(self, name: str) -> X:
        found: X = getattr(self, name)
        return found

    def __iter__(self) -> Iterator[X]:
        return (getattr(self, name) for name in self._names)


class Table:
    """A table or an alias of one."""

    def __init__(self, name: str, names: Sequence[str], defaults: Mapping[str, Any], of: str = "") -> None:
        self.name, self.names, self.defaults = name, names, defaults
        self.text = f"{of} AS {name}" if of else name
        self.c = Columns(name, names)
        self.columns = self.c

    def alias(self, name: str) -> Table:
        """The table under another name."""
        return _alias(self, name)


@cache
def _alias(table: Table, name: str) -> Table:
    return Table(name, table.names, {}, table.name)


@cache
def table(name: str) -> Table:
    """The stand-in of a table of the schema."""
    real = schema.metadata.tables[name]
    defaults = {c.name: c.default.arg for c in real.columns if c.default is not None}  # type: ignore[attr-defined]  # scalars
    return Table(name, [c.name for c in real.columns], defaults)


class Select:
    """A query; every method gives a new one."""

    def __init__(self, *columns: Any) -> None:
        self.names, self.head, self.args, self.froms = (
            _kept_head(columns) if _LASTING.issuperset(map(type, columns)) else _head(columns)
        )
        self.wheres: tuple[X, ...] = ()
        self.orders: tuple[X, ...] = ()
        self.groups: tuple[X, ...] = ()
        self.most: int | None = None
        self.unique = False
        self.source = ""
        self.source_args: Args = ()

    def _new(self, **values: Any) -> Select:
        made = Select.__new__(type(self))
        made.__dict__ = self.__dict__ | values
        return made

    def where(self, *conditions: X) -> Select:
        """AND."""
        return self._new(wheres=self.wheres + conditions)

    def order_by(self, *orders: X) -> Select:
        """ORDER BY."""
        return self._new(orders=self.orders + orders)

    def group_by(self, *groups: X) -> Select:
        """GROUP BY."""
        return self._new(groups=self.groups + groups)

    def limit(self, most: int) -> Select:
        """LIMIT."""
        return self._new(most=most)

    def distinct(self) -> Select:
        """DISTINCT."""
        return self._new(unique=True)

    def with_for_update(self, **_: Any) -> Select:
        """SQLite has one writer."""
        return self

    def select_from(self, source: Table) -> Select:
        """FROM."""
        return self._new(source=source.text)

    def join_from(self, left: Table, right: Table, on: X) -> Select:
        """FROM … JOIN … ON."""
        return self._new(source=f"{left.text} JOIN {right.text} ON {on.sql}", source_args=on.args)

    def exists(self) -> X:
        """EXISTS."""
        return exists(self)

    def scalar_subquery(self) -> X:
        """As a value."""
        return spoken(self)

    def compiled(self) -> tuple[str, Args]:
        """Text and values."""
        source = self.source or self.froms
        if not source:
            froms = {name for condition in self.wheres for name in condition.froms}
            source = ", ".join(_FROM[name] for name in sorted(froms))
        text = f"SELECT {'DISTINCT ' if self.unique else ''}{self.head} FROM {source}"  # noqa: S608 - names of the schema and question marks
        args = self.args + self.source_args
        for word, parts, glue in (
            (" WHERE ", self.wheres, " AND "),
            (" GROUP BY ", self.groups, ", "),
            (" ORDER BY ", self.orders, ", "),
        ):
            if parts:
                text += word + glue.join([p.sql for p in parts])
                for part in parts:
                    args += part.args
        return (text, args) if self.most is None else (f"{text} LIMIT {int(self.most)}", args)


def _head(columns: Args) -> tuple[tuple[str, ...], str, Args, str]:
    """Names of a query's columns, their text and values, and the tables they speak of."""
    found: list[X] = []
    for column in columns:
        found += list(column.c) if isinstance(column, Table) else [spoken(column)]
    args: Args = ()
    for one in found:
        args += one.args
    froms = ", ".join(_FROM[name] for name in sorted({name for one in found for name in one.froms}))
    return tuple(one.name for one in found), ", ".join(one.sql for one in found), args, froms


class _From(dict[str, str]):
    """Names of tables are themselves, names of aliases say of what."""

    def __missing__(self, name: str) -> str:
        return name


_FROM = _From({name: f"outbox AS {name}" for name in ("before", "later", "gate")} | {"other": "holding AS other"})


SPOKEN = frozenset((X, Name, Select, type(None)))
_LASTING = frozenset((Name, Table))
_kept_head = cache(_head)


def select(*columns: Any) -> Select:
    """SELECT."""
    return Select(*columns)


def _joined(word: str, parts: Sequence[Any]) -> X:
    found = [spoken(p) for p in parts]
    args: Args = ()
    froms: tuple[str, ...] = ()
    for part in found:
        args += part.args
        froms += part.froms
    return X(f"({f' {word} '.join([p.sql for p in found])})", args, froms)


def and_(*parts: Any) -> X:
    """AND."""
    return _joined("AND", parts)


def or_(*parts: Any) -> X:
    """OR."""
    return _joined("OR", parts)


def exists(query: Select) -> X:
    """EXISTS; what stands outside is not its table."""
    text, args = query.compiled()
    return X(f"EXISTS ({text})", args)


def case(*whens: tuple[X, Any], else_: Any = None) -> X:
    """CASE WHEN … ELSE … END."""
    text, args, froms = "CASE", (), ()  # type: str, Args, tuple[str, ...]
    for condition, value in whens:
        then = spoken(value)
        text += f" WHEN {condition.sql} THEN {then.sql}"
        args += condition.args + then.args
        froms += condition.froms + then.froms
    other = spoken(else_)
    return X(f"{text} ELSE {other.sql} END", args + other.args, froms + other.froms)


def bindparam(name: str) -> X:
    """A named parameter."""
    return X("?", (Bind(name),))


class _Functions:
    """`func.min(x)`, `func.count()` and the like."""

    def __getattr__(self, name: str) -> Any:
        def call(*parts: Any) -> X:
            inner = _joined(",", parts) if parts else X("(*)")
            return X(f"{name}{inner.sql}", inner.args, inner.froms, name)

        return call


func = _Functions()
