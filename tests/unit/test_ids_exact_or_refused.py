"""An identifier comes through a cell digit by digit, or it is refused: never another number."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from zz_pipeline.sources.base import exact_text
from zz_pipeline.standard import identifiers
from zz_pipeline.standard.normalize import half_width
from zz_pipeline.standard.tables import INSPECTION
from zz_pipeline.standardizing.columns import identifier
from zz_pipeline.standardizing.issues import Issues

# How an 18-digit number may arrive: as a native value of a driver or cell.
ARRIVES: dict[str, Callable[[str], Any]] = {
    "text": str,
    "an apostrophe before it": lambda t: f"'{t}",
    'as ="…"': lambda t: f'="{t}"',
    "blanks around it": lambda t: f"\u3000{t} \n",
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) for c in t),
    "an integer": int,
    "a decimal": lambda t: Decimal(t),
    "a float": float,
    "the text of a float": lambda t: repr(float(t)),
    "six digits and an exponent": lambda t: f"{float(t):.5E}",
    "an exponent without a sign": lambda t: f"{t[0]}.{t[1:6]}e17",
    "a decimal with an exponent": lambda t: Decimal(t[:6]).scaleb(12),
    "a point and a zero": lambda t: f"{t}.0",
    "thousands apart": lambda t: f"{int(t):,}",
    "a blank inside": lambda t: f"{t[:6]} {t[6:]}",
    "a line break inside": lambda t: f"{t[:9]}\n{t[9:]}",
    "cut behind fifteen digits": lambda t: t[:15] + "000",
}
ALTERED_BY_HAND = {
    "cut behind fifteen digits"
}  # nobody can see it from the cell: here the check digits and lists speak


def drawn(seed: str, count: int) -> list[str]:
    """Numbers of 18 digits, one in four with leading zeros."""
    rng = Random(seed)
    return [f"{rng.randrange(10 ** rng.choice((18, 18, 18, rng.randrange(1, 18)))):018d}" for _ in range(count)]


def altered(numbers: list[str], arrive: Callable[[str], Any]) -> list[tuple[str, str | None]]:
    """(number, what was made of it) of those that came out otherwise and were not refused."""
    issues = Issues(INSPECTION)
    raw = pa.array([exact_text(arrive(number)) for number in numbers], pa.string())
    values = identifier(issues, "task_id", raw)
    refused = np.zeros(len(numbers), dtype=np.bool_)
    refused[issues.table()["row"].to_numpy()] = True
    # a number that lost its leading zeros, or has commas inside, is no task number: INS-019 returns it
    refused |= ~identifiers.task_id(values) & np.array(
        [not re.fullmatch("[0-9]{18}", v or "") for v in values.to_pylist()]
    )
    found = zip(numbers, values.to_pylist(), refused, strict=True)
    return [(number, value) for number, value, gone in found if not gone and half_width(value or "") != number]


@pytest.mark.parametrize("how", sorted(ARRIVES.keys() - ALTERED_BY_HAND))
def test_fault_48_an_eighteen_digit_number_is_exact_or_refused_however_it_arrives(how):
    assert altered(drawn(f"normal/{how}", 1_250), ARRIVES[how]) == []  # × 16 forms = 20 000


@pytest.mark.long
@pytest.mark.parametrize("how", sorted(ARRIVES.keys() - ALTERED_BY_HAND))
def test_fault_48_none_of_a_million_numbers_is_altered_however_they_arrive(how):
    for part in range(5):
        assert altered(drawn(f"long/{how}/{part}", 12_500), ARRIVES[how]) == []


def test_this_test_sees_a_number_that_was_altered():
    assert altered(["610124202611101018"], ARRIVES["cut behind fifteen digits"]) != []
