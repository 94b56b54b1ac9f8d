"""Entries that a reconciliation has found on a platform and nobody of us sent: they hold back what we would put over them.

Belongs here: which record such an entry stands in the way of, handing it to a person with our row, closing it when it
turns out to be ours. Must not: HTTP, listing, a person's decision.

Only some platforms refuse a push over somebody else's entry; another one would simply replace it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select, update

from zz_pipeline.delivery.compare import record_keys
from zz_pipeline.delivery.protocol import Adapter, Remote, State
from zz_pipeline.delivery.rows import Facts, OutRow, advance
from zz_pipeline.delivery.states import Event
from zz_pipeline.ledger.schema import conflict, outbox

NOBODYS = 0  # version of a conflict that concerns no row of ours yet
KEPT = 35  # characters of a remote key that fit into a record key
REASON = "对账时查明平台上已有同一编号的其他内容（可能有人在平台手工录入），请核对后决定采用哪一份"


class Entry(NamedTuple):
    """An open conflict that no row of ours in CONFLICT stands for. `theirs`: "key STATE hash"."""

    number: int
    theirs: str
    over_ours: bool  # it stands in the place of something we had put there, so a withdrawal would take it down


Strange = Mapping[tuple[str, str], Sequence[Entry]]  # (kind, record key) → entries


def entries(conn: Connection, platform: str) -> Strange:
    """What is there under keys of records of ours and waits for a person, by the records it may stand in the way of."""
    found: dict[tuple[str, str], list[Entry]] = {}
    c = conflict.c
    query = select(c.id, c.kind, c.record_key, c.version, c.theirs).where(c.platform == platform, c.decision == "")
    open_ = conn.execute(query).all()
    waiting = _waiting(conn, platform) if any(version != NOBODYS for _, _, _, version, _ in open_) else set()
    for number, kind, key, version, theirs in open_:
        names = record_keys(theirs.split(" ")[0])
        if (kind, key, version) in waiting and key in names:
            continue  # about a row of that very record, whose own state holds the later ones back
        over_ours = version != NOBODYS and key in names
        for name in names:  # a suspected twin is written down with the other record, which it does not hold back
            found.setdefault((kind, name), []).append(Entry(number, theirs, over_ours))
    return found


def _waiting(conn: Connection, platform: str) -> set[tuple[str, str, int]]:
    """Rows that wait for a person's decision about what is there."""
    o = outbox.c
    query = select(o.kind, o.record_key, o.version).where(o.platform == platform, o.state == State.CONFLICT)
    return {(kind, key, version) for kind, key, version in conn.execute(query)}


def contested(conn: Connection, adapter: Adapter, row: OutRow, there: Strange, now: float) -> OutRow:
    """The rendered row in CONFLICT if what is there under its keys is not what it says; else the row as it is."""
    mine = there.get((row.key.kind, row.key.record_key), ())
    if row.op == "WITHDRAW":  # what nobody of us has put there it leaves alone
        mine = [entry for entry in mine if entry.over_ours and entry.theirs.split(" ")[1] == "PRESENT"]
    if not mine:
        return row
    ours = ["WITHDRAW"] if row.op == "WITHDRAW" else sorted({adapter.content_hash(wire) for wire in row.wires})
    if {tuple(entry.theirs.split(" ")[1:3]) for entry in mine} == {("PRESENT", digest) for digest in ours}:
        told: dict[str, Any] = {"decided_by": "lane", "decision": "与我方要报的内容相同"}
    else:
        told = {"record_key": row.key.record_key, "version": row.key.version, "ours": "\n".join(ours)}
        row = advance(row, Event.CONTESTED, Facts(now=now, reason=REASON))[0]
    numbers = [entry.number for entry in mine]
    conn.execute(update(conflict).where(conflict.c.id.in_(numbers)).values(**told))
    return row


def ours_after_all(conn: Connection, platform: str, remotes: Sequence[Remote]) -> None:
    """A reconciliation has found that these entries are ours: nobody has to decide about them."""
    for remote in remotes:
        mine = and_(conflict.c.platform == platform, conflict.c.kind == remote.kind, conflict.c.version == NOBODYS)
        here = and_(mine, conflict.c.record_key == remote.remote_key[:KEPT], conflict.c.decision == "")
        told = {"decided_by": "reconcile", "decision": "对账查明是我方所报"}
        conn.execute(update(conflict).where(here).values(**told))
