"""Verdicts → accepted and quarantined: what goes on, what goes back to its department, and with which words.

Belongs here: the checker's outcome as plain values, the split by record, masking of the values that are returned,
finding the checker by its entry point. Must not: rules, Great Expectations, the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Literal, Protocol, cast

import pyarrow as pa

from zz_pipeline.errors import CheckError, ConfigError
from zz_pipeline.standard import identifiers
from zz_pipeline.standard.normalize import visible
from zz_pipeline.standard.personal import hide_names, hide_quoted_names, mask_field, row_names
from zz_pipeline.standard.tables import TABLES, Field, Kind, Rows, Scope

ERROR, WARN = "ERROR", "WARN"
CHECKER_GROUP, CHECKER_NAME = "zz_pipeline.checker", "default"

# Issues of the standardizer carry no severity: all are errors but these.
WARNING_ISSUES = frozenset({"STD-010"})

WORDS = pa.dictionary(pa.int32(), pa.string())  # millions of verdicts share a few hundred texts
VERDICTS = pa.schema([("row", pa.int64()), ("rule", WORDS), ("field", WORDS), ("severity", WORDS), ("message", WORDS)])
LONGEST_VALUE = 200
LOOKED_AT = (
    10 * LONGEST_VALUE
)  # masking looks at each character: of a text without end only what may be shown is masked


@dataclass(frozen=True, slots=True)
class RuleStat:
    """How one rule went: rows it looked at, rows that broke it, `passed` or `failed`."""

    rule: str
    evaluated: int
    unexpected: int
    status: str


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What the check said of a table: a verdict for each (row, rule) broken. `errored` never leaves the checker quietly."""

    status: Literal["passed", "failed", "errored"]
    verdicts: pa.Table
    rules: tuple[RuleStat, ...]
    rule_set: str


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """One finding on one row of one unit. `value` is masked, `message` tells the clerk what to correct."""

    unit: str
    record_key: str
    source_file: str
    source_row: int
    rule: str
    field: str
    value: str
    message: str
    severity: str


@dataclass(frozen=True, slots=True)
class Split:
    """A batch after the check: rows that go on, findings that go back, findings that only warn, units sent back."""

    accepted: pa.Table
    quarantined: list[QuarantineEntry]
    warnings: list[QuarantineEntry]
    quarantined_units: int


class Tabled(Protocol):
    """What the check needs of a standard batch."""

    @property
    def table(self) -> Rows: ...


class Batch(Protocol):
    """What the split needs of a standard batch; `issues` is (row, rule, field, value, message)."""

    @property
    def kind(self) -> Kind: ...
    @property
    def table(self) -> pa.Table: ...
    @property
    def issues(self) -> pa.Table: ...


@dataclass(frozen=True, slots=True)
class _Finding:
    row: int
    rule: str
    field: str
    severity: str
    message: str
    value: str | None = None


def nothing_to_check() -> CheckOutcome:
    """The outcome for a table without rows or of a kind without rules: passed, and no rule was evaluated."""
    return CheckOutcome("passed", VERDICTS.empty_table(), (), "none")


def load_checker() -> Callable[..., list[CheckOutcome | CheckError]]:
    """The installed checker (entry point `zz_pipeline.checker` / `default`); ConfigError if there is not exactly one."""
    return cast("Callable[..., list[CheckOutcome | CheckError]]", load_plug(CHECKER_NAME))


def load_plug(name: str) -> Any:
    """What the installed checker offers under a name: `default` checks, `rules` tells its catalogue, `measure` its speed."""
    found = tuple(entry_points(group=CHECKER_GROUP, name=name))
    if len({point.value for point in found}) != 1:
        raise ConfigError(
            f"应安装且只安装一个质量检查组件（入口点 {CHECKER_GROUP} 的 {name}），现在找到 {len(found)} 个。"
            "请在项目目录重新执行安装；没有质量检查，任何记录都不会报送。"
        )
    return found[0].load()


