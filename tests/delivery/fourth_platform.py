"""县信息公开栏, a platform of a new name: a verdict for each record, no batch look-up, no versions, one key a question.

Belongs here: its contract as an adapter, as somebody would add it (docs/platforms.md). Must not: more than 120 lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from zz_pipeline.delivery import protocol as p
from zz_pipeline.delivery.signing import canonical, sha256_hex
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms import content, wire
from zz_pipeline.platforms.wire import Contradiction, QueryFailed
from zz_pipeline.settings import Department

ENTRIES = "/board/entries"
_STATES = {"SHOWN": "PRESENT", "REMOVED": "WITHDRAWN"}


class Board:
    """The same key posted twice stands there twice: nothing may be sent again before it was asked for."""

    name = "test_board"

    def path(self, kind: str, op: str) -> str:
        return ENTRIES

    def number(self, department: Department, now: datetime, n: int) -> str:
        return f"B{now:%Y%m%d}{department.key}{n:06d}"

    def limit(self, path: str) -> int:
        return 20

    def render(
        self, key: p.RowKey, op: str, reason: str, rule: str, payload: Mapping[str, Any], ctx: p.RenderContext
    ) -> tuple[dict[str, Any], ...]:
        if key.kind != "inspection":
            raise NotRenderable(f"{key.record_key} 不是检查结果，信息公开栏不收，未发送。")
        if op == "WITHDRAW":
            return ({"key": key.record_key, "act": "remove"},)
        there, said = ctx.held.get(key.record_key), content.texts(payload)
        results = [f"{item['item_name']}：{content.label(item)}" for item in content.items(payload)]
        text = {"subject": said["subject_name"], "task": said["task_name"], "results": results}
        return (
            {"key": key.record_key, "act": "replace" if there and there.state == "PRESENT" else "add", "text": text},
        )

    def freeze(self, department: Department, number: str, path: str, rows: tuple[p.Row, ...]) -> bytes:
        entries = [entry for row in rows for entry in row.wire]
        wire.once(entry["key"] for entry in entries)
        return wire.dump({"no": number, "office": department.uscc, "entries": entries})

    def claims(self, path: str, body: bytes) -> p.Claims:
        batch = wire.batch_of(body, "entries")
        return wire.claims_of([batch.get("office")], (entry.get("key") for entry in batch["entries"]))

    def content_hash(self, wire: Mapping[str, Any]) -> str:
        return sha256_hex(canonical(wire.get("text") or {}))

    def read(self, reply: p.Reply, sent: p.Sent) -> p.Answer:
        early = wire.gateway(reply)
        if early is not None:
            return early
        try:
            if reply.http != 200 or wire.text(reply.json, "no") != sent.number:
                raise Contradiction("公开栏的回答不属于本批")
            said = {wire.text(r, "key"): r for r in wire.objects(reply.json, "results")}
        except Contradiction as error:
            return wire.contradiction(reply, error)
        alarm = "" if said.keys() <= {row.key.record_key for row in sent.rows} else "公开栏的回答含有不属于本批的记录。"
        verdicts = tuple(self._said(row, said.get(row.key.record_key)) for row in sent.rows)
        return p.Answer(p.Effect.JUDGED, verdicts, alarm=alarm)

    def _said(self, row: p.Row, said: dict[str, Any] | None) -> p.Verdict:
        if said is not None and said.get("said") == "taken":
            return p.Verdict(row.key, p.Finding.STORED, remotes=(self._ours(row),), raw=wire.statement(said="taken"))
        if said is not None and said.get("said") == "refused":
            return p.Verdict(row.key, p.Finding.REFUSED, code="refused", message=wire.clean(said.get("why")))
        return p.Verdict(row.key, p.Finding.UNSAID)

    def _ours(self, row: p.Row) -> p.Remote:
        state = "WITHDRAWN" if row.wire[0]["act"] == "remove" else "PRESENT"
        return p.Remote(row.key.record_key, row.key.kind, state, self.content_hash(row.wire[0]))

    def ask(
        self, call: p.Call, sent: p.Sent, *, taken_in: bool, after: p.Answer | None = None, held: Mapping[str, p.Remote]
    ) -> p.Answer:  # fmt: skip
        try:
            return p.Answer(p.Effect.JUDGED, tuple(self._asked(call, row, held) for row in sent.rows))
        except QueryFailed as error:
            return error.answer

    def _asked(self, call: p.Call, row: p.Row, held: Mapping[str, p.Remote]) -> p.Verdict:
        key, ours = row.key.record_key, self._ours(row)
        there = next(iter(self._entries(call, f"{ENTRIES}/{key}")), None)
        alike = there and (ours.state == "WITHDRAWN" or there.content_hash == ours.content_hash)
        if there and alike and there.state == ours.state:
            return p.Verdict(row.key, p.Finding.STORED, remotes=(there,))
        if there is None or (key in held and there.content_hash == held[key].content_hash):
            return p.Verdict(row.key, p.Finding.ABSENT)
        return p.Verdict(row.key, p.Finding.DIFFERENT, message=f"公开栏上 {key} 的内容与我方不同", remotes=(there,))

    def _entries(self, call: p.Call, path: str) -> Iterator[p.Remote]:
        reply = call("GET", path)
        early = wire.gateway(reply)
        if early is not None or reply.http != 200:
            raise QueryFailed(early or wire.contradiction(reply, "公开栏的查询没有可用的回答"))
        with wire.usable():
            for item in wire.objects(reply.json, "entries"):
                state = _STATES.get(wire.text(item, "state"), "")
                yield p.Remote(wire.text(item, "key"), "inspection", state, wire.text(item, "digest"))

    def probe(self, call: p.Call) -> p.Answer:
        return p.Answer(p.Effect.JUDGED if call("GET", "/quota").http == 200 else p.Effect.UNKNOWN)

    def listing(self, call: p.Call, kind: str, since: datetime | None, until: datetime | None) -> Iterator[p.Remote]:
        return self._entries(call, ENTRIES) if kind == "inspection" else iter(())
