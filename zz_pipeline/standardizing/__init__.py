"""Parts of `zz_pipeline.standardize`: issues, columns, repetitions, credit items.

Belongs here: helpers of that module. Must not: an entry of their own; callers import `zz_pipeline.standardize`.
"""
