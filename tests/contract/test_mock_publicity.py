"""Platform ③ case by case: counts, refusals in their order, the 6005 search, silent failures, stop, queries, the page.

Belongs here: every line of `publicity.md`. Must not: the gateway rules, faults.
"""

import hashlib
import json
from urllib.parse import quote

import pytest

from tests.contract.mock_client import COMPANY, OTHER, OWN, SCHOOL, SELF_EMPLOYED, Client, day, fresh, send, stamp
from tests.contract.mock_records import LEFT_OUT, pub_batch, public_rating, publication, stop, stops

INSPECTIONS, RATINGS, STOP = "/publicity/inspections", "/publicity/credit-ratings", "/publicity/stop"
COUNTS = ("code", "totalSize", "successSize", "failSize")


def resident(first17):
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first17 + "10X98765432"[sum(w * int(c) for w, c in zip(weights, first17, strict=True)) % 11]


# Region 610199 does not exist: nobody has these numbers.
PERSON = resident("61019919900101001")
WITH_X = next(n for n in (resident(f"61019919900101{i:03d}") for i in range(100)) if n.endswith("X"))


def counts(reply):
    assert reply.http == 200
    assert set(reply.json) == {"code", "errorMsg", "totalSize", "successSize", "failSize", "tips"}
    return tuple(reply.json[name] for name in COUNTS)


def push(client, *records, path=INSPECTIONS, **over):
    return counts(client.call("POST", path, pub_batch(*records, **over)))


def single(client, pub_id):
    items = client.get("/publicity/records", pubIds=pub_id).json["data"]["items"]
    return items[0] if items else None


# the answer


def test_an_answer_counts_and_never_says_which(three):
    reply = three.call("POST", INSPECTIONS, pub_batch(publication(), publication(UniCode=SCHOOL)))
    expected = {"code": 200, "errorMsg": "", "totalSize": 2, "successSize": 1, "failSize": 1, "tips": "1条记录未入库"}
    assert reply.json == expected


def test_what_was_accepted_is_public_at_once(three):
    record = publication()
    assert push(three, record) == (200, 1, 1, 0)
    assert single(three, record["pubId"])["state"] == "PUBLIC"


def test_the_same_content_again_is_20001_and_counts_as_success_beside_a_new_one(mocks, three):
    record = publication()
    push(three, record)
    at = single(three, record["pubId"])["updatedAt"]
    again = three.call("POST", INSPECTIONS, pub_batch({**record, "publicFrom": day(1)}))
    assert counts(again) == (20001, 1, 0, 0)
    assert again.json["errorMsg"] == "有重复信息，无需继续推送"
    assert push(three, record, publication()) == (200, 2, 2, 0)
    assert single(three, record["pubId"])["updatedAt"] == at
    assert [r["key"] for r in mocks.ledger("publicity", history=True)].count(record["pubId"]) == 1


def test_a_known_pub_id_with_other_content_is_replaced(three):
    record = publication()
    push(three, record)
    new = {**record, "EntName": "周至县样例商贸有限公司"}
    assert push(three, new) == (200, 1, 1, 0)
    assert single(three, record["pubId"])["record"] == new


def test_the_batch_id_is_never_checked(three):
    assert push(three, publication(), batchId="P-1") == (200, 1, 1, 0)
    assert push(three, publication(), batchId="P-1") == (200, 1, 1, 0)
    assert push(three, publication(), batchId=LEFT_OUT) == (200, 1, 1, 0)


# refusals, in their order


def test_an_unknown_path_or_method_is_3001(three):
    for method, path in (("POST", "/publicity/else"), ("GET", INSPECTIONS), ("POST", "/publicity/records")):
        assert counts(three.call(method, path)) == (3001, 0, 0, 0)


@pytest.mark.parametrize("frame", [[], {}, {"records": []}, {"records": {}}, "text"])
def test_no_json_or_no_records_is_6002_before_the_department(three, frame):
    assert counts(three.call("POST", INSPECTIONS, frame)) == (6002, 0, 0, 0)


@pytest.mark.parametrize(("code", "expected"), [(LEFT_OUT, 4001), ("", 4001), (None, 4001), (OTHER, 4002), ("x", 4002)])
def test_the_department_code_must_be_there_and_be_the_credentials(three, code, expected):
    forbidden = publication(EntName=f"样例{PERSON}")
    assert push(three, publication(), forbidden, departmentCode=code) == (expected, 2, 0, 0)


