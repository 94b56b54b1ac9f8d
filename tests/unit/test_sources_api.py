"""Departments' HTTP interfaces on real loopback servers: pages, cursors, and answers that must not be believed."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.delivery.loopback import Loopback, raw, says, whole
from tests.unit.source_bench import WINDOW, department, settings
from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.sources import read_source
from zz_pipeline.sources._http import get_json, read_json
from zz_pipeline.sources.api import read_api

COLUMNS = {"record_no": {"heading": "no"}, "remark": {"heading": "note"}}
NAMES = {"path": "/api/results", "items_key": "rows", "cursor_key": "next"}


def dept(paging="page", **more):
    made = department("http", COLUMNS, paging=paging, **(NAMES | {"page_size": 2} | more))
    return made.model_copy(update={"owner_column": "", "void_column": ""})


def items(*numbers):
    return [{"no": str(n), "note": None} for n in numbers]


def page(total, *numbers):
    return says(200, {"rows": items(*numbers), "total": total})


def queries(server):
    return [parse_qs(urlsplit(asked.target).query, keep_blank_values=True) for asked in server.asked]


def test_numbered_pages_are_read_until_the_total_is_reached():
    with Loopback([page(3, 1, 2), page(3, 3)]) as server:
        assert read_api(dept(), server.url, WINDOW)["no"].to_pylist() == ["1", "2", "3"]
        first, second = queries(server)
    assert first == {"since": ["2026-11-20 00:00:00"], "until": ["2026-11-21 00:00:00"], "page": ["1"], "size": ["2"]}
    assert second["page"] == ["2"]


def test_a_cursor_is_followed_until_it_is_empty():
    answers = [says(200, {"rows": items(1, 2), "next": "x+/ y"}), says(200, {"rows": items(3), "next": ""})]
    with Loopback(answers) as server:
        assert read_api(dept("cursor"), server.url, WINDOW)["no"].to_pylist() == ["1", "2", "3"]
        assert [q["cursor"] for q in queries(server)] == [[""], ["x+/ y"]]


def test_a_list_that_changes_while_it_is_paged_is_read_again_from_the_start():
    with Loopback([page(3, 1, 2), page(2, 3), page(2, 2, 3)]) as server:
        assert read_api(dept(), server.url, WINDOW)["no"].to_pylist() == ["2", "3"]
    with Loopback([page(5, 1, 2), page(3, 3)] * 3) as server, pytest.raises(SourceDown, match="总数"):
        read_api(dept(), server.url, WINDOW)


def test_numbers_yes_no_and_null_become_exact_texts():
    body = b'{"total": 1, "rows": [{"no": 610124202611101018, "note": 12.50, "yes": true, "none": null}]}'
    with Loopback([raw(whole(200, body))]) as server:
        (row,) = read_api(dept(), server.url, WINDOW).to_pylist()
    assert (row["no"], row["note"], row["yes"], row["none"]) == ("610124202611101018", "12.50", "true", None)


@given(st.integers(10**17, 10**18 - 1))
@hypothesis_settings(max_examples=10, deadline=None)
def test_an_eighteen_digit_number_keeps_every_digit_through_an_interface(number):
    with Loopback([says(200, {"rows": [{"no": number, "note": str(number)}], "total": 1})]) as server:
        (row,) = read_api(dept(), server.url, WINDOW).to_pylist()
    assert (row["no"], row["note"]) == (str(number), str(number))


def test_an_empty_day_has_the_departments_headings_and_no_rows():
    with Loopback([page(0)]) as server:
        table = read_api(dept(), server.url, WINDOW)
    assert table.num_rows == 0
    assert {"no", "note"} <= set(table.column_names)


def test_a_reading_of_an_interface_is_archived_and_a_quiet_day_is_no_emptied_source(tmp_path):
    with Loopback([page(1, 1), page(0)]) as server:
        made = dept(url=server.url)
        (file,) = read_source(made, settings(tmp_path), WINDOW).files
        assert (tmp_path / file.archived).name.endswith("-api-results.parquet")
        assert not read_source(made, settings(tmp_path), WINDOW, last_rows=100).empty


def test_an_interface_that_is_read_whole_and_is_empty_after_many_rows_is_refused(tmp_path):
    with Loopback([page(0)]) as server:
        made = dept(url=server.url)
        made = made.model_copy(update={"source": made.source.model_copy(update={"whole": True})})
        with pytest.raises(SourceRefused, match="上次读到 100 条"):
            read_source(made, settings(tmp_path), WINDOW, last_rows=100)


@pytest.mark.parametrize(
    ("answer", "error", "word"),
    [
        (raw(whole(302, b"", "Location: http://127.0.0.1:1/login")), SourceRefused, "302"),
        (says(403, {}), SourceRefused, "403"),
        (says(500, {}), SourceDown, "500"),
        (says(429, {}), SourceDown, "429"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), SourceDown, "断开"),
        (raw(whole(200, b"<html></html>")), SourceRefused, "JSON"),
        (raw(whole(200, b'{"rows": [], "rows": [], "total": 0}')), SourceRefused, "JSON"),
        (raw(whole(200, b'{"rows": [], "total": NaN}')), SourceRefused, "JSON"),
        (raw(whole(200, '{"rows": [], "备注说明": 0, "total": 0}'.encode("gb18030"))), SourceRefused, "JSON"),
        (raw(whole(200, b"x", "Content-Encoding: gzip")), SourceRefused, "压缩"),
        (raw(whole(200, b" " * (4 * 1024 * 1024 + 1))), SourceRefused, "4 MiB"),
        (says(200, []), SourceRefused, "rows"),
        (says(200, {"rows": {}, "total": 0}), SourceRefused, "rows"),
        (says(200, {"rows": [1], "total": 1}), SourceRefused, "rows"),
        (says(200, {"rows": [], "total": "0"}), SourceRefused, "total"),
        (says(200, {"rows": [{"other": 1}], "total": 1}), SourceRefused, "no"),
        (raw(b""), SourceDown, "断开"),
    ],
)
def test_an_answer_that_is_no_page_is_never_taken_for_an_empty_day(answer, error, word):
    with Loopback([answer]) as server, pytest.raises(error, match=word):
        read_api(dept(), server.url, WINDOW)


def test_a_redirect_is_not_followed():
    with Loopback([page(0)]) as other:
        answer = raw(whole(307, b"", f"Location: {other.url}/x"))
        with Loopback([answer]) as server, pytest.raises(SourceRefused):
            read_api(dept(), server.url, WINDOW)
        assert other.asked == []


def test_a_cursor_that_is_given_twice_ends_the_reading():
    with Loopback([says(200, {"rows": items(1), "next": "a"})]) as server, pytest.raises(SourceRefused, match="游标"):
        read_api(dept("cursor"), server.url, WINDOW)


def test_a_server_that_drips_its_answer_is_given_up_at_the_deadline():
    def drip(conn, _asked):
        for byte in b"HTTP/1.1 200 OK\r\n" * 40:
            try:
                conn.sendall(bytes([byte]))
            except OSError:
                return
            time.sleep(0.02)

    with Loopback([drip]) as server:
        began = time.monotonic()
        with pytest.raises(SourceDown, match="没有答完"):
            get_json(server.url, {}, read_seconds=5, call_seconds=0.4)
        assert time.monotonic() - began < 2


def test_nobody_listening_is_down_and_a_strange_address_is_refused():
    with pytest.raises(SourceDown):
        get_json("http://127.0.0.1:1", {}, read_seconds=1)
    with pytest.raises(SourceRefused, match="http"):
        get_json("file:///etc/hostname", {}, read_seconds=1)


def test_environment_proxies_are_not_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Loopback([page(0)]) as server:
        assert read_api(dept(), server.url, WINDOW).num_rows == 0


def test_a_json_tower_is_refused_and_not_a_crash():
    with pytest.raises(SourceRefused):
        read_json(json.dumps("x").encode() + b"[" * 5)
    with pytest.raises(SourceRefused):
        read_json(b"[" * 200_000)
