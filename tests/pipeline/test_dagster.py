"""The nights as Dagster runs them: the real job on a real instance, over one town whose days follow one another."""

import contextlib
import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from sqlalchemy import delete, insert, select, text

from assets.resources import NightResource
from mock_platforms.county.codes import invented_resident_id
from mock_platforms.county.defects import MOBILE
from schedules.nightly import missed
from schedules.sensors import WATCHES
from tests.pipeline import harness
from zz_pipeline.alerts.trouble import Kind
from zz_pipeline.definitions import build
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import alert_state, outbox
from zz_pipeline.settings import load_settings

pytestmark = pytest.mark.xdist_group("dagster_nights")  # one town for the module: it must not be staged twice
DOWN = "SPJ"  # a department with an API of its own
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass
class Site:
    """A town and the Dagster instance that runs it."""

    town: harness.Town
    instance: dg.DagsterInstance
    folder: Path

    def run(self, job="nightly", *, env=None, tags=None, **partition):
        """The job in this process, with the environment that a run worker has."""
        definitions = build(load_settings(self.town.config, self.town.home, self.town.env))
        with environment(self.town.env | (env or {})):
            return definitions.resolve_job_def(job).execute_in_process(
                instance=self.instance, raise_on_error=False, tags=tags, **partition
            )

    @contextlib.contextmanager
    def ledger(self):
        found = Ledger(self.town.settings.ledger_url)
        try:
            yield found
        finally:
            found.close()

    def pushed(self):
        """Records in all wire logs that travelled towards a platform."""
        entries = [e for p in harness.PLATFORMS for e in self.town.mocks.wire(p) if e["method"] == "POST"]
        return sum(len(e["keys"]) for e in entries)


