"""What the commands share: where they print, tables, JSON, days as arguments.

Belongs here: printing and reading of arguments. Must not: what is printed, steps, SQL.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console, ConsoleDimensions
from rich.progress import Progress
from rich.table import Table

from zz_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from zz_pipeline.night import Night


class Paper(Console):
    """A terminal as wide as it is; a file or a pipe as wide as a table needs: nothing of it is cut."""

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines."""
        found = super().size
        return found if self.is_terminal else ConsoleDimensions(max(found.width, PIPE), found.height)

    @size.setter
    def size(self, wanted: tuple[int, int]) -> None:
        self._width, self._height = wanted


PIPE = 200  # columns
out, err = Paper(), Paper(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")]
Day = Annotated[str, typer.Option("--day", help="业务日期 YYYY-MM-DD；默认昨天。")]
Opened = Callable[[], AbstractContextManager["Night"]]


def parsed_day(text: str) -> date:
    """A day as an operator writes it; ConfigError if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"日期“{text}”应写成 2026-11-20 的形式。") from None


def day_or_yesterday(night: Night, text: str) -> date:
    """The day that was asked for; yesterday by the county's clock for the empty text."""
    return parsed_day(text) if text else night.now().date() - timedelta(days=1)


def day_range(first: str, last: str) -> list[date]:
    """Every day from the first to the last; ConfigError if they stand the other way round."""
    start, end = parsed_day(first), parsed_day(last)
    if end < start:
        raise ConfigError("最后一天早于第一天。")
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def shown(value: Any, as_json: bool, table: Callable[[], Any]) -> None:
    """Exactly one JSON object, or what `table` prints."""
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    else:
        table()


def say(text: str, style: str = "") -> None:
    """One line, as it is: brackets are no markup, a narrow terminal wraps it."""
    out.print(text, markup=False, highlight=False, soft_wrap=True, style=style or None)


def each(values: Iterable[Any], show: Callable[[Any], None]) -> None:
    """Show one after the other."""
    for value in values:
        show(value)


def complain(text: str) -> None:
    """One line for the error stream."""
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def table(*headings: str) -> Table:
    """A table that never cuts a Chinese word short; a narrow terminal wraps it."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        made.add_column(heading, overflow="fold", no_wrap=number == 0)
    return made


def rows_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], none: str = "无") -> None:
    """Print rows under headings, or what is said where there are none."""
    made, empty = table(*headings), True
    for row in rows:
        made.add_row(*(str(value) for value in row))
        empty = False
    if empty:
        say(f"  {none}")
    else:
        out.print(made)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each task on a terminal; nothing elsewhere."""
    if quiet or not err.is_terminal:
        yield lambda *_: None
        return
    with Progress(console=err, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def step(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total)

        yield step
