"""全国信用信息共享平台（陕西）, as `credit.md` says: cursor pages of ratings and repair notices, read only.

Belongs here: cursors and pages over the two files of the credit folder. Must not: any change of an item.
"""

from __future__ import annotations

import base64
import json
import secrets
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mock_platforms.base import Answer, Call, Clock, Platform, bound, number, stamp
from mock_platforms.codec import S1, sha256
from mock_platforms.store import Store

_SOURCES = {"/api/ratings": ("ratings.json", "rating_id"), "/api/repairs": ("repairs.json", "repair_id")}
Places = list[list[str]]
Items = list[dict[str, Any]]
_LIMIT, _CURSOR_SECONDS = 500, 600


class CursorGone(ValueError):
    """The cursor is malformed or older than ten minutes."""


class Credit(Platform):
    """The source of ratings. The files are read again whenever they change on the disk."""

    name = "credit"
    alg = "HMAC-SHA256"
    success = "0"

    def __init__(self, store: Store, clock: Clock, receipt_delay: float = 0.2, folder: Path | None = None) -> None:
        super().__init__(store, clock, receipt_delay)
        self.folder = folder
        self._read: dict[str, tuple[tuple[int, int], Places, Items]] = {}
        if store.meta("cursor_key") is None:
            store.set_meta("cursor_key", secrets.token_hex(16))
        self._key = str(store.meta("cursor_key"))

    def handle(self, call: Call) -> Answer:
        """Answer a page."""
        method, path = call.route
        if method != "GET" or path not in _SOURCES:
            return self.malformed("路径不存在")
        params = call.params("updated_from", "updated_to", "cursor", "limit")
        low, high = bound(params, "updated_from"), bound(params, "updated_to")
        limit = number(params, "limit", _LIMIT, _LIMIT)
        asked = sha256(json.dumps([path, low, high, limit]).encode())
        try:
            after = self._open(params, asked)
        except CursorGone:
            return Answer(200, {"code": "4100", "msg": "游标已失效，请从最后看到的 updated_at 重新开始", "data": None})
        if after is None:
            return self.malformed("游标与其他参数不一致")
        return self._page(path, low, high, limit, after, asked)

    def malformed(self, message: str) -> Answer:
        """4000."""
        return Answer(200, {"code": "4000", "msg": f"参数错误：{message}", "data": None})

    def _page(self, path: str, low: str, high: str, limit: int, after: list[str], asked: str) -> Answer:
        file, key = _SOURCES[path]
        places, rows = self._items(file, key)
        # A page repeats the last item of the page before, as the contract allows; with limit 1 it would never end.
        start = bisect_left(places, after) if limit > 1 else bisect_right(places, after)
        start = max(start, bisect_left(places, [low]))
        end = bisect_left(places, [high, "\U0010ffff"]) if high else len(places)
        items = rows[start : min(end, start + limit)]
        cursor = self._seal(places[start + limit - 1], asked) if start + limit < end else ""
        data = {"items": items, "next_cursor": cursor, "snapshot_at": stamp(self.clock.now())}
        return Answer(200, {"code": "0", "msg": "", "data": data}, keys=[str(item[key]) for item in items])

    def _items(self, file: str, key: str) -> tuple[Places, Items]:
        """The items of a file by (updated_at, id), and these places."""
        path = self.folder / file if self.folder else None
        if path is None or not path.exists():
            return [], []
        stat = path.stat()
        mark = (stat.st_mtime_ns, stat.st_size)
        if file not in self._read or self._read[file][0] != mark:
            try:
                items = json.loads(path.read_text("utf-8"))
            except ValueError:
                # Somebody is writing the file at this moment: what was read before still stands.
                return self._read[file][1:] if file in self._read else ([], [])
            items.sort(key=lambda item: _place(item, key))
            self._read[file] = (mark, [_place(item, key) for item in items], items)
        return self._read[file][1:]

    def _seal(self, place: list[str], asked: str) -> str:
        text = json.dumps([place, asked, int(self.clock.epoch())])
        return base64.urlsafe_b64encode(f"{self._mac(text)}{text}".encode()).decode().rstrip("=")

    def _open(self, params: Mapping[str, str], asked: str) -> list[str] | None:
        """The place after which to go on; None if the cursor was given for other parameters."""
        cursor = params.get("cursor")
        if cursor is None:
            return ["", ""]
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        except ValueError:
            raise CursorGone from None
        if text[:16] != self._mac(text[16:]):
            raise CursorGone
        place, given_for, at = json.loads(text[16:])
        if self.clock.epoch() - at > _CURSOR_SECONDS:
            raise CursorGone
        return place if given_for == asked else None

    def _mac(self, text: str) -> str:
        return S1["HMAC-SHA256"][1](self._key.encode(), text.encode()).hex()[:16]


def _place(item: Mapping[str, Any], key: str) -> list[str]:
    return [str(item["updated_at"]), str(item[key])]
