"""A county of any size for a measurement: configuration, lists, secrets and the departments' SQLite databases on disk.

Belongs here: made-up rows as a department would keep them, rates and clocks that do not bind. Must not: measuring.

Departments, platforms and codes are the sample county's; the people, companies and numbers are invented. One checked
item a record, so that a record is one row at the source, and one delivery on each platform.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zz_pipeline.bench import rows
from zz_pipeline.settings import CHECKOUT, Department, Settings, load_settings
from zz_pipeline.standard.identifiers import uscc_check_digit
from zz_pipeline.standard.lists import LISTS
from zz_pipeline.standard.tables import INSPECTION, RESULT_LABELS

DAY = date(2026, 11, 20)
PLATFORMS = ("double_random", "internet_supervision", "publicity")
TABLE = "检查结果"
A_DEPARTMENT = 5000  # records, as long as there are departments left
FREE = {"rate": 1e6, "burst": 1e6, "daily_records": 10**9}
CLOCKS = {"poll_first_seconds": 0.01, "night_wait_seconds": 60.0}
PEOPLE, ITEMS, TASKS, DAYS = 400, 20, 10, 200
RESULTS = tuple(RESULT_LABELS[name] for name in rows.RESULTS)
# standard field → (is its heading written as a standard code, value of the n-th record of a department)
_CODED = (
    "object_type",
    "counterpart_nature",
    "counterpart_id_type",
    "area_code",
    "check_form",
    "check_type",
    "check_mode",
)
_LISTS = ("inspector_names", "inspector_certs")
FIELDS = tuple(
    f.name
    for f in INSPECTION.fields
    if f.name not in ("record_key", "dept", "source_file", "source_row", "result_raw", "follow_up", "object_code",
                      "address_registered", "not_publish_reason", "case_reason")
)  # fmt: skip
HEADINGS = {name: INSPECTION.field(name).label for name in FIELDS}

_CREATE = (
    f'CREATE TABLE IF NOT EXISTS "{TABLE}" ({", ".join(f"{chr(34)}{h}{chr(34)} TEXT" for h in HEADINGS.values())},'
    f' PRIMARY KEY ("{HEADINGS["record_no"]}"))'
)
_INDEX = f'CREATE INDEX IF NOT EXISTS changed ON "{TABLE}" ("{HEADINGS["changed_at"]}")'
_WRITE = f'INSERT OR REPLACE INTO "{TABLE}" VALUES ({", ".join("?" * len(HEADINGS))})'  # noqa: S608 - a constant and marks

_AGE = f'UPDATE "{TABLE}" SET "{HEADINGS["changed_at"]}" = ?'  # noqa: S608 - constants


@dataclass(frozen=True)
class Place:
    """Which county: the code of its region (6 digits) and its name."""

    code: str = "610124"
    name: str = "周至县"

    def department(self, dept: Department) -> Department:
        """A department of the sample county as this county would have it: code and names by the same pattern."""
        first = f"{dept.uscc[:2]}{self.code}{dept.uscc[8:17]}"
        name = dept.name.replace(_SAMPLE.name, self.name).replace(_SAMPLE.name[:-1], self.name[:-1])
        short = self.name[-1] + dept.short[1:]
        return dept.model_copy(update={"uscc": first + uscc_check_digit(first), "name": name, "short": short})


_SAMPLE = Place()


@dataclass(frozen=True)
class Town:
    """The folder of a county; `addresses` are the platforms' by name."""

    folder: Path
    addresses: Mapping[str, str]
    platforms: tuple[str, ...] = PLATFORMS
    place: Place = _SAMPLE

    @property
    def home(self) -> Path:
        """The state folder."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to work on this county."""
        urls = {f"ZZ_URL_{name.upper()}": url for name, url in self.addresses.items()}
        return {"ZZ_CONFIG": str(self.folder / "config"), "ZZ_HOME": str(self.home), **urls}

    @cached_property
    def settings(self) -> Settings:
        """The county as the pipeline reads it."""
        return load_settings(self.folder / "config", self.home, self.environment)

    def source(self, dept: str) -> Path:
        """The database of a department."""
        return self.home / "sources" / f"{dept}.db"


