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
from zz_pipeline.reports.words import COLUMNS, COUNTED, KINDS, STATES, STEPS, TOTALS

if TYPE_CHECKING:
    from zz_pipeline.delivery.deliver import DeliveryResult
    from zz_pipeline.night import Night, StepResult
    from zz_pipeline.reconcile import ReconcileResult
    from zz_pipeline.reports.balance import Balance

FAILED, WARNED = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
Names = Mapping[str, str]
Steps = Sequence["StepResult"]
ByDay = Mapping[date, "Sequence[StepResult]"]
PREVIEWED = {"pulled": "拉取", "new": "新增", "changed": "更正", "unchanged": "未变", "quarantined": "退回"}
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


def note(
    context: dg.AssetExecutionContext,
    done: ByDay,
    names: Names,
    more: Callable[[Steps, Names], dict[str, Any]] = lambda *_: {},
) -> None:
    """Each day's metadata on its own partition: a run over many days must not show its sum on each of them."""
    for day, results in done.items():
        context.add_asset_metadata(metadata(results, names) | more(results, names), partition_key=day.isoformat())


def metadata(results: Sequence[StepResult], names: Names) -> dict[str, Any]:
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


def previewed(plan: Mapping[str, Any], day: date, names: Names) -> dict[str, Any]:
    """A day of a rehearsal: its sums, a row for each source, and what the whole range would send."""
    rows = [row for row in plan["rows"] if row["day"] == day.isoformat()]
    sums = {said: sum(row[name] for row in rows) for name, said in PREVIEWED.items()}
    cells = [" | ".join(str(row[name]) for name in PREVIEWED) for row in rows]
    lines = [
        f"| {names.get(row['dept'], row['dept'])} | {KINDS[row['kind']]} | {cell} | {row['note']} |"
        for row, cell in zip(rows, cells, strict=True)
    ]
    head = f"| 来源 | 数据类 | {' | '.join(PREVIEWED.values())} | 说明 |"
    table = "\n".join([head, "|-|-|-|-|-|-|-|-|", *lines])
    all_days = {"全部所选日子将报送条次": plan["sends"], "预计报送秒数": float(plan["estimated_seconds"])}
    return {"运行方式": "试运行", **sums, **all_days, "明细": dg.MetadataValue.md(table)}


def returned(night: Night, day: date) -> dict[str, Any]:
    """Open entries of a day by rule, and where each department's 退回清单 lies."""
    from zz_pipeline.reports.returned import returned_by_rule
    from zz_pipeline.returns.workbook import workbook_path

    found = returned_by_rule(night.ledger, day)
    paths = {d.short: workbook_path(night.settings.home, d, day) for d in night.settings.departments.values()}
    lists = {f"退回清单·{name}": dg.MetadataValue.path(str(path)) for name, path in paths.items() if path.exists()}
    return {
        "退回条目": sum(found.values()),
        "退回清单份数": len(lists),
        "按规则": dg.MetadataValue.json(found),
        **lists,
    }


def delivered(done: DeliveryResult, url: str) -> dict[str, Any]:
    """What a delivery run did: requests, rows that came into each state, rows left in each that is not the end."""
    moves = {f"本次{STATES[state]}": n for state, n in done.moves.items()}
    left = {f"现有{STATES[state]}": n for state, n in done.left.items()}
    return {"请求数": done.requests, **moves, **left, "平台地址": dg.MetadataValue.url(url)}


def reconciled(done: ReconcileResult) -> dict[str, Any]:
    """How many records each side has, and the differences."""
    return {COUNTED.get(name, name): n for name, n in done.counts.items()}


def reported(night: Night, day: date, path: Path) -> dict[str, Any]:
    """Where the day report lies, and the figures that stand at its top."""
    files = {"日报": path, "日报数据": path.with_suffix(".json")}
    return {name: dg.MetadataValue.path(str(file)) for name, file in files.items()} | balanced(night.balance(day))


def balanced(done: Balance) -> dict[str, Any]:
    """Both equations as numbers (the UI plots them): the day's totals, and what became of them on each platform."""
    totals = done.totals()
    found: dict[str, Any] = {TOTALS[name]: n for name, n in totals.items()}
    found["退回率（%）"] = round(100 * totals["quarantined"] / totals["pulled"], 1) if totals["pulled"] else 0.0
    found["没读到的来源"] = len(done.failed_sources)
    for platform in done.platforms:
        label = done.names.get(platform.platform, platform.platform)
        found |= {f"{label}·{COLUMNS[word]}": n for word, n in platform.states.items()}
    return found


def check(name: str, passed: bool, text: str, *, warn: bool = False, **more: Any) -> dg.AssetCheckResult:
    """A check result with its Chinese explanation."""
    severity = WARNED if warn else FAILED
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, description=text, metadata=more)


def failures(results: Iterable[StepResult]) -> list[StepResult]:
    """The sources whose step failed."""
    return [r for r in results if r.state == "FAILED"]


def troubles(done: ByDay, names: Names) -> list[str]:
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
