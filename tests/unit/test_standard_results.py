"""From the class of a finding to 01–06: precedence, exclusivity, and the holding of what is not settled."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard.results import FollowUps, forbidden, neutral_beside_problem, strongest
from zz_pipeline.standard.tables import RESULT_LABELS

CONFIG = Path(__file__).parents[2] / "config"
DAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def follow_ups():
    return FollowUps.load(CONFIG)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("NO_ISSUE", "01"),
        ("NO_ACTIVITY", "01"),
        ("CORRECTED", "02"),
        ("NOT_PUBLISHED", "02"),
        ("FALSE_INFO", "02"),
        ("UNREACHABLE", "06"),
        ("REFUSED", "06"),
        ("PENDING", None),
    ],
)
def test_the_default_map_is_that_of_the_standard(follow_ups, key, code):
    assert follow_ups.of(key, DAY) == code


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ([("NO_ISSUE", None)], "01"),
        ([("CORRECTED", None), ("UNREACHABLE", None)], "02"),
        ([("REFUSED", "04"), ("CORRECTED", None)], "04"),
        ([("CORRECTED", "05"), ("REFUSED", "04")], "05"),
        ([("REFUSED", None), ("CORRECTED", "03")], "03"),
        ([("NO_ACTIVITY", None), ("UNREACHABLE", None)], "06"),
        ([("PENDING", None)], None),
        ([("PENDING", None), ("CORRECTED", "04")], None),
        ([("PENDING", "06")], "06"),
        ([], None),
    ],
)
def test_several_labels_give_the_strongest_and_any_pending_holds(follow_ups, labels, code):
    assert follow_ups.for_item(labels, DAY) == code


def test_a_code_that_is_none_of_the_six_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        strongest(["01", "07"])


def test_no_issue_excludes_every_other_class_and_nothing_else_excludes():
    for key in RESULT_LABELS:
        assert forbidden(["NO_ISSUE", key]) == (key != "NO_ISSUE")
        assert not forbidden(["CORRECTED", key]) or key == "NO_ISSUE"


def test_no_activity_beside_a_problem_is_worth_a_second_look():
    assert neutral_beside_problem(["NO_ACTIVITY", "CORRECTED"])
    assert not neutral_beside_problem(["NO_ACTIVITY"])
    assert not neutral_beside_problem(["CORRECTED", "REFUSED"])


@pytest.fixture
def config(tmp_path):
    (tmp_path / "codes").mkdir()
    shutil.copy(CONFIG / "codes" / "检查结果处理.csv", tmp_path / "codes")
    return tmp_path


def rewrite(config, *rows):
    path = config / "codes" / "检查结果处理.csv"
    path.write_text("\n".join(["类别,处理结果,自,至,说明", *rows]), "utf-8")


def test_the_map_may_change_on_a_day(config):
    rewrite(config, "REFUSED,06,,2026-03-31,", "REFUSED,04,2026-04-01,,")
    follow_ups = FollowUps.load(config)
    assert follow_ups.of("REFUSED", date(2026, 3, 31)) == "06"
    assert follow_ups.of("REFUSED", date(2026, 4, 1)) == "04"
    assert follow_ups.of("NO_ISSUE", DAY) is None


@pytest.mark.parametrize(
    "rows",
    [
        ["PENDING,06,,,"],
        ["NO_ISSUE,07,,,"],
        ["FINE,01,,,"],
        ["REFUSED,06,,2026-04-01,", "REFUSED,04,2026-04-01,,"],
        ["REFUSED,06,2026-04-01,2026-03-01,"],
        ["REFUSED,06,四月,,"],
    ],
)
def test_a_map_that_cannot_be_right_is_refused_with_its_line(config, rows):
    rewrite(config, *rows)
    with pytest.raises(ConfigError, match=f"第 {len(rows) + 1} 行"):
        FollowUps.load(config)
