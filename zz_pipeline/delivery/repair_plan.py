"""What follows from each type of difference: the table, who must agree, and the repairs themselves.

Belongs here: the table type → what is done, the agreement of people, state changes that a difference leads to.
Must not: listing, comparing, HTTP, a state change that is not in the table of `states`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from zz_pipeline.delivery import holdings, people, strange
from zz_pipeline.delivery.compare import Found
from zz_pipeline.delivery.lanes import Lane
from zz_pipeline.delivery.protocol import RowKey, State
from zz_pipeline.delivery.rows import CHUNK, Facts, OutRow, advance, read_keys, read_rows, save_rows
from zz_pipeline.delivery.states import OUT, Event
from zz_pipeline.errors import ConfigError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.renumber import renumber
from zz_pipeline.ledger.schema import conflict, difference, holding, outbox

LABELS = {
    "lost": "平台缺少",
    "unexpected": "平台多出",
    "altered": "内容不同",
    "stale": "平台仍是旧版",
    "duplicate": "平台重复",
    "recovered": "查明已到",
}
OPEN = ("lost", "unexpected", "altered", "stale", "duplicate")  # what leaves a reconciliation with differences
RESENT = ("lost", "stale")
# what is done, or must be, with a difference
ACTIONS = {
    "recovered": "平台已有我方内容，已记为确认",
    "unexpected": "平台有而我方无报送记录：请与部门核实是否在平台手工录入；我方同编号的记录暂不覆盖，由人裁定",
    "altered": "平台内容与我方确认的不同：请核对后决定",
    "duplicate": "平台上同一次检查有两条（另一条不是我方所报）：请部门核实，在平台上停止公示多出的这一条",
    "ask": "平台缺少我方已确认的记录：已转回查询，仍没有则按原内容重发",
    "person": "平台缺少的记录超过允许比例：请确认平台是否恢复过备份，批准后才重新核实和补报（zz reconcile --apply）",
}
# the same before anything is done: `zz reconcile --plan`
PLANNED = {
    "recovered": "将记为已确认，不再发送",
    "unexpected": "将列为冲突，由人与部门核实",
    "altered": "将暂停这条记录并列为冲突，由人裁定",
    "duplicate": "将列为冲突，建议停止公示多出的一条",
    "ask": "将转回查询，两次查不到才按原内容重发",
    "person": "超过允许比例：有人批准（--apply）才转回查询和补报",
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """A person agrees that lost records are asked about and sent again, whatever their share."""

    by: str
    why: str
    approved_by: str = ""

    def refusal(self, count: int) -> str:
        """Why this agreement is not enough for so many records, in Chinese; empty if it is."""
        return people.four_eyes(count, self.by, self.approved_by)


def named(agreement: Agreement) -> Agreement:
    """The agreement if it says who and why; ConfigError otherwise."""
    if not agreement.by.strip() or not agreement.why.strip():
        raise ConfigError("须写明谁决定（--by）和为什么（--why），两者都写入审计。")
    return agreement


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether lost records go back to be asked about, and what is said of it."""

    go: bool
    action: str  # key of ACTIONS
    reason: str  # Chinese, for the rows
    refusal: str = ""


def verdict(counts: Mapping[str, int], most: float, agreement: Agreement | None) -> Verdict:
    """A few lost records are asked about again by themselves; many are a platform's restored backup: a person decides."""
    count = sum(counts.get(name, 0) for name in RESENT)
    few = count / max(1, counts.get("ours", 0)) <= most
    if few:
        return Verdict(True, "ask", "对账时平台查不到，正在重新核实")
    if agreement is None:
        return Verdict(False, "person", "")
    refusal = agreement.refusal(count)
    return Verdict(
        not refusal, "person" if refusal else "ask", f"人工批准重新核实（{agreement.by}：{agreement.why}）", refusal
    )


def action_of(found: Found, words: Mapping[str, str] = ACTIONS) -> str:
    """What is done about a difference; of lost and stale ones it is decided at the end."""
    if found.type in RESENT:
        return ""
    return words[found.type]


