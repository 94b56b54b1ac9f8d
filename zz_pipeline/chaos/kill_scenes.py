"""What a killed process may have been doing: scenes of a night, from which moment they start and how they go on.

Belongs here: the scenes as a table. Must not: killing, judging, staging.

A scene is worked on by runs that are killed, then by one that finishes. Each begins with what an operator's next run
would do; nothing is put right between them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select

from zz_pipeline.alerts import outbox as alerts_outbox
from zz_pipeline.alerts import send as alerts_send
from zz_pipeline.alerts.trouble import OFFICE, WARNING, Kind, Trouble
from zz_pipeline.chaos import kill_child
from zz_pipeline.chaos.kill_town import DAY, PLATFORMS, REPORTING, Town
from zz_pipeline.course import NightResult, send, whole_night
from zz_pipeline.delivery import people
from zz_pipeline.delivery.protocol import RowKey
from zz_pipeline.ledger.schema import lane, outbox
from zz_pipeline.night import Night
from zz_pipeline.returns.decisions import ignore_value

BY = "张某"
DAY_SECONDS = 86400.0
SOURCE = Path("sources") / "hbj.db"
Step = Callable[[Town, Night], int]


def _nothing(town: Town) -> None:
    """No preparation."""


@dataclass(frozen=True, slots=True)
class Scene:
    """`work` is what is killed, `finish` what ends it alone and returns 0 if all went well; `stall` see `kill_child`."""

    name: str
    moment: str  # empty | begun | taken_in
    work: Step
    finish: Step
    prepare: Callable[[Town], None] = _nothing
    mend: Callable[[Town], None] = _nothing  # before the finishing run: what broke outside is well again
    stall: str = ""
    ahead: float = 0.0  # seconds by which the finishing run is later than the others


def in_child(town: Town, step: Step, ahead: float = 0.0) -> Callable[[], int]:
    """The step as a process of its own would do it: own connections, own run folder."""

    def work() -> int:
        with town.opened(f"chaos-{uuid.uuid4().hex}", ahead) as night:
            return step(town, night)

    return work


# ── what runs do ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _night(town: Town, night: Night) -> int:
    return _code(night, whole_night(night, DAY))


def _sending(town: Town, night: Night) -> int:
    result = NightResult(DAY)
    send(night, [DAY], result, lambda *_: None)
    return _code(night, result)


def _code(night: Night, result: NightResult) -> int:
    """0 if the night balanced, was complete and agrees with the platforms."""
    found = result.balanced_or_fail()
    agreed = all(r.state == "OK" for r in result.reconciled.values())
    return 0 if found.balanced and found.complete and agreed else 3


def _migrated(town: Town, night: Night) -> int:
    night.ledger.migrate()
    return 0


def _migrated_night(town: Town, night: Night) -> int:
    night.ledger.migrate()
    return _night(town, night)


def _one_source(town: Town, night: Night) -> int:
    night.pull(REPORTING[0], DAY)
    return 0


def _reconciled(town: Town, night: Night) -> int:
    for platform in PLATFORMS:
        night.reconcile(platform, DAY)
    return 0


def _reconciled_then_sending(town: Town, night: Night) -> int:
    _reconciled(town, night)
    return _sending(town, night)


def _people(town: Town, night: Night) -> int:
    """What only a person may order, one order after the other; each may be given again after a kill."""
    ledger, now, order = night.ledger, night.clock(), {"actor": BY, "note": "演练"}
    people.set_stop(ledger, True, now=now, **order)
    for platform in PLATFORMS:
        done = night.reconcile(platform, DAY)
        people.requeue_lost(ledger, done.id, now=now, **order)
        people.release_lane(ledger, platform, REPORTING[0], **order)
    keys = _blocked(night)
    people.decide(ledger, PLATFORMS[-1], keys, "give_up", now=now, **order)
    ignore_value(night, REPORTING[0], "result", "演练值", BY)
    people.set_stop(ledger, False, now=now, **order)
    _told(night, now)
    return 0


def _told(night: Night, now: float) -> None:
    """Something new each time that people are to be told, over a channel that nobody answers."""
    news = Trouble(f"drill:{uuid.uuid4().hex}", Kind.CALENDAR, OFFICE, WARNING, "演练", "演练，无需处理。", now)
    alerts_outbox.put(night.ledger, [news], now)
    alerts_send.flush(night.settings, night.ledger, now)


def _people_then_sending(town: Town, night: Night) -> int:
    _people(town, night)
    return _sending(town, night)


def _blocked(night: Night) -> list[RowKey]:
    """The first rating that is never published, as long as nobody has decided about it."""
    columns = (outbox.c.kind, outbox.c.record_key, outbox.c.version)
    where = (outbox.c.platform == PLATFORMS[-1], outbox.c.scheme == "RISK")
    with night.ledger.read() as conn:
        first = conn.execute(select(*columns, outbox.c.state).where(*where).order_by(*columns).limit(1)).all()
    return [RowKey(*row[:3]) for row in first if row.state == "BLOCKED"]


# ── what is prepared and mended ───────────────────────────────────────────────────────────────────────────────────────
def _away(town: Town) -> None:
    path = town.home / SOURCE
    path.rename(path.with_suffix(".away"))


def _back(town: Town) -> None:
    path = town.home / SOURCE
    with suppress(FileNotFoundError):  # it is there: nobody took it away
        path.with_suffix(".away").rename(path)


def _breaker(town: Town) -> None:
    """Every lane's breaker has opened in an earlier run, and its time is over."""
    kill_child.run(in_child(town, _open_breakers))


def _open_breakers(town: Town, night: Night) -> int:
    opened = {"failures": 5, "breaker_until": 1.0, "breaker_step": 1}
    with night.ledger.begin() as conn:
        for platform in PLATFORMS:
            for dept in REPORTING:
                conn.execute(insert(lane).values(platform=platform, dept=dept, **opened))
    return 0


def _forgotten(town: Town) -> None:
    """Everything was delivered, then each platform lost a record."""
    kill_child.run(in_child(town, _sending))
    for platform in PLATFORMS:
        held = town.order("GET", f"/ledger/{platform}")
        town.order("POST", "/forget", {"platform": platform, "keys": [min(row["key"] for row in held)]})


def _used_up(town: Town) -> None:
    """Others have used a platform's day but for a few records."""
    town.limit(PLATFORMS[-1], left=2)


def _new_day(town: Town) -> None:
    town.limit(PLATFORMS[-1])


SCENES: dict[str, Scene] = {
    scene.name: scene
    for scene in (
        Scene("migrate", "empty", _migrated, _migrated_night),
        Scene("source_down", "begun", _one_source, _night, _away, _back),
        Scene("people", "taken_in", _people, _people_then_sending),
        Scene("breaker", "taken_in", _sending, _sending, _breaker),
        Scene("lost", "taken_in", _reconciled, _reconciled_then_sending, _forgotten),
        Scene("used_up", "taken_in", _sending, _sending, _used_up, _new_day, ahead=DAY_SECONDS),
        Scene("stalled", "taken_in", _sending, _sending, stall="send:claimed"),
        Scene("sending", "taken_in", _sending, _sending),
        Scene("night", "begun", _night, _night),
    )
}
# Where a point is passed in several scenes, it is killed in the first of these that passes it, and in the one it
# belongs to by its nature: a claim is killed in an ordinary night's sending, not while people give orders.
ORDER = ("sending", "migrate", "source_down", "people", "breaker", "lost", "used_up", "stalled", "night")
