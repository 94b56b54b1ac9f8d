"""Has the ledger gone back in time? A mark beside it in $ZZ_HOME remembers the newest audit event that a send hung on.

Belongs here: the mark, telling a restored ledger from the one that sent, which platforms must be compared first.
Must not: comparing, sending, restoring.

The mark grows before each send, after the intent was committed: a ledger that does not hold the marked event under the
marked hash is an earlier one (or another one), and nothing is pushed before the platform was asked for all it holds.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from zz_pipeline.delivery import points
from zz_pipeline.errors import LedgerError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import attempt, audit_event

NAME = "ledger.mark"
ALL = "*"  # all departments of a platform


def note(home: Path, n: int, h: str) -> None:
    """Move the mark to this event if it lies further on; LedgerError if it cannot be written: then nothing is sent."""
    with _locked(home) as mark:
        if mark.get("n", 0) < n:
            _write(home, {**mark, "n": n, "h": h})


def behind(conn: Connection, home: Path) -> str:
    """Why the ledger is not the one that sent last, in Chinese; empty if it is, or if nobody sent yet."""
    mark = _read(home)
    if not mark:
        sent = conn.scalar(select(attempt.c.seq).limit(1)) is not None
        return "台账里有发送记录，旁边的标记（ledger.mark）却不见了，台账可能是恢复来的" if sent else ""
    known = conn.scalar(select(audit_event.c.h).where(audit_event.c.n == mark["n"]))
    first = conn.scalar(select(audit_event.c.n).order_by(audit_event.c.n).limit(1))
    if known == mark["h"] or (first is not None and first > mark["n"]):  # lawfully deleted since
        return ""
    return f"标记记得第 {mark['n']} 个审计事件，台账里没有它或与之不符：台账回到了从前（恢复过备份），或审计尾部被删改"


def to_compare(ledger: Ledger, home: Path, platform: str, platforms: Sequence[str]) -> list[str]:
    """Departments (or `ALL`) whose holdings must be compared before the first push on a platform; empty: go on.

    The first call after a restore notes that all platforms are to be compared, and takes the ledger's end as its own.
    """
    with _locked(home) as mark, ledger.read() as conn:
        if behind(conn, home):
            last = audit.head(conn)
            mark = {"n": last.n if last else 0, "h": last.h if last else audit.GENESIS}
            mark["pending"] = {name: [ALL] for name in platforms}
            _write(home, mark)
        found: list[str] = mark.get("pending", {}).get(platform, [])
        return found


def compared(home: Path, platform: str, left: Sequence[str]) -> None:
    """Note that a platform was compared, but for the departments `left`."""
    with _locked(home) as mark:
        pending = {**mark.get("pending", {}), platform: sorted(left)}
        _write(home, {**mark, "pending": {name: rest for name, rest in pending.items() if rest}})


def _read(home: Path) -> dict[str, Any]:
    try:
        found = json.loads((home / NAME).read_text("ascii"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LedgerError(
            f"{NAME} 读不出来（{type(error).__name__}），已停止发送。删去它即可：下次会先与平台全部核对。"
        ) from None
    return dict(found)


def _write(home: Path, mark: dict[str, Any]) -> None:
    part = home / f"{NAME}.part"
    try:
        part.write_text(json.dumps(mark), "ascii")
        points.reach("mark:before_rename")
        os.replace(part, home / NAME)
        points.reach("mark:after_rename")
    except OSError as error:
        raise LedgerError(f"{home} 写不进去（{error.strerror}），已停止发送。请检查磁盘空间与权限。") from None


@contextmanager
def _locked(home: Path) -> Iterator[dict[str, Any]]:
    """The mark, while no other process or thread writes it."""
    locks = home / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        handle = (locks / "mark.lock").open("a", encoding="ascii")
    except OSError as error:
        raise LedgerError(f"{home} 写不进去（{error.strerror}），已停止发送。请检查磁盘空间与权限。") from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield _read(home)
