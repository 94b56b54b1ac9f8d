"""How a department lawfully changes a record on a later day: an outcome, another class, an address, publicity taken back.

Belongs here: the kinds of change as a table, and copies that can be changed. Must not: which record changes when (`world`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random

from mock_platforms.county.model import Inspection
from mock_platforms.county.records import REASONS, moment


def corrected(rng: Random, record: Inspection, day: date, *, reorder: bool) -> Inspection:
    """The record as the department changed it on a later day; the way it changes depends on what it holds.

    reorder: the change may also be one of the inspectors' order alone.
    """
    later = copy_of(record)
    later.changed = moment(rng, day)
    pending = [i for i in later.items if i.result == "PENDING"]
    if pending:
        for item in pending:
            item.result, item.follow_up = "CORRECTED", None
        return later
    changes = CHANGES if reorder else CHANGES[:-1]
    changes[int(rng.random() * len(changes))](rng, later)
    return later


def copy_of(record: Inspection) -> Inspection:
    """A copy whose lists can be changed."""
    return replace(
        record,
        items=[replace(i) for i in record.items],
        inspectors=list(record.inspectors),
        raw=dict(record.raw),
        style=dict(record.style),
    )


def _change_result(_rng: Random, record: Inspection) -> None:
    """Another class for the first item: nothing found becomes put right, anything else becomes nothing found."""
    code = record.items[0].item_code
    same = [i for i in record.items if i.item_code == code]
    first = same[0]
    record.items = [first, *(i for i in record.items if i.item_code != code)]
    first.result = "CORRECTED" if first.result == "NO_ISSUE" else "NO_ISSUE"
    first.follow_up = None


def _change_address(rng: Random, record: Inspection) -> None:
    record.address_operating = record.address_operating.split("样例路")[0] + f"样例路{301 + int(rng.random() * 99)}号"


def _withhold(rng: Random, record: Inspection) -> None:
    if record.publishable:
        record.publishable, record.not_publish_reason = False, rng.choice(REASONS)
    else:
        _change_address(rng, record)


def _drop_item(rng: Random, record: Inspection) -> None:
    """An item entered by mistake is taken out; a record of one item changes its address instead."""
    codes = sorted({i.item_code for i in record.items})
    if len(codes) > 1:
        record.items = [i for i in record.items if i.item_code != codes[-1]]
    else:
        _change_address(rng, record)


def _other_order(_rng: Random, record: Inspection) -> None:
    """Only the inspectors' order: no change of content (standard 1.7)."""
    record.inspectors.reverse()


CHANGES = (_change_result, _change_result, _change_address, _change_address, _withhold, _drop_item, _other_order)
