"""The generated pages of docs/ are current, and the commands print what the tables hold."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from expectations.catalogue import RULES
from zz_pipeline.cli import app
from zz_pipeline.standard import dictionary
from zz_pipeline.standard.lists import LISTS
from zz_pipeline.standard.tables import REGISTERS, TABLES, Field

ROOT = Path(__file__).resolve().parents[2]


def said(*args: str) -> str:
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize(("command", "page"), [("rules", "rules.md"), ("dictionary", "data-dictionary.md")])
def test_a_generated_page_is_what_its_command_prints(command: str, page: str):
    assert (ROOT / "docs" / page).read_text("utf-8") == said(command, "--markdown")


def test_the_listing_holds_every_rule_with_text_source_effect_and_place():
    listed = json.loads(said("rules", "--json"))

    assert [row["编号"] for row in listed["rules"]] == list(RULES)
    assert all(all(row.values()) for row in listed["rules"])
    assert {row["后果"] for row in listed["rules"]} == {"退回", "提醒"}
    assert not [row for row in listed["rules"] if "{" in row["告诉填报人的话"]]


def test_the_dictionary_holds_every_field_of_tables_and_registers():
    listed = json.loads(said("dictionary", "--json"))

    for table in (*TABLES.values(), *REGISTERS.values()):
        assert [row["字段"] for row in listed[table.label]] == [f"`{f.name}`" for f in table.fields]


def test_the_list_files_have_the_columns_that_are_declared_and_departments_are_no_list_file():
    assert set(LISTS) == set(REGISTERS) - {"departments"}
    assert LISTS["plans"] == ("plan_id", "plan_name", "dept", "year")


def test_a_bar_in_a_text_does_not_end_a_cell():
    [row] = list(dictionary.table(("a",), [dictionary.cells(Field("x", "甲|乙"))[1:2]]))[2:]

    assert row == "| 甲\\|乙 |"
