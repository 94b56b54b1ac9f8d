"""A bulletin as a workbook: a summary, one sheet a list, the definitions. Every text is text, nothing is a formula.

Belongs here: sheets and their looks. Must not: figures of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import xlsxwriter

from zz_pipeline.reports.office.indicators import COUNTS, INDICATORS
from zz_pipeline.reports.office.model import Bulletin, Line, Listing

# a department's file name or reason may begin with = + - @: no text may become a formula, a link or a number
PLAIN = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
FONT = "微软雅黑"
SUMMARY, CHANGES, NUMBERS, DAYS, WORDS = "汇总", "较上期", "数量", "逐日提交", "指标说明"
_FORMATS: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 16},
    "hint": {"font_color": "#5D6B7C", "text_wrap": False},
    "head": {"bold": True, "bg_color": "#E8EEF4", "border": 1, "border_color": "#C5CFDA", "text_wrap": True, "valign": "vcenter", "align": "center"},
    "text": {"border": 1, "border_color": "#DDE3EA", "valign": "top", "num_format": "@"},
    "wrap": {"border": 1, "border_color": "#DDE3EA", "valign": "top", "num_format": "@", "text_wrap": True},
    "number": {"border": 1, "border_color": "#DDE3EA", "num_format": "0"},
    "right": {"border": 1, "border_color": "#DDE3EA", "num_format": "@", "align": "right"},
    "bold": {"border": 1, "border_color": "#DDE3EA", "num_format": "@", "bold": True, "bg_color": "#F5F7FA"},
}  # fmt: skip


def render(bulletin: Bulletin) -> bytes:
    """The workbook's bytes."""
    out = BytesIO()
    book = xlsxwriter.Workbook(out, PLAIN)
    looks = {name: book.add_format({"font_name": FONT, "font_size": 10} | spec) for name, spec in _FORMATS.items()}
    for name, draw in ((SUMMARY, _summary), (CHANGES, _changes), (NUMBERS, _counts), (DAYS, _days)):
        draw(book.add_worksheet(name), bulletin, looks)
    for one in bulletin.listings:
        _listing(book.add_worksheet(one.title), one, bulletin, looks)
    _definitions(book.add_worksheet(WORDS), looks)
    book.close()
    return out.getvalue()


def _summary(sheet: Any, bulletin: Bulletin, looks: dict[str, Any]) -> None:
    said = f"{bulletin.issuer}　截至 {bulletin.made_at}（北京时间）　审计链第 {bulletin.events} 条 {bulletin.head}"
    _title(sheet, f"{bulletin.title}　{bulletin.period.text}", said, looks)
    headings = ("部门", "数据类", "排名", *(one.name for one in INDICATORS), "备注")
    _heads(sheet, 3, headings, looks)
    for n, line in enumerate((*bulletin.lines, bulletin.total), 4):
        _texts(sheet, n, line, (line.rank, *(line.now.ratios[one.key].text for one in INDICATORS), line.remark), looks)
    _shape(sheet, (15, 10, 18, *[11] * len(INDICATORS), 30), 4, 3)


def _changes(sheet: Any, bulletin: Bulletin, looks: dict[str, Any]) -> None:
    before = bulletin.period.before_word
    _title(sheet, f"指标较{before}增减", f"增减为百分点；{before}数字按现在的台账重新统计", looks)
    heads = [h for one in INDICATORS for h in (f"{one.name}（{before}）", f"{one.name}增减")]
    _heads(sheet, 3, ("部门", "数据类", *heads), looks)
    for n, line in enumerate((*bulletin.lines, bulletin.total), 4):
        pairs = [(line.now.ratios[one.key], line.before.ratios[one.key]) for one in INDICATORS]
        _texts(sheet, n, line, [text for now, old in pairs for text in (old.text, now.change(old))], looks)
    _shape(sheet, (15, 10, *[10] * len(heads)), 4, 2)


