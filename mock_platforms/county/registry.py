"""The county's reference lists: items, inspectors, plans and tasks, as the departments loaded them.

Belongs here: drawing the lists from a seed, and their rows for `lists/*.csv` (formats of docs/decisions/0001).
Must not: inspections, files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from mock_platforms.county.codes import resembles_resident_id
from mock_platforms.county.departments import BY_KEY, COUNTY, COUNTY_NAME, HOST, JOINT, MATTERS, NUMBER_OF, REPORTING

_SURNAMES = "张王李赵刘陈杨黄周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕"
INSPECTORS = 9  # good ones a department; an expired one and an 执法辅助人员 come on top


@dataclass(frozen=True, slots=True)
class ListedItem:
    """A checked item of the county's list."""

    item_code: str
    item_name: str
    dept: str
    implement_code: str
    status: str
    category: str
    special: str


@dataclass(frozen=True, slots=True)
class Inspector:
    """A person of the 执法检查人员名录库; every name is invented and looks it."""

    cert_no: str
    name: str
    dept: str
    nature: str
    valid_from: date
    valid_until: date
    status: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A yearly plan."""

    plan_id: str
    plan_name: str
    dept: str
    year: int


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a plan; runs for one calendar month."""

    task_id: str
    plan_id: str
    task_name: str
    lead: str
    depts: tuple[str, ...]
    start: date
    end: date
    subject_kind: str = ""  # joint tasks name what they go to


class Registry:
    """All lists of one county.

    `resembling`: month → the one task whose number passes the resident-ID check; it belongs to `resembling_dept`.
    """

    def __init__(self, seed: int, first: date, last: date) -> None:
        rng = Random(f"{seed}/registry")
        self.items = {key: _items(key) for key in REPORTING}
        self.cancelled = {key: items.pop() for key, items in self.items.items()}
        self.inspectors = {key: _inspectors(rng, key, first, last) for key in REPORTING}
        self.expired = {key: people.pop() for key, people in self.inspectors.items()}
        self.auxiliary = {key: people.pop() for key, people in self.inspectors.items()}
        self.months = list(_months(first - timedelta(days=45), last))
        self.plans = {(y, k): p for y in sorted({m.year for m in self.months}) for k, p in _plans(y).items()}
        self.tasks: dict[tuple[date, str], Task] = {}
        self.joint: dict[date, list[Task]] = {}
        self.resembling: dict[date, Task] = {}
        self.resembling_dept = rng.choice(REPORTING)
        for month in self.months:
            self._tasks_of(month)

    def _tasks_of(self, month: date) -> None:
        serials = _serials(month)
        for key in REPORTING:
            plan = self.plans[month.year, key]
            name = f"{month.month}月{BY_KEY[key].short}双随机抽查"
            self.tasks[month, key] = _task(next(serials), plan, name, key, (key,), month)
        joint = self.plans[month.year, "JOINT"]
        self.joint[month] = [
            _task(next(serials), joint, f"{month.month}月{name}", lead, (lead, *helpers), month, kind)
            for lead, helpers, name, kind in JOINT
        ]
        key = self.resembling_dept
        number = _resembling_number(month)
        plan = self.plans[month.year, key]
        name = f"{month.month}月{BY_KEY[key].short}补充抽查"
        self.resembling[month] = _task(number, plan, name, key, (key,), month)

    def all_items(self) -> list[ListedItem]:
        """Items in use and cancelled, all departments."""
        return [i for key in REPORTING for i in (*self.items[key], self.cancelled[key])]

    def all_inspectors(self) -> list[Inspector]:
        """Everybody in the list, the expired and the auxiliary included."""
        return [p for k in REPORTING for p in (*self.inspectors[k], self.expired[k], self.auxiliary[k])]

    def all_tasks(self) -> list[Task]:
        """Tasks of all months."""
        joint = [t for tasks in self.joint.values() for t in tasks]
        return [*self.tasks.values(), *joint, *self.resembling.values()]


def _items(key: str) -> list[ListedItem]:
    names = MATTERS[key].split()
    number = NUMBER_OF[key]
    rows = []
    for serial, name in enumerate(names, 1):
        rows.append(
            ListedItem(
                item_code=f"{COUNTY}{number:04d}{serial:04d}",
                item_name=name,
                dept=key,
                implement_code=f"{BY_KEY[key].uscc}4{serial:06d}",
                status="取消" if serial == len(names) else "在用",
                category="重点检查事项" if serial == 1 else "一般检查事项",
                special="是" if serial == 1 else "否",
            )
        )
    return rows


def _inspectors(rng: Random, key: str, first: date, last: date) -> list[Inspector]:
    """Good people, then an 执法辅助人员, then one whose certificate ran out before anything here was checked."""
    since, until = first - timedelta(days=900), last + timedelta(days=900)
    people = []
    for serial, surname in enumerate(rng.sample(_SURNAMES, INSPECTORS + 2), 1):
        name = surname + "某" + rng.choice(("", "某", "甲", "乙"))
        auxiliary, expired = serial == INSPECTORS + 1, serial == INSPECTORS + 2
        people.append(
            Inspector(
                cert_no=f"2701{NUMBER_OF[key]:02d}{serial:05d}",
                name=name,
                dept=key,
                nature="05" if auxiliary else rng.choice(("01", "01", "03")),
                valid_from=since,
                valid_until=first - timedelta(days=60) if expired else until,
                status="失效" if expired else "有效",
            )
        )
    return people


def _plans(year: int) -> dict[str, Plan]:
    number = f"{COUNTY}{year}"
    plans = {"JOINT": Plan(f"{number}1000", f"{COUNTY_NAME}{year}年度部门联合双随机抽查计划", HOST, year)}
    for key in REPORTING:
        plan_id = f"{number}{2000 + NUMBER_OF[key]:04d}"
        plans[key] = Plan(plan_id, f"{BY_KEY[key].name}{year}年度双随机抽查计划", key, year)
    return plans


def _task(
    number: str, plan: Plan, name: str, lead: str, depts: tuple[str, ...], month: date, subject_kind: str = ""
) -> Task:
    return Task(number, plan.plan_id, name, lead, depts, month, _month_end(month), subject_kind)


def _serials(month: date) -> Iterator[str]:
    """Task numbers of the month; those that look like a resident ID are skipped (standard 1.6)."""
    for serial in range(1001, 9999):
        number = f"{COUNTY}{month:%Y%m%d}{serial:04d}"
        if not resembles_resident_id(number):
            yield number


def _resembling_number(month: date) -> str:
    numbers = (f"{COUNTY}{month:%Y%m%d}{serial:04d}" for serial in range(9001, 9999))
    return next(n for n in numbers if resembles_resident_id(n))


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = _month_end(month) + timedelta(days=1)


def _month_end(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
