"""Tables that are made from versions, in the transaction that writes them: what nights ask, in proportion to what they ask.

Belongs here: terms of publicity, checks of a subject, how often a code stood. Must not: queries, what no version says.
All of it can be made anew from `record_version`; migrations 0003 and 0006 do so.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from zz_pipeline.ledger.alert_tables import metadata

KIND, KEY, DEPT, DAY, DIGEST = String(10), String(35), String(8), String(10), String(64)

# What may be public now, one row a record: from when its period counts, and when it ends by the county's table.
publicity = Table(
    "publicity",
    metadata,
    Column("kind", KIND, primary_key=True),
    Column("record_key", KEY, primary_key=True),
    Column("name", String(40), nullable=False),  # class of the table of periods
    Column("field", String(200), nullable=False, default=""),
    Column("since", DAY, nullable=False),
    Column("until", String(19), nullable=False, default=""),  # the record's own end; empty if it has none
    Column("ends", String(19)),  # last moment of publicity, county's wall time; NULL = no end
    Column("rules", DIGEST, nullable=False, default=""),  # mark of the table by which `ends` was reckoned
    Index("publicity_ends", "ends"),
    Index("publicity_rules", "rules"),
)

# One row = on that day a version said that the record is a check of this subject in this year. 个案检查 is none.
subject_check = Table(
    "subject_check",
    metadata,
    Column("dept", DEPT, primary_key=True),
    Column("subject", Text, primary_key=True),  # its USCC as accepted
    Column("year", Integer, primary_key=True, autoincrement=False),  # of the check
    Column("record_key", KEY, primary_key=True),
    Column("day", DAY, primary_key=True),  # partition in which the version was accepted
    sqlite_with_rowid=False,  # the key is the whole row
)

# In how many accepted rows of a partition a code stood in a field.
code_count = Table(
    "code_count",
    metadata,
    Column("dept", DEPT, primary_key=True),
    Column("day", DAY, primary_key=True),
    Column("field", String(16), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("n", Integer, nullable=False),
    sqlite_with_rowid=False,
)
