"""Blocks → the department's own database: one flat table, or a main table and its items.

Belongs here: tables made from a layout, inserting and updating in place, any SQLAlchemy URL. Must not: words (`cells`).
A correction keeps the rows' ids; a state older than the stored one changes nothing, for a system of record never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    NullPool,
    Table,
    Text,
    create_engine,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

from mock_platforms.county.cells import Block, Row
from mock_platforms.county.layout_model import Column as Heading
from mock_platforms.county.layout_model import Layout

ID = "ID_"
LINK = "ZB_ID"
_CHUNK = 500  # SQLite allows 999 variables by default


class _Declared(UserDefinedType[Any]):
    """A column type by name. SQLite keeps what does not fit as it is, which is how such systems hold defects."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class _Part:
    """One table of a layout: which cells go there."""

    table: Table
    places: tuple[int, ...]

    def values(self, row: Row) -> dict[str, Any]:
        names = [c.name for c in self.table.columns if c.name not in (ID, LINK)]
        return {
            name: None if row.cells[place] is None else str(row.cells[place])
            for name, place in zip(names, self.places, strict=True)
        }


def write_database(url: str, layout: Layout, blocks: Sequence[Block], *, first: bool) -> None:
    """Bring the department's database to the given states; `first` makes its tables anew."""
    engine = create_engine(url, poolclass=NullPool)
    meta = MetaData()
    main, items = _parts(layout, meta)
    try:
        with engine.begin() as connection:
            if first:
                meta.drop_all(connection)
            meta.create_all(connection)
            _write(connection, layout, main, items, _newest(blocks))
    finally:
        engine.dispose()


def _newest(blocks: Iterable[Block]) -> dict[str, Block]:
    ordered = sorted(blocks, key=lambda one: one.changed)
    return {one.key: one for one in ordered}


def _parts(layout: Layout, meta: MetaData) -> tuple[_Part, _Part | None]:
    """The main table (or the flat one) and the table of items, if the department has one."""
    numbered = list(enumerate(layout.columns))
    if not layout.item_table:
        return _part(layout.table, meta, numbered), None
    main = _part(layout.table, meta, [(n, c) for n, c in numbered if not c.of_item])
    return main, _part(layout.item_table, meta, [(n, c) for n, c in numbered if c.of_item], linked=True)


def _part(name: str, meta: MetaData, columns: Sequence[tuple[int, Heading]], linked: bool = False) -> _Part:
    own: list[Column[Any]] = [Column(ID, Integer, primary_key=True, autoincrement=False)]
    if linked:
        own.append(Column(LINK, Integer, index=True))
    own += [Column(c.heading, _type(c), index=c.field in ("@key", "changed_at")) for _, c in columns]
    return _Part(Table(name, meta, *own), tuple(place for place, _ in columns))


def _type(column: Heading) -> TypeEngine[Any]:
    """Declared types hold on SQLite; elsewhere only the change time is typed, so that planted defects fit."""
    if not column.type:
        return Text()
    typed = Text().with_variant(_Declared(column.type), "sqlite")
    return typed.with_variant(DateTime(), "postgresql") if column.field == "changed_at" else typed


def _write(
    connection: Connection, layout: Layout, main: _Part, items: _Part | None, blocks: Mapping[str, Block]
) -> None:
    key, changed = layout.heading("@key"), layout.heading("changed_at")
    blocks = {f"{layout.key}{name}": one for name, one in blocks.items()}
    stored = _stored(connection, main.table, key, changed, list(blocks))
    ids = {part.table.name: _next_id(connection, part.table) for part in (main, items) if part}
    new: dict[str, list[dict[str, Any]]] = {name: [] for name in ids}
    for name, one in blocks.items():
        ids_here, moment = stored.get(name, ([], ""))
        if moment > f"{one.changed:%Y-%m-%d %H:%M:%S}":
            continue
        if items is None:
            new[main.table.name] += _place(connection, main, ids_here, one.rows, ids[main.table.name])
            continue
        opened = _place(connection, main, ids_here, one.rows[:1], ids[main.table.name])
        new[main.table.name] += opened
        link = opened[0][ID] if opened else ids_here[0]
        below = _linked(connection, items.table, link) if ids_here else []
        added = _place(connection, items, below, one.rows, ids[items.table.name])
        new[items.table.name] += [{**values, LINK: link} for values in added]
    for part in (main, items):
        if part and new[part.table.name]:
            connection.execute(insert(part.table), new[part.table.name])


def _place(
    connection: Connection, part: _Part, ids: Sequence[int], rows: Sequence[Row], fresh: Iterator[int]
) -> list[dict[str, Any]]:
    """Update rows in place, delete those that are no more, and give back the values of those to be inserted."""
    for number, row in zip(ids, rows, strict=False):
        connection.execute(update(part.table).where(part.table.c[ID] == number).values(part.values(row)))
    if len(ids) > len(rows):
        connection.execute(delete(part.table).where(part.table.c[ID].in_(ids[len(rows) :])))
    return [{ID: next(fresh), **part.values(row)} for row in rows[len(ids) :]]


def _stored(
    connection: Connection, table: Table, key: str, changed: str, names: Sequence[str]
) -> dict[str, tuple[list[int], str]]:
    found: dict[str, tuple[list[int], str]] = {}
    for start in range(0, len(names), _CHUNK):
        wanted = table.c[key].in_(names[start : start + _CHUNK])
        query = select(table.c[ID], table.c[key], table.c[changed]).where(wanted).order_by(table.c[ID])
        for number, name, moment in connection.execute(query):
            found.setdefault(name, ([], str(moment)[:19]))[0].append(number)
    return found


def _linked(connection: Connection, table: Table, link: int) -> list[int]:
    return list(connection.scalars(select(table.c[ID]).where(table.c[LINK] == link).order_by(table.c[ID])))


def _next_id(connection: Connection, table: Table) -> Iterator[int]:
    return count((connection.scalar(select(func.max(table.c[ID]))) or 0) + 1)
