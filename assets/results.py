"""Core results → Dagster metadata and check results.

Belongs here: shapes that the UI shows well. Must not: contents of records, decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from zz_pipeline.delivery.deliver import DeliveryResult
    from zz_pipeline.night import StepResult

WORDS = {
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
    "DEAD": "待人处理",
}
FAILED, WARNED = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def metadata(results: Sequence[StepResult]) -> dict[str, Any]:
    """Sums over sources as numbers (the UI plots them), and one table row a source."""
    sums: dict[str, Any] = {}
    for result in results:
        for name, value in result.counts.items():
            if isinstance(value, int):
                sums[name] = sums.get(name, 0) + value
    rows = [f"| {r.dept} | {r.kind} | {r.state} | {_counts(r)} | {r.error} |" for r in results]
    table = "\n".join(["| 来源 | 数据类 | 状态 | 数量 | 说明 |", "|-|-|-|-|-|", *rows])
    return {
        **sums,
        "失败来源数": sum(not r.ok and r.state == "FAILED" for r in results),
        "明细": dg.MetadataValue.md(table),
    }


def delivered(done: DeliveryResult) -> dict[str, Any]:
    """What a delivery run did: requests, rows that came into each state, rows left in each state."""
    moves = {f"本次 {WORDS[state]}": n for state, n in done.moves.items()}
    left = {f"现有 {WORDS[state]}": n for state, n in done.left.items()}
    return {"请求数": done.requests, **moves, **left}


def check(name: str, passed: bool, text: str, *, warn: bool = False, **more: Any) -> dg.AssetCheckResult:
    """A check result with its Chinese explanation."""
    severity = WARNED if warn else FAILED
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, description=text, metadata=more)


def failures(results: Iterable[StepResult]) -> list[StepResult]:
    """The sources whose step failed."""
    return [r for r in results if r.state == "FAILED"]


def said(results: Iterable[StepResult], fine: str) -> str:
    """One Chinese sentence on what failed, or `fine`."""
    failed = failures(results)
    return "；".join(f"{r.dept}：{r.error}" for r in failed) if failed else fine


def _counts(result: StepResult) -> str:
    return "，".join(f"{k} {v}" for k, v in result.counts.items() if v not in ([], {}, ""))
