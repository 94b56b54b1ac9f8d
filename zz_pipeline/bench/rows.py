"""Made-up inspection rows in any number, a wanted share of them faulty, and the lists that fit the good ones.

Belongs here: columns drawn as arrays, one fault for each bad record in turn. Must not: files, the ledger, clocks.
The people, companies and numbers are invented; codes lie in the sample block YY.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.settings import Department, SourceSpec
from zz_pipeline.standard.identifiers import INNER_WEIGHTS, USCC_ALPHABET, USCC_WEIGHTS
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.tables import INSPECTION

DAY, NOW = date(2026, 11, 20), datetime(2026, 11, 21, 1, 30)  # noqa: DTZ001 - the county's wall time
ITEMS_A_RECORD = 2
DEPT_USCC = "11610124YY00000449"
DEPARTMENT = Department(
    key="SCJG", name="周至县样例市场监督管理局", short="样例市场监管局", uscc=DEPT_USCC, source=SourceSpec(kind="none")
)
ITEMS, PEOPLE, TASKS, DAYS = 40, 3000, 10, 300
RESULTS = ("NO_ISSUE", "NO_ISSUE", "NO_ISSUE", "CORRECTED", "UNREACHABLE", "NO_ACTIVITY")
Ints = np.ndarray[Any, np.dtype[np.int64]]
Columns = dict[str, Any]


def lists() -> Lists:
    """The lists that the good rows fit."""
    return Lists.of(
        items=[
            {"item_code": c, "item_name": f"样例事项{n}", "dept": "SCJG", "implement_code": i, "status": "在用"}
            for n, (c, i) in enumerate(zip(_item_codes(), _implement_codes(), strict=True))
        ],
        inspectors=[
            {"cert_no": c, "name": n, "dept": "SCJG", "nature": "01", "valid_from": "2020-01-01", "status": "有效"}
            for c, n in zip(_certs(), _names(), strict=True)
        ],
        plans=[{"plan_id": "61012420261000", "plan_name": "样例年度计划", "dept": "SCJG", "year": "2026"}],
        tasks=[
            {"task_id": t, "plan_id": "61012420261000", "task_name": "样例任务", "lead_dept": "SCJG", "depts": "SCJG"}
            for t in _tasks()
        ],
    )


def table(rows: int, bad: float, seed: int = 1) -> pa.Table:
    """`rows` standard rows, two items a record; a share `bad` of the records breaks one rule each."""
    rng = np.random.default_rng(seed)
    records = -(-rows // ITEMS_A_RECORD)
    number = np.arange(records)
    columns = _good(number, rng)
    faulty = rng.permutation(records)[: round(records * bad)]
    for n, spoil in enumerate(FAULTS):
        spoil(columns, faulty[n :: len(FAULTS)])
    return _spread(columns, rows, rng)


def _good(number: Ints, rng: np.random.Generator) -> Columns:
    serial = _texts(number, 7)
    uscc, day = usccs(number), rng.integers(1, DAYS, len(number))
    first = rng.integers(0, PEOPLE, len(number))
    task = rng.integers(0, TASKS, len(number))
    when = np.datetime64(DAY) - day.astype("timedelta64[D]")
    return {
        "record_no": _join("2026-", serial),
        "plan_id": "61012420261000",
        "plan_name": "样例年度计划",
        "task_id": pa.array(_tasks()).take(pa.array(task)),
        "task_name": "样例任务",
        "check_kind": "不定向抽查",
        "case_reason": pa.nulls(len(number), pa.string()),
        "joint": False,
        "lead_dept": DEPARTMENT.name,
        "subject_name": _join("周至县样例", serial, "号有限公司"),
        "uscc": uscc,
        "object_type": "1",
        "counterpart_name": _join("周至县样例", serial, "号有限公司"),
        "counterpart_nature": "02",
        "counterpart_id_type": "001",
        "counterpart_code": uscc,
        "address_operating": _join("周至县二曲街道样例路", serial, "号"),
        "area_code": "610124",
        "first": first,
        "second": (first + 1 + rng.integers(0, PEOPLE - 1, len(number))) % PEOPLE,
        "inspect_date": pa.array(when),
        "finish_date": pa.array(when),
        "check_form": "02",
        "check_type": "01",
        "check_mode": "1",
        "publishable": True,
        "entered_by": "王某",
        "entered_at": pa.array(when.astype("datetime64[s]") + np.timedelta64(17 * 3600, "s")),
        "changed_at": pa.array(np.full(len(number), np.datetime64("2026-11-20T17:20:00"))),
    }


def _set(name: str, value: Any) -> Callable[[Columns, Ints], None]:
    def spoil(columns: Columns, faulty: Ints) -> None:
        whole = columns[name]
        array = whole if isinstance(whole, pa.Array) else pa.repeat(pa.scalar(whole), len(columns["first"]))
        mask = np.zeros(len(array), dtype=bool)
        mask[faulty] = True
        columns[name] = pc.if_else(pa.array(mask), pa.scalar(value, array.type), array)

    return spoil


def _one_person(columns: Columns, faulty: Ints) -> None:
    columns["second"][faulty] = columns["first"][faulty]


# One fault a record, in turn: within a row, against a list, a date, a missing value, a check digit.
FAULTS: tuple[Callable[[Columns, Ints], None], ...] = (
    _set("uscc", "91610124YY000001X3"),
    _one_person,
    _set("plan_id", "6101242026"),
    _set("task_id", "610124202613101001"),
    _set("publishable", None),
    _set("subject_name", None),
    _set("inspect_date", date(2026, 12, 1)),
    _set("area_code", "610199"),
    _set("check_form", "07"),
    _set("case_reason", "群众举报"),
)


def _spread(columns: Columns, rows: int, rng: np.random.Generator) -> pa.Table:
    """Records → rows: every record column repeated for its items, item columns drawn."""
    record = pa.array(np.arange(rows) // ITEMS_A_RECORD)
    item = (np.arange(rows) % ITEMS_A_RECORD) + 2 * (np.arange(rows) // ITEMS_A_RECORD % (ITEMS // 2))
    team = np.stack([columns.pop("first"), columns.pop("second")], axis=1)[record.to_numpy()].ravel()
    made = {name: _column(value, record) for name, value in columns.items()}
    made["record_key"] = pc.binary_join_element_wise("610124-SCJG-", made["record_no"], "")
    for name, values in (("inspector_names", _names()), ("inspector_certs", _certs())):
        flat = pa.array(values).take(pa.array(team))
        made[name] = pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * rows + 1, 2), pa.int32()), flat)
    made["item_code"] = pa.array(_item_codes()).take(pa.array(item))
    made["item_name"] = pa.array([f"样例事项{n}" for n in range(ITEMS)]).take(pa.array(item))
    made["implement_code"] = pa.array(_implement_codes()).take(pa.array(item))
    made["result"] = pa.array(RESULTS).take(pa.array(rng.integers(0, len(RESULTS), rows)))
    made["source_row"] = pa.array(np.arange(rows))
    constants = {"dept": "SCJG", "source_file": "样例.csv", "result_raw": "样例"}
    made |= {name: pa.repeat(pa.scalar(value), rows) for name, value in constants.items()}
    whole = [made[f.name].cast(f.type) if f.name in made else pa.nulls(rows, f.type) for f in INSPECTION.schema]
    return pa.table(whole, schema=INSPECTION.schema)


def _column(value: Any, record: pa.Array) -> pa.Array:
    return value.take(record) if isinstance(value, pa.Array) else pa.repeat(pa.scalar(value), len(record))


def _texts(number: Ints, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(number).cast(pa.string()), width=width, padding="0")


def _join(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def usccs(number: Ints) -> pa.Array:
    """Codes of market entities of block YY whose two check digits hold, by the tables of GB 32100 and GB 11714."""
    digits = _texts(number % 1_000_000, 6).to_numpy(zero_copy_only=False)
    body = np.char.add("YY", digits.astype("U6")).view("U1").reshape(len(number), 8)
    base36 = {char: int(char, 36) for char in "0123456789Y"}
    inner = np.vectorize(base36.__getitem__, otypes=[np.int64])(body) @ np.array(INNER_WEIGHTS)
    check = np.array(list("0123456789X0"))[11 - inner % 11]
    head = np.tile(np.array(list("91610124")), (len(number), 1))
    first = np.concatenate([head, body, check[:, None]], axis=1)
    total = np.vectorize(USCC_ALPHABET.index, otypes=[np.int64])(first) @ np.array(USCC_WEIGHTS)
    last = np.array(list(USCC_ALPHABET))[(31 - total % 31) % 31]
    whole = np.ascontiguousarray(np.concatenate([first, last[:, None]], axis=1)).view("U18").ravel()
    return pa.array(whole, pa.string())


def _item_codes() -> list[str]:
    return [f"6101240001{n:04}" for n in range(ITEMS)]


def _implement_codes() -> list[str]:
    return [f"{DEPT_USCC}4{n:06}" for n in range(ITEMS)]


def _tasks() -> list[str]:
    return [f"61012420260101{n:04}" for n in range(1001, 1001 + TASKS)]


def _certs() -> list[str]:
    return [f"2701{n:07}" for n in range(PEOPLE)]


def _names() -> list[str]:
    return [f"张某{n}" for n in range(PEOPLE)]
