"""The PostgreSQL server of the tests: one a session, or one of a test's own.

Belongs here: the fixture. Must not: starting and stopping a server (that is `zz_pipeline.chaos.kill_postgres`).
Tests that use it carry the marker `postgres`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zz_pipeline.chaos.kill_postgres import Server, installed, server

__all__ = ["MISSING", "Server", "installed", "postgres", "server"]

MISSING = "PostgreSQL is not installed: install postgresql (apt-get install postgresql)"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server for the whole session; the test is skipped where PostgreSQL is not installed."""
    programs = installed()
    if programs is None:
        pytest.skip(MISSING)
    with server(programs) as running:
        yield running
