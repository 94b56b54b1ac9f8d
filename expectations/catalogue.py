"""The rule catalogue: every rule once, under the numbers of docs/decisions/0001, and the version of the whole set.

Belongs here: `RULES`, `RULE_SET`. Must not: Great Expectations, conditions (those are suites), looking at data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import astuple

from expectations.rule import CHECKED, ERROR, FAMILIES, STANDARDIZE, TOGETHER, WARN, Rule
from expectations.rules import inspection, rating, standardize

__all__ = ["CHECKED", "ERROR", "FAMILIES", "RULES", "RULE_SET", "STANDARDIZE", "TOGETHER", "WARN", "Rule", "collect"]


def collect(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Rules by id; ValueError if an id is declared twice."""
    found: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in found:
            raise ValueError(f"rule {rule.id} is declared twice")
        found[rule.id] = rule
    return found


RULES: dict[str, Rule] = collect((*standardize.RULES, *inspection.RULES, *rating.RULES))


def _digest() -> str:
    text = "\n".join(repr(astuple(RULES[rule])) for rule in sorted(RULES))
    return f"rules-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


# Kept with every accepted version: which rules passed it (the ledger gives it 32 characters).
RULE_SET: str = _digest()
