"""谁检查、谁录入、谁公开: a department cannot send another's record, whichever way it is tried.

Belongs here: the gates one behind the other, each tried as if those before it had failed: schema, lane, credential, last look, platform.
Must not: the client's own details (tests/delivery), the contracts' other refusals (tests/contract).
"""

import json
from collections import Counter

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from mock_platforms.run import Mocks
from tests.contract import mock_records
from tests.contract.mock_client import SECRET, Client, fresh, wait_done
from tests.delivery.bench import a_uscc, accept, payload, row
from zz_pipeline.delivery.client import Client as Line
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.errors import ConfigError, OwnerGate
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import batch, outbox, record_version
from zz_pipeline.settings import CHECKOUT, load_settings
from zz_pipeline.standard.canonical import canonical_json, sm3_hex

ONE, TWO, THREE = PLATFORMS = ("double_random", "internet_supervision", "publicity")
A, B = "SCJG", "YJJ"
COUNT = iter(range(1, 1000))
QUICK = {"quiet_seconds": 1.0, "late_effect_seconds": 0.5, "poll_first_seconds": 0.1, "night_wait_seconds": 20.0}


def _secrets():
    names = {(p, d): f"{p[:2]}-{d.lower()}" for p in PLATFORMS for d in (A, B)}
    return names, {f"ZZ_SECRET_{p.upper()}_{d}": f"{app}:{SECRET}" for (p, d), app in names.items()}


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    names, env = _secrets()
    departments = load_settings(CHECKOUT / "config", folder, env).departments
    entries = [
        {
            "platform": p, "department": d, "app_id": app, "secret": SECRET, "department_uscc": departments[d].uscc,
            "department_name": departments[d].name,
        }
        for (p, d), app in names.items()
    ]  # fmt: skip
    (folder / "credentials.json").write_text(json.dumps(entries))
    with Mocks(folder / "platforms", folder / "credentials.json", receipt_delay=0.1) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def settings(home, mocks):
    env = _secrets()[1] | {f"ZZ_URL_{p.upper()}": mocks.urls[p] for p in PLATFORMS}
    found = load_settings(CHECKOUT / "config", home, env)
    return found.model_copy(
        update={"platforms": {n: spec.model_copy(update=QUICK) for n, spec in found.platforms.items()}}
    )


@pytest.fixture(scope="module")
def ledger(home):
    """One for all tests that send: two ledgers before the same platforms would use the same batch numbers."""
    made = Ledger(f"sqlite:///{home}/ledger.db")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path):
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.migrate()
    yield made
    made.close()


def _record(ledger, settings, dept, platforms=PLATFORMS):
    code = a_uscc(next(COUNT))
    told = {"uscc": code, "counterpart_code": code}
    return accept(ledger, settings, dept, fresh("2026-"), platforms=platforms, changes=told)


def _deliver(ledger, settings):
    return [deliver(ledger, settings, platform, threads=1) for platform in PLATFORMS]


def _pushes(mocks, platform):
    return [e for e in mocks.wire(platform) if e["method"] == "POST" and e["keys"]]


def _stored(mocks, platform, key):
    return [e for e in mocks.ledger(platform) if e["key"].startswith(key)]


# ---------------------------------------------------------------- 1 the schema


def _version(settings, **over):
    body = canonical_json(payload(settings, A, "2026-schema"))
    said = {
        "kind": "inspection", "record_key": f"610124-{A}-2026-schema", "version": 1, "op": "PUBLISH", "owner_dept": A,
        "submit_dept": A, "day": "2026-11-20", "digest": sm3_hex(body), "payload": body, "rule_set": "t",
        "accepted_at": 1.0,
    }  # fmt: skip
    return said | over


def test_the_schema_takes_no_version_whose_submitter_is_not_its_owner(empty, settings):
    with pytest.raises(IntegrityError, match="owner_is_submitter"), empty.begin() as conn:
        conn.execute(insert(record_version).values(**_version(settings, submit_dept=B)))
    with empty.read() as conn:
        assert conn.execute(select(record_version)).all() == []