@contextlib.contextmanager
def environment(values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def staged(factory, days):
    folder = factory.mktemp("dagster")
    shutil.copy(harness.ROOT / "dagster.yaml", folder)
    place = factory.mktemp("town")
    with (
        harness.town(place, seed=7, days=days, scale=0.1, reporting=harness.ONE_OF_EACH) as town,
        dg.DagsterInstance.from_config(str(folder)) as instance,
    ):
        yield Site(town, instance, folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with staged(tmp_path_factory, days=4) as found:
        yield found


@pytest.fixture(scope="module")
def first_night(site):
    day = site.town.county.days[0]
    site.town.county.apply(day)
    return site.run(partition_key=day.isoformat())


@pytest.fixture(scope="module")
def night_with_a_source_down(site, first_night):
    day = site.town.county.days[1]
    site.town.county.apply(day)
    return site.run(partition_key=day.isoformat(), env={f"ZZ_SOURCE_{DOWN}": "http://127.0.0.1:9"})


@pytest.fixture(scope="module")
def backfill(site, night_with_a_source_down):
    """Two new days in one run; of the day before them one source is still to be read."""
    days = site.town.county.days
    site.town.county.apply(days[-1])
    return site.run(tags=range_of(days[2:]))


def range_of(days):
    ends = {"start": days[0].isoformat(), "end": days[-1].isoformat()}
    return {f"dagster/asset_partition_range_{name}": day for name, day in ends.items()}


def checks(result):
    """asset/check → (passed, severity, words)."""
    found = {}
    for one in result.get_asset_check_evaluations():
        name = f"{one.asset_key.to_user_string()}:{one.check_name}"
        found[name] = (one.passed, one.severity.value, one.description or "")
    return found


def metadata(result, key):
    """partition → metadata of the asset's materializations."""
    found = {}
    for event in result.get_asset_materialization_events():
        made = event.step_materialization_data.materialization
        if made.asset_key.to_user_string() == key:
            found[made.partition] = {name: value.value for name, value in made.metadata.items()}
    return found


def not_as_present(site):
    """(platform, key) → ours and the manifest's, where what is present differs.

    A record that was published and withdrawn between two runs was never sent: that is no difference in what is present.
    """
    expected = site.town.manifest()["expected"][site.town.county.days[-1].isoformat()]
    found = {}
    for platform in harness.PLATFORMS:
        have, want = present(harness.held(site.town.mocks, platform)), present(harness.wanted(expected[platform]))
        keys = have.keys() | want.keys()
        found |= {(platform, k): (have.get(k), want.get(k)) for k in keys if have.get(k) != want.get(k)}
    return found


def present(ledgers):
    return {key: entry for key, entry in ledgers.items() if entry["state"] == "PRESENT"}


# ── one night ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_nightly_job_delivers_a_partition_exactly_as_the_manifest_says(site, first_night):
    day = site.town.county.days[0].isoformat()
    assert first_night.success
    assert harness.compare(site.town.mocks, site.town.manifest()["expected"][day]) == []


def test_every_declared_check_of_a_good_night_is_recorded_and_passes(site, first_night):
    declared = {
        f"{spec.asset_key.to_user_string()}:{spec.name}"
        for asset in build(site.town.settings).assets
        for spec in asset.check_specs
    }
    found = checks(first_night)
    assert found.keys() == declared
    stopped = {name: said for name, (passed, _, said) in found.items() if not passed and ":type_" not in name}
    assert stopped == {}
    assert len(declared) == 53


def test_a_good_nights_event_log_is_kept_under_its_partition(site, first_night):
    run = site.instance.get_run_by_id(first_night.run_id)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert run.tags["dagster/partition"] == site.town.county.days[0].isoformat()
    kept = site.instance.get_latest_materialization_event(dg.AssetKey(["reports", "balance"]))
    assert kept.asset_materialization.metadata["拉取"].value > 0


def test_department_names_and_not_keys_stand_in_what_an_operator_reads(site, first_night):
    day = site.town.county.days[0].isoformat()
    table = metadata(first_night, "ledger/accepted")[day]["明细"]
    settings = site.town.settings
    assert all(f"| {d.short} | 检查结果 |" in table for d in settings.departments.values() if d.source.kind != "none")
    assert not any(f"| {key} |" in table for key in settings.departments)


# ── what an operator is shown ────────────────────────────────────────────────────────────────────────────────────────
def test_each_of_the_ten_families_has_a_check_that_says_how_many_and_why(site, first_night):
    day = site.town.county.days[0].isoformat()
    planted = {d["rule"] for d in site.town.manifest()["defects"] if d["effect"] == "quarantine" and d["day"] == day}
    found = {name: said for name, said in checks(first_night).items() if ":type_" in name}
    assert len(found) == 10
    failed = {name: said for name, said in found.items() if not said[0]}
    assert {severity for _, severity, _ in failed.values()} <= {"ERROR", "WARN"}
    assert any(severity == "ERROR" for _, severity, _ in failed.values())
    said = " ".join(words for _, _, words in failed.values())
    assert {rule for rule in planted if rule.startswith("INS") and rule in said}
    numbers = [e for e in first_night.get_asset_check_evaluations() if e.check_name.startswith("type_")]
    assert all(isinstance(e.metadata["退回条次"].value, int) for e in numbers)
    assert all((e.metadata["退回条次"].value + e.metadata["提醒条次"].value == 0) == e.passed for e in numbers)
    assert all((e.metadata["退回条次"].value > 0) == (e.severity.value == "ERROR") for e in numbers if not e.passed)


def test_figures_are_numbers_that_the_ui_can_draw_and_files_are_paths(site, first_night):
    day = site.town.county.days[0].isoformat()
    shown = metadata(first_night, "reports/balance")[day]
    assert isinstance(shown["退回率（%）"], float)
    labels = [spec.label for spec in site.town.settings.platforms.values()]
    assert all(isinstance(shown[f"{label}·已确认"], int) for label in labels)
    assert Path(metadata(first_night, "reports/day")[day]["日报"]).is_file()
    lists = {k: v for k, v in metadata(first_night, "quarantine/returned")[day].items() if k.startswith("退回清单·")}
    assert lists
    assert all(Path(path).is_file() for path in lists.values())


def test_a_rehearsal_writes_its_preview_and_executes_no_step_behind_the_gate(site, night_with_a_source_down):
    day = site.town.county.days[2]
    before, kept = site.pushed(), site.instance.get_materialized_partitions(dg.AssetKey(["reports", "balance"]))
    choice = {"ops": {"gate__dry_run": {"config": {"dry_run": True}}}}
    result = site.run(partition_key=day.isoformat(), run_config=choice)
    assert result.success
    assert result.get_asset_materialization_events() == []
    seen = [e.asset_observation_data.asset_observation for e in result.all_events if e.is_asset_observation]
    assert [(one.partition, one.metadata["运行方式"].value) for one in seen] == [(day.isoformat(), "试运行")]
    assert seen[0].metadata["拉取"].value > 0
    assert "dry_run" in seen[0].metadata["下一步"].value
    assert site.pushed() == before
    assert site.instance.get_materialized_partitions(dg.AssetKey(["reports", "balance"])) == kept
    assert day.isoformat() in missed(site.instance, datetime.combine(day + timedelta(days=1), datetime.min.time()))


def test_every_kind_of_trouble_is_told_by_exactly_one_sensor(site):
    told = [kind for watch in WATCHES.values() for kind in watch.kinds]
    assert sorted(told) == sorted(str(kind) for kind in Kind)


def test_a_sensor_says_which_source_failed_and_hands_it_to_the_alerts(site, night_with_a_source_down):
    definitions = build(site.town.settings)
    sensor = next(s for s in definitions.sensors if s.name == "source_failures")
    with (
        environment(site.town.env),
        dg.build_sensor_context(site.instance, resources={"night": NightResource()}) as context,
    ):
        said = sensor.evaluate_tick(context).skip_message
    assert "县行政审批局" in said
    with site.ledger() as ledger, ledger.read() as conn:
        kinds = set(conn.scalars(select(alert_state.c.kind)))
    assert "source_failed" in kinds


def test_what_a_person_materializes_from_the_graph_runs_in_one_process_too(site):
    assert build(site.town.settings).executor is dg.in_process_executor


def test_every_asset_names_who_answers_for_it_and_its_clock_where_there_is_one(site):
    specs = {next(iter(a.specs)).key.to_user_string(): next(iter(a.specs)) for a in build(site.town.settings).assets}
    assert all(re.match(r"team:.+", spec.owners[0]) for spec in specs.values())
    names = {d.key: d.short for d in site.town.settings.departments.values()}
    assert all(specs[f"raw/{key}"].owners == [f"team:{short}"] for key, short in names.items())
    policies = {key: spec.freshness_policy for key, spec in specs.items()}
    assert policies["delivery/internet_supervision"].fail_window.to_timedelta() == timedelta(days=5)
    assert policies["delivery/publicity"].fail_window.to_timedelta() == timedelta(days=20)
    morning = policies["reports/balance"]
    assert (morning.deadline_cron, morning.timezone) == ("30 7 * * *", "Asia/Shanghai")


# ── a source is down ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_source_that_is_down_fails_its_own_check_and_no_other_raw_check(site, night_with_a_source_down):
    raw = {name: found for name, found in checks(night_with_a_source_down).items() if name.startswith("raw/")}
    failed = {name for name, (passed, _, _) in raw.items() if not passed}
    assert failed == {f"raw/{DOWN}:source_was_read"}
    _, severity, said = raw[f"raw/{DOWN}:source_was_read"]
    assert severity == "ERROR"
    assert site.town.settings.departments[DOWN].short in said


def test_all_other_sources_are_delivered_while_one_is_down(site, night_with_a_source_down):
    assert night_with_a_source_down.success
    day = site.town.county.days[1].isoformat()
    lacking = harness.compare(site.town.mocks, site.town.manifest()["expected"][day])
    assert lacking
    assert all(f"-{DOWN}-" in problem for problem in lacking)


def test_a_night_without_one_source_is_balanced_and_said_to_be_incomplete(night_with_a_source_down):
    found = checks(night_with_a_source_down)
    assert found["reports/balance:balanced"][0]
    passed, severity, said = found["reports/balance:complete"]
    assert (passed, severity) == (False, "WARN")
    assert "县行政审批局" in said


# ── a ledger that does not balance ───────────────────────────────────────────────────────────────────────────────────
def test_a_ledger_with_a_lost_outbox_row_fails_the_run_with_a_sentence_for_a_person(site, night_with_a_source_down):
    day = site.town.county.days[0].isoformat()
    with site.ledger() as ledger, ledger.begin() as conn:
        row = conn.execute(select(outbox).where(outbox.c.day == day).limit(1)).mappings().one()
        conn.execute(delete(outbox).where(outbox.c.item_key == row["item_key"]))
    try:
        result = site.run("morning_report", partition_key=day)
    finally:
        with site.ledger() as ledger, ledger.begin() as conn:
            conn.execute(insert(outbox).values(**row))
    assert not result.success
    failed = [e for e in result.all_events if e.is_step_failure]
    assert [e.step_key for e in failed] == ["reports__balance"]
    said = failed[0].step_failure_data.error.message + str(failed[0].step_failure_data.user_failure_data)
    assert f"{day} 不平衡" in said
    passed, severity, why = checks(result)["reports/balance:balanced"]
    assert (passed, severity) == (False, "ERROR")
    assert "日报" in why


# ── a backfill ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_backfill_brings_every_platform_to_the_manifests_present_content(site, backfill):
    assert backfill.success
    assert not_as_present(site) == {}


@pytest.mark.long  # twenty-one validations: two minutes of processor time
def test_a_week_never_run_before_is_one_run_to_the_present_content_and_sends_nothing_again(tmp_path_factory):
    with staged(tmp_path_factory, days=7) as site:
        days = site.town.county.days
        site.town.county.apply(days[-1])
        assert site.run(tags=range_of(days)).success
        assert not_as_present(site) == {}
        before = site.pushed()
        assert site.run(tags=range_of(days)).success
        assert site.pushed() == before > 0
        assert len(site.instance.get_runs()) == 2


def test_each_day_of_a_backfill_shows_its_own_figures_and_not_the_sum(site, backfill):
    shown = metadata(backfill, "reports/balance")
    days = site.town.county.days[2:]
    assert sorted(shown) == [day.isoformat() for day in days]
    with site.town.opened() as night:
        for day in days:
            totals = night.balance(day).totals()
            said = shown[day.isoformat()]
            assert (said["拉取"], said["接收"]) == (totals["pulled"], totals["accepted"])
    assert len({said["拉取"] for said in shown.values()}) > 1


@pytest.mark.long  # one more validation; the backfill command proves the same in the normal run
def test_a_backfill_over_days_already_delivered_sends_no_record(site, backfill):
    before = site.pushed()
    again = site.run(tags=range_of(site.town.county.days[:1]))
    assert again.success
    assert site.pushed() == before > 0
    failed = {name: said for name, (passed, _, said) in checks(again).items() if not passed}
    assert {name: said for name, said in failed.items() if ":type_" not in name} == {}


def test_a_backfill_is_few_big_runs_and_not_one_a_day(site):
    definitions = build(site.town.settings)
    sizes = {asset.backfill_policy.max_partitions_per_run for asset in definitions.assets}
    assert sizes == {31}


# ── what a failed step leaves behind ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Trap:
    """Something in the business database on which a step breaks with a stranger's error."""

    spring: str
    mend: str
    job: str
    chain_only: bool = False  # the credit platform and what follows acceptance are left out


TRAPS = {
    # the driver's words on it quote the row that was refused
    "accept": Trap(
        "CREATE TRIGGER trap BEFORE INSERT ON quarantine BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "DROP TRIGGER trap",
        "nightly",
        chain_only=True,
    ),
    "report": Trap(
        "ALTER TABLE difference RENAME TO trapped", "ALTER TABLE trapped RENAME TO difference", "morning_report"
    ),
}


@pytest.fixture(scope="module")
def failed_steps(site, backfill):
    """Runs in which a step broke, in the sources' chain and outside of it."""
    planted = [
        d
        for d in site.town.manifest()["defects"]
        if d["effect"] == "quarantine" and d["dept"] in site.town.settings.departments
    ]
    day = max(d["day"] for d in planted)
    departments = [dg.AssetKey(["raw", key]) for key in site.town.settings.departments]
    chain = [dg.AssetKey(path.split("/")) for path in ("standard/records", "quality/verdicts", "ledger/accepted")]
    results = {}
    for name, trap in TRAPS.items():
        with site.ledger() as ledger, ledger.begin() as conn:
            # as after a restored backup: what was returned that day is not known any more and is returned again
            conn.execute(text("DELETE FROM source_file WHERE day = :day"), {"day": day})
            conn.execute(text("DELETE FROM quarantine WHERE day = :day"), {"day": day})
            conn.execute(text(trap.spring))
        some = {"asset_selection": [*departments, *chain]} if trap.chain_only else {}
        results[name] = site.run(trap.job, partition_key=day, **some)
        with site.ledger() as ledger, ledger.begin() as conn:
            conn.execute(text(trap.mend))
    return results


def test_a_source_that_broke_is_said_by_name_and_the_others_go_on(failed_steps):
    passed, severity, said = checks(failed_steps["accept"])["ledger/accepted:every_source_accepted"]
    assert (passed, severity) == (False, "ERROR")
    assert "程序错误" in said
    assert "INSERT" not in said


def test_a_step_that_broke_is_told_in_chinese_with_class_and_place_only(failed_steps):
    failed = [e for e in failed_steps["report"].all_events if e.is_step_failure]
    assert failed
    for event in failed:
        said = str(event.step_failure_data.user_failure_data) + event.step_failure_data.error.to_string()
        assert "这一步因程序错误中断（OperationalError" in said
        assert "SELECT" not in said
        assert "INSERT" not in said


def test_no_personal_data_stands_in_anything_dagster_wrote(site, failed_steps):
    with (site.town.home / "lists" / "inspectors.csv").open(encoding="utf-8") as file:
        certificates = {row["cert_no"] for row in csv.DictReader(file)}
    canaries = {MOBILE, *certificates, *(invented_resident_id(n) for n in range(1000))}
    written = b"".join(path.read_bytes() for path in site.folder.rglob("*") if path.is_file())
    assert len(written) > 100_000
    assert len(canaries) > 1000
    assert [found for found in canaries if found.encode() in written] == []


def test_the_canaries_looked_for_really_stand_in_the_sources(site, backfill):
    sources = b"".join(
        path.read_bytes()
        for name in ("sources", "inbox")
        for path in (site.town.home / name).rglob("*.*")
        if path.is_file()
    )
    assert MOBILE.encode() in sources
    assert any(invented_resident_id(n).encode() in sources for n in range(1000))


# ── when, and how it is shown ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "cron", "job", "clock"),
    [("nightly_0130", "30 1 * * *", "nightly", (1, 30)), ("morning_0630", "30 6 * * *", "morning_report", (6, 30))],
)
def test_a_schedule_takes_yesterdays_partition_in_county_time(site, name, cron, job, clock):
    definitions = build(site.town.settings)
    schedule = definitions.resolve_schedule_def(name)
    assert (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name) == (cron, "Asia/Shanghai", job)
    # 01:30 in Beijing is still the day before in UTC: a schedule that thought in UTC would take the wrong day
    at = datetime(2026, 11, 23, *clock, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance, at, repository_def=definitions.get_repository_def()) as context,
    ):
        requests = schedule.evaluate_tick(context).run_requests
    assert [(r.partition_key, r.run_key) for r in requests] == [("2026-11-22", "2026-11-22")]
    assert CHINESE.search(schedule.description)


