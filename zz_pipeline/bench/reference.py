"""What a delivery is measured against: the script a department would write with pandas and requests.

Belongs here: one platform, read, build records, post. Must not: anything that makes the pipeline worth its cost: no
checks, no ledger, no signatures, no receipts, no second look at what was answered.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from zz_pipeline.bench.town import HEADINGS, TABLE

if TYPE_CHECKING:
    from zz_pipeline.bench.run import Clocks

A_BATCH = 200


def reference(clocks: Clocks, *, sources: dict[str, str], names: dict[str, list[str]], url: str) -> None:
    """Read each department's SQLite database and post all of it to ①. sources: key → file; names: key → name, code."""
    import pandas as pd
    import requests

    sent = 0
    with clocks.measured():
        session = requests.Session()
        session.trust_env = False
        for dept, path in sources.items():
            with sqlite3.connect(path) as db:
                rows = pd.read_sql(f'SELECT * FROM "{TABLE}"', db).to_dict("records")  # noqa: S608 - a constant
            for start in range(0, len(rows), A_BATCH):
                records = [_record(dept, row, *names[dept]) for row in rows[start : start + A_BATCH]]
                body = {"batchNo": f"R-{dept}-{start}", "records": records}
                answer = session.post(f"{url}/api/v1/inspection-results", json=body, timeout=60)
                answer.raise_for_status()
                if answer.json()["code"] != "0000":
                    raise SystemExit("the platform refused a batch")
                sent += len(records)
    clocks.told["deliveries"] = sent


def _record(dept: str, row: dict[Any, Any], name: str, code: str) -> dict[str, Any]:
    said = {field: row[heading] or "" for field, heading in HEADINGS.items()}
    people = zip(said["inspector_names"].split("、"), said["inspector_certs"].split("、"), strict=True)
    return {
        "recordKey": f"610124-{dept}-{said['record_no']}",
        "operation": "UPSERT",
        "version": 1,
        "raninsPlanId": said["plan_id"],
        "raninsPlaneName": said["plan_name"],
        "raninsTaskId": said["task_id"],
        "raninsTaskName": said["task_name"],
        "raninsTypeName": said["check_kind"],
        "caseReason": "",
        "jointCheck": said["joint"] == "是",
        "leadDept": said["lead_dept"],
        "entName": said["subject_name"],
        "uniCode": said["uscc"],
        "objectType": said["object_type"],
        "objectCode": "",
        "insAuth": name,
        "insAuthCode": code,
        "inspectors": [{"name": person, "certNo": cert} for person, cert in people],
        "insDate": said["inspect_date"],
        "finishDate": said["finish_date"],
        "details": [
            {
                "itemCode": said["item_code"],
                "raninsItemName": said["item_name"],
                "raninsCheckResName": said["result"],
                "remark": said["remark"],
            }
        ],
        "publishable": said["publishable"] == "是",
        "notPublishReason": "",
        "enteredBy": name,
        "enteredByCode": code,
        "enteredAt": said["entered_at"],
    }
