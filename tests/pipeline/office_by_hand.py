"""A bulletin's figures reckoned a second way: from what the sample county drew and what the platforms hold.

Belongs here: plain loops over the county's own records and the platforms' own ledgers. Must not: import the pipeline,
read its database, share a table or a definition with it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

from mock_platforms.county.departments import CREDIT_LEAD, CUMULATIVE
from mock_platforms.county.world import World

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = ("double_random", "internet_supervision", "publicity")
DAYS = {"double_random": 20, "internet_supervision": 5, "publicity": 20}
GONE = ("STOPPED", "d", "DELETED")
# the defects that spoil the code itself
CODE = {
    "bad_check_digit",
    "lower_case_l",
    "letter_o",
    "fifteen_digits",
    "resident_id_in_uscc",
    "rating_bad_check_digit",
}
# the defects that leave an item empty that the standard always requires (a reason is required only sometimes)
BLANK = {"publishable_missing", "result_empty"}


def told(record: object) -> dict:
    """What a department says in a record, without the moment, the wording and the order in which it says it."""
    said = {k: v for k, v in asdict(record).items() if k not in ("changed", "raw", "style", "helper_rows")}
    said["inspectors"] = sorted(said["inspectors"])
    said["items"] = sorted((i["item_code"], i["result"], i["follow_up"] or "", i["remark"]) for i in said["items"])
    return said


REQUIRED = 23  # fields that docs/data-dictionary.md marks 必填 for an inspection, without 记录键 and 部门键


class ByHand:
    """The county as it was drawn, and the platforms' ledgers after one delivery of all its days."""

    def __init__(self, world: World, ledgers: dict[str, list[dict]], today: date, reporting: tuple[str, ...]) -> None:
        self.world, self.today, self.reporting = world, today, reporting
        self.on = {
            name: {self._record(row["key"], row["kind"]) for row in rows if row["state"] not in GONE}
            for name, rows in ledgers.items()
        }
        self.bad = {(d.day, d.dept, d.record_no) for d in world.defects if d.effect == "quarantine"}
        self.blank = {(d.day, d.dept, d.record_no) for d in world.defects if d.defect in BLANK}
        self.code = {(d.day, d.dept, d.record_no) for d in world.defects if d.defect in CODE}
        self.repaired = {n["target_key"]: day for day in world.days for n in world.repairs(day)}
        self.free = self._free()

    @staticmethod
    def _record(key: str, kind: str) -> str:
        """② keeps one entry an item: its key is the record's and the 14 digits of the item."""
        return re.sub(r"-\d{14}$", "", key) if "rating" not in kind else key

    @staticmethod
    def _free() -> dict[date, str]:
        with (ROOT / "config" / "workdays.csv").open(encoding="utf-8") as file:
            return {date.fromisoformat(line["date"]): line["kind"] for line in csv.DictReader(file)}

    def due(self, start: date, n: int) -> date:
        """The n-th working day after `start`."""
        day = start
        while n:
            day += timedelta(days=1)
            kind = self.free.get(day, "班" if day.weekday() < 5 else "休")
            n -= kind == "班"
        return day

    # ── what a department handed in ─────────────────────────────────────────────────────────────────────────────────
    def states(self, dept: str) -> dict[str, list[tuple[date, object, bool]]]:
        """Record number → its states in order: day, record, whether it was good."""
        found: dict[str, list[tuple[date, object, bool]]] = defaultdict(list)
        for day in self.world.days:
            for r in self.world.inspections(day):
                if r.dept == dept:
                    found[r.record_no].append((day, r, (day, dept, r.record_no) not in self.bad))
        return {number: self._fresh(states) for number, states in found.items()}

    @staticmethod
    def _fresh(states: list) -> list:
        """Without good states that say what the good state before said: the same again is nothing new."""
        kept: list = []
        for day, r, ok in states:
            if not (ok and kept and kept[-1][2] and told(kept[-1][1]) == told(r)):
                kept.append((day, r, ok))
        return kept

    def ratings(self) -> dict[str, list[tuple[date, dict, bool]]]:
        """Rating number → its states in order."""
        found: dict[str, list[tuple[date, dict, bool]]] = defaultdict(list)
        for day in self.world.days:
            for item in self.world.ratings(day):
                key = item["rating_id"]
                found[key].append((day, item, (day, CREDIT_LEAD, key) not in self.bad))
        return found

    def shown_again(self, dept: str, states: list, first: date, last: date) -> bool:
        """民政's one workbook shows a bad row again with every later change of the workbook, until it is corrected."""
        if dept not in CUMULATIVE:
            return False
        changed = {day for day in self.world.days for r in self.world.inspections(day) if r.dept == dept}
        days = [day for day in changed if first <= day <= last]
        return any((known := [s for s in states if s[0] <= day]) and not known[-1][2] for day in days)

    # ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def inspections(self, dept: str, first: date, last: date) -> Counter[str]:
        """A department's counts of the period."""
        c: Counter[str] = Counter()
        for number, states in self.states(dept).items():
            inside = [s for s in states if first <= s[0] <= last]
            again = self.shown_again(dept, states, first, last)
            if inside or again:
                self._one(c, dept, number, states, inside, again, first)
            self._limits(c, dept, number, states, first, last)
        return c

    def _one(
        self, c: Counter[str], dept: str, number: str, states: list, inside: list, again: bool, first: date
    ) -> None:
        key = f"610124-{dept}-{number}"
        good = any(ok for day, _, ok in states if day >= first)
        back = again or any(not ok for _, _, ok in inside)
        shown = states if again else inside  # what is shown again is as wrong as it was
        c["provided"] += 1
        c["owed"] += 1
        c["items_owed"] += REQUIRED
        c["items"] += REQUIRED - any((day, dept, number) in self.blank for day, _, _ in shown)
        c["accepted"] += good
        c["stored"] += good and key in self.on["double_random"]
        c["returned"] += back
        c["reworked"] += back and states[-1][2]
        c["bad_codes"] += any((day, dept, number) in self.code for day, _, _ in shown)
        c["belated"] += any(ok and self.today > day + timedelta(days=1) for day, _, ok in inside)
        newest = [r for day, r, ok in states if ok]
        if good and self._public(key, newest[-1]):
            c["public_owed"] += 1
            c["public"] += key in self.on["publicity"]

    def _public(self, key: str, r: object) -> bool:
        return r.uscc[:2] in ("91", "92", "93") and r.publishable is True and key not in self.repaired

    def _limits(self, c: Counter[str], dept: str, number: str, states: list, first: date, last: date) -> None:
        """Nothing left before the last day was taken in: what was sent first is the newest good state."""
        good = [(day, r) for day, r, ok in states if ok]
        if not good:
            return
        key, (day, r) = f"610124-{dept}-{number}", good[-1]
        at = self.repaired.get(key)
        sent = max(day, at) if at and at >= good[0][0] else day
        if not first <= sent <= last:
            return
        for platform in PLATFORMS:
            if platform == "publicity" and not self._public(key, r):
                continue
            over = self.due(r.finish_date, DAYS[platform]) < self.today
            there = key in self.on[platform]
            c["timely"] += there and not over
            c["late"] += there and over
            c["missed"] += over and not there

    def shared(self, first: date, last: date) -> Counter[str]:
        """The ratings' counts of the period."""
        c: Counter[str] = Counter()
        for key, states in self.ratings().items():
            inside = [s for s in states if first <= s[0] <= last]
            if not inside:
                continue
            good = [(day, item) for day, item, ok in states if ok and day >= first]
            there = key in self.on["double_random"]
            over = bool(good) and good[-1][1]["validUntil"] < self.today.isoformat()
            stopped = bool(good) and key in self.repaired and not there
            back = any(not ok for _, _, ok in inside)
            c["provided"] += 1
            c["owed"] += not over and not stopped
            c["accepted"] += bool(good)
            c["stored"] += bool(good) and there and not over
            c["returned"] += back
            c["reworked"] += back and states[-1][2]
            c["bad_codes"] += any((day, CREDIT_LEAD, key) in self.code for day, _, _ in inside)
        return c
