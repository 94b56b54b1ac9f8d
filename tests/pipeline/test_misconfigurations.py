"""Thirty misconfigurations, planted one at a time: `zz doctor` names each with its place and remedy, and nothing else.

Belongs here: one row a misconfiguration. Must not: how a check is made (test_doctor has the finer cases).
"""

import json
import re
import threading
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import create_engine, text

from tests.pipeline import harness, troubles


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with harness.town(tmp_path_factory.mktemp("sound"), seed=7, days=1, scale=0.1) as staged:
        staged.county.apply(staged.county.days[0])
        instance = staged.home.parent / "dagster"
        instance.mkdir()
        (instance / "dagster.yaml").write_text((harness.ROOT / "dagster.yaml").read_text("utf-8"), "utf-8")
        staged.env["DAGSTER_HOME"] = str(instance)
        yield staged


# ---------------------------------------------------------------- ways to plant


@contextmanager
def written(path, pattern, new):
    old = path.read_text("utf-8")
    changed, count = re.subn(pattern, new, old, count=1)
    assert count == 1, f"{path.name} holds no {pattern}"
    path.write_text(changed, "utf-8")
    try:
        yield {}
    finally:
        path.write_text(old, "utf-8")


def config(name, pattern, new):
    return lambda town: written(town.config / name, pattern, new)


def state(name, pattern, new):
    return lambda town: written(town.home / name, pattern, new)


def dagster(pattern, new):
    return lambda town: written(town.home.parent / "dagster" / "dagster.yaml", pattern, new)


def mode(bits, *parts, of="home"):
    @contextmanager
    def plant(town):
        path = getattr(town, of).joinpath(*parts)
        old = path.stat().st_mode
        path.chmod(bits)
        try:
            yield {}
        finally:
            path.chmod(old)

    return plant


def env(**values):
    @contextmanager
    def plant(town):
        yield {name: value(town) if callable(value) else value for name, value in values.items()}

    return plant


def away(*parts):
    @contextmanager
    def plant(town):
        with troubles.gone(town.home.joinpath(*parts)):
            yield {}

    return plant


@contextmanager
def no_credential(town):
    old = troubles.drop_credential(town, "publicity", "HBJ")
    try:
        yield {}
    finally:
        (town.home / "secrets.toml").write_text(old, "utf-8")


@contextmanager
def one_identity_twice(town):
    path = town.home / "secrets.toml"
    said = path.read_text("utf-8")
    other = re.search(r'\[double_random\.SCJG\]\napp_id = "([^"]+)"', said)[1]
    with written(path, r'(\[double_random\.HBJ\]\napp_id = ")[^"]+', rf"\g<1>{other}"):
        yield {}


@contextmanager
def swapped(town):
    urls = town.mocks.urls
    yield {"ZZ_URL_INTERNET_SUPERVISION": urls["publicity"], "ZZ_URL_PUBLICITY": urls["internet_supervision"]}


@contextmanager
def a_platform_ten_minutes_ahead(town):
    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"status": "UP", "platform": "publicity", "environment": "test"}).encode()
            self.send_response_only(200)
            self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {"ZZ_URL_PUBLICITY": f"http://127.0.0.1:{server.server_address[1]}"}
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def a_ledger_from_the_future(town):
    url = f"sqlite:///{town.home.parent / 'future.db'}"
    engine = create_engine(url)
    with engine.begin() as conn:
        conn.execute(text("create table alembic_version (version_num varchar(32) not null)"))
        conn.execute(text("insert into alembic_version values ('9999')"))
    engine.dispose()
    yield {"ZZ_LEDGER_URL": url}


# ---------------------------------------------------------------- the thirty


@dataclass(frozen=True)
class Case:
    name: str
    plant: Callable
    what: str  # the finding that names it
    words: tuple[str, ...]  # its place and its remedy
    besides: frozenset[str] = field(default_factory=frozenset)  # findings that cannot but follow


