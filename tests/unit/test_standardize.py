"""Native tables become standard ones: a good and a bad case for each rule, derivations, units, repetitions."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.unit.source_bench import WINDOW, department
from zz_pipeline.settings import CHECKOUT
from zz_pipeline.sources import RawBatch
from zz_pipeline.sources.base import FORMULA, HIDDEN, STRUCK, text_table
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import INSPECTION, Kind
from zz_pipeline.standardize import HELPERS, StandardBatch, standardize
from zz_pipeline.standardizing.repeats import EQUAL, SUPERSEDED

ITEM = "61012400010001"
GOOD: dict[str, str | None] = {
    "record_no": "2026-0001",
    "plan_id": "61012420261000",
    "plan_name": "周至县2026年度计划",
    "task_id": "610124202611101001",
    "task_name": "样例联合抽查",
    "check_kind": "不定向抽查",
    "case_reason": None,
    "joint": "是",
    "lead_dept": "周至县样例局",
    "subject_name": "周至县样例甲有限公司",
    "uscc": "91610124YY000001XB",
    "object_type": "企业、个体户、农专社",
    "object_code": None,
    "counterpart_nature": "法人",
    "address_operating": "周至县样例路1号",
    "area_code": "周至县",
    "inspector_names": "张某、李某",
    "inspector_certs": "27010124001、27010124002",
    "inspect_date": "2026-11-20",
    "finish_date": "2026年11月20日",
    "check_form": "专项检查",
    "check_type": "现场检查",
    "check_mode": "“双随机、一公开”监管",
    "publishable": "是",
    "not_publish_reason": None,
    "entered_by": "张某",
    "entered_at": "2026-11-20 17:20:00",
    "item_code": ITEM,
    "item_name": "食品安全检查",
    "implement_code": "11610124YY000004494000001",
    "result": "未发现问题",
    "follow_up": None,
    "remark": None,
    "changed_at": "2026-11-20 18:00:00",
}
LABELS = {name: INSPECTION.field(name).label for name in GOOD}
COLUMNS: dict[str, dict[str, Any]] = {name: {"heading": label} for name, label in LABELS.items()}
for _name in ("inspector_names", "inspector_certs"):
    COLUMNS[_name]["split"] = "、"
OWNERS = {"县样例局": "SLJ", "周至县样例局": "SLJ", "县应急管理局": "YJJ"}


@cache
def book() -> CodeBook:
    return CodeBook.load(CHECKOUT / "config")


def dept(kind="csv", changes: dict[str, dict[str, Any]] | None = None, without: tuple[str, ...] = (), **source: Any):
    columns = {k: v for k, v in (COLUMNS | (changes or {})).items() if k not in without}
    return department(kind, columns, **source)


def batch(*rows: dict[str, Any], file="样例.csv", extra=(), **more: Any) -> RawBatch:
    """Rows as changes of the good row; keys are standard fields, or native headings as they are."""
    headings = [*LABELS.values(), "检查单位", "状态", *extra]
    lines = []
    for change in rows:
        cells = {LABELS[k]: v for k, v in GOOD.items()} | {"检查单位": "县样例局", "状态": "正常"}
        cells |= {LABELS.get(k, k): v for k, v in change.items()}
        lines.append([cells.get(h) for h in headings])
    marks = [change.get("_mark") for change in rows]
    table = text_table(headings, lines, file, range(2, len(lines) + 2), marks)
    files = tuple(more.pop("files", ()))
    return RawBatch(
        "SLJ", Kind.INSPECTION, table, files, WINDOW.since, WINDOW.until, WINDOW.until, owners=OWNERS, **more
    )


def run(*rows: dict[str, Any], made=None, lists: Lists | None = None, **more: Any) -> StandardBatch:
    return standardize(batch(*rows, **more), made or dept(), book(), lists or Lists.of(), "610124")


def rules(found: StandardBatch) -> list[str]:
    return found.issues["rule"].to_pylist()


def test_a_good_row_becomes_standard_without_an_issue():
    found = run({})
    assert rules(found) == []
    assert found.warnings == ()
    assert found.table.schema == INSPECTION.schema
    (row,) = found.table.to_pylist()
    assert row["record_key"] == "610124-SLJ-2026-0001"
    assert (row["object_type"], row["counterpart_nature"], row["area_code"]) == ("1", "02", "610124")
    assert (row["check_form"], row["check_type"], row["check_mode"], row["result"]) == ("02", "01", "1", "NO_ISSUE")
    assert (row["joint"], row["publishable"]) == (True, True)
    assert str(row["finish_date"]) == "2026-11-20"
    assert str(row["entered_at"]) == "2026-11-20 17:20:00"
    assert row["inspector_names"] == ["张某", "李某"]
    assert row["inspector_certs"] == ["27010124001", "27010124002"]
    assert (row["dept"], row["source_file"], row["source_row"], row["result_raw"]) == (
        "SLJ",
        "样例.csv",
        2,
        "未发现问题",
    )
    assert found.units == 1


# A good and a bad value for each rule about one cell; the good one must pass silently.
CELLS = [
    ("STD-001", "check_form", "日常检查", "抽样检查"),
    ("STD-001", "result", "发现问题已责令改正", "1"),
    ("STD-001", "area_code", "周至县", "无名县"),
    ("STD-002", "result", "未发现问题。", "合格"),
    ("STD-002", "result", "1. 未发现问题", "其他"),
    ("STD-002", "check_type", "非现场检查", "—"),
    ("STD-002", "subject_name", "周至县样例乙有限公司", "#N/A"),
    ("STD-003", "inspect_date", "二〇二六年十一月二十日", "26.11.20"),
    ("STD-003", "entered_at", "2026/11/20 17:20", "20/11/2026"),
    ("STD-003", "finish_date", "20261120", "46346"),
    ("STD-004", "task_id", "610124202611101001", "6.10124E+17"),
    ("STD-004", "inspector_certs", "27010124001、27010124002", "2.7010124001E+10、27010124002"),
    ("STD-004", "item_code", ITEM, f"{ITEM}.0"),
    ("STD-005", "publishable", "N", "√"),
    ("STD-005", "joint", "false", "可能"),
    ("STD-006", "uscc", "９１６１０１２４ＹＹ０００００１ｘｂ", "91610124 YY000001XB"),
    ("STD-006", "record_no", '="2026-0001"', "2026\n0001"),
    ("STD-009", "inspector_names", "张某、李某、", "张某，李某"),
    ("STD-009", "inspector_names", "张某、 李某", "张某、、李某"),
    ("STD-009", "inspector_certs", "27010124001、27010124002", "27010124001、\u200b、27010124002"),
    ("STD-011", "result", "发现问题已责令改正；不配合检查情节严重", "未发现问题；发现问题已责令改正"),
]


@pytest.mark.parametrize(("rule", "field", "good", "bad"), CELLS)
def test_a_bad_cell_is_an_issue_with_its_value_and_a_remedy_and_a_good_one_is_not(rule, field, good, bad):
    assert rules(run({field: good})) == []
    found = run({field: bad})
    (issue,) = [i for i in found.issues.to_pylist() if i["rule"] == rule]
    assert (issue["row"], issue["field"], issue["value"]) == (0, field, bad)
    assert "请" in issue["message"]
    assert INSPECTION.field(field).label in issue["message"] or rule == "STD-011"
    assert found.table.num_rows == 1


def test_an_empty_result_is_left_to_the_rule_that_asks_for_it():
    found = run({"result": None})
    assert rules(found) == []
    assert found.table["result"].to_pylist() == [None]


def test_a_name_that_no_department_bears_is_an_issue_and_so_is_no_name():
    assert rules(run({"检查单位": "样例局"})) == []
    assert rules(
        run({"检查单位": "县某某局"}, {"record_no": "2", "subject_name": "周至县样例乙有限公司", "检查单位": None})
    ) == ["STD-007", "STD-007"]


def test_rows_of_another_department_are_skipped_and_counted_and_are_no_unit():
    found = run({}, {"检查单位": "县应急管理局", "item_code": "61012499990001"})
    assert found.skipped == {HELPERS: 1}
    assert (found.table.num_rows, found.units, rules(found)) == (1, 1, [])


def test_a_void_a_hidden_and_a_struck_row_are_held_and_an_unfinished_one_is_asked():
    rows = [{"record_no": "1", "状态": "作废"}, {"record_no": "2", "_mark": HIDDEN}]
    rows += [{"record_no": "3", "_mark": STRUCK}, {"record_no": "4", "_mark": FORMULA}, {"record_no": "5"}]
    found = run(*rows)
    issues = found.issues.to_pylist()
    told = [i for i in issues if i["rule"] != "INS-031"]
    assert [(i["row"], i["rule"]) for i in told] == [(0, "STD-008"), (1, "STD-008"), (2, "STD-008"), (3, "STD-002")]
    assert "“状态”是“作废”" in told[0]["message"]


def test_a_column_nobody_mapped_or_ignored_is_named_with_its_file():
    made = dept()
    found = run({"新列": "内容"}, extra=("新列",), made=made)
    (warning,) = found.warnings
    assert "STD-010" in warning
    assert "《样例.csv》" in warning
    assert "“新列”" in warning
    ignoring = made.model_copy(update={"ignore": ("新列",)})
    assert run({"新列": "内容"}, extra=("新列",), made=ignoring).warnings == ()


def test_several_labels_in_one_cell_make_one_row_each_and_one_record():
    found = run({"result": "不配合检查情节严重；发现问题已责令改正"})
    assert found.table["result"].to_pylist() == ["CORRECTED", "REFUSED"]
    assert found.table["result_raw"].to_pylist() == ["不配合检查情节严重；发现问题已责令改正"] * 2
    assert (found.units, rules(found)) == (1, [])


def test_the_same_label_twice_in_one_cell_counts_once_with_a_warning():
    found = run({"result": "未发现问题；未发现问题"})
    assert found.table["result"].to_pylist() == ["NO_ISSUE"]
    assert "行 2" in found.warnings[0]


def test_a_record_without_a_usable_number_keeps_its_rows_and_each_is_a_unit():
    long = "9" * 23
    found = run({"record_no": None}, {"record_no": "检/1"}, {"record_no": long}, {"record_no": "7"})
    assert found.table["record_key"].to_pylist() == [None, None, None, "610124-SLJ-7"]
    assert found.table["record_no"].to_pylist() == [None, "检/1", long, "7"]
    assert found.units == 4


def test_the_body_that_answers_is_the_subject_unless_another_is_named():
    lift = {"uscc": None, "object_code": "31-A"}
    columns = {n: {"heading": f"责任{n}"} for n in ("counterpart_name", "counterpart_id_type", "counterpart_code")}
    columns["counterpart_id_type"]["codes"] = "standard"
    named = {
        "责任counterpart_name": "周至县样例物业公司",
        "责任counterpart_id_type": "001",
        "责任counterpart_code": "91610124YY000001XB",
    }
    headings = tuple(columns[n]["heading"] for n in columns)

    def parts(row, made):
        (line,) = run(row, made=made, extra=headings if "责任" in str(made.columns) else ()).table.to_pylist()
        return line["counterpart_name"], line["counterpart_id_type"], line["counterpart_code"]

    subject = "周至县样例甲有限公司"
    assert parts({}, dept()) == (subject, "001", "91610124YY000001XB")
    assert parts(lift, dept()) == (subject, "099", "31-A")
    assert parts({"uscc": None}, dept()) == (subject, None, None)
    mapped = dept(changes=columns)
    assert parts({}, mapped) == (subject, "001", "91610124YY000001XB")
    assert parts(lift | named, mapped) == ("周至县样例物业公司", "001", "91610124YY000001XB")
    assert parts(lift | {"责任counterpart_name": "周至县样例物业公司"}, mapped) == ("周至县样例物业公司", None, None)


def test_what_a_source_leaves_out_comes_from_the_item_list_and_is_never_taken_from_another_department():
    rows = [
        {"item_code": ITEM, "item_name": "名录名", "dept": "SLJ", "implement_code": "IMP"},
        {"item_code": ITEM, "item_name": "别的局", "dept": "YJJ", "implement_code": "X"},
        {"item_code": "2", "item_name": "两说", "dept": "SLJ", "implement_code": "A"},
        {"item_code": "2", "item_name": "两说", "dept": "SLJ", "implement_code": "B"},
    ]
    made = dept(without=("item_name", "implement_code"))
    ignore = made.model_copy(update={"ignore": (LABELS["item_name"], LABELS["implement_code"])})
    found = run(
        {},
        {"record_no": "2", "item_code": "2"},
        {"record_no": "3", "item_code": "3"},
        made=ignore,
        lists=Lists.of(items=rows),
    )
    assert found.table["item_name"].to_pylist() == ["名录名", "两说", None]
    assert found.table["implement_code"].to_pylist() == ["IMP", None, None]


def test_a_constant_that_the_department_confirmed_is_a_code_or_a_label():
    made = dept(changes={"check_type": {"constant": "01"}, "check_form": {"constant": "日常检查"}}, without=())
    (row,) = run(
        {}, made=made.model_copy(update={"ignore": (LABELS["check_type"], LABELS["check_form"])})
    ).table.to_pylist()
    assert (row["check_type"], row["check_form"]) == ("01", "01")


def test_serial_numbers_are_dates_only_in_a_workbook_and_by_its_system():
    serial = {"inspect_date": "46346"}
    (row,) = run(serial, made=dept("workbook")).table.to_pylist()
    assert str(row["inspect_date"]) == "2026-11-20"
    (later,) = run(serial, made=dept("workbook", date_system="1904")).table.to_pylist()
    assert str(later["inspect_date"]) == "2030-11-21"
    assert "STD-003" in rules(run(serial, made=dept("csv")))


def test_a_number_with_a_point_is_taken_only_where_the_department_declared_it():
    made = dept(changes={"item_code": COLUMNS["item_code"] | {"decimals": True}})
    found = run({"item_code": f"{ITEM}.0"}, made=made)
    assert rules(found) == []
    assert found.table["item_code"].to_pylist() == [ITEM]
    assert "STD-004" in rules(run({"item_code": "610124000100010001.0"}, made=made))


def test_inspectors_in_columns_of_their_own_leave_empty_ones_out_but_never_pair_strangers():
    names, certs = ("人1", "人2", "人3"), ("证1", "证2", "证3")
    columns = {"inspector_names": {"headings": names}, "inspector_certs": {"headings": certs}}
    made = dept(changes=columns).model_copy(update={"ignore": (LABELS["inspector_names"], LABELS["inspector_certs"])})
    two = dict(zip((*names, *certs), ("张某", "李某", None, "27010124001", "27010124002", None), strict=True))
    found = run(two, made=made, extra=(*names, *certs))
    assert found.table["inspector_names"].to_pylist() == [["张某", "李某"]]
    assert rules(found) == []
    gap = two | {"人2": None, "人3": "王某"}
    assert "STD-009" in rules(run(gap, made=made, extra=(*names, *certs)))
    assert "STD-009" in rules(run(two | {"人1": "张某、赵某"}, made=made, extra=(*names, *certs)))


def test_names_lose_line_breaks_and_get_full_width_brackets_and_texts_keep_theirs():
    found = run({"subject_name": "周至县样例\n(甲)有限公司", "remark": " 第一行\n第二行 "})
    (row,) = found.table.to_pylist()
    assert row["subject_name"] == "周至县样例（甲）有限公司"
    assert row["remark"] == "第一行\n第二行"


def test_messages_hold_no_personal_number_and_the_value_column_holds_what_was_written():
    person = "610199189901010015"
    found = run({"uscc": f"{person[:6]} {person[6:]}"})
    (issue,) = found.issues.to_pylist()
    assert issue["rule"] == "STD-006"
    assert person not in issue["message"].replace(" ", "")
    assert issue["value"].replace(" ", "") == person


def test_equal_rows_stand_once_whatever_the_order_of_their_inspectors():
    swapped = {"inspector_names": "李某、张某", "inspector_certs": "27010124002、27010124001"}
    found = run({}, {}, swapped)
    assert (found.table.num_rows, found.units, rules(found)) == (1, 1, [])
    assert found.skipped == {EQUAL: 2}


def test_an_issue_of_a_row_that_was_equal_to_another_is_not_lost():
    found = run({}, {"状态": "作废"})
    assert found.table.num_rows == 1
    assert [(i["row"], i["rule"]) for i in found.issues.to_pylist()] == [(0, "STD-008")]


def entry(result_of_first: str, **more: str) -> list[dict[str, Any]]:
    return [{"result": result_of_first, **more}, {"item_code": "61012400010002", "result": "未发现问题", **more}]


def test_one_number_with_two_contents_in_a_file_is_returned_with_all_its_rows():
    found = run(
        *entry("未发现问题"),
        *entry("发现问题已责令改正"),
        {"record_no": "2026-0002", "subject_name": "周至县样例乙有限公司"},
    )
    hit = [(i["row"], i["rule"]) for i in found.issues.to_pylist()]
    assert hit == [(0, "INS-030"), (1, "INS-030"), (2, "INS-030")]
    assert found.units == 2


@pytest.mark.parametrize(
    "second",
    [
        {"subject_name": "周至县样例乙有限公司"},
        {"inspect_date": "2026-11-19"},
        {"item_code": "61012400010002", "entered_at": "2026-11-20 17:21:00"},
        {"result": "发现问题待后续处理", "changed_at": "2026-11-20 19:00:00"},
        {"item_name": "另一个名称"},
    ],
)
def test_rows_of_one_number_that_contradict_each_other_are_the_same_number_with_other_content(second):
    assert "INS-030" in rules(run({"result": "发现问题已责令改正"}, {"result": "发现问题已责令改正"} | second))


def test_several_items_and_several_labels_of_one_record_are_lawful():
    rows = [{"result": "发现问题已责令改正"}, {"result": "不配合检查情节严重"}, {"item_code": "61012400010002"}]
    found = run(*rows, {"record_no": "2", "subject_name": "周至县样例乙有限公司"}, {"item_code": "61012400010003"})
    assert (rules(found), found.units, found.table.num_rows) == ([], 2, 5)


def test_a_database_gives_its_rows_in_no_order_that_was_meant():
    made = dept("database", changed_at=LABELS["changed_at"])
    rows = [{"result": "发现问题已责令改正"}, {"item_code": "61012400010002"}, {"result": "不配合检查情节严重"}]
    assert rules(run(*rows, made=made)) == []
    assert "INS-030" in rules(run({}, {"subject_name": "周至县样例乙有限公司"}, made=made))


def test_one_content_under_two_numbers_is_returned_under_both():
    other = {"record_no": "2026-0002", "entered_at": "2026-11-20 17:30:00"}
    found = run({}, {"item_code": "61012400010002"}, other, other | {"item_code": "61012400010002"})
    issues = found.issues.to_pylist()
    assert {(i["row"], i["rule"]) for i in issues} == {(n, "INS-031") for n in range(4)}
    assert "2026-0002" in issues[0]["message"]


def test_records_that_share_only_some_items_are_two_checks():
    found = run({}, {"item_code": "61012400010002"}, {"record_no": "2026-0002"})
    assert rules(found) == []


def two_files(first: dict[str, Any], second: dict[str, Any]) -> StandardBatch:
    import pyarrow as pa

    from zz_pipeline.sources import SourceFile

    one, two = batch(first, file="一.csv"), batch(second, file="二.csv")
    files = (SourceFile("一.csv", "a", 1, "READ"), SourceFile("二.csv", "b", 1, "READ"))
    raw = batch(first, files=files)
    joined = RawBatch(
        raw.dept,
        raw.kind,
        pa.concat_tables([one.table, two.table]),
        files,
        raw.since,
        raw.until,
        raw.read_at,
        owners=OWNERS,
    )
    return standardize(joined, dept(), book(), Lists.of(), "610124")


def test_of_two_files_of_one_reading_the_newer_state_of_a_record_stands():
    newer = {"result": "发现问题已责令改正", "changed_at": "2026-11-21 09:00:00"}
    found = two_files({}, newer)
    assert found.table["result"].to_pylist() == ["CORRECTED"]
    assert (found.skipped, found.units, rules(found)) == ({SUPERSEDED: 1}, 1, [])
    older_last = two_files(newer, {})
    assert older_last.table["result"].to_pylist() == ["CORRECTED"]
    untimed = two_files({"changed_at": None}, {"result": "发现问题已责令改正", "changed_at": None})
    assert untimed.table["result"].to_pylist() == ["CORRECTED"]


def test_the_reasons_why_a_reader_left_rows_out_are_carried_on():
    assert run({}, skipped={"空行": 3}).skipped == {"空行": 3}


def test_an_empty_reading_gives_an_empty_standard_table():
    found = run()
    assert (found.table.num_rows, found.units, found.issues.num_rows) == (0, 0, 0)
    assert found.table.schema == INSPECTION.schema


def test_an_unreadable_change_time_is_told_and_holds_nobody():
    found = run({"changed_at": "昨天"})
    assert rules(found) == []
    assert "变更时间" in found.warnings[0]


@given(st.lists(st.integers(0, 10**18 - 1), min_size=1, max_size=5))
@hypothesis_settings(max_examples=20, deadline=None)
def test_every_digit_of_an_identifier_survives_standardizing(numbers):
    texts = [f"{n:018d}" for n in numbers]
    rows = [{"record_no": f"N{i}", "task_id": t, "uscc": t, "item_code": t} for i, t in enumerate(texts)]
    found = run(*rows)
    assert found.table["task_id"].to_pylist() == found.table["uscc"].to_pylist() == texts


@given(st.text(max_size=12))
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_text_in_any_column_becomes_a_value_or_an_issue_and_never_a_crash(text):
    found = run(dict.fromkeys(GOOD, text))
    assert found.table.num_rows >= 1
    assert found.units == 1


def test_a_thousand_records_in_any_order_give_the_same_standard_rows():
    rows = [
        {"record_no": f"{n:04d}", "item_code": f"6101240001{n % 7:04d}", "subject_name": f"周至县样例{n}公司"}
        for n in range(1000)
    ]
    names = [n for n in INSPECTION.schema.names if n != "source_row"]
    forward = run(*rows).table.select(names).sort_by("record_key")
    backward = run(*reversed(rows)).table.select(names).sort_by("record_key")
    assert forward.equals(backward)
