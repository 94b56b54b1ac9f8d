"""The measurement of a backfill, and what must hold on a day of ten times the volume.

Belongs here: `zz bench backfill`. Must not: looking at times, but where one process is compared with another.
"""

from datetime import date

import pytest
from typer.testing import CliRunner

from tests.pipeline.test_bench import plausible
from zz_pipeline.bench import backfill, town
from zz_pipeline.cli import app
from zz_pipeline.errors import ConfigError, ZzError
from zz_pipeline.settings import CHECKOUT, load_settings
from zz_pipeline.standard.identifiers import uscc_check

KEYS = [path.stem for path in (CHECKOUT / "config" / "departments").glob("*.toml")]


@pytest.fixture
def few(monkeypatch):
    """Two departments report, the credit lead among them."""
    monkeypatch.setattr(backfill, "SILENT", tuple(key for key in KEYS if key not in ("SCJG", "KGJ")))


def test_a_backfill_is_measured_county_by_county_and_every_record_arrives(few, monkeypatch):
    monkeypatch.setattr(backfill, "A_DAY", 3)
    found = plausible(backfill.measure(1, 2.0, 1))
    assert found["records"] == 2 * 3 * 2
    assert found["reference_records"] == 2 * 3
    (one,) = found["each"]
    assert one["confirmed"] == found["records"] * len(town.PLATFORMS)
    assert min(one[name] for name in ("taken_in_s", "sent_s", "compared_s", "ledger_mib", "home_mib")) > 0


@pytest.mark.long
def test_two_counties_at_once_are_two_processes_with_ledgers_of_their_own(few):
    found = plausible(backfill.measure(1, 1.0, 2, at_once=2))
    first, second = found["each"]
    assert (first["county"], second["county"]) == ("610124", "610102")
    assert first["records"] == second["records"] == found["reference_records"]


def test_a_backfill_in_which_records_did_not_arrive_is_no_figure(few, monkeypatch):
    said = {"code": 0, "confirmed": 5, "wall_s": 1.0}
    monkeypatch.setattr(backfill, "scene", lambda *_: said)
    with pytest.raises(ZzError, match="结果无效"):
        backfill.measure(1, 1.0, 1)


def test_the_counties_are_the_thirteen_of_the_city_the_sample_county_first():
    found = backfill.places()
    assert found[0] == town.Place("610124", "周至县")
    assert len({place.code for place in found}) == 13
    assert {place.code[:4] for place in found} == {"6101"}


def test_a_department_of_another_county_has_its_name_and_a_code_whose_check_digit_holds(tmp_path):
    sample = load_settings(CHECKOUT / "config", tmp_path, {}).departments
    made = {key: town.Place("610102", "新城区").department(dept) for key, dept in sample.items()}
    assert made["SCJG"].name == "新城区市场监督管理局"
    assert made["SCJG"].short == "区市场监管局"
    assert made["HBJ"].name == "西安市生态环境局新城分局"
    assert {dept.uscc[2:8] for dept in made.values()} == {"610102"}
    assert uscc_check([dept.uscc for dept in made.values()]).all()
    assert town.Place().department(sample["SCJG"]) == sample["SCJG"]


def test_a_weekend_has_three_tenths_of_a_working_day():
    assert backfill.entered(date(2026, 11, 20), 10) == 140
    assert backfill.entered(date(2026, 11, 21), 10) == 42
    assert backfill.entered(date(2026, 11, 21), 0.01) == 1


def test_the_cost_of_a_record_is_told_as_a_multiple_of_that_at_scale_one():
    plain = {"records": 10, "wall_s": 10.0, "cpu_s": 5.0}
    found = backfill._rates(
        [{"records": 100, "wall_s": 30.0, "cpu_s": 20.0}, {"records": 100, "wall_s": 50.0, "cpu_s": 20.0}], plain
    )
    assert found == {"records_per_s": 2.5, "reference_per_s": 1.0, "ratio": 0.4, "cpu_ratio": 0.4}


def test_the_parts_of_a_backfill_are_told_by_what_it_says_of_its_progress():
    moments = iter([0.0, 3.0, 5.0, 9.0, 10.0])
    parts = backfill.Parts(lambda: next(moments))
    for said in ("读取 2026-11-20", "日子", "日子", "报送", "核对"):
        parts.reach(said, 1, 1)
    assert parts.seconds == {"taken_in_s": 5.0, "sent_s": 4.0, "compared_s": 1.0}


@pytest.mark.parametrize("words", [["--days", "0"], ["--scale", "0"], ["--counties", "14"], ["--at-once", "0"]])
def test_sizes_that_cannot_be_measured_are_refused_with_their_remedy(words):
    result = CliRunner().invoke(app, ["bench", "backfill", *words])
    assert isinstance(result.exception, ConfigError)
    assert words[0] in str(result.exception)


@pytest.mark.long
def test_fault_50_a_day_of_ten_times_the_volume_costs_less_a_record_and_its_memory_stays():
    """All departments report; the sample county's 322 records and 3 220, from the source to the comparison.

    The window of a night is 01:30 to 07:30, on a machine that does nothing else: six hours of processor time.
    """
    found = backfill.measure(1, 10.0, 1)
    assert found["records"] == 10 * found["reference_records"] == 3220
    assert found["cpu_ratio"] < 1
    assert found["cpu_s"] < 6 * 3600 / 10
    assert found["peak_rss_mib"] < found["reference_rss_mib"] + 150
    assert found["peak_rss_mib"] < 1536
