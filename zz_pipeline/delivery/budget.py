"""How often and how soon: the rate bucket of a credential, back-off, breaker, and the next day's beginning.

Belongs here: arithmetic of time and its durable counters in `lane`. Must not: HTTP, states of rows, sleeping.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, case, select, update

from zz_pipeline.ledger.schema import lane
from zz_pipeline.settings import PlatformSpec

BACKOFF_FIRST, BACKOFF_MOST = 2.0, 300.0
RETRY_AFTER_MOST = 900.0
BREAKER_FAILURES, BREAKER_FIRST, BREAKER_MOST = 5, 60.0, 900.0


def take_token(conn: Connection, platform: str, dept: str, spec: PlatformSpec, now: float) -> float:
    """Take one request's token: 0.0 if it was there, else the seconds until one will be. One atomic statement."""
    grown = lane.c.tokens + case((lane.c.tokens_at > now, 0.0), else_=(now - lane.c.tokens_at) * spec.rate)
    there = case((lane.c.tokens < 0, spec.burst), (grown > spec.burst, spec.burst), else_=grown)
    mine = and_(lane.c.platform == platform, lane.c.dept == dept)
    took = conn.execute(update(lane).where(mine, there >= 1.0).values(tokens=there - 1.0, tokens_at=now))
    if took.rowcount:
        return 0.0
    left = conn.execute(select(there).where(mine)).scalar_one()
    return max((1.0 - float(left)) / spec.rate, 0.001)


def backoff(tries: int) -> float:
    """Full jitter: a random wait up to 2 s · 2ⁿ, at most 300 s, so that lanes do not come back together."""
    return random.uniform(0.0, min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(tries, 10)))


def retry_wait(retry_after: float | None, tries: int) -> float:
    """Seconds to wait after BUSY: the platform's wish up to 15 minutes, else back-off."""
    return backoff(tries) if retry_after is None else min(max(retry_after, 0.0), RETRY_AFTER_MOST)


def next_day(now: float, zone: ZoneInfo) -> float:
    """The county's next midnight: quotas and the tries of a night begin anew."""
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).timestamp()


def note_failure(conn: Connection, platform: str, dept: str, now: float) -> float:
    """Count one NO_CONNECT or UNKNOWN in a row; returns until when the breaker is open (0.0 = closed)."""
    mine = and_(lane.c.platform == platform, lane.c.dept == dept)
    row = conn.execute(select(lane.c.failures, lane.c.breaker_step, lane.c.breaker_until).where(mine)).one()
    failures, until, steps = row.failures + 1, row.breaker_until, row.breaker_step
    # Past the first opening each further failure is a failed probe and doubles the wait.
    if failures >= BREAKER_FAILURES:
        until, steps = now + min(BREAKER_MOST, BREAKER_FIRST * 2.0**steps), min(steps + 1, 10)
    conn.execute(update(lane).where(mine).values(failures=failures, breaker_until=until, breaker_step=steps))
    return float(until)


def note_success(conn: Connection, platform: str, dept: str) -> None:
    """An answer by the contract closes the breaker."""
    mine = and_(lane.c.platform == platform, lane.c.dept == dept)
    conn.execute(update(lane).where(mine).values(failures=0, breaker_until=0.0, breaker_step=0))
