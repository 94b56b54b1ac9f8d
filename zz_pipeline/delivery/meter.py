"""A department's signed line with its rate budget: every request takes a durable token and is kept for the attempts.

Belongs here: metering of queries, counting of requests. Must not: pushes' bytes, states, reading of answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from sqlalchemy import Connection, insert

from zz_pipeline.delivery import budget
from zz_pipeline.delivery.lanes import Lane
from zz_pipeline.delivery.protocol import Call, Clock, Reply
from zz_pipeline.ledger.again import again
from zz_pipeline.ledger.schema import attempt
from zz_pipeline.settings import PlatformSpec

Query = tuple[str, str, Reply]


class Line(Call, Protocol):
    """What the protocol needs of a client: signed queries, guarded pushes, a new session."""

    def push(self, path: str, body: bytes, owner: str, *, latest: float | None = None) -> Reply:
        """Send a frozen batch, if it is not later than the monotonic moment `latest`."""
        ...

    def new_session(self) -> Reply | None:
        """Get a new session secret where the platform knows sessions."""
        ...


class Meter:
    """Queries of one lane within its credential's rate."""

    def __init__(
        self, lane: Lane, spec: PlatformSpec, line: Line, clock: Clock, sleep: Callable[[float], None]
    ) -> None:
        self.lane, self.spec, self.line, self.clock, self.sleep = lane, spec, line, clock, sleep
        self.requests = 0
        self._queries: list[Query] = []

    def __call__(self, method: str, path: str, *, query: str = "", body: bytes | None = None) -> Reply:
        """One signed query; waits for its token."""
        self.token()
        reply = self.line(method, path, query=query, body=body)
        self._queries.append((method, path, replace(reply, json=None)))  # a long list's pages are not kept
        return reply

    def new_session(self) -> None:
        """A new session; its request takes a token of its own when the line spends it."""
        self.line.new_session()

    def token(self) -> None:
        """Wait until the credential may send one more request, and count it."""
        while True:
            wait = again(self._take)
            if not wait:
                self.requests += 1
                return
            self.sleep(wait)

    def _take(self) -> float:
        # a token that a power failure gives back is refilled long before the machine is up again
        with self.lane.fenced("token", durable=False) as conn:
            return budget.take_token(conn, self.lane.platform, self.lane.dept, self.spec, self.clock())

    def taken(self) -> Sequence[Query]:
        """The queries since the last look, to be written with what they led to."""
        queries, self._queries = tuple(self._queries), []
        return queries

    def flush(self) -> None:
        """Write queries that led to nothing."""
        if queries := self.taken():
            again(lambda: self._keep(queries))

    def _keep(self, queries: Sequence[Query]) -> None:
        with self.lane.fenced("queries") as conn:
            keep_queries(conn, self.lane, queries)


def keep_queries(conn: Connection, lane: Lane, queries: Sequence[Query]) -> None:
    """Attempts that only asked, written after the fact: they change nothing at the platform."""
    for method, path, reply in queries:
        conn.execute(
            insert(attempt).values(
                platform=lane.platform, dept=lane.dept, epoch=lane.epoch, method=method, path=path, nonce=reply.nonce,
                started_at=reply.started_at, ended_at=reply.ended_at, outcome=str(reply.transport), http=reply.http,
                response_digest=reply.body_digest,
            )
        )  # fmt: skip
