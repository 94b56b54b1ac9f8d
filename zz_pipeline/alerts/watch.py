"""What is wrong now, from the ledger alone: every trouble that a person should know of, with what to do about it.

Belongs here: one finder for each kind of trouble, its words. Must not: changes, what was told before (that is `outbox`),
contents of records, file names (they may name a person), connecting to anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, func, select

from zz_pipeline.alerts import deadlines, nights
from zz_pipeline.alerts.trouble import ERROR, OFFICE, WARNING, Kind, Trouble
from zz_pipeline.ledger import audit, unknowns
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import alert_sending, difference, intake, lane, outbox, reconciliation, switch
from zz_pipeline.reports import words
from zz_pipeline.reports.divergent import divergent
from zz_pipeline.settings import Settings
from zz_pipeline.standard.workdays import WorkCalendar

RUNS_LONGEST = 2 * 3600.0  # a reading that is open for longer was left by a run that died
UNKNOWN_FROM = 12 * 3600.0  # unknown since before this night: tonight's run has not settled it either
CREDIT = "credit"
RERUN = ("inspection", "rating", "repair")


@dataclass(frozen=True)
class Look:
    """What every finder asks: one read of the ledger at one moment."""

    settings: Settings
    ledger: Ledger
    conn: Connection
    now: float
    names: dict[str, str] = field(default_factory=dict)

    @cached_property
    def wall(self) -> datetime:
        """The county's wall time."""
        return datetime.fromtimestamp(self.now, self.settings.zone).replace(tzinfo=None)

    @property
    def today(self) -> date:
        """The county's date."""
        return self.wall.date()

    @cached_property
    def calendar(self) -> WorkCalendar:
        """The county's working days."""
        return WorkCalendar.load(self.settings.config_dir / "workdays.csv")

    def name(self, dept: str) -> str:
        """What people call a department."""
        if dept == CREDIT:
            return self.settings.credit.label
        found = self.settings.departments.get(dept)
        return found.short if found else dept or self.settings.county.office

    def label(self, platform: str) -> str:
        """What people call a platform."""
        found = self.settings.platforms.get(platform)
        return found.label if found else platform


def look(settings: Settings, ledger: Ledger, now: float) -> list[Trouble]:
    """Every trouble as it stands at `now` (Unix seconds), the gravest first; nothing is changed."""
    with ledger.read() as conn:
        seen = Look(settings, ledger, conn, now)
        found = [trouble for finder in FINDERS for trouble in finder(seen)]
    found += nights.troubles(settings, ledger, now)
    order = {ERROR: 0, WARNING: 1}
    return sorted(found, key=lambda t: (order.get(t.severity, 2), t.since, t.key))


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _sources(seen: Look) -> Iterator[Trouble]:
    newest = select(func.max(intake.c.id)).group_by(intake.c.dept, intake.c.kind)
    for row in seen.conn.execute(select(intake).where(intake.c.id.in_(newest))):
        what, key = f"{seen.name(row.dept)}的{words.KINDS[row.kind]}", f"source:{row.dept}:{row.kind}"
        dept = row.dept if row.dept in seen.settings.departments else OFFICE
        only = f"--kind {row.kind}" if dept == OFFICE else f"--dept {row.dept}"
        rerun = f"zz backfill {row.day} {row.day} {only}" if row.kind in RERUN else f"zz sync --day {row.day}"
        refused = row.files.count('"state": "REFUSED"')
        died = row.state == "RUNNING" and row.started_at < seen.now - RUNS_LONGEST
        if row.state == "FAILED" or died:
            why = row.error or "读取中断，没有完成。"
            text = (
                f"{what}（{row.day}）没有读到：{why}下次运行会从没读到的地方自动重读；反复出现请联系来源系统的管理员。"
            )
            yield Trouble(key, Kind.SOURCE_FAILED, dept, ERROR, f"{what}没有读到", text, row.started_at, 1, rerun)
        elif refused:
            text = f"{what}（{row.day}）有 {refused} 个文件没有读到，其余已处理。请按当日日报所说的原因改好后重新放入交表文件夹。"
            yield Trouble(
                key, Kind.SOURCE_FAILED, dept, WARNING, f"{what}有文件没读到", text, row.started_at, refused, rerun
            )


