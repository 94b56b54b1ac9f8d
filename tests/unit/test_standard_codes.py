"""Code sets: every table entry resolves as it says, what must be asked is asked, and contradictions stop the loading."""

import csv
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard.codes import CodeBook, grade_form, lookup_form
from zz_pipeline.standard.tables import INSPECTION, RATING, RESULT_LABELS

CONFIG = Path(__file__).parents[2] / "config"
STATUS = {"标准": "ok", "同义": "ok", "须询问": "ask", "必问": "ask", "忽略": "ignored"}


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


SETS = sorted(p for p in (CONFIG / "codes").glob("*.csv") if p.stem not in ("regions", "provinces", "检查结果处理"))
ENTRIES = [(path.stem, row) for path in SETS for row in rows_of(path)]


@pytest.fixture(scope="module")
def book():
    return CodeBook.load(CONFIG)


def results(book, *cells, **options):
    found = book.resolve_results(pa.array(cells, type=pa.string()), **options)
    return list(zip(found.classes.to_pylist(), found.status.to_pylist(), strict=True))


def test_every_entry_of_every_table_resolves_as_it_says(book):
    for name, row in ENTRIES:
        found = book.resolve(name, [row["原值"]])
        expected = (row["标准值"] or None, STATUS[row["类型"]])
        assert (found.codes[0].as_py(), found.status[0].as_py()) == expected, (name, row)


def test_every_code_set_that_a_field_names_is_there(book):
    named = {f.codes for table in (INSPECTION, RATING) for f in table.fields if f.codes} - {"信用等级"}
    named |= {"是否", "信用等级·PUBLIC", "信用等级·INDUSTRY", "信用等级·RISK", "修复对象类别"}
    assert named <= set(book.sets)


def test_the_result_set_is_the_eight_labels_to_the_letter(book):
    assert book.labels("检查结果类别") == RESULT_LABELS


def test_codes_are_texts_and_a_missing_zero_makes_another_code(book):
    found = book.resolve("检查形式", ["01", "1", None, " "], mode="standard")
    assert found.codes.to_pylist() == ["01", None, None, None]
    assert found.status.to_pylist() == ["ok", "unknown", "empty", "empty"]


def test_a_code_counts_only_where_the_source_declares_codes(book):
    assert book.resolve("检查形式", ["01"]).status.to_pylist() == ["unknown"]


@pytest.mark.parametrize(
    "text",
    [
        "未发现问题",
        " 未发现问题。",
        "１．未发现问题",
        "（一）未发现问题",
        "①未发现问题；",
        "一、未发现问题",
        "1）未发现\n问题",
        "未 发 现 问 题",
    ],
)
def test_marks_and_blanks_around_a_label_do_not_matter(book, text):
    assert results(book, text) == [(["NO_ISSUE"], "ok")]


def test_a_label_is_never_split_at_its_own_marks(book):
    cell = "公示信息隐瞒真实情况、弄虚作假；通过登记的住所(经营场所)\n无法联系"
    assert results(book, cell) == [(["FALSE_INFO", "UNREACHABLE"], "ok")]


def test_several_labels_in_one_cell_come_in_the_order_of_the_standard(book):
    assert results(book, "发现问题待后续处理\n2.发现问题已责令改正") == [(["CORRECTED", "PENDING"], "ok")]


def test_a_label_twice_in_one_cell_is_one_label_and_is_reported(book):
    found = book.resolve_results(["已责令改正;发现问题已责令改正", "已责令改正", None])
    assert found.classes.to_pylist() == [["CORRECTED"], ["CORRECTED"], None]
    assert found.repeated.to_pylist() == [True, False, False]


def test_no_issue_beside_another_label_in_one_cell_is_forbidden(book):
    assert results(book, "未发现问题；发现问题已责令改正") == [(None, "forbidden")]


@pytest.mark.parametrize("text", ["合格", "正常", "其他", "注销", "-", "—", "基本合格", "罚款", "未发现问题；其他"])
def test_what_must_be_asked_is_asked(book, text):
    assert results(book, text) == [(None, "ask")]


def test_a_bare_number_means_nothing_until_the_source_declares_its_set(book):
    assert results(book, "1") == [(None, "unknown")]
    assert results(book, "1", mode="set:C") == [(["NO_ISSUE"], "ok")]
    assert results(book, "1", mode="set:D") == [(None, "unknown")]
    assert results(book, "4", mode="set:A") == [(["UNREACHABLE"], "ok")]
    assert results(book, "4", mode="set:B") == [(["FALSE_INFO"], "ok")]


