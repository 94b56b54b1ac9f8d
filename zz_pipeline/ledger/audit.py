"""The audit chain: each event's hash covers the one before, so that a changed or missing event shows.

Belongs here: appending within the effect's own transaction, verifying. Must not: contents of records, secrets.
Source: 网络安全法 §21 (kept at least six months), GB/T 22239 level 3 (time, actor, event, object, success; protected).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from zz_pipeline.errors import AuditBroken
from zz_pipeline.ledger.schema import audit_event
from zz_pipeline.standard.canonical import canonical_json, sm3_hex

GENESIS = "0" * 64
_LOCK = 610124002


def append(
    conn: Connection, actor: str, type: str, object: str, ok: bool, detail: dict[str, Any], *, ts: float | None = None
) -> int:
    """Add one event in the caller's transaction; returns its number. AuditBroken if it cannot be written."""
    if conn.dialect.name == "postgresql":  # one appender at a time, until its transaction ends
        conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    last = conn.execute(select(audit_event.c.n, audit_event.c.h).order_by(audit_event.c.n.desc()).limit(1)).first()
    n, prev = (last.n + 1, last.h) if last else (1, GENESIS)
    row = {
        "n": n,
        "ts": ts if ts is not None else time.time(),
        "actor": actor,
        "type": type,
        "object": object,
        "ok": ok,
    }
    row["detail"] = canonical_json(detail).decode()
    try:
        conn.execute(insert(audit_event).values(**row, prev=prev, h=_hash(prev, row)))
    except Exception as error:
        raise AuditBroken("审计日志写不进去，已停止发送。请检查磁盘空间和业务数据库。") from error
    return n


@dataclass(frozen=True, slots=True)
class ChainState:
    """Result of a verification: `broken_at` is the first event that does not fit, None if the chain is whole."""

    events: int
    head: str
    broken_at: int | None


def verify(conn: Connection) -> ChainState:
    """Walk the whole chain; memory is bounded by the driver's fetch size."""
    prev, count = GENESIS, 0
    rows = conn.execution_options(yield_per=2000).execute(select(audit_event).order_by(audit_event.c.n))
    for row in rows.mappings():
        count += 1
        said = {k: row[k] for k in ("n", "ts", "actor", "type", "object", "ok", "detail")}
        if row["n"] != count or row["prev"] != prev or row["h"] != _hash(prev, said):
            return ChainState(count, prev, row["n"])
        prev = row["h"]
    return ChainState(count, prev, None)


def _hash(prev: str, row: dict[str, Any]) -> str:
    return sm3_hex(prev.encode() + canonical_json(row))
