"""Platform ① case by case: every code of `double_random.md`, versions, batch numbers, queries.

Belongs here: the page's table, one case a line. Must not: the gateway rules, faults.
"""

import hashlib
import json
import time

import pytest

from tests.contract.mock_client import COMPANY, OTHER, OWN, SCHOOL, Client, day, fresh, stamp
from tests.contract.mock_records import LEFT_OUT, batch, detail, rating, result, withdrawal

RESULTS, RATINGS = "/api/v1/inspection-results", "/api/v1/credit-ratings"
OK, PROBLEM, OTHER_PROBLEM = "未发现问题", "发现问题已责令改正", "发现问题待后续处理"
MAN = {"name": "张某", "certNo": "27010124001"}
WOMAN = {"name": "李某", "certNo": "27010124002"}


def push(client, *records, path=RESULTS, number=None, **more):
    return client.call("POST", path, batch(*records, number=number), **more)


def judge(client, record, path=RESULTS):
    """The verdict on one record and the codes it was refused with."""
    reply = push(client, record, path=path)
    assert (reply.http, reply.code) == (200, "0000")
    (found,) = reply.json["data"]["results"]
    assert (found["verdict"] == "REJECTED") == bool(found["errors"])
    assert (found["receiptNo"] == "") == (found["verdict"] == "REJECTED")
    assert all(set(e) == {"code", "field", "message"} for e in found["errors"])
    return found["verdict"], {e["code"] for e in found["errors"]}


def single(client, key, kind="inspection-results"):
    items = client.get("/api/v1/records", kind=kind, recordKeys=key).json["data"]["items"]
    return items[0] if items else None


def canonical_sm3(record):
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.new("sm3", text.encode()).hexdigest()


# the envelope


def test_a_sound_record_is_accepted_with_a_receipt(one):
    record = result()
    sent = batch(record)
    reply = one.call("POST", RESULTS, sent)
    body = reply.json
    assert set(body) == {"code", "message", "requestId", "data"}
    assert (reply.http, body["code"], body["message"]) == (200, "0000", "成功")
    assert body["data"]["batchNo"] == sent["batchNo"]
    (found,) = body["data"]["results"]
    assert found["receiptNo"].startswith("SN")
    expected = {"recordKey": record["recordKey"], "version": 1, "verdict": "ACCEPTED", "errors": []}
    assert {k: v for k, v in found.items() if k != "receiptNo"} == expected


@pytest.mark.parametrize(
    "frame",
    [
        [],
        "text",
        {"records": [{}]},
        {"batchNo": "A"},
        {"batchNo": "A", "records": [{}], "more": 1},
        {"batchNo": 7, "records": [{}]},
        {"batchNo": "", "records": [{}]},
        {"batchNo": "a" * 65, "records": [{}]},
        {"batchNo": "批", "records": [{}]},
        {"batchNo": "A", "records": []},
        {"batchNo": "A", "records": {}},
        {"batchNo": "A", "records": [{}, 1]},
    ],
)
def test_a_body_that_is_not_the_frame_is_4001(one, frame):
    reply = one.call("POST", RESULTS, frame)
    assert (reply.http, reply.code, reply.json["data"]) == (200, "4001", None)


def test_an_unknown_path_or_method_is_4001(one):
    for method, path in (("POST", "/api/v1/else"), ("GET", RESULTS), ("DELETE", RESULTS), ("POST", "/api/v1/records")):
        reply = one.call(method, path)
        assert (reply.http, reply.code) == (200, "4001")


def test_over_200_records_is_4002_and_uses_no_number_up(one):
    records = [result() for _ in range(201)]
    number = fresh("D")
    assert push(one, *records, number=number).code == "4002"
    assert push(one, *records[:200], number=number).code == "0000"
    assert single(one, records[200]["recordKey"]) is None


def test_a_batch_of_200_is_judged_in_reasonable_time(one):
    start = time.monotonic()
    reply = push(one, *[result() for _ in range(200)])
    assert len(reply.json["data"]["results"]) == 200
    assert time.monotonic() - start < 5


# batch numbers


def test_the_same_number_with_the_same_bytes_gives_equal_data_and_stores_nothing_twice(mocks, one):
    sent = batch(result(), result(uniCode="x"))
    first, second = one.call("POST", RESULTS, sent), one.call("POST", RESULTS, sent)
    assert first.json["data"] == second.json["data"]
    history = [r for r in mocks.ledger("double_random", history=True) if r["key"] == sent["records"][0]["recordKey"]]
    assert len(history) == 1


