"""What we know a platform holds, and what it has said: the tables `holding` and `receipt`.

Belongs here: reading holdings of a record, taking over what a verdict proves. Must not: states of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, delete, insert, select, update

from zz_pipeline.delivery.protocol import Remote, RowKey, Verdict
from zz_pipeline.delivery.rows import CHUNK
from zz_pipeline.ledger.schema import holding, receipt
from zz_pipeline.standard.canonical import sm3_hex


def of_record(conn: Connection, platform: str, key: RowKey) -> dict[str, Remote]:
    """remote key → what the platform holds of that record, as far as we know."""
    return of_records(conn, platform, [key])


def of_records(conn: Connection, platform: str, keys: Iterable[RowKey]) -> dict[str, Remote]:
    """The holdings of several records of one kind in one mapping."""
    found: dict[str, Remote] = {}
    wanted = sorted({(key.kind, key.record_key) for key in keys})
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        names = holding.c.record_key.in_([name for _, name in part])
        where = and_(holding.c.platform == platform, holding.c.kind == part[0][0], names)
        for row in conn.execute(select(holding).where(where)):
            found[row.remote_key] = Remote(row.remote_key, row.kind, row.state, row.content_hash, row.version)
    return found


def take_over(conn: Connection, platform: str, dept: str, key: RowKey, remotes: Iterable[Remote], now: float) -> None:
    """Note what the platform now holds for that version; a later version's holding is never set back."""
    for remote in remotes:
        where = and_(
            holding.c.platform == platform, holding.c.kind == key.kind, holding.c.remote_key == remote.remote_key
        )
        values = {
            "record_key": key.record_key, "version": key.version, "dept": dept, "state": remote.state,
            "content_hash": remote.content_hash, "confirmed_at": now,
        }  # fmt: skip
        known = conn.execute(select(holding.c.version).where(where)).scalar()
        if known is None:
            names = {"platform": platform, "kind": key.kind, "remote_key": remote.remote_key}
            conn.execute(insert(holding).values(**names, **values))
        elif known <= key.version:
            conn.execute(update(holding).where(where).values(**values))


def forget(conn: Connection, platform: str, kind: str, remote_keys: Sequence[str]) -> None:
    """Note that a platform, asked twice, does not show these at all."""
    here = and_(holding.c.platform == platform, holding.c.kind == kind, holding.c.remote_key.in_(remote_keys))
    conn.execute(delete(holding).where(here))


def set_back(conn: Connection, platform: str, kind: str, remote_key: str, theirs: str) -> None:
    """Note that a platform holds an older content of ours again, as a stale difference tells it: "STATE hash[ 第 n 版]".

    Asked about the newer version, the platform then shows what we know, not a stranger's entry.
    """
    state, digest, *rest = theirs.split(" ")
    values = {"state": state, "content_hash": digest} | ({"version": int(rest[1])} if len(rest) == 3 else {})
    here = and_(holding.c.platform == platform, holding.c.kind == kind, holding.c.remote_key == remote_key)
    conn.execute(update(holding).where(here).values(**values))


def keep_receipt(conn: Connection, platform: str, verdict: Verdict, now: float) -> None:
    """Keep the platform's statement once; the same statement again changes nothing."""
    digest = sm3_hex(verdict.raw.encode())
    for remote_key in [remote.remote_key for remote in verdict.remotes] or [verdict.key.record_key]:
        same = and_(
            receipt.c.platform == platform, receipt.c.remote_key == remote_key,
            receipt.c.version == verdict.key.version, receipt.c.raw_digest == digest,
        )  # fmt: skip
        if conn.execute(select(receipt.c.id).where(same)).first() is None:
            kind, record_key, version = verdict.key
            said = {"receipt_no": verdict.receipt, "verdict": str(verdict.finding), "raw": verdict.raw}
            names = {"platform": platform, "kind": kind, "record_key": record_key, "version": version}
            conn.execute(
                insert(receipt).values(**names, **said, remote_key=remote_key, raw_digest=digest, received_at=now)
            )
