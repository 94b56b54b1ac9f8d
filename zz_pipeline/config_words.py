"""What a wrong value of a configuration file is called in Chinese.

Belongs here: the words, by pydantic's type of error. Must not: reading files, rules about values.
"""

from __future__ import annotations

# What is not here is shown in pydantic's own words, or in those of our own rule.
SAID = {
    "missing": "没有写，是必填项",
    "extra_forbidden": "没有这一项配置，可能拼写有误",
    "string_type": "应是加引号的文字",
    "string_pattern_mismatch": "写法不合要求",
    "int_type": "应是整数",
    "int_parsing": "应是整数",
    "int_from_float": "应是整数",
    "float_type": "应是数字",
    "float_parsing": "应是数字",
    "bool_type": "应是 true 或 false",
    "bool_parsing": "应是 true 或 false",
    "tuple_type": "应是方括号里的一列值",
    "date_type": "应是日期，如 2026-04-01",
    "date_parsing": "应是日期，如 2026-04-01",
    "date_from_datetime_parsing": "应是日期，如 2026-04-01",
    "literal_error": "不在允许的取值之内",
    "greater_than_equal": "数值太小",
    "greater_than": "数值太小",
    "less_than": "数值太大",
    "less_than_equal": "数值太大",
}
