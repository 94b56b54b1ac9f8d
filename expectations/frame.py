"""A standard table → the pandas frame that the expectations look at: its fields, and helper columns that GX cannot join.

Belongs here: helper columns (names begin with `_`) from the lists, from list cells, from the day and the department.
Must not: Great Expectations, verdicts. A helper says a fact (`_certs_expired` = 1); whether it is right is the suite's.
Rows of several senders are made one frame together: a county has 25 senders with few rows each, and pandas costs by
the operation (25 frames of 20 rows took 2.0 s of processor time, one frame of 500 rows 0.1 s).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.registers import add_registers
from zz_pipeline.settings import Department
from zz_pipeline.standard import identifiers
from zz_pipeline.standard.lists import Lists

ITEM_IN_USE = ("01", "在用")
ASSISTANT = ("05", "执法辅助人员")
CERT_VALID, CERT_REVOKED = "有效", "失效"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the facts are measured against: the county's lists, the sender, the data's day and the wall time.

    `regions`: six-digit regions, and two-digit provinces that are known as a whole (`CodeBook.uscc_regions`).
    """

    lists: Lists
    department: Department
    day: date
    now: datetime
    regions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Senders:
    """The departments in a frame, and for each of its rows the place of its sender among them."""

    departments: tuple[Department, ...]
    of_row: np.ndarray[Any, np.dtype[np.int64]]

    def each(self, values: Callable[[Department], str]) -> Any:
        """A text of each row's sender."""
        return np.array([values(d) for d in self.departments], dtype=object)[self.of_row]


def inspection_frame(table: pa.Table, senders: Senders, setting: Setting) -> pd.DataFrame:
    """The frame of the inspection suite; row n of the frame is row n of the table. `setting.department` is not asked."""
    frame = _plain(table, blank_is_absent=False)
    _add_sender(frame, senders, setting)
    _add_unit(frame, table)
    _add_uscc(frame, setting)
    _add_dates(frame, setting)
    _add_inspectors(frame, table, setting)
    _add_items(frame, setting)
    _add_plans(frame, setting)
    add_registers(frame, setting.lists, senders.departments)
    return frame


def rating_frame(table: pa.Table, senders: Senders, setting: Setting) -> pd.DataFrame:
    """The frame of the rating suite."""
    del senders
    frame = _plain(table)
    _add_uscc(frame, setting)
    for name in ("rated_at", "valid_until"):
        frame[f"_{name}"] = _moment(frame[name])
        frame[f"_{name}_day"] = frame[f"_{name}"].dt.normalize()
    frame["_now"] = pd.Series(np.full(len(frame), np.datetime64(setting.now, "us")), index=frame.index)
    return frame


def repair_frame(table: pa.Table, senders: Senders, setting: Setting) -> pd.DataFrame:
    """The frame of the repair suite; nothing but its fields."""
    del senders, setting
    return _plain(table)


def _plain(table: pa.Table, *, blank_is_absent: bool = True) -> pd.DataFrame:
    """Scalar fields. A blank text of an inspection is a breach: on the wire it is neither empty nor a value."""
    scalars = [n for n in table.column_names if not pa.types.is_list(table.schema.field(n).type)]
    frame = table.select(scalars).to_pandas(date_as_object=False)
    for name in scalars:
        if pa.types.is_string(table.schema.field(name).type):
            text = frame[name].astype("str")
            frame[name] = text.mask(text.str.strip() == "") if blank_is_absent else text
    return frame


def _add_unit(frame: pd.DataFrame, table: pa.Table) -> None:
    """`_unit`: what counts as one record, told apart by sender too, since several senders are checked in one frame."""
    usable = identifiers.record_key(table.column("record_key"))
    rows = frame["source_file"].astype("str").fillna("") + "#" + frame["source_row"].astype("str")
    frame["_unit"] = frame["_dept"] + "/" + frame["record_key"].where(usable, rows)
    labels = frame[["_unit", "item_code", "result"]].drop_duplicates()
    frame["_details"] = frame["_unit"].map(labels.groupby("_unit").size()).astype("int64")


def _add_sender(frame: pd.DataFrame, senders: Senders, setting: Setting) -> None:
    frame["_dept"] = pd.Series(senders.each(lambda d: d.key), index=frame.index, dtype="str")
    frame["_dept_uscc"] = pd.Series(senders.each(lambda d: d.uscc), index=frame.index, dtype="str")
    frame["_suffix"] = "-" + frame["_dept"] + "-" + frame["record_no"]
    frame["_area_known"] = _region_known(frame["area_code"], setting.regions)


