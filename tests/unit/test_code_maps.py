"""A department's confirmed map grows by one checked line, whole or not at all, and never against the standard."""

import shutil
import threading
from datetime import date

import pytest

from tests.pipeline.harness import ROOT
from zz_pipeline.errors import ConfigError
from zz_pipeline.standard.code_maps import confirm
from zz_pipeline.standard.codes import CodeBook

DAY = date(2026, 11, 20)


@pytest.fixture
def config(tmp_path):
    shutil.copytree(ROOT / "config" / "codes", tmp_path / "codes")
    return tmp_path


def say(config, raw, standard, dept="XFJ", field="result", by="张某"):
    return confirm(config, dept, field, raw, standard, by, DAY)


def result(config, raw, dept="XFJ"):
    book = CodeBook.load(config)
    return book.resolve_results([raw], dept, book.mode(dept, "result", "")).classes.to_pylist()[0]


def test_a_confirmed_value_is_appended_and_everything_before_it_stays_byte_for_byte(config):
    path = config / "codes" / "departments" / "XFJ.csv"
    old = path.read_bytes()
    done = say(config, "火险不大", "PENDING")
    assert (done.code, done.label, done.written) == ("PENDING", "发现问题待后续处理", True)
    assert path.read_bytes().startswith(old)
    assert (
        path.read_text("utf-8").splitlines()[-1]
        == "result,火险不大,PENDING,同义,张某 2026-11-20 确认：发现问题待后续处理"
    )
    assert result(config, "火险不大") == ["PENDING"]


def test_line_ends_and_a_missing_last_one_are_kept_as_the_file_has_them(config):
    path = config / "codes" / "departments" / "XFJ.csv"
    path.write_bytes("字段,原值,标准值,类型,说明\r\nresult,合格,NO_ISSUE,同义,县消防救援局确认".encode("utf-8-sig"))
    say(config, "火险不大", "PENDING")
    assert path.read_bytes().count(b"\r\n") == 3
    assert result(config, "合格") == ["NO_ISSUE"]
    assert result(config, "火险不大") == ["PENDING"]


def test_a_department_without_a_map_gets_one_and_its_plain_labels_ask_it(config):
    assert result(config, "合格", "ZGJ") is None
    say(config, "合格", "未发现问题", dept="ZGJ")
    assert result(config, "合格", "ZGJ") == ["NO_ISSUE"]
    assert result(config, "合格", "NYJ") is None


@pytest.mark.parametrize(
    ("raw", "standard", "field", "word"),
    [
        ("见附件", "NO_ISSUE", "result", "不是结果"),
        ("基本合格", "NO_ISSUE", "result", "可能掩盖小问题"),
        ("暂无", "NO_ISSUE", "result", "空值标记"),
        ("未发现问题", "PENDING", "result", "在标准表里是 NO_ISSUE"),
        ("合格", "PENDING", "result", "已对照为 NO_ISSUE"),
        ("火险不大", "还行", "result", "不在代码集"),
        ("火险不大；合格", "NO_ISSUE", "result", "几个结论"),
        ("火险\n不大", "NO_ISSUE", "result", "换行"),
        ("某公司", "NO_ISSUE", "subject_name", "没有代码集"),
    ],
)
def test_what_may_not_be_mapped_is_refused_with_the_reason_and_nothing_is_written(config, raw, standard, field, word):
    path = config / "codes" / "departments" / "XFJ.csv"
    old = path.read_bytes()
    with pytest.raises(ConfigError, match=word):
        say(config, raw, standard, field=field)
    assert path.read_bytes() == old


def test_what_the_map_says_already_is_not_written_twice(config):
    path = config / "codes" / "departments" / "XFJ.csv"
    old = path.read_bytes()
    assert not say(config, " 合格 ", "NO_ISSUE").written
    assert path.read_bytes() == old


def test_a_value_with_commas_and_quotes_is_read_back_as_it_was(config):
    say(config, '消防"通道",不畅', "PENDING")
    assert result(config, '消防"通道",不畅') == ["PENDING"]


def test_two_people_who_map_at_once_both_find_their_line(config):
    threads = [threading.Thread(target=say, args=(config, f"火险{n}级", "PENDING")) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result(config, f"火险{n}级") == ["PENDING"] for n in range(6))
