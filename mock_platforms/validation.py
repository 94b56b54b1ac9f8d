"""Small checks that several platforms share: identifiers, dates, and rules as rows of a table.

Belongs here: pure predicates from the standard (§4) and the runner of rule tables. Must not: codes of one platform.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC = re.compile(f"[{_ALPHABET}]{{18}}")
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
KEY = re.compile(r"[A-Za-z0-9_-]{1,35}")


def uscc(text: str) -> bool:
    """Check digit of GB 32100-2015."""
    if not _USCC.fullmatch(text):
        return False
    total = sum(w * _ALPHABET.index(c) for w, c in zip(_WEIGHTS, text, strict=False))
    return _ALPHABET[(31 - total % 31) % 31] == text[17]


def resident_id(text: str, today: date) -> bool:
    """GB 11643: 17 digits, a real birth date that is not in the future, and a check digit that holds."""
    if not re.fullmatch(r"[0-9]{17}[0-9Xx]", text):
        return False
    born = real_date(f"{text[6:10]}-{text[10:12]}-{text[12:14]}")
    total = sum(w * int(c) for w, c in zip(_ID_WEIGHTS, text, strict=False))
    return born is not None and born <= today and "10X98765432"[total % 11] == text[17].upper()


def real_date(text: str) -> date | None:
    """The date that `YYYY-MM-DD` names, or None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def real_datetime(text: str) -> datetime | None:
    """The moment that `YYYY-MM-DD HH:MM:SS` names, or None."""
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def moment(text: str) -> datetime | None:
    """A date (its first second) or a date-time, or None."""
    day = real_date(text)
    return datetime.combine(day, time()) if day else real_datetime(text)


def soon(now: datetime) -> datetime:
    """The latest moment that is not called future (clock tolerance of 300 s)."""
    return now + timedelta(seconds=300)


def has_control(text: str) -> bool:
    """Whether a control character stands in the text."""
    return any(unicodedata.category(c) == "Cc" for c in text)


def whole_number(value: Any, least: int = 1) -> bool:
    """A JSON whole number; true and 1.0 are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a contract's table: `test(record, context)` holds, else `code` is the verdict on `field`.

    needs: fields that must be present and well-typed for the rule to be asked at all.
    """

    code: str
    field: str
    needs: tuple[str, ...]
    test: Callable[[dict[str, Any], Any], bool]
    message: str


Fault = tuple[str, str, str]  # (code, field, message)


def breaches(rules: Iterable[Rule], record: dict[str, Any], context: Any, sound: Collection[str]) -> list[Fault]:
    """All rules that the record breaks; rules on fields that are not sound are left out."""
    return [
        (rule.code, rule.field, rule.message)
        for rule in rules
        if all(name in sound for name in rule.needs) and not rule.test(record, context)
    ]
