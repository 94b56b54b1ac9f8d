"""③ as its page says: counts only, public at once, and what an absence means after counts."""

import hashlib
import itertools
import json
from pathlib import Path

import pytest

from tests.delivery import contract_words as w
from zz_pipeline.delivery.protocol import Answer, Effect
from zz_pipeline.errors import NotRenderable
from zz_pipeline.platforms.publicity_wire import content_sha256
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.platforms.wire import QueryFailed
from zz_pipeline.standard.publishing import STOP_REASONS

A = adapter("publicity")
K1, K2, K3 = (f"610124-SCJG-{n}" for n in (1, 2, 3))
VECTOR = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))["contentSha256"]


def three():
    return w.batch(A, *(w.row(A, w.inspection(record_key=key)) for key in (K1, K2, K3)))


def counted(stored, failed, total=None, code=200):
    total = stored + failed if total is None else total
    said = {"code": code, "errorMsg": "", "totalSize": total, "successSize": stored, "failSize": failed}
    return w.reply(200, said | {"tips": f"{failed}条记录未入库"})


# ---------------------------------------------------------------- what is sent


def test_an_inspection_is_shown_in_the_pages_words_and_nothing_more():
    assert w.row(A, w.inspection()).wire == (
        {
            "pubId": w.KEY, "UniCode": w.SUBJECT, "EntName": "周至县样例餐饮有限公司",
            "raninsPlanId": "61012420261000", "raninsPlaneName": "周至县2026年度部门联合双随机抽查计划",
            "raninsTaskId": "610124202611101001", "raninsTaskName": "餐饮服务单位食品安全与燃气安全联合抽查",
            "raninsTypeName": "不定向抽查", "insAuth": w.DEPT.name, "insDate": "2026-11-21",
            "details": [
                {"seqno": 1, "raninsItemName": "食品安全检查", "raninsCheckResName": "未按规定公示应当公示的信息"},
                {"seqno": 2, "raninsItemName": "食品安全检查", "raninsCheckResName": "通过登记的住所（经营场所）无法联系"},
                {"seqno": 3, "raninsItemName": "燃气安全检查", "raninsCheckResName": "发现问题已责令改正"},
            ],
            "publicFrom": "2026-11-22", "publicUntil": "",
        },
    )  # fmt: skip


def test_a_public_rating_is_shown_in_the_pages_words():
    assert w.row(A, w.rating()).wire == (
        {
            "pubId": "R-2026-1", "UniCode": w.SUBJECT, "EntName": "周至县样例餐饮有限公司", "scheme": "PUBLIC",
            "grade": "优", "evaluator": "样例信用中心", "ratedAt": "2026-11-01 09:00:00",
            "publicFrom": "2026-11-22", "publicUntil": "",
        },
    )  # fmt: skip


def test_no_inspector_no_remark_no_person_and_no_address_reaches_the_public():
    sent = w.row(A, w.inspection()).wire[0]
    text = json.dumps(sent, ensure_ascii=False)
    for private in ("张某", "27010124001", "王某", "已换软管", "样例路1号"):
        assert private not in text


@pytest.mark.parametrize("scheme", ["RISK", "INDUSTRY", "", None])
def test_no_other_scheme_is_ever_rendered_for_the_public(scheme):
    with pytest.raises(NotRenderable, match="不得公示"):
        w.row(A, w.rating(scheme=scheme))


def test_what_is_not_publishable_is_never_rendered_for_the_public():
    with pytest.raises(NotRenderable, match="不得公示"):
        w.row(A, w.inspection(publishable=False))


def test_the_content_hash_leaves_out_the_first_day_and_equals_the_vector():
    assert content_sha256(VECTOR["record"]) == A.content_hash(VECTOR["record"]) == VECTOR["sha256"]
    assert content_sha256(VECTOR["record"] | {"publicFrom": "2030-01-01"}) == VECTOR["sha256"]


def test_what_is_public_with_the_same_content_is_not_sent_again():
    (wire,) = w.row(A, w.inspection()).wire
    held = [w.remote(w.KEY, content_sha256(wire))]
    assert w.row(A, w.inspection(entered_by="赵某"), 2, "CORRECT", held=held).wire == ()
    assert w.row(A, w.inspection(subject_name="周至县样例商贸有限公司"), 2, "CORRECT", held=held).wire != ()


