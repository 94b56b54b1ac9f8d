"""Every error code of the contract pages: what prevents it, and that a record which would provoke it cannot leave the house.

Belongs here: the list contract_codes.csv against the running mocks and our checks. Must not: rules (their cases are in `cases`).
Each bad row of a rule is rendered by our own adapter as if the rule were not there, and sent by a client of the pages.
"""

import csv
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from expectations.catalogue import ERROR, FAMILIES, RULES
from mock_platforms.run import Mocks
from tests.contract import mock_client, mock_records
from tests.contract.mock_client import Client
from tests.quality import rows
from tests.quality.cases import ALL_CASES, numbered, run
from zz_pipeline.delivery.protocol import Remote, RenderContext, Row, RowKey
from zz_pipeline.errors import NotRenderable, ZzError
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import contents
from zz_pipeline.ledger.schema import outbox, record_version
from zz_pipeline.platforms.registry import adapter
from zz_pipeline.standard.publishing import PublishContext, decide
from zz_pipeline.standard.tables import Kind
from zz_pipeline.standard.workdays import WorkCalendar

ONE, TWO, THREE = "double_random", "internet_supervision", "publicity"
PATHS = {
    (ONE, "inspection"): "/api/v1/inspection-results",
    (ONE, "rating"): "/api/v1/credit-ratings",
    (TWO, "inspection"): "/exchange/jg_jgxw_check_action",
    (TWO, "rating"): "/exchange/credit_assess",
    (THREE, "inspection"): "/publicity/inspections",
    (THREE, "rating"): "/publicity/credit-ratings",
}
LIST = list(csv.DictReader((Path(__file__).parent / "contract_codes.csv").open(encoding="utf-8")))
DATA = [line for line in LIST if line["data"] == "是"]
WHO = ("adapter", "ledger", "publishing")
CALENDAR = WorkCalendar.load(Path(__file__).parents[2] / "config" / "workdays.csv")
PERSON = "610199189901010015"
AT = rows.NOW


def ids(lines):
    return [f"{line['platform']}-{line['code']}" for line in lines]


def rules_of(line):
    return [name for name in line["prevented_by"].split() if name not in WHO]


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """The platforms without a rate limit, at the moment for which the cases are written."""
    home = tmp_path_factory.mktemp("codes")
    (home / "credentials.json").write_text(json.dumps(mock_client.credentials()))
    (home / "credit").mkdir()
    with Mocks(home / "state", home / "credentials.json", home / "credit", receipt_delay=0.0) as running:
        running.control("POST", "/reset", {"rate": 100_000, "burst": 100_000})
        yield running


class Line:
    """A client of a platform; `at` moves both clocks."""

    def __init__(self, mocks, platform, at=None):
        self.shift = at.timestamp() - mock_client.now().timestamp() if at else 0.0
        mocks.control("POST", "/clock", {"platform": platform, "offset": self.shift})
        self.client, self.platform = Client(mocks, platform), platform
        if platform == TWO:
            self.client.open_session(timestamp=self._stamp())

    def _stamp(self):
        return str(int((time.time() + self.shift) * 1000))

    def said(self, kind, records, source="610124"):
        """Per record the codes that the platform has for it; ③ gives one answer for the whole batch."""
        path = PATHS[self.platform, kind]
        if self.platform == ONE:
            sent = mock_records.batch(*records)
            answer = self.client.call("POST", path, sent, timestamp=self._stamp()).json
            if answer["data"] is None:
                return [{answer["code"]} for _ in records]
            by_key = {r["recordKey"]: {e["code"] for e in r["errors"]} for r in answer["data"]["results"]}
            return [by_key[r.get("recordKey", "")] for r in records]
        if self.platform == THREE:
            answer = self.client.call("POST", path, mock_records.pub_batch(*records), timestamp=self._stamp()).json
            return [{"failSize"} if answer["failSize"] else {str(answer["code"])}]
        sent = mock_records.cd_batch(*records, source=source)
        assert self.client.call("POST", path, sent, timestamp=self._stamp()).http == 202
        return [{c["type"] for c in r.get("checks", ())} for r in self._receipts(sent["cd_batch"])]

    def _receipts(self, number):
        for _ in range(300):
            at = self._stamp()
            data = self.client.call("GET", f"/exchange/receipts/{number}", timestamp=at).json["data"]
            if data["status"] == "DONE":
                return data["results"]
            time.sleep(0.03)
        raise AssertionError(f"{number} is still being checked")


