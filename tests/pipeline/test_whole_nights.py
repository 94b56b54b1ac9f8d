"""Whole nights of the sample county against the manifest, which is computed without our code."""

import pytest

from tests.pipeline import harness
from zz_pipeline.ledger import audit

# One county in `make test`, five larger ones in `make test-long`: each costs three whole nights, and all plant the same
# ninety sorts of defect and as many withdrawals.
QUICK, LONG = ((3, 0.3),), ((1, 0.5), (2, 0.5), (3, 0.5), (5, 0.5), (8, 0.5))
COUNTIES = (*QUICK, *(pytest.param(county, marks=pytest.mark.long) for county in LONG))


@pytest.fixture(scope="module", params=COUNTIES, ids="seed{0[0]}-scale{0[1]}".format)
def three_nights(request, tmp_path_factory):
    """Three nights in order; after each, the differences to the manifest."""
    seed, scale = request.param
    with harness.town(tmp_path_factory.mktemp("town"), seed=seed, days=3, scale=scale) as town:
        nights = []
        for day in town.county.days:
            town.county.apply(day)
            result = town.night(day)
            nights.append((day, result, harness.compare(town.mocks, town.manifest()["expected"][day.isoformat()])))
        yield town, nights


def test_each_platform_holds_after_each_night_exactly_what_the_manifest_says(three_nights):
    _, nights = three_nights
    assert {str(day): problems for day, _, problems in nights if problems} == {}


def test_every_planted_defect_is_returned_by_its_rule_and_no_clean_record_is(three_nights):
    town, _ = three_nights
    planted = harness.planted(town)
    got = {key: rules for key, rules in harness.returned(town).items() if not any(r.startswith("REP") for r in rules)}
    missed = {key: d["defect"] for key, d in planted.items() if not set(d["rule"].split("|")) & got.get(key, set())}
    # 民政's cumulative workbook shows a bad row again every night until it is corrected
    first = {(dept, unit): day for day, dept, unit in sorted(planted, reverse=True)}
    wrongly = {key: rules for key, rules in got.items() if first.get(key[1:], "9999") > key[0]}
    assert missed == {}
    assert wrongly == {}


def test_every_night_balances_and_counts_what_the_manifest_counts(three_nights):
    town, nights = three_nights
    units = town.manifest()["units"]
    for day, result, _ in nights:
        assert result.balance.balanced
        assert result.balance.complete
        for dept in result.balance.departments:
            if dept.kind == "inspection" and dept.state == "OK":
                said = units[day.isoformat()][dept.dept]
                assert (dept.dept, dept.pulled, dept.quarantined) == (dept.dept, said["pulled"], said["quarantined"])


def test_nothing_is_left_pending_unknown_or_rejected_when_nothing_went_wrong(three_nights):
    _, nights = three_nights
    for _, result, _ in nights:
        for platform in result.balance.platforms:
            assert (platform.states["pending"], platform.states["unknown"], platform.states["rejected"]) == (0, 0, 0)
        assert all(r.state == "OK" for r in result.reconciled.values())


def test_risk_ratings_and_subjects_off_the_market_never_reach_publicity(three_nights):
    town, _ = three_nights
    records = [row["record"] for row in town.mocks.ledger("publicity", history=True) if row.get("record")]
    assert records
    assert all(r["UniCode"][:2] in ("91", "92", "93") for r in records)
    assert all(r.get("scheme", "PUBLIC") == "PUBLIC" for r in records)
    assert not any(entry.get("code") in (6005, "6005") for entry in town.mocks.wire("publicity"))


def test_every_record_travelled_once_and_in_its_owners_name(three_nights):
    town, _ = three_nights
    for platform in harness.PLATFORMS:
        pushes = [e for e in town.mocks.wire(platform) if e["method"] == "POST" and e.get("keys")]
        assert pushes
        for entry in pushes:
            owners = {key.split("-")[1] for key in entry["keys"] if key.startswith("610124-")}
            assert owners <= {entry["department"]}


def test_the_audit_chain_of_the_nights_is_whole(three_nights):
    town, _ = three_nights
    with town.opened() as night, night.ledger.read() as conn:
        chain = audit.verify(conn)
    assert chain.events > 10
    assert chain.broken_at is None


@pytest.mark.long  # one more night; a backfill given twice and a second county's last night show the same in the normal run
def test_the_same_night_again_sends_no_record(three_nights):
    town, nights = three_nights
    before = {
        p: len([e for e in town.mocks.wire(p) if e["method"] == "POST" and e.get("keys")]) for p in harness.PLATFORMS
    }
    again = town.night(nights[-1][0])
    after = {
        p: len([e for e in town.mocks.wire(p) if e["method"] == "POST" and e.get("keys")]) for p in harness.PLATFORMS
    }
    assert before == after
    assert again.balance.balanced
    assert again.balance.totals() == nights[-1][1].balance.totals()
