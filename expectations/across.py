"""Facts across rows: what shows only when all senders of a night, and earlier nights, are seen together.

Belongs here: helper columns over the whole night, each 0 or 1 a row, from numbers that stand for texts.
Must not: Great Expectations, verdicts, SQL. A fact that cannot be established (no history, no value) is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.pieces import record_codes
from zz_pipeline.history import DECIDED, OPEN, ORDERED, SHARE_FIELDS, History, stage
from zz_pipeline.settings import Department
from zz_pipeline.standard import identifiers
from zz_pipeline.standard.columns import as_text
from zz_pipeline.standard.tables import Rows

Flags = np.ndarray[Any, np.dtype[np.int8]]
ON_SITE, CASE = "01", "个案检查"
FEWEST_WEEKDAYS = 3  # fewer earlier days of the same weekday say nothing about what is usual
_TEXTS = ("task_id", "uscc", "object_code", "subject_name", "area_code", "item_code", "check_type", "check_kind")


@dataclass(frozen=True, slots=True)
class Night:
    """All senders' rows: `rows` holds codes (−1 = absent), `records` the first row of each record, `spans` each sender's rows.

    A column as it stands is read when it is asked for and kept by nobody: of a large night the texts would be most.
    """

    rows: pd.DataFrame
    records: pd.DataFrame
    spans: tuple[tuple[str, int, int], ...]
    tables: tuple[Rows, ...]
    day: date
    history: History

    def column(self, name: str) -> pa.ChunkedArray:
        """That column of all rows."""
        return _column(self.tables, name)


def facts(parts: Sequence[tuple[Rows, Department]], day: date, history: History) -> dict[str, Flags]:
    """Helper columns for the rows of all parts, one after the other."""
    night = _night(parts, day, history)
    found: dict[str, Flags] = {}
    for make in _FACTS:
        found |= make(night)
    return found


def _night(parts: Sequence[tuple[Rows, Department]], day: date, history: History) -> Night:
    tables = tuple(table for table, _ in parts)
    rows = pd.DataFrame({name: _codes(_column(tables, name)) for name in _TEXTS}, copy=False)
    units, spans, start = [], [], 0
    for part, department in parts:
        units.append(record_codes(part) + start)
        spans.append((department.key, start, start + part.num_rows))
        start += part.num_rows
    rows["unit"] = np.concatenate(units).astype(np.int32) if units else np.empty(0, np.int32)
    rows["dept"] = np.repeat(np.arange(len(spans), dtype=np.int16), [end - begin for _, begin, end in spans])
    rows["day"] = _days(_column(tables, "inspect_date"))
    # A subject is its USCC; one without has its number in the department's own system.
    rows["subject"] = np.where(
        rows["uscc"] >= 0, rows["uscc"], np.where(rows["object_code"] >= 0, -2 - rows["object_code"], -1)
    )
    return Night(rows, rows.drop_duplicates("unit"), tuple(spans), tables, day, history)


def _column(tables: Sequence[Rows], name: str) -> pa.ChunkedArray:
    return pa.concat_tables([table.select([name]) for table in tables]).column(0)


def _codes(column: Any) -> np.ndarray[Any, np.dtype[np.int32]]:
    """A number for each different text; −1 for null and blank."""
    array = as_text(column).dictionary_encode()
    blank = pc.equal(pc.utf8_trim_whitespace(array.dictionary), "")
    codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    empty = np.flatnonzero(np.asarray(blank.to_numpy(zero_copy_only=False), dtype=bool))
    codes[np.isin(codes, empty)] = -1
    return codes


def _days(column: Any) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Days since 1970; −1 for an absent date (a check before 1970 has no place here)."""
    return np.asarray(pc.fill_null(column.cast(pa.date32()).cast(pa.int32()), -1).to_numpy(), dtype=np.int32)


def _of_records(night: Night, odd_units: Any) -> Flags:
    """Every row of the units."""
    return np.asarray(night.rows["unit"].isin(odd_units), dtype=np.int8)


# ── one night, several senders ──────────────────────────────────────────────────────────────────────────────────────


def _joint(night: Night) -> dict[str, Flags]:
    """Departments of one joint task name one subject with two codes, or one code with two names."""
    heads = night.records
    joint = np.asarray(pc.fill_null(night.column("joint"), False).to_numpy(), dtype=bool)[heads.index]
    sound = identifiers.uscc_check(night.column("uscc").take(pa.array(heads.index.to_numpy())))
    told = heads[joint & sound & (heads["task_id"] >= 0) & (heads["subject_name"] >= 0)]
    odd = np.zeros(len(told), dtype=bool)
    for same, other in (("uscc", "subject_name"), ("subject_name", "uscc")):
        groups = told.groupby(["task_id", same])
        odd |= _several(groups[other]) & _several(groups["dept"])
    return {"_joint_disagrees": _of_records(night, told["unit"][odd])}


