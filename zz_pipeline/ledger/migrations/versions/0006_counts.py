"""counts for the rules over time, and indexes by which a night's questions cost what is new, not what is known

Belongs here: one step of the schema, up and down, and the counts of what was accepted before. Must not: data rules,
imports of the current schema.
"""

import json
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

AT_ONCE = 5000
FIELDS = ("result", "check_kind", "object_type")
NEXT = sa.text(
    "SELECT record_key, version, owner_dept, day, payload FROM record_version WHERE kind = 'inspection'"
    " AND (record_key > :key OR (record_key = :key AND version > :version))"
    " ORDER BY record_key, version LIMIT :most"
)
CHECK = sa.text(
    "INSERT INTO subject_check (dept, subject, year, record_key, day) VALUES (:dept, :subject, :year, :key, :day)"
    " ON CONFLICT (dept, subject, year, record_key, day) DO NOTHING"
)
# index → (table, columns before, columns after); no columns: there is none
INDEXES = {
    "outbox_lane": ("outbox", ["platform", "dept", "state", "next_at"], ["state", "platform", "dept", "rule"]),
    "outbox_day": ("outbox", ["day", "platform", "state"], ["day", "state", "platform"]),
    "outbox_batch": ("outbox", ["batch_id"], ["batch_id", "platform"]),
    "outbox_record": ("outbox", [], ["kind", "record_key", "version"]),
    "holding_record": ("holding", ["kind", "record_key"], ["record_key", "kind", "platform"]),
    "intake_source": ("intake", [], ["dept", "kind", "state", "day"]),
}
TAKEDOWN = sa.text("op = 'WITHDRAW' AND state <> 'CONFIRMED'")


def upgrade() -> None:
    """Bring the schema up by this step."""
    op.create_table(
        "subject_check",
        sa.Column("dept", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("record_key", sa.String(length=35), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("dept", "subject", "year", "record_key", "day"),
        sqlite_with_rowid=False,
    )
    table = op.create_table(
        "code_count",
        sa.Column("dept", sa.String(length=8), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("field", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dept", "day", "field", "code"),
        sqlite_with_rowid=False,
    )
    names = ("dept", "day", "field", "code")
    codes = _count(op.get_bind())
    if codes:
        op.bulk_insert(table, [dict(zip(names, key, strict=True)) | {"n": n} for key, n in codes.items()])
    _index(before=1, after=2)
    op.create_index("outbox_takedown", "outbox", ["op"], sqlite_where=TAKEDOWN, postgresql_where=TAKEDOWN)


def downgrade() -> None:
    """Take this step back."""
    op.drop_index("outbox_takedown", "outbox")
    _index(before=2, after=1)
    op.drop_table("code_count")
    op.drop_table("subject_check")


def _index(before: int, after: int) -> None:
    for name, parts in INDEXES.items():
        if parts[before]:
            op.drop_index(name, parts[0])
        if parts[after]:
            op.create_index(name, parts[0], parts[after])


def _count(conn: sa.Connection) -> Counter[tuple[str, str, str, str]]:
    """Write the checks and return how often each code stood; a part of the versions at a time."""
    codes: Counter[tuple[str, str, str, str]] = Counter()
    last = {"key": "", "version": 0}
    while rows := conn.execute(NEXT, last | {"most": AT_ONCE}).all():
        checks = []
        for key, _, dept, day, payload in rows:
            said = json.loads(bytes(payload))
            items = said.get("items") or ()
            found = ((f, i.get(f) if f in i else said.get(f)) for i in items for f in FIELDS)
            codes.update((dept, day, field, code) for field, code in found if code)
            if said.get("uscc") and said.get("inspect_date") and said.get("check_kind") != "个案检查":
                year = int(said["inspect_date"][:4])
                checks.append({"dept": dept, "subject": said["uscc"], "year": year, "key": key, "day": day})
        if checks:
            conn.execute(CHECK, checks)
        last = {"key": rows[-1].record_key, "version": rows[-1].version}
    return codes
