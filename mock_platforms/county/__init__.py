"""A sample county: its subjects, plans, inspections, planted defects, and 25 departments' own systems.

Belongs here: invented people and companies that look invented, the manifest of what was planted and what is expected.
Must not: anything of the pipeline; real persons, phones or addresses.
"""