# ---------------------------------------------------------------- the list itself


def test_each_code_stands_once_and_says_whether_it_is_a_fault_of_the_data():
    pairs = [(line["platform"], line["code"]) for line in LIST]
    assert len(pairs) == len(set(pairs))
    assert {line["data"] for line in LIST} == {"是", "否"}
    assert all(None not in line and line["meaning"] for line in LIST)
    assert {c for p, c in pairs if p == ONE and c[0] == "E"} == {f"E{n:02}" for n in range(1, 18)}
    assert {c for p, c in pairs if p == TWO and len(c) == 2} == set(FAMILIES)


@pytest.mark.parametrize("line", DATA, ids=ids(DATA))
def test_each_fault_of_the_data_is_prevented_by_rules_that_return_the_record_or_by_our_side(line):
    assert line["prevented_by"]
    assert [r for r in rules_of(line) if RULES[r].severity != ERROR] == []


def test_each_of_the_ten_check_types_has_rules_that_return_the_record():
    families = defaultdict(list)
    for rule in RULES.values():
        families[rule.family].append(rule.severity)
    assert set(families) == {f"{n:02}" for n in range(1, 11)}
    assert [family for family, severities in families.items() if ERROR not in severities] == []


# ---------------------------------------------------------------- what our rules stop would have been refused


def said_by(kind, group, number):
    """Key and payload of each record of a case, under a number of its own."""
    table = {"inspection": rows.inspections, "rating": rows.ratings}[kind](*numbered(group, number))
    return [(RowKey(kind, c.record_key or "", 1), c.payload) for c in contents(Kind(kind), table)]


def rendered(platform, kind, group, number):
    """The wire records of a bad record, as if no rule had stopped it; empty if it cannot be said at all."""
    ctx = RenderContext(rows.DEPARTMENT, AT, {})
    try:
        return [
            record
            for key, payload in said_by(kind, group, number)
            for record in adapter(platform).render(key, "PUBLISH", "", "", payload, ctx)
        ]
    except NotRenderable:
        return []


@dataclass
class Sent:
    """(platform, code) → (kind, place) of the cases whose bad rows the platform refuses so; what could not be said at all."""

    refused: dict
    unsayable: set

    def rules(self, platform, code):
        return {ALL_CASES[kind][place].rule for kind, place in self.refused[platform, code]}


@pytest.fixture(scope="module")
def provoked(mocks):
    """Every bad row of every case, sent to every platform."""
    found = Sent(defaultdict(set), set())
    for platform in (ONE, TWO, THREE):
        line = Line(mocks, platform, AT)
        for kind in ("inspection", "rating"):
            sent = [rendered(platform, kind, case.bad, 500 + place) for place, case in enumerate(ALL_CASES[kind])]
            found.unsayable |= {(platform, ALL_CASES[kind][place].rule) for place, made in enumerate(sent) if not made}
            # One batch for all where a verdict stands for one record; a score that is no number spoils a whole batch.
            whole = kind == "inspection" and platform != THREE
            for places in [range(len(sent))] if whole else [[place] for place in range(len(sent))]:
                told = [(place, record) for place in places for record in sent[place]]
                verdicts = line.said(kind, [record for _, record in told]) if told else []
                for (place, _), codes in zip(told, verdicts if whole else verdicts * len(told), strict=False):
                    for code in codes - {"200", "20001"}:
                        found.refused[platform, code].add((kind, place))
    return found


