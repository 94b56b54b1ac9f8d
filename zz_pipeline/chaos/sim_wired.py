"""The production modules on the simulated wire, clock and locks, for the duration of a schedule.

Belongs here: which names of which modules are exchanged. Must not: behaviour of the simulation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

from zz_pipeline import reconcile as reconciling
from zz_pipeline.chaos.sim_run import Run
from zz_pipeline.delivery import budget, client, lanes, points


class SimLine:
    """Stands in for the HTTP line of a client: nothing is connected."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def wired(run: Run) -> Iterator[None]:
    """The production modules on the simulated wire, clock and locks, for the duration."""
    with ExitStack() as stack:
        for module, name, value in (
            (client, "exchange", run.wire.exchange),
            (client, "Line", SimLine),
            (reconciling, "check_identity", lambda *_: None),
            (reconciling, "KINDS", run.kinds),
            (lanes, "_process_lock", run.lock),
            (budget, "random", Random(run.world.seed + 1)),
            (points, "hook", run.reach),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield
