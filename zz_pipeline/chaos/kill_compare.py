"""The judge of a chain of kills: what platforms and ledger hold against a night without a kill, and what must always hold.

Belongs here: snapshots, invariants, their violations in words. Must not: killing, staging, mending.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from zz_pipeline.chaos.kill_town import PLATFORMS, Town
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import attempt, audit_event, batch, outbox, quarantine, record_version

# What depends on the moment of a run and not on what the departments said.
RUN_DEPENDENT = frozenset(("version", "submitted_date", "publicFrom", "cd_time", "cd_operation"))
UNDER_WAY = ("INFLIGHT", "UNKNOWN", "ACCEPTED", "CONFLICT", "DEAD")
SHOWN = 5  # differences told of each kind
Lines = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What may not depend on kills. `effects`: how often a platform stored each state of each key."""

    held: dict[str, Any]
    effects: Counter[str]
    versions: dict[str, str]
    rows: dict[str, str]
    returned: Counter[str]
    lists: frozenset[str]


def snapshot(town: Town) -> Snapshot:
    """The county's state now."""
    held: dict[str, Any] = {}
    effects: Counter[str] = Counter()
    for platform in PLATFORMS:
        for row in town.order("GET", f"/ledger/{platform}"):
            content = {k: v for k, v in row["record"].items() if k not in RUN_DEPENDENT}
            held[f"{platform} {row['key']}"] = (row["kind"], row["department"], row["state"], content)
        effects.update(
            f"{platform} {r['key']} {r['state']}" for r in town.order("GET", f"/ledger/{platform}?history=1")
        )
    with town.opened("snapshot") as night, night.ledger.read() as conn:
        return Snapshot(held, effects, _versions(conn), _rows(conn), _returned(conn), _lists(town))


def _versions(conn: Connection) -> dict[str, str]:
    return {f"{r.kind} {r.record_key} {r.version}": r.digest for r in conn.execute(select(record_version))}


def _rows(conn: Connection) -> dict[str, str]:
    return {f"{r.platform} {r.kind} {r.record_key} {r.version}": r.state for r in conn.execute(select(outbox))}


def _returned(conn: Connection) -> Counter[str]:
    found = conn.execute(select(quarantine).where(quarantine.c.settled_at.is_(None)))
    return Counter(f"{r.dept} {r.kind} {r.unit} {r.rule} {r.field}" for r in found)


def _lists(town: Town) -> frozenset[str]:
    folders = (town.home / "returned", town.home / "reports")
    found = (p for folder in folders for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".part"))
    return frozenset(str(p.relative_to(town.home)) for p in found)


def differences(now: Snapshot, want: Snapshot) -> list[str]:
    """In words, what is otherwise than without a kill; empty if nothing is."""
    said: list[str] = []
    for name in Snapshot.__slots__:
        have, should = getattr(now, name), getattr(want, name)
        if have == should:
            continue
        if isinstance(have, frozenset):
            have, should = dict.fromkeys(have, 1), dict.fromkeys(should, 1)
        keys = sorted(k for k in have.keys() | should.keys() if have.get(k) != should.get(k))
        said += [f"{name}：{k} 现为 {_short(have.get(k))}，应为 {_short(should.get(k))}" for k in keys[:SHOWN]]
    return said


def _short(value: Any) -> str:
    return "无" if value is None else str(value)[:300]


def broken(town: Town) -> list[str]:
    """In words, which invariants do not hold after the last run of a chain."""
    wires = {platform: town.requests(platform) for platform in PLATFORMS}
    said = [text for platform, lines in wires.items() for text in (*_owners(platform, lines), *_asked(platform, lines))]
    with town.opened("judge") as night, night.ledger.read() as conn:
        said += _events(conn, wires)
        left = Counter(conn.scalars(select(outbox.c.state).where(outbox.c.state.in_(UNDER_WAY))))
        said += [f"还有 {n} 行停在 {state}" for state, n in left.items()]
        chain = audit.verify(conn)
        said += [f"审计链在第 {chain.broken_at} 条断开"] if chain.broken_at is not None else []
    return said


def _pushes(lines: Lines) -> Lines:
    return [line for line in lines if line["method"] == "POST" and line["keys"]]


def _owners(platform: str, lines: Lines) -> list[str]:
    """谁检查、谁录入、谁公开: a record's key names its department."""
    wrong = []
    for line in _pushes(lines):
        foreign = [k for k in line["keys"] if k.startswith("610124-") and k.split("-")[1] != line["department"]]
        wrong += [f"{platform}：{line['department']} 报送了别的部门的 {foreign[0]}"] if foreign else []
    return wrong


def _asked(platform: str, lines: Lines) -> list[str]:
    """What went out may go out again only after the platform was asked in between."""
    wrong, sent = [], dict[tuple[str, str], bool]()  # (department, key) → asked since
    for line in lines:
        if line["method"] == "GET":
            sent |= {pair: True for pair in sent if pair[0] == line["department"]}
            continue
        again = [k for k in line["keys"] if sent.get((line["department"], k)) is False]
        wrong += [f"{platform}：{again[0]} 未经查询就重发"] if again else []
        sent |= {(line["department"], k): False for k in line["keys"]}
    return wrong


def _events(conn: Connection, wires: dict[str, Lines]) -> list[str]:
    """Every request's bytes were frozen before, and each has an intent in the audit and an attempt of its own."""
    frozen = {hashlib.sha256(b.body).hexdigest(): b.batch_id for b in conn.execute(select(batch))}
    intents = Counter(conn.scalars(select(audit_event.c.object).where(audit_event.c.type == "SEND")))
    tried = Counter(
        conn.scalars(select(attempt.c.batch_id).where(attempt.c.method == "POST", attempt.c.batch_id != ""))
    )
    sent = Counter(line["body"] for lines in wires.values() for line in _pushes(lines))
    said = [f"有 {n} 个请求的内容不在台账中" for body, n in sent.items() if body not in frozen]
    over = [body for body, n in sent.items() if body in frozen and n > intents[frozen[body]]]
    said += [f"批次 {frozen[body][:12]} 发出的次数多于审计的报送事件" for body in over]
    return said + ([] if intents == tried else ["审计的报送事件与报送尝试不一一对应"])
