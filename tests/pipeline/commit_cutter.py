"""A TCP proxy before PostgreSQL that loses the answer to a chosen commit: it was done, and nobody hears of it.

Belongs here: forwarding, counting commits, cutting. Must not: assertions, anything of the pipeline.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from sqlalchemy import make_url

COMMIT = b"COMMIT\x00"  # the simple query that the driver sends


class CommitCutter:
    """`arm(n)`: the n-th commit from now on reaches the server, its answer nobody. `struck`: whether that happened."""

    def __init__(self, url: str) -> None:
        real = make_url(url)
        self._target = (real.host, real.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = real.set(port=self._listener.getsockname()[1]).render_as_string(hide_password=False)
        self._lock = threading.Lock()
        self._left = 0
        self.struck = False

    def __enter__(self) -> CommitCutter:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()

    def arm(self, n: int) -> None:
        with self._lock:
            self._left, self.struck = n, False

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                app, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[app], daemon=True).start()

    def _serve(self, app: socket.socket) -> None:
        with app, socket.create_connection(self._target) as database:
            lost = threading.Event()
            threading.Thread(target=self._answers, args=[database, app, lost], daemon=True).start()
            with suppress(OSError):
                while data := app.recv(65536):
                    if COMMIT in data and self._due():
                        lost.set()
                    database.sendall(data)
            with suppress(OSError):
                database.shutdown(socket.SHUT_RDWR)

    def _answers(self, database: socket.socket, app: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := database.recv(65536):
                if lost.is_set():  # the server has answered, so the commit is done
                    self.struck = True
                    break
                app.sendall(data)
        with suppress(OSError):
            app.shutdown(socket.SHUT_RDWR)

    def _due(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left == 0
