"""A bulletin as the official document that the office edits and sends, in the form of GB/T 9704-2012.

Belongs here: paper, types, order of the parts. Must not: figures of its own, record keys (those are in the workbook).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import Any

from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

from zz_pipeline.reports.office.indicators import COUNT, INDICATOR, INDICATORS, KINDS, NEAR_DAYS, RANKED_BY
from zz_pipeline.reports.office.model import Bulletin, Line
from zz_pipeline.reports.office.period import chinese

TITLE, BODY, HEADING, SUBHEADING = "方正小标宋简体", "仿宋_GB2312", "黑体", "楷体_GB2312"
SIZE_2, SIZE_3, SIZE_4, SIZE_TABLE = Pt(22), Pt(16), Pt(14), Pt(9)  # 二号, 三号, 四号, 小五
LINE = Pt(28)
# each table: caption, (heading, key) of counts, whether rank and remark stand in it
SENT = ("provided", "owed", "reported", "stored", "accepted", "returned", "reworked", "public_owed", "public")
WAITING = (
    "overdue",
    "near",
    "unknown",
    "held",
    "rejected",
    "late",
    "missed",
    "undated",
    "belated",
    "zero_days",
    "lost_days",
)
CENTER, RIGHT = WD_ALIGN_PARAGRAPH.CENTER, WD_ALIGN_PARAGRAPH.RIGHT


def render(bulletin: Bulletin, book_name: str) -> bytes:
    """The document's bytes. book_name: the workbook that goes with it."""
    doc = Document()
    _paper(doc, bulletin)
    _text(doc, bulletin.title, TITLE, SIZE_2, CENTER)
    _text(doc, bulletin.period.text, SUBHEADING, SIZE_3, CENTER)
    _text(doc, "", BODY, SIZE_3)
    _text(doc, "各成员单位：", BODY, SIZE_3)
    for part in (_overview, _departments, _waiting, _counting):
        part(doc, bulletin)
    _end(doc, bulletin, book_name)
    out = BytesIO()
    doc.save(out)
    return out.getvalue()


# ── the text ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _overview(doc: Any, b: Bulletin) -> None:
    c, r = b.total.now.counts, b.total.now.ratios
    _head(doc, "一、总体情况")
    _say(
        doc,
        f"{b.period.text}，各部门共提供检查结果和信用评价 {c['provided']} 条，应报 {c['owed']} 条，"
        f"已报 {c['reported']} 条，{b.entry_label}确认入库 {c['stored']} 条；因不合格退回部门 {c['returned']} 条，"
        f"已整改 {c['reworked']} 条。",
    )
    said = "，".join(
        f"{i.name} {r[i.key].text}（{b.period.before_word} {b.total.before.ratios[i.key].text}）" for i in INDICATORS
    )
    _say(doc, f"全县{said}。")


def _departments(doc: Any, b: Bulletin) -> None:
    name = INDICATOR[RANKED_BY].name
    _head(doc, "二、各部门情况")
    _sub(doc, "（一）报送与整改")
    _say(doc, "各部门报送、入库、退回和公示的记录数见表1。")
    _table(
        doc,
        b,
        "表1　各部门报送与整改（条）",
        [COUNT[k].name for k in SENT],
        lambda line: [str(line.now.counts[k]) for k in SENT],
    )
    _sub(doc, "（二）指标与排名")
    _say(
        doc,
        f"按{name}从高到低排名，同率并列；零报送和没有应报记录的部门不排名，见表2。与{b.period.before_word}相比的增减见表3。",
    )
    heads = ["排名", *(i.name for i in INDICATORS)]
    _table(
        doc,
        b,
        "表2　各部门指标与排名",
        heads,
        lambda line: [line.rank or "—", *(line.now.ratios[i.key].text for i in INDICATORS)],
    )
    moved = [i.name for i in INDICATORS]
    _table(
        doc,
        b,
        f"表3　较{b.period.before_word}增减（百分点）",
        moved,
        lambda line: [line.now.ratios[i.key].change(line.before.ratios[i.key]) for i in INDICATORS],
    )
    _sub(doc, "（三）零报送与补报")
    _say(doc, _zero(b))
    _say(doc, _late(b))


def _zero(b: Bulletin) -> str:
    zero = [line.name for line in b.lines if line.rank == "零报送"]
    lost = [f"{_called(line)}（{line.now.counts['lost_days']} 天）" for line in b.lines if line.now.counts["lost_days"]]
    said = f"零报送的部门 {len(zero)} 个：{'、'.join(zero)}。" if zero else "没有全期零报送的部门。"
    return said + (f"来源有未读到的日子，须查明：{'、'.join(lost)}。" if lost else "各部门的来源每日都已读到。")


def _late(b: Bulletin) -> str:
    late = [f"{_called(line)} {line.now.counts['belated']} 条" for line in b.lines if line.now.counts["belated"]]
    return (
        f"晚于应当入库之夜补报的记录 {b.total.now.counts['belated']} 条：{'、'.join(late)}。"
        if late
        else "没有补报的记录。"
    )


def _called(line: Line) -> str:
    """The department; with the kind of data where that is not the inspections."""
    return line.name if line.kind == KINDS["inspection"] else f"{line.name}{line.kind}"


