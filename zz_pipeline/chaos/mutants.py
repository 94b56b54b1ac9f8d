"""Deliberate errors of the protocol, each switched on for a moment: a checker that cannot find them proves nothing.

Belongs here: the table `MUTANTS`, one error an entry, as a replacement of one production function, constant or table entry.
Must not: be imported by production code, stay switched on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from zz_pipeline.chaos.mutant_forms import Mutant, entry, instead, move, nothing, together, value
from zz_pipeline.chaos.sim_records import settings
from zz_pipeline.delivery import (
    budget,
    claim,
    client,
    compare,
    gates,
    holdings,
    lanes,
    meter,
    our_side,
    rows,
    settle,
    signing,
    states,
    strange,
    worker,
)
from zz_pipeline.delivery.protocol import Answer, Effect, Finding, Reply, RowKey, Sent, State, Verdict
from zz_pipeline.delivery.states import Do, Event, Move
from zz_pipeline.ledger import audit, versions
from zz_pipeline.platforms import double_random, internet_supervision, publicity, wire

S, E = State, Event
_AGAIN = Move(S.READY, (Do.SEND_NOW,))


# ---------------------------------------------------------------- asking and sending again


def _hasty_absence(_: Any) -> Any:
    def absence(desk: Any, heard: Any, row: Any, ripe: str) -> Event:
        again = heard.asked and row.state is S.UNKNOWN and row.absences >= 1
        return E.ABSENT_TWICE if again else E.ABSENT_ONCE if heard.asked else E.UNSAID

    return absence


def _single_absence(_: Any) -> Any:
    def absence(desk: Any, heard: Any, row: Any, ripe: str) -> Event:
        over = heard.now - (row.sent_at or 0.0) >= desk.spec.quiet_seconds
        return E.ABSENT_TWICE if heard.asked and row.state is S.UNKNOWN and over else E.ABSENT_ONCE

    return absence


def _soon(row: Any, facts: Any) -> dict[str, Any]:
    return {"next_at": facts.now + facts.gap}


# ---------------------------------------------------------------- lanes and time


def _reread_epoch(_: Any) -> Any:
    def grant(ledger: Any, platform: str, dept: str, now: float) -> int:
        lane = lanes.lane
        where = (lane.c.platform == platform, lane.c.dept == dept)
        with ledger.begin("lane_row") as conn:
            if conn.execute(lanes.select(lane.c.epoch).where(*where)).first() is None:
                conn.execute(lanes.insert(lane).values(platform=platform, dept=dept))
        with ledger.begin("grant") as conn:
            conn.execute(lanes.update(lane).where(*where).values(epoch=lane.c.epoch + 1, taken_at=now))
        with ledger.read() as conn:
            return int(conn.execute(lanes.select(lane.c.epoch).where(*where)).scalar_one())

    return grant


def _claimed_at(moment: Callable[[Any, Any], float]) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        def claimed(lane: Any, desk: Any, now: float) -> Any:
            done = original(lane, desk, now)
            if done.claim is not None:
                done.claim = replace(done.claim, at=moment(done.claim, desk))
            return done

        return claimed

    return make


def _deaf(original: Any) -> Any:
    def start(self: Any, lane: Any, desk: Any, line: Any, watch: Any, most_tries: int) -> None:
        original(self, lane, desk, line, replace(watch, halted=lambda: ""), most_tries)

    return start


def _wait_and_push(_: Any) -> Any:
    def half_open(self: Any) -> bool:
        until = self._breaker()[1]
        return not until or bool(self._wait(until))

    return half_open


def _unwritten_intent(original: Any) -> Any:
    def push(self: Any, taken: Any) -> None:
        raw = self.lane.ledger.raw
        raw.execute("UPDATE attempt SET ended_at = 1 WHERE seq = ?", (taken.attempt,))
        original(self, taken)

    return push


# ---------------------------------------------------------------- answers


def _stored(sent: Sent) -> Answer:
    return Answer(Effect.JUDGED, tuple(Verdict(row.key, Finding.STORED) for row in sent.rows))


def _any_200(original: Any) -> Any:
    def read(self: Any, reply: Reply, sent: Sent) -> Answer:
        return _stored(sent) if reply.http == 200 else original(self, reply, sent)

    return read


def _any_answer(original: Any) -> Any:
    def read(self: Any, reply: Reply, sent: Sent) -> Answer:
        answer = original(self, reply, sent)
        return _stored(sent) if answer.effect is Effect.UNKNOWN and reply.http else answer

    return read


def _without_counts(original: Any) -> Any:
    def read(self: Any, reply: Reply, sent: Sent) -> Answer:
        answer = original(self, reply, sent)
        return _stored(sent) if answer.effect is Effect.ASK else answer

    return read


def _other_batch_judged(original: Any) -> Any:
    return lambda answer, sent: original(answer, replace(sent, number=answer["data"]["batchNo"]))


def _lost_as(effect: Effect, finding: Finding) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        def ask(self: Any, call: Any, sent: Sent, **more: Any) -> Answer:
            answer = original(self, call, sent, **more)
            if answer.effect is not Effect.LOST:
                return answer
            return Answer(effect, tuple(Verdict(row.key, finding) for row in sent.rows))

        return ask

    return make


def _merely_broken(original: Any) -> Any:
    def probed(call: Any, success: Any) -> Answer:
        answer = original(call, success)
        return Answer(Effect.UNKNOWN) if answer.effect is Effect.AUTH else answer

    return probed


def _anything_there(original: Any) -> Any:
    def compared(row: Any, verdict: Any, there: Any, *more: Any) -> Any:
        return original(row, verdict, there, *more) if there is None else (Verdict(row.key, Finding.STORED), "")

    return compared


# ---------------------------------------------------------------- whose name, which content


def _signed_by_another(original: Any) -> Any:
    def headers(*args: Any, **more: Any) -> dict[str, str]:
        found = original(*args, **more)
        return {k: "app-BBBB" if k == "X-App-Id" and v == "app-AAAA" else v for k, v in found.items()}

    return headers


def _in_anothers_name(original: Any) -> Any:
    def context(department: Any, *more: Any, **names: Any) -> Any:
        other = settings().departments["BBBB" if department.key == "AAAA" else "AAAA"]
        return original(other, *more, **names)

    return context


def _padded(original: Any) -> Any:
    def again(conn: Any, lane: Any, desk: Any, old: Any, *more: Any) -> Any:
        body = old.body + b" "
        conn.execute(claim.update(claim.batch).where(claim.batch.c.batch_id == old.batch_id).values(body=body))
        return original(conn, lane, desk, replace(old, body=body, digest=claim.sm3_hex(body)), *more)

    return again


def _never_frozen(original: Any) -> Any:
    return lambda conn, lane, desk, row, now: original(conn, lane, desk, row._replace(wire=None), now)


def _twice(original: Any) -> Any:
    """Receipts once more, although they are there."""
    again = text(
        "INSERT INTO receipt (platform, kind, record_key, version, remote_key, receipt_no, verdict, raw, raw_digest,"
        " received_at) VALUES (:platform, :kind, :record_key, :version, :remote_key, '', 'STORED', '', :raw_digest, 0)"
    )

    def write(self: Any, conn: Any, platform: str, *rest: Any) -> None:
        original(self, conn, platform, *rest)
        for said in self._receipts * 2:
            conn.execute(again, {**said, "platform": platform, "raw_digest": "0" * 64})

    return write


def _shortened(original: Any) -> Any:
    def freeze(self: Any, *args: Any) -> bytes:
        return bytes(original(self, *args).replace("有限公司".encode(), "公司".encode()))

    return freeze


def _first_wire_only(original: Any) -> Any:
    def render(self: Any, key: RowKey, op: str, *more: Any) -> Any:
        found = original(self, key, op, *more)
        return found[:1] if op == "WITHDRAW" else found

    return render


def _no_stop(original: Any) -> Any:
    def render(self: Any, key: RowKey, op: str, *more: Any) -> Any:
        return () if op == "WITHDRAW" else original(self, key, op, *more)

    return render


def _as_ready(original: Any) -> Any:
    def row(*args: Any) -> dict[str, Any]:
        found = original(*args)
        sent = ("BLOCKED", "NOT_APPLICABLE", "HELD")
        return found | ({"state": "READY"} if found["state"] in sent else {})

    return row


def _own_entry(original: Any) -> Any:
    return lambda platform, entry: original(platform, platform)


def _without(dropped: str) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        def append(conn: Any, actor: str, type: str, *more: Any, **names: Any) -> int:
            return 0 if type == dropped else int(original(conn, actor, type, *more, **names))

        return append

    return make


def _forged(original: Any) -> Any:
    """Every fifth event is written with the hash of another text."""
    return lambda prev, row: original(prev, row | ({"actor": "x"} if row["n"] % 5 == 0 else {}))


MUTANTS: dict[str, Mutant] = {
    # an unknown is not asked about, or not often and long enough
    "resend_unknown_unasked": move(E.UNSAID, S.INFLIGHT, _AGAIN),
    "resend_taken_over_unasked": move(E.TAKEN_OVER, S.INFLIGHT, _AGAIN),
    "one_absence_at_once": move(E.ABSENT_ONCE, S.UNKNOWN, _AGAIN),
    "one_absence_after_quiet": instead(settle, "_absence", _single_absence),
    "no_quiet_window": together(
        instead(settle, "_absence", _hasty_absence), lambda: patch.dict(rows._COLUMNS, {Do.ASK_AFTER_QUIET: _soon})
    ),
    "absences_not_forgotten": lambda: patch.dict(rows._COLUMNS, {Do.FORGET_ABSENCE: lambda row, facts: {}}),
    "failed_question_is_absence": entry(settle.ASKED, UNKNOWN=E.ABSENT_ONCE, NO_CONNECT=E.ABSENT_ONCE),
    "failed_question_sends": move(E.ASK_FAILED, S.UNKNOWN, _AGAIN),
    "take_over_leaves_inflight": nothing(lanes, "_inherit"),
    "lost_batch_waits_for_ever": instead(
        internet_supervision.InternetSupervision, "ask", _lost_as(Effect.TAKEN_IN, Finding.PENDING)
    ),
    "lost_batch_is_stored": instead(
        internet_supervision.InternetSupervision, "ask", _lost_as(Effect.JUDGED, Finding.STORED)
    ),
    "vanished_is_sent_unasked": move(E.VANISHED, S.CONFIRMED, _AGAIN),
    # lanes and time
    "no_fence": nothing(lanes.Lane, "fence"),
    "epoch_read_again": instead(lanes, "_grant", _reread_epoch),
    "no_send_deadline": instead(worker, "claim", _claimed_at(lambda claimed, desk: claimed.at + 1e9)),
    "deadline_from_after_commit": instead(worker, "claim", _claimed_at(lambda claimed, desk: desk.monotonic())),
    "stop_switch_ignored": instead(worker.Worker, "__init__", _deaf),
    "intent_not_committed": instead(worker.Worker, "_push", _unwritten_intent),
    "breaker_never_opens": value(budget, "BREAKER_FAILURES", 10**9),
    "breaker_never_closes": nothing(budget, "note_success"),
    "breaker_probed_by_a_push": instead(worker.Worker, "_half_open", _wait_and_push),
    "refused_probe_goes_on": instead(wire, "quota_answer", _merely_broken),
    "retry_after_ignored": nothing(budget, "retry_wait", 0.0),
    "refused_credential_goes_on": nothing(lanes.Lane, "stop"),
    # reading answers
    "http_200_is_success": instead(double_random.DoubleRandom, "read", _any_200),
    "any_answer_is_success": instead(publicity.Publicity, "read", _any_answer),
    "counts_ignored": instead(publicity.Publicity, "read", _without_counts),
    "unexplained_is_accepted": together(
        entry(settle.FINDINGS, UNSAID=E.STORED), entry(settle.PUSHED, JUDGED=E.STORED, UNKNOWN=E.STORED)
    ),
    "busy_is_stored": entry(settle.PUSHED, BUSY=E.STORED),
    "no_connect_is_stored": entry(settle.PUSHED, NO_CONNECT=E.STORED),
    "taken_in_is_stored": together(entry(settle.FINDINGS, PENDING=E.STORED), entry(settle.PUSHED, TAKEN_IN=E.STORED)),
    "refused_is_stored": entry(settle.FINDINGS, REFUSED=E.STORED),
    "different_is_stored": entry(settle.FINDINGS, DIFFERENT=E.STORED),
    "absent_is_stored": entry(settle.FINDINGS, ABSENT=E.STORED),
    "another_batchs_verdicts": instead(double_random, "_judged", _other_batch_judged),
    "anything_there_is_ours": instead(double_random, "_compared", _anything_there),
    "content_not_compared": instead(publicity, "_as_sent", lambda _: lambda row, item, there: there is not None),
    "poison_refuses_all": move(E.POISON, S.INFLIGHT, states.TABLE[E.REFUSED][S.INFLIGHT]),
    "conflict_retried_by_sending": move(E.RETRY, S.CONFLICT, _AGAIN),
    "conflict_sent_again": move(E.DIFFERENT, S.UNKNOWN, _AGAIN),
    # order, names, contents
    "version_order_ignored": together(value(gates, "DONE", tuple(State)), nothing(gates, "_overtaken", [])),
    "entry_platform_not_awaited": instead(gates, "in_turn", _own_entry),
    "entry_refusal_not_told": value(gates, "DECIDED", {}),
    "withdrawal_forgotten": value(versions, "MAYBE_THERE", ()),
    "what_is_gone_is_called_refused": nothing(internet_supervision, "_gone", {}),
    "operation_of_before_a_restore": instead(
        internet_supervision.InternetSupervision, "renewed", lambda _: lambda self, wires, held: wires
    ),
    "withdrawal_of_one_item": instead(internet_supervision.InternetSupervision, "render", _first_wire_only),
    "stop_never_sent": instead(publicity.Publicity, "render", _no_stop),
    "blocked_is_sent": instead(versions, "_outbox_row", _as_ready),
    "signed_by_another_department": together(
        instead(signing, "s1_headers", _signed_by_another), instead(signing, "s2_headers", _signed_by_another)
    ),
    "rendered_in_anothers_name": together(
        instead(claim, "RenderContext", _in_anothers_name), nothing(client.Client, "_gate")
    ),
    "body_changed_under_its_number": instead(claim, "_again", _padded),
    "wire_rendered_anew": together(instead(claim, "_rendered", _never_frozen), nothing(claim, "_as_frozen")),
    "batch_number_used_again": nothing(claim, "_next", 7),
    "content_shortened": instead(double_random.DoubleRandom, "freeze", _shortened),
    # books
    "answer_not_audited": instead(audit, "append", _without("ANSWER")),
    "sending_not_audited": instead(audit, "append", _without("SEND")),
    "audit_chain_forged": instead(audit, "event_hash", _forged),
    "questions_not_kept": together(nothing(meter, "keep_queries"), nothing(settle, "keep_queries")),
    "receipts_kept_twice": instead(holdings.Noted, "write", _twice),
    # reconciliation
    "listed_entry_overwritten": instead(strange, "contested", lambda _: lambda conn, adapter, row, *more: row),
    "restored_version_only_looked_for_as_of_today": instead(
        our_side.LedgerBook, "_moments", lambda _: lambda self, remote: [self.rendering.now]
    ),
    "altered_not_seen": nothing(compare, "same", True),
    "missing_not_seen": nothing(compare, "missing", []),
}
