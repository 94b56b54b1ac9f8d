"""The other half of the simulator's schedules, in a file of its own so that another worker of the test run takes it."""

from __future__ import annotations

import pytest

from tests.delivery import sim_campaigns


def test_fault_13_28_30_39_66_thousands_of_other_schedules_break_no_invariant():
    sim_campaigns.clean(sim_campaigns.SECOND_HALF)


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_fault_13_28_30_39_66_a_hundred_thousand_other_schedules_break_no_invariant(part: int):
    sim_campaigns.clean(range(2_000_000 + part * 10_000, 2_000_000 + (part + 1) * 10_000))
