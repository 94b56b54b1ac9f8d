"""A check for each of the ten 数据检核类型 on the verdicts: how many records it returned, in which departments, and why.

Belongs here: names of the checks, their numbers and words. Must not: rules, values of records (messages hold masked ones only).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import results
from zz_pipeline.standard.families import FAMILIES

if TYPE_CHECKING:
    from zz_pipeline.findings import Finding

# Names of checks are identifiers; the numbers are those of the national checker.
NAMES: Mapping[str, str] = {
    "01": "type_01_codes",
    "02": "type_02_sender",
    "03": "type_03_item_codes",
    "04": "type_04_implement_codes",
    "05": "type_05_merging",
    "06": "type_06_credit_codes",
    "07": "type_07_resident_ids",
    "08": "type_08_relations",
    "09": "type_09_business_keys",
    "10": "type_10_times",
}
SHOWN_RULES, SHOWN_DEPARTMENTS, LONGEST_REASON = 3, 4, 120
Found = list[tuple[str, "Finding"]]


def specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The ten checks of an asset."""
    return [
        dg.AssetCheckSpec(
            NAMES[number], asset=key, description=f"数据检核类型 {number}·{label}：有退回的为错误，只有提醒的为警告。"
        )
        for number, label in FAMILIES.items()
    ]


def judged(done: results.ByDay, names: Mapping[str, str]) -> Iterator[dg.AssetCheckResult]:
    """A result for each family over all sources and days of the run."""
    book = rule_book()
    found = [(names.get(r.dept, r.dept), f) for day in done.values() for r in day for f in r.findings]
    for number, name in NAMES.items():
        mine = [(dept, f) for dept, f in found if book[f.rule]["类型"].startswith(number)]
        yield _result(name, mine, book)


def reasons(findings: Found, book: Mapping[str, Mapping[str, str]]) -> dg.MarkdownMetadataValue:
    """A table row for each rule, the most frequent first."""
    rows = [
        f"| {rule} {book[rule]['名称']} | {count} | {_departments(mine)} | {_short(mine[0][1].message)} |"
        for rule, count, mine in _by_rule(findings)
    ]
    return dg.MetadataValue.md("\n".join(["| 规则 | 条次 | 部门 | 告诉填报人的话（第一条） |", "|-|-|-|-|", *rows]))


def rule_book() -> dict[str, dict[str, str]]:
    """The catalogue by rule number, from the installed checker."""
    from zz_pipeline.quality import load_plug

    return {row["编号"]: row for row in load_plug("rules")()}


def _result(name: str, found: Found, book: Mapping[str, Mapping[str, str]]) -> dg.AssetCheckResult:
    errors = [(dept, f) for dept, f in found if f.severity == "ERROR"]
    warnings = [(dept, f) for dept, f in found if f.severity != "ERROR"]
    returned, warned = (sum(f.units for _, f in part) for part in (errors, warnings))
    more: dict[str, Any] = {"退回条次": returned, "提醒条次": warned}
    if found:
        more["原因"] = reasons([*errors, *warnings], book)
    return results.check(name, not found, _said(errors or warnings, returned, warned, book), warn=not errors, **more)


def _said(found: Found, returned: int, warned: int, book: Mapping[str, Mapping[str, str]]) -> str:
    if not found:
        return "没有发现。"
    first = "；".join(
        f"{rule} {book[rule]['名称']} {count} 条（{_departments(mine)}），{_short(mine[0][1].message)}"
        for rule, count, mine in _by_rule(found)[:SHOWN_RULES]
    )
    todo = "请部门按退回清单更正后重报。" if returned else "记录照常报送，请部门核实。"
    return f"退回 {returned} 条次，提醒 {warned} 条次。{first}{'' if first.endswith('。') else '。'}{todo}"


def _by_rule(found: Found) -> list[tuple[str, int, Found]]:
    rules = Counter[str]()
    for _, finding in found:
        rules[finding.rule] += finding.units
    return [(rule, n, [(d, f) for d, f in found if f.rule == rule]) for rule, n in rules.most_common()]


def _departments(found: Found) -> str:
    counted = Counter[str]()
    for dept, finding in found:
        counted[dept] += finding.units
    said = "、".join(f"{dept} {n}" for dept, n in counted.most_common(SHOWN_DEPARTMENTS))
    return said + ("等" if len(counted) > SHOWN_DEPARTMENTS else "")


def _short(text: str) -> str:
    # a bar would end the table's cell
    return text.replace("|", "｜") if len(text) <= LONGEST_REASON else text[:LONGEST_REASON].replace("|", "｜") + "…"
