"""One process of mocks for each test module of this folder; no fault of one test reaches the next.

Belongs here: fixtures of the contract tests. Must not: samples (`mock_records`), signing (`mock_client`).
"""

import json

import pytest

from mock_platforms.run import Mocks
from tests.contract.mock_client import Client, credentials

UNLIMITED = {"rate": 100_000, "burst": 100_000}


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """Running mocks without a rate limit; their error log must stay empty."""
    home = tmp_path_factory.mktemp("mocks")
    given = home / "credentials.json"
    given.write_text(json.dumps(credentials()))
    (home / "credit").mkdir()
    with Mocks(home / "state", given, home / "credit", receipt_delay=0.05) as running:
        running.control("POST", "/reset", UNLIMITED)
        yield running
    errors = (home / "state" / "stderr.log").read_text()
    assert "Traceback" not in errors, errors


@pytest.fixture(autouse=True)
def _clean(request):
    yield
    if "mocks" in request.fixturenames:
        request.getfixturevalue("mocks").control("POST", "/reset", UNLIMITED)


@pytest.fixture
def one(mocks):
    """SCJG's client of ①."""
    return Client(mocks, "double_random")


@pytest.fixture(scope="module")
def two(mocks):
    """SCJG's client of ②, with its session."""
    return Client(mocks, "internet_supervision")


@pytest.fixture
def three(mocks):
    """SCJG's client of ③."""
    return Client(mocks, "publicity")


@pytest.fixture
def credit(mocks):
    """SCJG's client of the credit platform."""
    return Client(mocks, "credit")
