"""A department's HTTP interface: pages by number or by cursor inside a window of the change time, as exact text.

Belongs here: the two ways of paging of docs/decisions/0001. Must not: sending requests itself (`_http`), meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.settings import Department
from zz_pipeline.sources._http import get_json
from zz_pipeline.sources.base import STAMP, Window, exact_text, text_table
from zz_pipeline.sources.grid import native_headings, required_headings

READINGS = 3  # a list that changes while it is paged is read again from the start
PAGES = 100_000
Page = Mapping[str, Any]


def read_api(dept: Department, url: str, window: Window) -> pa.Table:
    """Rows changed within the window; SourceDown if not to be had now, SourceRefused if the answer has another form."""
    bounds = {} if dept.source.whole else {"since": window.since.strftime(STAMP), "until": window.until.strftime(STAMP)}
    address = url.rstrip("/") + dept.source.path
    for _ in range(READINGS):
        try:
            return _table(dept, list(_PAGINGS[dept.source.paging](dept, address, bounds)))
        except _ChangedError:
            continue
    raise SourceDown(f"{dept.name}的接口在翻页时总数一直在变，读了 {READINGS} 遍都不一致。稍后重跑。")


class _ChangedError(Exception):
    """The list changed while it was paged."""


def _numbered(dept: Department, address: str, bounds: dict[str, str]) -> Iterator[Page]:
    """Pages from 1 until page x size reaches the total; the total may not change meanwhile."""
    size, total, seen = dept.source.page_size, -1, 0
    for number in range(1, PAGES):
        answer = _page(dept, address, bounds | {"page": str(number), "size": str(size)})
        stated = answer.get(dept.source.total_key)
        if not isinstance(stated, int) or isinstance(stated, bool) or stated < 0:
            raise _shape(dept, dept.source.total_key)
        items = _items(dept, answer)
        seen += len(items)
        if total not in (-1, stated):
            raise _ChangedError
        total = stated
        yield from items
        if number * size >= total:
            if seen != total:
                raise _ChangedError
            return
    raise _shape(dept, dept.source.total_key)


def _by_cursor(dept: Department, address: str, bounds: dict[str, str]) -> Iterator[Page]:
    """Pages until the cursor is empty; a cursor given twice would never end."""
    cursor, given = "", {""}
    while True:
        answer = _page(dept, address, bounds | {"cursor": cursor, "size": str(dept.source.page_size)})
        yield from _items(dept, answer)
        follower = answer.get(dept.source.cursor_key)
        if follower is None or follower == "":
            return
        cursor = exact_text(follower) or ""
        if cursor in given or len(given) > PAGES:
            raise SourceRefused(f"{dept.name}的接口反复给出同一个游标，翻不完。请对方核对接口。")
        given.add(cursor)


_PAGINGS = {"page": _numbered, "cursor": _by_cursor}


def _page(dept: Department, address: str, query: Mapping[str, str]) -> Page:
    answer = get_json(address, query, read_seconds=dept.source.timeout_seconds)
    if not isinstance(answer, dict):
        raise _shape(dept, dept.source.items_key)
    return answer


def _items(dept: Department, answer: Page) -> Sequence[Page]:
    items = answer.get(dept.source.items_key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _shape(dept, dept.source.items_key)
    return items


def _shape(dept: Department, key: str) -> SourceRefused:
    return SourceRefused(f"{dept.name}的接口答复里 {key} 不是约定的样子。请管理员与对方核对接口是否改版。")


def _table(dept: Department, items: Sequence[Page]) -> pa.Table:
    """Objects as rows; a key that none of them has is missing from the interface, not empty."""
    headings = list(dict.fromkeys(key for item in items for key in item)) or list(native_headings(dept).values())
    missing = [h for h in required_headings(dept) if h not in headings]
    if missing:
        raise SourceRefused(f"{dept.name}的接口答复里没有 {'、'.join(missing)}。请管理员与对方核对接口是否改版。")
    rows = [[exact_text(item.get(heading)) for heading in headings] for item in items]
    return text_table(headings, rows, dept.source.path or dept.key, range(1, len(rows) + 1))
