"""What one step leaves for the next: tables under `$ZZ_HOME/work/<run>/`, gone once accepted.

Belongs here: saving and loading of steps' results, what a run over many days has read ahead. Must not: decisions; anything that must survive the run (that is the ledger).
A run that dies leaves its folder; `sweep` removes folders older than some days. Nobody reads another run's folder.
A value is kept as its tables (Arrow files) and the rest (JSON), so that no code can come in with it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import orjson
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
from pydantic import TypeAdapter

from zz_pipeline.delivery import points
from zz_pipeline.quality import QuarantineEntry
from zz_pipeline.sources import RawBatch
from zz_pipeline.standardize import StandardBatch

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Frame:
    """Whose reading it is, of which partition, under which number in the intake's book."""

    dept: str
    kind: str
    day: date
    number: int


@dataclass(frozen=True, slots=True)
class Raw:
    """A reading on its way."""

    frame: Frame
    batch: RawBatch


@dataclass(frozen=True, slots=True)
class Checked:
    """A split on its way to acceptance."""

    accepted: pa.Table
    quarantined: list[QuarantineEntry]
    warnings: list[QuarantineEntry]
    rule_set: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A table that was handed over, on disk: of a county's tables only those are in memory that are being looked at."""

    path: Path
    num_rows: int
    column_names: list[str]

    @classmethod
    def of(cls, path: Path) -> Kept:
        """The table in that file."""
        names = ipc.open_file(str(path)).schema.names
        return cls(path, feather.read_table(str(path), columns=names[:1]).num_rows, names)

    def select(self, columns: list[str]) -> pa.Table:
        """Those of its columns."""
        return feather.read_table(str(self.path), columns=columns)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A standard table that waits for the check, and the number of its reading."""

    number: int
    table: Kept


@dataclass(frozen=True, slots=True)
class Desk:
    """One source's folder of one run and day."""

    home: Path
    run: str
    dept: str
    kind: str
    day: date

    @property
    def folder(self) -> Path:
        """Where the steps of this source hand over."""
        return self.home / "work" / self.run / f"{self.day.isoformat()}-{self.dept}-{self.kind}"

    def put_raw(self, number: int, batch: RawBatch) -> None:
        """Keep a reading for the next step."""
        self.put("raw", batch)
        self.put("frame", Frame(self.dept, self.kind, self.day, number))

    def raw(self) -> Raw | None:
        """The reading of this run; None if the source failed or was not read."""
        frame, batch = self.get("frame", Frame), self.get("raw", RawBatch)
        return Raw(frame, batch) if frame is not None and batch is not None else None

    def waiting(self) -> Waiting | None:
        """What waits for the check of this run, without reading it; None if there is nothing."""
        frame = self.get("frame", Frame)
        if frame is None or not self._path("standard").exists():
            return None
        return Waiting(frame.number, Kept.of(self._path("standard", "table")))

    def put_standard(self, batch: StandardBatch) -> None:
        """Keep a standard table for the next step."""
        self.put("standard", batch)

    def standard(self) -> StandardBatch | None:
        """The standard table of this run, None if there is none."""
        return self.get("standard", StandardBatch)

    def put_checked(self, checked: Checked) -> None:
        """Keep a split for acceptance."""
        self.put("checked", checked)

    def checked(self) -> Checked | None:
        """The split of this run, None if there is none."""
        return self.get("checked", Checked)

    def later(self) -> list[Desk]:
        """Desks of the same source and run for later days, oldest first."""
        tail = f"-{self.dept}-{self.kind}"
        names = (p.name for p in self.folder.parent.glob(f"*{tail}"))
        days = sorted(date.fromisoformat(name.removesuffix(tail)) for name in names)
        return [replace(self, day=day) for day in days if day > self.day]

    def clear(self) -> None:
        """Forget what was handed over: it is in the ledger, or the source will be read again."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, name: str, value: Any) -> None:
        """Write a dataclass: each Arrow table as a file, everything else as one JSON file, which is written last."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        plain: dict[str, Any] = {}
        for f in fields(value):
            part = getattr(value, f.name)
            if isinstance(part, pa.Table):
                feather.write_feather(part, str(self._path(name, f.name)), compression="lz4")
            else:
                plain[f.name] = dict(part) if isinstance(part, Mapping) else part
        unfinished = self.folder / f"{name}.part"
        unfinished.write_bytes(orjson.dumps(plain, option=orjson.OPT_NON_STR_KEYS))
        points.reach("handover:before_rename")
        unfinished.replace(self._path(name))
        points.reach("handover:after_rename")

    def get(self, name: str, cls: type[_T]) -> _T | None:
        """Read such a dataclass back; None if it was never finished."""
        path = self._path(name)
        if not path.exists():
            return None
        plain = orjson.loads(path.read_bytes())
        values: dict[str, Any] = {}
        for field, hint in get_type_hints(cls).items():
            if hint is pa.Table:
                values[field] = feather.read_table(str(self._path(name, field)))
            elif field in plain:
                values[field] = TypeAdapter(hint).validate_python(plain[field])
        return cls(**values)

    def _path(self, name: str, table: str = "") -> Path:
        """The file of a value's table, or of all the rest."""
        return self.folder / (f"{name}.{table}.arrow" if table else f"{name}.json")


class Ahead:
    """What a run has read and not yet taken in: a run over many days reads them all before it accepts the first.

    The watermark and the processed files stand still meanwhile. Without this every later day would read the earlier
    ones again, and two states of one record would meet in one reading.
    """

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], tuple[date, datetime, frozenset[str]]] = {}

    def put(self, desk: Desk, batch: RawBatch) -> None:
        """Remember a reading of a source; a replay moves no watermark and is none."""
        if batch.until is None:
            return
        digests = frozenset(f.digest for f in batch.files if f.state == "READ")
        self._read[desk.dept, desk.kind] = (desk.day, batch.until, digests | self.files(desk))

    def since(self, desk: Desk, since: datetime) -> datetime:
        """Where the reading of this day begins: not before the end of what an earlier day of the run has read."""
        day, until, _ = self._read.get((desk.dept, desk.kind), (desk.day, since, frozenset()))
        return max(since, until) if day < desk.day else since

    def files(self, desk: Desk) -> frozenset[str]:
        """Digests of the files that earlier days of the run have read."""
        day, _, digests = self._read.get((desk.dept, desk.kind), (desk.day, None, frozenset()))
        return digests if day < desk.day else frozenset()

    def forget(self, desk: Desk) -> None:
        """The reading was not taken in: it is read again."""
        self._read.pop((desk.dept, desk.kind), None)


def sweep(home: Path, older_than_days: float = 3.0) -> None:
    """Remove the folders of runs that died days ago."""
    for folder in (home / "work").glob("*"):
        if folder.is_dir() and folder.stat().st_mtime < time.time() - older_than_days * 86400:
            shutil.rmtree(folder, ignore_errors=True)