CASES = [
    Case("telemetry is on", dagster(r"telemetry: \{enabled: false\}", "telemetry: {enabled: true}"), "Dagster 设置", ("dagster.yaml", "telemetry", "请写")),
    Case("telemetry is not mentioned", dagster(r"telemetry: \{enabled: false\}\n", ""), "Dagster 设置", ("telemetry.enabled", "请写")),
    Case("two nights may run at once", dagster(r"limit: 1\}     #", "limit: 4}     #"), "Dagster 设置", ("tag_concurrency_limits", "zz/exclusive")),
    Case("Dagster repeats failed steps", dagster(r"retry_on_asset_or_op_failure: false", "retry_on_asset_or_op_failure: true"), "Dagster 设置", ("retry_on_asset_or_op_failure", "false")),
    Case("the launcher does not look after its runs", dagster(r"(?m)^run_launcher:.*$", ""), "Dagster 设置", ("run_launcher.class", "WatchedRunLauncher")),
    Case("Dagster keeps all logs", dagster(r"managed_python_loggers: \[\]", "managed_python_loggers: [root]"), "Dagster 设置", ("managed_python_loggers", "[]")),
    Case("DAGSTER_HOME is empty", env(DAGSTER_HOME=lambda town: str(town.home / "nowhere")), "Dagster 设置", ("缺少", "dagster.yaml", "请复制")),
    Case("a secret that others can read", mode(0o644, "secrets.toml"), "配置", ("secrets.toml", "chmod 600")),
    Case("a state folder that others can open", mode(0o755), "文件权限", ("chmod 700",)),
    Case("an address file that anybody can change", mode(0o666, "platforms", "publicity.toml", of="config"), "文件权限", ("publicity.toml", "chmod o-w")),
    Case("another time zone", config("county.toml", r'timezone = "Asia/Shanghai"', 'timezone = "UTC"'), "配置", ("county.toml", "timezone")),
    Case("swapped platform addresses", swapped, "市互联网+监管 地址", ("自称是 publicity", "请核对平台地址"), frozenset({"信用公示系统 地址"})),
    Case("a platform of production in a test", config("county.toml", r'environment = "test"', 'environment = "prod"'), "配置", ("environment", "county.toml")),
    Case("a working-day table that has expired", config("workdays.csv", rf"(?s){harness.LAST.year}-.*", ""), "工作日表", ("workdays.csv", "放假通知")),
    Case("a ledger that cannot be reached", env(ZZ_LEDGER_URL=lambda _: "postgresql+psycopg2://zz@" + troubles.closed_port().removeprefix("http://") + "/zz"), "业务数据库", ("ZZ_LEDGER_URL", "请检查")),
    Case("a ledger of a newer program", a_ledger_from_the_future, "业务数据库", ("请",)),
    Case("a clock that is off", a_platform_ten_minutes_ahead, "信用公示系统 地址", ("本机时钟", "NTP")),
    Case("no credential for a department with records", no_credential, "县生态环境局 凭证", ("[publicity.HBJ]", "请向平台运维单位领取")),
    Case("one identity for two departments", one_identity_twice, "凭证各归各部门", ("[double_random.HBJ]", "[double_random.SCJG]", "请向平台运维单位核对")),
    Case("a credential under a misspelt platform", state("secrets.toml", r"(?s)\Z", '\n[double_randon.HBJ]\napp_id = "x"\nsecret = "' + "0" * 32 + '"\n'), "没有写错的名字", ("[double_randon.HBJ]", "请改正")),
    Case("a misspelt environment variable", env(ZZ_URL_PUBLICTY="http://127.0.0.1:1"), "没有写错的名字", ("ZZ_URL_PUBLICTY", "请对照")),
    Case("a source that is gone", away("sources", "hbj.db"), "县生态环境局 来源", ("HBJ.toml", "ZZ_SOURCE_HBJ")),
    Case("an inbox folder that is gone", away("inbox", "GAJ"), "县公安局 来源", ("请建立该文件夹",)),
    Case("two departments that read one database", config("departments/KGJ.toml", r"(?ms)^owner_column = [^\n]*\n(.*?)^\[source\]\n(?:(?!^\[).)*", r'\1[source]\nkind = "csv"\nfolder = "${inbox}/GAJ"\npattern = "治安检查*.csv"\n\n'), "部门来源不重复", ("[source]", "GAJ.toml", "请改正")),
    Case("a list that lacks a department", state("lists/items.csv", r"(?ms)\A(item_code[^\n]*\n).*", r"\1"), "名录", ("items.csv", "县市场监管局", "请从名录库重新导出")),
    Case("a list that is missing", away("lists", "inspectors.csv"), "名录", ("inspectors.csv", "请从名录库导出")),
    Case("a county code that is no region", config("county.toml", r'code = "610124"', 'code = "610199"'), "本县区划", ("610199", "请改正")),
    Case("a disk that is nearly full", config("county.toml", r"free_disk_mib = \d+", "free_disk_mib = 1000000000"), "磁盘", ("free_disk_mib", "请清理或扩容")),
    Case("an unknown credit lead", config("county.toml", r'credit_lead = "KGJ"', 'credit_lead = "XYZ"'), "配置", ("credit_lead", "请改成")),
    Case("a heading of an unknown field", config("departments/HBJ.toml", r"columns\.subject_name", "columns.subject_nam"), "部门配置", ("HBJ.toml", "subject_nam", "拼写")),
    Case("a code map that contradicts the standard", config("codes/departments/CGJ.csv", r"result,合格,NO_ISSUE", "result,合格,NO_ISSU"), "代码表", ("CGJ.csv", "第 2 行"), frozenset({"部门配置"})),
    Case("an audit that is kept too short", config("county.toml", r"audit_keep_days = \d+", "audit_keep_days = 30"), "配置", ("audit_keep_days",)),
]  # fmt: skip


def looked(town, more):
    staged = harness.Town(town.county, town.mocks, town.sources, town.config, town.env | more)
    code, said = troubles.zz(staged, "doctor", "--json")
    return code, {f["what"]: f["text"] for f in json.loads(said)["findings"] if not f["ok"]}


def test_there_are_at_least_thirty():
    assert len({case.name for case in CASES}) == len(CASES) >= 30


def test_a_sound_setup_has_nothing_named(town):
    assert looked(town, {}) == (0, {})


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "_") for case in CASES])
def test_it_is_named_with_its_place_and_remedy_and_nothing_else_is(town, case):
    with ExitStack() as stack:
        more = stack.enter_context(case.plant(town))
        code, named = looked(town, more)
    assert code == 2
    assert case.what in named, named
    assert [word for word in case.words if word not in named[case.what]] == []
    assert set(named) - case.besides == {case.what}