NO_ROWS = {(ONE, "E07"), (TWO, "02")}  # in whose name a record leaves is no matter of its rows
WITH_RULES = [line for line in DATA if rules_of(line) and (line["platform"], line["code"]) not in NO_ROWS]


@pytest.mark.parametrize("line", WITH_RULES, ids=ids(WITH_RULES))
def test_what_a_rule_stops_the_platform_would_have_refused_with_that_code(provoked, line):
    platform = line["platform"]
    refused = provoked.rules(platform, line["code"])
    assert refused & set(rules_of(line))
    assert [r for r in rules_of(line) if r not in refused and (platform, r) not in provoked.unsayable] == []


def test_whatever_a_platform_refuses_is_returned_by_our_rules_or_not_sent_there(provoked):
    escaped = []
    for (platform, code), cases in provoked.refused.items():
        for kind, place in cases:
            case = ALL_CASES[kind][place]
            returned = any(v["severity"] == ERROR for v in run(kind).bad[place])
            if not returned and _leaves(platform, kind, case):
                escaped.append((platform, code, str(case)))
    assert sum(map(len, provoked.refused.values())) > 80
    assert escaped == []


def _leaves(platform, kind, case):
    """Whether the publishing rules would let the bad rows of a case go to that platform."""
    ctx = PublishContext(AT, CALENDAR, release_ratings={"PUBLIC"})
    return any(decide(kind, payload, platform, ctx).state == "READY" for _, payload in said_by(kind, case.bad, 1))


def test_each_code_that_the_platforms_answered_is_in_the_list_as_a_fault_of_the_data(provoked):
    assert set(provoked.refused) <= {(line["platform"], line["code"]) for line in DATA}


# ---------------------------------------------------------------- the same codes, forged by hand

R, A, P = mock_records.result, mock_records.action, mock_records.publication
FORGED = {
    (ONE, "4001"): ("rating", lambda: [mock_records.rating(score=float("nan"))]),
    (ONE, "E01"): ("inspection", lambda: [R(recordKey="键")]),
    (ONE, "E02"): ("inspection", lambda: [R(operation="DELETE")]),
    (ONE, "E03"): ("inspection", lambda: [R(version=0)]),
    (ONE, "E04"): ("inspection", lambda: [R(raninsPlanId="")]),
    (ONE, "E05"): ("inspection", lambda: [R(entName="某")]),
    (ONE, "E06"): ("inspection", lambda: [R(uniCode=rows.COMPANY[:-1] + "A")]),
    (ONE, "E07"): ("inspection", lambda: [R(insAuthCode=mock_client.OTHER)]),
    (ONE, "E08"): ("inspection", lambda: [R(inspectors=[])]),
    (ONE, "E09"): ("inspection", lambda: [R(finishDate="")]),
    (ONE, "E10"): ("inspection", lambda: [R(details=[])]),
    (ONE, "E11"): ("inspection", lambda: [R(publishable=False)]),
    (ONE, "E12"): ("inspection", lambda: [R(extra=1)]),
    (ONE, "E13"): ("rating", lambda: [mock_records.rating(grade="A")]),
    (ONE, "E14"): ("rating", lambda: [mock_records.rating(validUntil="2001-01-01")]),
    (ONE, "E15"): ("inspection", lambda: [R(leadDept=mock_records.LEFT_OUT)]),
    (TWO, "01"): ("inspection", lambda: [A(check_result="07")]),
    (TWO, "02"): ("inspection", lambda: [A(implement_institution_code=mock_client.OTHER)]),
    (TWO, "03"): ("inspection", lambda: [A(supervise_item_implement_code="6101240001000")]),
    (TWO, "04"): ("inspection", lambda: [A(supervise_item_check_icode=f"{rows.DEPT_USCC}6000001")]),
    (TWO, "05"): ("inspection", lambda: [A(check_action_code="610124-SCJG-1")]),
    (TWO, "06"): ("inspection", lambda: [A(administrative_cp_ui_code=rows.COMPANY[:-1] + "A")]),
    (TWO, "07"): ("inspection", lambda: [A(administrative_cp_ce_type="111")]),
    (TWO, "08"): ("inspection", lambda: [A(plan_id="")]),
    (TWO, "09"): ("inspection", lambda: [A(cd_operation="u")]),
    (TWO, "10"): ("inspection", lambda: [A(check_date=mock_client.day(), submitted_date=mock_client.day())]),
    (THREE, "4002"): ("inspection", None),
    (THREE, "6002"): ("inspection", lambda: [P(raninsTypeName=mock_records.LEFT_OUT)]),
    (THREE, "6005"): ("inspection", lambda: [P(EntName=f"样例{PERSON}")]),
    (THREE, "failSize"): ("inspection", lambda: [P(UniCode=rows.SCHOOL)]),
}
BY_HAND = [line for line in DATA if line["code"] not in ("E16", "E17")]


