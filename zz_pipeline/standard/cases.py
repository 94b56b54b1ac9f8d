"""Publishing decisions for many records of one moment: a night's inspections are few different cases.

Belongs here: what of an inspection a decision may know, and that each different case is decided once. Must not: deciding
(that is `publishing`), a case that leaves out what a rule reads.

A decision is asked for each record and platform, but reads of a record only its dates, the beginning of its code, whether it
may be public, what is unsettled, and whether a text holds something that may not be public. The rules are given exactly
these, so that nothing else can enter a decision that is used again; a rule that asks for more fails the batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from zz_pipeline.standard.tables import Kind

_TEXTS = ("subject_name", "plan_name", "task_name")
_PLAIN = ("not_publish_reason", "finish_date", "inspect_date")
_READ = ("publishable", *_PLAIN, "uscc", *_TEXTS)
_READ_OF_ITEM = ("item_code", "result", "follow_up", "item_name")
_NUMBER = 2  # characters of a unified code that say what kind of body it is
# No such text is personal or speaks of risk classes: plain words with fewer than eleven digits, and nothing by which a home
# (`personal._HOMES`) or a risk class (`publishing`, 6005) is known. Whatever is not surely harmless is looked at in full.
_HARMLESS = re.compile(
    r"(?!.*(?:住|家庭|户|单元|组|室|信用风险分类|[Rr][Ii][Ss][Kk]))(?!(?:[^0-9]*[0-9]){11})"
    r"[A-Za-z0-9_\u4e00-\u9fff（）()、，。·《》“”-]*"
)

Case = tuple[Any, ...]


class Read(dict[str, Any]):
    """What the rules may read of a case; asking for anything else is an error, never an absent value."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value; KeyError for a field that no case has."""
        return self[name]


class Cases:
    """`decide` for the records of one moment; of inspections each different case is decided once.

    settled: whether an item of this (class, follow-up, date of the check) needs nobody to say what became of it.
    """

    def __init__(
        self, decide: Callable[[str, Any, str, Any], Any], settled: Callable[[str | None, str | None, str | None], bool]
    ) -> None:
        self._decide, self._settled = decide, settled
        self._open: dict[Case, bool] = {}
        self._decided: dict[tuple[str, Any, Case], Any] = {}
        self._last: tuple[Any, Case] = (None, ())

    def __call__(self, kind: str, payload: Mapping[str, Any], platform: str, facts: Any) -> Any:
        """The decision for one version on one platform, as `decide` gives it."""
        if kind != Kind.INSPECTION:
            return self._decide(kind, payload, platform, facts)
        if self._last[0] is not payload:  # platforms follow one another
            self._last = payload, self._case(payload)
        key = platform, facts, self._last[1]
        found = self._decided.get(key)
        if found is None:
            found = self._decided[key] = self._decide(kind, _read(key[2]), platform, facts)
        return found

    def _case(self, payload: Mapping[str, Any]) -> Case:
        get, when = payload.get, payload.get("inspect_date")
        items = tuple(case for item in get("items") or () if (case := self._item(item, when)))
        code = str(get("uscc") or "")[:_NUMBER]
        public = get("publishable") is True
        return (public, *(get(name) for name in _PLAIN), code, *(_shown(get(name)) for name in _TEXTS), items)

    def _item(self, item: Mapping[str, Any], when: str | None) -> Case:
        """What an item adds to its record's case; nothing if it is settled and its name harmless."""
        told = item.get("result"), item.get("follow_up"), when
        settled = self._open.get(told)
        if settled is None:
            settled = self._open[told] = self._settled(*told)
        name = _shown(item.get("item_name"))
        return () if settled and not name else (item.get("item_code"), *told[:2], name)


def _shown(text: str | None) -> str:
    """The text where it may hold what may not be public; "" where it surely does not."""
    return "" if not text or _HARMLESS.fullmatch(text) else text


def _read(case: Case) -> Read:
    found = Read(zip((*_READ, "items"), case, strict=True))
    found["items"] = [Read(zip(_READ_OF_ITEM, item, strict=True)) for item in found["items"]]
    return found
