"""What the check learns of earlier nights: from a real ledger, and only from days before the checked one."""

import datetime as dt
from types import SimpleNamespace

import pyarrow as pa
import pytest
from sqlalchemy import insert

from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.history import history
from zz_pipeline.ledger.payload import content
from zz_pipeline.ledger.schema import intake
from zz_pipeline.ledger.versions import Change, Source, Target, heads_of, write_versions
from zz_pipeline.settings import Limits

DAY = dt.date(2026, 11, 20)
BATCH = pa.schema([("record_key", pa.string()), ("uscc", pa.string()), ("inspect_date", pa.date32())])
KEY, COMPANY = "610124-SCJG-1", "91610124YY000001XB"


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


def ready(kind, payload, platform, facts):
    return SimpleNamespace(state="READY", op="PUBLISH", reason="", rule="", not_before=None, due=None)


def put(ledger, key=KEY, version=1, day="2026-11-19", items=("NO_ISSUE",), **changes):
    said = {"uscc": COMPANY, "inspect_date": "2026-11-18", "finish_date": "2026-11-18", "check_kind": "重点检查"}
    said |= {"entered_at": "2026-11-18 10:00:00", "object_type": "1", **changes}
    said["items"] = [{"item_code": f"I{n}", "result": result, "follow_up": None} for n, result in enumerate(items)]
    frame = Source(1, "inspection", "SCJG", "SCJG", dt.date.fromisoformat(day), None, "r", 1, 1)
    with ledger.begin() as conn:
        heads = heads_of(conn, "inspection", [key])
        assert version == (heads[key].version if heads else 0) + 1
        changes = [Change(content(key, said, None, None, None))]
        write_versions(conn, frame, changes, heads, [Target("one", False)], ready, now=1.0, zone_offset=0.0)


def read_in(ledger, day, pulled, state="OK"):
    with ledger.begin() as conn:
        conn.execute(
            insert(intake).values(day=day, dept="SCJG", kind="inspection", state=state, pulled=pulled, started_at=1.0)
        )


def known(ledger, *keys, years=(2026,)):
    """The past of a batch of these records of one company, checked in these years."""
    rows = [{"record_key": key, "uscc": COMPANY, "inspect_date": dt.date(y, 11, 20)} for key in keys for y in years]
    return history(ledger, [(pa.Table.from_pylist(rows, BATCH), "SCJG")], DAY, Limits())


def test_the_newest_version_before_the_day_is_told_item_by_item(ledger):
    put(ledger, items=("PENDING",), day="2026-11-18")
    put(ledger, version=2, items=("REFUSED", "NO_ISSUE"))
    put(ledger, version=3, items=("PENDING",), day="2026-11-20")

    rows = known(ledger, KEY, "610124-SCJG-2").versions.to_pylist()

    assert [(r["item_code"], r["stage"], r["finish_date"]) for r in rows] == [
        ("I0", 1, "2026-11-18"),
        ("I1", None, "2026-11-18"),
    ]


def test_checks_of_a_year_count_a_record_once_and_leave_out_complaints(ledger):
    put(ledger)
    put(ledger, version=2)
    put(ledger, key="610124-SCJG-2")
    put(ledger, key="610124-SCJG-3", check_kind="个案检查")
    put(ledger, key="610124-SCJG-4", inspect_date="2025-12-31")
    put(ledger, key="610124-SCJG-5", day="2026-11-20")

    rows = known(ledger, KEY, years=(2025, 2026)).checks.to_pylist()

    assert {(r["dept"], r["subject"], r["year"]): r["checks"] for r in rows} == {
        ("SCJG", COMPANY, 2026): 2,
        ("SCJG", COMPANY, 2025): 1,
    }


def test_volumes_are_the_good_readings_of_the_last_weeks(ledger):
    read_in(ledger, "2026-11-13", 40)
    read_in(ledger, "2026-11-13", 2)
    read_in(ledger, "2026-11-06", 7, "FAILED")
    read_in(ledger, "2026-08-01", 9)
    read_in(ledger, "2026-11-20", 9)

    assert known(ledger, KEY).volumes.to_pylist() == [{"dept": "SCJG", "day": dt.date(2026, 11, 13), "units": 40}]


def test_shares_count_codes_as_often_as_they_stood_in_rows(ledger):
    put(ledger, items=("NO_ISSUE", "CORRECTED"))
    put(ledger, key="610124-SCJG-9", day="2026-06-01")

    counts = {(r["field"], r["code"]): r["rows"] for r in known(ledger, KEY).shares.to_pylist()}

    assert counts == {
        ("result", "NO_ISSUE"): 1,
        ("result", "CORRECTED"): 1,
        ("check_kind", "重点检查"): 2,
        ("object_type", "1"): 2,
    }


def test_an_empty_ledger_gives_an_empty_past(ledger):
    found = known(ledger, KEY)

    assert [t.num_rows for t in (found.versions, found.checks, found.volumes, found.shares)] == [0, 0, 0, 0]
