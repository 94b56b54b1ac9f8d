"""What was read is kept untouched: bytes of files, rows of tables, under the digest of their bytes.

Belongs here: writing the archive. Must not: reading sources, deleting or changing anything kept.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zz_pipeline.delivery import points
from zz_pipeline.errors import SourceDown, SourceRefused
from zz_pipeline.sources.base import RawBatch, SourceFile
from zz_pipeline.standard.canonical import sm3_hex

_NAME_BYTES = 180  # with digest and temporary suffix it stays under the 255 bytes a file name may have


def keep_bytes(home: Path, dept: str, day: date, name: str, content: bytes) -> tuple[str, str]:
    """Keep bytes under `archive/<DEPT>/<day>/<digest[:16]>-<name>`; (SM3, path below home). Never overwrites."""
    digest = sm3_hex(content)
    relative = Path("archive") / dept / day.isoformat() / f"{digest[:16]}-{_plain(name)}"
    target = home / relative
    try:
        _write_once(target, content)
    except OSError as error:
        raise SourceDown(f"存档 {relative} 写不进去（{error.strerror}）。请检查磁盘空间和权限后重跑。") from error
    return digest, relative.as_posix()


def keep_rows(home: Path, day: date, name: str, batch: RawBatch) -> RawBatch:
    """Keep the rows of a table, an interface or the credit platform as parquet; the batch with that file named."""
    digest, path = keep_bytes(home, batch.dept, day, f"{name}.parquet", parquet(batch.table))
    return replace(batch, files=(SourceFile(name, digest, batch.rows, "READ", archived=path),))


def parquet(table: pa.Table) -> bytes:
    """A table as parquet bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _write_once(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    points.reach("archive:before_write")
    if not target.exists():
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        points.reach("archive:before_rename")
        os.replace(part, target)
        _sync_folder(target.parent)
        points.reach("archive:after_rename")
    elif target.read_bytes() != content:
        raise SourceRefused(f"存档 {target.name} 已存在但内容不同，存档可能被改动。请保留现场并联系管理员，本次不读。")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(name: str) -> str:
    """A file name that stays inside its folder, cut at a character to the bytes a name may have."""
    name = Path(name).name.replace("\x00", "") or "file"
    stem, suffix = os.path.splitext(name)
    return stem.encode()[: _NAME_BYTES - len(suffix.encode())].decode("utf-8", "ignore") + suffix
