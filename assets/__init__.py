"""DAGSTER SHELL: each asset takes the partition, calls the core, and returns metadata and checks.

Belongs here: adapters of at most 20 lines, Chinese descriptions. Must not: data logic, SQL, HTTP, GX at import.
"""
