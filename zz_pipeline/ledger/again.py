"""A transaction that the database gave up for another's sake is done once more.

Belongs here: which errors mean that, how often. Must not: anything that left the house (a request is never repeated here).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

_T = TypeVar("_T")
GIVEN_UP = frozenset(("40001", "40P01"))  # PostgreSQL: serialization_failure, deadlock_detected
TIMES, FIRST_WAIT = 7, 0.2  # full jitter, doubling: lanes that repeat in step would starve the one they wait for


def again(work: Callable[[], _T]) -> _T:
    """Do `work`, which is one whole transaction, up to TIMES times as long as the database gives it up."""
    for n in range(TIMES - 1):
        try:
            return work()
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) not in GIVEN_UP:
                raise
        time.sleep(random.uniform(0.0, FIRST_WAIT * 2**n))
    return work()
