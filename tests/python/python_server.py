# SPDX-License-Identifier: Apache-2.0
"""Starts Rondo with Python applications of tests/python/apps, and speaks HTTP/1 to them.

    with PythonServer("sending:app", "--backend", "epoll", python="3.13") as server, Client(server) as client:
        client.request("GET", "/play")
        response = client.response()

The tests run with the newest Python and with 3.11 (PYTHONS), a few of them with all Pythons that have a module (ALL_PYTHONS).
"""
import functools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import BACKENDS, SOURCE, START_SECONDS, TIMEOUT, Server, read_all  # noqa: E402

BUILD = Path(os.environ.get("RONDO_BUILD", SOURCE / "build/release"))
PYTHONS_DIR = Path(os.environ.get("RONDO_PYTHONS_DIR", BUILD / "python"))
VENVS = Path(os.environ.get("RONDO_VENVS", SOURCE / "build/venv"))
APPS = Path(__file__).resolve().parent / "apps"

ALL_PYTHONS = sorted((f.parent.parent.name for f in PYTHONS_DIR.glob("3.*/rondo/_rondo*.so")),
                     key=lambda v: int(v.partition(".")[2]))
NEWEST = ALL_PYTHONS[-1] if ALL_PYTHONS else None
PYTHONS = [v for v in ALL_PYTHONS if v in (NEWEST, "3.11")]


def python_of(version):
    """The interpreter of a version, with the packages of tests/python/requirements.txt."""
    return str(VENVS / version / "bin/python")


def environment_of(version, folder=None, **more):
    paths = [PYTHONS_DIR / version, APPS] + ([folder] if folder else [])
    # Variables of the tests would be unknown settings of the server.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("RONDO_")}
    return dict(inherited, PYTHONPATH=os.pathsep.join(map(str, paths)), PYTHONDONTWRITEBYTECODE="1", **more)


def run_rondo(*arguments, python=None, folder=None, timeout=TIMEOUT, env=None):
    """Runs `python -m rondo` until it exits: (exit status, standard output, standard error)."""
    python = python or NEWEST
    done = subprocess.run([python_of(python), "-m", "rondo", *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL, cwd=folder,
                          env=environment_of(python, folder, **(env or {})))
    return done.returncode, done.stdout, done.stderr


def each_python(test):
    """Runs a test with every Python of PYTHONS."""
    def run_all(self):
        for python in PYTHONS:
            with self.subTest(python=python):
                test(self, python)
    run_all.__name__ = test.__name__
    return run_all


class PythonServer(Server):
    """A running `python -m rondo APP`. `folder` is its working directory, from which it can import the application."""

    def __init__(self, app, *options, python=None, bind="127.0.0.1:0", folder=None, env=None):
        self.python = python or NEWEST
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.log_file = Path(self.folder.name) / "log"
        self.output_file = Path(self.folder.name) / "output"
        self.events_file = Path(self.folder.name) / "events"
        self.events_file.touch()
        self.gate = Path(self.folder.name) / "gate"  # of the testbed
        self.gates = Path(self.folder.name) / "gates"
        self.gates.mkdir()
        self.keys = 0
        arguments = [python_of(self.python), "-m", "rondo", app, "--bind", bind, *map(str, options)]
        if "--workers" not in arguments:
            arguments += ["--workers", "0"]
        environment = environment_of(self.python, folder, TMPDIR=self.folder.name, TEST_EVENTS=str(self.events_file),
                                     TEST_GATES=str(self.gates), **(env or {}))
        with open(self.log_file, "wb") as errors, open(self.output_file, "wb") as output:
            self.process = subprocess.Popen(arguments, stdout=output, stderr=errors, stdin=subprocess.DEVNULL,
                                            env=environment, cwd=folder or self.folder.name)
        self.pid = self.process.pid
        self.urls = self._wait_for_start()
        self.sockets_at_start = self._sockets()
        self.port = next((int(u.rsplit(":", 1)[1]) for u in self.urls if u.startswith("http://")), 0)
        self.unix_path = bind.removeprefix("unix:") if bind.startswith("unix:") else None

    def _wait_for_start(self):
        started = self.poll(lambda: re.search(r"^ *app +.*\n", self.log, re.M) or self.process.poll() is not None, START_SECONDS,
                            lambda: "the server did not start: " + self.log)
        if started is True:
            raise RuntimeError("the server did not start: " + self.log)
        return re.findall(r"^ *listen +(\S+)", self.log, re.M)

    def key(self):
        """A new name, for the notes and the gates of one test."""
        self.keys += 1
        return f"key{self.keys}"

    def open(self, key):
        """Lets kit.gate(key) return, now and later."""
        (self.gates / key).touch()

    def events(self, *first):
        """What the application noted with kit.note(), as lists; only those that start with the given values."""
        lines = [json.loads(line) for line in self.events_file.read_text().split("\n")[:-1]]
        return [line for line in lines if line[:len(first)] == list(first)]

    def wait_for_event(self, *first):
        """Waits until the application has noted something that starts with these values, and returns the last such list."""
        return self.wait_until(lambda: self.events(*first), f"a note {first}")[-1]

    def tree_memory(self):
        """Resident bytes of all its processes."""
        total = 0
        for pid in tree_of(self.pid):
            try:
                text = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            total += sum(int(kb) for kb in re.findall(r"^VmRSS:\s*(\d+)", text, re.M))
        return total * 1024

    def get_json(self, path, **fields):
        status, _, body = self.get(path, **fields)
        assert status == 200, (status, body, self.describe())
        return json.loads(body)

    def describe(self):
        return f"the notes:\n{self.events_file.read_text()[-2000:]}\nthe log:\n{self.log[-4000:]}"


def tree_of(pid):
    """A process and its descendants."""
    found = [pid]
    for p in found:
        for tasks in Path("/proc").glob(f"{p}/task/*/children"):
            try:
                found += map(int, tasks.read_text().split())
            except OSError:
                pass
    return found


class Response:
    """A received response. `fields` are pairs with names in lower case; `complete` tells whether its end has arrived."""

    def __init__(self, status, reason, version, fields):
        self.status, self.reason, self.version, self.fields = status, reason, version, fields
        self.body, self.complete, self.trailers, self.informational = b"", False, [], []

    def all(self, name):
        return [v for n, v in self.fields if n == name]

    def field(self, name):
        """The only value of a field; None when it is missing."""
        values = self.all(name)
        assert len(values) <= 1, values
        return values[0] if values else None

    def json(self):
        assert self.status == 200, (self.status, self.body)
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r} complete={self.complete}>"


