"""What the office reads: balance, scorecard, returned workbooks, bulletins, and their renderers.

Belongs here: figures from the ledger alone, and how they are shown. Must not: changing any state, contents of records.
"""
