"""① as its page says: what is sent, and what each answer proves of each record."""

import json

import pytest

from tests.delivery import contract_words as w
from zz_pipeline.delivery.protocol import Effect, Remote
from zz_pipeline.delivery.signing import canonical, sm3_hex
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.platforms.wire import QueryFailed

A = adapter("double_random")
NUMBER = "D20261122-SCJG-000017"


def ok(*results, number=NUMBER):
    return w.reply(
        200,
        {"code": "0000", "message": "成功", "requestId": "1", "data": {"batchNo": number, "results": list(results)}},
    )


def accepted(key, version=1, verdict="ACCEPTED", receipt="SN2026112200000123"):
    return {"recordKey": key, "version": version, "verdict": verdict, "receiptNo": receipt, "errors": []}


def rejected(key, *codes, version=1):
    errors = [{"code": c, "field": "uniCode", "message": "统一社会信用代码校验位错误"} for c in codes]
    return {"recordKey": key, "version": version, "verdict": "REJECTED", "receiptNo": "", "errors": errors}


def three():
    rows = [w.row(A, w.inspection(record_key=f"610124-SCJG-{n}")) for n in (1, 2, 3)]
    return w.batch(A, *rows)


K1, K2, K3 = (f"610124-SCJG-{n}" for n in (1, 2, 3))

# ---------------------------------------------------------------- what is sent


def test_an_inspection_is_said_in_the_pages_words():
    assert w.row(A, w.inspection(), version=3).wire == (
        {
            "recordKey": w.KEY, "operation": "UPSERT", "version": 3,
            "raninsPlanId": "61012420261000", "raninsPlaneName": "周至县2026年度部门联合双随机抽查计划",
            "raninsTaskId": "610124202611101001", "raninsTaskName": "餐饮服务单位食品安全与燃气安全联合抽查",
            "raninsTypeName": "不定向抽查", "caseReason": "", "jointCheck": True, "leadDept": "周至县市场监督管理局",
            "entName": "周至县样例餐饮有限公司", "uniCode": w.SUBJECT, "objectType": "1", "objectCode": "",
            "insAuth": w.DEPT.name, "insAuthCode": w.DEPT.uscc,
            "inspectors": [{"name": "张某", "certNo": "27010124001"}, {"name": "李某", "certNo": "27010124002"}],
            "insDate": "2026-11-20", "finishDate": "2026-11-21",
            "details": [
                {"itemCode": "61012400010001", "raninsItemName": "食品安全检查",
                 "raninsCheckResName": "未按规定公示应当公示的信息", "remark": ""},
                {"itemCode": "61012400010001", "raninsItemName": "食品安全检查",
                 "raninsCheckResName": "通过登记的住所（经营场所）无法联系", "remark": ""},
                {"itemCode": "61012400010002", "raninsItemName": "燃气安全检查",
                 "raninsCheckResName": "发现问题已责令改正", "remark": "已换软管"},
            ],
            "publishable": True, "notPublishReason": "",
            "enteredBy": w.DEPT.name, "enteredByCode": w.DEPT.uscc, "enteredAt": "2026-11-21 17:20:00",
        },
    )  # fmt: skip


def test_a_rating_is_said_in_the_pages_words():
    assert w.row(A, w.rating(), version=2).wire == (
        {
            "recordKey": "R-2026-1", "operation": "UPSERT", "version": 2, "uniCode": w.SUBJECT,
            "entName": "周至县样例餐饮有限公司", "scheme": "PUBLIC", "grade": "优", "score": 95.5,
            "evaluator": "样例信用中心", "evaluatorCode": "", "ratedAt": "2026-11-01 09:00:00", "validUntil": "",
            "field": "", "sharedByCode": w.DEPT.uscc,
        },
    )  # fmt: skip


