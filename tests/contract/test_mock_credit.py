"""The credit platform case by case: pages, cursors, bounds of `credit.md`.

Belongs here: every line of the page. Must not: the gateway rules, faults.
"""

import json
import os
import time

import pytest

from tests.contract.mock_client import Client, stamp

RATINGS, REPAIRS = "/api/ratings", "/api/repairs"


def item(number, at, **over):
    """A rating as people typed it."""
    return {
        "rating_id": f"PJ-{number:04d}",
        "revision": 1,
        "enterpriseName": "周至县样例餐饮有限公司",
        "enterpriseCreditCode": "91610124YY000001XB",
        "enterpriseIdType": "001",
        "scheme": "PUBLIC",
        "enterpriseType": "Ａ级",
        "enterpriseMark": 88.5,
        "estimateOrg": "周至县科技和工业信息化局",
        "estimateOrgCode": "",
        "estimateTime": "2026-11-01",
        "validUntil": "",
        "field": "餐饮",
        "publishable": True,
        "updated_at": at,
        **over,
    }


def repair(number, at):
    return {"repair_id": f"XF-{number}", "target": "RATING", "target_key": "PJ-0001", "updated_at": at}


@pytest.fixture
def files(mocks):
    """Writes a file of the credit folder the way a source would: a new file in place of the old one."""
    folder = mocks.dir.parent / "credit"

    def write(name, items):
        new = folder / "new"
        new.write_text(json.dumps(items, ensure_ascii=False), "utf-8")
        os.replace(new, folder / name)

    yield write
    for path in folder.iterdir():
        path.unlink()


def seconds(n):
    return f"2026-11-22 01:{n // 60:02d}:{n % 60:02d}"


def pages(client, path=RATINGS, **params):
    """Items of each page."""
    found, cursor = [], {}
    while True:
        reply = client.get(path, **params, **cursor)
        assert (reply.http, reply.code) == (200, "0")
        data = reply.json["data"]
        assert set(data) == {"items", "next_cursor", "snapshot_at"}
        found.append(data["items"])
        if not data["next_cursor"]:
            return found
        cursor = {"cursor": data["next_cursor"]}


def ids(found):
    return list(dict.fromkeys(i["rating_id"] for p in found for i in p))


def test_an_empty_source_is_an_empty_page(credit):
    reply = credit.get(RATINGS)
    assert (reply.json["code"], reply.json["msg"]) == ("0", "")
    assert (reply.json["data"]["items"], reply.json["data"]["next_cursor"]) == ([], "")
    assert pages(credit, REPAIRS) == [[]]


def test_items_come_as_they_were_typed_in_order_of_change_and_id(credit, files):
    typed = [item(2, seconds(5), enterpriseMark=None), item(1, seconds(5), enterpriseMark="九十"), item(9, seconds(1))]
    files("ratings.json", typed)
    assert pages(credit) == [[typed[2], typed[1], typed[0]]]


def test_a_page_may_repeat_the_last_item_and_nothing_is_left_out(credit, files):
    files("ratings.json", [item(i, seconds(i)) for i in range(1201)])
    found = pages(credit)
    assert [len(p) for p in found] == [500, 500, 203]
    assert found[0][-1] == found[1][0]
    assert ids(found) == [f"PJ-{i:04d}" for i in range(1201)]


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_every_limit_reads_everything(credit, files, limit):
    files("ratings.json", [item(i, seconds(i // 3)) for i in range(9)])
    assert ids(pages(credit, limit=limit)) == [f"PJ-{i:04d}" for i in range(9)]


def test_both_bounds_are_inclusive(credit, files):
    files("ratings.json", [item(i, seconds(i)) for i in range(5)])
    assert ids(pages(credit, updated_from=seconds(1), updated_to=seconds(3))) == ["PJ-0001", "PJ-0002", "PJ-0003"]
    assert ids(pages(credit, updated_from=seconds(4))) == ["PJ-0004"]


def test_a_later_revision_appears_at_the_end_if_the_bound_allows_it(credit, files):
    items = [item(i, seconds(i)) for i in range(4)]
    files("ratings.json", items)
    first = credit.get(RATINGS, limit=2).json["data"]
    items[0] = {**items[0], "revision": 2, "updated_at": seconds(9)}
    files("ratings.json", items)
    rest = []
    cursor = first["next_cursor"]
    while cursor:
        data = credit.get(RATINGS, limit=2, cursor=cursor).json["data"]
        rest += data["items"]
        cursor = data["next_cursor"]
    assert rest[-1]["revision"] == 2


def test_repairs_are_read_the_same_way(credit, files):
    files("repairs.json", [repair(i, seconds(i)) for i in range(3)])
    found = pages(credit, REPAIRS, limit=2)
    assert list(dict.fromkeys(i["repair_id"] for p in found for i in p)) == ["XF-0", "XF-1", "XF-2"]


def test_a_cursor_with_other_parameters_is_4000(credit, files):
    files("ratings.json", [item(i, seconds(i)) for i in range(5)])
    files("repairs.json", [repair(i, seconds(i)) for i in range(5)])
    cursor = credit.get(RATINGS, limit=2).json["data"]["next_cursor"]
    assert credit.get(RATINGS, limit=2, cursor=cursor).code == "0"
    assert credit.get(RATINGS, limit=3, cursor=cursor).code == "4000"
    assert credit.get(RATINGS, limit=2, updated_from=seconds(0), cursor=cursor).code == "4000"
    assert credit.get(RATINGS, cursor=cursor).code == "4000"
    assert credit.get(REPAIRS, limit=2, cursor=cursor).code == "4000"


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "游标", "!!!!", "a" * 500])
def test_a_malformed_cursor_is_http_200_and_4100(credit, cursor):
    reply = credit.get(RATINGS, cursor=cursor)
    assert (reply.http, reply.code) == (200, "4100")


def test_a_cursor_lives_ten_minutes(mocks, credit, files):
    files("ratings.json", [item(i, seconds(i)) for i in range(5)])
    cursor = credit.get(RATINGS, limit=2).json["data"]["next_cursor"]
    for shift, code in ((590, "0"), (605, "4100")):
        mocks.control("POST", "/clock", {"platform": "credit", "offset": shift})
        at = str(int((time.time() + shift) * 1000))
        assert credit.call("GET", f"{RATINGS}?limit=2&cursor={cursor}", timestamp=at).code == code


def test_bad_parameters_are_4000(credit):
    for query in ("limit=501", "limit=0", "page=1", "updated_from=2026-11-22", "limit=5&limit=5"):
        assert credit.call("GET", f"{RATINGS}?{query}").code == "4000"
    assert credit.call("GET", "/api/else").code == "4000"


def test_the_source_shows_everything_to_every_credential(mocks, credit, files):
    files("ratings.json", [item(1, stamp())])
    assert pages(credit) == pages(Client(mocks, "credit", "YJJ"))


def test_a_file_that_is_half_written_does_not_empty_the_source(mocks, credit, files):
    files("ratings.json", [item(1, seconds(1))])
    assert ids(pages(credit)) == ["PJ-0001"]
    (mocks.dir.parent / "credit" / "ratings.json").write_text('[{"rating_id": "PJ-')
    assert ids(pages(credit)) == ["PJ-0001"]
