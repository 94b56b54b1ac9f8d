"""Items of the credit platform → the standard tables of ratings and repair notices.

Belongs here: which contract key is which field, grades by their scheme. Must not: publishing decisions, rules (RAT-…).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.sources.base import FILE, ROW, TRACE, RawBatch
from zz_pipeline.standard import codes
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.columns import Bools, map_unique, matches, to_bools
from zz_pipeline.standard.dates import parse_datetimes
from zz_pipeline.standard.normalize import clean_name, clean_text
from zz_pipeline.standard.tables import RATING, REPAIR, Table
from zz_pipeline.standardizing.columns import YES_NO, cells, choices, identifier
from zz_pipeline.standardizing.issues import Issues

# Contract credit.md: key of an item → standard field; "" is read for checking only.
RATING_KEYS: Mapping[str, str] = {
    "rating_id": "record_key",
    "revision": "revision",
    "enterpriseName": "subject_name",
    "enterpriseCreditCode": "uscc",
    "enterpriseIdType": "",
    "scheme": "scheme",
    "enterpriseType": "grade",
    "enterpriseMark": "score_text",
    "estimateOrg": "evaluator",
    "estimateOrgCode": "evaluator_code",
    "estimateTime": "rated_at",
    "validUntil": "valid_until",
    "field": "field",
    "publishable": "publishable",
    "updated_at": "changed_at",
}
REPAIR_KEYS: Mapping[str, str] = {
    "repair_id": "record_key",
    "enterpriseCreditCode": "uscc",
    "enterpriseName": "subject_name",
    "target": "target",
    "target_key": "target_key",
    "decision_no": "decision_no",
    "decided_at": "decided_at",
    "effective_at": "effective_at",
    "updated_at": "changed_at",
}
_NUMBER = r"\A[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?\z"
_WHOLE = r"\A[0-9]{1,15}\z"
_ISO = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}(?: [0-9]{2}:[0-9]{2}:[0-9]{2})?\z"
_NULL = pa.scalar(None, pa.string())


class Items:
    """The items at hand by standard field, with the issues found in them."""

    def __init__(self, raw: RawBatch, spec: Table, keys: Mapping[str, str], book: CodeBook) -> None:
        self.raw, self.spec, self.book = raw, spec, book
        self.issues = Issues(spec)
        self.native = {name: key for key, name in keys.items()}
        self.unknown = [c for c in raw.table.column_names if c not in keys and c not in TRACE]

    def cell(self, name: str) -> pa.Array:
        """The native column of a field."""
        return cells(self.raw.table, self.native[name])

    def coded(self, name: str, set_name: str) -> pa.Array:
        """Standard codes; a code of the contract stands for itself."""
        return self._resolved(name, set_name, self.cell(name))

    def grades(self, schemes: pa.Array) -> pa.Array:
        """Grades, each in the set of its own scheme: the same letter means different things."""
        raw, found = self.cell("grade"), pa.nulls(len(schemes), pa.string())
        for scheme in pc.unique(schemes.drop_null()).to_pylist():
            mine = pc.equal(schemes, scheme)
            found = pc.coalesce(found, self._resolved("grade", f"信用等级·{scheme}", pc.if_else(mine, raw, _NULL)))
        return found

    def _resolved(self, name: str, set_name: str, raw: pa.Array) -> pa.Array:
        found = self.book.resolve(set_name, raw, "", name, "standard")
        hint = choices(self.book.labels(set_name), set_name)
        for status, rule in ((codes.UNKNOWN, "STD-001"), (codes.ASK, "STD-002")):
            self.issues.add(to_bools(pc.equal(found.status, status)), rule, name, raw, hint)
        return found.codes

    def day(self, name: str) -> pa.Array:
        """A date or date-time as ISO text, as exact as the source gave it; unreadable is an issue and null."""
        raw = clean_text(self.cell(name))
        moments, bad = parse_datetimes(raw, None)
        self.issues.add(to_bools(bad), "STD-003", name, raw)
        timed = pc.fill_null(pc.match_substring_regex(raw, "[:时点]"), False)
        iso = pc.if_else(
            timed,
            pc.strftime(moments, format="%Y-%m-%d %H:%M:%S"),
            pc.strftime(moments, format="%Y-%m-%d"),
        )
        return pc.if_else(pc.fill_null(pc.and_(pc.match_substring_regex(raw, _ISO), pc.invert(bad)), False), raw, iso)

    def yes_no(self, name: str) -> pa.Array:
        """true/false; anything else is an issue and null."""
        raw = self.cell(name)
        found = self.book.resolve(YES_NO, raw, "", name, "")
        bad = to_bools(pc.is_in(found.status, pa.array([codes.UNKNOWN, codes.ASK])))
        self.issues.add(bad, "STD-005", name, raw)
        return map_unique(found.codes, lambda text: text == "true", pa.bool_())

    def whole(self, name: str) -> pa.Array:
        """A whole number; anything else is an issue and null."""
        raw = self.cell(name)
        good = matches(raw, _WHOLE)
        self.issues.add(~good & to_bools(pc.is_valid(raw)), "STD-004", name, raw)
        return pc.if_else(pa.array(good), raw, _NULL).cast(pa.int64())

    def need(self, names: Iterable[str], columns: Mapping[str, pa.Array]) -> None:
        """An issue where nothing stands in a field without which the notice cannot be followed."""
        for name in names:
            missing = to_bools(pc.and_(pc.is_null(columns[name]), pc.is_null(clean_text(self.cell(name)))))
            self.issues.add(
                missing, "STD-002", name, None, text="{label}是空的，这条通知无法处理。请联系信用平台补齐。"
            )

    def table(self, columns: Mapping[str, pa.Array]) -> pa.Table:
        """The columns in the order and types of the standard table, with where they came from."""
        rows = self.raw.table.num_rows
        found = dict(columns) | {
            "dept": pa.repeat(pa.scalar(self.raw.dept, pa.string()), rows),
            "source_file": cells(self.raw.table, FILE),
            "source_row": self.raw.table[ROW].combine_chunks(),
            "changed_at": parse_datetimes(self.cell("changed_at"), None)[0],
        }
        return pa.table([found[f.name].cast(f.arrow) for f in self.spec.fields], schema=self.spec.schema)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Keys that the contract does not name."""
        return tuple(
            f"STD-010 信用平台的答复里有一项“{name}”不在约定内，未采用。请管理员核对接口是否改版。"
            for name in self.unknown
        )


