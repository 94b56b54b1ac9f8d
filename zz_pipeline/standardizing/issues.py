"""What standardizing finds wrong: one row an issue, with the value as written and a message a clerk can act on.

Belongs here: the messages of STD-001 … STD-011, INS-030, INS-031, and their collection. Must not: finding anything.
Messages hold values masked by the field's personal-data class; the column `value` holds them as written, to be masked by
whoever shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from zz_pipeline.standard.columns import Bools, Ints
from zz_pipeline.standard.normalize import visible
from zz_pipeline.standard.personal import mask_field
from zz_pipeline.standard.tables import Field, Table

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("field", pa.string()),
        ("value", pa.string()),
        ("message", pa.string()),
    ]
)
LONGEST = 60  # characters of a value inside a message
LOOKED_AT = 20 * LONGEST  # masking looks at each character: of a text without end only its beginning is masked

# {label} Chinese name of the field, {value} masked value, {hint} what may be written or where it stands.
TEXTS = {
    "STD-001": "{label}“{value}”不在代码表里，无法对应。请改写为：{hint}。",
    "STD-002": "{label}“{value}”说不清属于哪一种，不能直接采用。请核实后写明：{hint}；部门惯用的写法，由部门确认对照表后可以直接用。",
    "STD-003": "{label}“{value}”读不出日期。请写成 2026-07-03 这样的形式（年份四位，年月日顺序）。",
    "STD-004": "{label}“{value}”已经丢了数位，或不是编号（表格软件常把长编号变成数字）。请把这一列设为文本，重新填写完整的编号。",
    "STD-005": "{label}“{value}”看不出是“是”还是“否”。请写“是”或“否”。",
    "STD-006": "{label}“{value}”中间夹有空格、引号、换行或看不见的字符。请删去这些字符，或重新填写完整的编号。",
    "STD-007": "检查单位“{value}”不是本部门，也不在部门目录里。谁检查、谁录入：请写明检查单位的全称，或请管理员登记这个名称。",
    "STD-008": "这条记录{hint}，按作废处理，不报送。请核实：确已作废的，从表中删去并按撤回手续办理；仍然有效的，恢复后重报。",
    "STD-009": "{label}“{value}”拆不成一个个的人或证号：{hint}。请改正后重报。",
    "STD-011": "检查结果“{value}”里有不能并列的结论：“未发现问题”不能与同一事项的其他结论同时出现。请核实后只保留正确的。",
    "INS-030": "检查编号“{value}”在《{hint}》里出现了不止一次，内容却不同。请核实哪一次正确，只保留一次，改正后重报。",
    "INS-031": "这条记录与检查编号“{hint}”的内容完全相同，只是编号不同。重复录入的请删去一条；确是两次检查的，请写明不同之处。",
}


class Issues:
    """Issues by row of the table at hand; `moved` follows the rows when the table is reshaped."""

    def __init__(self, spec: Table) -> None:
        self.spec = spec
        self._rows: list[Ints] = []
        self._cells: list[tuple[str, str, list[str | None], list[str]]] = []

    def add(
        self,
        flags: Bools | Ints,
        rule: str,
        field: str,
        values: pa.Array | None,
        hint: str | Callable[[int], str] = "",
        text: str = "",
    ) -> None:
        """An issue for each flagged row (or row number); `values` is the whole column as written, `text` another message."""
        rows = np.flatnonzero(flags) if flags.dtype == np.bool_ else flags
        if len(rows) == 0:
            return
        cells = [None] * len(rows) if values is None else values.take(pa.array(rows)).to_pylist()
        spec = self._field(field)
        label = spec.label if spec else field
        messages = [
            (text or TEXTS[rule]).format(
                label=label,
                value=_short(visible(mask_field(cell[:LOOKED_AT], spec))) if cell else "（空）",
                hint=visible(hint(int(row))) if callable(hint) else hint,
            )
            for row, cell in zip(rows, cells, strict=True)
        ]
        self._rows.append(np.asarray(rows, dtype=np.int64))
        self._cells.append((rule, field, cells, messages))

    def moved(self, where: Ints) -> None:
        """Row i became row where[i]; -1: it is gone, and what was said of it."""
        for place, rows in enumerate(self._rows):
            self._rows[place] = np.where(rows >= 0, where[np.maximum(rows, 0)], -1)

    def table(self) -> pa.Table:
        """All issues once, in the order of their rows."""
        found: dict[tuple[Any, ...], None] = {}
        for rows, (rule, field, cells, messages) in zip(self._rows, self._cells, strict=True):
            for row, cell, message in zip(rows.tolist(), cells, messages, strict=True):
                if row >= 0:
                    found[row, rule, field, cell, message] = None
        ordered = sorted(found, key=lambda issue: (issue[0], issue[1], issue[2]))
        return table_of(ordered)

    def _field(self, name: str) -> Field | None:
        try:
            return self.spec.field(name)
        except KeyError:
            return None


def table_of(issues: Iterable[tuple[Any, ...]]) -> pa.Table:
    """Tuples in the order of `SCHEMA` as a table."""
    columns = list(zip(*issues, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
