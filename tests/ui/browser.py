"""A headless Chromium driven over its own debugging pipe: no driver program, no package beside the standard library.

Belongs here: starting and ending it, pages, clicks as a mouse makes them, waiting, pictures. Must not: what is looked at.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--no-proxy-server", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--lang=zh-CN", "--remote-debugging-pipe", "--window-size=1600,1000", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
ANSWER_SECONDS = 30.0
# The innermost visible element whose own text (or label) is, or holds, the words.
FIND = """(words, exact, within) => {
  const root = within ? document.querySelector(within) : document;
  const seen = e => { const b = e.getBoundingClientRect(); return b.width > 0 && b.height > 0; };
  const said = e => [(e.innerText || '').trim(), e.getAttribute('aria-label') || '', e.placeholder || '', e.title || ''];
  const fits = e => said(e).some(t => exact ? t === words : t.includes(words));
  const all = root ? [...root.querySelectorAll('*')].filter(e => seen(e) && fits(e)) : [];
  const inner = all.filter(e => !all.some(o => o !== e && e.contains(o)));
  if (!inner.length) return null;
  inner[0].scrollIntoView({block: 'center'});
  const b = inner[0].getBoundingClientRect();
  return [b.x + b.width / 2, b.y + b.height / 2];
}"""


def executable() -> str | None:
    """Where Chromium is on this machine."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A running Chromium and the one page that is looked at."""

    def __init__(self, process: subprocess.Popen, read: int, write: int) -> None:
        self.process, self._read, self._write = process, read, write
        self._number, self._waiting, self.errors = 0, b"", []
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params) -> dict:
        """One command and its answer; what happens meanwhile is noted in `errors`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < until:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"].get("text", ""))
        raise TimeoutError(method)

    def _message(self) -> dict:
        while b"\0" not in self._waiting:
            part = os.read(self._read, 1 << 20)
            if not part:
                raise ConnectionError("Chromium has ended")
            self._waiting += part
        line, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(line)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def go(self, url: str) -> None:
        """Open an address."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str):
        """What a JavaScript expression gives."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    @property
    def text(self) -> str:
        """All words that can be seen on the page."""
        return self.value("document.body ? document.body.innerText : ''") or ""

    def see(self, *words: str, seconds: float = 30.0) -> str:
        """Wait until all these words are on the page; the page's words."""
        until = time.monotonic() + seconds
        while True:
            said = self.text
            missing = [word for word in words if word not in said]
            if not missing:
                return said
            assert time.monotonic() < until, f"not on {self.value('location.href')}: {missing}\n{said[:3000]}"
            time.sleep(0.2)

    def picture(self, path: Path) -> None:
        """What is on the screen now, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    # ── doing ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def click(self, words: str, *, exact: bool = True, within: str = "", seconds: float = 20.0) -> None:
        """Press the mouse on the innermost element that says these words (or is labelled by them)."""
        x, y = self.place(words, exact=exact, within=within, seconds=seconds)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        time.sleep(0.3)

    def place(self, words: str, *, exact: bool = True, within: str = "", seconds: float = 20.0) -> list[float]:
        """Where such an element is, once it is there and stands still."""
        until, last = time.monotonic() + seconds, None
        while True:
            spot = self.value(f"({FIND})({json.dumps(words)}, {json.dumps(exact)}, {json.dumps(within)})")
            if spot and spot == last:
                return spot
            last = spot
            assert time.monotonic() < until, f"nothing says {words!r}\n{self.text[:3000]}"
            time.sleep(0.2)

    def write(self, words: str) -> None:
        """Type into what has the focus, in place of what stands there."""
        self.value("document.activeElement.select && document.activeElement.select()")
        self.call("Input.insertText", text=words)


@contextmanager
def browser(path: str) -> Iterator[Browser]:
    """Chromium with a profile of its own; it and all its processes have ended when the block ends."""
    to_read, from_us = os.pipe()
    to_us, to_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:

        def take_the_pipes() -> None:
            # 3 and 4 may be one of the two already: first out of the way, then into place
            ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, to_write)]
            for wanted, end in zip((3, 4), ends, strict=True):
                os.dup2(end, wanted)

        process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(3, 4), preexec_fn=take_the_pipes, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        try:
            yield Browser(process, to_us, from_us)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            os.close(to_us)
            os.close(from_us)