def test_what_must_not_be_public_is_said_before_a_wrong_form(three):
    record = publication(EntName=f"样例{PERSON}", insDate="?")
    assert push(three, record) == (6005, 1, 0, 0)
    assert push(three, {**record, "EntName": "样例公司"}) == (6002, 1, 0, 0)


def test_a_wrong_form_is_said_before_20001(three):
    record = publication()
    push(three, record)
    assert push(three, record, publication(extra=1)) == (6002, 2, 0, 0)


FORMS = [
    *[{name: LEFT_OUT} for name in sorted(publication())],
    *[{name: None} for name in sorted(publication())],
    {"extra": ""},
    {"pubId": ""},
    {"EntName": 1},
    {"details": []},
    {"details": {}},
    {"details": [{"seqno": "1", "raninsItemName": "a", "raninsCheckResName": "未发现问题"}]},
    {"details": [{"seqno": 0, "raninsItemName": "a", "raninsCheckResName": "未发现问题"}]},
    {"details": [{"seqno": 1, "raninsItemName": "a", "raninsCheckResName": "合格"}]},
    {"details": [{"seqno": 1, "raninsItemName": "a"}]},
    {"details": [{"seqno": 1, "raninsItemName": "a", "raninsCheckResName": "未发现问题", "remark": ""}]},
    {"insDate": ""},
    {"insDate": "2026-02-30"},
    {"publicFrom": "2026/11/22"},
    {"publicUntil": "长期"},
]


@pytest.mark.parametrize("change", FORMS, ids=range(len(FORMS)))
def test_one_malformed_record_refuses_the_whole_batch(three, change):
    good = publication()
    assert push(three, good, publication(**change)) == (6002, 2, 0, 0)
    assert single(three, good["pubId"]) is None


def test_over_500_records_or_100_ids_are_6002(three):
    records = [publication() for _ in range(501)]
    assert push(three, *records) == (6002, 501, 0, 0)
    assert push(three, *records[:500]) == (200, 500, 500, 0)
    assert three.get("/publicity/records", pubIds=",".join(fresh() for _ in range(101))).code == 6002
    many = stops(*[stop(fresh()) for _ in range(101)])
    assert counts(three.call("POST", STOP, many)) == (6002, 101, 0, 0)


def test_plan_and_task_may_be_empty(three):
    empty = {"raninsPlanId": "", "raninsPlaneName": "", "raninsTaskId": "", "raninsTaskName": ""}
    assert push(three, publication(**empty)) == (200, 1, 1, 0)


# 6005


def wide(text):
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


PERSONAL = [
    PERSON,
    f"张某{PERSON}户",
    WITH_X,
    WITH_X.lower(),
    wide(PERSON),
    wide(WITH_X.lower()),
    f"{PERSON[:6]} {PERSON[6:14]} {PERSON[14:]}",
    f"{PERSON[:6]}-{PERSON[6:14]}-{PERSON[14:]}",
    f"{PERSON[:6]}—{PERSON[6:14]}　{PERSON[14:]}",
    f"7{PERSON}",
    f"{PERSON}7",
    f"98{PERSON}89",
    "电话13912345678",
    "13912345678转1",
    "8613912345678",
    "+86 13912345678",
    "008619912345678",
    wide("13912345678"),
    "RISK",
    "评价RISK级",
    "企业信用风险分类A级",
]
HARMLESS = [
    PERSON[:-1] + ("1" if PERSON[-1] != "1" else "2"),  # check digit
    resident("61019919900230001"),  # no date
    resident("61019920990101001"),  # not born yet
    PERSON[:-1],
    "12912345678",
    "139123456789",
    "1391234567",
    "RISKY",
    "ASTERISK",
    "统一社会信用代码",
]


@pytest.mark.parametrize("text", PERSONAL, ids=range(len(PERSONAL)))
def test_personal_data_and_risk_classes_refuse_the_batch_with_6005(three, text):
    good = publication()
    assert push(three, good, publication(EntName=f"样例{text}")) == (6005, 2, 0, 0)
    assert single(three, good["pubId"]) is None


@pytest.mark.parametrize("text", HARMLESS, ids=range(len(HARMLESS)))
def test_what_only_looks_like_it_is_published(three, text):
    assert push(three, publication(EntName=f"样例{text}")) == (200, 1, 1, 0)


