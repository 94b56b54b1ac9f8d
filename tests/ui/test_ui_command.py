"""`make ui`: what a person at the terminal sees, and that nothing is left running when they leave."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipeline.harness import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="进程清单只能在 Linux 上逐一核对。")


def start(folder, port):
    command = [sys.executable, "-m", "mock_platforms", "ui", "--dir", str(folder), "--port", str(port)]
    command += ["--days", "1", "--scale", "0.05"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(root):
    """Ids of all living descendants of a process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}


def alive(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_port_that_is_taken_is_said_before_anything_is_started(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(tmp_path / "ui", taken.getsockname()[1])
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "已被占用" in said
    assert not (tmp_path / "ui").exists()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_address_comes_first_and_an_ended_ui_leaves_no_process(tmp_path, ending):
    port = free_port()
    process = start(tmp_path / "ui", port)
    first = process.stdout.readline()
    assert f"http://127.0.0.1:{port}" in first
    while "Ctrl-C" not in process.stdout.readline():
        pass
    until = time.monotonic() + 60
    while (
        len(started := family(process.pid)) < 3 and time.monotonic() < until
    ):  # two services of the county, and Dagster
        time.sleep(0.2)
    assert len(started) >= 3
    time.sleep(1.0)
    started |= family(process.pid)
    process.send_signal(ending)
    said, _ = process.communicate(timeout=90)
    assert "已全部停止" in said
    assert process.returncode == 0
    assert [pid for pid in started if alive(pid)] == []