def test_the_same_number_with_other_bytes_is_4009_and_stores_nothing(one):
    first, second = result(), result()
    number = fresh("D")
    assert push(one, first, number=number).code == "0000"
    assert push(one, second, number=number).code == "4009"
    assert single(one, second["recordKey"]) is None


def test_the_same_bytes_on_the_other_path_are_4009(one):
    sent = batch(result())
    assert one.call("POST", RESULTS, sent).code == "0000"
    assert one.call("POST", RATINGS, sent).code == "4009"


def test_numbers_belong_to_a_department(mocks, one):
    number = fresh("D")
    other = Client(mocks, "double_random", "YJJ")
    assert push(one, result(), number=number).code == "0000"
    theirs = result(insAuthCode=OTHER, enteredByCode=OTHER)
    assert push(other, theirs, number=number).json["data"]["results"][0]["verdict"] == "ACCEPTED"


def test_a_number_is_forgotten_after_seven_days(mocks, one):
    number, record = fresh("D"), result()
    push(one, record, number=number)
    shifted = {"timestamp": str(int((time.time() + 8 * 86400) * 1000))}
    mocks.control("POST", "/clock", {"platform": "double_random", "offset": 8 * 86400})
    assert one.call("GET", f"/api/v1/batches/{number}", **shifted).code == "4040"
    reply = push(one, record, result(), number=number, **shifted)
    assert [r["verdict"] for r in reply.json["data"]["results"]] == ["DUPLICATE", "ACCEPTED"]


def test_a_partial_5000_lets_the_same_bytes_judge_the_rest(mocks, one):
    sent = batch(*[result() for _ in range(5)])
    used = one.call("GET", "/quota").json["data"]["used_today"]
    order = {"platform": "double_random", "fault": "busy5000", "times": 1, "args": {"stored": 2}}
    mocks.control("POST", "/faults", order)
    reply = one.call("POST", RESULTS, sent)
    assert (reply.http, reply.code, reply.json["data"]) == (200, "5000", None)
    partly = one.call("GET", f"/api/v1/batches/{sent['batchNo']}").json["data"]["results"]
    assert [r["recordKey"] for r in partly] == [r["recordKey"] for r in sent["records"][:2]]
    assert one.call("POST", RESULTS, batch(result(), number=sent["batchNo"])).code == "4009"
    rest = one.call("POST", RESULTS, sent)
    assert rest.code == "0000"
    assert [r["verdict"] for r in rest.json["data"]["results"]] == ["ACCEPTED"] * 5
    assert rest.json["data"]["results"][:2] == partly
    assert one.call("GET", "/quota").json["data"]["used_today"] == used + 5


def test_a_5000_that_stored_nothing_leaves_no_batch(mocks, one):
    mocks.control(
        "POST", "/faults", {"platform": "double_random", "fault": "busy5000", "times": 1, "args": {"stored": 0}}
    )
    sent = batch(result())
    assert one.call("POST", RESULTS, sent).code == "5000"
    assert one.call("GET", f"/api/v1/batches/{sent['batchNo']}").code == "4040"
    assert one.call("POST", RESULTS, sent).json["data"]["results"][0]["verdict"] == "ACCEPTED"


def test_5001_stores_nothing_and_uses_no_number_up(mocks, one):
    mocks.control("POST", "/faults", {"platform": "double_random", "fault": "maintenance5001", "times": 1})
    sent = batch(result())
    reply = one.call("POST", RESULTS, sent)
    assert (reply.http, reply.code) == (200, "5001")
    assert single(one, sent["records"][0]["recordKey"]) is None
    assert push(one, result(), number=sent["batchNo"]).code == "0000"


# what a record must be: (change, codes)

