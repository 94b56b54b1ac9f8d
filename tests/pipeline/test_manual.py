"""The operators' manual is true: its commands run in order on a sample county, its words exist, and nothing is left out of it.

Belongs here: reading docs/运维手册.md and doing what it says. Must not: a second manual; what a command prints is other tests'.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.pipeline import harness, troubles
from tests.pipeline import test_new_department as new
from zz_pipeline.alerts.config import AlertSpec
from zz_pipeline.alerts.trouble import LABELS
from zz_pipeline.cli import app
from zz_pipeline.credentials import read_credentials
from zz_pipeline.definitions import build
from zz_pipeline.reports import words
from zz_pipeline.settings import PlatformSpec, load_settings

MANUAL = harness.ROOT / "docs" / "运维手册.md"
TEXT = MANUAL.read_text("utf-8")
DEPLOY = harness.ROOT / "docs" / "deploy"
ONE, TWO, THREE = harness.PLATFORMS
FIRST, CONFLICT, LATER = (f"610124-XXJ-X-000{n}" for n in (1, 2, 4))


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else its fence says, its lines."""

    language: str
    more: str
    body: str

    @property
    def commands(self) -> list[str]:
        plain = (re.sub(r"\s+#.*$", "", line).strip() for line in self.body.splitlines())
        return [line for line in plain if line and not line.startswith("#")]


def _blocks() -> list[Block]:
    found = re.findall(r"(?ms)^```(\w+)([^\n]*)\n(.*?)^```$", TEXT)
    return [Block(language, more.strip(), body) for language, more, body in found]


BLOCKS = _blocks()
COMMANDS = [line for block in BLOCKS if block.language == "sh" for line in block.commands]
SHOWN = [line for block in BLOCKS if block.language == "console" for line in block.commands]


