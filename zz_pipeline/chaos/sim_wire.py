"""The wire between the production client and the models: what each request meets, what our side hears, and the log.

Belongs here: the table of faults, deliveries that come late, the wire log with what our ledger had committed by then.
Must not: choosing how often something fails (that is `sim_schedule`), judging.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from zz_pipeline.chaos.sim_evidence import Intent, Request, RowFact
from zz_pipeline.chaos.sim_platforms import Platform, Said, canonical
from zz_pipeline.chaos.sim_records import DEPTS, LATE_EFFECT
from zz_pipeline.chaos.sim_world import SimKill, SimOver, World
from zz_pipeline.delivery.protocol import Clock, Reply, Transport
from zz_pipeline.standard.canonical import sm3_hex

READ_SECONDS = 10.0  # a client that hears nothing gives up after so long
LATENCY = 0.2
MOST_REQUESTS = 900  # a schedule that needs more goes round in circles
LISTS = ("/api/v1/records", "/exchange/records", "/publicity/records")
KEY_NAMES = ("recordKey", "cd_id", "pubId")
CODE_NAMES = ("insAuthCode", "enteredByCode", "sharedByCode", "implement_institution_code", "departmentCode")


class Fault(NamedTuple):
    """effect: what reaches the platform (now | late | half | none); answer: a name in `ANSWERS`, "" for the true one."""

    effect: str = "now"
    answer: str = ""


GOOD = Fault()
PUSH_FAULTS: dict[str, Fault] = {
    "request_lost": Fault("none", "silence"),
    "no_connect": Fault("none", "no_connect"),
    "answer_lost": Fault("now", "silence"),
    "reset": Fault("now", "reset"),
    "late": Fault("late", "silence"),
    "late_reset": Fault("late", "reset"),
    "500_before": Fault("none", "500"),
    "500_after": Fault("now", "500"),
    "500_late": Fault("late", "500"),
    "html_before": Fault("none", "html"),
    "html_after": Fault("now", "html"),
    "redirect": Fault("none", "302"),
    "busy": Fault("none", "4290"),
    "busy_wait": Fault("none", "4290_wait"),
    "quota": Fault("none", "4291"),
    "maintenance": Fault("none", "5030"),
    "bare_503": Fault("late", "503"),
    "auth": Fault("none", "4011"),
    "session": Fault("none", "4015"),
    "replayed": Fault("now", "4014"),
    "short": Fault("now", "short"),
    "foreign": Fault("now", "foreign"),
    "foreign_success": Fault("none", "another"),
    "counts": Fault("now", "counts"),
    "contradiction": Fault("now", "contradiction"),
    "half": Fault("half", ""),
    "half_silent": Fault("half", "silence"),
    "odd_code": Fault("none", "odd_code"),
    "killed_before": Fault("none", "killed"),
    "killed_after": Fault("now", "killed"),
    "killed_late": Fault("late", "killed"),
}
ASK_FAULTS: dict[str, Fault] = {
    "ask_silence": Fault("none", "silence"),
    "ask_no_connect": Fault("none", "no_connect"),
    "ask_500": Fault("none", "500"),
    "ask_html": Fault("now", "html"),
    "ask_busy": Fault("none", "4290_wait"),
    "ask_auth": Fault("none", "4011"),
    "ask_session": Fault("none", "4015"),
    "ask_foreign": Fault("now", "foreign"),
    "ask_odd_code": Fault("none", "odd_code"),
    "ask_killed": Fault("now", "killed"),
}
# Answers by which the contract says that surely nothing was stored.
_NO = ("no_connect", "4290", "4290_wait", "4291", "5030", "4011", "4015")
_REFUSALS: dict[str, tuple[int, str, float | None]] = {
    "4290": (429, "4290", None), "4290_wait": (429, "4290", 7.0), "4291": (429, "4291", None),
    "5030": (503, "5030", 5.0), "4011": (401, "4011", None), "4015": (401, "4015", None), "4014": (401, "4014", None),
}  # fmt: skip
_BROKEN: dict[str, tuple[Transport, int | None, float]] = {
    "silence": (Transport.UNKNOWN, None, READ_SECONDS), "reset": (Transport.UNKNOWN, None, 0.0),
    "no_connect": (Transport.NO_CONNECT, None, 0.0), "302": (Transport.UNKNOWN, 302, 0.0),
}  # fmt: skip
_ODD: dict[str, tuple[int, Any]] = {
    "500": (500, {"code": "500"}), "503": (503, None), "html": (200, None), "odd_code": (200, {"code": "200 OK"}),
}  # fmt: skip


class Wire:
    """Stands in for `client.exchange`: every signed request of every process goes through here."""

    def __init__(self, world: World, choose: Callable[[Request], tuple[str, Fault]]) -> None:
        self.world, self.choose = world, choose

    def exchange(
        self, line: Any, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str], clock: Clock,
        latest: float | None = None,
    ) -> Reply:  # fmt: skip
        """One request and what our side hears of it."""
        world = self.world
        platform = world.platforms[line.spec.name]
        request = self._logged(platform, method, path, query, body, headers)
        if request.n >= MOST_REQUESTS:
            world.evidence.defects.append(f"{MOST_REQUESTS} requests and no end")
            raise SimOver
        if latest is not None and world.now > latest:
            world.evidence.requests.pop()
            return Reply(Transport.NO_CONNECT, error="已过发送时限，请求没有发出")
        name, fault = self.choose(request)
        request.fault = name
        world.faults += bool(name)
        world.tell("wire", world.now, platform.name, request.dept, method, path, name, len(body))
        said = self._served(platform, request, query, fault)
        world.sleep(LATENCY)
        if fault.answer == "killed":
            request.told = "dead"
            world.crashes += 1
            raise SimKill
        reply = self._heard(platform, request, said, fault)
        request.ended_at = world.now
        world.tell("heard", world.now, request.told)
        return reply

    # -- out ---------------------------------------------------------------------------------------------------------

    def _logged(
        self, platform: Platform, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> Request:
        world, evidence = self.world, self.world.evidence
        app = headers.get("X-App-Id") or headers.get("gjgxjhpt_sid") or ""
        request = Request(
            len(evidence.requests), world.now, platform.name, app.removeprefix("app-"), world.process.dept,
            world.process.number, method, path,
        )  # fmt: skip
        request.worker = world.process.what == "worker"
        request.in_transaction = world.ledger.raw.in_transaction
        if method == "POST" and path in platform.paths:
            _describe(request, body)
            request.intent = self._intent(request)
        elif method == "GET":
            request.number, request.keys = _asked(path, query)
        evidence.requests.append(request)
        world.process.heard.append(request)
        return request

    def _intent(self, request: Request) -> Intent | None:
        """What our ledger has committed of a push that is just leaving."""
        raw = self.world.ledger.raw
        found = raw.execute(
            "SELECT a.batch_id, b.number, a.epoch, a.started_at, (SELECT count(*) FROM audit_event WHERE type = 'SEND' "
            "AND object = a.batch_id), (SELECT l.epoch FROM lane l WHERE l.platform = a.platform AND l.dept = a.dept) "
            "FROM attempt a JOIN batch b ON b.batch_id = a.batch_id WHERE a.platform = ? AND a.method = 'POST' "
            "AND a.ended_at IS NULL AND b.body = ? ORDER BY a.seq DESC LIMIT 1",
            (request.platform, request.body),
        ).fetchone()
        if found is None:
            return None
        batch_id, number, epoch, claimed_at, audited, lane_epoch = found
        rows = raw.execute(
            "SELECT kind, record_key, version, op, state FROM outbox WHERE platform = ? AND batch_id = ?",
            (request.platform, batch_id),
        ).fetchall()
        contested = raw.execute(
            "SELECT record_key FROM outbox WHERE platform = ? AND state = 'CONFLICT'", (request.platform,)
        ).fetchall()
        keys = {row[1] for row in rows}
        undecided = tuple(sorted({key for (key,) in contested} & keys))
        return Intent(
            batch_id, number, epoch, lane_epoch, claimed_at, audited, tuple(RowFact(*r) for r in rows), undecided
        )

    # -- there -------------------------------------------------------------------------------------------------------

    def _served(self, platform: Platform, request: Request, query: str, fault: Fault) -> Said | None:
        """What the platform answers; its effect may come later or be only half."""
        world = self.world
        if request.path == "/auth/session":
            until = {"session_secret": "s" * 32, "expires_at": "2027-12-31 00:00:00"}
            return 200, {"code": "200", "message": "", "data": until}
        if not request.push:
            return None if fault.effect == "none" else platform.ask(request.dept, request.path, query)
        if fault.effect == "late":
            delay = world.rng.uniform(0.0, LATE_EFFECT - LATENCY)
            world.later(world.now + delay, lambda: self._arrive(platform, request))
            return None
        if fault.effect == "none":
            return None
        half = len(request.contents) // 2 if fault.effect == "half" else None
        return self._push(platform, request, half or None)

    def _arrive(self, platform: Platform, request: Request) -> None:
        self._push(platform, request, None)

    def _push(self, platform: Platform, request: Request, most: int | None) -> Said:
        platform.request = request.n
        try:
            return platform.push(request.dept, request.path, request.body, most)
        finally:
            platform.request = None

    # -- back --------------------------------------------------------------------------------------------------------

    def _heard(self, platform: Platform, request: Request, said: Said | None, fault: Fault) -> Reply:
        answer = fault.answer
        if answer in _BROKEN:
            transport, http, wait = _BROKEN[answer]
            self.world.sleep(wait)
            request.told = "no" if answer in _NO else "unknown"
            request.told_well = False
            return self._reply(transport, http, None)
        if answer in _REFUSALS:
            http, code, wait = _REFUSALS[answer][0], _REFUSALS[answer][1], _REFUSALS[answer][2] or 0.0
            request.told = "no" if answer in _NO else "unknown"
            request.retry_after = wait or None
            request.credential_refused = answer == "4011"
            return self._reply(Transport.ANSWERED, http, {"code": code, "message": "样例"}, wait or None)
        if answer in _ODD:
            request.told_well = False
            return self._reply(Transport.ANSWERED, *_ODD[answer])
        if answer == "another":
            return self._reply(Transport.ANSWERED, *_success_of_another(request))
        if said is None:
            request.told_well = False
            return self._reply(Transport.UNKNOWN, None, None)
        http, data = said
        if answer:
            data = TWISTS[answer](data)
        else:
            self._understood(platform, request, http, data)
        return self._reply(Transport.ANSWERED, http, data)

    def _reply(self, transport: Transport, http: int | None, data: Any, wait: float | None = None) -> Reply:
        error = "" if transport is Transport.ANSWERED else "结果不明"
        digest = sm3_hex(repr(data).encode())
        return Reply(transport, http, data, body_digest=digest, retry_after=wait, error=error)

    def _understood(self, platform: Platform, request: Request, http: int, data: dict[str, Any]) -> None:
        """What an honest answer tells, in the checker's words."""
        request.told = "yes"
        if request.push:
            code = str(data.get("code"))
            nothing = (platform.name, code) in _STORED_NOTHING
            request.told = "no" if nothing else "unknown" if code in ("5000", "500") else "yes"
        elif request.keys:
            held = {key: item for (_, key), item in platform.store.items()}
            request.shown = {key: held[key].digest if key in held else "" for key in request.keys}
        elif request.path in LISTS:
            request.shown = {key: i.digest for (_, key), i in platform.store.items() if i.owner == request.dept}


