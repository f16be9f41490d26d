# SPDX-License-Identifier: Apache-2.0
"""Runs the wall for a test: on a free port, with its messages in a temporary folder."""
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

PROGRAM = os.path.join(os.environ.get("RONDO_BIN", "build/release/bin"), "wall")
# With which workers, where a test does not say it itself: as in tests/testbed/server.py.
CLASS = os.environ.get("TESTBED_CLASS", "async")
WORKERS = max(1, int(os.environ.get("TESTBED_WORKERS", "1")))
BACKENDS = os.environ.get("TESTBED_BACKENDS", "").split()
PATIENCE = 30  # seconds; a build with sanitizers on a busy machine


def free_port():
    """Below the range that outgoing connections take theirs from, so that a server which comes back finds it free."""
    for port in random.sample(range(10_000, 32_000), 100):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no free port")


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def close(response):
    response.close()
    response.connection.close()


class Wall:
    """with Wall() as wall: wall.url, wall.get(path) ... stop() and start() again keep port and messages."""

    def __init__(self, *arguments):
        self.arguments = list(arguments)
        for option, value in (("--workers", WORKERS), ("--worker-class", CLASS), ("--backend", BACKENDS[0] if BACKENDS else "auto")):
            if option not in arguments:
                self.arguments += [option, str(value)]
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-wall-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)
        self.folder.cleanup()

    def start(self):
        with open(os.path.join(self.folder.name, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--bind", f"127.0.0.1:{self.port}", *self.arguments], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, cwd=self.folder.name,
                env=dict(os.environ, WALL_DB=os.path.join(self.folder.name, "messages.sqlite")))
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the wall did not start: {self.log()}") from None
                time.sleep(0.02)

    def stop(self, number=signal.SIGINT):
        """Returns the exit status; negative: the signal that ended it. Its workers have ended as well."""
        workers = self.workers()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(PATIENCE)
            end = time.monotonic() + PATIENCE
            while any(lives(pid) for pid in workers) and time.monotonic() < end:
                time.sleep(0.005)
            return status
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def workers(self):
        """Process ids."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
                return [int(pid) for pid in children.read().split()]
        except OSError:
            return []

    def connections_read(self):
        """How many connections there are from which it has read all that was sent."""
        with open("/proc/net/tcp", encoding="ascii") as sockets:
            rows = [row.split()[1:5] for row in sockets.readlines()[1:]]
        return sum(local.endswith(f":{self.port:04X}") and state == "01" and queues.endswith(":00000000")
                   for local, _, state, queues in rows)

    def log(self):
        with open(os.path.join(self.folder.name, "log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    # ---- requests

    def open(self, method, path, body=None, fields=None):
        """Sends a request and returns its response with the body unread; close() ends the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
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
        """Posts a message and returns it as the server tells it."""
        status, _, body = self.post_json({"author": author, "text": text})
        assert status == 201, f"{status} {body!r}"
        return json.loads(body)

    def texts(self):
        return [message["text"] for message in self.get_json("/messages?after=0")["messages"]]


class Events:
    """The events of a text/event-stream: `for event in Events(response)`; each a dict with data, and id, event, retry
    when they were sent."""

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
