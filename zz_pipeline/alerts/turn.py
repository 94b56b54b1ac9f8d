"""One turn of the alerts: look, write down what is news, send. What a night ends with, and what the sensors call.

Belongs here: the order of the three, that a fault of the alerts never fails a night. Must not: any of the three.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from zz_pipeline.alerts import outbox, send, watch
from zz_pipeline.alerts.trouble import Trouble
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.settings import Settings

log = logging.getLogger("zz.alerts")


@dataclass(slots=True)
class Turn:
    """What a turn found, what of it was news, and what was sent. error: Chinese, if the alerts themselves failed."""

    troubles: list[Trouble] = field(default_factory=list)
    changes: list[outbox.Change] = field(default_factory=list)
    sent: list[send.Sent] = field(default_factory=list)
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "troubles": [t.as_dict() for t in self.troubles],
            "changes": [c.as_dict() for c in self.changes],
            "sent": [s.as_dict() for s in self.sent],
            "error": self.error,
        }


def take(settings: Settings, ledger: Ledger, now: float) -> Turn:
    """Look, write down, send; `now` in Unix seconds."""
    turn = Turn(watch.look(settings, ledger, now))
    turn.changes = outbox.put(ledger, turn.troubles, now)
    turn.sent = send.flush(settings, ledger, now)
    return turn


def after_night(settings: Settings, ledger: Ledger, now: float) -> Turn:
    """`take`, whose own fault is a sentence in the result: records were delivered whether or not people can be told."""
    try:
        return take(settings, ledger, now)
    except Exception as error:  # a stranger's words may hold contents: only the class leaves this place
        log.error("alerts failed: %s", type(error).__name__)
        return Turn(error=f"提醒没有发成（{type(error).__name__}），不影响报送；请执行 zz alerts --send 再试。")
