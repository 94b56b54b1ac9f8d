"""The credit platform's lists by credit.md, over a real signed client and a loopback server."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from tests.delivery.loopback import Loopback, raw, says
from tests.unit.source_bench import DAY, WINDOW, department
from zz_pipeline.delivery.client import Client
from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.settings import Capability, Credential, PlatformSpec
from zz_pipeline.sources import Window
from zz_pipeline.sources.archive import keep_rows
from zz_pipeline.sources.credit import LIMIT, RESTARTS, read_ratings, read_repairs
from zz_pipeline.standard.tables import Kind


def client(url):
    capability = Capability(
        idempotent="none", verdicts="record", query_by_key=100, query_by_batch=False, versions=False
    )
    spec = PlatformSpec(
        name="credit", label="信用", adapter="credit", url=url, sign="HMAC-SHA256", batch_records=500, due_workdays=0,
        read_seconds=2, call_seconds=5, capability=capability,
    )  # fmt: skip
    dept = department("none")
    secret = SecretStr("an-invented-secret-of-32-characters!")
    return Client(spec, Credential(platform="credit", department=dept.key, app_id="app", secret=secret), dept)


def rating(number, at="2026-11-20 08:00:00", revision=1, **more):
    return {
        "rating_id": f"R{number}",
        "revision": revision,
        "enterpriseMark": 88.5,
        "publishable": True,
        "updated_at": at,
    } | more


def page(*items, cursor=""):
    data = {"items": list(items), "next_cursor": cursor, "snapshot_at": "2026-11-21 01:30:00"}
    return says(200, {"code": "0", "msg": "", "data": data})


def expired():
    return says(200, {"code": "4100", "msg": "游标已失效", "data": None})


def read(answers, reader=read_ratings, window=WINDOW):
    waits: list[float] = []
    with Loopback(answers) as server:
        raw_batch = reader(client(server.url), window, sleep=waits.append)
        asked = [urlsplit(a.target) for a in server.asked]
    return raw_batch, asked, waits


def ids(batch):
    return batch.table["rating_id"].to_pylist()


def test_pages_are_followed_and_the_other_parameters_are_repeated_with_the_cursor():
    batch, asked, _ = read([page(rating(1), cursor="c 1"), page(rating(2))])
    assert ids(batch) == ["R1", "R2"]
    assert batch.kind is Kind.RATING
    assert "+" not in asked[0].query
    assert parse_qs(asked[1].query) == {
        "updated_from": ["2026-11-20 00:00:00"],
        "updated_to": ["2026-11-20 23:59:59"],
        "cursor": ["c 1"],
        "limit": [str(LIMIT)],
    }
    assert "cursor" not in parse_qs(asked[0].query)


def test_a_repeated_item_counts_once_and_the_last_revision_wins_wherever_it_stands():
    first = [rating(1, revision=2, field="二"), rating(2)]
    batch, _, _ = read([page(*first, cursor="a"), page(rating(2), rating(1, revision=1, field="一"), rating(3))])
    assert sorted(ids(batch)) == ["R1", "R2", "R3"]
    assert batch.table["field"][ids(batch).index("R1")].as_py() == "二"


def test_an_expired_cursor_begins_again_at_the_last_update_seen():
    answers = [
        page(rating(1), rating(2, "2026-11-20 09:00:00"), cursor="a"),
        expired(),
        page(rating(2, "2026-11-20 09:00:00"), rating(3)),
    ]
    batch, asked, _ = read(answers)
    assert ids(batch) == ["R1", "R2", "R3"]
    again = parse_qs(asked[2].query)
    assert again["updated_from"] == ["2026-11-20 09:00:00"]
    assert "cursor" not in again


def test_cursors_that_always_expire_end_the_reading_instead_of_going_on_for_ever():
    answers = [step for _ in range(RESTARTS + 2) for step in (page(rating(1), cursor="a"), expired())]
    with pytest.raises(SourceDown, match="翻页标记"):
        read(answers)


def test_numbers_and_texts_of_a_mark_stay_as_they_came():
    batch, _, _ = read([page(rating(1), rating(2, enterpriseMark="88.50"), rating(3, enterpriseMark=None))])
    assert batch.table["enterpriseMark"].to_pylist() == ["88.5", "88.50", None]
    assert batch.table["publishable"].to_pylist() == ["true"] * 3


def test_a_busy_platform_is_asked_again_after_the_time_it_names():
    busy = says(429, {"code": "4290", "message": "请求过于频繁"}, "Retry-After: 7")
    batch, asked, waits = read([busy, page(rating(1))])
    assert (ids(batch), len(asked), waits) == (["R1"], 2, [7.0])


@pytest.mark.parametrize(
    "answer",
    [
        raw(b""),
        says(502, {}),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
        says(200, {"code": "0", "data": {"items": "x", "next_cursor": ""}}),
    ],
)
def test_an_answer_that_cannot_be_read_is_asked_for_again_and_never_taken_for_an_empty_day(answer):
    batch, asked, _ = read([answer, page(rating(1))])
    assert (ids(batch), len(asked)) == (["R1"], 2)
    with pytest.raises(SourceDown):
        read([answer])


@pytest.mark.parametrize(
    ("answer", "error", "word"),
    [
        (says(401, {"code": "4012", "message": "签名错误"}), SourceRefused, "凭证"),
        (says(200, {"code": "4000", "msg": "参数错误", "data": None}), SourceRefused, "4000"),
        (says(429, {"code": "4291", "message": "今日额度已用完"}), SourceDown, "额度"),
        (page(rating(1), cursor="same"), SourceRefused, "同一个"),
    ],
)
def test_a_refusal_is_not_asked_again(answer, error, word):
    with pytest.raises(error, match=word):
        read([answer])


def test_an_item_without_its_time_is_no_page_because_it_could_not_be_resumed():
    with pytest.raises(SourceDown):
        read([page(rating(1, at="yesterday"))])


def test_an_item_without_a_number_is_kept_to_be_returned():
    batch, _, _ = read([page(rating(1) | {"rating_id": None}, rating(2))])
    assert ids(batch) == ["R2", None]


def test_repair_notices_are_read_from_their_own_path_and_an_empty_day_is_normal(tmp_path):
    notice = {"repair_id": "X1", "target": "RATING", "target_key": "R1", "updated_at": "2026-11-20 20:00:00"}
    batch, asked, _ = read([page(notice)], read_repairs)
    assert asked[0].path == "/api/repairs"
    assert batch.table["target_key"].to_pylist() == ["R1"]
    assert batch.kind is Kind.REPAIR
    kept = keep_rows(tmp_path, DAY, "repairs", batch)
    assert (tmp_path / kept.files[0].archived).is_file()
    empty, _, _ = read([page()], read_repairs)
    assert empty.rows == 0
    assert empty.empty


def test_a_window_from_an_older_watermark_asks_from_there():
    window = Window(DAY, datetime.combine(DAY - timedelta(days=3), time(6)), WINDOW.until)
    _, asked, _ = read([page()], window=window)
    assert parse_qs(asked[0].query)["updated_from"] == ["2026-11-17 06:00:00"]
