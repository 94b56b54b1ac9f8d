"""Core results → Dagster metadata, check results and failures: what an operator reads in the UI.

Belongs here: shapes and words. Must not: contents of records, decisions.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from zz_pipeline.errors import ZzError
from zz_pipeline.reports.words import COUNTED, KINDS, STATES, STEPS, TOTALS

if TYPE_CHECKING:
    from zz_pipeline.delivery.deliver import DeliveryResult
    from zz_pipeline.night import Night, StepResult
    from zz_pipeline.reconcile import ReconcileResult
    from zz_pipeline.reports.balance import Balance

FAILED, WARNED = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
ByDay = Mapping[date, "Sequence[StepResult]"]
Told = Iterator[dg.MaterializeResult | dg.AssetCheckResult]


def spoken(step: Callable[..., Told]) -> Callable[..., Told]:
    """An asset whose exceptions reach Dagster's event log as one Chinese sentence without contents of records.

    A stranger's message (a driver's, say) may quote the row it failed on: only its class and place are told.
    """

    @functools.wraps(step)
    def run(*args: Any, **more: Any) -> Told:
        try:
            yield from step(*args, **more)
        except dg.Failure:
            raise
        except ZzError as error:
            raise dg.Failure(str(error), allow_retries=error.retry) from None
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__}，{Path(place.filename).name}:{place.lineno}"
            said = (
                f"这一步因程序错误中断（{where}）。已写入业务库的不受影响，重新运行即可续做；再次出现请联系技术人员。"
            )
            raise dg.Failure(said, allow_retries=False) from None

    return run


def named(night: Night) -> dict[str, str]:
    """Key of a department (or `credit`, `office`) → what people call it."""
    settings = night.settings
    others = {"credit": settings.credit.label, "office": settings.county.office}
    return {key: d.short for key, d in settings.departments.items()} | others


def note(context: dg.AssetExecutionContext, done: ByDay, names: Mapping[str, str]) -> None:
    """Each day's metadata on its own partition: a run over many days must not show its sum on each of them."""
    for day, results in done.items():
        context.add_asset_metadata(metadata(results, names), partition_key=day.isoformat())


def metadata(results: Sequence[StepResult], names: Mapping[str, str]) -> dict[str, Any]:
    """Sums over sources as numbers (the UI plots them), and one table row a source."""
    sums: dict[str, Any] = {}
    for result in results:
        for name, value in result.counts.items():
            if isinstance(value, int):
                sums[name] = sums.get(name, 0) + value
    rows = [
        f"| {names.get(r.dept, r.dept)} | {KINDS[r.kind]} | {STEPS[r.state]} | {_counts(r)} | {r.error} |"
        for r in results
    ]
    table = "\n".join(["| 来源 | 数据类 | 结果 | 数量 | 说明 |", "|-|-|-|-|-|", *rows])
    return {**sums, "失败来源数": len(failures(results)), "明细": dg.MetadataValue.md(table)}


def delivered(done: DeliveryResult) -> dict[str, Any]:
    """What a delivery run did: requests, rows that came into each state, rows left in each state."""
    moves = {f"本次{STATES[state]}": n for state, n in done.moves.items()}
    left = {f"现有{STATES[state]}": n for state, n in done.left.items()}
    return {"请求数": done.requests, **moves, **left}


def reconciled(done: ReconcileResult) -> dict[str, Any]:
    """How many records each side has, and the differences."""
    return {COUNTED.get(name, name): n for name, n in done.counts.items()}


def balanced(done: Balance) -> dict[str, Any]:
    """The first equation's numbers."""
    return {TOTALS[name]: n for name, n in done.totals().items()}


def check(name: str, passed: bool, text: str, *, warn: bool = False, **more: Any) -> dg.AssetCheckResult:
    """A check result with its Chinese explanation."""
    severity = WARNED if warn else FAILED
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, description=text, metadata=more)


def failures(results: Iterable[StepResult]) -> list[StepResult]:
    """The sources whose step failed."""
    return [r for r in results if r.state == "FAILED"]


def troubles(done: ByDay, names: Mapping[str, str]) -> list[str]:
    """A Chinese sentence for each source whose step failed and for each file of it that could not be read."""
    found = []
    for day, results in done.items():
        found += [f"{day} {names.get(r.dept, r.dept)}：{r.error}" for r in failures(results)]
        found += [
            f"{day} {names.get(r.dept, r.dept)}：{text}" for r in results for text in r.counts.get("被拒文件", ())
        ]
    return found


def _counts(result: StepResult) -> str:
    return "，".join(f"{k} {_said(v)}" for k, v in result.counts.items() if v not in ([], {}, ""))


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "、".join(f"{k} {v}" for k, v in value.items())
    return "；".join(map(str, value)) if isinstance(value, list) else str(value)
