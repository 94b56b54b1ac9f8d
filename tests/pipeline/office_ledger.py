"""An invented ledger for the bulletins: rows written as acceptance, delivery and checks write them, at chosen moments.

Belongs here: placing rows. Must not: figures, expectations.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime, timedelta

from sqlalchemy import insert, select, update

from tests.delivery.bench import settings_for
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake, outbox, quarantine, record_head, record_version
from zz_pipeline.night import Night

DAY, AS_OF = date(2026, 11, 20), date(2026, 11, 23)  # a Friday, and the Monday after it
PLATFORMS = ("double_random", "internet_supervision", "publicity")
EVIL = ("=cmd|'/c calc'!A1.csv#3", '=HYPERLINK("样例","点我")', "+1+1", "-2+3", "@SUM(1,1)")


def at(day, clock="01:30:00"):
    """Unix seconds of a Beijing wall time."""
    return datetime.fromisoformat(f"{day}T{clock}+08:00").timestamp()


class Rows:
    """Writes rows into a ledger; every record has one version and a row on each platform."""

    def __init__(self, ledger):
        self.ledger = ledger

    def record(
        self, dept, number, day=DAY, *, kind="inspection", states=None, due="2026-12-10", taken=None, done=None, **more
    ):
        """One accepted record. states: platform → state; taken: when accepted; done: when last moved; both Unix seconds."""
        key = f"610124-{dept}-{number}" if kind == "inspection" else number
        taken = taken or at(day + timedelta(days=1))
        version = {
            "kind": kind,
            "record_key": key,
            "version": 1,
            "op": "PUBLISH",
            "owner_dept": dept,
            "submit_dept": dept,
        }
        version |= {"day": day.isoformat(), "digest": "0" * 64, "payload": b"{}", "rule_set": "rules", "reason": ""}
        head = {
            "kind": kind,
            "record_key": key,
            "version": 1,
            "digest": "0" * 64,
            "owner_dept": dept,
            "twin": key,
            "withdrawn": False,
        }
        with self.ledger.begin() as conn:
            conn.execute(insert(record_version).values(**version, changed_at=more.get("changed"), accepted_at=taken))
            conn.execute(insert(record_head).values(**head))
            for platform in PLATFORMS:
                state = (states or {}).get(platform, "CONFIRMED")
                row = {
                    "platform": platform,
                    "kind": kind,
                    "record_key": key,
                    "version": 1,
                    "dept": dept,
                    "op": "PUBLISH",
                }
                row |= {"day": day.isoformat(), "scheme": "", "public": platform == "publicity", "state": state}
                row |= {
                    "item_key": f"{platform}{key}",
                    "due": due,
                    "updated_at": done or taken,
                    "reason": more.get("reason", ""),
                }
                conn.execute(insert(outbox).values(**row))
        return key

    def newer(self, key, platform, day):
        """A second version of a record, confirmed on one platform."""
        with self.ledger.begin() as conn:
            old = dict(conn.execute(select(record_version).where(record_version.c.record_key == key)).mappings().one())
            conn.execute(insert(record_version).values(**old | {"version": 2, "op": "CORRECT", "day": day.isoformat()}))
            conn.execute(update(record_head).where(record_head.c.record_key == key).values(version=2))
            where = (outbox.c.record_key == key) & (outbox.c.platform == platform)
            row = dict(conn.execute(select(outbox).where(where)).mappings().one())
            more = {"version": 2, "op": "CORRECT", "state": "CONFIRMED", "day": day.isoformat(), "item_key": f"{key}2"}
            conn.execute(insert(outbox).values(**row | more))

    def many(self, count, first, days, depts):
        """So many confirmed records, spread over days and departments, as plain as they can be."""
        raw = self.ledger.engine.raw_connection()
        raw.execute("PRAGMA synchronous = OFF")
        raw.execute("PRAGMA cache_size = -400000")
        stamp = at(first + timedelta(days=days))

        def one(n):
            day, dept = (first + timedelta(days=n % days)).isoformat(), depts[n * len(depts) // count]
            return f"610124-{dept}-{n:09d}", dept, day

        versions = ((key, dept, dept, day, b"x" * 600, stamp) for key, dept, day in map(one, range(count)))
        raw.executemany(
            "INSERT INTO record_version (kind, record_key, version, op, owner_dept, submit_dept, day, digest, payload,"
            " rule_set, reason, accepted_at) VALUES ('inspection', ?, 1, 'PUBLISH', ?, ?, ?, '0', ?, 'r', '', ?)", versions,
        )  # fmt: skip
        raw.executemany(
            "INSERT INTO record_head (kind, record_key, version, digest, owner_dept, withdrawn, twin)"
            " VALUES ('inspection', ?, 1, '0', ?, 0, ?)", ((key, dept, key) for key, dept, _ in map(one, range(count))),
        )  # fmt: skip
        for platform in PLATFORMS:
            rows = ((platform, key, dept, day, f"{platform}{key}", stamp) for key, dept, day in map(one, range(count)))
            raw.executemany(
                "INSERT INTO outbox (platform, kind, record_key, version, dept, day, op, scheme, public, state, reason, rule,"
                " item_key, due, not_before, epoch, tries, next_at, absences, receipt, remote_code, updated_at) VALUES"
                " (?, 'inspection', ?, 1, ?, ?, 'PUBLISH', '', 0, 'CONFIRMED', '', '', ?, '2026-12-01', 0, 0, 1, 0, 0, '', '', ?)",
                rows,
            )  # fmt: skip
        raw.commit()
        raw.close()

    def returned(
        self,
        dept,
        unit,
        day=DAY,
        *,
        rule="INS-003",
        field="uscc",
        value="错",
        settled=None,
        by="更正后已接收",
        severity="ERROR",
    ):
        """One finding on a unit."""
        row = {"intake_id": 1, "day": day.isoformat(), "dept": dept, "kind": "inspection", "unit": unit, "rule": rule}
        row |= {"field": field, "value": value, "message": "样例", "severity": severity, "opened_at": at(day)}
        with self.ledger.begin() as conn:
            conn.execute(insert(quarantine).values(**row, settled_at=settled, settled_by=by if settled else ""))

    def read(self, dept, day=DAY, state="OK", kind="inspection"):
        """One reading of a source."""
        with self.ledger.begin() as conn:
            conn.execute(
                insert(intake).values(day=day.isoformat(), dept=dept, kind=kind, state=state, started_at=at(day))
            )


@contextmanager
def an_empty_ledger(folder):
    """(night, rows) over an empty ledger on the morning of AS_OF."""
    clock = at(AS_OF, "09:00:00")
    settings = settings_for(folder, {})
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    ledger.migrate()
    try:
        yield Night(settings, ledger, "office", clock=lambda: clock), Rows(ledger)
    finally:
        ledger.close()


@contextmanager
def a_county(folder):
    """A night over a week with something of everything, and texts that try to be formulas and scripts."""
    with an_empty_ledger(folder) as (night, rows):
        for dept in night.settings.departments:
            for n in range(7):
                rows.read(dept, DAY - timedelta(days=4) + timedelta(days=n), "NONE" if dept == "XCB" else "OK")
        for n in range(12):
            rows.record("SCJG", f"S{n:03d}", DAY - timedelta(days=n % 5))
            rows.record("HBJ", f"H{n:03d}", DAY - timedelta(days=n % 9), taken=at(AS_OF), done=at(AS_OF))
        held = {"internet_supervision": "HELD", "publicity": "UNKNOWN"}
        rows.record("SCJG", "overdue", states=held, due="2026-11-20", reason=EVIL[1])
        rows.record("HBJ", "near", states={"double_random": "REJECTED"} | held, due="2026-11-25", reason=EVIL[2])
        rows.record("JYJ", "bad", states=held, due=None, reason=EVIL[3])
        rows.record("JYJ", "worse", states=held, due="2026-11-23", reason=EVIL[4])
        rows.record("KGJ", "XYPJ-2026-0000001", kind="rating", due=None)
        rows.returned("SCJG", EVIL[0])
        rows.returned("SCJG", "610124-SCJG-blank", rule="INS-028", field="result", value="", settled=at(AS_OF))
        rows.returned("WLJ", "610124-WLJ-1", rule="STD-010", field="<script>样例列")
        yield night
