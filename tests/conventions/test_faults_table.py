"""The table of faults is complete and honest: 72 rows, each with tests that name it or a reason why not.

Belongs here: the table against the tests' names. Must not: proving a fault.
"""

import json

import pytest
from typer.testing import CliRunner

from zz_pipeline.chaos import faults
from zz_pipeline.cli import app
from zz_pipeline.settings import CHECKOUT

TESTS = CHECKOUT / "tests"


def test_the_table_has_every_row_once_with_a_name():
    rows = faults.table(TESTS)
    assert [row.row for row in rows] == list(range(1, 73))
    assert all(len(row.fault) > 5 for row in rows)


def test_each_row_has_a_test_that_names_it_or_a_reason_why_not():
    silent = [row.row for row in faults.table(TESTS) if not row.tests and len(row.why_not) < 20]
    assert silent == []


def test_row_numbers_are_read_from_names_with_one_or_several_of_them():
    assert faults.numbers("test_fault_17_18_a_lost_answer") == [17, 18]
    assert faults.numbers("test_of_a_fault_2_in_the_night") == [2]
    assert faults.numbers("test_faults_of_2_kinds") == []


def test_a_test_that_names_an_unknown_row_is_an_error(tmp_path):
    path = tmp_path / "tests" / "test_x.py"
    path.parent.mkdir()
    path.write_text("def test_fault_73_that_nobody_wrote_down():\n    pass\n", "utf-8")
    with pytest.raises(ValueError, match="73"):
        faults.table(path.parent)


def test_the_command_tells_row_fault_tests_and_reason_as_json():
    done = CliRunner().invoke(app, ["faults", "--json"])
    rows = json.loads(done.output)["rows"]
    assert (done.exit_code, len(rows)) == (0, 72)
    assert set(rows[0]) == {"row", "fault", "tests", "why_not"}
    assert any("tests/delivery/test_reconcile.py::test_fault_30" in t for row in rows for t in row["tests"])