# ── what the manual names exists, and what exists is named ──────────────────────────────────────────────────────────────
def _tree() -> dict[tuple[str, ...], Any]:
    """The words of each command → the command."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*path, name))
        if not hasattr(command, "commands"):
            found[path] = command

    walk(typer.main.get_command(app), ())
    return found


TREE = _tree()


def _mentions() -> list[list[str]]:
    """Every `zz …` in code, as words after `zz`."""
    prose = re.sub(r"(?ms)^```.*?^```$", "", TEXT)
    spans = [*COMMANDS, *SHOWN, *re.findall(r"`([^`\n]+)`", prose)]
    return [shlex.split(span)[1:] for span in spans if span.startswith("zz ")]


def _command(said: list[str]) -> tuple[str, ...]:
    """The longest path of a command that these words begin with."""
    paths = [path for path in TREE if said[: len(path)] == list(path)]
    return max(paths, key=len, default=())


def test_every_command_and_option_that_the_manual_mentions_exists():
    wrong = []
    for said in _mentions():
        path = _command(said)
        known = {name for p in TREE[path].params for name in p.opts} if path else set()
        if not path or [w for w in said if w.startswith("--") and w not in known]:
            wrong.append(" ".join(said))
    assert wrong == []
    assert len(_mentions()) > 60


def test_every_command_is_in_the_manual():
    told = {_command(said) for said in _mentions()}
    assert TREE.keys() - told == set()


def test_every_kind_of_alert_has_its_row_with_what_to_do():
    rows = _rows("### 5.1")
    assert [label for label in LABELS.values() if len(rows.get(label, "")) < 8] == []
    assert rows.keys() == set(LABELS.values())


def test_every_check_in_the_web_ui_has_its_row_with_what_to_do():
    declared = {s.name for a in build(load_settings(env={})).assets for s in a.check_specs}
    assert {name.strip("`") for name in _rows("### 5.2")} == declared


def test_every_state_of_a_record_is_explained():
    named = {name for cell in _rows("### 5.3") for name in cell.split("、")}
    assert named == set(words.STATES.values())


def test_units_files_and_make_targets_that_the_manual_names_are_there():
    units = set(re.findall(r"\bzz-[a-z-]+\.(?:service|timer)", TEXT))
    there = {path.name for path in (DEPLOY / "systemd").iterdir() if path.is_file()}
    assert units == there - {"zz-backup.service", "zz-alerts.service"}  # their timers start these two
    files = {name.rstrip("/.") for name in re.findall(r"\bdocs/[\w./-]+", TEXT)}
    assert [name for name in files if not (harness.ROOT / name).exists()] == []
    targets = set(
        re.findall(
            r"(?m)(?:^|&& |\s)make ([a-z-]+)(?:$| *#)",
            "\n".join(line for b in BLOCKS for line in b.body.splitlines() if "apt-get" not in line),
        )
    )
    makefile = (harness.ROOT / "Makefile").read_text("utf-8")
    assert [name for name in targets if not re.search(rf"(?m)^{name}:", makefile)] == []
    tests = set(re.findall(r"tests/[\w/]+\.py", TEXT + (DEPLOY / "README.md").read_text("utf-8")))
    assert [name for name in tests if not (harness.ROOT / name).is_file()] == []


def test_the_settings_that_the_manual_shows_are_settings():
    shown = {
        b.more.removeprefix("示例 "): tomllib.loads(b.body) for b in BLOCKS if b.language == "toml" and "示例" in b.more
    }
    assert shown["platforms/double_random.toml"].keys() <= PlatformSpec.model_fields.keys()
    assert "done_by" in AlertSpec.model_fields
    named = re.findall(r"`([a-z_]+) = ", re.sub(r"(?ms)^```.*?^```$", "", TEXT))
    fields = load_settings(env={}).county.model_fields.keys() | {"kind"}
    assert set(named) - fields == set()


def test_a_secret_changes_at_the_moment_that_the_manual_shows(tmp_path):
    (block,) = [b for b in BLOCKS if b.more == "示例 secrets.toml"]
    path = tmp_path / "secrets.toml"
    text = '[double_random.XXJ]\napp_id = "a"\nsecret = "%s"\n' % ("0" * 32) + _filled(
        block.body, {"<新密钥，不少于 32 个字符>": "1" * 32}
    )
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    found = read_credentials(path, {}, "Asia/Shanghai", lambda p: tomllib.loads(p.read_text("utf-8")))
    assert (found["double_random.XXJ"].secret_at(1.7e9), found["double_random.XXJ"].secret_at(2e9)) == (
        "0" * 32,
        "1" * 32,
    )


def _rows(heading: str) -> dict[str, str]:
    """First cell → the rest, of the first table below a heading."""
    part = TEXT.split(heading, 1)[1].split("\n#", 1)[0]
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return {cells[0].strip(): "|".join(cells[1:]).strip() for cells in lines[2:]}


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


# ── the manual, done ────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Done:
    """A command of the manual as it went."""

    command: str
    code: int
    said: str


@dataclass
class Operator:
    """Somebody who does what the manual says, in its order."""

    town: harness.Town
    folder: Path
    done: list[Done] = field(default_factory=list)

    @property
    def day(self) -> str:
        return self.town.county.days[-1].isoformat()

    def values(self) -> dict[str, Callable[[], str]]:
        """Placeholder → what stands for it at that moment."""
        return {
            "<配置目录>": lambda: str(self.folder / "example"),
            "<业务日>": lambda: self.day,
            "<记录键>": lambda: FIRST,
            "<冲突的记录键>": lambda: CONFLICT,
            "<备份后撤回的记录键>": lambda: LATER,
            "<条目号>": self._entry,
            "<部门> <字段> <原值>": self._unknown,
            "<通报目录>": lambda: str(self.folder / "bulletins"),
            "<备份目录>": lambda: str(min((self.folder / "backups").glob("20*"))),
            "<导出文件>": lambda: str(self.folder / "audit.jsonl"),
        }

    def _entry(self) -> str:
        listed = self.town.zz("quarantine", "list", "--dept", new.KEY, "--json").stdout
        return str(json.loads(listed)["entries"][0]["id"])

    def _unknown(self) -> str:
        (first, *_) = [
            v for v in json.loads(self.town.zz("codes", "unknown", "--json").stdout)["unknown"] if v["dept"] != new.KEY
        ]
        return f"{first['dept']} {first['field']} {first['raw']}"

    def do(self, line: str) -> None:
        """One line of a block."""
        for name, value in self.values().items():
            if name in line:
                line = line.replace(name, value())
        assert "<" not in line, line
        before(self, line)
        ran = self.town.zz(*shlex.split(line)[1:]) if line.startswith("zz ") else self._shell(line)
        self.done.append(Done(line, ran.returncode, ran.stdout + ran.stderr))

    def _shell(self, line: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | self.town.env | {"BACKUP_DIR": str(self.folder / "backups"), "PYTHON": sys.executable}
        return subprocess.run(
            ["bash", "-c", line], env=env, cwd=harness.ROOT, capture_output=True, text=True, check=False
        )

    def write(self, block: Block) -> None:
        """A file that the manual shows."""
        if block.more == "secrets.toml":
            path = self.town.home / block.more
            given = {e["platform"]: e for e in self.handed_out}
            for mark, platform in zip("①②③", harness.PLATFORMS, strict=True):
                values = {f"<{mark}应用号>": given[platform]["app_id"], f"<{mark}密钥>": given[platform]["secret"]}
                block = Block(block.language, block.more, _filled(block.body, values))
            path.write_text(path.read_text("utf-8") + "\n" + block.body, "utf-8")
        else:
            (self.town.config / block.more).write_text(block.body, "utf-8")

    @property
    def handed_out(self) -> list[dict[str, str]]:
        """What the platforms' operators gave the new department."""
        everybody: list[dict[str, str]] = json.loads((self.town.home / "credentials.json").read_text("utf-8"))
        return [e for e in everybody if e["department"] == new.KEY]