class Closed(Exception):
    """The connection ended before the head of a response."""


class Client:
    """A connection that sends what the test says and parses what it receives."""

    def __init__(self, server, receive_buffer=None, timeout=TIMEOUT):
        if server.unix_path:
            self.socket = socket.socket(socket.AF_UNIX)
        else:
            self.socket = socket.socket()
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(server.unix_path or ("127.0.0.1", server.port))
        self.buffer = b""
        self.was_reset = False

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def request(self, method, target, *fields, body=None, version="1.1"):
        lines = [f"{method} {target} HTTP/{version}", "Host: test", *fields]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def _more(self):
        """Receives once; False at the end of the connection."""
        try:
            part = self.socket.recv(1 << 18)
        except ConnectionResetError:
            self.was_reset = True
            return False
        self.buffer += part
        return bool(part)

    def line(self):
        while b"\r\n" not in self.buffer:
            if not self._more():
                raise Closed(self.buffer)
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def take(self, count):
        """Exactly this many bytes, or fewer at the end of the connection."""
        parts, missing = [], count
        while missing > 0:
            if not self.buffer and not self._more():
                break
            parts.append(self.buffer[:missing])
            self.buffer = self.buffer[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def wait_for(self, text):
        """Waits until the text has been received, and removes it and what is before it."""
        while text not in self.buffer:
            if not self._more():
                raise Closed(self.buffer)
        self.buffer = self.buffer[self.buffer.index(text) + len(text):]

    def _fields(self):
        fields = []
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            fields.append((name.lower(), value.strip()))
        return fields

    def head(self):
        version, status, reason = (self.line().decode("latin-1") + " ").split(" ", 2)
        return Response(int(status), reason.strip(), version, self._fields())

    def response(self, method="GET"):
        """Reads a whole response. Raises Closed when the connection ends before its head."""
        informational = []
        response = self.head()
        while 100 <= response.status < 200:
            informational.append(response)
            response = self.head()
        response.informational = informational
        self.body_of(response, method)
        return response

    def body_of(self, response, method="GET"):
        if method == "HEAD" or response.status in (204, 304):
            response.complete = True
        elif response.field("transfer-encoding"):
            assert response.field("transfer-encoding") == "chunked" and not response.all("content-length"), response
            self._chunks(response)
        elif response.field("content-length") is not None:
            length = int(response.field("content-length"))
            response.body = self.take(length)
            response.complete = len(response.body) == length
        else:
            response.body = self.take(1 << 40)
            response.complete = not self.was_reset

    def _chunks(self, response):
        parts = []
        try:
            while size := int(self.line().partition(b";")[0], 16):
                parts.append(self.take(size))
                if self.line() != b"":
                    raise ValueError("a chunk does not end with CR LF")
            response.trailers = self._fields()
            response.complete = True
        except Closed:
            pass
        response.body = b"".join(parts)

    def rest(self):
        """What arrives until the server closes the connection."""
        received = self.buffer + read_all(self.socket)
        self.buffer = b""
        return received

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def each_server(*options, pythons=PYTHONS, backends=BACKENDS):
    """Runs a test of a SharedServers class once per Python and backend, with the server as an argument."""
    def decorate(test):
        @functools.wraps(test)
        def run_all(self):
            for python in pythons:
                for backend in backends:
                    with self.subTest(python=python, backend=backend):
                        test(self, self.server_for(python, "--backend", backend, *options))
        return run_all
    return decorate


class SharedServers(unittest.TestCase):
    """Its tests share servers, one for each Python and each set of options; they all serve `app`."""

    app = None
    servers = {}

    @classmethod
    def setUpClass(cls):
        cls.servers = {}

    @classmethod
    def server_for(cls, python, *options):
        key = (python, *options)
        if key in cls.servers and not cls.servers[key].alive():
            cls.servers.pop(key).stop()
        if key not in cls.servers:
            cls.servers[key] = PythonServer(cls.app, *options, python=python)
        return cls.servers[key]

    @classmethod
    def tearDownClass(cls):
        servers = list(cls.servers.values())
        for server in servers:
            server.__exit__(None)

    def get(self, server, target, *fields, method="GET", body=None, version="1.1"):
        """The response to a request on a connection of its own."""
        with Client(server) as client:
            client.request(method, target, *fields, body=body, version=version)
            return client.response(method)

    def assert_serves(self, server):
        self.assertEqual(server.get("/hello")[::2], (200, b"hello"))