def _region_known(values: pd.Series, regions: Collection[str]) -> pd.Series:
    digits = values.str.fullmatch(r"[0-9]{6}", na=False)
    known = values.isin([r for r in regions if len(r) == 6]) | values.str[:2].isin([r for r in regions if len(r) == 2])
    return (known & digits).where(values.notna())


def _add_uscc(frame: pd.DataFrame, setting: Setting) -> None:
    """`_uscc_shape`: what was written into the code's column; null where it is empty."""
    uscc = frame["uscc"]
    shape = np.select(
        [
            identifiers.resident_id_trap(uscc, setting.regions, setting.day),
            identifiers.fifteen_digits(uscc),
            identifiers.uscc_market(uscc),
        ],
        ["resident", "old15", "market"],
        default="other",
    )
    frame["_uscc_shape"] = pd.Series(shape, index=frame.index, dtype="str").where(uscc.notna())
    frame["_uscc_region"] = identifiers.uscc_region(uscc, setting.regions)
    if "counterpart_code" in frame:
        # The usual case is that both are one number: then one finding on the subject's code is enough.
        code = frame["counterpart_code"]
        frame["_counterpart_own"] = code.where(code != uscc)


def _add_dates(frame: pd.DataFrame, setting: Setting) -> None:
    """`_last_day`: a row changed within the partition cannot speak of a later day; a row without change time only of now."""
    day, today = np.datetime64(setting.day, "s"), np.datetime64(setting.now.date(), "s")
    last = np.where(frame["changed_at"].notna(), min(day, today), today)
    frame["_last_day"] = pd.Series(last, index=frame.index)
    frame["_now"] = pd.Series(np.full(len(frame), np.datetime64(setting.now, "s")), index=frame.index)
    frame["_entered_day"] = frame["entered_at"].dt.normalize()


