"""Settling an answer: attempt, receipts, holdings, states, breaker and audit in one fenced transaction.

Belongs here: which event an answer is for which row, and the texts that say so.
Must not: HTTP, a platform's field names, any state change that is not in the table of `states`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from zz_pipeline.delivery import budget, gates, holdings, points, shown
from zz_pipeline.delivery.claim import Desk
from zz_pipeline.delivery.lanes import Lane
from zz_pipeline.delivery.meter import Query, keep_queries
from zz_pipeline.delivery.protocol import Answer, Effect, Finding, Reply, RowKey, State, Verdict
from zz_pipeline.delivery.rows import Batch, Facts, OutRow, advance, read_batch, read_rows, save_rows, set_batch
from zz_pipeline.delivery.states import OUT, Do, Event
from zz_pipeline.errors import LedgerError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import attempt, conflict, outbox
from zz_pipeline.standard.personal import mask_text

QUOTA = "4291"  # gateway page: the day's records are used up, for all credentials of the platform
REFUSALS_FROM, REFUSALS_SHARE = 50, 0.2  # more than that is a fault of mapping, not of records

E, F, X = Event, Finding, Effect
# Effect → event of a row of which the answer says nothing by itself.
PUSHED: dict[Effect, Event] = {
    X.JUDGED: E.UNSAID, X.TAKEN_IN: E.TAKEN_IN, X.ASK: E.UNSAID, X.NOTHING: E.NOTHING, X.POISON: E.POISON,
    X.STOP: E.STOP, X.BUSY: E.BUSY, X.AUTH: E.AUTH, X.SESSION: E.NOT_SENT, X.LOST: E.LOST, X.NO_CONNECT: E.BUSY,
    X.UNKNOWN: E.UNSAID,
}  # fmt: skip
ASKED: dict[Effect, Event] = {
    X.JUDGED: E.UNSAID, X.TAKEN_IN: E.TAKEN_IN, X.LOST: E.ABSENT_ONCE, X.NOTHING: E.ABSENT_ONCE,
    **dict.fromkeys((X.ASK, X.POISON, X.STOP, X.BUSY, X.AUTH, X.SESSION, X.NO_CONNECT, X.UNKNOWN), E.ASK_FAILED),
}  # fmt: skip
FINDINGS: dict[Finding, Event] = {
    F.STORED: E.STORED, F.REFUSED: E.REFUSED, F.ABSENT: E.ABSENT_ONCE, F.DIFFERENT: E.DIFFERENT,
    F.PENDING: E.TAKEN_IN, F.UNSAID: E.UNSAID,
}  # fmt: skip
SAYING = (X.JUDGED, X.TAKEN_IN, X.ASK, X.LOST)  # effects whose verdicts count
CHANGED = "{} 记录 {} 第 {} 版：确认之后平台上的内容变了（可能有人在平台手工录入），请核对后决定采用哪一份。"
UNTOUCHED = (X.BUSY, X.AUTH, X.SESSION, X.NO_CONNECT)  # the very same bytes may go again under their number
FAILED = (X.NO_CONNECT, X.UNKNOWN)

TEXTS: dict[Event, str] = {
    E.STORED: "",
    E.TAKEN_IN: "平台已接收，等待回执",
    E.UNSAID: "平台未说明结果，正在查询；查清之前不会重发",
    E.ASK_FAILED: "查询没有得到答复，稍后再查",
    E.ABSENT_ONCE: "平台暂未查到，静默期过后再查一次，仍没有才重发",
    E.ABSENT_TWICE: "两次查询均未入库，按原内容重发",
    E.LOST: "平台丢失了已接收的批次，查询后以新批次号重发",
    E.DIFFERENT: "平台上同一编号的内容与我方不同（可能有人在平台手工录入），请核对后决定采用哪一份",
    E.NOTHING: "平台本次未入库，稍后再报",
    E.BUSY: "平台忙或连接不上，稍后再报",
    E.AUTH: "凭证被拒绝，未入库；处理凭证后自动再报",
    E.POISON: "批次中有平台无法接受的记录，拆分后再报",
    E.ALWAYS_FAILS: "单独报送本条平台总是报内部错误，其他记录正常；请核对本条内容并联系平台运维",
    E.STOP: "平台要求停止报送，未入库；请按通道停用原因处理后重试",
    E.NOT_SENT: "尚未发出，将重新发送",
}


@dataclass(slots=True)
class Outcome:
    """What settling an answer did, for the worker and the report."""

    states: Counter[str] = field(default_factory=Counter)
    alarms: list[str] = field(default_factory=list)
    stop: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer with its circumstances. `attempt` is the push's intent; `queries` are what was asked meanwhile."""

    batch_id: str
    answer: Answer
    now: float
    most_tries: int
    attempt: int | None = None
    reply: Reply | None = None
    queries: Sequence[Query] = ()

    @property
    def asked(self) -> bool:
        """Whether this answers a question, not a push."""
        return self.attempt is None


