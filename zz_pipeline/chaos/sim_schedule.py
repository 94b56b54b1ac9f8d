"""What a seed means: which records, platforms and versions, how often what fails, and what happens beside it.

Belongs here: drawing a plan from a seed, choosing a request's fault. Must not: carrying the plan out (that is `sim`).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from zz_pipeline.chaos.sim_evidence import Request
from zz_pipeline.chaos.sim_records import PLATFORMS, Wanted
from zz_pipeline.chaos.sim_wire import ASK_FAULTS, GOOD, PUSH_FAULTS, Fault

# (weight, value): what schedules are made of.
SETS = ((26, (0,)), (24, (1,)), (24, (2,)), (6, (0, 1)), (6, (0, 2)), (14, (0, 1, 2)))
FAULT_RATES = ((15, 0.0), (35, 0.12), (33, 0.3), (13, 0.6), (4, 0.97))
KILL_RATES = ((40, 0.0), (40, 0.01), (20, 0.04))
STALL_RATES = ((50, 0.0), (35, 0.015), (15, 0.05))
RECORDS = ((48, 1), (33, 2), (14, 3), (5, 5))
VERSIONS = ((45, 1), (35, 2), (20, 3))
CHANGES = ((60, "PUBLISH"), (20, "HIDE"), (20, "WITHDRAW"))
NIGHTS = ((62, 1), (28, 2), (10, 3))
SPECIALS = (
    "hand", "hand", "platform_restore", "ledger_restore", "outage", "outage", "stop", "refused", "poison", "batch_fails",
)  # fmt: skip
MOST_CRASHES = 3
# Faults that come again and again within a schedule, so that rare pairs of them meet.
FAVOURITES = ((70, 0), (30, 2))


class Special(NamedTuple):
    """Something beside the protocol: what, when (seconds from the beginning), for how long, on which platform, which version."""

    what: str
    at: float
    seconds: float
    platform: str
    pick: int
    how: int


@dataclass(frozen=True)
class Plan:
    """A schedule before it runs."""

    platforms: tuple[str, ...]
    versions: tuple[tuple[int, Wanted], ...]  # (night of acceptance, version)
    nights: int
    fault_rate: float
    ask_fault_rate: float
    kill_rate: float
    stall_rate: float
    specials: tuple[Special, ...]
    favourites: tuple[str, ...]
    slow: bool  # asynchronous checks take hours
    small_batches: bool

    def has(self, what: str) -> bool:
        """Whether such a special is planned."""
        return any(s.what == what for s in self.specials)


def weighted(rng: Random, table: tuple[tuple[int, object], ...]) -> object:
    """One value of a table by its weights."""
    point = rng.random() * sum(weight for weight, _ in table)
    for weight, value in table:
        point -= weight
        if point < 0:
            return value
    return table[-1][1]


def plan(rng: Random) -> Plan:
    """Draw a schedule."""
    platforms = tuple(PLATFORMS[n] for n in weighted(rng, SETS))  # type: ignore[attr-defined]  # a tuple of SETS
    nights = int(weighted(rng, NIGHTS))  # type: ignore[call-overload]  # a number of NIGHTS
    rate = float(weighted(rng, FAULT_RATES))  # type: ignore[arg-type]  # a number of FAULT_RATES
    specials = tuple(_special(rng, platforms, nights) for _ in range(rng.choice((0, 0, 1, 1, 2))))
    count = int(weighted(rng, FAVOURITES))  # type: ignore[call-overload]  # a number of FAVOURITES
    return Plan(
        platforms=platforms,
        versions=_versions(rng, nights),
        nights=nights,
        fault_rate=rate,
        ask_fault_rate=rate * rng.choice((0.0, 0.4, 0.4, 1.0)),
        kill_rate=float(weighted(rng, KILL_RATES)),  # type: ignore[arg-type]  # a number of KILL_RATES
        stall_rate=float(weighted(rng, STALL_RATES)),  # type: ignore[arg-type]  # a number of STALL_RATES
        specials=specials,
        favourites=tuple(rng.choice(tuple(PUSH_FAULTS)) for _ in range(count)),
        slow=rng.random() < 0.15,
        small_batches=rng.random() < 0.15,
    )


def _special(rng: Random, platforms: tuple[str, ...], nights: int) -> Special:
    night = rng.randrange(nights)
    at = night * 86_400.0 + rng.choice(
        (0.0, rng.uniform(0.0, 30.0), rng.uniform(0.0, 400.0), rng.uniform(0.0, 80_000.0))
    )
    seconds = rng.choice((5.0, 60.0, 400.0, 90_000.0))
    return Special(rng.choice(SPECIALS), at, seconds, rng.choice(platforms), rng.randrange(100), rng.randrange(6))


def _versions(rng: Random, nights: int) -> tuple[tuple[int, Wanted], ...]:
    found: list[tuple[int, Wanted]] = []
    two = rng.random() < 0.25
    for n in range(int(weighted(rng, RECORDS))):  # type: ignore[call-overload]  # a number of RECORDS
        owner = "BBBB" if two and n % 2 else "AAAA"
        kind = "inspection" if rng.random() < 0.35 else "rating"
        key = f"610124-{owner}-2026-{n + 1:03d}" if kind == "inspection" else f"RT-{owner}-{n + 1:03d}"
        night = rng.randrange(nights)
        for number in range(1, int(weighted(rng, VERSIONS)) + 1):  # type: ignore[call-overload]  # of VERSIONS
            what = "PUBLISH" if number == 1 else str(weighted(rng, CHANGES))
            codes = tuple(f"6101240001000{k}" for k in range(1, rng.choice((2, 2, 3))))
            found.append((night, Wanted(key, kind, owner, number, what, codes)))
            night = min(night + rng.choice((0, 1, 1)), nights)
    return tuple(sorted(found, key=lambda pair: (pair[0], pair[1].number)))


def choose(rng: Random, plan: Plan, request: Request) -> tuple[str, Fault]:
    """The fault that a request meets."""
    push = request.push
    if rng.random() >= (plan.fault_rate if push else plan.ask_fault_rate):
        return "", GOOD
    table = PUSH_FAULTS if push else ASK_FAULTS
    name = rng.choice(plan.favourites) if push and plan.favourites and rng.random() < 0.6 else rng.choice(_NAMES[push])
    if table[name].answer == "4015" and request.platform != "internet_supervision":
        return "", GOOD
    return name, table[name]


_NAMES = {True: tuple(PUSH_FAULTS), False: tuple(ASK_FAULTS)}
