"""How long something may be public: the county's dated table of periods, and the last moment that follows from it.

Belongs here: config/publicity_periods.csv, its form and contradictions, the rule around a change of the law.
Must not: deciding whether something is published at all (`publishing`), reading the clock, stopping anything.

Table 类别,领域,自,至,最短,最长,依据,说明: 自 and 至 are dates of the decision (of an inspection: its completion, of a rating:
its date). 最长 is a length (30天, 3月, 1年), 有效期 (a rating's own), 不限 or 不公示. A period ends with the day of the same
number (民法典 §202: without such a day, with the month). Source: standard 3.4; 国办发〔2025〕22号: at the longest period
publicity stops by itself.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from zz_pipeline.errors import ConfigError, StandardError
from zz_pipeline.standard.canonical import sm3_hex
from zz_pipeline.standard.code_files import read_table
from zz_pipeline.standard.dates import parse_date, parse_datetime
from zz_pipeline.standard.tables import Kind

FILE = "publicity_periods.csv"
HEADINGS = ("类别", "领域", "自", "至", "最短", "最长", "依据", "说明")
INSPECTION, RATING, PENALTY = "检查结果", "公共信用综合评价", "行政处罚"
CLASSES = (INSPECTION, RATING, PENALTY, *(f"{PENALTY}·{name}" for name in ("简易", "轻微", "一般", "严重")))
# What is published today: every date needs a line, so that nothing is public without anybody having said how long.
COVERED = (INSPECTION, RATING)
NO_END, OWN_END, NEVER = "不限", "有效期", "不公示"
SHORTER, OLD, NEW = "shorter", "old", "new"  # county.toml publicity_transition
_LENGTH = re.compile(r"([1-9]\d{0,3})(天|月|年)")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Length:
    """A period as a number of days or months."""

    count: int
    months: int  # months in one; 0 = days

    def after(self, start: date) -> date:
        """The last day of the period that `start` begins, `start` itself not counted."""
        if not self.months:
            return start + timedelta(days=self.count)
        years, month = divmod(start.month - 1 + self.count * self.months, 12)
        last = calendar.monthrange(start.year + years, month + 1)[1]
        return date(start.year + years, month + 1, min(start.day, last))


@dataclass(frozen=True, slots=True)
class Period:
    """One line of the table; `longest` is a Length or one of 不限, 有效期, 不公示."""

    name: str
    fields: frozenset[str]
    start: date
    end: date
    shortest: Length | None
    longest: Length | str
    basis: str

    def last(self, since: date, own: datetime | None) -> datetime | None:
        """The last moment of publicity of something of that date; None = no end."""
        if self.longest == NO_END:
            return None
        if self.longest == NEVER:
            return datetime.combine(since, time()) - _SECOND
        fixed = _whole(self.longest.after(since)) if isinstance(self.longest, Length) else None
        # A rating never outlives its own date, whatever else the county sets.
        return min((end for end in (fixed, own) if end), default=None)


@dataclass(frozen=True, slots=True)
class Term:
    """What a published record says of its own publicity: class, field of regulation, date it counts from, own end."""

    name: str
    field: str
    since: date
    until: str = ""

    @property
    def own(self) -> datetime | None:
        """The record's own last moment; a bare date holds to the end of that day."""
        moment = parse_datetime(self.until) if self.until else None
        return moment if moment is None or ":" in self.until else _whole(moment.date())


def term_of(kind: str, payload: Mapping[str, Any]) -> Term | None:
    """The term of a record as it would be public; None where it says no date (the rules ask for one)."""
    inspection = kind == Kind.INSPECTION
    since = parse_date(str(payload.get("finish_date" if inspection else "rated_at") or ""))
    if since is None:
        return None
    if inspection:
        return Term(INSPECTION, "", since)
    return Term(RATING, str(payload.get("field") or ""), since, str(payload.get("valid_until") or ""))


