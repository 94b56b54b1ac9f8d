"""Nights on which something is down: the rest is delivered, the gap is named, and the next night catches up.

Belongs here: whole nights with troubles outside. Must not: faults of single answers (tests/delivery).
"""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from tests.pipeline import harness, troubles

ONE, TWO, THREE = harness.PLATFORMS
# A county whose first day brings no notice of repair: with the credit platform down it would arrive a day later, and
# the platforms would lawfully hold something else than the manifest says.
QUIET_SEED = 13
# What is down in the first night, and what the office must be told of it: whose it is, what happened, what to do.
DOWN = {
    "WJJ": ("县卫生健康局", "来源库连接不上", "核对其服务是否运行"),
    "ZJJ": ("县住建局", "来源库连接不上", "核对其服务是否运行"),
    "YJJ": ("县应急管理局", "来源库", "请管理员核对"),
    "SFJ": ("县司法局", "接口连接不上", "核对对方服务"),
    "GAJ": ("县公安局", "文件是 UTF-8 编码，登记的是 gb18030", "请按登记的编码另存"),
    "NYJ": ("县农业农村局", "续_检查.xlsx》没有读取", "另存后重交"),
    "credit": ("信用信息共享平台", "健康检查没有应答|连接不上|没有应答", "稍后|核对"),
}


# Who reports: one department for each kind of source, the credit lead among them, and those who are in trouble.
SOURCES_IN_TROUBLE = (*harness.ONE_OF_EACH, "WJJ", "ZJJ", "YJJ", "NYJ")
LANES_IN_TROUBLE = (*harness.ONE_OF_EACH, "SWJ")


def _cut_numbers(town, day):
    """Numbers of the ordinary records of 农业农村局: the manifest plants nothing in them."""
    planted = {d["record_no"] for d in town.manifest()["defects"]}
    mine = [r.record_no for r in town.county.world.inspections(day) if r.dept == "NYJ"]
    return set([n for n in mine if n not in planted][:2])


def staged(factory, reporting, **size):
    return harness.town(factory.mktemp("troubles"), seed=QUIET_SEED, reporting=reporting, **size)


@pytest.fixture(scope="module")
def sources_down(tmp_path_factory):
    """A night on which seven sources fail in their own ways, and the next one, on which all are back."""
    with staged(tmp_path_factory, SOURCES_IN_TROUBLE, days=2, scale=0.2) as town:
        first, second = town.county.days
        town.county.apply(first)
        home, inbox, cut = town.home, town.home / "inbox", _cut_numbers(town, first)
        with ExitStack() as broken:
            for trouble in (
                troubles.gone(home / "sources" / "wjj.db"),
                troubles.locked(home / "sources" / "zjj.db"),
                troubles.no_database(home / "sources" / "yjj.db"),
                troubles.pointed(town, ZZ_SOURCE_SFJ=troubles.closed_port()),
                troubles.other_encoding(inbox / "GAJ" / f"治安检查{first:%Y%m%d}.csv", "gb18030", "utf-8"),
                troubles.second_part_cut(inbox / "NYJ" / f"农业农村局_{first:%Y%m%d}_检查.xlsx", "编号", cut),
            ):
                broken.enter_context(trouble)
            town.mocks.control("POST", "/down", {"platform": "credit", "on": True})
            bad = troubles.run(town, first)
            town.mocks.control("POST", "/down", {"platform": "credit", "on": False})
        town.county.apply(second)
        good = troubles.run(town, second)
        yield town, bad, good, cut


def _unread(cut):
    whole = set(DOWN) - {"NYJ", "credit"}

    def gone(_platform, key, entry):
        record = troubles.record_of(key, entry)
        mine = entry["kind"] == "rating" or entry["department"] in whole
        return mine or record in {f"610124-NYJ-{number}" for number in cut}

    return gone


def test_what_could_be_read_is_delivered_the_same_night_and_nothing_else(sources_down):
    town, bad, _, cut = sources_down
    want = troubles.expected(town, bad.day)
    rest = troubles.without(want, _unread(cut))
    assert len(cut) == 2
    assert sum(map(len, rest.values())) < sum(map(len, want.values()))
    assert troubles.differences(bad.held, rest) == []


def test_a_good_workbook_is_read_though_a_broken_one_lies_beside_it(sources_down):
    _, bad, _, cut = sources_down
    mine = {k for k in bad.held[ONE] if k.startswith("610124-NYJ-")}
    assert mine
    assert mine.isdisjoint(f"610124-NYJ-{number}" for number in cut)


def test_a_night_with_unread_sources_balances_is_not_complete_and_ends_with_three(sources_down):
    _, bad, _, _ = sources_down
    assert bad.balance.balanced
    assert not bad.balance.complete
    assert bad.code == 3, bad.said
    failed = {d.dept for d in bad.balance.departments if d.state == "FAILED"}
    assert failed == set(DOWN) - {"GAJ", "NYJ"}


@pytest.mark.parametrize("source", DOWN)
def test_an_unread_source_is_named_with_what_happened_and_what_to_do(sources_down, source):
    _, bad, _, _ = sources_down
    name, happened, remedy = DOWN[source]
    for told in (bad.balance.missing, bad.report["gaps"], bad.said.splitlines()):
        lines = [line for line in told if name in line and "没有读到" in line]
        assert lines, told
        for line in lines:
            assert any(part in line for part in happened.split("|")), line
            assert any(part in line for part in remedy.split("|")), line


def test_nothing_but_the_broken_sources_is_named(sources_down):
    _, bad, _, _ = sources_down
    named = [line for line in bad.balance.missing if not any(name in line for name, _, _ in DOWN.values())]
    assert named == []


