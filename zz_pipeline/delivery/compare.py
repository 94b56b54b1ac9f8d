"""Comparing a platform's list with what we believe it holds: typed differences, no effects.

Belongs here: the types of difference and how they are told apart. Must not: HTTP, writing, repairs.
Where both sides say the same the scratch database passes over it (`delivery.listed`); what is kept in memory is one part
of the rest and the last few records that were told.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from zz_pipeline.delivery.listed import Held, Listed
from zz_pipeline.delivery.protocol import Remote, RowKey, State
from zz_pipeline.delivery.rows import CHUNK, OutRow
from zz_pipeline.delivery.states import OUT

Pair = tuple[Remote, Held | None]
REMEMBERED = 2000  # records told as recovered lately; the entries of one record lie close together


@dataclass(frozen=True, slots=True)
class Found:
    """One difference. `key` is our row it concerns, if any; `person`: nothing is repaired without one."""

    type: str  # lost | unexpected | altered | duplicate | stale | recovered
    remote_key: str
    kind: str
    ours: str
    theirs: str
    key: RowKey | None = None
    remotes: tuple[Remote, ...] = ()
    person: bool = False


class Book(Protocol):
    """Our side of the comparison, asked for in parts."""

    def foresee(self, remote_keys: Sequence[str]) -> None:
        """Rows of these records (at most `CHUNK`) will be asked for."""
        ...

    def rows(self, remote_key: str) -> Sequence[OutRow]:
        """Our rows of the record behind a remote key, newest first."""
        ...

    def hashes(self, row: OutRow, remote: Remote | None = None) -> Iterable[frozenset[str]]:
        """Content hashes of what the row sent; of a row never frozen, what it would have sent when `remote` changed."""
        ...


def record_keys(remote_key: str) -> tuple[str, ...]:
    """Record keys that a remote key may stand for: itself, or itself without item code or `-R2`."""
    head, dash, _ = remote_key.rpartition("-")
    return (remote_key, head) if dash else (remote_key,)


def same(held: Held, remote: Remote) -> bool:
    """Whether the platform shows what we believe; what hash a withdrawn record has is not said by the contracts."""
    return held.state == remote.state and (held.state == "WITHDRAWN" or held.content_hash == remote.content_hash)


def differences(kind: str, theirs: Listed, book: Book, only: Iterable[Pair] | None = None) -> Iterator[Found]:
    """What the platform shows and we do not believe. Rows that are just being judged are left to delivery.

    only: the entries to judge, if not all that differ.
    """
    told: OrderedDict[RowKey, None] = OrderedDict()
    source = theirs.differing() if only is None else only
    pairs = ((remote, mine) for remote, mine in source if mine is None or not same(mine, remote))
    while part := list(islice(pairs, CHUNK)):
        book.foresee([remote.remote_key for remote, _ in part])
        for remote, mine in part:
            found = _judged(kind, mine, remote, theirs, book)
            if found is None or (found.type == "recovered" and found.key in told):
                continue
            if found.type == "recovered" and found.key is not None:
                told[found.key] = None
                if len(told) > REMEMBERED:
                    told.popitem(last=False)
            yield found


def missing(theirs: Listed, since: float, book: Book) -> Iterator[Held]:
    """What was confirmed since then and is not in the list; a full list must say so too before it is called lost."""
    source = theirs.absent(since)
    while part := list(islice(source, CHUNK)):
        book.foresee([mine.remote_key for mine in part])
        for mine in part:
            if not any(row.state in OUT for row in book.rows(mine.remote_key)):
                yield mine


def lost(mine: Held) -> Found:
    """A confirmed record that the platform does not show at all."""
    return Found("lost", mine.remote_key, mine.key.kind, _held(mine), "平台清单中没有", mine.key)


def duplicate(found: Found, ours: RowKey) -> Found:
    """An entry nobody of us made that says what a record of ours says: the same check under a second number."""
    return Found(
        "duplicate", found.remote_key, found.kind, f"与 {ours.record_key} 是同一次检查", found.theirs, ours, person=True
    )


def _judged(kind: str, mine: Held | None, remote: Remote, theirs: Listed, book: Book) -> Found | None:
    rows = book.rows(remote.remote_key)
    return _recovered(kind, mine, remote, rows, theirs, book) or _foreign(kind, mine, remote, rows, book)


def _recovered(
    kind: str, mine: Held | None, remote: Remote, rows: Sequence[OutRow], theirs: Listed, book: Book
) -> Found | None:
    """A row of ours whose whole content is there, though we do not know it yet."""
    for row in rows:
        known = mine is not None and row.key.version <= mine.key.version  # then it is an older content come back
        if known or row.op == "WITHDRAW" or row.state not in (State.UNKNOWN, State.READY, State.CONFIRMED):
            continue
        for hashes in book.hashes(row, remote):
            if remote.state != "PRESENT" or remote.content_hash not in hashes:
                continue
            listed = [t for t in theirs.of_record(row.key.record_key) if t.content_hash in hashes]
            there = tuple(t for t in listed if row.key.record_key in record_keys(t.remote_key))
            if {t.content_hash for t in there if t.state == "PRESENT"} == hashes:
                ours = f"{row.state} 第 {row.key.version} 版"
                return Found("recovered", remote.remote_key, kind, ours, _remote(remote), row.key, there)
    return None


def _foreign(kind: str, mine: Held | None, remote: Remote, rows: Sequence[OutRow], book: Book) -> Found | None:
    if any(row.state in (*OUT, State.CONFLICT) for row in rows):
        return None
    if mine is None:
        return Found("unexpected", remote.remote_key, kind, "没有报送记录", _remote(remote), person=True)
    newer = next((row for row in rows if row.key.version > mine.key.version and row.state is State.CONFIRMED), None)
    if newer is not None and newer.op != "WITHDRAW" and remote.state == "PRESENT" != mine.state:
        # what was taken down is back beside what came after it; its withdrawal is not sent again behind a later version
        said = f"第 {mine.key.version} 版已撤下它，现行的是第 {newer.key.version} 版：请在平台上撤下它，再对现行版重试"
        return Found("altered", remote.remote_key, kind, said, _remote(remote), newer.key, (remote,), person=True)
    older = [row for row in rows if row.key.version < mine.key.version]
    known = {digest for row in older for hashes in book.hashes(row) for digest in hashes}
    taken_back = remote.state == "WITHDRAWN" and any(row.op == "WITHDRAW" for row in older)
    # an older version whose content was never ours was typed in by somebody: that is no stale copy
    if taken_back or (remote.state == "PRESENT" and remote.content_hash in known):
        return Found("stale", remote.remote_key, kind, _held(mine), _remote(remote), mine.key)
    return Found("altered", remote.remote_key, kind, _held(mine), _remote(remote), mine.key, (remote,), person=True)


def _held(mine: Held) -> str:
    return f"{mine.state} 第 {mine.key.version} 版 {mine.content_hash}"


def _remote(remote: Remote) -> str:
    return f"{remote.state} {remote.content_hash}" + (f" 第 {remote.version} 版" if remote.version is not None else "")
