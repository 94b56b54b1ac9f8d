"""The order in which a lane's rows leave, chosen for many batches at once and looked at again for each.

Belongs here: choosing by deadline, what of the choice is still due. Must not: freezing, tokens, changing rows.

To put a lane in order costs as much as the lane has; done for each batch anew, a backlog ten times as long would cost a
hundred times as much. So the order is kept, and only the rows of the next batch are asked whether they still may leave.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, case, select

from zz_pipeline.delivery import gates
from zz_pipeline.delivery.lanes import Lane
from zz_pipeline.delivery.protocol import RowKey, State
from zz_pipeline.delivery.rows import CHUNK, OutRow, read_rows
from zz_pipeline.ledger.schema import outbox, record_version

MOST = 20_000  # rows chosen at once: four megabytes


class Ahead:
    """Keys and operations of rows in their order. What is accepted meanwhile waits until these are gone."""

    def __init__(self) -> None:
        self._ops: OrderedDict[RowKey, str] = OrderedDict()
        self._whole = True  # nothing else was due when they were chosen

    def clear(self) -> None:
        """Choose anew next time: something has come back, or stands elsewhere in the order."""
        self._ops.clear()

    def drop(self, keys: Iterable[RowKey]) -> None:
        """These have left, or are not due any more."""
        for key in keys:
            self._ops.pop(key, None)

    def lead(self) -> tuple[RowKey, str] | None:
        """The first row's key and operation."""
        return next(iter(self._ops.items()), None)

    def choose(self, conn: Connection, lane: Lane, entry: str, now: float) -> None:
        """Put what is due in order: nearest to the statutory limit first, then as it was accepted."""
        found = ordered(conn, due(lane, entry, now), MOST)
        self._ops = OrderedDict(found)
        self._whole = len(found) < MOST

    def alike(self, kind: str, ops: Collection[str], most: int) -> list[RowKey]:
        """The first so many keys of a kind and of these operations."""
        return list(islice((key for key, op in self._ops.items() if key.kind == kind and op in ops), most))

    def enough(self, found: Sequence[RowKey], most: int) -> bool:
        """Whether no later choice could give a fuller batch."""
        return self._whole or len(found) >= most


def due(lane: Lane, entry: str, now: float) -> Any:
    """READY rows of the lane that may leave now."""
    clocks = and_(outbox.c.next_at <= now, outbox.c.not_before <= now)
    return and_(gates.sendable(lane.platform, lane.dept, entry), clocks)


def ordered(conn: Connection, where: Any, limit: int) -> list[tuple[RowKey, str]]:
    """Keys and operations of the first rows that fulfil a condition."""
    v = record_version
    same = and_(v.c.kind == outbox.c.kind, v.c.record_key == outbox.c.record_key, v.c.version == outbox.c.version)
    order = (case((outbox.c.due.is_(None), 1), else_=0), outbox.c.due, v.c.accepted_at, outbox.c.record_key)
    query = select(outbox.c.kind, outbox.c.record_key, outbox.c.version, outbox.c.op).join_from(outbox, v, same)
    found = conn.execute(query.where(where).order_by(*order).limit(limit)).all()
    return [(RowKey(kind, record_key, version), op) for kind, record_key, version, op in found]


def still_due(conn: Connection, lane: Lane, entry: str, keys: Sequence[RowKey], now: float) -> list[OutRow]:
    """The rows of these keys, all of one kind, that may leave now, in the order of `keys`."""
    found: dict[RowKey, OutRow] = {}
    versions = sorted({key.version for key in keys})
    turn = gates.in_turn(lane.platform, entry)
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        # by the primary key alone: with department and state beside it SQLite reads the whole lane
        here = and_(outbox.c.platform == lane.platform, outbox.c.kind == part[0].kind, outbox.c.version.in_(versions))
        names = outbox.c.record_key.in_([key.record_key for key in part])
        found |= {row.key: row for row in read_rows(conn, here, names, turn)}
    rows = (found[key] for key in keys if key in found)
    return [row for row in rows if row.state is State.READY and row.next_at <= now]
