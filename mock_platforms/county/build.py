"""Putting a county on disk, laid out as the pipeline's home: sources, inbox, lists, secrets, credit data, manifest.

Belongs here: `County`, which files stand where. Must not: what happened (`world`), native headings (`layouts`).
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from mock_platforms.county import layouts
from mock_platforms.county.departments import BY_KEY, COUNTY, CREDIT_LEAD, REPORTING
from mock_platforms.county.manifest import manifest
from mock_platforms.county.world import World

PLATFORMS = ("double_random", "internet_supervision", "publicity")
STATE = "county.json"  # what County.open needs to go on


class County:
    """A county's folder and the world it shows, day by day."""

    def __init__(self, root: Path, world: World, applied: int = 0, urls: Mapping[str, str] | None = None) -> None:
        self.dir = root
        self.urls = urls  # department → SQLAlchemy URL of a database that is not a SQLite file; never written down
        self.world = world
        self._applied = applied

    @classmethod
    def create(
        cls,
        root: Path,
        last: date,
        days: int = 3,
        seed: int = 7,
        scale: float = 1.0,
        urls: Mapping[str, str] | None = None,
    ) -> County:
        """Draw the county and write what does not change from day to day. No day is applied yet."""
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        county = cls(root, World(seed, last, days, scale), urls=urls)
        for key in REPORTING:
            (root / "inbox" / key).mkdir(parents=True, exist_ok=True)
        (root / "sources" / "http").mkdir(parents=True, exist_ok=True)
        county._write_lists()
        county._write_credentials()
        county._write_credit(())
        _json(root / "manifest.json", manifest(county.world))
        county._remember()
        return county

    @classmethod
    def open(cls, root: Path, urls: Mapping[str, str] | None = None) -> County:
        """A county created earlier, drawn again from its seed. FileNotFoundError if there is none."""
        kept = json.loads((root / STATE).read_text("utf-8"))
        world = World(kept["seed"], date.fromisoformat(kept["last"]), kept["days"], kept["scale"])
        return cls(root, world, kept["applied"], urls)

    @property
    def days(self) -> list[date]:
        """The county's days, in order."""
        return self.world.days

    def apply(self, day: date) -> None:
        """Bring all systems to their state at the end of `day`; days not applied before come first, in order.

        A day that was applied already is left as it is. ValueError for a day outside the county's.
        """
        place = self.days.index(day)
        for number in range(self._applied, place + 1):
            today = self.days[number]
            records = self.world.inspections(today)
            layouts.write_day(self.dir, self.world.departments, today, records, first=number == 0, urls=self.urls)
            self._write_credit(self.days[: number + 1])
            self._applied = number + 1
            self._remember()

    def _remember(self) -> None:
        world = self.world
        kept = {"seed": world.seed, "last": world.last.isoformat(), "days": len(world.days), "scale": world.scale}
        _json(self.dir / STATE, kept | {"applied": self._applied})

    def _write_credit(self, days: Sequence[date]) -> None:
        """The newest revision of every rating, and all notices, updated up to the last of `days`."""
        newest: dict[str, dict[str, Any]] = {}
        for day in days:
            newest |= {item["rating_id"]: item for item in self.world.ratings(day)}
        repairs = [item for day in days for item in self.world.repairs(day)]
        ratings = sorted(newest.values(), key=lambda item: (item["updated_at"], item["rating_id"]))
        _json(self.dir / "credit" / "ratings.json", ratings)
        _json(self.dir / "credit" / "repairs.json", repairs)

    def _write_lists(self) -> None:
        registry, folder = self.world.registry, self.dir / "lists"
        folder.mkdir(exist_ok=True)
        subjects = [s for pool in self.world.subjects.values() for s in pool]
        tables: dict[str, tuple[str, Iterable[tuple[object, ...]]]] = {
            "items": (
                "item_code,item_name,dept,implement_code,status,category,special",
                (
                    (i.item_code, i.item_name, i.dept, i.implement_code, i.status, i.category, i.special)
                    for i in registry.all_items()
                ),
            ),
            "inspectors": (
                "cert_no,name,dept,nature,valid_from,valid_until,status",
                (
                    (p.cert_no, p.name, p.dept, p.nature, p.valid_from, p.valid_until, p.status)
                    for p in registry.all_inspectors()
                ),
            ),
            "plans": (
                "plan_id,plan_name,dept,year",
                ((p.plan_id, p.plan_name, p.dept, p.year) for p in registry.plans.values()),
            ),
            "tasks": (
                "task_id,plan_id,task_name,lead_dept,depts,start,end",
                (
                    (t.task_id, t.plan_id, t.task_name, t.lead, ";".join(t.depts), t.start, t.end)
                    for t in registry.all_tasks()
                ),
            ),
            "subjects": (
                "object_code,name,uscc,object_type,area_code",
                ((s.object_code, s.name, s.uscc, s.object_type, COUNTY) for s in subjects),
            ),
        }
        for name, (headings, rows) in tables.items():
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(headings.split(","))
                writer.writerows(rows)

    def _write_credentials(self) -> None:
        """The platforms' list of credentials, and the same secrets as the pipeline reads them (0600)."""
        pairs = [(platform, key) for platform in PLATFORMS for key in REPORTING]
        rows = [self._credential(platform, key) for platform, key in (*pairs, ("credit", CREDIT_LEAD))]
        _private(self.dir / "credentials.json", json.dumps(rows, ensure_ascii=False, indent=1))
        lines = [
            f'[{r["platform"]}.{r["department"]}]\napp_id = "{r["app_id"]}"\nsecret = "{r["secret"]}"\n' for r in rows
        ]
        _private(self.dir / "secrets.toml", "\n".join(lines))

    def _credential(self, platform: str, key: str) -> dict[str, Any]:
        # Drawn from the seed so that two runs of a test agree; these open nothing but the mocks.
        secret = hashlib.sha256(f"sample-county/{self.world.seed}/{platform}/{key}".encode()).hexdigest()
        dept = BY_KEY[key]
        return {
            "platform": platform,
            "department": key,
            "app_id": f"{platform.replace('_', '-')}-{key.lower()}",
            "secret": secret,
            "department_uscc": dept.uscc,
            "department_name": dept.name,
            "suspended": False,
        }


def _json(path: Path, value: object) -> None:
    """Replaced at once: the credit platform re-reads its files while it runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(orjson.dumps(value))
    fresh.replace(path)


def _private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
