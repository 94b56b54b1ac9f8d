"""Making one good inspection at a time: what a department would honestly enter on a day.

Belongs here: drawing a lawful record. Must not: its later changes (`corrections`), planted defects, files.
"""

from __future__ import annotations

from bisect import bisect
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from random import Random

from mock_platforms.county.departments import BY_KEY, COUNTY, RECORD_NUMBERS, subject_kinds
from mock_platforms.county.layout_tables import FOLLOW_UP
from mock_platforms.county.model import Inspection, Item
from mock_platforms.county.registry import Inspector, ListedItem, Registry, Task
from mock_platforms.county.subjects import Subject

# Shares in thousandths. Most inspections find nothing.
RESULT_SHARES = {
    "NO_ISSUE": 780,
    "CORRECTED": 90,
    "NO_ACTIVITY": 40,
    "UNREACHABLE": 25,
    "NOT_PUBLISHED": 20,
    "PENDING": 20,
    "FALSE_INFO": 12,
    "REFUSED": 13,
}
KIND_SHARES = {"不定向抽查": 600, "定向抽查": 150, "重点检查": 200, "个案检查": 50}
PROBLEMS = ("NOT_PUBLISHED", "FALSE_INFO", "UNREACHABLE", "CORRECTED", "REFUSED")
REASONS = ("涉及国家秘密，依法不予公示", "涉及商业秘密，依法不予公示", "公示可能危及公共安全")
CAUSES = ("投诉举报线索核查", "上级交办事项核查", "有关部门转办事项核查")
REMARKS = ("现场已告知检查结果", "已留存现场照片", "经营者在场配合检查", "台账齐全")
KEEP_BODIES = ("SCJG", "ZJJ")  # whose systems know the body responsible for a lift or a site
CLERKS = ("王某", "赵某", "孙某甲", "周某乙")


def _table(shares: dict[str, int]) -> tuple[list[str], list[int]]:
    return list(shares), list(accumulate(shares.values()))


_RESULTS, _KINDS = _table(RESULT_SHARES), _table(KIND_SHARES)


def pick(rng: Random, table: tuple[list[str], list[int]]) -> str:
    """A key drawn by its share."""
    keys, sums = table
    return keys[bisect(sums, rng.random() * sums[-1])]


