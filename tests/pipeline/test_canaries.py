"""Ten thousand invented persons and all secrets go through a night and its repeat, and stand in nothing that people or logs see.

Belongs here: fault 62, over Dagster and the command line. Must not: how values are drawn and found (canary_town).
Allowed to hold them: the archive, the ledger's frozen contents, the hand-over between steps, the department's own list, the wire.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import inspect, text

from tests.pipeline import canary_town as town_of
from tests.pipeline import harness
from tests.pipeline import test_new_department as new
from zz_pipeline.definitions import build
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.settings import load_settings

RECORDS = 300
WEBHOOK = "canary-webhook-key-00000001"
PASSWORD = "canary-smtp-password-00000001"
# What keeps records as they came, for proof: nobody reads it but the pipeline (mode 0600 below a folder of 0700).
FROZEN = {
    ("record_version", "payload"), ("outbox", "wire"), ("batch", "body"),
    ("receipt", "raw"),  # the platform's own words, kept as proof
    # where a record came from: a file's name as it was, masked wherever it is shown
    ("source_file", "name"), ("source_file", "archived"), ("intake", "files"), ("record_version", "source_file"),
    ("quarantine", "source_file"), ("quarantine", "unit"),
}  # fmt: skip


@dataclass
class Night:
    """A town whose first night Dagster ran and whose second the command did, with everything they said."""

    town: harness.Town
    canaries: town_of.Canaries
    folder: Path
    dagster: Path
    logs: io.StringIO
    said: dict[str, str] = field(default_factory=dict)
    success: bool = False

    def zz(self, *args: str) -> str:
        done = self.town.zz(*args)
        self.said[" ".join(args)] = done.stdout + done.stderr
        return done.stdout


def nightly_job() -> dg.JobDefinition:
    """As Dagster's run worker builds it."""
    return build(load_settings()).resolve_job_def("nightly")


def _prepare(canaries, county, config):
    day = county.days[-1]
    (config / "departments" / f"{new.KEY}.toml").write_text(town_of.configuration(), "utf-8")
    new._append_map(config / "codes" / "departments" / f"{new.KEY}.csv")
    new._credentials(county)
    new._lists(county, day)
    found = list(town_of.rows(canaries, day, RECORDS))
    town_of.workbook(county.dir / "inbox" / new.KEY / f"核查流水{day:%Y%m%d}经办{canaries.take('mobile')}.xlsx", found)
    path = config / "county.toml"
    mail = 'smtp_host = "127.0.0.1"\nsmtp_security = "tls"\nsmtp_port = 9\nmail_from = "zz@example.gov.cn"\nmail_to = ["a@example.gov.cn"]\n'
    said = re.sub(r"(?m)^(smtp_host|smtp_port|smtp_security|mail_from|mail_to) =.*\n", "", path.read_text("utf-8"))
    path.write_text(said.replace("[alerts]", f"[alerts]\n{mail}#", 1), "utf-8")


@contextlib.contextmanager
def _overheard(into: io.StringIO):
    """Every log record of this process, from INFO on, of any library."""
    handler = logging.StreamHandler(into)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@contextlib.contextmanager