SOUND = [
    {"raninsTypeName": "定向抽查"},
    {"raninsTypeName": "重点检查", "raninsPlanId": "", "raninsTaskId": ""},
    {"raninsTypeName": "重点检查", "raninsPlanId": "", "raninsTaskId": "610124202611101001"},
    {"raninsTypeName": "个案检查", "raninsPlanId": "", "raninsTaskId": "", "caseReason": "投诉"},
    {"caseReason": "", "leadDept": "", "raninsPlaneName": "", "raninsTaskName": "", "enteredBy": "", "insAuth": ""},
    {"jointCheck": False},
    {"entName": "某某"},
    {"entName": "某" * 200},
    {"objectType": "9", "uniCode": "", "objectCode": "CS-1"},
    {"objectType": "10", "uniCode": SCHOOL},
    {"inspectors": [{"name": "", "certNo": "A" * 8}, {"name": "", "certNo": "9" * 20}]},
    {"details": [detail(raninsCheckResName=PROBLEM), detail(raninsCheckResName=OTHER_PROBLEM)]},
    {"details": [detail(), detail(itemCode="61012400010002", raninsCheckResName=PROBLEM)]},
    {"details": [detail(itemCode=f"610124000100{i:02d}") for i in range(50)]},
    {"publishable": False, "notPublishReason": "涉及商业秘密"},
    {"leadDept": "某" * 500},
    {"version": 7},
    {"version": 10**30},
]


@pytest.mark.parametrize("change", SOUND, ids=range(len(SOUND)))
def test_what_the_table_allows_is_accepted(one, change):
    assert judge(one, result(**change)) == ("ACCEPTED", set())


BREACHES = [
    ({"recordKey": "a" * 36}, {"E01"}),
    ({"recordKey": ""}, {"E01"}),
    ({"recordKey": "键"}, {"E01"}),
    ({"recordKey": "a b"}, {"E01"}),
    ({"operation": "DELETE"}, {"E02"}),
    ({"operation": 1}, {"E02"}),
    ({"operation": None}, {"E02"}),
    ({"version": 0}, {"E03"}),
    ({"version": "1"}, {"E03"}),
    ({"version": 1.0}, {"E03"}),
    ({"version": True}, {"E03"}),
    ({"version": None}, {"E03"}),
    ({"raninsTypeName": "抽查"}, {"E04"}),
    ({"raninsPlanId": ""}, {"E04"}),
    ({"raninsTaskId": ""}, {"E04"}),
    ({"raninsPlanId": "6101242026100"}, {"E04"}),
    ({"raninsPlanId": "6101242026100A"}, {"E04"}),
    ({"raninsPlanId": "６１012420261000"}, {"E04"}),
    ({"raninsTaskId": "610124202602301001"}, {"E04"}),
    ({"raninsTaskId": "6101242026111010011"}, {"E04"}),
    ({"raninsTypeName": "重点检查", "raninsPlanId": "x"}, {"E04"}),
    ({"raninsTypeName": "个案检查", "caseReason": ""}, {"E04"}),
    ({"raninsTypeName": "个案检查", "caseReason": "投"}, {"E04"}),
    ({"raninsTypeName": "个案检查", "caseReason": "投" * 201}, {"E04"}),
    ({"caseReason": "投诉"}, {"E04"}),
    ({"entName": "某"}, {"E05"}),
    ({"entName": "某" * 201}, {"E05"}),
    ({"entName": "某\n某"}, {"E05"}),
    ({"entName": "某\x7f某"}, {"E05"}),
    ({"uniCode": COMPANY[:-1] + "A"}, {"E06"}),
    ({"uniCode": COMPANY.lower()}, {"E06"}),
    ({"uniCode": ""}, {"E06"}),
    ({"uniCode": "", "objectCode": "CS-1"}, {"E06"}),
    ({"uniCode": "", "objectType": "9"}, {"E06"}),
    ({"insAuthCode": OTHER}, {"E07"}),
    ({"enteredByCode": OTHER}, {"E07"}),
    ({"insAuthCode": ""}, {"E07"}),
    ({"inspectors": [MAN]}, {"E08"}),
    ({"inspectors": []}, {"E08"}),
    ({"inspectors": [MAN, {**WOMAN, "certNo": MAN["certNo"]}]}, {"E08"}),
    ({"inspectors": [MAN, {**WOMAN, "certNo": "1234567"}]}, {"E08"}),
    ({"inspectors": [MAN, {**WOMAN, "certNo": "1" * 21}]}, {"E08"}),
    ({"inspectors": [MAN, {**WOMAN, "certNo": "2701012400a"}]}, {"E08"}),
    ({"insDate": "2026-02-30"}, {"E09"}),
    ({"insDate": "2026/02/03"}, {"E09"}),
    ({"insDate": "2026-2-3"}, {"E09"}),
    ({"finishDate": ""}, {"E09"}),
    ({"enteredAt": "2026-01-01"}, {"E09"}),
    ({"details": []}, {"E10"}),
    ({"details": [detail(itemCode=f"610124000100{i:02d}") for i in range(51)]}, {"E10"}),
    ({"details": [detail(itemCode="6101240001000")]}, {"E10"}),
    ({"details": [detail(itemCode="6101240001000A")]}, {"E10"}),
    ({"details": [detail(raninsCheckResName="合格")]}, {"E10"}),
    ({"details": [detail(raninsCheckResName="通过登记的住所(经营场所)无法联系")]}, {"E10"}),
    ({"details": [detail(), detail(raninsCheckResName=PROBLEM)]}, {"E10"}),
    ({"publishable": "true"}, {"E11"}),
    ({"publishable": None}, {"E11"}),
    ({"publishable": False}, {"E11"}),
    ({"extra": 1}, {"E12"}),
    ({"inspectors": [MAN, {**WOMAN, "phone": ""}]}, {"E12"}),
    ({"details": [{**detail(), "extra": ""}]}, {"E12"}),
    ({"inspectors": [MAN, {"name": "李某"}]}, {"E15"}),
    ({"inspectors": [MAN, {**WOMAN, "certNo": 27010124002}]}, {"E15"}),
    ({"inspectors": "张某"}, {"E15"}),
    ({"inspectors": [MAN, "李某"]}, {"E15"}),
    ({"details": [{k: v for k, v in detail().items() if k != "remark"}]}, {"E15"}),
    ({"details": {}}, {"E15"}),
    ({"details": [detail(remark="某" * 501)]}, {"E15"}),
    ({"jointCheck": "是"}, {"E15"}),
    ({"jointCheck": None}, {"E15"}),
    ({"leadDept": None}, {"E15"}),
    ({"leadDept": "某" * 501}, {"E15"}),
    ({"objectType": "12"}, {"E15"}),
    ({"objectType": "01"}, {"E15"}),
    ({"objectType": 1}, {"E15"}),
    ({"uniCode": 9}, {"E15"}),
    ({"insDate": 20261120}, {"E15"}),
    ({"publishable": False, "notPublishReason": None}, {"E15"}),
    ({"raninsTypeName": "抽查", "uniCode": "x", "details": []}, {"E04", "E06", "E10"}),
]


