"""The files of one bulletin: the same figures as page, workbook, document and JSON.

Belongs here: where they lie. Must not: figures, looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Files:
    """Paths of what was written."""

    html: Path
    xlsx: Path
    docx: Path
    json: Path

    def as_dict(self) -> dict[str, str]:
        """Ending → path."""
        return {name: str(getattr(self, name)) for name in ("html", "xlsx", "docx", "json")}
