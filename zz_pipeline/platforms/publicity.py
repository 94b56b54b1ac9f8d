"""③ 国家企业信用信息公示系统（陕西）: counts only; what became of a record is found by asking; public at once.

Belongs here: field names, codes and paths of contracts/publicity.md.
Must not: state transitions, sending by itself, publishing decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

from zz_pipeline.delivery.protocol import (
    Answer,
    Call,
    Claims,
    Effect,
    Finding,
    Remote,
    RenderContext,
    Reply,
    Row,
    RowKey,
    Sent,
    Verdict,
)
from zz_pipeline.platforms import pages, wire
from zz_pipeline.platforms.publicity_wire import content_sha256, identity, is_stop, record, stops
from zz_pipeline.platforms.wire import Contradiction, QueryFailed
from zz_pipeline.settings import Department

PATHS = {"inspection": "/publicity/inspections", "rating": "/publicity/credit-ratings"}
STOP = "/publicity/stop"
_KINDS = {kind: kind for kind in PATHS}
_STATES = {"PUBLIC": "PRESENT", "STOPPED": "WITHDRAWN"}
_MOST, _MOST_STOPS = 500, 100

# code of a refusal → effect and what a person should know
_CODES: dict[int, tuple[Effect, str]] = {
    3001: (Effect.STOP, "信用公示系统不认识这个地址，整批未入库；请核对接口版本与平台地址"),
    4001: (Effect.STOP, "信用公示系统称缺少部门代码，整批未入库；请报告此缺陷"),
    4002: (Effect.AUTH, "信用公示系统称部门代码与凭证不符，整批未入库；请核对本部门的凭证"),
    6002: (Effect.POISON, "信用公示系统认为数据结构不正确，整批未入库；将拆分查找出错的记录"),
    6005: (Effect.STOP, "信用公示系统称含有不得公示的信息，整批未入库且已记入部门名下；须人工查明后再继续"),
    500: (Effect.UNKNOWN, "信用公示系统内部错误，结果不明，需先查询"),
}
_SILENT = "平台未入库且不说明原因（计入失败数）；请核对统一社会信用代码、主体类型、日期先后，以及该编号是否已停止公示"


class Publicity:
    """Adapter of ③. The same content counts as success, so a resend is harmless; order is our care."""

    name = "publicity"

    def path(self, kind: str, op: str) -> str:
        """A path a kind; stops of both kinds have their own."""
        return STOP if op == "WITHDRAW" else PATHS[kind]

    def number(self, department: Department, now: datetime, n: int) -> str:
        """P<day>-<department>-<n>; the platform only logs it."""
        return f"P{now:%Y%m%d}-{department.key}-{n:06d}"

    def limit(self, path: str) -> int:
        """At most 500 records or 100 stops."""
        return _MOST_STOPS if path == STOP else _MOST

    def render(
        self, key: RowKey, op: str, reason: str, rule: str, payload: Mapping[str, Any], ctx: RenderContext
    ) -> tuple[dict[str, Any], ...]:
        """The record, or its stop; nothing if just this is public already, or if nothing is there to be stopped."""
        if op == "WITHDRAW":
            return stops(key, reason, rule, payload, ctx)
        found = record(key, payload, ctx)
        there = ctx.held.get(found["pubId"])
        if there is not None and there.state == "PRESENT" and there.content_hash == content_sha256(found):
            return ()
        return (found,)

    def freeze(self, department: Department, number: str, path: str, rows: tuple[Row, ...]) -> bytes:
        """The bytes of `{"batchId", "departmentCode", "records"}` or `{"departmentCode", "items"}`."""
        records = [item for row in rows for item in row.wire]
        wire.once(item["pubId"] for item in records)
        if path == STOP:
            return wire.dump({"departmentCode": department.uscc, "items": records})
        return wire.dump({"batchId": number, "departmentCode": department.uscc, "records": records})

    def claims(self, path: str, body: bytes) -> Claims:
        """departmentCode, and the departments inside the pubIds of inspections."""
        name = "items" if path == STOP else "records"
        batch = wire.batch_of(body, name)
        keys = (item.get("pubId") for item in batch[name])
        return wire.claims_of([batch.get("departmentCode")], keys if path != PATHS["rating"] else ())

    def content_hash(self, wire: Mapping[str, Any]) -> str:
        """SHA-256 of the record's canonical JSON without publicFrom."""
        return content_sha256(wire)

    def read(self, reply: Reply, sent: Sent) -> Answer:
        """The answer to a push: counts to be followed up by record, a refusal of the whole, or unknown.

        Counts name no batch and no record: those of another batch look the same, so they alone confirm nothing.
        """
        early = wire.gateway(reply)
        if early is not None:
            return early
        code = reply.json.get("code")
        if reply.http != 200 or type(code) is not int:
            return wire.contradiction(reply, f"平台以 HTTP {reply.http} 返回了约定之外的回答")
        if code in _CODES:
            effect, message = _CODES[code]
            return Answer(effect, code=str(code), message=_with(message, reply))
        try:
            total, stored, failed = (wire.number(reply.json, k) for k in ("totalSize", "successSize", "failSize"))
        except Contradiction as error:
            return wire.contradiction(reply, error)
        count = len(wire.wires(sent))
        if code == 20001 and (total, stored, failed) == (count, 0, 0) and sent.path != STOP:
            return Answer(Effect.ASK, code="20001", message="平台称本批均已公示，将逐条核对", stored=count)
        if code != 200 or total != count or stored + failed != count:
            return wire.contradiction(reply, "平台回答的条数与所发不符，或代码在约定之外")
        message = f"{failed} 条未入库，平台未说明是哪几条，将逐条查询" if failed else "平台称全部入库，将逐条核对"
        return Answer(Effect.ASK, code="200", message=_with(message, reply), stored=stored)

    def ask(
        self,
        call: Call,
        sent: Sent,
        *,
        taken_in: bool,
        after: Answer | None = None,
        held: Mapping[str, Remote] | None = None,
    ) -> Answer:
        """Each record by its pubId. After a counted answer what is not there has failed; else it is only not there."""
        try:
            there = _lookup(call, [item["pubId"] for _, item in wire.wires(sent)])
        except QueryFailed as error:
            return error.answer
        verdicts = tuple(_compared(row, there, held or {}) for row in sent.rows)
        whole = len(wire.frozen_keys(sent, _list(sent), "pubId")) == len(wire.wires(sent))
        if after is None or after.stored is None or not whole:
            return Answer(Effect.JUDGED, verdicts, "LIST")
        found = sum(_as_sent(row, item, there.get(item["pubId"])) for row, item in wire.wires(sent))
        if found != after.stored:
            alarm = f"平台称入库 {after.stored} 条，按编号只查到 {found} 条一致，其余结果不明。"
            rest = Finding.UNSAID
        else:
            alarm, rest = "", Finding.REFUSED
        return Answer(Effect.JUDGED, tuple(_counted(v, rest, held or {}) for v in verdicts), "200", alarm=alarm)

    def contents(self, call: Call, kind: str, remote_keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Published records by pubId, as they are shown."""
        return _contents(call, kind, remote_keys)

    def identity(self, wire: Mapping[str, Any]) -> str:
        """Subject, task (or day of the check) and items, or subject, scheme and time of a rating."""
        return identity(wire)

    def probe(self, call: Call) -> Answer:
        """What /quota answers."""
        return wire.quota_answer(call, 200)

    def listing(self, call: Call, kind: str, since: datetime | None, until: datetime | None) -> Iterator[Remote]:
        """Records of a kind by last change; a record may come twice, the later statement counts."""
        pairs = wire.bounds(("updatedFrom", "updatedTo"), since, until)
        for items in pages.by_cursor(_get, call, "/publicity/records", pairs):
            yield from (remote for remote in _remotes(items) if remote.kind == kind)


# ---------------------------------------------------------------- reading


def _list(sent: Sent) -> str:
    return "items" if sent.path == STOP else "records"


def _with(message: str, reply: Reply) -> str:
    words = wire.clean(reply.json.get("errorMsg")) or wire.clean(reply.json.get("tips"))
    return f"{message}（平台：{words}）" if words else message


def _ours(row: Row, item: Mapping[str, Any]) -> Remote:
    if is_stop(item):
        return Remote(item["pubId"], row.key.kind, "WITHDRAWN", "")
    return Remote(item["pubId"], row.key.kind, "PRESENT", content_sha256(item))


def _as_sent(row: Row, item: Mapping[str, Any], there: Remote | None) -> bool:
    ours = _ours(row, item)
    if there is None or (there.kind, there.state) != (ours.kind, ours.state):
        return False
    return ours.state == "WITHDRAWN" or there.content_hash == ours.content_hash


def _as_before(there: Remote | None, before: Remote | None) -> bool:
    """Whether the platform shows what it showed before this batch: it has not taken effect until now.

    For a stop as well: what a clerk has typed over our record is not taken down unseen.
    """
    if there is None:
        return True
    return before is not None and (there.state, there.content_hash) == (before.state, before.content_hash)


def _compared(row: Row, listed: Mapping[str, Remote], held: Mapping[str, Remote]) -> Verdict:
    remotes = tuple(listed[item["pubId"]] for item in row.wire if item["pubId"] in listed)
    open_items = [item for item in row.wire if not _as_sent(row, item, listed.get(item["pubId"]))]
    if not open_items:
        return Verdict(row.key, Finding.STORED, code="LIST", remotes=remotes, raw=_raw(remotes))
    open_ids = [item["pubId"] for item in open_items]
    foreign = [pub_id for pub_id in open_ids if not _as_before(listed.get(pub_id), held.get(pub_id))]
    if foreign:
        message = f"公示系统上 {foreign[0]} 的内容或状态与我方不同，请人工核对"
        return Verdict(row.key, Finding.DIFFERENT, "", "DIFFERENT", message, remotes, _raw(remotes))
    return Verdict(row.key, Finding.ABSENT, remotes=remotes, raw=_raw(remotes))


def _counted(verdict: Verdict, rest: Finding, held: Mapping[str, Remote]) -> Verdict:
    """After a counted answer: what is not stored has failed silently (or is unsaid, where the counts disagree)."""
    if verdict.finding is Finding.STORED:
        return verdict
    if rest is Finding.UNSAID:
        return Verdict(verdict.key, rest, remotes=verdict.remotes)
    if verdict.finding is Finding.DIFFERENT:  # somebody else's, and seen: a later version would replace it
        return verdict
    # what is there as it was belongs to the version that put it there, not to the one that has failed
    news = tuple(remote for remote in verdict.remotes if not _as_before(remote, held.get(remote.remote_key)))
    return Verdict(verdict.key, rest, "", "FAILED", _SILENT, news, verdict.raw)


def _raw(remotes: Sequence[Remote]) -> str:
    return wire.statement(shown=[[r.remote_key, r.state, r.content_hash] for r in remotes])


def _get(call: Call, path: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    reply = call("GET", path, query=wire.query(pairs))
    early = wire.gateway(reply)
    if early is not None:
        raise QueryFailed(early)
    if reply.http != 200 or not wire.says(reply.json.get("code"), 200):
        wire.refuse_query(reply, "查询公示记录时平台返回了约定之外的回答")
    with wire.usable():
        return wire.mapping(reply.json, "data")


def _lookup(call: Call, pub_ids: Sequence[str]) -> dict[str, Remote]:
    found: dict[str, Remote] = {}
    for part in wire.chunks(pub_ids):
        for remote in _remotes(wire.items_of(_get(call, "/publicity/records", [("pubIds", ",".join(part))]))):
            if remote.remote_key not in part or remote.remote_key in found:
                raise QueryFailed(Answer(Effect.UNKNOWN, alarm="平台按编号查询时返回了没有问到的记录。"))
            found[remote.remote_key] = remote
    return found


def _contents(call: Call, kind: str, pub_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for part in wire.chunks(pub_ids):
        for item in wire.items_of(_get(call, "/publicity/records", [("pubIds", ",".join(part))])):
            with wire.usable():
                if wire.text(item, "kind") == kind:
                    found[wire.text(item, "pubId")] = wire.mapping(item, "record")
    return found


def _remotes(items: Sequence[Mapping[str, Any]]) -> list[Remote]:
    with wire.usable():
        columns = (
            pages.texts(items, "pubId"),
            pages.words(items, "kind", _KINDS, "平台清单中的状态或类别不在约定之内"),
            pages.words(items, "state", _STATES, "平台清单中的状态或类别不在约定之内"),
            pages.texts(items, "contentSha256"),
            repeat(None),
            repeat(""),
            pages.texts(items, "updatedAt"),
        )
        return list(map(Remote, *columns))
