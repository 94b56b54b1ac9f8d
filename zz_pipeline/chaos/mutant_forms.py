"""The forms in which a deliberate error is put: another table entry, another function, another constant, nothing at all.

Belongs here: replacements for a moment, named by what is replaced. Must not: a particular error (that is `mutants`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from zz_pipeline.delivery import states
from zz_pipeline.delivery.protocol import State
from zz_pipeline.delivery.states import Event, Move

Mutant = Callable[[], AbstractContextManager[Any]]


def move(event: Event, state: State, move: Move) -> Mutant:
    """Another entry of the state table."""
    return lambda: patch.dict(states.TABLE[event], {state: move})


def entry(table: dict[Any, Any], **values: Any) -> Mutant:
    """Other entries of a table, by name of the key."""
    return lambda: patch.dict(table, {key: values[key.name] for key in table if key.name in values})


def instead(place: Any, name: str, make: Callable[[Any], Any]) -> Mutant:
    """A replacement that is made from the original."""
    return lambda: patch.object(place, name, make(getattr(place, name)))


def value(place: Any, name: str, value: Any) -> Mutant:
    """Another constant."""
    return lambda: patch.object(place, name, value)


def nothing(place: Any, name: str, result: Any = None) -> Mutant:
    """A function that does nothing."""
    return lambda: patch.object(place, name, lambda *_, **__: result)


def together(*mutants: Mutant) -> Mutant:
    """Several replacements that make one error."""

    @contextmanager
    def both() -> Iterator[None]:
        with ExitStack() as stack:
            for mutant in mutants:
                stack.enter_context(mutant())
            yield

    return both
