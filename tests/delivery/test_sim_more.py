"""The other half of the simulator's schedules, in a file of its own so that another worker of the test run takes it."""

from __future__ import annotations

import pytest

from tests.delivery import sim_campaigns
from tests.delivery.sim_campaigns import AT_REST, disturbed


def test_fault_13_28_30_39_66_thousands_of_other_schedules_break_no_invariant():
    campaign = sim_campaigns.done(sim_campaigns.SECOND_HALF)
    assert campaign.violations == []
    assert campaign.schedules == 5_000
    assert disturbed(campaign) > 0.25
    assert set(campaign.states) <= AT_REST


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_fault_13_28_30_39_66_a_hundred_thousand_other_schedules_break_no_invariant(part: int):
    campaign = sim_campaigns.done(range(2_000_000 + part * 10_000, 2_000_000 + (part + 1) * 10_000))
    assert campaign.violations == []
    assert campaign.schedules == 10_000
    assert disturbed(campaign) > 0.25
    assert set(campaign.states) <= AT_REST
