"""The state machine of an outbox row: one table, every change of a state goes through it.

Belongs here: events, moves, the pure function `step`, a printable table.
Must not: SQL, clocks, texts for people, knowledge of a platform.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from zz_pipeline.delivery.protocol import State
from zz_pipeline.errors import LedgerError


class Event(StrEnum):
    """What can happen to a row. The first group needs no answer of a platform, the last one is people's."""

    CLAIMED = "claimed"  # frozen in a batch, intent committed
    EMPTY = "empty"  # rendering found nothing that the platform does not hold already
    UNRENDERABLE = "unrenderable"  # no wire record can be made of it
    CONTESTED = "contested"  # something else stands there under its key, as a reconciliation has found
    CANCELLED = "cancelled"  # a newer version went, or there is nothing to withdraw
    ENTRY_REFUSED = "entry_refused"  # the entry platform will not have this version
    ENTRY_OPEN = "entry_open"  # the entry platform has it after all
    NOT_SENT = "not_sent"  # claimed, but surely no byte left
    TAKEN_OVER = "taken_over"  # claimed by an earlier holder of the lane
    STORED = "stored"
    TAKEN_IN = "taken_in"
    REFUSED = "refused"
    UNSAID = "unsaid"  # time-out, garbage, 5xx, wrong counts, a row left out
    ASK_FAILED = "ask_failed"
    ABSENT_ONCE = "absent_once"  # asked: not there; too early or not often enough to believe it
    ABSENT_TWICE = "absent_twice"  # not there twice, the second time after the quiet window
    DIFFERENT = "different"
    NOTHING = "nothing"  # surely nothing stored, not for a data fault
    BUSY = "busy"
    AUTH = "auth"
    POISON = "poison"  # surely nothing stored because of some row of the batch
    POISON_ALONE = "poison_alone"
    ALWAYS_FAILS = "always_fails"  # alone in its batch, again and again a 500 and nothing stored, while others pass
    LOST = "lost"  # taken in, then gone at the platform
    STOP = "stop"
    VANISHED = "vanished"  # confirmed, but reconciliation does not find it
    GONE = "gone"  # as vanished, but known from the platform's list only and never sent since our ledger was restored
    ALTERED = "altered"  # confirmed, but reconciliation finds other content
    RETRY = "retry"
    OVERRULED = "overruled"  # a person has seen what is there and wants ours sent, which never was
    GIVE_UP = "give_up"
    ADOPT = "adopt"  # a person says that what the platform holds is right


class Do(StrEnum):
    """What a move asks of the caller beside the new state."""

    SENT = "sent"  # batch, epoch and moment of sending; one more try
    SEND_NOW = "send_now"
    SEND_LATER = "send_later"  # back-off, Retry-After, or tomorrow
    ASK_NOW = "ask_now"
    ASK_LATER = "ask_later"
    ASK_AFTER_QUIET = "ask_after_quiet"
    NOTE_ABSENCE = "note_absence"
    FORGET_ABSENCE = "forget_absence"
    RECEIPT = "receipt"
    HOLDING = "holding"
    CONFLICT_ROW = "conflict_row"
    PERSON = "person"


class Move(NamedTuple):
    """Where an event leads and what goes with it."""

    to: State
    do: tuple[Do, ...] = ()


class ImpossibleStep(LedgerError):
    """The event cannot happen to a row in that state: a defect of ours or a changed ledger; nothing is written."""


S, E = State, Event
_CONFIRM = Move(S.CONFIRMED, (Do.RECEIPT, Do.HOLDING, Do.FORGET_ABSENCE))
_REFUSE = Move(S.REJECTED, (Do.RECEIPT, Do.HOLDING, Do.FORGET_ABSENCE))
_ASK = Move(S.UNKNOWN, (Do.ASK_NOW,))
_PARK = Move(S.ACCEPTED, (Do.RECEIPT, Do.FORGET_ABSENCE))
_AGAIN = Move(S.READY, (Do.SEND_NOW,))
_LATER = Move(S.READY, (Do.SEND_LATER,))
_CONFLICT = Move(S.CONFLICT, (Do.RECEIPT, Do.CONFLICT_ROW, Do.PERSON))
_DEAD = Move(S.DEAD, (Do.PERSON,))
_DROP = Move(S.CANCELLED)
_ABSENT = Move(S.UNKNOWN, (Do.NOTE_ABSENCE, Do.ASK_AFTER_QUIET))

