"""The control server: what a test may do to the platforms from outside, on a port of its own.

Belongs here: routes that change or show the mocks. Must not: anything a real platform would offer.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mock_platforms.store import Stored
from mock_platforms.wirelog import read

if TYPE_CHECKING:
    from mock_platforms.serve import Running

Handler = Callable[["Running", Request, dict[str, Any]], Awaitable[Any]]


class Unknown(ValueError):
    """The order names something that is not there."""


async def _faults(running: Running, request: Request, order: dict[str, Any]) -> Any:
    if order.get("platform") not in running.nodes:
        raise Unknown(f"没有平台 {order.get('platform')}，现有：{'、'.join(running.nodes)}")
    return {"id": running.faults.add(order)}


async def _show_faults(running: Running, request: Request, order: dict[str, Any]) -> Any:
    return [rule.shown() for rule in running.faults.rules]


async def _clear_faults(running: Running, request: Request, order: dict[str, Any]) -> Any:
    wanted = request.query_params.get("id", order.get("id"))
    running.faults.clear(None if wanted is None else int(wanted))
    return {"ok": True}


async def _clock(running: Running, request: Request, order: dict[str, Any]) -> Any:
    node = running.node(order)
    node.platform.clock.offset = float(order["offset"])
    node.store.set_meta("offset", node.platform.clock.offset)
    return {"now": node.platform.clock.now().isoformat(sep=" ", timespec="seconds")}


async def _ledger(running: Running, request: Request, order: dict[str, Any]) -> Any:
    store = running.node(request.path_params).store
    return [_entry(r) for r in (store.changes() if request.query_params.get("history") else store.all_records())]


async def _wire(running: Running, request: Request, order: dict[str, Any]) -> Any:
    return read(running.node(request.path_params).log.path)


async def _violations(running: Running, request: Request, order: dict[str, Any]) -> Any:
    return running.node(request.path_params).store.violations()


async def _batches(running: Running, request: Request, order: dict[str, Any]) -> Any:
    shown = ("department", "number", "path", "status", "answer", "created_at")
    return [{name: getattr(b, name) for name in shown} for b in running.node(request.path_params).store.batches()]


async def _forget(running: Running, request: Request, order: dict[str, Any]) -> Any:
    """The platform is restored from a backup: records (and the batches that brought them) are as they were."""
    store, since = running.node(order).store, order.get("since")
    records = store.all_records()
    gone = _picked(records, order)
    with store.transaction():
        for record in gone:
            store.forget(record.kind, record.key, since or "")
        keys = {record.key for record in gone}
        for batch in store.batches():
            named = {row.get("recordKey", row.get("cd_id")) for row in batch.answer.get("results", ())}
            if named & keys or (since is not None and batch.created_at >= since):
                store.drop_batch(batch.department, batch.number)
    return {"forgotten": sorted(keys)}


def _picked(records: list[Stored], order: dict[str, Any]) -> list[Stored]:
    if "keys" in order:
        return [r for r in records if r.key in set(order["keys"])]
    if "since" in order:
        return [r for r in records if r.updated_at >= order["since"]]
    if "fraction" in order:
        dice = random.Random(order.get("seed", 0))
        return [r for r in records if dice.random() < order["fraction"]]
    raise Unknown("forget 需要 keys、since 或 fraction 之一")


async def _expire(running: Running, request: Request, order: dict[str, Any]) -> Any:
    for node in running.nodes.values():
        if order.get("platform") in (None, node.platform.name):
            for credential in node.credentials.values():
                if order.get("department") in (None, credential.department):
                    node.store.end_sessions(node.platform.clock.epoch(), credential.app_id)
    return {"ok": True}


async def _maintenance(running: Running, request: Request, order: dict[str, Any]) -> Any:
    state = {"on": bool(order["on"]), "retry_after": order.get("retry_after")}
    running.node(order).store.set_meta("maintenance", state)
    return state


async def _foreign(running: Running, request: Request, order: dict[str, Any]) -> Any:
    running.node(order).platform.enter_by_hand(order["kind"], order["department"], order["record"])
    return {"ok": True}


async def _quota(running: Running, request: Request, order: dict[str, Any]) -> Any:
    store = running.node(order).store
    limits = {name: order[name] for name in ("daily_records", "rate", "burst") if order.get(name) is not None}
    store.set_meta("limits", {**store.meta("limits", {}), **limits})
    running.node(order).admission.refill()
    return running.node(order).admission.quota()


async def _suspend(running: Running, request: Request, order: dict[str, Any]) -> Any:
    store = running.node(order).store
    store.set_meta("suspended", {**store.meta("suspended", {}), order["department"]: bool(order["on"])})
    return {"ok": True}


async def _down(running: Running, request: Request, order: dict[str, Any]) -> Any:
    listener = running.node(order).listener
    await (listener.down() if order["on"] else listener.up())
    return {"ok": True}


async def _reset(running: Running, request: Request, order: dict[str, Any]) -> Any:
    """As at the start, but for the ledgers: no faults, right clocks, everything up; limits are those of the order."""
    running.faults.clear()
    limits = {name: order[name] for name in ("daily_records", "rate", "burst") if name in order}
    for node in running.nodes.values():
        node.platform.clock.offset = 0.0
        for name, value in (("offset", 0.0), ("maintenance", {}), ("suspended", {}), ("limits", limits)):
            node.store.set_meta(name, value)
        node.admission.refill()
        await node.listener.up()
    return {"ok": True}


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/faults", _faults),
    ("GET", "/faults", _show_faults),
    ("DELETE", "/faults", _clear_faults),
    ("POST", "/clock", _clock),
    ("GET", "/ledger/{platform}", _ledger),
    ("GET", "/wire/{platform}", _wire),
    ("GET", "/violations/{platform}", _violations),
    ("GET", "/batches/{platform}", _batches),
    ("POST", "/forget", _forget),
    ("POST", "/sessions/expire", _expire),
    ("POST", "/maintenance", _maintenance),
    ("POST", "/foreign", _foreign),
    ("POST", "/quota", _quota),
    ("POST", "/suspend", _suspend),
    ("POST", "/down", _down),
    ("POST", "/reset", _reset),
)


def _entry(record: Stored) -> dict[str, Any]:
    entry = asdict(record)
    entry["record"] = entry.pop("content")
    entry["kind"] = record.operation if record.kind == "publication" else record.kind
    return entry


def _endpoint(running: Running, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            found = await handler(running, request, orjson.loads(body) if body else {})
        except (ValueError, KeyError, TypeError) as error:
            return Response(orjson.dumps({"error": f"指令无法执行：{error}"}), 400, media_type="application/json")
        return Response(orjson.dumps(found), media_type="application/json")

    return endpoint


def application(running: Running) -> Starlette:
    """The ASGI application of the control server."""
    routes = [Route(path, _endpoint(running, handler), methods=[method]) for method, path, handler in _ROUTES]
    return Starlette(routes=routes)
