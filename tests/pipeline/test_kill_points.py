"""`zz chaos kill` as an operator runs it: every named point is killed at, and nobody can tell afterwards."""

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.pipeline import harness
from tests.pipeline.postgres import MISSING, installed
from zz_pipeline.delivery.points import COMMITS, NAMES, PLACES

PRODUCT = harness.ROOT / "zz_pipeline"
# Kills in `make test-long`, over SQLite and PostgreSQL together.
LONG, LONG_ON_POSTGRES = 1400, 600
# Where a name is handed on and not said.
HANDED_ON = {("ledger/db.py", "f'{point}:before_commit'"), ("ledger/db.py", "f'{point}:after_commit'")}


def killed(*args):
    command = [str(Path(sys.executable).parent / "zz"), "chaos", "kill", "--json", *args]
    done = subprocess.run(command, cwd=harness.ROOT, capture_output=True, text=True)
    assert done.stdout, done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout)


def sums(told):
    """Whether the figures of a campaign agree: each chain recovered, each kill at a point, some of them in recoveries."""
    recovered = told["recovered"] == told["chains"] >= 1
    return recovered and told["kills"] == sum(told["points"].values()) and 0 < told["deep"] < told["kills"]


@pytest.fixture(scope="module")
def once():
    return killed("--kills", str(len(NAMES)), "--seed", "5")


def test_fault_01_a_kill_at_each_named_point_loses_doubles_and_alters_nothing(once):
    code, told = once
    assert (code, told["violations"]) == (0, [])
    assert told["kills"] >= len(NAMES)
    assert sums(told), told


def test_every_point_of_the_table_is_reached_and_killed_at(once):
    assert set(once[1]["points"]) == set(NAMES)
    assert len(NAMES) >= 40


@pytest.mark.long
def test_fault_01_02_many_kills_alone_in_pairs_and_during_recoveries_change_nothing():
    code, told = killed("--kills", str(LONG), "--seed", "11")
    assert (code, told["violations"]) == (0, [])
    assert told["kills"] >= LONG
    assert sums(told), told
    assert set(told["points"]) == set(NAMES)


@pytest.mark.long
@pytest.mark.postgres
def test_fault_01_02_many_kills_change_nothing_on_postgresql_either():
    if installed() is None:
        pytest.skip(MISSING)
    code, told = killed("--kills", str(LONG_ON_POSTGRES), "--seed", "12", "--postgres")
    assert (code, told["violations"]) == (0, [])
    assert told["kills"] >= LONG_ON_POSTGRES
    assert sums(told), told
    assert set(told["points"]) == set(NAMES)


def said():
    """(file, method, its first argument as written) for every call that names a point."""
    for path in sorted(PRODUCT.rglob("*.py")):
        if {"chaos", "bench"} & set(path.parts):  # no night runs there
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            place = str(path.relative_to(PRODUCT))
            if node.func.attr in ("reach", "fenced") and node.args:
                yield place, node.func.attr, node.args[0]
            if node.func.attr == "begin" and "ledger" in ast.unparse(node.func.value):
                yield place, "begin", node.args[0] if node.args else None


def test_every_write_transaction_and_every_place_says_a_name_of_the_table():
    unknown = []
    used = Counter()
    for place, method, argument in said():
        name = argument.value if isinstance(argument, ast.Constant) else None
        if name is None and (place, ast.unparse(argument) if argument else "") in HANDED_ON | {
            ("delivery/lanes.py", "point")
        }:
            continue
        known = PLACES if method == "reach" else COMMITS
        used[name] += 1
        if name not in known:
            unknown.append((place, method, name))
    assert unknown == []
    assert set(used) >= set(PLACES) | (set(COMMITS) - {"migrate"})
    assert used["claim"] == 1
