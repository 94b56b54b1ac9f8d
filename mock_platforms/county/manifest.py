"""What was planted in a county and what must come of it, as one JSON document.

Belongs here: counting units and putting defects and expectations into plain values.
Must not: files, anything of the pipeline.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from mock_platforms.county.departments import CUMULATIVE, NEWEST_ONLY, REPORTING
from mock_platforms.county.expect import nights
from mock_platforms.county.model import Inspection
from mock_platforms.county.world import World

# Records × days. A state after each night grows with every day: a month at scale 1 would be half a gigabyte. Above this
# only the last day's expectation is written; `expect.nights` gives the others.
FULL_UP_TO = 40_000


def manifest(world: World) -> dict[str, Any]:
    """{seed, last, days, scale, defects, units: day → department → counts, expected: day → platform → key → entry}.

    `expected_days` names the days given: every day, or only the last one of a large county.
    """
    size = sum(len(world.inspections(day)) for day in world.days)
    whole = size * len(world.days) <= FULL_UP_TO
    expected = {day.isoformat(): state for day, state in nights(world) if whole or day == world.last}
    return {
        "seed": world.seed,
        "last": world.last.isoformat(),
        "days": [day.isoformat() for day in world.days],
        "scale": world.scale,
        "defects": [
            {
                "day": d.day.isoformat(),
                "dept": d.dept,
                "record_no": d.record_no,
                "field": d.field,
                "defect": d.defect,
                "rule": d.rule,
                "effect": d.effect,
            }
            for d in world.defects
        ],
        "units": units(world),
        "expected_days": list(expected),
        "expected": expected,
    }


def units(world: World) -> dict[str, dict[str, dict[str, int]]]:
    """day → department → {pulled, quarantined, skipped_helper_rows} of a night run after each day.

    A unit is a record number; a record without a usable one has a single row here and so is one unit too. 民政's
    cumulative workbook is read whole every night: it counts everything entered until then, in its newest state.
    """
    returned = {(d.day, d.dept, d.record_no) for d in world.defects if d.effect == "quarantine"}
    found: dict[str, dict[str, dict[str, int]]] = {}
    kept: dict[str, dict[str, tuple[date, Inspection]]] = {key: {} for key in CUMULATIVE}
    for day in world.days:
        seen: dict[str, dict[str, tuple[date, Inspection]]] = {key: kept.get(key, {}) for key in REPORTING}
        rows: dict[str, int] = dict.fromkeys(REPORTING, 0)
        for record in world.inspections(day):
            seen[record.dept][record.record_no] = (day, record)
            rows[record.dept] += record.helper_rows if record.dept not in NEWEST_ONLY else 0
        found[day.isoformat()] = {
            key: {
                "pulled": len(records),
                "quarantined": sum((at, key, number) in returned for number, (at, _) in records.items()),
                "skipped_helper_rows": rows[key] or _helper_rows(key, records),
            }
            for key, records in seen.items()
        }
    return found


def _helper_rows(key: str, records: dict[str, tuple[date, Inspection]]) -> int:
    return sum(record.helper_rows for _, record in records.values()) if key in NEWEST_ONLY else 0
