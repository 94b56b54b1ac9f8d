"""The platforms as seen by a measurement: all three contracts, answered truly, nothing checked, nothing kept but hashes.

Belongs here: a process of its own with one address a platform, what pushes and the queries of our adapters are answered.
Must not: checking a record, a signature or a rate; importing `mock_platforms`; outliving the process that started it.

`python -m zz_pipeline.bench.discard [LISTED DIFFERENCES]` prints its addresses as one line of JSON and ends when its
standard input does. With LISTED each platform also holds so many made-up entries (`made.Entries`), DIFFERENCES of them changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import parse_qs

import orjson

from zz_pipeline.bench import made
from zz_pipeline.standard.canonical import canonical_json, sm3_hex

_JSON = [(b"content-type", b"application/json; charset=utf-8")]
_STAMP = "2026-11-21 01:30:00"
_MOST_LISTED = 1000
Query = Mapping[str, str]
Answer = tuple[int, Any]


class Platform:
    """What the three have in common: a name, pushed entries by key, and entries that were made up."""

    name = ""
    success: str | int = "0000"

    def __init__(self, listed: int, differences: int) -> None:
        self.all: dict[str, dict[str, str]] = {}
        self.stored: dict[str, str] = {}  # of the department that is calling
        self.made = made.Entries(self.name, listed, differences)
        self.pushed = 0
        self.ready: dict[tuple[int, int], orjson.Fragment] = {}
        self.next: tuple[int, int] | None = None

    def answer(self, app: str, method: str, path: str, query: Query, body: bytes) -> Answer:
        """HTTP status and body of one call; `app` names the department, whose records are all that it is shown."""
        self.stored = self.all.setdefault(app, {})
        if path == "/health":
            return 200, {"status": "UP", "platform": self.name, "environment": "test"}
        if path == "/quota":
            quota = {"rate": 1e6, "burst": 1e6, "daily_records": 10**9, "used_today": 0}
            return 200, {"code": self.success, "data": quota}
        if path == "/pushed":  # not of the contract: what a measurement asks afterwards
            return 200, {"requests": self.pushed, "stored": sum(map(len, self.all.values()))}
        if method == "POST" and path != "/auth/session":
            self.pushed += 1
            return self.push(path, orjson.loads(body))
        return self.ask(path, query)

    def push(self, path: str, batch: dict[str, Any]) -> Answer:
        """The answer to a batch."""
        raise AssertionError("a platform answers its own contract")

    def ask(self, path: str, query: Query) -> Answer:
        """The answer to a query."""
        raise AssertionError("a platform answers its own contract")

    def item(self, key: str, digest: str) -> dict[str, Any]:
        """An entry as this platform lists it."""
        raise AssertionError("a platform answers its own contract")

    def known(self, keys: str) -> list[dict[str, Any]]:
        """Those of the pushed entries that are asked for by their keys."""
        return [self.item(key, self.stored[key]) for key in keys.split(",") if key in self.stored]

    def page(self, query: Query, start: int, size: int) -> tuple[Any, int, int]:
        """So many listed entries from a place on, the place behind them, and how many there are; pushed ones count first."""
        if query.get("kind") == "credit-ratings" or query.get("table") == "credit_assess":
            return [], start, 0
        if self.stored or self.stored is not self.all.get(f"app-{made.DEPT}"):
            found = list(islice(self.stored.items(), start, start + size))
            return [self.item(*one) for one in found], start + len(found), len(self.stored)
        total = len(self.made)
        after = min(start + size, total)
        self.next = (after, size)
        return self.ready.pop((start, size), None) or self._page(start, size), after, total

    def ahead(self) -> None:
        """Make the page that will be asked for next while the caller reads this one: what a platform is slow at is no matter."""
        if self.next is not None:
            self.ready, self.next = {self.next: self._page(*self.next)}, None

    def _page(self, start: int, size: int) -> orjson.Fragment:
        places = range(start, min(start + size, len(self.made)))
        return orjson.Fragment(orjson.dumps([self.item(*self.made.at(place)) for place in places]))


class DoubleRandom(Platform):
    """①: a verdict a record."""

    name = "double_random"

    def push(self, path: str, batch: dict[str, Any]) -> Answer:
        results = []
        for record in batch["records"]:
            key = record["recordKey"]
            self.stored[key] = sm3_hex(canonical_json(record))  # without fractions the contract's canonical form
            said = {"recordKey": key, "version": record["version"], "verdict": "ACCEPTED"}
            results.append({**said, "receiptNo": f"SN20261121{len(self.stored):08d}", "errors": []})
        return 200, self._said({"batchNo": batch["batchNo"], "results": results})

    def ask(self, path: str, query: Query) -> Answer:
        if path != "/api/v1/records":
            return 200, {"code": "4040", "message": "批次不存在", "requestId": "0", "data": None}
        if "recordKeys" in query:
            return 200, self._said({"items": self.known(query["recordKeys"]), "nextCursor": ""})
        items, after, total = self.page(query, int(query.get("cursor") or 0), _MOST_LISTED)
        return 200, self._said({"items": items, "nextCursor": str(after) if after < total else ""})

    def item(self, key: str, digest: str) -> dict[str, Any]:
        said = {"recordKey": key, "version": 1, "state": "STORED", "receiptNo": "SN1"}
        return {**said, "contentHash": digest, "updatedAt": _STAMP}

    def _said(self, data: Any) -> dict[str, Any]:
        return {"code": "0000", "message": "成功", "requestId": "0", "data": data}


class InternetSupervision(Platform):
    """②: taken in, receipts afterwards."""

    name = "internet_supervision"
    success = "200"

    def __init__(self, listed: int, differences: int) -> None:
        super().__init__(listed, differences)
        self.batches: dict[str, list[str]] = {}

    def push(self, path: str, batch: dict[str, Any]) -> Answer:
        for record in batch["records"]:
            values = "|".join([record[k] for k in sorted(record) if k[:3] != "cd_"])
            self.stored[record["cd_id"]] = hashlib.md5(values.encode(), usedforsecurity=False).hexdigest()
        self.batches[batch["cd_batch"]] = [record["cd_id"] for record in batch["records"]]
        data = {"cd_batch": batch["cd_batch"], "received": len(batch["records"])}
        return 202, {"code": "202", "message": "已接收", "data": data}

    def ask(self, path: str, query: Query) -> Answer:
        if path == "/auth/session":
            data = {"session_secret": "s" * 40, "expires_at": "2099-01-01 00:00:00"}
            return 200, {"code": "200", "message": "成功", "data": data}
        if path.startswith("/exchange/receipts/"):
            return self._receipt(path.rpartition("/")[2])
        if "cd_ids" in query:
            rows = self.known(query["cd_ids"])
            return 200, {"code": "200", "data": {"total": len(rows), "rows": rows}}
        size = int(query["size"])
        rows, _, total = self.page(query, (int(query["page"]) - 1) * size, size)
        return 200, {"code": "200", "data": {"total": total, "rows": rows}}

    def item(self, key: str, digest: str) -> dict[str, Any]:
        return {"cd_id": key, "cd_operation": "i", "receipt": "HLW1", "content_md5": digest, "updated_at": _STAMP}

    def _receipt(self, number: str) -> Answer:
        keys = self.batches.get(number)
        if keys is None:
            return 404, {"code": "6040", "message": "批次不存在"}
        results = [{"cd_id": key, "result": "PASS", "receipt": f"HLW{key}"} for key in keys]
        data = {"cd_batch": number, "status": "DONE", "total": len(keys), "passed": len(keys), "failed": 0}
        return 200, {"code": "200", "data": {**data, "results": results}}


class Publicity(Platform):
    """③: counts, records by pubId."""

    name = "publicity"
    success = 200

    def push(self, path: str, batch: dict[str, Any]) -> Answer:
        records = batch["records"]
        for record in records:
            record.pop("publicFrom")
            # the same bytes as the contract's canonical JSON: texts, whole numbers and lists only
            canonical = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
            self.stored[record["pubId"]] = hashlib.sha256(canonical).hexdigest()
        counts = {"totalSize": len(records), "successSize": len(records), "failSize": 0}
        return 200, {"code": 200, "errorMsg": "", **counts, "tips": ""}

    def ask(self, path: str, query: Query) -> Answer:
        if "pubIds" in query:
            return 200, {"code": 200, "data": {"items": self.known(query["pubIds"]), "nextCursor": ""}}
        items, after, total = self.page(query, int(query.get("cursor") or 0), _MOST_LISTED)
        return 200, {"code": 200, "data": {"items": items, "nextCursor": str(after) if after < total else ""}}

    def item(self, key: str, digest: str) -> dict[str, Any]:
        said = {"pubId": key, "kind": "inspection", "state": "PUBLIC", "contentSha256": digest}
        return {**said, "updatedAt": _STAMP, "publicUntil": ""}


class Credit(Platform):
    """The source of ratings: it has none."""

    name = "credit"
    success = "0"

    def ask(self, path: str, query: Query) -> Answer:
        data = {"items": [], "next_cursor": "", "snapshot_at": _STAMP}
        return 200, {"code": "0", "msg": "", "data": data}


PLATFORMS = (Credit, DoubleRandom, InternetSupervision, Publicity)
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def _app(platform: Platform) -> Any:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("ascii")).items()}
        names = dict(scope["headers"])
        caller = (names.get(b"x-app-id") or names.get(b"gjgxjhpt_sid") or b"").decode("ascii")
        status, said = platform.answer(caller, scope["method"], scope["path"], query, body)
        data = orjson.dumps(said)
        head = [*_JSON, (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": data})
        platform.ahead()

    return app


def serve(listed: int, differences: int) -> None:
    """Answer on one loopback port a platform until standard input ends."""
    import uvicorn

    sockets, servers = {}, []
    for make in PLATFORMS:
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.listen(64)  # whoever reads the address may call at once
        sockets[make.name] = sock
        app = _app(make(listed, differences))
        config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", interface="asgi3")
        servers.append(uvicorn.Server(config))
    urls = {name: f"http://127.0.0.1:{sock.getsockname()[1]}" for name, sock in sockets.items()}
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()

    async def all_of_them() -> None:
        threading.Thread(target=_end_with_input, args=(servers,), daemon=True).start()
        await asyncio.gather(*(s.serve([sock]) for s, sock in zip(servers, sockets.values(), strict=True)))

    asyncio.run(all_of_them())


def _end_with_input(servers: list[Any]) -> None:
    sys.stdin.buffer.read()
    for server in servers:
        server.should_exit = True


@contextmanager
def running(listed: int = 0, differences: int = 0) -> Iterator[dict[str, str]]:
    """The process, as long as the block; address by platform."""
    command = [sys.executable, "-m", "zz_pipeline.bench.discard", str(listed), str(differences)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield json.loads(process.stdout.readline() if process.stdout else b"")
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait(30)


def asked(url: str) -> dict[str, int]:
    """How many pushes a platform of this process has seen, and how many records it holds."""
    with urllib.request.urlopen(f"{url}/pushed") as answer:  # noqa: S310 - an address of `running`
        return dict(json.load(answer))


if __name__ == "__main__":
    serve(*(int(n) for n in sys.argv[1:3]))
