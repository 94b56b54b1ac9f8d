"""alerts: what was told last, the messages about it, and their way over each channel

Belongs here: one step of the schema, up and down. Must not: data rules, imports of the current schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema up by this step."""
    op.create_table(
        "alert_state",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("dept", sa.String(length=8), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("told_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "alert_message",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("dept", sa.String(length=8), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("planned", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "alert_sending",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("sent_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.CheckConstraint("state in ('waiting', 'sent', 'failed')", name="known_sending_state"),
        sa.ForeignKeyConstraint(["message_id"], ["alert_message.id"]),
        sa.PrimaryKeyConstraint("message_id", "channel"),
    )
    op.create_index("alert_sending_due", "alert_sending", ["state", "next_at"])


def downgrade() -> None:
    """Take this step back."""
    op.drop_index("alert_sending_due", "alert_sending")
    for table in ("alert_sending", "alert_message", "alert_state"):
        op.drop_table(table)
