"""Defects that need several rows, records or days: corrections, repetitions, older states, notices of repair.

Belongs here: each story as a function over a run of days, listed in `STORIES`.
Must not: defects of a single record (`defects`), what reaches a platform (`expect`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from random import Random
from typing import Any, Protocol

from mock_platforms.county.corrections import copy_of
from mock_platforms.county.defects import HELD, LAWFUL, QUARANTINE
from mock_platforms.county.departments import DAILY_FILE, REPORTING
from mock_platforms.county.model import Inspection
from mock_platforms.county.records import Maker

_SUSPECTED: dict[str, Any] = {
    "subject_kind": "company",
    "kind": "不定向抽查",
    "publishable": True,
    "results": ("NO_ISSUE", "NO_ISSUE"),
}


class Stage(Protocol):
    """What a story needs of the world."""

    maker: Maker

    def free(self, rng: Random, where: Sequence[str], days: Sequence[date]) -> str:
        """A department out of `where` that is at work on all those days."""
        ...

    def enter(self, day: date, record: Inspection) -> None:
        """The department enters or changes the record on that day; it is left alone afterwards."""
        ...

    def note(self, day: date, record: Inspection, field: str, defect: str, rule: str, effect: str) -> None:
        """Write the defect down."""
        ...

    def repair(self, day: date, target: str, key: str, name: str, uscc: str, defect: str, effect: str) -> None:
        """A notice of 信用修复 arrives."""
        ...


Tell = Callable[[Stage, Random, Sequence[date]], None]


@dataclass(frozen=True)
class Story:
    """`days`: how many consecutive days it takes."""

    days: int
    tell: Tell


def _good(stage: Stage, rng: Random, where: Sequence[str], days: Sequence[date]) -> Inspection:
    return stage.maker.fresh(rng, stage.free(rng, where, days), days[0], **_SUSPECTED)


def _later(record: Inspection, day: date, hour: int = 15) -> Inspection:
    later = copy_of(record)
    later.changed = datetime.combine(day, time(hour, 5))
    return later


def _key(record: Inspection) -> str:
    return f"610124-{record.dept}-{record.record_no}"


def pending(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """发现问题待后续处理 waits for ②."""
    dept = stage.free(rng, REPORTING, days[:1])
    record = stage.maker.fresh(rng, dept, days[0], subject_kind="company", results=("PENDING",), publishable=True)
    stage.enter(days[0], record)
    stage.note(days[0], record, "result", "pending", "", HELD)


def pending_then_outcome(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """The same, and the outcome on the next day."""
    dept = stage.free(rng, DAILY_FILE, days)
    record = stage.maker.fresh(rng, dept, days[0], subject_kind="company", results=("PENDING",), publishable=True)
    stage.enter(days[0], record)
    stage.note(days[0], record, "result", "pending", "", HELD)
    later = _later(record, days[1])
    later.items[0].result = "CORRECTED"
    stage.enter(days[1], later)
    stage.note(days[1], later, "result", "pending_outcome", "", LAWFUL)


def same_row_twice(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """One row stands twice in a file."""
    record = _good(stage, rng, DAILY_FILE, days[:1])
    stage.enter(days[0], record)
    stage.enter(days[0], copy_of(record))
    stage.note(days[0], record, "record_no", "same_row_twice", "", LAWFUL)


def same_number_other_content(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """One number, two contents in one file."""
    record = _good(stage, rng, DAILY_FILE, days[:1])
    other = copy_of(record)
    other.items[0].result = "CORRECTED"
    stage.enter(days[0], record)
    stage.enter(days[0], other)
    stage.note(days[0], record, "record_no", "same_number_other_content", "INS-030", QUARANTINE)


def same_content_other_number(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """One content, two numbers in one file: nobody knows which is meant."""
    record = _good(stage, rng, DAILY_FILE, days[:1])
    other = copy_of(record)
    other.record_no = stage.maker.record_no(record.dept, days[0])
    for one in (record, other):
        stage.enter(days[0], one)
        stage.note(days[0], one, "record_no", "same_content_other_number", "INS-031", QUARANTINE)


def same_content_next_day(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """An accepted record comes again the next day under a new number."""
    record = _good(stage, rng, DAILY_FILE, days)
    stage.enter(days[0], record)
    other = _later(record, days[1])
    other.record_no = stage.maker.record_no(record.dept, days[1])
    stage.enter(days[1], other)
    stage.note(days[1], other, "record_no", "same_content_next_day", "INS-031", QUARANTINE)


def older_after_newer(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """A newer state was accepted; then a file brings an older one."""
    record = _good(stage, rng, DAILY_FILE, days)
    record.entered_at = datetime.combine(days[0], time(8, 30))
    newer = _later(record, days[0], 15)
    newer.items[0].result = "CORRECTED"
    older = _later(record, days[0], 9)
    stage.enter(days[0], newer)
    stage.enter(days[1], older)
    stage.note(days[1], older, "changed", "older_after_newer", "INS-043", QUARANTINE)


def update_after_acceptance(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """A lawful correction of an accepted record."""
    record = _good(stage, rng, DAILY_FILE, days)
    stage.enter(days[0], record)
    later = _later(record, days[1])
    later.items[0].result = "CORRECTED"
    stage.enter(days[1], later)
    stage.note(days[1], later, "result", "update_after_acceptance", "", LAWFUL)


def quarantined_correction(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """A correction that is returned: the accepted version stands."""
    record = _good(stage, rng, DAILY_FILE, days)
    stage.enter(days[0], record)
    later = _later(record, days[1])
    later.items[0].result = "CORRECTED"
    later.inspectors = later.inspectors[:1]
    stage.enter(days[1], later)
    stage.note(days[1], later, "inspectors", "quarantined_correction", "INS-007", QUARANTINE)


def returned_then_mended(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """A returned record comes back mended."""
    mended = _later(_good(stage, rng, DAILY_FILE, days), days[1])
    returned = copy_of(mended)
    returned.changed = mended.entered_at
    returned.inspectors = returned.inspectors[:1]
    stage.enter(days[0], returned)
    stage.note(days[0], returned, "inspectors", "one_inspector", "INS-007", QUARANTINE)
    stage.enter(days[1], mended)
    stage.note(days[1], mended, "inspectors", "returned_then_mended", "", LAWFUL)


def _notice(stage: Stage, day: date, record: Inspection, defect: str, effect: str) -> None:
    stage.repair(day, "INSPECTION", _key(record), record.subject_name, record.uscc, defect, effect)


def repair_of_public(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """修复 for what is public; a later correction must not make it public again."""
    record = _good(stage, rng, DAILY_FILE, days)
    stage.enter(days[0], record)
    _notice(stage, days[1], record, "repair_of_public", "blocked")
    if len(days) > 2:
        later = _later(record, days[2])
        later.items[0].result = "CORRECTED"
        stage.enter(days[2], later)
        stage.note(days[2], later, "result", "correction_after_repair", "", "blocked")


def repair_before_first_sending(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """The notice arrives on the day the record is entered: it never becomes public."""
    record = _good(stage, rng, REPORTING, days[:1])
    stage.enter(days[0], record)
    _notice(stage, days[0], record, "repair_before_first_sending", "blocked")


def repair_of_never_sent(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """修复 for a record that was returned and so never sent, and for one that was never public."""
    returned = _good(stage, rng, REPORTING, days[:1])
    returned.inspectors = returned.inspectors[:1]
    stage.enter(days[0], returned)
    stage.note(days[0], returned, "inspectors", "one_inspector", "INS-007", QUARANTINE)
    _notice(stage, days[1], returned, "repair_of_never_sent", LAWFUL)
    dept = stage.free(rng, DAILY_FILE, days[:1])
    withheld = stage.maker.fresh(rng, dept, days[0], subject_kind="company", publishable=False)
    stage.enter(days[0], withheld)
    _notice(stage, days[1], withheld, "repair_of_never_public", "blocked")


def repair_of_unknown(stage: Stage, rng: Random, days: Sequence[date]) -> None:
    """修复 for a key nobody knows, and for a penalty, which this pipeline does not carry."""
    company = rng.choice(stage.maker.subjects["company"])
    key = f"610124-SCJG-1999-{rng.randrange(10**7):07d}"
    stage.repair(days[0], "INSPECTION", key, company.name, company.uscc, "repair_of_unknown", LAWFUL)
    number = f"周市监样例罚〔{days[0].year}〕{1 + rng.randrange(900)}号"
    stage.repair(days[0], "PENALTY", number, company.name, company.uscc, "repair_of_penalty", LAWFUL)


STORIES = (
    Story(1, pending),
    Story(2, pending_then_outcome),
    Story(1, same_row_twice),
    Story(1, same_number_other_content),
    Story(1, same_content_other_number),
    Story(2, same_content_next_day),
    Story(2, older_after_newer),
    Story(2, update_after_acceptance),
    Story(2, quarantined_correction),
    Story(2, returned_then_mended),
    Story(3, repair_of_public),
    Story(2, repair_of_public),
    Story(1, repair_before_first_sending),
    Story(2, repair_of_never_sent),
    Story(1, repair_of_unknown),
)