def test_a_withdrawal_holds_its_fields_and_nothing_else():
    (inspection,) = w.row(A, w.inspection(), 2, "WITHDRAW", "录入错误").wire
    (rating,) = w.row(A, w.rating(), 2, "WITHDRAW", "", "REPAIRED").wire
    owners = {"insAuthCode": w.DEPT.uscc, "enteredByCode": w.DEPT.uscc}
    assert inspection == {"recordKey": w.KEY, "operation": "WITHDRAW", "version": 2, **owners, "reason": "录入错误"}
    assert rating == {
        "recordKey": "R-2026-1", "operation": "WITHDRAW", "version": 2, "sharedByCode": w.DEPT.uscc, "reason": "REPAIRED",
    }  # fmt: skip


def test_a_withdrawal_without_a_reason_is_not_sent_and_a_long_one_is_cut():
    with pytest.raises(NotRenderable, match="原因"):
        w.row(A, w.inspection(), 2, "WITHDRAW", " ")
    assert len(w.row(A, w.inspection(), 2, "WITHDRAW", "因" * 600).wire[0]["reason"]) == 500


@pytest.mark.parametrize("remark", ["电话13800001234", "610199189901010015", "61019918990101001 5"])
def test_a_remark_with_personal_data_is_withheld_whole(remark):
    items = [w.item("61012400010001", "食品安全检查", "CORRECTED", remark=f"已整改，{remark}")]
    sent = w.row(A, w.inspection(items=items)).wire[0]["details"][0]["remark"]
    assert sent == ""


def test_a_yes_no_that_is_neither_is_never_sent():
    with pytest.raises(NotRenderable, match="publishable"):
        w.row(A, w.inspection(publishable=None))


def test_a_batch_is_the_frame_of_the_page_in_utf8():
    sent = three()
    assert json.loads(sent.body) == {"batchNo": NUMBER, "records": [row.wire[0] for row in sent.rows]}
    assert "周至县" in sent.body.decode()
    assert A.limit(sent.path) == 200


# ---------------------------------------------------------------- the answer to a push


def test_a_verdict_for_each_record_is_read_as_it_is_meant():
    answer = A.read(
        ok(rejected(K2, "E06", "E09"), accepted(K3, verdict="DUPLICATE", receipt="SN1"), accepted(K1)), three()
    )
    assert (answer.effect, answer.alarm) == (Effect.JUDGED, "")
    assert w.findings(answer) == {K1: "STORED", K2: "REFUSED", K3: "STORED"}
    first, second, third = answer.verdicts
    assert (first.receipt, third.receipt) == ("SN2026112200000123", "SN1")
    assert (second.code, second.receipt) == ("E06,E09", "")
    assert second.message.startswith("E06 统一社会信用代码校验位错误（uniCode）")
    (held,) = first.remotes
    record = three().rows[0].wire[0]
    assert (held.remote_key, held.state, held.version) == (K1, "PRESENT", 1)
    assert held.content_hash == sm3_hex(canonical(record)) == A.content_hash(record)


@pytest.mark.parametrize("code", ["E16", "E17"])
def test_a_newer_version_or_other_content_there_is_a_conflict_and_no_fault_of_the_data(code):
    answer = A.read(ok(rejected(K1, code), accepted(K2), accepted(K3)), three())
    assert w.findings(answer)[K1] == "DIFFERENT"


def test_fault_25_a_record_the_answer_leaves_out_is_unsaid_and_the_rest_stands():
    answer = A.read(ok(accepted(K1), rejected(K2, "E06")), three())
    assert w.findings(answer) == {K1: "STORED", K2: "REFUSED", K3: "UNSAID"}
    assert "缺少" in answer.alarm


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (accepted(K3) | {"version": 2}, "另一版本"),
        (accepted(K3) | {"version": "1"}, "version"),
        (accepted(K3) | {"version": True}, "version"),
        (accepted(K3) | {"receiptNo": ""}, "receiptNo"),
        (accepted(K3) | {"receiptNo": None}, "receiptNo"),
        (accepted(K3) | {"verdict": "OK"}, "自相矛盾"),
        (accepted(K3) | {"errors": [{"code": "E06", "field": "", "message": ""}]}, "自相矛盾"),
        (rejected(K3), "自相矛盾"),
        (rejected(K3, "E06") | {"receiptNo": "SN9"}, "自相矛盾"),
        ({k: v for k, v in accepted(K3).items() if k != "errors"}, "errors"),
    ],
)
def test_fault_22_a_result_that_contradicts_the_page_is_unsaid_with_an_alarm(result, problem):
    answer = A.read(ok(accepted(K1), accepted(K2), result), three())
    assert w.findings(answer) == {K1: "STORED", K2: "STORED", K3: "UNSAID"}
    assert problem in answer.alarm


