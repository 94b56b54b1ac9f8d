"""A copy of the business database in which a step may be tried: the real one is only read.

Belongs here: which tables a trial needs, copying them. Must not: what is tried.
The copy is a SQLite file whatever the ledger is, so that a trial holds no lock on which a night would wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table, insert, select

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import metadata

# What only sending and reconciling look at; the largest tables are among them.
LEFT_OUT = frozenset(
    (
        "alert_message",
        "alert_sending",
        "alert_state",
        "attempt",
        "audit_event",
        "batch",
        "conflict",
        "difference",
        "holding",
        "lane",
        "receipt",
        "reconciliation",
    )
)
EMPTIED = frozenset(("wire",))  # frozen bytes of what was sent: NULL in the copy
ROWS = 1000


@contextmanager
def copied(ledger: Ledger, folder: Path) -> Iterator[Ledger]:
    """A ledger of its own in `folder` with what acceptance looks at; closed when the block ends, the file stays."""
    copy = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    try:
        copy.migrate()
        with ledger.read() as source, copy.begin() as target:
            for table in metadata.sorted_tables:
                if table.name not in LEFT_OUT:
                    _copy(source, target, table)
        yield copy
    finally:
        copy.close()


def _copy(source: Connection, target: Connection, table: Table) -> None:
    columns = [column for column in table.columns if column.name not in EMPTIED]
    rows = source.execution_options(yield_per=ROWS).execute(select(*columns))
    for part in rows.mappings().partitions(ROWS):
        target.execute(insert(table), [dict(row) for row in part])