def before(who: Operator, line: str) -> None:
    """What has happened in the world by the time of a command."""
    mocks = who.town.mocks
    if "--dry-run" in line and not any(d.command.startswith("zz sync") for d in who.done):
        shutil.rmtree(who.town.home / "inbox" / new.KEY)
        new._workbook(who.town.county, who.town.county.days[-1])  # the department hands in its workbook
    elif line.startswith("zz codes ignore"):
        mocks.control("POST", "/suspend", {"platform": ONE, "department": new.KEY, "on": True})
    elif line.startswith("zz release"):
        who.done.append(Done("(alerts before release)", 0, who.town.zz("alerts").stdout))
        mocks.control("POST", "/suspend", {"platform": ONE, "department": new.KEY, "on": False})
    elif line.startswith("zz stop") and "恢复台账" in line:
        order = ("--reason", "REVOKED", "--basis", "样例文书", "--by", "张某", "--approved-by", "李某", "--send")
        assert who.town.zz("withdraw", LATER, *order).returncode == 0  # after the backup, before the restore
    elif line == f"zz reconcile --day {who.day} --all":
        (ours,) = [e for e in mocks.ledger(THREE) if e["key"] == CONFLICT]
        typed = {**ours["record"], "entName": ours["record"].get("entName", "") + "（手工）"}
        order = {"platform": THREE, "kind": "inspection", "department": new.KEY, "record": typed}
        mocks.control("POST", "/foreign", order)


@pytest.fixture(scope="module")
def operator(tmp_path_factory) -> Iterator[Operator]:
    """The whole manual, done once."""
    folder = tmp_path_factory.mktemp("manual")

    def prepare(county, config):
        kept = (county.dir / "secrets.toml").read_text("utf-8")
        new._credentials(county)
        (county.dir / "secrets.toml").write_text(kept, "utf-8")  # the manual writes them
        new._lists(county, county.days[-1])

    with harness.town(folder, seed=7, scale=0.05, reporting=("SCJG", "KGJ", "JTJ"), prepare=prepare) as town:
        town.county.apply(town.county.days[-1])
        who = Operator(town, folder)
        for block in BLOCKS:
            if block.language == "sh":
                for line in block.commands:
                    who.do(line)
            elif block.more and not block.more.startswith("示例"):
                who.write(block)
        yield who


# Commands whose first answer is not "all is well": line → (exit code, what it says), as the manual tells.
SAID = {
    "zz sync --day {day}": (3, "通道已停用"),  # the second one: the platform refuses the department's credential
    "zz reconcile --day {day} --all": (3, "内容不同 1 条"),  # a clerk typed something in by hand
    "zz audit verify": (1, "台账回到了从前"),  # after the restore
    "zz reconcile --all --plan": (3, "内容不同 1 条"),  # a withdrawal that the restored ledger forgot
}


def of(operator: Operator, start: str) -> list[Done]:
    return [d for d in operator.done if d.command.startswith(start)]


def test_every_command_of_the_manual_runs(operator):
    wrong = {line.format(day=operator.day): said for line, said in SAID.items()}
    other = [d for d in operator.done if d.code != 0]
    assert [(d.command, d.code) for d in other] == [(line, code) for line, (code, _) in wrong.items()]
    assert all(wrong[d.command][1] in d.said for d in other)
    assert len([d for d in operator.done if not d.command.startswith("(")]) == len(COMMANDS)


def test_the_new_department_of_the_manual_comes_to_its_first_record_on_all_three_platforms(operator):
    assert of(operator, f"zz why {FIRST}")[0].said.count("第 1 版新增，已确认") == 3
    assert "✗" not in of(operator, "zz doctor")[1].said
    for platform in harness.PLATFORMS:
        held = [e for k, e in harness.held(operator.town.mocks, platform).items() if "-XXJ-" in k]
        assert {e["department"] for e in held} == {new.KEY}


def test_a_mapped_value_and_a_released_lane_bring_the_waiting_record_out(operator):
    assert "接收 1" in of(operator, "zz codes map")[0].said
    assert "通道停用" in of(operator, "(alerts before release)")[0].said
    assert LATER in {e["key"] for e in operator.town.mocks.ledger(ONE)}


def test_what_the_manual_says_of_a_restore_is_what_happens(operator):
    first, last = of(operator, "zz audit verify")
    assert (first.code, last.code) == (1, 0)
    assert (
        "等人裁定" in of(operator, f"zz why {LATER}")[0].said or "须由人裁定" in of(operator, f"zz why {LATER}")[0].said
    )
    assert harness.held(operator.town.mocks, THREE)[LATER]["state"] == "WITHDRAWN"
    assert troubles.doubled(operator.town) == {}


def test_the_files_that_the_manual_promises_are_there(operator):
    names = {p.suffix for p in (operator.folder / "bulletins").rglob("*") if p.is_file()}
    assert names >= {".html", ".xlsx", ".docx"}
    assert (operator.folder / "audit.jsonl").stat().st_size > 1000
    assert list((operator.folder / "backups").glob("before-restore-*/ledger.db"))
