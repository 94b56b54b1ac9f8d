"""What a question about some rows of a batch shows of the others, which were confirmed before: they may have changed since.

Belongs here: judging what is shown of confirmed rows as a reconciliation would, and putting it before a person.
Must not: HTTP, listing, rows whose fate is open (that is `settle`).

A question names all records of a batch, also when only one of them is still unknown. What somebody has typed over a
confirmed one has then been seen, and must not be replaced or taken down by a later version before the night's reconciliation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from zz_pipeline.delivery import compare, repair_plan
from zz_pipeline.delivery.claim import Desk
from zz_pipeline.delivery.lanes import Lane
from zz_pipeline.delivery.listed import Listed
from zz_pipeline.delivery.our_side import LedgerBook, Rendering
from zz_pipeline.delivery.protocol import Finding, Remote, RowKey, State, Verdict
from zz_pipeline.delivery.rows import OutRow


def beside(
    conn: Connection, lane: Lane, desk: Desk, rows: Sequence[OutRow], verdicts: Mapping[RowKey, Verdict], now: float
) -> list[OutRow]:
    """Rows that were CONFIRMED and stand in CONFLICT now, because the answer shows another's content under their keys.

    In a fenced transaction whose own rows are written already. What is ours, older, or being judged is left alone.
    """
    shown: dict[str, Remote] = {}
    for row in rows:
        said = verdicts.get(row.key) if row.state is State.CONFIRMED else None
        if said is not None and said.finding is Finding.DIFFERENT:
            shown |= {remote.remote_key: remote for remote in said.remotes}
    if not shown:
        return []
    kind = rows[0].key.kind
    moment = datetime.fromtimestamp(now, desk.zone).replace(tzinfo=None)
    rendering = Rendering(desk.adapter, desk.department, moment, desk.follow_ups)
    book = LedgerBook(conn, lane.platform, lane.dept, kind, rendering)
    with Listed(kind) as theirs:
        theirs.add(shown.values())
        theirs.hold(book.held(sorted(shown)))
        found = [one for one in compare.differences(kind, theirs, book) if one.type == "altered"]
    return [row for one in found for row in repair_plan.contested(conn, lane, one, now)]
