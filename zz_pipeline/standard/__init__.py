"""What a record is: tables, codes, identifiers, working days, publishing rules, masking.

Belongs here: knowledge of the standard as data and pure, vectorised functions over it.
Must not: IO beyond loading the county's own tables, network, database, Dagster, GX.
"""
