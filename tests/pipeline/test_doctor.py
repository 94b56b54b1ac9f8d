"""`zz doctor` on a sound county and on broken ones: what is wrong is named with its file and its remedy, and nothing else is.

Belongs here: what an operator is told. Must not: the reading of configuration for its own sake.
"""

import json
import re
from contextlib import contextmanager

import pytest

from tests.pipeline import harness, troubles
from zz_pipeline.doctor import examine
from zz_pipeline.settings import load_settings

HBJ, CSV = "县生态环境局", "县公安局"


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with harness.town(tmp_path_factory.mktemp("doctor"), seed=7, days=1, scale=0.1) as staged:
        staged.county.apply(staged.county.days[0])
        yield staged


def _named(town, **env):
    """Exit code, and what is not in order: what → text."""
    staged = harness.Town(town.county, town.mocks, town.sources, town.config, town.env | env)
    code, said = troubles.zz(staged, "doctor", "--json")
    told = json.loads(said)
    assert told["ok"] == (code == 0)
    return code, {f["what"]: f["text"] for f in told["findings"] if not f["ok"]}


def _only(found, what, *words):
    """Exactly one thing is named, and its text holds all the words; if not so, what was said instead."""
    code, named = found
    missing = [str(word) for word in words if str(word) not in named.get(what, "")]
    return [] if (code, list(named), missing) == (2, [what], []) else [code, named, missing]


@contextmanager
def _edited(path, pattern, new):
    """A file in which something is written otherwise for a while."""
    old = path.read_text("utf-8")
    text, count = re.subn(pattern, new, old, count=1)
    assert count == 1
    path.write_text(text, "utf-8")
    try:
        yield
    finally:
        path.write_text(old, "utf-8")


def test_on_a_sound_setup_nothing_is_named(town):
    assert _named(town) == (0, {})


def test_every_department_list_and_platform_is_looked_at(town):
    code, said = troubles.zz(town, "doctor")
    assert code == 0
    assert "✗" not in said
    settings = load_settings(town.config, town.home, town.env)
    for spec in (*settings.platforms.values(), settings.credit):
        assert f"✓ {spec.label} 地址：正常" in said
    for department in settings.departments.values():
        for what in ("凭证", "来源"):
            shown = f"✓ {department.short} {what}：正常" in said
            assert shown == (department.source.kind != "none")


def test_the_doctor_asks_platforms_nothing_that_needs_a_credential(town):
    before = {p: len(town.mocks.wire(p)) for p in (*harness.PLATFORMS, "credit")}
    _named(town)
    asked = [e for p, n in before.items() for e in town.mocks.wire(p)[n:]]
    assert [e for e in asked if e["app_id"] or e["method"] != "GET" or e["path"] != "/health"] == []


# ---------------------------------------------------------------- secrets


def test_a_missing_secret_is_named_with_its_section_file_and_remedy(town):
    path = town.home / "secrets.toml"
    secrets = troubles.drop_credential(town, "double_random", "HBJ")
    try:
        words = ("[double_random.HBJ]", path, "请向平台运维单位领取", "app_id", "600")
        assert _only(_named(town), f"{HBJ} 凭证", *words) == []
        assert "[double_random.HBJ]" in troubles.zz(town, "doctor")[1], "the terminal shows the section's name too"
    finally:
        path.write_text(secrets, "utf-8")


def test_the_credit_platforms_secret_is_looked_for_too(town):
    secrets = troubles.drop_credential(town, "credit", "KGJ")
    try:
        assert _only(_named(town), "县科技工信局 凭证", "[credit.KGJ]", "secrets.toml") == []
    finally:
        (town.home / "secrets.toml").write_text(secrets, "utf-8")


def test_a_secrets_file_that_others_can_read_is_named_with_the_command_that_mends_it(town):
    path = town.home / "secrets.toml"
    path.chmod(0o644)
    try:
        assert _only(_named(town), "配置", f"chmod 600 {path}") == []
    finally:
        path.chmod(0o600)


def test_no_finding_shows_a_secret(town):
    secret = re.search(r'secret = "(\w+)"', (town.home / "secrets.toml").read_text("utf-8"))[1]
    with _edited(town.home / "secrets.toml", secret, secret[:20]):
        code, said = troubles.zz(town, "doctor")
    assert code == 2
    assert "少于 32 个" in said
    assert secret[:20] not in said


# ---------------------------------------------------------------- configuration


def test_an_unknown_credit_lead_is_named_with_file_and_remedy(town):
    path = town.config / "county.toml"
    with _edited(path, r'credit_lead = "KGJ"', 'credit_lead = "XYZ"'):
        assert _only(_named(town), "配置", path, "credit_lead", "XYZ", "请改成", "departments") == []


def test_a_file_that_is_no_toml_is_named_with_its_line_and_remedy(town):
    path = town.config / "departments" / "HBJ.toml"
    with _edited(path, r"(?m)^key = .*$", "key = HBJ"):
        assert _only(_named(town), "配置", path, "line", "请打开该文件核对那一行") == []


