"""① 陕西省“双随机、一公开”监管工作平台: a verdict per record, always HTTP 200, versions on the wire.

Belongs here: field names, codes and paths of contracts/double_random.md.
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
from zz_pipeline.delivery.signing import canonical, sm3_hex
from zz_pipeline.platforms import pages, wire
from zz_pipeline.platforms.double_random_wire import upsert, withdrawal
from zz_pipeline.platforms.wire import Contradiction, QueryFailed
from zz_pipeline.settings import Department

PATHS = {"inspection": "/api/v1/inspection-results", "rating": "/api/v1/credit-ratings"}
_KINDS = {"inspection": "inspection-results", "rating": "credit-ratings"}
_STATES = {"STORED": "PRESENT", "WITHDRAWN": "WITHDRAWN"}
_OWNERS = ("insAuthCode", "enteredByCode", "sharedByCode")
_MOST = 200

# code of the envelope → effect and what a person should know
_CODES: dict[str, tuple[Effect, str]] = {
    "4001": (Effect.STOP, "省双随机平台认为批次结构或路径不对，整批未入库；请核对接口版本与平台地址"),
    "4002": (Effect.POISON, "省双随机平台称批次记录数超限，整批未入库；需拆分后重发"),
    "4009": (Effect.STOP, "批次号已被不同内容使用，本次未入库；可能有人共用凭证或本地库曾恢复备份，请先对账"),
    "5000": (Effect.UNKNOWN, "省双随机平台系统繁忙，部分记录可能已入库，需先查询"),
    "5001": (Effect.BUSY, "省双随机平台维护中，整批未入库；稍后再发"),
}

# breach → what it means, for records whose refusal carries no words
_BREACHES = {
    "E01": "记录编号不合格或同批重复",
    "E02": "操作类型或撤回原因不合格",
    "E03": "版本号不是大于零的整数",
    "E04": "抽查类型、计划编号、任务编号或个案事由不合格",
    "E05": "检查对象名称不合格",
    "E06": "统一社会信用代码不合格或缺少监管对象编码",
    "E07": "检查部门与报送凭证不是同一部门",
    "E08": "检查人员不足两名或执法证号不合格",
    "E09": "日期不真实或先后不对",
    "E10": "检查事项或检查结果不合格",
    "E11": "是否可公示或不予公示理由不合格",
    "E12": "含有接口没有的字段",
    "E13": "评价类别、等级或得分不合格",
    "E14": "评价时间或有效期不合格",
    "E15": "缺少字段或字段类型、长度不合格",
    "E16": "平台上已有更新的版本",
    "E17": "平台上同一版本的内容不同",
}
_CONFLICTS = frozenset({"E16", "E17"})


class DoubleRandom:
    """Adapter of ①. Versions make a repeated record harmless: the platform answers DUPLICATE."""

    name = "double_random"

    def path(self, kind: str, op: str) -> str:
        """Publications and withdrawals of a kind share a path."""
        return PATHS[kind]

    def number(self, department: Department, now: datetime, n: int) -> str:
        """D<day>-<department>-<n>, unique for the department over both paths."""
        return f"D{now:%Y%m%d}-{department.key}-{n:06d}"

    def limit(self, path: str) -> int:
        """At most 200 records."""
        return _MOST

    def render(
        self, key: RowKey, op: str, reason: str, rule: str, payload: Mapping[str, Any], ctx: RenderContext
    ) -> tuple[dict[str, Any], ...]:
        """One wire record; NotRenderable if the payload cannot be said."""
        if op == "WITHDRAW":
            return (withdrawal(key, ctx.department, reason or rule),)
        return (upsert(key, payload, ctx.department),)

    def freeze(self, department: Department, number: str, path: str, rows: tuple[Row, ...]) -> bytes:
        """The bytes of `{"batchNo", "records"}`."""
        records = [record for row in rows for record in row.wire]
        wire.once(record["recordKey"] for record in records)
        return wire.dump({"batchNo": number, "records": records})

    def claims(self, path: str, body: bytes) -> Claims:
        """Codes in insAuthCode, enteredByCode and sharedByCode."""
        records = wire.batch_of(body, "records")["records"]
        codes = (record[name] for record in records for name in _OWNERS if name in record)
        keys = (record.get("recordKey") for record in records) if path == PATHS["inspection"] else ()
        return wire.claims_of(codes, keys)

    def content_hash(self, wire: Mapping[str, Any]) -> str:
        """SM3 of the record's canonical JSON."""
        return sm3_hex(canonical(wire))

    def read(self, reply: Reply, sent: Sent) -> Answer:
        """The answer to a push: a verdict for each record under code 0000, else what the code says of the batch."""
        early = wire.gateway(reply)
        if early is not None:
            return early
        code = reply.json.get("code")
        if reply.http != 200 or not isinstance(code, str):
            return wire.contradiction(reply, f"平台以 HTTP {reply.http} 返回了约定之外的回答")
        if code in _CODES:
            effect, message = _CODES[code]
            return Answer(effect, code=code, message=message, retry_after=reply.retry_after)
        if code != "0000":
            return wire.contradiction(reply, "平台返回了约定之外的代码")
        try:
            judged, alarm = _judged(reply.json, sent)
        except Contradiction as error:
            return wire.contradiction(reply, error)
        missing = [row.key for row in sent.rows if row.key not in judged]
        if missing:
            alarm = alarm or f"平台的回答缺少本批 {len(missing)} 条记录的结果，将先查询。"
        verdicts = tuple(judged.get(row.key, Verdict(row.key, Finding.UNSAID)) for row in sent.rows)
        return Answer(Effect.JUDGED, verdicts, code, alarm=alarm)

    def ask(
        self,
        call: Call,
        sent: Sent,
        *,
        taken_in: bool,
        after: Answer | None = None,
        held: Mapping[str, Remote] | None = None,
    ) -> Answer:
        """The batch's verdicts if the platform still knows the number, and always the stored records themselves."""
        try:
            judged, alarm = self._batch(call, sent)
            stored = _lookup(call, sent.kind, [row.key.record_key for row in sent.rows])
        except QueryFailed as error:
            return error.answer
        verdicts = []
        for row in sent.rows:
            key = row.key.record_key
            verdict, contrary = _proven(row, judged.get(row.key), stored.get(key), (held or {}).get(key))
            alarm = alarm or contrary
            verdicts.append(verdict)
        # stored once and not there any more: the same number with the same bytes would not be judged again
        gone = any(v.finding is Finding.ABSENT and _stored(judged.get(v.key)) for v in verdicts)
        return Answer(Effect.LOST if gone else Effect.JUDGED, tuple(verdicts), "0000", alarm=alarm)

    def _batch(self, call: Call, sent: Sent) -> tuple[dict[RowKey, Verdict], str]:
        reply = call("GET", f"/api/v1/batches/{sent.number}")
        early = wire.gateway(reply)
        if early is not None:
            raise QueryFailed(early)
        if reply.http == 200 and reply.json.get("code") == "4040":
            return {}, ""
        if reply.http != 200 or reply.json.get("code") != "0000":
            wire.refuse_query(reply, "查询批次时平台返回了约定之外的回答")
        with wire.usable():
            return _judged(reply.json, sent)

    def probe(self, call: Call) -> Answer:
        """What /quota answers."""
        return wire.quota_answer(call, "0000")

    def listing(self, call: Call, kind: str, since: datetime | None, until: datetime | None) -> Iterator[Remote]:
        """Records of a kind by last change; a record may come twice, the later statement counts."""
        pairs = [("kind", _KINDS[kind]), *wire.bounds(("updatedFrom", "updatedTo"), since, until)]
        for items in pages.by_cursor(_get, call, "/api/v1/records", pairs):
            yield from _remotes(items, kind)