@pytest.mark.parametrize(("change", "codes"), BREACHES, ids=range(len(BREACHES)))
def test_a_breach_is_a_rejection_with_its_code(one, change, codes):
    assert judge(one, result(**change)) == ("REJECTED", codes)


@pytest.mark.parametrize("name", sorted(result()))
def test_a_missing_field_is_e15_alone(one, name):
    assert judge(one, result(**{name: LEFT_OUT})) == ("REJECTED", {"E15"})


def test_the_dates_must_be_in_order_and_not_after_the_platforms_time(one):
    assert judge(one, result(insDate=day(-1), finishDate=day(-2)))[1] == {"E09"}
    assert judge(one, result(finishDate=day(), enteredAt=f"{day(-1)} 10:00:00"))[1] == {"E09"}
    assert judge(one, result(enteredAt=stamp(seconds=330)))[1] == {"E09"}
    assert judge(one, result(enteredAt=stamp(seconds=200)))[0] == "ACCEPTED"


def test_a_record_key_twice_in_a_batch_refuses_all_of_them_with_one_entry(one):
    doubled, alone = result(), result()
    reply = push(one, doubled, alone, {**doubled, "version": 2})
    found = {r["recordKey"]: r for r in reply.json["data"]["results"]}
    assert len(reply.json["data"]["results"]) == 2
    assert [e["code"] for e in found[doubled["recordKey"]]["errors"]] == ["E01"]
    assert found[alone["recordKey"]]["verdict"] == "ACCEPTED"
    assert single(one, doubled["recordKey"]) is None


# versions


def test_the_same_version_with_the_same_content_is_duplicate_with_the_old_receipt(one):
    record = result()
    first = push(one, record).json["data"]["results"][0]
    again = push(one, record).json["data"]["results"][0]
    assert again == {**first, "verdict": "DUPLICATE"}


def test_lower_is_e16_and_the_same_with_other_content_is_e17(one):
    record = result(version=5)
    assert judge(one, record) == ("ACCEPTED", set())
    assert judge(one, {**record, "version": 4}) == ("REJECTED", {"E16"})
    assert judge(one, {**record, "entName": "周至县样例商贸有限公司"}) == ("REJECTED", {"E17"})
    assert judge(one, {**record, "version": 9, "entName": "周至县样例商贸有限公司"}) == ("ACCEPTED", set())
    assert single(one, record["recordKey"])["version"] == 9