def _environment(values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder, canaries = tmp_path_factory.mktemp("canaries"), town_of.Canaries()
    dagster, scratch = folder / "dagster", folder / "tmp"
    dagster.mkdir()
    scratch.mkdir()
    shutil.copy(harness.ROOT / "dagster.yaml", dagster)
    reporting = ("SCJG", "HBJ", "KGJ", new.KEY)
    prepare = lambda county, config: _prepare(canaries, county, config)  # noqa: E731 - a partial with its order
    with harness.town(folder / "town", seed=7, scale=0.05, reporting=reporting, prepare=prepare) as town:
        secrets = town.home / "secrets.toml"
        alerts = f'\n[alerts]\nsmtp_user = "zz"\nsmtp_password = "{PASSWORD}"\nwebhook_url = "http://127.0.0.1:9/send?key={WEBHOOK}"\n'
        secrets.write_text(secrets.read_text("utf-8") + alerts, "utf-8")
        town_of.remember(canaries, secrets)
        town.county.apply(town.county.days[-1])
        found = Night(town, canaries, folder, dagster, io.StringIO())
        before, tempfile.tempdir = tempfile.tempdir, str(scratch)
        try:
            with _overheard(found.logs), _environment(town.env | {"DAGSTER_HOME": str(dagster)}):
                _play(found)
        finally:
            tempfile.tempdir = before
        yield found


def _play(night: Night) -> None:
    day = night.town.county.days[-1].isoformat()
    spoken = io.StringIO()
    with (
        contextlib.redirect_stdout(spoken),
        contextlib.redirect_stderr(spoken),
        dg.DagsterInstance.from_config(str(night.dagster)) as instance,
        dg.execute_job(dg.reconstructable(nightly_job), instance, tags={"dagster/partition": day}) as done,
    ):
        night.success = done.success
    night.said["dagster"] = spoken.getvalue()
    bad = f"610124-{new.KEY}-X-9000"
    for command in (
        f"sync --day {day}", "today", "status", "departments", "due", "alerts --send", "alerts --send --again", f"report --day {day}",
        f"balance --day {day} --json", "quarantine list", "quarantine list --json", f"quarantine show {bad}", "codes unknown",
        "codes unknown --json", "doctor --json", f"reconcile --day {day} --all --plan --json", f"why 610124-{new.KEY}-X-0001",
        f"trace 610124-{new.KEY}-X-0001", f"trace {bad}", "audit verify", f"bulletin day --day {day}", f"bulletin month --day {day}",
        f"audit export --from 2026-01-01 --to 2099-12-31 --out {night.folder}/audit.jsonl", f"backfill {day} {day} --dry-run --json",
        f"withdraw 610124-{new.KEY}-X-0002 --reason REVOKED --basis 证件{night.canaries.take('resident')} --by 张某 --approved-by 李某 --send",
    ):  # fmt: skip
        night.zz(*command.split())


def places(night: Night) -> dict[str, str]:
    """Everything that must hold no canary: where → its text."""
    found = {f"zz {command}": said for command, said in night.said.items()}
    found["log"] = night.logs.getvalue()
    state = [p for p in night.town.home.iterdir() if p.name in ("reports", "locks", "ledger.mark")]
    open_ones = [night.dagster, night.folder / "tmp", night.folder / "audit.jsonl", *state]
    for top in open_ones:
        for path in [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file()):
            found[str(path.relative_to(night.folder))] = "\n".join(town_of.texts(path))
            found[f"name of {path.name}"] = path.name
    return found | ledger(night)


def ledger(night: Night, wanted: set[tuple[str, str]] | None = None) -> dict[str, str]:
    """The ledger's columns but for those that keep records as they are; or the wanted ones."""
    made, found = Ledger(night.town.settings.ledger_url), {}
    with made.read() as conn:
        for table in inspect(conn).get_table_names():
            for row in conn.execute(text(f'select * from "{table}"')).mappings():
                for name, value in row.items():
                    if value is not None and ((table, name) in wanted if wanted else (table, name) not in FROZEN):
                        said = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                        found[f"ledger {table}.{name}"] = found.get(f"ledger {table}.{name}", "") + said + "\n"
    made.close()
    return found


def test_fault_62_ten_thousand_canaries_went_through_both_nights(night):
    assert night.canaries.count > 10_000
    assert night.success
    assert (
        "平衡" in night.said[f"balance --day {night.town.county.days[-1]} --json"]
        or '"balanced": true' in night.said[f"balance --day {night.town.county.days[-1]} --json"]
    )
    shown = night.said["quarantine list --json"]
    assert shown.count(f'"{new.KEY}"') > 15  # bad records of many sorts were returned


def test_fault_62_no_canary_stands_in_what_people_read_or_logs_keep(night):
    leaks = {where: sorted(hits)[:4] for where, said in places(night).items() if (hits := night.canaries.found(said))}
    assert leaks == {}


def test_fault_62_what_may_hold_them_is_nobody_elses_to_read(night):
    holding = [
        p
        for p in night.town.home.rglob("*")
        if p.is_file() and p.parts[len(night.town.home.parts)] in ("archive", "returned", "work")
    ]
    assert len(holding) > 5
    assert [str(p) for p in holding if p.stat().st_mode & 0o077] == []


def test_fault_62_no_secret_is_on_any_wire_and_no_number_or_home_reaches_the_public_site(night):
    frozen = ledger(night, FROZEN)
    sent = "\n".join(frozen[f"ledger {table}.{column}"] for table, column in (("batch", "body"), ("outbox", "wire")))
    assert "X-0001" in sent
    kinds = night.canaries.planted
    assert [s for s in kinds["secret"] if s in sent] == []
    public = str(night.town.mocks.ledger("publicity", history=True))
    assert "X-0001" in public
    hits = night.canaries.found(public) - kinds["name"]
    assert hits == set()


def test_the_search_finds_a_canary_however_it_is_written(night):
    someone, number = min(night.canaries.planted["name"]), min(night.canaries.planted["resident"])
    escaped = "".join(f"\\u{ord(c):04x}" for c in someone)
    for said in (f"见{someone}。", escaped, f"x{number}y", f"00{number}", f"<td>{someone}&nbsp;</td>", WEBHOOK):
        assert night.canaries.found(said), said
    assert night.canaries.found("未发现问题 610124202611209901 周某 6****************X") == set()