def test_the_search_covers_every_text_but_the_four_number_fields(three):
    for name in ("raninsPlaneName", "raninsTaskName", "raninsTypeName", "insAuth"):
        assert push(three, publication(**{name: PERSON}))[0] == 6005
    row = {"seqno": 1, "raninsItemName": PERSON, "raninsCheckResName": "未发现问题"}
    assert push(three, publication(details=[row]))[0] == 6005
    for name in ("pubId", "raninsPlanId", "raninsTaskId"):
        assert push(three, publication(**{name: PERSON})) == (200, 1, 1, 0)
    assert push(three, publication(UniCode=PERSON)) == (200, 1, 0, 1)


def test_the_attempt_is_recorded_against_the_department(mocks, three):
    record = publication(EntName=f"样例{PERSON}")
    push(three, record)
    found = mocks.control("GET", "/violations/publicity")
    assert {"SCJG": record["pubId"]} in [{row["department"]: row["key"]} for row in found]
    assert PERSON not in json.dumps(found)


# silent failures


def test_silent_failures_are_counted_and_leave_nothing(mocks, three):
    stopped, theirs, rated = publication(), publication(), public_rating()
    push(three, stopped)
    three.call("POST", STOP, stops(stop(stopped["pubId"])))
    other = Client(mocks, "publicity", "YJJ")
    push(other, theirs, departmentCode=OTHER)
    push(three, rated, path=RATINGS)
    changes = [
        {"UniCode": COMPANY[:-1] + "A"},
        {"UniCode": ""},
        {"UniCode": SCHOOL},
        {"publicFrom": day(-3)},
        {"publicUntil": day(-1)},
        {"insDate": day(1), "publicFrom": day(2)},
        {"pubId": stopped["pubId"]},
        {"pubId": theirs["pubId"]},
        {"pubId": rated["pubId"]},
    ]
    records = [publication(**change) for change in changes]
    assert push(three, *records, publication()) == (200, 10, 1, 9)
    assert [single(three, r["pubId"]) for r in records[:6]] == [None] * 6
    assert single(other, theirs["pubId"])["record"] == theirs
    assert single(three, rated["pubId"])["kind"] == "rating"


@pytest.mark.parametrize("code", [COMPANY, SELF_EMPLOYED, "93610124YY00000360"])
def test_registered_market_entities_are_shown(three, code):
    assert push(three, publication(UniCode=code, publicUntil=day(30))) == (200, 1, 1, 0)


# ratings


def test_a_public_rating_is_shown_and_every_other_scheme_is_6005(three):
    assert push(three, public_rating(), path=RATINGS) == (200, 1, 1, 0)
    for scheme in ("INDUSTRY", "RISK", "public", ""):
        assert push(three, public_rating(), public_rating(scheme=scheme, grade="A"), path=RATINGS) == (6005, 2, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"grade": "A"},
        {"grade": "优秀"},
        {"grade": None},
        {"ratedAt": "去年"},
        {"scheme": LEFT_OUT},
        {"insDate": "2026-01-01"},
    ],
)
def test_a_malformed_rating_is_6002(three, change):
    assert push(three, public_rating(**change), path=RATINGS) == (6002, 1, 0, 0)


def test_a_rating_may_carry_a_time(three):
    assert push(three, public_rating(ratedAt=stamp(days=-1)), path=RATINGS) == (200, 1, 1, 0)


# stop


def test_a_stop_ends_publicity_for_good_under_that_pub_id(three):
    record = publication()
    push(three, record)
    assert counts(three.call("POST", STOP, stops(stop(record["pubId"])))) == (200, 1, 1, 0)
    assert single(three, record["pubId"])["state"] == "STOPPED"
    assert counts(three.call("POST", STOP, stops(stop(record["pubId"])))) == (200, 1, 1, 0)
    assert push(three, record) == (200, 1, 0, 1)
    assert push(three, {**record, "pubId": record["pubId"] + "-R2"}) == (200, 1, 1, 0)


