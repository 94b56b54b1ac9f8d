"""One inspection → the cells of its department's rows: native words, date forms, lists, planted raw values.

Belongs here: what stands in a cell, for every medium. Must not: headings (`layout_*`), files and tables (`write_*`).
A cell is text, a whole number, a date, a date-time, or None for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from mock_platforms.county.layout_model import DATE_FIELDS, MOMENT_FIELDS, YES_NO_FIELDS, Column, Layout
from mock_platforms.county.layout_words import words_of
from mock_platforms.county.model import Dept, Inspection, Item

_EPOCH_1900 = date(1899, 12, 30)
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
# Identifiers that a clerk's input method may leave in full width; all of them are normalised by the standard (4.1).
_WIDTH_FIELDS = frozenset({"uscc", "plan_id", "task_id"})

DATE_FORMS: Mapping[str, Callable[[date], Any]] = {
    "iso": lambda d: d.isoformat(),
    "slash": lambda d: f"{d.year}/{d.month}/{d.day}",
    "dots": lambda d: f"{d.year}.{d.month}.{d.day}",
    "chinese": lambda d: f"{d.year}年{d.month}月{d.day}日",
    "compact": lambda d: f"{d:%Y%m%d}",
    "serial": lambda d: (d - _EPOCH_1900).days,
    "cell": lambda d: d,
}

# Where the responsible body is not the subject, it stands in columns of its own; else they repeat the subject.
_DERIVED: Mapping[str, Callable[[Inspection], Any]] = {
    "changed_at": lambda i: i.changed,
    "counterpart_name": lambda i: i.counterpart_name or i.subject_name,
    "counterpart_id_type": lambda i: "001" if i.counterpart_code or i.uscc else "099",
    "counterpart_code": lambda i: i.counterpart_code or i.uscc or i.object_code,
}


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one checked item, in column order, and whether it opens its record (the record's cells stand there)."""

    cells: tuple[Any, ...]
    first: bool
    changed: datetime


@dataclass(frozen=True, slots=True)
class Block:
    """All rows of one state of one record; `key` is the system's own number of the record."""

    key: str
    changed: datetime
    rows: tuple[Row, ...]


def block(layout: Layout, inspection: Inspection, departments: Sequence[Dept], day: date) -> Block:
    """The rows of an inspection in its department's words, helping departments' rows last.

    ValueError if the layout has fewer inspector columns than there are inspectors.
    """
    own = next(d for d in departments if d.key == layout.key)
    shared = {c: _record_cell(layout, c, inspection, day) for c in layout.columns if not c.of_item}
    rows = []
    for number, (item, owner) in enumerate(_items(inspection, own, departments)):
        cells = tuple(
            _item_cell(layout, c, inspection, item, owner) if c.of_item else shared[c] for c in layout.columns
        )
        rows.append(Row(cells, number == 0, inspection.changed))
    return Block(inspection.record_no, inspection.changed, tuple(rows))


def _items(inspection: Inspection, own: Dept, departments: Sequence[Dept]) -> Iterator[tuple[Item, Dept]]:
    yield from ((item, own) for item in inspection.items)
    others = [d for d in departments if d.key != own.key]
    start = next(i for i, d in enumerate(departments) if d.key == own.key)
    for number in range(inspection.helper_rows):
        helper = others[(start + number) % len(others)]
        yield (
            Item(
                item_code=f"6101249999{number + 1:04d}",
                item_name="配合单位检查事项",
                implement_code=f"{helper.uscc}4{number + 1:012d}",
                result="NO_ISSUE",
            ),
            helper,
        )


def _record_cell(layout: Layout, column: Column, inspection: Inspection, day: date) -> Any:
    name, _, position = column.field.partition(".")
    if name.startswith("@"):
        return _own_cell(layout, name, inspection, day)
    if name in inspection.raw:
        return _raw(inspection.raw[name], position)
    if name in ("inspector_names", "inspector_certs"):
        return _inspectors(layout, name, position, inspection)
    get = _DERIVED.get(name)
    value = get(inspection) if get else getattr(inspection, name)
    return _styled(name, _value(layout, name, value, inspection.style), inspection.style)