@pytest.mark.parametrize(
    ("held", "pub_id"),
    [
        ([], w.KEY),
        ([(w.KEY, "PRESENT")], w.KEY),
        ([(w.KEY, "WITHDRAWN")], f"{w.KEY}-R2"),
        ([(w.KEY, "WITHDRAWN"), (f"{w.KEY}-R2", "PRESENT")], f"{w.KEY}-R2"),
        ([(w.KEY, "WITHDRAWN"), (f"{w.KEY}-R2", "WITHDRAWN")], f"{w.KEY}-R3"),
        ([(w.KEY, "WITHDRAWN"), (f"{w.KEY}-R10", "WITHDRAWN")], f"{w.KEY}-R11"),
    ],
)
def test_a_stopped_record_comes_back_only_under_a_new_public_id(held, pub_id):
    remotes = [w.remote(key, "0" * 64, state) for key, state in held]
    assert w.row(A, w.inspection(), 3, "CORRECT", held=remotes).wire[0]["pubId"] == pub_id


def test_a_stop_names_what_is_public_and_why_with_its_legal_source():
    held = [w.remote(w.KEY, state="WITHDRAWN"), w.remote(f"{w.KEY}-R2")]
    row = w.row(A, w.inspection(publishable=False), 4, "WITHDRAW", "信用修复 样例〔2026〕1号", "REPAIRED", held)
    assert row.wire == (
        {
            "pubId": f"{w.KEY}-R2", "reason": "REPAIRED", "basis": STOP_REASONS["REPAIRED"],
            "decidedAt": "2026-11-22 01:40:00",
        },
    )  # fmt: skip
    assert w.row(A, w.inspection(), 4, "WITHDRAW", "", "REPAIRED").wire == ()
    sent = w.batch(A, row)
    assert (sent.path, A.limit(sent.path)) == ("/publicity/stop", 100)
    assert json.loads(sent.body) == {"departmentCode": w.DEPT.uscc, "items": list(row.wire)}


@pytest.mark.parametrize(
    ("reason", "rule", "publishable", "code"),
    [
        ("", "OBJECTION", True, "OBJECTION"),
        ("ENTRY_ERROR 样例", "0001", True, "ENTRY_ERROR"),
        ("部门改为不予公示", "standard 1.8", False, "NOT_PUBLIC"),
    ],
)
def test_the_reason_of_a_stop_is_the_decisions_own(reason, rule, publishable, code):
    row = w.row(A, w.inspection(publishable=publishable), 2, "WITHDRAW", reason, rule, [w.remote(w.KEY)])
    assert row.wire[0]["reason"] == code


def test_a_stop_without_one_of_the_six_reasons_is_not_guessed():
    with pytest.raises(NotRenderable, match="六种理由"):
        w.row(A, w.inspection(), 2, "WITHDRAW", "不知道", "standard 3.4", [w.remote(w.KEY)])


def test_a_batch_is_the_frame_of_the_page():
    sent = three()
    assert json.loads(sent.body) == {
        "batchId": "P20261122-SCJG-000017",
        "departmentCode": w.DEPT.uscc,
        "records": [row.wire[0] for row in sent.rows],
    }
    assert (sent.path, A.limit(sent.path)) == ("/publicity/inspections", 500)
    assert A.path("rating", "CORRECT") == "/publicity/credit-ratings"


# ---------------------------------------------------------------- the answer to a push


def test_fault_22_counts_alone_confirm_nothing_for_those_of_another_batch_look_the_same():
    for said in (counted(3, 0), counted(0, 0, total=3, code=20001)):
        answer = A.read(said, three())
        assert (answer.effect, answer.stored, answer.verdicts, answer.alarm) == (Effect.ASK, 3, (), "")
        settled = A.ask(shows(), three(), taken_in=False, after=answer)
        assert set(w.findings(settled).values()) == {"UNSAID"}
        assert "只查到 0 条" in settled.alarm


def test_what_was_counted_and_is_shown_is_stored_with_its_content():
    settled = A.ask(shows(*map(shown, (K1, K2, K3))), three(), taken_in=False, after=A.read(counted(3, 0), three()))
    assert (settled.effect, settled.alarm) == (Effect.JUDGED, "")
    assert set(w.findings(settled).values()) == {"STORED"}
    assert settled.verdicts[0].remotes[0].content_hash == content_sha256(three().rows[0].wire[0])


@pytest.mark.parametrize(("stored", "failed"), [(2, 1), (0, 3)])
def test_counts_with_failures_are_followed_up_by_asking(stored, failed):
    answer = A.read(counted(stored, failed), three())
    assert (answer.effect, answer.stored, answer.verdicts) == (Effect.ASK, stored, ())


