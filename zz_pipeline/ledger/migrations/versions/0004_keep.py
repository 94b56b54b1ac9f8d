"""the schema itself refuses to lose young audit events and attempts

Belongs here: one step of the schema, up and down. Must not: data rules, imports of the current schema.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DAYS = 200
# table → moment of a row
TABLES = {"audit_event": "ts", "attempt": "started_at"}
WORDS = "younger than 200 days: kept by law"


def upgrade() -> None:
    """Bring the schema up by this step."""
    for table, moment in TABLES.items():
        for statement in _made(op.get_bind().dialect.name, table, moment):
            op.execute(statement)


def downgrade() -> None:
    """Take this step back."""
    for table in TABLES:
        on = f" ON {table}" if op.get_bind().dialect.name == "postgresql" else ""
        op.execute(f"DROP TRIGGER {table}_is_kept{on}")
        if on:
            op.execute(f"DROP FUNCTION {table}_is_kept()")


def _made(dialect: str, table: str, moment: str) -> list[str]:
    if dialect == "sqlite":
        now = "(julianday('now') - 2440587.5) * 86400.0"
        return [
            f"CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table} WHEN OLD.{moment} > {now} - {DAYS * 86400} "
            f"BEGIN SELECT RAISE(ABORT, '{table} {WORDS}'); END"
        ]
    body = (
        f"BEGIN IF OLD.{moment} > extract(epoch from clock_timestamp()) - {DAYS * 86400} "
        f"THEN RAISE EXCEPTION '{table} {WORDS}'; END IF; RETURN OLD; END"
    )
    return [
        f"CREATE FUNCTION {table}_is_kept() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql",
        f"CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_is_kept()",
    ]
