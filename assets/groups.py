"""Groups of assets in the UI. The UI lists them by name, so the number keeps them in the order of a night.

Belongs here: the names. Must not: which asset is in which group.
"""

SOURCE = "1_source"
STANDARD = "2_standard"
QUALITY = "3_quality"
LEDGER = "4_ledger"
RETURNED = "5_returned"
DELIVERY = "6_delivery"
RECONCILE = "7_reconcile"
REPORT = "8_report"