def _several(values: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(values.transform("min") != values.transform("max"), dtype=bool)


def _people(night: Night) -> dict[str, Flags]:
    """One certificate on site on one day in two districts or for two departments, or at more subjects than anybody can see."""
    heads = night.records
    on_site = (heads["day"] >= 0) & _is(night, heads, "check_type", ON_SITE)
    heads = heads.loc[on_site, ["unit", "dept", "day", "subject", "area_code"]]
    lists = night.column("inspector_certs").take(pa.array(heads.index.to_numpy())).combine_chunks()
    array = lists if isinstance(lists, pa.Array) else pa.concat_arrays(lists.chunks)
    owner = pc.list_parent_indices(array).to_numpy(zero_copy_only=False)
    certs = pc.list_flatten(array)
    there = heads.iloc[owner].assign(cert=_codes(certs))
    there = there[identifiers.cert_no(certs)]
    groups = there.groupby(["cert", "day"])
    # Where most of the day's records agree, only those that differ are told: one mistyped district is one finding.
    here = there.groupby(["cert", "day", "area_code"])["unit"].transform("size")
    elsewhere = _several(groups["area_code"]) & (here * 2 <= groups["unit"].transform("size")).to_numpy()
    places = elsewhere | (_several(groups["dept"]) & _several(groups["subject"]))
    distinct = there.drop_duplicates(["cert", "day", "subject"]).groupby(["cert", "day"]).size()
    count = distinct.reindex(pd.MultiIndex.from_frame(there[["cert", "day"]])).to_numpy()
    many = count > night.history.limits.subjects_a_day
    return {
        "_two_places": _of_records(night, there["unit"][places]),
        "_many_subjects": _of_records(night, there["unit"][many]),
    }


def _is(night: Night, rows: pd.DataFrame, name: str, value: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    same = pc.fill_null(pc.equal(night.column(name), value), False)
    return np.asarray(same.to_numpy(), dtype=bool)[rows.index]


def _twice(night: Night) -> dict[str, Flags]:
    """A department's two records on one item of one subject on one day: no repeated check of one object for one item."""
    rows = night.rows
    told = rows[(rows["subject"] != -1) & (rows["item_code"] >= 0) & (rows["day"] >= 0)]
    odd = _several(told.groupby(["dept", "subject", "item_code", "day"])["unit"])
    flags = np.zeros(len(rows), dtype=np.int8)
    flags[told.index[odd]] = 1
    return {"_checked_twice": flags}


# ── against earlier nights ──────────────────────────────────────────────────────────────────────────────────────────


def _ceiling(night: Night) -> dict[str, Flags]:
    """New checks of an enterprise beyond the year's ceiling of its department; 个案检查 does not count."""
    heads, limits = night.records, night.history.limits
    market = identifiers.uscc_market(night.column("uscc"))[heads.index]
    told = heads[market & (heads["day"] >= 0) & ~_is(night, heads, "check_kind", CASE)]
    known = pc.is_in(night.column("record_key"), night.history.versions.column("record_key").combine_chunks())
    new = told[~np.asarray(known.to_numpy(), dtype=bool)[told.index]]
    year = night.column("inspect_date").take(pa.array(new.index.to_numpy()))
    new = new.assign(year=pc.year(year).to_numpy())
    nth = new.groupby(["dept", "uscc", "year"]).cumcount().to_numpy() + 1 + _earlier(night, new)
    return {"_over_ceiling": _of_records(night, new["unit"][nth > limits.yearly_checks])}


def _earlier(night: Night, new: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Checks of the same subject by the same department in the same year that earlier nights brought."""
    checks = night.history.checks.to_pandas().set_index(["dept", "subject", "year"])["checks"]
    keys = np.array([key for key, _, _ in night.spans], dtype=object)
    uscc = night.column("uscc").take(pa.array(new.index.to_numpy())).to_pandas()
    wanted = pd.MultiIndex.from_arrays([keys[new["dept"]], uscc.astype(object), new["year"]])
    return checks.reindex(wanted).fillna(0).to_numpy(dtype=np.int64)


_OVER_TIME = ("_went_back", "_reopened", "_finish_back", "_entered_back", "_other_subject")


def _over_time(night: Night) -> dict[str, Flags]:
    """What changed against the newest accepted version of the same record, and should not without a person's look."""
    flags = {name: np.zeros(len(night.rows), dtype=np.int8) for name in _OVER_TIME}
    old = night.history.versions.to_pandas()
    keys = as_text(night.column("record_key"))
    again = np.flatnonzero(
        np.asarray(pc.is_in(keys, pa.array(old["record_key"].unique(), pa.string())).to_numpy(zero_copy_only=False))
    )
    if not len(again):
        return flags
    now = _now(night, again)
    before = old.drop_duplicates("record_key").set_index("record_key").reindex(now["record_key"].to_numpy())
    for name, field in (("_finish_back", "finish_date"), ("_entered_back", "entered_at")):
        flags[name][again] = (now[field].to_numpy() < pd.to_datetime(before[field]).to_numpy()).astype(np.int8)
    other = (now["uscc"] != before["uscc"].to_numpy()) & now["uscc"].notna() & before["uscc"].notna().to_numpy()
    flags["_other_subject"][again] = other.to_numpy(dtype=np.int8)
    pair = ["record_key", "item_code"]
    then, here = _stages(old, pair), _stages(now, pair)
    then = then.reindex(pd.MultiIndex.from_frame(now[pair]))
    here = here.reindex(pd.MultiIndex.from_frame(now[pair]))
    was_open, known = then["open"].eq(True).to_numpy(), then["open"].notna().to_numpy()
    reopened = known & ~was_open & here["open"].eq(True).to_numpy()
    back = (then["stage"] == DECIDED).to_numpy() & (here["stage"] == ORDERED).to_numpy()
    flags["_reopened"][again], flags["_went_back"][again] = reopened, back
    return flags


def _now(night: Night, places: Any) -> pd.DataFrame:
    names = ["record_key", "uscc", "item_code", "result", "follow_up", "finish_date", "entered_at"]
    now = pa.table({name: night.column(name).take(pa.array(places)) for name in names}).to_pandas(date_as_object=False)
    now["stage"] = [stage(r, f) for r, f in zip(_none(now["result"]), _none(now["follow_up"]), strict=True)]
    return now


def _none(values: pd.Series) -> list[str | None]:
    return [v if isinstance(v, str) and v.strip() else None for v in values]


def _stages(items: pd.DataFrame, pair: list[str]) -> pd.DataFrame:
    """(record, item) → how far its handling went, and whether it is still open."""
    told = items.assign(open=items["stage"] == OPEN)
    return told.groupby(pair).agg(stage=("stage", "max"), open=("open", "max"))


def _volume(night: Night) -> dict[str, Flags]:
    """A sender's number of records against the same weekday of the last weeks; told on its first row."""
    limits, odd = night.history.limits, np.zeros(len(night.rows), dtype=np.int8)
    past = night.history.volumes.to_pandas(date_as_object=False)
    since = pd.Timestamp(night.day - timedelta(weeks=limits.weeks))
    past = past[(past["day"] >= since) & (past["day"] < pd.Timestamp(night.day))]
    past = past[past["day"].dt.weekday == night.day.weekday()]
    for key, start, end in night.spans:
        units = past.loc[past["dept"] == key, "units"]
        count = night.rows["unit"].iloc[start:end].nunique()
        usual = float(units.median()) if len(units) >= FEWEST_WEEKDAYS else None
        if usual is None or max(count, usual) < limits.volume_from or start == end:
            continue
        odd[start] = not usual / limits.volume_times <= count <= usual * limits.volume_times
    return {"_volume_odd": odd}


def _shares(night: Night) -> dict[str, Flags]:
    """A code's share among a sender's rows against the last weeks; told on its first row, for each field apart."""
    past = night.history.shares.to_pandas()
    flags = {f"_shift_{name}": np.zeros(len(night.rows), dtype=np.int8) for name in SHARE_FIELDS}
    for name in SHARE_FIELDS:
        column = night.column(name)
        for key, start, end in night.spans:
            then = past[(past["dept"] == key) & (past["field"] == name)].set_index("code")["rows"]
            here = column.slice(start, end - start).to_pandas().value_counts()
            flags[f"_shift_{name}"][start : start + 1] = _shifted(then, here, night.history)
    return flags


def _shifted(then: pd.Series, here: pd.Series, history: History) -> bool:
    limits = history.limits
    if min(then.sum(), here.sum()) < limits.share_from:
        return False
    moved = (here / here.sum()).sub(then / then.sum(), fill_value=0.0).abs()
    return bool(moved.max() > limits.share_shift)


_FACTS: tuple[Callable[[Night], dict[str, Flags]], ...] = (
    _joint, _people, _twice, _ceiling, _over_time, _volume, _shares,
)  # fmt: skip
