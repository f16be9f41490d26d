# SPDX-License-Identifier: Apache-2.0
"""Runs the message board for a test, on a free port and with its messages in a temporary folder."""
import http.client
import json
import os
import signal
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import BACKENDS, BIN, TIMEOUT, Server, free_port, is_alive  # noqa: E402
from server import WORKERS as SERVER_WORKERS  # noqa: E402

WORKERS = max(1, SERVER_WORKERS)

PROGRAM = str(BIN / "message_board")


def close(response):
    response.close()
    response.connection.close()


class Board:
    """with Board() as board: board.url, board.get(path) ... A stop() and a start() keep the port and the messages."""

    def __init__(self, *options):
        self.options = list(options)
        for option, value in (("--workers", WORKERS), ("--backend", BACKENDS[0] if len(BACKENDS) == 1 else "auto")):
            if option not in options:
                self.options += [option, str(value)]
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-board-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = None
        self.earlier_log = ""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)
        self.folder.cleanup()

    def start(self):
        if self.server:
            self.earlier_log += self.server.log
            self.server.stop()
        self.server = Server(*self.options, program="message_board", bind=f"127.0.0.1:{self.port}", cwd=self.folder.name,
                             env={"MESSAGE_BOARD_DB": os.path.join(self.folder.name, "messages.sqlite")})

    @property
    def process(self):
        return self.server.process

    def stop(self, number=signal.SIGINT):
        """Waits until the server and its workers have exited, and returns the exit status; negative: the signal that ended it."""
        workers = self.workers()
        if self.server.alive():
            self.server.signal(number)
        try:
            status = self.server.wait()
            end = time.monotonic() + TIMEOUT
            while any(is_alive(pid) for pid in workers) and time.monotonic() < end:
                time.sleep(0.005)
            return status
        finally:
            if self.server.alive():
                self.process.kill()
                self.process.wait()

    def workers(self):
        """Process ids."""
        return self.server.children() if self.server.alive() else []

    def connections_read(self):
        """Number of connections from which the server has read everything that was sent."""
        with open("/proc/net/tcp", encoding="ascii") as sockets:
            rows = [row.split()[1:5] for row in sockets.readlines()[1:]]
        return sum(local.endswith(f":{self.port:04X}") and state == "01" and queues.endswith(":00000000")
                   for local, _, state, queues in rows)

    def log(self):
        return self.earlier_log + self.server.log

    # ---- requests

    def open(self, method, path, body=None, fields=None):
        """Sends a request and returns its response with the body unread; close() ends the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, fields or {})
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        response.connection = connection
        return response

    def request(self, method, path, body=None, fields=None):
        """(status, fields, body)"""
        response = self.open(method, path, body, fields)
        try:
            return response.status, response.headers, response.read()
        finally:
            close(response)

    def get(self, path, fields=None):
        return self.request("GET", path, fields=fields)

    def get_json(self, path):
        status, _, body = self.get(path)
        assert status == 200, f"{path}: {status} {body!r}"
        return json.loads(body)

    def post_form(self, fields=None, **values):
        body = urllib.parse.urlencode(values)
        return self.request("POST", "/messages", body,
                            {"Content-Type": "application/x-www-form-urlencoded", **(fields or {})})

    def post_json(self, value, fields=None):
        return self.request("POST", "/messages", json.dumps(value),
                            {"Content-Type": "application/json", "Accept": "application/json", **(fields or {})})

    def say(self, text, author="Ada"):
        """Posts a message and returns the server's representation of it."""
        status, _, body = self.post_json({"author": author, "text": text})
        assert status == 201, f"{status} {body!r}"
        return json.loads(body)

    def texts(self):
        return [message["text"] for message in self.get_json("/messages?after=0")["messages"]]


class Events:
    """Iterates over a text/event-stream: `for event in Events(response)`. Each event is a dict with data, and with id, event
    and retry when they were sent."""

    def __init__(self, response):
        self.response = response

    def __iter__(self):
        return self

    def __next__(self):
        event = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise StopIteration
            line = line.rstrip("\n")
            if not line and event:
                return event
            name, _, value = line.partition(": ")
            if name:
                event[name] = event[name] + "\n" + value if name in event else value

    def close(self):
        close(self.response)
