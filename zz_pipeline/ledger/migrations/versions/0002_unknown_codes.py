"""the queue of unknown values

Belongs here: one step of the schema, up and down. Must not: data rules, imports of the current schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema up by this step."""
    op.create_table(
        "unknown_code",
        sa.Column("dept", sa.String(length=8), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("raw", sa.String(length=200), nullable=False),
        sa.Column("set", sa.String(length=40), nullable=False),
        sa.Column("first_seen", sa.Float(), nullable=False),
        sa.Column("last_seen", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=True),
        sa.CheckConstraint("state in ('OPEN', 'MAPPED', 'IGNORED')", name="known_unknown_state"),
        sa.PrimaryKeyConstraint("dept", "field", "raw"),
    )


def downgrade() -> None:
    """Take this step back."""
    op.drop_table("unknown_code")
