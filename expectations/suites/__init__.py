"""GX suites as code, one module for each kind of record.

Belongs here: expectations with `meta={"rule": …}`. Must not: texts of rules (`rules/`), a GX context (`run.py`).
Everything here imports Great Expectations, which costs seconds: only `run.py` imports it, inside functions.
"""
