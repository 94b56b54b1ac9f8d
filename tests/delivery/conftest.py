"""Fixtures of the delivery tests. Belongs here: what many of them stage alike. Must not: assertions, records."""

import pytest

from tests.delivery.bench import FakeClock, a_ledger
from tests.delivery.tiny_platform import TinyPlatform
from tests.pipeline.postgres import postgres

__all__ = ["postgres"]


@pytest.fixture
def platform():
    with TinyPlatform() as platform:
        yield platform


@pytest.fixture
def ledger(tmp_path):
    ledger = a_ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
def clock():
    return FakeClock()
