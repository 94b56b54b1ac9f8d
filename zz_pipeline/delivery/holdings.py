"""What we know a platform holds, and what it has said: the tables `holding` and `receipt`.

Belongs here: reading holdings of a record, taking over what a verdict proves. Must not: states of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, delete, exists, select, update

from zz_pipeline.delivery.protocol import Remote, RowKey, State, Verdict
from zz_pipeline.delivery.rows import CHUNK
from zz_pipeline.delivery.states import OUT
from zz_pipeline.ledger.bulk import Prepared
from zz_pipeline.ledger.schema import holding, outbox
from zz_pipeline.standard.canonical import sm3_hex

# Statements of both databases, prepared once: an answer names hundreds of records.
_HOLD = Prepared(
    "INSERT INTO holding (platform, kind, remote_key, record_key, version, dept, state, content_hash, confirmed_at)"
    " VALUES (:platform, :kind, :remote_key, :record_key, :version, :dept, :state, :content_hash, :now)"
    " ON CONFLICT (platform, kind, remote_key) DO UPDATE SET record_key = excluded.record_key,"
    " version = excluded.version, dept = excluded.dept, state = excluded.state,"
    " content_hash = excluded.content_hash, confirmed_at = excluded.confirmed_at"
    " WHERE holding.version <= excluded.version"
)
_KEEP = Prepared(
    "INSERT INTO receipt (platform, kind, record_key, version, remote_key, receipt_no, verdict, raw, raw_digest,"
    " received_at) VALUES (:platform, :kind, :record_key, :version, :remote_key, :receipt_no, :verdict, :raw,"
    " :raw_digest, :now) ON CONFLICT (platform, remote_key, version, raw_digest) DO NOTHING"
)


def of_record(conn: Connection, platform: str, key: RowKey) -> dict[str, Remote]:
    """remote key → what the platform holds of that record, as far as we know."""
    return of_records(conn, platform, [key])


def of_records(conn: Connection, platform: str, keys: Iterable[RowKey]) -> dict[str, Remote]:
    """The holdings of several records of one kind in one mapping."""
    return {name: remote for held in of_each(conn, platform, keys).values() for name, remote in held.items()}


def of_each(conn: Connection, platform: str, keys: Iterable[RowKey]) -> dict[str, dict[str, Remote]]:
    """record key → its holdings, for several records of one kind; a record of which nothing is held is left out."""
    found: dict[str, dict[str, Remote]] = {}
    wanted = sorted({(key.kind, key.record_key) for key in keys})
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        names = holding.c.record_key.in_([name for _, name in part])
        where = and_(holding.c.platform == platform, holding.c.kind == part[0][0], names)
        for row in conn.execute(select(holding).where(where)):
            remote = Remote(row.remote_key, row.kind, row.state, row.content_hash, row.version)
            found.setdefault(row.record_key, {})[row.remote_key] = remote
    return found


def once_there(conn: Connection, platform: str, keys: Sequence[RowKey]) -> set[str]:
    """Those records of one kind of which a version is confirmed: without a holding, asking has shown them to be gone."""
    o, found = outbox.c, set[str]()
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        where = (o.platform == platform, o.kind == part[0].kind, o.record_key.in_([key.record_key for key in part]))
        found |= set(conn.execute(select(o.record_key).where(*where, o.state == State.CONFIRMED)).scalars())
    return found


def take_over(conn: Connection, platform: str, dept: str, key: RowKey, remotes: Iterable[Remote], now: float) -> None:
    """Note what the platform now holds for that version; a later version's holding is never set back."""
    noted = Noted()
    noted.holding(key, remotes)
    noted.write(conn, platform, dept, now)


class Noted:
    """What the verdicts of one answer prove, collected, so that it is written by one statement a table."""

    def __init__(self) -> None:
        self._holdings: list[tuple[RowKey, Remote]] = []
        self._receipts: list[tuple[str, Verdict]] = []

    def holding(self, key: RowKey, remotes: Iterable[Remote]) -> None:
        """The platform now holds this for that version; a later version's holding is never set back."""
        self._holdings += [(key, remote) for remote in remotes]

    def receipt(self, verdict: Verdict) -> None:
        """The platform's statement; the same statement again changes nothing."""
        names = [remote.remote_key for remote in verdict.remotes] or [verdict.key.record_key]
        self._receipts += [(name, verdict) for name in names]

    def write(self, conn: Connection, platform: str, dept: str, now: float) -> None:
        """Write all of it in the caller's transaction; the tuples are in the order of the statements' names."""
        _HOLD.write(
            conn,
            [
                (platform, key.kind, there.remote_key, key.record_key, key.version, dept, there.state,
                 there.content_hash, now)
                for key, there in self._holdings
            ],
        )  # fmt: skip
        _KEEP.write(
            conn,
            [
                (platform, *said.key, name, said.receipt, said.finding.value, said.raw, sm3_hex(said.raw.encode()), now)
                for name, said in self._receipts
            ],
        )


def forget(conn: Connection, platform: str, kind: str, remote_keys: Sequence[str]) -> None:
    """Note that a platform, asked twice or listed in full, does not show these at all."""
    here = and_(holding.c.platform == platform, holding.c.kind == kind, holding.c.remote_key.in_(remote_keys))
    conn.execute(delete(holding).where(here))


def inherit(conn: Connection, platform: str, key: RowKey, state: str) -> None:
    """Note that what is there in that state is from now on what a version says that needed no sending.

    If the platform loses it, it is this version that is sent again; the earlier one is not, behind a later one.
    """
    mine = and_(holding.c.platform == platform, holding.c.kind == key.kind, holding.c.record_key == key.record_key)
    older = and_(mine, holding.c.version < key.version, holding.c.state == state)
    conn.execute(update(holding).where(older).values(version=key.version))


def set_back(conn: Connection, platform: str, kind: str, remote_key: str, theirs: str) -> None:
    """Note that a platform holds an older content of ours again, as a stale difference tells it: "STATE hash[ 第 n 版]".

    Asked about the newer version, the platform then shows what we know, not a stranger's entry. Not if a later version
    has left meanwhile: what was withdrawn before it is not sent for again, and we would believe in both from then on.
    """
    state, digest, *rest = theirs.split(" ")
    values = {"state": state, "content_hash": digest} | ({"version": int(rest[1])} if len(rest) == 3 else {})
    here = and_(holding.c.platform == platform, holding.c.kind == kind, holding.c.remote_key == remote_key)
    same = and_(outbox.c.platform == platform, outbox.c.kind == kind, outbox.c.record_key == holding.c.record_key)
    later = and_(same, outbox.c.version > holding.c.version, outbox.c.state.in_((*OUT, State.CONFIRMED)))
    other = holding.alias("other")  # of a later version that a person has given up although it stands there
    beside = and_(other.c.platform == platform, other.c.kind == kind, other.c.record_key == holding.c.record_key)
    newer = select(other.c.version).where(beside, other.c.version > holding.c.version)
    free = and_(here, ~exists(select(outbox.c.version).where(later)), ~exists(newer))
    conn.execute(update(holding).where(free).values(**values))
