"""The promise as figures: pulled = unchanged + quarantined + accepted, and accepted = the sum of states on each platform.

Belongs here: counting from independent tables and comparing. Must not: repairing, rendering.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, select

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, outbox, quarantine, reconciliation, record_version, switch

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
UNFINISHED = "上次运行中断。"
AGAIN = "（下次运行会从没读到的地方自动重读）"
SENT_LATER = "（没报出的记录保持待报，下次运行自动续报）"
KINDS = {
    "inspection": "检查结果",
    "rating": "信用评价",
    "repair": "信用修复",
    "expiry": "公示期满停止",
    "withdraw": "撤回与恢复",
}


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
    refused: list[str] = field(default_factory=list)  # Chinese: files of the newest reading that could not be read

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
    troubles: dict[str, str] = field(default_factory=dict)  # platform → Chinese: why it could not be reconciled
    names: Mapping[str, str] = field(default_factory=dict)  # department or platform → what people call it
    halted: bool = False  # the switch that stops every send is on

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
        """Every source and every file handed in was read, and every platform reconciled."""
        return bool(self.departments) and not self.missing

    @property
    def missing(self) -> list[str]:
        """Chinese, a sentence each: what was not read or not reconciled, why, and what to do; empty if complete."""
        found = [f"{self._source(d)}没有读到：{d.error or UNFINISHED}{AGAIN}" for d in self.failed_sources]
        found += [f"{self._source(d)}有文件没有读到：{text}" for d in self.departments for text in d.refused]
        if self.halted:
            found.append("总开关处于停发状态，没有向任何平台发送。查明原因后用 zz resume 恢复，下次运行补送。")
        for platform in (p.platform for p in self.platforms):
            state = self.reconciliations.get(platform)
            if state is None:
                found.append(
                    f"{self.day} 平台“{self.names.get(platform, platform)}”还没有核对：请运行 zz reconcile --day {self.day}。"
                )
            elif state == "FAILED":
                why = self.troubles.get(platform) or "核对中断。"
                found.append(f"{self.day} 平台“{self.names.get(platform, platform)}”没有核对完：{why}{SENT_LATER}")
        return found

    def _source(self, found: DepartmentDay) -> str:
        return f"{self.day} {self.names.get(found.dept, found.dept)}的{KINDS.get(found.kind, found.kind)}"

    def gaps(self) -> str:
        """`missing` as one text."""
        return "；".join(self.missing)

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
        head |= {"missing": self.missing}
        return {**head, "platforms": platforms, "departments": departments, "reconciliation": self.reconciliations}


def balance(ledger: Ledger, day: date, platforms: tuple[str, ...], names: Mapping[str, str] | None = None) -> Balance:
    """Count a day. Intake is counted from its book, versions and states from the ledger's own tables."""
    text = day.isoformat()
    with ledger.read() as conn:
        departments = _departments(conn, text)
        accepted = int(
            conn.scalar(select(func.count()).select_from(record_version).where(record_version.c.day == text)) or 0
        )
        counted = _states(conn, text)
        checked = _reconciled(conn, text)
        halted = conn.scalar(select(switch.c.value).where(switch.c.name == "stop")) == "on"
    days = [PlatformDay(p, accepted, {c: counted.get((p, c), 0) for c in COLUMNS}) for p in platforms]
    states = {p: checked[p].state for p in platforms if p in checked}
    troubles = {p: checked[p].error for p in states}
    return Balance(text, departments, days, accepted, states, troubles, names or {}, halted)


def _departments(conn: Connection, day: str) -> list[DepartmentDay]:
    """The reading that was accepted last counts; what earlier ones accepted or returned, and it no longer showed, too.

    Not the one that began last: a run may be overtaken by another one while it reads.
    """
    open_units = _open_units(conn, day)
    found: dict[tuple[str, str], DepartmentDay] = {}
    ended = func.coalesce(intake.c.finished_at, intake.c.started_at)
    query = select(intake).where(intake.c.day == day).order_by(intake.c.dept, intake.c.kind, ended, intake.c.id)
    for row in conn.execute(query):
        old = found.get((row.dept, row.kind))
        if old is None or (old.state != "OK" and row.state != "RUNNING") or row.state == "OK":
            found[row.dept, row.kind] = _one(row, old, open_units)
        else:  # nothing new was read, or the reading failed: the earlier one stands
            old.readings += 1
            if row.state in ("FAILED", "RUNNING"):
                old.state, old.error = row.state, row.error
            else:
                old.refused = _refused(row)
    return list(found.values())


def _one(row: Any, old: DepartmentDay | None, open_units: Mapping[tuple[str, str], list[int]]) -> DepartmentDay:
    returned = sum(1 for first in open_units.get((row.dept, row.kind), ()) if first != row.id)
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
        refused=_refused(row),
    )


def _refused(row: Any) -> list[str]:
    return [f["problem"] for f in json.loads(row.files) if f["state"] == "REFUSED"]


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


def _reconciled(conn: Connection, day: str) -> dict[str, Any]:
    query = select(reconciliation).where(reconciliation.c.day == day).order_by(reconciliation.c.id)
    return {row.platform: row for row in conn.execute(query)}