# Event → state → move. A pair that is not here is impossible.
# A push's DIFFERENT leads to asking: only the platform's own copy tells an equal record from a foreign one.
# CONFLICT + RETRY also leads to asking, never to sending: what a clerk typed in is not overwritten unseen.
# Of a row that was never sent nothing can be asked: a person has what is there before them and overrules it.
TABLE: dict[Event, dict[State, Move]] = {
    E.CLAIMED: {S.READY: Move(S.INFLIGHT, (Do.SENT, Do.FORGET_ABSENCE))},
    E.EMPTY: {S.READY: Move(S.CONFIRMED)},
    E.UNRENDERABLE: {S.READY: _DEAD},
    E.CONTESTED: {S.READY: Move(S.CONFLICT, (Do.PERSON,))},
    E.CANCELLED: {S.READY: _DROP, S.HELD: _DROP, S.BLOCKED: _DROP},
    E.ENTRY_REFUSED: {S.READY: Move(S.BLOCKED), S.HELD: Move(S.BLOCKED)},
    E.ENTRY_OPEN: {S.BLOCKED: _AGAIN},
    E.NOT_SENT: {S.INFLIGHT: _AGAIN},
    E.TAKEN_OVER: {S.INFLIGHT: _ASK},
    E.STORED: {S.READY: _CONFIRM, S.INFLIGHT: _CONFIRM, S.ACCEPTED: _CONFIRM, S.UNKNOWN: _CONFIRM},
    E.TAKEN_IN: {S.INFLIGHT: _PARK, S.UNKNOWN: _PARK, S.ACCEPTED: Move(S.ACCEPTED)},
    E.REFUSED: {S.INFLIGHT: _REFUSE, S.ACCEPTED: _REFUSE, S.UNKNOWN: _REFUSE},
    E.UNSAID: {S.INFLIGHT: _ASK, S.ACCEPTED: _ASK, S.UNKNOWN: Move(S.UNKNOWN, (Do.ASK_LATER,))},
    E.ASK_FAILED: {
        S.UNKNOWN: Move(S.UNKNOWN, (Do.ASK_LATER,)),
        S.ACCEPTED: Move(S.ACCEPTED, (Do.ASK_LATER,)),
    },
    E.ABSENT_ONCE: {S.UNKNOWN: _ABSENT, S.ACCEPTED: _ABSENT},
    E.ABSENT_TWICE: {S.UNKNOWN: Move(S.READY, (Do.SEND_LATER, Do.FORGET_ABSENCE))},
    E.DIFFERENT: {S.INFLIGHT: _ASK, S.ACCEPTED: _CONFLICT, S.UNKNOWN: _CONFLICT},
    E.NOTHING: {S.INFLIGHT: _LATER},
    E.BUSY: {S.INFLIGHT: _LATER},
    E.AUTH: {S.INFLIGHT: _AGAIN},
    E.POISON: {S.INFLIGHT: _AGAIN},
    E.POISON_ALONE: {S.INFLIGHT: _REFUSE},
    E.ALWAYS_FAILS: {S.UNKNOWN: _DEAD},
    E.LOST: {S.INFLIGHT: _ASK, S.ACCEPTED: _ABSENT, S.UNKNOWN: _ABSENT},
    E.STOP: {S.INFLIGHT: _DEAD},
    E.VANISHED: {S.CONFIRMED: Move(S.UNKNOWN, (Do.ASK_NOW, Do.FORGET_ABSENCE))},
    E.GONE: {S.CONFIRMED: _AGAIN},
    E.ALTERED: {S.CONFIRMED: Move(S.CONFLICT, (Do.PERSON,))},
    E.RETRY: {
        S.DEAD: _AGAIN,
        S.REJECTED: _AGAIN,
        S.HELD: _AGAIN,
        S.CONFLICT: Move(S.UNKNOWN, (Do.ASK_NOW, Do.FORGET_ABSENCE)),
    },
    E.OVERRULED: {S.CONFLICT: _AGAIN},
    E.GIVE_UP: {S.DEAD: _DROP, S.REJECTED: _DROP, S.HELD: _DROP, S.BLOCKED: _DROP, S.CONFLICT: _DROP, S.READY: _DROP},
    E.ADOPT: {S.CONFLICT: Move(S.CONFIRMED), S.DEAD: Move(S.CONFIRMED)},
}

# A later version may leave only when every earlier one of the record is out of these.
OPEN = (S.READY, S.INFLIGHT, S.UNKNOWN, S.ACCEPTED, S.CONFLICT)
# What the platform may be holding, or judging, this very moment.
OUT = (S.INFLIGHT, S.UNKNOWN, S.ACCEPTED)
FOR_PEOPLE = (S.HELD, S.DEAD, S.CONFLICT)


def step(state: State, event: Event) -> Move:
    """The move of a row in `state` when `event` happens; ImpossibleStep if the pair is not in the table."""
    move = TABLE[event].get(state)
    if move is None:
        raise ImpossibleStep(
            f"报送状态 {state} 不可能发生“{event}”。这是程序缺陷或台账被改动，请联系维护人员，勿手工改库。"
        )
    return move


def table_text() -> str:
    """The whole table as Markdown: a line for each event, a column for each state, `—` for impossible."""
    lines = ["| event | " + " | ".join(State) + " |", "|---" * (len(State) + 1) + "|"]
    for event in Event:
        cells = (TABLE[event].get(state) for state in State)
        lines.append(f"| {event} | " + " | ".join(_cell(move) for move in cells) + " |")
    return "\n".join(lines)


def diagram_text() -> str:
    """The table as a Mermaid state diagram: one arrow for each pair of states, labelled with its events."""
    arrows: dict[tuple[State, State], list[Event]] = {}
    for event, moves in TABLE.items():
        for state, move in moves.items():
            arrows.setdefault((state, move.to), []).append(event)
    lines = ["stateDiagram-v2"]
    lines += [f"    {a} --> {b} : {' / '.join(events)}" for (a, b), events in sorted(arrows.items())]
    return "\n".join(lines)


def page_text() -> str:
    """The page `docs/states.md`: written from `TABLE`, never by hand."""
    return (
        "# 报送状态\n\n本页由 `zz_pipeline/delivery/states.py` 的 `TABLE` 生成，勿手工改；测试会比对。\n\n"
        f"```mermaid\n{diagram_text()}\n```\n\n每行一个事件，每列一个状态；`—` 表示不可能，遇到即报错，什么也不写。\n\n"
        f"{table_text()}\n"
    )


def _cell(move: Move | None) -> str:
    return "—" if move is None else " + ".join((move.to, *move.do))
