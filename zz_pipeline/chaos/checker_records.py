"""Invariants about records: nothing lost, doubled, altered, out of order, overwritten or left behind (I0–I3, I5–I8, I14).

Belongs here: one function for each invariant. Must not: anything of the delivery protocol or of the simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from zz_pipeline.chaos.checker_case import Case, Found, belongs, people_decided
from zz_pipeline.chaos.sim_evidence import Effect, Request, Unit, Version

OPEN = ("READY", "INFLIGHT", "UNKNOWN", "ACCEPTED")
OUT = ("INFLIGHT", "UNKNOWN", "ACCEPTED")
ASKED_TOGETHER = 1.0  # questions closer than this belong to one asking


def no_loss(c: Case) -> Found:
    """I0: what is CONFIRMED here is there, in that version or a later one; and it was there when we said so."""
    for name, newest in _newest(c).items():
        platform, kind, key = name
        row, marker = newest
        if row["state"] != "CONFIRMED" or people_decided(c, platform, key):
            continue
        held = [h for h in c.e.stores.get(platform, []) if h.kind == kind and h.record_key == key]
        present = {h.marker for h in held if h.present}
        if row["op"] != "WITHDRAW" and marker not in present:
            yield f"{platform} {key} v{row['version']} is CONFIRMED here and not present there ({sorted(present)})"
        # what a clerk has typed in beside it is not ours to take down: a reconciliation has to tell people of it
        told = {d["remote_key"] for d in c.tables("difference") if d["platform"] == platform}
        beside = {h.marker for h in held if h.present and h.by == "hand" and h.remote_key in told}
        if row["op"] != "WITHDRAW" and len(present - (beside - {marker})) > 1:
            yield f"{platform} {key} v{row['version']} is CONFIRMED here and stands there in two contents"


def _newest(c: Case) -> dict[tuple[str, str, str], tuple[Mapping[str, Any], str]]:
    """Of each record on each platform the newest row that left, with its marker."""
    found: dict[tuple[str, str, str], tuple[Mapping[str, Any], str]] = {}
    for row in c.tables("outbox"):
        if row["state"] not in ("CONFIRMED", *OUT, "CONFLICT"):
            continue
        name = (row["platform"], row["kind"], row["record_key"])
        unit = (*name, row["version"])
        if name not in found or found[name][0]["version"] < row["version"]:
            found[name] = (row, c.versions[unit].marker if unit in c.versions else "?")
    return found


def confirmed_by_proof(c: Case) -> Found:
    """I0: a row becomes CONFIRMED only when the platform has the version, or after a person has adopted what is there."""
    for move in c.e.moves:
        if move.new != "CONFIRMED" or move.old in ("CONFLICT", "DEAD"):
            continue
        before = [e for e in c.effects.get((move.platform, move.kind, move.record_key), []) if e.at <= move.at]
        version = c.versions.get((move.platform, move.kind, move.record_key, move.version))
        if version is None:
            yield f"{move.platform} {move.record_key} v{move.version} was never accepted"
        elif version.op == "WITHDRAW" or not version.marker:
            if any(e.op == "PUT" for e in before) and not any(e.op == "REMOVE" for e in before):
                yield f"{move.platform} {move.record_key} v{move.version} confirmed as withdrawn, never removed there"
        elif not any(e.marker == version.marker for e in before):
            yield f"{move.platform} {move.record_key} v{move.version} confirmed before it was there"


def rejected_by_proof(c: Case) -> Found:
    """I0: a row becomes REJECTED or CANCELLED by the protocol only while the platform does not hold that version."""
    for move in c.e.moves:
        if move.new not in ("REJECTED", "CANCELLED") or not move.process:
            continue
        refused = any(
            at <= move.at and platform == move.platform and belongs(key, move.record_key)
            for at, platform, key in c.e.refusals
        )
        if move.new == "REJECTED" and not refused:
            yield f"{move.platform} {move.record_key} v{move.version} is REJECTED here, the platform has refused nothing"
        version = c.versions.get((move.platform, move.kind, move.record_key, move.version))
        before = [e for e in c.effects.get((move.platform, move.kind, move.record_key), []) if e.at <= move.at]
        if version and before and before[-1].by == "wire" and before[-1].marker == version.marker != "":
            yield f"{move.platform} {move.record_key} v{move.version} is {move.new} here and present there"


def no_double(c: Case) -> Found:
    """I1: a version changes a platform's store once, unless a restore or a clerk has undone it meanwhile."""
    for (platform, kind, key), effects in c.effects.items():
        once: dict[tuple[str, str, str], float] = {}
        for effect in effects:
            if effect.by != "wire":
                once.clear()
                continue
            name = (effect.remote_key, effect.op, effect.marker)
            if effect.op == "PUT" and name in once:
                yield f"{platform} {kind} {key} {effect.marker} was stored twice ({once[name]}, {effect.at})"
            once[name] = effect.at


