"""Withdrawals and returns that people order: one command, every platform that ever accepted the record, proof from each.

Belongs here: the table of standard 3.4 as data, who may order it, the bar and the version that carries it.
Must not: wire operations, sending, decisions about publicity (those are `standard.publishing`).
Source: standard 3.4; 《信用修复管理办法》发改委令第36号; 《企业信息公示暂行条例》第十二条.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from zz_pipeline.delivery.people import two_people
from zz_pipeline.errors import ConfigError, LedgerError
from zz_pipeline.ledger import audit, intake, publicity
from zz_pipeline.ledger.accept import STOPPED, unpublished
from zz_pipeline.ledger.expiry import OFFICE
from zz_pipeline.ledger.payload import Content, content
from zz_pipeline.ledger.schema import intake as book
from zz_pipeline.ledger.schema import outbox, quarantine, record_head, record_version, suppression
from zz_pipeline.ledger.versions import Change, Source, heads_of, serialize, write_versions
from zz_pipeline.standard.personal import mask_text

if TYPE_CHECKING:
    from zz_pipeline.night import Night

KIND = "withdraw"  # of the book entry that counts what people ordered
MARK = "撤回·"  # how the reason of such a version begins
RETURN_MARK = "恢复·"


class Deed(StrEnum):
    """What a reason does to a record where it was accepted."""

    HIDE = "停止公示，内部保留"  # ③ stop; ① says not publishable; ② keeps it
    TAKE_BACK = "各平台撤回"  # ③ stop, ① WITHDRAW, ② d


# standard 3.4: (kind, reason code of contract ③) → deed. A repaired rating must not be shared any longer either.
DEEDS: Mapping[tuple[str, str], Deed] = {
    ("inspection", "REPAIRED"): Deed.HIDE,
    ("inspection", "EXPIRED"): Deed.HIDE,
    ("inspection", "NOT_PUBLIC"): Deed.HIDE,
    ("inspection", "REVOKED"): Deed.TAKE_BACK,
    ("inspection", "ENTRY_ERROR"): Deed.TAKE_BACK,
    ("inspection", "OBJECTION"): Deed.TAKE_BACK,
    ("rating", "REPAIRED"): Deed.TAKE_BACK,
    ("rating", "EXPIRED"): Deed.HIDE,
    ("rating", "NOT_PUBLIC"): Deed.HIDE,
    ("rating", "REVOKED"): Deed.TAKE_BACK,
    ("rating", "ENTRY_ERROR"): Deed.TAKE_BACK,
    ("rating", "OBJECTION"): Deed.TAKE_BACK,
}
FOR_GOOD = ("REPAIRED", "EXPIRED")  # what the law took down does not come back (standard 3.4)
KINDS = ("inspection", "rating")


@dataclass(frozen=True, slots=True)
class Order:
    """What two people order about one record. `reason` is a code of `STOPPED`, empty for a return."""

    kind: str
    record_key: str
    basis: str
    by: str
    approved_by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The version that was made, and platform → (state, Chinese reason) of its rows; `cancelled`: never sent, dropped."""

    record_key: str
    version: int
    owner: str
    rows: dict[str, tuple[str, str]]
    cancelled: tuple[str, ...]


def withdraw(night: Night, order: Order) -> Done:
    """Take a record back, or down, everywhere; LedgerError with the reason if there is nothing to take."""
    deed = DEEDS.get((order.kind, order.reason))
    if deed is None:
        known = "、".join(f"{code}（{words}）" for code, words in STOPPED.items())
        raise ConfigError(f"没有撤回理由“{order.reason}”。可用：{known}。")
    _two_people(order)
    with night.ledger.begin("decision") as conn:
        head, old = _newest(conn, night, order)
        _refuse_repeated(conn, order, head, deed)
        _bar(conn, order, night.clock())
        payload = orjson.loads(old.payload)
        if order.kind == "inspection":
            # also of a record that is taken back: the department's next reading of it is then no new content
            payload = unpublished(payload, order.reason)
        op = "WITHDRAW" if deed is Deed.TAKE_BACK else "PUBLISH"
        change = Change(
            _content(old, payload), op, f"{MARK}{STOPPED[order.reason]}：{mask_text(order.basis)}", repair=True
        )
        done = _written(conn, night, order, head, old, change)
        told = {"kind": order.kind, "version": done.version, "reason": order.reason, "basis": mask_text(order.basis)}
        told |= {"approved_by": order.approved_by, "deed": deed.name}
        audit.append(conn, order.by, "WITHDRAW", order.record_key, True, told, ts=night.clock())
    return done


