"""Our side of a comparison, read from the ledger in parts: holdings, rows of a record, what a row would send.

Belongs here: `LedgerBook`, the `compare.Book` over one lane and kind. Must not: writing, HTTP, judging differences.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Connection, and_, select

from zz_pipeline.delivery import compare
from zz_pipeline.delivery.listed import Holding
from zz_pipeline.delivery.protocol import Adapter, Remote, RenderContext, State
from zz_pipeline.delivery.rows import CHUNK, OutRow, read_rows
from zz_pipeline.errors import NotRenderable
from zz_pipeline.ledger.schema import holding, outbox, record_version
from zz_pipeline.settings import Department
from zz_pipeline.standard.results import FollowUps

_HOLDING = tuple(
    holding.c[name] for name in ("remote_key", "record_key", "version", "state", "content_hash", "confirmed_at")
)
_STREAMED = 5000
REMEMBERED = 2000  # records whose rows are kept in memory
DAYS_SENT = 31  # for so long what was frozen on a day may have been sent again until it was taken


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is needed to say what a row would have sent. `now`: Beijing wall time without zone."""

    adapter: Adapter
    department: Department
    now: datetime
    follow_ups: FollowUps | None


class LedgerBook:
    """One department's side on one platform, of one kind."""

    def __init__(self, conn: Connection, platform: str, dept: str, kind: str, rendering: Rendering) -> None:
        self.conn, self.platform, self.dept, self.kind, self.rendering = conn, platform, dept, kind, rendering
        self._seen: OrderedDict[tuple[str, ...], list[OutRow]] = OrderedDict()

    def holdings(self, since: float) -> Iterator[Holding]:
        """All that was confirmed since then, streamed."""
        mine = and_(holding.c.platform == self.platform, holding.c.dept == self.dept, holding.c.kind == self.kind)
        query = select(*_HOLDING).where(mine, holding.c.confirmed_at >= since)
        return iter(self.conn.execute(query, execution_options={"yield_per": _STREAMED}))

    def held(self, remote_keys: Iterable[str]) -> Iterator[Holding]:
        """Our holdings under these keys, a part of them at a time."""
        # by the primary key alone: with the department beside it SQLite reads all of the department for each part
        where = and_(holding.c.platform == self.platform, holding.c.kind == self.kind)
        keys = iter(remote_keys)
        while part := list(islice(keys, CHUNK)):
            rows = self.conn.execute(select(*_HOLDING, holding.c.dept).where(where, holding.c.remote_key.in_(part)))
            yield from (row[:-1] for row in rows if row.dept == self.dept)

    def rows(self, remote_key: str) -> list[OutRow]:
        """Our rows of the record behind a remote key, newest first."""
        names = compare.record_keys(remote_key)
        if names not in self._seen:
            self.foresee([remote_key])
        return self._seen[names]

    def foresee(self, remote_keys: Sequence[str]) -> None:
        """Read the rows behind these keys (at most `CHUNK`) at once: they will be asked for."""
        wanted = {names for key in remote_keys if (names := compare.record_keys(key)) not in self._seen}
        mine = and_(outbox.c.platform == self.platform, outbox.c.dept == self.dept, outbox.c.kind == self.kind)
        here = outbox.c.record_key.in_(sorted({name for names in wanted for name in names}))
        by_name: dict[str, list[OutRow]] = {}
        for row in read_rows(self.conn, mine, here, lock=False) if wanted else ():
            by_name.setdefault(row.key.record_key, []).append(row)
        for names in wanted:
            found = [row for name in names for row in by_name.get(name, ())]
            self._seen[names] = sorted(found, key=lambda row: row.key.version, reverse=True)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def hashes(self, row: OutRow, remote: Remote | None = None) -> Iterator[frozenset[str]]:
        """Of the frozen wire; else, for a row never claimed (after a restore), of what it sent before `remote` changed.

        A wire may name the day on which it was made: the platform's day of change is tried, then today, then the days
        before the change, for what was frozen once may have been sent for weeks until it was taken.
        """
        if row.wires:
            yield self._digests(row.wires)
        if row.wires or row.state is not State.READY:
            return
        numbers = [row.key.version]
        if remote is not None and (remote.version or 0) > row.key.version:
            numbers.append(remote.version or 0)  # before the restore the same content had a higher number
        found: set[frozenset[str]] = {frozenset()}
        for moment in self._moments(remote):
            for number in numbers:
                hashes = self._digests(self._rendered(row, moment, number))
                if hashes not in found:
                    found.add(hashes)
                    yield hashes

    def _moments(self, remote: Remote | None) -> list[datetime]:
        try:
            changed = datetime.fromisoformat(remote.updated_at) if remote else None
        except ValueError:
            changed = None
        if changed is None:
            return [self.rendering.now]
        return [changed, self.rendering.now, *(changed - timedelta(days=n) for n in range(1, DAYS_SENT + 1))]

    def _digests(self, wires: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        return frozenset(self.rendering.adapter.content_hash(wire) for wire in wires)

    def _rendered(self, row: OutRow, moment: datetime, number: int) -> Sequence[Mapping[str, Any]]:
        names = zip(("kind", "record_key", "version"), row.key, strict=True)
        where = [record_version.c[name] == value for name, value in names]
        payload = orjson.loads(self.conn.execute(select(record_version.c.payload).where(*where)).scalar_one())
        with_ = self.rendering
        context = RenderContext(with_.department, moment, follow_ups=with_.follow_ups)
        try:
            return with_.adapter.render(
                row.key._replace(version=number), row.op, row.reason, row.rule, payload, context
            )
        except NotRenderable:
            return ()  # delivery says so with its reason when the row's turn comes