def asked_before_resend(c: Case) -> Found:
    """I1, I12: what may be there is sent again only after two absences, the last later than any late effect."""
    for unit, pushes in c.units.items():
        for earlier, later in pairwise(pushes):
            if not _may_resend(c, unit, earlier.request, later.request):
                yield f"{' '.join(map(str, unit))} sent at {earlier.request.at} and again at {later.request.at} unasked"


def _may_resend(c: Case, unit: Unit, earlier: Request, later: Request) -> bool:
    platform, _, key, _ = unit
    if c.since_restore(earlier.at) != c.since_restore(later.at):
        return True
    if earlier.told == "no" and earlier.taken:
        return True
    if c.noted(("decision",), platform, earlier.at, later.at, key) and not _retried(c, platform, key, earlier, later):
        return True
    moments = _absences(c, unit, earlier, later)
    asked = [t for n, t in enumerate(moments) if n == 0 or t - moments[n - 1] > ASKED_TOGETHER]
    return len(asked) >= 2 and asked[-1] >= earlier.at + c.e.late_effect


def _retried(c: Case, platform: str, key: str, earlier: Request, later: Request) -> bool:
    """A person's retry of a conflict only asks again; of a dead row it sends."""
    return any(
        m.old == "CONFLICT" and (m.platform, m.record_key) == (platform, key) and earlier.at <= m.at <= later.at
        for m in c.e.moves
    )


def _absences(c: Case, unit: Unit, earlier: Request, later: Request) -> list[float]:
    """Moments at which an honest answer said that the push, or one remote key of it, is not there."""
    platform, kind, key, _ = unit
    mine = [k for k, _ in earlier.contents if belongs(k, key)]
    history = c.effects.get((platform, kind, key), [])
    undone = [e for e in history if e.by != "wire"]
    effects = [e for e in history if e.request == earlier.n]
    found = []
    # a process that was overtaken sends after its successor has begun to ask: what counts is the claim
    since = earlier.intent.claimed_at if earlier.overtaken and earlier.intent else earlier.at
    for r in c.e.requests[: later.n]:
        if (
            r.at < since
            or r.n == earlier.n
            or r.platform != platform
            or r.push
            or r.told != "yes"
            or not (r.keys or r.number)
        ):
            continue
        about = mine if r.number == earlier.number != "" else [k for k in mine if k in r.keys]
        pending = any(start <= r.at < end for start, end in c.e.pending.get(earlier.n, ()))
        there = {
            e.remote_key
            for e in effects
            if e.at <= r.at and not any(e.at <= other.at <= r.at and _undoes(other, e, r) for other in undone)
        }
        if about and not pending and not there.issuperset(about):
            found.append(r.ended_at)
    return found


def _undoes(other: Effect, effect: Effect, asked: Request) -> bool:
    """Whether an effect of ours was undone: by a restore, which takes receipts back as well, or by what a clerk has put
    in its place, of which only a question for the record itself tells."""
    return other.by == "restore" or (other.remote_key == effect.remote_key in asked.keys)


