"""A campaign of real kills: chains of runs that are sent SIGKILL at named points, each judged after a run that finishes.

Belongs here: the plan of chains, foremen side by side, the report. Must not: what a run does, how it is judged.

A chain: the county is put back to a moment, some runs of a scene are killed one after the other (each later one while it
recovers from the one before), a last one finishes alone, and everything is compared with the same scene without a kill.
"""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import random
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zz_pipeline.chaos import kill_child, kill_compare
from zz_pipeline.chaos.kill_child import Aim, Ended
from zz_pipeline.chaos.kill_compare import Snapshot
from zz_pipeline.chaos.kill_postgres import installed, server
from zz_pipeline.chaos.kill_scenes import ORDER, SCENES, Scene, in_child
from zz_pipeline.chaos.kill_town import DAY, Databases, Files, Shelf, Town, Verdicts, staged
from zz_pipeline.course import take_in, whole_night
from zz_pipeline.delivery.points import NAMES
from zz_pipeline.errors import ConfigError

DEPTHS = (1, 2, 2, 4, 8, 12)  # kills of a chain: singles, pairs, and kills within recoveries of recoveries
MANY = 3  # kills a point from which on a campaign is large
MOST_MISSES = 5  # chains that begin with a kill at a point which is not reached
COUNTY = 1  # seed of a county in which every point is reached, returned records included
STALL_SECONDS = 5.5  # longer than the send deadline of the rig's platforms


@dataclass
class Report:
    """What a campaign did. `recovered`: chains whose last run finished alone; `deep`: kills within a recovery."""

    kills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    recovered: int = 0
    chains: int = 0
    deep: int = 0
    passed: Counter[str] = field(default_factory=Counter)  # by scene and point, without a kill; no foreman's part

    def add(self, other: dict[str, Any]) -> None:
        """Take a foreman's part over."""
        for name, value in other.items():
            mine = getattr(self, name)
            setattr(self, name, Counter(mine) + Counter(value) if isinstance(mine, Counter) else mine + value)


def campaign(kills: int, seed: int, *, postgres: bool = False, minutes: float = 0.0) -> dict[str, Any]:
    """Kill about so many runs (fewer only if `minutes` are over first) over all points; the report as plain values."""
    began, report = time.monotonic(), Report()
    foremen = 2 if kills > MANY * len(NAMES) else 1  # a second county's staging must be worth its while
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zz-kill-")))
        shelves = _shelves(stack, folder, postgres, foremen)
        verdicts: Verdicts = {}
        towns = [stack.enter_context(staged(folder / str(n), s, COUNTY, verdicts)) for n, s in enumerate(shelves)]
        _warm_up(towns)
        known = Baselines(towns[0])
        report.violations, report.passed = known.violations, known.passed
        if not known.violations:  # what goes wrong without a kill says nothing of kills
            until = began + minutes * 60 if minutes else math.inf
            for part in _work(towns, known, kills, seed, until):
                report.add(part)
    unreached = sorted(set(NAMES) - {name.partition("/")[2] for name in report.passed})
    report.violations += [f"演练的一夜从未到达断点 {name}" for name in unreached]
    told = {n: getattr(report, n) for n in ("kills", "points", "violations", "recovered", "chains", "deep")}
    return {**told, "ledger": "postgresql" if postgres else "sqlite", "seconds": round(time.monotonic() - began, 1)}


def _shelves(stack: ExitStack, folder: Path, postgres: bool, foremen: int) -> list[Shelf]:
    if not postgres:
        return [Files(folder / str(n) / "ledger") for n in range(foremen)]
    programs = installed()
    if programs is None:
        raise ConfigError("本机没有安装 PostgreSQL。请先安装（apt-get install postgresql），或去掉 --postgres。")
    running = stack.enter_context(server(programs))
    return [Databases(running, f"chaos{n}") for n in range(foremen)]


def _warm_up(towns: list[Town]) -> None:
    """Two nights in this process: children find imports done, rules and statements compiled, the verdicts known.

    Two, because after a kill files that were processed are not read again. Keeps the moments of each county.
    """
    # The checker's hidden progress bars would start a thread, and a process with threads must not fork.
    importlib.import_module("tqdm").tqdm.monitor_interval = 0
    for town in towns:
        town.put_back("empty")
        with town.opened("warm") as night:
            night.ledger.migrate()
        town.shelf.keep("begun")
        with town.opened("first") as night:
            take_in(night, DAY, lambda *_: None)
        town.shelf.keep("taken_in")
        with town.opened("second") as night:
            whole_night(night, DAY)
    gc.collect()
    gc.freeze()  # else every child's collector copies the parent's memory by touching it


# ── foremen ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _work(towns: list[Town], known: Baselines, kills: int, seed: int, until: float) -> Iterator[dict[str, Any]]:
    """Each county has its foreman, a process of its own; all work at once."""
    pipes = []
    for n, town in enumerate(towns):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            share = kills * (n + 1) // len(towns) - kills * n // len(towns)
            _foreman(Chains(town, known, random.Random(seed + n), n, len(towns)), share, until, write)
        os.close(write)
        pipes.append((pid, read))
    for pid, read in pipes:
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        yield json.loads(said) if said else {"violations": ["一个演练进程没有留下结果就结束了，请查看上面的错误。"]}


def _foreman(chains: Chains, kills: int, until: float, pipe: int) -> None:
    try:
        chains.work(kills, until)
        said = {name: getattr(chains.report, name) for name in Report.__dataclass_fields__}
        with os.fdopen(pipe, "wb") as out:
            out.write(json.dumps(said).encode())
    finally:
        os._exit(0)


