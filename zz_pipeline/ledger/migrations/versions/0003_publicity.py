"""what may be public, and when that ends

Belongs here: one step of the schema, up and down, and what is public already. Must not: data rules, imports of the
current schema. The ends are reckoned by the next night: the county's table of periods is no matter of the schema.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Rows of a public platform that show or may still show their record.
OPEN = "('READY', 'HELD', 'INFLIGHT', 'UNKNOWN', 'ACCEPTED', 'CONFIRMED', 'CONFLICT', 'DEAD')"
NEWEST = f"""
    SELECT o.kind, o.record_key, v.payload FROM outbox o
    JOIN record_version v ON v.kind = o.kind AND v.record_key = o.record_key AND v.version = o.version
    WHERE o.public AND o.op <> 'WITHDRAW' AND o.state IN {OPEN} AND NOT EXISTS (
        SELECT 1 FROM outbox later WHERE later.platform = o.platform AND later.kind = o.kind
        AND later.record_key = o.record_key AND later.version > o.version AND later.state IN {OPEN})
"""  # noqa: S608 - put together from the constants above


def upgrade() -> None:
    """Bring the schema up by this step."""
    table = op.create_table(
        "publicity",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("record_key", sa.String(length=35), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("since", sa.String(length=10), nullable=False),
        sa.Column("until", sa.String(length=19), nullable=False),
        sa.Column("ends", sa.String(length=19), nullable=True),
        sa.Column("rules", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("kind", "record_key"),
    )
    op.create_index("publicity_ends", "publicity", ["ends"])
    op.create_index("publicity_rules", "publicity", ["rules"])
    found = {(kind, key): _row(kind, key, payload) for kind, key, payload in op.get_bind().execute(sa.text(NEWEST))}
    rows = [row for row in found.values() if row]
    if rows:
        op.bulk_insert(table, rows)


def _row(kind: str, key: str, payload: bytes) -> dict[str, str] | None:
    said = json.loads(bytes(payload))
    inspection = kind == "inspection"
    since = str(said.get("finish_date" if inspection else "rated_at") or "")[:10]
    own = {"field": "", "until": ""}
    if not inspection:
        own = {"field": said.get("field") or "", "until": said.get("valid_until") or ""}
    names = {"kind": kind, "record_key": key, "name": "检查结果" if inspection else "公共信用综合评价"}
    return {**names, **own, "since": since, "rules": ""} if since else None


def downgrade() -> None:
    """Take this step back."""
    op.drop_table("publicity")
