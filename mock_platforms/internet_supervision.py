"""Platform ② 西安市“互联网+监管”系统, as `internet_supervision.md` says: a push is taken in, receipts are polled.

Belongs here: batches, the later check against what is stored, receipts, the list. Must not: the column rules.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mock_platforms import internet_supervision_rules as rules
from mock_platforms.base import Answer, Call, Clock, Platform, bound, chosen, number, single_keys, stamp
from mock_platforms.codec import BadJson, content_md5, sha256, strict_json
from mock_platforms.store import Batch, Store, Stored, Window
from mock_platforms.validation import Fault, real_date

_LIMIT, _KEPT_DAYS, _FAILED_AFTER_HOURS = 1000, 30, 24
_PATHS = {"/exchange/jg_jgxw_check_action": rules.ACTIONS, "/exchange/credit_assess": rules.CREDIT}
_RECEIPTS = "/exchange/receipts/"
_HINTS = ("partial_rejection", "failed_batch")


class InternetSupervision(Platform):
    """The asynchronous platform."""

    name = "internet_supervision"
    alg = "S2"
    success = "200"
    uses_sessions = True
    kinds = (rules.ACTIONS, rules.CREDIT)

    def __init__(self, store: Store, clock: Clock, receipt_delay: float = 0.2) -> None:
        super().__init__(store, clock, receipt_delay)
        self._next_due = store.next_due()

    def handle(self, call: Call) -> Answer:
        """Judge a call that passed the gateway."""
        method, path = call.route
        if method == "POST" and path in _PATHS:
            call.params()
            return self._push(call, path)
        if method == "GET" and path.startswith(_RECEIPTS):
            call.params()
            return self._receipts(call, path.removeprefix(_RECEIPTS))
        if method == "GET" and path == "/exchange/records":
            return self._records(call)
        return _refused(404, "404", "接口不存在")

    def malformed(self, message: str) -> Answer:
        """HTTP 400 6002."""
        return _refused(400, "6002", f"数据结构体 JSON 格式不正确：{message}")

    # the door

    def _push(self, call: Call, path: str) -> Answer:
        frame = call.json()
        if not isinstance(frame, dict) or set(frame) != {"cd_batch", "cd_source", "records"}:
            raise BadJson("应为只含 cd_batch、cd_source、records 的对象")
        cd_batch, records = frame["cd_batch"], frame["records"]
        texts = isinstance(cd_batch, str) and isinstance(frame["cd_source"], str)
        if not texts or not isinstance(records, list) or not records or not all(isinstance(r, dict) for r in records):
            raise BadJson("cd_batch、cd_source 应为文本，records 应为非空对象列表")
        keys = [_key(record) for record in records]
        if not re.fullmatch(r"[0-9]{13}", cd_batch) or not real_date(f"{cd_batch[:4]}-{cd_batch[4:6]}-{cd_batch[6:8]}"):
            return _refused(400, "6003", "批次号格式错误", keys)
        if len(records) > _LIMIT:
            return _refused(400, "6004", "记录数超限", keys)
        with self.store.transaction():
            return self._take_in(call, path, cd_batch, keys)

    def _take_in(self, call: Call, path: str, cd_batch: str, keys: list[str]) -> Answer:
        department, digest = call.credential.department, sha256(call.request.body)
        old = self._remembered(department, cd_batch)
        if old and (old.path != path or old.digest != digest):
            return _refused(409, "6009", "批次号重复", keys)
        answer = {"code": "202", "message": "已接收", "data": {"cd_batch": cd_batch, "received": len(keys)}}
        if old is None:
            call.charge(len(keys))
        if old is None and "lost_batch" not in call.hints:
            late = float(call.hints.get("receipt_late", {}).get("seconds", 0))
            due = time.time() + self.receipt_delay + late
            hints = {name: call.hints[name] for name in _HINTS if name in call.hints}
            hints["uscc"] = call.credential.department_uscc
            now, body = stamp(self.clock.now()), call.request.body
            self.store.save_batch(Batch(department, cd_batch, path, digest, "PROCESSING", body, {}, now, due, hints))
            self._next_due = due if self._next_due is None else min(due, self._next_due)
        return Answer(202, answer, keys=keys, verdicts=dict.fromkeys(keys, "TAKEN_IN"))

    def _remembered(self, department: str, cd_batch: str) -> Batch | None:
        old, now = self.store.batch(department, cd_batch), self.clock.now()
        if old and old.created_at < stamp(now - timedelta(days=_KEPT_DAYS)):
            self.store.drop_batch(department, cd_batch)
            return None
        if old and old.status == "PROCESSING" and self._too_old(old, now):
            old = self._fail(old)
        return old

    # the later check

    def tick(self) -> None:
        """Check every batch whose time has come; waiting ones are in the ledger and survive a restart."""
        if self._next_due is None or self._next_due > time.time():
            return
        for batch in self.store.waiting(time.time()):
            with self.store.transaction():
                self._check(batch)
        self._next_due = self.store.next_due()

    @staticmethod
    def _too_old(batch: Batch, now: datetime) -> bool:
        return batch.created_at < stamp(now - timedelta(hours=_FAILED_AFTER_HOURS))

    def _fail(self, batch: Batch) -> Batch:
        data = {"cd_batch": batch.number, "status": "FAILED", "message": "批次处理失败，未入库，请以新批次号重新报送"}
        failed = replace(batch, status="FAILED", answer=data, body=b"")
        self.store.save_batch(failed)
        return failed

    def _check(self, batch: Batch) -> None:
        hints = batch.hints or {}
        if "failed_batch" in hints or self._too_old(batch, self.clock.now()):
            self._fail(batch)
            return
        frame = strict_json(batch.body)
        context = rules.Context(hints["uscc"], self.clock.now(), frame["cd_source"])
        records, table = frame["records"], _PATHS[batch.path]
        times = Counter(_key(record) for record in records)
        refused = chosen(list(times), hints["partial_rejection"]) if "partial_rejection" in hints else set()
        results = []
        for record in records:
            key = _key(record)
            faults = rules.check(table, record, context)
            if times[key] > 1:
                faults.append(("09", "cd_id", "批次内主键重复"))
            if key in refused and not faults:
                faults.append(("01", "check_result", "代码检查未通过"))
            results.append(self._judge(table, batch.department, key, record, faults))
        passed = sum(result["result"] == "PASS" for result in results)
        counts = {"total": len(results), "passed": passed, "failed": len(results) - passed}
        data = {"cd_batch": batch.number, "status": "DONE", **counts, "results": results}
        self.store.save_batch(replace(batch, status="DONE", answer=data, body=b""))

    def _judge(
        self, table: str, department: str, key: str, record: dict[str, Any], faults: list[Fault]
    ) -> dict[str, Any]:
        old = self.store.get(table, key) if key else None
        if old and old.department != department:
            faults = [*faults, ("02", "cd_id", "该主键由其他部门报送")]
        elif not faults:
            faults = self._against_stored(table, key, record, old)
        if faults:
            checks = [{"type": code, "field": field, "message": message} for code, field, message in faults]
            return {"cd_id": key, "result": "FAIL", "checks": checks}
        return {"cd_id": key, "result": "PASS", "receipt": self._apply(table, department, record, old)}

    def _against_stored(self, table: str, key: str, record: dict[str, Any], old: Stored | None) -> list[Fault]:
        operation, code = record["cd_operation"], record.get("check_action_code", "")
        other = self.store.by_code(table, code) if code else None
        if other and other.key != key:
            return [("05", "check_action_code", "检查行为编号已被其他主键使用")]
        if operation != "i" and old is None:
            return [("09", "cd_id", "更新或删除的主键不存在")]
        if old is None or operation == "d":
            return []
        if operation == "u" and old.state == "DELETED":
            return [("09", "cd_id", "已删除的主键不能更新")]
        if operation == "i" and old.state == "STORED" and content_md5(record) != old.hash:
            return [("09", "cd_id", "主键已存在且内容不同")]
        return []

    def _apply(self, table: str, department: str, record: dict[str, Any], old: Stored | None) -> str:
        operation = record["cd_operation"]
        if old and operation == "d":
            if old.state == "DELETED":
                return old.receipt
            gone = replace(old, state="DELETED", operation="d", receipt=self._receipt(), updated_at=self._stamp())
            self.store.put(gone)
            return gone.receipt
        if old and old.state == "STORED" and content_md5(record) == old.hash:
            return old.receipt
        new = self._stored(table, department, record, 1 if old is None else old.version + 1)
        self.store.put(new)
        return new.receipt

    def _stored(self, table: str, department: str, record: dict[str, Any], version: int) -> Stored:
        return Stored(
            kind=table,
            key=record["cd_id"],
            department=department,
            version=version,  # the wire has none; this counts the platform's own changes
            state="STORED",
            operation=record.get("cd_operation", "i"),
            receipt=self._receipt(),
            hash=content_md5(record),
            content=record,
            code=record.get("check_action_code", ""),
            updated_at=self._stamp(),
        )

    def enter_by_hand(self, kind: str, department: str, record: dict[str, Any]) -> None:
        """Store a record as a clerk typed it, unchecked."""
        old = self.store.get(kind, record["cd_id"])
        self.store.put(self._stored(kind, department, record, 1 if old is None else old.version + 1))

    def _receipt(self) -> str:
        return f"HLW{self.clock.now():%Y%m%d}{self.store.next_number('receipt'):08d}"

    def _stamp(self) -> str:
        return stamp(self.clock.now())

    # queries

    def _receipts(self, call: Call, cd_batch: str) -> Answer:
        old = self._remembered(call.credential.department, cd_batch)
        if old is None:
            return _refused(404, "6040", "批次不存在")
        data = old.answer or {"cd_batch": cd_batch, "status": "PROCESSING"}
        verdicts = {row["cd_id"]: row["result"] for row in data.get("results", ())}
        return Answer(200, {"code": "200", "message": "成功", "data": data}, verdicts=verdicts)

    def _records(self, call: Call) -> Answer:
        params = call.params("table", "updated_from", "updated_to", "page", "size", "cd_ids")
        if params.get("table") not in self.kinds:
            return self.malformed("table 缺失或不在表内")
        table, department = params["table"], call.credential.department
        keys = single_keys(params, "cd_ids", ("updated_from", "updated_to", "page"))
        page, size = number(params, "page", 1), number(params, "size", 500, 500)
        if keys is not None:
            found = [r for r in (self.store.get(table, key) for key in keys) if r and r.department == department]
            return _rows(len(found), [_row(r, single=True) for r in found])
        low, high = bound(params, "updated_from"), bound(params, "updated_to")
        window = Window(department, table, low, high)
        rows = self.store.listing(window, size, skip=(page - 1) * size)
        return _rows(self.store.count(window), [_row(r) for r in rows])


def _key(record: Mapping[str, Any]) -> str:
    key = record.get("cd_id")
    return key if isinstance(key, str) else ""


def _row(record: Stored, single: bool = False) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cd_id": record.key,
        "cd_operation": record.operation,
        "receipt": record.receipt,
        "content_md5": record.hash,
        "updated_at": record.updated_at,
    }
    return {**row, "record": record.content} if single else row


def _rows(total: int, rows: list[dict[str, Any]]) -> Answer:
    return Answer(200, {"code": "200", "message": "成功", "data": {"total": total, "rows": rows}})


def _refused(http: int, code: str, message: str, keys: Iterable[str] = ()) -> Answer:
    return Answer(http, {"code": code, "message": message}, keys=list(keys))
