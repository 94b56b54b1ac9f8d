"""A night's steps, for the CLI and the Dagster assets alike: pull, standardize, check, accept, deliver, reconcile.

Belongs here: what one step does to one source, what it hands to the next, that one department's failure is its own.
Must not: the order of steps (that is `course`), knowledge of a step's subject, Dagster, printing.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

from zz_pipeline import quality, restored, standardize
from zz_pipeline.at_rest import collector_at_rest
from zz_pipeline.county import CountyTables
from zz_pipeline.delivery import points
from zz_pipeline.delivery.client import Client
from zz_pipeline.delivery.deliver import DeliveryResult, deliver
from zz_pipeline.errors import CheckError, ZzError
from zz_pipeline.findings import Finding, tally
from zz_pipeline.handover import Ahead, Checked, Desk, Raw
from zz_pipeline.history import History
from zz_pipeline.ledger import accept as acceptance
from zz_pipeline.ledger import expiry, intake, repairs, versions
from zz_pipeline.ledger import history as past_nights
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import contents
from zz_pipeline.ledger.quarantine import Entry
from zz_pipeline.quality import CheckOutcome
from zz_pipeline.reconcile import EVERYTHING, ReconcileResult, reconcile
from zz_pipeline.reconcile_span import each_day
from zz_pipeline.reports.balance import Balance, balance
from zz_pipeline.returns.inbox import with_returned
from zz_pipeline.settings import Settings
from zz_pipeline.sources import RawBatch, Window, credit, read_source
from zz_pipeline.sources.archive import keep_rows
from zz_pipeline.sources.base import refuse_emptied
from zz_pipeline.standard.personal import mask_text
from zz_pipeline.standard.tables import Kind
from zz_pipeline.standardize import StandardBatch
from zz_pipeline.standardizing.unknown import unknown_values

log = logging.getLogger("zz.night")
CREDIT = "credit"
_ENDED = {"inspection": "检查结果", "rating": "信用评价"}


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step did to one source. `error` is Chinese and without contents; empty if it went well."""

    dept: str
    kind: str
    state: str  # OK | EMPTY | NONE | FAILED | SKIPPED
    counts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    share: int = 0  # percent of records returned
    findings: tuple[Finding, ...] = ()  # what the rules found, one entry a rule

    @property
    def ok(self) -> bool:
        """Whether the next step may go on with this source."""
        return self.state in ("OK", "EMPTY", "NONE")


class Reading(NamedTuple):
    """A reading that was opened: its number in the book, and what is to be read."""

    number: int
    kind: Kind
    dept: str
    window: Window


