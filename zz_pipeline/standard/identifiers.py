"""Identifiers: form and check digits, by column.

Belongs here: GB 32100, GB 11714, GB 11643, GB/T 2260 shapes, the numbers of contracts ① and ②; each on a whole column.
Must not: repairing a value, membership in the county's lists, reading files or the clock.

Columns may be Arrow, pandas, numpy or lists of texts; every column function returns numpy booleans, null is False.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import numpy as np
import pyarrow.compute as pc

from zz_pipeline.standard.columns import (
    Bools,
    all_digits,
    as_text,
    matches,
    matrix,
    numbers,
    real_date,
    spread,
    to_bools,
)

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_CHECKS = "10X98765432"
MARKET = ("91", "92", "93")

# GB 32100: first character (who registers) → second characters (kind of body). All but 9 and Y also have 9 其他.
_CATEGORIES = {
    "1": "1239", "2": "19", "3": "123459", "4": "19", "5": "1239", "6": "19", "7": "129", "8": "19",
    "9": "123", "A": "19", "N": "1239", "Y": "1",
}  # fmt: skip
_PAIRS = sorted(first + second for first, seconds in _CATEGORIES.items() for second in seconds)
_NONE = 255


def _table(alphabet: str, first: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    table = np.full(256, _NONE, dtype=np.uint8)
    for value, char in enumerate(alphabet, start=first):
        table[ord(char)] = value
    return table


_USCC = _table(USCC_ALPHABET)
_BASE36 = _table("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_INNER_CHECK = np.frombuffer(b"0123456789X0", dtype=np.uint8)  # index = 11 − Σ mod 11; 10 → X, 11 → 0
_RESIDENT_CHECK = np.frombuffer(RESIDENT_CHECKS.encode(), dtype=np.uint8)


def uscc_check(values: Any) -> Bools:
    """Check 1 of GB 32100-2015: 18 characters of its alphabet with a check digit that holds."""
    block, rows = matrix(values, 18)
    codes = _USCC[block]
    total = codes[:, :17].astype(np.int64) @ np.array(USCC_WEIGHTS)
    holds = (31 - total % 31) % 31 == codes[:, 17]
    return spread(rows, holds & (codes != _NONE).all(axis=1))


def uscc_inner_check(values: Any) -> Bools:
    """Check 2: characters 9–17 of an 18-character code carry the check digit of GB 11714."""
    block, rows = matrix(values, 18)
    codes = _BASE36[block[:, 8:16]]
    total = codes.astype(np.int64) @ np.array(INNER_WEIGHTS)
    holds = _INNER_CHECK[11 - total % 11] == block[:, 16]
    return spread(rows, holds & (codes != _NONE).all(axis=1))


def uscc_category_known(values: Any) -> Bools:
    """Characters 1–2 are a pair of 登记管理部门 and 机构类别 that GB 32100 lists."""
    return matches(values, rf"\A(?:{'|'.join(_PAIRS)})") & _long(values, 18)


def uscc_market(values: Any) -> Bools:
    """Registered market entities: 91 企业, 92 个体工商户, 93 农民专业合作社 (contract ③ shows no others)."""
    return matches(values, r"\A9[123]") & _long(values, 18)


def uscc_region(values: Any, regions: Collection[str]) -> Bools:
    """Characters 3–8 are a known region; `regions` holds 6-digit codes, and 2-digit provinces taken as a whole."""
    block, rows = matrix(values, 18)
    part = block[:, 2:8]
    digits = all_digits(part)
    code = np.where(digits, numbers(part), -1)
    exact = np.array([int(r) for r in regions if len(r) == 6], dtype=np.int64)
    provinces = np.array([int(r) for r in regions if len(r) == 2], dtype=np.int64)
    known = np.isin(code, exact) | np.isin(code // 10000, provinces)
    return spread(rows, known & digits)


def resident_id(values: Any, today: date | None = None) -> Bools:
    """GB 11643: 17 digits, check character (upper-case X), real date of birth, not after `today` if that is given."""
    block, rows = matrix(values, 18)
    return spread(rows, _resident(block, today))


def looks_like_resident_id(values: Any, today: date | None = None) -> Bools:
    """As `resident_id`, but a lower-case x counts too: for finding personal data, never for accepting a number."""
    block, rows = matrix(values, 18)
    raised = block.copy()
    raised[block == ord("x")] = ord("X")
    return spread(rows, _resident(raised, today))


def resident_id_trap(values: Any, regions: Collection[str], today: date | None = None) -> Bools:
    """Standard 4.1: what passes the resident-ID check is personal unless both USCC checks hold and the region is known.

    Only 6-digit regions count here: a province taken as a whole would let resident IDs through as organisations.
    """
    exact = [region for region in regions if len(region) == 6]
    organisation = uscc_check(values) & uscc_inner_check(values) & uscc_region(values, exact)
    return looks_like_resident_id(values, today) & ~organisation


def registration_number_15(values: Any) -> Bools:
    """Old 15-digit 注册号 whose ISO 7064 MOD 11,10 digit holds; never completed to a USCC, only recognised."""
    block, rows = matrix(values, 15)
    digits = all_digits(block)
    value = np.where(digits[:, None], block.astype(np.int64) - ord("0"), 0)
    carry = np.full(len(block), 10, dtype=np.int64)
    for column in range(14):
        step = (carry + value[:, column]) % 10
        carry = np.where(step == 0, 10, step) * 2 % 11
    return spread(rows, digits & ((carry + value[:, 14]) % 10 == 1))


def fifteen_digits(values: Any) -> Bools:
    """15 digits, check or not: an old 注册号 or an old resident ID, in neither case a USCC."""
    return matches(values, r"\A[0-9]{15}\z")


def item_code(values: Any) -> Bools:
    """监管事项目录编码: exactly 14 digits, else opaque (contract ① E10, ② 03)."""
    return matches(values, r"\A[0-9]{14}\z")


def implement_code(values: Any, dept_uscc: Any) -> Bools:
    """检查实施清单编码: the department's USCC (one text or a column), a level 1–5, the rest serial; ≤ 800 (② 04)."""
    array = as_text(values)
    own = dept_uscc if isinstance(dept_uscc, str) else as_text(dept_uscc)
    same = to_bools(pc.equal(pc.utf8_slice_codeunits(array, 0, 18), own))
    return same & matches(array, r"\A[0-9A-Z]{18}[1-5]") & to_bools(pc.less_equal(pc.utf8_length(array), 800))


