"""The words that the county's world (what happened) and its departments' systems (how it was written down) share.

Belongs here: plain values. Must not: random choices (`world`), native headings (`layouts`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Dept:
    """A department: key, full and short name, USCC."""

    key: str
    name: str
    short: str
    uscc: str


@dataclass(slots=True)
class Item:
    """One checked item with one result label (several entries may share an item_code)."""

    item_code: str
    item_name: str
    implement_code: str
    result: str  # key of the eight classes; what the department means
    result_text: str | None = None  # overrides the department's own wording (a planted raw value)
    follow_up: str | None = None  # 01–06; only from departments whose system keeps it
    remark: str = ""


@dataclass(slots=True)
class Inspection:
    """One department's result at one subject, as meant; texts may hold planted defects.

    `changed` is the moment the department's system last changed it. Corrections come as another Inspection with the
    same record_no and a later `changed`. Dates are real dates unless a defect replaces them in `raw`.
    """

    dept: str
    record_no: str
    changed: datetime
    plan_id: str
    plan_name: str
    task_id: str
    task_name: str
    check_kind: str  # 定向抽查 | 不定向抽查 | 重点检查 | 个案检查
    case_reason: str
    joint: bool
    lead_dept: str  # full name
    subject_name: str
    uscc: str
    object_type: str  # standard code, like every coded field below except check_kind
    object_code: str
    counterpart_nature: str  # 01 | 02 | 03
    address_operating: str
    area_code: str
    inspectors: list[tuple[str, str]]  # (name, certificate)
    inspect_date: date
    finish_date: date
    check_form: str  # 01 | 02 | 99
    check_type: str  # 01 | 02
    check_mode: str  # 1 | 2 | 3 | "" (none given)
    publishable: bool | None
    not_publish_reason: str
    entered_by: str
    entered_at: datetime
    items: list[Item]
    voided: bool = False
    raw: dict[str, Any] = field(default_factory=dict)  # standard field → text to be written instead, as is
    # hints to a layout: date="dots|slash|chinese|serial|compact", width="full"
    style: dict[str, str] = field(default_factory=dict)
    helper_rows: int = 0  # rows of helping departments that a lead department's table also shows
    # The responsible body where it is not the subject (a lift, a site): only SCJG and ZJJ keep it, in columns of
    # their own (使用单位/责任单位 and its code). Empty: the body is the subject itself, or unknown.
    counterpart_name: str = ""
    counterpart_code: str = ""  # USCC, id type 001


@dataclass(frozen=True, slots=True)
class Defect:
    """A planted defect: what was done to which record, and what is expected of the pipeline.

    effect: quarantine (the rule returns it) | warn | held | not_applicable | blocked | skipped | lawful (must pass).
    rule: one number of docs/decisions/0001, "A|B" where either is right, "" where no rule speaks.
    """

    day: date
    dept: str
    record_no: str
    field: str
    defect: str
    rule: str
    effect: str
