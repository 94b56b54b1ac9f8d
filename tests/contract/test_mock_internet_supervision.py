"""Platform ② case by case: the door, the ten breach types, receipts, the list of `internet_supervision.md`.

Belongs here: the page's table, one case a line. Must not: the gateway rules, faults.
"""

import hashlib
import time

import pytest

from tests.contract.mock_client import COMPANY, OTHER, OWN, SCHOOL, Client, day, fresh, number_of_day, stamp, wait_done
from tests.contract.mock_records import LEFT_OUT, action, assessment, cd_batch, changed

ACTIONS, CREDIT = "/exchange/jg_jgxw_check_action", "/exchange/credit_assess"
PERSON = "610199199001010014"  # a region that no one has; the check digit is made to hold below


def resident(first17):
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first17 + "10X98765432"[sum(w * int(c) for w, c in zip(weights, first17, strict=True)) % 11]


def push(client, *records, path=ACTIONS, **over):
    return client.call("POST", path, cd_batch(*records, **over))


def receipts(client, *records, path=ACTIONS, **over):
    """The results of a batch in their order."""
    sent = cd_batch(*records, **over)
    reply = client.call("POST", path, sent)
    assert (reply.http, reply.code) == (202, "202")
    data = wait_done(client, sent["cd_batch"])
    assert data["status"] == "DONE"
    assert (data["total"], data["passed"] + data["failed"]) == (len(records), len(records))
    assert sum(r["result"] == "PASS" for r in data["results"]) == data["passed"]
    return data["results"]


def judge(client, record, path=ACTIONS):
    """The set of breach types of one record, empty if it passed."""
    (found,) = receipts(client, record, path=path)
    assert found["cd_id"] == record.get("cd_id", "")
    if found["result"] == "PASS":
        assert set(found) == {"cd_id", "result", "receipt"}
        assert found["receipt"].startswith("HLW")
        return set()
    assert set(found) == {"cd_id", "result", "checks"}
    assert all(set(check) == {"type", "field", "message"} for check in found["checks"])
    return {check["type"] for check in found["checks"]}


def single(client, key, table="jg_jgxw_check_action"):
    rows = client.get("/exchange/records", table=table, cd_ids=key).json["data"]["rows"]
    return rows[0] if rows else None


# the door


def test_a_batch_is_taken_in_first_and_checked_later(two):
    sent = cd_batch(action(), action(area_number=""))
    reply = two.call("POST", ACTIONS, sent)
    assert reply.http == 202
    assert reply.json == {"code": "202", "message": "已接收", "data": {"cd_batch": sent["cd_batch"], "received": 2}}
    early = two.get(f"/exchange/receipts/{sent['cd_batch']}").json["data"]
    assert early == {"cd_batch": sent["cd_batch"], "status": "PROCESSING"}
    done = wait_done(two, sent["cd_batch"])
    assert (done["total"], done["passed"], done["failed"]) == (2, 1, 1)
    assert two.get(f"/exchange/receipts/{sent['cd_batch']}").json["data"] == done


@pytest.mark.parametrize(
    "frame",
    [
        [],
        {"cd_batch": "2026112200001", "records": [{}]},
        {"cd_source": "610124", "records": [{}]},
        {"cd_batch": "2026112200001", "cd_source": "610124"},
        {"cd_batch": "2026112200001", "cd_source": "610124", "records": []},
        {"cd_batch": "2026112200001", "cd_source": "610124", "records": {}},
        {"cd_batch": "2026112200001", "cd_source": "610124", "records": ["a"]},
        {"cd_batch": "2026112200001", "cd_source": "610124", "records": [{}], "more": 1},
        {"cd_batch": 2026112200001, "cd_source": "610124", "records": [{}]},
    ],
)
def test_a_body_that_is_not_the_frame_is_6002(two, frame):
    reply = two.call("POST", ACTIONS, frame)
    assert (reply.http, reply.code) == (400, "6002")