def _codes(seen: Look) -> Iterator[Trouble]:
    values: dict[str, list[dict[str, Any]]] = {}
    for row in unknowns.waiting(seen.conn):
        values.setdefault(row["dept"], []).append(row)
    for dept, rows in values.items():
        text = (
            f"{seen.name(dept)}有 {len(rows)} 个代码对照表里没有的值，涉及的记录已退回。"
            f"请执行 zz codes unknown --dept {dept} 查看，与该部门确认后用 zz codes map 登记。"
        )
        since = min(row["first_seen"] for row in rows)
        title = f"{seen.name(dept)}有未知代码"
        yield Trouble(
            f"codes:{dept}",
            Kind.UNKNOWN_CODES,
            dept,
            WARNING,
            title,
            text,
            since,
            len(rows),
            f"zz codes unknown --dept {dept}",
        )


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _lanes(seen: Look) -> Iterator[Trouble]:
    for row in seen.conn.execute(select(lane).where(lane.c.stopped != "")):
        where = f"{seen.name(row.dept)}到{seen.label(row.platform)}的通道"
        text = f"{where}已停用：{row.stopped}。处理好后执行 zz release {row.platform} {row.dept} 恢复。"
        key = f"lane:{row.platform}:{row.dept}"
        yield Trouble(
            key,
            Kind.LANE_STOPPED,
            row.dept,
            ERROR,
            f"{where}已停用",
            text,
            row.taken_at or seen.now,
            1,
            f"zz release {row.platform} {row.dept} --by 姓名 --why 原因",
        )


def _switch(seen: Look) -> Iterator[Trouble]:
    row = seen.conn.execute(select(switch).where(switch.c.name == "stop")).first()
    if row is not None and row.value.strip().lower() not in ("", "0", "off"):
        text = "总开关处于停发状态，没有向任何平台发送。查明原因后执行 zz resume 恢复，下次运行补送。"
        yield Trouble(
            "switch",
            Kind.SWITCHED_OFF,
            OFFICE,
            WARNING,
            "总开关已停发",
            text,
            row.at,
            1,
            "zz resume --by 姓名 --why 原因",
        )


def _unknowns(seen: Look) -> Iterator[Trouble]:
    o = outbox.c
    where = (o.state == "UNKNOWN") & (o.sent_at < seen.now - UNKNOWN_FROM)
    query = select(o.platform, o.dept, func.count(), func.min(o.sent_at), func.min(o.record_key)).where(where)
    for platform, dept, n, since, key in seen.conn.execute(query.group_by(o.platform, o.dept)).tuples():
        where_to = f"{seen.name(dept)}报到{seen.label(platform)}"
        text = (
            f"{where_to}的 {n} 条记录（如 {key}）超过半天仍不知道平台是否收到；查明之前不会重发。"
            f"下次运行会再向平台查询；请看 zz trace {key}，必要时联系平台运维单位。"
        )
        title = f"{where_to}有 {n} 条结果不明"
        yield Trouble(
            f"unknown:{platform}:{dept}", Kind.UNKNOWNS, dept, WARNING, title, text, since, n, f"zz trace {key}"
        )


def _people(seen: Look) -> Iterator[Trouble]:
    o = outbox.c
    query = select(o.platform, o.dept, o.state, func.count(), func.min(o.updated_at), func.min(o.record_key)).where(
        o.state.in_(("CONFLICT", "DEAD"))
    )
    for platform, dept, state, n, since, key in seen.conn.execute(query.group_by(o.platform, o.dept, o.state)).tuples():
        what = f"{seen.name(dept)}在{seen.label(platform)}"
        text = (
            f"{what}有 {n} 条记录“{words.STATES[state]}”（如 {key}）：{words.NEXT[state]}。"
            f"请看 zz why {key}，再用 zz decide {platform} {key} 版本 retry|give_up|adopt 决定。"
        )
        title = f"{what}有 {n} 条等人裁定"
        yield Trouble(
            f"person:{platform}:{dept}:{state}", Kind.PERSON, dept, ERROR, title, text, since, n, f"zz why {key}"
        )


def _credentials(seen: Look) -> Iterator[Trouble]:
    o = outbox.c
    query = select(o.platform, o.dept, func.count(), func.min(o.updated_at)).where(o.state.in_(("READY", "UNKNOWN")))
    for platform, dept, n, since in seen.conn.execute(query.group_by(o.platform, o.dept)).tuples():
        if f"{platform}.{dept}" in seen.settings.credentials:
            continue
        text = (
            f"{seen.name(dept)}没有{seen.label(platform)}的凭证，{n} 条记录一直待报。"
            f"请向平台运维单位领取，写入 secrets.toml 的 [{platform}.{dept}]，再执行 zz doctor 核对。"
        )
        title = f"{seen.name(dept)}缺少{seen.label(platform)}的凭证"
        yield Trouble(f"credential:{platform}:{dept}", Kind.CREDENTIAL, dept, ERROR, title, text, since, 1, "zz doctor")


