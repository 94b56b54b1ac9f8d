"""What a rule is: the value, its family, the severities, and who finds a breach.

Belongs here: words of the catalogue. Must not: rules themselves (`rules/`), conditions (`suites/`), Great Expectations.
"""

from __future__ import annotations

from dataclasses import dataclass

from zz_pipeline.standard.families import FAMILIES
from zz_pipeline.standard.tables import Scope

__all__ = ["CHECKED", "ERROR", "FAMILIES", "STANDARDIZE", "TOGETHER", "WARN", "Rule"]

ERROR, WARN = "ERROR", "WARN"

# Who finds a breach: a GX expectation, the standardizer, or the place where files and ledger are seen together.
CHECKED, STANDARDIZE, TOGETHER = "expectation", "standardize", "together"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: id, family 01–10, short Chinese label, Chinese message for the clerk, legal source, main field, effect.

    `message` may name the field by {field}; `scope` says whether a breach speaks of the record or of one item of it.
    """

    id: str
    family: str
    label: str
    message: str
    legal: str
    field: str
    severity: str = ERROR
    scope: Scope = Scope.RECORD
    found: str = CHECKED
