"""The words in which states, steps and kinds of data are told to people, the same in reports and in Dagster's UI.

Belongs here: tables key → Chinese. Must not: imports that cost time (Dagster's shell loads this), figures.
"""

from __future__ import annotations

from collections.abc import Mapping

# states of an outbox row
STATES: Mapping[str, str] = {
    "READY": "待发送",
    "INFLIGHT": "发送中",
    "ACCEPTED": "待回执",
    "CONFIRMED": "已确认",
    "REJECTED": "平台拒收",
    "UNKNOWN": "结果不明",
    "HELD": "暂缓",
    "BLOCKED": "不予公示",
    "NOT_APPLICABLE": "不适用",
    "CANCELLED": "已取消",
    "CONFLICT": "内容冲突",
    "DEAD": "多次失败",
}
# what happens next with a row that is not where it should end
NEXT: Mapping[str, str] = {
    "CONFLICT": "平台与本库内容不同，须由人裁定",
    "DEAD": "多次未成，须由人处理",
    "UNKNOWN": "先向平台查询，再决定是否重发",
    "REJECTED": "退回部门更正后重新报送",
    "HELD": "补齐条件后自动报送",
    "READY": "下次运行自动报送",
    "INFLIGHT": "下次运行先查询结果",
    "ACCEPTED": "下次运行继续取回执",
    "BLOCKED": "依规定不公示，无需处理",
}
# what became of a reading, and of a step with it
INTAKE: Mapping[str, str] = {
    "OK": "已读",
    "EMPTY": "无新数据",
    "NONE": "零报送",
    "FAILED": "没有读到",
    "RUNNING": "中断",
}
STEPS: Mapping[str, str] = {**INTAKE, "OK": "完成", "FAILED": "失败", "SKIPPED": "跳过"}
KINDS: Mapping[str, str] = {
    "inspection": "检查结果",
    "rating": "信用评价",
    "repair": "信用修复",
    "expiry": "公示期满",
    "withdraw": "撤回与恢复",
}
# columns of the promise
COLUMNS: Mapping[str, str] = {
    "confirmed": "已确认",
    "rejected": "平台拒收",
    "held": "暂缓",
    "blocked": "不予公示",
    "not_applicable": "不适用",
    "cancelled": "已取消",
    "pending": "待办",
    "unknown": "结果不明",
}
TOTALS: Mapping[str, str] = {"pulled": "拉取", "unchanged": "未变", "quarantined": "退回", "accepted": "接收"}
# reconciliation: its end, and its differences
RECONCILED: Mapping[str, str] = {"OK": "一致", "DIFFERS": "有差异", "FAILED": "没有核对完"}
DIFFERENCES: Mapping[str, str] = {
    "lost": "平台缺少",
    "unexpected": "平台多出",
    "altered": "内容不同",
    "stale": "平台仍是旧版",
    "duplicate": "平台重复",
    "recovered": "查明已到",
}
COUNTED: Mapping[str, str] = {"ours": "本库应有", "theirs": "平台实有", **DIFFERENCES}

# what an answer says of a batch (delivery.protocol.Effect), and what is known of a call that was no answer (Transport)
OUTCOMES: Mapping[str, str] = {
    "JUDGED": "平台逐条答复",
    "TAKEN_IN": "平台已收下，待回执",
    "ASK": "平台已处理，须逐条查询结果",
    "NOTHING": "平台没有入库，稍后再报",
    "POISON": "整批未入库（其中有数据问题），拆批重报",
    "STOP": "整批未入库，须由人查看",
    "BUSY": "平台繁忙，未入库，稍后再报",
    "AUTH": "平台不接受凭证，未入库",
    "SESSION": "会话到期，未入库，已换会话",
    "LOST": "平台丢失了已收下的批次，先查询",
    "NO_CONNECT": "连接没有建立，没有发出",
    "UNKNOWN": "没有得到明确答复，不知道是否收到",
    "ANSWERED": "已答复",
    "NOT_SENT": "没有发出",
    "": "没有应答（中断）",
}
# what an answer says of one record (delivery.protocol.Finding)
FINDINGS: Mapping[str, str] = {
    "STORED": "已入库",
    "REFUSED": "平台拒收",
    "ABSENT": "平台上没有",
    "DIFFERENT": "平台上是别的内容",
    "PENDING": "处理中",
    "UNSAID": "没有说明",
}
DECISIONS: Mapping[str, str] = {
    "retry": "重新查询或重发",
    "give_up": "放弃，不再发送",
    "adopt": "以平台现有内容为准",
}
# how a department's source is read
SOURCES: Mapping[str, str] = {
    "database": "数据库",
    "workbook": "工作簿",
    "csv": "CSV 文件",
    "http": "接口",
    "none": "零报送",
}


def basis(rule: str) -> str:
    """What a decision rests on, as people read it; empty for a platform's code or a note of ours."""
    if rule.startswith("standard "):
        return f"县数据标准 {rule.removeprefix('standard ')}"
    return rule if any("\u4e00" <= c <= "\u9fff" for c in rule) else ""
