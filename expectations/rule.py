"""What a rule is: the value, the ten families, the severities, and who finds a breach.

Belongs here: words of the catalogue. Must not: rules themselves (`rules/`), conditions (`suites/`), Great Expectations.
"""

from __future__ import annotations

from dataclasses import dataclass

from zz_pipeline.standard.tables import Scope

ERROR, WARN = "ERROR", "WARN"

# The ten 数据检核类型 of the national checker (standard 2.4).
FAMILIES = {
    "01": "代码检查",
    "02": "数据源标识检查",
    "03": "监管事项目录编码检查",
    "04": "监管事项检查实施清单编码检查",
    "05": "数据归并",
    "06": "统一社会信用代码编码规则检查",
    "07": "身份证号码编码规则检查",
    "08": "数据关联性检查",
    "09": "业务主键检查",
    "10": "时间信息检查",
}

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