def test_a_misspelt_setting_is_named_in_chinese(town):
    path = town.config / "county.toml"
    with _edited(path, r"(?m)^office =", "ofice ="):
        code, named = _named(town)
    assert code == 2
    assert str(path) in named["配置"]
    assert re.search(r"(office：没有写，是必填项|ofice：没有这一项配置)", named["配置"])


def test_a_missing_configuration_folder_is_named_with_the_command_that_makes_one(town):
    assert (
        _only(_named(town, ZZ_CONFIG=str(town.config / "no")), "配置", town.config / "no", "zz init", "ZZ_CONFIG") == []
    )


def test_a_missing_list_is_named_with_its_file(town):
    path = town.home / "lists" / "items.csv"
    with troubles.gone(path):
        assert _only(_named(town), "名录", path, "请从名录库导出") == []


def test_a_working_day_table_without_this_year_is_named(town):
    path = town.config / "workdays.csv"
    year = harness.LAST.year
    with _edited(path, rf"(?s){year}-.*", ""):
        assert _only(_named(town), "工作日表", path, "放假通知") == []


# ---------------------------------------------------------------- every file of the configuration

CONFIG = harness.ROOT / "config"
FILES = sorted(path.relative_to(CONFIG).as_posix() for path in CONFIG.rglob("*") if path.is_file())
LISTS = [f"lists/{name}.csv" for name in ("items", "inspectors", "plans", "tasks", "subjects")]


@pytest.mark.parametrize("name", [*FILES, *LISTS])
def test_a_broken_line_in_any_file_is_named_with_file_line_and_remedy(town, monkeypatch, name):
    path = (town.home if name in LISTS else town.config) / name
    assert path.suffix in (".toml", ".csv")
    old = path.read_text("utf-8")
    for key, value in town.env.items():
        monkeypatch.setenv(key, value)
    try:
        path.write_text(f"{old.rstrip()}\n这一行写坏了\n", "utf-8")
        named = [f.text for f in examine(files_only=True) if not f.ok and str(path) in f.text]
    finally:
        path.write_text(old, "utf-8")
    number = len(old.rstrip().splitlines()) + 1
    assert [text for text in named if f"第 {number} 行" in text or f"line {number}" in text]
    assert all(re.search(r"请|应为|补齐", text) for text in named)


