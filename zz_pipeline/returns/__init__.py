"""退回清单: what was returned goes back to its department as a workbook, and comes back from it.

Belongs here: nothing; see `units` (what is open), `workbook` (writing), `inbox` (coming back), `replay` (again from the archive).
Must not: anything at import.
"""
