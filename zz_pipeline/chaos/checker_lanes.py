"""Invariants about lanes, names and books: whose credential, fence, deadline, patience, stop switch, audit (I4, I10–I13).

Belongs here: one function for each invariant. Must not: anything of the delivery protocol or of the simulation.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from zz_pipeline.chaos.checker_case import Case, Found
from zz_pipeline.chaos.sim_evidence import Request

BREAKER_FAILURES, BREAKER_SECONDS = 5, 60.0


def authority(c: Case) -> Found:
    """I4: credential, lane, owner and every department named in the bytes are one."""
    for r in c.e.requests:
        if r.dept != r.lane:
            yield f"{r.platform} request {r.n} of lane {r.lane} was signed by {r.dept}"
        if not r.push:
            continue
        owners = {c.owners[row.record_key] for row in c.rows(r) if row.record_key in c.owners}
        named = owners | set(r.codes)
        if named != {r.dept}:
            yield f"{r.platform} request {r.n} of {r.dept} speaks for {sorted(named)}"


def fence(c: Case) -> Found:
    """I10: nothing is written by a lower epoch than the lane's; no epoch is granted twice."""
    for m in c.e.moves:
        if m.epoch is not None and m.lane_epoch is not None and m.epoch < m.lane_epoch:
            yield f"{m.platform} {m.record_key} v{m.version} {m.old}→{m.new} by epoch {m.epoch} under {m.lane_epoch}"
    first: dict[tuple[int, str, str, int], int] = {}
    for at, platform, dept, epoch, process in c.e.grants:
        known = first.setdefault((c.since_restore(at), platform, dept, epoch), process)
        if known != process:
            yield f"{platform}/{dept} epoch {epoch} was granted to processes {known} and {process}"


def deadline(c: Case) -> Found:
    """I11: nothing leaves later than the send deadline after its claim."""
    for r in c.pushes:
        if r.intent and r.at - r.intent.claimed_at > c.e.send_deadline + 0.001:
            yield f"{r.platform} request {r.n} left {r.at - r.intent.claimed_at:.1f} s after its claim"


def patience(c: Case) -> Found:
    """I12: Retry-After is obeyed, an open breaker keeps quiet and is probed by a question."""
    for unit, pushes in c.units.items():
        for earlier, later in pairwise(pushes):
            wait = earlier.request.retry_after
            if wait and earlier.request.taken and later.request.at < earlier.request.ended_at + wait - 0.001:
                released = c.noted(("decision", "release"), unit[0], earlier.request.at, later.request.at)
                if not released and c.since_restore(earlier.request.at) == c.since_restore(later.request.at):
                    yield f"{' '.join(map(str, unit))} sent again before Retry-After was over"
    yield from _breaker(c)
    yield from _refused_credential(c)


def _refused_credential(c: Case) -> Found:
    for n, r in enumerate(c.e.requests):
        if not (r.credential_refused and r.taken and r.worker):
            continue
        for later in c.e.requests[n + 1 :]:
            if (later.platform, later.lane) != (r.platform, r.lane) or not later.worker or later.process == r.process:
                continue
            if c.noted(("release", "ledger_restore"), r.platform, r.at, later.at):
                break
            if later.overtaken or later.process < r.process:  # an older process's last call
                continue
            yield f"{r.platform}/{r.lane} was called at {later.at} after its credential was refused at {r.at}"
            break


def _breaker(c: Case) -> Found:
    lanes: dict[tuple[str, str], list[Request]] = defaultdict(list)
    for r in c.e.requests:
        if r.worker and r.path != "/auth/session":
            lanes[r.platform, r.lane].append(r)
    for (platform, dept), requests in lanes.items():
        failures = 0
        for before, after in pairwise(_of_holders(requests)):
            broken = not before.told_well and before.taken
            failures = failures + 1 if broken else failures if before.told == "dead" else 0
            if c.noted(("release", "ledger_restore"), platform, before.at, after.at):
                failures = 0
            if failures < BREAKER_FAILURES:
                continue
            if after.at < before.ended_at + BREAKER_SECONDS - 0.001:
                yield f"{platform}/{dept} was called {after.at - before.ended_at:.1f} s after {failures} failures in a row"
            elif after.push:
                yield f"{platform}/{dept} was probed by a push after {failures} failures in a row"


def _of_holders(requests: list[Request]) -> list[Request]:
    """Without questions that a process which had been overtaken meanwhile still asked: its token was granted before it
    was frozen, it cannot know of its successor's failures, and it changes nothing."""
    newest, found = 0, []
    for r in requests:
        if r.push or r.process >= newest:
            found.append(r)
        newest = max(newest, r.process)
    return found


def stopped(c: Case) -> Found:
    """STOP: the stop switch stops every push."""
    on: float | None = None
    spans: list[tuple[float, float]] = []
    for n in c.e.notes:
        if n.what == "stop":
            on = n.at if on is None else on
        elif n.what == "resume" and on is not None:
            spans.append((on, n.at))
            on = None
    for r in c.pushes:
        if any(start + c.e.send_deadline < r.at < end for start, end in spans):
            yield f"{r.platform} request {r.n} left while the stop switch was on"


def audited(c: Case) -> Found:
    """I13: the chain is whole; each push has one SEND event before it and one event that ends it."""
    for name, events in c.e.tables.items():
        if name.split("@")[0] == "audit_event":
            yield from _chain(name, events)
    seen: Counter[tuple[int, str]] = Counter()
    for r in c.pushes:
        if r.intent is None:
            continue
        life = (c.since_restore(r.at), r.intent.batch_id)
        seen[life] += 1
        if r.intent.audited < (seen[life] if not c.restores else 1):
            yield f"{r.platform} request {r.n} left with {r.intent.audited} audit events for {seen[life]} pushes"
    closed = Counter(a["batch_id"] for a in c.tables("attempt") if a["method"] == "POST" and a["ended_at"] is not None)
    told = Counter(e["object"] for e in c.tables("audit_event") if e["type"] in ("ANSWER", "NOT_SENT"))
    for batch_id, count in closed.items():
        if told[batch_id] != count:
            yield f"batch {batch_id[:8]}: {count} attempts ended, {told[batch_id]} audit events say so"
    if not c.restores:
        yield from _every_attempt(c)


def _every_attempt(c: Case) -> Found:
    """Every push on the wire is an attempt, and every answer that was written down closes one."""
    made = Counter(a["batch_id"] for a in c.tables("attempt") if a["method"] == "POST")
    sent = Counter(r.intent.batch_id for r in c.pushes if r.intent)
    for batch_id, count in sent.items():
        if made[batch_id] < count:
            yield f"batch {batch_id[:8]} was sent {count} times in {made[batch_id]} attempts"
    # a question whose session had ended is asked again by the client itself: one attempt
    asked = sum(
        r.taken and not r.push and r.worker and r.path != "/auth/session" and r.fault != "ask_session"
        for r in c.e.requests
    )
    kept = sum(a["method"] == "GET" for a in c.tables("attempt"))
    if kept < asked:
        yield f"{asked} questions were answered and settled, {kept} are among the attempts"


def _chain(name: str, events: list[Mapping[str, Any]]) -> Found:
    prev = "0" * 64
    for n, event in enumerate(events, start=1):
        said = {k: event[k] for k in ("n", "ts", "actor", "type", "object", "ok", "detail")} | {"ok": bool(event["ok"])}
        text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest = hashlib.new("sm3", prev.encode() + text.encode()).hexdigest()
        if (event["n"], event["prev"], event["h"]) != (n, prev, digest):
            yield f"{name}: the chain is broken at event {event['n']}"
            return
        prev = digest