def test_every_asset_check_and_job_is_described_in_chinese_with_group_and_kind(site):
    definitions = build(site.town.settings)
    for asset in definitions.assets:
        spec = next(iter(asset.specs))
        assert CHINESE.search(spec.description), spec.key
        assert re.match(r"[0-8]_\w+$", spec.group_name), spec.key
        assert spec.kinds, spec.key
        assert all(CHINESE.search(check.description) for check in asset.check_specs), spec.key
    assert all(CHINESE.search(job.description) for job in definitions.jobs)
    names = {d.short for d in site.town.settings.departments.values()}
    described = " ".join(next(iter(asset.specs)).description for asset in definitions.assets)
    assert all(name in described for name in names)


def test_groups_sort_in_the_order_in_which_a_night_runs(site):
    assets = {next(iter(a.specs)).key: next(iter(a.specs)) for a in build(site.town.settings).assets}
    for spec in assets.values():
        for dep in spec.deps:
            assert assets[dep.asset_key].group_name <= spec.group_name


def test_importing_the_definitions_costs_no_data_library(site):
    heavy = ("great_expectations", "pandas", "sqlalchemy", "pyarrow.compute", "jinja2", "requests")
    code = f"import sys, zz_pipeline.definitions as d; d.defs(); print([m for m in {heavy} if m in sys.modules])"
    plain = f"import sys, dagster; print([m for m in {heavy} if m in sys.modules])"
    env = os.environ | site.town.env
    said = [
        subprocess.run([sys.executable, "-c", c], env=env, cwd=harness.ROOT, capture_output=True, text=True, check=True)
        for c in (code, plain)
    ]
    ours, theirs = (one.stdout.strip() for one in said)
    assert ours == theirs
    assert "great_expectations" not in ours
