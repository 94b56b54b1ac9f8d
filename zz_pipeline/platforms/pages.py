"""A page of a platform's list, read column by column: the same demands as `wire` makes of a value, made of all at once.

Belongs here: columns of a page, lists with a cursor. Must not: a single platform's field names, judging what an entry means.
Where a column is not as it should be, its values are looked at one by one by `wire`, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from zz_pipeline.delivery.protocol import Answer, Call, Effect
from zz_pipeline.platforms import wire
from zz_pipeline.platforms.wire import Contradiction, QueryFailed

_MAX_PAGES = 100_000  # a list that never ends is a fault of the platform
_MOST_NUMBER = 2**63 - 1  # a larger one fits into no database

Get = Callable[[Call, str, Sequence[tuple[str, str]]], dict[str, Any]]
Items = Sequence[Mapping[str, Any]]


def texts(items: Items, key: str, *, empty: bool = False, longest: int = 200) -> list[str]:
    """`wire.text` of every item; Contradiction if one of them is not as it should be."""
    try:
        found = list(map(itemgetter(key), items))
        whole = "".join(found)
    except (KeyError, TypeError):
        return [wire.text(item, key, empty=empty, longest=longest) for item in items]
    if whole.isprintable() and max(map(len, found), default=0) <= longest and (empty or all(found)):
        return found
    return [wire.text(item, key, empty=empty, longest=longest) for item in items]


def words(items: Items, key: str, known: Mapping[str, str], otherwise: str) -> list[str]:
    """Our words for a platform's; Contradiction with the text `otherwise` (Chinese) at one that is not known."""
    said = texts(items, key)
    try:
        return [known[word] for word in said]
    except KeyError:
        raise Contradiction(otherwise) from None


def numbers(items: Items, key: str) -> list[int]:
    """`wire.number` of every item; Contradiction too if one is beyond 64 bits."""
    found: list[Any] = [item.get(key) for item in items]
    if set(map(type, found)) - {int} or min(found, default=0) < 0:
        found = [wire.number(item, key) for item in items]
    if max(found, default=0) > _MOST_NUMBER:
        raise Contradiction(f"平台的回答中 {key} 大得不合情理")
    return found


def by_cursor(get: Get, call: Call, path: str, pairs: Sequence[tuple[str, str]]) -> Iterator[list[dict[str, Any]]]:
    """The pages of a list with `items` and `nextCursor`; an item may come twice, the later statement counts."""
    cursor, seen = "", set[str]()
    for _ in range(_MAX_PAGES):
        data = get(call, path, [*pairs, ("cursor", cursor)] if cursor else pairs)
        yield wire.items_of(data)
        with wire.usable():
            cursor = wire.text(data, "nextCursor", empty=True, longest=4000)
        if not cursor:
            return
        if cursor in seen:
            break
        seen.add(cursor)
    raise QueryFailed(
        Answer(Effect.UNKNOWN, message="平台的清单没有尽头（游标重复），已停止读取", alarm="平台清单的游标重复。")
    )
