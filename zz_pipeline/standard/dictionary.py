"""The data dictionary as text: every standard table and every register, field by field.

Belongs here: writing declarations down for a reader. Must not: declarations (those are `tables`), files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zz_pipeline.standard.tables import REGISTERS, RESULT_LABELS, TABLES, Field, Personal, Scope

TYPES = {
    "text": "文字",
    "date": "日期",
    "datetime": "日期时间",
    "bool": "是否",
    "int": "整数",
    "number": "数值",
    "texts": "多个文字",
}
PERSONAL = {
    Personal.NONE: "",
    Personal.NAME: "姓名",
    Personal.ID: "身份号码",
    Personal.CERT: "证件号",
    Personal.PHONE: "电话",
    Personal.ADDRESS: "地址",
    Personal.TEXT: "自由文字",
}
SCOPES = {Scope.RECORD: "记录", Scope.ITEM: "检查事项", Scope.TRACE: "来源（不计入内容）"}
HEADINGS = ("字段", "名称", "类型", "长度", "必填", "代码集", "个人信息", "层次", "依据")


def markdown() -> str:
    """The dictionary as Markdown, Chinese; the same declarations always give the same text."""
    return "\n".join(_lines()) + "\n"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A Markdown table; a bar or a line break in a cell cannot end it."""
    yield _row(headings)
    yield _row("-" for _ in headings)
    yield from (_row(row) for row in rows)


def cells(field: Field) -> tuple[str, ...]:
    """One field as texts under `HEADINGS`."""
    return (
        f"`{field.name}`",
        field.label,
        TYPES[field.type],
        str(field.length or ""),
        "是" if field.required else "",
        field.codes or "",
        PERSONAL[field.personal],
        SCOPES[field.scope],
        field.legal,
    )


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"


def _lines() -> Iterator[str]:
    yield from (
        "# 数据字典",
        "",
        "本页由 `zz dictionary --markdown` 从 `zz_pipeline/standard/tables.py` 生成，不要手工修改。",
        "",
    )
    for kind, one in TABLES.items():
        yield from (f"## {one.label}（{kind}）", "")
        yield from table(HEADINGS, (cells(f) for f in one.fields))
        yield ""
    yield from ("### 检查结果类别", "")
    yield from table(("代码", "公示标签"), RESULT_LABELS.items())
    yield ""
    for register in REGISTERS.values():
        yield from (f"## {register.label}（{register.where}）", "")
        yield from table(HEADINGS[:-2] + HEADINGS[-1:], (cells(f)[:-2] + cells(f)[-1:] for f in register.fields))
        yield ""
