"""Nights that are complete, and nights that should be and are not: the message whose absence is the alarm.

Belongs here: when a night counts as done, its words and figures. Must not: counting (that is `reports.balance`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from sqlalchemy import func, select

from zz_pipeline.alerts.trouble import ERROR, INFO, OFFICE, Kind, Trouble
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake
from zz_pipeline.reports.balance import Balance, balance
from zz_pipeline.reports.day import report_path
from zz_pipeline.settings import Settings

LOOKED_BACK = 7  # nights


def troubles(settings: Settings, ledger: Ledger, now: float) -> Iterator[Trouble]:
    """Nights that do not balance or are late, and yesterday's as done; before the very first reading no night is expected."""
    wall = datetime.fromtimestamp(now, settings.zone)
    yesterday = wall.date() - timedelta(days=1)
    with ledger.read() as conn:
        first = conn.scalar(select(func.min(intake.c.day)))
    if first is None:
        return
    for back in reversed(range(LOOKED_BACK)):
        day = yesterday - timedelta(days=back)
        if day.isoformat() < first:
            continue
        found = balance(ledger, day, tuple(settings.platforms), _names(settings))
        written = report_path(settings, day).exists()
        if found.departments and not found.balanced:
            yield _unbalanced(found, day, settings)
        if found.balanced and written:
            if day == yesterday:
                yield _done(found, day, settings)
        elif wall >= _deadline(settings, day):
            yield _late(found, day, settings, written)


def _deadline(settings: Settings, day: date) -> datetime:
    hour, minute = map(int, settings.county.alerts.done_by.split(":"))
    return datetime.combine(day + timedelta(days=1), time(hour, minute), settings.zone)


def _names(settings: Settings) -> dict[str, str]:
    names = {key: d.short for key, d in settings.departments.items()}
    names |= {"credit": settings.credit.label, "office": settings.county.office}
    return names | {name: spec.label for name, spec in settings.platforms.items()}


def _figures(found: Balance, settings: Settings) -> str:
    total = found.totals()
    text = f"拉取 {total['pulled']} ＝ 未变 {total['unchanged']} ＋ 退回 {total['quarantined']} ＋ 接收 {total['accepted']}"
    for platform in found.platforms:
        open_ones = platform.states["pending"] + platform.states["unknown"] + platform.states["held"]
        label = settings.platforms[platform.platform].label
        text += f"；{label} 已确认 {platform.states['confirmed']}、拒收 {platform.states['rejected']}、未了 {open_ones}"
    return text


def _done(found: Balance, day: date, settings: Settings) -> Trouble:
    gaps = len(found.missing)
    rest = f"；另有 {gaps} 处没有读到或没有核对，见 zz today" if gaps else "；来源与平台齐全"
    text = f"{_figures(found, settings)}{rest}。退回的记录请各部门按退回清单更正。"
    at = _deadline(settings, day).timestamp()
    return Trouble(f"night:{day}", Kind.NIGHT_DONE, OFFICE, INFO, f"{day} 夜间已完成", text, at)


def _late(found: Balance, day: date, settings: Settings, written: bool) -> Trouble:
    why = "没有任何来源的读取记录" if not found.departments else "不平衡" if not found.balanced else "没有走到出日报"
    if found.departments and not written and not found.balanced:
        why = "不平衡，也没有走到出日报"
    text = (
        f"{day} 的夜间任务到 {settings.county.alerts.done_by} 仍未完成：{why}。"
        f"请看 Dagster 的运行记录，或执行 zz sync --day {day} 补跑；已报送过的不会重复。"
    )
    at = _deadline(settings, day).timestamp()
    return Trouble(
        f"night:{day}", Kind.NIGHT_LATE, OFFICE, ERROR, f"{day} 夜间未完成", text, at, 1, f"zz sync --day {day}"
    )


def _unbalanced(found: Balance, day: date, settings: Settings) -> Trouble:
    text = (
        f"{day} 不平衡，有记录下落不明：{_figures(found, settings)}。请打开当日日报看标红的部门或平台，再联系技术人员。"
    )
    at = _deadline(settings, day).timestamp()
    return Trouble(
        f"unbalanced:{day}",
        Kind.NIGHT_UNBALANCED,
        OFFICE,
        ERROR,
        f"{day} 不平衡",
        text,
        at,
        1,
        f"zz balance --day {day}",
    )
