"""What an operator sees and clicks: headless Chromium on Dagster's real web server and daemon, over a sample county.

Pictures of what was seen are left in var/screenshots/.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import dagster as dg
import pytest

from assets.families import NAMES, rule_book
from assets.launcher import _has
from mock_platforms.stage import dagster_home, tool
from tests.pipeline import harness
from tests.ui.browser import Browser, browser, executable

CHROMIUM = executable()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="没有 Chromium：apt-get install chromium fonts-noto-cjk 后再运行。"),
]
PICTURES = harness.ROOT / "var" / "screenshots"
JOB = "/locations/zz_pipeline.definitions/jobs"
ENTER = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
# Two of the county's departments and the credit lead: what is clicked is the same, a night takes a third of the time.
FEW = ("SCJG", "ZJJ", "KGJ")
GROUPS = [
    "0_gate", "1_source", "2_standard", "3_quality", "4_ledger", "5_returned", "6_delivery", "7_reconcile", "8_report",
]  # fmt: skip


@dataclass
class Desk:
    """The operator's desk: a browser, the address, and behind the screen the county and Dagster's instance."""

    screen: Browser
    url: str
    town: harness.Town
    instance: dg.DagsterInstance

    @property
    def days(self):
        return [day.isoformat() for day in self.town.county.days]

    def open(self, path, *words):
        """Open a page and wait for its words."""
        self.screen.go(self.url + path)
        return self.screen.see(*words, seconds=60)

    def picture(self, name):
        time.sleep(0.5)  # what fades in has faded in
        self.screen.picture(PICTURES / f"{name}.png")


@contextmanager
def dagster_dev(folder, env):
    """Dagster's web server, daemon and code server as `make ui` starts them; all have ended when the block ends."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [tool("dagster"), "dev", "-w", str(harness.ROOT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    home = dagster_home(folder)
    whole = os.environ | env | {"DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    with (folder / "dagster.log").open("wb") as log:
        process = subprocess.Popen(command, env=whole, cwd=home, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/server_info", process)
        yield f"http://127.0.0.1:{port}", home
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(url, process):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + 180
    while True:
        with suppress(OSError), opener.open(url, timeout=5):
            return
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.3)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    with harness.town(folder / "town", seed=7, days=2, scale=0.1, reporting=FEW) as town:
        town.county.apply(town.county.days[-1])
        with (
            dagster_dev(folder, town.env) as (url, home),
            dg.DagsterInstance.from_config(str(home)) as instance,
            browser(CHROMIUM) as screen,
        ):
            yield Desk(screen, url, town, instance)


def choose_days(desk, button="Materialize all…"):
    """Open the dialog of a job and choose both days, as a person does."""
    desk.screen.click(button, seconds=60)
    desk.screen.see("Partition selection")
    desk.screen.click("No matching partitions")
    desk.screen.write(f"[{desk.days[0]}...{desk.days[-1]}]")
    for kind in ("keyDown", "keyUp"):
        desk.screen.call("Input.dispatchKeyEvent", type=kind, **ENTER)
    desk.screen.see("2 partitions")


def finished(desk, job, looked=lambda run: None, seconds=180):
    """The one run of a job, once it has ended."""
    until = time.monotonic() + seconds
    while True:
        runs = desk.instance.get_runs(dg.RunsFilter(job_name=job))
        if runs and runs[0].is_finished:
            return runs
        if runs and runs[0].status is dg.DagsterRunStatus.STARTED:
            looked(desk.instance.get_run_by_id(runs[0].run_id))
        assert time.monotonic() < until, runs
        time.sleep(0.5)


@pytest.fixture(scope="module")
def backfill(desk):
    """Both days, launched by clicks; the runs of it, and what the code server said of the run while it was going."""
    desk.open(f"{JOB}/nightly", "夜间任务")
    choose_days(desk)
    desk.picture("backfill")
    desk.screen.click("Launch backfill")
    said = []
    return finished(desk, "nightly", lambda run: said.append(_has(run))), said


def pushed(town):
    entries = [e for p in harness.PLATFORMS for e in town.mocks.wire(p) if e["method"] == "POST"]
    return sum(len(e["keys"]) for e in entries)


def test_the_graph_reads_from_left_to_right_in_the_order_of_a_night(desk):
    desk.open("/asset-groups", *GROUPS)
    desk.picture("graph")
    spots = [desk.screen.value(PLACES.replace("WORDS", json.dumps(group))) for group in GROUPS]
    assert all(spots)
    assert spots == sorted(spots)


# the rightmost place of a text: the list at the left of the graph names the groups too
PLACES = """Math.max(...[...document.querySelectorAll('*')]
  .filter(e => !e.children.length && e.textContent.trim() === WORDS).map(e => e.getBoundingClientRect().x))"""


def test_a_backfill_launched_by_clicks_is_one_run_and_brings_the_platforms_to_the_manifest(desk, backfill):
    runs, _ = backfill
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS]
    expected = desk.town.manifest()["expected"][desk.days[-1]]
    wrong = harness.compare(desk.town.mocks, expected)
    # published and withdrawn between the two days: never sent, as both days went out at once
    assert [one for one in wrong if not one.endswith("(WITHDRAWN)")] == []
    assert any(entry["state"] == "PRESENT" for held in expected.values() for entry in held.values())
    desk.open("/runs", "2 partitions", "Success")
    desk.picture("runs")


