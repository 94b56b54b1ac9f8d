"""Processes that share one credential's rate or one backlog, each a real one of its own.

Belongs here: what runs in those processes, and starting them. Must not: assertions.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from mock_platforms.run import Mocks
from tests.delivery.bench import settings_for
from zz_pipeline.delivery import budget
from zz_pipeline.delivery.client import Client
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.errors import ZzError
from zz_pipeline.ledger import schema
from zz_pipeline.ledger.db import Ledger

ONE, TWO, THREE = "double_random", "internet_supervision", "publicity"
PLATFORMS = (ONE, TWO, THREE)
NOWHERE = "http://127.0.0.1:9"


@contextmanager
def platforms(folder: Path, depts, names=(ONE, TWO, THREE), **limits):
    """The mocked platforms with those departments' credentials; `limits` in force on each."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = settings_for(folder, dict.fromkeys(names, NOWHERE), depts)
    entries = [
        {
            "platform": c.platform, "department": c.department, "app_id": c.app_id,
            "secret": c.secret.get_secret_value(), "department_uscc": plain.departments[c.department].uscc,
            "department_name": plain.departments[c.department].name,
        }
        for c in plain.credentials.values()
    ]  # fmt: skip
    (folder / "credentials.json").write_text(json.dumps(entries))
    with Mocks(folder / "platforms", folder / "credentials.json", receipt_delay=0.1) as mocks:
        for name in names if limits else ():
            mocks.control("POST", "/quota", {"platform": name} | limits)
        yield mocks


def ask_as_fast_as_allowed(home, urls, ledger_url, platform, start, seconds, told):
    """One process: signed questions, each with a token of the shared bucket, for so many seconds.

    Tells when it began and ended, what was answered, and how many seconds the machine kept each question beyond what was
    asked for: a call's duration, and of a sleep what it was too long. It ends, once the time is over, when it had to
    wait for a token: what a slow machine left in the bucket is used first.
    """
    settings = settings_for(Path(home), urls, ("SCJG",))
    spec, ledger = settings.platforms[platform], Ledger(ledger_url)
    client = Client(spec, settings.credential(platform, "SCJG"), settings.departments["SCJG"])
    token = _tokens(ledger, spec)
    client.spend = token
    start.wait(120)
    began, answers, kept, wait = time.monotonic(), [], [], 0.0
    while time.monotonic() < began + seconds or not wait:
        before = time.monotonic()
        wait = token()
        answers.append(client("GET", "/quota").http)
        kept.append(time.monotonic() - before - wait)
    told.put((began, time.monotonic(), answers, kept))
    client.close()
    ledger.close()


def _tokens(ledger, spec):
    def token():
        waited = 0.0
        while True:
            with ledger.begin() as conn:
                wait = budget.take_token(conn, spec.name, "SCJG", spec, time.time())
            if not wait:
                return waited
            waited += wait
            time.sleep(wait)

    return token


def make_lane(ledger, platform, dept="SCJG"):
    with ledger.begin() as conn:
        conn.execute(schema.lane.insert().values(platform=platform, dept=dept))


def deliver_all(home, urls, ledger_url, depts, spec, start, told):
    """One host: runs of `deliver` over the entry platform, one after the other, until nothing is open; tells what it did."""
    settings, ledger = settings_for(Path(home), urls, depts, **spec), Ledger(ledger_url)
    start.wait(120)
    until, moves, runs = time.monotonic() + 60.0, 0, 0
    while _open_rows(ledger) and time.monotonic() < until:
        result = deliver(ledger, settings, ONE, threads=2)
        moves, runs = moves + result.moves["CONFIRMED"], runs + 1
        time.sleep(0.2)
    told.put((os.getpid(), moves, runs))
    ledger.close()


def deliver_stubbornly(home, urls, ledger_url, depts, spec, start, told):
    """As `deliver_all`, but a lost session of the database is only the end of a run; tells how often it was fenced out."""
    settings, ledger = settings_for(Path(home), urls, depts, **spec), Ledger(ledger_url)
    start.wait(120)
    until, fenced = time.monotonic() + 120.0, 0
    while time.monotonic() < until:
        try:
            if not _open_rows(ledger):
                break
            result = deliver(ledger, settings, ONE, threads=2)
            fenced += sum("已被另一进程接管" in lane.stopped for lane in result.lanes.values())
        except (ZzError, SQLAlchemyError) as error:
            fenced += "已被另一进程接管" in f"{error} {error.__context__}"
        time.sleep(0.05)
    told.put((os.getpid(), fenced))
    ledger.close()


def _open_rows(ledger):
    final = ("CONFIRMED", "REJECTED", "DEAD", "CONFLICT", "CANCELLED")
    with ledger.read() as conn:
        return conn.execute(select(func.count()).where(schema.outbox.c.state.not_in(final))).scalar_one()


@contextmanager
def processes(target, arguments):
    """Processes that begin together, once each has imported what it needs; all have ended when the block ends."""
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(len(arguments)), context.Queue()
    started = [context.Process(target=target, args=make(start, told)) for make in arguments]
    for one in started:
        one.start()
    try:
        yield told, started
    finally:
        for one in started:
            if one.is_alive():
                one.kill()
            one.join(30)
