"""What the check may know of earlier nights, as plain tables: newest versions, counts of the year, sizes and shares.

Belongs here: the value that the ledger fills (`ledger/history.py`) and the rules read, and the county's limits in it.
Must not: SQL, judging (that is a rule), defaults for what the ledger does not know: an unknown past gives no finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from zz_pipeline.settings import Limits

# The newest accepted version of a record of this batch, one row for each checked item of it.
# stage: 0 open, 1 ordered or advised, 2 a penalty or coercion was decided; null where nothing was found.
VERSIONS = pa.schema(
    [
        ("record_key", pa.string()),
        ("uscc", pa.string()),
        ("finish_date", pa.string()),
        ("entered_at", pa.string()),
        ("item_code", pa.string()),
        ("stage", pa.int8()),
    ]
)
# Checks of one subject by one department in one calendar year, those with a cause of their own (个案检查) left out.
CHECKS = pa.schema([("dept", pa.string()), ("subject", pa.string()), ("year", pa.int64()), ("checks", pa.int64())])
# Records that a department's source gave on an earlier day.
VOLUMES = pa.schema([("dept", pa.string()), ("day", pa.date32()), ("units", pa.int64())])
# How often a code stood in a field of a department's accepted rows of the last weeks.
SHARES = pa.schema([("dept", pa.string()), ("field", pa.string()), ("code", pa.string()), ("rows", pa.int64())])
SHARE_FIELDS = ("result", "check_kind", "object_type")


@dataclass(frozen=True, slots=True)
class History:
    """Earlier nights. Every table may be empty: a rule over time is silent about what it cannot compare."""

    limits: Limits = field(default_factory=Limits)
    versions: pa.Table = field(default_factory=VERSIONS.empty_table)
    checks: pa.Table = field(default_factory=CHECKS.empty_table)
    volumes: pa.Table = field(default_factory=VOLUMES.empty_table)
    shares: pa.Table = field(default_factory=SHARES.empty_table)


_NOTHING_FOUND = ("NO_ISSUE", "NO_ACTIVITY")
OPEN, ORDERED, DECIDED = 0, 1, 2
# 处理结果 02 命令, 03 指导, 06 其他; 04 处罚决定, 05 强制决定 (standard 1.5).
_BY_FOLLOW_UP = {"02": ORDERED, "03": ORDERED, "06": ORDERED, "04": DECIDED, "05": DECIDED}
_BY_RESULT = {"PENDING": OPEN} | dict.fromkeys(
    ("CORRECTED", "NOT_PUBLISHED", "FALSE_INFO", "UNREACHABLE", "REFUSED"), ORDERED
)


def stage(result: str | None, follow_up: str | None) -> int | None:
    """How far the handling of a finding went; null where nothing was found or a code is unknown."""
    if result in _NOTHING_FOUND:
        return None
    return _BY_FOLLOW_UP.get(follow_up) if follow_up else _BY_RESULT.get(result or "")