_STORED_NOTHING = {
    ("double_random", "4009"), ("internet_supervision", "6002"), ("internet_supervision", "6009"),
    ("publicity", "6002"), ("publicity", "4002"),
}  # fmt: skip


def _describe(request: Request, body: bytes) -> None:
    batch = json.loads(body)
    records = batch.get("records", batch.get("items", []))
    request.body = body
    request.number = batch.get("batchNo") or batch.get("cd_batch") or batch.get("batchId") or ""
    keys = [next(r[n] for n in KEY_NAMES if n in r) for r in records]
    request.keys = tuple(keys)
    # the operation follows what the platform holds; what is said of the record does not
    said = [{name: value for name, value in r.items() if name != "cd_operation"} for r in records]
    request.contents = tuple((k, sm3_hex(canonical(r))) for k, r in zip(keys, said, strict=True))
    owners = {code: dept for dept, code in DEPTS.items()}
    named = {r[n] for r in (batch, *records) for n in CODE_NAMES if n in r}
    request.codes = tuple(sorted(owners.get(code, code) for code in named))


def _asked(path: str, query: str) -> tuple[str, tuple[str, ...]]:
    """(batch number, remote keys) of a question."""
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in ("recordKeys", "cd_ids", "pubIds"):
            return "", tuple(value.replace("%2C", ",").split(","))
    head, _, last = path.rpartition("/")
    return (last, ()) if head.endswith(("/batches", "/receipts")) else ("", ())


