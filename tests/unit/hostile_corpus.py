"""The corpus of hostile files: every file a department may hand in by mistake or malice, and how it must end.

Belongs here: joining the families; handing the whole in. Must not: single files, expectations.
"""

from __future__ import annotations

from pathlib import Path

from tests.unit.hostile_books import BOOKS
from tests.unit.hostile_case import Case
from tests.unit.hostile_files import CSV, NAMES

CORPUS: tuple[Case, ...] = (*CSV, *NAMES, *BOOKS)


def hand_in(home: Path) -> dict[Case, Path]:
    """Every file in its department's inbox."""
    return {case: case.put(home / "inbox" / case.dept, number) for number, case in enumerate(CORPUS, 1)}
