"""A lane = platform × department, with one writer: its process lock, its granted epoch, its fence.

Belongs here: taking and giving up a lane, fenced transactions, stopping it for a person.
Must not: choosing rows, HTTP, platform contracts.

The lock keeps a second process out; the epoch makes harmless a first one that only seemed dead: every write begins with
the fence, and a lane that was taken over writes nothing more.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, insert, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from zz_pipeline.delivery import points
from zz_pipeline.delivery.protocol import State
from zz_pipeline.delivery.rows import Facts, advance, read_rows, save_rows, set_batch
from zz_pipeline.delivery.states import Event
from zz_pipeline.errors import FenceLost, LedgerError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.again import again
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import batch, lane, outbox


class LaneBusy(LedgerError):
    """Another live process works on this lane; leave it alone."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane that this process holds under `epoch`."""

    ledger: Ledger
    platform: str
    dept: str
    epoch: int

    @property
    def actor(self) -> str:
        """Who acts, for the audit."""
        return f"lane:{self.platform}/{self.dept}@{self.epoch}"

    @property
    def name(self) -> str:
        """Platform and department, for messages and audit objects."""
        return f"{self.platform}/{self.dept}"

    @contextmanager
    def fenced(self, point: str, *, durable: bool = True) -> Iterator[Connection]:
        """One write transaction that begins with the fence; FenceLost and nothing written if the epoch moved on."""
        with self.ledger.begin(point, durable=durable) as conn:
            self.fence(conn)
            yield conn

    def fence(self, conn: Connection) -> None:
        """Hold the lane's row until the transaction ends; FenceLost if it is not ours any more."""
        mine = and_(_mine(self.platform, self.dept), lane.c.epoch == self.epoch)
        if conn.execute(update(lane).where(mine).values(epoch=self.epoch)).rowcount != 1:
            raise FenceLost(
                f"通道 {self.name} 已被另一进程接管（本进程轮次 {self.epoch}），本进程不再写入，请等待对方完成。"
            )

    def stopped(self) -> str:
        """The Chinese reason why the lane waits for a person; empty if it does not."""
        with self.ledger.read() as conn:
            return conn.execute(select(lane.c.stopped).where(_mine(self.platform, self.dept))).scalar_one()

    def stop(self, conn: Connection, reason: str) -> None:
        """Stop the lane until a person releases it. In the caller's fenced transaction."""
        conn.execute(update(lane).where(_mine(self.platform, self.dept)).values(stopped=reason))
        audit.append(conn, self.actor, "LANE_STOP", self.name, False, {"reason": reason})


@contextmanager
def take(ledger: Ledger, locks: Path, platform: str, dept: str, now: float) -> Iterator[Lane]:
    """Hold the lane for the block. LaneBusy if another process holds it.

    Rows that an earlier holder left INFLIGHT become UNKNOWN: whether their bytes left is for the platform to say.
    """
    with _process_lock(ledger, locks, platform, dept):
        points.reach("lane:locked")
        held = Lane(ledger, platform, dept, again(lambda: _grant(ledger, platform, dept, now)))
        again(lambda: _inherit(held, now))
        yield held


def _mine(platform: str, dept: str) -> Any:
    return and_(lane.c.platform == platform, lane.c.dept == dept)


def _grant(ledger: Ledger, platform: str, dept: str, now: float) -> int:
    """The new epoch, out of the very statement that takes the lane: one read afterwards could be another's."""
    try:
        with ledger.begin("lane_row") as conn:
            if conn.execute(select(lane.c.epoch).where(_mine(platform, dept))).first() is None:
                conn.execute(insert(lane).values(platform=platform, dept=dept))
    except IntegrityError:
        pass  # two processes made the row at once: it is there
    holder = f"{socket.gethostname()}:{os.getpid()}"
    with ledger.begin("grant") as conn:
        granted = update(lane).where(_mine(platform, dept)).values(epoch=lane.c.epoch + 1, holder=holder, taken_at=now)
        return conn.execute(granted.returning(lane.c.epoch)).scalar_one()


def _inherit(held: Lane, now: float) -> None:
    mine = (outbox.c.platform == held.platform, outbox.c.dept == held.dept)
    with held.fenced("takeover") as conn:
        left = read_rows(conn, *mine, outbox.c.state == State.INFLIGHT, outbox.c.epoch < held.epoch)
        if not left:
            return
        facts = Facts(now=now, reason="上次报送中断，是否到达不明，正在向平台查询")
        save_rows(conn, held.platform, [advance(row, Event.TAKEN_OVER, facts)[0] for row in left], now)
        for batch_id in sorted({row.batch_id for row in left if row.batch_id}):
            set_batch(conn, batch_id, state="UNKNOWN", next_at=now)
        told = {"rows": len(left), "batches": sorted({row.batch_id or "" for row in left})}
        audit.append(conn, held.actor, "TAKE_OVER", held.name, True, told)


@contextmanager
def _process_lock(ledger: Ledger, locks: Path, platform: str, dept: str) -> Iterator[None]:
    keep = _file_lock(locks, platform, dept) if ledger.sqlite else _advisory_lock(ledger, platform, dept)
    with keep:
        yield


def _busy(platform: str, dept: str) -> LaneBusy:
    return LaneBusy(f"通道 {platform}/{dept} 正由另一进程报送，本次跳过；请等它结束，不要同时启动两次报送。")


@contextmanager
def _file_lock(locks: Path, platform: str, dept: str) -> Iterator[None]:
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{platform}.{dept}.lock").open("a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(platform, dept) from None
        yield  # the kernel gives the lock back when the handle closes, also after a kill


@contextmanager
def _advisory_lock(ledger: Ledger, platform: str, dept: str) -> Iterator[None]:
    digest = hashlib.sha256(f"{platform}/{dept}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if not conn.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one():
            raise _busy(platform, dept)
        try:
            yield
        finally:
            # where the session is gone the lock is gone with it, and what ended the run is the thing to tell
            with suppress(SQLAlchemyError):
                conn.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})


def open_batches(conn: Connection, platform: str, dept: str, *states: str) -> list[tuple[str, float]]:
    """(batch, when to poll it) of the lane's batches in those states, the earliest first."""
    where = (batch.c.platform == platform, batch.c.dept == dept, batch.c.state.in_(states))
    return [
        tuple(row)
        for row in conn.execute(select(batch.c.batch_id, batch.c.next_at).where(*where).order_by(batch.c.next_at))
    ]
