"""Workbooks as clerks hand them in, and workbooks that must not be opened."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.unit.source_bench import HEADINGS, department, row, workbook
from zz_pipeline.errors import SourceRefused
from zz_pipeline.sources.base import FORMULA, HIDDEN, STRUCK
from zz_pipeline.sources.grid import BLANK, NOTE, REPEATED, TOTAL
from zz_pipeline.sources.workbook import read_workbook

DEPT = department("workbook")
HEAD = list(HEADINGS)


def read(content, dept=DEPT):
    return read_workbook(dept, "样例.xlsx", content)


def repacked(content: bytes, change) -> bytes:
    """The workbook with its parts changed by `change(parts)`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_titles_totals_notes_and_repeated_headings_are_left_out_and_counted():
    rows = [["周至县样例局检查结果表"], ["填报单位：县样例局"], HEAD, row("1"), [], HEAD, row("2"), ["合计", 2]]
    rows += [["填表说明：1. 一户一号。"], ["2. 检查结果按事项填写。"], ["填表人：张某", "", "审核人：李某"]]
    found = read(workbook(rows))
    assert found.table["编号"].to_pylist() == ["1", "2"]
    assert found.table["_row"].to_pylist() == [4, 7]
    assert found.skipped == {BLANK: 1, REPEATED: 1, TOTAL: 1, NOTE: 3}


def test_a_row_that_only_resembles_a_note_stays_data_and_is_judged_later():
    found = read(workbook([HEAD, row("1"), ["", "合计餐饮有限公司"], ["2026-9"]]))
    assert found.table["编号"].to_pylist() == ["1", None, "2026-9"]


def test_merged_cells_stand_in_every_row_that_they_cover():
    rows = [HEAD, row("1"), ["", "", "", "", "发现问题已责令改正", "", "县样例局", "正常"], row("2")]
    content = workbook(rows, lambda _b, page: [page.merge_range(1, x, 2, x, row("1")[x]) for x in range(4)])
    assert read(content).table["编号"].to_pylist() == ["1", "1", "2"]
    unfilled = department("workbook", fill_merged=False)
    assert read(content, unfilled).table["编号"].to_pylist() == ["1", None, "2"]


def test_date_cells_become_iso_text_and_whole_numbers_keep_every_digit():
    found = read(workbook([HEAD, row("1", 检查日期=date(2026, 11, 20), 备注=61012400010001, 状态=1.5)]))
    (line,) = found.table.to_pylist()
    assert (line["检查日期"], line["备注"], line["状态"]) == ("2026-11-20", "61012400010001", "1.5")


@pytest.mark.parametrize("number", [610124202611101018, 10**15, 2**53 + 1])
def test_a_number_cell_beyond_fifteen_digits_is_left_in_scientific_form(number):
    (text,) = read(workbook([HEAD, row("1", 备注=number)])).table["备注"].to_pylist()
    assert "E+" in text


@given(st.integers(0, 10**18 - 1))
@hypothesis_settings(max_examples=20, deadline=None)
def test_an_eighteen_digit_text_keeps_every_digit_through_a_workbook(number):
    text = f"{number:018d}"
    assert read(workbook([HEAD, row("1", 备注=text)])).table["备注"].to_pylist() == [text]


def test_rows_hidden_by_hand_or_struck_through_are_marked_and_rows_hidden_by_a_filter_are_data():
    def hide(book, page):
        page.set_row(1, None, None, {"hidden": True})
        page.write(2, 0, "2", book.add_format({"font_strikeout": True}))

    content = workbook([HEAD, row("1"), row("2"), row("3")], hide)
    assert read(content).table["_mark"].to_pylist() == [HIDDEN, STRUCK, None]

    def filtered(_book, page):
        page.set_row(1, None, None, {"hidden": True})
        page.autofilter(0, 0, 2, 7)
        page.filter_column(0, "x == 2")

    assert read(workbook([HEAD, row("1"), row("2")], filtered)).table["_mark"].to_pylist() == [None, None]


def test_a_formula_that_nobody_calculated_and_an_error_cell_are_not_read_as_empty():
    def formulas(_book, page):
        page.write_formula(1, 5, "=A1", None, "")
        page.write_formula(2, 5, "=NA()", None, "#N/A")

    content = repacked(
        workbook([HEAD, row("1"), row("2")], formulas),
        lambda parts: parts.update(
            {"xl/worksheets/sheet1.xml": parts["xl/worksheets/sheet1.xml"].replace(b' t="str"', b"")}
        ),
    )
    found = read(content).table
    assert found["_mark"].to_pylist() == [FORMULA, None]
    assert found["备注"].to_pylist() == [None, "#N/A"]


