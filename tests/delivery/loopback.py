"""A server on loopback that answers with exactly the bytes a test wants, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from zz_pipeline.settings import Capability, Credential, Department, PlatformSpec, SourceSpec

SECRET = "an-invented-secret-of-32-characters!"
USCC = "11610124YY00000449"


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[socket.socket, Asked], object]


def whole(status: int, body: bytes, *headers: str) -> bytes:
    """A complete answer with its length."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(status: int, value: object, *headers: str) -> Handler:
    """A handler that answers one JSON value."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return lambda conn, asked: conn.sendall(whole(status, body, *headers))


def raw(data: bytes) -> Handler:
    """A handler that answers these bytes and closes."""
    return lambda conn, asked: conn.sendall(data)


@dataclass
class Loopback:
    """One server; `handlers` answer in turn, the last one for ever."""

    handlers: list[Handler]
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Loopback:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.05)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._server.close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.getsockname()[1]}"

    def pause(self, seconds: float) -> bool:
        """Sleep, but not beyond the test; False when it is over."""
        return not self._stop.wait(seconds)

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                conn, _ = self._server.accept()
            except TimeoutError:
                continue
            self.connections += 1
            thread = threading.Thread(target=self._answer, args=(conn,))
            self._threads.append(thread)
            thread.start()

    def _answer(self, conn: socket.socket) -> None:
        conn.settimeout(5)
        try:
            if self.tls:
                conn = self.tls.wrap_socket(conn, server_side=True)
            asked = _read(conn)
            if asked is not None:
                self.asked.append(asked)
                self.handlers[min(len(self.asked), len(self.handlers)) - 1](conn, asked)
        except OSError:
            return
        finally:
            conn.close()


def _read(conn: socket.socket) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = conn.recv(65536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += conn.recv(65536)
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body)


def drip(server: Loopback, data: bytes, at_once: int, seconds: float) -> Handler:
    """A handler that sends the first bytes at once and every other byte after a pause."""

    def handler(conn: socket.socket, asked: Asked) -> None:
        conn.sendall(data[:at_once])
        for n in range(at_once, len(data)):
            conn.sendall(data[n : n + 1])
            if not server.pause(seconds):
                return

    return handler


def department(key: str = "SCJG", uscc: str = USCC) -> Department:
    return Department(key=key, name=f"周至县样例{key}局", short=f"样例{key}", uscc=uscc, source=SourceSpec(kind="none"))


def credential(platform: str, key: str = "SCJG") -> Credential:
    return Credential(platform=platform, department=key, app_id=f"app-{key.lower()}", secret=SECRET)


def spec(name: str, url: str, **changes: object) -> PlatformSpec:
    """A platform of the contracts at that address, impatient enough for a test."""
    sign = {"double_random": "HMAC-SM3", "internet_supervision": "S2"}.get(name, "HMAC-SHA256")
    capability = Capability(
        idempotent="batch", verdicts="record", query_by_key=100, query_by_batch=True, versions=name == "double_random"
    )
    fields = {
        "name": name, "label": f"样例平台 {name}", "adapter": name, "url": url, "sign": sign, "batch_records": 100,
        "due_workdays": 5, "connect_seconds": 2.0, "read_seconds": 2.0, "call_seconds": 5.0, "capability": capability,
    }  # fmt: skip
    return PlatformSpec.model_validate(fields | changes)
