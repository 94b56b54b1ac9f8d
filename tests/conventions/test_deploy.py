"""The files of docs/deploy do what the manual promises of them: units, Dagster's settings, nginx, backup and restore.

Belongs here: what can be seen without installing anything. Must not: starting a service of this machine.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from sqlalchemy import create_engine, make_url, text

from tests.pipeline.postgres import MISSING, installed, server
from zz_pipeline import host_check
from zz_pipeline.cli import app
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("zz-*.*"))
UNITS = [path for path in UNITS if path.is_file()]
SERVICES = [path for path in UNITS if path.suffix == ".service"]
TIMERS = [path for path in UNITS if path.suffix == ".timer"]
DROP_IN = DEPLOY / "systemd" / "zz-.service.d" / "10-hardening.conf"
WANTED = {
    "User": "zz", "UMask": "0077", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes",
    "PrivateTmp": "yes", "CapabilityBoundingSet": "",
}  # fmt: skip
ALWAYS_ON = {f"zz-dagster-{name}" for name in ("code", "daemon", "webserver-operators", "webserver-readonly")}
MOST_EXPOSED = 2.5  # of systemd's ten; its own word up to there is OK


@pytest.fixture(scope="module")
def programs() -> dict[str, Any]:
    """Every program a unit may start; Dagster's are imported here and not by each worker that only collects."""
    from dagster._cli import cli as dagster_cli
    from dagster._daemon.cli import cli as daemon_cli
    from dagster_webserver.cli import dagster_webserver

    theirs = {"dagster": dagster_cli, "dagster-daemon": daemon_cli, "dagster-webserver": dagster_webserver}
    return theirs | {"zz": typer.main.get_command(app)}


def said(path: Path) -> dict[str, list[str]]:
    """Setting → values of a unit file."""
    found: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def command(path: Path) -> list[str]:
    (line,) = said(path)["ExecStart"]
    return shlex.split(line)