def test_the_next_night_catches_up_with_every_source_that_had_failed(sources_down):
    town, _, good, _ = sources_down
    assert troubles.differences(good.held, troubles.expected(town, good.day), late=True) == []
    assert good.balance.balanced
    assert good.balance.missing == []
    assert good.code == 0, good.said


def test_catching_up_doubles_nothing(sources_down):
    town, _, _, _ = sources_down
    assert troubles.doubled(town) == {}


@pytest.fixture(scope="module")
def platforms_down(tmp_path_factory):
    """② down and two credentials in trouble; then ① down; then all well."""
    with staged(tmp_path_factory, LANES_IN_TROUBLE, days=3, scale=0.1) as town:
        first, second, third = town.county.days
        secrets = troubles.drop_credential(town, ONE, LOST)
        town.mocks.control("POST", "/suspend", {"platform": THREE, "department": BARRED, "on": True})
        town.mocks.control("POST", "/down", {"platform": TWO, "on": True})
        town.county.apply(first)
        nights = [troubles.run(town, first)]

        (town.home / "secrets.toml").write_text(secrets, "utf-8")
        town.mocks.control("POST", "/suspend", {"platform": THREE, "department": BARRED, "on": False})
        town.mocks.control("POST", "/down", {"platform": TWO, "on": False})
        troubles.zz(town, "release", THREE, BARRED, "--by", "张某", "--why", "平台已恢复凭证")
        town.mocks.control("POST", "/down", {"platform": ONE, "on": True})
        town.county.apply(second)
        nights.append(troubles.run(town, second))

        town.mocks.control("POST", "/down", {"platform": ONE, "on": False})
        town.county.apply(third)
        nights.append(troubles.run(town, third))
        yield town, nights


LOST, BARRED = "HBJ", "SWJ"  # the credential on ① is missing; the credential on ③ is suspended
LABELS = {ONE: "省双随机平台", TWO: "市互联网+监管", THREE: "信用公示系统"}


def _line(night, platform):
    (line,) = [text for text in night.balance.missing if f"平台“{LABELS[platform]}”" in text]
    assert line in night.report["gaps"]
    assert line in night.said
    return line


def test_a_platform_that_is_down_all_night_gets_nothing_and_the_others_everything(platforms_down):
    town, (first, _, _) = platforms_down
    want = troubles.without(
        troubles.expected(town, first.day),
        lambda p, _, e: p == TWO or e["department"] == LOST or (p, e["department"]) == (THREE, BARRED),
    )
    assert want[ONE]
    assert want[THREE]
    assert troubles.differences(first.held, want) == []
    assert "健康检查没有应答" in _line(first, TWO)
    assert "下次运行自动续报" in _line(first, TWO)


def test_a_department_without_a_credential_is_named_and_its_records_wait_at_every_platform(platforms_down):
    town, (first, _, _) = platforms_down
    assert any(e["department"] == LOST for e in troubles.expected(town, first.day)[ONE].values())
    assert not any(dept == LOST for pushed in first.pushed.values() for dept, _ in pushed)
    line = _line(first, ONE)
    assert "县生态环境局" in line
    assert f"[{ONE}.{LOST}]" in line
    assert "请向平台运维单位领取" in line


def test_a_suspended_credential_stops_its_lane_at_once_and_no_other(platforms_down):
    town, (first, _, _) = platforms_down
    refused = [e for e in town.mocks.wire(THREE) if e["code"] == "4030"]
    assert {e["department"] for e in refused} == {BARRED}
    assert len(refused) == 1, "one answer is enough to stop"
    line = _line(first, THREE)
    assert "县水务局" in line
    assert "4030" in line
    assert f"zz release {THREE} {BARRED}" in line


def test_nights_with_platforms_down_balance_are_not_complete_and_end_with_three(platforms_down):
    _, (first, second, _) = platforms_down
    for night in (first, second):
        assert night.balance.balanced
        assert not night.balance.complete
        assert night.code == 3, night.said
        assert sum(p.states["pending"] for p in night.balance.platforms) > 0


def test_while_the_entry_platform_is_down_the_others_send_nothing_that_it_has_not(platforms_down):
    town, (first, second, _) = platforms_down
    assert second.held[ONE] == first.held[ONE]
    assert second.pushed[ONE] == {}
    before, after = troubles.expected(town, first.day), troubles.expected(town, second.day)
    moved = troubles.changed(before, after)

    def out(_platform, key, entry):
        return entry["department"] == LOST or troubles.record_of(key, entry) in moved

    # what ① took in the night before goes on; of what came since, and of what was corrected since, nothing leaves
    assert troubles.differences(troubles.without(second.held, out), troubles.without(before, out)) == []
    assert not any(dept == LOST for pushed in second.pushed.values() for dept, _ in pushed)
    known = {troubles.record_of(k, e) for k, e in first.held[ONE].items()}
    sent = {troubles.ACTION.sub("", key) for p in (TWO, THREE) for _, key in second.pushed[p]}
    assert sent
    assert sent <= known
    assert "健康检查没有应答" in _line(second, ONE)


def test_when_the_platforms_are_back_everything_arrives_once(platforms_down):
    town, (_, _, third) = platforms_down
    assert troubles.differences(third.held, troubles.expected(town, third.day), late=True) == []
    assert troubles.doubled(town) == {}
    assert third.balance.balanced
    assert third.balance.missing == []
    assert third.code == 0, third.said


def test_a_day_that_was_waiting_is_whole_in_its_own_balance_afterwards(platforms_down):
    town, (first, _, _) = platforms_down
    with town.opened() as night:
        for day in (first.day, first.day + timedelta(days=1)):
            for platform in night.balance(day).platforms:
                assert (platform.states["pending"], platform.states["unknown"]) == (0, 0)