def test_fault_27_a_record_judged_twice_is_unsaid_even_if_both_agree():
    answer = A.read(ok(accepted(K1), accepted(K1), accepted(K2), accepted(K3)), three())
    assert w.findings(answer) == {K1: "UNSAID", K2: "STORED", K3: "STORED"}
    assert "多个结果" in answer.alarm


def test_fault_22_a_foreign_record_in_the_answer_is_an_alarm_and_confirms_nothing():
    answer = A.read(ok(accepted(K1), accepted(K2), accepted("610124-CGJ-1")), three())
    assert w.findings(answer) == {K1: "STORED", K2: "STORED", K3: "UNSAID"}
    assert answer.alarm


def test_fault_22_another_batchs_answer_is_unknown():
    answer = A.read(ok(accepted(K1), accepted(K2), accepted(K3), number="D20261122-SCJG-000018"), three())
    assert (answer.effect, answer.verdicts) == (Effect.UNKNOWN, ())
    assert "另一批次" in answer.alarm


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        ("4001", Effect.STOP),
        ("4002", Effect.POISON),
        ("4009", Effect.STOP),
        ("5000", Effect.UNKNOWN),
        ("5001", Effect.BUSY),
    ],
)
def test_each_code_of_the_envelope_has_its_effect(code, effect):
    answer = A.read(w.reply(200, {"code": code, "message": "x", "requestId": "1", "data": None}), three())
    assert (answer.effect, answer.code, answer.verdicts) == (effect, code, ())
    assert answer.message


@pytest.mark.parametrize("http", [201, 400, 404])
def test_success_under_another_http_status_is_unknown(http):
    answer = A.read(w.reply(http, ok(accepted(K1)).json), three())
    assert answer.effect is Effect.UNKNOWN
    assert answer.alarm


# ---------------------------------------------------------------- asking


def listed(key, version=1, state="STORED", content_hash=None):
    record = next(row.wire[0] for row in three().rows if row.key.record_key == key)
    found = {
        "recordKey": key,
        "version": version,
        "state": state,
        "receiptNo": "SN7",
        "updatedAt": "2026-11-22 01:41:00",
    }
    return found | {"contentHash": content_hash or A.content_hash(record), "record": record}


def held(*items):
    """A platform that holds these records and leaves the others out."""

    def answer(fields):
        asked = fields["recordKeys"].split(",")
        return w.reply(
            200, {"code": "0000", "data": {"items": [i for i in items if i["recordKey"] in asked], "nextCursor": ""}}
        )

    return answer


NOT_FOUND = w.reply(200, {"code": "4040", "message": "批次不存在"})


def test_an_unknown_batch_is_found_by_its_number_and_proven_by_the_records():
    call = w.Script(batches=ok(accepted(K1), rejected(K2, "E06"), accepted(K3)), records=held(listed(K1), listed(K3)))
    answer = A.ask(call, three(), taken_in=False)
    assert (answer.effect, answer.alarm) == (Effect.JUDGED, "")
    assert w.findings(answer) == {K1: "STORED", K2: "REFUSED", K3: "STORED"}
    assert call.asked[0][:2] == ("GET", f"/api/v1/batches/{NUMBER}")
    assert call.asked[1][2] == {"kind": "inspection-results", "recordKeys": f"{K1},{K2},{K3}"}


