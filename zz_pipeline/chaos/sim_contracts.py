"""Small models of the three contracts, written from the contracts' pages.

Belongs here: what each platform stores, judges and answers. Must not: anything of ours (adapters, hashes, field makers),
faults of the network.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from zz_pipeline.chaos.sim_platforms import Batch, Item, Platform, Said, asked, canonical, owner_of, single, stamp


class DoubleRandom(Platform):
    """①: a verdict for each record, versions, idempotent batch numbers."""

    paths: ClassVar[dict[str, str]] = {"/api/v1/inspection-results": "inspection", "/api/v1/credit-ratings": "rating"}
    kinds: ClassVar[dict[str, str]] = {"inspection-results": "inspection", "credit-ratings": "rating"}

    def push(self, dept: str, path: str, body: bytes, most: int | None = None) -> Said:
        """Judge a batch; `most`: the platform breaks down after so many records (5000)."""
        batch = json.loads(body)
        number, records, kind = batch["batchNo"], batch["records"], self.paths[path]
        if any(r.get("entName") in self.poison for r in records):
            return 500, {"code": "500"}
        known = self.batches.get((dept, number))
        if known is not None and (known.body != body or known.path != path):
            return 200, {"code": "4009", "message": "批次号已被不同内容使用", "requestId": "1", "data": None}
        if known is not None and known.whole:
            return self._done(known.answer)
        part = records if most is None else records[:most]
        results = [self.judge(dept, kind, record) for record in part]
        answer = {"batchNo": number, "results": results}
        whole = len(part) == len(records)
        self.batches[dept, number] = Batch(path, body, "DONE", answer, whole)
        return self._done(answer) if whole else (200, {"code": "5000", "message": "系统繁忙", "data": None})

    def _done(self, answer: dict[str, Any]) -> Said:
        return 200, {"code": "0000", "message": "成功", "requestId": "1", "data": copy.deepcopy(answer)}

    def judge(self, dept: str, kind: str, record: dict[str, Any]) -> dict[str, Any]:
        key, version = record["recordKey"], record["version"]
        said: dict[str, Any] = {"recordKey": key, "version": version, "verdict": "REJECTED", "receiptNo": ""}
        digest = hashlib.new("sm3", canonical(record)).hexdigest()
        there = self.store.get((kind, key))
        code = self._breach(dept, record, there, digest)
        if code:
            self.refuse(key)
            return said | {"errors": [{"code": code, "field": "x", "message": "样例"}]}
        if there is not None and there.version == version:
            return said | {"verdict": "DUPLICATE", "receiptNo": there.receipt, "errors": []}
        if record["operation"] == "WITHDRAW":
            item = self.remove(dept, kind, key, key, digest, version)
        else:
            item = self.put(dept, kind, key, key, record["entName"], digest, version, record)
        return said | {"verdict": "ACCEPTED", "receiptNo": item.receipt, "errors": []}

    def _breach(self, dept: str, record: dict[str, Any], there: Item | None, digest: str) -> str:
        if owner_of(record, ("insAuthCode", "sharedByCode")) != self.uscc[dept]:
            return "E07"
        if there is not None and there.owner != dept:
            return "E07"
        if there is not None and there.version > record["version"]:
            return "E16"
        if there is not None and there.version == record["version"] and there.digest != digest:
            return "E17"
        return "E06" if record.get("entName") in self.refused else ""

    def ask(self, dept: str, path: str, query: str) -> Said:
        """/quota, a batch, or records."""
        if path == "/quota":
            return 200, {"code": "0000", "message": "", "data": self.quota()}
        if path.startswith("/api/v1/batches/"):
            known = self.batches.get((dept, path.rsplit("/", 1)[1]))
            return self._done(known.answer) if known else (200, {"code": "4040", "message": "批次不存在", "data": None})
        wanted = asked(query)
        keys = wanted["recordKeys"].split(",") if "recordKeys" in wanted else None
        items = [
            {
                "recordKey": key, "version": i.version, "state": "STORED" if i.present else "WITHDRAWN",
                "receiptNo": i.receipt, "contentHash": i.digest, "updatedAt": stamp(i.at),
            } | single(keys, i)
            for key, i in self.mine(dept, self.kinds[wanted["kind"]], keys)
        ]  # fmt: skip
        return 200, {"code": "0000", "message": "", "data": {"items": items, "nextCursor": ""}}


class Supervision(Platform):
    """②: taken in at the door, judged later, receipts by batch number; insert, update, delete."""

    paths: ClassVar[dict[str, str]] = {
        "/exchange/jg_jgxw_check_action": "inspection",
        "/exchange/credit_assess": "rating",
    }
    kinds: ClassVar[dict[str, str]] = {"jg_jgxw_check_action": "inspection", "credit_assess": "rating"}

    def push(self, dept: str, path: str, body: bytes, most: int | None = None) -> Said:
        """Take a batch in."""
        batch = json.loads(body)
        number = batch["cd_batch"]
        if any(self._marker(r) in self.poison for r in batch["records"]):
            self.refuse(*(r["cd_id"] for r in batch["records"] if self._marker(r) in self.poison))
            return 400, {"code": "6002", "message": "数据结构体 JSON 格式不正确"}
        known = self.batches.get((dept, number))
        if known is not None and (known.body != body or known.path != path):
            return 409, {"code": "6009", "message": "批次号重复"}
        if known is None:
            self.batches[dept, number] = Batch(path, body, "PROCESSING", {}, request=self.request)
            self._wait(dept, number, self.request)
        data = {"cd_batch": number, "received": len(batch["records"])}
        return 202, {"code": "202", "message": "已接收", "data": data}

    def restore(self, kept: Any) -> None:
        """What was waiting for its check then waits again."""
        super().restore(kept)
        for (dept, number), known in self.batches.items():
            if known.status == "PROCESSING":
                self._wait(dept, number, known.request)

    def _wait(self, dept: str, number: str, request: int | None) -> None:
        waiting = [request, self.now(), float("inf")]
        self.taken_in.append(waiting)
        self.later(self.now() + self.delay(), lambda: self._check(dept, number, waiting))

    def _check(self, dept: str, number: str, waiting: list[Any]) -> None:
        if waiting[2] <= self.now():  # a restore came between
            return
        waiting[2] = self.now()
        known = self.batches.get((dept, number))
        if known is None or known.status != "PROCESSING":  # forgotten by a restore, or done before one
            return
        if self.fails():
            known.status, known.answer = "FAILED", {"cd_batch": number, "status": "FAILED", "message": "整批失败"}
            return
        self.request = waiting[0]
        results = [self.judge(dept, self.paths[known.path], r) for r in json.loads(known.body)["records"]]
        self.request = None
        passed = sum(r["result"] == "PASS" for r in results)
        total = {"total": len(results), "passed": passed, "failed": len(results) - passed}
        known.status, known.answer = "DONE", {"cd_batch": number, "status": "DONE", **total, "results": results}

    def _marker(self, record: Mapping[str, Any]) -> str:
        return str(record.get("supervise_object") or record.get("enterpriseName") or "")

    def judge(self, dept: str, kind: str, record: dict[str, Any]) -> dict[str, Any]:
        key, op, marker = record["cd_id"], record["cd_operation"], self._marker(record)
        there = self.store.get((kind, key))
        values = "|".join(record[n] for n in sorted(record) if not n.startswith("cd_"))
        digest = hashlib.md5(values.encode(), usedforsecurity=False).hexdigest()
        code = self._breach(dept, record, there, digest, marker)
        if code:
            self.refuse(key)
            return {"cd_id": key, "result": "FAIL", "checks": [{"type": code, "field": "x", "message": "样例"}]}
        base = key[:-15] if kind == "inspection" else key
        if op == "d":
            if there is not None and there.present:
                there = self.remove(dept, kind, key, base, there.digest, 0)
        elif there is None or not there.present or there.digest != digest:
            there = self.put(dept, kind, key, base, marker, digest, 0, record)
        return {"cd_id": key, "result": "PASS", "receipt": there.receipt if there else ""}

    def _breach(self, dept: str, record: dict[str, Any], there: Item | None, digest: str, marker: str) -> str:
        op = record["cd_operation"]
        named = owner_of(record, ("implement_institution_code", "sharedByCode"))
        if (op != "d" and named != self.uscc[dept]) or (there is not None and there.owner != dept):
            return "02"
        if op != "d" and marker in self.refused:
            return "06"
        if op in ("u", "d") and there is None:
            return "09"
        if op == "u" and there is not None and not there.present:
            return "09"
        if op == "i" and there is not None and there.present and there.digest != digest:
            return "09"
        return ""

    def ask(self, dept: str, path: str, query: str) -> Said:
        """/quota, a receipt, or rows."""
        if path == "/quota":
            return 200, {"code": "200", "message": "", "data": self.quota()}
        if path.startswith("/exchange/receipts/"):
            number = path.rsplit("/", 1)[1]
            known = self.batches.get((dept, number))
            if known is None:
                return 404, {"code": "6040", "message": "批次不存在"}
            data = known.answer or {"cd_batch": number, "status": "PROCESSING"}
            return 200, {"code": "200", "message": "", "data": copy.deepcopy(data)}
        wanted = asked(query)
        keys = wanted["cd_ids"].split(",") if "cd_ids" in wanted else None
        rows = [
            {
                "cd_id": key, "cd_operation": "u" if i.present else "d", "receipt": i.receipt,
                "content_md5": i.digest, "updated_at": stamp(i.at),
            } | single(keys, i)
            for key, i in self.mine(dept, self.kinds[wanted["table"]], keys)
        ]  # fmt: skip
        return 200, {"code": "200", "message": "", "data": {"total": len(rows), "rows": rows}}


class Publicity(Platform):
    """③: counts only; a known key with other content is replaced; a stopped key never comes back."""

    paths: ClassVar[dict[str, str]] = {
        "/publicity/inspections": "inspection",
        "/publicity/credit-ratings": "rating",
        "/publicity/stop": "stop",
    }

    def push(self, dept: str, path: str, body: bytes, most: int | None = None) -> Said:
        """Store what can be stored; `most`: the platform breaks down after so many records (500)."""
        batch = json.loads(body)
        records = batch["items"] if path.endswith("/stop") else batch["records"]
        if batch.get("departmentCode") != self.uscc[dept]:
            return 200, self._said(4002, len(records), 0, 0)
        if any(r.get("EntName") in self.poison for r in records):
            self.refuse(*(r["pubId"] for r in records if r.get("EntName") in self.poison))
            return 200, self._said(6002, len(records), 0, 0)
        kind = self.paths[path]
        if kind != "stop" and all(self._same(kind, r) for r in records):
            return 200, self._said(20001, len(records), 0, 0)
        part = records if most is None else records[:most]
        stored = sum(self._stop(dept, r) if kind == "stop" else self.show(dept, kind, r) for r in part)
        if len(part) < len(records):
            return 200, self._said(500, len(records), 0, 0)
        return 200, self._said(200, len(records), stored, len(records) - stored)

    def _said(self, code: int, total: int, stored: int, failed: int) -> dict[str, Any]:
        return {
            "code": code, "errorMsg": "", "totalSize": total, "successSize": stored, "failSize": failed, "tips": "",
        }  # fmt: skip

    def _digest(self, record: Mapping[str, Any]) -> str:
        return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "publicFrom"})).hexdigest()

    def _same(self, kind: str, record: Mapping[str, Any]) -> bool:
        there = self.store.get((kind, record["pubId"]))
        return there is not None and there.present and there.digest == self._digest(record)

    def show(self, dept: str, kind: str, record: Mapping[str, Any]) -> bool:
        key = record["pubId"]
        there = self.store.get((kind, key))
        barred = there is not None and (there.owner != dept or not there.present)
        if record["EntName"] in self.refused or barred:
            self.refuse(key)
            return False
        if there is None or there.digest != self._digest(record):
            self.put(dept, kind, key, key.split("-R")[0], record["EntName"], self._digest(record), 0, record)
        return True

    def _stop(self, dept: str, record: Mapping[str, Any]) -> bool:
        key = record["pubId"]
        for kind in ("inspection", "rating"):
            there = self.store.get((kind, key))
            if there is not None and there.owner == dept:
                if there.present:
                    self.remove(dept, kind, key, there.record_key, there.digest, 0)
                return True
        self.refuse(key)
        return False

    def ask(self, dept: str, path: str, query: str) -> Said:
        """/quota or records."""
        if path == "/quota":
            return 200, {"code": 200, "errorMsg": "", "data": self.quota()}
        wanted = asked(query)
        keys = wanted["pubIds"].split(",") if "pubIds" in wanted else None
        items = [
            {
                "pubId": key, "kind": kind, "state": "PUBLIC" if i.present else "STOPPED", "contentSha256": i.digest,
                "updatedAt": stamp(i.at), "publicUntil": "",
            } | single(keys, i)
            for kind in ("inspection", "rating")
            for key, i in self.mine(dept, kind, keys)
        ]  # fmt: skip
        return 200, {"code": 200, "errorMsg": "", "data": {"items": items, "nextCursor": ""}}


MODELS: dict[str, type[DoubleRandom] | type[Supervision] | type[Publicity]] = {
    "double_random": DoubleRandom, "internet_supervision": Supervision, "publicity": Publicity,
}  # fmt: skip
