"""Tables of the business database, portable SQL (SQLite and PostgreSQL are run; see README for others).

Belongs here: table definitions and the constraints that hold the principle 谁检查、谁录入、谁公开.
Must not: queries, migrations' history (that is `migrations/`), Dagster's own tables.

Times are Unix seconds (float) of the pipeline's clock; business dates are ISO text; JSON is text.
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
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from zz_pipeline.ledger.alert_tables import alert_message as alert_message
from zz_pipeline.ledger.alert_tables import alert_sending as alert_sending
from zz_pipeline.ledger.alert_tables import alert_state as alert_state
from zz_pipeline.ledger.alert_tables import metadata as metadata
from zz_pipeline.ledger.derived_tables import code_count as code_count
from zz_pipeline.ledger.derived_tables import publicity as publicity
from zz_pipeline.ledger.derived_tables import subject_check as subject_check

KIND, KEY, DEPT, PLATFORM, DAY, DIGEST = String(10), String(35), String(8), String(32), String(10), String(64)


def _table(name: str, *parts: Column | CheckConstraint | UniqueConstraint | Index | ForeignKeyConstraint) -> Table:
    return Table(name, metadata, *parts)


# A version's content never changes. The CHECK is the principle 谁检查、谁录入、谁公开 in the schema.
record_version = _table(
    "record_version",
    Column("kind", KIND, primary_key=True),
    Column("record_key", KEY, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("op", String(8), nullable=False),  # PUBLISH | CORRECT | WITHDRAW
    Column("owner_dept", DEPT, nullable=False),
    Column("submit_dept", DEPT, nullable=False),
    Column("day", DAY, nullable=False),  # partition in which it was accepted
    Column("digest", DIGEST, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # canonical JSON of the standard record
    Column("rule_set", String(32), nullable=False),  # version of the rules that passed it
    Column("reason", Text, nullable=False, default=""),
    Column("changed_at", String(19)),
    Column("source_file", Text),
    Column("source_row", Integer),
    Column("accepted_at", Float, nullable=False),
    CheckConstraint("owner_dept = submit_dept", name="owner_is_submitter"),
    CheckConstraint("version >= 1", name="version_counts_from_one"),
    CheckConstraint("op in ('PUBLISH', 'CORRECT', 'WITHDRAW')", name="known_operation"),
    Index("record_version_day", "day", "owner_dept"),
)

record_head = _table(
    "record_head",
    Column("kind", KIND, primary_key=True),
    Column("record_key", KEY, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("digest", DIGEST, nullable=False),
    Column("changed_at", String(19)),
    Column("owner_dept", DEPT, nullable=False),
    Column("withdrawn", Boolean, nullable=False, default=False),
    Column("twin", DIGEST, nullable=False),  # digest of the content without its number: INS-031
    Index("record_head_twin", "owner_dept", "twin"),
)

refused_input = _table(
    "refused_input",
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("record_no", Text, nullable=False),
    Column("owner_dept", DEPT, nullable=False),
    Column("submit_dept", DEPT, nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", DIGEST, nullable=False),
    Column("at", Float, nullable=False),
)

# Takings down that are not proven yet: what is still shown somewhere is among these few.
TAKEDOWN = text("op = 'WITHDRAW' AND state <> 'CONFIRMED'")

# One row = record version × platform. `dept` is the owner; the lane is (platform, dept).
outbox = _table(
    "outbox",
    Column("platform", PLATFORM, primary_key=True),
    Column("kind", KIND, primary_key=True),
    Column("record_key", KEY, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("dept", DEPT, nullable=False),
    Column("day", DAY, nullable=False),
    Column("op", String(8), nullable=False),  # PUBLISH | CORRECT | WITHDRAW: what is to happen on this platform
    Column("scheme", String(8), nullable=False, default=""),  # of a rating
    Column("public", Boolean, nullable=False),  # what this platform holds is open to anyone
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),  # Chinese: why it is in this state
    Column("rule", String(32), nullable=False, default=""),  # rule or legal source of the decision
    Column("item_key", DIGEST, nullable=False, unique=True),
    Column("due", DAY),  # statutory last day; NULL if there is none or its year is unknown
    Column("not_before", Float, nullable=False, default=0.0),  # earliest moment of sending
    Column("wire", LargeBinary),  # frozen wire records, JSON array; set at the first claim, kept for every resend
    Column("batch_id", DIGEST),
    Column("epoch", Integer, nullable=False, default=0),
    Column("sent_at", Float),
    Column("tries", Integer, nullable=False, default=0),
    Column("next_at", Float, nullable=False, default=0.0),  # when to send, ask or poll next
    Column("absences", Integer, nullable=False, default=0),  # how often the platform said: not here
    Column("first_absent_at", Float),
    Column("receipt", Text, nullable=False, default=""),
    Column("remote_code", Text, nullable=False, default=""),
    Column("updated_at", Float, nullable=False),
    CheckConstraint(
        "state in ('READY','INFLIGHT','CONFIRMED','ACCEPTED','REJECTED','UNKNOWN',"
        "'HELD','BLOCKED','NOT_APPLICABLE','CANCELLED','CONFLICT','DEAD')",
        name="known_state",
    ),
    # 国市监信发〔2022〕6号: 企业信用风险分类 is an internal reference and is never published. Not a setting, not an `if`.
    CheckConstraint(
        "NOT (public AND scheme = 'RISK') OR state IN ('BLOCKED', 'NOT_APPLICABLE', 'CANCELLED')",
        name="risk_is_never_public",
    ),
    ForeignKeyConstraint(
        ["kind", "record_key", "version"],
        ["record_version.kind", "record_version.record_key", "record_version.version"],
    ),
    # Without statistics SQLite takes the index with most columns in `=`: the questions of a night name these.
    Index("outbox_lane", "state", "platform", "dept", "rule"),
    Index("outbox_day", "day", "state", "platform"),
    Index("outbox_batch", "batch_id", "platform"),
    Index("outbox_record", "kind", "record_key", "version"),
    Index("outbox_takedown", "op", sqlite_where=TAKEDOWN, postgresql_where=TAKEDOWN),
)

batch = _table(
    "batch",
    Column("batch_id", DIGEST, primary_key=True),
    Column("platform", PLATFORM, nullable=False),
    Column("dept", DEPT, nullable=False),
    Column("path", String(64), nullable=False),  # where it is sent
    Column("number", String(64), nullable=False),  # the batch number on the wire
    Column("body", LargeBinary, nullable=False),  # frozen bytes
    Column("digest", DIGEST, nullable=False),
    Column("n", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("state", String(12), nullable=False),  # FROZEN | UNKNOWN | TAKEN_IN | LOST | SPLIT | CLOSED
    Column("created_at", Float, nullable=False),
    Column("first_byte_at", Float),
    Column("closed_at", Float),
    Column("next_at", Float, nullable=False, default=0.0),
    Column("polls", Integer, nullable=False, default=0),
    UniqueConstraint("platform", "dept", "number", name="batch_number_once"),
    Index("batch_open", "platform", "dept", "state"),
)

attempt = _table(
    "attempt",
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("platform", PLATFORM, nullable=False),
    Column("dept", DEPT, nullable=False),
    Column("batch_id", DIGEST),
    Column("epoch", Integer, nullable=False),
    Column("method", String(8), nullable=False),
    Column("path", Text, nullable=False),
    Column("nonce", String(32), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", String(16)),  # class of the answer; NULL while under way
    Column("http", Integer),
    Column("code", String(16)),
    Column("response_digest", DIGEST),
    Index("attempt_lane", "platform", "dept", "seq"),
)

# What a platform has said of one of our records, each statement once.
receipt = _table(
    "receipt",
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("platform", PLATFORM, nullable=False),
    Column("kind", KIND, nullable=False),
    Column("record_key", KEY, nullable=False),
    Column("version", Integer, nullable=False),
    Column("remote_key", String(100), nullable=False),
    Column("receipt_no", Text, nullable=False, default=""),
    Column("verdict", String(16), nullable=False),
    Column("raw", Text, nullable=False),
    Column("raw_digest", DIGEST, nullable=False),
    Column("received_at", Float, nullable=False),
    UniqueConstraint("platform", "remote_key", "version", "raw_digest", name="receipt_once"),
)

# What we know a platform holds under a key: the base of operations (i/u/d, stop) and of reconciliation.
holding = _table(
    "holding",
    Column("platform", PLATFORM, primary_key=True),
    Column("kind", KIND, primary_key=True),
    Column("remote_key", String(100), primary_key=True),
    Column("record_key", KEY, nullable=False),
    Column("version", Integer, nullable=False),
    Column("dept", DEPT, nullable=False),
    Column("state", String(10), nullable=False),  # PRESENT | WITHDRAWN
    Column("content_hash", DIGEST, nullable=False),
    Column("confirmed_at", Float, nullable=False),
    Index("holding_record", "record_key", "kind", "platform"),
    Index("holding_time", "platform", "dept", "confirmed_at"),
)

lane = _table(
    "lane",
    Column("platform", PLATFORM, primary_key=True),
    Column("dept", DEPT, primary_key=True),
    Column("epoch", Integer, nullable=False, default=0),
    Column("holder", Text, nullable=False, default=""),
    Column("taken_at", Float),
    Column("failures", Integer, nullable=False, default=0),
    Column("breaker_until", Float, nullable=False, default=0.0),
    Column("breaker_step", Integer, nullable=False, default=0),
    Column("stopped", Text, nullable=False, default=""),  # Chinese reason; only a person clears it
    Column("tokens", Float, nullable=False, default=-1.0),  # rate bucket; −1 = full
    Column("tokens_at", Float, nullable=False, default=0.0),
)

sequence = _table(
    "sequence",
    Column("name", String(80), primary_key=True),
    Column("value", Integer, nullable=False),
)

# One row = one reading of one department's source for one partition.
intake = _table(
    "intake",
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("day", DAY, nullable=False),
    Column("dept", DEPT, nullable=False),
    Column("kind", KIND, nullable=False),
    Column("state", String(8), nullable=False),  # RUNNING | OK | FAILED | EMPTY | NONE (零报送)
    Column("error", Text, nullable=False, default=""),
    Column("since", String(19)),
    Column("until", String(19)),
    Column("rows", Integer, nullable=False, default=0),
    Column("skipped", Text, nullable=False, default="{}"),  # JSON: reason → rows that are no data of this department
    Column("files", Text, nullable=False, default="[]"),  # JSON: name, digest, rows, problem
    Column("pulled", Integer, nullable=False, default=0),  # records, counted at the reading
    Column("unchanged", Integer, nullable=False, default=0),
    Column("quarantined", Integer, nullable=False, default=0),
    Column("accepted", Integer, nullable=False, default=0),
    Column(
        "accepted_before", Integer, nullable=False, default=0
    ),  # unchanged since an earlier reading of this partition
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Index("intake_day", "day", "dept", "kind"),
    Index("intake_source", "dept", "kind", "state", "day"),
)

watermark = _table(
    "watermark",
    Column("dept", DEPT, primary_key=True),
    Column("kind", KIND, primary_key=True),
    Column("until", String(19), nullable=False),  # everything changed before this moment was read
    Column("rows", Integer, nullable=False, default=0),
)

source_file = _table(
    "source_file",
    Column("dept", DEPT, primary_key=True),
    Column("digest", DIGEST, primary_key=True),
    Column("name", Text, nullable=False),
    Column("day", DAY, nullable=False),
    Column("rows", Integer, nullable=False, default=0),
    Column("state", String(8), nullable=False),  # READ | REFUSED
    Column("problem", Text, nullable=False, default=""),
    Column("archived", Text, nullable=False, default=""),
    Column("at", Float, nullable=False),
)

quarantine = _table(
    "quarantine",
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("intake_id", Integer, nullable=False),
    Column("day", DAY, nullable=False),
    Column("dept", DEPT, nullable=False),
    Column("kind", KIND, nullable=False),
    Column("unit", String(200), nullable=False),  # record number, or file#row where there is none
    Column("record_key", String(60), nullable=False, default=""),
    Column("source_file", Text, nullable=False, default=""),
    Column("source_row", Integer, nullable=False, default=0),
    Column("rule", String(16), nullable=False),
    Column("field", String(40), nullable=False),
    Column("value", Text, nullable=False, default=""),  # masked
    Column("message", Text, nullable=False),  # Chinese, for the clerk
    Column("severity", String(8), nullable=False),  # ERROR | WARN
    Column("opened_at", Float, nullable=False),
    Column("settled_at", Float),
    Column("settled_by", Text, nullable=False, default=""),
    Index("quarantine_day", "day", "dept"),
    Index("quarantine_unit", "dept", "kind", "unit", "settled_at"),
)

# What departments wrote and no code table knows; a person maps it or leaves it to the department.
unknown_code = _table(
    "unknown_code",
    Column("dept", DEPT, primary_key=True),
    Column("field", String(40), primary_key=True),
    Column("raw", String(200), primary_key=True),  # as written, personal data masked
    Column("set", String(40), nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("count", Integer, nullable=False, default=0),  # rows on which it was met
    Column("state", String(8), nullable=False, default="OPEN"),
    Column("decided_by", Text, nullable=False, default=""),
    Column("decided_at", Float),
    CheckConstraint("state in ('OPEN', 'MAPPED', 'IGNORED')", name="known_unknown_state"),
)

# What must no longer be public (信用修复 and the like); a later revision does not lift it.
suppression = _table(
    "suppression",
    Column("kind", KIND, primary_key=True),
    Column("record_key", String(128), primary_key=True),
    Column("reason", String(16), nullable=False),  # REPAIRED | EXPIRED | REVOKED | ENTRY_ERROR | OBJECTION | NOT_PUBLIC
    Column("basis", Text, nullable=False, default=""),
    Column("decided_at", String(19), nullable=False, default=""),
    Column("source", String(64), nullable=False, default=""),
    Column("state", String(16), nullable=False),  # APPLIED | UNKNOWN_KEY
    Column("at", Float, nullable=False),
)

conflict = _table(
    "conflict",
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("platform", PLATFORM, nullable=False),
    Column("kind", KIND, nullable=False),
    Column("record_key", KEY, nullable=False),
    Column("version", Integer, nullable=False),
    Column("ours", Text, nullable=False),
    Column("theirs", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("decided_by", Text, nullable=False, default=""),
    Column("decision", Text, nullable=False, default=""),
)

reconciliation = _table(
    "reconciliation",
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("day", DAY, nullable=False),
    Column("platform", PLATFORM, nullable=False),
    Column("state", String(8), nullable=False),  # OK | DIFFERS | FAILED
    Column("counts", Text, nullable=False, default="{}"),
    Column("error", Text, nullable=False, default=""),
    Column("at", Float, nullable=False),
    Index("reconciliation_day", "day", "platform"),
)

difference = _table(
    "difference",
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("reconciliation_id", Integer, nullable=False),
    Column("platform", PLATFORM, nullable=False),
    Column("kind", KIND, nullable=False),
    Column("remote_key", String(100), nullable=False),
    Column("type", String(12), nullable=False),  # lost | unexpected | altered | duplicate | recovered | stale
    Column("ours", Text, nullable=False, default=""),
    Column("theirs", Text, nullable=False, default=""),
    Column("action", Text, nullable=False, default=""),
)

audit_event = _table(
    "audit_event",
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("ts", Float, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("type", String(32), nullable=False),
    Column("object", Text, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev", DIGEST, nullable=False),
    Column("h", DIGEST, nullable=False),
)

switch = _table(
    "switch",
    Column("name", String(32), primary_key=True),  # 'stop' = the kill switch
    Column("value", Text, nullable=False),
    Column("at", Float, nullable=False),
)