def _counts(sheet: Any, bulletin: Bulletin, looks: dict[str, Any]) -> None:
    _title(sheet, f"数量　{bulletin.period.text}", "每一列的口径见“指标说明”，记录键见各明细表", looks)
    _heads(sheet, 3, ("部门", "数据类", *(one.name for one in COUNTS)), looks)
    for n, line in enumerate((*bulletin.lines, bulletin.total), 4):
        _texts(sheet, n, line, (), looks)
        for at, one in enumerate(COUNTS, 2):
            sheet.write_number(n, at, line.now.counts[one.key], looks["number"])
    _shape(sheet, (15, 10, *[8] * len(COUNTS)), 4, 2)


def _title(sheet: Any, title: str, hint: str, looks: dict[str, Any]) -> None:
    sheet.write_string(0, 0, title, looks["title"])
    sheet.write_string(1, 0, hint, looks["hint"])
    sheet.set_row(3, 32)


def _texts(sheet: Any, n: int, line: Line, texts: Sequence[str], looks: dict[str, Any]) -> None:
    """Department and kind of data, then texts; what reads like a number stands on the right."""
    for at, text in enumerate((line.name, line.kind)):
        sheet.write_string(n, at, text, looks["text" if line.dept else "bold"])
    for at, text in enumerate(texts, 2):
        sheet.write_string(
            n, at, text, looks["right" if text.endswith(("%", "—", "平")) or text.startswith(("+", "-")) else "text"]
        )


def _shape(sheet: Any, widths: Sequence[float], top: int, left: int) -> None:
    for at, width in enumerate(widths):
        sheet.set_column(at, at, width)
    sheet.freeze_panes(top, left)
    _paper(sheet, top)


def _days(sheet: Any, bulletin: Bulletin, looks: dict[str, Any]) -> None:
    days = [day.isoformat() for day in bulletin.period.days]
    sheet.write_string(0, 0, "逐日提交（条）：零＝零报送；补＝其中晚于应当入库之夜才入库的条数", looks["title"])
    _heads(sheet, 2, ["部门", *days], looks)
    for n, row in enumerate(bulletin.attendance, 3):
        for at, text in enumerate((row.name, *row.marks)):
            sheet.write_string(n, at, text, looks["text"])
    for at, text in enumerate(("合计", *(str(count) for count in bulletin.daily))):
        sheet.write_string(3 + len(bulletin.attendance), at, text, looks["bold"])
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, len(days), 11)
    sheet.freeze_panes(3, 1)
    _paper(sheet, 3)


def _listing(sheet: Any, one: Listing, bulletin: Bulletin, looks: dict[str, Any]) -> None:
    sheet.write_string(0, 0, f"{one.title}　{bulletin.period.text}", looks["title"])
    short = f"，其中未达到 {one.short} 条，列在前面" if one.short != one.total else ""
    rest = f"；只列前 {len(one.rows)} 条" if len(one.rows) < one.total else ""
    sheet.write_string(1, 0, f"共 {one.total} 条{short}{rest}。{one.hint}", looks["hint"])
    _heads(sheet, 3, one.headings, looks)
    for n, row in enumerate(one.rows, 4):
        for at, text in enumerate(row):
            sheet.write_string(n, at, text, looks["text"])
    for at, heading in enumerate(one.headings):
        longest = max((len(row[at]) for row in one.rows[:500]), default=0)
        sheet.set_column(at, at, min(max(longest * 1.3, len(heading) * 2.2, 10), 60))
    sheet.freeze_panes(4, 3)
    if one.rows:
        sheet.autofilter(3, 0, 3 + len(one.rows), len(one.headings) - 1)
    _paper(sheet, 4)


def _definitions(sheet: Any, looks: dict[str, Any]) -> None:
    _heads(sheet, 0, ("指标", "怎么算", "依据"), looks)
    rows = [(i.name, i.text, i.source) for i in INDICATORS] + [(c.name, c.text, "") for c in COUNTS]
    for n, row in enumerate(rows, 1):
        for at, text in enumerate(row):
            sheet.write_string(n, at, text, looks["wrap"])
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 2, 70)
    _paper(sheet, 1)


def _heads(sheet: Any, row: int, headings: Sequence[str], looks: dict[str, Any]) -> None:
    for at, text in enumerate(headings):
        sheet.write_string(row, at, text, looks["head"])


def _paper(sheet: Any, repeat: int) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(repeat - 1)
