"""The table of faults, and which tests prove each row: read from the names of the tests themselves.

Belongs here: the table (`faults.csv`: row, fault, why no test proves it), finding `fault_<n>_` in test names.
Must not: running tests, judging whether a test proves what it says.
"""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("faults.csv")
NAMED = re.compile(r"(?:^|_)fault_((?:\d+_)+)")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `why_not` is a sentence for a row that no test proves."""

    row: int
    fault: str
    why_not: str
    tests: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"row": self.row, "fault": self.fault, "tests": list(self.tests), "why_not": self.why_not}


def numbers(name: str) -> list[int]:
    """Rows that a test's name says it proves: `test_fault_17_18_…` gives 17 and 18."""
    return [int(n) for found in NAMED.findall(name) for n in found.strip("_").split("_")]


def proofs(tests: Path) -> Iterator[tuple[int, str]]:
    """(row, `tests/…::test_…`) for each test function below the folder whose name holds row numbers."""
    for path in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                place = f"{path.relative_to(tests.parent).as_posix()}::{node.name}"
                yield from ((number, place) for number in numbers(node.name))


def table(tests: Path) -> list[Row]:
    """Every row with its tests; ValueError if a test names a row that is not in the table."""
    found: dict[int, list[str]] = {}
    for number, place in proofs(tests):
        found.setdefault(number, []).append(place)
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = [Row(int(r["row"]), r["fault"], r["why_not"]) for r in csv.DictReader(lines)]
    unknown = found.keys() - {row.row for row in rows}
    if unknown:
        raise ValueError(f"测试名里的故障号 {sorted(unknown)} 不在故障表中，请核对测试名。")
    # a reason that tests have overtaken since is not told any more
    return [Row(r.row, r.fault, "" if r.row in found else r.why_not, tuple(found.get(r.row, ()))) for r in rows]
