"""Made-up entries that a ledger and a platform's list agree about, but for a wanted number of them.

Belongs here: key and hash of the n-th entry on each side. Must not: SQL, HTTP, files.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

DEPT = "SCJG"
_ITEM = "61012400010000"


def record_key(n: int) -> str:
    """The n-th record's key."""
    return f"610124-{DEPT}-M{n:08d}"


def remote_key(platform: str, n: int) -> str:
    """Under which key the platform holds the n-th record."""
    return f"{record_key(n)}-{_ITEM}" if platform == "internet_supervision" else record_key(n)


def digest(n: int) -> str:
    """The hash that both sides name, unless it was changed."""
    return f"{n:064x}"


@dataclass(frozen=True)
class Entries:
    """`count` entries of ours on one platform, whose list differs in so many: lost, changed and nobody's, in turn."""

    platform: str
    count: int
    differences: int

    @cached_property
    def lost(self) -> list[int]:
        """Numbers of entries that the platform has lost."""
        return [i * self._step for i in range(0, self._differing, 3)]

    @cached_property
    def changed(self) -> frozenset[int]:
        """Numbers of entries that the platform holds with other content."""
        return frozenset(i * self._step for i in range(1, self._differing, 3))

    @property
    def strange(self) -> int:
        """How many entries stand there that nobody of us made; they come last."""
        return len(range(2, self._differing, 3))

    def __len__(self) -> int:
        return self.count - len(self.lost) + self.strange

    def at(self, place: int) -> tuple[str, str]:
        """Key and hash at a place of the platform's list; our own in the order of their numbers."""
        ours = self.count - len(self.lost)
        n = place + bisect_right(self._skipped, place) if place < ours else place + len(self.lost)
        return remote_key(self.platform, n), digest(n + self.count if n in self.changed else n)

    @property
    def _differing(self) -> int:
        return min(self.differences, self.count)

    @property
    def _step(self) -> int:
        return max(self.count // max(self._differing, 1), 1)

    @cached_property
    def _skipped(self) -> list[int]:
        """From which place on one more lost entry lies before it."""
        return [n - i for i, n in enumerate(self.lost)]