# ── what the platforms hold ─────────────────────────────────────────────────────────────────────────────────────────────
def _platforms(seen: Look) -> Iterator[Trouble]:
    newest = select(func.max(reconciliation.c.id)).group_by(reconciliation.c.platform)
    d = difference.c
    for row in seen.conn.execute(select(reconciliation).where(reconciliation.c.id.in_(newest))):
        name = seen.label(row.platform)
        if row.state == "FAILED":
            text = f"{name}（{row.day}）没有核对完：{row.error or '核对中断。'}没报出的记录保持待报，下次运行自动续报。"
            yield Trouble(
                f"platform:{row.platform}",
                Kind.PLATFORM,
                OFFICE,
                WARNING,
                f"{name}没有核对完",
                text,
                row.at,
                1,
                f"zz reconcile --day {row.day}",
            )
        lost = (d.reconciliation_id == row.id) & (d.type == "lost")
        n = seen.conn.scalar(select(func.count()).where(lost)) or 0
        if n:
            text = (
                f"{name}的清单里缺少 {n} 条我们已确认的记录。请执行 zz reconcile --plan 查看；"
                "数量多时不会自动补报，须用 zz reconcile --apply --by 姓名 --why 原因 批准。"
            )
            yield Trouble(
                f"lost:{row.platform}",
                Kind.LOST,
                OFFICE,
                ERROR,
                f"{name}缺少 {n} 条记录",
                text,
                row.at,
                n,
                "zz reconcile --plan",
            )


def _withdrawals(seen: Look) -> Iterator[Trouble]:
    for row in divergent(seen.conn, seen.settings, seen.now):
        since = datetime.fromisoformat(row["since"]).replace(tzinfo=seen.settings.zone).timestamp()
        text = (
            f"记录 {row['record']} 已在{'、'.join(row['down']) or '本库'}撤下，{row['platform']}仍在公示"
            f"（{row['state']}），最迟 {row['due']} 须撤净。请看 zz why {row['record']}。"
        )
        severity = ERROR if row["late"] else WARNING
        title = f"记录 {row['record']} 没有撤净"
        yield Trouble(
            f"withdrawal:{row['record']}:{row['platform']}",
            Kind.WITHDRAWAL,
            OFFICE,
            severity,
            title,
            text,
            since,
            1,
            f"zz why {row['record']}",
        )


def _overdue(seen: Look) -> Iterator[Trouble]:
    for group in deadlines.groups(seen.conn, seen.settings, seen.calendar, seen.today):
        near = group.days_left >= 0
        who = f"{seen.name(group.dept)}报{seen.label(group.platform)}"
        title = f"{who}的 {group.count} 条记录{'期限将到' if near else '已超期'}（{group.due}）"
        text = (
            f"{who}的 {group.count} 条记录（如 {group.example}）法定期限是 {group.due}，现在{group.states}。"
            f"请看 zz due 与 zz why {group.example}，先办超期的。"
        )
        since = datetime.fromisoformat(group.due).replace(tzinfo=seen.settings.zone).timestamp()
        kind, severity = (Kind.NEAR_OVERDUE, WARNING) if near else (Kind.OVERDUE, ERROR)
        key = f"due:{group.platform}:{group.dept}:{group.due}"
        yield Trouble(key, kind, group.dept, severity, title, text, since, group.count, "zz due")


# ── ourselves ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _audit(seen: Look) -> Iterator[Trouble]:
    found = audit.verify_new(seen.conn, seen.today)
    if found.broken_at is not None:
        text = (
            f"审计链在第 {found.broken_at} 个事件处断开：它或它之前的事件被改动、删除或插入过。"
            "请立即执行 zz stop，保留数据库原样，报告主管，再用 zz audit verify 逐项核对。"
        )
        yield Trouble(
            "audit",
            Kind.AUDIT_BROKEN,
            OFFICE,
            ERROR,
            "审计链断开",
            text,
            seen.now,
            1,
            "zz stop --by 姓名 --why 原因；zz audit verify",
        )


def _calendar(seen: Look) -> Iterator[Trouble]:
    text = seen.calendar.reminder(seen.today)
    if seen.today.year not in seen.calendar.years or text:
        said = text or f"工作日表没有 {seen.today.year} 年，期限算不出来。请补全 config/workdays.csv。"
        yield Trouble("calendar", Kind.CALENDAR, OFFICE, WARNING, "工作日表缺年份", said, seen.now)


def _not_told(seen: Look) -> Iterator[Trouble]:
    s = alert_sending.c
    query = select(s.channel, func.count(), func.min(s.next_at), func.max(s.error)).where(s.state == "failed")
    for channel, n, since, error in seen.conn.execute(query.group_by(s.channel)).tuples():
        name = {"mail": "邮件", "webhook": "群机器人"}[channel]
        text = f"{n} 条提醒没有经{name}送达：{error}。请改好配置后执行 zz alerts --send --again 重发。"
        yield Trouble(
            f"alerts:{channel}",
            Kind.NOT_TOLD,
            OFFICE,
            ERROR,
            f"提醒没有经{name}送达",
            text,
            since,
            n,
            "zz alerts --send --again",
        )


FINDERS: tuple[Callable[[Look], Iterator[Trouble]], ...] = (
    _audit, _switch, _sources, _lanes, _credentials, _overdue, _withdrawals, _platforms, _people, _unknowns, _codes,
    _calendar, _not_told,
)  # fmt: skip