def settle(lane: Lane, desk: Desk, heard: Heard) -> Outcome:
    """Write all that an answer says, fenced; FenceLost and nothing written if the lane was taken over."""
    done = Outcome()
    with lane.fenced("settle") as conn:
        frozen = read_batch(conn, heard.batch_id)
        if frozen is None:
            raise LedgerError(f"台账中没有批次 {heard.batch_id}，请核查业务数据库是否完整。")
        _close_attempts(conn, lane, heard)
        members = read_rows(conn, outbox.c.platform == lane.platform, outbox.c.batch_id == heard.batch_id)
        open_ = (*OUT,) if heard.asked else (State.INFLIGHT,)
        rows = [row for row in members if row.state in open_]
        verdicts = _verdicts(heard.answer, {row.key for row in members}, done)
        ripe = _always_500(conn, lane, frozen, rows) if heard.asked else ""
        noted = holdings.Noted()
        after = [
            _moved(conn, lane, desk, heard, row, verdicts.get(row.key), len(rows), ripe, noted, done) for row in rows
        ]
        noted.write(conn, lane.platform, lane.dept, heard.now)
        save_rows(conn, lane.platform, after, heard.now)
        points.reach("settle:saved")
        if heard.asked and not desk.spec.capability.versions:  # with a version on the wire a late one is refused
            found = [row.key for row in after if row.state is State.CONFIRMED]
            gates.wait_behind_unheard(conn, lane, heard.batch_id, found, desk.spec.quiet_seconds, heard.now)
        changed = shown.beside(conn, lane, desk, members, verdicts, heard.now) if heard.asked else []
        done.alarms += [CHANGED.format(desk.spec.label, row.key.record_key, row.key.version) for row in changed]
        _set_batch(conn, desk, heard, frozen, [*after, *(m for m in members if m.state not in open_)], ripe)
        _lane(conn, lane, heard, after, done)
        done.states.update(str(row.state) for row in after)
        if any(row.state is State.READY for row in after):
            dropped = {row.key: row for row in gates.drop_superseded(conn, lane, heard.batch_id, heard.now)}
            after = [dropped.get(row.key, row) for row in after]
        said = [[*row.key, str(row.state)] for row in (*after, *changed)]
        told = {"effect": str(heard.answer.effect), "code": heard.answer.code, "rows": said}
        audit.append(conn, lane.actor, "ASKED" if heard.asked else "ANSWER", heard.batch_id, not done.alarms, told)
        for alarm in done.alarms:
            audit.append(conn, lane.actor, "ALARM", lane.name, False, {"text": alarm})
    return done


def unsend(lane: Lane, batch_id: str, attempt_id: int, now: float) -> None:
    """A claim of which surely no byte left goes back as it was; the frozen batch keeps its number."""
    with lane.fenced("unsend") as conn:
        mine = and_(outbox.c.platform == lane.platform, outbox.c.batch_id == batch_id)
        rows = read_rows(conn, mine, outbox.c.state == State.INFLIGHT)
        facts = Facts(now=now, reason=TEXTS[E.NOT_SENT])
        save_rows(conn, lane.platform, [advance(row, E.NOT_SENT, facts)[0] for row in rows], now)
        set_batch(conn, batch_id, state="FROZEN")
        conn.execute(update(attempt).where(attempt.c.seq == attempt_id).values(ended_at=now, outcome="NOT_SENT"))
        audit.append(conn, lane.actor, "NOT_SENT", batch_id, True, {"rows": len(rows)})


