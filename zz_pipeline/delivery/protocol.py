"""The words that lanes and platform adapters share.

Belongs here: typed values that cross the border between the protocol and a platform's contract.
Must not: behaviour, SQL, HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from zz_pipeline.settings import Department
from zz_pipeline.standard.results import FollowUps


class State(StrEnum):
    """States of an outbox row (design 5)."""

    READY = "READY"
    INFLIGHT = "INFLIGHT"
    ACCEPTED = "ACCEPTED"  # taken in, receipt outstanding
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    HELD = "HELD"
    BLOCKED = "BLOCKED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    CANCELLED = "CANCELLED"
    CONFLICT = "CONFLICT"
    DEAD = "DEAD"


class RowKey(NamedTuple):
    """Identity of an outbox row within a platform."""

    kind: str
    record_key: str
    version: int


class Transport(StrEnum):
    """What is known of a call on the wire before anybody reads the body."""

    ANSWERED = "ANSWERED"  # a complete answer: HTTP status and body are there, body read as JSON if it is JSON
    NO_CONNECT = "NO_CONNECT"  # DNS, refused, TLS failure: no byte left
    UNKNOWN = "UNKNOWN"  # time-out, reset, 3xx, answer too large, cut or unreadable


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of one call. `json` is None if the body is not exactly one JSON value without repeated keys."""

    transport: Transport
    http: int | None = None
    json: Any = None
    body_digest: str = ""
    retry_after: float | None = None
    error: str = ""
    nonce: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    skew_seconds: float | None = None  # the platform's Date header minus our clock, if it gave one


class Call(Protocol):
    """One signed call in a department's name: `call("GET", "/api/v1/records", query="kind=…")`."""

    def __call__(self, method: str, path: str, *, query: str = "", body: bytes | None = None) -> Reply: ...


class Remote(NamedTuple):
    """One thing a platform holds, as its list or an answer shows it. A tuple: a list may have millions of them."""

    remote_key: str
    kind: str
    state: str  # PRESENT | WITHDRAWN
    content_hash: str
    version: int | None = None
    receipt: str = ""
    updated_at: str = ""


class Row(NamedTuple):
    """An outbox row as an adapter sees it. `wire` is frozen at the first claim and never changes afterwards."""

    key: RowKey
    op: str  # PUBLISH | CORRECT | WITHDRAW
    reason: str = ""
    rule: str = ""
    wire: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """A frozen batch: the bytes that were or will be sent, and the rows in them."""

    batch_id: str
    department: Department
    number: str
    path: str
    kind: str
    body: bytes
    rows: tuple[Row, ...]


class Finding(StrEnum):
    """What an answer says of one row."""

    STORED = "STORED"  # there, with our content (DUPLICATE and repeated success included)
    REFUSED = "REFUSED"  # judged and not stored: a fault in the data
    ABSENT = "ABSENT"  # asked: not there (until now)
    DIFFERENT = "DIFFERENT"  # there under our key with other content or a newer version
    PENDING = "PENDING"  # taken in, judgement outstanding
    UNSAID = "UNSAID"  # the answer does not say: unknown


class Verdict(NamedTuple):
    """The finding for one row, with what proves it. `remotes` is what the platform now holds for the row."""

    key: RowKey
    finding: Finding
    receipt: str = ""
    code: str = ""
    message: str = ""  # the platform's words; masked before it is stored
    remotes: tuple[Remote, ...] = ()
    raw: str = ""  # JSON of the platform's statement without contents
    missing: tuple[str, ...] = ()  # with ABSENT: remote keys that the platform, asked for them, does not show at all


