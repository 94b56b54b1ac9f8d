"""What a department's layout consists of: columns, habits, medium.

Belongs here: `Column`, `Layout` and the short notation `heading:field[:type]`; fields starting with @ are the system's own.
Must not: any department's facts (`layout_databases`, `layout_workbooks`, `layout_feeds`), rendering of values (`cells`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ITEM_FIELDS = frozenset({"item_code", "item_name", "implement_code", "result", "follow_up", "remark", "@owner"})
DATE_FIELDS = frozenset({"inspect_date", "finish_date"})
MOMENT_FIELDS = frozenset({"entered_at", "changed_at"})
YES_NO_FIELDS = frozenset({"joint", "publishable"})


@dataclass(frozen=True, slots=True)
class Column:
    """One native column. `field` is a standard field, `list_field.N`, or the system's own: @key @seq @void @owner @note @printed."""

    heading: str
    field: str
    type: str = ""  # database: SQL type; workbook: N = number cell

    @property
    def of_item(self) -> bool:
        """Whether its value belongs to a checked item and not to the whole record."""
        return self.field in ITEM_FIELDS


@dataclass(frozen=True, slots=True)
class Layout:
    """One department's system. `codes`: field → label | standard | own | set:X (how its codes are written)."""

    key: str
    medium: str
    columns: tuple[Column, ...]
    codes: Mapping[str, str] = field(default_factory=dict)
    dates: str = "iso"
    yes_no: tuple[str, str] = ("是", "否")
    void: tuple[str, str] = ("正常", "作废")
    owner: str = "short"
    separator: str = "、"
    table: str = ""
    item_table: str = ""
    file: str = ""
    encoding: str = ""
    delimiter: str = ","
    sheet: str = ""
    titles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    merged: bool = False
    repeat_heading: int = 0
    cumulative: bool = False
    guard: frozenset[str] = frozenset()  # fields written as ="…", as spreadsheets export numbers
    paging: str = ""
    rows_key: str = ""

    def code_mode(self, name: str) -> str:
        """How that field's codes are written."""
        return self.codes.get(name, "label" if name in ("check_kind", "result") else "standard")

    def heading(self, name: str) -> str:
        """Native heading of a field; empty if the department has none."""
        return next((c.heading for c in self.columns if c.field == name), "")


def layout(key: str, medium: str, columns: str, **habits: Any) -> Layout:
    """A layout from the short notation; TypeError for a habit that does not exist."""
    parsed = tuple(Column(*part.split(":")) for part in columns.split())
    return Layout(key, medium, parsed, **habits)
