"""Files that a department hands in: which belong to the partition, each read and archived, a refused one alone.

Belongs here: the inbox. Must not: the inside of a file (`workbook`, `csvfile`), deleting or moving what was handed in.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from zz_pipeline.errors import ConfigError, SourceDown, SourceRefused
from zz_pipeline.settings import Department, Settings
from zz_pipeline.sources.archive import keep_bytes
from zz_pipeline.sources.attempts import attempt
from zz_pipeline.sources.base import SourceFile, Window, join_tables
from zz_pipeline.sources.csvfile import read_csv
from zz_pipeline.sources.grid import Found
from zz_pipeline.sources.returned import is_returned
from zz_pipeline.sources.signs import shown
from zz_pipeline.sources.workbook import read_workbook
from zz_pipeline.standard.canonical import sm3_hex

BYTES = 256 * 1024 * 1024
# What spreadsheets and copy programs leave beside the real file while it is open or on its way.
UNFINISHED = re.compile(r"^(~\$|\.|~)|\.(tmp|part|crdownload|swp)$", re.I)
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})  # Explorer puts them into every shared folder
_READERS: dict[str, Callable[[Department, str, bytes], Found]] = {"workbook": read_workbook, "csv": read_csv}


@dataclass(slots=True)
class Inbox:
    """What the files of one reading gave."""

    tables: list[pa.Table] = field(default_factory=list)
    files: list[SourceFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def table(self) -> pa.Table:
        """Rows of all files, in the order of their days and names."""
        return join_tables(self.tables)

    @property
    def empty(self) -> bool:
        """Files were handed in and read, and not one holds a row."""
        return any(f.state == "READ" for f in self.files) and not any(f.rows for f in self.files)


def read_files(dept: Department, settings: Settings, window: Window, known: frozenset[str]) -> Inbox:
    """All files of the inbox whose day is not after the partition's and whose digest is not known."""
    inbox = Inbox()
    seen = set(known)
    for path in _handed_in(dept, settings, window.day, inbox):
        content = _content(path, inbox)
        if content is None:
            continue
        digest = sm3_hex(content)
        if digest not in seen and not is_returned(content):  # a 退回清单 that comes back is read apart
            seen.add(digest)
            _take(dept, settings, window, shown(path.name), content, inbox)
    _strangers(dept, settings, window, inbox)
    return inbox


def _content(path: Path, inbox: Inbox) -> bytes | None:
    """The bytes of a file; None if it is named as refused instead."""
    try:
        return whole_content(path)
    except SourceRefused as refusal:
        inbox.files.append(refused(shown(path.name), "", refusal))
        return None


def _strangers(dept: Department, settings: Settings, window: Window, inbox: Inbox) -> None:
    """What is no file, or whose name is not as agreed, is named and kept, never overlooked."""
    folder = folder_of(dept, settings)
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if UNFINISHED.search(path.name) or path.name.lower() in SYSTEM_FILES:
            continue
        if path.is_file() and path.match(dept.source.pattern):
            continue
        content = _content(path, inbox)
        if content is None or is_returned(content):
            continue
        refusal = SourceRefused(
            f"文件名不是约定的样子（{dept.source.pattern}），不能确定是什么表。请改成约定的名字后重新放入，不用的请移走。"
        )
        digest, kept = keep_bytes(settings.home, dept.key, window.day, shown(path.name), content)
        inbox.files.append(refused(shown(path.name), digest, refusal, kept))


def read_content(dept: Department, name: str, content: bytes) -> Found:
    """Rows of one file in the department's own layout; SourceRefused if it is none."""
    return _READERS[dept.source.kind](dept, name, content)


def _take(dept: Department, settings: Settings, window: Window, name: str, content: bytes, inbox: Inbox) -> None:
    digest, kept = keep_bytes(settings.home, dept.key, window.day, name, content)
    try:
        with attempt(settings.home, dept.key, digest):
            found = read_content(dept, name, content)
    except SourceRefused as refusal:
        inbox.files.append(refused(name, digest, refusal, kept))
        return
    inbox.tables.append(found.table)
    inbox.files.append(SourceFile(name, digest, found.table.num_rows, "READ", "", kept))
    inbox.warnings += found.warnings
    inbox.skipped += found.skipped