@pytest.mark.parametrize(
    "number", ["2026023000001", "202611220001", "20261122000001", "2026112200A01", "２026112200001", ""]
)
def test_a_batch_number_that_is_no_real_date_and_five_digits_is_6003(two, number):
    reply = two.call("POST", ACTIONS, {**cd_batch(action()), "cd_batch": number})
    assert (reply.http, reply.code) == (400, "6003")


def test_the_date_of_a_batch_number_need_not_be_today(two):
    assert push(two, action(), number="2024022900001").http == 202


def test_over_1000_records_is_6004_and_1000_are_taken_in(two):
    records = [{"cd_id": fresh()} for _ in range(1001)]
    reply = push(two, *records)
    assert (reply.http, reply.code) == (400, "6004")
    assert push(two, *records[:1000]).json["data"]["received"] == 1000


def test_the_refusals_at_the_door_come_in_their_order(two):
    many = [{"cd_id": fresh()} for _ in range(1001)]
    used = cd_batch(action())
    assert two.call("POST", ACTIONS, used).http == 202
    assert push(two, *many, number="x").code == "6003"
    assert push(two, *many, number=used["cd_batch"]).code == "6004"


def test_a_used_number_is_6009_unless_the_bytes_are_the_same(two):
    sent = cd_batch(action())
    first = two.call("POST", ACTIONS, sent)
    assert two.call("POST", ACTIONS, sent).json == first.json
    wait_done(two, sent["cd_batch"])
    assert two.call("POST", ACTIONS, sent).json == first.json
    other = two.call("POST", ACTIONS, cd_batch(action(), number=sent["cd_batch"]))
    assert (other.http, other.code) == (409, "6009")
    assert two.call("POST", CREDIT, sent).code == "6009"


def test_the_same_bytes_again_count_once_and_are_checked_once(mocks, two):
    sent = cd_batch(action())
    used = two.call("GET", "/quota").json["data"]["used_today"]
    for _ in range(3):
        assert two.call("POST", ACTIONS, sent).http == 202
    wait_done(two, sent["cd_batch"])
    assert two.call("GET", "/quota").json["data"]["used_today"] == used + 1
    key = sent["records"][0]["cd_id"]
    assert [r["key"] for r in mocks.ledger("internet_supervision", history=True)].count(key) == 1


def test_numbers_and_receipts_belong_to_a_credential(mocks, two):
    sent = cd_batch(action())
    two.call("POST", ACTIONS, sent)
    other = Client(mocks, "internet_supervision", "YJJ")
    missing = other.get(f"/exchange/receipts/{sent['cd_batch']}")
    assert (missing.http, missing.code) == (404, "6040")
    assert push(other, action(), number=sent["cd_batch"]).http == 202


def test_an_unknown_path_is_404(two):
    assert two.call("GET", "/exchange/else").http == 404


# the ten types: (change, types)

SOUND = [
    {"plan_id": LEFT_OUT, "check_mode": LEFT_OUT},
    {"plan_id": "", "check_mode": "2"},
    {"check_mode": ""},
    {"supervise_object_type": LEFT_OUT},
    {"supervise_object_type": "11"},
    {"address_registered": LEFT_OUT, "address_operating": LEFT_OUT},
    {"entrust_dept": "周至县样例站", "entrust_dept_code": "1"},
    {"check_personnel_code": LEFT_OUT},
    {"check_personnel_code": ""},
    {"check_personnel": "张某,李某,王某", "check_personnel_code": "1,2,3"},
    {"administrative_cp_ce_type": "099", "administrative_cp_ui_code": "CS-1"},
    {"administrative_cp_ui_code": SCHOOL},
    {
        "administrative_cp_ce_type": "111",
        "administrative_cp_na": "01",
        "administrative_cp_ui_code": resident(PERSON[:17]),
    },
    {"check_date": "2020-02-29"},
    {"supervise_item_check_icode": f"{OWN}1"},
    {"supervise_object": "某" * 200},
    {"submitted_personnel": LEFT_OUT},
    {"administrative_cp_na": "03", "check_form": "99", "check_type": "02", "check_result": "06"},
]