# ---------------------------------------------------------------- reading


def _judged(answer: Mapping[str, Any], sent: Sent) -> tuple[dict[RowKey, Verdict], str]:
    """Verdicts that name a record of the batch exactly once and hold; an alarm for all others."""
    data = wire.mapping(answer, "data")
    if wire.text(data, "batchNo") != sent.number:
        raise Contradiction("平台的回答属于另一批次")
    results: dict[str, list[dict[str, Any]]] = {}
    for result in wire.objects(data, "results"):
        results.setdefault(wire.text(result, "recordKey"), []).append(result)
    rows = {row.key.record_key: row for row in sent.rows}
    foreign = results.keys() - set(wire.frozen_keys(sent, "records", "recordKey"))
    alarm = "平台的回答含有不属于本批的记录。" if foreign else ""
    judged: dict[RowKey, Verdict] = {}
    for record_key, found in results.items():
        row = rows.get(record_key)
        if row is None:
            continue
        try:
            if len(found) != 1:
                raise Contradiction(f"平台的回答对记录 {record_key} 给出了多个结果")
            judged[row.key] = _verdict(row, found[0])
        except Contradiction as error:
            judged[row.key] = Verdict(row.key, Finding.UNSAID)
            alarm = f"{error}。"
    return judged, alarm


def _verdict(row: Row, result: Mapping[str, Any]) -> Verdict:
    if wire.number(result, "version") != row.key.version:
        raise Contradiction(f"平台的回答对记录 {row.key.record_key} 说的是另一版本")
    said, errors = result.get("verdict"), wire.objects(result, "errors")
    if said in ("ACCEPTED", "DUPLICATE") and not errors:
        receipt = wire.text(result, "receiptNo")
        remote = _ours(row, receipt)
        return Verdict(row.key, Finding.STORED, receipt, str(said), remotes=(remote,), raw=_raw(result))
    if said == "REJECTED" and errors and not result.get("receiptNo"):
        codes = [wire.text(error, "code", longest=8) for error in errors]
        finding = Finding.DIFFERENT if _CONFLICTS.intersection(codes) else Finding.REFUSED
        return Verdict(row.key, finding, "", ",".join(codes), _words(errors), raw=_raw(result))
    raise Contradiction(f"平台的回答对记录 {row.key.record_key} 自相矛盾")