def cert_no(values: Any) -> Bools:
    """执法证号: 8–20 of 0-9 A-Z (contract ① E08)."""
    return matches(values, r"\A[0-9A-Z]{8,20}\z")


def plan_id(values: Any) -> Bools:
    """抽查计划编号: 6 region + 4 year + 4 serial, all digits (contract ① E04)."""
    return matches(values, r"\A[0-9]{14}\z")


def task_id(values: Any) -> Bools:
    """抽查任务编号: 6 region + 8 digits of a real date + 4 serial (contract ① E04)."""
    block, rows = matrix(values, 18)
    return spread(rows, all_digits(block) & _date_at(block, 6))


def record_no(values: Any, longest: int = 22) -> Bools:
    """检查编号: 1–`longest` of A-Z a-z 0-9 _ -; 22 leaves room for county and department in a key of 35 (E01)."""
    return matches(values, rf"\A[A-Za-z0-9_-]{{1,{longest}}}\z")


def record_key(values: Any) -> Bools:
    """Record keys, rating ids, notice ids: 1–35 of A-Z a-z 0-9 _ - (contract ① E01, credit)."""
    return matches(values, r"\A[A-Za-z0-9_-]{1,35}\z")


def is_uscc(text: str) -> bool:
    """Check 1 of one text."""
    return bool(uscc_check([text])[0])


def is_resident_id(text: str, today: date | None = None) -> bool:
    """`looks_like_resident_id` of one text."""
    return bool(looks_like_resident_id([text], today)[0])


def uscc_check_digit(first17: str) -> str:
    """The 18th character that GB 32100 gives to 17 characters; KeyError-free: ValueError on a foreign character."""
    total = sum(USCC_ALPHABET.index(char) * weight for char, weight in zip(first17, USCC_WEIGHTS, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]


def resident_check_digit(first17: str) -> str:
    """The 18th character that GB 11643 gives to 17 digits."""
    total = sum(int(char) * weight for char, weight in zip(first17, RESIDENT_WEIGHTS, strict=True))
    return RESIDENT_CHECKS[total % 11]


def _long(values: Any, width: int) -> Bools:
    return to_bools(pc.equal(pc.utf8_length(as_text(values)), width))


def _date_at(block: np.ndarray[Any, np.dtype[np.uint8]], start: int) -> Bools:
    part = block[:, start : start + 8]
    value = np.where(all_digits(part), numbers(part), 0)
    return real_date(value // 10000, value // 100 % 100, value % 100)


def _resident(block: np.ndarray[Any, np.dtype[np.uint8]], today: date | None) -> Bools:
    digits = all_digits(block[:, :17])
    value = np.where(digits[:, None], block[:, :17].astype(np.int64) - ord("0"), 0)
    holds = _RESIDENT_CHECK[(value @ np.array(RESIDENT_WEIGHTS)) % 11] == block[:, 17]
    born = _date_at(block, 6)
    if today is not None:
        born &= numbers(block[:, 6:14]) <= today.year * 10000 + today.month * 100 + today.day
    return digits & holds & born
