"""A small county whose departments hand in hostile files: its departments, its lists, one good row.

Belongs here: what a clerk's good table looks like, and the settings that read it. Must not: hostile files, expectations.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

from tests.quality.rows import company
from zz_pipeline.settings import CHECKOUT, Department, Settings, load_settings
from zz_pipeline.standard.lists import LISTS

DAY = date(2026, 11, 20)
# key → (short name, how its files are read)
SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "JGB": ("县样例甲局", {"kind": "csv", "encoding": "gb18030", "pattern": "*.csv"}),
    "JUT": ("县样例乙局", {"kind": "csv", "encoding": "utf-8-sig", "pattern": "*.csv"}),
    "JBK": ("县样例丙局", {"kind": "workbook", "pattern": "*.xlsx"}),
    "JMC": ("县样例丁局", {"kind": "workbook", "pattern": "*.xlsx", "date_system": "1904"}),
    "JPY": ("县样例戊局", {"kind": "csv", "encoding": "gb18030", "pattern": "*.csv"}),
    "JOK": ("县样例己局", {"kind": "csv", "encoding": "utf-8-sig", "pattern": "*.csv"}),
}
HEADED = {
    "record_no": "编号",
    "subject_name": "单位名称",
    "uscc": "信用代码",
    "inspect_date": "检查日期",
    "finish_date": "办结日期",
    "entered_at": "录入时间",
    "inspector_names": "检查人员",
    "inspector_certs": "执法证号",
    "item_code": "事项编码",
    "result": "检查结果",
    "remark": "备注",
}
HEADINGS = (*HEADED.values(), "检查单位", "状态")
PINYIN = ("BH", "DWMC", "XYDM", "JCRQ", "BJRQ", "LRSJ", "JCRY", "ZFZH", "SXBM", "JCJG", "BZ", "JCDW", "ZT")
CONSTANT = {
    "check_kind": "重点检查",
    "joint": "否",
    "object_type": "企业、个体户、农专社",
    "counterpart_nature": "法人",
    "area_code": "周至县",
    "check_form": "日常检查",
    "check_type": "现场检查",
    "check_mode": "重点监管",
    "publishable": "是",
}
ITEM = {key: f"610124000{n:02d}001" for n, key in enumerate(SOURCES, 1)}
CERTS = {key: (f"2701012{n}001", f"2701012{n}002") for n, key in enumerate(SOURCES, 1)}
UNIT = {key: f"11610124YY0{n}000449" for n, key in enumerate(SOURCES, 1)}
PAIR = ("张某", "李某")


def department(key: str) -> Department:
    """A department of the county; JPY writes its headings as initials in ASCII."""
    short, source = SOURCES[key]
    native = dict(zip(HEADINGS, PINYIN if key == "JPY" else HEADINGS, strict=True))
    columns: dict[str, dict[str, str]] = {name: {"heading": native[h]} for name, h in HEADED.items()}
    for name in ("inspector_names", "inspector_certs"):
        columns[name]["split"] = "、"
    columns |= {name: {"constant": value} for name, value in CONSTANT.items()}
    columns["lead_dept"] = {"constant": short}
    return Department.model_validate(
        {
            "key": key,
            "name": short.replace("县", "周至县", 1),
            "short": short,
            "uscc": UNIT[key],
            "owner_column": native["检查单位"],
            "void_column": native["状态"],
            "void_values": ("作废",),
            "columns": columns,
            "source": source,
        }
    )


def county(home: Path) -> Settings:
    """The checkout's configuration with these departments alone (and the lead of credit), their lists and inboxes."""
    found = load_settings(CHECKOUT / "config", home, env={})
    lead = {found.county.credit_lead: found.departments[found.county.credit_lead]}
    write_lists(home / "lists")
    for key in SOURCES:
        (home / "inbox" / key).mkdir(parents=True, exist_ok=True)
    return found.model_copy(update={"departments": {key: department(key) for key in SOURCES} | lead})


def write_lists(folder: Path) -> None:
    """Items and inspectors of the departments; no plans, tasks or subjects."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, str]]] = {name: [] for name in LISTS}
    for key in SOURCES:
        item = {"item_code": ITEM[key], "item_name": "样例事项", "dept": key, "implement_code": f"{UNIT[key]}4000001"}
        rows["items"].append(item | {"status": "在用"})
        for cert, name in zip(CERTS[key], PAIR, strict=True):
            person = {"cert_no": cert, "name": name, "dept": key, "nature": "01", "status": "有效"}
            rows["inspectors"].append(person | {"valid_from": "2024-01-01", "valid_until": "2029-12-31"})
    for name, columns in LISTS.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows[name])


def good(key: str, number: int, **changes: Any) -> list[Any]:
    """A good row of a department under `HEADINGS`; another subject for each number."""
    cells: dict[str, Any] = {
        "编号": f"{key}{number:06d}",
        "单位名称": f"周至县样例{number}号有限公司",
        "信用代码": company(number + 1000),
        "检查日期": "2026-11-20",
        "办结日期": "2026-11-20",
        "录入时间": "2026-11-20 17:20:00",
        "检查人员": "、".join(PAIR),
        "执法证号": "、".join(CERTS[key]),
        "事项编码": ITEM[key],
        "检查结果": "未发现问题",
        "备注": "",
        "检查单位": SOURCES[key][0],
        "状态": "正常",
    }
    if unknown := changes.keys() - cells.keys():
        raise KeyError(f"no such heading: {unknown}")
    return list((cells | changes).values())
