"""What the adapter tests share: payloads of invented records, replies as the pages print them, a call that is scripted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qsl

from tests.delivery.loopback import department
from zz_pipeline.delivery.protocol import Remote, RenderContext, Reply, Row, RowKey, Sent, Transport

NOW = datetime.fromisoformat("2026-11-22 01:40:00")  # Beijing wall time
DEPT = department()
KEY = "610124-SCJG-2026-0004711"
SUBJECT = "91610124YY000001XB"


def inspection(**changes):
    """The payload of an inspection with two items, one of them with two labels."""
    return {
        "kind": "inspection", "record_key": KEY, "record_no": "2026-0004711",
        "plan_id": "61012420261000", "plan_name": "周至县2026年度部门联合双随机抽查计划",
        "task_id": "610124202611101001", "task_name": "餐饮服务单位食品安全与燃气安全联合抽查",
        "check_kind": "不定向抽查", "case_reason": None, "joint": True, "lead_dept": "周至县市场监督管理局",
        "subject_name": "周至县样例餐饮有限公司", "uscc": SUBJECT, "object_type": "1", "object_code": None,
        "counterpart_name": "周至县样例餐饮有限公司", "counterpart_nature": "02", "counterpart_id_type": "001",
        "counterpart_code": SUBJECT, "address_registered": None, "address_operating": "周至县二曲街道样例路1号",
        "area_code": "610124", "inspector_names": ["张某", "李某"], "inspector_certs": ["27010124001", "27010124002"],
        "inspect_date": "2026-11-20", "finish_date": "2026-11-21", "check_form": "02", "check_type": "01",
        "check_mode": "1", "publishable": True, "not_publish_reason": None, "entered_by": "王某",
        "entered_at": "2026-11-21 17:20:00",
        "items": [
            item("61012400010002", "燃气安全检查", "CORRECTED", remark="已换软管"),
            item("61012400010001", "食品安全检查", "UNREACHABLE"),
            item("61012400010001", "食品安全检查", "NOT_PUBLISHED"),
        ],
    } | changes  # fmt: skip


def item(code, name, result, **changes):
    found = {"item_code": code, "item_name": name, "implement_code": DEPT.uscc + "4000001", "result": result}
    return found | {"follow_up": None, "remark": None} | changes


def rating(**changes):
    """The payload of a public rating."""
    return {
        "kind": "rating", "record_key": "R-2026-1", "uscc": SUBJECT, "subject_name": "周至县样例餐饮有限公司",
        "scheme": "PUBLIC", "grade": "优", "score": 95.5, "score_text": "95.50", "evaluator": "样例信用中心",
        "evaluator_code": None, "rated_at": "2026-11-01 09:00:00", "valid_until": None, "field": None,
        "publishable": True,
    } | changes  # fmt: skip


def context(held=(), **changes):
    """A rendering context; `held` are the platform's holdings of the record."""
    return RenderContext(DEPT, changes.get("now", NOW), {remote.remote_key: remote for remote in held})


def row(adapter, payload, version=1, op="PUBLISH", reason="", rule="", held=()):
    """A row with its frozen wire."""
    key = RowKey(payload["kind"], payload["record_key"], version)
    return Row(key, op, reason, rule, adapter.render(key, op, reason, rule, payload, context(held)))


def batch(adapter, *rows, number="", op=""):
    """Rows frozen as one batch."""
    kind = rows[0].key.kind
    path = adapter.path(kind, op or rows[0].op)
    number = number or adapter.number(DEPT, NOW, 17)
    return Sent("b" * 64, DEPT, number, path, kind, adapter.freeze(DEPT, number, path, rows), rows)


def reply(http, json=None, **changes):
    """A complete answer."""
    return Reply(Transport.ANSWERED, http=http, json=json, **changes)


class Script:
    """A call that answers by path: a reply, or a function of the query's fields; it remembers what was asked."""

    def __init__(self, **answers: Reply | Callable[[dict[str, str]], Reply]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def __call__(self, method: str, path: str, *, query: str = "", body: bytes | None = None) -> Reply:
        fields = dict(parse_qsl(query, keep_blank_values=True))
        self.asked.append((method, path, fields))
        answer = next(answer for name, answer in self.answers.items() if name in path)
        return answer(fields) if callable(answer) else answer

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


def remote(key, content_hash="0" * 64, state="PRESENT", kind="inspection", version=None):
    return Remote(key, kind, state, content_hash, version)


def findings(answer):
    """record key → finding."""
    return {verdict.key.record_key: str(verdict.finding) for verdict in answer.verdicts}
