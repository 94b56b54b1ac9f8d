"""A range of days taken in afterwards and sent once; what was confirmed is not sent again.

Belongs here: which part of the nights, the order of days, going on after a failure and after an interruption.
Must not: a second way of doing a night (steps are `night`'s, order is `course`'s), the preview (`backfill_preview`).

Days of one source stay in order: a source is read ahead some days while other sources are read beside it, then the days
are checked and accepted one after the other. What failed is tried once more on its own before the sending.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from zz_pipeline.course import CREDIT_KINDS, STEPS, NightResult, Progress, of_kind, send
from zz_pipeline.errors import ConfigError
from zz_pipeline.night import CREDIT, Night, StepResult
from zz_pipeline.reports.balance import Balance
from zz_pipeline.reports.words import KINDS
from zz_pipeline.returns.replay import write_lists
from zz_pipeline.settings import Settings
from zz_pipeline.standard.tables import Kind

AHEAD = 7  # days that a source is read before the first of them is accepted: a bound on what a failure reads again
READERS = 4  # sources that are read side by side
FORGET = 3 * 86_400.0  # an interrupted backfill of long ago begins anew
_ALL = (Kind.INSPECTION, *CREDIT_KINDS)
Source = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part: department keys, platform names, kinds; empty = all. Departments alone mean their inspections."""

    departments: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()

    @classmethod
    def of(cls, settings: Settings, depts: Sequence[str], platforms: Sequence[str], kinds: Sequence[str]) -> Filters:
        """From what an operator wrote; ConfigError names what is not known, and what is."""
        for what, said, known in (
            ("部门", depts, settings.departments), ("平台", platforms, settings.platforms), ("数据类", kinds, list(_ALL)),
        ):  # fmt: skip
            if wrong := [name for name in said if name not in known]:
                raise ConfigError(f"没有{what}“{'、'.join(wrong)}”。可选：{'、'.join(known)}。")
        return cls(tuple(dict.fromkeys(depts)), tuple(dict.fromkeys(platforms)), tuple(Kind(k) for k in kinds))

    @property
    def none(self) -> bool:
        """Whether whole nights are meant."""
        return self == Filters()

    def sources(self, night: Night) -> list[Source]:
        """What is read, in the order of a night."""
        kinds = self.kinds or ((Kind.INSPECTION,) if self.departments else _ALL)
        inspected = [(Kind.INSPECTION, dept) for dept in self.departments or night.reporting]
        return [s for s in (*inspected, *((kind, CREDIT) for kind in CREDIT_KINDS)) if s[0] in kinds]

    def lanes(self, settings: Settings) -> tuple[str, ...] | None:
        """In whose name is sent; None: everybody's. A repair may concern any department's record."""
        if Kind.REPAIR in self.kinds or not (self.departments or self.kinds == (Kind.RATING,)):
            return None
        lead = (settings.county.credit_lead,) if Kind.RATING in self.kinds else ()
        return tuple(dict.fromkeys((*self.departments, *lead)))


@dataclass(slots=True)
class Backfill:
    """What a backfill did. resumed: days that an interrupted one had taken in; failures: Chinese, each with what to do."""

    balances: list[Balance] = field(default_factory=list)
    resumed: list[date] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        """Exit code: 1 a day does not balance, 3 something was not read, sent or reconciled, 0 neither."""
        return 1 if not all(b.balanced for b in self.balances) else 3 if self.failures else 0


def run(night: Night, days: Sequence[date], progress: Progress, filters: Filters | None = None) -> Backfill:
    """Take the days in, oldest first, then send once; a failed day or source does not stop the others."""
    part = filters or Filters()
    night.load_all()
    marks = Marks.open(night, days, part)
    done = Backfill(resumed=[day for day in days if day in marks.days])
    todo = [day for day in days if day not in marks.days]
    for start in range(0, len(todo), AHEAD):
        done.failures += _taken_in(night, todo[start : start + AHEAD], part, marks, progress)
        progress("日子", min(start + AHEAD, len(todo)), len(todo))
    result = NightResult(days[-1])
    send(night, days, result, progress, part.platforms, part.lanes(night.settings))
    done.balances = [night.balance(day) for day in days]
    done.failures += _left(result, done.balances, part, done.failures)
    marks.close()
    return done


# ── taking in ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _taken_in(night: Night, days: Sequence[date], part: Filters, marks: Marks, progress: Progress) -> list[str]:
    """Some days: read ahead, accepted in order, what failed once more; the failures that stay, in Chinese."""
    sources = part.sources(night)
    read = _read_ahead(night, days, sources, progress)
    failed: dict[tuple[date, Source], str] = {}
    for day in days:
        failed |= {(day, s): why for s, why in _accepted(night, day, sources, read, part.none).items()}
        if not any(of == day for of, _ in failed):
            marks.note(day)
    for day, source in list(failed):
        again = {(day, source): _read(night, day, source)}
        why = _accepted(night, day, [source], again, False).get(source, "")
        if not why:
            del failed[day, source]
        failed |= {(day, source): why} if why else {}
    return [_failure(night, day, source, why) for (day, source), why in failed.items()]


