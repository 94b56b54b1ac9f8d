"""kill -9 at any moment of a night: afterwards the platforms cannot tell it from a night without a kill.

The moments are no named points (those are in test_kill_points.py): a few in `make test`, thirty in `make test-long`.
"""

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
from bisect import bisect_right
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from tests.pipeline import harness
from tests.pipeline.postgres import MISSING, installed, server
from zz_pipeline.delivery.states import FOR_PEOPLE, OPEN
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import batch, outbox

SEED = 20261120
FEW, CHAINS, KILLS, KILLS_ON_POSTGRES = 3, 5, 6, 3
SCALE = 0.3
# One department for each kind of source, the credit lead among them; the others report nothing. A night of all costs
# twice as much, and thirty nights are killed here.
REPORTING = ("SCJG", "HBJ", "SPJ", "SFJ", "MZJ", "JTJ", "KGJ", "GAJ")
BEIJING = timezone(timedelta(hours=8))
# A request that was under way at the kill may be logged a little later; the next run needs longer than this to send.
UNDER_WAY = 1.0

MANY = pytest.mark.long


class Chain:
    """A county whose night was killed again and again, and what the rig tells of it."""

    def __init__(self, town, moments):
        self.town, self.moments, self.runs = town, moments, []

    @property
    def plan(self):
        return {"town": order(self.town), "moments": self.moments}

    @property
    def kills(self):
        return [run for run in self.runs if run["struck"]]

    def run_of(self, line):
        """Number of the run that sent a request."""
        at = datetime.fromisoformat(line["time"]).replace(tzinfo=BEIJING).timestamp()
        return bisect_right([run["start"] + UNDER_WAY for run in self.runs[1:]], at)


def order(town):
    return {"env": town.env, "day": town.county.days[-1].isoformat()}


@pytest.fixture(scope="module", params=[pytest.param(False, id="few"), pytest.param(True, id="many", marks=MANY)])
def rig(request, tmp_path_factory):
    """All chains, after the rig has killed and finished their nights. With many, the last one has PostgreSQL, if any."""
    with ExitStack() as stack:

        def stage(n, **env):
            folder = tmp_path_factory.mktemp(f"county{n}")
            town = stack.enter_context(harness.town(folder, seed=100 + n, scale=SCALE, env=env))
            town.county.apply(town.county.days[-1])
            silence(town)
            return town

        counts = [KILLS] * CHAINS if request.param else [FEW]
        towns = [stage(n) for n in range(len(counts))]
        if request.param and (programs := installed()):
            url = stack.enter_context(server(programs)).database()
            towns.append(stage(CHAINS, ZZ_LEDGER_URL=url))
            counts.append(KILLS_ON_POSTGRES)
        chains = [Chain(*pair) for pair in zip(towns, moments(counts), strict=True)]
        kill({"measure": order(stage(90)), "at_once": 2}, chains)
        yield chains


def silence(town):
    """Only the departments of REPORTING report and have credentials."""
    for path in (town.config / "departments").glob("*.toml"):
        if path.stem not in REPORTING:
            path.write_text(re.sub(r'(?m)^kind = "\w+"', 'kind = "none"', path.read_text("utf-8")), "utf-8")
    secrets = town.home / "secrets.toml"
    sections = re.split(r"(?m)^(?=\[)", secrets.read_text("utf-8"))
    secrets.write_text("".join(s for s in sections if s[: s.find("]")].rpartition(".")[2] in REPORTING), "utf-8")


def expected(town):
    """The manifest's expectation after the night, of the departments that report."""
    state = town.manifest()["expected"][town.county.days[-1].isoformat()]
    return {p: {k: e for k, e in held.items() if e["department"] in REPORTING} for p, held in state.items()}


def moments(counts):
    """Moments of kills: half of them anywhere in the night, half while records travel; no stretch is left out."""
    dice = random.Random(SEED)
    total = sum(counts)
    spread = [(("night", "sending")[n % 2], (n + dice.random()) / total) for n in range(total)]
    dice.shuffle(spread)
    return [[spread.pop() for _ in range(count)] for count in counts]