def _success_of_another(request: Request) -> tuple[int, dict[str, Any]]:
    """Another batch's success in answer to ours."""
    number, n = "D20200101-ZZZZ-000001", len(request.keys)
    if request.platform == "internet_supervision":
        return 202, {"code": "202", "message": "", "data": {"cd_batch": "2020010100001", "received": n}}
    if request.platform == "publicity":
        return 200, {"code": 200, "errorMsg": "", "totalSize": n + 1, "successSize": n + 1, "failSize": 0, "tips": ""}
    rows = {row.record_key: row.version for row in (request.intent.rows if request.intent else ())}
    results = [
        {"recordKey": k, "version": rows.get(k, 1), "verdict": "ACCEPTED", "receiptNo": "SN1", "errors": []}
        for k in request.keys
    ]
    return 200, {"code": "0000", "message": "", "data": {"batchNo": number, "results": results}}


# ---------------------------------------------------------------- answers that contradict the batch


_NONSENSE = {"code": "7777", "message": "样例"}


def _short(data: dict[str, Any]) -> dict[str, Any]:
    inner = data.get("data")
    if isinstance(inner, dict) and isinstance(inner.get("results"), list):
        return {**data, "data": {**inner, "results": inner["results"][1:]}}
    return _counts(data)


def _counts(data: dict[str, Any]) -> dict[str, Any]:
    if data.get("code") == 200 and "successSize" in data:
        return {**data, "successSize": data["successSize"] + 1}
    inner = data.get("data")
    if isinstance(inner, dict) and "received" in inner:
        return {**data, "data": {**inner, "received": inner["received"] + 1}}
    return dict(_NONSENSE)


def _foreign(data: dict[str, Any]) -> dict[str, Any]:
    inner = data.get("data")
    if isinstance(inner, dict):
        names = {name: "D20200101-ZZZZ-000001" for name in ("batchNo", "cd_batch") if name in inner}
        return {**data, "data": {**inner, **names} if names else None}
    if data.get("code") == 200:
        return {**data, "totalSize": int(data.get("totalSize") or 0) + 7}
    return dict(_NONSENSE)


def _contradiction(data: dict[str, Any]) -> dict[str, Any]:
    """Success and refusal of one record in one answer."""
    inner = data.get("data")
    if isinstance(inner, dict) and isinstance(inner.get("results"), list):
        twisted = [
            {**r, "verdict": "REJECTED", "receiptNo": "", "errors": [{"code": "E06", "field": "x"}]}
            for r in inner["results"][:1]
        ]
        return {**data, "data": {**inner, "results": [*inner["results"], *twisted]}}
    return _foreign(data)


TWISTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "short": _short, "counts": _counts, "foreign": _foreign, "contradiction": _contradiction,
}  # fmt: skip