def test_the_schema_lets_nobody_hand_a_stored_version_to_another_department(empty, settings):
    with empty.begin() as conn:
        conn.execute(insert(record_version).values(**_version(settings)))
    for column in ("submit_dept", "owner_dept"):
        with pytest.raises(IntegrityError, match="owner_is_submitter"), empty.begin() as conn:
            conn.execute(update(record_version).values(**{column: B}))


# ---------------------------------------------------------------- 2 the lane, the credential, the last look


def test_every_row_leaves_with_its_owners_credential_and_with_no_other(mocks, ledger, settings):
    owners = {_record(ledger, settings, dept): dept for dept in (A, B, B, A)}
    _deliver(ledger, settings)
    for platform in PLATFORMS:
        sent = Counter()
        for push in _pushes(mocks, platform):
            for key in push["keys"]:
                record = "-".join(key.split("-")[:4])
                if record in owners:
                    assert push["department"] == owners[record]
                    sent[record] += 1
        assert sent == dict.fromkeys(owners, 1)
        assert {row(ledger, key, platform=platform).state for key in owners} == {"CONFIRMED"}


def test_a_row_that_stands_in_another_departments_lane_never_leaves(mocks, ledger, settings):
    key = _record(ledger, settings, A, platforms=(ONE,))
    with ledger.begin() as conn:
        conn.execute(update(outbox).where(outbox.c.record_key == key).values(dept=B))
    before = len(_pushes(mocks, ONE))
    result = deliver(ledger, settings, ONE, threads=1)
    assert len(_pushes(mocks, ONE)) == before
    assert row(ledger, key, platform=ONE).state == "READY"
    assert [a for a in result.alarms if key in a and "已拒绝发送" in a]
    with ledger.begin() as conn:
        conn.execute(update(outbox).where(outbox.c.record_key == key).values(dept=A))
    assert deliver(ledger, settings, ONE, threads=1).alarms == []
    assert row(ledger, key, platform=ONE).state == "CONFIRMED"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_department_without_a_credential_gets_no_other_departments_one(settings, platform):
    own = {name: c for name, c in settings.credentials.items() if c.department != B}
    less = settings.model_copy(update={"credentials": own})
    with pytest.raises(ConfigError, match=rf"\[{platform}\.{B}\]"):
        less.credential(platform, B)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_credential_filed_under_another_departments_name_is_refused(settings, platform):
    theirs = settings.credentials[f"{platform}.{A}"]
    mixed = settings.model_copy(update={"credentials": settings.credentials | {f"{platform}.{B}": theirs}})
    with pytest.raises(ConfigError):
        mixed.credential(platform, B)
    with pytest.raises(OwnerGate):
        Line(settings.platforms[platform], theirs, settings.departments[B])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_last_look_stops_a_batch_of_a_in_bs_hands_before_any_byte_leaves(mocks, ledger, settings, platform):
    _record(ledger, settings, A)
    _deliver(ledger, settings)
    with ledger.read() as conn:
        frozen = conn.execute(select(batch).where(batch.c.platform == platform, batch.c.dept == A)).first()
    line = Line(settings.platforms[platform], settings.credential(platform, B), settings.departments[B])
    before = mocks.wire(platform)
    for claimed_owner in (A, B):
        with pytest.raises(OwnerGate, match="未发送"):
            line.push(frozen.path, bytes(frozen.body), claimed_owner)
    line.close()
    assert mocks.wire(platform) == before, "not even a session was asked for"


