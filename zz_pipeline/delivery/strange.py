"""Entries that a reconciliation has found on a platform and nobody of us sent: they hold back what we would put over them.

Belongs here: which record such an entry stands in the way of, handing it to a person with our row, closing it when it
turns out to be ours. Must not: HTTP, listing, a person's decision.

Only some platforms refuse a push over somebody else's entry; another one would simply replace it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, select, update

from zz_pipeline.delivery.compare import record_keys
from zz_pipeline.delivery.protocol import Adapter, Remote
from zz_pipeline.delivery.rows import Facts, OutRow, advance
from zz_pipeline.delivery.states import Event
from zz_pipeline.ledger.schema import conflict

NOBODYS = 0  # version of a conflict that concerns no row of ours yet
KEPT = 35  # characters of a remote key that fit into a record key
REASON = "对账时查明平台上已有同一编号的其他内容（可能有人在平台手工录入），请核对后决定采用哪一份"

Strange = Mapping[tuple[str, str], Sequence[tuple[int, str]]]  # (kind, record key) → (conflict, "key STATE hash")


def entries(conn: Connection, platform: str) -> Strange:
    """What is there under keys of records of ours and waits for a person, by the records it may stand in the way of."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    c = conflict.c
    query = select(c.id, c.kind, c.record_key, c.version, c.theirs).where(c.platform == platform, c.decision == "")
    for number, kind, key, version, theirs in conn.execute(query):
        names = record_keys(theirs.split(" ")[0])
        if version != NOBODYS and key in names:
            continue  # about a row of that very record, whose own state holds the later ones back
        for name in names:  # a suspected twin is written down with the other record, which it does not hold back
            found.setdefault((kind, name), []).append((number, theirs))
    return found


def contested(conn: Connection, adapter: Adapter, row: OutRow, there: Strange, now: float) -> OutRow:
    """The rendered row in CONFLICT if what is there under its keys is not what it says; else the row as it is."""
    mine = there.get((row.key.kind, row.key.record_key), ())
    if not mine or row.op == "WITHDRAW":
        return row
    ours = sorted({adapter.content_hash(wire) for wire in row.wires})
    if {tuple(theirs.split(" ")[1:3]) for _, theirs in mine} == {("PRESENT", digest) for digest in ours}:
        told: dict[str, Any] = {"decided_by": "lane", "decision": "与我方要报的内容相同"}
    else:
        told = {"record_key": row.key.record_key, "version": row.key.version, "ours": "\n".join(ours)}
        row = advance(row, Event.CONTESTED, Facts(now=now, reason=REASON))[0]
    numbers = [number for number, _ in mine]
    conn.execute(update(conflict).where(conflict.c.id.in_(numbers)).values(**told))
    return row


def ours_after_all(conn: Connection, platform: str, remotes: Sequence[Remote]) -> None:
    """A reconciliation has found that these entries are ours: nobody has to decide about them."""
    for remote in remotes:
        mine = and_(conflict.c.platform == platform, conflict.c.kind == remote.kind, conflict.c.version == NOBODYS)
        here = and_(mine, conflict.c.record_key == remote.remote_key[:KEPT], conflict.c.decision == "")
        told = {"decided_by": "reconcile", "decision": "对账查明是我方所报"}
        conn.execute(update(conflict).where(here).values(**told))