def departments(records: int) -> list[str]:
    """Keys of the departments among which so many records are dealt out, the credit lead's last."""
    known = sorted(p.stem for p in (CHECKOUT / "config" / "departments").glob("*.toml") if p.stem != "KGJ")
    return known[: max(1, min(len(known), records // A_DEPARTMENT))]


def share(records: int, keys: Sequence[str]) -> dict[str, int]:
    """How many of the records each department has."""
    whole, rest = divmod(records, len(keys))
    return {key: whole + (n < rest) for n, key in enumerate(keys)}


def build(town: Town, records: int) -> None:
    """Write everything that the county needs for a night of so many records."""
    keys = departments(records)
    known = furnish(town, keys)
    first = 0
    for key, count in share(records, keys).items():
        fill(town.source(key), known[key], first, count)
        first += count


def furnish(town: Town, keys: Sequence[str]) -> dict[str, Department]:
    """Write configuration, lists and secrets of a county in which these departments report; all departments by key."""
    config = town.folder / "config"
    shutil.copytree(CHECKOUT / "config", config)
    shutil.rmtree(config / "codes" / "departments")
    sample = load_settings(CHECKOUT / "config", town.home, {}).departments
    known = {key: town.place.department(spec) for key, spec in sample.items()}
    for key, spec in known.items():
        (config / "departments" / f"{key}.toml").write_text(_toml(spec, key in keys), "utf-8")
    _edit(config, town)
    (town.home / "sources").mkdir(parents=True)
    (town.home / "lists").mkdir()
    secrets = town.home / "secrets.toml"
    secrets.touch(0o600)
    wanted = (*town.platforms, "credit")
    secrets.write_text("".join(_secret(p, key) for p in wanted for key in known), "ascii")
    _lists(town, [known[key] for key in keys])
    return known


def forget(town: Town) -> None:
    """Remove what a night has written: ledger, archive, lists of what was returned."""
    for path in town.home.iterdir():
        if path.name in ("sources", "lists", "secrets.toml"):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def copy(kept: Path, place: Path) -> None:
    """Put a copy of a database in a place, down to the disk: else a measurement waits for gigabytes of the copy."""
    shutil.copyfile(kept, place)
    with place.open("rb") as copied:
        os.fsync(copied.fileno())


def age(path: Path) -> None:
    """Let all of a department's records have changed long before the night."""
    with sqlite3.connect(path) as db:
        db.execute(_AGE, (f"{DAY - timedelta(days=100)} 08:00:00",))


def fill(path: Path, dept: Department, first: int, count: int, changed: date = DAY, place: Place = _SAMPLE) -> None:
    """Write so many records of a department into its database, the first one under that number; known ones are replaced."""
    db = sqlite3.connect(path)
    with db:
        db.execute(_CREATE)
        db.execute(_INDEX)
        db.executemany(_WRITE, _records(dept, first, count, changed, place))
    db.close()


def _records(dept: Department, first: int, count: int, changed: date, place: Place) -> Iterator[tuple[str, ...]]:
    uscc = rows.usccs(np.arange(first, first + count)).to_pylist()
    people, items = _inspectors(dept), _items(dept)
    lead, stamp = dept.name, f"{changed} 17:20:00"
    latest = min(DAY, changed)  # nothing is entered before it was inspected
    days = [(latest - timedelta(days=1 + n)).isoformat() for n in range(DAYS)]
    for n, code in zip(range(first, first + count), uscc, strict=True):
        one, two = people[n % PEOPLE], people[(n + 1 + n // PEOPLE % (PEOPLE - 1)) % PEOPLE]
        item, day, name = items[n % ITEMS], days[n % DAYS], f"{place.name}样例{n:07d}号有限公司"
        found = {
            "record_no": record_no(n), "plan_id": _plan(place.code), "plan_name": "样例年度计划",
            "task_id": _task(place.code, n % TASKS), "task_name": "样例任务", "check_kind": "不定向抽查", "joint": "否",
            "lead_dept": lead, "subject_name": name, "uscc": code, "object_type": "1", "counterpart_name": name,
            "counterpart_nature": "02", "counterpart_id_type": "001", "counterpart_code": code,
            "address_operating": f"{place.name}样例街道样例路{n:07d}号", "area_code": place.code,
            "inspector_names": f"{one[1]}、{two[1]}", "inspector_certs": f"{one[0]}、{two[0]}", "inspect_date": day,
            "finish_date": day, "check_form": "02", "check_type": "01", "check_mode": "1", "publishable": "是",
            "entered_by": "王某", "entered_at": f"{day} 17:20:00", "item_code": item[0], "item_name": item[1],
            "implement_code": item[2], "result": RESULTS[n % len(RESULTS)],
            "remark": "" if changed == DAY else f"更正于{changed}", "changed_at": stamp,
        }  # fmt: skip
        yield tuple(found[field] for field in FIELDS)


def record_no(n: int) -> str:
    """The n-th record's number."""
    return f"2026-{n:07d}"


def _items(dept: Department) -> list[tuple[str, str, str]]:
    block = int(dept.uscc[12:16])
    return [(f"{dept.uscc[2:8]}{block:04d}{n:04d}", f"样例事项{n}", f"{dept.uscc}4{n:06d}") for n in range(ITEMS)]


def _inspectors(dept: Department) -> list[tuple[str, str]]:
    block = int(dept.uscc[12:16])
    return [(f"27{block:04d}{n:05d}", f"张某{n}") for n in range(PEOPLE)]


def _plan(code: str) -> str:
    return f"{code}20261000"


def _task(code: str, n: int) -> str:
    return f"{code}20260101{1001 + n:04d}"


def _lists(town: Town, own: Sequence[Department]) -> None:
    everybody = ";".join(dept.key for dept in own)
    code, lead = town.place.code, own[0].key
    plan = _plan(code)
    found: dict[str, Iterable[dict[str, str]]] = {
        "items": (
            {"item_code": c, "item_name": n, "dept": d.key, "implement_code": i, "status": "在用"}
            for d in own
            for c, n, i in _items(d)
        ),
        "inspectors": (
            {"cert_no": c, "name": n, "dept": d.key, "nature": "01", "valid_from": "2020-01-01", "status": "有效"}
            for d in own
            for c, n in _inspectors(d)
        ),
        "plans": ({"plan_id": plan, "plan_name": "样例年度计划", "dept": d.key, "year": "2026"} for d in own[:1]),
        "tasks": (
            {"task_id": _task(code, n), "plan_id": plan, "task_name": "样例任务", "lead_dept": lead, "depts": everybody}
            for n in range(TASKS)
        ),
    }
    for name, columns in LISTS.items():
        with (town.home / "lists" / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(found.get(name, ()))


def _secret(platform: str, dept: str) -> str:
    return f'[{platform}.{dept}]\napp_id = "app-{dept}"\nsecret = "{dept}-{"x" * 40}"\n'


def _toml(dept: Department, reports: bool) -> str:
    head: dict[str, Any] = {"key": dept.key, "name": dept.name, "short": dept.short, "uscc": dept.uscc}
    source: dict[str, Any] = {"kind": "none"}
    if reports:
        url = f"sqlite:///${{home}}/sources/{dept.key}.db"
        source = {"kind": "database", "url": url, "table": TABLE, "changed_at": HEADINGS["changed_at"]}
    lines = [*_pairs(head), "codes = " + json.dumps(list(dept.codes)), "[source]", *_pairs(source)]
    for name, heading in HEADINGS.items() if reports else ():
        lines += [f"[columns.{name}]", *_pairs({"heading": heading})]
        lines += ['codes = "standard"'] if name in _CODED else []
        lines += ['split = "、"'] if name in _LISTS else []
    return "\n".join(lines) + "\n"


def _pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]


def _edit(config: Path, town: Town) -> None:
    """Which county and platforms, no ceiling a made-up inspector could pass, rates and clocks that do not bind."""
    county = config / "county.toml"
    text = county.read_text("utf-8")
    own = {"code": town.place.code, "name": town.place.name, "platforms": list(town.platforms)}
    county.write_text(_set(text, {**own, "subjects_a_day": 10**9}), "utf-8")
    for name in (*PLATFORMS, "credit"):
        path = config / "platforms" / f"{name}.toml"
        path.write_text(_set(path.read_text("utf-8"), FREE | CLOCKS), "utf-8")


def _set(text: str, values: Mapping[str, Any]) -> str:
    """A TOML text with these keys of its first tables set anew."""
    lines, left = [], dict(values)
    for line in text.splitlines():
        key = line.partition("=")[0].strip()
        lines.append(f"{key} = {json.dumps(left.pop(key))}" if key in left else line)
    at = next((n for n, line in enumerate(lines) if line.startswith("[")), len(lines))
    lines[at:at] = [f"{key} = {json.dumps(value)}" for key, value in left.items()]
    return "\n".join(lines) + "\n"
