"""One check under two numbers on a platform: an entry nobody of us made that says what a record of ours says.

Belongs here: matching strange entries with our own by subject, task and item. Must not: a platform's field names, effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson
from sqlalchemy import Connection, and_, select

from zz_pipeline.delivery import compare
from zz_pipeline.delivery.compare import Found
from zz_pipeline.delivery.protocol import Adapter, Call, Identifies, RowKey, State
from zz_pipeline.ledger.schema import outbox

MOST = 1000  # strange entries looked at in one comparison; more are no slips of a clerk


def identified(
    conn: Connection, platform: str, dept: str, kind: str, adapter: Adapter, call: Call, strange: Sequence[Found]
) -> Iterator[Found]:
    """The strange entries, each as a duplicate if a confirmed record of the department says the same.

    The department's confirmed rows are read through once, and only where a platform shows strange entries at all.
    """
    if not strange or not isinstance(adapter, Identifies):
        yield from strange
        return
    said = adapter.contents(call, kind, [found.remote_key for found in strange])
    names = {key: adapter.identity(wire) for key, wire in said.items()}
    ours = _ours(conn, platform, dept, kind, adapter, {name for name in names.values() if name})
    for found in strange:
        twin = ours.get(names.get(found.remote_key, ""))
        yield found if twin is None else compare.duplicate(found, twin)


def _ours(
    conn: Connection, platform: str, dept: str, kind: str, adapter: Identifies, wanted: set[str]
) -> dict[str, RowKey]:
    mine = and_(outbox.c.platform == platform, outbox.c.dept == dept, outbox.c.state == State.CONFIRMED)
    query = select(outbox.c.record_key, outbox.c.version, outbox.c.wire).where(mine, outbox.c.kind == kind)
    found: dict[str, RowKey] = {}
    for row in conn.execute(query.where(outbox.c.op != "WITHDRAW"), execution_options={"yield_per": 500}):
        for wire in orjson.loads(row.wire) if row.wire else ():
            name = adapter.identity(wire)
            if name in wanted:
                found[name] = RowKey(kind, row.record_key, row.version)
    return found