def reinstate(night: Night, order: Order) -> Done:
    """Bring a withdrawn record back as a new version with its reason; what the law took down stays down."""
    _two_people(order)
    with night.ledger.begin("decision") as conn:
        head, old = _newest(conn, night, order)
        where = _barred_row(order)
        bar = conn.execute(select(suppression).where(where, suppression.c.state == "APPLIED")).first()
        if bar is None:
            raise LedgerError(f"记录 {order.record_key} 没有被撤回，无需恢复。")
        if bar.reason in FOR_GOOD:
            raise LedgerError(f"记录 {order.record_key} 因“{STOPPED[bar.reason]}”停止公示，依规定不得恢复。")
        conn.execute(delete(suppression).where(where))
        payload = _as_before(conn, order, orjson.loads(old.payload))
        change = Change(_content(old, payload), "PUBLISH", f"{RETURN_MARK}{mask_text(order.basis)}")
        done = _written(conn, night, order, head, old, change)
        told = {"kind": order.kind, "version": done.version, "lifted": bar.reason, "basis": mask_text(order.basis)}
        audit.append(
            conn, order.by, "REINSTATE", order.record_key, True, {**told, "approved_by": order.approved_by},
            ts=night.clock(),
        )  # fmt: skip
    return done


def _two_people(order: Order) -> None:
    if order.kind not in KINDS:
        raise ConfigError(f"数据类应为 {'、'.join(KINDS)} 之一，写的是“{order.kind}”。")
    if not all(text.strip() for text in (order.basis, order.by, order.approved_by)):
        raise ConfigError("须写明依据（--basis）、经办人（--by）和批准人（--approved-by），三者都写入审计。")
    if same := two_people(order.by, order.approved_by):
        raise ConfigError(f"{same}（四眼原则）。")


def _newest(conn: Connection, night: Night, order: Order) -> tuple[Any, Any]:
    """Head and newest version of the record, under the locks in which notices and acceptances take them."""
    h, q = record_head.c, quarantine.c
    owner = conn.scalar(select(h.owner_dept).where(h.kind == order.kind, h.record_key == order.record_key))
    if owner is None:
        named = (q.record_key == order.record_key) | (q.unit == order.record_key)
        rules = sorted(set(conn.scalars(select(q.rule).where(q.kind == order.kind, named, q.settled_at.is_(None)))))
        where = f"；退回清单里有它（{'、'.join(rules)}），还没有入库" if rules else ""
        raise LedgerError(
            f"台账里没有 {order.kind} 记录 {order.record_key}{where}。请核对记录键（区划-部门-编号）和 --kind，未作任何改动。"
        )
    for name in dict.fromkeys((night.settings.county.credit_lead, owner)):
        serialize(conn, name)
    head = heads_of(conn, order.kind, [order.record_key])[order.record_key]
    v = record_version.c
    newest = (v.kind == order.kind) & (v.record_key == order.record_key) & (v.version == head.version)
    return head, conn.execute(select(record_version).where(newest)).one()


def _barred_row(order: Order) -> Any:
    return (suppression.c.kind == order.kind) & (suppression.c.record_key == order.record_key)


