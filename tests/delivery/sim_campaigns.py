"""Which seeds the tests simulate, and what a clean campaign is.

Belongs here: ranges of seeds, the common assertion. Must not: schedules, checking.
"""

from __future__ import annotations

from zz_pipeline.chaos import sim

FIRST_HALF, SECOND_HALF = range(1, 5_001), range(5_001, 10_001)


def clean(seeds: range) -> None:
    """No violation in any of these schedules, and the faults did happen."""
    done = sim.campaign(seeds.start, len(seeds))
    assert done.violations == []
    assert done.schedules == len(seeds)
    assert min(done.crashes, done.faults, done.stalls) > len(seeds) // 4
    assert set(done.states) <= {
        "CONFIRMED", "REJECTED", "CANCELLED", "NOT_APPLICABLE", "BLOCKED", "HELD", "DEAD", "CONFLICT", "READY",
    }  # fmt: skip
