"""`zz stop`, `zz resume`, `zz release`, `zz decide`: what only a person may order, with a name and a reason.

Belongs here: arguments of these orders. Must not: state changes (those are `delivery.people`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from zz_pipeline.commands.show import out
from zz_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from zz_pipeline.night import Night

By = Annotated[str, typer.Option("--by", help="谁决定的（姓名，写入审计）。")]
Why = Annotated[str, typer.Option("--why", help="为什么（写入审计）。")]
DECISIONS = {"retry": "重新向平台查询或重发", "give_up": "放弃，不再发送", "adopt": "以平台现有内容为准"}


def register(app: typer.Typer, opened: Callable[[], AbstractContextManager[Night]]) -> None:
    """Add the commands to `zz`; `opened` gives the core over the configured county."""

    @app.command()
    def stop(by: By, why: Why) -> None:
        """总开关：立即停止向所有平台发送（正在等应答的请求除外）。"""
        from zz_pipeline.delivery.people import set_stop

        with opened() as night:
            set_stop(night.ledger, True, actor=by, note=why, now=time.time())
        out.print("已停发：不再发出新的请求。恢复请用 zz resume。")

    @app.command()
    def resume(by: By, why: Why) -> None:
        """总开关：恢复发送；中断时结果不明的记录会先查询再决定。"""
        from zz_pipeline.delivery.people import set_stop

        with opened() as night:
            set_stop(night.ledger, False, actor=by, note=why, now=time.time())
        out.print("已恢复发送。下次运行（或 zz sync）会接着办。")

    @app.command()
    def release(
        platform: Annotated[str, typer.Argument(help="平台，如 double_random")],
        department: Annotated[str, typer.Argument(help="部门键，如 SCJG")],
        by: By,
        why: Why,
    ) -> None:
        """恢复一条被停用的通道（例如更换凭证之后）。"""
        from zz_pipeline.delivery.people import release_lane

        with opened() as night:
            _known(night, platform, department)
            release_lane(night.ledger, platform, department, actor=by, note=why)
        out.print(f"{platform} / {department} 的通道已恢复。")

    @app.command()
    def decide(
        platform: Annotated[str, typer.Argument(help="平台，如 double_random")],
        record: Annotated[str, typer.Argument(help="记录键，如 610124-SCJG-2026-0004711")],
        version: Annotated[int, typer.Argument(help="版本号")],
        decision: Annotated[str, typer.Argument(help="retry 重新查询或重发 · give_up 放弃 · adopt 以平台内容为准")],
        by: By,
        why: Why,
        kind: Annotated[str, typer.Option(help="inspection 检查结果，rating 信用评价")] = "inspection",
    ) -> None:
        """对待人处理的一条记录作出决定（冲突、多次失败）。"""
        from zz_pipeline.delivery.people import decide as apply
        from zz_pipeline.delivery.protocol import RowKey

        if decision not in DECISIONS:
            raise ConfigError(f"决定应为 {'、'.join(DECISIONS)} 之一，写的是“{decision}”。")
        with opened() as night:
            _known(night, platform, None)
            key = RowKey(kind, record, version)
            apply(night.ledger, platform, [key], decision, actor=by, note=why, now=time.time())
        out.print(f"{record} 第 {version} 版：{DECISIONS[decision]}。")


def _known(night: Night, platform: str, department: str | None) -> None:
    if platform not in night.settings.platforms:
        raise ConfigError(f"没有平台“{platform}”。现有：{'、'.join(night.settings.platforms)}。")
    if department is not None and department not in night.settings.departments:
        raise ConfigError(f"没有部门“{department}”。现有：{'、'.join(night.settings.departments)}。")
