"""A night in pieces gives what it gives as a whole: no record is cut, every verdict finds its row, memory stays bounded."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from expectations.pieces import ROWS, pieces, take
from expectations.run import check_table
from tests.quality import rows as good
from zz_pipeline.bench import rows
from zz_pipeline.bench.check import check
from zz_pipeline.errors import ConfigError


def keyed(*keys):
    return pa.table({"record_key": pa.array(keys, pa.string()), "n": range(len(keys))})


def cut(*tables, rows):
    return [[(s.part, s.rows.tolist()) for s in group] for group in pieces(tables, rows)]


def test_small_tables_share_a_piece_and_an_empty_one_gives_none():
    assert cut(keyed("a", "b"), keyed(), keyed("c"), rows=3) == [[(0, [0, 1]), (2, [0])]]


def test_a_large_table_is_cut_between_records_only():
    assert cut(keyed(*"aabbbcc"), rows=4) == [[(0, [0, 1])], [(0, [2, 3, 4])], [(0, [5, 6])]]


def test_rows_of_a_record_that_stand_apart_come_into_one_piece():
    found = cut(keyed(*"abcabc"), rows=3)

    assert [sorted(places) for group in found for _, places in group] == [[0, 3], [1, 4], [2, 5]]


def test_a_record_larger_than_a_piece_stays_whole_and_rows_without_a_key_come_one_by_one():
    assert cut(keyed(*"aaaab"), rows=2) == [[(0, [0, 1, 2, 3])], [(0, [4])]]
    assert cut(keyed(None, None, None), rows=2) == [[(0, [0, 1])], [(0, [2])]]


@pytest.mark.parametrize("places", [[1, 2, 3], [3, 1], []])
def test_rows_are_taken_as_they_are_asked_for(places):
    assert take(keyed(*"abcd"), np.array(places, np.int64)).column("n").to_pylist() == places


def test_every_verdict_of_a_table_of_several_pieces_points_to_its_row():
    table = rows.table(ROWS + 2000, 0.02)
    table = table.take(pa.array(np.random.default_rng(7).permutation(table.num_rows)))
    common = {"lists": rows.lists(), "department": rows.DEPARTMENT, "day": rows.DAY, "now": rows.NOW}

    outcome = check_table(table, "inspection", regions=frozenset({"610124"}), history=good.BUSY, **common)

    verdicts = outcome.verdicts
    for rule, name, value in (("INS-018", "plan_id", "6101242026"), ("INS-003", "uscc", "91610124YY000001X3")):
        said = verdicts.filter(pc.equal(verdicts.column("rule"), rule)).column("row").to_pylist()
        there = np.flatnonzero(pc.equal(table.column(name), value).to_numpy(zero_copy_only=False))
        assert len(there) > 50
        assert said == there.tolist()
    [stat] = [s for s in outcome.rules if s.rule == "INS-028"]
    assert stat.evaluated == table.num_rows


def test_the_bench_returns_exactly_the_share_it_made_bad_and_states_its_figures():
    found = check(2000, 0.3)

    assert found["returned_rows"] == 600
    assert found["ratio"] == pytest.approx(found["wall_s"] / found["reference_s"], rel=0.02)
    assert found["rows_per_s"] > 0
    assert found["peak_rss_mib"] > 100


@pytest.mark.parametrize(("count", "bad"), [(0, 0.1), (10, 1.5), (10, -0.1)])
def test_the_bench_refuses_what_cannot_be_made(count, bad):
    with pytest.raises(ConfigError, match="--rows"):
        check(count, bad)
