"""The suite of inspection results: one or more expectations for each rule INS-… that a single record can break.

Belongs here: which expectation stands for which rule. Must not: texts, severities (but the one exception of INS-045).
"""

from __future__ import annotations

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from expectations import custom
from expectations.rule import ERROR, WARN
from expectations.suites.words import Column, at_least, between, expect, none_of, one_of, present
from zz_pipeline.standard.tables import RESULT_LABELS, Kind

# Contract ① E04: the wire's four; the first two are drawn from a plan.
DRAWN = ["定向抽查", "不定向抽查"]
CASE = "个案检查"
KINDS = [*DRAWN, "重点检查", CASE]
# Tables of contract ② (standard 2.1) whose codes are fixed there.
OBJECT_TYPES = [str(n) for n in range(1, 12)]
NATURES = ["01", "02", "03"]
FORMS, TYPES, MODES = ["01", "02", "99"], ["01", "02"], ["1", "2", "3"]
FOLLOW_UPS = [f"0{n}" for n in range(1, 7)]
ID_TYPES = ["001", "099", *(str(n) for n in (*range(111, 116), *range(117, 121), 122, 154, *range(411, 416)))]
ENTERPRISE, BY_PLAN = "1", "1"
USCC_ID, RESIDENT_ID = "001", "111"

_CODE = Column("_uscc_shape").is_in(["market", "other"])
_MARKET = Column("_uscc_shape") == "market"
_OTHER = Column("_uscc_shape") == "other"
_LABELS = ["_unit", "item_code", "result"]


# Rule, field that the verdict names, helper column.
_TO_BE_LOOKED_AT = (
    ("INS-053", "subject_name", "_joint_disagrees"),
    ("INS-054", "inspector_certs", "_two_places"),
    ("INS-055", "inspector_certs", "_many_subjects"),
    ("INS-056", "item_code", "_checked_twice"),
    ("INS-057", "subject_name", "_over_ceiling"),
    ("INS-058", "follow_up", "_went_back"),
    ("INS-059", "result", "_reopened"),
    ("INS-060", "finish_date", "_finish_back"),
    ("INS-060", "entered_at", "_entered_back"),
    ("INS-061", "uscc", "_other_subject"),
    ("INS-062", "dept", "_volume_odd"),
    ("INS-063", "result", "_shift_result"),
    ("INS-063", "check_kind", "_shift_check_kind"),
    ("INS-063", "object_type", "_shift_object_type"),
    ("INS-064", "task_id", "_task_stranger"),
    ("INS-065", "task_id", "_task_outside"),
    ("INS-065", "plan_id", "_plan_year"),
    ("INS-066", "subject_name", "_name_differs"),
    ("INS-067", "lead_dept", "_led_elsewhere"),
)


def expectations() -> list[Expectation]:
    """All expectations of the suite, in the order of the rules."""
    return [
        *_subject(),
        *_inspectors(),
        *_items(),
        *_plans(),
        *_times(),
        *_results(),
        *_codes(),
        *_sender(),
        *_nights(),
    ]


def _subject() -> list[Expectation]:
    nobody = Column("uscc").is_null() & (Column("object_type") != ENTERPRISE)
    texts = list(custom.LIMITS[Kind.INSPECTION])
    return [
        expect(
            custom.ExpectRecordKeyOfNumber, "INS-001", "record_no", column_list=["record_no", "record_key", "_suffix"]
        ),
        *present("INS-002", "subject_name"),
        expect(custom.ExpectNameToBeUsable, "INS-002", "subject_name"),
        expect(custom.ExpectUsccCheckToHold, "INS-003", "uscc", row_condition=_CODE),
        *present("INS-004", "uscc", when=Column("object_type") == ENTERPRISE),
        expect(gxe.ExpectColumnValuesToNotBeInSet, "INS-005", "uscc", column="_uscc_shape", value_set=["resident"]),
        expect(gxe.ExpectColumnValuesToNotBeInSet, "INS-006", "uscc", column="_uscc_shape", value_set=["old15"]),
        *present("INS-040", "object_code", when=nobody),
        expect(custom.ExpectUsccCategoryToBeKnown, "INS-044", "uscc", row_condition=_CODE),
        expect(
            custom.ExpectUsccRegionToBeKnown,
            "INS-044",
            "uscc",
            column_list=["uscc", "_uscc_region"],
            row_condition=_CODE,
        ),
        expect(custom.ExpectUsccInnerCheckToHold, "INS-045", "uscc", severity=ERROR, row_condition=_MARKET),
        expect(custom.ExpectUsccInnerCheckToHold, "INS-045", "uscc", severity=WARN, row_condition=_OTHER),
        *_counterpart(),
        expect(custom.ExpectTextsToBeUsable[Kind.INSPECTION], "INS-038", column_list=texts, locate=True),
    ]


def _counterpart() -> list[Expectation]:
    somebody = Column("uscc").is_not_null() | Column("object_code").is_not_null()
    own = "_counterpart_own"
    by_uscc, by_id = Column("counterpart_id_type") == USCC_ID, Column("counterpart_id_type") == RESIDENT_ID
    return [
        *present("INS-049", "counterpart_name"),
        *present("INS-049", "counterpart_id_type", "counterpart_code", when=somebody),
        one_of("INS-049", "counterpart_id_type", ID_TYPES),
        expect(custom.ExpectUsccCheckToHold, "INS-049", "counterpart_code", column=own, row_condition=by_uscc),
        expect(custom.ExpectResidentIdToHold, "INS-049", "counterpart_code", column=own, row_condition=by_id),
    ]


