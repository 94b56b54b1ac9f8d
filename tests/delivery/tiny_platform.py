"""A tiny platform on loopback that speaks the part of contracts/double_random.md that lanes need, with faults on order.

Belongs here: storing, judging by version and content, batch numbers, and faults before or after the effect.
Must not: anything of ours; signatures (the full mocks check those).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HEALTH = {"status": "UP", "platform": "double_random", "environment": "test"}
REFUSALS = {
    "busy": (429, {"code": "4290", "message": "过快"}),
    "busy429": (429, {"code": "4290", "message": "过快"}),
    "busy503": (503, {"code": "5030", "message": "维护"}),
    "quota": (429, {"code": "4291", "message": "额度"}),
    "auth": (401, {"code": "4012", "message": "签名"}),
    "maintenance": (200, {"code": "5001", "message": "维护"}),
    "stop": (200, {"code": "4009", "message": "批次号"}),
    "html": (200, "<html>登录</html>"),
    "500_before": (500, {"code": "500"}),
}


def sm3(record):
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.new("sm3", text.encode()).hexdigest()


class TinyPlatform:
    """`faults` are met by the next pushes, one each; `ask_faults` by the next queries; `always` decides by records.

    A fault is a name, or a name and what Retry-After says.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.records, self.batches = {}, {}
        self.pushes, self.queries, self.effects = [], [], []
        self.faults, self.ask_faults = deque(), deque()
        self.always = lambda records: None
        self.refuse = lambda record: None
        self.health = dict(HEALTH)
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                platform.get(self)

            def do_POST(self):
                platform.post(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    # -- pushes

    def post(self, http, body):
        batch = json.loads(body)
        with self.lock:
            app = http.headers["X-App-Id"]
            self.pushes.append((batch["batchNo"], app, [r["recordKey"] for r in batch["records"]], body))
            fault = self.faults.popleft() if self.faults else self.always(batch["records"])
        fault, wait = fault if isinstance(fault, tuple) else (fault, "2" if fault == "busy" else None)
        if fault in REFUSALS:
            return answer(http, *REFUSALS[fault], retry=wait)
        if fault == "redirect":
            return answer(http, 302, {"code": "0000"}, location=f"{self.url}/elsewhere")
        if fault == "close_before":
            return http.connection.close()
        if fault == "poison":
            return answer(http, 413, {"code": "4130", "message": "过大"})
        if fault == "lost_batch":  # stores nothing, yet claims nothing either
            return answer(http, 200, {"code": "5000", "message": "系统繁忙"})
        kept = batch["records"][: len(batch["records"]) // 2] if fault == "half" else batch["records"]
        with self.lock:
            data = self.judged(app, batch["batchNo"], kept, body)
        if fault == "half":
            return answer(http, 200, {"code": "5000", "message": "系统繁忙"})
        if fault == "close_after":
            return http.connection.close()
        if fault == "500_after":
            return answer(http, 500, {"code": "500"})
        if fault == "short":
            data = {**data, "results": data["results"][1:]}
        if fault == "cut_after":
            return cut(http, {"code": "0000", "message": "", "requestId": "1", "data": data})
        return answer(http, 200, {"code": "0000", "message": "成功", "requestId": "1", "data": data})

    def judged(self, app, number, records, body):
        key = (app, number)
        if key in self.batches and self.batches[key][0] == body and not self.batches[key][2]:
            return self.batches[key][1]
        results = [self.judge(app, record) for record in records]
        data = {"batchNo": number, "results": results}
        self.batches[key] = (body, data, len(records) < len(json.loads(body)["records"]))
        return data

    def judge(self, app, record):
        key, version = record["recordKey"], record["version"]
        said = {"recordKey": key, "version": version, "receiptNo": "", "errors": []}
        code = self.refuse(record)
        there = self.records.get(key)
        if code is None and there is not None:
            if there["version"] > version:
                code = "E16"
            elif there["version"] == version and there["hash"] != sm3(record):
                code = "E17"
        if code is not None:
            return {**said, "verdict": "REJECTED", "errors": [{"code": code, "field": "x", "message": "样例"}]}
        if there is not None and there["version"] == version:
            return {**said, "verdict": "DUPLICATE", "receiptNo": there["receipt"]}
        self.store(key, record, app)
        return {**said, "verdict": "ACCEPTED", "receiptNo": self.records[key]["receipt"]}

    def store(self, key, record, app="hand"):
        state = "WITHDRAWN" if record["operation"] == "WITHDRAW" else "STORED"
        receipt = f"SN{len(self.effects):06d}"
        self.records[key] = {
            "version": record["version"], "hash": sm3(record), "state": state, "receipt": receipt, "app": app,
            "record": record,
        }  # fmt: skip
        self.effects.append((key, record["version"], app))

    # -- queries

    def get(self, http):
        where = urlsplit(http.path)
        if where.path == "/health":
            return answer(http, 200, self.health)
        query = parse_qs(where.query)
        with self.lock:
            app = http.headers["X-App-Id"]
            self.queries.append(where.path)
            fault = self.ask_faults.popleft() if self.ask_faults else None
            if fault in REFUSALS:
                return answer(http, *REFUSALS[fault])
            if where.path == "/quota":
                return answer(http, 200, {"code": "0000", "data": {"used_today": 0}})
            if where.path.startswith("/api/v1/batches/"):
                return self.batch(http, app, where.path.rsplit("/", 1)[1])
            return self.listed(http, app, query)

    def batch(self, http, app, number):
        found = self.batches.get((app, number))
        if found is None:
            return answer(http, 200, {"code": "4040", "message": "批次不存在", "requestId": "1", "data": None})
        return answer(http, 200, {"code": "0000", "message": "", "requestId": "1", "data": found[1]})

    def listed(self, http, app, query):
        keys = query["recordKeys"][0].split(",") if "recordKeys" in query else list(self.records)
        items = [
            {
                "recordKey": key, "version": r["version"], "state": r["state"], "receiptNo": r["receipt"],
                "contentHash": r["hash"], "updatedAt": "2026-11-22 01:00:00", "record": r["record"],
            }
            for key, r in self.records.items()
            if key in keys and r["app"] in (app, "hand") and query["kind"] == ["inspection-results"]
        ]  # fmt: skip
        data = {"items": items, "nextCursor": ""}
        return answer(http, 200, {"code": "0000", "message": "", "requestId": "1", "data": data})


def answer(http, status, content, retry=None, location=None):
    body = content.encode() if isinstance(content, str) else json.dumps(content, ensure_ascii=False).encode()
    http.send_response(status)
    http.send_header("Content-Type", "application/json; charset=utf-8")
    http.send_header("Content-Length", str(len(body)))
    if retry:
        http.send_header("Retry-After", retry)
    if location:
        http.send_header("Location", location)
    http.end_headers()
    http.wfile.write(body)


def cut(http, content):
    body = json.dumps(content, ensure_ascii=False).encode()
    http.send_response(200)
    http.send_header("Content-Type", "application/json; charset=utf-8")
    http.send_header("Content-Length", str(len(body)))
    http.end_headers()
    http.wfile.write(body[: len(body) // 2])
    http.close_connection = True
