"""Which READY rows may leave now, and which never will: order of versions, and the entry platform first.

Belongs here: the conditions as SQL, and settling rows that the entry platform's verdict decides.
Must not: freezing, sending, publishing decisions (those were made at acceptance).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select, update

from zz_pipeline.delivery.lanes import Lane
from zz_pipeline.delivery.protocol import Effect, RowKey, State
from zz_pipeline.delivery.rows import Facts, OutRow, advance, read_rows, save_rows
from zz_pipeline.delivery.states import OPEN, OUT, Event
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import attempt, outbox

ENTRY_RULE = "ENTRY"
# Not "in OPEN": a state that only newer code knows is not known to be over.
DONE = tuple(state for state in State if state not in OPEN)
NOT_LEFT = (str(Effect.NO_CONNECT), "NOT_SENT")  # outcomes of an attempt of which no byte has left
_PASSED = (State.CONFIRMED, State.NOT_APPLICABLE)
# The entry platform's state of the same version → what becomes of a row that waits behind it (withdrawals excepted:
# what must not be public any longer does not wait for another platform's refusal).
# HELD, DEAD and CONFLICT are not here: a person decides there, and the row follows by itself.
DECIDED = {
    State.REJECTED: (Event.ENTRY_REFUSED, "省双随机平台未接收本版，按“先录入后公开”不再报送；更正后由新版本报送"),
    State.BLOCKED: (Event.ENTRY_REFUSED, "入口平台不予报送本版，其他平台随之不报"),
    State.CANCELLED: (Event.CANCELLED, "入口平台已取消本版，其他平台随之取消"),
}


def mine(platform: str, dept: str) -> ColumnElement[bool]:
    """Rows of a lane."""
    return and_(outbox.c.platform == platform, outbox.c.dept == dept)


def _same_record(other: Any) -> ColumnElement[bool]:
    return and_(other.c.kind == outbox.c.kind, other.c.record_key == outbox.c.record_key)


def sendable(platform: str, dept: str, entry: str) -> ColumnElement[bool]:
    """READY rows of the lane whose turn it is, whatever the clock says."""
    return and_(mine(platform, dept), outbox.c.state == State.READY, in_turn(platform, entry))


def in_turn(platform: str, entry: str) -> ColumnElement[bool]:
    """Rows of a platform that neither another version of their record nor the entry platform keeps waiting."""
    before = outbox.alias("before")
    earlier = and_(before.c.platform == platform, _same_record(before), before.c.version < outbox.c.version)
    parts = [
        ~exists(select(before.c.version).where(earlier, before.c.state.not_in(DONE))),
        ~_superseded(platform),
    ]
    if platform != entry:
        gate = outbox.alias("gate")
        there = and_(gate.c.platform == entry, _same_record(gate), gate.c.version == outbox.c.version)
        # what must not be public any longer does not wait, neither for the entry platform's refusal nor for its return
        waits = and_(outbox.c.op != "WITHDRAW", gate.c.state.not_in(_PASSED))
        parts.append(~exists(select(gate.c.version).where(there, waits)))
    return and_(*parts)


def due_at(conn: Connection, platform: str, dept: str, entry: str) -> float | None:
    """When the next READY row whose turn it is may leave; None if there is none."""
    moment = case((outbox.c.not_before > outbox.c.next_at, outbox.c.not_before), else_=outbox.c.next_at)
    return conn.execute(select(func.min(moment)).where(sendable(platform, dept, entry))).scalar()


def settle(lane: Lane, entry: str, now: float) -> int:
    """Decide the lane's rows whose fate other rows have sealed; returns how many changed."""
    changed: list[OutRow] = []
    with lane.fenced("gates") as conn:
        changed += _overtaken(conn, lane, now)
        if lane.platform != entry:
            changed += _behind_entry(conn, lane, entry, now)
        save_rows(conn, lane.platform, changed, now)
        audit.append_rows(conn, lane.actor, "GATE", lane.name, True, [[*row.key, str(row.state)] for row in changed])
    return len(changed)


