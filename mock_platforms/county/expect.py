"""What every platform must hold after each night, computed from what happened and from the contract pages alone.

Belongs here: what is sent, held, taken back, night after night (publishing decisions of docs/decisions/0001).
Must not: import anything of the pipeline; the contents of records (`contents`); moments and counts of a run.

Left out of every content: version, submitted_date, publicFrom, cd_time, cd_operation. Inspectors stand in the order of
their certificates; compare them, and ② check_personnel, without order where a source had another one. Empty texts are
given as ""; ② counts empty as absent. Withdrawn records have no content.

Nights run in order and one backfill afterwards end in the same PRESENT records. They differ in what is WITHDRAWN: a
database, an http source, 民政's cumulative workbook and the credit platform show only the newest state, so that a
backfill never sends (and never withdraws) what was taken back before it ran. Nothing planted differs otherwise: returned
corrections and older states stand only in daily files, which keep every state.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from mock_platforms.county import contents
from mock_platforms.county.contents import REPAIRED, key_of
from mock_platforms.county.departments import CREDIT_LEAD
from mock_platforms.county.model import Inspection
from mock_platforms.county.world import World

Entry = dict[str, Any]
Platform = dict[str, Entry]
State = dict[str, Platform]
PLATFORMS = ("double_random", "internet_supervision", "publicity")
MARKET = ("91", "92", "93")


def expected(world: World, through: date, released: tuple[str, ...] = ("PUBLIC",)) -> State:
    """What the platforms hold after the night of `through`: platform → remote key → {kind, state, department, content}.

    released: the rating schemes that the county has released for publicity (`release_ratings`). A run on `through`
    itself, before midnight, does not reach ② with what was checked that day. ValueError for a day outside the county's.
    """
    for day, state in nights(world, released):
        if day == through:
            return state
    raise ValueError(f"{through} 不在样例县的日期 {world.days[0]} 至 {world.last} 之内。")


def nights(world: World, released: tuple[str, ...] = ("PUBLIC",)) -> Iterator[tuple[date, State]]:
    """(day, what the platforms hold after its night), day by day; every state is a dict of its own."""
    course = _Course(world, released)
    for day in world.days:
        course.night(day)
        yield day, {name: dict(held) for name, held in course.held.items()}


class _Course:
    """The platforms' contents as they grow, and what the county remembers beside them."""

    def __init__(self, world: World, released: tuple[str, ...]) -> None:
        self.world = world
        self.released = released
        self.held: State = {name: {} for name in PLATFORMS}
        self._returned = {(d.day, d.dept, d.record_no) for d in world.defects if d.effect == "quarantine"}
        self._not_public = {
            (d.day, d.dept, d.record_no) for d in world.defects if d.effect == "held" and d.field == "task_name"
        }
        self._no_remark = {(d.day, d.dept, d.record_no) for d in world.defects if d.rule == "INS-046"}
        self._newest: dict[str, Inspection] = {}
        self._actions_of: dict[str, frozenset[str]] = {}
        self._suppressed: set[str] = set()

    def night(self, day: date) -> None:
        """Inspections first, then ratings, then notices of repair."""
        # One day's notices are known before anything of that day is sent.
        notices = self.world.repairs(day)
        before = {n["target_key"] for n in notices if n["target"] == "INSPECTION"} & self._unsent_keys(day)
        self._suppressed |= before
        for record in self.world.inspections(day):
            if (day, record.dept, record.record_no) not in self._returned:
                self._inspection(day, record)
        for item in self.world.ratings(day):
            self._rating(day, item)
        for notice in notices:
            self._repair(notice)

    def _unsent_keys(self, day: date) -> set[str]:
        keys = {key_of(r) for r in self.world.inspections(day)}
        return keys - self.held["double_random"].keys()

    def _inspection(self, day: date, record: Inspection) -> None:
        mark, key = (day, record.dept, record.record_no), key_of(record)
        self._newest[key] = record
        barred = key in self._suppressed
        remarks = mark not in self._no_remark
        self._put(
            "double_random",
            key,
            "inspection",
            record.dept,
            contents.double_random(record, barred=barred, remarks=remarks),
        )
        self._actions(key, record)
        if not record.uscc.startswith(MARKET):
            return
        if barred or not record.publishable:
            self._take_back("publicity", key)
        elif mark not in self._not_public:
            self._put("publicity", key, "inspection", record.dept, contents.publicity(record))

    def _actions(self, key: str, record: Inspection) -> None:
        """② has one record for each item; a pending result without an outcome holds them all."""
        if any(i.result == "PENDING" and not i.follow_up for i in record.items):
            return
        actions = contents.internet_supervision(record)
        for cd_id in self._actions_of.get(key, frozenset()) - actions.keys():
            self._take_back("internet_supervision", cd_id)
        self._actions_of[key] = frozenset(actions)
        for cd_id, content in actions.items():
            self._put("internet_supervision", cd_id, "inspection", record.dept, content)

    def _rating(self, day: date, item: dict[str, Any]) -> None:
        key = item["rating_id"]
        if (day, CREDIT_LEAD, key) in self._returned or item["validUntil"] < day.isoformat():
            return
        grade, name = self.world.credit.meant[key, item["revision"]]
        self._put("double_random", key, "rating", CREDIT_LEAD, contents.rating_shared(item, grade, name))
        self._put("internet_supervision", key, "rating", CREDIT_LEAD, contents.rating_assessed(item, grade, name))
        if item["scheme"] in self.released and item["publishable"]:
            self._put("publicity", key, "rating", CREDIT_LEAD, contents.rating_public(item, grade, name))
        else:
            self._take_back("publicity", key)

    def _repair(self, notice: dict[str, Any]) -> None:
        key = notice["target_key"]
        if notice["target"] == "RATING":
            for name in PLATFORMS:
                self._take_back(name, key)
        elif notice["target"] == "INSPECTION":
            self._suppressed.add(key)
            record = self._newest.get(key)
            if record is not None:
                content = self.held["double_random"][key]["content"]
                content = content | {"publishable": False, "notPublishReason": REPAIRED}
                self._put("double_random", key, "inspection", record.dept, content)
                self._take_back("publicity", key)

    def _put(self, platform: str, key: str, kind: str, dept: str, content: dict[str, Any]) -> None:
        self.held[platform][key] = {"kind": kind, "state": "PRESENT", "department": dept, "content": content}

    def _take_back(self, platform: str, key: str) -> None:
        """What the platform holds is withdrawn; what it never held leaves no trace."""
        entry = self.held[platform].get(key)
        if entry is not None:
            self.held[platform][key] = entry | {"state": "WITHDRAWN", "content": {}}