def test_a_column_without_heading_is_kept_under_a_name_of_its_own():
    found = read(workbook([HEAD, [*row("1"), "多出来的"]]))
    assert found.table["第9列（无表头）"].to_pylist() == ["多出来的"]


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([HEAD[1:], row()[1:]], "编号"),
        ([[*HEAD, "编号"], row()], "不止一次"),
        ([["完全", "另一", "张", "表"]], "找不到表头"),
    ],
)
def test_a_table_of_another_layout_is_refused_with_the_reason(rows, word):
    with pytest.raises(SourceRefused, match=word):
        read(workbook(rows))


def test_the_declared_sheet_is_read_and_a_further_sheet_with_the_same_table_is_named():
    def second(book, _page):
        other = book.add_worksheet("上月")
        other.write_row(0, 0, HEAD)

    found = read(workbook([HEAD, row("1")], second))
    assert found.table.num_rows == 1
    assert "上月" in found.warnings[0]
    with pytest.raises(SourceRefused, match="没有名为"):
        read(workbook([HEAD, row("1")]), department("workbook", sheet="别的表"))


def test_a_heading_row_is_found_by_its_declared_words_below_another_table():
    dept = department("workbook", header_contains=("编号", "检查结果"))
    rows = [["计划", "编号对照", "说明"], HEAD, row("1")]
    assert read(workbook(rows), dept).table["编号"].to_pylist() == ["1"]


def good() -> bytes:
    return workbook([HEAD, row("1")])


def with_part(name: str, data: bytes):
    return lambda: repacked(good(), lambda parts: parts.update({name: data}))


def changed(name: str, old: bytes, new: bytes):
    return lambda: repacked(good(), lambda parts: parts.update({name: parts[name].replace(old, new)}))


FAR = b'<c r="XFD1048576"><v>1</v></c></row></sheetData>'
DOCTYPE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><worksheet '


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (with_part("xl/vbaProject.bin", b"x"), "宏"),
        (with_part("xl/macrosheets/sheet1.xml", b"<a/>"), "宏"),
        (changed("[Content_Types].xml", b"spreadsheetml.sheet.main", b"sheet.macroEnabled.main"), "宏"),
        (with_part("xl/externalLinks/externalLink1.xml", b"<a/>"), "外部链接"),
        (with_part("xl/connections.xml", b"<a/>"), "外部链接"),
        (with_part("../../evil.xml", b"<a/>"), "外部路径"),
        (with_part("xl/bomb.xml", b" " * (30 * 1024 * 1024)), "压缩炸弹"),
        (changed("xl/worksheets/sheet1.xml", b"<worksheet ", DOCTYPE), "实体"),
        (changed("xl/worksheets/sheet1.xml", b"</row></sheetData>", FAR), "很远"),
        (changed("xl/worksheets/sheet1.xml", b"</sheetData>", b""), "不完整"),
        (changed("xl/worksheets/sheet1.xml", b"<v>0</v>", b"<v>99999</v>"), "读不出来"),
        (lambda: repacked(good(), lambda parts: parts.pop("xl/worksheets/sheet1.xml")), "不能|读不出|找不到"),
        (lambda: repacked(good(), lambda parts: parts.update({f"xl/p{i}.xml": b"" for i in range(2001)})), "部件"),
        (lambda: good()[:-200], "不是完整"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "密码"),
        (lambda: "编号,单位".encode(), "不是完整"),
        (lambda: b"PK" + b"\x00" * (20 * 1024 * 1024), "20 MiB"),
    ],
)
def test_a_workbook_that_is_no_plain_table_is_refused_with_a_chinese_reason(make, word):
    with pytest.raises(SourceRefused, match=word):
        read(make())


def test_a_bomb_that_lies_about_its_size_is_refused_without_being_unpacked():
    content = bytearray(repacked(good(), lambda parts: parts.update({"xl/bomb.xml": b" " * (30 * 1024 * 1024)})))
    real, lie = (30 * 1024 * 1024).to_bytes(4, "little"), (5000).to_bytes(4, "little")
    assert content.count(real) == 2
    with pytest.raises(SourceRefused):
        read(bytes(content.replace(real, lie)))
