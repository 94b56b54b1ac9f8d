"""Dates and date-times as departments write them (standard 1.7), read or refused, never guessed.

Belongs here: the accepted forms, by column. Must not: rules about order or future, time zones other than Beijing.

Accepted: 2026-07-03, 2026/7/3, 2026.7.3, 2026年7月3日, 20260703, 二〇二六年七月三日, serials of a declared system; each also
with a time of day. Refused: two-digit years, day-month-year orders, mixed separators, other zones, days that do not exist.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.standard.columns import Bools, all_digits, as_text, map_unique, matrix, numbers, real_date, spread

_TIME = (
    r"(?:(?:T| +|(?<=日))(?P<hour>\d{1,2})(?:[:时点](?P<minute>\d{1,2})(?:[:分](?:(?P<second>\d{1,2})(?:\.\d{1,9})?秒?)?)?)"
    r" *(?:\+08:?00)?)?"
)
_FORMS = tuple(
    re.compile(form + _TIME)
    for form in (
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
        r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号]",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    )
)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2}) ?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})"
)
_CHINESE = re.compile(
    r"([〇零○一二三四五六七八九]{4})年([一二三四五六七八九十]{1,3})月([一二三四五六七八九十]{1,3})([日号])(.*)", re.S
)
_SERIAL = re.compile(r"(\d{5})(?:\.(\d{1,12}))?")
# Day 0 of the two spreadsheet systems; the 1900 system counts a 29 February 1900 that never was, hence the 30th.
_EPOCHS = {"1900": datetime(1899, 12, 30), "1904": datetime(1904, 1, 1)}  # noqa: DTZ001 - wall times without zone
_DIGITS = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {"零": 0, "○": 0}
_EARLIEST, _LATEST = 1900, 9999


def parse_dates(values: Any, date_system: str | None = "1900") -> tuple[pa.Array, pa.Array]:
    """(date32, bad): days of the texts; bad where a text stands that is no accepted form; null stays null and good.

    `date_system` is what the source declares of its serial numbers: "1900", "1904", or None (a bare serial is bad).
    """
    moments, bad = parse_datetimes(values, date_system)
    return moments.cast(pa.date32(), safe=False), bad


def parse_datetimes(values: Any, date_system: str | None = "1900") -> tuple[pa.Array, pa.Array]:
    """(timestamp[s], bad): Beijing wall times; a day without a time of day is its midnight. As `parse_dates`."""
    array = as_text(values)
    fast = _iso(array)
    rest = map_unique(
        pc.if_else(pa.array(fast), pa.scalar(None, pa.string()), array),
        lambda text: parse_datetime(text, date_system),
        pa.timestamp("s"),
    )
    quick = pc.strptime(pc.if_else(pa.array(fast), array, pa.scalar(None, pa.string())), "%Y-%m-%d %H:%M:%S", "s")
    moments = pc.coalesce(quick, rest)
    blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(array), ""), True)
    return moments, pc.and_(pc.is_null(moments), pc.invert(blank))


def parse_date(text: str, date_system: str | None = None) -> date | None:
    """One text as a day; None if it is no accepted form."""
    moment = parse_datetime(text, date_system)
    return moment.date() if moment else None


@lru_cache(maxsize=8192)  # a night's records share few dates, and each is read again for every platform
def parse_datetime(text: str, date_system: str | None = None) -> datetime | None:
    """One text as Beijing wall time; None if it is no accepted form."""
    plain = unicodedata.normalize("NFKC", text).strip()
    serial = _SERIAL.fullmatch(plain)
    if serial:
        return _from_serial(serial, date_system)
    western = _from_chinese(plain)
    for form in (*_FORMS, _COMPACT):
        match = form.fullmatch(western)
        if match:
            return _from_parts(match)
    return None


def _iso(array: pa.Array) -> Bools:
    """Texts of the form YYYY-MM-DD HH:MM:SS that are real; nearly all of a night's times are."""
    block, rows = matrix(array, 19)
    marks = np.frombuffer(b"-- ::", dtype=np.uint8)
    fields = [block[:, a:b] for a, b in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))]
    shape = np.logical_and.reduce([all_digits(f) for f in fields]) & (block[:, [4, 7, 10, 13, 16]] == marks).all(axis=1)
    year, month, day, hour, minute, second = (np.where(shape, numbers(f), 0) for f in fields)
    good = shape & real_date(year, month, day) & (year >= _EARLIEST) & (hour < 24) & (minute < 60) & (second < 60)
    return spread(rows, good)


def _from_parts(match: re.Match[str]) -> datetime | None:
    got = {name: int(value or 0) for name, value in match.groupdict().items() if name != "sep"}
    if not _EARLIEST <= got["year"] <= _LATEST:
        return None
    try:
        return datetime(**got)  # type: ignore[arg-type]  # noqa: DTZ001 - Beijing wall time; the keys are named in the forms
    except ValueError:
        return None


def _from_serial(match: re.Match[str], date_system: str | None) -> datetime | None:
    epoch = _EPOCHS.get(date_system or "")
    if epoch is None:
        return None
    # Whole seconds by integers: a float of days is off by up to a second.
    fraction = match[2] or ""
    seconds = (int(fraction) * 86400 * 2 + 10 ** len(fraction)) // (2 * 10 ** len(fraction)) if fraction else 0
    return epoch + timedelta(days=int(match[1]), seconds=seconds)


def _from_chinese(text: str) -> str:
    """二〇二六年七月三日 as 2026年7月3日; anything else unchanged."""
    match = _CHINESE.fullmatch(text)
    if not match:
        return text
    year = "".join(str(_DIGITS[char]) for char in match[1])
    month, day = _below_hundred(match[2]), _below_hundred(match[3])
    return text if month is None or day is None else f"{year}年{month}月{day}{match[4]}{match[5]}"


def _below_hundred(text: str) -> int | None:
    """一 … 九十九 as a number; None for what is no numeral, such as 一二 or 十十."""
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return _DIGITS[text] if len(text) == 1 else None
    if len(tens) > 1 or len(ones) > 1 or "十" in tens:
        return None
    return (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0)
