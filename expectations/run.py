"""The check: a standard table through the GX suite of its kind; a verdict for each rule and row.

Belongs here: the only GX context, running a suite, reading its results strictly. Must not: rules, conditions, the split.
GX costs 6–18 s to import, so it is imported inside functions only, once a process, and not at all for an empty table.

Row verdicts are each expectation's own condition metric, resolved by GX's engine and nothing more: a validation builds
every configuration some ninety times and wraps the same verdicts into a result that does not name the rows (1.4 s of
processor time for a frame of one row, against 0.3 s; decision 0016). GX turns exceptions into success=False and calls
a column without values a success, so `success` is not asked for: a verdict that is missing is an error of the check.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from expectations.across import facts
from expectations.catalogue import RULES
from expectations.frame import Senders, Setting, inspection_frame, rating_frame, repair_frame
from expectations.outcome import Breach, Tally
from expectations.pieces import Places, Slice, pieces, take
from zz_pipeline.errors import CheckError
from zz_pipeline.history import History
from zz_pipeline.quality import CheckOutcome
from zz_pipeline.settings import Department
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import TABLES, Kind, Rows

FRAMES: dict[Kind, Callable[[pa.Table, Senders, Setting], pd.DataFrame]] = {
    Kind.INSPECTION: inspection_frame,
    Kind.RATING: rating_frame,
    Kind.REPAIR: repair_frame,
}
KEPT_ROWS = 20_000  # of longer frames what the conditions select is not kept: some twenty of them, all columns
# GX's context and its registry of metrics are shared by the process; departments may be checked by several threads.
_LOCK = threading.Lock()


def check_table(
    table: pa.Table,
    kind: str,
    *,
    lists: Lists,
    department: Department,
    day: date,
    now: datetime,
    regions: Collection[str],
    history: History | None = None,
) -> CheckOutcome:
    """Check a standard table of one sender; CheckError if any rule could not be evaluated.

    `day` is the partition, `now` the county's wall time without zone, `regions` the known regions (six digits) and
    provinces (two digits) as `CodeBook.uscc_regions` gives them; without `history` the rules over time are silent.
    """
    setting = Setting(lists, department, day, now, frozenset(regions))
    [outcome] = _together([Part(table, setting)], Kind(kind), history or History())
    if isinstance(outcome, CheckError):
        raise outcome
    return outcome


def check_parts(
    parts: Sequence[tuple[Rows, Department]],
    kind: str,
    *,
    lists: Lists,
    day: date,
    now: datetime,
    regions: Collection[str],
    history: History | None = None,
) -> list[CheckOutcome | CheckError]:
    """Check many senders' tables in one validation: GX costs by expectation, not by row, and a county has 25 senders.

    One outcome or CheckError for each part, in order; `RuleStat.evaluated` counts the rows of the whole validation. If
    the common validation fails, each part is checked alone, so that only the part that cannot be checked stops.
    """
    which, known = Kind(kind), history or History()
    ready = [Part(table, Setting(lists, department, day, now, frozenset(regions))) for table, department in parts]
    try:
        return _together(ready, which, known)
    except CheckError:
        return [_alone(part, which, known) for part in ready]


@dataclass(frozen=True, slots=True)
class Part:
    """One sender's table and what it is measured against."""

    table: Rows
    setting: Setting


def frames(parts: Sequence[Part], kind: Kind, history: History, failed: dict[int, CheckError]) -> Iterator[Frame]:
    """The parts as frames of bounded size, with the facts across rows; a part that makes none is noted in `failed`."""
    for n, part in enumerate(parts):
        if missing := [name for name in TABLES[kind].schema.names if name not in part.table.column_names]:
            failed[n] = CheckError(
                f"送检的{TABLES[kind].label}表缺少列：{'、'.join(missing)}。这一批记录未放行，请联系技术人员。"
            )
    good = [n for n in range(len(parts)) if n not in failed]
    across = _facts(kind, [parts[n] for n in good], history)
    starts = np.cumsum([0, *(parts[n].table.num_rows for n in good)])
    senders = _Senders(parts, kind, good)
    for group in pieces([parts[n].table for n in good]):
        senders.keep_only(group)
        made = []
        for slices in _joined(group, senders, failed):
            rows = np.concatenate([s.rows for s in slices.slices])
            at = np.concatenate([starts[s.part] + s.rows for s in slices.slices])
            number = np.concatenate([np.full(len(s.rows), good[s.part]) for s in slices.slices])
            made.append((slices.frame.assign(**{name: values[at] for name, values in across.items()}), number, rows))
        if made:
            yield Frame(
                pd.concat([frame for frame, _, _ in made], ignore_index=True) if len(made) > 1 else made[0][0],
                np.concatenate([number for _, number, _ in made]),
                np.concatenate([rows for _, _, rows in made]),
            )


@dataclass(frozen=True, slots=True)
class _Made:
    """A frame, and the slices whose rows it holds one after the other."""

    frame: pd.DataFrame
    slices: Sequence[Slice]


