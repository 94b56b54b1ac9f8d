"""Defects of one record on one day: each a row of a table, planted into a fresh, otherwise lawful record.

Belongs here: what is done to a record, and which rule and effect answer it (standard §7, rule numbers of
docs/decisions/0001). Must not: defects that need several records or days (`stories`), what reaches a platform (`expect`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from mock_platforms.county import codes
from mock_platforms.county.departments import CSV, DAILY_FILE, REPORTING
from mock_platforms.county.layout_tables import FOLLOW_UP, LABEL_RESULTS
from mock_platforms.county.model import Inspection
from mock_platforms.county.records import Maker, by_certificate, make_item
from mock_platforms.county.subjects import Subject

QUARANTINE, WARN, HELD, LAWFUL, NOT_APPLICABLE = "quarantine", "warn", "held", "lawful", "not_applicable"
MOBILE = "13000000000"  # looks like a mobile number, is nobody's
RESEMBLES = "task_number_resembles_id"  # that task belongs to one department of the registry
Change = Callable[[Maker, Random, Inspection], None]


@dataclass(frozen=True)
class Plant:
    """One kind of defect. `where`: departments it may stand in; `wishes`: what the fresh record must be."""

    defect: str
    field: str
    rule: str
    effect: str
    change: Change
    where: tuple[str, ...] = REPORTING
    wishes: dict[str, Any] | None = None


def _raw(field: str, value: Callable[[Inspection], str]) -> Change:
    def change(_maker: Maker, _rng: Random, record: Inspection) -> None:
        record.raw[field] = value(record)

    return change


def _set(**values: Any) -> Change:
    def change(_maker: Maker, _rng: Random, record: Inspection) -> None:
        for name, value in values.items():
            setattr(record, name, value)

    return change


def _style(**values: str) -> Change:
    def change(_maker: Maker, _rng: Random, record: Inspection) -> None:
        record.style.update(values)

    return change


def _result_text(text: str) -> Change:
    def change(_maker: Maker, _rng: Random, record: Inspection) -> None:
        record.items[0].result_text = text

    return change


def _remark(text: Callable[[Random], str]) -> Change:
    def change(_maker: Maker, rng: Random, record: Inspection) -> None:
        for item in record.items:
            item.remark = ""
        record.items[0].remark = text(rng)

    return change


def _task_name(text: Callable[[Random], str]) -> Change:
    def change(_maker: Maker, rng: Random, record: Inspection) -> None:
        record.task_name += text(rng)

    return change


def _wrong_digit(record: Inspection) -> str:
    place = codes.USCC_ALPHABET.index(record.uscc[-1])
    return record.uscc[:-1] + codes.USCC_ALPHABET[(place + 7) % 31]


def _nothing(_maker: Maker, _rng: Random, _record: Inspection) -> None:
    """The wishes alone make the case."""


def _one_inspector(_maker: Maker, _rng: Random, record: Inspection) -> None:
    record.inspectors = record.inspectors[:1]


def _same_certificate(_maker: Maker, _rng: Random, record: Inspection) -> None:
    (first, cert), (second, _) = record.inspectors[:2]
    record.inspectors = [(first, cert), (second, cert)]


def _with_expired(maker: Maker, _rng: Random, record: Inspection) -> None:
    registry = maker.registry
    record.inspectors = by_certificate([registry.inspectors[record.dept][0], registry.expired[record.dept]])


def _with_auxiliary(maker: Maker, _rng: Random, record: Inspection) -> None:
    registry = maker.registry
    record.inspectors = by_certificate([registry.inspectors[record.dept][0], registry.auxiliary[record.dept]])


def _same_day(_maker: Maker, _rng: Random, record: Inspection) -> None:
    record.inspect_date = record.finish_date = record.entered_at.date()


def _future(_maker: Maker, _rng: Random, record: Inspection) -> None:
    record.inspect_date = record.finish_date = record.finish_date + timedelta(days=3653)


def _unlisted_item(_maker: Maker, rng: Random, record: Inspection) -> None:
    record.items[0].item_code = f"6101249999{1000 + rng.randrange(9000)}"


def _cancelled_item(maker: Maker, _rng: Random, record: Inspection) -> None:
    record.items = [make_item(maker.registry.cancelled[record.dept], "NO_ISSUE")]


def _problem_beside(_maker: Maker, _rng: Random, record: Inspection) -> None:
    record.items.insert(1, replace(record.items[0], result="CORRECTED"))


def _exchanged_week(_maker: Maker, _rng: Random, record: Inspection) -> None:
    worked = [d for d in codes.EXCHANGED_WORKDAYS if d <= record.entered_at.date()]
    record.inspect_date = record.finish_date = worked[-1]


def _settled(_maker: Maker, _rng: Random, record: Inspection) -> None:
    record.items[0].follow_up = "06"


def _id(rng: Random) -> str:
    return codes.invented_resident_id(rng.randrange(1000))


_COMPANY: dict[str, Any] = {"subject_kind": "company"}
_PUBLIC: dict[str, Any] = {**_COMPANY, "kind": "不定向抽查", "publishable": True}
_SAMPLED: dict[str, Any] = {"kind": "不定向抽查"}
_ONE_ITEM: dict[str, Any] = {"results": ("NO_ISSUE",)}
_LABELS = tuple(key for key in REPORTING if key in LABEL_RESULTS)
_DATED = tuple(key for key in DAILY_FILE if key not in ("WLJ", "ZGJ"))  # these two write date cells and serials

PLANTS = (
    # identifiers
    Plant("bad_check_digit", "uscc", "INS-003", QUARANTINE, _raw("uscc", _wrong_digit), wishes=_COMPANY),
    Plant(
        "lower_case_l",
        "uscc",
        "INS-003|STD-006",
        QUARANTINE,
        _raw("uscc", lambda r: r.uscc[:2] + r.uscc[2:8].replace("1", "l", 1) + r.uscc[8:]),
        wishes=_COMPANY,
    ),
    Plant(
        "letter_o",
        "uscc",
        "INS-003|STD-006",
        QUARANTINE,
        _raw("uscc", lambda r: r.uscc.replace("0", "O", 1)),
        wishes=_COMPANY,
    ),
    Plant(
        "fifteen_digits",
        "uscc",
        "INS-006",
        QUARANTINE,
        _raw("uscc", lambda r: codes.registration_number(int(r.uscc[10:16]))),
        wishes=_COMPANY,
    ),
    Plant(
        "resident_id_in_uscc",
        "uscc",
        "INS-005",
        QUARANTINE,
        _raw("uscc", lambda r: codes.invented_resident_id(int(r.uscc[13:16]))),
        wishes=_COMPANY,
    ),
    Plant("other_region", "uscc", "", LAWFUL, _nothing, wishes={**_PUBLIC, "subject": lambda s: s.region != "610124"}),
    Plant("full_width_uscc", "uscc", "", LAWFUL, _raw("uscc", lambda r: codes.full_width(r.uscc)), wishes=_PUBLIC),
    Plant("lower_case_uscc", "uscc", "", LAWFUL, _raw("uscc", lambda r: r.uscc.lower()), wishes=_PUBLIC),
    Plant(
        "bad_record_no",
        "record_no",
        "INS-001",
        QUARANTINE,
        _raw("record_no", lambda r: f"检/{r.record_no[-5:]}"),
        CSV,
        _ONE_ITEM,
    ),
    Plant(
        "number_lost_digits",
        "task_id",
        "STD-004|STD-006|INS-019",
        QUARANTINE,
        _raw("task_id", lambda _: "6.10124E+17"),
        CSV,
        _SAMPLED,
    ),
    Plant(RESEMBLES, "task_id", "INS-047", WARN, _nothing, wishes=_PUBLIC),
    # subjects
    Plant("school_without_uscc", "uscc", "", NOT_APPLICABLE, _nothing, ("JYJ",), {"subject_kind": "old_school"}),
    Plant("site_without_uscc", "uscc", "", NOT_APPLICABLE, _nothing, ("ZJJ", "XFJ"), {"subject_kind": "site"}),
    Plant("lift_without_uscc", "uscc", "", NOT_APPLICABLE, _nothing, ("SCJG",), {"subject_kind": "lift"}),
    Plant(
        "line_break_in_name",
        "subject_name",
        "",
        LAWFUL,
        _raw("subject_name", lambda r: f"{r.subject_name[:5]}\n{r.subject_name[5:]}"),
        wishes=_PUBLIC,
    ),
    Plant(
        "half_width_brackets",
        "subject_name",
        "",
        LAWFUL,
        _raw("subject_name", lambda r: r.subject_name.replace("（", "(").replace("）", ")")),
        wishes={**_PUBLIC, "subject": lambda s: "（" in s.name},
    ),
    # personal data in texts
    Plant("id_in_remark", "remark", "INS-046", WARN, _remark(lambda rng: f"负责人证件{_id(rng)}"), wishes=_PUBLIC),
    Plant("mobile_in_remark", "remark", "INS-046", WARN, _remark(lambda _: f"联系电话{MOBILE}"), wishes=_PUBLIC),
    Plant("id_in_task_name", "task_name", "", HELD, _task_name(lambda rng: f"（{_id(rng)}）"), wishes=_PUBLIC),
    Plant("mobile_in_task_name", "task_name", "", HELD, _task_name(lambda _: f"（联系人{MOBILE}）"), wishes=_PUBLIC),
    # texts that only look odd
    Plant("ratio_and_count", "task_name", "", LAWFUL, _task_name(lambda _: "（10%20户）"), wishes=_PUBLIC),
    Plant("yuan_under_wan", "remark", "", LAWFUL, _remark(lambda _: "罚款2000元（单位：万元）"), wishes=_PUBLIC),
    # inspectors
    Plant("one_inspector", "inspectors", "INS-007", QUARANTINE, _one_inspector),
    Plant("same_certificate", "inspectors", "INS-008", QUARANTINE, _same_certificate),
    Plant("certificate_expired", "inspectors", "INS-011", QUARANTINE, _with_expired),
    Plant("auxiliary_inspector", "inspectors", "INS-013", QUARANTINE, _with_auxiliary),
    # dates
    Plant("same_day_check", "inspect_date", "", LAWFUL, _same_day, wishes={**_COMPANY, "kind": "重点检查"}),
    Plant("future_check", "inspect_date", "INS-023", QUARANTINE, _future, wishes={"kind": "重点检查"}),
    Plant(
        "two_digit_year",
        "inspect_date",
        "STD-003",
        QUARANTINE,
        _raw("inspect_date", lambda r: f"{r.inspect_date:%y.%m.%d}"),
        CSV,
    ),
    Plant("exchanged_week", "finish_date", "", LAWFUL, _exchanged_week, wishes={**_COMPANY, "kind": "重点检查"}),
    Plant("date_dots", "inspect_date", "", LAWFUL, _style(date="dots"), _DATED, _PUBLIC),
    Plant("date_slash", "inspect_date", "", LAWFUL, _style(date="slash"), _DATED, _PUBLIC),
    Plant("date_chinese", "inspect_date", "", LAWFUL, _style(date="chinese"), _DATED, _PUBLIC),
    Plant("date_compact", "inspect_date", "", LAWFUL, _style(date="compact"), _DATED, _PUBLIC),
    Plant("date_serial", "inspect_date", "", LAWFUL, _style(date="serial"), ("ZGJ",), _PUBLIC),
    # items, plans, causes, publicity
    Plant("item_not_listed", "item_code", "INS-015", QUARANTINE, _unlisted_item),
    Plant("item_cancelled", "item_code", "INS-016", QUARANTINE, _cancelled_item),
    Plant(
        "task_without_plan", "plan_id", "INS-018|INS-041", QUARANTINE, _set(plan_id="", plan_name=""), wishes=_SAMPLED
    ),
    Plant(
        "case_reason_missing", "case_reason", "INS-021", QUARANTINE, _set(case_reason=""), wishes={"kind": "个案检查"}
    ),
    Plant("stray_case_reason", "case_reason", "INS-022", QUARANTINE, _set(case_reason="群众举报"), wishes=_SAMPLED),
    Plant(
        "publishable_missing",
        "publishable",
        "INS-032",
        QUARANTINE,
        _set(publishable=None),
        wishes={"publishable": True},
    ),
    Plant(
        "withheld_without_reason",
        "not_publish_reason",
        "INS-033",
        QUARANTINE,
        _set(not_publish_reason=""),
        wishes={"publishable": False},
    ),
    Plant("voided", "voided", "STD-008", QUARANTINE, _set(voided=True)),
    # results
    Plant("no_issue_beside_problem", "result", "INS-027|STD-011", QUARANTINE, _problem_beside, wishes=_ONE_ITEM),
    Plant("result_normal", "result", "STD-002", QUARANTINE, _result_text("正常"), _LABELS, _ONE_ITEM),
    Plant("result_qualified", "result", "STD-002", QUARANTINE, _result_text("合格"), _LABELS, _ONE_ITEM),
    Plant("result_empty", "result", "INS-028", QUARANTINE, _result_text(""), _LABELS, _ONE_ITEM),
    Plant("result_status", "result", "STD-002", QUARANTINE, _result_text("注销"), _LABELS, _ONE_ITEM),
    Plant("result_other", "result", "STD-002", QUARANTINE, _result_text("其他"), _LABELS, _ONE_ITEM),
    Plant("result_dash", "result", "STD-002|INS-028", QUARANTINE, _result_text("—"), _LABELS, _ONE_ITEM),
    Plant("result_bare_number", "result", "STD-001", QUARANTINE, _result_text("1"), _LABELS, _ONE_ITEM),
    Plant("pending_with_outcome", "result", "", LAWFUL, _settled, tuple(sorted(FOLLOW_UP)), {"results": ("PENDING",)}),
)


def plant(maker: Maker, rng: Random, kind: Plant, dept: str, day: date) -> Inspection:
    """A fresh record of `dept` on `day` that carries the defect."""
    wishes = dict(kind.wishes or {})
    fits: Callable[[Subject], bool] | None = wishes.pop("subject", None)
    if fits is not None:
        wishes["subject"] = rng.choice([s for s in maker.subjects["company"] if fits(s)])
    record = maker.fresh(rng, dept, day, **wishes)
    if kind.defect == RESEMBLES:
        maker.assign(record, maker.registry.resembling[record.inspect_date.replace(day=1)])
    kind.change(maker, rng, record)
    return record


def places(kind: Plant, maker: Maker) -> tuple[str, ...]:
    """Departments in which the defect may stand."""
    return (maker.registry.resembling_dept,) if kind.defect == RESEMBLES else kind.where
