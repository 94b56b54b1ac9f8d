"""A version's payload as the adapters read it: texts without null, flags, inspectors, items and labels.

Belongs here: reading of the standard payload that every adapter does alike.
Must not: a platform's field names, decisions about publicity, any repair of a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from zz_pipeline.errors import NotRenderable
from zz_pipeline.standard.personal import personal_kind
from zz_pipeline.standard.results import ORDER
from zz_pipeline.standard.tables import RESULT_LABELS


class Texts(dict[str, str]):
    """Texts of a payload by field name; what is absent or null is empty, the wires know no null."""

    def __missing__(self, name: str) -> str:
        return ""


def texts(payload: Mapping[str, Any]) -> Texts:
    """All text fields of a payload or of one of its items."""
    return Texts({name: value for name, value in payload.items() if isinstance(value, str)})


def flag(payload: Mapping[str, Any], name: str) -> bool:
    """A yes/no field; NotRenderable if it is neither."""
    value = payload.get(name)
    if not isinstance(value, bool):
        raise NotRenderable(f"记录 {payload.get('record_key')} 的字段 {name} 不是“是/否”，未发送。请报告此缺陷。")
    return value


def inspectors(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, certificate) of each inspector; NotRenderable if the two lists do not pair or one has a gap."""
    names, certs = payload.get("inspector_names") or [], payload.get("inspector_certs") or []
    if len(names) != len(certs) or None in (*names, *certs):
        raise NotRenderable(
            f"记录 {payload.get('record_key')} 的检查人员与执法证号数目不等或有空缺，未发送。请退回部门更正。"
        )
    return list(zip(names, certs, strict=True))


def items(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One entry for each (item, label), by item code and the standard's order of labels."""
    found = payload.get("items") or []
    return sorted(found, key=lambda item: (item["item_code"], ORDER.get(item["result"], len(ORDER))))


def by_item(payload: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Item code and its entries, in the order of `items`."""
    for code, entries in groupby(items(payload), key=lambda item: item["item_code"]):
        yield code, list(entries)


def label(item: Mapping[str, Any]) -> str:
    """The wire label of an item's class (standard 1.1); NotRenderable for a class that is none of the eight."""
    found = RESULT_LABELS.get(item["result"])
    if found is None:
        raise NotRenderable(f"检查事项 {item['item_code']} 的检查结果不在八类之内，未发送。请报告此缺陷。")
    return found


def without_personal_data(remark: str) -> str:
    """A remark, or nothing at all where personal data stand in it (decision 0001: withheld, never cut)."""
    return "" if personal_kind(remark) else remark
