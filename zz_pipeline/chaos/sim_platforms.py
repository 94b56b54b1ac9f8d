"""What the three simulated platforms have in common: a store, its history, batches, and that a backup brings it back.

Belongs here: entries, effects, restores. Must not: a contract's words (those are in `sim_contracts`), anything of ours.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar
from urllib.parse import parse_qs

from zz_pipeline.chaos.sim_evidence import Effect, Held

Said = tuple[int, dict[str, Any]]  # HTTP status and body
Key = tuple[str, str]  # kind, remote key
BEIJING = timezone(timedelta(hours=8))


def canonical(record: Mapping[str, Any]) -> bytes:
    """Canonical JSON of the gateway page."""
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@dataclass(slots=True)
class Item:
    """One entry of a store."""

    owner: str
    record_key: str
    present: bool
    marker: str
    digest: str
    version: int
    by: str
    receipt: str
    at: float
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """A batch number that was used, with what is known of it."""

    path: str
    body: bytes
    status: str
    answer: dict[str, Any]
    whole: bool = True
    request: int | None = None


@dataclass
class Platform:
    """What the three have in common: store, batches, history, a backup, and records it will not have."""

    paths: ClassVar[dict[str, str]] = {}

    name: str
    now: Callable[[], float]
    later: Callable[[float, Callable[[], None]], None]
    uscc: Mapping[str, str]
    delay: Callable[[], float] = lambda: 1.0  # how long an asynchronous check takes
    fails: Callable[[], bool] = lambda: False  # whether an asynchronous batch fails whole
    store: dict[Key, Item] = field(default_factory=dict)
    batches: dict[tuple[str, str], Batch] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)
    refusals: list[tuple[float, str, str]] = field(default_factory=list)
    taken_in: list[list[Any]] = field(default_factory=list)  # [push, from, until it was judged]
    request: int | None = None
    by: str = "wire"

    def put(
        self,
        dept: str,
        kind: str,
        key: str,
        record_key: str,
        marker: str,
        digest: str,
        version: int,
        record: Mapping[str, Any],
    ) -> Item:
        """Store content under a key and write it down."""
        receipt = f"SN{len(self.effects) + 1:08d}"
        item = Item(dept, record_key, True, marker, digest, version, self.by, receipt, self.now(), dict(record))
        return self._keep(kind, key, item, "PUT")

    def remove(self, dept: str, kind: str, key: str, record_key: str, digest: str, version: int) -> Item:
        """Withdraw what is stored under a key and write it down."""
        receipt = f"SN{len(self.effects) + 1:08d}"
        item = Item(dept, record_key, False, "", digest, version, self.by, receipt, self.now())
        return self._keep(kind, key, item, "REMOVE")

    def _keep(self, kind: str, key: str, item: Item, op: str) -> Item:
        self.store.pop((kind, key), None)  # order of the list is by last change
        self.store[kind, key] = item
        version = item.version if self.name == "double_random" else None
        self.effects.append(
            Effect(
                self.now(), self.name, kind, key, item.record_key, op, item.marker, version, item.digest, item.owner,
                item.by, self.request if item.by == "wire" else None,
            )
        )  # fmt: skip
        return item

    def refuse(self, *keys: str) -> None:
        """Write down that these were not stored, by their own fault."""
        self.refusals += [(self.now(), self.name, key) for key in keys]

    def held(self) -> list[Held]:
        """The store as plain values."""
        return [
            Held(kind, key, i.record_key, i.present, i.marker, i.owner, i.by, i.digest)
            for (kind, key), i in self.store.items()
        ]

    def push(self, dept: str, path: str, body: bytes, most: int | None = None) -> Said:
        """What the platform does with a batch; `most`: it breaks down after so many records."""
        raise TypeError(self.name)

    def ask(self, dept: str, path: str, query: str) -> Said:
        """What the platform answers to a question."""
        raise TypeError(self.name)

    def backup(self) -> Any:
        """Everything that a restore brings back."""
        return copy.deepcopy((self.store, self.batches))

    def restore(self, kept: Any) -> None:
        """Forget everything since the backup."""
        before = self.store
        for waiting in self.taken_in:
            waiting[2] = min(waiting[2], self.now())
        self.store, self.batches = copy.deepcopy(kept)
        gone = [k for k in {**before, **self.store} if before.get(k) != self.store.get(k)]
        for kind, key in sorted(gone):
            i = self.store.get((kind, key))
            known = i or before[kind, key]
            self.effects.append(
                Effect(
                    self.now(), self.name, kind, key, known.record_key, "PUT" if i and i.present else "REMOVE",
                    i.marker if i else "", i.version if i and self.name == "double_random" else None,
                    i.digest if i else "", known.owner, "restore",
                )
            )  # fmt: skip

    def quota(self) -> dict[str, Any]:
        """`data` of /quota."""
        return {"rate": 10, "burst": 20, "daily_records": 200_000, "used_today": len(self.effects)}

    def mine(self, dept: str, kind: str, keys: list[str] | None) -> list[tuple[str, Item]]:
        """The credential's department's entries, by key or all, in order of change."""
        return [
            (key, item)
            for (k, key), item in self.store.items()
            if k == kind and item.owner == dept and (keys is None or key in keys)
        ]


def asked(query: str) -> dict[str, str]:
    """A query's parameters."""
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def single(keys: list[str] | None, item: Item) -> dict[str, Any]:
    """What an answer to a question for single keys holds besides."""
    return {} if keys is None else {"record": item.record}


def stamp(at: float) -> str:
    """A moment as the contracts write it: Beijing time to the second."""
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def owner_of(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The department code inside a record."""
    return next((str(record[n]) for n in names if n in record), "")
