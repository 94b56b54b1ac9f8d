"""What a department's file must say before anything is read by it: known fields, one way for each, code sets that exist.

Belongs here: faults of `departments/<KEY>.toml` that its form alone does not show, each with key and remedy.
Must not: reading of sources, the form of the file (that is `settings`), judging of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zz_pipeline.errors import ConfigError
from zz_pipeline.settings import ColumnSpec, Department, Settings
from zz_pipeline.standard.code_files import YES_NO
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.tables import INSPECTION

# Required by the standard, yet not asked of the department's table: made from its key, its lists or its other columns.
DERIVED = frozenset(
    ("record_key", "dept", "item_name", "implement_code", "counterpart_name", "counterpart_id_type", "counterpart_code")
)
NEEDED = tuple(f.name for f in INSPECTION.fields if f.required and f.name not in DERIVED)
_FIELDS = {f.name for f in INSPECTION.fields}


def check_departments(settings: Settings, book: CodeBook) -> None:
    """ConfigError for the first department whose file cannot be right; its text names file, key and remedy."""
    for department in settings.departments.values():
        for key, text in faults(department, book):
            raise ConfigError(f"{settings.config_dir / 'departments' / department.key}.toml 的 {key}：{text}")


def faults(department: Department, book: CodeBook) -> Iterator[tuple[str, str]]:
    """(key of the file, Chinese) of everything that cannot be right."""
    for name, spec in department.columns.items():
        yield from _column(name, spec, department.key, book)
    if department.source.kind == "none":
        return
    for name in NEEDED:
        if name not in department.columns:
            label = INSPECTION.field(name).label
            yield f"columns.{name}", f"没有说明“{label}”在表里是哪一列，这是必填字段。请补上这一节和它的 heading。"
    yield from _pattern(department)


def _column(name: str, spec: ColumnSpec, dept: str, book: CodeBook) -> Iterator[tuple[str, str]]:
    key = f"columns.{name}"
    if name not in _FIELDS:
        yield key, "不是标准字段，可能拼写有误。请对照数据字典改正字段名，不需要的列写进 ignore。"
        return
    if sum(map(bool, (spec.heading, spec.headings, spec.constant))) != 1:
        yield key, "heading、headings、constant 只能写其中一个，且不能为空。请只留一个。"
    field = INSPECTION.field(name)
    codes = YES_NO if field.type == "bool" else field.codes
    if not spec.codes:
        return
    if codes is None:
        yield f"{key}.codes", f"“{field.label}”没有代码集，不需要 codes。请删除这一项。"
        return
    try:
        book.resolve(codes, [], dept, name, spec.codes)
    except ConfigError as error:
        yield f"{key}.codes", str(error)


def _pattern(department: Department) -> Iterator[tuple[str, str]]:
    try:
        groups = re.compile(department.source.day_pattern).groups
    except re.error as error:
        yield "source.day_pattern", f"不是合格的正则表达式（{error}）。请照样例写成 '(\\d{{8}})'。"
        return
    if department.source.day_pattern and groups < 1:
        yield "source.day_pattern", "没有用括号括住日期部分。请照样例写成 '(\\d{8})'。"
