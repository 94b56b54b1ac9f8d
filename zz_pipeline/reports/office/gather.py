"""One bulletin's value object, from the ledger as it stands at this moment.

Belongs here: putting figures, ranks, lists and days together. Must not: SQL, looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from zz_pipeline.ledger import audit
from zz_pipeline.reports.office import counting, ranking
from zz_pipeline.reports.office.counting import Key
from zz_pipeline.reports.office.days import Days, days
from zz_pipeline.reports.office.facts import Frame
from zz_pipeline.reports.office.indicators import KINDS
from zz_pipeline.reports.office.listings import listings
from zz_pipeline.reports.office.model import Attendance, Bulletin, Figures, Line
from zz_pipeline.reports.office.period import Period

if TYPE_CHECKING:
    from zz_pipeline.night import Night


def bulletin(night: Night, period: Period) -> Bulletin:
    """Everything a bulletin shows; one read transaction, so that all of it is of one moment."""
    with night.ledger.read() as conn:
        return _bulletin(night, period, conn)


def _bulletin(night: Night, period: Period, conn: Connection) -> Bulletin:
    frame = Frame(conn, night.settings, period, night.now().date())
    calendar = days(frame)
    now = _tally(frame, calendar)
    before_frame = Frame(conn, night.settings, period.before, frame.as_of)
    before = _tally(before_frame, days(before_frame))
    chain = audit.head(conn)
    county = night.settings.county
    return Bulletin(
        county=county.name,
        office=county.office,
        issuer=_in_full(frame, county.office),
        period=period,
        as_of=frame.as_of.isoformat(),
        made_at=night.now().strftime("%Y-%m-%d %H:%M:%S"),
        events=chain.n if chain else 0,
        head=chain.h if chain else audit.GENESIS,
        lines=_lines(frame, now, before),
        total=_total(now, before),
        listings=listings(frame),
        attendance=_attendance(frame, calendar),
        daily=_daily(frame, calendar),
        entry_label=night.settings.platforms[county.entry_platform].label,
    )


def _in_full(frame: Frame, office: str) -> str:
    """The office as it signs: a department's short name at its beginning is written in full."""
    for spec in frame.settings.departments.values():
        if office.startswith(spec.short):
            return spec.name + office.removeprefix(spec.short)
    return office


def _keys(frame: Frame) -> list[Key]:
    """Each department's inspections in the order of the files, then the ratings in the credit lead's name."""
    keys = [(dept, "inspection") for dept in frame.settings.departments]
    return [*keys, (frame.settings.county.credit_lead, "rating")]


def _tally(frame: Frame, calendar: Days) -> dict[Key, Counter[str]]:
    found = counting.count(frame)
    texts = [day.isoformat() for day in frame.period.days]
    return {key: counting.add((found.get(key, {}), calendar.counts(key, texts))) for key in _keys(frame)}


def _lines(frame: Frame, now: Mapping[Key, Counter[str]], before: Mapping[Key, Counter[str]]) -> tuple[Line, ...]:
    found = {key: counting.figures(now[key]) for key in now}
    places = ranking.ranks({key[0]: f for key, f in found.items() if key[1] == "inspection"})
    lines = [
        Line(
            dept=key[0],
            name=frame.settings.departments[key[0]].short,
            kind=KINDS[key[1]],
            now=f,
            before=counting.figures(before[key]),
            rank=places[key[0]] if key[1] == "inspection" else ranking.SHARED,
            remark=_remark(f),
        )
        for key, f in found.items()
    ]
    return tuple(
        sorted(lines, key=lambda line: ranking.order(line.rank))
    )  # stable: ties stay in the order of the files


def _remark(f: Figures) -> str:
    parts = []
    if not f.counts["handed"]:
        parts.append(ranking.unranked(f))
    if f.counts["belated"]:
        parts.append(f"补报 {f.counts['belated']} 条")
    if f.counts["handed"] and f.counts["lost_days"]:
        parts.append(f"未读到 {f.counts['lost_days']} 天")
    return "；".join(parts)


def _total(now: Mapping[Key, Counter[str]], before: Mapping[Key, Counter[str]]) -> Line:
    sums = [counting.figures(counting.add(part.values())) for part in (now, before)]
    return Line("", "合计", "全部", sums[0], sums[1], "", "")


def _attendance(frame: Frame, calendar: Days) -> tuple[Attendance, ...]:
    texts = [day.isoformat() for day in frame.period.days]
    return tuple(Attendance(_name(frame, key), tuple(calendar.mark(key, day) for day in texts)) for key in _keys(frame))


def _name(frame: Frame, key: Key) -> str:
    short = frame.settings.departments[key[0]].short
    return short if key[1] == "inspection" else f"{short}（{KINDS[key[1]]}）"


def _daily(frame: Frame, calendar: Days) -> tuple[int, ...]:
    sums: Counter[str] = Counter()
    for (_, _, day), n in calendar.handed.items():
        sums[day] += n
    return tuple(sums[day.isoformat()] for day in frame.period.days)