class Maker:
    """Draws records; remembers serials, and who was inspected by whom on which day (no double checks)."""

    def __init__(self, registry: Registry, subjects: dict[str, list[Subject]]) -> None:
        self.registry = registry
        self.subjects = subjects
        self._serials: dict[str, int] = {}
        self._seen: set[tuple[str, str, date]] = set()
        self._kinds = {key: _table(subject_kinds(key)) for key in RECORD_NUMBERS}

    def record_no(self, dept: str, day: date) -> str:
        """The next number in the department's own style."""
        serial = self._serials.get(dept, 0) + 1
        self._serials[dept] = serial
        return RECORD_NUMBERS[dept].format(y=day.year, d=f"{day:%Y%m%d}", n=serial)

    def subject(self, rng: Random, dept: str, day: date, kind: str = "") -> Subject:
        """A subject this department did not inspect on that day yet."""
        for _ in range(1000):
            pool = self.subjects[kind or pick(rng, self._kinds[dept])]
            found = pool[int(rng.random() * len(pool))]
            if self.reserve(dept, found, day):
                return found
        raise ValueError(f"样例县的检查对象不够用：{dept} {day}。请减小 scale。")

    def reserve(self, dept: str, subject: Subject, day: date) -> bool:
        """Mark a subject as inspected by the department on that day; False if it already was."""
        mark = (dept, subject.uscc or subject.object_code, day)
        fresh = mark not in self._seen
        self._seen.add(mark)
        return fresh

    def fresh(
        self,
        rng: Random,
        dept: str,
        day: date,
        *,
        kind: str = "",
        subject_kind: str = "",
        subject: Subject | None = None,
        task: Task | None = None,
        inspect: date | None = None,
        finish: date | None = None,
        results: tuple[str, ...] = (),
        publishable: bool | None = None,
    ) -> Inspection:
        """A good record entered by `dept` on `day`; what is given is kept, the rest is drawn."""
        finish = finish or day - timedelta(days=int(rng.random() * 3))
        inspect = inspect or finish - timedelta(days=1 if rng.random() < 0.3 else 0)
        body = subject or self.subject(rng, dept, inspect, subject_kind)
        kind = kind or ("不定向抽查" if task else pick(rng, _KINDS))
        entered = moment(rng, day)
        joint = task is not None and len(task.depts) > 1
        withheld = publishable is False or (publishable is None and rng.random() < 0.04)
        record = Inspection(
            dept=dept,
            record_no=self.record_no(dept, day),
            changed=entered + timedelta(seconds=int(rng.random() * 1500)),
            plan_id="",
            plan_name="",
            task_id="",
            task_name="",
            check_kind=kind,
            case_reason=rng.choice(CAUSES) if kind == "个案检查" else "",
            joint=joint,
            lead_dept=BY_KEY[task.lead if task and joint else dept].name,
            subject_name=body.name,
            uscc=body.uscc,
            object_type=body.object_type,
            object_code=body.object_code,
            counterpart_nature=body.nature,
            address_operating=body.address,
            area_code=COUNTY,
            inspectors=self._team(rng, dept),
            inspect_date=inspect,
            finish_date=finish,
            check_form="01" if kind in ("重点检查", "个案检查") else rng.choice(("01", "02")),
            check_type="01" if rng.random() < 0.9 else "02",
            check_mode=_mode(rng, kind),
            publishable=not withheld,
            not_publish_reason=rng.choice(REASONS) if withheld else "",
            entered_by=rng.choice(CLERKS),
            entered_at=entered,
            items=self._items(rng, dept, results),
        )
        if dept in KEEP_BODIES:
            record.counterpart_name, record.counterpart_code = body.body_name, body.body_code
        if kind in ("不定向抽查", "定向抽查"):
            self.assign(record, task or self.registry.tasks[inspect.replace(day=1), dept])
        return record

    def assign(self, record: Inspection, task: Task) -> None:
        """Put the record under a task and the task's plan."""
        plans = self.registry.plans
        key = (task.start.year, "JOINT" if len(task.depts) > 1 else task.lead)
        record.plan_id, record.plan_name = plans[key].plan_id, plans[key].plan_name
        record.task_id, record.task_name = task.task_id, task.task_name

    def _team(self, rng: Random, dept: str) -> list[tuple[str, str]]:
        people = self.registry.inspectors[dept]
        team = rng.sample(people, 3 if rng.random() < 0.15 else 2)
        return by_certificate(team)

    def _items(self, rng: Random, dept: str, results: tuple[str, ...]) -> list[Item]:
        listed = self.registry.items[dept]
        count = len(results) or min(len(listed), 1 + int(rng.random() ** 2 * 4))
        chosen = sorted(rng.sample(listed, count), key=lambda i: i.item_code)
        rows: list[Item] = []
        for place, source in enumerate(chosen):
            result = results[place] if results else pick(rng, _RESULTS)
            rows.append(make_item(source, result))
            if not results and result == "NOT_PUBLISHED" and rng.random() < 0.3:
                rows.append(make_item(source, "CORRECTED"))
            elif not results and dept in FOLLOW_UP and rng.random() < 0.15:
                rows[-1].follow_up = _next_step(rng, result)
            if rng.random() < 0.08:
                rows[-1].remark = rng.choice(REMARKS)
        return rows


def make_item(source: ListedItem, result: str) -> Item:
    """A checked item of the list with its result."""
    return Item(source.item_code, source.item_name, source.implement_code, result)


def by_certificate(people: list[Inspector]) -> list[tuple[str, str]]:
    """Names and certificates in the order of the certificates."""
    return sorted(((p.name, p.cert_no) for p in people), key=lambda pair: pair[1])


def _mode(rng: Random, kind: str) -> str:
    if kind == "重点检查":
        return "2"
    if kind == "个案检查":
        return ""
    return "3" if kind == "定向抽查" and rng.random() < 0.4 else "1"


def _next_step(rng: Random, result: str) -> str | None:
    if result == "PENDING":
        return rng.choice(("04", "06"))
    if result in PROBLEMS:
        return rng.choice(("02", "03", "04"))
    return "01"


def moment(rng: Random, day: date) -> datetime:
    """A moment of the working day that leaves room for a change on the same day."""
    return datetime.combine(day, time(8, 30)) + timedelta(seconds=int(rng.random() * 33000))