def units(table: pa.Table) -> list[str]:
    """The unit of each row: the record key, or `<file>#<row>` where there is no usable one (0001 Grain)."""
    keys = table.column("record_key").to_pylist()
    usable = identifiers.record_key(table.column("record_key"))
    files, rows = table.column("source_file").to_pylist(), table.column("source_row").to_pylist()
    return [
        key if good else f"{file or ''}#{row if row is not None else index}"
        for index, (key, good, file, row) in enumerate(zip(keys, usable, files, rows, strict=True))
    ]


def split(batch: Batch, outcome: CheckOutcome) -> Split:
    """Send back every row of a record on which an ERROR stands; CheckError if the check itself failed or points nowhere."""
    if outcome.status == "errored":
        raise CheckError("质量检查没有完成，这一批记录一条也不放行。请联系技术人员，修复后重新运行。")
    names = units(batch.table)
    findings = list(_findings(batch, outcome))
    refused = {names[f.row] for f in findings if f.severity == ERROR}
    keep = pa.array([name not in refused for name in names], pa.bool_())
    entries = list(_entries(batch, names, findings))
    return Split(
        accepted=batch.table.filter(keep),
        quarantined=[e for e in entries if e.severity == ERROR],
        warnings=[e for e in entries if e.severity != ERROR],
        quarantined_units=len(refused),
    )


def _findings(batch: Batch, outcome: CheckOutcome) -> Iterator[_Finding]:
    """Issues and verdicts; a cell that could not be read is one finding, not also an absent or wrong value."""
    unread: set[tuple[int, str]] = set()
    for row in batch.issues.to_pylist():
        place, severity = _place(batch, row), WARN if row["rule"] in WARNING_ISSUES else ERROR
        if severity == ERROR:
            unread.add((place, row["field"]))
        yield _Finding(place, row["rule"], row["field"] or "", severity, row["message"], value=row["value"] or "")
    for row in outcome.verdicts.to_pylist():
        place = _place(batch, row)
        if (place, row["field"]) not in unread:
            yield _Finding(place, row["rule"], row["field"], row["severity"], row["message"])


def _place(batch: Batch, finding: dict[str, Any]) -> int:
    row = finding["row"]
    if row is None or not 0 <= row < batch.table.num_rows:
        raise CheckError(
            f"规则 {finding['rule']} 的结论没有指明是哪一行，无法判断该退回哪条记录，这一批未放行。请联系技术人员。"
        )
    return int(row)


def _entries(batch: Batch, names: list[str], findings: list[_Finding]) -> Iterator[QuarantineEntry]:
    """Findings as entries; what is said of the whole record is said once, not once for each of its items."""
    fields = {f.name: f for f in TABLES[Kind(batch.kind)].fields}
    columns = {n: batch.table.column(n).to_pylist() for n in ("record_key", "source_file", "source_row")}
    seen: set[tuple[Any, ...]] = set()
    for f in findings:
        spec = fields.get(f.field)
        value = _masked(spec, f.value if f.value is not None else _cell(batch.table, f))
        message = f.message
        if "“" in message or (value and not value.isascii()):  # only there a name may stand
            persons = row_names(batch.table, f.row)
            value, message = hide_names(value, persons), hide_quoted_names(message, persons)
        row = columns["source_row"][f.row]
        item = spec is not None and spec.scope is Scope.ITEM
        key = (names[f.row], f.rule, f.field, value, message, row if item else None)
        if key in seen:
            continue
        seen.add(key)
        yield QuarantineEntry(
            unit=names[f.row],
            record_key=columns["record_key"][f.row] or "",
            source_file=columns["source_file"][f.row] or "",
            source_row=int(row or 0),
            rule=f.rule,
            field=f.field,
            value=value,
            message=message,
            severity=f.severity,
        )


def _cell(table: pa.Table, finding: _Finding) -> Any:
    return table.column(finding.field)[finding.row].as_py() if finding.field in table.column_names else None


def _masked(spec: Field | None, value: Any) -> str:
    """The value as a clerk may see it: enough to find the cell, never a person's number."""
    if isinstance(value, list):
        return "、".join(_masked(spec, v) for v in value)[:LONGEST_VALUE]
    text = "" if value is None else str(value)[:LOOKED_AT]
    return visible(mask_field(text, spec)[:LONGEST_VALUE])[:LONGEST_VALUE]