@dataclass(slots=True)
class _Senders:
    """The parts that can be checked; `good` are their numbers. Only the tables of the frame at hand are held."""

    parts: Sequence[Part]
    kind: Kind
    good: Sequence[int]
    held: dict[int, pa.Table] = field(default_factory=dict)

    def keep_only(self, group: Sequence[Slice]) -> None:
        """Forget the tables of which this group has no rows."""
        wanted = {piece.part for piece in group}
        self.held = {part: table for part, table in self.held.items() if part in wanted}

    def setting(self, piece: Slice) -> Setting:
        """What the sender's rows are measured against."""
        return self.parts[self.good[piece.part]].setting

    def rows(self, piece: Slice) -> pa.Table:
        """The rows, with the columns of the standard."""
        if piece.part not in self.held:
            self.held[piece.part] = self.parts[self.good[piece.part]].table.select(TABLES[self.kind].schema.names)
        return take(self.held[piece.part], piece.rows)


def _joined(group: Sequence[Slice], senders: _Senders, failed: dict[int, CheckError]) -> Iterator[_Made]:
    """One frame of all slices; if that cannot be made, one of each, so that only the part at fault stops."""
    frame = _frame(group, senders)
    if not isinstance(frame, CheckError):
        yield _Made(frame, group)
        return
    for piece in group:
        frame = _frame([piece], senders)
        if isinstance(frame, CheckError):
            failed.setdefault(senders.good[piece.part], frame)
        else:
            yield _Made(frame, [piece])


@dataclass(frozen=True, slots=True)
class Frame:
    """What GX looks at, and for each of its rows the part it came from and its place in that part's table."""

    rows: pd.DataFrame
    part: Places
    place: Places


def _together(parts: Sequence[Part], kind: Kind, history: History) -> list[CheckOutcome | CheckError]:
    failed: dict[int, CheckError] = {}
    tally = Tally(kind, len(parts))
    for frame in frames(parts, kind, history, failed):
        breaches = run_kind(kind, frame.rows)
        tally.add(frame.rows, frame.part, frame.place, breaches)
    return [failed.get(n) or tally.outcome(n) for n in range(len(parts))]


def run_kind(kind: Kind, frame: pd.DataFrame) -> list[Breach]:
    """The suite of a kind over a frame, one frame at a time in this process."""
    with _LOCK:
        return list(_run(_asked_of(kind), frame))


def _alone(part: Part, kind: Kind, history: History) -> CheckOutcome | CheckError:
    try:
        return _together([part], kind, history)[0]
    except CheckError as error:
        return error


def _facts(kind: Kind, parts: Sequence[Part], history: History) -> dict[str, Any]:
    """Facts across rows; only inspections have them."""
    if kind is not Kind.INSPECTION or not parts:
        return {}
    try:
        return facts([(p.table, p.setting.department) for p in parts], parts[0].setting.day, history)
    except Exception as error:  # whatever it was, an unchecked batch must not go on; its text may quote a record
        raise _unarranged(kind, error) from error


@cache
def context() -> Any:
    """The process's ephemeral GX context: no files, no analytics, no progress bars."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # GX quotes values of rows in its warnings; values never enter a log.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    made = gx.get_context(mode="ephemeral")
    made.enable_analytics(False)
    made.variables.progress_bars = ProgressBarsConfig(globally=False)
    return made


@cache
def suite(kind: Kind) -> Any:
    """The GX suite of a kind, built once a process."""
    context()
    import great_expectations as gx

    from expectations.suites import inspection, rating

    builders = {Kind.INSPECTION: inspection.expectations, Kind.RATING: rating.ratings, Kind.REPAIR: rating.repairs}
    return gx.ExpectationSuite(name=str(kind), expectations=builders[kind]())


@dataclass(frozen=True, slots=True)
class Judgement:
    """One expectation: what it stands for, and the metric whose value says which rows break it."""

    rule: str
    field: str
    severity: str
    locate: bool
    condition: Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A suite as GX's engine is asked about it: a judgement an expectation, and what their metrics are made of."""

    judgements: tuple[Judgement, ...]
    edges: tuple[Any, ...]


@cache
def _asked_of(kind: Kind) -> Asked:
    return asked(suite(kind))


def asked(gx_suite: Any) -> Asked:
    """The metrics of a suite; the same for every frame, and as dear as judging a thousand rows."""
    context()
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validation_graph import ValidationGraph

    graph = ValidationGraph(execution_engine=PandasExecutionEngine())
    judgements = tuple(_judgement(expectation) for expectation in gx_suite.expectations)
    for judgement in judgements:
        graph.build_metric_dependency_graph(judgement.condition)
    return Asked(judgements, tuple(graph.edges))


