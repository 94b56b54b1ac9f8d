"""A 退回清单 that comes back is recognised by its inside, and nothing in it is taken for a formula."""

import io

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.harness import ROOT
from zz_pipeline.errors import SourceRefused
from zz_pipeline.returns.workbook import headings_of, split_message
from zz_pipeline.settings import load_settings
from zz_pipeline.sources.returned import (
    LEADING,
    TRAILING,
    guard,
    is_returned,
    placed,
    read_returned,
    return_number,
    unguard,
)

HBJ = load_settings(ROOT / "config", ROOT / "var", {}).departments["HBJ"]
NATIVE = [h for spec in HBJ.columns.values() for h in (spec.heading, *spec.headings) if h] + [
    HBJ.owner_column,
    HBJ.void_column,
]


def workbook(*rows, headings=(*LEADING, *NATIVE, *TRAILING), above=0):
    """A sheet with these rows (dicts by heading), as bytes."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet("任意名字")
    for at, row in enumerate([dict(zip(headings, headings, strict=True)), *rows], above):
        for place, heading in enumerate(headings):
            if row.get(heading):
                sheet.write_string(at, place, row[heading])
    book.close()
    return target.getvalue()


def row(number, **cells):
    return {"退回编号": number, "原文件": "hbj.db 2026-11-20", "原行号": "14", "XCJCBH": "HB-1", **cells}


@given(st.text(max_size=20))
def test_whatever_is_guarded_comes_back_as_it_was_and_starts_no_formula(text):
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def test_a_list_is_recognised_by_its_columns_also_below_a_title():
    assert is_returned(workbook(row(return_number("HBJ", 7))))
    assert is_returned(workbook(row(return_number("HBJ", 7)), above=3))


def test_an_ordinary_table_and_a_text_file_are_no_list():
    assert not is_returned(workbook({"XCJCBH": "HB-1"}, headings=NATIVE))
    assert not is_returned("退回编号,原文件,原行号\n".encode())


def test_the_rows_come_back_without_the_service_columns_and_unguarded():
    rows = read_returned(HBJ, "改好.xlsx", workbook(row(return_number("HBJ", 7), BZXX="'=1+1", 退回原因="INS-001")))
    assert not set(rows.found.table.column_names) & {*LEADING, *TRAILING}
    assert rows.found.table["BZXX"].to_pylist() == ["=1+1"]
    assert rows.entries.to_pylist() == [7]


def test_a_number_that_was_dragged_to_the_next_is_none_and_is_named():
    good = return_number("HBJ", 7)
    dragged = good.replace("HBJ-7-", "HBJ-8-")
    rows = read_returned(HBJ, "改好.xlsx", workbook(row(good), row(dragged)))
    assert rows.entries.to_pylist() == [7, None]
    assert any(dragged in text for text in rows.found.warnings)


def test_another_departments_number_refuses_the_whole_file():
    content = workbook(row(return_number("HBJ", 7)), row(return_number("SCJG", 8)))
    with pytest.raises(SourceRefused, match="别的部门（SCJG）"):
        read_returned(HBJ, "改好.xlsx", content)


def test_a_list_that_lost_a_required_column_is_refused_by_that_columns_name():
    headings = [h for h in (*LEADING, *NATIVE) if h != "XCJCBH"]
    with pytest.raises(SourceRefused, match="XCJCBH"):
        read_returned(HBJ, "改好.xlsx", workbook(row(return_number("HBJ", 7)), headings=headings))


def test_a_row_that_is_its_own_unit_keeps_the_place_where_it_was_first_read():
    rows = read_returned(HBJ, "改好.xlsx", workbook(row(return_number("HBJ", 7)), row(return_number("HBJ", 9))))
    table = placed(rows, {7: ("hbj.db 2026-11-20", 14)})
    assert table["_file"].to_pylist() == ["hbj.db 2026-11-20", "改好.xlsx"]
    assert table["_row"].to_pylist() == [14, 3]


def test_a_list_saved_again_by_another_program_is_still_one(tmp_path):
    book = openpyxl.load_workbook(io.BytesIO(workbook(row(return_number("HBJ", 7)))))
    book.create_sheet("别的", 0)
    book.save(tmp_path / "x.xlsx")
    rows = read_returned(HBJ, "x.xlsx", (tmp_path / "x.xlsx").read_bytes())
    assert rows.entries.to_pylist() == [7]


def test_a_derived_field_is_marked_where_the_clerk_finds_its_cause():
    assert headings_of(HBJ, "counterpart_code") == (HBJ.columns["uscc"].heading, HBJ.columns["object_code"].heading)
    assert headings_of(HBJ, "dept") == (HBJ.owner_column,)
    assert headings_of(HBJ, HBJ.void_column) == (HBJ.void_column,)


def test_a_message_is_parted_into_what_is_wrong_and_what_to_do():
    assert split_message("没有注明是否可公示。请填“是”或“否”。") == ("没有注明是否可公示。", "请填“是”或“否”。")
    assert split_message("只有一句") == ("只有一句", "")
