"""退回清单 that departments have put back into their inbox: found by their inside, read once, joined to a reading.

Belongs here: which files of an inbox are such workbooks, what is said of others. Must not: judging rows, writing the ledger.
A department whose source is a database or an interface has an inbox for these workbooks alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
from sqlalchemy import select

from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.quarantine import ACCEPTED, CHUNK
from zz_pipeline.ledger.schema import quarantine
from zz_pipeline.returns.units import origins
from zz_pipeline.settings import Department, Settings
from zz_pipeline.sources import RawBatch
from zz_pipeline.sources.archive import keep_bytes
from zz_pipeline.sources.base import SourceFile, join_tables
from zz_pipeline.sources.files import UNFINISHED, refused, whole_content
from zz_pipeline.sources.returned import ReturnedRows, placed, read_returned, returned_sheet
from zz_pipeline.sources.signs import shown
from zz_pipeline.standard.canonical import sm3_hex

SETTLED = "退回条目已结清的行（以后来接收的为准）"
_FILES_OF_ITS_OWN = ("workbook", "csv")
_NAMED = "退回清单"


def with_returned(raw: RawBatch, ledger: Ledger, settings: Settings, day: date, known: frozenset[str]) -> RawBatch:
    """The reading with the rows of all 退回清单 in the department's inbox whose digest is not known."""
    dept = settings.departments[raw.dept]
    tables, files, warnings = [raw.table], list(raw.files), list(raw.warnings)
    skipped: Counter[str] = Counter(raw.skipped)
    answered: list[int] = list(raw.returned)
    for path in _handed_in(dept, settings):
        name = shown(path.name)
        try:
            content = whole_content(path)
        except SourceRefused as refusal:
            files += _told(dept, path, refused(name, "", refusal))
            continue
        digest = sm3_hex(content)
        if digest in known or any(f.digest == digest for f in files):
            continue
        try:
            if returned_sheet(content) is None:
                files += _foreign(dept, name, digest)
                continue
            rows = read_returned(dept, name, content)
        except SourceRefused as refusal:
            files += _told(dept, path, refused(name, digest, refusal))
            continue
        table, ids, late = _accepted_since(rows, ledger, dept)
        _, kept = keep_bytes(settings.home, dept.key, day, name, content)
        tables.append(table)
        files.append(SourceFile(name, digest, table.num_rows, "READ", "", kept))
        answered += ids
        warnings += [*rows.found.warnings, *_late_words(name, late)]
        skipped += rows.found.skipped
        skipped[SETTLED] += late
    return replace(
        raw,
        table=join_tables([t for t in tables if t.num_rows]) if len(tables) > 1 else raw.table,
        files=tuple(files),
        warnings=tuple(warnings),
        skipped={reason: n for reason, n in skipped.items() if n},
        returned=tuple(dict.fromkeys(answered)),
    )


def _handed_in(dept: Department, settings: Settings) -> Iterator[Path]:
    """Files that may be such a workbook, oldest first: of two for one record the later hand-in stands."""
    folder = settings.inbox / dept.key
    if not folder.is_dir():
        return
    try:
        found = [p for p in folder.iterdir() if p.is_file() and not UNFINISHED.search(p.name)]
        dated = sorted((p.stat().st_mtime_ns, p.name, p) for p in found if _may_be(dept, p))
    except OSError as error:
        raise SourceDown(f"{dept.name}的收件夹打不开（{error.strerror}）。请检查文件夹和权限后重跑。") from error
    yield from (path for _, _, path in dated)


def _may_be(dept: Department, path: Path) -> bool:
    return path.suffix.lower() == ".xlsx" or path.name.startswith(_NAMED) or dept.source.kind not in _FILES_OF_ITS_OWN


def _told(dept: Department, path: Path, file: SourceFile) -> list[SourceFile]:
    """A file that cannot be opened is named here, unless it is the department's ordinary file, which its reader names."""
    ordinary = dept.source.kind in _FILES_OF_ITS_OWN and path.match(dept.source.pattern)
    return [] if ordinary else [file]


def _foreign(dept: Department, name: str, digest: str) -> list[SourceFile]:
    """What is no 退回清单: named where nobody else would read it, so that no hand-in is overlooked."""
    if dept.source.kind in _FILES_OF_ITS_OWN and not name.startswith(_NAMED):
        return []
    text = (
        "不是本系统发出的退回清单（.xlsx，含“退回编号”“原文件”“原行号”三列）。请用发出的清单改正后另存为 .xlsx 重交。"
    )
    return [refused(name, digest, SourceRefused(text))]


def _accepted_since(rows: ReturnedRows, ledger: Ledger, dept: Department) -> tuple[pa.Table, list[int], int]:
    """(rows to be read, entries they answer, rows left out): a row whose record was accepted meanwhile is older than that.

    Where rows have a change time the ledger itself tells what is older (INS-043), and a second correction may pass.
    """
    numbers = rows.entries.to_pylist()
    ids = sorted({n for n in numbers if n is not None})
    done: set[int] = set()
    with ledger.read() as conn:
        for start in range(0, len(ids), CHUNK):
            where = (quarantine.c.dept == dept.key) & quarantine.c.id.in_(ids[start : start + CHUNK])
            done |= set(conn.scalars(select(quarantine.c.id).where(where, quarantine.c.settled_by == ACCEPTED)))
        table = placed(rows, origins(conn, dept.key, ids))
    if dept.source.changed_at or "changed_at" in dept.columns:
        done = set()
    keep = [n not in done for n in numbers]
    return table.filter(pa.array(keep, pa.bool_())), [n for n in ids if n not in done], keep.count(False)


def _late_words(name: str, late: int) -> list[str]:
    if not late:
        return []
    return [f"文件《{name}》有 {late} 行的记录在这之前已经更正并接收，没有再读。要再次更改，请在来源系统或台账里改。"]
