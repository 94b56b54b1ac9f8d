"""What the gateway says, on all platforms: which answers prove that nothing was stored, and which prove nothing."""

import pytest

from tests.delivery import contract_words as w
from zz_pipeline.delivery.protocol import Effect, Reply, Transport
from zz_pipeline.errors import ConfigError, NotRenderable
from zz_pipeline.platforms import wire
from zz_pipeline.platforms.registry import adapter

PLATFORMS = ("double_random", "internet_supervision", "publicity")


def sent(name):
    speaker = adapter(name)
    return speaker, w.batch(speaker, w.row(speaker, w.inspection()))


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize(
    ("http", "code", "effect"),
    [
        (413, "4130", Effect.POISON),
        (503, "5030", Effect.BUSY),
        (401, "4011", Effect.AUTH),
        (403, "4030", Effect.AUTH),
        (401, "4013", Effect.AUTH),
        (401, "4012", Effect.AUTH),
        (401, "4014", Effect.UNKNOWN),
        (401, "4015", Effect.SESSION),
        (429, "4290", Effect.BUSY),
        (429, "4291", Effect.BUSY),
    ],
)
def test_each_refusal_at_the_gateway_has_its_effect_on_every_platform(name, http, code, effect):
    speaker, batch = sent(name)
    answer = speaker.read(w.reply(http, {"code": code, "message": "拒绝"}), batch)
    assert (answer.effect, answer.code) == (effect, code)
    assert answer.message


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(w.reply(500), id="500 page"),
        pytest.param(w.reply(500, {"code": "0000", "data": {}}), id="500 that claims success"),
        pytest.param(w.reply(502, {"code": 200, "totalSize": 1, "successSize": 1, "failSize": 0}), id="502"),
        pytest.param(w.reply(503, {"code": "5031"}), id="503 without its code"),
        pytest.param(w.reply(503), id="503 page"),
        pytest.param(w.reply(504), id="504"),
        pytest.param(w.reply(200), id="200 page"),
        pytest.param(w.reply(200, []), id="a list"),
        pytest.param(w.reply(200, {}), id="an empty object"),
        pytest.param(w.reply(200, {"code": "4011"}), id="a refusal under HTTP 200"),
        pytest.param(w.reply(401, {"code": "9999"}), id="401 of somebody else"),
        pytest.param(w.reply(401), id="401 page"),
        pytest.param(w.reply(429, {"code": 4290}), id="429 with a number"),
        pytest.param(w.reply(400, {"code": "4130"}), id="a code under another HTTP status"),
        pytest.param(Reply(Transport.UNKNOWN, error="连接中断"), id="reset"),
        pytest.param(Reply(Transport.UNKNOWN, http=302), id="redirect"),
    ],
)
def test_fault_20_every_other_answer_is_unknown_and_never_a_success_or_a_refusal(name, reply):
    speaker, batch = sent(name)
    answer = speaker.read(reply, batch)
    assert answer.effect is Effect.UNKNOWN
    assert answer.verdicts == ()


@pytest.mark.parametrize("name", PLATFORMS)
def test_no_connection_is_told_as_such(name):
    speaker, batch = sent(name)
    answer = speaker.read(Reply(Transport.NO_CONNECT, error="连接失败，请求没有发出"), batch)
    assert (answer.effect, answer.message) == (Effect.NO_CONNECT, "连接失败，请求没有发出")


def test_retry_after_is_handed_on_for_rate_and_maintenance_but_the_quota_waits_for_tomorrow():
    answers = {
        code: wire.gateway(w.reply(http, {"code": code}, retry_after=7.0))
        for http, code in ((429, "4290"), (503, "5030"), (429, "4291"))
    }
    assert {code: answer.retry_after for code, answer in answers.items()} == {"4290": 7.0, "5030": 7.0, "4291": None}


def test_a_redirect_and_a_repeated_nonce_are_alarms():
    assert "跳转" in wire.gateway(Reply(Transport.UNKNOWN, http=302)).alarm
    assert wire.gateway(w.reply(401, {"code": "4014"})).alarm
    assert not wire.gateway(Reply(Transport.UNKNOWN, error="连接中断")).alarm


def test_a_wrong_clock_is_told_with_the_difference_if_the_platform_shows_its_time():
    assert "快约 400 秒" in wire.gateway(w.reply(401, {"code": "4013"}, skew_seconds=400.0)).message
    assert "约" not in wire.gateway(w.reply(401, {"code": "4013"}, skew_seconds=1.0)).message


@pytest.mark.parametrize(
    ("name", "success"), [("double_random", "0000"), ("internet_supervision", "200"), ("publicity", 200)]
)
def test_a_probe_believes_only_the_platforms_own_answer(name, success):
    good = {"code": success, "data": {"rate": 10, "burst": 20, "daily_records": 200000, "used_today": 1234}}
    assert adapter(name).probe(w.Script(quota=w.reply(200, good))).effect is Effect.JUDGED
    for bad in (w.reply(200, good | {"code": "x"}), w.reply(200, {"code": success}), w.reply(500, good), w.reply(200)):
        assert adapter(name).probe(w.Script(quota=bad)).effect is Effect.UNKNOWN
    assert adapter(name).probe(w.Script(quota=w.reply(401, {"code": "4011"}))).effect is Effect.AUTH


def test_a_query_has_blanks_as_percent_20_and_commas_as_they_are():
    pairs = [*wire.bounds(("updatedFrom", "updatedTo"), w.NOW, None), ("recordKeys", "a,b")]
    assert wire.query(pairs) == "updatedFrom=2026-11-22%2001%3A40%3A00&recordKeys=a,b"


def test_a_platforms_words_are_kept_short_and_printable():
    assert wire.clean("a\x00b\nc" + "字" * 1000) == "a b c" + "字" * 295
    assert wire.clean({"message": "x"}) == ""


def test_an_unknown_adapter_is_a_fault_of_the_configuration():
    with pytest.raises(ConfigError, match="没有这种接口"):
        adapter("credit_cards")


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_key_twice_in_one_batch_is_never_frozen(name):
    speaker = adapter(name)
    twice = w.row(speaker, w.inspection())
    with pytest.raises(NotRenderable, match="出现两次"):
        w.batch(speaker, twice, twice)


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_claims_of_a_batch_are_the_department_it_was_rendered_for(name):
    speaker, batch = sent(name)
    claims = speaker.claims(batch.path, batch.body)
    assert claims.codes == {w.DEPT.uscc}
    assert claims.departments == {"SCJG"}


@pytest.mark.parametrize("name", PLATFORMS)
def test_unequal_names_and_certificates_are_never_paired_by_guess(name):
    speaker = adapter(name)
    if name == "publicity":
        assert w.row(speaker, w.inspection(inspector_names=["张某"])).wire, "no inspector is shown to the public"
    else:
        with pytest.raises(NotRenderable, match="数目不等"):
            w.row(speaker, w.inspection(inspector_names=["张某"]))


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("result", ["未发现问题", "UNHEARD_OF"])
def test_a_class_that_is_none_of_the_eight_is_never_sent(name, result):
    with pytest.raises(NotRenderable):
        w.row(adapter(name), w.inspection(items=[w.item("61012400010001", "食品安全检查", result)]))
