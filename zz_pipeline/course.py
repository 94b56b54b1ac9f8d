"""The course of a night: steps in order over sources and days.

Belongs here: which step follows which, whole nights without Dagster. Must not: what a step does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

from zz_pipeline.delivery.deliver import DeliveryResult
from zz_pipeline.errors import ZzError
from zz_pipeline.night import CREDIT, Night, StepResult
from zz_pipeline.reconcile import ReconcileResult
from zz_pipeline.reports.balance import Balance
from zz_pipeline.reports.day import report_path, write_day_report
from zz_pipeline.returns.replay import write_lists
from zz_pipeline.standard.tables import Kind

CREDIT_KINDS = (Kind.RATING, Kind.REPAIR)
READERS = 4  # sources that are read side by side: a reading may take up to 1 GiB (sources.base.CELLS)
STEPS = ("standardize", "check", "accept")


def one_step(night: Night, step: str, day: date, departments: Sequence[str], credit_too: bool) -> list[StepResult]:
    """One step of a day over all sources; ratings and repairs come after the departments.

    A night's acceptance ends with what is public past its period: it is taken down by the delivery that follows.
    """
    results: list[StepResult] = []
    for kind, sources in ((Kind.INSPECTION, departments), *((k, (CREDIT,)) for k in CREDIT_KINDS if credit_too)):
        results += of_kind(night, step, day, kind, sources)
    if step == "accept" and credit_too:
        results.append(night.end_publicity(day))
    return [r for r in results if r.state != "SKIPPED"]


def of_kind(night: Night, step: str, day: date, kind: Kind, sources: Sequence[str]) -> list[StepResult]:
    """One step of a day over some sources of one kind; a source that was not read is SKIPPED."""
    if step == "check":
        return night.check(kind, day, sources)
    return [getattr(night, step)(dept, kind, day) for dept in sources]


def every_source(night: Night, step: str, days: Sequence[date]) -> list[StepResult]:
    """One step over all sources and days, days oldest first; the first one looks at the county's tables before."""
    if step == STEPS[0]:
        night.load_all()
    return [r for day in days for r in one_step(night, step, day, night.reporting, credit_too=True)]


def returned_lists(night: Night, days: Sequence[date]) -> list[StepResult]:
    """Write the 退回清单 of all departments for these days; what could not be written, empty if all were."""
    return write_lists(night, night.reporting, set(days))


@dataclass(slots=True)
class NightResult:
    """A whole night: what each step did, and the balance at its end."""

    day: date
    steps: list[StepResult] = field(default_factory=list)
    deliveries: dict[str, DeliveryResult] = field(default_factory=dict)
    reconciled: dict[str, ReconcileResult] = field(default_factory=dict)
    balance: Balance | None = None
    report: str = ""

    @property
    def failed(self) -> list[StepResult]:
        """Sources that failed in some step."""
        return [s for s in self.steps if s.state == "FAILED"]

    def balanced_or_fail(self) -> Balance:
        """The balance; ZzError if the night ended before it was counted."""
        if self.balance is None:
            raise ZzError("这一夜没有走到平衡一步，请重新运行 zz sync。")
        return self.balance


Progress = Callable[[str, int, int], None]


def read_all(
    night: Night, day: date, departments: Sequence[str], progress: Progress, *, credit_too: bool
) -> list[StepResult]:
    """Read the sources of a day side by side, so that a slow one costs its own time-out and nobody else's.

    They are opened in the book in order, and what they gave is told in that order.
    """
    sources = [(Kind.INSPECTION, dept) for dept in departments]
    sources += [(kind, CREDIT) for kind in CREDIT_KINDS if credit_too]
    opened = [night.open(kind, dept, day) for kind, dept in sources]
    results = []
    with ThreadPoolExecutor(READERS, thread_name_prefix="read") as pool:
        for n, result in enumerate(pool.map(night.read, opened), 1):
            results.append(result)
            progress(f"读取 {day}", n, len(opened))
    return results


def take_in(night: Night, day: date, progress: Progress, departments: Sequence[str] | None = None) -> list[StepResult]:
    """Pull, standardize, check and accept one day; all sources, or the named departments without the credit platform."""
    keys = list(departments or night.reporting)
    results = read_all(night, day, keys, progress, credit_too=departments is None)
    for n, step in enumerate(STEPS, 1):
        results += one_step(night, step, day, keys, credit_too=departments is None)
        progress(f"检查入库 {day}", n, len(STEPS))
    return results + write_lists(night, keys, {day})


def whole_night(night: Night, day: date, progress: Progress = lambda *_: None) -> NightResult:
    """One day through every step, without Dagster. The caller looks at `balance`."""
    night.load_all()
    result = NightResult(day, take_in(night, day, progress))
    send(night, [day], result, progress)
    return result


def send(
    night: Night,
    days: Sequence[date],
    result: NightResult,
    progress: Progress,
    platforms: Sequence[str] = (),
    lanes: Sequence[str] | None = None,
) -> None:
    """Deliver to every platform, the entry platform first, then reconcile, balance and report the given days.

    platforms, lanes: only these platforms and departments. What was done in part is no night: it gets no new report.
    """
    part = bool(platforms) or lanes is not None
    names = [t.name for t in night.targets if t.name in platforms or not platforms]
    for n, name in enumerate(names, 1):
        result.deliveries[name] = night.deliver(name, lanes=lanes)
        progress("报送", n, len(names))
    asked = {name: night.reconcile_days(name, days) for name in names}
    for n, day in enumerate(days, 1):
        result.reconciled |= {name: found[day] for name, found in asked.items()}
        result.balance = night.balance(day)
        if not part or report_path(night.settings, day).exists():
            result.report = str(write_day_report(night, day))
        progress("核对", n, len(days))