def test_what_the_table_allows_passes(two):
    found = receipts(two, *[action(**change) for change in SOUND])
    assert [r["result"] for r in found] == ["PASS"] * len(SOUND), found


REQUIRED = (
    *("cd_operation", "cd_time", "record_unique_identity", "supervise_item_implement_code"),
    *("supervise_item_check_icode", "check_action_name", "check_action_code", "implement_institution"),
    *("implement_institution_code", "supervise_object", "administrative_cp", "administrative_cp_na"),
    *("administrative_cp_ce_type", "administrative_cp_ui_code", "area_number", "check_form", "check_type"),
    *("check_result", "check_date", "check_personnel", "submitted_date"),
)
BREACHES = [
    *[({name: LEFT_OUT}, {"01"}) for name in REQUIRED],
    *[({name: ""}, {"01"}) for name in REQUIRED],
    ({"extra": "x"}, {"01"}),
    ({"cd_batch": "2026112200001"}, {"01"}),
    ({"plan_id": 1}, {"01"}),
    ({"check_result": 1}, {"01"}),
    ({"address_registered": None}, {"01"}),
    ({"cd_operation": "x"}, {"01"}),
    ({"check_result": "1"}, {"01"}),
    ({"check_result": "07"}, {"01"}),
    ({"check_form": "03"}, {"01"}),
    ({"check_type": "03"}, {"01"}),
    ({"check_mode": "4"}, {"01"}),
    ({"check_mode": "01"}, {"01"}),
    ({"supervise_object_type": "12"}, {"01"}),
    ({"administrative_cp_na": "04"}, {"01"}),
    ({"administrative_cp_ce_type": "002"}, {"01"}),
    ({"supervise_object": "某" * 201}, {"01"}),
    ({"administrative_cp": "某" * 201}, {"01"}),
    ({"implement_institution": "某" * 101}, {"01"}),
    ({"plan_id": "1" * 51}, {"01"}),
    ({"address_operating": "某" * 401}, {"01"}),
    ({"submitted_personnel": "某" * 51}, {"01"}),
    ({"supervise_item_check_icode": OWN + "4" + "1" * 790}, {"01"}),
    ({"administrative_cp_ce_type": "099", "administrative_cp_ui_code": "1" * 21}, {"01"}),
    ({"area_number": "6101240"}, {"01"}),
    ({"entrust_dept_code": "1" * 21}, {"01"}),
    ({"implement_institution_code": OTHER}, {"02"}),
    ({"supervise_item_implement_code": "6101240001000"}, {"03"}),
    ({"supervise_item_implement_code": "6101240001000A"}, {"03"}),
    ({"supervise_item_check_icode": f"{OTHER}4000001"}, {"04"}),
    ({"supervise_item_check_icode": f"{OWN}6000001"}, {"04"}),
    ({"supervise_item_check_icode": OWN}, {"04"}),
    ({"check_action_code": "610124-SCJG-1"}, {"05"}),
    ({"administrative_cp_ui_code": COMPANY[:-1] + "A"}, {"06"}),
    ({"administrative_cp_ui_code": PERSON}, {"06"}),
    ({"administrative_cp_ce_type": "111"}, {"07"}),
    ({"administrative_cp_ce_type": "111", "administrative_cp_ui_code": resident("61019920260230001")}, {"07"}),
    ({"administrative_cp_ce_type": "111", "administrative_cp_ui_code": resident("61019920990101001")}, {"07"}),
    ({"check_personnel": "张某", "check_personnel_code": "1"}, {"08"}),
    ({"check_personnel": "张某", "check_personnel_code": LEFT_OUT}, {"08"}),
    ({"check_personnel": "张某,"}, {"08"}),
    ({"check_personnel": "张某、李某", "check_personnel_code": LEFT_OUT}, {"08"}),
    ({"check_personnel_code": "27010124001"}, {"08"}),
    ({"check_personnel_code": "1,2,3"}, {"08"}),
    ({"plan_id": LEFT_OUT}, {"08"}),
    ({"plan_id": ""}, {"08"}),
    ({"record_unique_identity": "610124-SCJG-1-61012400010001"}, {"09"}),
    ({"cd_id": "610124-SCJG-1"}, {"09"}),
    ({"cd_id": "610124-SCJG-键-61012400010001"}, {"09"}),
    ({"cd_id": "a" * 35 + "-6101240001000"}, {"09"}),
    ({"cd_id": LEFT_OUT}, {"01"}),
    ({"check_date": "2026-02-30"}, {"10"}),
    ({"check_date": "20261120"}, {"10"}),
    ({"submitted_date": "2026-02-30"}, {"10"}),
    ({"cd_time": "2026-11-22"}, {"10"}),
]


