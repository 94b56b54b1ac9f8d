"""One screen for the morning: the last night, whether it balances, and what needs a person now with the command for it.

Belongs here: choosing and wording. Must not: counting (that is `balance`), finding troubles (that is `alerts.watch`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from zz_pipeline.alerts import deadlines, send, watch
from zz_pipeline.alerts.trouble import INFO, LABELS, SEVERITIES
from zz_pipeline.reports.day import report_path

if TYPE_CHECKING:
    from zz_pipeline.night import Night


def today(night: Night) -> dict[str, Any]:
    """{"now", "night", "needs": rows by gravity, "due": rows of the next days, "alerts": counts by state}."""
    settings, ledger = night.settings, night.ledger
    day = night.now().date() - timedelta(days=1)
    found = night.balance(day)
    path = report_path(settings, day)
    with ledger.read() as conn:
        due = deadlines.groups(conn, settings, night.calendar, night.now().date())
    return {
        "now": night.now().strftime("%Y-%m-%d %H:%M"),
        "night": {
            "day": day.isoformat(),
            "run": bool(found.departments),
            "balanced": found.balanced,
            "complete": found.complete,
            **found.totals(),
            "platforms": {settings.platforms[p.platform].label: p.states for p in found.platforms},
            "report": str(path) if path.exists() else "",
        },
        "needs": [
            {
                "severity": SEVERITIES[t.severity], "what": LABELS[t.kind], "department": t.department, "title": t.title,
                "text": t.text, "command": t.command, "since": datetime.fromtimestamp(t.since, settings.zone).isoformat(" ", "minutes"),
            }
            for t in watch.look(settings, ledger, night.clock()) if t.severity != INFO
        ],
        "due": [d.as_dict() for d in due],
        "alerts": send.counts(ledger),
    }  # fmt: skip
