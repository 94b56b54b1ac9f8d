"""What people do in the simulated mornings: releasing lanes, deciding conflicts, approving repairs; and a clerk's typing.

Belongs here: decisions through `delivery.people`, hand entries at the platforms. Must not: touching our tables directly.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from zz_pipeline.chaos.sim_contracts import DoubleRandom, Publicity, Supervision
from zz_pipeline.chaos.sim_platforms import Platform
from zz_pipeline.chaos.sim_records import Wanted, payload, settings
from zz_pipeline.chaos.sim_world import World
from zz_pipeline.delivery import people
from zz_pipeline.delivery.protocol import RenderContext, RowKey
from zz_pipeline.errors import LedgerError
from zz_pipeline.platforms import registry

HAND = ("equal", "different", "different", "newer", "older", "other_name")


def morning(world: World, tired: bool) -> None:
    """Look at everything that waits for a person; `tired`: some of it is left for another day."""
    _release(world, tired)
    _decide(world, tired)
    _approve(world)


def _release(world: World, tired: bool) -> None:
    stopped = world.ledger.raw.execute("SELECT platform, dept FROM lane WHERE stopped <> '' ORDER BY 1, 2").fetchall()
    for platform, dept in stopped:
        if not (tired and world.rng.random() < 0.3):
            people.release_lane(world.ledger, platform, dept, actor="张某", note="已核对凭证")
            world.note("release", platform, detail=dept)


def _decide(world: World, tired: bool) -> None:
    query = (
        "SELECT platform, kind, record_key, version, state, op FROM outbox WHERE state IN ('CONFLICT', 'DEAD') "
        "ORDER BY 1, 2, 3, 4"
    )
    for platform, kind, key, version, state, op in world.ledger.raw.execute(query).fetchall():
        if tired and world.rng.random() < 0.3:
            continue
        choices = ["adopt", "give_up"] if state == "CONFLICT" else ["give_up"]
        # a withdrawal that a person calls done or drops is a person's responsibility; once more is the usual order
        words = [*choices, "retry"] if tired or op == "WITHDRAW" else choices
        word = world.rng.choice(words)
        rows = [RowKey(kind, key, version)]
        try:
            people.decide(world.ledger, platform, rows, word, actor="张某", note="样例", now=world.now)
        except LedgerError:  # an old version is not sent again: told so, people leave it for another morning
            continue
        world.note("decision", platform, key, f"{word} {version}")


def _approve(world: World) -> None:
    found = world.ledger.raw.execute(
        "SELECT max(id) FROM reconciliation WHERE state = 'DIFFERS' GROUP BY platform ORDER BY platform"
    ).fetchall()
    for (number,) in found:
        newest = world.ledger.raw.execute(
            "SELECT max(id), platform FROM reconciliation WHERE platform = "
            "(SELECT platform FROM reconciliation WHERE id = ?)", (number,),
        ).fetchone()  # fmt: skip
        if newest[0] == number and number not in world.approved:  # once is enough
            world.approved.add(number)
            people.requeue_lost(world.ledger, number, actor="张某", note="平台恢复过备份", now=world.now)
            world.note("requeue", newest[1])


def type_in(world: World, platform: Platform, wanted: Wanted, how: str) -> None:
    """A clerk types a record at the platform, where no client is between: equal to ours, different, newer or older."""
    number = {"newer": wanted.number + 3, "older": max(wanted.number - 1, 1)}.get(how, wanted.number)
    key = RowKey(wanted.kind, wanted.record, number)
    day = datetime.fromtimestamp(world.now, settings().zone).replace(tzinfo=None)
    context = RenderContext(settings().departments[wanted.owner], day)
    said = payload(wanted) | ({} if how == "equal" else {"subject_name": "周至县手工录入有限公司"})
    wires = registry.adapter(platform.name).render(key, "PUBLISH", "", "", said | {"publishable": True}, context)
    platform.by = "hand"
    for record in wires:
        _typed(platform, wanted, dict(record))
    platform.by = "wire"
    world.note("hand", platform.name, wanted.record, how)


def _typed(platform: Platform, wanted: Wanted, record: dict[str, Any]) -> None:
    if isinstance(platform, Supervision):
        known = platform.store.get((wanted.kind, record["cd_id"]))
        record["cd_operation"] = "u" if known is not None and known.present else "i"
        platform.judge(wanted.owner, wanted.kind, record)
    elif isinstance(platform, DoubleRandom):
        platform.judge(wanted.owner, wanted.kind, record)
    elif isinstance(platform, Publicity):
        platform.show(wanted.owner, wanted.kind, record)
