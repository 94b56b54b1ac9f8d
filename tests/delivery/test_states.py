"""The state machine: every pair of state and event, and what must never be possible.

Belongs here: `states.step` and `rows.advance`, which are pure. Must not: databases, HTTP.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_pipeline.delivery.protocol import RowKey, State
from zz_pipeline.delivery.rows import Facts, OutRow, advance
from zz_pipeline.delivery.states import FOR_PEOPLE, OPEN, OUT, TABLE, Do, Event, ImpossibleStep, step, table_text

S, E = State, Event
# What each event may meet, written down a second time by hand: a slip in the table shows here.
ALLOWED = {
    E.CLAIMED: "READY",
    E.EMPTY: "READY",
    E.UNRENDERABLE: "READY",
    E.CONTESTED: "READY",
    E.CANCELLED: "READY HELD BLOCKED",
    E.ENTRY_REFUSED: "READY HELD",
    E.ENTRY_OPEN: "BLOCKED",
    E.NOT_SENT: "INFLIGHT",
    E.TAKEN_OVER: "INFLIGHT",
    E.STORED: "READY INFLIGHT ACCEPTED UNKNOWN",
    E.TAKEN_IN: "INFLIGHT UNKNOWN ACCEPTED",
    E.REFUSED: "INFLIGHT ACCEPTED UNKNOWN",
    E.UNSAID: "INFLIGHT ACCEPTED UNKNOWN",
    E.ASK_FAILED: "UNKNOWN ACCEPTED",
    E.ABSENT_ONCE: "UNKNOWN ACCEPTED",
    E.ABSENT_TWICE: "UNKNOWN",
    E.DIFFERENT: "INFLIGHT ACCEPTED UNKNOWN",
    E.NOTHING: "INFLIGHT",
    E.BUSY: "INFLIGHT",
    E.AUTH: "INFLIGHT",
    E.POISON: "INFLIGHT",
    E.POISON_ALONE: "INFLIGHT",
    E.ALWAYS_FAILS: "UNKNOWN",
    E.LOST: "INFLIGHT ACCEPTED UNKNOWN",
    E.STOP: "INFLIGHT",
    E.VANISHED: "CONFIRMED",
    E.GONE: "CONFIRMED",
    E.ALTERED: "CONFIRMED",
    E.RETRY: "DEAD REJECTED HELD CONFLICT",
    E.OVERRULED: "CONFLICT",
    E.GIVE_UP: "DEAD REJECTED HELD BLOCKED CONFLICT READY",
    E.ADOPT: "CONFLICT DEAD",
}
SURELY_NOT_STORED = {E.NOT_SENT, E.NOTHING, E.BUSY, E.AUTH, E.POISON, E.ABSENT_TWICE}


def a_row(state=S.READY, **values):
    key = RowKey("inspection", "610124-SCJG-2026-1", 1)
    row = OutRow(key, "PUBLISH", state, "", "", "k", b"[{}]", "b", 1, 100.0, 1, 0.0, 0, None, "", "")
    return row._replace(**values)


@pytest.mark.parametrize("event", Event)
def test_each_event_meets_exactly_the_states_it_may(event):
    for state in State:
        if str(state) in ALLOWED[event].split():
            assert step(state, event).to in State
        else:
            with pytest.raises(ImpossibleStep, match=str(event)):
                step(state, event)


def test_only_what_is_surely_not_stored_becomes_ready_for_sending_again():
    back = {event for event in Event for state in OUT if state in TABLE[event] and step(state, event).to is S.READY}
    assert back == SURELY_NOT_STORED


def test_only_a_claim_makes_a_row_inflight_and_only_from_ready():
    ways = [(s, e) for e in Event for s in TABLE[e] if step(s, e).to is S.INFLIGHT]
    assert ways == [(S.READY, E.CLAIMED)]


def test_unknown_never_goes_straight_back_to_inflight_and_a_conflict_about_what_was_sent_never_to_sending():
    from_unknown = {step(S.UNKNOWN, e).to for e in Event if S.UNKNOWN in TABLE[e]}
    from_conflict = {step(S.CONFLICT, e).to for e in Event if S.CONFLICT in TABLE[e] and e is not E.OVERRULED}
    with pytest.raises(ImpossibleStep, match="曾经报送过"):
        advance(a_row(S.CONFLICT), E.OVERRULED, Facts(now=1.0))
    with pytest.raises(ImpossibleStep, match="曾经报送过"):
        advance(a_row(S.CONFIRMED), E.GONE, Facts(now=1.0))
    assert advance(a_row(S.CONFLICT, batch_id=None), E.OVERRULED, Facts(now=1.0))[0].state is S.READY
    assert S.INFLIGHT not in from_unknown
    assert from_conflict == {S.UNKNOWN, S.CANCELLED, S.CONFIRMED}


def test_what_arrived_or_may_arrive_is_never_cancelled_without_a_person():
    for state in (*OUT, S.CONFIRMED):
        assert all(step(state, e).to is not S.CANCELLED for e in Event if state in TABLE[e])


def test_final_states_move_only_by_people_or_reconciliation():
    people = {E.RETRY, E.OVERRULED, E.GIVE_UP, E.ADOPT, E.VANISHED, E.GONE, E.ALTERED}
    for state in (S.CONFIRMED, S.REJECTED, S.CANCELLED, S.NOT_APPLICABLE, S.DEAD, S.CONFLICT):
        assert {e for e in Event if state in TABLE[e]} <= people


def test_every_state_that_waits_for_a_person_has_a_way_out():
    for state in FOR_PEOPLE:
        assert {E.RETRY, E.GIVE_UP} <= {e for e in Event if state in TABLE[e]}


def test_an_open_state_always_has_a_way_to_an_end():
    ends = set(State) - set(OPEN)
    for state in (*OUT, S.READY):
        assert {step(state, e).to for e in Event if state in TABLE[e]} & ends


def test_the_table_prints_a_line_for_each_event_and_a_cell_for_each_state():
    lines = table_text().splitlines()
    assert len(lines) == len(Event) + 2
    assert {line.count("|") for line in lines} == {len(State) + 2}
    assert "| claimed | INFLIGHT + sent" in table_text()


def test_a_push_that_meets_other_content_is_asked_about_before_it_is_a_conflict():
    assert step(S.INFLIGHT, E.DIFFERENT) == (S.UNKNOWN, (Do.ASK_NOW,))
    assert step(S.UNKNOWN, E.DIFFERENT).to is S.CONFLICT


def test_a_first_absence_waits_for_the_end_of_the_quiet_window_counted_from_the_sending():
    row, _ = advance(a_row(S.UNKNOWN, sent_at=100.0), E.ABSENT_ONCE, Facts(now=130.0, quiet=900.0))
    assert (row.state, row.absences, row.first_absent_at, row.next_at) == (S.UNKNOWN, 1, 130.0, 1000.0)


def test_a_claim_counts_a_try_and_forgets_absences_but_keeps_the_wire():
    before = a_row(tries=2, absences=2, first_absent_at=5.0, wire=b'[{"a":1}]')
    row, _ = advance(before, E.CLAIMED, Facts(now=7.0, epoch=9, batch_id="n"))
    assert (row.tries, row.absences, row.sent_at, row.epoch, row.batch_id) == (3, 0, 7.0, 9, "n")
    assert row.wire == before.wire


def test_a_decisions_reason_stays_until_the_wire_is_frozen():
    held = a_row(S.HELD, wire=None, reason="信用修复", rule="R")
    assert advance(held, E.RETRY, Facts(now=1.0, reason="人工决定重试"))[0].reason == "信用修复"
    assert advance(a_row(S.DEAD), E.RETRY, Facts(now=1.0, reason="人工决定重试"))[0].reason == "人工决定重试"


@given(st.lists(st.sampled_from(list(Event)), max_size=40))
def test_no_sequence_of_events_sends_again_without_proof_that_nothing_is_stored(events):
    row, may_be_there = a_row(batch_id=None, sent_at=None, tries=0), False
    for event in events:
        try:
            new, _ = advance(row, event, Facts(now=1.0, batch_id="b"))
        except ImpossibleStep:
            continue
        if event is E.CLAIMED:
            assert not may_be_there
            may_be_there = True
        # GONE: known from the platform's full list only, and a later full list does not show it any more
        if event in SURELY_NOT_STORED | {E.REFUSED, E.POISON_ALONE, E.ALWAYS_FAILS, E.STOP, E.GONE}:
            may_be_there = False
        if event in (E.VANISHED, E.ALTERED, E.ADOPT):
            may_be_there = True
        row = new