class Baselines:
    """Every scene without a kill: which points it passes how often, and what is there afterwards.

    All counties of a campaign are alike, so one county's scenes do for all.
    """

    def __init__(self, town: Town) -> None:
        self.after: dict[str, Snapshot] = {}
        self.scene_of: dict[str, Scene] = {}
        self.passed: Counter[str] = Counter()
        self.violations: list[str] = []
        for name in ORDER:
            self._look(town, SCENES[name])

    def _look(self, town: Town, scene: Scene) -> None:
        start(town, scene)
        first = kill_child.run(in_child(town, scene.work), stall=scene.stall, seconds=STALL_SECONDS)
        last = first if scene.work is scene.finish and not (scene.stall or scene.ahead) else finish(town, scene)
        self.after[scene.name] = kill_compare.snapshot(town)
        for name in first.passed:
            self.scene_of.setdefault(name, scene)
            self.passed[f"{scene.name}/{name}"] += first.passed[name]
        same = kill_compare.differences(self.after[scene.name], self.after[ORDER[0]])
        told = [first.error, last.error, *(text for text in same if text.startswith(("held", "versions")))]
        told += kill_compare.broken(town)
        told += [] if last.well else [f"最后一次运行以 {last.code} 结束"]
        self.violations += [f"场景 {scene.name}（未中断）：{text}" for text in dict.fromkeys(told) if text]


def start(town: Town, scene: Scene) -> None:
    """Put the county back to where the scene begins, and prepare it."""
    SCENES["source_down"].mend(town)
    town.put_back(scene.moment)
    scene.prepare(town)


def finish(town: Town, scene: Scene) -> Ended:
    """The scene's last run, alone, with all well outside."""
    scene.mend(town)
    return kill_child.run(in_child(town, scene.finish, scene.ahead))


class Chains:
    """One county's chains."""

    def __init__(self, town: Town, known: Baselines, dice: random.Random, n: int, of: int) -> None:
        self.town, self.known, self.dice, self.report = town, known, dice, Report()
        self.scene_of = known.scene_of
        self.queue: deque[str] = deque()
        self.mine = [name for name in NAMES[n::of] if name in known.scene_of]
        self.misses: Counter[str] = Counter()
        self.many = False  # many kills: a chain may kill at a point again while others still wait

    def work(self, kills: int, until: float) -> None:
        """Chains until so many kills have struck, or no other may begin because of the (monotonic) time."""
        self.many = kills > MANY * len(self.mine)
        while (self.report.kills < kills or self._missing(kills)) and time.monotonic() < until:
            if not self._chain(self.dice.choice(DEPTHS) if self.many else len(self.mine)):
                self._missed(self.queue.popleft())

    def _missed(self, point: str) -> None:
        """A chain's first kill was not reached: tried again at its first passing, and given up at last."""
        self.misses[point] += 1
        if self.misses[point] < MOST_MISSES:
            self.queue.append(point)
            return
        self.mine.remove(point)
        self.report.violations.append(f"断点 {point} 多次没有到达，无法演练")

    def _missing(self, kills: int) -> bool:
        """Whether a point of this foreman was never killed, though there were kills enough for all."""
        return kills >= len(self.mine) and not set(self.mine) <= self.report.points.keys()

    def _chain(self, depth: int) -> int:
        """Some kills one after the other, a finishing run, the judgement; how many kills struck."""
        first = self._next(None) or self.mine[0]
        scene, aims = self.scene_of[first], list[Aim]()
        start(self.town, scene)
        sure = scene.stall or self.misses[first] or not self.many
        often = 1 if sure else self.known.passed[f"{scene.name}/{first}"] * 3 // 4
        aim = Aim(first, self.dice.randint(1, max(1, often)))
        while True:
            ended = kill_child.run(in_child(self.town, scene.work), aim, scene.stall, STALL_SECONDS)
            self.town.settle()
            if not ended.struck:
                self.queue.appendleft(aim.point)
                break
            aims.append(aim)
            following = self._next(scene) if len(aims) < depth else None
            if following is None:
                break
            aim = Aim(following, 2 if self.many and self.dice.random() < 0.3 else 1)
        self._judge(scene, aims, ended)
        return len(aims)

    def _judge(self, scene: Scene, aims: list[Aim], ended: Ended) -> None:
        last = finish(self.town, scene)
        told = [] if ended.struck else [ended.error]
        told += [] if last.well else [f"最后一次运行以 {last.code} 结束", last.error]
        told += kill_compare.differences(kill_compare.snapshot(self.town), self.known.after[scene.name])
        told += kill_compare.broken(self.town)
        where = "、".join(f"{aim.point}#{aim.passing}" for aim in aims) or "无"
        self.report.violations += [f"场景 {scene.name}，断点 {where}：{text}" for text in told if text]
        self.report.kills += len(aims)
        self.report.deep += max(0, len(aims) - 1)
        self.report.points.update(aim.point for aim in aims)
        self.report.chains += 1
        self.report.recovered += last.well

    def _next(self, scene: Scene | None) -> str | None:
        """The point that has waited longest; of the scene, if one is named: None if none of it waits any more."""
        if not self.queue:
            fresh = list(self.mine)
            self.dice.shuffle(fresh)
            # few kills: as a night passes the points, so that one chain meets one after the other
            self.queue.extend(fresh if self.many else [name for name in self.scene_of if name in fresh])
        mine = [name for name in self.queue if scene is None or self.scene_of[name] is scene]
        if mine:
            self.queue.remove(mine[0])
            return mine[0]
        return (
            self.dice.choice([name for name, there in self.scene_of.items() if there is scene]) if self.many else None
        )