class Night(CountyTables):
    """The steps over one settings and one ledger. `run` names the folder in which steps hand over their tables."""

    def __init__(self, settings: Settings, ledger: Ledger, run: str, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings, clock)
        self.ledger, self.run = ledger, run
        self._ahead = Ahead()

    @property
    def reporting(self) -> list[str]:
        """Keys of the departments, in file order."""
        return list(self.settings.departments)

    # ── pull ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def pull(self, dept: str, day: date) -> StepResult:
        """Read a department's source for a partition and keep what was read; a failure is this source's alone."""
        return self.read(self.open(Kind.INSPECTION, dept, day))

    def pull_credit(self, kind: Kind, day: date) -> StepResult:
        """Read ratings or repair notices of a partition from the credit platform."""
        return self.read(self.open(kind, CREDIT, day))

    def open(self, kind: Kind, dept: str, day: date) -> Reading:
        """Open a reading of a source in the book of intakes."""
        since, until = self._window(dept, str(kind), day)
        number = intake.begin(self.ledger, day, dept, str(kind), since, until, self.clock())
        return Reading(number, kind, dept, Window(day, since, until))

    def read(self, reading: Reading) -> StepResult:
        """Read an opened source; several may be read at once, each by a thread of its own."""
        number, kind, dept, window = reading
        if dept == CREDIT:
            return self._read(number, dept, str(kind), window.day, lambda: self._read_credit(kind, window))
        if self.settings.departments[dept].source.kind == "none":
            with self.ledger.begin("intake_none") as conn:
                intake.close(conn, number, "NONE", self.clock())
            return StepResult(dept, str(kind), "NONE", {"说明": "零报送"})
        return self._read(number, dept, str(kind), window.day, lambda: self._read_department(dept, window))

    def _read_credit(self, kind: Kind, window: Window) -> RawBatch:
        reader = credit.read_ratings if kind is Kind.RATING else credit.read_repairs
        batch = reader(self._credit_call(), window)
        return keep_rows(self.settings.home, window.day, f"{kind}s", batch)

    def _window(self, dept: str, kind: str, day: date) -> tuple[datetime, datetime]:
        since, until = intake.window(self.ledger, dept, kind, day)
        return self._ahead.since(self._desk(dept, kind, day), since), until

    def _read_department(self, dept: str, window: Window) -> RawBatch:
        return read_source(self.settings.departments[dept], self.settings, window, self._known(dept, window.day))

    def _known(self, dept: str, day: date) -> frozenset[str]:
        return intake.known_files(self.ledger, dept) | self._ahead.files(self._desk(dept, str(Kind.INSPECTION), day))

    def _read(self, number: int, dept: str, kind: str, day: date, read: Callable[[], RawBatch]) -> StepResult:
        try:
            with collector_at_rest():
                raw = read()
            self._stop_if_emptied(raw, dept, kind, day)
            if dept in self.settings.departments:
                raw = with_returned(raw, self.ledger, self.settings, day, self._known(dept, day))
        except Exception as error:
            return self._failed(number, dept, kind, error)
        desk = self._desk(dept, kind, day)
        desk.put_raw(number, raw)
        self._ahead.put(desk, raw)
        return self._pulled(dept, kind, raw)

    def take(self, readings: Sequence[tuple[int, RawBatch]], day: date) -> list[StepResult]:
        """Take in rows that were read before (replays), each as its intake: standardize, check in one validation, accept."""
        results = []
        for number, raw in readings:
            self._desk(raw.dept, str(raw.kind), day).put_raw(number, raw)
            results += [self._pulled(raw.dept, str(raw.kind), raw), self.standardize(raw.dept, raw.kind, day)]
        sources = [raw.dept for _, raw in readings]
        results += self.check(Kind.INSPECTION, day, sources)
        return [*results, *(self.accept(dept, Kind.INSPECTION, day) for dept in sources)]

    def _pulled(self, dept: str, kind: str, raw: RawBatch) -> StepResult:
        refused = [f"{f.name}：{f.problem}" for f in raw.files if f.state == "REFUSED"]
        counts = {"行数": raw.rows, "文件数": len(raw.files), "被拒文件": [mask_text(text) for text in refused]}
        return StepResult(dept, kind, "OK" if raw.rows or raw.files else "EMPTY", counts)

    def _stop_if_emptied(self, raw: RawBatch, dept: str, kind: str, day: date) -> None:
        """A source in which everything vanished is at fault; a window without changes is an ordinary quiet day."""
        county, last = self.settings.county, intake.last_rows(self.ledger, dept, kind, day)
        refuse_emptied(raw, last, county.empty_stop_from, self._name(dept))
        spec = self.settings.departments.get(dept)
        if spec is None or spec.source.kind == "http":
            nothing = replace(raw, empty=raw.rows == 0)
            refuse_emptied(nothing, last, county.empty_window_stop_from, self._name(dept))

    def _desk(self, dept: str, kind: str, day: date) -> Desk:
        return Desk(self.settings.home, self.run, dept, kind, day)

    def _credit_call(self) -> Client:
        lead = self.settings.county.credit_lead
        credential = self.settings.credential(CREDIT, lead)
        return Client(self.settings.credit, credential, self.settings.departments[lead], clock=self.clock)

    # ── standardize, check, accept ──────────────────────────────────────────────────────────────────────────────────
    def standardize(self, dept: str, kind: Kind, day: date) -> StepResult:
        """Native columns → the standard table and its issues."""
        return self._step(dept, kind, day, self._standardize)

    def check(self, kind: Kind, day: date, sources: Sequence[str]) -> list[StepResult]:
        """Run the rules over the standard tables of many sources in one validation, and split each."""
        desks = [self._desk(dept, str(kind), day) for dept in sources]
        waiting = [(desk, found) for desk in desks if (found := desk.waiting())]
        try:
            outcomes = self.judge([(found, desk.dept) for desk, found in waiting], kind, day)
        except Exception as error:  # the checker itself broke: nothing was judged, so nothing of it goes on
            return [self._dropped(desk, found.number, error) for desk, found in waiting]
        results = []
        for (desk, found), outcome in zip(waiting, outcomes, strict=True):
            try:
                results.append(self._split(desk, outcome))
            except Exception as error:
                results.append(self._dropped(desk, found.number, error))
        return results

    def accept(self, dept: str, kind: Kind, day: date) -> StepResult:
        """Write what passed as versions, keep what did not, and move the watermark: one transaction."""
        return self._step(dept, kind, day, self._accept)

    def _step(self, dept: str, kind: Kind, day: date, work: Callable[[Desk, Raw], StepResult]) -> StepResult:
        desk = self._desk(dept, str(kind), day)
        raw = desk.raw()
        if raw is None:
            return StepResult(dept, str(kind), "SKIPPED")
        try:
            with collector_at_rest():
                return work(desk, raw)
        except Exception as error:
            return self._dropped(desk, raw.frame.number, error)

    def _dropped(self, desk: Desk, number: int, error: Exception) -> StepResult:
        """A day that failed, and with it the later days of the run: accepting them would move the watermark over it."""
        desk.clear()
        self._ahead.forget(desk)
        for later in desk.later():
            waiting = later.raw()
            later.clear()
            if waiting is not None:
                said = f"同一次运行中 {desk.day} 没有完成，{later.day} 随之未处理，下次运行会一并重读。"
                intake.fail(self.ledger, waiting.frame.number, said, self.clock())
        return self._failed(number, desk.dept, desk.kind, error)

    def _standardize(self, desk: Desk, raw: Raw) -> StepResult:
        if desk.kind == Kind.INSPECTION:
            spec = self.settings.departments[desk.dept]
            batch = standardize.standardize(raw.batch, spec, self.book, self.lists, self.settings.county.code)
        elif desk.kind == Kind.RATING:
            batch = standardize.standardize_ratings(raw.batch, self.book)
        else:
            batch = standardize.standardize_repairs(raw.batch, self.book)
        desk.put_standard(batch)
        counts = {"记录数": batch.units, "标准行": batch.table.num_rows, "疑问": batch.issues.num_rows}
        return StepResult(desk.dept, desk.kind, "OK", {**counts, "跳过": dict(batch.skipped)})

    def _split(self, desk: Desk, outcome: CheckOutcome | CheckError) -> StepResult:
        if isinstance(outcome, CheckError):
            raise outcome
        batch = desk.standard()
        if batch is None:  # it was there when the check began: a day without it is no quiet day
            raise FileNotFoundError(f"{desk.day}-{desk.dept}-{desk.kind}")
        split = quality.split(batch, outcome)
        desk.put_checked(Checked(split.accepted, split.quarantined, split.warnings, outcome.rule_set))
        rules = Counter(entry.rule for entry in split.quarantined)
        share = round(100 * split.quarantined_units / batch.units) if batch.units else 0
        counts = {"退回记录": split.quarantined_units, "警告": len(split.warnings), "按规则": dict(rules)}
        findings = tally((*split.quarantined, *split.warnings))
        return StepResult(desk.dept, desk.kind, "OK", counts, share=share, findings=findings)

    def judge(
        self, batches: Sequence[tuple[quality.Tabled, str]], kind: Kind, day: date
    ) -> list[CheckOutcome | CheckError]:
        """What the rules say of standard batches, one outcome or error each; empty ones need no rules."""
        todo = [n for n, (batch, _) in enumerate(batches) if batch.table.num_rows]
        outcomes: list[CheckOutcome | CheckError] = [quality.nothing_to_check() for _ in batches]
        if todo:
            owners = self.settings.departments
            parts = [(batches[n][0].table, owners[self._owner(batches[n][1])]) for n in todo]
            common: dict[str, Any] = {
                "lists": self.lists,
                "day": day,
                "now": self.now(),
                "regions": self.book.uscc_regions,
            }
            common["history"] = self._history(kind, day, [(table, owner.key) for table, owner in parts])
            found = quality.load_checker()(parts, str(kind), **common)
            for n, outcome in zip(todo, found, strict=True):
                outcomes[n] = outcome
        return outcomes

    def _history(self, kind: Kind, day: date, parts: Sequence[past_nights.Part]) -> History:
        """What earlier nights say of these records; only inspections have rules over time."""
        limits = self.settings.county.limits
        return past_nights.history(self.ledger, parts, day, limits) if kind is Kind.INSPECTION else History(limits)

    def _accept(self, desk: Desk, raw: Raw) -> StepResult:
        batch, checked = desk.standard(), desk.checked()
        if batch is None or checked is None:
            return StepResult(desk.dept, desk.kind, "SKIPPED")
        source = self._source(raw, batch, checked.rule_set)
        entries = [Entry(**asdict(e)) for e in (*checked.quarantined, *checked.warnings)]
        common: dict[str, Any] = {"now": self.clock(), "zone_offset": self.zone_offset}
        if desk.kind == Kind.REPAIR:
            notices = checked.accepted.to_pylist()
            done = repairs.apply(self.ledger, source, notices, entries, self.targets, self._decide, **common)
        else:
            records = contents(Kind(desk.kind), checked.accepted)
            done = acceptance.accept(self.ledger, source, records, entries, self.targets, self.cases(), **common)
        desk.clear()
        points.reach("handover:cleared")
        counts = {"未变": done.unchanged + done.accepted_before, "接收": done.accepted, "退回": done.quarantined}
        return StepResult(desk.dept, desk.kind, "OK", counts)

    def _source(self, raw: Raw, batch: StandardBatch, rule_set: str) -> versions.Source:
        notes = (intake.FileNote(f.name, f.digest, f.rows, f.state, f.problem, f.archived) for f in raw.batch.files)
        return versions.Source(
            intake_id=raw.frame.number,
            kind=raw.frame.kind,
            dept=raw.frame.dept,
            owner=self._owner(raw.frame.dept),
            day=raw.frame.day,
            until=raw.batch.until,
            rule_set=rule_set,
            pulled=batch.units,
            rows=raw.batch.rows,
            skipped=batch.skipped,
            files=tuple(notes),
            warnings=(*raw.batch.warnings, *batch.warnings),
            returned=raw.batch.returned,
            unknown=unknown_values(batch, raw.frame.dept, self.settings, self.book),
        )

    def end_publicity(self, day: date) -> StepResult:
        """Take down what is public past its period by now; the versions belong to the partition `day`. Found once only."""
        frame = expiry.Frame(day, self.now(), self.settings.county.credit_lead, self.clock, self.zone_offset)
        try:
            ended = expiry.end_publicity(self.ledger, frame, self.periods, self.targets, self._decide)
        except Exception as error:
            number = intake.begin(self.ledger, day, expiry.OFFICE, expiry.KIND, None, None, self.clock())
            return self._failed(number, expiry.OFFICE, expiry.KIND, error)
        counts = {f"停止公示的{name}": ended[kind] for kind, name in _ENDED.items() if kind in ended}
        return StepResult(expiry.OFFICE, expiry.KIND, "OK" if ended else "SKIPPED", counts)

    # ── deliver, reconcile, balance ─────────────────────────────────────────────────────────────────────────────────
    def deliver(
        self, platform: str, *, until: float | None = None, progress: Any = None, lanes: Sequence[str] | None = None
    ) -> DeliveryResult:
        """Send what is due to one platform, in each owner's name; after a restore of the ledger not before it was asked."""
        without: dict[str, str] = {}
        if restored.to_compare(self.ledger, self.settings.home, platform, [t.name for t in self.targets]):
            asked = self.reconcile(platform, self.now().date(), since=EVERYTHING)
            if not asked.compared:
                return DeliveryResult(platform, stopped=f"台账恢复过备份，须先与平台核对才能发送：{asked.error}")
            without = {dept: f"台账恢复过备份，须先核对：{why}" for dept, why in asked.uncompared.items()}
            restored.compared(self.settings.home, platform, list(without))
        common: dict[str, Any] = {"clock": self.clock, "until": until, "progress": progress, "lanes": lanes}
        return deliver(self.ledger, self.settings, platform, without=without, **common)

    def reconcile(self, platform: str, day: date, **options: Any) -> ReconcileResult:
        """Ask the platform what it holds and compare; options as of `reconcile.reconcile`."""
        return reconcile(self.ledger, self.settings, platform, day, clock=self.clock, **options)

    def reconcile_days(self, platform: str, days: Sequence[date]) -> dict[date, ReconcileResult]:
        """The same for several days at once, oldest first."""
        return each_day(self.ledger, days, partial(self.reconcile, platform), self.clock)

    def balance(self, day: date) -> Balance:
        """The day's balance."""
        names = {key: self._name(key) for key in (*self.settings.departments, CREDIT, expiry.OFFICE)}
        names |= {name: spec.label for name, spec in self.settings.platforms.items()}
        return balance(self.ledger, day, tuple(t.name for t in self.targets), names)

    # ── small things ────────────────────────────────────────────────────────────────────────────────────────────────
    def _owner(self, dept: str) -> str:
        return self.settings.county.credit_lead if dept == CREDIT else dept

    def _name(self, dept: str) -> str:
        others = {CREDIT: "信用信息共享平台", expiry.OFFICE: self.settings.county.office}
        return others.get(dept) or self.settings.departments[dept].short

    def _failed(self, number: int, dept: str, kind: str, error: Exception) -> StepResult:
        said = self._said(dept, kind, error, "本部门当日数据未处理，下次运行会重读。")
        intake.fail(self.ledger, number, said, self.clock())
        return StepResult(dept, kind, "FAILED", error=said)

    def not_written(self, dept: str, day: date, error: Exception) -> StepResult:
        """A 退回清单 could not be written: what was accepted stays, the list can be written again."""
        said = self._said(dept, "returned", error, f"{day} 的退回清单没有写成，已入库的不受影响。")
        return StepResult(dept, str(Kind.INSPECTION), "FAILED", error=said)

    def not_replayed(self, dept: str, error: Exception) -> StepResult:
        """What was returned could not be read again: it stays returned."""
        said = self._said(dept, "replay", error, "没有重放，仍列为退回。")
        return StepResult(dept, str(Kind.INSPECTION), "FAILED", error=said)

    def _said(self, dept: str, kind: str, error: Exception, effect: str) -> str:
        if isinstance(error, ZzError):
            return mask_text(str(error))  # the name of a file may hold a person's number
        # a stranger's message may hold contents: only its class leaves this place
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("step failed: %s %s %s at %s:%s", dept, kind, type(error).__name__, place.name, place.lineno)
        return f"{self._name(dept)}处理时出现程序错误（{type(error).__name__}），{effect}请联系技术人员。"
