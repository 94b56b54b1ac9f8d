"""The public page of platform ③: search by name or USCC, and what is published of a company.

Belongs here: grouping for display and the template. Must not: storage, anything that is not public.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

_MOST, _RECENT = 50, 8


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("page.html")


def render(words: str, published: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """HTML for a search; `published` are (kind, record) of all public records, newest first."""
    found = [(kind, r) for kind, r in published if words and (words in r["EntName"] or words.upper() == r["UniCode"])]
    companies: dict[str, dict[str, Any]] = {}
    for kind, record in found:
        company = companies.setdefault(
            record["UniCode"], {"name": record["EntName"], "code": record["UniCode"], "inspection": [], "rating": []}
        )
        company[kind].append(record)
    return _template().render(
        words=words,
        companies=list(companies.values())[:_MOST],
        total=len(companies),
        most=_MOST,
        inspections=sum(kind == "inspection" for kind, _ in published),
        subjects=len({r["UniCode"] for _, r in published}),
        recent=_recent(published),
    )


def _recent(published: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, str]]:
    """The companies of the newest records, each once."""
    names: dict[str, str] = {}
    for _, record in published:
        names.setdefault(record["UniCode"], record["EntName"])
        if len(names) == _RECENT:
            break
    return [{"code": code, "name": name} for code, name in names.items()]