@dataclass(frozen=True, slots=True)
class Periods:
    """The table. `mark` names its content and the rule around changes: what was reckoned with another one is reckoned anew."""

    lines: tuple[Period, ...]
    transition: str
    mark: str

    @classmethod
    def load(cls, config_dir: Path, transition: str = SHORTER) -> Periods:
        """Read config/publicity_periods.csv; ConfigError names file, line and remedy."""
        path = Path(config_dir) / FILE
        found: list[Period] = []
        told: list[str] = []
        for line in read_table(path, HEADINGS):
            period = _period(line)
            _agrees(line.where, period, found)
            found.append(period)
            told.append("|".join(line[name] for name in HEADINGS[:6]))
        for name in COVERED:
            _covered(path, name, sorted((p for p in found if p.name == name and not p.fields), key=lambda p: p.start))
        return cls(tuple(found), transition, sm3_hex("\n".join([transition, *told]).encode()))

    def last(self, term: Term) -> datetime | None:
        """The last moment at which something may be public; None = no end. StandardError if no line fits."""
        line = self.line(term, term.since)
        if line is None:
            raise StandardError(
                f"公示期限表没有规定 {term.since} 的“{term.name}”公示多久。请在 config/{FILE} 补上这一行后再运行。"
            )
        last = line.last(term.since, term.own)
        for day in sorted({p.start for p in self._of(term) if p.start > term.since}):
            start = datetime.combine(day, time())
            later = self.line(term, day)
            if later is None or later is line or (last is not None and last < start):
                continue
            # A new rule stops nothing before it holds.
            last = self._chosen(last, _not_before(later.last(term.since, term.own), start))
        return last

    def line(self, term: Term, day: date) -> Period | None:
        """The line for what was decided on that day, the most exact one; None if there is none."""
        fit = [p for p in self._of(term) if p.start <= day <= p.end]
        return max(fit, key=lambda p: (len(p.name), bool(p.fields)), default=None)

    def _of(self, term: Term) -> Iterator[Period]:
        for period in self.lines:
            named = term.name == period.name or term.name.startswith(f"{period.name}·")
            if named and (not period.fields or term.field in period.fields):
                yield period

    def _chosen(self, old: datetime | None, new: datetime | None) -> datetime | None:
        if self.transition == SHORTER:
            return min((end for end in (old, new) if end), default=None)
        return new if self.transition == NEW else old


def _whole(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59))


def _not_before(last: datetime | None, start: datetime) -> datetime | None:
    return last if last is None or last >= start else start - _SECOND


def _period(line: Any) -> Period:
    if line["类别"] not in CLASSES:
        raise ConfigError(f"{line.where}：类别“{line['类别']}”不认识，只能是 {'、'.join(CLASSES)}。请改正。")
    if not line["依据"]:
        raise ConfigError(f"{line.where}：没有写依据。公示期限必须有依据，请填写文件名称和文号。")
    shortest = _length(line, "最短", ())
    longest = _length(line, "最长", (NO_END, OWN_END, NEVER))
    if longest is None:
        raise ConfigError(f"{line.where}：没有写“最长”。没有期限请写 {NO_END}，不得公示请写 {NEVER}。")
    if longest == OWN_END and line["类别"] != RATING:
        raise ConfigError(f"{line.where}：只有“{RATING}”自带有效期，其他类别不能写 {OWN_END}。请改成 1年 这样的写法。")
    start, end = _day(line, "自", date.min), _day(line, "至", date.max)
    if start > end:
        raise ConfigError(f"{line.where}：“自”晚于“至”。请改正两个日期。")
    middle = date(2026, 4, 1)
    if isinstance(shortest, Length) and isinstance(longest, Length) and shortest.after(middle) > longest.after(middle):
        raise ConfigError(f"{line.where}：最短 {line['最短']} 长过最长 {line['最长']}。请核对后改正。")
    fields = frozenset(part for part in re.split(r"[、,，|]", line["领域"]) if part)
    least = shortest if isinstance(shortest, Length) else None
    return Period(line["类别"], fields, start, end, least, longest, line["依据"])


def _length(line: Any, heading: str, words: tuple[str, ...]) -> Length | str | None:
    text = line[heading]
    if not text:
        return None
    if text in words:
        return str(text)
    match = _LENGTH.fullmatch(text)
    if match is None:
        also = f"，或 {'、'.join(words)}" if words else "，或留空"
        raise ConfigError(f"{line.where}：{heading}“{text}”看不懂，应写成 30天、3月、1年{also}。请改正。")
    return Length(int(match[1]), {"天": 0, "月": 1, "年": 12}[match[2]])


def _day(line: Any, heading: str, missing: date) -> date:
    try:
        return date.fromisoformat(line[heading]) if line[heading] else missing
    except ValueError:
        raise ConfigError(f"{line.where}：{heading}“{line[heading]}”不是日期，应写成 2026-04-01，或留空。") from None


def _agrees(where: str, period: Period, earlier: list[Period]) -> None:
    for other in earlier:
        same = other.name == period.name and (bool(other.fields & period.fields) or not (other.fields or period.fields))
        if same and period.start <= other.end and other.start <= period.end:
            raise ConfigError(f"{where}：“{period.name}”的起止日期与前面的行重叠。请改正“自”“至”，每一天只留一行。")


def _covered(path: Path, name: str, lines: list[Period]) -> None:
    """Every date has a line: the first begins with all times, each next one on the day after, the last has no end."""
    expected: date | None = date.min
    for period in lines:
        if period.start != expected:
            break
        expected = period.end + timedelta(days=1) if period.end < date.max else None
    else:
        if lines and expected is None:
            return
    raise ConfigError(
        f"{path}：类别“{name}”（领域留空）没有管到每一天。请让第一行“自”留空、各行首尾相接、最后一行“至”留空。"
    )
