"""A TCP proxy between our client and a platform that does to bytes what networks do to them.

Belongs here: cutting, holding, dripping, doubling, reordering and bending of one connection's bytes, and what went by.
Must not: anything of ours or of a contract; it reads HTTP only as far as it must to know where a message ends.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"
PATIENCE = 10.0  # seconds; nothing a test waits for takes longer


def byte_at(part: str) -> Callable[[bytes], int]:
    """Where in a message: first, head, body, last (its last byte) or end (behind it); `before body` between the two."""

    def place(data: bytes) -> int:
        body = data.index(HEAD_END) + len(HEAD_END)
        places = {"first": 0, "head": body // 2, "before body": body, "body": (body + len(data)) // 2}
        return (places | {"last": len(data) - 1, "end": len(data)})[part]

    return place


def inside(text: bytes, offset: int = 0) -> Callable[[bytes], int]:
    """Behind the first place where a message holds that text, whatever case its letters have."""
    return lambda data: data.lower().index(text.lower()) + len(text) + offset


FIRST = byte_at("first")


@dataclass(frozen=True)
class Fault:
    """What happens to one push: `kind` names a row of WAYS; `at` says where; `seconds` how long it takes."""

    kind: str
    at: Callable[[bytes], int] = FIRST
    seconds: float = 0.1
    bit: int = 0
    reset: bool = False


@dataclass
class Passed:
    """One request of the client as it came; `fault` is what met it, `answer` what the platform said to it."""

    method: str
    target: str
    data: bytes
    fault: str = ""
    answer: bytes = b""
    answers: list[bytes] = field(default_factory=list)


class FaultProxy:
    """Serves on loopback; pushes (but no sessions) meet the ordered faults, one each, everything else passes."""

    def __init__(self, upstream: str) -> None:
        where = urlsplit(upstream)
        self.upstream = (str(where.hostname), int(where.port or 0))
        self.faults: deque[Fault] = deque()
        self.passed: list[Passed] = []
        self.holding = 0  # bytes of so many requests are still on their way
        self.lock = threading.Lock()
        self.answered = threading.Condition(self.lock)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> FaultProxy:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.05)
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._server.close()

    @property
    def url(self) -> str:
        """Where the client finds the platform now."""
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    @property
    def pushes(self) -> list[Passed]:
        """The requests that carried records."""
        return [one for one in self.passed if is_push(one)]

    def settled(self) -> None:
        """Wait until nothing is on its way any more."""
        end = time.monotonic() + PATIENCE
        while self.holding and time.monotonic() < end:
            time.sleep(0.005)

    # -- plumbing

    def _serve(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                conn, _ = self._server.accept()
                thread = threading.Thread(target=self._carry, args=(conn,))
                self._threads = [t for t in self._threads if t.is_alive()] + [thread]
                thread.start()

    def _carry(self, conn: socket.socket) -> None:
        with conn, contextlib.suppress(OSError):
            conn.settimeout(PATIENCE)
            data = message(conn)
            if not data:
                return
            method, target, _ = data.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            one = Passed(method, target, data)
            with self.lock:
                self.passed.append(one)
                fault = self.faults.popleft() if is_push(one) and self.faults else Fault("nothing")
                one.fault = fault.kind
                self.holding += 1
            try:
                WAYS[fault.kind](self, conn, one, fault)
            finally:
                with self.lock:
                    self.holding -= 1

    def ask(self, one: Passed, data: bytes | None = None, patience: float = PATIENCE) -> bytes:
        """Hand a request on and return the platform's answer, as far as it came."""
        with socket.create_connection(self.upstream, patience) as up:
            up.sendall(one.data if data is None else data)
            answer = message(up)
        with self.answered:
            one.answers.append(answer)
            one.answer = answer
            self.answered.notify_all()
        return answer

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the test."""
        self._stop.wait(seconds)


def is_push(one: Passed) -> bool:
    """Whether a request carries records."""
    return one.method == "POST" and not one.target.startswith("/auth/")


def message(conn: socket.socket) -> bytes:
    """One HTTP message: its head and as many bytes as its length says, or what came before the end."""
    data = b""
    with contextlib.suppress(OSError):
        while HEAD_END not in data or len(data) < _length(data):
            part = conn.recv(65536)
            if not part:
                break
            data += part
    return data


def _length(data: bytes) -> int:
    head, _, _ = data.partition(HEAD_END)
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(head) + len(HEAD_END) + int(value)
    return len(head) + len(HEAD_END)


def gone(conn: socket.socket, seconds: float = PATIENCE) -> None:
    """Wait until the other side has given up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([conn], [], [], 0.02)[0]:
            try:
                if not conn.recv(65536):
                    return
            except OSError:
                return


def flip(data: bytes, at: int, bit: int) -> bytes:
    """The same bytes with one bit turned."""
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def end(conn: socket.socket, fault: Fault) -> None:
    """Close as the fault says: in order, or with a reset."""
    if fault.reset:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


# ---------------------------------------------------------------- what can happen

Way = Callable[[FaultProxy, socket.socket, Passed, Fault], None]


def _nothing(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    conn.sendall(proxy.ask(one))


def _cut_request(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    with socket.create_connection(proxy.upstream, PATIENCE) as up:
        up.sendall(one.data[: fault.at(one.data)])
        end(up, fault)
    end(conn, fault)


def _cut_answer(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    answer = proxy.ask(one)
    conn.sendall(answer[: fault.at(answer)])
    end(conn, fault)


def _hold_request(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    gone(conn)
    proxy.pause(fault.seconds)
    proxy.ask(one)


def _drip_request(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    """A bit at a time, so that the last of it arrives when the client has long given up."""
    piece = max(1, len(one.data) // 40)
    with socket.create_connection(proxy.upstream, PATIENCE) as up:
        for start in range(0, len(one.data), piece):
            up.sendall(one.data[start : start + piece])
            proxy.pause(fault.seconds / 4)
        message(up)


def _hold_answer(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    proxy.ask(one)
    gone(conn)


def _drip_answer(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    for byte in proxy.ask(one):
        conn.sendall(bytes([byte]))
        proxy.pause(fault.seconds)


def _half_open(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    with socket.create_connection(proxy.upstream, PATIENCE):
        gone(conn)


def _double(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    answer = proxy.ask(one)
    proxy.ask(one)
    conn.sendall(answer)


def _double_late(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    """The copy was served first: the client hears what is said to the second one."""
    proxy.ask(one)
    conn.sendall(proxy.ask(one))


def _reorder(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    """Held until a push that came later was answered."""
    with proxy.answered:
        later = lambda: any(p.answer for p in proxy.pushes[proxy.pushes.index(one) + 1 :])  # noqa: E731 - said once
        proxy.answered.wait_for(later, PATIENCE)
    conn.sendall(proxy.ask(one))


def _flip_answer(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    answer = proxy.ask(one)
    conn.sendall(flip(answer, fault.at(answer), fault.bit))


def _flip_request(proxy: FaultProxy, conn: socket.socket, one: Passed, fault: Fault) -> None:
    conn.sendall(proxy.ask(one, flip(one.data, fault.at(one.data), fault.bit), 1.0))


WAYS: dict[str, Way] = {
    "nothing": _nothing,
    "cut request": _cut_request,
    "cut answer": _cut_answer,
    "hold request": _hold_request,
    "drip request": _drip_request,
    "hold answer": _hold_answer,
    "drip answer": _drip_answer,
    "half open": _half_open,
    "double": _double,
    "double late": _double_late,
    "reorder": _reorder,
    "flip answer": _flip_answer,
    "flip request": _flip_request,
}
