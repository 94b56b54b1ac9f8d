"""Python's collector of reference cycles, at rest while rows are made.

Belongs here: letting it rest and work again. Must not: knowledge of what is made.

It looks through everything alive whenever enough has been added, and a night adds hundreds of thousands of rows, none of
them in a cycle, beside the imports of Great Expectations: a third to a half of the processor time of taking records in
(0012). What has no reference left is freed as ever.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()
_resting = 0
_enabled = False


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """No cycle is collected inside, in any thread; it works again when the last such block has ended, if it did before."""
    _change(1)
    try:
        yield
    finally:
        _change(-1)


def _change(by: int) -> None:
    global _resting, _enabled
    with _LOCK:
        if by > 0 and _resting == 0:
            _enabled = gc.isenabled()
            gc.disable()
        _resting += by
        if _resting == 0 and _enabled:
            gc.enable()
