"""The reference lists are read strictly: a wrong file is named, never half read."""

from __future__ import annotations

from pathlib import Path

import pytest

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard.lists import LISTS, Lists


def write(folder: Path, **bodies: str) -> Path:
    for name, columns in LISTS.items():
        (folder / f"{name}.csv").write_text(",".join(columns) + "\n" + bodies.get(name, ""), "utf-8-sig")
    return folder


def test_every_cell_is_text_and_an_empty_cell_is_null(tmp_path):
    lists = Lists.load(write(tmp_path, items="61012400010001,食品安全检查,SCJG,11610124YY900001644000001,在用,,\n"))
    (item,) = lists.items.to_pylist()
    assert item["item_code"] == "61012400010001"
    assert item["category"] is None
    assert lists.plans.num_rows == 0


def test_columns_are_found_by_name_whatever_their_order(tmp_path):
    write(tmp_path)
    (tmp_path / "plans.csv").write_text("year,注,plan_id,dept,plan_name\n2026,x,61012420260001,SCJG,计划\n", "utf-8")
    assert Lists.load(tmp_path).plans.to_pylist() == [
        {"plan_id": "61012420260001", "plan_name": "计划", "dept": "SCJG", "year": "2026"}
    ]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"plan_id,plan_name,dept\n", "year"),
        (b"plan_id,plan_name,dept,year\n1,2\n", "第 2 行"),
        (b'plan_id,plan_name,dept,year\n1,"2\n', "引号"),
        ("plan_id,plan_name,dept,year\n1,计划,SCJG,2026\n".encode("gb18030"), "UTF-8"),
        (b"plan_id,plan_name,dept,year\n1,\x00,3,4\n", "空字符"),
    ],
)
def test_a_broken_list_is_refused_with_the_file_and_the_remedy(tmp_path, content, word):
    write(tmp_path)
    (tmp_path / "plans.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=word) as caught:
        Lists.load(tmp_path)
    assert "plans.csv" in str(caught.value)


def test_a_missing_list_is_refused_and_never_read_as_empty(tmp_path):
    write(tmp_path)
    (tmp_path / "items.csv").unlink()
    with pytest.raises(ConfigError, match=r"items\.csv"):
        Lists.load(tmp_path)
