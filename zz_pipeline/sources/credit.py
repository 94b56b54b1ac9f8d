"""The credit platform as a source: ratings and 信用修复 notices of a window, read page by page through a signed call.

Belongs here: the contract page credit.md (cursor, 4100, repeated items). Must not: signing or sending (the call does
that), meaning of grades, publishing.

A GET changes nothing, so an answer that did not arrive is asked for again a few times here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from zz_pipeline.delivery.protocol import Call, Reply, Transport
from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.sources.base import STAMP, RawBatch, Window, exact_text, text_table
from zz_pipeline.standard.tables import Kind

LIMIT = 500
TRIES = 4  # of one page
RESTARTS = 20  # of one reading, after cursors that expired
LONGEST_WAIT = 30.0
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Feed:
    """One list of the platform: its path, what names an item, its items' keys by the contract."""

    kind: Kind
    path: str
    key: str
    fields: tuple[str, ...]


RATINGS = Feed(
    Kind.RATING,
    "/api/ratings",
    "rating_id",
    (
        "rating_id", "revision", "enterpriseName", "enterpriseCreditCode", "enterpriseIdType", "scheme", "enterpriseType",
        "enterpriseMark", "estimateOrg", "estimateOrgCode", "estimateTime", "validUntil", "field", "publishable",
        "updated_at",
    ),
)  # fmt: skip
REPAIRS = Feed(
    Kind.REPAIR,
    "/api/repairs",
    "repair_id",
    (
        "repair_id", "enterpriseCreditCode", "enterpriseName", "target", "target_key", "decision_no", "decided_at",
        "effective_at", "updated_at",
    ),
)  # fmt: skip


def read_ratings(call: Call, window: Window, *, dept: str = "credit", sleep: Sleep = time.sleep) -> RawBatch:
    """Ratings updated within the window, the last revision of each; SourceDown or SourceRefused as a department's source."""
    return _read(RATINGS, call, window, dept, sleep)


def read_repairs(call: Call, window: Window, *, dept: str = "credit", sleep: Sleep = time.sleep) -> RawBatch:
    """信用修复 notices updated within the window, the last state of each."""
    return _read(REPAIRS, call, window, dept, sleep)


def _read(feed: Feed, call: Call, window: Window, dept: str, sleep: Sleep) -> RawBatch:
    newest: dict[str, Mapping[str, Any]] = {}
    loose: list[Mapping[str, Any]] = []  # without a name of its own: kept, to be returned with the reason
    snapshot = window.until
    for data in _pages(feed, call, window, sleep):
        snapshot = _moment(data.get("snapshot_at")) or snapshot
        for item in data["items"]:
            name = item.get(feed.key)
            if not isinstance(name, str) or not name:
                loose += [item] if item not in loose else []
            elif name not in newest or _later(item, newest[name]):
                newest[name] = item
    table = _table(feed, [*newest.values(), *loose])
    return RawBatch(dept, feed.kind, table, (), window.since, window.until, snapshot, empty=table.num_rows == 0)


def _later(item: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _rank(item) >= _rank(other)


def _rank(item: Mapping[str, Any]) -> tuple[int, str]:
    revision = item.get("revision")
    return (revision if isinstance(revision, int) else 0, str(item.get("updated_at")))


def _pages(feed: Feed, call: Call, window: Window, sleep: Sleep) -> Iterator[Mapping[str, Any]]:
    """Data of each page; an expired cursor begins again at the last updated_at seen (bounds are inclusive)."""
    start, until = window.since.strftime(STAMP), window.last.strftime(STAMP)
    seen, cursor, cursors, restarts = start, "", set[str](), 0
    while True:
        code, data = _page(feed, call, _query(start, until, cursor), sleep)
        if code == "4100":
            restarts += 1
            if restarts > RESTARTS or not cursor:
                raise SourceDown(f"信用平台的翻页标记总是失效，已重新开始 {restarts} 次。稍后重跑。")
            start, cursor = seen, ""
            cursors.clear()
            continue
        yield data
        seen = max([seen, *(item["updated_at"] for item in data["items"])])
        cursor = data["next_cursor"]
        if not cursor:
            return
        if cursor in cursors:
            raise SourceRefused("信用平台反复给出同一个翻页标记，翻不完。请联系平台运维单位。")
        cursors.add(cursor)


def _query(start: str, until: str, cursor: str) -> str:
    pairs = [("updated_from", start), ("updated_to", until), ("cursor", cursor), ("limit", str(LIMIT))]
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs if value)


def _page(feed: Feed, call: Call, query: str, sleep: Sleep) -> tuple[str, Mapping[str, Any]]:
    """(code, data) of one page; asked again while the platform is busy or the answer did not arrive."""
    problem = ""
    for attempt in range(TRIES):
        reply = call("GET", feed.path, query=query)
        code, body = _code(reply)
        if code == "4100" and reply.http == 200:
            return code, {}
        if code == "0" and reply.http == 200 and _is_page(body.get("data")):
            return code, body["data"]
        problem = _problem(reply, code)
        if attempt + 1 < TRIES:
            sleep(min(reply.retry_after if reply.retry_after is not None else 0.5 * 2**attempt, LONGEST_WAIT))
    raise SourceDown(f"信用平台现在读不出来（{problem}）。稍后重跑；反复出现请联系平台运维单位。")


def _problem(reply: Reply, code: str) -> str:
    """Why an answer is no page, in Chinese; raises at once where asking again cannot help."""
    if reply.http in (401, 403):
        raise SourceRefused(
            f"信用平台不认本单位的凭证（代码 {code}）。请核对 secrets.toml 的 [credit] 一节，或联系平台运维单位。"
        )
    if code == "4291":
        raise SourceDown("信用平台的今日额度已用完。明天自动再读。")
    if code == "4000":
        raise SourceRefused("信用平台说查询参数不对（代码 4000）。请管理员核对接口是否改版。")
    if reply.transport is not Transport.ANSWERED:
        return "连接不上" if reply.transport is Transport.NO_CONNECT else "答复没有收全"
    return f"HTTP {reply.http}，代码 {code or '无'}"


def _code(reply: Reply) -> tuple[str, Mapping[str, Any]]:
    body = reply.json if reply.transport is Transport.ANSWERED and isinstance(reply.json, dict) else {}
    code = body.get("code")
    return (code if isinstance(code, str) else ""), body


def _is_page(data: Any) -> bool:
    """Whether this is a page of the contract; an item without its time could not be asked for again."""
    return (
        isinstance(data, dict)
        and isinstance(data.get("next_cursor"), str)
        and isinstance(data.get("items"), list)
        and all(isinstance(item, dict) and _moment(item.get("updated_at")) for item in data["items"])
    )


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.strptime(value, STAMP) if isinstance(value, str) else None  # noqa: DTZ007 - Beijing wall time
    except ValueError:
        return None


def _table(feed: Feed, items: list[Mapping[str, Any]]) -> pa.Table:
    headings = list(dict.fromkeys([*feed.fields, *(key for item in items for key in item)]))
    rows = [[exact_text(item.get(heading)) for heading in headings] for item in items]
    return text_table(headings, rows, feed.path, range(1, len(rows) + 1))
