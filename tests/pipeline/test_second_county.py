"""A second county: configuration outside the checkout, PostgreSQL as ledger, the command line only.

The same seed gives the same county, so its platforms must end with what those of the SQLite county end with.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from tests.pipeline import harness
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.schema import metadata, outbox, record_version

DAYS, SCALE, SEED = 2, 0.2, 47
ZZ = str(Path(sys.executable).parent / "zz")

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def second(tmp_path_factory, postgres):
    """The county after two nights by `zz sync`; the second night was started twice at the same moment."""
    folder = tmp_path_factory.mktemp("second")
    config = folder / "elsewhere" / "county"
    written = subprocess.run([ZZ, "init", str(config)], capture_output=True, text=True, cwd=folder)
    assert written.returncode == 0, written.stderr
    use_ledger(config, postgres.database())
    with harness.town(folder, seed=SEED, days=DAYS, scale=SCALE, config=config, reporting=harness.ONE_OF_EACH) as town:
        first, last = town.county.days
        town.county.apply(first)
        town.codes = {first: [sync(town, first)]}
        town.after_first = harness.compare(town.mocks, town.manifest()["expected"][first.isoformat()])
        town.county.apply(last)
        twice = [start(town, last), start(town, last)]
        town.codes[last] = [ended(process) for process in twice]
        town.codes["afterwards"] = [sync(town, last)]
        yield town


def use_ledger(config, url):
    path = config / "county.toml"
    text, count = re.subn(r'(?m)^ledger_url = ".*?"', f'ledger_url = "{url}"', path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, "utf-8")


def start(town, day):
    command = [ZZ, "sync", "--day", day.isoformat(), "--json"]
    return subprocess.Popen(
        command, env=os.environ | town.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process):
    said, problems = process.communicate(timeout=300)
    return process.returncode, said, problems


def sync(town, day):
    """The same command within this process, which has Great Expectations loaded."""
    done = town.zz("sync", "--day", day.isoformat(), "--json")
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def sqlite_town(tmp_path_factory):
    """The same county with the checkout's configuration and SQLite, its nights run in this process."""
    with harness.town(
        tmp_path_factory.mktemp("first"), seed=SEED, days=DAYS, scale=SCALE, reporting=harness.ONE_OF_EACH
    ) as town:
        for day in town.county.days:
            town.county.apply(day)
            town.night(day)
        yield town


def test_a_county_written_by_zz_init_runs_its_nights_on_postgresql(second):
    first, _ = second.county.days
    ((code, said, problems),) = second.codes[first]
    assert code == 0, (said[-2000:], problems[-2000:])
    assert second.after_first == []
    assert second.settings.ledger_url.startswith("postgresql")
    assert harness.ROOT not in second.config.parents


def test_two_runs_at_the_same_moment_end_without_a_defect(second):
    _, last = second.county.days
    for code, said, problems in second.codes[last]:
        assert code in (0, 3), (code, said[-3000:], problems[-3000:])
        assert "程序" not in said + problems
        assert "Traceback" not in problems
    ((code, said, problems),) = second.codes["afterwards"]
    assert code == 0, (said[-3000:], problems[-3000:])


def test_the_platforms_end_as_the_manifest_says(second):
    _, last = second.county.days
    assert harness.compare(second.mocks, second.manifest()["expected"][last.isoformat()]) == []


def test_the_platforms_end_as_those_of_the_sqlite_county(second, sqlite_town):
    for platform in harness.PLATFORMS:
        assert harness.held(second.mocks, platform) == harness.held(sqlite_town.mocks, platform)


def test_both_ledgers_hold_the_same_versions_and_decisions(second, sqlite_town):
    assert versions(second) == versions(sqlite_town)


def versions(town):
    keys = ("kind", "record_key", "version")
    join = [outbox.c[name] == record_version.c[name] for name in keys]
    columns = (outbox.c.platform, *(record_version.c[n] for n in (*keys, "op", "owner_dept", "day", "digest")))
    query = select(*columns, outbox.c.state).join_from(outbox, record_version, join[0] & join[1] & join[2])
    with town.opened() as night, night.ledger.read() as conn:
        return sorted(tuple(row) for row in conn.execute(query))


def test_two_runs_at_the_same_moment_double_nothing(second):
    for platform in harness.PLATFORMS:
        history = second.mocks.ledger(platform, history=True)
        stored = Counter((row["kind"], row["key"], row["version"], row["state"], row["hash"]) for row in history)
        assert stored
        assert {key: n for key, n in stored.items() if n > 1} == {}
        bodies = Counter(
            line["body"] for line in second.mocks.wire(platform) if line["method"] == "POST" and line["keys"]
        )
        assert {body: n for body, n in bodies.items() if n > 1} == {}


def test_the_audit_chain_is_whole_after_two_writers(second):
    with second.opened() as night, night.ledger.read() as conn:
        state = audit.verify(conn)
    assert state.events > 50
    assert state.broken_at is None


def test_the_migrations_lead_to_the_tables_that_the_code_declares(second):
    with second.opened() as night, night.ledger.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_postgresql_refuses_a_version_that_another_department_would_submit(second):
    change = {"record_key": "610124-SCJG-9", "owner_dept": "SCJG", "submit_dept": "WJJ"}
    with pytest.raises(IntegrityError, match="owner_is_submitter"):
        write_like(second, record_version, change)


@pytest.mark.parametrize("state", ["READY", "CONFIRMED", "HELD"])
def test_postgresql_refuses_a_risk_rating_on_its_way_to_the_public(second, state):
    with pytest.raises(IntegrityError, match="risk_is_never_public"):
        write_like(second, outbox, ANOTHER | {"public": True, "scheme": "RISK", "state": state})


def test_postgresql_refuses_a_state_that_the_protocol_does_not_know(second):
    with pytest.raises(IntegrityError, match="known_state"):
        write_like(second, outbox, ANOTHER | {"state": "SENT"})


ANOTHER = {"platform": "another", "item_key": "0" * 64}


def write_like(town, table, change):
    """Insert a row that is there once more, with this change."""
    with town.opened() as night, night.ledger.begin() as conn:
        row = dict(conn.execute(select(table).limit(1)).mappings().one())
        conn.execute(insert(table).values(**row | change))
