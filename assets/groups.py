"""Groups of assets in the UI, and what all assets have in common: days, owner, tags.

Belongs here: names that an operator sees beside an asset. Must not: which asset is in which group.
The UI lists groups by name, so the number keeps them in the order of a night.
"""

from typing import Any

from assets.partitions import DAYS, MANY_DAYS

GATE = "0_gate"
SOURCE = "1_source"
STANDARD = "2_standard"
QUALITY = "3_quality"
LEDGER = "4_ledger"
RETURNED = "5_returned"
DELIVERY = "6_delivery"
RECONCILE = "7_reconcile"
REPORT = "8_report"


def common(group: str, owner: str, **tags: str) -> dict[str, Any]:
    """Arguments of every asset. owner: who answers for it, as people call it; tags: further tags `zz/<name>`."""
    number, _, stage = group.partition("_")
    found = {"zz/step": number, "zz/stage": stage} | {f"zz/{name}": value for name, value in tags.items()}
    return {
        "group_name": group,
        "owners": [f"team:{owner}"],
        "tags": found,
        "partitions_def": DAYS,
        "backfill_policy": MANY_DAYS,
    }
