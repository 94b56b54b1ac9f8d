"""A night that the kernel ends for want of memory while it reads a huge file: the file is put aside, nothing else is lost.

Belongs here: fault 7. The killer is ours and acts as the kernel's does: SIGKILL to the process that grows past a limit.
Must not: kills at all points (test_kill_points), small hostile files (test_hostile_corpus).
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline import harness
from zz_pipeline.sources.attempts import FOLDER

REPORTING = ("KGJ", "GAJ")  # a CSV file a day each
HUGE = 40 * 1024 * 1024
MORE_MIB = 150  # than what the process needs to begin: the huge file alone is a quarter of it
ROOM = 4096 / 1024 / 1024
NIGHT = """
import sys
from datetime import date
from zz_pipeline.course import whole_night
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.night import Night
from zz_pipeline.settings import load_settings

settings = load_settings()
ledger = Ledger(settings.ledger_url)
ledger.migrate()
night = Night(settings, ledger, "killed")
night.load_all()
print("begun", flush=True)
sys.stdin.readline()
whole_night(night, date.fromisoformat(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A county in which a department has handed in a huge file beside its ordinary one."""
    folder = tmp_path_factory.mktemp("memory")
    with harness.town(folder, seed=23, days=1, scale=0.2, reporting=REPORTING) as town:
        (day,) = town.county.days
        town.county.apply(day)
        (ordinary,) = (town.home / "inbox" / "KGJ").glob("*.csv")
        heading, *rows = ordinary.read_bytes().splitlines(keepends=True)
        huge = ordinary.with_name(f"kgj_jcjg_{day:%Y%m%d}_huge.csv")
        with huge.open("wb") as file:
            file.write(heading)
            while file.tell() < HUGE:
                file.writelines(rows)
        town.huge = huge.name
        yield town


def killed_for_memory(town, day):
    """A night in a process of its own; True if it grew past its limit and was killed."""
    command = [sys.executable, "-c", NIGHT, day.isoformat()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=os.environ | town.env, cwd=harness.ROOT, **pipes) as process:
        assert process.stdout.readline() == b"begun\n", process.stderr.read()
        most = resident(process.pid) + MORE_MIB
        process.stdin.write(b"\n")
        process.stdin.flush()
        while process.poll() is None:
            if resident(process.pid) > most:
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.005)
        return process.returncode == -signal.SIGKILL


def resident(pid):
    """MiB that a process holds; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * ROOM
    except (FileNotFoundError, ProcessLookupError):
        return 0


def test_fault_07_after_two_kills_the_file_that_took_the_memory_is_put_aside_and_all_else_arrives_once(town):
    (day,) = town.county.days
    assert killed_for_memory(town, day)
    assert killed_for_memory(town, day)
    result = town.night(day)
    (aside,) = [text for step in result.steps for text in step.counts.get("被拒文件", ())]
    assert town.huge in aside
    assert "内存" in aside
    assert any(town.huge in text for text in result.balanced_or_fail().missing)
    assert result.balanced_or_fail().balanced
    assert harness.compare(town.mocks, town.manifest()["expected"][day.isoformat()]) == []
    for platform in harness.PLATFORMS:
        pushed = [line["body"] for line in town.mocks.wire(platform) if line["method"] == "POST" and line["keys"]]
        assert len(pushed) == len(set(pushed))
    again = town.night(day)
    assert any(town.huge in text for step in again.steps for text in step.counts.get("被拒文件", ()))
    assert [mark.name.split("-")[0] for mark in (town.home / FOLDER).iterdir()] == ["KGJ", "KGJ"]