def test_every_breach_has_its_type(two):
    records = []
    for change, _ in BREACHES:
        record = action()
        if isinstance(change.get("cd_id"), str):
            record = action(cd_id=change["cd_id"])
        records.append(changed(record, change))
    found = receipts(two, *records)
    said = [{c["type"] for c in r.get("checks", ())} for r in found]
    wrong = [(c, expected, got) for (c, expected), got in zip(BREACHES, said, strict=True) if expected != got]
    assert not wrong


def test_dates_of_the_future_and_a_submission_on_the_day_of_the_check_are_type_10(two):
    (found,) = receipts(two, action(check_date=day(), submitted_date=day()))
    assert [(c["type"], c["message"]) for c in found["checks"]] == [("10", "报送时间不能早于检查时间")]
    assert judge(two, action(check_date=day(1), submitted_date=day(2))) == {"10"}
    assert judge(two, action(submitted_date=day(1))) == {"10"}
    assert judge(two, action(cd_time=stamp(seconds=330))) == {"10"}
    assert judge(two, action(cd_time=stamp(seconds=200))) == set()


def test_another_source_is_type_02_for_every_record(two):
    found = receipts(two, action(), action(), source="610100")
    assert [[c["type"] for c in r["checks"]] for r in found] == [["02"], ["02"]]


def test_a_cd_id_twice_in_the_batch_is_09_for_both(two):
    record = action()
    found = receipts(two, record, action(), record)
    assert [r["result"] for r in found] == ["FAIL", "PASS", "FAIL"]
    assert {c["type"] for c in found[0]["checks"]} == {"09"}
    assert single(two, record["cd_id"]) is None


# insert, update, delete


def test_a_repeated_insert_with_the_stored_content_passes_with_the_old_receipt(mocks, two):
    record = action()
    (first,) = receipts(two, record)
    (again,) = receipts(two, {**record, "cd_time": stamp(seconds=-5)})
    assert again == first
    assert judge(two, {**record, "check_result": "02"}) == {"09"}
    (same,) = receipts(two, {**record, "cd_operation": "u"})
    assert same == first
    assert [r["key"] for r in mocks.ledger("internet_supervision", history=True)].count(record["cd_id"]) == 1


def test_an_update_replaces_the_content_and_needs_a_known_cd_id(two):
    record = action()
    assert judge(two, {**record, "cd_operation": "u"}) == {"09"}
    (first,) = receipts(two, record)
    new = {**record, "cd_operation": "u", "check_result": "04"}
    (second,) = receipts(two, new)
    assert second["receipt"] != first["receipt"]
    row = single(two, record["cd_id"])
    assert (row["cd_operation"], row["receipt"], row["record"]) == ("u", second["receipt"], new)


def test_a_delete_needs_three_fields_and_a_second_one_passes_without_effect(mocks, two):
    record = action()
    gone = {"cd_id": record["cd_id"], "cd_operation": "d", "cd_time": stamp()}
    assert judge(two, gone) == {"09"}
    judge(two, record)
    (first,) = receipts(two, gone)
    assert first["result"] == "PASS"
    row = single(two, record["cd_id"])
    assert row["cd_operation"] == "d"
    (second,) = receipts(two, gone)
    assert second["receipt"] == first["receipt"]
    assert [r["key"] for r in mocks.ledger("internet_supervision", history=True)].count(record["cd_id"]) == 2
    assert judge(two, {**record, "cd_operation": "u"}) == {"09"}
    assert judge(two, record) == set()
    assert single(two, record["cd_id"])["cd_operation"] == "i"


