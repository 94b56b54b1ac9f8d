"""Tables of the alerts, and the metadata to which all tables of the business database belong.

Belongs here: what was told last, the messages, their way over each channel. Must not: queries, other tables.
Times are Unix seconds (float) of the pipeline's clock; JSON is text.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

# The troubles as they were told last: the same state again says nothing.
alert_state = Table(
    "alert_state",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("dept", String(8), nullable=False),  # empty: the office
    Column("severity", String(8), nullable=False),
    Column("size", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("told_at", Float, nullable=False),
)

# What was to be said, in words; it never changes.
alert_message = Table(
    "alert_message",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dept", String(8), nullable=False),  # empty: the office
    Column("entries", Text, nullable=False),  # JSON list: change, label, severity, title, text, since
    Column("at", Float, nullable=False),
    Column("planned", Boolean, nullable=False, default=False),  # it was seen which channels it goes over
)

alert_sending = Table(
    "alert_sending",
    metadata,
    Column("message_id", Integer, primary_key=True),
    Column("channel", String(8), primary_key=True),  # mail | webhook
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Float, nullable=False, default=0.0),
    Column("sent_at", Float),
    Column("error", Text, nullable=False, default=""),  # Chinese, without addresses and secrets
    CheckConstraint("state in ('waiting', 'sent', 'failed')", name="known_sending_state"),
    ForeignKeyConstraint(["message_id"], ["alert_message.id"]),
    Index("alert_sending_due", "state", "next_at"),
)
