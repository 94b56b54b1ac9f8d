"""Platform ① 陕西省“双随机、一公开”监管工作平台, as `double_random.md` says: synchronous, a verdict for each record.

Belongs here: batches, versions, verdicts, queries. Must not: the field rules (`double_random_rules`), the gateway.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from mock_platforms import double_random_rules as rules
from mock_platforms.base import Answer, Call, Platform, bound, chosen, number, single_keys, stamp
from mock_platforms.codec import BadJson, content_hash, sha256
from mock_platforms.store import Batch, Stored, Window
from mock_platforms.validation import Fault

_BATCH_NO = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LIMIT, _KEPT_DAYS = 200, 7
_PATHS = {"/api/v1/inspection-results": rules.RESULTS, "/api/v1/credit-ratings": rules.RATINGS}
_MESSAGES = {
    "0000": "成功",
    "4001": "请求格式错误",
    "4002": "批次记录数超限",
    "4009": "批次号已被不同内容使用",
    "4040": "批次不存在",
    "5000": "系统繁忙，请稍后重试",
    "5001": "平台维护",
}


class DoubleRandom(Platform):
    """The entry point of the exchange."""

    name = "double_random"
    alg = "HMAC-SM3"
    success = "0000"
    kinds = (rules.RESULTS, rules.RATINGS)

    def handle(self, call: Call) -> Answer:
        """Judge a call that passed the gateway; always HTTP 200."""
        method, path = call.route
        if method == "POST" and path in _PATHS:
            call.params()
            return self._push(call, path)
        if method == "GET" and path == "/api/v1/records":
            return self._records(call)
        if method == "GET" and path.startswith("/api/v1/batches/"):
            call.params()
            return self._batch(call, path.removeprefix("/api/v1/batches/"))
        return self.malformed("路径不存在")

    def malformed(self, message: str) -> Answer:
        """4001."""
        return _answer("4001", None, message=f"{_MESSAGES['4001']}：{message}")

    # pushing

    def _push(self, call: Call, path: str) -> Answer:
        frame = call.json()
        if not isinstance(frame, dict) or set(frame) != {"batchNo", "records"}:
            raise BadJson("应为只含 batchNo 与 records 的对象")
        batch_no, records = frame["batchNo"], frame["records"]
        if not isinstance(batch_no, str) or not _BATCH_NO.fullmatch(batch_no):
            raise BadJson("batchNo 格式错误")
        if not isinstance(records, list) or not records or not all(isinstance(r, dict) for r in records):
            raise BadJson("records 应为非空对象列表")
        keys = list(dict.fromkeys(rules.key_of(r) for r in records))
        if len(records) > _LIMIT:
            return _answer("4002", None, keys)
        if "maintenance5001" in call.hints:
            return _answer("5001", None, keys)
        with self.store.transaction():
            return self._take(call, path, batch_no, records, keys)

    def _take(self, call: Call, path: str, batch_no: str, records: list[dict[str, Any]], keys: list[str]) -> Answer:
        department, digest = call.credential.department, sha256(call.request.body)
        old = self._remembered(department, batch_no, call.now)
        if old and (old.path != path or old.digest != digest):
            return _answer("4009", None, keys)
        if old and old.status == "DONE":
            return _answer("0000", old.answer, keys)
        results = list(old.answer["results"]) if old else []
        judged = {result["recordKey"] for result in results}
        left = [record for record in records if rules.key_of(record) not in judged]
        busy = call.hints.get("busy5000")
        stop_after = len(left) if busy is None else int(busy.get("stored", len(left) // 2))
        call.charge(min(len(left), stop_after))
        results += self._judge_all(call, _PATHS[path], left, stop_after)
        status = "DONE" if busy is None else "PARTIAL"
        data = {"batchNo": batch_no, "results": results}
        created = old.created_at if old else stamp(call.now)
        if results:
            self.store.save_batch(Batch(department, batch_no, path, digest, status, b"", data, created))
        return _answer("0000" if busy is None else "5000", data if busy is None else None, keys, results=results)

    def _remembered(self, department: str, batch_no: str, now: datetime) -> Batch | None:
        old = self.store.batch(department, batch_no)
        if old and old.created_at < stamp(now - timedelta(days=_KEPT_DAYS)):
            self.store.drop_batch(department, batch_no)
            return None
        return old

    def _judge_all(self, call: Call, kind: str, records: list[dict[str, Any]], stop_after: int) -> list[dict[str, Any]]:
        doubled = rules.twice(records)
        units = {rules.key_of(record): record for record in records}
        refused = chosen(list(units), call.hints["partial_rejection"]) if "partial_rejection" in call.hints else set()
        context = rules.Context(call.credential.department_uscc, call.now)
        results = []
        for key, record in list(units.items())[:stop_after]:
            faults: list[Fault] = [("E01", "recordKey", "批次内记录键重复")] if key in doubled else []
            faults = faults or rules.check(kind, record, context)
            if key in refused and not faults:
                faults = [("E05", "entName", "检查对象名称不符合要求")]
            results.append(self._judge(call, kind, key, record, faults))
        return results

    def _judge(self, call: Call, kind: str, key: str, record: dict[str, Any], faults: list[Fault]) -> dict[str, Any]:
        version = record.get("version")
        said = version if isinstance(version, int) and not isinstance(version, bool) else 0
        old = self.store.get(kind, key) if key else None
        if old and old.department != call.credential.department:
            faults = [*faults, ("E07", "recordKey", "记录由其他部门录入")]
        elif old and not faults:
            if said == old.version and content_hash(record) == old.hash:
                return _verdict(key, said, "DUPLICATE", old.receipt)
            if said <= old.version:
                older = ("E16", "version", "版本号低于已存版本")
                faults = [older if said < old.version else ("E17", "version", "同一版本内容不同")]
        if faults:
            return _verdict(key, said, "REJECTED", "", faults)
        receipt = f"SN{call.now:%Y%m%d}{self.store.next_number('receipt'):08d}"
        self.store.put(self._stored(kind, call.credential.department, record, receipt))
        return _verdict(key, said, "ACCEPTED", receipt)

    def _stored(self, kind: str, department: str, record: dict[str, Any], receipt: str) -> Stored:
        operation = record.get("operation", "UPSERT")
        return Stored(
            kind=kind,
            key=record["recordKey"],
            department=department,
            version=record["version"],
            state="WITHDRAWN" if operation == "WITHDRAW" else "STORED",
            operation=operation,
            receipt=receipt,
            hash=content_hash(record),
            content=record,
            code="",
            updated_at=stamp(self.clock.now()),
        )

    def enter_by_hand(self, kind: str, department: str, record: dict[str, Any]) -> None:
        """Store a record as a clerk typed it, unchecked."""
        self.store.put(self._stored(kind, department, record, f"SN-HAND-{self.store.next_number('receipt'):08d}"))

    # queries

    def _batch(self, call: Call, batch_no: str) -> Answer:
        if not _BATCH_NO.fullmatch(batch_no):
            return self.malformed("批次号格式错误")
        old = self._remembered(call.credential.department, batch_no, call.now)
        return _answer("4040", None) if old is None else _answer("0000", old.answer)

    def _records(self, call: Call) -> Answer:
        params = call.params("kind", "updatedFrom", "updatedTo", "cursor", "limit", "recordKeys")
        if params.get("kind") not in self.kinds:
            return self.malformed("kind 缺失或不在表内")
        kind, department = params["kind"], call.credential.department
        keys = single_keys(params, "recordKeys", ("updatedFrom", "updatedTo", "cursor"))
        limit = number(params, "limit", 1000, 1000)
        if keys is not None:
            found = (self.store.get(kind, key) for key in keys)
            items = [_item(r, single=True) for r in found if r and r.department == department]
            return _answer("0000", {"items": items, "nextCursor": ""})
        low, high = bound(params, "updatedFrom"), bound(params, "updatedTo")
        after = number(params, "cursor", 1) if "cursor" in params else 0
        rows = self.store.listing(Window(department, kind, low, high), limit + 1, after=after)
        more = str(rows[limit - 1].seq) if len(rows) > limit else ""
        return _answer("0000", {"items": [_item(r) for r in rows[:limit]], "nextCursor": more})


def _item(record: Stored, single: bool = False) -> dict[str, Any]:
    item: dict[str, Any] = {
        "recordKey": record.key,
        "version": record.version,
        "state": record.state,
        "receiptNo": record.receipt,
        "contentHash": record.hash,
        "updatedAt": record.updated_at,
    }
    return {**item, "record": record.content} if single else item


def _verdict(key: str, version: int, verdict: str, receipt: str, faults: Iterable[Fault] = ()) -> dict[str, Any]:
    errors = [{"code": code, "field": field, "message": message} for code, field, message in faults]
    return {"recordKey": key, "version": version, "verdict": verdict, "receiptNo": receipt, "errors": errors}


def _answer(
    code: str,
    data: Mapping[str, Any] | None,
    keys: Iterable[str] = (),
    *,
    message: str = "",
    results: Iterable[dict[str, Any]] | None = None,
) -> Answer:
    body = {"code": code, "message": message or _MESSAGES[code], "requestId": secrets.token_hex(16), "data": data}
    said = results if results is not None else (data or {}).get("results", ())
    verdicts = {r["recordKey"]: r["verdict"] + "".join(f" {e['code']}" for e in r["errors"][:1]) for r in said}
    return Answer(200, body, keys=list(keys), verdicts=verdicts)