def test_a_delete_may_carry_the_other_fields_if_they_are_well_formed(two):
    record = action()
    judge(two, record)
    assert judge(two, {**record, "cd_operation": "d", "check_result": "99"}) == {"01"}
    assert judge(two, {**record, "cd_operation": "d"}) == set()


def test_a_cd_id_of_another_department_is_02(mocks, two):
    record = action()
    judge(two, record)
    other = Client(mocks, "internet_supervision", "YJJ")
    theirs = {**record, "implement_institution_code": OTHER, "supervise_item_check_icode": f"{OTHER}4000001"}
    assert judge(other, {**theirs, "cd_operation": "u"}) == {"02"}
    assert judge(other, {"cd_id": record["cd_id"], "cd_operation": "d", "cd_time": stamp()}) == {"02"}
    assert single(other, record["cd_id"]) is None


def test_a_check_action_code_in_use_by_another_cd_id_is_05(mocks, two):
    mine, hand = action(), action()
    order = {"platform": "internet_supervision", "kind": "jg_jgxw_check_action", "department": "SCJG"}
    mocks.control("POST", "/foreign", {**order, "record": {**hand, "check_action_code": mine["cd_id"]}})
    assert judge(two, mine) == {"05"}


# ratings


def test_a_sound_assessment_passes(two):
    changes = [{}, {"enterpriseMark": ""}, {"enterpriseMark": LEFT_OUT}, {"scheme": "RISK", "enterpriseType": "D"}]
    changes += [{"scheme": "INDUSTRY", "enterpriseType": "M"}, {"estimateTime": stamp()}]
    found = receipts(two, *[assessment(**change) for change in changes], path=CREDIT)
    assert [r["result"] for r in found] == ["PASS"] * len(changes), found


CREDIT_BREACHES = [
    *[({name: LEFT_OUT}, {"01"}) for name in sorted(assessment()) if name not in ("enterpriseMark", "cd_id")],
    ({"enterpriseMark": 88.5}, {"01"}),
    ({"enterpriseMark": None}, {"01"}),
    ({"enterpriseIdType": "111"}, {"01"}),
    ({"scheme": "OTHER"}, {"01"}),
    ({"enterpriseType": "A"}, {"01"}),
    ({"enterpriseType": "优秀"}, {"01"}),
    ({"record_unique_identity": "x"}, {"01"}),
    ({"sharedByCode": OTHER}, {"02"}),
    ({"enterpriseCreditCode": COMPANY[:-1] + "A"}, {"06"}),
    ({"cd_id": "a" * 36}, {"09"}),
    ({"cd_id": "评价"}, {"09"}),
    ({"estimateTime": "2026-02-30"}, {"10"}),
]


def test_every_breach_of_an_assessment_has_its_type(two):
    found = receipts(two, *[assessment(**change) for change, _ in CREDIT_BREACHES], path=CREDIT)
    said = [{c["type"] for c in r.get("checks", ())} for r in found]
    wrong = [(c, e, got) for (c, e), got in zip(CREDIT_BREACHES, said, strict=True) if e != got]
    assert not wrong


def test_an_assessment_of_the_future_is_10_and_a_delete_needs_three_fields(two):
    assert judge(two, assessment(estimateTime=stamp(seconds=330)), CREDIT) == {"10"}
    record = assessment()
    assert judge(two, record, CREDIT) == set()
    assert judge(two, {"cd_id": record["cd_id"], "cd_operation": "d", "cd_time": stamp()}, CREDIT) == set()
    assert single(two, record["cd_id"], "credit_assess")["cd_operation"] == "d"