def repair(
    conn: Connection, lane: Lane, found: Sequence[Found], reconciliation_id: int, now: float, quiet: float
) -> None:
    """Write differences down and do what needs no agreement; in the caller's fenced transaction.

    quiet: seconds after which nothing sent before can still take effect.
    """
    moved: list[OutRow] = []
    held_up: set[RowKey] = set()
    for one in found:
        _write(conn, lane, one, reconciliation_id)
        if one.type == "recovered":
            moved += _recover(conn, lane, one, now, quiet)
        elif one.person:
            moved += contested(conn, lane, one, now, held_up)
    told = {"found": [[f.type, f.kind, f.remote_key] for f in found], "reconciliation": reconciliation_id}
    rows = [[*row.key, str(row.state)] for row in moved]
    audit.append(conn, lane.actor, "DIFFERENCES", lane.name, False, {**told, "rows": rows})


def contested(
    conn: Connection, lane: Lane, found: Found, now: float, held_up: set[RowKey] | None = None
) -> list[OutRow]:
    """Put an entry before a person and hold up the confirmed row that it has altered; rows moved by it.

    held_up: rows that an earlier entry of the same finding has held up already; grows.
    """
    moved = _contest(conn, lane, found, now) if found.type == "altered" else []
    known = held_up if held_up is not None else set()
    known.update(row.key for row in moved)
    _open_conflict(conn, lane, found, now, again=found.key in known)
    return moved


def ask_again(conn: Connection, lane: Lane, reconciliation_id: int, reason: str, now: float) -> int:
    """What the reconciliation found lost or stale on this lane goes back to be asked about; returns how many rows."""
    count = 0
    for part in _lost(conn, lane, reconciliation_id):
        for row in part:
            if row.type == "stale":
                holdings.set_back(conn, lane.platform, row.kind, row.remote_key, row.theirs)
        keys = sorted({RowKey(row.kind, row.record_key, row.version) for row in part})
        lost = {row.remote_key for row in part if row.type == "lost"}
        count += people.vanish(conn, lane.platform, keys, lost, reason, now)
    audit.append(conn, lane.actor, "LOST", lane.name, False, {"count": count, "reconciliation": reconciliation_id})
    return count


def decided(conn: Connection, reconciliation_id: int, action: str) -> None:
    """Note with each lost difference what was decided about all of them."""
    mine = and_(difference.c.reconciliation_id == reconciliation_id, difference.c.type.in_(RESENT))
    conn.execute(update(difference).where(mine).values(action=ACTIONS[action]))


def text(counts: Counter[str]) -> str:
    """The differences in words, without those that mended themselves in silence."""
    return "、".join(f"{label} {counts[name]} 条" for name, label in LABELS.items() if counts[name])


def _write(conn: Connection, lane: Lane, found: Found, reconciliation_id: int) -> None:
    said = {"remote_key": found.remote_key, "type": found.type, "ours": found.ours, "theirs": found.theirs}
    names = {"reconciliation_id": reconciliation_id, "platform": lane.platform, "kind": found.kind}
    conn.execute(insert(difference).values(**names, **said, action=action_of(found)))


def _recover(conn: Connection, lane: Lane, found: Found, now: float, quiet: float) -> list[OutRow]:
    if found.key is None:
        return []
    key = _counted_on(conn, lane, found.key, max(remote.version or 0 for remote in found.remotes))
    moved = _outlived(conn, lane, key, now, quiet)
    for row in read_keys(conn, lane.platform, [key]):
        if row.state in (State.UNKNOWN, State.READY):
            receipt = next((remote.receipt for remote in found.remotes if remote.receipt), "")
            new, _ = advance(row, Event.STORED, Facts(now=now, reason="对账确认平台已有", receipt=receipt))
            moved.append(new._replace(reason="对账确认平台已有"))
            save_rows(conn, lane.platform, moved[-1:], now)
        holdings.take_over(conn, lane.platform, lane.dept, row.key, found.remotes, now)
        moved += _withdrawn_again(conn, lane, row.key, now)
    strange.ours_after_all(conn, lane.platform, found.remotes)
    return moved


def _counted_on(conn: Connection, lane: Lane, key: RowKey, theirs: int) -> RowKey:
    """The key under the number that the platform has for the same content, if that is higher (after a restore)."""
    if theirs > key.version and renumber(conn, *key, theirs, lane.actor):
        return key._replace(version=theirs)
    return key


