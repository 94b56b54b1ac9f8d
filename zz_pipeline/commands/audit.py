"""`zz audit verify|export|prune`: is the chain whole, does it agree with the tables, a copy for others, lawful deletion.

Belongs here: arguments, what is printed. Must not: verifying and deleting (those are `ledger.audit`, `ledger.retention`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zz_pipeline.commands.show import out
from zz_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from zz_pipeline.night import Night

Opened = Callable[[], AbstractContextManager["Night"]]
Json = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")]
REMEDY = "请立即停止报送（zz stop），保留数据库原样，报告主管并从最近的备份核对；不要自行修改台账。"


def register(app: typer.Typer, opened: Opened) -> None:
    """Add the group `zz audit`."""
    group = typer.Typer(help="审计链：核验、导出、依规删除。", no_args_is_help=True)
    app.add_typer(group, name="audit")

    @group.command()
    def verify(as_json: Json = False) -> None:
        """核验整条审计链，并核对台账各表与审计是否一致。"""
        with opened() as night:
            found = verified(night)
        _show(found, as_json)
        raise typer.Exit(0 if found["whole"] and found["agrees"] else 1)

    @group.command()
    def export(
        first: Annotated[str, typer.Option("--from", help="第一天 YYYY-MM-DD")],
        last: Annotated[str, typer.Option("--to", help="最后一天 YYYY-MM-DD（含）")],
        path: Annotated[Path, typer.Option("--out", help="写到哪个文件（JSON 行）")],
    ) -> None:
        """导出一段审计事件，可不依赖本系统核验（docs/audit-export.md）。"""
        from zz_pipeline.ledger import retention

        with opened() as night, night.ledger.read() as conn:
            end = _moment(night, last) + 86_400.0
            done = retention.export(conn, _moment(night, first), end, path)
        out.print(f"已写出 {done['events']} 个事件到 {path}；整条链首 {done['chain_head']}。", soft_wrap=True)

    @group.command()
    def prune(
        before: Annotated[str, typer.Option("--before", help="删除这一天之前的事件 YYYY-MM-DD")],
        by: Annotated[str, typer.Option("--by", help="谁决定的（姓名，写入审计）。")],
        why: Annotated[str, typer.Option("--why", help="为什么（写入审计）。")],
    ) -> None:
        """依规删除过期的审计事件和发送记录；不满保存期的一律拒绝。"""
        from zz_pipeline.ledger import retention

        with opened() as night, night.ledger.begin("decision") as conn:
            keep = night.settings.county.audit_keep_days
            done = retention.prune(conn, _moment(night, before), night.clock(), keep_days=keep, by=by, why=why)
        out.print(f"已删除 {done.events} 个审计事件、{done.attempts} 条发送记录；链从第 {done.begins_at} 个事件开始。")


def verified(night: Night) -> dict[str, Any]:
    """What a full verification finds: chain, tables, and the mark beside the ledger."""
    from zz_pipeline import restored
    from zz_pipeline.ledger import audit, audit_check

    with night.ledger.read() as conn:
        chain = audit.verify(conn)
        wrong = list(islice(audit_check.contradictions(conn), audit_check.MOST)) if chain.broken_at is None else []
        behind = restored.behind(conn, night.settings.home)
    texts = [c.text for c in wrong]
    if chain.broken_at is not None:
        texts.append(f"审计链在第 {chain.broken_at} 个事件处断开：它或它之前的事件被改动、删除或插入过")
    if behind:
        texts.append(behind)
    return {
        "whole": chain.broken_at is None, "agrees": not wrong and not behind, "events": chain.events,
        "head": chain.head, "broken_at": chain.broken_at, "contradictions": texts,
        "what_to_do": REMEDY if texts else "",
    }  # fmt: skip


def _moment(night: Night, text: str) -> float:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=night.settings.zone)
    except ValueError:
        raise ConfigError(f"日期“{text}”应写成 2026-11-20 的形式。") from None
    return day.timestamp()


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    out.print(
        f"审计链 {found['events']} 个事件，{'完整' if found['whole'] else '不完整'}；链首 {found['head']}",
        soft_wrap=True,
    )
    for text in found["contradictions"]:
        out.print(f"✗ {text}。", markup=False, soft_wrap=True)
    out.print(found["what_to_do"] or "台账各表与审计一致。", soft_wrap=True)
