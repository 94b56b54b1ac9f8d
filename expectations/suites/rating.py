"""The suites of credit ratings (RAT-…) and 信用修复 notices (REP-…).

Belongs here: which expectation stands for which rule. Must not: texts, severities.
"""

from __future__ import annotations

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from expectations import custom
from expectations.suites.words import Column, at_least, between, expect, one_of, present
from zz_pipeline.standard.tables import Kind

# Contract ① E13: grades of each scheme; the same letter means different things and is never compared.
GRADES = {"PUBLIC": ["优", "良", "中", "差"], "INDUSTRY": ["A", "B", "C", "D", "M"], "RISK": ["A", "B", "C", "D"]}
TARGETS = ["INSPECTION", "RATING", "PENALTY"]
FINITE = 1e15


def ratings() -> list[Expectation]:
    """All expectations on ratings."""
    scored, texts = Column("score_text").is_not_null(), list(custom.LIMITS[Kind.RATING])
    return [
        *present("RAT-001", "uscc"),
        one_of("RAT-001", "uscc", ["market", "other"], column="_uscc_shape"),
        expect(custom.ExpectUsccCheckToHold, "RAT-001", "uscc"),
        *present("RAT-002", "scheme"),
        one_of("RAT-002", "scheme", list(GRADES)),
        *present("RAT-003", "grade"),
        *(one_of("RAT-003", "grade", grades, when=Column("scheme") == s) for s, grades in GRADES.items()),
        *present("RAT-004", "record_key"),
        expect(custom.ExpectRecordKeyForm, "RAT-004", "record_key"),
        *present("RAT-005", "subject_name"),
        expect(custom.ExpectNameToBeUsable, "RAT-005", "subject_name"),
        *_times(),
        *present("RAT-007", "evaluator"),
        *present("RAT-008", "score", when=scored),
        between("RAT-008", "score", "score", -FINITE, FINITE),
        expect(custom.ExpectTextsToBeUsable[Kind.RATING], "RAT-009", column_list=texts, locate=True),
    ]


def _times() -> list[Expectation]:
    # A rating valid until a day is valid through that day, so days are compared; the moment itself only with now.
    return [
        *present("RAT-006", "rated_at"),
        _readable("rated_at"),
        _readable("valid_until"),
        at_least("RAT-006", "rated_at", "_now", "_rated_at"),
        at_least("RAT-006", "valid_until", "_valid_until_day", "_rated_at_day"),
    ]


def _readable(field: str) -> Expectation:
    given = Column(field).is_not_null()
    return expect(gxe.ExpectColumnValuesToNotBeNull, "RAT-006", field, column=f"_{field}", row_condition=given)


def repairs() -> list[Expectation]:
    """All expectations on repair notices: without number or target a notice can neither be acted on nor be kept apart."""
    texts = list(custom.LIMITS[Kind.REPAIR])
    return [
        *present("REP-001", "record_key"),
        expect(custom.ExpectRecordKeyForm, "REP-001", "record_key"),
        *present("REP-002", "target", "target_key"),
        one_of("REP-002", "target", TARGETS),
        expect(custom.ExpectTextsToBeUsable[Kind.REPAIR], "REP-003", column_list=texts, locate=True),
    ]
