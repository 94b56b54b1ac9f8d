"""② as its page says: insert, update, delete, the door, receipts, and a list that proves them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.delivery import contract_words as w
from zz_pipeline.delivery.protocol import Effect, RenderContext
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms.internet_supervision_wire import FOLLOW_UPS, content_md5
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.platforms.wire import QueryFailed
from zz_pipeline.standard.results import FollowUps
from zz_pipeline.standard.tables import RESULT_LABELS

A = adapter("internet_supervision")
NUMBER = "2026112200017"
ITEM_1, ITEM_2 = f"{w.KEY}-61012400010001", f"{w.KEY}-61012400010002"
K1, K2 = "610124-SCJG-1", "610124-SCJG-2"
VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))


def two():
    """A batch of two rows with two wire records each."""
    return w.batch(A, *(w.row(A, w.inspection(record_key=key)) for key in (K1, K2)))


def wires(sent):
    return [record for row in sent.rows for record in row.wire]


# ---------------------------------------------------------------- what is sent


def test_an_inspection_is_one_record_for_each_item_in_the_pages_words():
    first, second = w.row(A, w.inspection()).wire
    assert first == {
        "cd_id": ITEM_1, "cd_operation": "i", "cd_time": "2026-11-22 01:40:00", "record_unique_identity": ITEM_1,
        "plan_id": "61012420261000", "supervise_item_implement_code": "61012400010001",
        "supervise_item_check_icode": w.DEPT.uscc + "4000001",
        "check_action_name": "餐饮服务单位食品安全与燃气安全联合抽查", "check_action_code": ITEM_1,
        "implement_institution": w.DEPT.name, "implement_institution_code": w.DEPT.uscc,
        "supervise_object_type": "1", "supervise_object": "周至县样例餐饮有限公司",
        "administrative_cp": "周至县样例餐饮有限公司", "administrative_cp_na": "02", "administrative_cp_ce_type": "001",
        "administrative_cp_ui_code": w.SUBJECT, "address_registered": "", "address_operating": "周至县二曲街道样例路1号",
        "area_number": "610124", "check_form": "02", "check_type": "01", "check_mode": "1", "check_result": "02",
        "check_date": "2026-11-20", "check_personnel": "张某,李某", "check_personnel_code": "27010124001,27010124002",
        "submitted_date": "2026-11-22", "submitted_personnel": "王某",
    }  # fmt: skip
    assert (second["cd_id"], second["check_result"]) == (ITEM_2, "02")


def test_a_rating_is_all_texts_the_sources_number_as_it_was_written():
    assert w.row(A, w.rating()).wire == (
        {
            "cd_id": "R-2026-1", "cd_operation": "i", "cd_time": "2026-11-22 01:40:00",
            "enterpriseName": "周至县样例餐饮有限公司", "enterpriseIdType": "001", "enterpriseCreditCode": w.SUBJECT,
            "enterpriseMark": "95.50", "enterpriseType": "优", "estimateTime": "2026-11-01 09:00:00",
            "scheme": "PUBLIC", "sharedByCode": w.DEPT.uscc,
        },
    )  # fmt: skip
    assert w.row(A, w.rating(score_text=None)).wire[0]["enterpriseMark"] == ""


def test_without_a_task_the_item_names_the_action():
    (record,) = w.row(A, w.inspection(task_name=None, items=[w.item("61012400010001", "食品检查", "NO_ISSUE")])).wire
    assert record["check_action_name"] == "食品检查"


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ([("NO_ISSUE", None)], "01"),
        ([("NO_ACTIVITY", None)], "01"),
        ([("CORRECTED", None)], "02"),
        ([("UNREACHABLE", None)], "06"),
        ([("UNREACHABLE", None), ("CORRECTED", None)], "02"),
        ([("NO_ACTIVITY", None), ("REFUSED", None)], "06"),
        ([("REFUSED", "04"), ("CORRECTED", None)], "04"),
        ([("REFUSED", "04"), ("CORRECTED", "05")], "05"),
        ([("PENDING", "06")], "06"),
        ([("NO_ISSUE", "03")], "03"),
    ],
)
def test_what_was_done_next_follows_the_source_then_the_map_by_the_standards_precedence(labels, code):
    items = [w.item("61012400010001", "食品检查", result, follow_up=follow) for result, follow in labels]
    assert w.row(A, w.inspection(items=items)).wire[0]["check_result"] == code


@pytest.mark.parametrize(("result", "follow_up"), [("PENDING", None), ("CORRECTED", "07"), ("CORRECTED", "2")])
def test_an_unsettled_or_unknown_follow_up_is_never_guessed(result, follow_up):
    items = [
        w.item("61012400010001", "食品检查", result, follow_up=follow_up),
        w.item("61012400010001", "食品检查", "UNREACHABLE"),
    ]
    with pytest.raises(NotRenderable, match="处理结果"):
        w.row(A, w.inspection(items=items))


def test_the_default_map_is_the_one_the_county_starts_with():
    shipped = FollowUps.load(Path(__file__).parents[2] / "config")
    assert {key: shipped.of(key, w.NOW.date()) for key in RESULT_LABELS} == {"PENDING": None} | FOLLOW_UPS


def test_the_countys_own_map_goes_before_the_standards_default(tmp_path):
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "检查结果处理.csv").write_text("类别,处理结果,自,至,说明\nUNREACHABLE,03,,,样例\n", "utf-8")
    ctx = RenderContext(w.DEPT, w.NOW, {}, FollowUps.load(tmp_path))
    key = w.row(A, w.inspection()).key
    one = w.inspection(items=[w.item("61012400010001", "食品检查", "UNREACHABLE")])
    assert A.render(key, "PUBLISH", "", "", one, ctx)[0]["check_result"] == "03"
    with pytest.raises(NotRenderable):
        A.render(key, "PUBLISH", "", "", w.inspection(), ctx)


def test_what_is_there_is_updated_what_is_new_inserted_what_is_gone_deleted():
    held = [w.remote(ITEM_1), w.remote(ITEM_2, state="WITHDRAWN"), w.remote(f"{w.KEY}-61012400010009")]
    wire = w.row(A, w.inspection(), 2, "CORRECT", held=held).wire
    assert [(r["cd_id"], r["cd_operation"]) for r in wire] == [
        (ITEM_1, "u"),
        (ITEM_2, "i"),
        (f"{w.KEY}-61012400010009", "d"),
    ]
    assert wire[2] == {"cd_id": f"{w.KEY}-61012400010009", "cd_operation": "d", "cd_time": "2026-11-22 01:40:00"}


def test_a_withdrawal_deletes_all_that_is_there_and_nothing_else():
    held = [w.remote(ITEM_1), w.remote(ITEM_2, state="WITHDRAWN")]
    wire = w.row(A, w.inspection(), 2, "WITHDRAW", "录入错误", held=held).wire
    assert [(r["cd_id"], r["cd_operation"]) for r in wire] == [(ITEM_1, "d")]
    assert w.row(A, w.inspection(), 2, "WITHDRAW", "录入错误").wire == ()


def test_a_batch_is_the_frame_of_the_page():
    sent = two()
    assert json.loads(sent.body) == {"cd_batch": NUMBER, "cd_source": "610124", "records": wires(sent)}
    assert (A.limit(sent.path), sent.path) == (1000, "/exchange/jg_jgxw_check_action")
    assert A.path("rating", "PUBLISH") == "/exchange/credit_assess"


def test_a_batch_number_has_thirteen_digits_and_is_never_longer():
    assert A.number(w.DEPT, w.NOW, 17) == NUMBER
    with pytest.raises(NotRenderable, match="明日"):
        A.number(w.DEPT, w.NOW, 100_000)


def test_the_content_hash_equals_the_contracts_vector():
    vector = VECTORS["content_md5"]
    assert content_md5(vector["record"]) == A.content_hash(vector["record"]) == vector["md5"]


def test_the_implement_list_code_names_a_department_too():
    body = json.loads(two().body)
    body["records"][0]["supervise_item_check_icode"] = "11610124YY0000060P4000001"
    claims = A.claims(two().path, json.dumps(body).encode())
    assert claims.codes == {w.DEPT.uscc, "11610124YY0000060P"}


# ---------------------------------------------------------------- the door


def door(**changes):
    return w.reply(202, {"code": "202", "message": "已接收", "data": {"cd_batch": NUMBER, "received": 4} | changes})


def test_a_batch_is_taken_in_when_number_and_count_are_ours():
    answer = A.read(door(), two())
    assert answer.effect is Effect.TAKEN_IN
    assert w.findings(answer) == {K1: "PENDING", K2: "PENDING"}


@pytest.mark.parametrize(
    "reply",
    [
        door(cd_batch="2026112200018"),
        door(received=3),
        door(received="4"),
        w.reply(202, {"code": "202", "data": None}),
        w.reply(200, door().json),
        w.reply(202, {"code": "200", "data": {"cd_batch": NUMBER, "received": 4}}),
        w.reply(404, {"code": "6040"}),
        w.reply(400, {"code": "6009"}),
        w.reply(409, {"code": "6002"}),
    ],
)
def test_fault_22_any_other_answer_at_the_door_is_unknown_with_an_alarm(reply):
    answer = A.read(reply, two())
    assert (answer.effect, answer.verdicts) == (Effect.UNKNOWN, ())
    assert answer.alarm


@pytest.mark.parametrize(("code", "effect"), [("6002", Effect.POISON), ("6003", Effect.STOP), ("6004", Effect.POISON)])
def test_a_whole_batch_refusal_stored_nothing(code, effect):
    answer = A.read(w.reply(400, {"code": code, "message": "格式不正确"}), two())
    assert (answer.effect, answer.code) == (effect, code)
    assert "格式不正确" in answer.message


def test_a_number_used_before_with_other_bytes_is_settled_by_the_list():
    answer = A.read(w.reply(409, {"code": "6009", "message": "批次号重复"}), two())
    assert (answer.effect, answer.code) == (Effect.ASK, "6009")
    assert answer.alarm


# ---------------------------------------------------------------- receipts


def receipt(*results, **changes):
    passed = sum(r["result"] == "PASS" for r in results)
    data = {
        "cd_batch": NUMBER,
        "status": "DONE",
        "total": len(results),
        "passed": passed,
        "failed": len(results) - passed,
    }
    return w.reply(200, {"code": "200", "data": data | {"results": list(results)} | changes})


def passed(record, receipt_no="HLW1"):
    return {"cd_id": record["cd_id"], "result": "PASS", "receipt": receipt_no}


def failed(record, kind="06"):
    check = {"type": kind, "field": "administrative_cp_ui_code", "message": "统一社会信用代码编码规则检查未通过"}
    return {"cd_id": record["cd_id"], "result": "FAIL", "checks": [check]}


def listed(record, **changes):
    found = {"cd_id": record["cd_id"], "cd_operation": record["cd_operation"], "receipt": "HLW1"}
    found |= {"updated_at": "2026-11-22 01:41:00", "content_md5": content_md5(record), "record": record}
    return found | changes


def holds(*rows):
    """A list that holds these rows."""

    def answer(fields):
        asked = fields["cd_ids"].split(",")
        found = [row for row in rows if row["cd_id"] in asked]
        return w.reply(200, {"code": "200", "data": {"total": len(found), "rows": found}})

    return answer


def test_a_row_is_stored_only_when_all_its_records_passed():
    sent = two()
    a, b, c, d = wires(sent)
    call = w.Script(
        receipts=receipt(passed(a), passed(b), passed(c), failed(d)), records=holds(*map(listed, (a, b, c)))
    )
    answer = A.ask(call, sent, taken_in=True)
    assert (answer.effect, answer.alarm) == (Effect.JUDGED, "")
    assert w.findings(answer) == {K1: "STORED", K2: "REFUSED"}
    first, second = answer.verdicts
    assert first.receipt == "HLW1"
    assert [(r.remote_key, r.state, r.content_hash) for r in first.remotes] == [
        (r["cd_id"], "PRESENT", content_md5(r)) for r in (a, b)
    ]
    assert (second.code, [r.remote_key for r in second.remotes]) == ("06", [c["cd_id"]])
    assert second.message == "06 统一社会信用代码编码规则检查未通过（administrative_cp_ui_code）"
    assert call.paths[0] == f"/exchange/receipts/{NUMBER}"


def test_while_the_platform_checks_the_rows_are_pending():
    processing = w.reply(200, {"code": "200", "data": {"cd_batch": NUMBER, "status": "PROCESSING"}})
    answer = A.ask(w.Script(receipts=processing), two(), taken_in=True)
    assert (answer.effect, set(w.findings(answer).values())) == (Effect.TAKEN_IN, {"PENDING"})


def test_a_failed_batch_is_lost_and_nothing_of_it_is_there():
    data = {"cd_batch": NUMBER, "status": "FAILED", "message": "检核超时"}
    call = w.Script(receipts=w.reply(200, {"code": "200", "data": data}), records=holds())
    answer = A.ask(call, two(), taken_in=True)
    assert (answer.effect, answer.message) == (Effect.LOST, "检核超时")
    assert w.findings(answer) == {K1: "ABSENT", K2: "ABSENT"}


def ask_done(*results, stored=None, sent=None, held=None, **changes):
    sent = sent or two()
    rows = [listed(r) for r in wires(sent)] if stored is None else stored
    call = w.Script(receipts=receipt(*results, **changes), records=holds(*rows))
    return A.ask(call, sent, taken_in=True, held=held)


@pytest.mark.parametrize(
    "changes",
    [{"total": 5}, {"passed": 3}, {"failed": 1}, {"total": "4"}, {"results": None}, {"passed": 3, "failed": 1}],
)
def test_fault_59_totals_that_disagree_discredit_the_receipt_and_only_the_list_counts(changes):
    answer = ask_done(*map(passed, wires(two())), stored=[], **changes)
    assert set(w.findings(answer).values()) == {"UNSAID"}
    assert "合计" in answer.alarm or "results" in answer.alarm or "total" in answer.alarm
    answer = ask_done(*map(passed, wires(two())), **changes)
    assert set(w.findings(answer).values()) == {"STORED"}


def test_fault_27_contradictory_foreign_and_missing_lines_leave_their_row_unsaid():
    a, b, c, d = wires(two())
    for last in (passed(c), passed({"cd_id": "610124-CGJ-1-1"}), {"cd_id": d["cd_id"], "result": "FAIL", "checks": []}):
        answer = ask_done(passed(a), passed(b), passed(c), last, stored=[listed(a), listed(b), listed(c)])
        assert w.findings(answer) == {K1: "STORED", K2: "UNSAID"}
        assert answer.alarm


def test_a_pass_without_a_receipt_number_is_believed_only_of_a_deletion():
    a, b, c, d = wires(two())
    answer = ask_done(passed(a, ""), passed(b), passed(c), passed(d), stored=[])
    assert w.findings(answer)[K1] == "UNSAID"
    gone = w.batch(A, w.row(A, w.rating(), 2, "WITHDRAW", "", "REPAIRED", held=[w.remote("R-2026-1", kind="rating")]))
    (record,) = wires(gone)
    line = {"cd_id": "R-2026-1", "result": "PASS"}
    answer = ask_done(line, sent=gone, stored=[listed(record, content_md5="0" * 32)])
    assert w.findings(answer) == {"R-2026-1": "STORED"}
    assert answer.verdicts[0].remotes[0].state == "WITHDRAWN"


def test_fault_26_what_has_passed_and_the_list_does_not_show_is_gone_again_and_its_number_of_no_use():
    a, b, c, d = wires(two())
    answer = ask_done(*map(passed, (a, b, c, d)), stored=[listed(a), listed(b), listed(c)])
    assert (answer.effect, w.findings(answer)) == (Effect.LOST, {K1: "STORED", K2: "ABSENT"})
    assert "查不到" in answer.alarm


def test_fault_39_another_content_beside_a_refusal_is_a_conflict_for_a_later_version_would_go_over_it():
    first = w.batch(A, w.row(A, w.inspection(record_key=K1)))
    before = {r["cd_id"]: w.remote(r["cd_id"], "1" * 32) for r in wires(first)}
    sent = w.batch(A, w.row(A, w.inspection(record_key=K1), 2, held=[*before.values()]))
    a, b = wires(sent)
    assert a["cd_operation"] == b["cd_operation"] == "u"
    stored = [listed(a, content_md5="0" * 32), listed(b, content_md5="1" * 32)]
    answer = ask_done(failed(a), failed(b), sent=sent, stored=stored, held=before)
    assert w.findings(answer) == {K1: "DIFFERENT"}
    assert "06" in answer.verdicts[0].raw


def test_fault_39_a_refused_insert_whose_id_is_there_with_other_content_is_a_conflict():
    a, b, c, d = wires(two())
    other = listed(a, content_md5="0" * 32)
    answer = ask_done(failed(a, "09"), passed(b), passed(c), failed(d, "09"), stored=[other, *map(listed, (b, c))])
    assert w.findings(answer) == {K1: "DIFFERENT", K2: "REFUSED"}
    assert [remote.content_hash for remote in answer.verdicts[0].remotes] == ["0" * 32, content_md5(b)]


def test_a_receipt_under_our_number_that_is_not_ours_leaves_the_batch_to_the_list():
    strangers = [passed({"cd_id": f"610124-SCJG-9-{n}"}) for n in range(4)]
    assert ask_done(*strangers).effect is Effect.JUDGED
    answer = ask_done(*strangers, stored=[])
    assert (answer.effect, set(w.findings(answer).values())) == (Effect.LOST, {"ABSENT"})


FORGOTTEN = w.reply(404, {"code": "6040", "message": "批次不存在"})


def test_a_batch_that_was_never_taken_in_is_absent():
    answer = A.ask(w.Script(receipts=FORGOTTEN, records=holds()), two(), taken_in=False)
    assert (answer.effect, set(w.findings(answer).values())) == (Effect.JUDGED, {"ABSENT"})


@pytest.mark.parametrize("taken_in", [False, True], ids=["never taken in", "failed whole"])
def test_fault_39_what_a_clerk_typed_in_while_a_batch_was_lost_is_a_conflict_before_it_is_sent_again(taken_in):
    a, _, c, d = wires(two())
    typed = [listed(a, content_md5="0" * 32), listed(c), listed(d)]
    failed_whole = w.reply(
        200, {"code": "200", "data": {"cd_batch": NUMBER, "status": "FAILED", "message": "检核超时"}}
    )
    call = w.Script(receipts=failed_whole if taken_in else FORGOTTEN, records=holds(*typed))
    assert w.findings(A.ask(call, two(), taken_in=taken_in)) == {K1: "DIFFERENT", K2: "STORED"}


def test_fault_30_a_batch_forgotten_after_a_202_is_looked_up_row_by_row():
    sent = two()
    a, b, c, _ = wires(sent)
    call = w.Script(receipts=FORGOTTEN, records=holds(listed(a), listed(b), listed(c)))
    answer = A.ask(call, sent, taken_in=True)
    assert (answer.effect, w.findings(answer)) == (Effect.LOST, {K1: "STORED", K2: "ABSENT"})
    assert answer.alarm
    call = w.Script(receipts=FORGOTTEN, records=holds(*map(listed, wires(sent))))
    assert A.ask(call, sent, taken_in=True).effect is Effect.JUDGED


def test_after_6009_the_list_alone_is_asked():
    refused = A.read(w.reply(409, {"code": "6009", "message": "批次号重复"}), two())
    call = w.Script(records=holds(*map(listed, wires(two())[:2])))
    answer = A.ask(call, two(), taken_in=False, after=refused)
    assert (answer.effect, w.findings(answer)) == (Effect.LOST, {K1: "STORED", K2: "ABSENT"})
    assert all("records" in path for path in call.paths)


def test_our_own_older_content_in_the_list_is_no_conflict_a_strangers_is():
    held = {ITEM_1: w.remote(ITEM_1, "a" * 32), ITEM_2: w.remote(ITEM_2, "b" * 32)}
    sent = w.batch(A, w.row(A, w.inspection(), 2, "CORRECT", held=held.values()))
    older = [listed(r, content_md5=held[r["cd_id"]].content_hash) for r in wires(sent)]
    for rows, finding in ((older, "ABSENT"), ([older[0], listed(wires(sent)[1], content_md5="c" * 32)], "DIFFERENT")):
        answer = A.ask(w.Script(receipts=FORGOTTEN, records=holds(*rows)), sent, taken_in=True, held=held)
        assert w.findings(answer) == {w.KEY: finding}


@pytest.mark.parametrize(
    "bad", [w.reply(500), w.reply(200, {"code": "6040"}), w.reply(200, {"code": "200", "data": []})]
)
def test_a_failed_question_says_nothing(bad):
    for call in (w.Script(receipts=bad), w.Script(receipts=FORGOTTEN, records=bad)):
        answer = A.ask(call, two(), taken_in=True)
        assert (answer.effect, answer.verdicts) == (Effect.UNKNOWN, ())


def test_a_receipt_of_another_batch_or_of_an_unknown_status_says_nothing():
    for changes in ({"cd_batch": "2026112200018"}, {"status": "OK"}, {"status": None}):
        assert ask_done(*map(passed, wires(two())), **changes).effect is Effect.UNKNOWN


def test_an_ended_session_is_told_to_the_lane():
    answer = A.ask(w.Script(receipts=w.reply(401, {"code": "4015"})), two(), taken_in=True)
    assert answer.effect is Effect.SESSION


# ---------------------------------------------------------------- the list


def paged(rows, moves=()):
    """A list of 500 a page; `moves` are pages at whose reading the first row changes and moves to the end."""
    rows, moves = list(rows), list(moves)

    def answer(fields):
        page, size = int(fields["page"]), int(fields["size"])
        if moves and moves[0] == page:
            moves.pop(0)
            rows.append(rows.pop(0))
        part = rows[(page - 1) * size : page * size]
        return w.reply(200, {"code": "200", "data": {"total": len(rows), "rows": part}})

    return answer


def many(count):
    return [
        {"cd_id": f"R-{n}", "cd_operation": "idu"[n % 3], "receipt": "", "content_md5": "0" * 32, "updated_at": "x"}
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200])
def test_every_row_of_the_list_comes_once(count):
    call = w.Script(records=paged(many(count)))
    found = list(A.listing(call, "rating", w.NOW, w.NOW + timedelta(days=1)))
    assert [r.remote_key for r in found] == [f"R-{n}" for n in range(count)]
    assert {r.state for r in found[:3]} <= {"PRESENT", "WITHDRAWN"}
    first = call.asked[0][2]
    assert first == {
        "table": "credit_assess", "updated_from": "2026-11-22 01:40:00", "updated_to": "2026-11-23 01:40:00",
        "page": "1", "size": "500",
    }  # fmt: skip


def test_a_row_that_moves_while_the_list_is_read_is_not_lost():
    found = list(A.listing(w.Script(records=paged(many(1200), moves=[2, 2])), "rating", None, None))
    assert sorted({r.remote_key for r in found}) == sorted(f"R-{n}" for n in range(1200))


def test_a_list_that_shows_the_same_page_for_ever_is_no_list():
    page = w.reply(200, {"code": "200", "data": {"total": 1200, "rows": many(500)}})
    with pytest.raises(QueryFailed):
        list(A.listing(w.Script(records=page), "rating", None, None))


def test_a_list_that_never_stands_still_is_no_list():
    with pytest.raises(QueryFailed, match="不断变化"):
        list(A.listing(w.Script(records=paged(many(1200), moves=[2] * 10)), "rating", None, None))


@pytest.mark.parametrize("row", [{"cd_operation": "x"}, {"content_md5": None}, {"cd_id": ""}])
def test_a_row_that_breaks_the_page_is_no_list(row):
    with pytest.raises(QueryFailed):
        list(A.listing(w.Script(records=paged([many(1)[0] | row])), "rating", None, None))
