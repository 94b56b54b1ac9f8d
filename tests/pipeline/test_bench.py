"""The measurements, each once with tiny numbers: they end, say what they promise, and refuse what was not delivered.

No times are looked at here: those are taken on an idle machine (docs/decisions/0011).
"""

import json
import urllib.request

import pytest
from typer.testing import CliRunner

from zz_pipeline.bench import deliver, discard, made, night, reconcile, report, run, startup, town
from zz_pipeline.cli import app
from zz_pipeline.errors import ConfigError, ZzError

PROMISED = {"wall_s", "cpu_s", "peak_rss_mib", "records_per_s", "reference_per_s", "ratio"}


def plausible(found):
    assert set(found) >= PROMISED
    assert all(found[name] > 0 for name in ("wall_s", "cpu_s", "peak_rss_mib", "ratio"))
    return found


def test_a_delivery_is_measured_from_the_source_to_the_receipt_on_every_platform():
    found = plausible(deliver.measure(60, 3, 0))
    assert (found["deliveries"], found["records"], found["platforms"]) == (180, 60, 3)
    assert found["requests"] > 3


def test_a_comparison_that_does_not_find_exactly_the_differences_is_no_measurement(monkeypatch):
    plausible(reconcile.measure(40, 4, 0))
    monkeypatch.setattr(reconcile, "scene", lambda *_: {"wall_s": 1.0, "found": {"lost": 1}})
    with pytest.raises(ZzError, match="结果无效"):
        reconcile.measure(40, 4, 0)


@pytest.mark.long
def test_the_report_is_measured_with_nights_behind_it_and_without(monkeypatch):
    monkeypatch.setattr(report, "A_NIGHT", 5)
    found = plausible(report.measure(2, 0))
    assert found["days"] == 2


@pytest.mark.long
def test_a_night_is_measured_on_a_large_ledger_on_a_small_one_and_without_changes():
    found = plausible(night.measure(40, 5, 0))
    assert found["corrected"] == 5
    assert found["quiet_pushes"] == 0
    assert found["quiet_ratio"] > 0


def test_the_start_is_compared_with_the_import_of_something_else(monkeypatch):
    monkeypatch.setattr(startup, "OURS", "zz_pipeline.night")
    monkeypatch.setattr(startup, "THEIRS", "json.tool")
    assert plausible(startup.measure(0))["ratio"] > 1


def test_the_median_is_taken_of_numbers_and_leaves_the_warm_up_out():
    values = iter([100, 1, 2, 9])
    assert run.medians(lambda: {"n": next(values), "name": "x"}, 3) == {"n": 2, "name": "x"}
    with pytest.raises(ConfigError):
        run.medians(dict, -1)


def test_a_scene_that_fails_ends_the_measurement_with_words():
    with pytest.raises(ZzError, match="没有完成"):
        run.scene("startup", {"module": "no_such_module_anywhere"})


@pytest.mark.parametrize(("count", "differences"), [(10, 0), (10, 3), (100, 7), (9, 9)])
def test_the_made_up_lists_differ_in_exactly_the_wanted_number(count, differences):
    entries = made.Entries("publicity", count, differences)
    theirs = dict(entries.at(place) for place in range(len(entries)))
    ours = {made.remote_key("publicity", n): made.digest(n) for n in range(count)}
    assert len(theirs) == len(entries)
    unlike = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
    assert len(unlike) == differences


def test_the_discarding_server_shows_a_department_its_own_records_and_ends_with_the_block():
    with discard.running() as urls:
        url = urls["publicity"]
        batch = json.dumps({"batchId": "P", "departmentCode": "x", "records": [{"pubId": "K", "publicFrom": "d"}]})
        assert post(url, "app-A", batch)["successSize"] == 1
        assert [i["pubId"] for i in listed(url, "app-A")] == ["K"]
        assert listed(url, "app-B") == []
        assert discard.asked(url) == {"requests": 1, "stored": 1}
    with pytest.raises(OSError, match="refused"):
        listed(url, "app-A")


def post(url, app, body):
    request = urllib.request.Request(f"{url}/publicity/inspections", body.encode(), {"X-App-Id": app})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def listed(url, app):
    request = urllib.request.Request(f"{url}/publicity/records", headers={"X-App-Id": app})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]["items"]


def test_the_records_are_dealt_out_whole_among_the_departments():
    keys = town.departments(12_345)
    assert len(keys) == 2
    assert sum(town.share(12_345, keys).values()) == 12_345


def test_numbers_that_cannot_be_measured_are_refused_with_their_remedy():
    result = CliRunner().invoke(app, ["bench", "deliver", "--records", "0"])
    assert isinstance(result.exception, ConfigError)
    assert "--records" in str(result.exception)
