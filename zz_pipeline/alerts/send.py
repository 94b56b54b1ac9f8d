"""Sending what waits in the alerts' outbox, each message once over each channel; a channel that is down keeps its messages.

Belongs here: which message is due over which channel, claims, outcomes, pauses. Must not: wording, protocols of channels.

A message is claimed before it leaves, so that two processes do not send it both. A process that dies in between leaves
the claim to run out: the message then goes again, and may arrive twice (see `channels`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from zz_pipeline.alerts.channels import SENDERS, Outcome, channels
from zz_pipeline.alerts.render import Message
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import alert_message, alert_sending
from zz_pipeline.settings import Settings

WAITING, SENT, FAILED = "waiting", "sent", "failed"
PAUSES = (60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0)  # after the first, second… try; the last one repeats
MOST = 14  # tries: about four days
LEASE = 300.0  # longer than a try
STALE = 7 * 86_400.0  # what nobody could be told for so long is not told when a channel is configured at last


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one message on one channel at this flush. error: Chinese; empty if it was sent whole."""

    message: int
    department: str
    channel: str
    state: str
    attempts: int
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def flush(settings: Settings, ledger: Ledger, now: float) -> list[Sent]:
    """Try everything that is due at `now` once; a channel that does not answer is left alone until its next turn."""
    _plan(settings, ledger, now)
    done: list[Sent] = []
    away: set[str] = set()
    for message_id, channel in _due(ledger, now):
        if channel in away or not _claim(ledger, message_id, channel, now):
            continue
        message = _message(settings, ledger, message_id)
        result = _record(ledger, message, channel, SENDERS[channel](settings, message), now)
        if result.state == WAITING:
            away.add(channel)
        done.append(result)
    return done


def again(ledger: Ledger, now: float) -> int:
    """Let everything that failed be tried anew, for instance after an address was corrected; how many."""
    with ledger.begin("alerts_plan") as conn:
        values = {"state": WAITING, "attempts": 0, "next_at": now}
        return conn.execute(update(alert_sending).where(alert_sending.c.state == FAILED).values(**values)).rowcount


def counts(ledger: Ledger) -> dict[str, int]:
    """How many sendings wait, failed or were sent, and how many messages have no channel yet (`unplanned`)."""
    with ledger.read() as conn:
        states = select(alert_sending.c.state, func.count()).group_by(alert_sending.c.state)
        found: dict[str, int] = dict(list(conn.execute(states).tuples()))
        unplanned = conn.scalar(select(func.count()).where(alert_message.c.planned.is_(False))) or 0
    return {**{state: found.get(state, 0) for state in (WAITING, FAILED, SENT)}, "unplanned": unplanned}


def _plan(settings: Settings, ledger: Ledger, now: float) -> None:
    """Give new messages their channels. Where the office has none, they stay as they are: `zz alerts` shows them."""
    if not channels(settings, ""):
        return
    with ledger.begin("alerts_plan") as conn:
        m = alert_message.c
        mine = m.planned.is_(False)
        for row in conn.execute(select(m.id, m.dept, m.at).where(mine).order_by(m.id)).all():
            if not conn.execute(update(alert_message).where(m.id == row.id, mine).values(planned=True)).rowcount:
                continue  # another process was quicker
            for channel in channels(settings, row.dept) if row.at > now - STALE else ():
                values = {"message_id": row.id, "channel": channel, "state": WAITING, "next_at": now, "error": ""}
                conn.execute(insert(alert_sending).values(**values, attempts=0))


def _due(ledger: Ledger, now: float) -> list[tuple[int, str]]:
    s = alert_sending.c
    query = select(s.message_id, s.channel).where(s.state == WAITING, s.next_at <= now)
    with ledger.read() as conn:
        return list(conn.execute(query.order_by(s.message_id, s.channel)).tuples())


def _claim(ledger: Ledger, message_id: int, channel: str, now: float) -> bool:
    """Take one try for this process; False if another one has it."""
    s = alert_sending.c
    where = (s.message_id == message_id, s.channel == channel, s.state == WAITING, s.next_at <= now)
    with ledger.begin("alerts_claim") as conn:
        claimed = update(alert_sending).where(*where).values(next_at=now + LEASE, attempts=s.attempts + 1)
        return conn.execute(claimed).rowcount == 1


def _message(settings: Settings, ledger: Ledger, message_id: int) -> Message:
    with ledger.read() as conn:
        row = conn.execute(select(alert_message).where(alert_message.c.id == message_id)).one()
    found = settings.departments.get(row.dept)
    to = found.name if found else row.dept or settings.county.office
    return Message(row.id, row.dept, settings.county.name, to, row.at, json.loads(row.entries))


def _record(ledger: Ledger, message: Message, channel: str, outcome: Outcome, now: float) -> Sent:
    s = alert_sending.c
    where = (s.message_id == message.id, s.channel == channel)
    with ledger.begin("alerts_sent") as conn:
        tries = conn.execute(select(s.attempts).where(*where)).scalar_one()
        state = SENT if outcome.sent else WAITING if outcome.again and tries < MOST else FAILED
        values: dict[str, Any] = {"state": state, "error": outcome.error}
        values |= {"sent_at": now} if outcome.sent else {"next_at": now + PAUSES[min(tries, len(PAUSES)) - 1]}
        conn.execute(update(alert_sending).where(*where).values(**values))
    return Sent(message.id, message.dept, channel, state, tries, outcome.error)
