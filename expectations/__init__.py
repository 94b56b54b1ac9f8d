"""WHAT IS TRUE of good data: the rule catalogue and the Great Expectations suites, as code.

Belongs here: rules, conditions, suites, and `run.py`, the only place with a GX context.
Must not be here: the split into accepted and quarantined (`zz_pipeline.quality`), Dagster, sources, the ledger, platforms.
"""
