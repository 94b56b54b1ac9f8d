"""Outbox rows and batches between the database and the state machine: reading, moving, writing.

Belongs here: the typed row, `advance` (pure), and the only statement that writes a row's state.
Must not: transactions of its own, HTTP, decisions about what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, select, update

from zz_pipeline.delivery.protocol import Row, RowKey, State
from zz_pipeline.delivery.states import Do, Event, ImpossibleStep, Move, step
from zz_pipeline.ledger.bulk import Prepared
from zz_pipeline.ledger.schema import batch, outbox

Wire = tuple[dict[str, Any], ...]
CHUNK = 400  # keys in one IN (…): SQLite's older limit on variables is 999


@lru_cache(maxsize=4096)
def _parsed(wire: bytes) -> Wire:
    """A row is looked at several times between its claim and its answer; nobody changes what is given out here."""
    return tuple(orjson.loads(wire))


class OutRow(NamedTuple):
    """An outbox row. Times are Unix seconds; `wire` is None until the first claim froze it."""

    key: RowKey
    op: str
    state: State
    reason: str
    rule: str
    item_key: str
    wire: bytes | None
    batch_id: str | None
    epoch: int
    sent_at: float | None
    tries: int
    next_at: float
    absences: int
    first_absent_at: float | None
    receipt: str
    remote_code: str

    @property
    def wires(self) -> Wire:
        """The frozen wire records; empty if the row was never rendered."""
        return _parsed(self.wire) if self.wire else ()

    def seen(self) -> Row:
        """The row as adapters see it."""
        return Row(self.key, self.op, self.reason, self.rule, self.wires)


@dataclass(frozen=True, slots=True)
class Batch:
    """A frozen batch. States: FROZEN (may be sent as it is) · UNKNOWN · TAKEN_IN · LOST (was taken in, is gone) ·
    SPLIT (its rows go on in halves) · CLOSED."""

    batch_id: str
    path: str
    number: str
    body: bytes
    digest: str
    n: int
    state: str
    created_at: float
    next_at: float
    polls: int


class Facts(NamedTuple):
    """What a move needs to know of the moment: clocks, and the texts that go with the new state."""

    now: float
    ask_at: float = 0.0  # when to ask again after a failed or inconclusive answer
    send_at: float = 0.0  # when to send again
    quiet: float = 0.0
    gap: float = 1.0  # least time between two absences
    epoch: int = 0
    batch_id: str | None = None
    reason: str | None = None
    receipt: str = ""
    code: str = ""


def advance(row: OutRow, event: Event, facts: Facts) -> tuple[OutRow, Move]:
    """The row after `event`, and the move whose other effects the caller owes. Pure; ImpossibleStep if it cannot be."""
    if event in (Event.OVERRULED, Event.GONE) and row.batch_id is not None:
        raise ImpossibleStep(
            f"记录 {row.key.record_key} 第 {row.key.version} 版曾经报送过，不能不经查询再发。这是程序缺陷，请联系维护人员。"
        )
    move = step(row.state, event)
    values: dict[str, Any] = {"state": move.to}
    for do in move.do:
        values |= _COLUMNS[do](row, facts) if do in _COLUMNS else {}
    # A decision's reason is needed for the first rendering (a stop states it), so it stays until the wire is frozen.
    if facts.reason is not None and (row.wire is not None or move.to is not State.READY):
        values["reason"] = facts.reason
    if facts.receipt:
        values["receipt"] = facts.receipt
    if facts.code:
        values["remote_code"] = facts.code
    return row._replace(**values), move


def _sent(row: OutRow, facts: Facts) -> dict[str, Any]:
    return {"batch_id": facts.batch_id, "epoch": facts.epoch, "sent_at": facts.now, "tries": row.tries + 1}


def _note_absence(row: OutRow, facts: Facts) -> dict[str, Any]:
    return {"absences": row.absences + 1, "first_absent_at": row.first_absent_at or facts.now}


def _after_quiet(row: OutRow, facts: Facts) -> dict[str, Any]:
    return {"next_at": max((row.sent_at or facts.now) + facts.quiet, facts.now + facts.gap)}


_COLUMNS: dict[Do, Any] = {
    Do.SENT: _sent,
    Do.SEND_NOW: lambda row, facts: {"next_at": facts.now},
    Do.SEND_LATER: lambda row, facts: {"next_at": facts.send_at},
    Do.ASK_NOW: lambda row, facts: {"next_at": facts.now},
    Do.ASK_LATER: lambda row, facts: {"next_at": facts.ask_at},
    Do.ASK_AFTER_QUIET: _after_quiet,
    Do.NOTE_ABSENCE: _note_absence,
    Do.FORGET_ABSENCE: lambda row, facts: {"absences": 0, "first_absent_at": None},
}

_KEY = ("kind", "record_key", "version")
_MUTABLE = (
    "state", "reason", "rule", "wire", "batch_id", "epoch", "sent_at", "tries", "next_at", "absences",
    "first_absent_at", "receipt", "remote_code",
)  # fmt: skip
_STATES = {str(state): state for state in State}
_READ = tuple(outbox.c[name] for name in (*_KEY, "op", "item_key", *_MUTABLE))


def read_rows(conn: Connection, *where: ColumnElement[bool], lock: bool = True) -> list[OutRow]:
    """Rows that fulfil all conditions, in key order; locked until the transaction ends where the database can.

    They are locked in one order, too, but not in the primary key's: SQLite would walk through a whole platform for it.
    """
    query = select(*_READ).where(*where).order_by(outbox.c.record_key, outbox.c.kind, outbox.c.version)
    if lock:
        query = query.with_for_update()
    return sorted((_row(found) for found in conn.execute(query).all()), key=attrgetter("key"))


def read_keys(conn: Connection, platform: str, keys: Sequence[RowKey]) -> list[OutRow]:
    """The rows of exactly those keys that exist, in the order of `keys`."""
    found: dict[RowKey, OutRow] = {}
    for kind in sorted({key.kind for key in keys}):
        names = sorted({key.record_key for key in keys if key.kind == kind})
        for start in range(0, len(names), CHUNK):
            part = outbox.c.record_key.in_(names[start : start + CHUNK])
            versions = outbox.c.version.in_(sorted({key.version for key in keys if key.kind == kind}))
            where = (outbox.c.platform == platform, outbox.c.kind == kind, part, versions, outbox.c.state.in_(State))
            found |= {r.key: r for r in read_rows(conn, *where)}
    return [found[key] for key in keys if key in found]


def _row(found: Sequence[Any]) -> OutRow:
    kind, record_key, version, op, item_key, state, reason, rule, *rest = found
    return OutRow(
        RowKey(kind, record_key, version), op, _STATES.get(state) or State(state), reason, rule, item_key, *rest
    )


_SAVE = Prepared(
    "UPDATE outbox SET state = :state, reason = :reason, rule = :rule, wire = :wire, batch_id = :batch_id,"
    " epoch = :epoch, sent_at = :sent_at, tries = :tries, next_at = :next_at, absences = :absences,"
    " first_absent_at = :first_absent_at, receipt = :receipt, remote_code = :remote_code, updated_at = :now"
    " WHERE platform = :platform AND kind = :kind AND record_key = :record_key AND version = :version"
)


def save_rows(conn: Connection, platform: str, rows: Sequence[OutRow], now: float) -> None:
    """Write rows that `advance` made from rows read in this very transaction."""
    # in the order of _SAVE's names; a state's value, because a driver may not know what a state is
    _SAVE.write(
        conn,
        [
            (
                r.state.value, r.reason, r.rule, r.wire, r.batch_id, r.epoch, r.sent_at, r.tries, r.next_at, r.absences,
                r.first_absent_at, r.receipt, r.remote_code, now, platform, *r.key,
            )
            for r in rows
        ],
    )  # fmt: skip


_BATCH = ("batch_id", "path", "number", "body", "digest", "n", "state", "created_at", "next_at", "polls")


def read_batch(conn: Connection, batch_id: str) -> Batch | None:
    """The batch of that id."""
    found = conn.execute(select(*(batch.c[n] for n in _BATCH)).where(batch.c.batch_id == batch_id)).first()
    return Batch(**found._mapping) if found else None


def set_batch(conn: Connection, batch_id: str, **values: Any) -> None:
    """Change a batch's state or clocks; its bytes are never among `values`."""
    conn.execute(update(batch).where(batch.c.batch_id == batch_id).values(**values))
