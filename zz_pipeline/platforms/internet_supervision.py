"""② 西安市“互联网+监管”系统: a push is only taken in, receipts come later; no version on this wire.

Belongs here: field names, codes and paths of contracts/internet_supervision.md.
Must not: state transitions, sending by itself, publishing decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
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
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms import wire
from zz_pipeline.platforms.internet_supervision_list import listing, lookup
from zz_pipeline.platforms.internet_supervision_wire import content_md5, records
from zz_pipeline.platforms.wire import Contradiction, QueryFailed
from zz_pipeline.settings import Department
from zz_pipeline.standard.families import FAMILIES

PATHS = {"inspection": "/exchange/jg_jgxw_check_action", "rating": "/exchange/credit_assess"}
_MOST, _LAST_NUMBER = 1000, 99_999

# code of a whole-batch refusal (HTTP 400) → effect and what a person should know
_CODES: dict[str, tuple[Effect, str]] = {
    "6002": (Effect.POISON, "市互联网+监管系统认为数据结构体 JSON 格式不正确，整批未接收"),
    "6003": (Effect.STOP, "市互联网+监管系统认为批次号格式错误，整批未接收；请报告此缺陷"),
    "6004": (Effect.POISON, "市互联网+监管系统称批次记录数超限，整批未接收；需拆分后重发"),
}


class InternetSupervision:
    """Adapter of ②. One wire record for each (record, item); PASS in a receipt is the only confirmation."""

    name = "internet_supervision"

    def path(self, kind: str, op: str) -> str:
        """One path a kind; i, u and d may share a batch."""
        return PATHS[kind]

    def number(self, department: Department, now: datetime, n: int) -> str:
        """Day + 5 digits; NotRenderable when a day's numbers are used up."""
        if n > _LAST_NUMBER:
            raise NotRenderable(f"部门 {department.key} 今日批次号已用完（{_LAST_NUMBER} 个），明日再发。")
        return f"{now:%Y%m%d}{n:05d}"

    def limit(self, path: str) -> int:
        """At most 1000 records."""
        return _MOST

    def render(
        self, key: RowKey, op: str, reason: str, rule: str, payload: Mapping[str, Any], ctx: RenderContext
    ) -> tuple[dict[str, Any], ...]:
        """Insert what is new, update what is there, delete what is no longer said; nothing if there is nothing to do."""
        present = [k for k, remote in ctx.held.items() if remote.state == "PRESENT"]
        said = {} if op == "WITHDRAW" else records(key, payload, ctx)
        frame = {"cd_time": ctx.now.strftime("%Y-%m-%d %H:%M:%S")}
        found = [
            {"cd_id": cd_id, "cd_operation": "u" if cd_id in present else "i", **frame, **record}
            for cd_id, record in said.items()
        ]
        gone = sorted(set(present) - said.keys())
        return (*found, *({"cd_id": cd_id, "cd_operation": "d", **frame} for cd_id in gone))

    def renewed(self, wires: tuple[dict[str, Any], ...], held: Mapping[str, Remote]) -> tuple[dict[str, Any], ...]:
        """What is not there any more is inserted, not updated, and not deleted: the platform may have been restored."""
        present = {cd_id for cd_id, remote in held.items() if remote.state == "PRESENT"}
        return tuple(
            wire if wire["cd_operation"] == "d" else {**wire, "cd_operation": "u" if wire["cd_id"] in present else "i"}
            for wire in wires
            if wire["cd_operation"] != "d" or wire["cd_id"] in held
        )

    def freeze(self, department: Department, number: str, path: str, rows: tuple[Row, ...]) -> bytes:
        """The bytes of `{"cd_batch", "cd_source", "records"}`; the source is the county."""
        records = [record for row in rows for record in row.wire]
        wire.once(record["cd_id"] for record in records)
        return wire.dump({"cd_batch": number, "cd_source": department.county, "records": records})

    def claims(self, path: str, body: bytes) -> Claims:
        """Codes in implement_institution_code, sharedByCode and the first 18 characters of the implement list code."""
        records = wire.batch_of(body, "records")["records"]
        codes = [r[name] for r in records for name in ("implement_institution_code", "sharedByCode") if name in r]
        codes += [str(r["supervise_item_check_icode"])[:18] for r in records if r.get("supervise_item_check_icode")]
        keys = (record.get("cd_id") for record in records) if path == PATHS["inspection"] else ()
        return wire.claims_of(codes, keys)

    def content_hash(self, wire: Mapping[str, Any]) -> str:
        """MD5 over the values, see `content_md5`."""
        return content_md5(wire)

    def read(self, reply: Reply, sent: Sent) -> Answer:
        """The answer at the door: taken in with our number and count, refused whole, or unknown."""
        early = wire.gateway(reply)
        if early is not None:
            return early
        code = reply.json.get("code")
        if reply.http == 202 and code == "202":
            try:
                data = wire.mapping(reply.json, "data")
                agrees = wire.text(data, "cd_batch") == sent.number
                agrees = agrees and wire.number(data, "received") == len(wire.wires(sent))
            except Contradiction as error:
                return wire.contradiction(reply, error)
            if agrees:
                return Answer(Effect.TAKEN_IN, _pending(sent), code)
            return wire.contradiction(reply, "平台接收回执的批次号或条数与所发不符")
        if reply.http == 400 and isinstance(code, str) and code in _CODES:
            effect, message = _CODES[code]
            return Answer(effect, code=code, message=_with(message, reply))
        if reply.http == 409 and code == "6009":
            message = f"批次号 {sent.number} 已被不同内容使用，本次未接收，先按编号查询"
            return Answer(
                Effect.ASK, code=code, message=message, alarm=f"{message}；可能有人共用凭证或本地库曾恢复备份。"
            )
        return wire.contradiction(reply, f"平台以 HTTP {reply.http} 返回了约定之外的回答")

    def ask(
        self,
        call: Call,
        sent: Sent,
        *,
        taken_in: bool,
        after: Answer | None = None,
        held: Mapping[str, Remote] | None = None,
    ) -> Answer:
        """The receipt of the batch; the list where the receipt is no proof (number not ours, batch lost)."""
        known = held or {}
        try:
            if after is not None and after.effect is Effect.ASK:
                return _settled(self._listed(call, sent, known), after.code, after.message)
            return self._receipt(call, sent, taken_in, known)
        except QueryFailed as error:
            return error.answer

    def _receipt(self, call: Call, sent: Sent, taken_in: bool, held: Mapping[str, Remote]) -> Answer:
        reply = call("GET", f"/exchange/receipts/{sent.number}")
        early = wire.gateway(reply)
        if early is not None:
            raise QueryFailed(early)
        if reply.http == 404 and reply.json.get("code") == "6040":
            return self._forgotten(call, sent, taken_in, held)
        if reply.http != 200 or reply.json.get("code") != "200":
            wire.refuse_query(reply, "查询回执时平台返回了约定之外的回答")
        with wire.usable():
            data = wire.mapping(reply.json, "data")
            if wire.text(data, "cd_batch") != sent.number:
                raise Contradiction("平台的回执属于另一批次")
            status = wire.text(data, "status")
        if status == "PROCESSING":
            return Answer(Effect.TAKEN_IN, _pending(sent), status)
        if status == "FAILED":
            message = wire.clean(data.get("message")) or "平台整批检核失败，未入库，需换批次号重发"
            return Answer(Effect.LOST, self._listed(call, sent, held), status, message)
        if status != "DONE":
            wire.refuse_query(reply, "平台的回执状态不在约定之内")
        return self._finished(call, sent, data, held)

    def _finished(self, call: Call, sent: Sent, data: Mapping[str, Any], held: Mapping[str, Remote]) -> Answer:
        """A final receipt, proven by the list: the number may have been used for other bytes (6009, a restored ledger)."""
        verdicts, alarm = _judged(data, sent)
        listed = {verdict.key: verdict for verdict in self._listed(call, sent, held)}
        if _not_ours(data, sent):
            message = f"批次号 {sent.number} 的回执不是本批的，已按编号查询；未入库的记录将换批次号重发"
            return _settled(tuple(listed.values()), "DONE", message)
        proven = tuple(_agreed(verdict, listed[verdict.key]) for verdict in verdicts)
        if not alarm and any(_contrary(v, listed[v.key]) for v in verdicts):
            alarm = "平台的回执与按编号查到的结果相反，以查到的为准，查不到的将再查询。"
        gone = _gone(sent, proven, listed)
        if gone:
            message = f"平台上已没有要更正或删除的记录（{len(gone)} 条），可能恢复过备份；核实后按原内容重新报送"
            settled = tuple(gone.get(verdict.key, verdict) for verdict in self._conflicts(call, sent, proven))
            return Answer(Effect.LOST, settled, "09", message, alarm=f"{message}。")
        if any(verdict.finding is Finding.ABSENT for verdict in proven):
            # passed once and not there any more: the same number with the same bytes would not be judged again
            return Answer(Effect.LOST, self._conflicts(call, sent, proven), "DONE", alarm=alarm)
        return Answer(Effect.JUDGED, self._conflicts(call, sent, proven), "DONE", alarm=alarm)

    def _forgotten(self, call: Call, sent: Sent, taken_in: bool, held: Mapping[str, Remote]) -> Answer:
        """No such batch: never taken in; or, after a 202, the platform was restored and only its list tells."""
        if not taken_in:  # what a clerk has typed in meanwhile is shown by the list only, and not written over
            return Answer(Effect.JUDGED, self._listed(call, sent, held), "6040")
        message = f"平台已查不到批次 {sent.number}，可能恢复过备份；未入库的记录将换批次号重发"
        return _settled(self._listed(call, sent, held), "6040", message)

    def _listed(self, call: Call, sent: Sent, held: Mapping[str, Remote]) -> tuple[Verdict, ...]:
        stored = lookup(call, sent.kind, [record["cd_id"] for _, record in wire.wires(sent)])
        return tuple(self._compared(row, stored, held) for row in sent.rows)

    def _compared(self, row: Row, stored: Mapping[str, Remote], held: Mapping[str, Remote]) -> Verdict:
        """A row by what the list shows: all as sent, all as before, or something nobody here has written."""
        remotes: list[Remote] = []
        foreign: list[str] = []
        waiting: list[str] = []
        for record in row.wire:
            cd_id, there = record["cd_id"], stored.get(record["cd_id"])
            if there is not None:
                remotes.append(there)
            if self._as_sent(record, there):
                continue
            (waiting if _as_before(there, held.get(cd_id), record) else foreign).append(cd_id)
        if foreign:
            message = f"平台上 {foreign[0]} 的内容与我方不同，请人工核对"
            return Verdict(row.key, Finding.DIFFERENT, "", "DIFFERENT", message, tuple(remotes))
        if waiting:
            missing = tuple(cd_id for cd_id in waiting if cd_id not in stored)
            return Verdict(row.key, Finding.ABSENT, remotes=tuple(remotes), missing=missing)
        receipt = next((remote.receipt for remote in remotes if remote.receipt), "")
        return Verdict(row.key, Finding.STORED, receipt, "LIST", remotes=tuple(remotes))

    def _as_sent(self, record: Mapping[str, Any], there: Remote | None) -> bool:
        if record["cd_operation"] == "d":
            return there is not None and there.state == "WITHDRAWN"
        return there is not None and there.state == "PRESENT" and there.content_hash == content_md5(record)

    def _conflicts(self, call: Call, sent: Sent, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        """A refused insert whose cd_id is there with other content is no fault in the data: someone else wrote it."""
        suspects = {v.key for v in verdicts if v.finding is Finding.REFUSED and "09" in v.code.split(",")}
        rows = [row for row in sent.rows if row.key in suspects]
        inserts = {r["cd_id"]: row.key for row in rows for r in row.wire if r["cd_operation"] == "i"}
        stored = lookup(call, sent.kind, list(inserts))
        ours = {r["cd_id"]: content_md5(r) for row in rows for r in row.wire if r["cd_operation"] == "i"}
        clash = {inserts[k]: s for k, s in stored.items() if s.state == "PRESENT" and s.content_hash != ours[k]}
        return tuple(_clashing(v, clash[v.key]) if v.key in clash else v for v in verdicts)

    def probe(self, call: Call) -> Answer:
        """What /quota answers."""
        return wire.quota_answer(call, "200")

    def listing(self, call: Call, kind: str, since: datetime | None, until: datetime | None) -> Iterator[Remote]:
        """Rows of a kind by last change, each once."""
        return listing(call, kind, since, until)


# ---------------------------------------------------------------- reading


def _pending(sent: Sent) -> tuple[Verdict, ...]:
    return tuple(Verdict(row.key, Finding.PENDING) for row in sent.rows)


def _settled(verdicts: tuple[Verdict, ...], code: str, message: str) -> Answer:
    """What the list alone says of a batch whose number is no longer of use: all there, or a new number for the rest."""
    if all(verdict.finding is Finding.STORED for verdict in verdicts):
        return Answer(Effect.JUDGED, verdicts, code)
    return Answer(Effect.LOST, verdicts, code, message, alarm=f"{message}。")


def _with(message: str, reply: Reply) -> str:
    words = wire.clean(reply.json.get("message"))
    return f"{message}（平台：{words}）" if words else message


def _judged(data: Mapping[str, Any], sent: Sent) -> tuple[tuple[Verdict, ...], str]:
    """Verdicts of a finished receipt. Wrong totals discredit all of it, a wrong line discredits its row."""
    ours = set(wire.frozen_keys(sent, "records", "cd_id"))
    try:
        results = _totals(data, len(ours))
    except Contradiction as error:
        return wire.unsaid(sent.rows), f"{error}。"
    lines: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        lines.setdefault(str(result.get("cd_id")), []).append(result)
    alarm = "平台的回执含有不属于本批的编号。" if lines.keys() - ours else ""
    verdicts = []
    for row in sent.rows:
        try:
            verdicts.append(_verdict(row, lines))
        except Contradiction as error:
            verdicts.append(Verdict(row.key, Finding.UNSAID))
            alarm = f"{error}。"
    return tuple(verdicts), alarm


def _totals(data: Mapping[str, Any], sent: int) -> list[dict[str, Any]]:
    results = wire.objects(data, "results")
    passed = sum(result.get("result") == "PASS" for result in results)
    failed = sum(result.get("result") == "FAIL" for result in results)
    said = (wire.number(data, "total"), wire.number(data, "passed"), wire.number(data, "failed"))
    if said != (sent, passed, failed) or passed + failed != len(results) or said[0] != said[1] + said[2]:
        raise Contradiction("平台回执的合计与明细或与所发条数不符")
    return results


def _verdict(row: Row, lines: Mapping[str, list[dict[str, Any]]]) -> Verdict:
    remotes, receipts, checks = [], [], []
    for record in row.wire:
        cd_id = record["cd_id"]
        found = lines.get(cd_id, [])
        if len(found) != 1:
            raise Contradiction(f"平台的回执对 {cd_id} 没有给出唯一结果")
        if found[0].get("result") == "PASS":
            # a deletion's receipt number is not promised by the contract
            receipt = wire.text(found[0], "receipt", empty=True) if "receipt" in found[0] else ""
            if not receipt and record["cd_operation"] != "d":
                raise Contradiction(f"平台的回执说 {cd_id} 通过，却没有回执号")
            receipts.append(receipt)
            remotes.append(_remote_of(row, record, receipt))
        else:
            checks += _checks(found[0], cd_id)
    raw = wire.statement(receipts=receipts, checks=[[c[0], c[1]] for c in checks])
    if checks:
        codes = ",".join(sorted({check[0] for check in checks}))
        message = "；".join(check[2] for check in checks)[:1000]
        return Verdict(row.key, Finding.REFUSED, "", codes, message, tuple(remotes), raw)
    receipt = next((r for r in receipts if r), "")
    return Verdict(row.key, Finding.STORED, receipt, "PASS", remotes=tuple(remotes), raw=raw)


def _checks(result: Mapping[str, Any], cd_id: str) -> list[tuple[str, str, str]]:
    found = []
    for check in wire.objects(result, "checks"):
        code, field = wire.text(check, "type", longest=8), wire.clean(check.get("field"))
        words = wire.clean(check.get("message")) or FAMILIES.get(code, "平台未说明原因")
        found.append((code, field, f"{code} {words}" + (f"（{field}）" if field else "")))
    if not found:
        raise Contradiction(f"平台的回执说 {cd_id} 未通过，却没有说明检核类型")
    return found


def _remote_of(row: Row, record: Mapping[str, Any], receipt: str) -> Remote:
    if record["cd_operation"] == "d":
        return Remote(record["cd_id"], row.key.kind, "WITHDRAWN", "", receipt=receipt)
    return Remote(record["cd_id"], row.key.kind, "PRESENT", content_md5(record), receipt=receipt)


def _as_before(there: Remote | None, before: Remote | None, record: Mapping[str, Any]) -> bool:
    """Whether the list shows what we knew before this record was sent: it has not taken effect until now."""
    if there is None:
        return True
    if before is not None and there.state == before.state:
        return before.state == "WITHDRAWN" or there.content_hash == before.content_hash
    # deleted rows stay in the list; an insert after a deletion we no longer remember is not there yet
    return before is None and there.state == "WITHDRAWN" and record["cd_operation"] == "i"


def _agreed(receipt: Verdict, listed: Verdict) -> Verdict:
    """A receipt's verdict beside the list's: what is there as sent is there, another's entry is a conflict, a refusal stands.

    A query shows every effect whose answer was sent (gateway page): what has passed and is not there is gone again.
    """
    if listed.finding is Finding.STORED:
        return receipt if receipt.finding is Finding.STORED else listed
    if listed.finding is Finding.DIFFERENT:  # seen, so not written over by a later version either
        return listed._replace(raw=receipt.raw)
    if receipt.finding is Finding.REFUSED:
        return receipt
    return listed if receipt.finding is Finding.STORED else receipt._replace(remotes=listed.remotes)


def _contrary(receipt: Verdict, listed: Verdict) -> bool:
    return (receipt.finding, listed.finding) in (
        (Finding.STORED, Finding.ABSENT),
        (Finding.REFUSED, Finding.STORED),
    )


def _gone(sent: Sent, judged: tuple[Verdict, ...], listed: Mapping[RowKey, Verdict]) -> dict[RowKey, Verdict]:
    """Rows refused for nothing but an update or a deletion of what the list does not show: no fault of their data."""
    changes = {r["cd_id"] for _, r in wire.wires(sent) if r["cd_operation"] != "i"}
    refused = [v.key for v in judged if v.finding is Finding.REFUSED and v.code == "09"]
    return {key: listed[key] for key in refused if changes & set(listed[key].missing)}


def _not_ours(data: Mapping[str, Any], sent: Sent) -> bool:
    """Whether a receipt speaks of none of our records."""
    results = data.get("results")
    said = {str(r.get("cd_id")) for r in results if isinstance(r, dict)} if isinstance(results, list) else set()
    return bool(said) and not said & set(wire.frozen_keys(sent, "records", "cd_id"))


def _clashing(verdict: Verdict, there: Remote) -> Verdict:
    message = f"平台上 {there.remote_key} 已有不同内容（并非我方所报），请人工核对。{verdict.message}"
    return Verdict(verdict.key, Finding.DIFFERENT, "", verdict.code, message, (*verdict.remotes, there), verdict.raw)
