"""What a county other than the sample's sends carries its own region code.

Belongs here: wires of a county whose `county.toml` names another code. Must not: whole nights (test_second_county).
"""

import json
import re
import shutil

import pytest

from tests.delivery.bench import payload
from zz_pipeline.delivery.protocol import Row, RowKey
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.settings import CHECKOUT, load_settings


@pytest.fixture
def lantian(tmp_path):
    """Settings of a county that is the sample's but for its code."""
    config = tmp_path / "config"
    shutil.copytree(CHECKOUT / "config", config)
    county = config / "county.toml"
    county.write_text(re.sub(r'(?m)^code = ".*?"', 'code = "610122"', county.read_text("utf-8")), "utf-8")
    return load_settings(config, tmp_path, {})


def test_a_batch_for_the_city_names_the_county_that_sends_it(lantian):
    said = payload(lantian, "SCJG", "2026-0000001")
    key = RowKey("inspection", said["record_key"], 1)
    speaker = adapter("internet_supervision")
    row = Row(key, "PUBLISH", "", "", ({"cd_id": f"{said['record_key']}-1"},))
    body = json.loads(speaker.freeze(lantian.departments["SCJG"], "2026112200001", "/x", (row,)))
    assert body["cd_source"] == "610122"


def test_no_department_says_of_itself_which_county_it_reports_with(lantian):
    assert {dept.county for dept in lantian.departments.values()} == {"610122"}