BROKEN = [
    ("county.toml", r'publicity_transition = "\w+"', 'publicity_transition = "longer"', "配置", ("publicity_transition", "取值")),
    ("county.toml", r"audit_keep_days = \d+", "audit_keep_days = 30", "配置", ("audit_keep_days", "太小")),
    ("county.toml", r'platforms = \["double_random", ', 'platforms = ["double_randon", ', "配置", ("缺少平台配置", "double_randon")),
    ("departments/HBJ.toml", r"columns\.subject_name", "columns.subject_nam", "部门配置", ("HBJ.toml", "subject_nam", "拼写")),
    ("departments/HBJ.toml", r"(?s)\[columns\.result\].*?(?=\n\[)", "", "部门配置", ("HBJ.toml", "columns.result", "必填")),
    ("departments/CGJ.toml", r"day_pattern = '.*?'", "day_pattern = '[0-9'", "部门配置", ("CGJ.toml", "day_pattern", "正则")),
    ("departments/CGJ.toml", r"day_pattern = '.*?'", "day_pattern = '[0-9]+'", "部门配置", ("CGJ.toml", "括号", "样例")),
    ("departments/KGJ.toml", r'codes = "standard"', 'codes = "set:Z"', "部门配置", ("KGJ.toml", "codes")),
    ("departments/KGJ.toml", r'uscc = "\w+"', 'uscc = "11610124YY90000164"', "配置", ("uscc", "相同")),
    ("platforms/publicity.toml", r"due_workdays = 20", "due_workdays = [{days=5},{days=6}]", "配置", ("due_workdays", "同一天")),
    ("platforms/publicity.toml", r"due_workdays = 20", 'due_workdays = [{from="明年",days=5}]', "配置", ("publicity.toml", "from", "日期")),
    ("platforms/publicity.toml", r"due_workdays = 20", 'due_workdays = "二十"', "配置", ("publicity.toml", "due_workdays", "请")),
    ("platforms/double_random.toml", r"batch_records = 200", "batch_records = 0", "配置", ("batch_records", "太小")),
    ("platforms/credit.toml", r'sign = ".*?"', 'sign = "HMAC-MD5"', "配置", ("credit.toml", "sign", "取值")),
    ("county.toml", r'entry_platform = "\w+"', 'entry_platform = "credit"', "配置", ("entry_platform", "请改成")),
    ("publicity_periods.csv", r"检查结果,,,,,不限", "检查结果,,,,,永远", "公示期限表", ("第 2 行", "永远", "3月")),
    ("publicity_periods.csv", r"检查结果,,,,,不限", "检查结果,,2026-01-01,,,3年", "公示期限表", ("检查结果", "每一天", "留空")),
    ("workdays.csv", r"2024-01-01,休", "2024-01-01,班", "工作日表", ("第 2 行", "休", "请改正")),
    ("codes/检查结果处理.csv", r"NO_ISSUE,01", "NO_ISSUE,07", "处理结果对照", ("第 2 行", "01–06", "请改正")),
    ("codes/regions.csv", r"\n610124,", "\n61012,", "代码表", ("61012", "6 位", "请改正")),
    ("codes/departments/CGJ.csv", r"result,合格,NO_ISSUE", "result,合格,NO_ISSU", "代码表", ("CGJ.csv", "第 2 行", "NO_ISSU")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pattern", "new", "what", "words"), BROKEN, ids=[f"{b[0]}-{n}" for n, b in enumerate(BROKEN)]
)
def test_what_cannot_be_right_in_a_file_is_named_with_its_key_and_remedy(town, name, pattern, new, what, words):
    path = town.config / name
    with _edited(path, pattern, new):
        code, named = _named(town)
    assert code == 2
    assert what in named
    assert [word for word in (path.name, *words) if word not in named[what]] == []


def test_a_night_does_not_begin_with_a_table_that_cannot_be_right(town):
    path = town.config / "publicity_periods.csv"
    before = {p: len(town.mocks.wire(p)) for p in (*harness.PLATFORMS, "credit")}
    with _edited(path, "检查结果,,,,,不限", "检查结果,,,,,永远"):
        done = town.zz("sync", "--day", town.county.days[0].isoformat())
    assert done.returncode == 2
    assert path.name in done.stderr
    assert "第2行" in "".join(done.stderr.split())  # the terminal breaks lines where it likes
    assert {p: len(town.mocks.wire(p)) for p in (*harness.PLATFORMS, "credit")} == before


# ---------------------------------------------------------------- sources


def test_a_missing_inbox_folder_is_named_with_what_to_do(town):
    folder = town.home / "inbox" / "GAJ"
    with troubles.gone(folder):
        assert (
            _only(
                _named(town),
                f"{CSV} 来源",
                folder,
                "不存在",
                "请建立该文件夹",
                town.config / "departments" / "GAJ.toml",
            )
            == []
        )


def test_a_source_database_that_is_gone_is_named_with_the_file_that_declares_it(town):
    with troubles.gone(town.home / "sources" / "hbj.db"):
        assert (
            _only(_named(town), f"{HBJ} 来源", "连接不上", town.config / "departments" / "HBJ.toml", "ZZ_SOURCE_HBJ")
            == []
        )


def test_a_source_whose_columns_no_longer_fit_is_named_with_the_column(town):
    path = town.config / "departments" / "HBJ.toml"
    with _edited(path, r'changed_at = "GXRQ"', 'changed_at = "GXSJ2"'):
        assert _only(_named(town), f"{HBJ} 来源", "GXSJ2", "请管理员核对", path) == []


def test_an_interface_that_does_not_answer_is_named(town):
    found = _named(town, ZZ_SOURCE_SFJ=troubles.closed_port())
    assert _only(found, "县司法局 来源", "连接不上", "请核对对方服务", "ZZ_SOURCE_SFJ") == []


# ---------------------------------------------------------------- ledger


def test_a_ledger_that_cannot_be_reached_is_named_without_its_password(town):
    address = troubles.closed_port().removeprefix("http://")
    code, named = _named(town, ZZ_LEDGER_URL=f"postgresql+psycopg2://zz:mima@{address}/zz")
    assert _only((code, named), "业务数据库", address, "county.toml", "ledger_url", "ZZ_LEDGER_URL", "请检查") == []
    assert "mima" not in named["业务数据库"]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("sqlite:///{home}/manifest.json", "打不开"),
        ("sqlite:///{home}/manifest.json/ledger.db", "建不了"),
        ("just-a-name", "不是可用的数据库地址"),
        ("nosuch://zz@127.0.0.1/zz", "不是可用的数据库地址"),
    ],
)
def test_a_ledger_address_that_leads_nowhere_is_named_with_its_remedy(town, url, word):
    found = _named(town, ZZ_LEDGER_URL=url.format(home=town.home))
    assert _only(found, "业务数据库", word, "请", town.config / "county.toml", "ZZ_LEDGER_URL") == []


# ---------------------------------------------------------------- platforms


def test_swapped_addresses_are_named_with_what_answers_there(town):
    found = _named(town, ZZ_URL_DOUBLE_RANDOM=town.mocks.urls["publicity"])
    words = ("自称是 publicity", "一条也不发送", "请核对平台地址", town.config / "platforms" / "double_random.toml")
    assert _only(found, "省双随机平台 地址", *words, "ZZ_URL_DOUBLE_RANDOM") == []


def test_a_test_setup_pointed_at_production_rules_is_named_for_every_platform(town):
    with _edited(town.config / "county.toml", r'(?m)^environment = "test"', 'environment = "production"'):
        code, named = _named(town)
    assert code == 2
    assert "DAGSTER_HOME" in named.pop("Dagster 设置")
    assert len(named) == 4
    assert all("production" in text and "environment" in text for text in named.values())


def test_a_platform_that_does_not_answer_is_named_with_its_file(town):
    found = _named(town, ZZ_URL_PUBLICITY=troubles.closed_port())
    assert _only(found, "信用公示系统 地址", "没有应答", "稍后再试", town.config / "platforms" / "publicity.toml") == []
