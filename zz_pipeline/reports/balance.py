"""The promise as figures: pulled = unchanged + quarantined + accepted, and accepted = the sum of states on each platform.

Belongs here: counting from independent tables and comparing. Must not: repairing, rendering.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, select

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, outbox, quarantine, reconciliation, record_version

# design 1: each state of the outbox counts under exactly one word of the promise
WORDS: Mapping[str, str] = {
    "CONFIRMED": "confirmed",
    "REJECTED": "rejected",
    "HELD": "held",
    "CONFLICT": "held",
    "DEAD": "held",
    "BLOCKED": "blocked",
    "NOT_APPLICABLE": "not_applicable",
    "CANCELLED": "cancelled",
    "READY": "pending",
    "INFLIGHT": "pending",
    "ACCEPTED": "pending",
    "UNKNOWN": "unknown",
}
COLUMNS = tuple(dict.fromkeys(WORDS.values()))


@dataclass(slots=True)
class DepartmentDay:
    """One department's (or the credit platform's) intake of a day, in records."""

    dept: str
    kind: str
    state: str
    error: str = ""
    pulled: int = 0
    unchanged: int = 0
    quarantined: int = 0
    accepted: int = 0
    readings: int = 1

    @property
    def balanced(self) -> bool:
        """Nothing that was pulled is unaccounted for."""
        return self.pulled == self.unchanged + self.quarantined + self.accepted


@dataclass(slots=True)
class PlatformDay:
    """What became, on one platform, of the versions accepted on a day."""

    platform: str
    accepted: int = 0
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))

    @property
    def balanced(self) -> bool:
        """Every accepted version is in exactly one state here."""
        return self.accepted == sum(self.states.values())


@dataclass(slots=True)
class Balance:
    """A day's balance. `balanced` is the promise; `complete` also means that every source was read."""

    day: str
    departments: list[DepartmentDay]
    platforms: list[PlatformDay]
    versions: int
    reconciliations: dict[str, str]

    @property
    def balanced(self) -> bool:
        """Both equations of design 1 hold, and the intake's book agrees with the versions that are there."""
        if not self.departments or self.totals()["accepted"] != self.versions:
            return False  # a day without any reading proves nothing
        return all(d.balanced for d in self.departments) and all(p.balanced for p in self.platforms)

    @property
    def failed_sources(self) -> list[DepartmentDay]:
        """Sources that could not be read."""
        return [d for d in self.departments if d.state in ("FAILED", "RUNNING")]

    @property
    def complete(self) -> bool:
        """Every source was read and every platform reconciled."""
        return (
            bool(self.departments)
            and not self.failed_sources
            and all(s != "FAILED" for s in self.reconciliations.values())
        )

    def gaps(self) -> str:
        """Chinese: which sources were not read and which platforms not reconciled; empty if none."""
        parts = [
            f"{self.day} {d.dept}（{d.kind}）未读到：{d.error or '上次运行中断，重新运行即可'}"
            for d in self.failed_sources
        ]
        parts += [f"{self.day} 平台 {p} 未能核对" for p, s in self.reconciliations.items() if s == "FAILED"]
        return "；".join(parts)

    def totals(self) -> dict[str, int]:
        """pulled, unchanged, quarantined, accepted over all departments."""
        return {
            n: sum(getattr(d, n) for d in self.departments) for n in ("pulled", "unchanged", "quarantined", "accepted")
        }

    def as_dict(self) -> dict[str, Any]:
        """JSON form: the counts of design 1, per platform and per department."""
        platforms = {p.platform: {"accepted": p.accepted, **p.states, "balanced": p.balanced} for p in self.platforms}
        departments = [{**asdict(d), "balanced": d.balanced} for d in self.departments]
        head = {"day": self.day, "balanced": self.balanced, "complete": self.complete, **self.totals()}
        return {**head, "platforms": platforms, "departments": departments, "reconciliation": self.reconciliations}


def balance(ledger: Ledger, day: date, platforms: tuple[str, ...]) -> Balance:
    """Count a day. Intake is counted from its book, versions and states from the ledger's own tables."""
    text = day.isoformat()
    with ledger.read() as conn:
        departments = _departments(conn, text)
        accepted = int(
            conn.scalar(select(func.count()).select_from(record_version).where(record_version.c.day == text)) or 0
        )
        counted = _states(conn, text)
        checked = _reconciled(conn, text)
    days = [PlatformDay(p, accepted, {c: counted.get((p, c), 0) for c in COLUMNS}) for p in platforms]
    return Balance(text, departments, days, accepted, {p: checked[p] for p in platforms if p in checked})


def _departments(conn: Connection, day: str) -> list[DepartmentDay]:
    """The newest reading counts; what earlier ones accepted or returned, and it no longer showed, stays counted."""
    open_units = _open_units(conn, day)
    found: dict[tuple[str, str], DepartmentDay] = {}
    query = select(intake).where(intake.c.day == day).order_by(intake.c.dept, intake.c.kind, intake.c.id)
    for row in conn.execute(query):
        old = found.get((row.dept, row.kind))
        if old is None or (old.state != "OK" and row.state != "RUNNING") or row.state == "OK":
            found[row.dept, row.kind] = _one(row, old, open_units)
        else:  # nothing new was read, or the reading failed: the earlier one stands
            old.readings += 1
            if row.state in ("FAILED", "RUNNING"):
                old.state, old.error = row.state, row.error
    return list(found.values())


def _one(row: Any, old: DepartmentDay | None, open_units: Mapping[tuple[str, str], list[int]]) -> DepartmentDay:
    returned = sum(1 for first in open_units.get((row.dept, row.kind), ()) if first < row.id)
    gone = max((old.accepted if old else 0) - row.accepted_before, 0)
    return DepartmentDay(
        dept=row.dept,
        kind=row.kind,
        state=row.state,
        error=row.error,
        pulled=row.pulled + gone + returned,
        unchanged=row.unchanged,
        quarantined=row.quarantined + returned,
        accepted=row.accepted + row.accepted_before + gone,
        readings=(old.readings if old else 0) + 1,
    )


def _open_units(conn: Connection, day: str) -> dict[tuple[str, str], list[int]]:
    """(dept, kind) → the reading that returned it, for each unit of the day that is still open."""
    where = (quarantine.c.day == day) & quarantine.c.settled_at.is_(None) & (quarantine.c.severity == "ERROR")
    query = select(quarantine.c.dept, quarantine.c.kind, quarantine.c.unit, func.max(quarantine.c.intake_id)).where(
        where
    )
    units: dict[tuple[str, str], list[int]] = {}
    for dept, kind, _, intake_id in conn.execute(
        query.group_by(quarantine.c.dept, quarantine.c.kind, quarantine.c.unit)
    ):
        units.setdefault((dept, kind), []).append(intake_id)
    return units


def _states(conn: Connection, day: str) -> dict[tuple[str, str], int]:
    query = select(outbox.c.platform, outbox.c.state, func.count()).where(outbox.c.day == day)
    counted: dict[tuple[str, str], int] = {}
    for platform, state, n in conn.execute(query.group_by(outbox.c.platform, outbox.c.state)):
        pair = (platform, WORDS[state])
        counted[pair] = counted.get(pair, 0) + n
    return counted


def _reconciled(conn: Connection, day: str) -> dict[str, str]:
    query = select(reconciliation.c.platform, reconciliation.c.state).where(reconciliation.c.day == day)
    return {row.platform: row.state for row in conn.execute(query.order_by(reconciliation.c.id))}
