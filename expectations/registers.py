"""Facts against the county's registers that a person should look at: tasks and their members, plans' years, subjects' names.

Belongs here: helper columns of a frame, each 0 or 1. Must not: Great Expectations, verdicts, facts across rows.
What is not in a register has a rule of its own (INS-015, INS-020) and counts as 0 here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.settings import Department
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.normalize import clean_name


def add_registers(frame: pd.DataFrame, lists: Lists, departments: Sequence[Department]) -> None:
    """Of rows whose `_dept` is one of the departments: `_task_stranger`, `_task_outside`, `_plan_year`, `_name_differs`, `_led_elsewhere`."""
    day = frame["inspect_date"]
    tasks = _by_key(lists, "tasks", "task_id").reindex(frame["task_id"].to_numpy())
    tasks.index = frame.index
    members = tasks["depts"].str.cat(tasks["lead_dept"].astype("str"), sep=";", na_rep="")
    named = members.notna() & (members.str.strip(";") != "")
    part = _pairs(frame["_dept"], frame["task_id"]).isin(_members(lists))
    frame["_task_stranger"] = (named & ~part).astype("int8")
    outside = (day < _day(tasks["start"])) | (day > _day(tasks["end"]))
    frame["_task_outside"] = outside.astype("int8")
    year = _by_key(lists, "plans", "plan_id")["year"].reindex(frame["plan_id"].to_numpy()).to_numpy()
    said = pd.to_numeric(pd.Series(year, index=frame.index), errors="coerce")
    frame["_plan_year"] = (said.notna() & day.notna() & (said != day.dt.year)).astype("int8")
    _add_names(frame, lists)
    names = pd.MultiIndex.from_tuples([(d.key, name) for d in departments for name in d.names])
    elsewhere = ~_pairs(frame["_dept"], frame["lead_dept"]).isin(names) & frame["lead_dept"].notna()
    frame["_led_elsewhere"] = (frame["joint"].eq(False).fillna(False).astype("bool") & elsewhere).astype("int8")


def _pairs(left: pd.Series, right: pd.Series) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([left, right])


def _members(lists: Lists) -> pd.MultiIndex:
    """(department, task) for every department that takes part in the task or leads it."""
    tasks = _by_key(lists, "tasks", "task_id").reset_index()
    depts = tasks["depts"].astype("str").fillna("").str.split(";")
    taking_part = tasks.assign(member=depts).explode("member")[["member", "task_id"]]
    leading = tasks[["lead_dept", "task_id"]].set_axis(["member", "task_id"], axis=1)
    return pd.MultiIndex.from_frame(pd.concat([taking_part, leading]).dropna())


def _add_names(frame: pd.DataFrame, lists: Lists) -> None:
    listed = pd.Series(_names(lists, frame["uscc"]).reindex(frame["uscc"].to_numpy()).to_numpy(), index=frame.index)
    said = frame["subject_name"]
    frame["_name_differs"] = (listed.notna() & said.notna() & (listed != said)).astype("int8")


def _by_key(lists: Lists, name: str, key: str) -> pd.DataFrame:
    """A register by its number; a number that stands twice says nothing."""
    table = getattr(lists, name).to_pandas()
    return table[table[key].notna() & ~table.duplicated(key, keep=False)].set_index(key)


def _names(lists: Lists, wanted: pd.Series) -> pd.Series:
    """Registered names by USCC in the form in which records are compared; a code with two names says nothing."""
    codes = pa.array(wanted.dropna().unique(), pa.string())
    subjects = lists.subjects.filter(pc.is_in(lists.subjects.column("uscc"), codes))
    names = pd.Series(clean_name(subjects.column("name")).to_pandas().to_numpy(), dtype="str")
    frame = pd.DataFrame({"uscc": subjects.column("uscc").to_pandas(), "name": names}).dropna().drop_duplicates()
    return frame[~frame.duplicated("uscc", keep=False)].set_index("uscc")["name"]


def _day(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, format="%Y-%m-%d", errors="coerce")