def test_a_declared_set_still_knows_the_full_labels(book):
    assert results(book, "发现问题已责令改正", "合格", mode="set:B") == [(["CORRECTED"], "ok"), (None, "ask")]


def test_several_codes_of_a_declared_set_may_share_a_cell(book):
    assert results(book, "B\nE")[0][1] == "unknown"
    assert results(book, "B\nE,6", "B,E", "B、6", "1,E", "B,Z", mode="set:C") == [
        (["NOT_PUBLISHED", "UNREACHABLE", "CORRECTED"], "ok"),
        (["NOT_PUBLISHED", "CORRECTED"], "ok"),
        (["NOT_PUBLISHED", "UNREACHABLE"], "ok"),
        (None, "forbidden"),
        (None, "unknown"),
    ]


def test_a_status_in_an_older_set_is_asked(book):
    assert results(book, "7", mode="set:A") == [(None, "ask")]


@pytest.mark.parametrize(
    ("scheme", "text", "grade"),
    [
        ("PUBLIC", "优秀", "优"),
        ("PUBLIC", "中等", "中"),
        ("PUBLIC", " 良好级", "良"),
        ("INDUSTRY", "Ａ级", "A"),
        ("INDUSTRY", "m", "M"),
        ("RISK", "信用风险较高", "C"),
        ("RISK", "d类", "D"),
        ("PUBLIC", "A", None),
        ("RISK", "优", None),
        ("RISK", "M", None),
        ("INDUSTRY", "AAA", None),
    ],
)
def test_a_grade_belongs_to_its_scheme(book, scheme, text, grade):
    assert book.resolve(f"信用等级·{scheme}", [text]).codes.to_pylist() == [grade]


def test_regions_resolve_by_name_and_by_six_digits(book):
    assert book.resolve("行政区划", ["周至县", "610124", "610199"]).codes.to_pylist() == ["610124", "610124", None]
    assert "610124101" not in book.codes("行政区划")
    assert {"610124", "11", "100000"} <= book.uscc_regions
    assert "61" not in book.uscc_regions


def test_a_long_column_in_chunks_keeps_its_rows(book):
    column = pa.chunked_array([["是", None], ["否", "也许", "是"]])
    found = book.resolve("是否", column)
    assert found.codes.to_pylist() == ["true", None, "false", None, "true"]
    assert found.status.to_pylist() == ["ok", "empty", "ok", "unknown", "ok"]


def test_an_unknown_set_or_mode_names_the_remedy(book):
    with pytest.raises(ConfigError, match=r"没有的集\.csv"):
        book.resolve("没有的集", ["1"])
    with pytest.raises(ConfigError, match=r"columns\.result\.codes"):
        book.resolve("检查结果类别", ["1"], "SCJG", "result", "sets:C")


@given(st.text(st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from(" 。；、.1一()（）①\n"))))
def test_a_look_up_form_is_its_own_look_up_form(text):
    assert lookup_form(lookup_form(text)) == lookup_form(text)


def test_a_decimal_number_is_no_list_mark():
    assert lookup_form("1.5") == "1.5"
    assert grade_form(" ａ级 ") == "A"
    assert grade_form("级") == "级"


# ── departments' maps and contradictions ───────────────────────────────────────────────────────────────────────────
@pytest.fixture
def config(tmp_path):
    shutil.copytree(CONFIG / "codes", tmp_path / "codes", ignore=shutil.ignore_patterns("departments"))
    (tmp_path / "codes" / "departments").mkdir()
    return tmp_path


def write_map(config, *rows):
    path = config / "codes" / "departments" / "SCJG.csv"
    path.write_text("\n".join(["字段,原值,标准值,类型,说明", *rows]), "utf-8")
    return path


def append(config, name, row):
    path = config / "codes" / f"{name}.csv"
    path.write_text(path.read_text("utf-8") + row + "\n", "utf-8")


def test_a_confirmed_map_lifts_what_must_be_asked_for_that_department_and_field_only(config):
    write_map(config, "result,合格,NO_ISSUE,同义,", "result,R60,PENDING,同义,", "check_kind,K1,定向抽查,同义,")
    book = CodeBook.load(config)
    assert results(book, "合格；R60", dept="SCJG", mode="map") == [(None, "forbidden")]
    assert results(book, "合格", "R60", dept="SCJG", mode="map") == [(["NO_ISSUE"], "ok"), (["PENDING"], "ok")]
    assert results(book, "合格", dept="SCJG") == [(None, "ask")]
    assert results(book, "合格", dept="YJJ", mode="map") == [(None, "ask")]
    assert book.resolve("抽查类型", ["K1", "R60"], "SCJG", "check_kind", "map").codes.to_pylist() == ["定向抽查", None]