def _close_attempts(conn: Connection, lane: Lane, heard: Heard) -> None:
    keep_queries(conn, lane, heard.queries)
    if heard.attempt is None:
        return
    values: dict[str, Any] = {
        "ended_at": heard.now,
        "outcome": str(heard.answer.effect),
        "code": heard.answer.code[:16],
    }
    if heard.reply is not None:
        reply = heard.reply
        values |= {"http": reply.http, "nonce": reply.nonce, "response_digest": reply.body_digest}
    conn.execute(update(attempt).where(attempt.c.seq == heard.attempt).values(**values))


def _verdicts(answer: Answer, ours: set[RowKey], done: Outcome) -> dict[RowKey, Verdict]:
    """One verdict for each of our rows; two that differ explain nothing, one for a foreign row is an alarm."""
    if answer.alarm:
        done.alarms.append(answer.alarm)
    found: dict[RowKey, Verdict] = {}
    for verdict in answer.verdicts:
        known = found.get(verdict.key)
        if verdict.key not in ours:
            done.alarms.append(f"平台答复里有不属于本批次的记录 {verdict.key.record_key}，已忽略；请向平台运维核实。")
        elif known is not None and known.finding is not verdict.finding:
            done.alarms.append(f"平台对记录 {verdict.key.record_key} 给出互相矛盾的结论，按结果不明处理，将另行查询。")
            found[verdict.key] = Verdict(verdict.key, F.UNSAID)
        else:
            found[verdict.key] = verdict
    return found


def _moved(
    conn: Connection, lane: Lane, desk: Desk, heard: Heard, row: OutRow, verdict: Verdict | None, together: int,
    ripe: str, noted: holdings.Noted, done: Outcome,
) -> OutRow:  # fmt: skip
    event = _event(desk, heard, row, verdict, together, ripe)
    new, move = advance(row, event, _facts(desk, heard, row, verdict, event))
    if verdict is not None and Do.RECEIPT in move.do:
        noted.receipt(verdict)
    if verdict is not None and Do.HOLDING in move.do:
        noted.holding(row.key, verdict.remotes)
    if verdict is not None and verdict.missing and event is E.ABSENT_TWICE:
        holdings.forget(conn, lane.platform, row.key.kind, verdict.missing)
    if Do.CONFLICT_ROW in move.do:
        _open_conflict(conn, lane, desk, row, verdict, heard.now)
    if Do.PERSON in move.do:
        done.alarms.append(f"{desk.spec.label} 记录 {row.key.record_key} 第 {row.key.version} 版：{new.reason}。")
    return new


def _event(desk: Desk, heard: Heard, row: OutRow, verdict: Verdict | None, together: int, ripe: str) -> Event:
    effect = heard.answer.effect
    event = (ASKED if heard.asked else PUSHED)[effect]
    if verdict is not None and (effect in SAYING or (effect is X.POISON and verdict.finding is F.REFUSED)):
        event = FINDINGS[verdict.finding]
        if event is E.DIFFERENT and _equal(desk, row, verdict):
            event = E.STORED
    if event is E.POISON and together == 1:
        return E.POISON_ALONE
    if event is E.ABSENT_ONCE:
        return _absence(desk, heard, row, ripe)
    return event


def _absence(desk: Desk, heard: Heard, row: OutRow, ripe: str) -> Event:
    """Only asking proves an absence, and only the second one, after the quiet window, is believed."""
    if not heard.asked:
        return E.UNSAID
    quiet_over = row.sent_at is None or heard.now - row.sent_at >= desk.spec.quiet_seconds
    if row.state is State.UNKNOWN and row.absences >= 1 and quiet_over:
        return E.ALWAYS_FAILS if ripe == "alone" else E.ABSENT_TWICE
    return E.ABSENT_ONCE


