"""`zz rules` and `zz dictionary`: the rule catalogue and the data dictionary, for people and for docs/.

Belongs here: arguments, the form of the pages. Must not: rules and tables themselves; importing the checker (it is a plug).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from zz_pipeline.commands.show import out

Json = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象，供程序读取。")]
Markdown = Annotated[bool, typer.Option("--markdown", help="输出 Markdown，即 docs/ 中的那一页。")]


def register(app: typer.Typer) -> None:
    """Add the commands to `zz`."""

    @app.command()
    def rules(as_json: Json = False, markdown: Markdown = False) -> None:
        """质量检查规则目录：每条规则的编号、类型、提示、依据和后果。"""
        from zz_pipeline.quality import load_plug

        found: list[dict[str, str]] = load_plug("rules")()
        if markdown:
            sys.stdout.write(rules_page(found))
        elif as_json:
            _json({"count": len(found), "rules": found})
        else:
            _print(found)

    @app.command()
    def dictionary(as_json: Json = False, markdown: Markdown = False) -> None:
        """数据字典：标准表与各名录的字段、类型、长度、代码集和依据。"""
        from zz_pipeline.standard import dictionary as words
        from zz_pipeline.standard.tables import REGISTERS, TABLES

        tables: dict[str, Any] = {t.label: t.fields for t in TABLES.values()}
        tables |= {r.label: r.fields for r in REGISTERS.values()}
        plain = {
            label: [dict(zip(words.HEADINGS, words.cells(f), strict=True)) for f in t] for label, t in tables.items()
        }
        if markdown:
            sys.stdout.write(words.markdown())
        elif as_json:
            _json(plain)
        else:
            for label, rows in plain.items():
                out.print(label, style="bold")
                _print(rows)


def rules_page(found: list[dict[str, str]]) -> str:
    """docs/rules.md: the catalogue as one Markdown table."""
    return "\n".join(_page(found)) + "\n"


def _page(found: list[dict[str, str]]) -> Iterator[str]:
    from zz_pipeline.standard.dictionary import table

    yield from ("# 质量检查规则", "")
    yield f"本页由 `zz rules --markdown` 从 `expectations/rules/` 生成，不要手工修改。共 {len(found)} 条。"
    yield "后果为退回的，整条记录退回填报部门；后果为提醒的，记录照常报送。“（该字段）”在退回清单中是出错的那一栏的名称。"
    yield ""
    yield from table(found[0], (row.values() for row in found))


def _print(rows: list[dict[str, str]]) -> None:
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*row.values())
    out.print(table)


def _json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