def _outlived(conn: Connection, lane: Lane, key: RowKey, now: float, quiet: float) -> list[OutRow]:
    """Older versions whose fate was open: the platform shows a newer one, so they are not there and must not come back."""
    mine = and_(outbox.c.platform == lane.platform, outbox.c.kind == key.kind, outbox.c.record_key == key.record_key)
    older = and_(outbox.c.version < key.version, outbox.c.state.in_(OUT), outbox.c.sent_at < now - quiet)
    moved = []
    for row in read_rows(conn, mine, older):
        facts = Facts(now=now, ask_at=now, send_at=now, quiet=quiet, reason="平台上已是更新的版本，本版不再核实和发送")
        asked = row if row.state is State.UNKNOWN else advance(row, Event.UNSAID, facts)[0]
        moved.append(advance(advance(asked, Event.ABSENT_TWICE, facts)[0], Event.CANCELLED, facts)[0])
    save_rows(conn, lane.platform, moved, now)
    return moved


def _withdrawn_again(conn: Connection, lane: Lane, key: RowKey, now: float) -> list[OutRow]:
    """The withdrawal that had found nothing there any more: what it withdraws has come back, so now it is sent."""
    mine = and_(outbox.c.platform == lane.platform, outbox.c.kind == key.kind, outbox.c.record_key == key.record_key)
    later = read_rows(conn, mine, outbox.c.version > key.version)
    newest = max(later, key=lambda row: row.key.version, default=None)
    if newest is None or (newest.op, newest.state, newest.batch_id) != ("WITHDRAW", State.CONFIRMED, None):
        return []
    moved = [advance(newest, Event.GONE, Facts(now=now, reason="撤回的记录在平台上重新出现，重新撤回"))[0]]
    save_rows(conn, lane.platform, moved, now)
    return moved


def _contest(conn: Connection, lane: Lane, found: Found, now: float) -> list[OutRow]:
    """What we called confirmed is not what is there: a person decides before anything more of the record is sent."""
    rows = [r for r in read_keys(conn, lane.platform, [found.key] if found.key else []) if r.state is State.CONFIRMED]
    facts = Facts(now=now, reason=ACTIONS["altered"])
    moved = [advance(row, Event.ALTERED, facts)[0] for row in rows]
    save_rows(conn, lane.platform, moved, now)
    return moved


def _open_conflict(conn: Connection, lane: Lane, found: Found, now: float, *, again: bool) -> None:
    """For a person, once: the same statement of the platform is not put before them again every night.

    again: it has just held up a row of ours, which a person had let go on: there must be something to decide about.
    """
    kind, record_key, version = found.key or RowKey(found.kind, found.remote_key[: strange.KEPT], strange.NOBODYS)
    names = {"platform": lane.platform, "kind": kind, "record_key": record_key, "version": version}
    said = f"{found.remote_key} {found.theirs}"
    known = and_(conflict.c.theirs == said, *(conflict.c[name] == value for name, value in names.items()))
    if again or conn.execute(select(conflict.c.id).where(known)).first() is None:
        conn.execute(insert(conflict).values(**names, ours=found.ours, theirs=said, opened_at=now))


def _lost(conn: Connection, lane: Lane, reconciliation_id: int) -> Iterator[Sequence[Any]]:
    """The lost differences of a lane with the rows behind them, in parts."""
    same: Any = and_(
        holding.c.platform == difference.c.platform,
        holding.c.kind == difference.c.kind,
        holding.c.remote_key == difference.c.remote_key,
    )
    where = and_(
        difference.c.reconciliation_id == reconciliation_id, difference.c.type.in_(RESENT), holding.c.dept == lane.dept
    )
    after = 0
    while True:
        columns = (difference.c.id, difference.c.type, difference.c.remote_key, difference.c.theirs)
        mine = (holding.c.kind, holding.c.record_key, holding.c.version)
        query = select(*columns, *mine).join_from(difference, holding, same).where(where, difference.c.id > after)
        found = conn.execute(query.order_by(difference.c.id).limit(CHUNK)).all()
        if not found:
            return
        yield found
        after = found[-1].id
