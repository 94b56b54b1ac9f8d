"""The list of ②: single rows by cd_id, and all rows of a time by page.

Belongs here: `GET /exchange/records` of contracts/internet_supervision.md. Must not: judging what a row means for us.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

import numpy as np

from zz_pipeline.delivery.protocol import Answer, Call, Effect, Remote
from zz_pipeline.platforms import pages, wire
from zz_pipeline.platforms.wire import QueryFailed

_TABLES = {"inspection": "jg_jgxw_check_action", "rating": "credit_assess"}
_STATES = {"i": "PRESENT", "u": "PRESENT", "d": "WITHDRAWN"}
_PAGE = 500
_READINGS = 5  # how often a list that moves while it is read is begun again


def listing(call: Call, kind: str, since: datetime | None, until: datetime | None) -> Iterator[Remote]:
    """Rows of a kind by last change, page by page. Pages shift when a row changes: then the list is read again.

    So a row may come twice; the later statement counts. Kept meanwhile: the keys' hashes, not the rows.
    """
    pairs = [("table", _TABLES[kind]), *wire.bounds(("updated_from", "updated_to"), since, until)]
    for _ in range(_READINGS):
        whole = yield from _read(call, kind, pairs)
        if whole:
            return
    raise QueryFailed(Answer(Effect.UNKNOWN, message="平台清单在读取期间不断变化，未能读全，稍后再读"))


def _get(call: Call, path: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    reply = call("GET", path, query=wire.query(pairs))
    early = wire.gateway(reply)
    if early is not None:
        raise QueryFailed(early)
    if reply.http != 200 or reply.json.get("code") != "200":
        wire.refuse_query(reply, "查询记录时平台返回了约定之外的回答")
    with wire.usable():
        return wire.mapping(reply.json, "data")


def lookup(call: Call, kind: str, cd_ids: Sequence[str]) -> dict[str, Remote]:
    found: dict[str, Remote] = {}
    for part in wire.chunks(cd_ids):
        data = _get(call, "/exchange/records", [("table", _TABLES[kind]), ("cd_ids", ",".join(part))])
        for remote in _remotes(wire.items_of(data, "rows"), kind):
            if remote.remote_key not in part or remote.remote_key in found:
                raise QueryFailed(Answer(Effect.UNKNOWN, alarm="平台按编号查询时返回了没有问到的记录。"))
            found[remote.remote_key] = remote
    return found


def _read(call: Call, kind: str, pairs: Sequence[tuple[str, str]]) -> Generator[Remote, None, bool]:
    """The list as it comes; returns whether it stood still while it was read."""
    seen = array("q")  # 8 bytes a row: as objects the keys of millions would not fit
    page = 1
    while True:
        data = _get(call, "/exchange/records", [*pairs, ("page", str(page)), ("size", str(_PAGE))])
        with wire.usable():
            total = wire.number(data, "total")
        rows = wire.items_of(data, "rows")
        remotes = _remotes(rows, kind)
        seen.extend(hash(remote.remote_key) for remote in remotes)
        yield from remotes
        if len(rows) < _PAGE or page * _PAGE >= total:
            return len(np.unique(np.frombuffer(seen, np.int64))) == total
        page += 1


def _remotes(items: Sequence[Mapping[str, Any]], kind: str) -> list[Remote]:
    with wire.usable():
        columns = (
            pages.texts(items, "cd_id"),
            repeat(kind),
            pages.words(items, "cd_operation", _STATES, "平台清单中的操作不在约定之内"),
            pages.texts(items, "content_md5"),
            repeat(None),
            pages.texts(items, "receipt", empty=True),
            pages.texts(items, "updated_at"),
        )
        return list(map(Remote, *columns))