# receipts


def test_a_number_that_was_never_used_is_404_6040(two):
    reply = two.get(f"/exchange/receipts/{number_of_day()}")
    assert (reply.http, reply.code) == (404, "6040")


def test_a_batch_taken_in_is_checked_after_a_kill_as_well(mocks, two):
    mocks.control(
        "POST", "/faults", {"platform": "internet_supervision", "fault": "receipt_late", "args": {"seconds": 1}}
    )
    sent = cd_batch(action())
    assert two.call("POST", ACTIONS, sent).http == 202
    mocks.restart(kill=True)
    assert wait_done(two, sent["cd_batch"])["passed"] == 1


def test_after_a_day_a_batch_that_was_never_checked_is_failed_and_stored_nothing(mocks, two):
    order = {"platform": "internet_supervision", "fault": "receipt_late", "args": {"seconds": 3600}}
    mocks.control("POST", "/faults", order)
    sent = cd_batch(action())
    assert two.call("POST", ACTIONS, sent).http == 202
    assert two.get(f"/exchange/receipts/{sent['cd_batch']}").json["data"]["status"] == "PROCESSING"
    shift = 24 * 3600 + 60
    mocks.control("POST", "/clock", {"platform": "internet_supervision", "offset": shift})
    client = Client(mocks, "internet_supervision")
    at = {"timestamp": str(int((time.time() + shift) * 1000))}
    client.open_session(**at)
    data = client.call("GET", f"/exchange/receipts/{sent['cd_batch']}", **at).json["data"]
    assert data["status"] == "FAILED"
    assert data["message"]
    rows = client.call(
        "GET", f"/exchange/records?table=jg_jgxw_check_action&cd_ids={sent['records'][0]['cd_id']}", **at
    )
    assert rows.json["data"]["rows"] == []


def test_receipts_are_kept_thirty_days(mocks, two):
    sent = cd_batch(action())
    two.call("POST", ACTIONS, sent)
    wait_done(two, sent["cd_batch"])
    for days, http in ((29, 200), (31, 404)):
        shift = days * 86400
        mocks.control("POST", "/clock", {"platform": "internet_supervision", "offset": shift})
        client, at = Client(mocks, "internet_supervision"), {"timestamp": str(int((time.time() + shift) * 1000))}
        client.open_session(**at)
        assert client.call("GET", f"/exchange/receipts/{sent['cd_batch']}", **at).http == http


# the list


def content_md5(record):
    text = "|".join(record[key] for key in sorted(record) if not key.startswith("cd_"))
    return hashlib.md5(text.encode()).hexdigest()


def test_single_rows_come_with_the_record_and_its_md5(two):
    record = action(address_registered="")
    (found,) = receipts(two, record)
    row = single(two, record["cd_id"])
    assert set(row) == {"cd_id", "cd_operation", "receipt", "content_md5", "updated_at", "record"}
    assert (row["record"], row["content_md5"], row["receipt"]) == (record, content_md5(record), found["receipt"])


def test_the_list_has_a_total_and_pages_by_last_change(mocks, two):
    since = stamp()
    records = [assessment() for _ in range(5)]
    receipts(two, *records, path=CREDIT)
    keys = [r["cd_id"] for r in records]

    def pages(client):
        found = []
        for page in range(1, 50):
            params = {"table": "credit_assess", "updated_from": since, "page": page, "size": 2}
            data = client.get("/exchange/records", **params).json["data"]
            assert all("record" not in row for row in data["rows"])
            found += [row["cd_id"] for row in data["rows"]]
            if not data["rows"]:
                assert len(found) == data["total"]
                return found
        raise AssertionError("the list never ends")

    assert pages(two)[-5:] == keys
    receipts(two, {**records[1], "cd_operation": "u", "enterpriseType": "差"}, path=CREDIT)
    assert pages(two)[-5:] == [keys[0], *keys[2:], keys[1]]
    assert pages(Client(mocks, "internet_supervision", "YJJ")) == []