def test_stopping_what_was_never_public_or_is_anothers_fails(mocks, three):
    theirs, mine = publication(), publication()
    push(Client(mocks, "publicity", "YJJ"), theirs, departmentCode=OTHER)
    push(three, mine)
    order = stops(stop(fresh()), stop(theirs["pubId"]), stop(mine["pubId"]))
    assert counts(three.call("POST", STOP, order)) == (200, 3, 1, 2)
    assert single(Client(mocks, "publicity", "YJJ"), theirs["pubId"])["state"] == "PUBLIC"


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (stops(), 6002),
        ({"departmentCode": OWN}, 6002),
        (stops(stop("a"), departmentCode=LEFT_OUT), 4001),
        (stops(stop("a"), departmentCode=OTHER), 4002),
        (stops(stop("a", reason="BORED")), 6002),
        (stops(stop("a", basis=LEFT_OUT)), 6002),
        (stops(stop("a", decidedAt="?")), 6002),
        (stops(stop("a", more="")), 6002),
        (stops(stop("a"), more=""), 6002),
    ],
    ids=range(9),
)
def test_a_stop_is_refused_by_the_same_codes(three, order, code):
    assert counts(three.call("POST", STOP, order))[0] == code


@pytest.mark.parametrize("reason", ["REPAIRED", "EXPIRED", "REVOKED", "ENTRY_ERROR", "OBJECTION", "NOT_PUBLIC"])
def test_every_reason_of_the_page_stops(three, reason):
    record = publication()
    push(three, record)
    order = stops(stop(record["pubId"], reason=reason, decidedAt=stamp()))
    assert counts(three.call("POST", STOP, order)) == (200, 1, 1, 0)


def test_a_stop_counts_for_no_quota(three):
    record = publication()
    push(three, record)
    used = three.call("GET", "/quota").json["data"]["used_today"]
    three.call("POST", STOP, stops(stop(record["pubId"])))
    assert three.call("GET", "/quota").json["data"]["used_today"] == used


# queries


def sha256_without_public_from(record):
    kept = {k: v for k, v in record.items() if k != "publicFrom"}
    return hashlib.sha256(
        json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def test_single_records_come_with_the_record_and_its_hash(mocks, three):
    record = publication()
    push(three, record)
    reply = three.get("/publicity/records", pubIds=f"{fresh()},{record['pubId']}")
    (item,) = reply.json["data"]["items"]
    assert set(item) == {"pubId", "kind", "state", "contentSha256", "updatedAt", "publicUntil", "record"}
    assert (item["kind"], item["record"]) == ("inspection", record)
    assert item["contentSha256"] == sha256_without_public_from(record)
    assert single(Client(mocks, "publicity", "YJJ"), record["pubId"]) is None


def test_the_list_pages_by_a_thousand_and_a_stopped_record_moves_to_the_end(three):
    since = stamp()
    records = [publication() for _ in range(1003)]
    for start in (0, 500, 1000):
        push(three, *records[start : start + 500])
    three.call("POST", STOP, stops(stop(records[0]["pubId"])))
    first = three.get("/publicity/records", updatedFrom=since).json["data"]
    assert len(first["items"]) == 1000
    second = three.get("/publicity/records", updatedFrom=since, cursor=first["nextCursor"]).json["data"]
    assert second["nextCursor"] == ""
    items = first["items"] + second["items"]
    expected = [r["pubId"] for r in records[1:]] + [records[0]["pubId"]]
    assert [i["pubId"] for i in items][-1003:] == expected
    assert (items[-1]["state"], "record" in items[-1]) == ("STOPPED", False)


# the public page


def page(mocks, words):
    reply = send(mocks.urls["publicity"], "GET", f"/?q={quote(words)}")
    assert (reply.http, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return reply.raw.decode()


def test_anyone_finds_a_company_by_name_or_code_and_sees_its_results(mocks, three):
    record = publication(
        EntName="周至县样例查询有限公司", UniCode="91610100YY0000079T", raninsTaskName="加油站联合抽查"
    )
    push(three, record)
    for words in ("样例查询", "91610100YY0000079T", "91610100yy0000079t"):
        html = page(mocks, words)
        assert "加油站联合抽查" in html
        assert "未发现问题" in html
    three.call("POST", STOP, stops(stop(record["pubId"])))
    assert "加油站联合抽查" not in page(mocks, "样例查询")


def test_the_page_escapes_what_stands_in_a_record_and_in_the_search(mocks, three):
    push(three, publication(EntName="样例<script>alert(1)</script>公司"))
    html = page(mocks, "样例<script>")
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "没有找到" in page(mocks, "无此企业")
    assert "现公示" in page(mocks, "")


def test_the_page_loads_nothing_from_elsewhere(mocks, three):
    push(three, publication())
    html = page(mocks, "样例")
    assert "http://" not in html
    assert "https://" not in html
    assert "src=" not in html
