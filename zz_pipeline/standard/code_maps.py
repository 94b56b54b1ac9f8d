"""A department's confirmed map, one line more: checked before it is written, written whole or not at all.

Belongs here: what may be mapped, appending to `codes/departments/<DEPT>.csv`. Must not: the queue, replaying, other edits.
What stands in the file stays byte for byte: order, spelling and remarks are the department's confirmation.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from zz_pipeline.errors import ConfigError
from zz_pipeline.standard import code_files
from zz_pipeline.standard.code_files import MAP_HEADINGS, SET_HEADINGS, YES_NO
from zz_pipeline.standard.codes import EMPTY_MARKS, CodeBook, form_of
from zz_pipeline.standard.tables import INSPECTION

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_SEVERAL = re.compile(r"[；;]")


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was written: code set, standard code and its label; `written` is false if the map said so already."""

    set: str
    code: str
    label: str
    written: bool


def set_of(field: str) -> str:
    """Code set of a standard field; ConfigError if the field has none."""
    known = {f.name: YES_NO if f.type == "bool" else f.codes for f in INSPECTION.fields if f.codes or f.type == "bool"}
    found = known.get(field)
    if not found:
        raise ConfigError(f"字段“{field}”没有代码集，不能对照。可以对照的字段：{'、'.join(known)}。")
    return found


def confirm(config_dir: Path, dept: str, field: str, raw: str, standard: str, by: str, today: date) -> Confirmed:
    """Append `raw` → `standard` to the department's map; ConfigError says why it may not be mapped."""
    name, raw, by = set_of(field), raw.strip(), by.strip()
    if not raw or _CONTROL.search(raw) or not by or _CONTROL.search(by):
        raise ConfigError("原值和确认人都要写，且不能含换行。请照部门写的原样填写原值，用 --by 写明由谁确认。")
    if field == "result" and _SEVERAL.search(raw):
        raise ConfigError(f"“{raw}”里有几个结论。请对其中不认识的那一个做对照，不要把几个结论合成一个。")
    folder = config_dir / "codes" / "departments"
    with _locked(folder):
        book = CodeBook.load(config_dir)
        code = _code(book, name, standard)
        done = Confirmed(name, code, book.labels(name)[code], written=False)
        if _already(book, config_dir, name, dept, field, raw, code):
            return done
        line = _line((field, raw, code, "同义", f"{by} {today.isoformat()} 确认：{done.label}"))
        _append(book, folder, dept, line)
    return Confirmed(name, code, done.label, written=True)


def _code(book: CodeBook, name: str, standard: str) -> str:
    """A standard code, given as code or as official label."""
    labels = book.labels(name)
    by_label = {label: code for code, label in labels.items()}
    code = standard if standard in labels else by_label.get(standard.strip())
    if code is None:
        shown = "、".join(f"{code}（{label}）" if code != label else code for code, label in list(labels.items())[:30])
        raise ConfigError(f"标准值“{standard}”不在代码集“{name}”里。可用的有：{shown}。")
    return code


def _already(book: CodeBook, config_dir: Path, name: str, dept: str, field: str, raw: str, code: str) -> bool:
    """Whether the tables say so already; ConfigError if they say that it may not be so."""
    form = form_of(name)(raw)
    base, marks = book.sets[name].entries.get(form), book.sets.get(EMPTY_MARKS)
    if base is not None and base.never:
        why = _remark(config_dir / "codes" / f"{name}.csv", form, name) or "按标准 1.3 每次都须询问"
        raise ConfigError(f"“{raw}”每次都须询问，不得对照：{why}。请由部门逐条写明实际情况。")
    if marks is not None and form in marks.entries:
        raise ConfigError(f"“{raw}”是空值标记，不是数据，不得对照。请由部门填写实际内容或留空。")
    if base is not None and base.status == "ok":
        if base.code != code:
            raise ConfigError(f"“{raw}”在标准表里是 {base.code}，对照表不得改变它的含义。")
        return True
    mine = book.maps.get((dept, field), {}).get(form)
    if mine is not None and mine.code != code:
        raise ConfigError(
            f"{dept} 的对照表里“{raw}”已对照为 {mine.code or '（须询问或忽略）'}。要改，请由部门重新确认后编辑 {dept}.csv。"
        )
    return mine is not None


def _remark(path: Path, form: str, name: str) -> str:
    lines = code_files.read_table(path, SET_HEADINGS)
    return next((line["说明"] for line in lines if form_of(name)(line["原值"]) == form), "")


def _line(cells: tuple[str, ...]) -> str:
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator="").writerow(cells)
    return target.getvalue()


def _append(book: CodeBook, folder: Path, dept: str, line: str) -> None:
    path = folder / f"{dept}.csv"
    old = path.read_bytes() if path.exists() else ",".join(MAP_HEADINGS).encode() + b"\n"
    end = b"\r\n" if b"\r\n" in old else b"\n"
    new = old + (b"" if old.endswith(b"\n") else end) + line.encode() + end
    with tempfile.TemporaryDirectory() as trial:  # as the loader will see it: a contradiction stops here
        (Path(trial) / path.name).write_bytes(new)
        code_files.read_maps(Path(trial), book.sets, form_of)
    part = path.with_name(f".{path.name}.part")
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(new)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time: two appends at once would lose one of them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
