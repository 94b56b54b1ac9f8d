"""The ten 数据检核类型 of the national checker, by number.

Belongs here: the table. Must not: rules (those are `expectations`), imports that cost time (Dagster's shell loads this).
"""

from __future__ import annotations

from collections.abc import Mapping

# standard 2.4
FAMILIES: Mapping[str, str] = {
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
