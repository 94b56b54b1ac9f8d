"""THE CORE: what a supervision record is and how it moves from a department to the platforms.

Belongs here: the standard, sources, ledger, delivery protocol, reconciliation, reports.
Must not be here: Dagster, Great Expectations, or anything of another room (`definitions.py` excepted).
"""
