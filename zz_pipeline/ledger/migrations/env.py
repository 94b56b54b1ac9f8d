"""Alembic's environment: runs inside the connection that `Ledger.migrate` hands over.

Belongs here: nothing but the hand-over. Must not: URLs, settings, offline mode.
"""

from alembic import context

from zz_pipeline.delivery import points
from zz_pipeline.ledger.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
    on_version_apply=lambda **_: points.reach("migrate:step"),
)
context.run_migrations()
