"""A day's blocks → one CSV file in the department's own encoding.

Belongs here: quoting, separators, encodings, the ="…" guard of spreadsheet exports. Must not: words and date forms (`cells`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from mock_platforms.county.cells import Block, numbered
from mock_platforms.county.layout_model import Column, Layout


def write_csv(path: Path, layout: Layout, blocks: Sequence[Block], day: date) -> None:
    """One file with a heading row and a line for each item; the same blocks give the same bytes."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=layout.delimiter, lineterminator="\r\n")
    writer.writerow(column.heading for column in layout.columns)
    for block in numbered(blocks, layout):
        for row in block.rows:
            writer.writerow(_text(layout, c, v) for c, v in zip(layout.columns, row.cells, strict=True))
    path.write_bytes(buffer.getvalue().encode(layout.encoding))


def _text(layout: Layout, column: Column, value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return f'="{text}"' if column.field in layout.guard and text and '"' not in text else text
