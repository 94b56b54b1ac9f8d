"""Readings of a file that ended with their process: a file that takes all memory is not opened a third time.

Belongs here: a mark beside the ledger while a file is read, which only a killed process leaves behind. Must not: the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zz_pipeline.errors import SourceRefused

TRIES = 2
FOLDER = "reading"


@contextmanager
def attempt(home: Path, dept: str, digest: str) -> Iterator[None]:
    """Read a file inside the block; SourceRefused if so many processes have died in it. A reading that ends forgets them."""
    folder, name = home / FOLDER, f"{dept}-{digest[:32]}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    died = [mark for mark in folder.glob(f"{name}-*") if _died(mark)]
    if len(died) >= TRIES:
        raise SourceRefused(
            f"前 {TRIES} 次读取它时程序都被系统中断（多半是内存不够），不再读取。请拆成几个小文件后重交；"
            f"确认与文件无关的，请技术人员删除状态目录 {FOLDER} 下 {name} 开头的标记后重跑。"
        )
    own = folder / f"{name}-{len(died)}-{os.getpid()}"
    own.touch(mode=0o600)
    try:
        yield
    finally:
        for mark in (own, *died):
            mark.unlink(missing_ok=True)


def _died(mark: Path) -> bool:
    """Whether the process that set a mark is gone; after a restart in a container it may have had our own number."""
    pid = int(mark.name.rpartition("-")[2])
    if pid == os.getpid():
        return True
    with suppress(PermissionError):  # it is somebody's, so it lives
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
    return False
