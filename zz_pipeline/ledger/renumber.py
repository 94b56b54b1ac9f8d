"""A version that never left gets a higher number: a restored ledger counts on from what a platform has seen.

Belongs here: moving one unsent version with its rows to another number. Must not: contents, states, deciding when.

A night after a restore reads everything since the watermark at once: three versions of before may now be one, and the
entry platform, which knows versions, holds the same content under the third. Numbers may have gaps (double_random.md).
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import outbox, record_head, record_version
from zz_pipeline.ledger.versions import heads_of
from zz_pipeline.standard.canonical import sm3_hex


def renumber(conn: Connection, kind: str, key: str, old: int, new: int, actor: str) -> bool:
    """Move the newest version `old` to `new` if nothing of it was ever sent anywhere; whether it was moved."""
    head = heads_of(conn, kind, [key]).get(key)
    mine = (outbox.c.kind == kind) & (outbox.c.record_key == key) & (outbox.c.version == old)
    rows = conn.execute(select(outbox).where(mine)).all()
    if head is None or head.version != old or new <= old or any(row.batch_id or row.wire for row in rows):
        return False
    v = record_version
    here = (v.c.kind == kind) & (v.c.record_key == key) & (v.c.version == old)
    values = dict(conn.execute(select(v).where(here)).one()._mapping)
    conn.execute(insert(v).values(**values | {"version": new}))
    for row in rows:
        # as `versions` makes it: the number is part of what makes a row unique
        said = "|".join(("zz1", row.platform, key, str(new), row.op, values["digest"], kind))
        to = {"version": new, "item_key": sm3_hex(said.encode())}
        conn.execute(update(outbox).where(mine, outbox.c.platform == row.platform).values(**to))
    conn.execute(delete(v).where(here))
    where = (record_head.c.kind == kind) & (record_head.c.record_key == key)
    conn.execute(update(record_head).where(where).values(version=new))
    audit.append(conn, actor, "RENUMBER", key, True, {"kind": kind, "from": old, "to": new})
    return True
