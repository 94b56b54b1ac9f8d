"""Sensors that look for what needs a person, between nights too: sources, nights, deadlines, what is not known.

Belongs here: how often is looked, which kinds of trouble a sensor tells of. Must not: finding, wording or sending troubles
(that is the core's, asked through the resource). Each look hands over everything that is wrong: what was told before is not
told again, so it does no harm that several sensors look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

SHOWN = 5
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Watch:
    """One sensor: kinds of trouble (values of the core's `Kind`), seconds between looks, what it is about in Chinese."""

    kinds: frozenset[str]
    seconds: int
    about: str


WATCHES: Mapping[str, Watch] = {
    "source_failures": Watch(frozenset({"source_failed", "credential"}), 10 * MINUTE, "来源没有读到、缺少凭证"),
    "unbalanced_nights": Watch(
        frozenset({"night_unbalanced", "night_late", "night_done", "platform", "lost", "audit_broken"}),
        10 * MINUTE,
        "当夜不平衡、没有完成、平台没有核对完或缺少记录、审计链断开",
    ),
    "near_overdue": Watch(
        frozenset({"near_overdue", "overdue", "withdrawal", "calendar"}),
        60 * MINUTE,
        "法定期限将到或已过、没有撤净、工作日表缺年份",
    ),
    "growing_unknowns": Watch(
        frozenset({"unknowns", "unknown_codes", "person", "lane_stopped", "switched_off", "not_told"}),
        30 * MINUTE,
        "结果不明、未知代码、等人裁定、通道停用、提醒没有送达",
    ),
}


def said(watch: Watch, turn: Any) -> str:
    """What a look saw, in one Chinese sentence: titles only, the whole text is in the message that goes out."""
    mine = [trouble for trouble in turn.troubles if trouble.kind in watch.kinds]
    if not mine:
        return f"已查看，没有发现：{watch.about}。"
    titles = "；".join(trouble.title for trouble in mine[:SHOWN]) + ("等" if len(mine) > SHOWN else "")
    return f"发现 {len(mine)} 项：{titles}。新出现或加重的已写入提醒，做法见提醒正文或 zz status。"


def _sensor(name: str, watch: Watch) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        minimum_interval_seconds=watch.seconds,
        description=f"查看{watch.about}；新情况交给提醒（邮件、群机器人）。不启动任何运行，所见写在每次 tick 的说明里。",
        required_resource_keys={"night"},
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        turn = context.resources.night.alerts()
        if turn.error:
            raise RuntimeError(turn.error)
        return dg.SkipReason(said(watch, turn))

    return look


SENSORS = [_sensor(name, watch) for name, watch in WATCHES.items()]
