"""The scratch database in which both sides of a comparison lie: what it passes over, what it tells, what it keeps in memory.

Belongs here: `Listed` and the columns of a page. Must not: a ledger, a platform.
"""

from __future__ import annotations

import subprocess
import sys
from random import Random

import pytest

from zz_pipeline.delivery.compare import same
from zz_pipeline.delivery.listed import Held, Listed
from zz_pipeline.delivery.protocol import Remote, RowKey
from zz_pipeline.platforms import pages, wire
from zz_pipeline.platforms.wire import Contradiction

KIND = "inspection"


def there(key, digest="aa", state="PRESENT", version=1):
    return Remote(key, KIND, state, digest, version, "SN1", "2026-11-21 01:30:00")


def ours(key, digest="aa", state="PRESENT", version=1, at=100.0):
    return (key, key.rpartition("-")[0] or key, version, state, digest, at)


@pytest.fixture
def listed():
    with Listed(KIND) as made:
        yield made


def as_held(key, record_key, version, state, digest, at):
    return Held(key, RowKey(KIND, record_key, version), state, digest, at)


def test_what_both_sides_say_alike_is_passed_over_and_the_rest_is_told_with_what_we_believe(listed):
    listed.add([there("c"), there("a"), there("d", "bb"), there("b", state="WITHDRAWN")])
    listed.hold([ours("a"), ours("d"), ours("b")])
    assert list(listed.differing()) == [
        (there("b", state="WITHDRAWN"), as_held(*ours("b"))),
        (there("c"), None),
        (there("d", "bb"), as_held(*ours("d"))),
    ]


def test_an_entry_that_comes_twice_counts_as_it_was_stated_last_whatever_the_order(listed):
    listed.add([there("b", "1"), there("a"), there("b", "2"), there("a", "3"), there("b", "4")])
    listed.add([there("a", "5")])
    assert len(listed) == 2
    assert listed.of(["a", "b", "c"]) == {"a": there("a", "5"), "b": there("b", "4")}


def test_what_we_believe_and_the_list_does_not_show_is_absent_unless_it_is_older_or_was_taken_down(listed):
    listed.add([there("a")])
    listed.hold([ours("d"), ours("a"), ours("b", at=99.0), ours("c", state="WITHDRAWN"), ours("e", at=101.0)])
    assert [held.remote_key for held in listed.absent(100.0)] == ["d", "e"]
    assert [held.remote_key for held in listed.absent(0.0)] == ["b", "d", "e"]
    assert (listed.held_since(100.0), listed.held_since(0.0)) == (4, 5)


def test_what_we_believe_may_be_looked_up_by_the_keys_of_the_list_that_have_no_holding_yet(listed):
    listed.add(there(f"k{n:05d}") for n in range(1500))
    listed.hold(ours(f"k{n:05d}") for n in range(0, 1500, 2))
    asked = []

    def held(keys):
        for key in keys:
            asked.append(key)
            yield ours(key)

    listed.hold(held(listed.unheld()))
    assert asked == [f"k{n:05d}" for n in range(1, 1500, 2)]
    assert list(listed.differing()) == []


def test_the_entries_of_a_record_are_its_own_and_those_with_something_behind_a_dash(listed):
    listed.add(there(key) for key in ("r1", "r1-2", "r1-A", "r10", "r1.x", "r", "r1-"))
    assert sorted(r.remote_key for r in listed.of_record("r1")) == ["r1", "r1-2", "r1-A"]


@pytest.mark.parametrize("seed", range(20))
def test_the_scratch_database_tells_exactly_what_a_plain_comparison_tells(listed, seed):
    random = Random(seed)
    words = [(s, d) for s in ("PRESENT", "WITHDRAWN") for d in ("aa", "bb", "")]
    keys = [f"k{n}" for n in range(60)]
    theirs = [there(random.choice(keys), d, s) for s, d in random.choices(words, k=80)]
    mine = [ours(k, d, s, at=random.choice((1.0, 2.0))) for k in keys if random.random() < 0.7
            for s, d in [random.choice(words)]]  # fmt: skip
    listed.add(theirs).hold(mine)
    last = {r.remote_key: r for r in theirs}
    held = {m[0]: as_held(*m) for m in mine}
    wanted = {k for k, r in last.items() if k not in held or not same(held[k], r)}
    told = {r.remote_key for r, m in listed.differing() if m is None or not same(m, r)}
    assert told == wanted
    assert all(last[r.remote_key] == r and held.get(r.remote_key) == m for r, m in listed.differing())
    gone = {k for k, m in held.items() if k not in last and m.state == "PRESENT" and m.confirmed_at >= 2.0}
    assert {m.remote_key for m in listed.absent(2.0)} == gone