class Effect(StrEnum):
    """What an answer says of the batch as a whole."""

    JUDGED = "JUDGED"  # a verdict for each row (UNSAID allowed)
    TAKEN_IN = "TAKEN_IN"  # receipts must be polled
    ASK = "ASK"  # processed, but which rows is not said: ask by record
    NOTHING = "NOTHING"  # surely nothing stored; not for a data fault (try again later, or a new number)
    POISON = "POISON"  # surely nothing stored because of the data of at least one row: bisect
    STOP = "STOP"  # surely nothing stored and a person must look before anything more is sent on this lane
    BUSY = "BUSY"  # surely nothing stored; come again after retry_after
    AUTH = "AUTH"  # the credential is refused; nothing stored
    SESSION = "SESSION"  # the session ended; nothing stored; a new session mends it
    LOST = "LOST"  # the platform has lost a batch it had taken in, or failed it whole: new number after asking
    NO_CONNECT = "NO_CONNECT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read by the contract."""

    effect: Effect
    verdicts: tuple[Verdict, ...] = ()
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    alarm: str = ""  # Chinese; set when the answer contradicts the contract
    stored: int | None = None  # with ASK: how many wire records the platform counted as stored


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What an adapter may know when it renders a row for the first time."""

    department: Department
    now: datetime  # Beijing wall time
    held: Mapping[str, Remote] = field(default_factory=dict)  # remote_key → what the platform holds of this record
    follow_ups: FollowUps | None = None  # the county's dated map class → 01–06; None: the default of standard 1.5


@dataclass(frozen=True, slots=True)
class Claims:
    """Departments named by a batch: 统一社会信用代码 in its fields, department keys inside its inspection record keys."""

    codes: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()


_NOTHING: Mapping[str, Remote] = MappingProxyType({})


class Adapter(Protocol):
    """One platform's contract. Adapters have no state and do no IO but through the `Call` they are handed."""

    name: str

    def path(self, kind: str, op: str) -> str:
        """Where rows of that kind and operation are posted; rows of different paths never share a batch."""
        ...

    def number(self, department: Department, now: datetime, n: int) -> str:
        """The n-th batch number of that department and day, in the contract's form."""
        ...

    def render(
        self, key: RowKey, op: str, reason: str, rule: str, payload: Mapping[str, Any], ctx: RenderContext
    ) -> tuple[dict[str, Any], ...]:
        """Wire records of one row; empty if the platform holds all of it already. Frozen by the caller."""
        ...

    def freeze(self, department: Department, number: str, path: str, rows: tuple[Row, ...]) -> bytes:
        """The batch's exact bytes."""
        ...

    def limit(self, path: str) -> int:
        """Most wire records in one batch on that path."""
        ...

    def read(self, reply: Reply, sent: Sent) -> Answer:
        """The answer to a push."""
        ...

    def ask(
        self,
        call: Call,
        sent: Sent,
        *,
        taken_in: bool,
        after: Answer | None = None,
        held: Mapping[str, Remote] = _NOTHING,
    ) -> Answer:
        """What became of a batch: by batch number, receipt or record, as the contract allows. Never pushes.

        after: the ASK answer that is followed up (its counts decide what an absence means).
        held: what we know the platform to hold of these records; our own older content is then no conflict but ABSENT.
        AUTH, BUSY, SESSION, NO_CONNECT and UNKNOWN say only that the question failed, nothing of the batch.
        LOST carries a verdict for each row: STORED, or ABSENT (to be sent under a new number), or DIFFERENT.
        """
        ...

    def probe(self, call: Call) -> Answer:
        """A harmless query: JUDGED if the platform answers as the contract says, else what it said instead."""
        ...

    def listing(self, call: Call, kind: str, since: datetime | None, until: datetime | None) -> Iterator[Remote]:
        """All that the platform holds for the credential's department, changed within [since, until]."""
        ...

    def claims(self, path: str, body: bytes) -> Claims:
        """In whose names the bytes of a push speak; ValueError if they are no batch of this contract."""
        ...

    def content_hash(self, wire: Mapping[str, Any]) -> str:
        """The hash by which the platform's list names the content of a wire record."""
        ...


@runtime_checkable
class Identifies(Protocol):
    """What an adapter can besides, if its platform shows contents: tell what check an entry speaks of."""

    def contents(self, call: Call, kind: str, remote_keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What the platform holds under these keys, in the form of wire records; absent keys are left out."""
        ...

    def identity(self, wire: Mapping[str, Any]) -> str:
        """Subject, task and items of a wire record as one text, whatever its number; "" if it names none."""
        ...


@runtime_checkable
class Renews(Protocol):
    """What an adapter must besides, if the operation on its wire depends on what the platform holds."""

    def renewed(self, wires: tuple[dict[str, Any], ...], held: Mapping[str, Remote]) -> tuple[dict[str, Any], ...]:
        """The same contents with the operations that fit what is held now; empty if nothing is left to do."""
        ...


Clock = Callable[[], float]
