"""Clean-up of texts as departments type them: what may be dropped without changing what was meant.

Belongs here: width, blanks, invisible characters, spreadsheet marks (a leading apostrophe, ="…"), case of codes, amounts.
Must not: repairing (O → 0, l → 1), guessing, codes and dates. Every function is idempotent; an empty text becomes null.

Source: standard 4.1 (dropped at the ends, inside they refuse the value; width and case are raised with a warning).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.standard.columns import as_text, map_unique

CHANGED = "changed"  # width or case was raised: a warning
FOREIGN = "foreign"  # something that no identifier holds stands inside: the value is refused (STD-006)

# Characters that no one sees. Blanks are dealt with apart because names keep them; U+FFFD is not among these: it is seen,
# and says that a character was lost before.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\U000e0000-\U000e0fff"
)
_CONTROL = "\x00-\x1f\x7f-\x9f"
_APOSTROPHES = "'\u2018\u2019`\uff07"
_EDGE = re.compile(rf"[\s{_INVISIBLE}{_CONTROL}]*")
_LEADING = re.compile(rf"[{_APOSTROPHES}]*")
_FORMULA = re.compile(r"[=＝][\"“”＂]")
_QUOTES = frozenset('"“”＂')
_INSIDE = re.compile(rf"[\s{_INVISIBLE}{_CONTROL}{_APOSTROPHES}\"=“”]")
_UNSEEN = re.compile(f"[{_INVISIBLE}]+")
_BREAKS = re.compile("[\r\n\v\f\u0085\u2028\u2029]+")
_RETURN = re.compile("\r\n?|[\v\f\u0085\u2028\u2029]")
_BLANKS = re.compile(r"[^\S\r\n\v\f\u0085\u2028\u2029]+")

_WRITTEN_OUT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Amounts: digits or groups of three, then a unit that must be written. Blanks may stand between number and unit only.
_AMOUNT = re.compile(
    r"[¥￥]?\s*([0-9]{1,15}(?:\.[0-9]{1,8})?|[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,8})?)\s*(元|万元|亿元|圆)整?"
)
_UNITS = {"元": 0, "圆": 0, "万元": 4, "亿元": 8}  # powers of ten
_FEN = Decimal("0.01")

_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_BRACKETS = str.maketrans("()", "（）")
# RE2: a text outside these needs no work at all; nearly every text of a night is such.
_PLAIN_CODE = {True: r"\A[0-9A-Z_-]+\z", False: r"\A[0-9A-Za-z_-]+\z"}
_PLAIN_TEXT = r"\A[0-9A-Za-z_\x{4e00}-\x{9fff}（）、，。；：“”《》·-]+\z"


def half_width(text: str) -> str:
    """Full-width ASCII forms and the ideographic blank as half-width; nothing else changes."""
    return text.translate(_HALF)


def visible(text: str) -> str:
    """A text for people: what nobody sees, what turns the reading round and what no database takes is written out."""
    return "".join(_written(c) if unicodedata.category(c) in _WRITTEN_OUT and c not in "\n\t" else c for c in text)


def _written(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def amount_yuan(text: str) -> Decimal | None:
    """An amount of money in 元, exactly as written (3.5万元 → 35000); None if the unit or the number is not certain.

    A number without a unit, a fraction of a 分, an exponent and misplaced thousands are not certain.
    """
    match = _AMOUNT.fullmatch(half_width(_trim(text)))
    if match is None:
        return None
    value = Decimal(match[1].replace(",", "")).scaleb(_UNITS[match[2]])
    return value if value == value.quantize(_FEN) else None


def clean_identifier(values: Any, *, upper: bool = True) -> tuple[pa.Array, pa.Array]:
    """(values, flags) of an identifier column; flags are "", CHANGED or FOREIGN.

    `upper` raises a–z; record numbers and object codes keep their case: there "a" and "A" are two numbers.
    """
    array = as_text(values)
    plain = pc.match_substring_regex(array, _PLAIN_CODE[upper])
    encoded = pc.if_else(plain, pa.scalar(None, pa.string()), array).dictionary_encode()
    done = [_identifier(text, upper) for text in encoded.dictionary.to_pylist()]
    cleaned = pc.take(pa.array([value for value, _ in done], pa.string()), encoded.indices)
    flags = pc.take(pa.array([flag for _, flag in done], pa.string()), encoded.indices)
    return pc.if_else(plain, array, cleaned), pc.fill_null(flags, "")


def clean_name(values: Any) -> pa.Array:
    """Names of people, companies, plans: no line breaks, single blanks, full-width brackets （）."""
    return _where_needed(as_text(values), _name)


def clean_text(values: Any) -> pa.Array:
    """Free text: trimmed, invisible characters dropped, line breaks as LF; everything else stays as written."""
    return _where_needed(as_text(values), _text)


def _where_needed(array: pa.Array, change: Callable[[str], str | None]) -> pa.Array:
    """`change` on the texts that are not plain Chinese and ASCII words; the others stay."""
    plain = pc.match_substring_regex(array, _PLAIN_TEXT)
    changed = map_unique(pc.if_else(plain, pa.scalar(None, pa.string()), array), change, pa.string())
    return pc.if_else(plain, array, changed)


def _trim(text: str) -> str:
    """Blanks, invisible characters, a leading apostrophe and ="…" off the ends, until nothing more comes off."""
    # by places, each character looked at once: a million blanks or layers in one cell must not hold up the night
    start, end = 0, len(text)
    while True:
        before = start, end
        start = _matched(_LEADING, text, _matched(_EDGE, text, start, end), end)
        while end > start and _EDGE.fullmatch(text, end - 1, end):
            end -= 1
        if end - start > 2 and _FORMULA.match(text, start, end) and text[end - 1] in _QUOTES:
            start, end = start + 2, end - 1
        if (start, end) == before:
            return text[start:end]


def _matched(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    """Where a pattern that may match nothing ends."""
    found = pattern.match(text, start, end)
    return found.end() if found else start


def _identifier(text: str, upper: bool) -> tuple[str | None, str]:
    trimmed = _trim(text)
    half = half_width(trimmed)
    raised = half.translate(_UPPER) if upper else half
    done = _trim(raised)
    if _INSIDE.search(done):
        return done or None, FOREIGN
    return done or None, CHANGED if raised != trimmed else ""


def _name(text: str) -> str | None:
    joined = _BREAKS.sub("", _UNSEEN.sub("", text))
    return _trim(_BLANKS.sub(" ", joined).translate(_BRACKETS)) or None


def _text(text: str) -> str | None:
    return _trim(_RETURN.sub("\n", _UNSEEN.sub("", text))) or None
