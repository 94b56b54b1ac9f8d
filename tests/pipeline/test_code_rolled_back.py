"""Older code over a ledger that newer code has written: it says so, and touches nothing.

Belongs here: fault 72. Must not: migrations forward.
"""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.delivery.bench import a_uscc, accept, row, settings_for
from tests.delivery.tiny_platform import TinyPlatform
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.errors import LedgerError
from zz_pipeline.ledger.db import Ledger


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def ledger(request, tmp_path):
    url = (
        f"sqlite:///{tmp_path / 'ledger.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres").database()
    )
    ledger = Ledger(url)
    ledger.migrate()
    yield ledger
    ledger.close()


def head(ledger):
    with ledger.read() as conn:
        return conn.execute(text("SELECT version_num FROM alembic_version")).scalars().all()


def test_fault_72_a_ledger_of_a_newer_schema_is_refused_in_chinese_and_left_as_it_is(ledger):
    with ledger.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9001'"))
    with pytest.raises(LedgerError, match="业务数据库的结构比本软件新") as caught:
        ledger.migrate()
    assert "9001" in str(caught.value)
    assert caught.value.__cause__ is None
    assert head(ledger) == ["9001"]


def test_fault_72_a_state_that_this_code_does_not_know_is_left_alone_and_holds_its_successors_back(ledger, tmp_path):
    """As if the schema had let it in: newer code has newer states, its CHECK knows them."""
    with TinyPlatform() as platform:
        settings = settings_for(tmp_path, {"double_random": platform.url}, night_wait_seconds=5.0)
        keys = [accept(ledger, settings, "SCJG", f"2026-000{n}", changes={"uscc": a_uscc(n)}) for n in (1, 2)]
        accept(ledger, settings, "SCJG", "2026-0001", 2, "CORRECT", changes={"uscc": a_uscc(1)})
        unknown_state(ledger, keys[0])
        deliver(ledger, settings, "double_random")
        assert [name for name, _, _ in platform.effects] == [keys[1]]
    assert [row(ledger, keys[0]).state, row(ledger, keys[0], 2).state] == ["PAUSED", "READY"]


def unknown_state(ledger, key):
    with ledger.begin() as conn:
        if ledger.sqlite:
            conn.execute(text("PRAGMA ignore_check_constraints = ON"))
        else:
            for name in conn.execute(
                text("SELECT conname FROM pg_constraint WHERE conrelid = 'outbox'::regclass AND contype = 'c'")
            ).scalars():
                conn.execute(text(f'ALTER TABLE outbox DROP CONSTRAINT "{name}"'))
        conn.execute(text("UPDATE outbox SET state = 'PAUSED' WHERE record_key = :key AND version = 1"), {"key": key})
        if ledger.sqlite:
            conn.execute(text("PRAGMA ignore_check_constraints = OFF"))