def refused(name: str, digest: str, refusal: SourceRefused, kept: str = "") -> SourceFile:
    """What is remembered of a file that was not read."""
    return SourceFile(name, digest, 0, "REFUSED", f"文件《{name}》没有读取：{refusal}", kept)


def _handed_in(dept: Department, settings: Settings, day: date, inbox: Inbox) -> list[Path]:
    folder = folder_of(dept, settings)
    if not folder.is_dir():
        inbox.warnings.append(f"{dept.name}的交表文件夹 {folder.name} 不存在，按当天没有交表处理。请管理员核对。")
    try:
        paths = sorted(p for p in folder.glob(dept.source.pattern) if not UNFINISHED.search(p.name) and p.is_file())
    except OSError as error:
        raise SourceDown(f"{dept.name}的交表文件夹打不开（{error.strerror}）。请检查文件夹和权限。") from error
    dated = [(_day(dept, path.name, inbox), path) for path in paths]
    return [
        path
        for when, path in sorted(dated, key=lambda pair: (pair[0] or date.min, pair[1].name))
        if (when or day) <= day
    ]


def folder_of(dept: Department, settings: Settings) -> Path:
    """Where the department puts its files; SourceDown if the share is not there."""
    declared = dept.source.folder.replace("${inbox}", str(settings.inbox))
    folder = Path(settings.expand(declared)) if declared else settings.inbox / dept.key
    if not folder.parent.is_dir():
        raise SourceDown(f"交表文件夹的上级目录 {folder.parent.name} 不存在。请核对共享盘是否挂上，稍后重跑。")
    return folder


def _day(dept: Department, name: str, inbox: Inbox) -> date | None:
    """The day in a file's name; None if the department's files carry none."""
    if not dept.source.day_pattern:
        return None
    try:
        match = re.search(dept.source.day_pattern, name)
    except re.error as error:
        raise ConfigError(f"departments/{dept.key}.toml 的 day_pattern 不是合格的正则表达式（{error}）。") from error
    try:
        digits = re.sub(r"\D", "", match[1] if match else "")
        return datetime.strptime(digits, "%Y%m%d").date()  # noqa: DTZ007 - the name of a file holds a day, no moment
    except ValueError:
        inbox.warnings.append(f"文件《{name}》的名字里读不出日期，按当天读取。请按约定的名字交表。")
        return None


def whole_content(path: Path) -> bytes:
    """The bytes of a file that nobody is writing just now."""
    try:
        before = path.lstat()
        if kind := _no_file(before.st_mode):
            raise SourceRefused(kind)
        if before.st_size > BYTES:
            raise SourceRefused("文件超过 256 MiB。请拆成几个文件后重交。")
        content = _bytes(path)
        after = path.lstat()
    except OSError as error:
        raise SourceRefused(f"文件打不开（{error.strerror}）。请检查权限，或等它上传完后重跑。") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(content) != after.st_size:
        raise SourceRefused("文件正在上传，还没有写完。等上传完后重跑，或明晚自动读取。")
    return content


def _bytes(path: Path) -> bytes:
    """Without following a link, and without waiting for a writer if a pipe has come in its place meanwhile."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read()


def _no_file(mode: int) -> str:
    """What is wrong with something in an inbox that is no plain file; "" if it is one."""
    if stat.S_ISLNK(mode):
        return "是指向别处的链接或快捷方式，里面是什么无法核实。请把文件本身放进来。"
    if stat.S_ISDIR(mode):
        return "是文件夹，里面的文件不会读取。请把文件直接放在交表文件夹里，不用的请移走。"
    return "" if stat.S_ISREG(mode) else "不是普通文件（是管道或设备）。请移走，换成文件本身。"
