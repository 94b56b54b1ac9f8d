"""What happened in the sample county: day by day what the departments entered and changed, from one seed.

Belongs here: `World`, the course of days. Must not: how a department writes it down (`layouts`), what the platforms
should then hold (`expect`), files (`build`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from mock_platforms.county import defects, stories
from mock_platforms.county.codes import LAST_KNOWN_YEAR
from mock_platforms.county.corrections import corrected
from mock_platforms.county.credit_data import Credit
from mock_platforms.county.departments import DAILY_FILE, DATABASE, DEPARTMENTS, HTTP, REPORTING
from mock_platforms.county.model import Defect, Inspection
from mock_platforms.county.records import Maker
from mock_platforms.county.registry import Registry
from mock_platforms.county.subjects import draw

BLOCK = 3  # every defect is planted once in each run of so many days
CORRECTED_SHARE = 0.04
WEEKEND_SHARE = 0.3
OUTCOME_SHARE = 0.5  # of the pending results of earlier days


class World:
    """A county of 25 departments over `days` days that end with `last`; the same arguments give the same county.

    `scale` multiplies the 12–15 records a reporting department enters on a working day.
    """

    def __init__(self, seed: int, last: date, days: int, scale: float = 1.0) -> None:
        if days < 1 or scale <= 0:
            raise ValueError("样例县至少要有 1 天，规模须大于 0。")
        self.seed, self.last, self.scale = seed, last, scale
        self.days = [last - timedelta(days=back) for back in range(days - 1, -1, -1)]
        self.departments = list(DEPARTMENTS)
        self.registry = Registry(seed, self.days[0], last)
        self.subjects = draw(seed, max(600, int(600 * scale)))
        self.maker = Maker(self.registry, self.subjects)
        self.defects: list[Defect] = []
        self._entered: dict[date, list[Inspection]] = {day: [] for day in self.days}
        self._left_alone: set[tuple[str, str]] = set()  # planted records: nothing else happens to them
        self._idle = self._idle_departments()
        self.credit = Credit(seed, self.days, scale, self.subjects, self.defects)
        self._plant()
        self._live()
        for day in self.days:
            self._entered[day].sort(key=lambda r: (r.dept, r.changed))
        self.credit.put_in_order()

    def inspections(self, day: date) -> list[Inspection]:
        """What the departments entered or changed on that day, by department and moment."""
        return self._entered[day]

    def ratings(self, day: date) -> list[dict[str, Any]]:
        """Contract items of `/api/ratings` that were updated on that day."""
        return self.credit.ratings[day]

    def repairs(self, day: date) -> list[dict[str, Any]]:
        """Contract items of `/api/repairs` that were updated on that day."""
        return self.credit.repairs[day]

    # --- the stage that stories play on ---

    def free(self, rng: Random, where: Sequence[str], days: Sequence[date]) -> str:
        """A department out of `where` that is at work on all those days."""
        return rng.choice([key for key in where if not any(self._idle.get(day) == key for day in days)])

    def enter(self, day: date, record: Inspection) -> None:
        """A department enters or changes a planted record; it is left alone afterwards."""
        self._entered[day].append(record)
        self._left_alone.add((record.dept, record.record_no))

    def note(self, day: date, record: Inspection, field: str, defect: str, rule: str, effect: str) -> None:
        """Write a planted defect down."""
        self.defects.append(Defect(day, record.dept, record.record_no, field, defect, rule, effect))

    def repair(self, day: date, target: str, key: str, name: str, uscc: str, defect: str, effect: str) -> None:
        """A notice of 信用修复 arrives on that day."""
        self.credit.repair(day, target, key, name, uscc, defect, effect)

    # --- the course of days ---

    def _idle_departments(self) -> dict[date, str]:
        """One department a block has nothing at all on one day: an empty day at the source."""
        rng = Random(f"{self.seed}/idle")
        needed = {"SCJG", "ZJJ", "JYJ", self.registry.resembling_dept}  # some defects can stand nowhere else
        candidates = [key for key in DATABASE + HTTP if key not in needed]
        return {rng.choice(block): rng.choice(candidates) for block in self._blocks()}

    def _blocks(self) -> Iterable[list[date]]:
        whole = max(1, len(self.days) // BLOCK)
        for place in range(whole):
            yield self.days[place * BLOCK : (place + 1) * BLOCK]

    def _plant(self) -> None:
        for place, block in enumerate(self._blocks()):
            rng = Random(f"{self.seed}/plant/{place}")
            for kind in defects.PLANTS:
                day = rng.choice(block)
                dept = self.free(rng, defects.places(kind, self.maker), [day])
                record = defects.plant(self.maker, rng, kind, dept, day)
                self.enter(day, record)
                self.note(day, record, kind.field, kind.defect, kind.rule, kind.effect)
            for story in stories.STORIES:
                if story.days <= len(block):
                    start = rng.randrange(len(block) - story.days + 1)
                    story.tell(self, rng, block[start : start + story.days])
        for day, key in self._idle.items():
            self.defects.append(Defect(day, key, "", "", "empty_day", "", defects.LAWFUL))

    def _live(self) -> None:
        """Ordinary records, joint inspections and corrections; pending results get their outcome on a later day."""
        known: list[Inspection] = []
        waiting: list[Inspection] = []
        for day in self.days:
            rng = Random(f"{self.seed}/day/{day}")
            changed = self._corrections(rng, day, known, waiting)
            entered = [*self._joint(rng, day), *self._ordinary(rng, day)]
            self._entered[day] += changed + entered
            known += entered
            waiting = [r for r in known if any(i.result == "PENDING" for i in r.items)]
            self._note_unknown_year(day, entered)

    def _ordinary(self, rng: Random, day: date) -> list[Inspection]:
        share = self.scale * (WEEKEND_SHARE if day.weekday() >= 5 else 1.0)
        found = []
        for key in REPORTING:
            if self._idle.get(day) == key:
                continue
            count = max(1, round((12 + rng.random() * 3) * share))
            found += [self.maker.fresh(rng, key, day) for _ in range(count)]
        return found

    def _joint(self, rng: Random, day: date) -> list[Inspection]:
        """One subject, one task, several departments: each enters its own items in its own record."""
        found: list[Inspection] = []
        for _ in range(max(1, round(3 * self.scale))):
            inspect = day - timedelta(days=rng.randrange(2))
            task = rng.choice(self.registry.joint[inspect.replace(day=1)])
            subject = rng.choice(self.subjects[task.subject_kind])
            for key in task.depts:
                if self._idle.get(day) != key and self.maker.reserve(key, subject, inspect):
                    given: dict[str, Any] = {"task": task, "subject": subject, "inspect": inspect, "finish": inspect}
                    found.append(self.maker.fresh(rng, key, day, **given))
                    if key == task.lead:
                        self._show_helpers(found[-1], len(task.depts) - 1)
        return found

    def _show_helpers(self, record: Inspection, count: int) -> None:
        """The lead's table also shows the helping departments' rows, merged or not: each of them enters its own."""
        record.helper_rows = count
        self.note(record.entered_at.date(), record, "owner", "helper_rows", "", "skipped")
        self._left_alone.add((record.dept, record.record_no))

    def _corrections(
        self, rng: Random, day: date, known: list[Inspection], waiting: list[Inspection]
    ) -> list[Inspection]:
        """Changes of earlier records; a record changes once, so that every state has one successor."""
        settled = [r for r in waiting if rng.random() < OUTCOME_SHARE]
        count = int(len(known) * CORRECTED_SHARE) if known else 0
        chosen = {id(r): r for r in (*settled, *rng.sample(known, min(count, len(known))))}
        found = []
        for record in chosen.values():
            mark = (record.dept, record.record_no)
            if mark in self._left_alone or self._idle.get(day) == record.dept:
                continue
            self._left_alone.add(mark)
            found.append(corrected(rng, record, day, reorder=record.dept in DAILY_FILE))
        return found

    def _note_unknown_year(self, day: date, entered: list[Inspection]) -> None:
        """From 4 December on, 20 working days reach into a year whose holidays nobody has announced."""
        if entered and (day.year > LAST_KNOWN_YEAR or day >= date(LAST_KNOWN_YEAR, 12, 6)):
            self.note(day, entered[0], "finish_date", "due_in_unknown_year", "", defects.LAWFUL)