def _words(errors: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for error in errors:
        code, field = _code(error), wire.clean(error.get("field"))
        words = wire.clean(error.get("message")) or _BREACHES.get(code, "平台未说明原因")
        parts.append(f"{code} {words}" + (f"（{field}）" if field else ""))
    return "；".join(parts)


def _code(error: Mapping[str, Any]) -> str:
    """The breach's code as printable text."""
    return wire.clean(error.get("code"))


def _raw(result: Mapping[str, Any]) -> str:
    errors = [[_code(error), wire.clean(error.get("field"))] for error in result.get("errors") or []]
    return wire.statement(verdict=result.get("verdict"), receipt=result.get("receiptNo"), errors=errors)


def _ours(row: Row, receipt: str) -> Remote:
    record = row.wire[0]
    state = "WITHDRAWN" if record["operation"] == "WITHDRAW" else "PRESENT"
    return Remote(row.key.record_key, row.key.kind, state, sm3_hex(canonical(record)), row.key.version, receipt)


def _proven(row: Row, verdict: Verdict | None, there: Remote | None, before: Remote | None) -> tuple[Verdict, str]:
    """What is there counts, but of what is not there a refusal tells more.

    Another's content beside a refusal is a conflict: the next version, of a higher number, would replace it.
    """
    found, alarm = _compared(row, verdict, there, before)
    refused = verdict is not None and verdict.finding in (Finding.REFUSED, Finding.DIFFERENT)
    if verdict is not None and refused and found.finding is not Finding.STORED:
        other = found.finding is Finding.DIFFERENT
        return verdict._replace(finding=found.finding if other else verdict.finding, remotes=found.remotes * other), ""
    return found, alarm


def _stored(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.finding is Finding.STORED


def _compared(row: Row, verdict: Verdict | None, there: Remote | None, before: Remote | None) -> tuple[Verdict, str]:
    """The finding for a row by what is stored under its key; what a batch verdict says besides must agree.

    before: what we know to have stood there. An older version that we know nothing of was typed in by somebody, and a
    withdrawal does not take it down unseen either.
    """
    ours = _ours(row, "")
    if there is not None and there.version == ours.version and there.state == ours.state:
        # what hash a withdrawn record is listed with is not said by the contract: version and state decide
        if ours.state == "WITHDRAWN" or there.content_hash == ours.content_hash:
            return Verdict(row.key, Finding.STORED, there.receipt, "STORED", remotes=(there,)), ""
    elif there is None or ((there.version or 0) < row.key.version and _known(there, before)):
        denied = f"平台的批次结果说记录 {row.key.record_key} 已入库，按编号却查不到，将再查询。"
        alarm = denied if _stored(verdict) else ""
        return Verdict(row.key, Finding.ABSENT, remotes=(there,) if there else ()), alarm
    message = f"平台上记录 {row.key.record_key} 的版本或内容与我方不同（平台第 {there.version} 版），请人工核对"
    return Verdict(row.key, Finding.DIFFERENT, there.receipt, "DIFFERENT", message, (there,)), ""


def _known(there: Remote, before: Remote | None) -> bool:
    if there.state == "WITHDRAWN":
        return True  # nothing is shown that could be overwritten
    return before is not None and (there.state, there.content_hash) == (before.state, before.content_hash)


def _get(call: Call, path: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    reply = call("GET", path, query=wire.query(pairs))
    early = wire.gateway(reply)
    if early is not None:
        raise QueryFailed(early)
    if reply.http != 200 or reply.json.get("code") != "0000":
        wire.refuse_query(reply, "查询记录时平台返回了约定之外的回答")
    with wire.usable():
        return wire.mapping(reply.json, "data")


def _lookup(call: Call, kind: str, keys: Sequence[str]) -> dict[str, Remote]:
    found: dict[str, Remote] = {}
    for part in wire.chunks(keys):
        data = _get(call, "/api/v1/records", [("kind", _KINDS[kind]), ("recordKeys", ",".join(part))])
        for remote in _remotes(wire.items_of(data), kind):
            if remote.remote_key not in part or remote.remote_key in found:
                raise QueryFailed(Answer(Effect.UNKNOWN, alarm="平台按编号查询时返回了没有问到的记录。"))
            found[remote.remote_key] = remote
    return found


def _remotes(items: Sequence[Mapping[str, Any]], kind: str) -> list[Remote]:
    with wire.usable():
        columns = (
            pages.texts(items, "recordKey"),
            repeat(kind),
            pages.words(items, "state", _STATES, "平台清单中的状态不在约定之内"),
            pages.texts(items, "contentHash"),
            pages.numbers(items, "version"),
            pages.texts(items, "receiptNo", empty=True),
            pages.texts(items, "updatedAt"),
        )
        return list(map(Remote, *columns))
