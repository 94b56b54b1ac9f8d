"""The catalogue as a list for readers: what `zz rules` prints and docs/rules.md holds.

Belongs here: rules as plain texts. Must not: Great Expectations, looking at data.
"""

from __future__ import annotations

from expectations.catalogue import CHECKED, ERROR, FAMILIES, RULES, STANDARDIZE, TOGETHER
from expectations.outcome import PREFIX
from zz_pipeline.standard.tables import TABLES, Kind

FOUND = {CHECKED: "质量检查", STANDARDIZE: "标准化", TOGETHER: "与本库比对"}
HEADINGS = ("编号", "类型", "名称", "告诉填报人的话", "依据", "字段", "后果", "何处发现")


def rules() -> list[dict[str, str]]:
    """Every rule once, in the order of the catalogue, by the Chinese headings."""
    rows = []
    for rule in RULES.values():
        kind = next((k for k, prefix in PREFIX.items() if rule.id.startswith(prefix)), Kind.INSPECTION)
        label = next((f.label for f in TABLES[kind].fields if f.name == rule.field), rule.field)
        cells = (
            rule.id,
            f"{rule.family} {FAMILIES[rule.family]}",
            rule.label,
            rule.message.format(field="（该字段）"),
            rule.legal,
            label,
            "退回" if rule.severity == ERROR else "提醒",
            FOUND[rule.found],
        )
        rows.append(dict(zip(HEADINGS, cells, strict=True)))
    return rows