def environment() -> dict[str, str]:
    lines = [line for line in (DEPLOY / "zz.env").read_text("utf-8").splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


# ── units ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_units_are_the_services_and_timers_that_a_host_needs():
    names = {path.stem for path in SERVICES}
    assert names == {*ALWAYS_ON, "zz-backup", "zz-alerts"}
    assert {path.stem for path in TIMERS} == {"zz-backup", "zz-alerts"}
    restarted = {p.stem for p in SERVICES if said(p).get("Restart") == ["always"]}
    assert restarted == ALWAYS_ON


@pytest.mark.parametrize("path", SERVICES, ids=lambda p: p.stem)
def test_what_a_unit_starts_is_a_program_of_ours_with_options_that_it_has(path, programs):
    program, *args = command(path)
    assert program.startswith("/opt/zz-pipeline/")
    if program.startswith("/opt/zz-pipeline/docs/"):
        there = ROOT / Path(program).relative_to("/opt/zz-pipeline")
        assert os.access(there, os.X_OK)
        assert args == []
        return
    asked = programs[Path(program).name]
    while hasattr(asked, "commands") and args and not args[0].startswith("-"):
        asked = asked.commands[args.pop(0)]
    known = {name for p in asked.params for name in (*p.opts, *p.secondary_opts)}
    assert {a for a in args if a.startswith("-")} <= known


def test_every_service_runs_as_zz_hardened_and_writes_only_below_its_own_folders():
    common = {name: values[-1] for name, values in said(DROP_IN).items()}
    assert {name: common.get(name) for name in WANTED} == WANTED
    for path in SERVICES:
        own = said(path)
        assert not own.keys() & WANTED.keys()
        written = " ".join(own["ReadWritePaths"]).split()
        assert written
        assert all(place.startswith(("/var/lib/zz", "/var/backups/zz")) for place in written)


def test_only_what_reads_records_may_see_them():
    blind = {p.stem for p in SERVICES if said(p).get("InaccessiblePaths") == ["/var/lib/zz/home /var/lib/zz/config"]}
    assert blind == ALWAYS_ON - {"zz-dagster-code"}
    assert "--socket" in command(DEPLOY / "systemd" / "zz-dagster-code.service")


def test_the_two_web_pages_listen_on_loopback_and_the_viewers_one_is_read_only():
    pages = {
        name: command(DEPLOY / "systemd" / f"zz-dagster-webserver-{name}.service") for name in ("operators", "readonly")
    }
    for words in pages.values():
        assert words[words.index("--host") + 1] == "127.0.0.1"
    assert ("--read-only" in pages["readonly"], "--read-only" in pages["operators"]) == (True, False)
    assert [pages[name][pages[name].index("--port") + 1] for name in ("operators", "readonly")] == ["3000", "3001"]


def test_timers_keep_the_countys_clock_and_make_up_for_a_machine_that_was_off():
    for path in TIMERS:
        own = said(path)
        assert own["Persistent"] == ["true"]
        assert all(when.endswith(" Asia/Shanghai") for when in own["OnCalendar"])
    done_by = load_settings(ROOT / "config", ROOT / "var" / "none", {}).county.alerts.done_by
    first = said(DEPLOY / "systemd" / "zz-alerts.timer")["OnCalendar"][0]
    assert first == f"*-*-* {done_by[:3]}{int(done_by[3:]) + 1}:00 Asia/Shanghai"


@pytest.fixture(scope="module")
def installed_units(tmp_path_factory):
    """The units as on a host, with this machine's programs for those of /opt."""
    folder = tmp_path_factory.mktemp("units")
    shutil.copytree(DEPLOY / "systemd", folder, dirs_exist_ok=True)
    programs = str(Path(sys.executable).parent)
    for path in folder.rglob("*.service"):
        changed = path.read_text("utf-8").replace("/opt/zz-pipeline/.venv/bin", programs)
        path.write_text(changed.replace("/opt/zz-pipeline", str(ROOT)), "utf-8")
    return folder


def _analyze(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_LOG_LEVEL": "warning"}
    return subprocess.run(["systemd-analyze", *args], env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="没有 systemd-analyze")
def test_systemd_accepts_every_unit_without_a_word(installed_units):
    found = _analyze("verify", *(str(installed_units / p.name) for p in UNITS), folder=installed_units)
    about_ours = [line for line in (found.stdout + found.stderr).splitlines() if "zz-" in line]
    assert about_ours == []
    assert found.returncode == 0
    wrong = installed_units / "zz-wrong.service"
    wrong.write_text("[Service]\nExecStart=/opt/nothing\nReStart=always\n", "utf-8")
    assert "zz-wrong" in _analyze("verify", str(wrong), folder=installed_units).stderr
    wrong.unlink()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="没有 systemd-analyze")
def test_no_service_is_more_exposed_than_systemd_calls_ok(installed_units):
    flags = ("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED * 10:.0f}")
    for path in SERVICES:
        found = _analyze(*flags, str(installed_units / path.name), folder=installed_units)
        assert found.returncode == 0, (path.stem, found.stdout[-300:], found.stderr)


# ── Dagster ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def dagster_home(tmp_path, monkeypatch):
    """The production settings where DAGSTER_HOME is, with folders of this test for those of the host."""
    text_ = (DEPLOY / "dagster" / "dagster.yaml").read_text("utf-8").replace("/var/lib/zz/dagster", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(text_, "utf-8")
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def test_dagster_itself_and_the_doctor_accept_the_production_settings(dagster_home):
    from dagster._core.instance.config import dagster_instance_config

    config, _ = dagster_instance_config(str(dagster_home))
    assert config["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"
    settings = load_settings(ROOT / "config", dagster_home, {"DAGSTER_HOME": str(dagster_home)})
    assert host_check.check_dagster(settings) == "正常"


def test_production_differs_from_the_first_look_only_where_it_should():
    first, production = (
        yaml.safe_load(p.read_text("utf-8")) for p in (ROOT / "dagster.yaml", DEPLOY / "dagster" / "dagster.yaml")
    )
    more = {"storage", "local_artifact_storage", "compute_logs", "backfills"}
    assert production.keys() - first.keys() == more
    production["run_monitoring"].pop("max_resume_run_attempts")
    assert {k: v for k, v in production.items() if k not in more} == first


def test_the_workspace_and_the_code_service_meet_at_one_socket_and_one_name():
    (location,) = yaml.safe_load((DEPLOY / "dagster" / "workspace.yaml").read_text("utf-8"))["load_from"]
    words = command(DEPLOY / "systemd" / "zz-dagster-code.service")
    assert location["grpc_server"] == {
        "socket": words[words.index("--socket") + 1],
        "location_name": words[words.index("--location-name") + 1],
    }


def test_the_environment_file_holds_no_password_and_no_name_that_nothing_reads():
    found = environment()
    assert load_settings(ROOT / "config", ROOT / "var" / "none", {**found, "ZZ_CONFIG": ""}).strays == ()
    assert make_url(found["ZZ_LEDGER_URL"]).password is None
    assert not [name for name in found if re.search(r"PASSWORD|SECRET|TOKEN", name)]


# ── nginx ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def blocks(words: list[str]) -> list[tuple[list[str], list[Any] | None]]:
    """nginx's own grammar: statements that end with ; or hold a block."""
    found: list[tuple[list[str], list[Any] | None]] = []
    statement: list[str] = []
    while words:
        word = words.pop(0)
        if word == "}":
            break
        if word == "{":
            found.append((statement, blocks(words)))
            statement = []
        elif word == ";":
            found.append((statement, None))
            statement = []
        else:
            statement.append(word)
    assert statement == []
    return found


def nginx() -> list[tuple[list[str], list[Any] | None]]:
    plain = re.sub(r"(?m)^\s*#.*$", "", (DEPLOY / "nginx" / "zz-pipeline.conf").read_text("utf-8"))
    words = re.findall(r'"(?:[^"\\]|\\.)*"|[{};]|[^\s{};]+', plain)
    assert words.count("{") == words.count("}")
    return blocks(words)


def servers() -> dict[str, dict[str, list[list[str]]]]:
    """server_name → directive → arguments, the location's among them."""
    found = {}
    for statement, inside in nginx():
        if statement[0] == "server":
            own: dict[str, list[list[str]]] = {}
            rows = [row for row in inside or [] for row in (row, *(row[1] or []))]
            for words, _ in rows:
                own.setdefault(words[0], []).append(words[1:])
            found[f"{own['server_name'][0][0]} {own['listen'][0][0]}"] = own
    return found


@pytest.mark.skipif(not shutil.which("nginx"), reason="没有 nginx；结构由其余测试检查")
def test_nginx_itself_accepts_the_file_around_certificates_of_a_test(tmp_path):
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=zz"]
    subprocess.run(
        [*key, "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")], check=True, capture_output=True
    )
    (tmp_path / "htpasswd").write_text("")
    conf = (DEPLOY / "nginx" / "zz-pipeline.conf").read_text("utf-8")
    conf = re.sub(r"\S+\.crt;", f"{tmp_path}/crt;", conf).replace("/etc/zz-pipeline/tls/server.key", f"{tmp_path}/key")
    conf = re.sub(r"(?m)^.*ssl_crl.*$", "", conf).replace("/etc/zz-pipeline/viewers.htpasswd", f"{tmp_path}/htpasswd")
    conf = conf.replace("/var/log/nginx", str(tmp_path)).replace(" 443 ", " 18443 ").replace(" 80 ", " 18080 ")
    whole = f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{conf}\n}}\n"
    (tmp_path / "nginx.conf").write_text(whole, "utf-8")
    done = subprocess.run(
        ["nginx", "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_operators_come_with_a_certificate_and_viewers_only_to_the_read_only_page():
    upstreams = {s[1]: inside[0][0][1] for s, inside in nginx() if s[0] == "upstream" and inside}
    assert upstreams == {"zz_operators": "127.0.0.1:3000", "zz_readonly": "127.0.0.1:3001"}
    found = servers()
    operators, viewers = found["jianguan-caozuo.example.gov.cn 443"], found["jianguan.example.gov.cn 443"]
    assert operators["proxy_pass"] == [["http://zz_operators"]]
    assert operators["ssl_verify_client"] == [["on"]]
    assert operators["ssl_client_certificate"]
    assert viewers["proxy_pass"] == [["http://zz_readonly"]]
    assert viewers["auth_basic"] != [["off"]]
    assert viewers["auth_basic_user_file"]


def test_everybody_else_is_turned_away_and_nothing_is_served_in_clear():
    found = servers()
    assert found["_ 80"]["return"] == [["444"]]
    assert found["_ 443"]["ssl_reject_handshake"] == [["on"]]
    for name, own in found.items():
        if "proxy_pass" in own:
            assert own["listen"] == [["443", "ssl"]], name
            assert own["deny"] == [["all"]]
            assert own["allow"]
            assert "proxy_set_header" not in own  # one of its own would lose the inherited upgrade of the websocket
    common = [statement for statement, inside in nginx() if inside is None]
    assert ["proxy_set_header", "Upgrade", "$http_upgrade"] in common
    assert ["proxy_set_header", "Connection", "$zz_connection"] in common
    assert ["ssl_protocols", "TLSv1.2", "TLSv1.3"] in common


# ── backup and restore ──────────────────────────────────────────────────────────────────────────────────────────────────
def run(script: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    whole = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, **env}
    return subprocess.run([str(DEPLOY / "bin" / script), *args], env=whole, capture_output=True, text=True, check=False)


@pytest.fixture
def host(tmp_path):
    """A state folder with a file in the archive, a configuration, and where backups go."""
    home = tmp_path / "home"
    kept = home / "archive" / "SCJG" / "2026-11-20"
    kept.mkdir(parents=True)
    (kept / "0123-样例.csv").write_text("甲\n", "utf-8")
    (home / "work").mkdir()
    (home / "work" / "half").write_text("x")
    (home / "ledger.mark").write_text("{}")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "county.toml").write_text('code = "610124"\n')
    return {"ZZ_HOME": str(home), "ZZ_CONFIG": str(tmp_path / "config"), "BACKUP_DIR": str(tmp_path / "backups")}


def newest(host: dict[str, str]) -> Path:
    return max(Path(host["BACKUP_DIR"]).glob("20*"))


def test_a_backup_of_a_ledger_file_is_whole_private_and_leaves_out_what_a_night_makes_anew(host):
    Ledger(f"sqlite:///{host['ZZ_HOME']}/ledger.db").migrate()
    done = run("zz-backup", **host)
    assert done.returncode == 0, done.stderr
    made = newest(host)
    assert sorted(p.name for p in made.iterdir()) == ["SHA256SUMS", "config.tar.gz", "home.tar.gz", "ledger.db"]
    listed = subprocess.run(
        ["tar", "-tzf", str(made / "home.tar.gz")], capture_output=True, text=True, check=True
    ).stdout
    assert "./ledger.mark" in listed
    assert "work" not in listed
    assert "ledger.db" not in listed
    assert (Path(host["BACKUP_DIR"]) / "archive" / "SCJG" / "2026-11-20" / "0123-样例.csv").read_text("utf-8") == "甲\n"
    open_ones = [p for p in Path(host["BACKUP_DIR"]).rglob("*") if p.stat().st_mode & 0o077]
    assert open_ones == []


def test_a_backup_that_was_damaged_is_not_restored_and_the_ledger_stays(host):
    ledger = Path(host["ZZ_HOME"]) / "ledger.db"
    Ledger(f"sqlite:///{ledger}").migrate()
    assert run("zz-backup", **host).returncode == 0
    copy = newest(host) / "ledger.db"
    copy.write_bytes(copy.read_bytes()[:-1] + b"\xff")
    before = ledger.read_bytes()
    done = run("zz-restore", str(copy.parent), **host)
    assert done.returncode == 1
    assert "没有恢复" in done.stderr
    assert ledger.read_bytes() == before


def test_old_backups_go_and_what_was_kept_before_a_restore_stays(host):
    Ledger(f"sqlite:///{host['ZZ_HOME']}/ledger.db").migrate()
    folder = Path(host["BACKUP_DIR"])
    for name in ("20260101-003000", "before-restore-20260101-100000"):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    assert run("zz-backup", **host).returncode == 0
    names = {p.name for p in folder.iterdir()}
    assert "20260101-003000" not in names
    assert "before-restore-20260101-100000" in names


@pytest.mark.postgres
@pytest.mark.skipif(installed() is None, reason=MISSING)
def test_the_production_settings_run_on_postgresql_and_both_databases_come_back_from_a_backup(
    host, dagster_home, monkeypatch
):
    import dagster as dg

    programs = installed()
    assert programs is not None
    with server(programs) as pg:
        names = {key: make_url(pg.database()) for key in ("ledger", "dagster")}
        monkeypatch.setenv("DAGSTER_PG_PORT", str(pg.port))
        monkeypatch.setenv("DAGSTER_PG_DB", str(names["dagster"].database))
        with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
            instance.create_run_for_job(dg.job(name="trial")(lambda: None))
        url = names["ledger"].render_as_string()
        Ledger(url).migrate()
        engine = create_engine(url)
        with engine.begin() as conn:
            conn.execute(text("insert into switch (name, value, at) values ('trial', 'before', 0)"))
        whole = host | {"ZZ_LEDGER_URL": url, "DAGSTER_PG_USERNAME": "zz", "DAGSTER_PG_HOST": "127.0.0.1"}
        whole |= {"DAGSTER_PG_PORT": str(pg.port), "DAGSTER_PG_DB": str(names["dagster"].database)}
        made = run("zz-backup", **whole)
        assert made.returncode == 0, made.stderr
        with engine.begin() as conn:
            conn.execute(text("update switch set value = 'after'"))
        engine.dispose()
        back = run("zz-restore", str(newest(host)), **whole)
        assert back.returncode == 0, back.stderr
        with engine.begin() as conn:
            assert conn.execute(text("select value from switch where name = 'trial'")).scalar() == "before"
        engine.dispose()
        assert (newest(host) / "dagster.dump").stat().st_size > 1000
        assert list(Path(host["BACKUP_DIR"]).glob("before-restore-*/ledger.dump"))


def test_a_restored_ledger_file_is_the_one_of_the_backup(host):
    path = Path(host["ZZ_HOME"]) / "ledger.db"
    Ledger(f"sqlite:///{path}").migrate()
    assert run("zz-backup", **host).returncode == 0
    with sqlite3.connect(path) as conn:
        conn.execute("create table later (n)")
    assert run("zz-restore", str(newest(host)), **host).returncode == 0
    with sqlite3.connect(path) as conn:
        tables = {name for (name,) in conn.execute("select name from sqlite_master")}
    assert "later" not in tables
    assert "audit_event" in tables
