"""Judges a run by the platforms' own histories and the wire log: nothing lost, doubled, altered, or in another's name.

Belongs here: the table of invariants I0–I14 and those that design 5 adds (ENTRY, STOP, DEFECT), and going through it.
Must not: import anything of the delivery protocol or of the simulation; it knows `sim_evidence` only.

Our own tables are looked at only where the invariant is about them: confirmed here ⇒ present there, liveness, audit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from zz_pipeline.chaos import checker_lanes, checker_records
from zz_pipeline.chaos.checker_case import Case, Found
from zz_pipeline.chaos.sim_evidence import Evidence


class Violation(NamedTuple):
    """One breach of an invariant."""

    invariant: str
    seed: int
    what: str


def defects(c: Case) -> Found:
    """DEFECT: a lane ended by an exception that nobody may meet."""
    yield from c.e.defects


CHECKS: dict[str, tuple[Callable[[Case], Found], ...]] = {
    "I0": (checker_records.no_loss, checker_records.confirmed_by_proof, checker_records.rejected_by_proof),
    "I1": (checker_records.no_double, checker_records.asked_before_resend),
    "I2": (checker_records.nothing_unexpected, checker_records.intent_first),
    "I3": (checker_records.nothing_altered,),
    "I4": (checker_lanes.authority,),
    "I5": (checker_records.order,),
    "ENTRY": (checker_records.entry_first,),
    "I6": (checker_records.only_decided,),
    "I7": (checker_records.liveness,),
    "I8": (checker_records.foreign_kept,),
    "I10": (checker_lanes.fence,),
    "I11": (checker_lanes.deadline,),
    "I12": (checker_lanes.patience,),
    "STOP": (checker_lanes.stopped,),
    "I13": (checker_lanes.audited,),
    "I14": (checker_records.withdrawn,),
    "DEFECT": (defects,),
}


def check(evidence: Evidence) -> list[Violation]:
    """All violations of all invariants in one run."""
    case = Case(evidence)
    return [
        Violation(name, evidence.seed, what) for name, checks in CHECKS.items() for one in checks for what in one(case)
    ]
