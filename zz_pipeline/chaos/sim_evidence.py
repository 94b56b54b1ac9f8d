"""What a run leaves behind, as plain values: the platforms' histories and stores, the wire log, what was intended.

Belongs here: the values that the simulation writes and the checker reads. Must not: anything of the delivery protocol.

Times are virtual Unix seconds. `unit` of a record on a wire = (platform, kind, record key, version).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Unit = tuple[str, str, str, int]


class RowFact(NamedTuple):
    """An outbox row of a batch at the moment when its bytes left."""

    kind: str
    record_key: str
    version: int
    op: str
    state: str


@dataclass(frozen=True, slots=True)
class Intent:
    """What our ledger had committed when the first byte of a push left; `audited`: SEND events of that batch."""

    batch_id: str
    number: str
    epoch: int
    lane_epoch: int
    claimed_at: float
    audited: int
    rows: tuple[RowFact, ...]
    contested: tuple[str, ...] = ()  # record keys of the batch of which a row is in CONFLICT


@dataclass(slots=True)
class Request:
    """One request on the wire. `told`: what our side heard: yes | no | unknown | dead (nobody was left to hear it)."""

    n: int
    at: float
    platform: str
    dept: str  # whose credential signed it
    lane: str  # for whose lane our process worked
    process: int
    method: str
    path: str
    body: bytes = b""
    keys: tuple[str, ...] = ()  # remote keys in a push, or asked for
    contents: tuple[tuple[str, str], ...] = ()  # of a push: (remote key, digest of the wire record)
    codes: tuple[str, ...] = ()  # departments named inside a push
    number: str = ""  # batch number of a push or of a question
    intent: Intent | None = None
    in_transaction: bool = False
    told: str = "unknown"
    fault: str = ""
    retry_after: float | None = None
    ended_at: float = 0.0
    # of an honest answer to a question: remote key → digest of what the platform showed, "" for nothing
    shown: dict[str, str] = field(default_factory=dict)
    taken: bool = False  # the answer's consequences were committed by the process that heard it
    worker: bool = False  # by a lane's worker, not by a reconciliation
    credential_refused: bool = False
    told_well: bool = True  # an answer came, whatever it said; false: nothing that can be relied on

    @property
    def push(self) -> bool:
        """Whether it can change what the platform holds."""
        return bool(self.contents)

    @property
    def overtaken(self) -> bool:
        """Whether another process had taken the lane over when it left; within the send deadline that is allowed."""
        return self.intent is not None and self.intent.epoch < self.intent.lane_epoch


class Effect(NamedTuple):
    """A change of a platform's store. by: wire | hand | restore."""

    at: float
    platform: str
    kind: str
    remote_key: str
    record_key: str
    op: str  # PUT | REMOVE
    marker: str  # the version's own word in the content; empty for a removal
    version: int | None  # as the platform knows it
    digest: str
    owner: str
    by: str
    request: int | None = None


class Held(NamedTuple):
    """One entry of a platform's store."""

    kind: str
    remote_key: str
    record_key: str
    present: bool
    marker: str
    owner: str
    by: str
    digest: str


class Version(NamedTuple):
    """A version that was accepted, with its decision on one platform at acceptance."""

    platform: str
    kind: str
    record_key: str
    version: int
    owner: str
    op: str  # PUBLISH | CORRECT | WITHDRAW on this platform
    state: str  # decided at acceptance
    marker: str
    at: float


class Move(NamedTuple):
    """A committed change of an outbox row's state. `epoch`: of the process that wrote; None if it held no lane."""

    at: float
    platform: str
    kind: str
    record_key: str
    version: int
    old: str
    new: str
    lane_epoch: int | None
    epoch: int | None
    process: int


class Note(NamedTuple):
    """Something that happened beside the protocol: decision, restore of a platform or of our ledger, stop switch."""

    at: float
    what: str
    platform: str = ""
    record_key: str = ""
    detail: str = ""


@dataclass(slots=True)
class Evidence:
    """Everything the checker may look at. `tables`: rows of our ledger at the end, as plain mappings."""

    seed: int
    requests: list[Request] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    stores: dict[str, list[Held]] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    grants: list[tuple[float, str, str, int, int]] = field(
        default_factory=list
    )  # at, platform, department, epoch, process
    # what a platform has refused: (at, platform, remote key)
    refusals: list[tuple[float, str, str]] = field(default_factory=list)
    pending: dict[int, list[tuple[float, float]]] = field(
        default_factory=dict
    )  # push → when it was taken in, until judged
    tables: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)
    late_effect: float = 45.0
    send_deadline: float = 5.0
    uscc: dict[str, str] = field(default_factory=dict)  # department → code
    entry: str = ""
