"""The quarantine as lists for an operator: what is open, and everything about one entry or unit.

Belongs here: queries and their plain rows. Must not: unmasked values, settling, printing.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, select

from zz_pipeline.errors import ZzError
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import quarantine
from zz_pipeline.sources.returned import return_number
from zz_pipeline.standard.personal import mask_text

SHOWN = (
    "id", "day", "dept", "kind", "unit", "source_file", "source_row", "rule", "field", "value", "message", "severity",
    "settled_at", "settled_by",
)  # fmt: skip


def open_entries(
    ledger: Ledger, dept: str = "", day: date | None = None, rule: str = "", warnings: bool = False
) -> list[dict[str, Any]]:
    """Open entries, errors only unless asked, in the order of day, department and row; values are masked."""
    where: list[ColumnElement[bool]] = [quarantine.c.settled_at.is_(None)]
    where += [quarantine.c.dept == dept] if dept else []
    where += [quarantine.c.day == day.isoformat()] if day else []
    where += [quarantine.c.rule == rule] if rule else []
    where += [] if warnings else [quarantine.c.severity == "ERROR"]
    order = ("day", "dept", "source_file", "source_row", "id")
    query = select(*(quarantine.c[n] for n in SHOWN)).where(*where).order_by(*(quarantine.c[n] for n in order))
    with ledger.read() as conn:
        return [_plain(row) for row in conn.execute(query).mappings()]


def about(ledger: Ledger, wanted: str) -> list[dict[str, Any]]:
    """All entries of a unit, settled ones too, by entry number, 退回编号 or unit; ZzError if there is none."""
    with ledger.read() as conn:
        unit = wanted
        number = _entry(wanted)
        if number is not None:
            unit = conn.scalar(select(quarantine.c.unit).where(quarantine.c.id == number)) or wanted
        query = select(*(quarantine.c[n] for n in SHOWN)).where(quarantine.c.unit == unit).order_by(quarantine.c.id)
        rows = [_plain(row) for row in conn.execute(query).mappings()]
    if not rows:
        raise ZzError(f"没有编号、退回编号或记录键是“{wanted}”的退回条目。用 zz quarantine list 查看。")
    return rows


def _entry(wanted: str) -> int | None:
    dept, _, rest = wanted.partition("-")
    number = rest.partition("-")[0]
    if wanted.isdigit():
        return int(wanted)
    return int(number) if number.isdigit() and return_number(dept, int(number)) == wanted else None


def _plain(row: Any) -> dict[str, Any]:
    plain = {str(k): v for k, v in row.items()}
    shown = {name: mask_text(plain[name]) for name in ("source_file", "field")}
    shown["unit"] = (
        mask_text(plain["unit"]) if "#" in plain["unit"] else plain["unit"]
    )  # <file>#<row>, else a record's key
    return {**plain, **shown, "return_number": return_number(plain["dept"], plain["id"])}
