"""Which seeds the tests simulate, and what has to be shown of a campaign beside its violations.

Belongs here: ranges of seeds, what a campaign did as plain values. Must not: schedules, checking, asserting.
"""

from __future__ import annotations

from zz_pipeline.chaos import sim

FIRST_HALF, SECOND_HALF = range(1, 5_001), range(5_001, 10_001)
# Where every row may be when a schedule is over: nothing is on its way.
AT_REST = {
    "CONFIRMED", "REJECTED", "CANCELLED", "NOT_APPLICABLE", "BLOCKED", "HELD", "DEAD", "CONFLICT", "READY",
}  # fmt: skip


def done(seeds: range) -> sim.Campaign:
    """The campaign over these seeds."""
    return sim.campaign(seeds.start, len(seeds))


def disturbed(campaign: sim.Campaign) -> float:
    """The rarest of crashes, faults and stalls, for each schedule."""
    return min(campaign.crashes, campaign.faults, campaign.stalls) / campaign.schedules
