"""The worker of one lane: ask what is unknown, poll what is taken in, claim, send, settle, wait; until nothing is left.

Belongs here: the loop and its order, the last looks before a send, how long a lane waits.
Must not: SQL beyond looking for what is next, a platform's contract, state changes (that is `settle`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import ColumnElement, and_, func, select

from zz_pipeline.delivery import budget, gates, holdings, points
from zz_pipeline.delivery.ahead import Ahead
from zz_pipeline.delivery.claim import Claim, Desk, claim
from zz_pipeline.delivery.lanes import Lane, open_batches
from zz_pipeline.delivery.meter import Line, Meter
from zz_pipeline.delivery.protocol import Answer, Clock, Effect, Sent, State
from zz_pipeline.delivery.rows import read_batch, read_rows
from zz_pipeline.delivery.settle import QUOTA, Heard, Outcome, probed, settle, unsend
from zz_pipeline.delivery.states import FOR_PEOPLE, OPEN
from zz_pipeline.errors import DeliveryError, LedgerError
from zz_pipeline.ledger.again import again
from zz_pipeline.ledger.schema import lane as lane_table
from zz_pipeline.ledger.schema import outbox

SLICE = 1.0  # seconds between two looks at the stop switch while waiting
# A batch that was lost, or whose rows have parted: only the platform's list tells of its rows, not its number.
NUMBER_OF_NO_USE = Answer(Effect.ASK)
SPENT = "{} 今日额度已用完，未报的记录保持待报，明日零时后继续，不需处理。"
SESSIONS = 2  # so many sessions ended in a row are a refused credential


@dataclass(frozen=True, slots=True)
class Watch:
    """Clocks of a run: wall time, sleeping, when to be done, and whether anybody wants it to stop."""

    clock: Clock
    sleep: Callable[[float], None]
    until: float | None
    halted: Callable[[], str]  # Chinese reason to stop now; "" to go on
    down: Callable[[], str]  # asks the platform's /health; Chinese reason if it is not reachable


@dataclass(slots=True)
class LaneResult:
    """What a lane did: moves into states, rows that still wait, requests on the wire, alarms, why it stopped."""

    dept: str
    moves: Counter[str] = field(default_factory=Counter)
    left: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    alarms: list[str] = field(default_factory=list)
    stopped: str = ""


class Worker:
    """Works one lane that is held by this process."""

    def __init__(self, lane: Lane, desk: Desk, line: Line, watch: Watch, most_tries: int) -> None:
        self.lane, self.desk, self.line, self.watch = lane, desk, line, watch
        self.most_tries = most_tries
        self.result = LaneResult(lane.dept)
        self.after: dict[str, Answer] = {}  # batch → the counted answer that its questions follow up
        self.ahead = Ahead()
        self.meter = Meter(lane, desk.spec, line, watch.clock, watch.sleep)
        self.sessions = 0
        self.last_sent = watch.clock()

    def run(self) -> LaneResult:
        """Until nothing can be done before the end of the waiting time, or the lane must stop."""
        self.result.stopped = self.lane.stopped()
        again(lambda: gates.settle(self.lane, self.desk.entry, self.watch.clock()))
        while not self.result.stopped:
            self.result.stopped = self.watch.halted()
            if self.result.stopped or not (self._half_open() and self._turn()):
                break
        self.meter.flush()
        self.result.requests += self.meter.requests
        self.result.left = self._left()
        return self.result

    def _turn(self) -> bool:
        """One thing, the most urgent; False when there is nothing more to do in time."""
        for act in (self._resolve, self._poll, self._send):
            if act():
                return True
            if self.result.stopped:
                return False
        return not self._breaker_open() and self._wait(self._next_moment())

    # -- asking ------------------------------------------------------------------------------------------------------

    def _resolve(self) -> bool:
        """Ask about the UNKNOWN batch that is due longest."""
        oldest = func.min(outbox.c.next_at)
        query = select(outbox.c.batch_id, oldest).where(*self._unknown()).group_by(outbox.c.batch_id)
        with self.lane.ledger.read() as conn:
            first = conn.execute(query.order_by(oldest).limit(1)).first()
        if first is None or first[1] > self.watch.clock():
            return False
        self._ask(first[0])
        return True

    def _unknown(self) -> tuple[ColumnElement[bool], ...]:
        mine = gates.mine(self.lane.platform, self.lane.dept)
        return (mine, outbox.c.state == State.UNKNOWN, outbox.c.batch_id.is_not(None))

    def _poll(self) -> bool:
        """Ask for the receipts of the batch whose time has come."""
        with self.lane.ledger.read() as conn:
            waiting = open_batches(conn, self.lane.platform, self.lane.dept, "TAKEN_IN")
        if not waiting or waiting[0][1] > self.watch.clock():
            return False
        self._ask(waiting[0][0])
        return True

    def _ask(self, batch_id: str) -> None:
        with self.lane.ledger.read() as conn:
            frozen = read_batch(conn, batch_id)
            members = read_rows(
                conn, outbox.c.platform == self.lane.platform, outbox.c.batch_id == batch_id, lock=False
            )
            held = holdings.of_records(conn, self.lane.platform, [row.key for row in members])
        if frozen is None or not members:
            raise LedgerError(f"批次 {batch_id} 在台账中不完整，无法查询其结果。请核查业务数据库并从备份恢复。")
        sent = Sent(
            batch_id, self.desk.department, frozen.number, frozen.path, members[0].key.kind, frozen.body,
            tuple(row.seen() for row in members),
        )  # fmt: skip
        after = self.after.get(batch_id)
        if frozen.state == "LOST" or sum(len(row.wire) for row in sent.rows) != frozen.n:
            after = after or NUMBER_OF_NO_USE
        taken_in = frozen.state in ("TAKEN_IN", "LOST")
        answer = self.desk.adapter.ask(self.meter, sent, taken_in=taken_in, after=after, held=held)
        answer = self._session(answer)
        points.reach("ask:answered")
        self._settle(Heard(batch_id, answer, self.watch.clock(), self.most_tries, queries=self.meter.taken()))
        if answer.effect in (Effect.JUDGED, Effect.LOST):
            self.after.pop(batch_id, None)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self) -> bool:
        """Claim the next batch and send it; False if there is none."""
        done = again(lambda: claim(self.lane, self.desk, self.watch.clock(), self.ahead))
        self.result.moves.update(str(row.state) for row in done.settled)
        self.result.alarms += [f"{r.key.record_key}：{r.reason}" for r in done.settled if r.state in FOR_PEOPLE]
        if done.wait:
            return self._wait(self.watch.clock() + done.wait)
        if done.spent:
            self.result.alarms.append(SPENT.format(self.desk.spec.label))
        if done.claim is None:
            return bool(done.settled)
        points.reach("send:claimed")
        self._push(done.claim)
        return True

    def _push(self, taken: Claim) -> None:
        late = self.desk.monotonic() - taken.at > self.desk.spec.send_deadline_seconds
        reason = self.watch.halted()
        if late or reason:
            self._unsend(taken)
            self.result.stopped = reason
            return
        self.last_sent = self.watch.clock()
        points.reach("send:before")
        self.result.requests += 1
        latest = taken.at + self.desk.spec.send_deadline_seconds
        try:
            reply = self.line.push(taken.sent.path, taken.sent.body, self.lane.dept, latest=latest)
        except DeliveryError as error:  # the client's last look refused before any byte left
            self._unsend(taken)
            raise error
        points.reach("send:after")
        answer = self._session(self.desk.adapter.read(reply, taken.sent))
        if answer.effect is Effect.ASK:
            self.after[taken.sent.batch_id] = answer
        now = self.watch.clock()
        self._settle(Heard(taken.sent.batch_id, answer, now, self.most_tries, taken.attempt, reply, self.meter.taken()))

    def _unsend(self, taken: Claim) -> None:
        self.ahead.clear()
        again(lambda: unsend(self.lane, taken.sent.batch_id, taken.attempt, self.watch.clock()))

    def _session(self, answer: Answer) -> Answer:
        """An ended session is renewed; one that ends again at once is a refused credential."""
        self.sessions = self.sessions + 1 if answer.effect is Effect.SESSION else 0
        if answer.effect is not Effect.SESSION:
            return answer
        if self.sessions >= SESSIONS:
            return Answer(
                Effect.AUTH, code=answer.code, message=answer.message, alarm="新会话立即失效，按凭证被拒处理。"
            )
        self.meter.new_session()
        return answer

    def _settle(self, heard: Heard) -> None:
        self._heed(again(lambda: settle(self.lane, self.desk, heard)))
        if heard.answer.code == QUOTA and heard.answer.effect is Effect.BUSY:
            self.result.alarms.append(SPENT.format(self.desk.spec.label))
            self._quota_met(heard.batch_id)

    def _heed(self, outcome: Outcome) -> None:
        self.result.moves.update(outcome.states)
        if State.READY in outcome.states:
            self.ahead.clear()
        self.result.alarms += outcome.alarms
        self.result.stopped = outcome.stop

    def _quota_met(self, batch_id: str) -> None:
        """The platform counts more than we do: from now on all lanes know."""
        now, spec = self.watch.clock(), self.desk.spec
        with self.lane.fenced("quota") as conn:
            refused = read_batch(conn, batch_id)
            budget.records_refused(conn, spec.name, spec, refused.n if refused else 1, now, self.desk.zone)

    # -- breaker and waiting -----------------------------------------------------------------------------------------

    def _breaker(self) -> tuple[int, float]:
        where = (lane_table.c.platform == self.lane.platform, lane_table.c.dept == self.lane.dept)
        with self.lane.ledger.read() as conn:
            row = conn.execute(select(lane_table.c.failures, lane_table.c.breaker_until).where(*where)).one()
        return row.failures, row.breaker_until

    def _breaker_open(self) -> bool:
        return self._breaker()[1] > self.watch.clock()

    def _half_open(self) -> bool:
        """True if calls may be made: the breaker is closed, or it has waited and a harmless query is answered."""
        while True:
            failures, until = self._breaker()
            if not until:
                return not failures or self._still_there()
            self.result.stopped = self.watch.down()
            if self.result.stopped or not self._wait(until):
                broken = f"{self.desk.spec.label} 连续失败 {failures} 次，已熔断；未报的记录留待下次"
                self.result.stopped = self.result.stopped or broken
                return False
            answer = self._session(self.desk.adapter.probe(self.meter))
            now, asked = self.watch.clock(), self.meter.taken()
            self._heed(again(partial(probed, self.lane, answer, asked, now)))
            if self.result.stopped:
                return False

    def _still_there(self) -> bool:
        """After a failure: a platform that is away is looked at once more a minute later, and not called meanwhile."""
        if not self.watch.down():
            return True
        self._wait(self.watch.clock() + budget.BREAKER_FIRST)
        self.result.stopped = self.result.stopped or self.watch.down()
        return not self.result.stopped

    def _next_moment(self) -> float | None:
        """When the lane next has something to do."""
        with self.lane.ledger.read() as conn:
            unknown = conn.execute(select(func.min(outbox.c.next_at)).where(*self._unknown())).scalar()
            waiting = open_batches(conn, self.lane.platform, self.lane.dept, "TAKEN_IN")
            ready = gates.due_at(conn, self.lane.platform, self.lane.dept, self.desk.entry)
        moments = [m for m in (unknown, waiting[0][1] if waiting else None, ready) if m is not None]
        return min(moments) if moments else None

    def _wait(self, moment: float | None) -> bool:
        """Sleep until `moment` if it lies within the time that this lane may wait; False if it does not."""
        end = self.last_sent + self.desk.spec.night_wait_seconds
        end = end if self.watch.until is None else min(end, self.watch.until)
        if moment is None or moment > end:
            return False
        while (rest := moment - self.watch.clock()) > 0:
            if self.result.stopped or (reason := self.watch.halted()):
                self.result.stopped = self.result.stopped or reason
                return False
            self.watch.sleep(min(rest, SLICE))
        return True

    def _left(self) -> dict[str, int]:
        """What is not over; to count what is would cost as much as the ledger is old."""
        mine = and_(gates.mine(self.lane.platform, self.lane.dept), outbox.c.state.in_((*OPEN, *FOR_PEOPLE)))
        with self.lane.ledger.read() as conn:
            found = conn.execute(select(outbox.c.state, func.count()).where(mine).group_by(outbox.c.state))
            return {row[0]: row[1] for row in found}
