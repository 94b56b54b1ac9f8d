"""Makes `tests` importable, so that builders of good rows can be shared between folders of tests.

With several workers a file's tests stay together: its servers and counties are staged once, not once a worker.
"""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file is a group of its own, unless its tests say otherwise."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(Path(item.location[0]).stem))