def _item_cell(layout: Layout, column: Column, inspection: Inspection, item: Item, owner: Dept) -> Any:
    name = column.field
    if name == "@owner":
        return owner.name if layout.owner == "name" else owner.short
    if name in inspection.raw:
        return inspection.raw[name]
    if name == "result" and item.result_text is not None:
        return item.result_text
    return _value(layout, name, getattr(item, name), inspection.style)


def _own_cell(layout: Layout, name: str, inspection: Inspection, day: date) -> Any:
    if name == "@key":
        return f"{layout.key}{inspection.record_no}"
    if name == "@void":
        return layout.void[1 if inspection.voided else 0] or None
    return f"{day.isoformat()} 18:00:00" if name == "@printed" else None


def _raw(value: Any, position: str) -> Any:
    if not position:
        return value
    parts = list(value) if isinstance(value, list | tuple) else [value]
    return parts[int(position) - 1] if int(position) <= len(parts) else None


def _inspectors(layout: Layout, name: str, position: str, inspection: Inspection) -> str | None:
    parts = [pair[0 if name == "inspector_names" else 1] for pair in inspection.inspectors]
    if not position:
        return layout.separator.join(parts) or None
    places = sum(c.field.startswith(f"{name}.") for c in layout.columns)
    if len(parts) > places:
        raise ValueError(
            f"{layout.key} 的表只有 {places} 列检查人员，检查编号 {inspection.record_no} 有 {len(parts)} 人。"
        )
    return parts[int(position) - 1] if int(position) <= len(parts) else None


def _value(layout: Layout, name: str, value: Any, style: Mapping[str, str]) -> Any:
    if value is None or value == "":
        return None
    if name in DATE_FIELDS:
        return DATE_FORMS[_date_form(layout, style)](value)
    if name in MOMENT_FIELDS:
        return _moment(layout, name, value)
    if name in YES_NO_FIELDS:
        return layout.yes_no[0 if value else 1]
    return words_of(layout.key, name, layout.code_mode(name)).get(value, value)


def _date_form(layout: Layout, style: Mapping[str, str]) -> str:
    asked = style.get("date", layout.dates)
    only_numbers = asked == "serial" and layout.medium != "workbook"
    return layout.dates if only_numbers else asked


def _moment(layout: Layout, name: str, value: datetime) -> Any:
    """A date-time in the habit of the department; a database's change time keeps the form that windows compare."""
    if layout.dates == "cell":
        return value
    if layout.dates == "serial":
        seconds = (value - datetime.combine(value.date(), time())) / timedelta(days=1)
        return DATE_FORMS["serial"](value.date()) + seconds
    if name == "changed_at" and layout.medium in ("database", "http"):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if layout.dates == "compact":
        return f"{value:%Y%m%d%H%M%S}"
    return f"{DATE_FORMS[layout.dates](value.date())} {value:%H:%M:%S}"


def _styled(name: str, value: Any, style: Mapping[str, str]) -> Any:
    """Full width, lower case and a line break, as the record's style asks."""
    if not isinstance(value, str):
        return value
    asked = {*style, *style.values()}
    if "full" in asked and name in _WIDTH_FIELDS:
        return value.translate(_FULL_WIDTH)
    if "lower" in asked and name == "uscc":
        return value.lower()
    if "linebreak" in asked and name == "subject_name":
        return f"{value[: len(value) // 2]}\n{value[len(value) // 2 :]}"
    return value


def numbered(blocks: Sequence[Block], layout: Layout) -> list[Block]:
    """The blocks with the running number of the sheet filled in (one number a record)."""
    place = next((i for i, c in enumerate(layout.columns) if c.field == "@seq"), None)
    if place is None:
        return list(blocks)
    return [
        replace(one, rows=tuple(replace(row, cells=_put(row.cells, place, number)) for row in one.rows))
        for number, one in enumerate(blocks, start=1)
    ]


def _put(cells: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*cells[:place], value, *cells[place + 1 :])