def test_a_rejected_record_leaves_no_trace(one):
    record = result(uniCode="x")
    assert judge(one, record)[0] == "REJECTED"
    assert single(one, record["recordKey"]) is None
    assert judge(one, {**record, "uniCode": COMPANY, "entName": "周至县样例商贸有限公司"}) == ("ACCEPTED", set())


def test_a_key_stored_by_another_department_is_e07_and_stays_theirs(mocks, one):
    record = result()
    judge(one, record)
    other = Client(mocks, "double_random", "YJJ")
    theirs = {**record, "version": 2, "insAuthCode": OTHER, "enteredByCode": OTHER}
    assert judge(other, theirs) == ("REJECTED", {"E07"})
    assert single(other, record["recordKey"]) is None
    assert single(one, record["recordKey"])["version"] == 1


# withdrawal


def test_a_withdrawal_is_a_version_of_its_own_and_a_higher_upsert_brings_the_record_back(one):
    record = result()
    judge(one, record)
    gone = withdrawal(record["recordKey"], 2)
    assert judge(one, withdrawal(record["recordKey"], 1)) == ("REJECTED", {"E17"})
    assert judge(one, gone) == ("ACCEPTED", set())
    assert single(one, record["recordKey"])["state"] == "WITHDRAWN"
    assert judge(one, gone) == ("DUPLICATE", set())
    assert judge(one, {**gone, "reason": "另一理由"}) == ("REJECTED", {"E17"})
    assert judge(one, record) == ("REJECTED", {"E16"})
    assert judge(one, {**record, "version": 3}) == ("ACCEPTED", set())
    assert single(one, record["recordKey"])["state"] == "STORED"


def test_a_withdrawal_of_an_unknown_key_is_accepted_and_kept(one):
    key = fresh("610124-SCJG-")
    assert judge(one, withdrawal(key, 4)) == ("ACCEPTED", set())
    assert single(one, key)["state"] == "WITHDRAWN"
    assert judge(one, result(recordKey=key, version=3)) == ("REJECTED", {"E16"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"recordKey": LEFT_OUT}, "E01"),
        ({"recordKey": "a b"}, "E01"),
        ({"version": LEFT_OUT}, "E03"),
        ({"version": "2"}, "E03"),
        ({"insAuthCode": LEFT_OUT}, "E07"),
        ({"enteredByCode": LEFT_OUT}, "E07"),
        ({"insAuthCode": OTHER}, "E07"),
        ({"reason": LEFT_OUT}, "E02"),
        ({"reason": ""}, "E02"),
        ({"reason": "某" * 501}, "E02"),
        ({"entName": "某某"}, "E12"),
    ],
)
def test_a_withdrawal_holds_its_six_fields_and_nothing_else(one, change, code):
    assert judge(one, withdrawal(fresh(), 1, **change)) == ("REJECTED", {code})


# ratings


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"scheme": "INDUSTRY", "grade": "M"},
        {"scheme": "RISK", "grade": "A"},
        {"score": None},
        {"score": 7},
        {"validUntil": day()},
        {"ratedAt": stamp(days=-1), "validUntil": stamp()},
        {"ratedAt": stamp(seconds=200)},
        {"field": "", "evaluatorCode": "", "evaluator": ""},
    ],
    ids=range(9),
)
def test_a_sound_rating_is_accepted(one, change):
    assert judge(one, rating(**change), RATINGS) == ("ACCEPTED", set())


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"scheme": "OTHER"}, {"E13"}),
        ({"grade": "A"}, {"E13"}),
        ({"scheme": "RISK", "grade": "M"}, {"E13"}),
        ({"grade": "优秀"}, {"E13"}),
        ({"score": "88"}, {"E13"}),
        ({"score": True}, {"E13"}),
        ({"ratedAt": "2026-13-01"}, {"E14"}),
        ({"ratedAt": "", "validUntil": ""}, {"E14"}),
        ({"validUntil": day(-9)}, {"E14"}),
        ({"validUntil": "长期"}, {"E14"}),
        ({"sharedByCode": OTHER}, {"E07"}),
        ({"uniCode": ""}, {"E06"}),
        ({"entName": "某"}, {"E05"}),
        ({"scheme": 1}, {"E15"}),
        ({"grade": None}, {"E15"}),
        ({"insAuthCode": OWN}, {"E12"}),
    ],
    ids=range(16),
)
def test_a_breach_of_a_rating_has_its_code(one, change, codes):
    assert judge(one, rating(**change), RATINGS) == ("REJECTED", codes)


