"""A ledger from before the table of publicity: what is public in it is found by the upgrade and ends like everything else.

Belongs here: the step 0003 on a filled ledger. Must not: the ends themselves (test_publicity_end).
"""

import json

from alembic import command
from alembic.config import Config
from sqlalchemy import insert, select

from zz_pipeline.ledger.db import MIGRATIONS, Ledger
from zz_pipeline.ledger.schema import outbox, publicity, record_version


def _config(conn):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = conn
    return config


def _put(conn, kind, key, payload, *rows):
    """Versions of a record with (platform, op, state) of each, the first of them version 1."""
    for version, (platform, op, state) in enumerate(rows, 1):
        said = {"kind": kind, "record_key": key, "version": version}
        common = {"day": "2026-11-20", "op": op}
        body = {"payload": json.dumps(payload).encode(), "rule_set": "r", "accepted_at": 0.0, "digest": "0" * 64}
        conn.execute(insert(record_version).values(**said, **common, **body, owner_dept="KGJ", submit_dept="KGJ"))
        shown = {"platform": platform, "public": platform == "publicity", "state": state, "item_key": f"{key}{version}"}
        conn.execute(insert(outbox).values(**said, **common, **shown, dept="KGJ", updated_at=0.0))


def test_what_was_public_before_the_upgrade_gets_its_term_and_nothing_else_does(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    rating = {"rated_at": "2026-01-02 09:00:00", "valid_until": "2027-01-01", "field": "餐饮"}
    three = "publicity"
    with ledger.begin() as conn:
        command.downgrade(_config(conn), "0002")
    with ledger.begin() as conn:
        _put(conn, "inspection", "shown", {"finish_date": "2026-11-20"}, (three, "PUBLISH", "CONFIRMED"))
        _put(conn, "rating", "rated", rating, (three, "PUBLISH", "READY"))
        _put(
            conn,
            "inspection",
            "stopped",
            {"finish_date": "2026-11-20"},
            (three, "PUBLISH", "CONFIRMED"),
            (three, "WITHDRAW", "READY"),
        )
        _put(
            conn,
            "inspection",
            "kept",
            {"finish_date": "2026-11-20"},
            (three, "PUBLISH", "CONFIRMED"),
            (three, "CORRECT", "BLOCKED"),
        )
        _put(conn, "inspection", "hidden", {"finish_date": "2026-11-20"}, (three, "PUBLISH", "BLOCKED"))
        _put(conn, "inspection", "elsewhere", {"finish_date": "2026-11-20"}, ("double_random", "PUBLISH", "CONFIRMED"))
    ledger.migrate()
    with ledger.read() as conn:
        columns = (publicity.c.record_key, publicity.c.name, publicity.c.since, publicity.c.until, publicity.c.field)
        found = {row[0]: tuple(row[1:]) for row in conn.execute(select(*columns))}
    ledger.close()
    plain = ("检查结果", "2026-11-20", "", "")
    assert found == {"shown": plain, "kept": plain, "rated": ("公共信用综合评价", "2026-01-02", "2027-01-01", "餐饮")}
