"""What happens beside the protocol: outages, the stop switch, hand entries, backups that come back.

Belongs here: carrying out a plan's specials. Must not: choosing them (that is `sim_schedule`), people's decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zz_pipeline.chaos import sim_people
from zz_pipeline.chaos.sim_schedule import Special
from zz_pipeline.chaos.sim_world import START

if TYPE_CHECKING:
    from zz_pipeline.chaos.sim_run import Run


def prepare(run: Run, special: Special) -> None:
    """Let it happen at its moment."""
    what, at = special.what, START + special.at
    target = run.world.platforms[special.platform]
    wanted = run.plan.versions[special.pick % len(run.plan.versions)][1]
    if what in ("refused", "poison"):
        getattr(target, what).add(wanted.marker)
    elif what == "hand":
        how = sim_people.HAND[special.how]
        run.world.later(at, lambda: sim_people.type_in(run.world, target, wanted, how))
    elif what == "outage":
        run.world.later(at, lambda: run.down.__setitem__(special.platform, at + special.seconds))
    elif what == "stop":
        run.world.later(at, lambda: _switch(run, True))
        run.world.later(at + special.seconds, lambda: _switch(run, False))
    elif what == "platform_restore":
        run.world.later(at, lambda: run.backups.__setitem__(special.platform, target.backup()))
        run.world.later(at + special.seconds, lambda: _platform_restore(run, special.platform))
    elif what == "ledger_restore":
        run.restores.append(special)


def _switch(run: Run, on: bool) -> None:
    if not run.world.quiet:
        run.world.stopped = on
        run.world.note("stop" if on else "resume")


def _platform_restore(run: Run, platform: str) -> None:
    if not run.world.quiet:
        run.world.note("platform_restore", platform)
        run.world.platforms[platform].restore(run.backups[platform])


def restored(run: Run) -> None:
    """Our database is lost and comes back as it was; the order of the handbook: read again, reconcile, then send."""
    for special in list(run.restores):
        if "ledger" not in run.backups:
            run.backups["ledger"] = run.ledger.backup()
            continue
        run.restores.remove(special)  # also where it is never needed: else nothing would ever be at rest
        if not run.world.quiet or special.how % 2:
            run.dump()
            run.ledger.restore(run.backups.pop("ledger"))
            run.world.note("ledger_restore")
            calm, run.world.quiet = run.world.quiet, True
            for read in (False, True):
                if read:
                    run.acceptance.again(run.world.now)
                for platform in run.plan.platforms:
                    run.reconcile(platform, everything=True)
            run.world.quiet = calm
