"""The business database: what was pulled, accepted, sent, answered; and the audit chain that proves it.

Belongs here: schema, migrations, transactions, queries on our own state.
Must not: HTTP, a decision about publishing, a platform's wire, report texts.
"""
