"""Ways to bend a real answer: its JSON, its bytes, its head. One change a time, each drawn from a seeded die.

Belongs here: mutations. Must not: anything of ours; what an answer means is not known here, only what tempts a reader.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace

STATUSES = (200, 201, 202, 204, 301, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503)
# What an answer might hold in place of what it holds; chosen to tempt.
TEMPTING = (
    None, True, False, 0, 1, 2, 3, -1, -3, 4, 2**63, 10**40, 200, 202, 500, 20001, 6002, 1.0, 3.0, "", "0", "3", "0000",
    "200", "202", "4001", "4009", "5000", "6009", "ACCEPTED", "DUPLICATE", "REJECTED", "PASS", "FAIL", "DONE",
    "PROCESSING", "SN1", [], {}, [{}], [None], {"a": {"b": {"c": None}}},
)  # fmt: skip
LOGIN = "<!doctype html><html><title>统一身份认证</title><form>用户名<input></form></html>".encode()


@dataclass(frozen=True)
class Raw:
    """An answer as it stands on the wire. `length` is what its head says, if it lies about it."""

    status: int
    body: bytes
    headers: tuple[str, ...] = ("Content-Type: application/json; charset=utf-8",)
    length: int | None = None

    def wire(self) -> bytes:
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Length: {length}", *self.headers, "Connection: close"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def of_wire(data: bytes) -> Raw:
    """The answer that these bytes are."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    kept = tuple(line for line in lines[1:] if line.lower().startswith(("content-type", "location", "retry-after")))
    return Raw(int(lines[0].split(" ")[1]), body, kept)


class Bender:
    """`keys` and `numbers` are names of other records and batches, some of which are the reader's own."""

    def __init__(self, dice, keys, numbers):
        self.dice, self.keys, self.numbers = dice, tuple(keys), tuple(numbers)
        self.ways = (*(self.structure,) * 6, *(self.bytes_,) * 3, self.head, self.whole)

    def bend(self, answer: Raw, times: int) -> Raw:
        """So many changes, at most one of which gives a record or a batch another name.

        Two such changes could make of another batch's answer, word for word, the true one of ours.
        """
        self.named = False
        for _ in range(times):
            answer = self.dice.choice(self.ways)(answer)
        return answer

    # -- JSON

    def structure(self, answer):
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            return self.bytes_(answer)
        spots = list(places(value))
        if not spots:
            return self.bytes_(answer)
        *path, last = self.dice.choice(spots)
        parent = value
        for key in path:
            parent = parent[key]
        self.dice.choice((self.drop, self.double, self.rename, self.retype, self.tempt, self.tempt, self.name))(
            parent, last
        )
        return replace(answer, body=json.dumps(value, ensure_ascii=False).encode())

    def drop(self, parent, last):
        del parent[last]

    def double(self, parent, last):
        parent.append(copy.deepcopy(parent[last])) if isinstance(parent, list) else self.tempt(parent, last)

    def rename(self, parent, last):
        if isinstance(parent, dict):
            parent[self.dice.choice((last.upper(), f"{last} ", f"_{last}", last[:-1]))] = parent.pop(last)
        else:
            parent.insert(last, self.dice.choice(TEMPTING))

    def retype(self, parent, last):
        value = parent[last]
        turned = [[value], {"value": value}, None, str(value), f"{value} ", f" {value}".upper()]
        if isinstance(value, str) and value.isdigit():
            turned.append(int(value))
        if type(value) is int:
            turned += [float(value), value + 1, value - 1, -value, value * 10**30]
        parent[last] = self.dice.choice(turned)

    def tempt(self, parent, last):
        parent[last] = copy.deepcopy(self.dice.choice(TEMPTING))

    def name(self, parent, last):
        if self.named or not isinstance(parent[last], str):
            return self.tempt(parent, last)
        self.named = True
        parent[last] = self.dice.choice(self.keys + self.numbers)
        return None

    # -- bytes

    def bytes_(self, answer):
        data = answer.body or b"{}"
        a, b = sorted((self.dice.randrange(len(data)), self.dice.randrange(len(data))))
        flipped = data[:a] + bytes([data[a] ^ (1 << self.dice.randrange(8))]) + data[a + 1 :]
        text = data.decode("utf-8", "replace")
        changed = (
            flipped, flipped, flipped, data[:a], data[a:], data[:a] + data[b:], data[:b] + data[a:], data + data,
            b"\xef\xbb\xbf" + data, text.encode("gb18030"), text.encode("utf-16"), data[:-1] + b',"code":"0000"}',
            b'{"code":"0000",' + data[1:], data.replace(b":", b":NaN,", 1), data[:-1] + b',"n":NaN}', b"[" * 5000 + data,
            data.replace(b"}", b"}}"), data.upper(), b" " * 70_000 + data[:a],
        )  # fmt: skip
        return replace(answer, body=self.dice.choice(changed))

    # -- head

    def head(self, answer):
        json_type = "Content-Type: application/json"
        headers = self.dice.choice((
            (f"{json_type}; charset=GBK",), (json_type, "Content-Encoding: gzip"), ("Content-Type: text/html",),
            (json_type, "Location: /login"), (json_type, "Retry-After: -5"), (json_type, "Transfer-Encoding: chunked"),
        ))  # fmt: skip
        length = self.dice.choice((None, None, len(answer.body) + 7, max(0, len(answer.body) - 7), 0))
        return replace(answer, headers=headers, length=length)

    def whole(self, answer):
        if self.dice.randrange(3) == 0:
            return Raw(self.dice.choice(STATUSES), LOGIN, ("Content-Type: text/html; charset=utf-8",))
        return replace(answer, status=self.dice.choice(STATUSES))


def places(value, path=()):
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))
