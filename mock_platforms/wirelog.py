"""What went over the wire, one JSON line a request and platform; never contents, only keys and digests.

Belongs here: writing and reading of the log. Must not: anything that changes a platform.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson


class WireLog:
    """The log of one platform; every line is flushed, so that it is there when the answer leaves."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab", buffering=0)

    def write(self, line: dict[str, Any]) -> None:
        """Append a line."""
        self._file.write(orjson.dumps(line) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """All lines of a log; a line cut by a kill is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
