"""A record's whole life in Chinese, one line an event, in the order of time: `zz trace RECORD`.

Belongs here: gathering what the ledger and the audit say of one record, the sentences. Must not: contents of the record,
changes. Names of people who decided are shown: they answer for it; nothing of subjects and inspectors is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
from sqlalchemy import Connection, and_, or_, select

from zz_pipeline.ledger import audit
from zz_pipeline.ledger.accept import STOPPED
from zz_pipeline.ledger.schema import (
    attempt,
    audit_event,
    batch,
    conflict,
    difference,
    holding,
    outbox,
    quarantine,
    receipt,
    reconciliation,
    record_version,
    suppression,
)
from zz_pipeline.reports import words
from zz_pipeline.settings import Settings
from zz_pipeline.standard.personal import mask_text

BEIJING = timezone(timedelta(hours=8))
OPS = {"PUBLISH": "新增", "CORRECT": "更正", "WITHDRAW": "撤回"}
HELD = {"PRESENT": "在平台上", "WITHDRAWN": "已从平台撤下"}
BY = {"lane": "系统（查询时）", "reconcile": "系统（对账时）"}
# audit events whose detail names a record and that no other table tells
DECIDED = {
    "DECISION": "{actor} 决定“{decision}”：{note}",
    "WITHDRAW": "{actor} 经办、{approved_by} 批准撤回（{reason}），依据：{basis}",
    "REINSTATE": "{actor} 经办、{approved_by} 批准恢复，依据：{basis}",
    "VANISHED": "对账时平台查不到，转回查询",
    "DIFFERENCES": "对账改变了状态",
    "GATE": "因其他版本或入口平台的结论改变状态",
    "SETTLE": "无需发送或无法成文，已了结",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line: Unix seconds, what kind, which platform (Chinese, may be empty), the sentence."""

    at: float
    what: str
    platform: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, the time as Beijing wall time."""
        return {"at": _clock(self.at), "what": self.what, "platform": self.platform, "text": self.text}


def trace(conn: Connection, settings: Settings, record_key: str) -> dict[str, Any]:
    """{"record", "found", "events", "now", "looked_in"}: the life of all that bears this key, results and ratings alike."""
    life = _Life(conn, settings, record_key)
    events = sorted((e for part in _PARTS for e in part(life)), key=lambda e: e.at)
    return {
        "record": record_key,
        "found": bool(events),
        "events": [e.as_dict() for e in events],
        "now": list(_now(life)),
        "looked_in": ["已入库的版本", "退回清单", "撤回与修复登记", "被拒的越权报送"],
    }


class _Life:
    """What is asked of one record, read once."""

    def __init__(self, conn: Connection, settings: Settings, key: str) -> None:
        self.conn, self.key = conn, key
        self.platforms = {name: spec.label for name, spec in settings.platforms.items()}
        self.names = {k: d.short for k, d in settings.departments.items()} | {"credit": settings.credit.label}
        v = record_version.c
        columns = (v.kind, v.version, v.op, v.owner_dept, v.day, v.digest, v.rule_set, v.reason, v.changed_at)
        query = select(*columns, v.source_file, v.source_row, v.accepted_at).where(v.record_key == key)
        self.versions = conn.execute(query.order_by(v.version)).all()
        names = ("platform", "kind", "version", "op", "state", "reason", "rule", "due", "batch_id", "updated_at")
        query = select(*(outbox.c[n] for n in names)).where(outbox.c.record_key == key)
        self.rows = conn.execute(query.order_by(outbox.c.version, outbox.c.platform)).all()
        self.told = list(self._audit())

    def _audit(self) -> Iterator[dict[str, Any]]:
        """Audit events since the first version that name the record."""
        if not self.versions:
            return
        first = min(row.accepted_at for row in self.versions)
        named = or_(audit_event.c.detail.contains(f'"{self.key}"', autoescape=True), audit_event.c.object == self.key)
        for event in audit.events(self.conn, audit_event.c.ts >= first - 1, named):
            yield {**event, "detail": orjson.loads(event["detail"])}

    def label(self, platform: str) -> str:
        """What people call a platform."""
        return self.platforms.get(platform, platform)

    def called(self, dept: str) -> str:
        """What people call a department."""
        return self.names.get(dept, dept)


def _accepted(life: _Life) -> Iterator[Event]:
    for row in life.versions:
        file = f"文件 {mask_text(row.source_file)} 第 {row.source_row} 行" if row.source_file else "数据库或接口"
        changed = f"，来源变更于 {row.changed_at}" if row.changed_at else ""
        text = f"第 {row.version} 版{OPS[row.op]}入库：{life.called(row.owner_dept)}，来自{file}{changed}"
        text += f"；按规则集 {row.rule_set} 检查通过；内容摘要 {row.digest[:12]}"
        yield Event(row.accepted_at, "入库", "", text + (f"；原因：{row.reason}" if row.reason else ""))


def _decisions(life: _Life) -> Iterator[Event]:
    accepted = {(row.kind, row.version): row.accepted_at for row in life.versions}
    for row in life.rows:
        basis = words.basis(row.rule)
        text = f"第 {row.version} 版在本平台按“{OPS[row.op]}”处理" + (f"，依据：{basis}" if basis else "")
        text += f"，法定期限 {row.due}" if row.due else ""
        yield Event(accepted[row.kind, row.version], "发布决定", life.label(row.platform), text)


def _returned(life: _Life) -> Iterator[Event]:
    q = quarantine.c
    query = select(quarantine).where(or_(q.record_key == life.key, q.unit == life.key)).order_by(q.id)
    for row in life.conn.execute(query):
        level = "退回" if row.severity == "ERROR" else "提醒"
        text = f"{row.day} 检查未通过 {row.rule}（{mask_text(row.source_file)} 第 {row.source_row} 行）：{row.message}"
        yield Event(row.opened_at, level, "", text)
        if row.settled_at is not None:
            yield Event(row.settled_at, "整改", "", f"{row.rule}：{row.settled_by}")


def _sends(life: _Life) -> Iterator[Event]:
    """Each batch the record was in, with its attempts and what the platform answered about the record."""
    numbers: dict[str, str] = {}
    for event in life.told:
        if event["type"] == "SEND":
            numbers[event["object"]] = event["detail"]["number"]
    for number, name in numbers.items():
        b = life.conn.execute(
            select(batch.c.platform, batch.c.dept, batch.c.n).where(batch.c.batch_id == number)
        ).first()
        if b is None:
            continue
        lane = and_(attempt.c.platform == b.platform, attempt.c.dept == b.dept, attempt.c.batch_id == number)
        for row in life.conn.execute(select(attempt).where(lane).order_by(attempt.c.seq)):
            did = "发送" if row.method == "POST" else "查询"
            http = f"，HTTP {row.http}" if row.http else ""
            text = f"以 {life.called(b.dept)} 名义{did}批次 {name}（{b.n} 条）：{words.OUTCOMES.get(row.outcome or '', row.outcome)}{http}"
            yield Event(row.started_at, did, life.label(b.platform), text + (f"，代码 {row.code}" if row.code else ""))


def _states(life: _Life) -> Iterator[Event]:
    """What became of the record in answers, decisions and reconciliations, as the audit tells it."""
    for event in life.told:
        detail, actor = event["detail"], event["actor"]
        lane = actor.removeprefix("lane:").split("/")[0] if actor.startswith("lane:") else event["object"]
        if event["type"] in ("WITHDRAW", "REINSTATE"):
            said = detail | {"reason": STOPPED.get(detail.get("reason", ""), "")}
            yield Event(event["ts"], "人工决定", "", DECIDED[event["type"]].format(actor=actor, **said))
            continue
        for row in detail["rows"] if isinstance(detail.get("rows"), list) else ():
            if row[1] != life.key or len(row) < 4:
                continue
            said = DECIDED.get(event["type"], "")
            values = {
                "actor": actor,
                "decision": words.DECISIONS.get(detail.get("decision", ""), ""),
                "note": detail.get("note", ""),
            }
            text = f"第 {row[2]} 版：{words.STATES.get(row[3], row[3])}" + (
                f"（{said.format(**values)}）" if said else ""
            )
            what = "人工决定" if event["type"] == "DECISION" else "结果"
            yield Event(event["ts"], what, life.label(lane), text)


def _receipts(life: _Life) -> Iterator[Event]:
    for row in life.conn.execute(select(receipt).where(receipt.c.record_key == life.key).order_by(receipt.c.id)):
        number = f"，回执号 {row.receipt_no}" if row.receipt_no else ""
        text = f"第 {row.version} 版的回执（{row.remote_key}）：{words.FINDINGS.get(row.verdict, row.verdict)}{number}，已存证 {row.raw_digest[:12]}"
        yield Event(row.received_at, "回执", life.label(row.platform), text)


def _reconciled(life: _Life) -> Iterator[Event]:
    d, r = difference.c, reconciliation.c
    mine = or_(d.remote_key == life.key, d.remote_key.startswith(f"{life.key}-", autoescape=True))
    query = select(difference, r.at).join_from(difference, reconciliation, d.reconciliation_id == r.id).where(mine)
    for row in life.conn.execute(query.order_by(d.id)):
        text = f"对账：{words.DIFFERENCES.get(row.type, row.type)}（{row.remote_key}）。{row.action}"
        yield Event(row.at, "对账", life.label(row.platform), text)
    for row in life.conn.execute(select(conflict).where(conflict.c.record_key == life.key).order_by(conflict.c.id)):
        chosen, _, note = row.decision.partition("：")
        said = f"{words.DECISIONS.get(chosen, chosen)}{f'（{note}）' if note else ''}"
        end = f"已由 {BY.get(row.decided_by, row.decided_by)} 裁定：{said}" if row.decided_by else "等待人裁定"
        yield Event(row.opened_at, "冲突", life.label(row.platform), f"第 {row.version} 版与平台内容不同，{end}")


def _barred(life: _Life) -> Iterator[Event]:
    for row in life.conn.execute(select(suppression).where(suppression.c.record_key == life.key)):
        state = "已执行" if row.state == "APPLIED" else "记录未到，到达时即执行"
        text = f"登记停止公示（{STOPPED.get(row.reason, row.reason)}），依据：{row.basis or '见通知'}，{state}"
        yield Event(row.at, "停止公示", "", text)


_PARTS: tuple[Callable[[_Life], Iterator[Event]], ...] = (
    _returned, _accepted, _decisions, _sends, _states, _receipts, _reconciled, _barred,
)  # fmt: skip


def _now(life: _Life) -> Iterator[dict[str, str]]:
    """Present state on each platform, what it holds, and what happens next."""
    newest: dict[tuple[str, str], Any] = {}
    for row in life.rows:
        if row.state != "CANCELLED" or (row.platform, row.kind) not in newest:
            newest[row.platform, row.kind] = row
    h = holding.c
    query = select(h.platform, h.kind, h.remote_key, h.state, h.version).where(h.record_key == life.key)
    there: dict[tuple[str, str], list[str]] = {}
    for held in life.conn.execute(query.order_by(h.remote_key)):
        said = f"{held.remote_key} 第 {held.version} 版{HELD[held.state]}"
        there.setdefault((held.platform, held.kind), []).append(said)
    for (platform, kind), row in newest.items():
        yield {
            "platform": life.label(platform),
            "kind": words.KINDS.get(kind, kind),
            "version": str(row.version),
            "op": OPS[row.op],
            "state": words.STATES[row.state],
            "reason": row.reason,
            "holds": "；".join(there.get((platform, kind), [])) or "平台上没有",
            "next": words.NEXT.get(row.state, "无需处理"),
        }


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The life as text, a line an event; for an unknown record: where it was looked for."""
    if not found["found"]:
        yield f"没有找到 {found['record']}。已查：{'、'.join(found['looked_in'])}。请核对记录键（区划-部门-编号）。"
        return
    for event in found["events"]:
        where = f"【{event['platform']}】" if event["platform"] else ""
        yield f"{event['at']}  {event['what']}  {where}{event['text']}"
    yield "现在："
    for row in found["now"]:
        why = f"（{row['reason']}）" if row["reason"] else ""
        yield f"  {row['platform']}：第 {row['version']} 版{row['op']}，{row['state']}{why}；{row['holds']}；接下来：{row['next']}"
