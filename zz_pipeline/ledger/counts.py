"""Counts for the rules over time: what each version adds to them, written in the transaction that writes the version.

Belongs here: which version counts as a check of whom, which codes its rows had. Must not: reading them (`history`).
A number that moves (`renumber`) changes no count: neither its day nor its content does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, text

from zz_pipeline.history import SHARE_FIELDS

KIND, CASE = "inspection", "个案检查"

# Statements of both databases, prepared once.
_CHECK = text(
    "INSERT INTO subject_check (dept, subject, year, record_key, day) VALUES (:dept, :subject, :year, :key, :day)"
    " ON CONFLICT (dept, subject, year, record_key, day) DO NOTHING"
)
_CODE = text(
    "INSERT INTO code_count (dept, day, field, code, n) VALUES (:dept, :day, :field, :code, :n)"
    " ON CONFLICT (dept, day, field, code) DO UPDATE SET n = code_count.n + excluded.n"
)


def note(conn: Connection, kind: str, dept: str, day: str, said: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Add versions (key, payload) of one owner and partition to the counts; only inspections are counted."""
    if kind != KIND:
        return
    checks, codes = [], Counter[tuple[str, str]]()
    for key, payload in said:
        codes.update(_codes(payload))
        if counted := check_of(payload):
            checks.append({"dept": dept, "subject": counted[0], "year": counted[1], "key": key, "day": day})
    if checks:
        conn.execute(_CHECK, checks)
    if codes:
        told = sorted(codes.items())
        conn.execute(_CODE, [{"dept": dept, "day": day, "field": f, "code": c, "n": n} for (f, c), n in told])


def check_of(payload: Mapping[str, Any]) -> tuple[str, int] | None:
    """(USCC, year) of the check that a version speaks of; None if it counts for nobody."""
    subject, when = payload.get("uscc"), payload.get("inspect_date")
    if not subject or not when or payload.get("check_kind") == CASE:
        return None
    return str(subject), int(str(when)[:4])


def _codes(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, code) for each row that the record had in the standard table."""
    for item in payload.get("items") or ():
        for name in SHARE_FIELDS:
            code = item.get(name) if name in item else payload.get(name)
            if code:
                yield name, code
