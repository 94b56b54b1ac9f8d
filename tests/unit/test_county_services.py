"""The two departments that answer over HTTP, as real servers on loopback.

Belongs here: windows, pages, cursors, starting and ending. Must not: what stands in the cells (`test_county_layouts`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from urllib.error import HTTPError, URLError

import pytest
from county_systems import DAYS, DEPARTMENTS, OF_KIND, SETTINGS, cell, get, good, http_rows

from mock_platforms.county.layouts import write_day
from mock_platforms.county.serve_http import HttpSources


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("services")
    for number, day in enumerate(DAYS):
        records = [good(key, number * 10 + n, day, publishable=n == 1) for key in OF_KIND["http"] for n in (1, 2)]
        moved = [
            replace(good(k, 1, DAYS[0]), changed=good(k, 1, day).changed - timedelta(hours=9)) for k in OF_KIND["http"]
        ]
        write_day(root, DEPARTMENTS, day, records + moved * number, first=number == 0)
    with HttpSources(root) as sources:
        yield sources.urls


@pytest.mark.parametrize("key", OF_KIND["http"])
def test_a_service_gives_the_rows_of_the_window_and_no_others(world, key):
    dept, url = SETTINGS.departments[key], world[key]
    numbers = [f"2026-{key}-{n:04d}" for n in (1, 2, 11, 12)]
    second = http_rows(url, dept, since="2026-07-04 00:00:00")
    assert {cell(dept, r, "record_no") for r in second} == {numbers[0], *numbers[2:]}
    until_then = http_rows(url, dept, until="2026-07-04 08:20:01")
    assert {cell(dept, r, "record_no") for r in until_then} == {numbers[1]}
    from_then = http_rows(url, dept, since="2026-07-04 08:20:01")
    assert len(until_then) + len(from_then) == len(http_rows(url, dept)) == 8


@pytest.mark.parametrize("key", OF_KIND["http"])
@pytest.mark.parametrize("size", [1, 3, 200])
def test_pages_of_any_size_hold_the_same_rows_once(world, key, size):
    dept = SETTINGS.departments[key]
    assert http_rows(world[key], dept, size=size) == http_rows(world[key], dept, size=7)


def test_a_service_says_yes_and_no_in_json(world):
    dept = SETTINGS.departments["SPJ"]
    assert {row["canPublish"] for row in http_rows(world["SPJ"], dept)} == {True, False}


def test_a_page_that_is_no_number_is_refused_with_a_reason(world):
    with pytest.raises(HTTPError) as refused:
        get(world["SPJ"] + "/api/results", page="二")
    assert refused.value.code == 400
    assert "参数 page 应为" in json.load(refused.value)["message"]


def test_a_service_shows_the_next_day_without_being_restarted(tmp_path):
    dept = SETTINGS.departments["SFJ"]
    write_day(tmp_path, DEPARTMENTS, DAYS[0], [good("SFJ", 1, DAYS[0])], first=True)
    with HttpSources(tmp_path) as sources:
        before = len(http_rows(sources.urls["SFJ"], dept))
        write_day(tmp_path, DEPARTMENTS, DAYS[1], [good("SFJ", 2, DAYS[1])], first=False)
        assert (before, len(http_rows(sources.urls["SFJ"], dept))) == (2, 4)


def test_stopped_services_no_longer_answer(tmp_path):
    with HttpSources(tmp_path) as sources:
        url = sources.urls["SPJ"] + "/api/results"
        assert get(url)["total"] == 0
        sources.stop()
        with pytest.raises(URLError):
            get(url)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal exists on Linux only")
def test_services_end_when_their_parent_is_killed(tmp_path):
    code = (
        "import sys,time; from pathlib import Path; from mock_platforms.county.serve_http import HttpSources\n"
        "s = HttpSources(Path(sys.argv[1])); print(s.urls['SPJ'], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        url = parent.stdout.readline().strip() + "/api/results"
        assert get(url)["total"] == 0
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            get(url)
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the services outlived their parent")
