"""Standard inspection tables with any values, lawful and unlawful, drawn from a seed; over the lists of a county.

Belongs here: the pools of values and the drawing. Must not: knowing which values a rule or a platform refuses, assertions.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from tests.quality.rows import company
from zz_pipeline.settings import Department
from zz_pipeline.standard.identifiers import resident_check_digit
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import INSPECTION, RESULT_LABELS, Kind
from zz_pipeline.standardize import StandardBatch
from zz_pipeline.standardizing.issues import Issues

LAWFUL_SHARE, ODD_SHARE = 0.25, 0.012
_PHONE, _SIGNS = "13000000000", "\"'\\<b>&;,，、|%{}$()（）😀𠮷é·-"
_ODD_TEXTS = (
    "",
    " ",
    "　",
    "\x00",
    "样\x07例",
    "样\n例",
    "样例\u2028",
    "样\u200b例",
    "\u202e样例",
    "长" * 801,
    "1" * 18,
    "NULL",
)


def batch(rng: Random, department: Department, lists: Lists, day: date, count: int, first: int) -> StandardBatch:
    """`count` records of a department; `first` numbers them, so that no two batches share a record or a subject."""
    draw = _Draw(rng, department, lists, day)
    rows = [row for n in range(first, first + count) for row in draw.record(n)]
    table = pa.Table.from_pylist([row | {"source_row": n} for n, row in enumerate(rows)], INSPECTION.schema)
    return StandardBatch(Kind.INSPECTION, table, Issues(INSPECTION).table(), units=count)


class _Draw:
    def __init__(self, rng: Random, department: Department, lists: Lists, day: date) -> None:
        self.rng, self.department, self.day = rng, department, day
        key = department.key
        self.items = [i for i in lists.items.to_pylist() if i["dept"] == key and i["status"] == "在用"]
        self.people = [p for p in lists.inspectors.to_pylist() if p["dept"] == key]
        self.tasks = [t for t in lists.tasks.to_pylist() if key in t["depts"].split(";")]

    def record(self, n: int) -> list[dict[str, Any]]:
        rng = self.rng
        row = self._base(n)
        for name, pool in _LAWFUL.items():
            if rng.random() < LAWFUL_SHARE:
                row |= pool(rng, row) if name.startswith("_") else {name: pool(rng, row)}
        rows = self._items(row)
        for name, pool in _ODD.items():
            if rng.random() < ODD_SHARE:
                value = rng.choice(pool)
                rows = [r | {name: value} for r in rows]
        return rows

    def _base(self, n: int) -> dict[str, Any]:
        rng, code = self.rng, company(n)
        task = rng.choice(self.tasks)
        team = rng.sample(self.people, 2 + (rng.random() < 0.2))
        finish = self.day - timedelta(days=rng.randrange(4))
        number = f"R{n:07}" + "".join(rng.choices(string.ascii_letters + string.digits + "_-", k=rng.randrange(15)))
        entered = datetime.combine(finish, time(rng.randrange(8, 20), 5))
        return {
            "record_key": f"610124-{self.department.key}-{number}", "record_no": number, "plan_id": task["plan_id"],
            "plan_name": "样例年度计划", "task_id": task["task_id"], "task_name": task["task_name"],
            "check_kind": rng.choice(("不定向抽查", "定向抽查")), "joint": True, "lead_dept": self.department.name,
            "subject_name": f"周至县样例{n}号有限公司", "uscc": code, "object_type": "1",
            "counterpart_name": f"周至县样例{n}号有限公司", "counterpart_nature": "02", "counterpart_id_type": "001",
            "counterpart_code": code, "address_operating": "周至县二曲街道样例路1号", "area_code": "610124",
            "inspector_names": [p["name"] for p in team], "inspector_certs": [p["cert_no"] for p in team],
            "inspect_date": finish - timedelta(days=rng.randrange(2)), "finish_date": finish, "check_form": "02",
            "check_type": "01", "check_mode": "1", "publishable": True, "entered_by": "王某", "entered_at": entered,
            "dept": self.department.key, "source_file": "样例.csv", "changed_at": entered,
        }  # fmt: skip

    def _items(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        rng, rows = self.rng, []
        for item in rng.sample(self.items, min(len(self.items), 1 + int(rng.random() ** 3 * 4))):
            labels = (
                rng.sample(list(RESULT_LABELS)[1:6], 2) if rng.random() < 0.1 else [rng.choice(list(RESULT_LABELS))]
            )
            for label in labels:
                said = {name: item[name] for name in ("item_code", "item_name", "implement_code")} | {"result": label}
                said["follow_up"] = rng.choice((None, None, "01", "02", "03", "04", "05", "06"))
                rows.append(row | {"remark": _any_text(rng, 500)} | said)
        return rows


def _any_text(rng: Random, longest: int) -> str | None:
    """A text that a person may write; sometimes at full length, sometimes with signs, breaks or a number in it."""
    kind = rng.random()
    if kind < 0.4:
        return None
    if kind < 0.5:
        return "长" * longest
    if kind < 0.6:
        return f"联系{_PHONE}，罚款2000元\n第二行"[:longest]
    return "".join(rng.choices("样例检查甲乙丙" + _SIGNS, k=rng.randrange(2, min(longest, 40))))


def _name(rng: Random, _row: dict[str, Any]) -> str:
    return rng.choice(("周至", "长" * 200, "样例" + "".join(rng.choices(_SIGNS, k=6)), "周至县样例A,B公司"))


def _resident(rng: Random) -> str:
    first = f"6101991889{rng.randrange(1, 13):02}{rng.randrange(1, 29):02}{rng.randrange(1000):03}"
    return first + resident_check_digit(first)


def _uncoded(rng: Random, row: dict[str, Any]) -> dict[str, Any]:
    code = f"XM-{row['record_no']}"[:20]
    body = {"uscc": None, "object_type": rng.choice(("4", "9", "11")), "object_code": code}
    return body | rng.choice(
        (
            {"counterpart_id_type": "099", "counterpart_code": code},
            {"counterpart_id_type": "111", "counterpart_code": _resident(rng), "counterpart_nature": "01"},
            {},
        )
    )


def _without_plan(rng: Random, _row: dict[str, Any]) -> dict[str, Any]:
    kind = rng.choice(("重点检查", "个案检查"))
    reason = rng.choice(("举报", "由" * 200)) if kind == "个案检查" else None
    row = {"check_kind": kind, "case_reason": reason, "check_mode": rng.choice((None, "2", "3"))}
    return row | rng.choice(({"plan_id": None, "task_id": None, "plan_name": None, "task_name": None}, {}))


def _withheld(rng: Random, _row: dict[str, Any]) -> dict[str, Any]:
    return {"publishable": False, "not_publish_reason": rng.choice(("商密", "由" * 500, f"电话{_PHONE}"))}


_LAWFUL: dict[str, Callable[[Random, dict[str, Any]], Any]] = {
    "subject_name": _name,
    "counterpart_name": _name,
    "_uncoded": _uncoded,
    "_without_plan": _without_plan,
    "_withheld": _withheld,
    "plan_name": lambda r, _: _any_text(r, 500),
    "task_name": lambda r, _: r.choice(
        (_any_text(r, 500), "信用风险分类检查", "RISK 检查", f"检查（{_PHONE}）", "证" + _resident(r))
    ),
    "lead_dept": lambda r, _: "周至县" + "样" * r.randrange(1, 190),
    "address_registered": lambda r, _: "周至县" + "样" * r.randrange(397),
    "entered_by": lambda r, _: r.choice((None, "王" * 50)),
    "joint": lambda r, _: False,
    "check_form": lambda r, _: r.choice(("01", "99")),
    "check_type": lambda r, _: "02",
    "area_code": lambda r, _: "610118",
}
_ODD_CODES = ("", " ", "０１", "00", "99999", "610124 ", "610124\n", "\x00", None, "一", "-")
_OLD, _FAR = date(1900, 1, 1), date(2099, 12, 31)
_TEXT_FIELDS = (
    "subject_name", "plan_name", "task_name", "lead_dept", "counterpart_name", "address_registered",
    "address_operating", "entered_by", "case_reason", "not_publish_reason", "item_name", "object_code", "remark",
)  # fmt: skip
_CODE_FIELDS = (
    "plan_id", "task_id", "check_kind", "object_type", "counterpart_nature", "counterpart_id_type", "area_code",
    "check_form", "check_type", "check_mode", "item_code", "result", "follow_up",
)  # fmt: skip
# Anything may stand in any field: what our rules let through must be fit for the platforms, whatever it is.
_ODD: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(_TEXT_FIELDS, (*_ODD_TEXTS, None)),
    **dict.fromkeys(_CODE_FIELDS, _ODD_CODES),
    "record_no": (None, "", "检-1", "A" * 23, "A B", "a\n"),
    "uscc": (None, "", "91610124YY000001X3", "91610124yy000001xb", "9161O124YY000001XB", "610124100000015", "1" * 18),
    "counterpart_code": (None, "", "X" * 21, "91610124YY000001X3", "11010519491231002x"),
    "implement_code": (None, "", "1" * 25, "x" * 801),
    "inspector_names": (None, [], ["张某"], ["张某", None], ["张,某", "李某"], ["", ""], ["张某"] * 2),
    "inspector_certs": (None, [], ["27010124001"], ["27010124001"] * 2, ["a", "b"], [None, None]),
    "inspect_date": (None, _OLD, _FAR),
    "finish_date": (None, _OLD, _FAR),
    "entered_at": (None, datetime.combine(_OLD, time()), datetime.combine(_FAR, time())),
    "publishable": (None, False, True),
    "joint": (None,),
}  # fmt: skip