@pytest.mark.parametrize("line", BY_HAND, ids=ids(BY_HAND))
def test_forged_by_hand_the_platform_answers_with_that_code(mocks, line):
    platform, code = line["platform"], line["code"]
    there = Line(mocks, platform)
    kind, make = FORGED[platform, code]
    if make is None:
        sent = mock_records.pub_batch(P(), departmentCode=mock_client.OTHER)
        assert there.client.call("POST", PATHS[platform, kind], sent).json["code"] == int(code)
    else:
        assert code in there.said(kind, make())[0]


def test_an_older_version_and_other_content_of_the_same_version_are_e16_and_e17(mocks):
    there = Line(mocks, ONE)
    record = R(version=2)
    assert there.said("inspection", [record]) == [set()]
    assert there.said("inspection", [record | {"version": 1}]) == [{"E16"}]
    assert there.said("inspection", [record | {"entName": "周至县样例另一公司"}]) == [{"E17"}]


# ---------------------------------------------------------------- what our side makes impossible


def wire(platform, kind="inspection", op="PUBLISH", held=(), reason="", rule="", **changes):
    table = (
        rows.inspections(rows.inspection(**changes)) if kind == "inspection" else rows.ratings(rows.rating(**changes))
    )
    (content,) = contents(Kind(kind), table)
    ctx = RenderContext(rows.DEPARTMENT, AT, {r.remote_key: r for r in held})
    return adapter(platform).render(RowKey(kind, content.record_key, 1), op, reason, rule, content.payload, ctx)


def test_the_adapters_say_exactly_the_fields_of_the_pages_in_the_name_of_the_owner():
    optional = {"enterpriseMark"}
    pairs = [
        (wire(ONE)[0], R(), ("insAuthCode", "enteredByCode")),
        (wire(ONE, "rating")[0], mock_records.rating(), ("sharedByCode",)),
        (wire(TWO)[0], A(), ("implement_institution_code",)),
        (wire(TWO, "rating")[0], mock_records.assessment(), ("sharedByCode",)),
        (wire(THREE)[0], P(), ()),
        (wire(THREE, "rating")[0], mock_records.public_rating(), ()),
    ]
    for said, page, names in pairs:
        assert set(said) - optional == set(page) - optional
        assert {said[name] for name in names} <= {rows.DEPT_USCC}
    ours = wire(ONE)[0]
    assert {*ours["inspectors"][0]} == {"name", "certNo"}
    assert {*ours["details"][0]} == set(mock_records.detail())


def test_the_adapter_has_two_operations_on_one_and_no_withdrawal_without_a_reason():
    assert wire(ONE)[0]["operation"] == "UPSERT"
    assert wire(ONE, op="WITHDRAW", reason="录入错误")[0]["operation"] == "WITHDRAW"
    with pytest.raises(NotRenderable):
        wire(ONE, op="WITHDRAW", reason=" ")