def _superseded(platform: str) -> ColumnElement[bool]:
    """A later version went already, which this one would undo; or a withdrawal waits, and this would only be taken down."""
    later = outbox.alias("later")
    newer = and_(later.c.platform == platform, _same_record(later), later.c.version > outbox.c.version)
    withdrawal = and_(later.c.op == "WITHDRAW", later.c.state == State.READY)
    return exists(select(later.c.version).where(newer, or_(later.c.state.in_((*OUT, State.CONFIRMED)), withdrawal)))


def drop_superseded(conn: Connection, lane: Lane, batch_id: str, now: float) -> list[OutRow]:
    """Cancel the rows of a batch that came back READY although a later version rules them out. In a fenced transaction."""
    # without the department, which a batch has anyway: with it SQLite reads all that waits in the lane
    here = and_(outbox.c.platform == lane.platform, outbox.c.batch_id == batch_id, outbox.c.state == State.READY)
    rows = read_rows(conn, here, _superseded(lane.platform))
    facts = Facts(now=now, reason="没有到达平台，且已有更新的版本或已决定撤回，本版不再发送")
    dropped = [advance(row, Event.CANCELLED, facts)[0] for row in rows]
    save_rows(conn, lane.platform, dropped, now)
    return dropped


def wait_behind_unheard(
    conn: Connection, lane: Lane, batch_id: str, stored: Sequence[RowKey], quiet: float, now: float
) -> None:
    """Later versions of what asking has just found stored wait while a push of its batch may still be on its way.

    What was found may be a clerk's equal entry: the push itself then takes effect late, over the later version. `quiet`:
    seconds after which nothing sent can still take effect. In a fenced transaction.
    """
    mine = and_(attempt.c.batch_id == batch_id, attempt.c.method == "POST", attempt.c.http.is_(None))
    unheard = select(func.max(attempt.c.started_at)).where(mine, func.coalesce(attempt.c.outcome, "").not_in(NOT_LEFT))
    until = (conn.execute(unheard).scalar() or 0.0) + quiet
    for kind, record_key, version in stored if until > now else ():
        same = and_(outbox.c.platform == lane.platform, outbox.c.kind == kind, outbox.c.record_key == record_key)
        later = and_(same, outbox.c.version > version, outbox.c.state == State.READY, outbox.c.next_at < until)
        conn.execute(update(outbox).where(later).values(next_at=until, updated_at=now))


def _overtaken(conn: Connection, lane: Lane, now: float) -> list[OutRow]:
    """READY rows that a later version rules out are not sent any more."""
    ready = and_(mine(lane.platform, lane.dept), outbox.c.state == State.READY)
    rows = read_rows(conn, ready, _superseded(lane.platform))
    facts = Facts(now=now, reason="更新的版本已经报送，或已决定撤回，本版不再发送")
    return [advance(row, Event.CANCELLED, facts)[0] for row in rows]


def _behind_entry(conn: Connection, lane: Lane, entry: str, now: float) -> list[OutRow]:
    gate = outbox.alias("gate")
    there = and_(gate.c.platform == entry, _same_record(gate), gate.c.version == outbox.c.version)
    waiting = and_(mine(lane.platform, lane.dept), outbox.c.state == State.READY, outbox.c.op != "WITHDRAW")
    changed = []
    for state, (event, reason) in DECIDED.items():
        behind = exists(select(gate.c.version).where(there, gate.c.state == state))
        facts = Facts(now=now, reason=reason)
        changed += [advance(row, event, facts)[0]._replace(rule=ENTRY_RULE) for row in read_rows(conn, waiting, behind)]
    opened = exists(select(gate.c.version).where(there, gate.c.state.in_(_PASSED)))
    blocked = and_(mine(lane.platform, lane.dept), outbox.c.state == State.BLOCKED, outbox.c.rule == ENTRY_RULE)
    for row in read_rows(conn, blocked, opened):
        changed.append(advance(row, Event.ENTRY_OPEN, Facts(now=now))[0]._replace(rule="", reason=""))
    return changed
