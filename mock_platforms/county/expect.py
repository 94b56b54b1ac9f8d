"""What every platform must hold after each night, computed from what happened and from the contract pages alone.

Belongs here: the derivations of docs/decisions/0001 written a second time, without a line of the pipeline.
Must not: import anything of ours; versions, moments and counts of a run.

Left out of every content: version, submitted_date, publicFrom, cd_time, cd_operation. Inspectors stand in the order of
their certificates; compare them, and ② check_personnel, without order where a source had another one. Empty texts are
given as ""; ② counts empty as absent. Withdrawn records have no content.

Nights run in order and one backfill afterwards end in the same PRESENT records. They differ in what is WITHDRAWN: a
database, an http source, 民政's cumulative workbook and the credit platform show only the newest state, so that a
backfill never sends (and never withdraws) what was taken back before it ran. Nothing planted differs otherwise: returned
corrections and older states stand only in daily files, which keep every state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from mock_platforms.county.codes import FOLLOW_UP_OF, FOLLOW_UP_PRECEDENCE, LABEL_ORDER, RESULT_LABELS
from mock_platforms.county.departments import BY_KEY, COUNTY, CREDIT_LEAD
from mock_platforms.county.model import Inspection, Item
from mock_platforms.county.world import World

Entry = dict[str, Any]
Platform = dict[str, Entry]
State = dict[str, Platform]
PLATFORMS = ("double_random", "internet_supervision", "publicity")
MARKET = ("91", "92", "93")
REPAIRED = "信用修复"


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
            "double_random", key, "inspection", record.dept, double_random(record, barred=barred, remarks=remarks)
        )
        self._actions(key, record)
        if not record.uscc.startswith(MARKET):
            return
        if barred or not record.publishable:
            self._take_back("publicity", key)
        elif mark not in self._not_public:
            self._put("publicity", key, "inspection", record.dept, publicity(record))

    def _actions(self, key: str, record: Inspection) -> None:
        """② has one record for each item; a pending result without an outcome holds them all."""
        if any(i.result == "PENDING" and not i.follow_up for i in record.items):
            return
        actions = internet_supervision(record)
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
        self._put("double_random", key, "rating", CREDIT_LEAD, _rating_shared(item, grade, name))
        self._put("internet_supervision", key, "rating", CREDIT_LEAD, _rating_assessed(item, grade, name))
        if item["scheme"] in self.released and item["publishable"]:
            self._put("publicity", key, "rating", CREDIT_LEAD, _rating_public(item, grade, name))
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


def key_of(record: Inspection) -> str:
    """The record's key on every platform."""
    return f"{COUNTY}-{record.dept}-{record.record_no}"


def double_random(record: Inspection, *, barred: bool = False, remarks: bool = True) -> dict[str, Any]:
    """The record of `POST /api/v1/inspection-results`. barred: not public any more after 信用修复."""
    dept = BY_KEY[record.dept]
    return {
        "recordKey": key_of(record),
        "operation": "UPSERT",
        "raninsPlanId": record.plan_id,
        "raninsPlaneName": record.plan_name,
        "raninsTaskId": record.task_id,
        "raninsTaskName": record.task_name,
        "raninsTypeName": record.check_kind,
        "caseReason": record.case_reason,
        "jointCheck": record.joint,
        "leadDept": record.lead_dept,
        "entName": record.subject_name,
        "uniCode": record.uscc,
        "objectType": record.object_type,
        "objectCode": record.object_code,
        "insAuth": dept.name,
        "insAuthCode": dept.uscc,
        "inspectors": [{"name": name, "certNo": cert} for name, cert in _team(record)],
        "insDate": record.inspect_date.isoformat(),
        "finishDate": record.finish_date.isoformat(),
        "details": [
            {
                "itemCode": i.item_code,
                "raninsItemName": i.item_name,
                "raninsCheckResName": RESULT_LABELS[i.result],
                "remark": i.remark if remarks else "",
            }
            for i in _sorted(record.items)
        ],
        "publishable": bool(record.publishable) and not barred,
        "notPublishReason": REPAIRED if barred else record.not_publish_reason,
        "enteredBy": dept.name,
        "enteredByCode": dept.uscc,
        "enteredAt": str(record.entered_at),
    }


