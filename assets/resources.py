"""What assets are handed: the core's `Night`, built once per process from configuration and environment.

Belongs here: building, and giving back. Must not: any step.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from zz_pipeline.alerts.turn import Turn
    from zz_pipeline.ledger.db import Ledger
    from zz_pipeline.night import Night
    from zz_pipeline.settings import Settings


class NightResource(dg.ConfigurableResource):
    """Settings and ledger; the ledger is migrated when it is first asked for."""

    _settings: Settings | None = PrivateAttr(default=None)
    _ledger: Ledger | None = PrivateAttr(default=None)

    def night(self, run: str) -> Night:
        """The steps of a night that hand over under that run."""
        from assets.launcher import end_with_parent
        from zz_pipeline.night import Night

        end_with_parent()
        return Night(*self._opened(), run)

    def alerts(self) -> Turn:
        """Look for what needs a person, and tell what of it is new; a fault of the alerts is in the result."""
        from zz_pipeline.alerts.turn import after_night

        return after_night(*self._opened(), time.time())

    def _opened(self) -> tuple[Settings, Ledger]:
        from zz_pipeline.ledger.db import Ledger
        from zz_pipeline.settings import load_settings

        if self._settings is None or self._ledger is None:
            self._settings = load_settings()
            self._ledger = Ledger(self._settings.ledger_url)
            self._ledger.migrate()
        return self._settings, self._ledger

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Give the connections back."""
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = None
