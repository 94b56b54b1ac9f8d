"""The rules as data, one module for each kind of record.

Belongs here: numbers, texts, sources and effects of rules. Must not: conditions, Great Expectations.
"""