def _moment(values: pd.Series) -> pd.Series:
    """`YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS` as a moment; NaT where it is neither, or no real date."""
    day = values.where(values.str.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", na=False))
    full = values.where(values.str.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", na=False))
    first = pd.to_datetime(day, format="%Y-%m-%d", errors="coerce")
    return first.fillna(pd.to_datetime(full, format="%Y-%m-%d %H:%M:%S", errors="coerce"))


# ── inspectors ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _add_inspectors(frame: pd.DataFrame, table: pa.Table, setting: Setting) -> None:
    """Counts for each row: names, certificates, and certificates that are repeated, malformed, unknown, expired …"""
    names, certs = _exploded(table, "inspector_names"), _exploded(table, "inspector_certs")
    blank_names, blank_certs = names[names["value"].isna()], certs[certs["value"].isna()]
    names, certs = names.dropna(subset=["value"]), certs.dropna(subset=["value"])
    # Platform ② gets the names as one comma list: a comma inside a name would be one name more there.
    commas = names.loc[names.index.repeat(names["value"].str.count(",").astype("int64"))]
    frame["_names"], frame["_certs"] = _count(frame, names) + _count(frame, commas), _count(frame, certs)
    frame["_inspectors"] = frame[["_names", "_certs"]].min(axis=1)
    certs = certs.merge(names, on=["row", "place"], how="left", suffixes=("", "_said"))
    sender = certs["row"].map(frame["_dept"])
    listed_as = _listed(certs["value"], sender, setting)
    certs = pd.concat([certs, listed_as], axis=1)
    day = certs["row"].map(frame["inspect_date"])
    listed = certs["cert_no"].notna()
    facts = {
        "repeated": certs.duplicated(["row", "value"]),
        "malformed": ~pd.Series(identifiers.cert_no(certs["value"]), index=certs.index),
        "unknown": ~listed | (certs["dept"] != sender),
        "misnamed": listed & certs["value_said"].notna() & (certs["value_said"] != certs["name"]),
        "expired": listed & ~_valid_on(certs, day),
        "assistants": listed & certs["nature"].isin(ASSISTANT),
    }
    for name, broken in facts.items():
        frame[f"_certs_{name}"] = _count(frame, certs[broken.to_numpy(dtype=bool)])
    # An entry that says nothing would be a person without a name, or a name without a certificate, on the wire.
    frame["_certs_misnamed"] += _count(frame, blank_names)
    frame["_certs_malformed"] += _count(frame, blank_certs)


def _valid_on(certs: pd.DataFrame, day: pd.Series) -> pd.Series:
    """Valid on that day: not revoked, begun, and either not ended or without an end but marked 有效; no day, no verdict."""
    begun = certs["valid_from"].isna() | (certs["from"] <= day)
    open_end = certs["valid_until"].isna() & (certs["status"] == CERT_VALID)
    lasting = (certs["until"] >= day) | open_end
    return day.isna() | ((certs["status"] != CERT_REVOKED) & begun & lasting)


def _exploded(table: pa.Table, name: str) -> pd.DataFrame:
    """A list column as (row, place in the list, value); a blank entry is null, but keeps its place."""
    column: Any = table.column(name).combine_chunks()
    array = column if isinstance(column, pa.Array) else pa.concat_arrays(column.chunks)
    rows = pc.list_parent_indices(array).to_numpy(zero_copy_only=False)
    values = pd.Series(pc.list_flatten(array).to_pandas(), dtype="str")
    flat = pd.DataFrame({"row": rows.astype("int64"), "value": values})
    flat["place"] = flat.groupby("row").cumcount()
    flat["value"] = flat["value"].mask(flat["value"].str.strip() == "")
    return flat


def _count(frame: pd.DataFrame, flat: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.bincount(flat["row"].to_numpy(dtype=np.int64), minlength=len(frame)).astype(np.int64)


def _listed(certs: pd.Series, sender: pd.Series, setting: Setting) -> pd.DataFrame:
    """Each certificate's line of the list, null where there is none; of several the sender's own line speaks first."""
    listed = setting.lists.inspectors.to_pandas()
    listed["from"], listed["until"] = _moment(listed["valid_from"]), _moment(listed["valid_until"])
    one = listed.drop_duplicates("cert_no")
    own = listed.drop_duplicates(["cert_no", "dept"])
    pairs = pd.MultiIndex.from_frame(own[["cert_no", "dept"]])
    place = pairs.get_indexer(pd.MultiIndex.from_arrays([certs, sender]))
    other = pd.Index(one["cert_no"]).get_indexer(pd.Index(certs))
    at = np.where(place >= 0, own.index.to_numpy()[place], np.where(other >= 0, one.index.to_numpy()[other], -1))
    return listed.reindex(at).set_axis(certs.index)


# ── items, plans, tasks ─────────────────────────────────────────────────────────────────────────────────────────────


def _add_items(frame: pd.DataFrame, setting: Setting) -> None:
    """Membership in the department's own items; null where an earlier rule already speaks (no code, not listed)."""
    items = setting.lists.items.to_pandas()
    code = frame["item_code"].where(identifiers.item_code(frame["item_code"]))
    own = pd.DataFrame({"dept": frame["_dept"], "item_code": code, "implement_code": frame["implement_code"]})
    listed = _among(own, items, "dept", "item_code")
    frame["_item_listed"] = listed.where(code.notna())
    in_use = _among(own, items[items["status"].isin(ITEM_IN_USE)], "dept", "item_code")
    frame["_item_in_use"] = in_use.where(listed)
    given = items.dropna(subset=["implement_code"])
    matched = _among(own, given, "dept", "item_code", "implement_code")
    comparable = _among(own, given, "dept", "item_code") & frame["implement_code"].notna()
    frame["_implement_listed"] = matched.where(comparable)


def _among(rows: pd.DataFrame, register: pd.DataFrame, *names: str) -> pd.Series:
    """Whether a row's values of those columns stand together in a line of the register; never where one is missing."""
    whole = register.dropna(subset=list(names))
    there = pd.MultiIndex.from_frame(rows[list(names)]).isin(pd.MultiIndex.from_frame(whole[list(names)]))
    return pd.Series(there, index=rows.index) & rows[list(names)].notna().all(axis=1)


def _add_plans(frame: pd.DataFrame, setting: Setting) -> None:
    """Whether plan and task are registered, and the task under that plan; null where the number itself is unusable."""
    plans, tasks = setting.lists.plans.to_pandas(), setting.lists.tasks.to_pandas()
    plan = frame["plan_id"].where(identifiers.plan_id(frame["plan_id"]))
    task = frame["task_id"].where(identifiers.task_id(frame["task_id"]))
    frame["_plan_listed"] = plan.isin(plans["plan_id"]).where(plan.notna())
    listed = task.isin(tasks["task_id"])
    under = tasks.dropna(subset=["plan_id"])
    pairs = pd.MultiIndex.from_frame(under[["task_id", "plan_id"]])
    matched = pd.MultiIndex.from_frame(pd.DataFrame({"t": task, "p": plan})).isin(pairs)
    foreign = task.isin(under["task_id"]) & plan.notna() & ~matched
    frame["_task_listed"] = (listed & ~foreign).where(task.notna())