def one_day(night: Night, day: date, part: Filters, progress: Progress) -> None:
    """Take one day in, source after source: what a preview tries."""
    sources, read = part.sources(night), {}
    for n, source in enumerate(sources, 1):
        read[day, source] = _read(night, day, source)
        progress(f"读取 {day}", n, len(sources))
    _accepted(night, day, sources, read, part.none)


def _read_ahead(
    night: Night, days: Sequence[date], sources: Sequence[Source], progress: Progress
) -> dict[tuple[date, Source], StepResult]:
    """Every source over these days in order, sources side by side."""
    with ThreadPoolExecutor(READERS, thread_name_prefix="backfill-read") as pool:
        futures = {s: pool.submit(_read_days, night, days, s) for s in sources}
        found: dict[tuple[date, Source], StepResult] = {}
        for n, (source, future) in enumerate(futures.items(), 1):
            found |= {(day, source): result for day, result in zip(days, future.result(), strict=True)}
            progress(f"读取 {days[0]}", n, len(sources))
    return found


def _read_days(night: Night, days: Sequence[date], source: Source) -> list[StepResult]:
    return [_read(night, day, source) for day in days]


def _read(night: Night, day: date, source: Source) -> StepResult:
    kind, dept = source
    return night.pull_credit(kind, day) if dept == CREDIT else night.pull(dept, day)


def _accepted(
    night: Night, day: date, sources: Sequence[Source], read: Mapping[tuple[date, Source], StepResult], whole: bool
) -> dict[Source, str]:
    """Check and accept one day; for each source that did not get through, why (Chinese)."""
    steps: list[StepResult] = [read[day, source] for source in sources]
    for kind in _ALL:
        depts = [dept for of, dept in sources if of is kind]
        for step in STEPS if depts else ():
            steps += of_kind(night, step, day, kind, depts)
    failed = {source: why for source in sources if (why := _why(source, steps))}
    others = write_lists(night, [dept for kind, dept in sources if kind is Kind.INSPECTION], {day})
    failed |= {(Kind.INSPECTION, r.dept): r.error for r in others if (Kind.INSPECTION, r.dept) not in failed}
    ended = night.end_publicity(day) if whole else None
    if ended is not None and ended.state == "FAILED":
        failed[Kind.REPAIR, CREDIT] = ended.error
    return failed


def _why(source: Source, steps: Sequence[StepResult]) -> str:
    """Why a source did not get through its steps; empty if it did, or had nothing to report."""
    mine = [r for r in steps if (r.kind, r.dept) == source]
    wrong = next((r.error for r in mine if r.state == "FAILED"), "")
    through = mine[0].state == "NONE" or mine[-1].state != "SKIPPED"
    return wrong or ("" if through else "同一来源前面的日子没有完成，这一天随之未处理。")


# ── what is told at the end ─────────────────────────────────────────────────────────────────────────────────────────────
def _failure(night: Night, day: date, source: Source, why: str) -> str:
    kind, dept = source
    name = night.settings.credit.label if dept == CREDIT else night.settings.departments[dept].short
    only = f"--kind {kind}" if dept == CREDIT else f"--dept {dept}"
    return f"{day} {name}的{KINDS[kind]}没有完成：{why}处理后执行 zz backfill {day} {day} {only} 补上。"


def _left(result: NightResult, balances: Sequence[Balance], part: Filters, told: Sequence[str]) -> list[str]:
    """What was not sent or not reconciled; for whole nights also what the balance misses and nobody has told yet."""
    found = [alarm for delivery in result.deliveries.values() for alarm in delivery.alarms]
    if part.none:
        known = {text.partition("没有完成")[0] for text in told}
        missing = [text for balance in balances for text in balance.missing]
        return [*found, *(text for text in missing if text.partition("没有读到")[0] not in known)]
    return [*found, *(r.text or r.state for r in result.reconciled.values() if r.state == "FAILED")]


# ── going on after an interruption ──────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class Marks:
    """Which days of this very backfill were taken in: a file beside the ledger, gone when the backfill has ended.

    It only saves reading: a day that is taken in again changes nothing.
    """

    path: Path
    began: float
    days: list[date] = field(default_factory=list)

    @classmethod
    def open(cls, night: Night, days: Sequence[date], part: Filters) -> Marks:
        """The marks of an interrupted backfill of the same days and filters, or new ones."""
        said = json.dumps(
            [days[0].isoformat(), days[-1].isoformat(), *map(list, (part.departments, part.platforms, part.kinds))]
        )
        name = hashlib.sha256(said.encode()).hexdigest()[:16]
        marks = cls(night.settings.home / "work" / f"backfill-{name}.json", night.clock())
        try:
            found = json.loads(marks.path.read_text("utf-8"))
            began, noted = float(found["began"]), [date.fromisoformat(day) for day in found["days"]]
        except (OSError, ValueError, KeyError, TypeError):
            return marks  # there is none, or a kill cut it short: nothing is lost by reading again
        return cls(marks.path, began, noted) if marks.began - began < FORGET else marks

    def note(self, day: date) -> None:
        """Remember that a day was taken in whole."""
        self.days.append(day)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self.path.with_suffix(".part")
        told: dict[str, Any] = {"began": self.began, "days": [day.isoformat() for day in self.days]}
        part.write_text(json.dumps(told), "utf-8")
        part.replace(self.path)

    def close(self) -> None:
        """The backfill has ended."""
        self.path.unlink(missing_ok=True)