MEMORY = r"""
import re, sys
from pathlib import Path
from zz_pipeline.delivery import listed as module
from zz_pipeline.delivery.listed import Listed
from zz_pipeline.delivery.protocol import Remote
count = int(sys.argv[1])
module._BEGIN = (f"PRAGMA cache_size = -{sys.argv[2]}", *module._BEGIN[1:])
key = lambda n: f"610124-SCJG-M{n * 2654435761 % 2**32:010d}"  # in no order
peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # of this program alone
before = peak()
with Listed("inspection") as listed:
    listed.add(Remote(key(n), "inspection", "PRESENT", f"{n:064x}", 1, "SN1", "2026-11-21 01:30:00") for n in range(count))
    listed.hold((key(n), key(n), 1, "PRESENT", f"{n + (n == 7):064x}", 1.0) for n in range(count))
    assert [r.remote_key for r, _ in listed.differing()] == [key(7)]
    assert not list(listed.absent(0.0))
print(peak() - before)
"""


def grown(count, cache):
    """MiB of resident memory that a process of its own takes more at its peak for so many entries a side."""
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, str(count), str(cache)], capture_output=True, text=True, check=True
    )
    return int(ran.stdout) / 1024


def test_memory_is_bounded_by_the_caches_and_not_by_the_lists():
    assert grown(150_000, 1000) < 15, "both sides are some 45 MiB"


@pytest.mark.long
def test_two_million_entries_a_side_take_no_more_memory_than_the_caches():
    assert grown(2_000_000, 32_000) < 150, "both sides are some 600 MiB"


# ---------------------------------------------------------------- columns of a page

GOOD = ("a", "张某", "x" * 200)
BAD = ("", None, 1, True, ["a"], "a\n", "\ud800", "x" * 201, "a\u200b")


@pytest.mark.parametrize("bad", BAD, ids=[ascii(bad)[:12] for bad in BAD])
def test_a_column_is_refused_for_what_a_single_value_is_refused_for(bad):
    items = [{"k": value} for value in (*GOOD, bad)]
    with pytest.raises(Contradiction) as alone:
        wire.text(items[-1], "k")
    with pytest.raises(Contradiction) as together:
        pages.texts(items, "k")
    assert str(together.value) == str(alone.value)
    with pytest.raises(Contradiction):
        pages.texts([{}, *items], "k")
    assert pages.texts(items[:-1], "k") == list(GOOD)


def test_an_empty_text_stands_where_it_may():
    assert pages.texts([{"k": ""}, {"k": "a"}], "k", empty=True) == ["", "a"]
    assert pages.texts([], "k") == []


@pytest.mark.parametrize("bad", [-1, True, 1.0, "1", None, 2**63])
def test_a_column_of_numbers_holds_whole_ones_that_a_database_can_take(bad):
    assert pages.numbers([{"n": 0}, {"n": 2**63 - 1}], "n") == [0, 2**63 - 1]
    with pytest.raises(Contradiction):
        pages.numbers([{"n": 1}, {"n": bad}], "n")
    with pytest.raises(Contradiction):
        pages.numbers([{"n": 1}, {}], "n")


def test_a_word_that_is_not_in_the_contract_is_a_contradiction():
    assert pages.words([{"s": "PUBLIC"}], "s", {"PUBLIC": "PRESENT"}, "不认识") == ["PRESENT"]
    with pytest.raises(Contradiction, match="不认识"):
        pages.words([{"s": "PUBLIC"}, {"s": "GONE"}], "s", {"PUBLIC": "PRESENT"}, "不认识")