@pytest.mark.parametrize(
    "reply",
    [
        counted(3, 0, total=4),
        counted(2, 0, total=3),
        counted(4, 0),
        counted(0, 0, total=2, code=20001),
        counted(3, 0, code=20001),
        counted(3, 0, code="200"),
        counted(3, 0, code=200.0),
        counted(3, 0, code=201),
        counted("3", 0, total=3),
        counted(True, 2, total=3),
        counted(4, -1, total=3),
        w.reply(200, {"code": 200}),
        w.reply(201, counted(3, 0).json),
    ],
)
def test_fault_22_counts_that_do_not_hold_prove_nothing(reply):
    answer = A.read(reply, three())
    assert (answer.effect, answer.verdicts) == (Effect.UNKNOWN, ())
    assert answer.alarm


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        (3001, Effect.STOP),
        (4001, Effect.STOP),
        (4002, Effect.AUTH),
        (6002, Effect.POISON),
        (6005, Effect.STOP),
        (500, Effect.UNKNOWN),
    ],
)
def test_each_refusal_has_its_effect(code, effect):
    said = {"code": code, "errorMsg": "样例原因", "totalSize": 3, "successSize": 0, "failSize": 0, "tips": ""}
    answer = A.read(w.reply(200, said), three())
    assert (answer.effect, answer.code, answer.verdicts) == (effect, str(code), ())
    assert "样例原因" in answer.message


# ---------------------------------------------------------------- asking


def shown(key, content_hash=None, **changes):
    if content_hash is None:
        content_hash = next((content_sha256(r.wire[0]) for r in three().rows if r.key.record_key == key), "0" * 64)
    found = {"pubId": key, "kind": "inspection", "state": "PUBLIC", "contentSha256": content_hash}
    return found | {"updatedAt": "2026-11-22 01:41:00", "publicUntil": ""} | changes


def shows(*items):
    """A platform that shows these records."""

    def answer(fields):
        asked = fields["pubIds"].split(",")
        found = [item for item in items if item["pubId"] in asked]
        return w.reply(200, {"code": 200, "data": {"items": found, "nextCursor": ""}})

    return w.Script(records=answer)


COUNTED_2 = Answer(Effect.ASK, code="200", stored=2)


@pytest.mark.parametrize("present", [c for n in range(4) for c in itertools.combinations((K1, K2, K3), n)])
def test_fault_25_after_counts_every_split_is_settled_record_by_record(present):
    after = A.read(counted(len(present), 3 - len(present)), three()) if len(present) < 3 else COUNTED_2
    answer = A.ask(shows(*map(shown, present)), three(), taken_in=False, after=after)
    if len(present) == 3:  # the platform had counted two: one more is no harm, nothing is left to explain
        assert set(w.findings(answer).values()) == {"STORED"}
        return
    assert w.findings(answer) == {key: "STORED" if key in present else "REFUSED" for key in (K1, K2, K3)}
    assert answer.alarm == ""
    refused = [verdict for verdict in answer.verdicts if str(verdict.finding) == "REFUSED"]
    assert all("失败数" in verdict.message for verdict in refused)


def test_fault_22_counts_that_the_records_deny_leave_the_rest_unsaid():
    answer = A.ask(shows(shown(K1)), three(), taken_in=False, after=COUNTED_2)
    assert w.findings(answer) == {K1: "STORED", K2: "UNSAID", K3: "UNSAID"}
    assert "只查到 1 条" in answer.alarm


def test_without_counts_what_is_not_there_is_only_absent():
    call = shows(shown(K2))
    answer = A.ask(call, three(), taken_in=False)
    assert w.findings(answer) == {K1: "ABSENT", K2: "STORED", K3: "ABSENT"}
    assert call.asked == [("GET", "/publicity/records", {"pubIds": f"{K1},{K2},{K3}"})]


@pytest.mark.parametrize(
    "item",
    [shown(K1, "0" * 64), shown(K1, state="STOPPED"), shown(K1, kind="rating")],
    ids=["other content", "stopped", "the other kind"],
)
def test_fault_39_what_somebody_else_shows_under_our_id_is_a_conflict(item):
    assert w.findings(A.ask(shows(item), three(), taken_in=False))[K1] == "DIFFERENT"


def test_our_own_older_content_only_means_that_the_correction_has_not_arrived():
    held = {K1: w.remote(K1, "a" * 64)}
    answer = A.ask(shows(shown(K1, "a" * 64)), three(), taken_in=False, held=held)
    assert w.findings(answer)[K1] == "ABSENT"


def test_after_counts_an_older_content_that_stayed_is_a_silent_failure():
    older, held = shown(K1, "a" * 64), {K1: w.remote(K1, "a" * 64)}
    answer = A.ask(shows(older, shown(K2), shown(K3)), three(), taken_in=False, after=COUNTED_2, held=held)
    assert w.findings(answer) == {K1: "REFUSED", K2: "STORED", K3: "STORED"}
    assert answer.verdicts[0].remotes == (), "it belongs to the version that put it there"