def intent_first(c: Case) -> Found:
    """I2, I9: every push has its intent committed, and no transaction was open when it left."""
    for r in c.pushes:
        if r.in_transaction:
            yield f"{r.platform} request {r.n} left inside a transaction"
        if r.intent is None:
            yield f"{r.platform} request {r.n} left without a committed intent"
            continue
        missing = [k for k in r.keys if not any(belongs(k, row.record_key) for row in r.intent.rows)]
        if missing:
            yield f"{r.platform} request {r.n} holds {missing} that no intent names"


def nothing_unexpected(c: Case) -> Found:
    """I2: what a platform holds by wire was accepted by us."""
    for effect in c.e.effects:
        if effect.by != "wire":
            continue
        if effect.marker and (effect.platform, effect.marker) not in c.markers:
            yield f"{effect.platform} holds {effect.remote_key} with a content that was never accepted"
        elif effect.marker and c.markers[effect.platform, effect.marker].record_key != effect.record_key:
            yield f"{effect.platform} holds another record's content under {effect.remote_key}"


def nothing_altered(c: Case) -> Found:
    """I3: a version has one content on the wire, however often it is sent; a number has one body."""
    for unit, pushes in c.units.items():
        said: dict[tuple[int, str], str] = {}
        for pushed in pushes:
            life = c.since_restore(pushed.request.at)
            for key, digest in pushed.request.contents:
                if belongs(key, unit[2]) and said.setdefault((life, key), digest) != digest:
                    yield f"{' '.join(map(str, unit))} was sent with two contents under {key}"
    bodies: dict[tuple[str, str, str], Request] = {}
    for r in c.pushes:
        if r.number:
            first = bodies.setdefault((r.platform, r.dept, r.number), r)
            if first.body != r.body:
                yield f"{r.platform} batch number {r.number} was used for two bodies"


def order(c: Case) -> Found:
    """I5: versions of a record take effect in order, and leave in order."""
    for (platform, _, key), effects in c.effects.items():
        newest = 0
        for effect in effects:
            if effect.by != "wire":
                newest = 0
                continue
            version = c.version_of(effect)
            if version is None:
                continue
            if version < newest and not c.restores:
                yield f"{platform} {key} v{version} took effect after v{newest}"
            newest = max(newest, version)
    yield from _leaving(c)


def _leaving(c: Case) -> Found:
    last: dict[tuple[int, str, str, str], int] = {}
    for r in c.pushes:
        if r.overtaken:
            continue  # within the send deadline of a lost lane its claim counts, which came first; `order` looks at effects
        for row in c.rows(r):
            name = (c.since_restore(r.at), r.platform, row.kind, row.record_key)
            if row.version < last.get(name, 0) and not c.noted(
                ("decision", "platform_restore", "requeue"), r.platform, 0.0, r.at
            ):
                yield f"{r.platform} {row.record_key} v{row.version} left after v{last[name]}"
            last[name] = max(last.get(name, 0), row.version)


def entry_first(c: Case) -> Found:
    """ENTRY: the other platforms get a version only after the entry platform holds it; withdrawals do not wait for a refusal."""
    if c.e.entry not in c.e.stores:
        return
    for unit, pushes in c.units.items():
        platform, kind, key, version = unit
        if platform == c.e.entry or pushes[0].row.op == "WITHDRAW":
            continue
        gate = c.versions.get((c.e.entry, kind, key, version))
        if gate is None or gate.state == "NOT_APPLICABLE" or people_decided(c, c.e.entry, key):
            continue
        there = c.effects.get((c.e.entry, kind, key), [])
        known = any(e.at <= pushes[0].request.at and e.marker == gate.marker for e in there)
        if not known:
            yield f"{platform} {key} v{version} left before the entry platform held it"