def internet_supervision(record: Inspection) -> dict[str, dict[str, Any]]:
    """cd_id → record of `POST /exchange/jg_jgxw_check_action`, one for each item."""
    dept, key, team = BY_KEY[record.dept], key_of(record), _team(record)
    found = {}
    for code, items in _by_item(record.items).items():
        cd_id = f"{key}-{code}"
        found[cd_id] = {
            "cd_id": cd_id,
            "record_unique_identity": cd_id,
            "plan_id": record.plan_id,
            "supervise_item_implement_code": code,
            "supervise_item_check_icode": items[0].implement_code,
            "check_action_name": record.task_name or items[0].item_name,
            "check_action_code": cd_id,
            "implement_institution": dept.name,
            "implement_institution_code": dept.uscc,
            "supervise_object_type": record.object_type,
            "supervise_object": record.subject_name,
            **_counterpart(record),
            "address_registered": "",
            "address_operating": record.address_operating,
            "area_number": record.area_code,
            "check_form": record.check_form,
            "check_type": record.check_type,
            "check_mode": record.check_mode,
            "check_result": _check_result(items),
            "check_date": record.inspect_date.isoformat(),
            "check_personnel": ",".join(name for name, _ in team),
            "check_personnel_code": ",".join(cert for _, cert in team),
            "submitted_personnel": record.entered_by,
        }
    return found


def publicity(record: Inspection) -> dict[str, Any]:
    """The record of `POST /publicity/inspections`; its insDate is the day of completion."""
    return {
        "pubId": key_of(record),
        "UniCode": record.uscc,
        "EntName": record.subject_name,
        "raninsPlanId": record.plan_id,
        "raninsPlaneName": record.plan_name,
        "raninsTaskId": record.task_id,
        "raninsTaskName": record.task_name,
        "raninsTypeName": record.check_kind,
        "insAuth": BY_KEY[record.dept].name,
        "insDate": record.finish_date.isoformat(),
        "details": [
            {"seqno": n, "raninsItemName": i.item_name, "raninsCheckResName": RESULT_LABELS[i.result]}
            for n, i in enumerate(_sorted(record.items), 1)
        ],
        "publicUntil": "",
    }


def _rating_shared(item: dict[str, Any], grade: str, name: str) -> dict[str, Any]:
    mark = item["enterpriseMark"]
    return {
        "recordKey": item["rating_id"],
        "operation": "UPSERT",
        "uniCode": item["enterpriseCreditCode"],
        "entName": name,
        "scheme": item["scheme"],
        "grade": grade,
        "score": None if mark is None else float(mark),
        "evaluator": item["estimateOrg"],
        "evaluatorCode": item["estimateOrgCode"],
        "ratedAt": item["estimateTime"],
        "validUntil": item["validUntil"],
        "field": item["field"],
        "sharedByCode": BY_KEY[CREDIT_LEAD].uscc,
    }


def _rating_assessed(item: dict[str, Any], grade: str, name: str) -> dict[str, Any]:
    mark = item["enterpriseMark"]
    return {
        "cd_id": item["rating_id"],
        "enterpriseName": name,
        "enterpriseIdType": "001",
        "enterpriseCreditCode": item["enterpriseCreditCode"],
        "enterpriseMark": "" if mark is None else str(mark),
        "enterpriseType": grade,
        "estimateTime": item["estimateTime"],
        "scheme": item["scheme"],
        "sharedByCode": BY_KEY[CREDIT_LEAD].uscc,
    }


def _rating_public(item: dict[str, Any], grade: str, name: str) -> dict[str, Any]:
    return {
        "pubId": item["rating_id"],
        "UniCode": item["enterpriseCreditCode"],
        "EntName": name,
        "scheme": item["scheme"],
        "grade": grade,
        "evaluator": item["estimateOrg"],
        "ratedAt": item["estimateTime"],
        "publicUntil": "",
    }


def _counterpart(record: Inspection) -> dict[str, str]:
    """The responsible body: its own name and code if given, else the subject with its USCC, else its object code."""
    code = record.counterpart_code or record.uscc
    return {
        "administrative_cp": record.counterpart_name or record.subject_name,
        "administrative_cp_na": record.counterpart_nature,
        "administrative_cp_ce_type": "001" if code else "099",
        "administrative_cp_ui_code": code or record.object_code,
    }


def _check_result(items: Iterable[Item]) -> str:
    codes = {i.follow_up or FOLLOW_UP_OF[i.result] for i in items}
    return next(code for code in FOLLOW_UP_PRECEDENCE if code in codes)


def _by_item(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in _sorted(items):
        found.setdefault(item.item_code, []).append(item)
    return found


def _sorted(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda i: (i.item_code, LABEL_ORDER[i.result]))


def _team(record: Inspection) -> list[tuple[str, str]]:
    return sorted(record.inspectors, key=lambda pair: pair[1])