def test_fault_39_after_counts_what_somebody_else_has_put_there_is_a_conflict_for_a_later_version_would_replace_it():
    typed = shown(K1, "b" * 64)
    answer = A.ask(shows(typed, shown(K2), shown(K3)), three(), taken_in=False, after=COUNTED_2)
    assert w.findings(answer) == {K1: "DIFFERENT", K2: "STORED", K3: "STORED"}
    assert answer.verdicts[0].remotes[0].content_hash == "b" * 64


def stop_batch():
    return w.batch(A, w.row(A, w.inspection(record_key=K1), 2, "WITHDRAW", "", "REPAIRED", [w.remote(K1)]))


@pytest.mark.parametrize(
    ("items", "finding"),
    [([shown(K1, state="STOPPED")], "STORED"), ([shown(K1, "f" * 64)], "ABSENT"), ([], "ABSENT")],
)
def test_a_stop_is_proven_by_the_state(items, finding):
    held = {K1: w.remote(K1, "f" * 64)}
    assert w.findings(A.ask(shows(*items), stop_batch(), taken_in=False, held=held)) == {K1: finding}


@pytest.mark.parametrize("held", [{}, {K1: w.remote(K1, "f" * 64)}], ids=["nothing known", "another content known"])
def test_fault_39_a_stop_that_did_not_arrive_leaves_what_a_clerk_typed_over_our_record_to_a_person(held):
    answer = A.ask(shows(shown(K1, "0" * 64)), stop_batch(), taken_in=False, held=held)
    assert w.findings(answer) == {K1: "DIFFERENT"}


def test_a_stop_that_was_counted_is_proven_by_the_state():
    after = A.read(counted(1, 0), stop_batch())
    answer = A.ask(shows(shown(K1, state="STOPPED")), stop_batch(), taken_in=False, after=after)
    assert (w.findings(answer), answer.verdicts[0].remotes[0].state) == ({K1: "STORED"}, "WITHDRAWN")


def test_a_stop_that_was_counted_as_failed_is_refused():
    after = A.read(counted(0, 1), stop_batch())
    answer = A.ask(shows(), stop_batch(), taken_in=False, after=after)
    assert w.findings(answer) == {K1: "REFUSED"}


def test_20001_is_no_answer_to_a_stop():
    assert A.read(counted(0, 0, total=1, code=20001), stop_batch()).effect is Effect.UNKNOWN


@pytest.mark.parametrize(
    "bad",
    [
        w.reply(500),
        w.reply(200, {"code": "200", "data": {"items": []}}),
        w.reply(200, {"code": 6002}),
        w.reply(200, {"code": 200, "data": {"items": [shown(K1) | {"state": "HIDDEN"}]}}),
        w.reply(200, {"code": 200, "data": {"items": [shown("610124-CGJ-1")]}}),
        w.reply(200, {"code": 200, "data": {"items": [shown(K1), shown(K1)]}}),
    ],
)
def test_a_failed_question_says_nothing_of_the_records(bad):
    answer = A.ask(w.Script(records=bad), three(), taken_in=False, after=COUNTED_2)
    assert (answer.effect, answer.verdicts) == (Effect.UNKNOWN, ())


# ---------------------------------------------------------------- the list


def test_the_list_shows_one_kind_over_all_pages():
    pages = {"": ([shown(K1), shown("R-1", kind="rating")], "c 1"), "c 1": ([shown(K2, state="STOPPED")], "")}

    def answer(fields):
        items, cursor = pages[fields.get("cursor", "")]
        return w.reply(200, {"code": 200, "data": {"items": items, "nextCursor": cursor}})

    call = w.Script(records=answer)
    found = list(A.listing(call, "inspection", None, w.NOW))
    assert [(r.remote_key, r.state) for r in found] == [(K1, "PRESENT"), (K2, "WITHDRAWN")]
    bounds = {"updatedTo": "2026-11-22 01:40:00"}
    assert [fields for _, _, fields in call.asked] == [bounds, bounds | {"cursor": "c 1"}]
    assert [r.remote_key for r in A.listing(call, "rating", None, w.NOW)] == ["R-1"]


def test_a_list_with_a_code_in_text_is_no_list():
    with pytest.raises(QueryFailed):
        list(
            A.listing(
                w.Script(records=w.reply(200, {"code": "200", "data": {"items": [], "nextCursor": ""}})),
                "inspection",
                None,
                None,
            )
        )


def test_the_hash_is_the_pages_own_recipe():
    wire = w.row(A, w.rating()).wire[0]
    rest = {k: v for k, v in wire.items() if k != "publicFrom"}
    text = json.dumps(rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert A.content_hash(wire) == hashlib.sha256(text.encode()).hexdigest()