def test_fault_39_anothers_content_beside_a_refusal_is_a_conflict_for_a_higher_version_would_replace_it():
    typed = listed(K2, 1, "STORED", "0" * 64)
    call = w.Script(
        batches=ok(accepted(K1), rejected(K2, "E06"), accepted(K3)), records=held(listed(K1), typed, listed(K3))
    )
    answer = A.ask(call, three(), taken_in=False)
    assert w.findings(answer) == {K1: "STORED", K2: "DIFFERENT", K3: "STORED"}
    (verdict,) = [v for v in answer.verdicts if v.key.record_key == K2]
    assert (verdict.code, verdict.remotes[0].content_hash) == ("E06", "0" * 64)


def test_fault_31_a_forgotten_number_says_nothing_the_records_are_asked_for():
    answer = A.ask(w.Script(batches=NOT_FOUND, records=held(listed(K2))), three(), taken_in=False)
    assert w.findings(answer) == {K1: "ABSENT", K2: "STORED", K3: "ABSENT"}


def test_after_a_partial_5000_what_was_not_judged_is_absent():
    call = w.Script(batches=ok(accepted(K1)), records=held(listed(K1)))
    assert w.findings(A.ask(call, three(), taken_in=False)) == {K1: "STORED", K2: "ABSENT", K3: "ABSENT"}


@pytest.mark.parametrize(
    ("item", "finding"),
    [
        (listed(K1, content_hash="0" * 64), "DIFFERENT"),
        (listed(K1, version=2), "DIFFERENT"),
        (listed(K1, state="WITHDRAWN"), "DIFFERENT"),
    ],
)
def test_fault_39_other_content_or_a_newer_version_there_is_a_conflict(item, finding):
    answer = A.ask(w.Script(batches=NOT_FOUND, records=held(item)), three(), taken_in=False)
    assert w.findings(answer)[K1] == finding
    assert answer.verdicts[0].remotes[0].content_hash == item["contentHash"]


@pytest.mark.parametrize(("known", "finding"), [("our hash", "ABSENT"), ("another", "DIFFERENT"), (None, "DIFFERENT")])
def test_an_older_version_there_means_not_arrived_only_if_we_know_it_to_be_ours(known, finding):
    rows = [w.row(A, w.inspection(record_key=K1), version=2)]
    item = listed(K1) | {"contentHash": "our hash"}
    before = {K1: Remote(K1, "inspection", "PRESENT", known, 1)} if known else {}
    answer = A.ask(w.Script(batches=NOT_FOUND, records=held(item)), w.batch(A, *rows), taken_in=False, held=before)
    assert w.findings(answer) == {K1: finding}


def test_what_a_batch_claims_and_the_records_deny_is_gone_again_and_its_number_of_no_use():
    call = w.Script(batches=ok(accepted(K1), accepted(K2), accepted(K3)), records=held(listed(K2)))
    answer = A.ask(call, three(), taken_in=False)
    assert (answer.effect, w.findings(answer)) == (Effect.LOST, {K1: "ABSENT", K2: "STORED", K3: "ABSENT"})
    assert "查不到" in answer.alarm


@pytest.mark.parametrize(
    ("state", "version", "finding"), [("WITHDRAWN", 2, "STORED"), ("STORED", 1, "ABSENT"), ("STORED", 2, "DIFFERENT")]
)
def test_a_withdrawal_is_proven_by_version_and_state(state, version, finding):
    sent = w.batch(A, w.row(A, w.inspection(record_key=K1), 2, "WITHDRAW", "录入错误"))
    item, before = listed(K1, version, state, "0" * 64), {K1: w.remote(K1, "0" * 64)}
    script = w.Script(batches=NOT_FOUND, records=held(item))
    assert w.findings(A.ask(script, sent, taken_in=False, held=before)) == {K1: finding}


@pytest.mark.parametrize("before", [{}, {K1: w.remote(K1, "f" * 64)}], ids=["nothing known", "another content known"])
def test_fault_39_a_withdrawal_that_did_not_arrive_leaves_a_lower_version_that_a_clerk_typed_in_to_a_person(before):
    sent = w.batch(A, w.row(A, w.inspection(record_key=K1), 3, "WITHDRAW", "录入错误"))
    script = w.Script(batches=NOT_FOUND, records=held(listed(K1, 2, "STORED", "0" * 64)))
    assert w.findings(A.ask(script, sent, taken_in=False, held=before)) == {K1: "DIFFERENT"}