def _refuse_repeated(conn: Connection, order: Order, head: Any, deed: Deed) -> None:
    reason = conn.scalar(select(suppression.c.reason).where(_barred_row(order), suppression.c.state == "APPLIED"))
    if head.withdrawn:
        said = STOPPED.get(reason or "", "原因见 zz trace")
        raise LedgerError(
            f"记录 {order.record_key} 已经撤回（{said}），未作任何改动。进展见 zz trace {order.record_key}。"
        )
    if reason and deed is Deed.HIDE:
        raise LedgerError(
            f"记录 {order.record_key} 已经停止公示（{STOPPED.get(reason, reason)}），未作任何改动。进展见 zz trace {order.record_key}。"
        )


def _bar(conn: Connection, order: Order, now: float) -> None:
    """No later version is public by itself; what waits behind a refusal of the entry platform does not open by itself."""
    row = {"reason": order.reason, "basis": mask_text(order.basis), "source": "person", "state": "APPLIED", "at": now}
    if not conn.execute(update(suppression).where(_barred_row(order)).values(**row)).rowcount:
        conn.execute(insert(suppression).values(kind=order.kind, record_key=order.record_key, **row))
    behind = (outbox.c.kind == order.kind) & (outbox.c.record_key == order.record_key)
    behind &= (outbox.c.state == "BLOCKED") & (outbox.c.rule == "ENTRY")
    conn.execute(update(outbox).where(behind).values(rule=order.reason, reason="已撤回，不再报送", updated_at=now))
    publicity.forget(conn, order.kind, [order.record_key])


def _content(old: Any, payload: dict[str, Any]) -> Content:
    return content(old.record_key, payload, old.changed_at, old.source_file, old.source_row)


def _as_before(conn: Connection, order: Order, payload: dict[str, Any]) -> dict[str, Any]:
    """The newest content with the publicity that the department had given it before the withdrawal."""
    if order.kind != "inspection":
        return payload
    v = record_version.c
    query = select(v.payload, v.reason).where(v.kind == order.kind, v.record_key == order.record_key)
    for row in conn.execute(query.order_by(v.version.desc())):
        said = orjson.loads(row.payload)
        if not row.reason.startswith(MARK) and said.get("not_publish_reason") not in STOPPED.values():
            return {**payload, **{name: said.get(name) for name in ("publishable", "not_publish_reason")}}
    return payload


def _written(conn: Connection, night: Night, order: Order, head: Any, old: Any, change: Change) -> Done:
    """Write the version with its rows, and the book entry in which the day's balance finds it."""
    now, day = night.clock(), night.now().date()
    entry = {"day": day.isoformat(), "dept": OFFICE, "kind": KIND, "state": "RUNNING", "started_at": now}
    made = conn.execute(insert(book).values(**entry, pulled=1, rows=1))
    number = int((made.inserted_primary_key or (0,))[0])
    source = Source(number, order.kind, OFFICE, head.owner_dept, day, None, old.rule_set, 1, 1)
    waiting = _states(conn, order, ("READY", "HELD"))
    heads = {order.record_key: head}
    common: dict[str, Any] = {"now": now, "zone_offset": night.zone_offset}
    write_versions(conn, source, [change], heads, night.targets, night._decide, **common)
    intake.close(conn, number, "OK", now, accepted=1)
    version = head.version + 1
    rows = {platform: (state, reason) for platform, n, state, reason in _rows(conn, order) if n == version}
    return Done(order.record_key, version, head.owner_dept, rows, tuple(waiting))


def _rows(conn: Connection, order: Order) -> list[tuple[str, int, str, str]]:
    where = (outbox.c.kind == order.kind) & (outbox.c.record_key == order.record_key)
    columns = (outbox.c.platform, outbox.c.version, outbox.c.state, outbox.c.reason)
    return [(p, n, s, r) for p, n, s, r in conn.execute(select(*columns).where(where))]


def _states(conn: Connection, order: Order, states: tuple[str, ...]) -> list[str]:
    return sorted({platform for platform, _, state, _ in _rows(conn, order) if state in states})
