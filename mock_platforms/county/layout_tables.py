"""All 25 departments' layouts in one table, and what others must know of them.

Belongs here: `LAYOUTS` and what derives from it. Must not: declarations of single departments, rendering, writing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mock_platforms.county.layout_databases import DATABASES
from mock_platforms.county.layout_feeds import CSVS, HTTPS
from mock_platforms.county.layout_model import Layout
from mock_platforms.county.layout_workbooks import WORKBOOKS

_NONE = tuple(Layout(key, "none", ()) for key in ("XCB", "BB"))

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {item.key: item for item in (*DATABASES, *WORKBOOKS, *CSVS, *HTTPS, *_NONE)}
)

# Departments whose systems know what was done next (01–06); the others leave it to the pipeline's map.
FOLLOW_UP = frozenset(key for key, item in LAYOUTS.items() if item.heading("follow_up"))

# Departments that write results as the plain labels: any other wording there is a defect, not a code of theirs.
LABEL_RESULTS = frozenset(
    key for key, item in LAYOUTS.items() if item.medium != "none" and item.code_mode("result") == "label"
)
