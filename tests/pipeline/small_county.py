"""A few records of two departments over the three running mocks, accepted and delivered by the product's own parts.

Belongs here: what tests of people's orders and of restores share. Must not: Great Expectations (whole nights have it).
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import select

from mock_platforms.run import Mocks
from tests.delivery.bench import DAY, a_uscc, payload, settings_for
from tests.pipeline.harness import STATES
from zz_pipeline.ledger import accept, audit, audit_check, intake, versions
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import content
from zz_pipeline.ledger.schema import outbox
from zz_pipeline.night import Night

ONE, TWO, THREE = "double_random", "internet_supervision", "publicity"
PLATFORMS = (ONE, TWO, THREE)
DEPTS = ("SCJG", "YJJ", "KGJ")
QUICK = {"quiet_seconds": 1.0, "late_effect_seconds": 0.5, "poll_first_seconds": 0.1, "night_wait_seconds": 20.0}
FINISHED = date.fromisoformat(DAY)


@dataclass
class Small:
    """The place: a home folder, mocks that run, settings that point at them."""

    home: Path
    mocks: Mocks
    spec: dict = field(default_factory=dict)

    @property
    def settings(self):
        urls = {name: self.mocks.urls[name] for name in PLATFORMS}
        return settings_for(self.home, urls, DEPTS, **(QUICK | {"rate": 200.0} | self.spec))

    @property
    def path(self):
        return self.home / "ledger.db"

    @contextmanager
    def opened(self, clock=time.time):
        ledger = Ledger(f"sqlite:///{self.path}")
        ledger.migrate()
        try:
            yield Night(self.settings, ledger, "test", clock=clock)
        finally:
            ledger.close()

    def take_in(self, night, dept, contents, kind="inspection", day=FINISHED):
        """Accept records as a reading of that department does."""
        since, until = intake.window(night.ledger, dept, kind, day)
        number = intake.begin(night.ledger, day, dept, kind, since, until, night.clock())
        owner = night.settings.county.credit_lead if dept == "credit" else dept
        source = versions.Source(number, kind, dept, owner, day, until, "rules", len(contents), len(contents))
        common = {"now": night.clock(), "zone_offset": night.zone_offset}
        return accept.accept(night.ledger, source, contents, [], night.targets, night._decide, **common)

    def send(self, night, *platforms):
        return {name: night.deliver(name) for name in platforms or PLATFORMS}

    def held(self, platform, key):
        """PRESENT or WITHDRAWN by the platform's own keys of the record."""
        return {e["key"]: STATES.get(e["state"], e["state"]) for e in self.mocks.ledger(platform) if of(e["key"], key)}

    def effects(self, platform, key):
        """All that ever took effect of the record, in order."""
        return [e for e in self.mocks.ledger(platform, history=True) if of(e["key"], key)]

    def copy(self, path):
        """The ledger as it is at this moment, by SQLite's own backup."""
        with sqlite3.connect(self.path) as source, sqlite3.connect(path) as target:
            source.backup(target)
        source.close()
        target.close()

    def restore(self, path):
        """Set the ledger back to a copy; nobody has it open."""
        for name in ("", "-wal", "-shm"):
            Path(f"{self.path}{name}").unlink(missing_ok=True)
        self.path.write_bytes(Path(path).read_bytes())


def of(remote_key, key):
    return remote_key == key or remote_key.startswith(f"{key}-")


@contextmanager
def small(folder, **spec):
    """Mocks with credentials of the departments, and a home of their own."""
    home = folder / "home"
    home.mkdir(parents=True)
    plain = settings_for(home, dict.fromkeys(PLATFORMS, "http://127.0.0.1:9"), DEPTS)
    entries = [
        {
            "platform": c.platform, "department": c.department, "app_id": c.app_id,
            "secret": c.secret.get_secret_value(), "department_uscc": plain.departments[c.department].uscc,
            "department_name": plain.departments[c.department].name,
        }
        for c in plain.credentials.values()
    ]  # fmt: skip
    (folder / "credentials.json").write_text(json.dumps(entries))
    with Mocks(folder / "platforms", folder / "credentials.json", receipt_delay=0.05) as mocks:
        mocks.control("POST", "/quota", {"platform": ONE, "rate": 1000, "burst": 1000})
        mocks.control("POST", "/quota", {"platform": TWO, "rate": 1000, "burst": 1000})
        mocks.control("POST", "/quota", {"platform": THREE, "rate": 1000, "burst": 1000})
        yield Small(home, mocks, spec)


def record(settings, dept, n, *, version=1, changed=None, **changes):
    """An inspection that all three platforms take; `version` changes its text and its change time."""
    code = a_uscc(n)
    entity = {"uscc": code, "counterpart_code": code}
    said = payload(settings, dept, f"2026-{n:07d}", version, **entity, **changes)
    moment = changed or f"{FINISHED + timedelta(days=version - 1)} 20:00:00"
    return content(said["record_key"], said, moment, f"{dept}.xlsx", n + 3)


def rating(n, **changes):
    """A public rating that the credit lead shares."""
    key = f"PJ-2026-{n:06d}"
    said = {
        "kind": "rating", "record_key": key, "subject_name": f"周至县样例{n}有限公司", "uscc": a_uscc(n),
        "scheme": "PUBLIC", "grade": "良", "score": None, "score_text": "", "evaluator": "周至县样例评价机构",
        "rated_at": f"{DAY} 10:00:00", "valid_until": None, "field": "", "publishable": True,
    }  # fmt: skip
    return content(key, said | changes, f"{DAY} 10:00:00", "credit", n)


def rows(night, key):
    """(platform, version) → outbox row."""
    with night.ledger.read() as conn:
        found = conn.execute(select(outbox).where(outbox.c.record_key == key))
        return {(row.platform, row.version): row for row in found}


def whole(night):
    """The chain is whole and the tables say what it says."""
    with night.ledger.read() as conn:
        chain = audit.verify(conn)
        return chain.broken_at is None and [c.text for c in audit_check.contradictions(conn)] == []
