"""What platform ③ looks for in a batch, as tables: forms of records, what must not be public, silent failures.

Belongs here: the 6005 search and the 6002 forms of `publicity.md`. Must not: what is stored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from mock_platforms.validation import moment, real_date, resident_id, uscc, whole_number

INSPECTION, RATING, STOP = "inspection", "rating", "stop"
_LABELS = (
    *("未发现问题", "未按规定公示应当公示的信息", "公示信息隐瞒真实情况、弄虚作假"),
    *("通过登记的住所（经营场所）无法联系", "发现问题已责令改正", "不配合检查情节严重"),
    *("未发现开展本次抽查涉及的经营活动", "发现问题待后续处理"),
)
_REASONS = ("REPAIRED", "EXPIRED", "REVOKED", "ENTRY_ERROR", "OBJECTION", "NOT_PUBLIC")
_EXEMPT = ("pubId", "UniCode", "raninsPlanId", "raninsTaskId")
_WINDOW = re.compile(r"(?=([0-9]{17}[0-9Xx]))")
_MOBILE = re.compile(r"(?<![0-9])(?:(?:00)?86)?1[3-9][0-9]{9}(?![0-9])")
_WORD = re.compile(r"(?<![A-Za-z0-9])RISK(?![A-Za-z0-9])|信用风险分类")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _some(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _day(value: Any) -> bool:
    return isinstance(value, str) and real_date(value) is not None


def _day_or_empty(value: Any) -> bool:
    return value == "" or _day(value)


def _moment(value: Any) -> bool:
    return isinstance(value, str) and moment(value) is not None


def _details(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(_detail(row) for row in value)


def _detail(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and set(row) == {"seqno", "raninsItemName", "raninsCheckResName"}
        and whole_number(row["seqno"])
        and isinstance(row["raninsItemName"], str)
        and row["raninsCheckResName"] in _LABELS
    )


# Form of a record: field → whether the value is one.
_FORMS: dict[str, dict[str, Callable[[Any], bool]]] = {
    INSPECTION: {
        "pubId": _some,
        **dict.fromkeys(("UniCode", "EntName", "raninsPlanId", "raninsPlaneName", "raninsTaskId"), _text),
        **dict.fromkeys(("raninsTaskName", "raninsTypeName", "insAuth"), _text),
        "insDate": _day,
        "details": _details,
        "publicFrom": _day,
        "publicUntil": _day_or_empty,
    },
    RATING: {
        "pubId": _some,
        **dict.fromkeys(("UniCode", "EntName", "evaluator"), _text),
        "scheme": lambda value: value == "PUBLIC",
        "grade": lambda value: value in ("优", "良", "中", "差"),
        "ratedAt": _moment,
        "publicFrom": _day,
        "publicUntil": _day_or_empty,
    },
    STOP: {
        "pubId": _some,
        "reason": lambda value: value in _REASONS,
        "basis": _text,
        "decidedAt": _moment,
    },
}


def well_formed(kind: str, record: Any) -> bool:
    """Whether the record has exactly the fields of its form, each well-typed."""
    form = _FORMS[kind]
    return isinstance(record, dict) and set(record) == set(form) and all(ok(record[name]) for name, ok in form.items())


def must_not_be_public(kind: str, record: Any, today: date) -> bool:
    """Whether a resident ID, a mobile number, or 企业信用风险分类 stands in the record (6005)."""
    if kind == RATING and isinstance(record, dict) and _text(record.get("scheme")) and record["scheme"] != "PUBLIC":
        return True
    return any(_forbidden(text, today) for text in _texts(record))


def _texts(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, str) and name not in _EXEMPT:
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _forbidden(text: str, today: date) -> bool:
    plain = unicodedata.normalize("NFKC", text)
    # A number may be written with blanks or dashes inside: they are taken out before the search.
    closed = "".join(c for c in plain if not (c.isspace() or unicodedata.category(c) in ("Pd", "Cf", "Cc") or c == "−"))
    return (
        bool(_WORD.search(plain))
        or bool(_MOBILE.search(plain))
        or any(resident_id(found[1], today) for found in _WINDOW.finditer(closed))
    )


def silently_fails(kind: str, record: Mapping[str, Any], today: date) -> bool:
    """Whether a well-formed record is left out without a word: wrong USCC, no market entity, dates."""
    code = record["UniCode"]
    if not uscc(code) or code[:2] not in ("91", "92", "93"):
        return True
    start, end = record["publicFrom"], record["publicUntil"]
    if end and end < start:
        return True
    return kind == INSPECTION and (record["insDate"] > start or record["insDate"] > today.isoformat())
