"""Many departments' sources are read at once: a slow one costs its own time, and a failing one fails alone."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select

from zz_pipeline import course
from zz_pipeline.bench import town
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import intake
from zz_pipeline.night import Night
from zz_pipeline.standard.tables import Kind

AN_INTERFACE = 'kind = "http"\npath = "/rows"\nitems_key = "rows"\ncursor_key = "next"\npaging = "cursor"\n'
EMPTY = b'{"rows": [], "next": ""}'


class Slow:
    """A department's interface that answers only once it is told to, with that status."""

    def __init__(self, status: int) -> None:
        self.asked, self.go = threading.Event(), threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.set()
                outer.go.wait(20)
                self.send_response(status)
                self.send_header("Content-Length", str(len(EMPTY)))
                self.end_headers()
                self.wfile.write(EMPTY)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(town, "A_DEPARTMENT", 20)  # records, so that a small county has several departments
    made = town.Town(tmp_path, {})
    town.build(made, 120)
    return made


def departments():
    return town.departments(120)


def over_http(place, dept, slow):
    """The department's source is an interface from now on, the first of all that are read."""
    path = place.folder / "config" / "departments" / f"{dept}.toml"
    head, _, rest = path.read_text("utf-8").partition("[source]\n")
    lines = [line for line in rest.splitlines() if not line.startswith(("kind", "url", "table"))]
    url = f'url = "http://127.0.0.1:{slow.server.server_port}"\n'
    path.write_text(f"{head}[source]\n{AN_INTERFACE}{url}" + "\n".join(lines) + "\n", "utf-8")


@pytest.fixture
def night(place):
    nights = []

    def opened():
        ledger = Ledger(place.settings.ledger_url)
        ledger.migrate()
        nights.append(ledger)
        return Night(place.settings, ledger, "side")

    yield opened
    for ledger in nights:
        ledger.close()


def read(night):
    told = []
    progress = lambda _what, n, all_of_them: told.append((n, all_of_them))  # noqa: E731 - what was told, and nothing else
    return course.read_all(night, town.DAY, departments(), progress, credit_too=False), told


def test_a_slow_interface_does_not_hold_up_the_databases(place, night):
    keys = departments()
    with Slow(200) as slow:
        over_http(place, keys[0], slow)
        here, box = night(), []
        reader = threading.Thread(target=lambda: box.append(read(here)))
        reader.start()
        assert slow.asked.wait(20)
        others = [here._desk(key, str(Kind.INSPECTION), town.DAY) for key in keys[1:]]
        pause = threading.Event()
        for _ in range(400):
            if all(desk.raw() for desk in others):
                break
            pause.wait(0.05)
        done, still = [bool(desk.raw()) for desk in others], not slow.go.is_set() and reader.is_alive()
        slow.go.set()
        reader.join(20)
    results, told = box[0]
    assert (done, still) == ([True] * len(others), True)
    assert [r.dept for r in results] == keys
    assert {r.state for r in results} == {"OK"}
    assert [r.counts["行数"] for r in results] == [0] + [20] * (len(keys) - 1)
    assert told == [(n, len(keys)) for n in range(1, len(keys) + 1)]


def test_a_source_that_fails_fails_alone_and_all_are_opened_in_the_book_in_order(place, night):
    keys = departments()
    with Slow(503) as slow:
        slow.go.set()
        over_http(place, keys[2], slow)
        here = night()
        results, _ = read(here)
    assert [r.state for r in results] == ["OK", "OK", "FAILED"] + ["OK"] * (len(keys) - 3)
    assert "503" in results[2].error
    with here.ledger.read() as conn:
        rows = conn.execute(select(intake.c.dept, intake.c.state).order_by(intake.c.id)).all()
    assert [row.dept for row in rows] == keys
    assert [row.state for row in rows] == ["RUNNING", "RUNNING", "FAILED"] + ["RUNNING"] * (len(keys) - 3)


def test_more_sources_than_readers_are_all_read(place, night):
    assert len(departments()) > course.READERS
    results, _ = read(night())
    assert [(r.dept, r.state, r.counts["行数"]) for r in results] == [(key, "OK", 20) for key in departments()]
