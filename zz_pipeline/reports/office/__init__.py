"""工作日报、周报、月度通报: what the office sends round, as page, workbook and official document.

Belongs here: the entry point `write`. Must not: figures (`figures`), looks (`page`, `book`, `letter`), contents of records.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zz_pipeline.reports.office.files import Files
from zz_pipeline.reports.office.period import Period

if TYPE_CHECKING:
    from zz_pipeline.night import Night

__all__ = ["Files", "Period", "write"]


def write(night: Night, period: Period, folder: Path | None = None) -> Files:
    """Write a bulletin's four files into `folder`, default `<home>/reports/<last day>/`; the ledger is only read."""
    from zz_pipeline.reports.office.compose import write_files

    return write_files(night, period, folder)