def only_decided(c: Case) -> Found:
    """I6: what is held, blocked, cancelled or not applicable is never on the wire."""
    for r in c.pushes:
        if r.intent is None or r.overtaken:
            continue  # somebody took the lane over: within the send deadline that is allowed, I11 looks at it
        for row in c.rows(r):
            version = c.versions.get((r.platform, row.kind, row.record_key, row.version))
            if row.state != "INFLIGHT":
                yield f"{r.platform} {row.record_key} v{row.version} left as {row.state}"
            if version is not None and version.state not in ("READY",):
                yield f"{r.platform} {row.record_key} v{row.version} left though decided {version.state}"


def liveness(c: Case) -> Found:
    """I7: after the faults every row ends or waits for a person, or for a row that does."""
    states = {(r["platform"], r["kind"], r["record_key"], r["version"]): r["state"] for r in c.tables("outbox")}
    for (platform, kind, key, version), state in states.items():
        if state not in OPEN:
            continue
        waits = state == "READY" and any(
            s in ("CONFLICT", "DEAD", "HELD")
            for (p, k, r, v), s in states.items()
            if (k, r) == (kind, key) and ((p == platform and v < version) or (p == c.e.entry and v == version))
        )
        if not waits:
            yield f"{platform} {key} v{version} is still {state}"
    for unit, version in c.versions.items():
        if unit not in states:
            yield f"{' '.join(map(str, unit))} was accepted as {version.state} and is not in the outbox"


def foreign_kept(c: Case) -> Found:
    """I8: what a clerk typed in and the platform has shown is not overwritten before a person has decided.

    Shown: to a lane that asked, or in a list that a reconciliation has read and written down.
    """
    for (platform, kind, key), effects in c.effects.items():
        for before, after in pairwise(effects):
            # what was typed in equal to ours is ours from then on
            typed = before.by == "hand" and (before.platform, before.marker) not in c.markers
            typed = typed and before.remote_key == after.remote_key
            if typed and after.by == "wire" and after.marker != before.marker and after.request is not None:
                pushed = c.e.requests[after.request]
                # what left within the send deadline of a lost lane was claimed before anybody was shown anything
                if (
                    not pushed.overtaken
                    and _shown(c, before, pushed)
                    and not c.noted(("decision",), platform, before.at, after.at, key)
                ):
                    yield f"{platform} {kind} {before.remote_key} of a clerk was overwritten though it had been shown"
    for r in c.pushes:
        if r.intent and r.intent.contested and not c.restores and not r.overtaken:
            yield f"{r.platform} request {r.n} holds {r.intent.contested}, about which a person has not decided"


def _shown(c: Case, typed: Effect, pushed: Request) -> bool:
    return any(
        r.platform == typed.platform and r.told == "yes" and r.taken and not r.push and typed.at <= r.at
        and r.shown.get(typed.remote_key) == typed.digest
        for r in c.e.requests[: pushed.n]
    )  # fmt: skip


def withdrawn(c: Case) -> Found:
    """I14: what was withdrawn last is visible nowhere, unless a reconciliation has told people so."""
    last: dict[tuple[str, str, str], Version] = {}
    for v in c.e.versions:
        name = (v.platform, v.kind, v.record_key)
        if name not in last or last[name].version < v.version:
            last[name] = v
    states = {(r["platform"], r["kind"], r["record_key"], r["version"]): r["state"] for r in c.tables("outbox")}
    for (platform, kind, key), v in last.items():
        if v.op != "WITHDRAW" and v.state not in ("BLOCKED", "NOT_APPLICABLE"):
            continue
        if states.get((platform, kind, key, v.version)) in ("CONFLICT", "DEAD", "REJECTED"):
            continue
        # "recovered" tells people that all is in order
        told = {
            d["remote_key"]
            for d in c.tables("difference")
            if (d["platform"], d["type"] != "recovered") == (platform, True)
        }
        visible = [
            h
            for h in c.e.stores.get(platform, [])
            if (h.kind, h.record_key) == (kind, key) and h.present and h.remote_key not in told
        ]
        if any(h.by == "wire" for h in visible) and not people_decided(c, platform, key):
            yield f"{platform} {key} was withdrawn with v{v.version} and is visible"
