"""Platform ③ 国家企业信用信息公示系统（陕西）, as `publicity.md` says: counts only, public at once, stop, queries, page.

Belongs here: the order of refusals, what is stored and shown. Must not: forms and the 6005 search (`publicity_rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from mock_platforms import publicity_rules as rules
from mock_platforms.base import Answer, BadParameter, Call, Platform, Request, bound, chosen, number, single_keys, stamp
from mock_platforms.codec import BadJson, content_sha256
from mock_platforms.public_page import render
from mock_platforms.store import Stored, Window

# path → (kind, name of the list, most entries, keys of the frame)
_PATHS = {
    "/publicity/inspections": (rules.INSPECTION, "records", 500),
    "/publicity/credit-ratings": (rules.RATING, "records", 500),
    "/publicity/stop": (rules.STOP, "items", 100),
}
_ANY = "publication"  # one name space of pubIds over both kinds; `operation` holds the kind
_MESSAGES = {
    200: "",
    3001: "接口路径不存在",
    4001: "缺少部门代码 departmentCode",
    4002: "departmentCode 与凭证所属部门不一致",
    6002: "结构体 JSON 格式不正确",
    6005: "含不得公示的信息",
    20001: "有重复信息，无需继续推送",
}


class Publicity(Platform):
    """The public platform."""

    name = "publicity"
    alg = "HMAC-SHA256"
    success = 200
    kinds = (rules.INSPECTION, rules.RATING)

    def handle(self, call: Call) -> Answer:
        """Judge a call that passed the gateway; always HTTP 200."""
        method, path = call.route
        if method == "POST" and path in _PATHS:
            return self._push(call, path)
        if method == "GET" and path == "/publicity/records":
            return self._records(call)
        return _refused(3001)

    def malformed(self, message: str) -> Answer:
        """6002."""
        return _refused(6002, text=message)

    def public(self, request: Request) -> Answer | None:
        """The public page, for anyone."""
        if (request.method, request.path) != ("GET", "/"):
            return None
        words = parse_qs(request.query).get("q", [""])[0].strip()[:200]
        published = [(r.operation, r.content) for r in self.store.public(_ANY)]
        return Answer(200, render(words, published).encode(), media="text/html; charset=utf-8")

    # pushing

    def _push(self, call: Call, path: str) -> Answer:
        kind, name, most = _PATHS[path]
        call.params()
        frame = call.json()
        records = frame.get(name) if isinstance(frame, dict) else None
        if not isinstance(records, list) or not records:
            raise BadJson(f"没有 {name}")
        refusal = self._refusal(call, kind, frame, records, name, most)
        keys = [_key(record) for record in records]
        if refusal:
            if refusal == 6005:
                self._record_attempt(call, path, keys)
            return _refused(refusal, len(records), keys=keys)
        with self.store.transaction():
            return self._stop(call, records) if kind == rules.STOP else self._publish(call, kind, records)

    def _refusal(self, call: Call, kind: str, frame: dict[str, Any], records: list[Any], name: str, most: int) -> int:
        """The code that refuses the whole batch, 0 if none; in the order of the contract."""
        code, today = frame.get("departmentCode"), call.now.date()
        if not isinstance(code, str) or not code:
            return 4001
        if code != call.credential.department_uscc:
            return 4002
        if any(rules.must_not_be_public(kind, record, today) for record in records):
            return 6005
        known = {"departmentCode", name} | ({"batchId"} if kind != rules.STOP else set())
        well = len(records) <= most and set(frame) <= known and all(rules.well_formed(kind, r) for r in records)
        return 0 if well else 6002

    def _record_attempt(self, call: Call, path: str, keys: list[str]) -> None:
        for key in keys:
            self.store.violate(call.credential.department, path, key, stamp(call.now))

    def _publish(self, call: Call, kind: str, records: list[dict[str, Any]]) -> Answer:
        call.charge(len(records))
        keys = [record["pubId"] for record in records]
        refused = chosen(keys, call.hints["partial_rejection"]) if "partial_rejection" in call.hints else set()
        verdicts: dict[str, str] = {}
        said = []
        for record in records:
            verdict = "FAIL" if record["pubId"] in refused else self._show(call, kind, record)
            verdicts[record["pubId"]] = verdict
            said.append(verdict)
        if set(said) == {"SAME"}:
            return _refused(20001, len(said), keys=keys, verdicts=verdicts)
        return _counted(len(said), said.count("FAIL"), keys, verdicts)

    def _show(self, call: Call, kind: str, record: dict[str, Any]) -> str:
        old = self.store.get(_ANY, record["pubId"])
        department = call.credential.department
        if old and (old.department != department or old.operation != kind or old.state == "STOPPED"):
            return "FAIL"
        if rules.silently_fails(kind, record, call.now.date()):
            return "FAIL"
        if old and old.hash == content_sha256(record):
            return "SAME"
        self.store.put(self._stored(kind, department, record, 1 if old is None else old.version + 1))
        return "PUBLIC"

    def _stop(self, call: Call, items: list[dict[str, Any]]) -> Answer:
        verdicts = {}
        said = []
        for item in items:
            old = self.store.get(_ANY, item["pubId"])
            known = old is not None and old.department == call.credential.department
            if old and known and old.state == "PUBLIC":
                self.store.put(replace(old, state="STOPPED", updated_at=stamp(self.clock.now())))
            verdicts[item["pubId"]] = "STOPPED" if known else "FAIL"
            said.append(known)
        return _counted(len(said), said.count(False), [item["pubId"] for item in items], verdicts)

    def _stored(self, kind: str, department: str, record: dict[str, Any], version: int) -> Stored:
        return Stored(
            kind=_ANY,
            key=record["pubId"],
            department=department,
            version=version,  # the wire has none; this counts replacements
            state="PUBLIC",
            operation=kind,
            receipt="",
            hash=content_sha256(record),
            content=record,
            code="",
            updated_at=stamp(self.clock.now()),
        )

    def enter_by_hand(self, kind: str, department: str, record: dict[str, Any]) -> None:
        """Publish a record as a clerk typed it, unchecked."""
        if kind not in self.kinds:
            raise BadParameter(kind)
        old = self.store.get(_ANY, record["pubId"])
        self.store.put(self._stored(kind, department, record, 1 if old is None else old.version + 1))

    # queries

    def _records(self, call: Call) -> Answer:
        params = call.params("pubIds", "updatedFrom", "updatedTo", "cursor")
        department = call.credential.department
        keys = single_keys(params, "pubIds", ("updatedFrom", "updatedTo", "cursor"))
        if keys is not None:
            found = (self.store.get(_ANY, key) for key in keys)
            return _items([_item(r, single=True) for r in found if r and r.department == department], "")
        low, high = bound(params, "updatedFrom"), bound(params, "updatedTo")
        after = number(params, "cursor", 1) if "cursor" in params else 0
        rows = self.store.listing(Window(department, _ANY, low, high), 1001, after=after)
        return _items([_item(r) for r in rows[:1000]], str(rows[999].seq) if len(rows) > 1000 else "")


def _key(record: Any) -> str:
    key = record.get("pubId") if isinstance(record, dict) else ""
    return key if isinstance(key, str) else ""


def _item(record: Stored, single: bool = False) -> dict[str, Any]:
    item: dict[str, Any] = {
        "pubId": record.key,
        "kind": record.operation,
        "state": record.state,
        "contentSha256": record.hash,
        "updatedAt": record.updated_at,
        "publicUntil": record.content.get("publicUntil", ""),
    }
    return {**item, "record": record.content} if single else item


def _items(items: list[dict[str, Any]], cursor: str) -> Answer:
    return Answer(200, {"code": 200, "errorMsg": "", "data": {"items": items, "nextCursor": cursor}})


def _counted(total: int, failed: int, keys: Iterable[str], verdicts: Mapping[str, str]) -> Answer:
    tips = f"{failed}条记录未入库" if failed else ""
    counts = {"totalSize": total, "successSize": total - failed, "failSize": failed}
    return Answer(200, {"code": 200, "errorMsg": "", **counts, "tips": tips}, keys=list(keys), verdicts=verdicts)


def _refused(
    code: int, total: int = 0, text: str = "", keys: Iterable[str] = (), verdicts: Mapping[str, str] | None = None
) -> Answer:
    message = _MESSAGES[code] + (f"：{text}" if text else "")
    counts = {"totalSize": total, "successSize": 0, "failSize": 0}
    body = {"code": code, "errorMsg": message, **counts, "tips": message if code == 20001 else ""}
    return Answer(200, body, keys=list(keys), verdicts=verdicts or {})
