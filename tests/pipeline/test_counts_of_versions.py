"""The counts that the rules over time read say of any course of versions what reading all versions again would say.

Belongs here: `ledger/counts.py`, what of it `ledger/history.py` reads, the step 0006. Must not: the rules themselves.
The oracle is the reading that the check did before there were counts: every version of the time, parsed.
"""

import ast
import datetime as dt
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import orjson
import pyarrow as pa
import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from zz_pipeline.history import SHARE_FIELDS
from zz_pipeline.ledger.db import MIGRATIONS, Ledger
from zz_pipeline.ledger.history import history
from zz_pipeline.ledger.payload import content
from zz_pipeline.ledger.renumber import renumber
from zz_pipeline.ledger.schema import code_count, metadata, record_version, subject_check
from zz_pipeline.ledger.versions import Change, Source, Target, heads_of, write_versions
from zz_pipeline.settings import Limits

ROOT = Path(__file__).resolve().parents[2]
BATCH = pa.schema([("record_key", pa.string()), ("uscc", pa.string()), ("inspect_date", pa.date32())])
DEPTS, SUBJECTS, YEARS = ("SCJG", "WJJ"), ("91610124YY000001XB", "91610124YY0000028X"), (2025, 2026)
DAYS = tuple(dt.date(2025, 12, 1) + dt.timedelta(days=n) for n in (0, 5, 30, 31, 32, 50, 90, 200))
LIMITS = Limits()


# ── the oracle ──────────────────────────────────────────────────────────────────────────────────────────────────────
def read_again(conn, day):
    """(checks, shares) of all departments before `day`, from the versions themselves."""
    since = day - dt.timedelta(weeks=LIMITS.weeks)
    start = min(since, day.replace(month=1, day=1)).isoformat()
    v = record_version.c
    query = select(v.owner_dept, v.record_key, v.day, v.payload)
    checks, shares = {}, Counter()
    for dept, key, on, payload in conn.execute(
        query.where(v.kind == "inspection", v.day >= start, v.day < day.isoformat())
    ):
        said = orjson.loads(bytes(payload))
        if said.get("uscc") and said.get("inspect_date") and said.get("check_kind") != "个案检查":
            checks.setdefault((dept, said["uscc"], int(said["inspect_date"][:4])), set()).add(key)
        if on >= since.isoformat():
            for item in said.get("items") or ():
                for name in SHARE_FIELDS:
                    code = item.get(name) if name in item else said.get(name)
                    shares[dept, name, code] += 1 if code else 0
    return {k: len(keys) for k, keys in checks.items()}, {k: n for k, n in shares.items() if n}


# ── any course of versions ──────────────────────────────────────────────────────────────────────────────────────────
items = st.lists(st.fixed_dictionaries({"result": st.sampled_from(("NO_ISSUE", "PENDING", None))}), max_size=3)
contents = st.fixed_dictionaries(
    {
        "uscc": st.sampled_from((*SUBJECTS, None)),
        "inspect_date": st.sampled_from(("2025-11-30", "2025-12-31", "2026-01-01", None)),
        "check_kind": st.sampled_from(("重点检查", "个案检查", None)),
        "object_type": st.sampled_from(("1", "2")),
        "items": items,
    }
)
steps = st.tuples(
    st.sampled_from(("write", "write", "write", "together", "withdraw", "renumber", "undone", "rating")),
    st.sampled_from(DEPTS), st.integers(0, 3), st.sampled_from(DAYS), contents, contents,
)  # fmt: skip


class Undone(Exception):
    pass


def ready(*_):
    return SimpleNamespace(state="READY", op="PUBLISH", reason="", rule="", not_before=None, due=None)


def write(conn, kind, dept, day, changes):
    frame = Source(1, kind, dept, dept, day, None, "r", 1, 1)
    heads = heads_of(conn, kind, [c.content.record_key for c in changes])
    write_versions(conn, frame, changes, heads, [Target("one", False)], ready, now=1.0, zone_offset=0.0)


def act(conn, step):
    what, dept, n, day, said, other = step
    key = f"610124-{dept}-{n}"
    change = Change(content(key, said, None, None, None), "WITHDRAW" if what == "withdraw" else "PUBLISH")
    if what == "renumber":
        head = heads_of(conn, "inspection", [key]).get(key)
        if head:
            renumber(conn, "inspection", key, head.version, head.version + 3, "test")
        return
    second = [Change(content(f"610124-{dept}-9", other, None, None, None))] if what == "together" else []
    write(conn, "rating" if what == "rating" else "inspection", dept, day, [change, *second])