def _judgement(expectation: Any) -> Judgement:
    from great_expectations.expectations.registry import get_metric_kwargs
    from great_expectations.validator.metric_configuration import MetricConfiguration

    name = f"{expectation.map_metric}.condition"
    kwargs = get_metric_kwargs(metric_name=name, configuration=expectation.configuration, runtime_configuration={})
    meta: dict[str, Any] = expectation.meta  # what `suites.words.meta` wrote
    return Judgement(
        rule=meta["rule"],
        field=meta["field"] or RULES[meta["rule"]].field,
        severity=meta["severity"] or RULES[meta["rule"]].severity,
        locate=meta["locate"],
        condition=MetricConfiguration(name, kwargs["metric_domain_kwargs"], kwargs["metric_value_kwargs"]),
    )


def run_suite(gx_suite: Any, frame: pd.DataFrame) -> Iterator[Breach]:
    """Every expectation of a suite over a frame; CheckError for the first one that could not be evaluated."""
    return _run(asked(gx_suite), frame)


def _run(ask: Asked, frame: pd.DataFrame) -> Iterator[Breach]:
    values = _values(ask, frame)
    for judgement in ask.judgements:
        evaluated, rows = _judged(judgement, values.get(judgement.condition.id))
        yield Breach(judgement.rule, judgement.field, judgement.severity, judgement.locate, evaluated, rows)


def _values(ask: Asked, frame: pd.DataFrame) -> dict[Any, Any]:
    """Values of all metrics over a frame, by GX's engine; CheckError as soon as one of them cannot be had."""
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validation_graph import ValidationGraph

    engine = PandasExecutionEngine(batch_data_dict={"batch": frame})
    if len(frame) <= KEPT_ROWS:
        # set on the object: GX finds metrics by the engine's class name, so a subclass would have none
        engine.get_domain_records = _kept(engine.get_domain_records)
    try:
        graph = ValidationGraph(execution_engine=engine, edges=list(ask.edges))
        values, _ = graph.resolve({"catch_exceptions": False}, show_progress_bars=False)
    except Exception as error:  # whatever it was, an unchecked batch must not go on
        failed = error
    else:
        return values
    # outside of the handler, so that nothing hangs on it: GX's words on an error may quote a record
    raise _broken(_rule_of(ask, failed), type(_first_cause(failed)).__name__)


def _kept(records: Callable[[dict[str, Any]], pd.DataFrame]) -> Callable[[dict[str, Any]], pd.DataFrame]:
    """What a condition selects, looked up once for one frame: GX asks anew for every metric of every field."""
    found: dict[str, pd.DataFrame] = {}

    def selected(domain_kwargs: dict[str, Any]) -> pd.DataFrame:
        condition = domain_kwargs.get("row_condition")
        if not condition or not {"column_A", "column_list"}.isdisjoint(domain_kwargs):  # these drop rows besides
            return records(domain_kwargs)
        key = repr(condition)
        if key not in found:
            found[key] = records(domain_kwargs)
        return found[key]

    return selected


def _judged(judgement: Judgement, value: Any) -> tuple[int, Places]:
    """How many rows a condition looked at, and the numbers of those that break it."""
    broken = value[0] if value else None
    if not isinstance(broken, pd.Series) or not pd.api.types.is_bool_dtype(broken.dtype) or broken.hasnans:
        raise _broken(judgement.rule, "没有给出结果")
    return len(broken), broken.index.to_numpy()[broken.to_numpy(dtype=bool)]


def _rule_of(ask: Asked, error: Exception) -> str:
    """The first rule that needs a metric which failed; empty if it was none of theirs."""
    failed = {metric.id for metric in getattr(error, "failed_metrics", ())}
    return next((j.rule for j in ask.judgements if _needs(j.condition, failed)), "")


def _needs(metric: Any, failed: set[Any]) -> bool:
    return metric.id in failed or any(_needs(one, failed) for one in metric.metric_dependencies.values())


def _first_cause(error: BaseException) -> BaseException:
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def _broken(rule: str, why: str) -> CheckError:
    """`why`: the class of the exception and nothing of its text, which may quote a record."""
    which = f"规则 {rule}（{RULES[rule].label}）" if rule in RULES else "质量检查"
    return CheckError(f"{which}没有检查成（{why}）。没检查成不等于合格，这一批记录一条也未放行。请联系技术人员。")


def _frame(group: Sequence[Slice], senders: _Senders) -> pd.DataFrame | CheckError:
    settings = [senders.setting(piece) for piece in group]
    try:
        tables = [senders.rows(piece) for piece in group]
        of_row = np.repeat(np.arange(len(group), dtype=np.int64), [table.num_rows for table in tables])
        names = Senders(tuple(setting.department for setting in settings), of_row)
        return FRAMES[senders.kind](pa.concat_tables(tables).combine_chunks(), names, settings[0])
    except Exception as error:  # whatever it was, an unchecked batch must not go on; its text may quote a record
        return _unarranged(senders.kind, error)


def _unarranged(kind: Kind, error: Exception) -> CheckError:
    return CheckError(
        f"送检的{TABLES[kind].label}表无法整理成检查用表（{type(error).__name__}）。这一批记录未放行，请联系技术人员。"
    )