def test_a_run_of_the_ui_is_known_to_its_code_server_as_long_as_it_goes(backfill):
    _, said = backfill
    assert said
    assert False not in said[:-1]
    assert None not in said


def test_a_days_figures_and_the_way_to_its_report_stand_on_its_partition(desk, backfill):
    with desk.town.opened() as night:
        totals = night.balance(desk.town.county.days[0]).totals()
    path = f"/assets/reports/day?view=partitions&partition={desk.days[0]}"
    said = desk.open(path, "日报", "拉取", f"日报-{desk.days[0]}.html")
    desk.picture("partition")
    assert f"{totals['pulled']}" in said[said.index("拉取") :]


def test_a_failed_check_says_in_chinese_how_many_records_and_why(desk, backfill):
    planted = {d["rule"] for d in desk.town.manifest()["defects"] if d["effect"] == "quarantine"}
    book = {rule: row for rule, row in rule_book().items() if rule in planted}
    rule, row = sorted(book.items())[0]
    path = f"/assets/quality/verdicts?view=checks&checkDetail={NAMES[row['类型'][:2]]}"
    said = desk.open(path, rule, "条次", "按退回清单更正")
    desk.picture("failed_check")
    assert row["名称"] in said


def test_a_sensor_ticks_and_says_in_chinese_what_it_saw(desk, backfill):
    desk.open("/locations/zz_pipeline.definitions/sensors/growing_unknowns", "查看结果不明", "0 runs requested")
    desk.picture("sensor")
    ticks = desk.instance.get_ticks(*sensor_ids(desk.instance, "growing_unknowns"), limit=1)
    assert any(word in ticks[0].skip_reason for word in ("没有发现", "发现"))


def sensor_ids(instance, name):
    state = next(s for s in instance.all_instigator_state() if s.instigator_name == name)
    return state.instigator_origin_id, state.selector_id


def test_the_schedule_is_running_and_its_tick_asks_for_one_day(desk, backfill):
    before = len(desk.instance.get_runs())
    desk.open("/locations/zz_pipeline.definitions/schedules/nightly_0130", "01:30")
    desk.picture("schedule")
    desk.screen.click("Preview tick result", seconds=60)
    desk.screen.click("Continue", exact=False)
    said = desk.screen.see("Requested runs", seconds=60)
    desk.picture("schedule_tick")
    assert "Requested runs (1)" in said
    assert len(desk.instance.get_runs()) == before, "a preview starts nothing"


@pytest.mark.long  # one more load of the rules
def test_a_rehearsal_launched_by_clicks_shows_a_preview_and_sends_nothing(desk, backfill):
    before = pushed(desk.town)
    desk.open(f"{JOB}/dry_run", "试运行")
    choose_days(desk, "Materialize…")
    desk.picture("rehearsal")
    desk.screen.click("Launch backfill")
    runs = finished(desk, "dry_run")
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS]
    assert pushed(desk.town) == before > 0
    desk.open("/assets/gate/dry_run?view=events", "试运行")
    desk.picture("preview")