def kill(plan, chains):
    """Let the rig carry the plan out; each chain then knows its runs."""
    plan["chains"] = [chain.plan for chain in chains]
    command = [sys.executable, "-m", "tests.pipeline.kill_rig"]
    done = subprocess.run(command, input=json.dumps(plan), cwd=harness.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    for chain, said in zip(chains, json.loads(done.stdout)["chains"], strict=True):
        chain.runs = said["runs"]


def test_every_kill_struck_a_living_night_and_the_last_run_of_each_chain_finished(rig):
    for chain in rig:
        assert [run["struck"] for run in chain.kills] == [signal.SIGKILL] * len(chain.moments)
        assert chain.runs[-1]["code"] == 0
        assert all(run["code"] in (0, -1) for run in chain.runs)
    assert sum(len(chain.kills) for chain in rig[:CHAINS]) == (CHAINS * KILLS if len(rig) > 1 else FEW)


def test_the_kills_struck_before_and_while_records_travelled(rig):
    parts = Counter(part(run) for chain in rig for run in chain.kills)
    assert parts["sending"] >= (10 if len(rig) > 1 else 1)
    assert parts["checking"] >= (3 if len(rig) > 1 else 0)
    assert parts["reading"] + parts["checking"] >= 1


def part(run):
    """Where a kill struck, by the steps that had ended."""
    ended = {name for name, place in (step.split(" ", 1) for step in run["steps"]) if all_of(place)}
    return "sending" if ended >= {"读取", "检查入库"} else "checking" if "读取" in ended else "reading"


def all_of(place):
    done, total = place.rpartition(" ")[2].split("/")
    return done == total


def test_fault_01_the_platforms_hold_what_they_would_hold_without_a_kill(rig):
    for chain in rig:
        wanted = expected(chain.town)
        assert all(len(held) > 20 for held in wanted.values())
        assert harness.compare(chain.town.mocks, wanted) == []


def test_fault_01_02_no_platform_stored_a_record_twice(rig):
    for chain in rig:
        for platform in harness.PLATFORMS:
            history = chain.town.mocks.ledger(platform, history=True)
            assert history
            stored = Counter((row["kind"], row["key"], row["version"]) for row in history)
            assert {key: n for key, n in stored.items() if n > 1} == {}


def test_fault_01_a_record_went_out_twice_only_if_a_kill_left_the_first_time_unknown(rig):
    for chain in rig:
        for platform in harness.PLATFORMS:
            lanes = {}
            for line in pushes(chain.town, platform):
                lanes.setdefault(line["department"], []).append((chain.run_of(line), line))
            assert len(lanes) > 1
            for lane in lanes.values():
                look_at_repeats(chain, lane)


def look_at_repeats(chain, lane):
    """A request that repeats a record must follow a kill that left the first one open, as the last of its lane."""
    before = {}
    for place, (run, line) in enumerate(lane):
        for first in {before[key] for key in line["keys"] if key in before}:
            there = lane[first][0]
            assert there < run, (chain.runs, lane[first], line)
            assert chain.runs[there]["struck"] == signal.SIGKILL
            assert lane[first + 1][0] > there, "the repeated request was not the last of its lane before the kill"
        before |= dict.fromkeys(line["keys"], place)


def pushes(town, platform):
    return [e for e in town.mocks.wire(platform) if e["method"] == "POST" and e["keys"]]


def test_nothing_went_out_whose_intent_the_ledger_does_not_hold(rig):
    for chain in rig:
        with chain.town.opened() as night, night.ledger.read() as conn:
            frozen = {hashlib.sha256(body).hexdigest() for body in conn.scalars(select(batch.c.body))}
        sent = {line["body"] for platform in harness.PLATFORMS for line in pushes(chain.town, platform)}
        assert sent
        assert sent <= frozen


def test_fault_02_every_row_has_ended_and_none_waits_for_a_person_because_of_a_kill(rig):
    for chain in rig:
        with chain.town.opened() as night, night.ledger.read() as conn:
            states = Counter(conn.scalars(select(outbox.c.state)))
        assert states["CONFIRMED"] > 60
        assert {
            state: states[state] for state in (*OPEN, *FOR_PEOPLE, "REJECTED") if states[state] and state != "HELD"
        } == {}


def test_the_audit_chain_is_whole_after_all_kills(rig):
    for chain in rig:
        with chain.town.opened() as night, night.ledger.read() as conn:
            state = audit.verify(conn)
        assert state.events > 50
        assert state.broken_at is None


@pytest.mark.postgres
def test_postgresql_as_ledger_went_through_its_kills_like_sqlite(rig):
    if len(rig) <= CHAINS:
        pytest.skip(MISSING if len(rig) == CHAINS else "among the few kills there is no PostgreSQL")
    last = rig[-1]
    assert last.town.settings.ledger_url.startswith("postgresql")
    assert len(last.kills) == KILLS_ON_POSTGRES
