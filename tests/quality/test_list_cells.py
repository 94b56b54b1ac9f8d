"""List cells and teams by column: the quick way takes a cell apart as the careful one does, order of a team is no content."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from zz_pipeline.standardizing.columns import _plain_lists, _split
from zz_pipeline.standardizing.repeats import with_team

CELLS = st.lists(st.sampled_from("张某a1、,，; -]^\\\n\u200b（"), max_size=6).map("".join)
TEAM = st.none() | st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("x", "y", ""))), max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    cells=st.lists(st.none() | CELLS, max_size=5),
    separators=st.sampled_from(("", "、", "、,", "，；", "-", "]^", "\\", "a")),
)
def test_a_cell_that_is_taken_apart_quickly_has_the_parts_that_the_careful_way_finds(cells, separators):
    easy, parts = _plain_lists(pa.array(cells, pa.string()), separators)
    for cell, plain, found in zip(cells, easy.to_pylist(), parts.to_pylist(), strict=True):
        assert found == (_split(cell, separators) if plain else None)


def test_ordinary_cells_take_the_quick_way():
    easy, _ = _plain_lists(pa.array(["张某、李某", "27010000001,27010000002", "王某"]), "、,")
    assert easy.to_pylist() == [True, True, True]


@settings(max_examples=300, deadline=None)
@given(teams=st.lists(TEAM, max_size=6), spare=st.booleans())
def test_two_rows_have_one_team_exactly_if_they_name_the_same_pairs(teams, spare):
    certs = [None if team is None else [cert for cert, _ in team] for team in teams]
    names = [None if team is None else [name for _, name in team] + ["more"] * spare for team in teams]
    kind = pa.list_(pa.string())
    table = pa.table({"inspector_certs": pa.array(certs, kind), "inspector_names": pa.array(names, kind)})
    said = with_team(table)["inspector_names"].to_pylist()
    # lists that do not pair up are compared as they stand
    paired = [team is None or not spare for team in teams]
    wanted = [tuple(sorted(t or ())) if p else ("as said", *(t or ())) for t, p in zip(teams, paired, strict=True)]
    for one, first in enumerate(wanted):
        for other, second in enumerate(wanted):
            assert (said[one] == said[other]) == (first == second)
