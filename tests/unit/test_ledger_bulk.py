"""Many rows by one statement: what is written is what was handed in, and nothing that the schema asks for is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, create_engine, select

from zz_pipeline.ledger import bulk
from zz_pipeline.ledger.schema import outbox, publicity, record_head, record_version
from zz_pipeline.ledger.versions import _HEAD, _VERSION, OUTBOX

KEPT = Table(
    "kept", MetaData(), Column("key", String(40), primary_key=True), Column("n", Integer), Column("body", LargeBinary)
)


@pytest.fixture
def conn():
    engine = create_engine("sqlite://")
    with engine.begin() as made:
        KEPT.create(made)
        yield made
    engine.dispose()


def test_rows_are_kept_as_they_were_handed_in(conn):
    rows = [("甲'; DROP TABLE kept; --", 1, b"\x00%s"), ("?", None, b"")]
    bulk.write(conn, KEPT, ("key", "n", "body"), rows)
    assert [tuple(row) for row in conn.execute(select(KEPT).order_by(KEPT.c.key.desc()))] == rows
    bulk.write(conn, KEPT, ("key",), [])


@settings(max_examples=60, deadline=None)
@given(keys=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)))
def test_fault_61_a_row_is_found_by_its_key_whatever_stands_in_it(keys):
    engine = create_engine("sqlite://")
    with engine.begin() as made:
        KEPT.create(made)
        bulk.write(made, KEPT, ("key", "n"), [(key, 1) for key in sorted({*keys, "another"})])
        found = set(made.scalars(select(KEPT.c.key).where(bulk.among(made, KEPT.c.key, keys))))
    engine.dispose()
    assert found == set(keys)


@pytest.mark.parametrize("names", [("n",), ("key", "strange"), ("n", "key")])
def test_a_column_that_is_missing_unknown_or_out_of_order_is_an_error(names):
    with pytest.raises(LookupError):
        bulk._insert(KEPT, names, "sqlite")


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_statements_of_acceptance_fit_the_schema_of_both_databases(dialect):
    term = ("kind", "record_key", "name", "field", "since", "until", "rules")
    for table, names in ((record_version, _VERSION), (record_head, _HEAD), (outbox, OUTBOX), (publicity, term)):
        said = bulk._insert(table, names, dialect)
        assert said.count("?" if dialect == "sqlite" else "%s") == len(names)
