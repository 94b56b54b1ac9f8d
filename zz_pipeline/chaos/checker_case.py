"""The evidence of one run, arranged for the checks.

Belongs here: lookups over `sim_evidence`. Must not: judging, anything of the delivery protocol or of the simulation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from zz_pipeline.chaos.sim_evidence import Effect, Evidence, Request, RowFact, Unit, Version

Found = Iterator[str]


class Pushed(NamedTuple):
    """One record version in one push."""

    request: Request
    row: RowFact


class Case:
    """Evidence, arranged."""

    def __init__(self, evidence: Evidence) -> None:
        self.e = evidence

    @cached_property
    def pushes(self) -> list[Request]:
        """All pushes that reached the wire."""
        return [r for r in self.e.requests if r.push]

    @cached_property
    def units(self) -> dict[Unit, list[Pushed]]:
        """Pushes of each record version, in order."""
        found: dict[Unit, list[Pushed]] = defaultdict(list)
        for request in self.pushes:
            for row in self.rows(request):
                found[request.platform, row.kind, row.record_key, row.version].append(Pushed(request, row))
        return found

    def rows(self, request: Request) -> list[RowFact]:
        """The batch's rows that are really in its bytes."""
        rows = request.intent.rows if request.intent else ()
        return [row for row in rows if any(belongs(key, row.record_key) for key in request.keys)]

    @cached_property
    def versions(self) -> dict[Unit, Version]:
        """Accepted versions."""
        return {(v.platform, v.kind, v.record_key, v.version): v for v in self.e.versions}

    @cached_property
    def markers(self) -> dict[tuple[str, str], Version]:
        """(platform, marker) → the version that carries it."""
        return {(v.platform, v.marker): v for v in self.e.versions if v.marker}

    @cached_property
    def owners(self) -> dict[str, str]:
        """Record key → its department."""
        return {v.record_key: v.owner for v in self.e.versions}

    @cached_property
    def effects(self) -> dict[tuple[str, str, str], list[Effect]]:
        """Changes of each record at each platform, in order."""
        found: dict[tuple[str, str, str], list[Effect]] = defaultdict(list)
        for effect in self.e.effects:
            found[effect.platform, effect.kind, effect.record_key].append(effect)
        return found

    def version_of(self, effect: Effect) -> int | None:
        """Which of our versions an effect by wire carries."""
        if effect.marker:
            known = self.markers.get((effect.platform, effect.marker))
            return known.version if known else None
        if effect.request is None:
            return None
        rows = self.rows(self.e.requests[effect.request])
        return next((r.version for r in rows if r.record_key == effect.record_key and r.kind == effect.kind), None)

    @cached_property
    def restores(self) -> list[float]:
        """Moments at which our ledger went back."""
        return [n.at for n in self.e.notes if n.what == "ledger_restore"]

    def since_restore(self, at: float) -> int:
        """In which life of the ledger a moment lies."""
        return bisect_right(self.restores, at)

    def noted(self, what: tuple[str, ...], platform: str, since: float, until: float, key: str = "") -> bool:
        """Whether something of the kind happened on a platform in between."""
        return any(
            n.what in what and since <= n.at <= until and n.platform in ("", platform)
            and (not key or n.record_key in ("", key))
            for n in self.e.notes
        )  # fmt: skip

    def tables(self, name: str) -> list[Mapping[str, Any]]:
        """Rows of a table at the end."""
        return self.e.tables.get(name, [])


def belongs(remote_key: str, record_key: str) -> bool:
    """Whether a remote key is of that record: itself, with an item code, or shown again after a stop."""
    return remote_key == record_key or remote_key.startswith((f"{record_key}-6101", f"{record_key}-R"))


def people_decided(c: Case, platform: str, key: str) -> bool:
    """Whether a person has decided about a record on a platform."""
    return any(n.what == "decision" and n.platform == platform and n.record_key == key for n in c.e.notes)
