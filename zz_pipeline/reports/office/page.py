"""A bulletin as one self-contained page: figures, charts, lists behind each figure; readable offline, printable.

Belongs here: what the template is handed. Must not: figures of its own, anything loaded from elsewhere.
"""

from __future__ import annotations

from functools import cache

import jinja2

from zz_pipeline.reports.office import indicators
from zz_pipeline.reports.office.charts import bars, columns
from zz_pipeline.reports.office.model import Bulletin

SHOWN = 200  # rows of a list on the page; the workbook has all
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
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return env.get_template("bulletin.html")