RATINGS = {
    ONE: ("/api/v1/credit-ratings", lambda a: mock_records.batch(mock_records.rating(sharedByCode=a))),
    TWO: ("/exchange/credit_assess", lambda a: mock_records.cd_batch(mock_records.assessment(sharedByCode=a))),
    THREE: (
        "/publicity/credit-ratings",
        lambda a: mock_records.pub_batch(mock_records.public_rating(), departmentCode=a),
    ),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_last_look_stops_a_rating_shared_in_as_name_too(mocks, settings, platform):
    path, made = RATINGS[platform]
    body = json.dumps(made(settings.departments[A].uscc)).encode()
    line = Line(settings.platforms[platform], settings.credential(platform, B), settings.departments[B])
    before = mocks.wire(platform)
    with pytest.raises(OwnerGate, match="未发送"):
        line.push(path, body, B)
    line.close()
    assert mocks.wire(platform) == before


# ---------------------------------------------------------------- 3 the platform


def _raw(mocks, platform):
    """B's own client, signed as the gateway page says, which has no gate of ours."""
    return Client(mocks, platform, B)


def test_platform_one_refuses_as_record_from_b_with_e07(mocks, settings):
    a, b = settings.departments[A].uscc, settings.departments[B].uscc
    for codes in ({"insAuthCode": a, "enteredByCode": a}, {"insAuthCode": a, "enteredByCode": b}):
        record = mock_records.result(**codes)
        answer = _raw(mocks, ONE).call("POST", "/api/v1/inspection-results", mock_records.batch(record))
        (verdict,) = answer.json["data"]["results"]
        assert (verdict["verdict"], {e["code"] for e in verdict["errors"]}) == ("REJECTED", {"E07"})
        assert _stored(mocks, ONE, record["recordKey"]) == []


def test_platform_two_fails_as_record_from_b_with_02(mocks, settings):
    a = settings.departments[A].uscc
    record = mock_records.action(implement_institution_code=a, supervise_item_check_icode=f"{a}4000001")
    client, sent = _raw(mocks, TWO), mock_records.cd_batch(record)
    assert client.call("POST", "/exchange/jg_jgxw_check_action", sent).http == 202
    (told,) = wait_done(client, sent["cd_batch"])["results"]
    assert told["result"] == "FAIL"
    assert "02" in {check["type"] for check in told["checks"]}
    assert _stored(mocks, TWO, record["cd_id"]) == []


def test_platform_three_refuses_as_batch_from_b_with_4002(mocks, settings):
    record = mock_records.publication()
    sent = mock_records.pub_batch(record, departmentCode=settings.departments[A].uscc)
    assert _raw(mocks, THREE).call("POST", "/publicity/inspections", sent).code == 4002
    assert _stored(mocks, THREE, record["pubId"]) == []


def test_b_cannot_overwrite_in_its_own_name_what_a_has_stored(mocks, ledger, settings):
    key = _record(ledger, settings, A)
    _deliver(ledger, settings)
    before = {p: _stored(mocks, p, key) for p in PLATFORMS}
    b = settings.departments[B].uscc
    one = mock_records.result(recordKey=key, version=2, insAuthCode=b, enteredByCode=b)
    answer = _raw(mocks, ONE).call("POST", "/api/v1/inspection-results", mock_records.batch(one))
    (verdict,) = answer.json["data"]["results"]
    assert {e["code"] for e in verdict["errors"]} == {"E07"}

    two = mock_records.action(
        cd_id=f"{key}-61012400010001", cd_operation="u", implement_institution_code=b,
        supervise_item_check_icode=f"{b}4000001",
    )  # fmt: skip
    client, sent = _raw(mocks, TWO), mock_records.cd_batch(two)
    client.call("POST", "/exchange/jg_jgxw_check_action", sent)
    (told,) = wait_done(client, sent["cd_batch"])["results"]
    assert "02" in {check["type"] for check in told["checks"]}

    three = mock_records.pub_batch(mock_records.publication(pubId=key), departmentCode=b)
    counts = _raw(mocks, THREE).call("POST", "/publicity/inspections", three).json
    assert (counts["successSize"], counts["failSize"]) == (0, 1)
    assert {p: _stored(mocks, p, key) for p in PLATFORMS} == before
    assert all(before.values())
