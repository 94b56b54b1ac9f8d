"""What a person decides about an unknown value: map it and replay what waits for it, or leave it to the department.

Belongs here: the order of map, queue, audit and replay. Must not: arguments, printing, how a map is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zz_pipeline.errors import ConfigError
from zz_pipeline.ledger import audit, unknowns
from zz_pipeline.returns.replay import replay
from zz_pipeline.returns.units import Unit
from zz_pipeline.standard.code_maps import Confirmed, confirm, set_of
from zz_pipeline.standard.codes import lookup_form
from zz_pipeline.standardizing.unknown import RULES

if TYPE_CHECKING:
    from zz_pipeline.night import Night, StepResult


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping did: what was written, and each step of the replay of the records that waited for it."""

    confirmed: Confirmed
    replayed: list[StepResult] = field(default_factory=list)


def map_value(night: Night, dept: str, name: str, raw: str, standard: str, by: str) -> Mapped:
    """Confirm `raw` of field `name` as `standard`, and replay the department's records that were returned for it."""
    _check(night, dept, name)
    done = confirm(night.settings.config_dir, dept, name, raw, standard, by, night.now().date())
    _write_down(night, dept, name, done.set, raw, unknowns.MAPPED, by, done.code)
    vars(night).pop("book", None)  # the tables have changed since they were read

    def waits(unit: Unit) -> bool:
        return any(
            e["rule"] in RULES and e["field"] == name and lookup_form(raw) in lookup_form(e["value"])
            for e in unit.entries
        )

    return Mapped(done, replay(night, [dept], chosen=waits, inbox=False))


def ignore_value(night: Night, dept: str, name: str, raw: str, by: str) -> None:
    """Take a value off the list; records that hold it stay returned to their department."""
    _check(night, dept, name)
    _write_down(night, dept, name, set_of(name), raw, unknowns.IGNORED, by, "")


def _check(night: Night, dept: str, name: str) -> None:
    spec = night.settings.departments.get(dept)
    if spec is None:
        raise ConfigError(f"没有部门 {dept}。部门键见 config/departments/ 的文件名。")
    set_of(name)
    if name not in spec.columns or spec.columns[name].constant:
        raise ConfigError(f"{spec.short}的来源里没有字段“{name}”的列。请核对 departments/{dept}.toml。")


def _write_down(night: Night, dept: str, name: str, set_name: str, raw: str, state: str, by: str, code: str) -> None:
    if not by.strip():
        raise ConfigError("请用 --by 写明由谁决定。")
    now, raw = night.clock(), raw.strip()
    with night.ledger.begin("code") as conn:
        unknowns.decide(conn, dept, name, set_name, raw, state, by.strip(), now)
        detail = {"field": name, "raw": raw[: unknowns.LONGEST], "state": state, "code": code}
        audit.append(conn, by.strip()[:64], "CODE", f"{dept}/{name}", True, detail, ts=now)
