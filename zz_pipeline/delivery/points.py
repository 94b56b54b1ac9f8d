"""Named points at the borders of commits and sends, where a test may stop the process.

Belongs here: the hook and its call. Must not: behaviour; in production the hook is None.
"""

from __future__ import annotations

from collections.abc import Callable

hook: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Say that the point is reached; a test's hook may kill the process or raise here."""
    if hook is not None:
        hook(name)
