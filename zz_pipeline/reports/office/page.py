"""A bulletin as one self-contained page: figures, charts, lists behind each figure; readable offline, printable.

Belongs here: what the template is handed. Must not: figures of its own, anything loaded from elsewhere.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from zz_pipeline.reports.office import indicators
from zz_pipeline.reports.office.charts import bars, columns
from zz_pipeline.reports.office.model import Bulletin
from zz_pipeline.sources.returned import guard

SHOWN = 200  # rows of a list on the page; the workbook has all
_FIGURE = re.compile(r"[-+−]\d[\d.,]*\s*(?:[%％]|个百分点)?\Z")
FEW = 40  # days with which a calendar still fits


def render(bulletin: Bulletin, links: dict[str, str]) -> bytes:
    """The page as UTF-8. links: what people call another file of the same folder → its name."""
    shares = [
        (line.name, line.now.ratios[indicators.RANKED_BY], line.before.ratios[indicators.RANKED_BY])
        for line in bulletin.lines
        if line.now.ratios[indicators.RANKED_BY].d and line.rank.endswith(tuple("0123456789"))
    ]
    days = [day.strftime("%m-%d") for day in bulletin.period.days]
    values = {
        "b": bulletin,
        "lines": [*bulletin.lines, bulletin.total],
        "indicators": indicators.INDICATORS,
        "counts": indicators.COUNT,
        "ranked": indicators.INDICATOR[indicators.RANKED_BY],
        "shown": SHOWN,
        "days": days,
        "bars": bars(shares, bulletin.period.before_word),
        "columns": columns(list(zip(days, bulletin.daily, strict=True))),
        "links": links,
    }
    return _template().render(**values).encode()


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("zz_pipeline.reports.office", "templates")
    env = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=_inert,
    )  # fmt: skip
    return env.get_template("bulletin.html")


def _inert(value: Any) -> Any:
    """Spreadsheet programs open the page too, and take a cell that begins with = for a formula; a figure is none."""
    bare = isinstance(value, str) and not isinstance(value, Markup) and len(value) > 1
    return guard(value) if bare and not _FIGURE.match(value) else value
