"""RAT rules (credit ratings) and REP rules (信用修复 notices): what must hold before they may be shared or acted on.

Belongs here: number, family, texts, legal source, effect. Must not: conditions (`suites/rating.py`).
"""

from __future__ import annotations

from expectations.rule import TOGETHER, Rule

_T = "contracts credit, ① E13 E14, ② 01"

RULES: tuple[Rule, ...] = (
    Rule("RAT-001", "06", "统一社会信用代码", "统一社会信用代码缺失、校验位不符或不是统一社会信用代码。请由信用平台核对后重新推送。",
         "GB 32100-2015; contracts ① E06, ② 06", "uscc"),
    Rule("RAT-002", "01", "评价类别", "评价类别不是公共信用综合评价、行业信用评价、企业信用风险分类之一。请由信用平台更正。", _T, "scheme"),
    Rule("RAT-003", "01", "评价等级", "评价等级缺失或不属于该评价类别。公共：优良中差；行业：ABCDM；风险：ABCD。请由信用平台更正。", _T,
         "grade"),
    Rule("RAT-004", "09", "评价编号", "评价编号缺失或不合格：1 至 35 个字母、数字、横线或下划线。请由信用平台更正。", "contracts credit",
         "record_key"),
    Rule("RAT-005", "01", "企业名称", "企业名称缺失、不足 2 个字、超过 200 个字，或含控制字符、自造字、乱码（�）。请由信用平台更正。", "contracts ① E05",
         "subject_name"),
    Rule("RAT-006", "10", "评价时间", "{field}读不出、晚于当前时间，或有效期早于评价时间。请由信用平台更正。", "contracts ① E14, ② 10",
         "rated_at"),
    Rule("RAT-007", "01", "评价机构", "评价机构缺失。请由信用平台补充。", "contracts ① E15", "evaluator"),
    Rule("RAT-008", "01", "评价得分", "评价得分不是数字。请由信用平台更正，没有得分的留空。", "contracts ① E13", "score"),
    Rule("RAT-009", "01", "文字过长或含控制字符", "{field}超过规定长度，或含控制字符、自造字、乱码（�）。请由信用平台更正。", "contracts ① E15, ② 01",
         "subject_name"),
    Rule("REP-001", "09", "修复编号", "修复通知的编号缺失或不合格：1 至 35 个字母、数字、横线或下划线。请由信用平台更正。",
         "contracts credit", "record_key"),
    Rule("REP-002", "01", "修复对象", "{field}缺失或不认识：对象类别应为检查结果、信用评价或行政处罚，并写明对象编号。请由信用平台更正。",
         "contracts credit; standard 3.4", "target"),
    Rule("REP-003", "01", "文字过长或含控制字符", "{field}超过规定长度，或含控制字符、自造字、乱码（�）。请由信用平台更正。", "contracts credit", "target_key"),
    Rule("REP-004", "08", "修复对象未收到过", "修复通知所指的编号本系统没有收到过，已保存；该编号今后到达时不会公示。", "standard 3.4",
         "target_key", found=TOGETHER),
    Rule("REP-005", "08", "处罚类修复通知", "本系统目前不推送行政处罚，未作处理，请转有关部门。", "standard 3.4; 国办发〔2025〕22号",
         "target", found=TOGETHER),
)  # fmt: skip
