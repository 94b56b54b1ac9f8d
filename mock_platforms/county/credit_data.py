"""What the credit platform has: ratings in three schemes with grades as people typed them, and notices of repair.

Belongs here: contract items of `credit.md`, drawn from a seed, with their planted defects.
Must not: serving them (the credit mock), what the platforms should then hold (`expect`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from mock_platforms.county.codes import GRADE_SPELLINGS, full_width, uscc
from mock_platforms.county.departments import CREDIT_LEAD
from mock_platforms.county.model import Defect
from mock_platforms.county.subjects import Subject

A_DAY = 12  # ratings a day at scale 1, beside the planted ones
EVALUATOR = ("西安市样例信用评价中心", uscc("12", "610100", "YY910001"))
FIELDS = {"PUBLIC": ("综合",), "INDUSTRY": ("纳税", "建筑", "旅游"), "RISK": ("综合",)}
QUARANTINE, LAWFUL = "quarantine", "lawful"


@dataclass(frozen=True)
class _Plant:
    """A planted rating: scheme, grade, the spelling, other values, and what answers it."""

    defect: str
    scheme: str
    grade: str
    typed: str
    rule: str = ""
    effect: str = LAWFUL
    values: dict[str, Any] = field(default_factory=dict)
    alter: Callable[[dict[str, Any]], None] | None = None


def _spoil_code(item: dict[str, Any]) -> None:
    code = item["enterpriseCreditCode"]
    item["enterpriseCreditCode"] = code[:-1] + ("0" if code[-1] != "0" else "1")


def _brackets(item: dict[str, Any]) -> None:
    item["enterpriseName"] = item["enterpriseName"].replace("（", "(").replace("）", ")")


_ASKED = "RAT-003|STD-002|STD-001"
PLANTS = (
    _Plant("grade_full_width", "RISK", "A", "Ａ级"),
    _Plant("grade_long_word", "PUBLIC", "优", "优秀", values={"publishable": True}),
    _Plant("grade_m", "INDUSTRY", "M", "M"),
    _Plant("grade_lower_case", "INDUSTRY", "B", "b"),
    _Plant("grade_risk_word", "RISK", "C", "信用风险较高"),
    _Plant("risk_publishable", "RISK", "D", "D", "", "blocked", {"publishable": True}),
    _Plant("rating_past_its_date", "PUBLIC", "良", "良", "", "not_applicable", {"validUntil": "past"}),
    _Plant("mark_as_text", "PUBLIC", "良", "良", values={"enterpriseMark": "88.50", "publishable": True}),
    _Plant("mark_missing", "INDUSTRY", "A", "A", values={"enterpriseMark": None}),
    _Plant("rating_withheld", "PUBLIC", "中", "中", "", "blocked", {"publishable": False}),
    _Plant("grade_aaa", "INDUSTRY", "", "AAA", _ASKED, QUARANTINE),
    _Plant("grade_letter_under_public", "PUBLIC", "", "A", _ASKED, QUARANTINE),
    _Plant("grade_word_under_risk", "RISK", "", "优", _ASKED, QUARANTINE),
    _Plant("grade_qualified", "PUBLIC", "", "合格", _ASKED, QUARANTINE),
    _Plant("rating_bad_check_digit", "INDUSTRY", "C", "C", "RAT-001", QUARANTINE, alter=_spoil_code),
    _Plant("rating_name_brackets", "PUBLIC", "优", "优", values={"publishable": True}, alter=_brackets),
)


class Credit:
    """Ratings and repairs by day; `grades` and `names` hold what a rating's revision means."""

    def __init__(
        self, seed: int, days: list[date], scale: float, subjects: dict[str, list[Subject]], defects: list[Defect]
    ) -> None:
        self.ratings: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
        self.repairs: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
        self.meant: dict[tuple[str, int], tuple[str, str]] = {}  # (rating_id, revision) → (grade, name)
        self._defects = defects
        self._days = days
        self._market = [*subjects["company"], *subjects["cooperative"]]
        self._serial = 0
        self._fixed: set[str] = set()
        self._live(seed, max(1, round(A_DAY * scale)))
        for place in range(max(1, len(days) // 3)):
            self._plant(Random(f"{seed}/credit/{place}"), days[place * 3 : place * 3 + 3])

    def put_in_order(self) -> None:
        """Items of a day in the order of the contract, once everything is entered."""
        for items in (*self.ratings.values(), *self.repairs.values()):
            items.sort(key=lambda item: (item["updated_at"], item.get("rating_id") or item["repair_id"]))

    def repair(self, day: date, target: str, key: str, name: str, code: str, defect: str, effect: str) -> None:
        """A notice of 信用修复 that is updated on that day; decided some days before."""
        self._serial += 1
        decided = day - timedelta(days=3)
        self.repairs[day].append(
            {
                "repair_id": f"XF-{day:%Y%m%d}-{self._serial:06d}",
                "enterpriseCreditCode": code,
                "enterpriseName": name,
                "target": target,
                "target_key": key,
                "decision_no": f"周信修样例〔{day.year}〕{self._serial}号",
                "decided_at": decided.isoformat(),
                "effective_at": decided.isoformat(),
                "updated_at": f"{day} 20:{self._serial % 60:02d}:00",
            }
        )
        self._defects.append(Defect(day, CREDIT_LEAD, key, "target_key", defect, "", effect))

    def _live(self, seed: int, count: int) -> None:
        known: list[dict[str, Any]] = []
        for day in self._days:
            rng = Random(f"{seed}/ratings/{day}")
            revised = rng.sample(known, min(len(known), count // 6))
            known = [item for item in known if item not in revised]
            self.ratings[day] += [self._revision(rng, day, item) for item in revised]
            for _ in range(count):
                scheme = rng.choice(("PUBLIC", "PUBLIC", "INDUSTRY", "RISK"))
                grade = rng.choice(list(GRADE_SPELLINGS[scheme]))
                item = self._rating(rng, day, scheme, grade, rng.choice(GRADE_SPELLINGS[scheme][grade]))
                self.ratings[day].append(item)
                known.append(item)

    def _plant(self, rng: Random, block: list[date]) -> None:
        for kind in PLANTS:
            day = rng.choice(block)
            item = self._rating(rng, day, kind.scheme, kind.grade, kind.typed, bracketed=kind.alter is _brackets)
            item |= kind.values
            if item["validUntil"] == "past":
                item["estimateTime"] = (day - timedelta(days=800)).isoformat()
                item["validUntil"] = (day - timedelta(days=70)).isoformat()
            if kind.alter:
                kind.alter(item)
            self.ratings[day].append(item)
            self._note(day, item, kind.defect, kind.rule, kind.effect)
        if len(block) > 1:
            self._stories(rng, block)

    def _stories(self, rng: Random, block: list[date]) -> None:
        """A public rating revised, one withdrawn from publicity by its source, one repaired."""
        first, second = block[0], block[1]
        revised, withheld, repaired = (self._rating(rng, first, "PUBLIC", "良", "良") for _ in range(3))
        for item in (revised, withheld, repaired):
            item["publishable"] = True
            self.ratings[first].append(item)
        again = self._revision(rng, second, revised, grade="优")
        hidden = self._revision(rng, second, withheld, grade="良") | {"publishable": False}
        self.ratings[second] += [again, hidden]
        self._note(second, again, "rating_revised", "", LAWFUL)
        self._note(second, hidden, "rating_no_longer_publishable", "", "blocked")
        code, name = repaired["enterpriseCreditCode"], repaired["enterpriseName"]
        self.repair(second, "RATING", repaired["rating_id"], name, code, "repair_of_rating", "blocked")

    def _note(self, day: date, item: dict[str, Any], defect: str, rule: str, effect: str) -> None:
        self._defects.append(Defect(day, CREDIT_LEAD, item["rating_id"], "rating", defect, rule, effect))

    def _rating(
        self, rng: Random, day: date, scheme: str, grade: str, typed: str, *, bracketed: bool = False
    ) -> dict[str, Any]:
        self._serial += 1
        subject = rng.choice([s for s in self._market if "（" in s.name] if bracketed else self._market)
        rated = day - timedelta(days=1 + rng.randrange(20))
        number = f"XYPJ-{day.year}-{self._serial:07d}"
        self.meant[number, 1] = (grade, subject.name)
        # a date-time where only ① and ② get it: the publicity page does not say whether it takes one
        at = f"{rated} 10:00:00" if scheme != "PUBLIC" and rng.random() < 0.3 else rated.isoformat()
        return {
            "rating_id": number,
            "revision": 1,
            "enterpriseName": subject.name,
            "enterpriseCreditCode": subject.uscc,
            "enterpriseIdType": "001",
            "scheme": scheme,
            "enterpriseType": typed,
            "enterpriseMark": rng.choice((None, 60 + rng.randrange(40), f"{60 + rng.randrange(40)}.5")),
            "estimateOrg": EVALUATOR[0],
            "estimateOrgCode": EVALUATOR[1],
            "estimateTime": at,
            "validUntil": (rated + timedelta(days=730)).isoformat(),
            "field": rng.choice(FIELDS[scheme]),
            "publishable": rng.random() < (0.6 if scheme == "PUBLIC" else 0.1),
            "updated_at": str(datetime.combine(day, time(9)) + timedelta(seconds=rng.randrange(30000))),
        }

    def _revision(self, rng: Random, day: date, item: dict[str, Any], grade: str = "") -> dict[str, Any]:
        """The next revision of a rating: another grade, rated the day before."""
        scheme, revision = item["scheme"], item["revision"] + 1
        _, name = self.meant[item["rating_id"], item["revision"]]
        grade = grade or rng.choice(list(GRADE_SPELLINGS[scheme]))
        self.meant[item["rating_id"], revision] = (grade, name)
        return item | {
            "revision": revision,
            "enterpriseType": full_width(grade) if grade.isascii() else grade,
            "estimateTime": (day - timedelta(days=1)).isoformat(),
            "updated_at": str(datetime.combine(day, time(9)) + timedelta(seconds=rng.randrange(30000))),
        }
