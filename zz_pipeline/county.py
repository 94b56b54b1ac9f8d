"""What the county has set, each table read on first use: codes, lists, working days, periods; and the decisions they give.

Belongs here: loading the tables of `config/` and of the lists folder, the context of a publishing decision, the county's clock.
Must not: steps of a night, the ledger, a default for what a table does not say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from zz_pipeline.department_check import check_departments
from zz_pipeline.ledger import versions
from zz_pipeline.settings import Settings
from zz_pipeline.standard.cases import Cases
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.dates import parse_date
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.publishing import Decision, PublishContext, decide, is_settled
from zz_pipeline.standard.publishing_periods import Periods, term_of
from zz_pipeline.standard.results import FollowUps
from zz_pipeline.standard.workdays import WorkCalendar


class CountyTables:
    """The tables over one settings and one clock; `clock` gives Unix seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings, self.clock = settings, clock

    @cached_property
    def book(self) -> CodeBook:
        """The county's code tables."""
        return CodeBook.load(self.settings.config_dir)

    @cached_property
    def lists(self) -> Lists:
        """The county's reference lists."""
        return Lists.load(self.settings.lists)

    @cached_property
    def calendar(self) -> WorkCalendar:
        """The county's working days."""
        return WorkCalendar.load(self.settings.config_dir / "workdays.csv")

    @cached_property
    def follow_ups(self) -> FollowUps:
        """The dated map from result class to 处理结果 01–06."""
        return FollowUps.load(self.settings.config_dir)

    @cached_property
    def periods(self) -> Periods:
        """How long something may be public."""
        return Periods.load(self.settings.config_dir, self.settings.county.publicity_transition)

    def load_all(self) -> None:
        """Read every table now; ConfigError before anything is read or sent if one of them cannot be right."""
        check_departments(self.settings, self.book)
        for table in ("lists", "calendar", "follow_ups", "periods"):
            getattr(self, table)

    @property
    def targets(self) -> list[versions.Target]:
        """The platforms that get an outbox row for each version, the entry platform first."""
        specs = self.settings.platforms
        first = self.settings.county.entry_platform
        names = [first, *(n for n in self.settings.county.platforms if n != first)]
        return [versions.Target(n, specs[n].capability.public) for n in names]

    # ── the county's clock and its decisions ──────────────────────────────────────────────────────────────────────────
    def now(self) -> datetime:
        """The county's wall time, without a zone: the wire knows no other."""
        return datetime.fromtimestamp(self.clock(), self.settings.zone).replace(tzinfo=None)

    @property
    def zone_offset(self) -> float:
        """Seconds that the county's wall time is ahead of UTC."""
        offset = datetime.fromtimestamp(self.clock(), self.settings.zone).utcoffset()
        return (offset or timedelta()).total_seconds()

    def cases(self) -> Cases:
        """`_decide` for the records of one moment."""
        return Cases(
            self._decide, lambda result, given, day: is_settled(result, given, parse_date(day or ""), self.follow_ups)
        )

    def _decide(self, kind: str, payload: Any, platform: str, facts: versions.Facts) -> Decision:
        spec, term = self.settings.platforms[platform], term_of(kind, payload)
        context = PublishContext(
            release_ratings=frozenset(self.settings.county.release_ratings),
            calendar=self.calendar,
            due_workdays=spec.due_days(kind, term.since) if term else 0,
            now=self.now(),
            suppressed=facts.suppressed,
            was_public=facts.was_public,
            version=facts.version,
            op=facts.op,
            repair=facts.repair,
            follow_ups=self.follow_ups,
            periods=self.periods,
        )
        decision = decide(kind, payload, spec.publishing or platform, context)
        if decision.op == "WITHDRAW" and decision.state == "READY" and not spec.capability.withdraw:
            reason = f"{spec.label}没有撤回接口，请书面通知平台运维单位下架，办妥后注明。{decision.reason}"
            return decision._replace(state="HELD", reason=reason)
        return decision
