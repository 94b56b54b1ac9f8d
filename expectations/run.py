"""The check: a standard table through the GX suite of its kind; a verdict for each rule and row.

Belongs here: the only GX context, running a suite, reading its results strictly. Must not: rules, conditions, the split.
GX costs 6–18 s to import, so it is imported inside functions only, once a process, and not at all for an empty table.

Row verdicts are the expectation's own condition metric, resolved on the engine that ran the suite: COMPLETE with index
columns loops over bad rows (2 300 rows/s at 75 % bad, measured). GX turns exceptions into success=False and calls a
column without values a success, so neither `success` is believed: a count that is missing is an error of the check.
"""

from __future__ import annotations

import logging
import re
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
from zz_pipeline.quality import CheckOutcome, Rows
from zz_pipeline.settings import Department
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import TABLES, Kind

FRAMES: dict[Kind, Callable[[pa.Table, Senders, Setting], pd.DataFrame]] = {
    Kind.INSPECTION: inspection_frame,
    Kind.RATING: rating_frame,
    Kind.REPAIR: repair_frame,
}
# BASIC gives the counts; the values themselves may be personal and never enter a result.
RESULT_FORMAT = {"result_format": "BASIC", "exclude_unexpected_values": True, "partial_unexpected_count": 0}
NO_ROWS: Places = np.empty(0, np.int64)
KEPT_ROWS = 20_000  # of longer frames what the conditions select is not kept: some twenty of them, all columns
# GX's context and its registry of metrics are shared by the process; departments may be checked by several threads.
_LOCK = threading.Lock()
# The line of a traceback that names the exception: the first one is the cause, GX's own wrapping comes after it.
_RAISED = re.compile(r"^(?:\w+\.)*([A-Za-z_]\w*)(?::|$)", re.M)


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
        breaches = _locked_run(kind, frame.rows)
        tally.add(frame.rows, frame.part, frame.place, breaches)
    return [failed.get(n) or tally.outcome(n) for n in range(len(parts))]


def _locked_run(kind: Kind, frame: pd.DataFrame) -> list[Breach]:
    with _LOCK:
        return list(run_suite(suite(kind), frame))


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


def run_suite(gx_suite: Any, frame: pd.DataFrame) -> Iterator[Breach]:
    """Every expectation of a suite over a frame; CheckError for the first one that could not be evaluated."""
    context()
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    engine = PandasExecutionEngine(batch_data_dict={"batch": frame})
    if len(frame) <= KEPT_ROWS:
        engine.get_domain_records = _kept(engine.get_domain_records)  # type: ignore[method-assign, assignment]  # - GX finds metrics by the engine's class name, so a subclass would have none
    validator = Validator(execution_engine=engine, data_context=context())
    configurations = gx_suite.expectation_configurations
    results = validator.graph_validate(configurations, runtime_configuration={"result_format": RESULT_FORMAT})
    if len(results) != len(configurations):
        raise CheckError("质量检查的结果与规则数目不符，这一批记录未放行。请联系技术人员。")
    counts = [_counts(result) for result in results]
    rows = _rows(validator, [(r, c.unexpected) for r, c in zip(results, counts, strict=True) if c.unexpected])
    for result, count in zip(results, counts, strict=True):
        meta: dict[str, Any] = _meta(result)
        yield Breach(
            rule=meta["rule"],
            field=meta["field"] or RULES[meta["rule"]].field,
            severity=meta["severity"] or RULES[meta["rule"]].severity,
            locate=meta["locate"],
            evaluated=count.evaluated,
            rows=rows.get(id(result), NO_ROWS),
        )


def _kept(records: Callable[[dict[str, Any]], pd.DataFrame]) -> Callable[[dict[str, Any]], pd.DataFrame]:
    """What a condition selects, looked up once for one frame: GX asks anew for every metric of every field."""
    found: dict[str, pd.DataFrame] = {}

    def selected(domain_kwargs: dict[str, Any]) -> pd.DataFrame:
        condition = domain_kwargs.get("row_condition")
        if not condition or "column" not in domain_kwargs:
            return records(domain_kwargs)
        key = repr(condition)
        if key not in found:
            found[key] = records(domain_kwargs)
        return found[key]

    return selected


@dataclass(frozen=True, slots=True)
class _Counts:
    evaluated: int
    unexpected: int


def _counts(result: Any) -> _Counts:
    said = result.result or {}
    unexpected, seen = said.get("unexpected_count"), said.get("element_count")
    if not isinstance(unexpected, int) or not isinstance(seen, int) or unexpected > seen:
        raise _broken(_meta(result)["rule"], result.exception_info)
    return _Counts(seen - int(said.get("missing_count") or 0), unexpected)


def _meta(result: Any) -> dict[str, Any]:
    """What `suites.words.meta` wrote on the expectation of this result."""
    return dict(result.expectation_config.meta)


def _rows(validator: Any, failing: list[tuple[Any, int]]) -> dict[int, Places]:
    """Row numbers of each failing result, from its own condition metric; the count must be the one GX reported."""
    wanted = {id(result): _condition(result.expectation_config) for result, _ in failing}
    resolved, _ = validator.metrics_calculator.compute_metrics(list(wanted.values())) if wanted else ({}, {})
    found: dict[int, Places] = {}
    for result, unexpected in failing:
        answer = resolved.get(wanted[id(result)].id)
        rows = NO_ROWS if answer is None else answer[0].index.to_numpy()[answer[0].to_numpy(dtype=bool)]
        if len(rows) != unexpected:
            raise _broken(_meta(result)["rule"], {})
        found[id(result)] = rows
    return found


def _condition(configuration: Any) -> Any:
    from great_expectations.expectations.registry import get_metric_kwargs
    from great_expectations.validator.metric_configuration import MetricConfiguration

    name = f"{configuration.to_domain_obj().map_metric}.condition"
    kwargs = get_metric_kwargs(metric_name=name, configuration=configuration, runtime_configuration={})
    return MetricConfiguration(name, kwargs["metric_domain_kwargs"], kwargs["metric_value_kwargs"])


def _broken(rule: str, info: Any) -> CheckError:
    label = RULES[rule].label if rule in RULES else ""
    return CheckError(
        f"规则 {rule}（{label}）没有检查成（{_kind_of_error(info)}）。没检查成不等于合格，这一批记录一条也未放行。请联系技术人员。"
    )


def _kind_of_error(info: Any) -> str:
    """The class of the first exception and nothing of its text, which may quote a record."""
    said = info if isinstance(info, dict) else {}
    traces = [said, *(v for v in said.values() if isinstance(v, dict))]
    named = [_RAISED.search(str(t["exception_traceback"])) for t in traces if t.get("exception_traceback")]
    return next((match[1] for match in named if match), "没有给出结果")


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
