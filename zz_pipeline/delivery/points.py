"""Named points at the borders of commits, files and sends, where a test may stop the process.

Belongs here: the names, the hook and its call. Must not: behaviour; in production the hook is None.

A write transaction that is named `x` has the points `x:before_commit` and `x:after_commit` (`Ledger.begin`,
`Lane.fenced`). What is added to the product gets its name here; `zz chaos kill` then kills there too.
"""

from __future__ import annotations

from collections.abc import Callable

# Every write transaction of the product, in the order of a night.
COMMITS: dict[str, str] = {
    "migrate": "the schema is brought to its newest version",
    "intake": "a reading is opened in the book",
    "intake_none": "a department without a source is noted as such",
    "intake_failed": "a reading that failed is closed; the watermark stays",
    "accept": "versions, outbox rows, quarantine, processed files and watermark of a reading",
    "repairs": "notices of credit repair: bars, versions, watermark",
    "publicity_reckoned": "ends of publicity that are new, or reckoned anew after the county's table has changed",
    "publicity_ended": "what is public past its period: bars, versions, audit",
    "lane_row": "a lane's row is made at its first use",
    "grant": "the epoch of a take-over",
    "takeover": "what an earlier holder left INFLIGHT becomes UNKNOWN",
    "gates": "rows whose fate other rows have sealed",
    "token": "a query's token is taken from the rate budget",
    "claim": "the intent: rows INFLIGHT, frozen bytes, attempt, audit",
    "settle": "what an answer says: states, receipts, holdings, audit",
    "quota": "the platform has refused a batch because its day is used up",
    "unsend": "a claim of which surely no byte left goes back",
    "queries": "queries that led to nothing",
    "probe": "the answer of a half-open breaker's probe",
    "delivered": "the end of a run over a platform (audit only)",
    "reconcile_begin": "a reconciliation is opened as FAILED",
    "reconcile": "differences of a department, recovered rows, conflicts",
    "lost": "lost records are asked about again",
    "reconcile_end": "the outcome of a reconciliation",
    "decision": "a person's decision about rows",
    "release": "a person releases a lane",
    "switch": "a person throws the stop switch",
    "requeue": "a person approves that lost records are asked about",
    "code": "a person decides about an unknown value",
    "verified": "the audit chain was found whole up to its end",
    "alerts": "troubles that changed, as messages to be sent",
    "alerts_plan": "over which channels a message goes",
    "alerts_claim": "a message is about to leave over a channel",
    "alerts_sent": "what became of a message on a channel",
}
# Other borders: inside transactions, around files, around a request.
PLACES: dict[str, str] = {
    "migrate:step": "one migration has been applied, not committed",
    "archive:before_write": "what was read is about to be kept",
    "archive:before_rename": "the archive's bytes are on the disk under a temporary name",
    "archive:after_rename": "the archive's file has its name",
    "handover:before_rename": "a step's tables are on the disk, their index is not",
    "handover:after_rename": "the next step can go on",
    "accept:written": "versions and outbox rows are written, not committed",
    "handover:cleared": "what was handed over is gone, its acceptance committed",
    "list:before_rename": "a 退回清单 is on the disk under a temporary name",
    "list:after_rename": "a 退回清单 has its name",
    "lane:locked": "the process lock of a lane is held, the epoch not yet granted",
    "claim:frozen": "a batch is frozen, its rows not yet INFLIGHT, nothing committed",
    "send:claimed": "the intent is committed",
    "mark:before_rename": "the mark beside the ledger is on the disk under a temporary name",
    "mark:after_rename": "the mark knows the intent",
    "send:before": "the last looks are done",
    "wire:connected": "the connection stands, no byte of the request has left",
    "wire:written": "the request has left, nothing was read of the answer",
    "wire:head": "the head of the answer was read",
    "send:after": "the answer was read, nothing was written of it",
    "settle:saved": "the rows' states are written, not committed",
    "ask:answered": "a question's answer was read",
    "report:before_rename": "a file of the day report is on the disk under a temporary name",
    "report:after_rename": "a file of the day report has its name",
}
NAMES: tuple[str, ...] = (
    *(f"{name}:{side}_commit" for name in COMMITS for side in ("before", "after")),
    *PLACES,
)

hook: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Say that the point is reached; a test's hook may kill the process or raise here."""
    if hook is not None:
        hook(name)
