"""A listening socket that a test can take down and bring back, and connections whose transport a fault can reach.

Belongs here: uvicorn's protocol class and asyncio servers. Must not: requests' meaning.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HOST = "127.0.0.1"


class _Protocol(H11Protocol):
    """uvicorn's own protocol, which tells the application its transport: a fault must be able to close it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope["zz.transport"] = self.transport
            await inner(scope, receive, send)

        self.app = with_transport


def reset(transport: Any) -> None:
    """Close a connection with RST instead of FIN."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Listener:
    """One ASGI application on one loopback port. `down` refuses connections really; the port stays ours."""

    def __init__(self, app: Any, port: int = 0) -> None:
        # keep-alive longer than a client's idle time, so that tests see only the closes they ordered
        self._config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            proxy_headers=False,
            timeout_keep_alive=75,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = self._bind(port)
        self.port = int(self._held.getsockname()[1])

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://{HOST}:{self.port}"

    @staticmethod
    def _bind(port: int) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        return sock

    async def up(self) -> None:
        """Accept connections."""
        held, self._held = self._held, None
        if held is None:
            return
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Protocol(config=self._config, server_state=self._state, app_state={}), sock=held, backlog=512
        )

    async def down(self, hold: bool = True) -> None:
        """Refuse connections and cut the open ones; with `hold` the port is kept bound for the next `up`."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in list(self._state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)
        if hold:
            self._held = self._bind(self.port)  # bound but not listening: the kernel answers with a refusal
