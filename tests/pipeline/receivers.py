"""A mail server and a group robot on loopback, for tests of alerts: real sockets, answers as a test wants them.

Belongs here: what is received, what is answered. Must not: what is sent (that is the product).
"""

import json
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class MailServer:
    """Keeps every mail it took. answers: command → what it says instead of yes; `cut`: hangs up instead of answering."""

    def __init__(self):
        self.mails, self.raw, self.answers, self.cut = [], [], {}, ""
        self.tries = 0
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                owner.tries += 1
                self.say("220 loopback")
                while line := self.rfile.readline():
                    if not self.one(line.decode().strip()):
                        return

            def say(self, text):
                self.wfile.write(f"{text}\r\n".encode())

            def one(self, line):
                word = line.split(" ")[0].split(":")[0].upper()
                if word in owner.answers:
                    self.say(owner.answers[word])
                elif word == "EHLO":
                    self.say("250 loopback")
                elif word == "DATA":
                    self.say("354 go on")
                    return self.body()
                elif word == "QUIT":
                    self.say("221 bye")
                    return False
                else:
                    self.say("250 ok")
                return True

            def body(self):
                data = b""
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    data += line
                owner.raw.append(data)
                owner.mails.append(message_from_bytes(data, policy=policy.default))
                if owner.cut == "DATA":
                    return False
                self.say(owner.answers.get("BODY", "250 taken"))
                return True

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


class Robot:
    """Keeps every message of its webhook. answer: (HTTP status, JSON value or text)."""

    def __init__(self):
        self.messages, self.raw, self.paths, self.answer = [], [], [], (200, {"errcode": 0, "errmsg": "ok"})
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                owner.raw.append(data)
                owner.paths.append(self.path)
                owner.messages.append(json.loads(data))
                status, value = owner.answer
                body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Nothing: tests look at what was received."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/cgi-bin/webhook/send?key=robot-key-canary"


@contextmanager
def receivers():
    """Both, running; they have ended when the block ends."""
    mail, robot = MailServer(), Robot()
    threads = [threading.Thread(target=r.server.serve_forever, args=(0.05,), daemon=True) for r in (mail, robot)]
    for thread in threads:
        thread.start()
    try:
        yield mail, robot
    finally:
        for receiver, thread in zip((mail, robot), threads, strict=True):
            receiver.server.shutdown()
            receiver.server.server_close()
            thread.join(10)
