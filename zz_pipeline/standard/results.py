"""What follows from the class of a finding: which labels exclude each other, and what ② calls 检查结果 (01–06).

Belongs here: exclusivity, precedence of several labels on one item, the dated map class → 01–06.
Must not: reading of result wordings (that is `codes`), publishing decisions.

Source: standard 1.4 and 1.5; map config/codes/检查结果处理.csv, to be confirmed by the county.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard.code_files import read_table
from zz_pipeline.standard.tables import RESULT_LABELS

HEADINGS = ("类别", "处理结果", "自", "至", "说明")
FOLLOW_UPS = ("01", "02", "03", "04", "05", "06")
PRECEDENCE = ("05", "04", "02", "03", "06", "01")  # several labels on one item: the first that applies
EXCLUSIVE = frozenset({"NO_ISSUE"})  # allows no other label on the same item
NEUTRAL = frozenset({"NO_ACTIVITY"})  # beside a problem: a warning
UNFINISHED = frozenset({"PENDING"})  # no safe default: holds the record for ②
PROBLEMS = frozenset(RESULT_LABELS) - EXCLUSIVE - NEUTRAL
ORDER = {key: place for place, key in enumerate(RESULT_LABELS)}  # label order of standard 1.1


def forbidden(classes: Iterable[str]) -> bool:
    """Whether these classes may not stand together on one item (standard 1.4)."""
    kinds = set(classes)
    return len(kinds) > 1 and bool(kinds & EXCLUSIVE)


def neutral_beside_problem(classes: Iterable[str]) -> bool:
    """未发现开展…经营活动 beside a problem on one item: lawful, but worth a second look."""
    kinds = set(classes)
    return bool(kinds & NEUTRAL) and bool(kinds & PROBLEMS)


def strongest(codes: Iterable[str]) -> str | None:
    """The one of several 01–06 that ② is told; None if there is none. ValueError for a foreign code."""
    return min(codes, key=PRECEDENCE.index, default=None)


@dataclass(frozen=True, slots=True)
class _Span:
    code: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class FollowUps:
    """The dated map class → 01–06. A class without a line on that day has no follow-up: hold, never guess."""

    spans: dict[str, tuple[_Span, ...]]

    @classmethod
    def load(cls, config_dir: Path) -> FollowUps:
        """Read codes/检查结果处理.csv; ConfigError names line and remedy, also for spans that overlap."""
        path = Path(config_dir) / "codes" / "检查结果处理.csv"
        spans: dict[str, list[_Span]] = {}
        for line in read_table(path, HEADINGS):
            key, code = line["类别"], line["处理结果"]
            if key not in RESULT_LABELS or code not in FOLLOW_UPS:
                raise ConfigError(
                    f"{line.where}：类别应为 {'、'.join(RESULT_LABELS)} 之一，处理结果应为 01–06。请改正。"
                )
            if key in UNFINISHED:
                raise ConfigError(f"{line.where}：“{RESULT_LABELS[key]}”没有默认处理结果，须由人填写。请删除这一行。")
            span = _Span(code, _day(line.where, line["自"], date.min), _day(line.where, line["至"], date.max))
            earlier = spans.setdefault(key, [])
            if span.start > span.end or any(span.start <= e.end and e.start <= span.end for e in earlier):
                raise ConfigError(f"{line.where}：类别 {key} 的起止日期颠倒，或与前面的行重叠。请改正“自”“至”。")
            earlier.append(span)
        return cls({key: tuple(found) for key, found in spans.items()})

    def of(self, key: str, day: date) -> str | None:
        """01–06 for a class on the day of the check; None: no line, a person must say."""
        for span in self.spans.get(key, ()):
            if span.start <= day <= span.end:
                return span.code
        return None

    def for_item(self, labels: Iterable[tuple[str, str | None]], day: date) -> str | None:
        """01–06 of one item from its (class, follow-up of the source or None); None holds the record for ②."""
        codes = [given or self.of(key, day) for key, given in labels]
        known = [code for code in codes if code]
        return strongest(known) if known and len(known) == len(codes) else None


def _day(where: str, text: str, missing: date) -> date:
    try:
        return date.fromisoformat(text) if text else missing
    except ValueError:
        raise ConfigError(f"{where}：“{text}”不是日期，应写成 2026-04-01，或留空。") from None