def test_a_rating_later_than_the_platforms_time_is_e14(one):
    assert judge(one, rating(ratedAt=stamp(seconds=330)), RATINGS) == ("REJECTED", {"E14"})


@pytest.mark.parametrize("name", sorted(rating()))
def test_a_missing_field_of_a_rating_is_e15_alone(one, name):
    assert judge(one, rating(**{name: LEFT_OUT}), RATINGS) == ("REJECTED", {"E15"})


def test_keys_of_results_and_of_ratings_are_separate_name_spaces(one):
    key = fresh("K")
    assert judge(one, result(recordKey=key)) == ("ACCEPTED", set())
    assert judge(one, rating(recordKey=key), RATINGS) == ("ACCEPTED", set())


def test_a_rating_is_withdrawn_by_the_department_that_shared_it(one):
    record = rating()
    judge(one, record, RATINGS)
    gone = {
        "recordKey": record["recordKey"],
        "operation": "WITHDRAW",
        "version": 2,
        "sharedByCode": OWN,
        "reason": "信用修复",
    }
    assert judge(one, {**gone, "insAuthCode": OWN}, RATINGS) == ("REJECTED", {"E12"})
    assert judge(one, {k: v for k, v in gone.items() if k != "sharedByCode"}, RATINGS) == ("REJECTED", {"E07"})
    assert judge(one, gone, RATINGS) == ("ACCEPTED", set())
    assert single(one, record["recordKey"], "credit-ratings")["state"] == "WITHDRAWN"


# queries


def test_a_batch_is_looked_up_by_its_number(mocks, one):
    sent = batch(result(), result(uniCode="x"))
    data = one.call("POST", RESULTS, sent).json["data"]
    assert one.get(f"/api/v1/batches/{sent['batchNo']}").json["data"] == data
    assert Client(mocks, "double_random", "YJJ").get(f"/api/v1/batches/{sent['batchNo']}").code == "4040"
    assert one.get(f"/api/v1/batches/{fresh('D')}").code == "4040"
    assert one.get(f"/api/v1/batches/{sent['batchNo']}", a=1).code == "4001"


def test_single_records_come_with_the_stored_object_and_its_hash(mocks, one):
    record, unknown = result(), fresh()
    judge(one, record)
    data = one.get("/api/v1/records", kind="inspection-results", recordKeys=f"{record['recordKey']},{unknown}").json[
        "data"
    ]
    (item,) = data["items"]
    assert item["record"] == record
    assert item["contentHash"] == canonical_sm3(record)
    assert (item["version"], item["state"]) == (1, "STORED")
    assert set(item) == {"recordKey", "version", "state", "receiptNo", "contentHash", "updatedAt", "record"}
    other = Client(mocks, "double_random", "YJJ")
    assert single(other, record["recordKey"]) is None


def listing(client, **params):
    """All pages."""
    items, cursor = [], {}
    while True:
        data = client.get("/api/v1/records", kind="inspection-results", **params, **cursor).json["data"]
        items += data["items"]
        if not data["nextCursor"]:
            return items
        cursor = {"cursor": data["nextCursor"]}


def test_the_list_is_paged_by_last_change_and_a_changed_record_moves_to_the_end(mocks, one):
    records = [result() for _ in range(5)]
    since = stamp()
    push(one, *records)
    keys = [r["recordKey"] for r in records]
    assert [i["recordKey"] for i in listing(one, updatedFrom=since, limit=2)][-5:] == keys
    assert "record" not in listing(one, updatedFrom=since, limit=1000)[0]
    judge(one, {**records[0], "version": 2})
    assert [i["recordKey"] for i in listing(one, updatedFrom=since, limit=2)][-5:] == [*keys[1:], keys[0]]
    assert keys[0] not in [i["recordKey"] for i in listing(Client(mocks, "double_random", "YJJ"), limit=2)]


def test_both_bounds_of_the_list_are_inclusive(one):
    record = result()
    judge(one, record)
    at = single(one, record["recordKey"])["updatedAt"]
    assert record["recordKey"] in {i["recordKey"] for i in listing(one, updatedFrom=at, updatedTo=at)}
    assert record["recordKey"] not in {i["recordKey"] for i in listing(one, updatedTo="2020-01-01 00:00:00")}