def _equal(desk: Desk, row: OutRow, verdict: Verdict) -> bool:
    """Whether what the platform shows under our key is, in all its parts, what we sent."""
    theirs = {remote.content_hash for remote in verdict.remotes if remote.state == "PRESENT"}
    ours = {desk.adapter.content_hash(wire) for wire in row.wires}
    return row.op != "WITHDRAW" and bool(ours) and ours == theirs


def _facts(desk: Desk, heard: Heard, row: OutRow, verdict: Verdict | None, event: Event) -> Facts:
    answer, now = heard.answer, heard.now
    code = (verdict.code if verdict else "") or answer.code
    send_at = now if event is E.ABSENT_TWICE else now + budget.retry_wait(answer.retry_after, row.tries)
    ask_at = now + budget.retry_wait(answer.retry_after, row.absences + 3)
    if answer.effect is X.SESSION:  # a new session was got: nothing to wait for
        ask_at = now
    reason = TEXTS.get(event) if event in TEXTS else _said(code, (verdict.message if verdict else "") or answer.message)
    if code == QUOTA or (row.tries and row.tries % heard.most_tries == 0):
        send_at = budget.next_day(now, desk.zone)
    return Facts(
        now=now, ask_at=ask_at, send_at=send_at, quiet=desk.spec.quiet_seconds,
        gap=desk.spec.poll_first_seconds, reason=reason, receipt=verdict.receipt if verdict else "", code=code,
    )  # fmt: skip


def _said(code: str, message: str) -> str:
    """The platform's refusal in a sentence for the department; its words are masked first."""
    return f"平台不予接收（{code or '无代码'}）：{mask_text(message) or '未说明原因'}。请更正后由新版本报送。"


def _open_conflict(conn: Connection, lane: Lane, desk: Desk, row: OutRow, verdict: Verdict | None, now: float) -> None:
    ours = sorted(desk.adapter.content_hash(wire) for wire in row.wires) if row.op != "WITHDRAW" else ["WITHDRAW"]
    theirs = sorted(f"{r.remote_key} {r.state} {r.content_hash}" for r in (verdict.remotes if verdict else ()))
    kind, record_key, version = row.key
    conn.execute(
        insert(conflict).values(
            platform=lane.platform, kind=kind, record_key=record_key, version=version, ours="\n".join(ours),
            theirs="\n".join(theirs), opened_at=now,
        )
    )  # fmt: skip


def _always_500(conn: Connection, lane: Lane, frozen: Batch, rows: Sequence[OutRow]) -> str:
    """ "alone" or "bisect" if this batch gets a 500 again and again though others pass, else "".

    Two failures and another batch that passed, or three failures: then it is split. A single record is given to a
    person only while others pass; otherwise the platform may simply be broken.
    """
    tries = max((row.tries for row in rows), default=0)
    post = and_(attempt.c.platform == lane.platform, attempt.c.method == "POST")
    last = select(attempt.c.http).where(post, attempt.c.batch_id == frozen.batch_id).order_by(attempt.c.seq.desc())
    if tries < 2 or (conn.execute(last.limit(1)).scalar() or 0) < 500:
        return ""
    passed = and_(post, attempt.c.outcome.in_((X.JUDGED, X.TAKEN_IN, X.ASK)), attempt.c.started_at >= frozen.created_at)
    others = conn.execute(select(attempt.c.seq).where(passed).limit(1)).first() is not None
    if len(rows) == 1:
        return "alone" if others and tries >= 3 else ""
    return "bisect" if others or tries >= 3 else ""


def _set_batch(conn: Connection, desk: Desk, heard: Heard, frozen: Batch, rows: Sequence[OutRow], ripe: str) -> None:
    state = _batch_state(desk, heard, frozen, rows, ripe)
    values: dict[str, Any] = {"state": state}
    if state == "TAKEN_IN":
        wait = min(desk.spec.poll_first_seconds * 2.0 ** min(frozen.polls, 20), desk.spec.poll_max_seconds)
        values |= {"next_at": heard.now + wait, "polls": frozen.polls + 1}
    if state in ("CLOSED", "SPLIT"):
        values["closed_at"] = heard.now
    set_batch(conn, frozen.batch_id, **values)