def test_an_ignored_value_counts_as_nothing(config):
    write_map(config, "result,同上页,,忽略,")
    book = CodeBook.load(config)
    assert results(book, "同上页", "同上页；未发现问题", dept="SCJG", mode="map") == [
        (None, "ignored"),
        (["NO_ISSUE"], "ok"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("result,基本合格,NO_ISSUE,同义,", "不得对照"),
        ("result,-,NO_ISSUE,同义,", "不得对照"),
        ("result,未发现问题。,CORRECTED,同义,", "不得改变"),
        ("result,合格,GOOD,同义,", "不在本代码集"),
        ("result,合格,NO_ISSUE,标准,", "类型"),
        ("result,合格,,同义,", "不在本代码集"),
        ("result,合格,NO_ISSUE,须询问,", "应当为空"),
        ("result,,NO_ISSUE,同义,", "原值是空的"),
        ("remark,合格,NO_ISSUE,同义,", "字段"),
        ("result,合格,NO_ISSUE", "3 格"),
    ],
)
def test_a_map_that_cannot_be_right_is_named_with_file_and_line(config, row, said):
    path = write_map(config, "result,达标,NO_ISSUE,同义,", row)
    with pytest.raises(ConfigError, match=said) as error:
        CodeBook.load(config)
    assert f"{path} 第 3 行" in str(error.value)


def test_one_look_up_value_with_two_meanings_in_a_map_is_a_contradiction(config):
    write_map(config, "result,合格,NO_ISSUE,同义,", "result,合格。,CORRECTED,同义,")
    with pytest.raises(ConfigError, match="含义却不同"):
        CodeBook.load(config)


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("检查结果类别", "同义,未发现问题。,CORRECTED,", "含义却不同"),
        ("检查结果类别", "同义,合格,NO_ISSUE,", "含义却不同"),
        ("检查结果类别", "同义,一切正常,FINE,", "不在本代码集"),
        ("检查结果类别", "猜测,一切正常,NO_ISSUE,", "不认识"),
        ("检查结果类别", "标准,没问题,NO_ISSUE,", "已有名称"),
        ("检查结果旧码·C", "同义,H,FINE,", "不在本代码集"),
        ("regions", "61012,错县,610100,县", "区划代码"),
        ("provinces", "1,错省,", "省级代码"),
    ],
)
def test_contradictions_in_the_standard_tables_stop_the_loading(config, name, row, said):
    append(config, name, row)
    with pytest.raises(ConfigError, match=said) as error:
        CodeBook.load(config)
    assert f"{name}.csv 第 " in str(error.value)


def test_saying_the_same_twice_is_no_contradiction(config):
    append(config, "检查结果类别", "同义,未发现问题!,NO_ISSUE,重复但一致")
    assert results(CodeBook.load(config), "未发现问题") == [(["NO_ISSUE"], "ok")]


def test_a_table_in_another_encoding_or_with_other_headings_is_refused(config):
    path = config / "codes" / "是否.csv"
    text = path.read_text("utf-8")
    path.write_bytes(text.encode("gb18030"))
    with pytest.raises(ConfigError, match="UTF-8"):
        CodeBook.load(config)
    path.write_text(text.replace("类型", "种类", 1), "utf-8")
    with pytest.raises(ConfigError, match="表头"):
        CodeBook.load(config)
    path.write_text(text + '"未闭合', "utf-8")
    with pytest.raises(ConfigError, match="引号"):
        CodeBook.load(config)
    path.unlink()
    (config / "codes" / "regions.csv").unlink()
    with pytest.raises(ConfigError, match="缺少代码表"):
        CodeBook.load(config)


def test_a_table_saved_by_a_spreadsheet_with_a_byte_order_mark_is_read(config):
    path = config / "codes" / "是否.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert CodeBook.load(config).resolve("是否", ["是"]).codes.to_pylist() == ["true"]


def test_a_region_name_that_two_regions_share_is_asked(config):
    append(config, "regions", "610198,周至县,610100,县")
    assert CodeBook.load(config).resolve("行政区划", ["周至县"]).status.to_pylist() == ["ask"]
