"""One record on ③ for tests of what becomes of it there: accepted, sent, compared, decided about.

Belongs here: what those tests stage alike. Must not: assertions about an outcome.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import count

from tests.delivery.bench import a_uscc, accept
from tests.pipeline.small_county import THREE
from zz_pipeline.delivery import people
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.reconcile import EVERYTHING, reconcile

NUMBERS = count(1)


class OnThree:
    """A record under a number of its own; other tests' records are strange to this ledger."""

    def __init__(self, place, ledger):
        self.place, self.ledger, self.number = place, ledger, next(NUMBERS)
        self.key = f"610124-SCJG-2026-{self.number:07d}"

    def say(self, version, op="PUBLISH", changes=None, **values):
        said = {"uscc": a_uscc(self.number), "counterpart_code": a_uscc(self.number), **(changes or {})}
        name = f"2026-{self.number:07d}"
        accept(self.ledger, self.place.settings, "SCJG", name, version, op, (THREE,), changes=said, **values)
        self.send()

    def send(self):
        deliver(self.ledger, self.place.settings, THREE, threads=1)

    def compare(self):
        """Number of the reconciliation, and the types of what differs about this record, under either of its ids."""
        result = reconcile(self.ledger, self.place.settings, THREE, datetime.now(UTC).date(), since=EVERYTHING)
        assert not result.error
        mine = [found.type for found, _ in result.differences if found.remote_key in (self.key, f"{self.key}-R2")]
        return result.id, mine

    def decide(self, decision, version):
        chosen = [RowKey("inspection", self.key, version)]
        people.decide(self.ledger, THREE, chosen, decision, actor="张某", note="已看过平台", now=time.time())
        self.send()

    def brought_back(self, since=""):
        """The platform's backup of that moment, or of before all, is all it has of the record."""
        self.place.mocks.control("POST", "/forget", {"platform": THREE, "keys": [self.key], "since": since})