@pytest.mark.parametrize(
    ("bad", "effect"),
    [
        (w.reply(500), Effect.UNKNOWN),
        (w.reply(200, {"code": "5000"}), Effect.UNKNOWN),
        (w.reply(429, {"code": "4290"}, retry_after=3.0), Effect.BUSY),
        (w.reply(401, {"code": "4011"}), Effect.AUTH),
        (w.reply(200, {"code": "0000", "data": {"items": {}}}), Effect.UNKNOWN),
        (w.reply(200, {"code": "0000", "data": {"items": [{"recordKey": K1}]}}), Effect.UNKNOWN),
    ],
)
def test_a_failed_question_says_nothing_of_the_records(bad, effect):
    for call in (w.Script(batches=bad, records=held()), w.Script(batches=NOT_FOUND, records=bad)):
        answer = A.ask(call, three(), taken_in=False)
        assert (answer.effect, answer.verdicts) == (effect, ())


def test_an_answer_about_records_nobody_asked_for_is_unknown():
    stranger = listed(K1) | {"recordKey": "610124-CGJ-1"}
    call = w.Script(
        batches=NOT_FOUND, records=w.reply(200, {"code": "0000", "data": {"items": [stranger], "nextCursor": ""}})
    )
    answer = A.ask(call, three(), taken_in=False)
    assert (answer.effect, answer.verdicts) == (Effect.UNKNOWN, ())
    assert answer.alarm


def test_more_than_a_hundred_records_are_asked_for_in_portions():
    rows = [w.row(A, w.inspection(record_key=f"610124-SCJG-{n}")) for n in range(150)]
    call = w.Script(batches=NOT_FOUND, records=held())
    A.ask(call, w.batch(A, *rows), taken_in=False)
    assert [len(fields["recordKeys"].split(",")) for _, path, fields in call.asked if "records" in path] == [100, 50]


# ---------------------------------------------------------------- the list


def test_the_list_is_read_page_by_page_with_the_same_bounds():
    pages = {"": ([listed(K1)], "c1"), "c1": ([listed(K2, state="WITHDRAWN")], "")}

    def answer(fields):
        items, cursor = pages[fields.get("cursor", "")]
        return w.reply(200, {"code": "0000", "data": {"items": items, "nextCursor": cursor}})

    call = w.Script(records=answer)
    found = list(A.listing(call, "inspection", w.NOW, None))
    assert [(r.remote_key, r.state, r.version, r.kind) for r in found] == [
        (K1, "PRESENT", 1, "inspection"),
        (K2, "WITHDRAWN", 1, "inspection"),
    ]
    bounds = {"kind": "inspection-results", "updatedFrom": "2026-11-22 01:40:00"}
    assert [fields for _, _, fields in call.asked] == [bounds, bounds | {"cursor": "c1"}]


@pytest.mark.parametrize(
    "page",
    [
        w.reply(200, {"code": "4001"}),
        w.reply(200, {"code": "0000", "data": {"items": [], "nextCursor": None}}),
        w.reply(200, {"code": "0000", "data": {"items": [listed(K1) | {"state": "GONE"}], "nextCursor": ""}}),
        w.reply(200, {"code": "0000", "data": {"items": [], "nextCursor": "c1"}}),
        w.reply(500),
    ],
    ids=["refused", "no cursor", "unknown state", "a cursor that turns in circles", "500"],
)
def test_a_list_that_cannot_be_trusted_is_no_list(page):
    with pytest.raises(QueryFailed):
        list(A.listing(w.Script(records=page), "inspection", None, None))


def test_the_numbers_of_batches_have_the_pages_form():
    assert A.number(w.DEPT, w.NOW, 17) == NUMBER
    assert A.path("rating", "WITHDRAW") == "/api/v1/credit-ratings"