def _waiting(doc: Any, b: Bulletin) -> None:
    c = b.total.now.counts
    _head(doc, "三、需要办理的事项")
    _sub(doc, "（一）逾期与临近期限")
    _say(
        doc,
        f"截至{chinese(date.fromisoformat(b.as_of))}，已过法定期限仍未入库 {c['overdue']} 项，"
        f"{NEAR_DAYS} 个工作日内到期 {c['near']} 项，请有关部门对照附件逐条办理。",
    )
    _sub(doc, "（二）待处理的记录")
    _say(
        doc,
        f"暂缓、冲突等待人处理 {c['held']} 项，平台拒收待更正 {c['rejected']} 项，结果不明 {c['unknown']} 项"
        "（结果不明的由平台先查询，部门不要另行补录）。各部门情况见表4。",
    )
    _table(
        doc,
        b,
        "表4　期限与未了结",
        [COUNT[k].name for k in WAITING],
        lambda line: [str(line.now.counts[k]) for k in WAITING],
    )


def _counting(doc: Any, b: Bulletin) -> None:
    _head(doc, "四、统计口径")
    for n, i in enumerate(INDICATORS, 1):
        _say(doc, f"{n}．{i.name}＝{i.text}。依据：{i.source}。")
    _say(doc, f"分母为零的记“—”。数字出自业务台账，截至 {b.made_at}，审计链第 {b.events} 条。")


def _end(doc: Any, b: Bulletin, book_name: str) -> None:
    _say(doc, "")
    _say(doc, f"附件：{b.period.name}明细（{book_name}）")
    _text(doc, "", BODY, SIZE_3)
    _text(doc, "", BODY, SIZE_3)
    for text in (b.issuer, chinese(date.fromisoformat(b.as_of))):
        paragraph = _text(doc, text, BODY, SIZE_3, RIGHT)
        paragraph.paragraph_format.right_indent = SIZE_3 * 2
        paragraph.paragraph_format.keep_together = True


# ── paper and types ─────────────────────────────────────────────────────────────────────────────────────────────────
def _paper(doc: Any, b: Bulletin) -> None:
    section = doc.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    section.footer_distance = Mm(28)  # the page number stands 7 mm under the text
    _types(doc.styles["Normal"], BODY, SIZE_3)
    doc.core_properties.title, doc.core_properties.author = b.title, b.issuer
    _number(section.footer.paragraphs[0])


def _types(style: Any, font: str, size: Pt) -> None:
    style.font.name, style.font.size = font, size
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in ("w:ascii", "w:hAnsi", "w:eastAsia", "w:cs"):
        fonts.set(qn(name), font)


def _text(doc: Any, text: str, font: str, size: Pt, align: Any = None, *, indent: bool = False) -> Any:
    paragraph = doc.add_paragraph()
    shape = paragraph.paragraph_format
    shape.line_spacing_rule, shape.line_spacing = WD_LINE_SPACING.EXACTLY, LINE
    shape.space_before = shape.space_after = Pt(0)
    shape.alignment = align if align is not None else WD_ALIGN_PARAGRAPH.JUSTIFY
    if indent:
        shape.first_line_indent = size * 2
    _run(paragraph, text, font, size)
    return paragraph


def _run(paragraph: Any, text: str, font: str, size: Pt) -> None:
    run = paragraph.add_run(text)
    _types(run, font, size)


def _head(doc: Any, text: str) -> None:
    _text(doc, text, HEADING, SIZE_3, indent=True).paragraph_format.keep_with_next = True


def _sub(doc: Any, text: str) -> None:
    _text(doc, text, SUBHEADING, SIZE_3, indent=True).paragraph_format.keep_with_next = True


def _say(doc: Any, text: str) -> None:
    _text(doc, text, BODY, SIZE_3, indent=True)


def _table(doc: Any, b: Bulletin, caption: str, headings: Sequence[str], cells: Any) -> None:
    """A table of the departments: name, kind of data, then what `cells` gives for a line."""
    title = _text(doc, caption, HEADING, SIZE_4, CENTER)
    title.paragraph_format.keep_with_next = True
    rows: list[Line] = [*b.lines, b.total]
    table = doc.add_table(rows=1 + len(rows), cols=2 + len(headings), style="Table Grid")
    table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    widths = [Mm(25), Mm(14), *[Mm(117 / len(headings))] * len(headings)]
    _row(table.rows[0], ("部门", "数据类", *headings), widths, head=True)
    for n, line in enumerate(rows, 1):
        _row(table.rows[n], (line.name, line.kind, *cells(line)), widths, head=False)
    _repeat(table.rows[0])
    _text(doc, "", BODY, SIZE_TABLE)


def _row(row: Any, texts: Sequence[str], widths: Sequence[Any], *, head: bool) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    for at, (cell, text, width) in enumerate(zip(row.cells, texts, widths, strict=True)):
        cell.width = width
        paragraph = cell.paragraphs[0]
        paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(0)
        paragraph.paragraph_format.alignment = CENTER if head or at > 0 else None
        _run(paragraph, text, HEADING if head else BODY, SIZE_TABLE)
        _tight(cell)


def _tight(cell: Any) -> None:
    """Small side margins, so that 100.0% stands on one line."""
    margins = OxmlElement("w:tcMar")
    for side in ("w:left", "w:right"):
        edge = OxmlElement(side)
        edge.set(qn("w:w"), "20")
        edge.set(qn("w:type"), "dxa")
        margins.append(edge)
    cell._tc.get_or_add_tcPr().append(margins)


def _repeat(row: Any) -> None:
    """The heading row again on every page."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _number(paragraph: Any) -> None:
    """The page number as － 1 －, by a field that the office's program fills."""
    paragraph.alignment = CENTER
    for kind, text in ((None, "— "), ("begin", ""), ("instr", " PAGE "), ("end", ""), (None, " —")):
        run = paragraph.add_run(text if kind is None else "")
        _types(run, "宋体", SIZE_4)
        if kind == "instr":
            code = OxmlElement("w:instrText")
            code.set(qn("xml:space"), "preserve")
            code.text = text
            run._r.append(code)
        elif kind:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)
