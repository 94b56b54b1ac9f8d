"""A disk that fails to sync: the process that met it writes and sends nothing more, the next one goes on.

Belongs here: fault 12, with a library of a few lines before the C library's fsync. Must not: full disks (test_process_faults).
"""

import shutil
import subprocess
from contextlib import closing

import pytest

from tests.delivery.bench import a_ledger
from tests.delivery.tiny_platform import TinyPlatform
from tests.pipeline.process_rig import plan, served, started
from tests.pipeline.test_process_faults import again, all_well, audited, due

DEPTS = ("SCJG", "YJJ")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
# Each sync of a file whose name ends with $SYNC_FILE is noted in $SYNC_LOG; the $SYNC_FAILS-th one fails, none after it.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int synced;

static int ours(int fd)
{
    char link[64], name[4096];
    const char *wanted = getenv("SYNC_FILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, name, sizeof name - 1);
    if (size < 0 || wanted == NULL) return 0;
    name[size] = 0;
    size_t tail = strlen(wanted);
    return (size_t)size >= tail && strcmp(name + size - tail, wanted) == 0;
}

static int met(const char *how, int fd)
{
    if (!ours(fd)) return ((int (*)(int))dlsym(RTLD_NEXT, how))(fd);
    int fails = __sync_add_and_fetch(&synced, 1) == atoi(getenv("SYNC_FAILS"));
    int log = open(getenv("SYNC_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log >= 0) {
        if (write(log, fails ? "failed\n" : "synced\n", 7) != 7) abort();
        close(log);
    }
    if (!fails) return ((int (*)(int))dlsym(RTLD_NEXT, how))(fd);
    errno = EIO;
    return -1;
}

int fsync(int fd) { return met("fsync", fd); }
int fdatasync(int fd) { return met("fdatasync", fd); }
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The library, compiled, in every process that is started."""
    if COMPILER is None:
        pytest.skip("没有 C 编译器，不能让 fsync 出错。")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    made = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(folder / "shim.so"), str(folder / "shim.c"), "-ldl"]
    subprocess.run(made, check=True, capture_output=True)
    with served(LD_PRELOAD=str(folder / "shim.so")):
        yield


def run(ledger, home, platform, fails):
    """Deliver in a process of its own whose n-th sync of the ledger fails; what it told, and what each sync came to."""
    log = home / f"syncs-{fails}"
    order = {"SYNC_FILE": "-wal", "SYNC_FAILS": str(fails), "SYNC_LOG": str(log)}
    with started(plan(ledger, home, platform.url, DEPTS) | {"env": order}) as process:
        told = process.result()
    return told, log.read_text().split() if log.exists() else []


@pytest.mark.usefixtures("shim")
def test_fault_12_after_a_sync_that_failed_the_run_writes_and_sends_no_more_and_the_next_one_loses_nothing(tmp_path):
    """Each sync of a delivery of two lanes in turn, from the first lane's epoch to the close."""
    struck = 0
    for fails in range(1, 100):
        home = tmp_path / str(fails)
        home.mkdir()
        with TinyPlatform() as platform, closing(a_ledger(home)) as ledger:
            keys = due(ledger, home, platform, DEPTS, count=2)
            ledger.close()
            told, syncs = run(ledger, home, platform, fails)
            if "failed" not in syncs:
                break
            after = syncs[syncs.index("failed") + 1 :]
            # SQLite's own closing puts what was synced before into the database file: that is no commit
            assert after in ([], ["synced"]), (fails, syncs)
            audited(ledger, platform)
            if told["error"] or told["trace"]:
                struck += 1
                assert "fsync" in told["error"], told
            else:  # the sync of the closing itself: everything was committed before
                assert after == []
            again(ledger, home, platform, DEPTS)
            all_well(ledger, platform, keys)
    assert struck >= 8