def test_the_three_keys_of_two_are_one_and_its_operation_follows_from_what_is_there():
    (said,) = wire(TWO)
    assert said["check_action_code"] == said["cd_id"] == said["record_unique_identity"]
    assert said["cd_operation"] == "i"
    there = Remote(said["cd_id"], "inspection", "PRESENT", "0" * 32, 1)
    assert [w["cd_operation"] for w in wire(TWO, held=[there])] == ["u"]


@pytest.mark.parametrize("platform", [ONE, TWO, THREE])
def test_a_frame_with_a_key_twice_is_not_built(platform):
    ours = adapter(platform)
    row = Row(RowKey("inspection", "610124-SCJG-2026-0001", 1), "PUBLISH", "", "", wire(platform))
    with pytest.raises(ZzError):
        ours.freeze(
            rows.DEPARTMENT, ours.number(rows.DEPARTMENT, AT, 1), ours.path("inspection", "PUBLISH"), (row, row)
        )


def test_the_ledger_holds_no_version_zero_none_in_anothers_name_and_no_version_twice(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    good = {
        "kind": "rating", "record_key": "R1", "version": 1, "op": "PUBLISH", "owner_dept": "KGJ", "submit_dept": "KGJ",
        "day": "2026-11-20", "digest": "0" * 64, "payload": b"{}", "rule_set": "r", "accepted_at": 0.0,
    }  # fmt: skip
    row = {
        "platform": THREE, "kind": "rating", "record_key": "R1", "version": 1, "dept": "KGJ", "day": "2026-11-20", "op": "PUBLISH",
        "scheme": "RISK", "public": True, "state": "READY", "item_key": "1" * 64, "updated_at": 0.0,
    }  # fmt: skip
    refused = 0
    with ledger.begin() as conn:
        conn.execute(insert(record_version).values(**good))
    wrong = [
        (record_version, good | {"record_key": "R2", **change}) for change in ({"version": 0}, {"submit_dept": "YJJ"})
    ]
    for table, values in (*wrong, (record_version, good | {"digest": "1" * 64}), (outbox, row)):
        with pytest.raises(IntegrityError), ledger.begin() as conn:
            conn.execute(insert(table).values(**values))
        refused += 1
    with ledger.begin() as conn:
        conn.execute(insert(outbox).values(**row | {"state": "BLOCKED"}))
    ledger.close()
    assert refused == 4


@pytest.mark.parametrize(
    ("platform", "changes", "state"),
    [
        (THREE, {"task_name": f"样例任务{PERSON}"}, "HELD"),
        (THREE, {"task_name": "样例任务 13000000000"}, "HELD"),
        (THREE, {"plan_name": "企业信用风险分类抽查"}, "HELD"),
        (THREE, {"uscc": rows.SCHOOL}, "NOT_APPLICABLE"),
        (THREE, {}, "READY"),
    ],
)
def test_what_three_must_never_hold_is_not_sent_there(platform, changes, state):
    payload = {"kind": "inspection", "finish_date": "2026-11-20", **rows.inspection(**changes)} | {
        "finish_date": "2026-11-20"
    }
    assert decide("inspection", payload, platform, PublishContext(AT, CALENDAR)).state == state


def test_a_record_of_the_day_waits_for_the_next_day_on_two():
    payload = rows.inspection() | {"inspect_date": "2026-11-22", "finish_date": "2026-11-22", "items": []}
    wait = decide("inspection", payload, TWO, PublishContext(AT, CALENDAR)).not_before
    assert wait.isoformat() == "2026-11-23T00:00:00"


def test_a_stopped_record_comes_back_under_a_new_public_id_only():
    first = wire(THREE)[0]["pubId"]
    stopped = Remote(first, "inspection", "WITHDRAWN", "", 1)
    assert wire(THREE, held=[stopped])[0]["pubId"] == f"{first}-R2"
