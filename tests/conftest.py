"""Makes `tests` importable, so that builders of good rows can be shared between folders of tests.

Two workers share the files (`--dist loadfile --no-loadscope-reorder`: servers and counties are staged once a file, not once
a worker); the files that take longest come first, so that no worker ends with a long one while the other has nothing left.
"""

from pathlib import Path

import pytest

FIRST = (
    "test_sim",
    "test_sim_more",
    "test_whole_nights",
    "test_second_county",
    "test_kills",
    "test_kill_points",
    "test_dagster",
    "test_dagster_browser",
    "test_backfill",
    "test_process_faults",
    "test_office_figures",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file and among the others the order stays."""
    places = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(Path(item.location[0]).stem, len(FIRST)))