def _inspectors() -> list[Expectation]:
    certs = "inspector_certs"
    return [
        between("INS-007", "inspector_names", "_inspectors", 2, None),
        none_of("INS-008", certs, "_certs_repeated"),
        none_of("INS-009", certs, "_certs_malformed"),
        expect(gxe.ExpectColumnPairValuesToBeEqual, "INS-010", certs, column_A="_names", column_B="_certs"),
        none_of("INS-010", certs, "_certs_misnamed"),
        none_of("INS-011", certs, "_certs_expired"),
        none_of("INS-012", certs, "_certs_unknown"),
        none_of("INS-013", certs, "_certs_assistants"),
    ]


def _items() -> list[Expectation]:
    # Name and code may come from the list by the item's code: where that fails, INS-014 or INS-015 speaks.
    listed = Column("_item_listed") == True  # noqa: E712 - builds a GX row condition
    sender = ["implement_code", "_dept_uscc"]
    return [
        *present("INS-014", "item_code"),
        expect(custom.ExpectItemCodeForm, "INS-014", "item_code"),
        one_of("INS-015", "item_code", [True], column="_item_listed"),
        one_of("INS-016", "item_code", [True], column="_item_in_use"),
        *present("INS-017", "implement_code", when=listed),
        expect(custom.ExpectImplementCodeOfSender, "INS-017", "implement_code", column_list=sender),
        one_of("INS-017", "implement_code", [True], column="_implement_listed"),
        between("INS-042", "item_code", "_details", None, 50),
        *present("INS-051", "item_name", when=listed),
    ]


def _plans() -> list[Expectation]:
    drawn, case = Column("check_kind").is_in(DRAWN), Column("check_kind") == CASE
    other = Column("check_kind").is_in([k for k in KINDS if k != CASE])
    return [
        *present("INS-018", "plan_id", when=drawn),
        expect(custom.ExpectPlanIdForm, "INS-018", "plan_id"),
        *present("INS-019", "task_id", when=drawn),
        expect(custom.ExpectTaskIdForm, "INS-019", "task_id"),
        one_of("INS-020", "plan_id", [True], column="_plan_listed"),
        one_of("INS-020", "task_id", [True], column="_task_listed"),
        *present("INS-021", "case_reason", when=case),
        expect(
            gxe.ExpectColumnValueLengthsToBeBetween,
            "INS-021",
            "case_reason",
            min_value=2,
            max_value=200,
            row_condition=case,
        ),
        expect(gxe.ExpectColumnValuesToBeNull, "INS-022", "case_reason", row_condition=other),
        *present("INS-041", "plan_id", when=Column("check_mode") == BY_PLAN),
        expect(custom.ExpectNotToLookLikeResidentId, "INS-047", "task_id"),
    ]


def _times() -> list[Expectation]:
    return [
        at_least("INS-023", "inspect_date", "_last_day", "inspect_date"),
        at_least("INS-023", "finish_date", "_last_day", "finish_date"),
        at_least("INS-024", "finish_date", "finish_date", "inspect_date"),
        at_least("INS-025", "entered_at", "_entered_day", "finish_date"),
        at_least("INS-025", "entered_at", "_now", "entered_at"),
        *present("INS-026", "inspect_date", "finish_date", "entered_at"),
    ]


def _results() -> list[Expectation]:
    return [
        expect(custom.ExpectNoIssueToStandAlone, "INS-027", "result", column_list=_LABELS),
        *present("INS-028", "result"),
        one_of("INS-028", "result", list(RESULT_LABELS)),
        one_of("INS-028", "follow_up", FOLLOW_UPS),
        expect(gxe.ExpectCompoundColumnsToBeUnique, "INS-029", "result", column_list=_LABELS),
        *present("INS-032", "publishable"),
        *present("INS-033", "not_publish_reason", when=Column("publishable") == False),  # noqa: E712 - builds a GX row condition
        expect(custom.ExpectNoPersonalData, "INS-046", "remark"),
        expect(custom.ExpectNeutralToStandAlone, "INS-048", "result", column_list=_LABELS),
    ]


def _codes() -> list[Expectation]:
    return [
        *present("INS-034", "check_kind"),
        one_of("INS-034", "check_kind", KINDS),
        *present("INS-035", "object_type"),
        one_of("INS-035", "object_type", OBJECT_TYPES),
        *present("INS-036", "area_code"),
        one_of("INS-036", "area_code", [True], column="_area_known"),
        *present("INS-037", "counterpart_nature"),
        one_of("INS-037", "counterpart_nature", NATURES),
        *present("INS-039", "check_form", "check_type"),
        one_of("INS-039", "check_form", FORMS),
        one_of("INS-039", "check_type", TYPES),
        one_of("INS-039", "check_mode", MODES),
    ]


def _sender() -> list[Expectation]:
    equal = gxe.ExpectColumnPairValuesToBeEqual
    return [
        *present("INS-050", "joint", "lead_dept"),
        expect(equal, "INS-052", "dept", column_A="dept", column_B="_dept", ignore_row_if="neither"),
    ]


def _nights() -> list[Expectation]:
    """What `registers` and `across` found: a fact of 1 asks for a person's look."""
    return [none_of(rule, field, column) for rule, field, column in _TO_BE_LOOKED_AT]
