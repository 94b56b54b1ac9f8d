"""What a hostile file is: its name, who hands it in, its builder, and how it must end.

Belongs here: the frame of the table. Must not: single files, reading anything with the product.
A file ends READ (all its records accepted), RETURNED (read; records go back by a rule) or REFUSED (with a reason).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.unit.hostile_county import HEADINGS, good

READ, RETURNED, REFUSED = "READ", "RETURNED", "REFUSED"
# A made-up resident ID and a mobile that stand in many of the files: no message may show them.
RESIDENT, MOBILE = "610124199003070030", "13900001234"
LOOK = f"联系人张某 {MOBILE}"


class Maker:
    """Rows of one file, each another record of another subject."""

    def __init__(self, dept: str, number: int) -> None:
        self.dept, self._numbers = dept, count(number * 100)

    def row(self, **changes: Any) -> list[Any]:
        """The next good row, with changes by heading."""
        return good(self.dept, next(self._numbers), **changes)

    def text(self, *rows: list[Any], head: tuple[str, ...] = HEADINGS, delimiter: str = ",", end: str = "\r\n") -> str:
        """A CSV with its heading."""
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows([head, *rows])
        return buffer.getvalue()


@dataclass(frozen=True)
class Case:
    """A file. rows: records accepted. says: words of the reason, or rules by which records are returned."""

    name: str
    dept: str
    outcome: str
    build: Callable[[Maker], bytes]
    rows: int = 0
    says: tuple[str, ...] = ()
    place: Callable[[Path, bytes], None] = field(default=lambda path, content: _write(path, content))
    shown: str = ""  # how a message names it, where that is not the name

    def put(self, folder: Path, number: int) -> Path:
        """The file in an inbox; `number` keeps its records apart from those of other files."""
        path = folder / self.name
        self.place(path, self.build(Maker(self.dept, number)))
        return path

    def __str__(self) -> str:
        return ascii(self.name)[:60]


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def read(name: str, dept: str, rows: int, build: Callable[[Maker], bytes], **more: Any) -> Case:
    return Case(name, dept, READ, build, rows, **more)


def back(name: str, dept: str, rule: str, build: Callable[[Maker], bytes], rows: int = 0, **more: Any) -> Case:
    return Case(name, dept, RETURNED, build, rows, tuple(rule.split()), **more)


def no(name: str, dept: str, words: str, build: Callable[[Maker], bytes], **more: Any) -> Case:
    return Case(name, dept, REFUSED, build, 0, tuple(words.split()), **more)
