"""`zz withdraw`, `zz reinstate`: two people take a record back everywhere, or bring it back.

Belongs here: arguments and printing. Must not: the table of standard 3.4, versions (those are `zz_pipeline.withdraw`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zz_pipeline.commands.show import out

if TYPE_CHECKING:
    from zz_pipeline.night import Night
    from zz_pipeline.withdraw import Done

Opened = Callable[[], AbstractContextManager["Night"]]
Record = Annotated[str, typer.Argument(help="记录键，如 610124-SCJG-2026-0004711；评价用评价编号")]
Basis = Annotated[str, typer.Option("--basis", help="依据：文书号或事由，写入审计；不要写个人信息。")]
By = Annotated[str, typer.Option("--by", help="经办人姓名。")]
Approved = Annotated[str, typer.Option("--approved-by", help="批准人姓名，须是另一个人。")]
Kind = Annotated[str, typer.Option(help="inspection 检查结果，rating 信用评价")]
Send = Annotated[bool, typer.Option("--send", help="立即向各平台发送，不等下一次夜间运行。")]
Json = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")]


def register(app: typer.Typer, opened: Opened) -> None:
    """Add the commands to `zz`."""

    @app.command("withdraw")
    def withdraw_command(
        record: Record,
        reason: Annotated[
            str,
            typer.Option(
                "--reason",
                help="REVOKED 决定撤销 · ENTRY_ERROR 录入错误 · OBJECTION 异议成立 · NOT_PUBLIC 不宜公开 · EXPIRED 期满 · REPAIRED 信用修复",
            ),
        ],
        basis: Basis,
        by: By,
        approved_by: Approved,
        kind: Kind = "inspection",
        send: Send = False,
        as_json: Json = False,
    ) -> None:
        """撤回一条记录：凡接收过它的平台都撤下或停止公示，并留存各平台的证明。"""
        from zz_pipeline.withdraw import Order, withdraw

        order = Order(kind, record, basis, by, approved_by, reason)
        _ordered(opened, lambda night: withdraw(night, order), send, as_json)

    @app.command()
    def reinstate(
        record: Record, basis: Basis, by: By, approved_by: Approved, kind: Kind = "inspection",
        send: Send = False, as_json: Json = False,
    ) -> None:  # fmt: skip
        """恢复一条撤回过的记录：生成新版本重新报送；信用修复和期满的不得恢复。"""
        from zz_pipeline.withdraw import Order
        from zz_pipeline.withdraw import reinstate as bring_back

        order = Order(kind, record, basis, by, approved_by)
        _ordered(opened, lambda night: bring_back(night, order), send, as_json)


def _ordered(opened: Opened, act: Callable[[Night], Done], send: bool, as_json: bool) -> None:
    from zz_pipeline.reports.trace import trace
    from zz_pipeline.reports.words import STATES

    with opened() as night:
        done = act(night)
        if send:
            _deliver(night, done.owner)
        with night.ledger.read() as conn:
            now = trace(conn, night.settings, done.record_key)["now"]
    told: dict[str, Any] = {"record": done.record_key, "version": done.version, "cancelled": list(done.cancelled)}
    told |= {"decided": {p: {"state": STATES[s], "reason": why} for p, (s, why) in done.rows.items()}, "now": now}
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    out.print(f"{done.record_key} 已生成第 {done.version} 版。" + ("" if send else "下次运行（zz sync）发往各平台。"))
    if done.cancelled:
        out.print(f"尚未发出的版本已取消：{'、'.join(done.cancelled)}。")
    for row in now:
        out.print(f"  {row['platform']}：{row['state']}；{row['holds']}；{row['reason']}", markup=False, soft_wrap=True)


def _deliver(night: Night, owner: str) -> None:
    """The owner's lanes on every platform, the entry platform first."""
    for target in night.targets:
        night.deliver(target.name, lanes=[owner])
