"""What may be wrong: kinds of trouble and their severities, as values.

Belongs here: the dataclass, the kinds and their Chinese names. Must not: finding troubles, sending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

OFFICE = ""  # the department of a trouble that concerns the whole county


class Kind(StrEnum):
    """What sort of trouble; the value is what the ledger keeps."""

    SOURCE_FAILED = "source_failed"
    NIGHT_UNBALANCED = "night_unbalanced"
    NIGHT_LATE = "night_late"
    NIGHT_DONE = "night_done"  # no trouble: the message whose absence is one
    NEAR_OVERDUE = "near_overdue"
    OVERDUE = "overdue"
    WITHDRAWAL = "withdrawal"
    UNKNOWNS = "unknowns"
    UNKNOWN_CODES = "unknown_codes"
    PERSON = "person"
    LANE_STOPPED = "lane_stopped"
    SWITCHED_OFF = "switched_off"
    PLATFORM = "platform"
    LOST = "lost"
    CREDENTIAL = "credential"
    CALENDAR = "calendar"
    AUDIT_BROKEN = "audit_broken"
    NOT_TOLD = "not_told"


LABELS: Mapping[Kind, str] = {
    Kind.SOURCE_FAILED: "来源没有读到",
    Kind.NIGHT_UNBALANCED: "当夜不平衡",
    Kind.NIGHT_LATE: "夜间未完成",
    Kind.NIGHT_DONE: "夜间已完成",
    Kind.NEAR_OVERDUE: "期限将到",
    Kind.OVERDUE: "已超期",
    Kind.WITHDRAWAL: "未撤净",
    Kind.UNKNOWNS: "结果不明",
    Kind.UNKNOWN_CODES: "未知代码",
    Kind.PERSON: "等人裁定",
    Kind.LANE_STOPPED: "通道停用",
    Kind.SWITCHED_OFF: "总开关停发",
    Kind.PLATFORM: "平台没有核对完",
    Kind.LOST: "平台缺少记录",
    Kind.CREDENTIAL: "缺少凭证",
    Kind.CALENDAR: "工作日表缺年",
    Kind.AUDIT_BROKEN: "审计链断开",
    Kind.NOT_TOLD: "提醒没有送达",
}
INFO, WARNING, ERROR = "info", "warning", "error"
RANKS: Mapping[str, int] = {INFO: 0, WARNING: 1, ERROR: 2}
SEVERITIES: Mapping[str, str] = {INFO: "通知", WARNING: "提醒", ERROR: "告警"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble as it stands now.

    key: the same trouble has the same key at every look · department: key of its department, "" for the office ·
    title, text: Chinese, what happened, to which record or department, what to do · since: Unix seconds ·
    size: how many records; twice as many is worse · command: what a person types now, empty if it is no command.
    """

    key: str
    kind: Kind
    department: str
    severity: str
    title: str
    text: str
    since: float
    size: int = 1
    command: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self) | {"label": LABELS[self.kind]}
