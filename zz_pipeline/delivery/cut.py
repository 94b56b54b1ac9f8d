"""A call's deadline on the socket itself, and the knowledge whether a byte of the request can have left.

Belongs here: connections that can be cut from outside and that report the moment before their first byte.
Must not: HTTP semantics, signing, deciding what an outcome means.

A read time-out alone is renewed by every byte: a platform that drips one byte a second would hold a lane for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from zz_pipeline.addresses import peer_problem
from zz_pipeline.delivery import points


class TooLate(OSError):
    """The connection stands, but no byte may leave any more."""


class WrongPeer(OSError):
    """The connection stands, but at an address to which no byte may leave."""


class Cut:
    """One call. `left`: a byte of the request can have left. `fired`: the deadline has cut the socket."""

    def __init__(self, seconds: float, latest: float | None = None) -> None:
        self.left = False
        self.fired = False
        self.late = False
        self.refused = ""  # Chinese: why the address that the name led to is not called
        self._latest = latest
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._fire)
        self._timer.daemon = True

    def __enter__(self) -> Cut:
        try:
            self._timer.start()
        except RuntimeError as error:  # no more threads: without a deadline nothing is sent
            raise OSError("no thread for the deadline") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def watch(self, sock: socket.socket) -> socket.socket:
        """Take a second handle on the connection, because TLS takes the first one away; returns the first."""
        with self._lock:
            try:
                second = sock.dup()
            except OSError:  # no more file descriptors
                sock.close()
                raise
            if self._socket is not None:
                self._socket.close()
            self._socket = second
        return sock

    def look(self, host: str, sock: socket.socket) -> None:
        """Called as soon as the connection stands, before TLS: WrongPeer if it may not be used."""
        self.refused = peer_problem(host, sock.getpeername()[0])
        if self.refused:
            sock.close()
            raise WrongPeer("a name led where no platform is")

    def may_send(self) -> None:
        """Called when the connection stands, TLS included, before the first byte of the request; TooLate if it is."""
        points.reach("wire:connected")
        self.late = self.fired or (self._latest is not None and time.monotonic() > self._latest)
        if self.late:
            raise TooLate("the send deadline has passed")
        self.left = True

    def _fire(self) -> None:
        self.fired = True
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


class Holder:
    """Where a connection finds the call it serves: a pool may use one connection object for several calls."""

    def __init__(self) -> None:
        self.cut = Cut(0.0)

    def reached(self, host: str, sock: socket.socket) -> socket.socket:
        """A new connection of the call under way, if it leads where it may."""
        self.cut.look(host, sock)
        return self.cut.watch(sock)


class PlainConnection(HTTPConnection):
    """HTTP without TLS, watched."""

    def __init__(self, *args: Any, holder: Holder, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._holder = holder

    def _new_conn(self) -> socket.socket:
        return self._holder.reached(self.host, super()._new_conn())

    def connect(self) -> None:
        """Connect, and look once more before the request leaves."""
        super().connect()
        self._holder.cut.may_send()

    def getresponse(self) -> Any:  # urllib3 narrows its own base class, which cannot be said in types
        """The request has left; read the head of the answer."""
        points.reach("wire:written")
        return super().getresponse()


class SecureConnection(HTTPSConnection):
    """HTTP over TLS, watched; the certificate was checked before `may_send`."""

    def __init__(self, *args: Any, holder: Holder, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._holder = holder

    def _new_conn(self) -> socket.socket:
        return self._holder.reached(self.host, super()._new_conn())

    def connect(self) -> None:
        """Connect, shake hands, and look once more before the request leaves."""
        super().connect()
        self._holder.cut.may_send()

    def getresponse(self) -> Any:  # urllib3 narrows its own base class, which cannot be said in types
        """The request has left; read the head of the answer."""
        points.reach("wire:written")
        return super().getresponse()