def _batch_state(desk: Desk, heard: Heard, frozen: Batch, rows: Sequence[OutRow], ripe: str) -> str:
    states, effect = {row.state for row in rows}, heard.answer.effect
    lost = effect is X.LOST or frozen.state == "LOST"
    if State.UNKNOWN in states:
        foreign = effect is X.ASK and not heard.asked and heard.answer.stored is None  # the number is another's
        return "LOST" if lost or foreign else "UNKNOWN"
    if State.ACCEPTED in states:
        return "TAKEN_IN"
    if State.READY not in states:
        return "CLOSED"
    if (effect is X.POISON and State.REJECTED not in states) or ripe == "bisect":
        return "SPLIT"
    whole = states == {State.READY}
    if whole and not heard.asked and effect in UNTOUCHED:
        return "FROZEN"
    again = whole and heard.asked and not lost and desk.spec.capability.idempotent == "batch"
    return "FROZEN" if again else "CLOSED"


def _lane(conn: Connection, lane: Lane, heard: Heard, rows: Sequence[OutRow], done: Outcome) -> None:
    """Breaker and stop: what the answer means for everything else on the lane."""
    answer = heard.answer
    if answer.effect in FAILED:
        budget.note_failure(conn, lane.platform, lane.dept, heard.now)
    else:
        budget.note_success(conn, lane.platform, lane.dept)
    if answer.effect is X.BUSY and answer.code != QUOTA:
        _hold(conn, lane, [row.next_at for row in rows if row.state is State.READY], heard.now)
    refused = sum(row.state is State.REJECTED for row in rows)
    release = f"处理后执行 zz release {lane.platform} {lane.dept} 恢复"
    if answer.effect is X.AUTH:
        done.stop = _refused_credential(lane, answer)
    elif answer.effect is X.STOP:
        done.stop = f"平台答复 {answer.code}：{mask_text(answer.message)}。须由人员查明原因，{release}"
    elif len(rows) >= REFUSALS_FROM and refused > REFUSALS_SHARE * len(rows):
        done.stop = f"一批 {len(rows)} 条中有 {refused} 条被退回，疑似字段或代码对照有误；请核查，{release}"
    if done.stop:
        _stop(conn, lane, done)


def _refused_credential(lane: Lane, answer: Answer) -> str:
    release = f"处理后执行 zz release {lane.platform} {lane.dept} 恢复"
    return (
        f"凭证被平台拒绝（{answer.code}）：请核对 secrets.toml 中 {lane.dept} 的凭证、停用状态和服务器时钟，{release}"
    )


def _stop(conn: Connection, lane: Lane, done: Outcome) -> None:
    lane.stop(conn, done.stop)
    done.alarms.append(f"通道 {lane.name} 已停用：{done.stop}。")


def probed(lane: Lane, answer: Answer, queries: Sequence[Query], now: float) -> Outcome:
    """Write what the probe of an open breaker heard: it closes, waits on, or the credential is refused and the lane stops."""
    done = Outcome()
    with lane.fenced("probe") as conn:
        keep_queries(conn, lane, queries)
        if answer.effect is X.JUDGED:
            budget.note_success(conn, lane.platform, lane.dept)
            return done
        budget.note_failure(conn, lane.platform, lane.dept, now)
        if answer.effect is X.AUTH:
            done.stop = _refused_credential(lane, answer)
            _stop(conn, lane, done)
    return done


def _hold(conn: Connection, lane: Lane, moments: Sequence[float], now: float) -> None:
    """The credential is told to wait, not the batch: what else is ready would only be refused as well."""
    if moments:
        ready = and_(gates.mine(lane.platform, lane.dept), outbox.c.state == State.READY)
        later = update(outbox).where(ready, outbox.c.next_at < min(moments))
        conn.execute(later.values(next_at=min(moments), updated_at=now))
