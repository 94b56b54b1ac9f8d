"""Comparing a platform's list with what we believe it holds: typed differences, no effects.

Belongs here: the six types of difference and how they are told apart. Must not: HTTP, writing, repairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zz_pipeline.delivery.protocol import Remote, RowKey, State
from zz_pipeline.delivery.rows import OutRow
from zz_pipeline.delivery.states import OUT


@dataclass(frozen=True, slots=True)
class Held:
    """One holding of ours; `confirmed_at` in Unix seconds."""

    remote_key: str
    key: RowKey
    state: str  # PRESENT | WITHDRAWN
    content_hash: str
    confirmed_at: float


@dataclass(frozen=True, slots=True)
class Found:
    """One difference. `key` is our row it concerns, if any; `person`: nothing is repaired without one."""

    type: str  # lost | unexpected | altered | stale | recovered
    remote_key: str
    kind: str
    ours: str
    theirs: str
    key: RowKey | None = None
    remotes: tuple[Remote, ...] = ()
    person: bool = False


RowsOf = Callable[[str], Sequence[OutRow]]  # remote key → our rows of that record, newest first
HashesOf = Callable[[OutRow], frozenset[str]]  # content hashes of what the row sends or would send


def record_keys(remote_key: str) -> tuple[str, ...]:
    """Record keys that a remote key may stand for: itself, or itself without item code or `-R2`."""
    head, dash, _ = remote_key.rpartition("-")
    return (remote_key, head) if dash else (remote_key,)


def same(held: Held, remote: Remote) -> bool:
    """Whether the platform shows what we believe; what hash a withdrawn record has is not said by the contracts."""
    return held.state == remote.state and (held.state == "WITHDRAWN" or held.content_hash == remote.content_hash)


def differences(
    kind: str, held: Mapping[str, Held], theirs: Mapping[str, Remote], rows_of: RowsOf, hashes_of: HashesOf
) -> Iterator[Found]:
    """What the platform shows and we do not believe. Rows that are just being judged are left to delivery."""
    recovered: set[RowKey] = set()
    for remote in theirs.values():
        mine = held.get(remote.remote_key)
        if mine is not None and same(mine, remote):
            continue
        rows = rows_of(remote.remote_key)
        found = _recovered(kind, mine, remote, rows, theirs, hashes_of)
        if found is None:
            found = _foreign(kind, mine, remote, rows, hashes_of)
        if found is not None and found.type == "recovered":
            found = None if found.key in recovered else found
            recovered.update([found.key] if found and found.key else [])
        if found is not None:
            yield found


def missing(held: Mapping[str, Held], theirs: Mapping[str, Remote], since: float, rows_of: RowsOf) -> Iterator[Held]:
    """What was confirmed since then and is not in the list; a full list must say so too before it is called lost."""
    for mine in held.values():
        expected = mine.state == "PRESENT" and mine.confirmed_at >= since and mine.remote_key not in theirs
        if expected and not any(row.state in OUT for row in rows_of(mine.remote_key)):
            yield mine


def lost(mine: Held) -> Found:
    """A confirmed record that the platform does not show at all."""
    return Found("lost", mine.remote_key, mine.key.kind, _held(mine), "平台清单中没有", mine.key)


def _recovered(
    kind: str,
    mine: Held | None,
    remote: Remote,
    rows: Sequence[OutRow],
    theirs: Mapping[str, Remote],
    hashes_of: HashesOf,
) -> Found | None:
    """A row of ours whose whole content is there, though we do not know it yet."""
    for row in rows:
        known = mine is not None and row.key.version <= mine.key.version  # then it is an older content come back
        if known or row.op == "WITHDRAW" or row.state not in (State.UNKNOWN, State.READY, State.CONFIRMED):
            continue
        hashes = hashes_of(row)
        if remote.state != "PRESENT" or remote.content_hash not in hashes:
            continue
        there = [
            t for t in theirs.values() if t.content_hash in hashes and row.key.record_key in record_keys(t.remote_key)
        ]
        if {t.content_hash for t in there if t.state == "PRESENT"} == hashes:
            return Found(
                "recovered", remote.remote_key, kind, f"{row.state} 第 {row.key.version} 版", _remote(remote),
                row.key, tuple(there),
            )  # fmt: skip
    return None


def _foreign(kind: str, mine: Held | None, remote: Remote, rows: Sequence[OutRow], hashes_of: HashesOf) -> Found | None:
    if any(row.state in (*OUT, State.CONFLICT) for row in rows):
        return None
    if mine is None:
        waits = any(row.state is State.READY for row in rows)  # delivery will hear of it when it sends
        return Found("unexpected", remote.remote_key, kind, "没有报送记录", _remote(remote), person=not waits)
    older = [row for row in rows if row.key.version < mine.key.version]
    behind = remote.version is not None and remote.version < mine.key.version
    if behind or (remote.state == "PRESENT" and any(remote.content_hash in hashes_of(row) for row in older)):
        return Found("stale", remote.remote_key, kind, _held(mine), _remote(remote), mine.key)
    return Found("altered", remote.remote_key, kind, _held(mine), _remote(remote), mine.key, (remote,), person=True)


def _held(mine: Held) -> str:
    return f"{mine.state} 第 {mine.key.version} 版 {mine.content_hash}"


def _remote(remote: Remote) -> str:
    return f"{remote.state} {remote.content_hash}" + (f" 第 {remote.version} 版" if remote.version is not None else "")
