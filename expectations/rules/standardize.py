"""STD rules: what the standardizer could not read. It finds the breaches itself and writes the concrete message.

Belongs here: number, family, legal source and effect. Must not: reading of values (`zz_pipeline.standardize`).
"""

from __future__ import annotations

from expectations.rule import STANDARDIZE, WARN, Rule
from zz_pipeline.standard.tables import Scope

_ITEM = Scope.ITEM
_F = STANDARDIZE

RULES: tuple[Rule, ...] = (
    Rule("STD-001", "01", "代码不认识",
         "{field}的写法不在代码表中。请按代码表填写；确属本部门习惯写法的，请书面确认对应关系后由平台登记。",
         "国家“互联网+监管”数据标准代码表; standard 1.2–1.3", "result", found=_F),
    Rule("STD-002", "01", "须由部门确认的写法",
         "{field}的写法不能直接对应标准值。请改用标准写法，或由本部门书面确认含义。",
         "standard 1.1, 1.3", "result", scope=_ITEM, found=_F),
    Rule("STD-003", "10", "日期读不出", "{field}不是可识别的日期。请写成 2026-07-03 的形式，年份写四位。",
         "standard 1.7", "inspect_date", found=_F),
    Rule("STD-004", "01", "数字丢位或不是数字",
         "{field}不是完整的数字，可能在表格软件中丢了位数。请把该列设为文本格式后重新填写。",
         "standard 4.1; 0001 Grain", "uscc", found=_F),
    Rule("STD-005", "01", "是否读不出", "{field}只能填“是”或“否”。请改正。", "contracts ① E11", "publishable", found=_F),
    Rule("STD-006", "06", "编码中夹有异常字符", "{field}中间夹有空格、标点或看不见的字符。请重新手工录入该编码。",
         "standard 4.1", "uscc", found=_F),
    Rule("STD-007", "02", "检查部门不认识",
         "检查部门的名称不在部门目录中。请写部门全称或规范简称；谁检查、谁录入、谁公开。",
         "周政办发〔2024〕13号 三(八)", "dept", found=_F),
    Rule("STD-008", "09", "作废或删除的记录", "该记录在来源中标为作废或删除，已暂存不报。确需撤回已报数据的，请提出撤回申请。",
         "standard 1.7", "record_no", found=_F),
    Rule("STD-009", "01", "多值单元格读不出", "{field}一格内有多个值，分隔方式与约定不符。请按约定的分隔符填写。",
         "standard 1.7", "inspector_names", found=_F),
    Rule("STD-010", "01", "多出未登记的列", "来源表多出一列，既未对应也未声明忽略。请通知平台登记该列的含义。",
         "design 3 (2)", "source_file", severity=WARN, found=_F),
    Rule("STD-011", "01", "检查结果互相排斥", "同一格写了不能并存的检查结果。请核对后只保留正确的一类。",
         "standard 1.4", "result", scope=_ITEM, found=_F),
)  # fmt: skip