def ratings(items: Items) -> pa.Table:
    """Standard table of ratings; grade, scheme and numbers normalised, texts as they came."""
    schemes = items.coded("scheme", "信用评价类别")
    score = clean_text(items.cell("score_text"))
    numeric = matches(score, _NUMBER)
    id_type = cells(items.raw.table, "enterpriseIdType")
    other: Bools = to_bools(pc.not_equal(id_type, "001"))
    items.issues.add(other, "STD-001", "uscc", id_type, "证件类型 001（统一社会信用代码）")
    return items.table(
        {
            "record_key": clean_text(items.cell("record_key")),
            "revision": items.whole("revision"),
            "uscc": identifier(items.issues, "uscc", items.cell("uscc")),
            "subject_name": clean_name(items.cell("subject_name")),
            "scheme": schemes,
            "grade": items.grades(schemes),
            "score": pc.if_else(pa.array(numeric), score, _NULL).cast(pa.float64()),
            "score_text": score,
            "evaluator": clean_name(items.cell("evaluator")),
            "evaluator_code": identifier(items.issues, "evaluator_code", items.cell("evaluator_code")),
            "rated_at": items.day("rated_at"),
            "valid_until": items.day("valid_until"),
            "field": clean_text(items.cell("field")),
            "publishable": items.yes_no("publishable"),
        }
    )


def repairs(items: Items) -> pa.Table:
    """Standard table of repair notices; what is missing for following one is an issue."""
    columns = {
        "record_key": clean_text(items.cell("record_key")),
        "uscc": identifier(items.issues, "uscc", items.cell("uscc")),
        "subject_name": clean_name(items.cell("subject_name")),
        "target": items.coded("target", "修复对象类别"),
        "target_key": clean_text(items.cell("target_key")),
        "decision_no": clean_text(items.cell("decision_no")),
        "decided_at": items.day("decided_at"),
        "effective_at": items.day("effective_at"),
    }
    items.need(("record_key", "target", "target_key"), columns)
    return items.table(columns)


def rating_items(raw: RawBatch, book: CodeBook) -> Items:
    """Items of a reading of ratings."""
    return Items(raw, RATING, RATING_KEYS, book)


def repair_items(raw: RawBatch, book: CodeBook) -> Items:
    """Items of a reading of repair notices."""
    return Items(raw, REPAIR, REPAIR_KEYS, book)
