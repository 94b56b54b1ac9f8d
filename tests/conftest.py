"""Makes `tests` importable, so that builders of good rows can be shared between folders of tests.

Three workers share the files of two cores, because much of a test is waiting for other processes; with four, tests that
measure seconds become uncertain. `--dist loadfile --no-loadscope-reorder`:
servers and counties are staged once a file, not once a worker, and the files that take longest come first, so that no
worker ends with a long one while the others have nothing left.
"""

from pathlib import Path

import pytest

FIRST = (
    "test_sim",
    "test_sim_more",
    "test_dagster",
    "test_dagster_browser",
    "test_process_faults",
    "test_troubles",
    "test_whole_nights",
    "test_kill_points",
    "test_second_county",
    "test_platform_outages",
    "test_backfill",
    "test_canaries",
    "test_manual",
    "test_orchestrator_faults",
    "test_backfill_parts",
    "test_kills",
    "test_bench",
    "test_office_figures",
    "test_day_report",
    "test_deliver_scenarios",
    "test_deliver_mocks",
    "test_returns",
    "test_two_runs",
    "test_hostile_corpus",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file and among the others the order stays."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(Path(item.location[0]).stem, len(FIRST)))