def run(ledger, course):
    with ledger.begin() as conn:
        for table in reversed(metadata.sorted_tables):
            if table.name != "audit_event":
                conn.execute(table.delete())
    for step in course:
        try:
            with ledger.begin() as conn:
                act(conn, step)
                if step[0] == "undone":
                    raise Undone
        except Undone:
            pass


def told(ledger, day, dept, subjects, years):
    rows = [{"record_key": "x", "uscc": s, "inspect_date": dt.date(y, 6, 1)} for s in subjects for y in years]
    found = history(ledger, [(pa.Table.from_pylist(rows, BATCH), dept)], day, LIMITS)
    checks = {(r["dept"], r["subject"], r["year"]): r["checks"] for r in found.checks.to_pylist()}
    return checks, {(r["dept"], r["field"], r["code"]): r["rows"] for r in found.shares.to_pylist()}


def disagreements(ledger):
    """(day, department) for which the kept counts are not what reading all versions says."""
    found = []
    for day in (*DAYS[1:], dt.date(2026, 7, 1), dt.date(2027, 1, 2)):
        with ledger.read() as conn:
            checks, shares = read_again(conn, day)
        for dept in DEPTS:
            wanted = tuple({k: n for k, n in counted.items() if k[0] == dept} for counted in (checks, shares))
            one = {k: n for k, n in checks.items() if k == (dept, SUBJECTS[0], 2026)}
            alone = told(ledger, day, dept, SUBJECTS[:1], [2026])[0]
            if told(ledger, day, dept, SUBJECTS, YEARS) != wanted or alone != one:
                found.append((day, dept))
    return found


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger(request, tmp_path_factory):
    if request.param == "sqlite":
        made = Ledger(f"sqlite:///{tmp_path_factory.mktemp('counts') / 'ledger.db'}")
    else:
        made = Ledger(request.getfixturevalue("postgres").database())
    made.migrate()
    yield made
    made.close()


@settings(max_examples=25, deadline=None)
@given(course=st.lists(steps, min_size=1, max_size=12))
def test_counts_say_after_any_course_of_versions_what_reading_all_of_them_says(ledger, course):
    run(ledger, course)
    assert disagreements(ledger) == []


@pytest.mark.long
@settings(max_examples=600, deadline=None)
@given(course=st.lists(steps, min_size=1, max_size=25))
def test_counts_say_after_many_long_courses_what_reading_all_versions_says(ledger, course):
    run(ledger, course)
    assert disagreements(ledger) == []


@settings(max_examples=4, deadline=None)
@given(course=st.lists(steps, min_size=6, max_size=12))
def test_an_upgrade_finds_in_the_versions_the_counts_that_were_kept_while_they_were_written(ledger, course):
    run(ledger, course)
    kept = counted(ledger)
    moved(ledger, command.downgrade, "0005")
    moved(ledger, command.upgrade, "head")
    assert counted(ledger) == kept
    assert disagreements(ledger) == []


def counted(ledger):
    with ledger.read() as conn:
        return [sorted(tuple(row) for row in conn.execute(select(table))) for table in (subject_check, code_count)]


def moved(ledger, step, to):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with ledger.begin() as conn:
        config.attributes["connection"] = conn
        step(config, to)


# ── one place writes ────────────────────────────────────────────────────────────────────────────────────────────────
def writers(source):
    """Whether a module inserts, changes or deletes rows of record_version, by its own name or another."""
    tree = ast.parse(source)
    names = {"record_version"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == "record_version":
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        verb = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if verb in ("insert", "update", "delete", "write") and names & {getattr(arg, "id", "") for arg in call.args}:
            return True
    return any(f"{verb} record_version" in source for verb in ("INSERT INTO", "UPDATE", "DELETE FROM"))


def test_versions_are_written_in_one_place_and_renumbering_changes_neither_day_nor_content():
    modules = [p for p in (ROOT / "zz_pipeline").rglob("*.py") if "migrations" not in p.parts]
    found = {p.relative_to(ROOT / "zz_pipeline").as_posix() for p in modules if writers(p.read_text("utf-8"))}
    # the measurement fills a ledger and its counts by hand; that they agree is looked at in test_large_ledger
    assert found == {"ledger/versions.py", "ledger/renumber.py", "bench/known.py"}
