"""Conditions of our own rules, by column: what GX has no built-in expectation for.

Belongs here: functions (column or frame) → one boolean a row, True where the rule holds; all vectorised.
Must not: Great Expectations (`custom.py` wraps these), texts, lists, IO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from zz_pipeline.standard import identifiers
from zz_pipeline.standard.columns import Bools, as_text, to_bools
from zz_pipeline.standard.personal import find_personal
from zz_pipeline.standard.tables import TABLES, Kind, Personal, Scope

COUNTY_DIGITS = 6
# RE2: Unicode Cc; in free texts a line break is writing, not a fault. With them private characters, which look otherwise
# or like nothing on every other machine, and U+FFFD, the trace of a character that was lost before.
CONTROL, CONTROL_BUT_BREAKS = r"[\p{Cc}\p{Co}\x{FFFD}]", r"[\p{Co}\x{FFFD}]|[^\P{Cc}\n\r\t]"
NEUTRAL = ("NO_ISSUE", "NO_ACTIVITY")

# Fields whose length and characters have a rule of their own; the rest is INS-038, RAT-009, REP-003.
_OWN_RULE = {
    Kind.INSPECTION: [
        "record_key",
        "record_no",
        "subject_name",
        "uscc",
        "item_code",
        "result",
        "plan_id",
        "task_id",
    ],
    Kind.RATING: ["record_key", "uscc", "subject_name", "scheme", "grade", "rated_at", "valid_until"],
    Kind.REPAIR: ["record_key", "target"],
}
# A wire text may have 500 characters unless its field says less (contract ① E15); a code list's text has no own limit.
WIRE_LIMIT = 500


def no_control(values: Any) -> Bools:
    """No control character, private character or U+FFFD anywhere; contract ① E05."""
    return ~to_bools(pc.match_substring_regex(as_text(values), CONTROL))


def name_usable(values: Any) -> Bools:
    """A name as contract ① E05 wants it: 2–200 characters, no control characters, and not of blanks alone."""
    length = np.asarray(pc.fill_null(pc.utf8_length(as_text(values)), 0))
    return (length >= 2) & (length <= 200) & no_control(values) & ~blank(values)


def blank(values: Any) -> Bools:
    """A text that is there but says nothing."""
    return to_bools(pc.equal(pc.utf8_trim_whitespace(as_text(values)), ""))


def no_personal(values: Any) -> Bools:
    """No resident ID, mobile or bank card number in the text."""
    return to_bools(pc.is_null(find_personal(values)))


def no_resident_look(values: Any) -> Bools:
    """Does not pass the resident-ID check by chance (standard 1.6)."""
    return ~identifiers.looks_like_resident_id(values)


def inner_check(values: Any) -> Bools:
    """Check 2 of a code whose check 1 holds; where check 1 fails INS-003 speaks."""
    return identifiers.uscc_inner_check(values) | ~identifiers.uscc_check(values)


def category_known(values: Any) -> Bools:
    """Characters 1–2 are a listed pair; where check 1 fails INS-003 speaks."""
    return identifiers.uscc_category_known(values) | ~identifiers.uscc_check(values)


def region_known(frame: pd.DataFrame) -> Bools:
    """Columns (uscc, region known): the code's region exists; where check 1 fails INS-003 speaks."""
    return frame.iloc[:, 1].to_numpy(dtype=bool) | ~identifiers.uscc_check(frame.iloc[:, 0])


def key_of_number(frame: pd.DataFrame) -> Bools:
    """Columns (record_no, record_key, `-DEPT-number`): both usable, and the key ends in department and number."""
    number, key, suffix = (frame.iloc[:, i] for i in range(3))
    made_of_it = (key.str[:COUNTY_DIGITS] + suffix == key).to_numpy(dtype=bool)
    return identifiers.record_no(number) & identifiers.record_key(key) & made_of_it


def implement_code(frame: pd.DataFrame) -> Bools:
    """Columns (implement_code, USCC of the sender): contract ② 04; an absent code is another expectation's."""
    return identifiers.implement_code(frame.iloc[:, 0], frame.iloc[:, 1]) | frame.iloc[:, 0].isna().to_numpy()


def _beside(frame: pd.DataFrame, label: str, others: Any) -> Bools:
    """Columns (unit, item, result): rows of `label` and of `others` standing on one item of one unit."""
    unit, item, result = (frame.iloc[:, i] for i in range(3))
    group = [unit, item.astype("str").fillna("")]
    has = (result == label).groupby(group).transform("any")
    other = others(result)
    both = has & other.groupby(group).transform("any")
    return ~(both & ((result == label) | other)).to_numpy(dtype=bool)


def no_issue_alone(frame: pd.DataFrame) -> Bools:
    """未发现问题 excludes every other label on the same item (standard 1.4)."""
    return _beside(frame, "NO_ISSUE", lambda result: result.notna() & (result != "NO_ISSUE"))


def neutral_alone(frame: pd.DataFrame) -> Bools:
    """未发现经营活动 beside a problem on the same item is odd (standard 1.4)."""
    return _beside(frame, "NO_ACTIVITY", lambda result: result.notna() & ~result.isin(NEUTRAL))


@dataclass(frozen=True, slots=True)
class TextLimit:
    """What a text field may hold: so many characters, and whether line breaks are among them."""

    length: int
    breaks: bool

    def usable(self, values: Any) -> Bools:
        """Not longer, not blank, and without control characters; an absent text is usable."""
        array = as_text(values)
        length = np.asarray(pc.fill_null(pc.utf8_length(array), 0))
        control = pc.match_substring_regex(array, CONTROL_BUT_BREAKS if self.breaks else CONTROL)
        return (length <= self.length) & ~blank(array) & ~to_bools(control)


def text_limits(kind: Kind) -> dict[str, TextLimit]:
    """Text fields of a table with what they may hold, those with a rule of their own left out."""
    table = TABLES[kind]
    skip = {*_OWN_RULE[kind], *table.names(Scope.TRACE)}
    texts = (f for f in table.fields if f.type == "text" and f.name not in skip)
    return {f.name: TextLimit(f.length or WIRE_LIMIT, f.personal is Personal.TEXT) for f in texts}


def texts_usable(frame: pd.DataFrame, limits: dict[str, TextLimit]) -> Bools:
    """Every text field of the frame is usable."""
    return np.logical_and.reduce([limit.usable(frame[name]) for name, limit in limits.items()])


def first_unusable(frame: pd.DataFrame, limits: dict[str, TextLimit]) -> pd.Series:
    """For each row the first text field that is not usable; what a clerk must look at."""
    bad = [~limit.usable(frame[name]) for name, limit in limits.items()]
    return pd.Series(np.select(bad, list(limits), default=next(iter(limits))), index=frame.index)
