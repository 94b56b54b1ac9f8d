"""A real ledger on disk with invented records, and settings that point at a platform on loopback.

Belongs here: what delivery tests share. Must not: wire records (only the adapters under test make those).
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta, timezone

from sqlalchemy import insert, select

from zz_pipeline.ledger import audit
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import metadata, outbox, record_version
from zz_pipeline.settings import CHECKOUT, load_settings
from zz_pipeline.standard.canonical import canonical_json, sm3_hex

ENTRY = "double_random"
DAY = "2026-11-20"


class FakeClock:
    """Wall time that only moves when somebody sleeps."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def a_ledger(folder):
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    with ledger.begin() as conn:
        metadata.create_all(conn)
    return ledger


def settings_for(home, urls, depts=("SCJG",), county=None, **spec):
    """Settings of the sample county with credentials for `depts` on the platforms of `urls`."""
    env = {f"ZZ_URL_{name.upper()}": url for name, url in urls.items()}
    env |= {f"ZZ_SECRET_{name.upper()}_{dept}": f"app-{dept}:{dept}-{'x' * 40}" for name in urls for dept in depts}
    settings = load_settings(CHECKOUT / "config", home, env)
    platforms = {name: p.model_copy(update=spec if name in urls else {}) for name, p in settings.platforms.items()}
    own = settings.county.model_copy(update=county or {})
    return settings.model_copy(update={"platforms": platforms, "county": own})


def a_uscc(number):
    """An invented market entity's code whose GB 32100 check digit holds."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    body = f"91610124MA{number:07d}"[:17]
    total = sum(alphabet.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return body + alphabet[(31 - total % 31) % 31]


def payload(settings, dept, number, version=1, **changes):
    """An inspection record of that department; `version` changes its text."""
    base = {
        "kind": "inspection", "record_key": f"610124-{dept}-{number}", "record_no": number,
        "plan_id": "61012420261000", "plan_name": "样例计划", "task_id": "610124202611101001",
        "task_name": f"样例任务{version}", "check_kind": "不定向抽查", "case_reason": None, "joint": False,
        "lead_dept": settings.departments[dept].name, "subject_name": f"周至县样例{number}有限公司",
        "uscc": "91610124MA6XXXXXXX", "object_type": "1", "object_code": None, "publishable": True,
        "counterpart_name": f"周至县样例{number}有限公司", "counterpart_nature": "02", "counterpart_id_type": "001",
        "counterpart_code": "91610124MA6XXXXXXX", "address_registered": None, "address_operating": None,
        "area_code": "610124", "inspector_names": ["张某", "李某"], "inspector_certs": ["27010124001", "27010124002"],
        "inspect_date": DAY, "finish_date": DAY, "check_form": "02", "check_type": "01", "check_mode": "1",
        "not_publish_reason": None, "entered_by": "王某", "entered_at": f"{DAY} 17:20:00",
        "items": [{"item_code": "61012400010001", "item_name": "样例检查", "result": "NO_ISSUE", "follow_up": None,
                   "implement_code": f"{settings.departments[dept].uscc}4000001", "remark": None}],
    }  # fmt: skip
    return base | changes


def accept(ledger, settings, dept, number, version=1, op="PUBLISH", platforms=(ENTRY,), states=None, **values):
    """One accepted version with its outbox rows, as acceptance writes them; returns the record key."""
    content = payload(settings, dept, number, version, **values.pop("changes", {}))
    body, key = canonical_json(content), content["record_key"]
    with ledger.begin() as conn:
        conn.execute(
            insert(record_version).values(
                kind="inspection", record_key=key, version=version, op=op, owner_dept=dept, submit_dept=dept, day=DAY,
                digest=sm3_hex(body), payload=body, rule_set="t", accepted_at=float(version),
            )
        )  # fmt: skip
        for name in platforms:
            row = {"state": (states or {}).get(name, "READY"), "reason": "样例理由" if op == "WITHDRAW" else ""}
            item = sm3_hex(f"{name}|{key}|{version}|{op}".encode())
            conn.execute(
                insert(outbox).values(
                    platform=name, kind="inspection", record_key=key, version=version, dept=dept, day=DAY, op=op,
                    public=False, item_key=item, updated_at=0.0, **(row | values),
                )
            )  # fmt: skip
    return key


def accept_many(ledger, settings, dept, count, **values):
    return [accept(ledger, settings, dept, f"2026-{n:04d}", **values) for n in range(1, count + 1)]


def states(ledger, platform=ENTRY):
    """How many rows are in each state."""
    with ledger.read() as conn:
        return dict(Counter(conn.execute(select(outbox.c.state).where(outbox.c.platform == platform)).scalars()))


def row(ledger, key, version=1, platform=ENTRY):
    with ledger.read() as conn:
        where = (outbox.c.platform == platform, outbox.c.record_key == key, outbox.c.version == version)
        return conn.execute(select(outbox).where(*where)).one()


def table(ledger, table):
    with ledger.read() as conn:
        return conn.execute(select(table)).all()


def chain_whole(ledger):
    with ledger.read() as conn:
        return audit.verify(conn).broken_at is None


def beijing_midnight_after(now):
    zone = timezone(timedelta(hours=8))
    day = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=1)).timestamp()
